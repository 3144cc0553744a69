"""Words for what happened to a patch's mail, and for what was undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kpatch_tool.mail.message import Damage
from kpatch_tool.series.model import Exactness, Patch

NOT_COMPARED = "; not compared with a tree yet"  # ends the reason of a patch repaired by its grammar alone

# damage -> (what was done to the mail, what undoing one line of it is called, the same of several)
WORDS: dict[Damage, tuple[str, str, str]] = {
    Damage.REWRAPPED: ("the mail program re-wrapped the lines", "wrapped line joined", "wrapped lines joined"),
    Damage.NO_BREAK_SPACES: (
        "the mail program wrote blanks as no-break spaces",
        "line with no-break spaces",
        "lines with no-break spaces",
    ),
    Damage.INVISIBLE: ("invisible characters were put in", "line with invisible characters", "lines with them"),
    Damage.TYPESET: ("quotes or dashes were typeset", "line with typeset characters", "lines with typeset characters"),
    Damage.CHARSET: (
        "the diff is in another charset than the file",
        "line put in the file's charset",
        "lines put in the file's charset",
    ),
    Damage.REPLACED: ("letters were replaced", "line with its letters back", "lines with their letters back"),
    Damage.QUOTED_PRINTABLE: (
        "codes of quoted-printable were left in the text",
        "line decoded from quoted-printable",
        "lines decoded from quoted-printable",
    ),
    Damage.HTML_ENTITIES: (
        "entities of HTML were left in the text",
        "line decoded from HTML",
        "lines decoded from HTML",
    ),
    Damage.TABS_TO_BLANKS: ("tabs became blanks", "line with its tabs back", "lines with their tabs back"),
    Damage.FIRST_COLUMN_LOST: (
        "the leading blank of context lines was removed",
        "context line without its first column",
        "context lines without their first column",
    ),
    Damage.HYPHENS_SPACED: ("a blank was put after hyphens", "line with blanks after hyphens", "such lines"),
    Damage.QUOTED: ("the text was quoted", "text unquoted", "texts unquoted"),
    Damage.INDENTED: ("the text was indented", "text brought back to the margin", "texts brought back to the margin"),
    Damage.LINE_ENDS: ("the line ends were changed", "text with its line ends back", "texts with their line ends back"),
    Damage.BLANK_LINES_DOUBLED: (
        "empty lines were put in",
        "empty line taken out",
        "empty lines taken out",
    ),
    Damage.SQUEEZED: ("white space was lost", "line with its white space back", "lines with their white space back"),
    Damage.BLANK_LINES_DROPPED: ("blank lines were dropped", "blank line put back", "blank lines put back"),
    Damage.ADDRESSES_HIDDEN: (
        "the archive hid an e-mail address inside the diff",
        "address written out",
        "addresses written out",
    ),
    Damage.COUNTS_WRONG: ("the counts of a hunk are wrong", "hunk counted anew", "hunks counted anew"),
    Damage.TRUNCATED: (
        "the end of the mail is missing",
        "context line put back at the end",
        "context lines put back at the end",
    ),
}


def because(damage: Iterable[Damage]) -> str:
    """Why a patch is damaged, in words."""
    found = set(damage)
    said = [words[0] for one, words in WORDS.items() if one in found] or ["its diff does not add up"]
    return " and ".join(said) + "; not restored yet"


def told(undone: Iterable[tuple[str, int]]) -> str:
    """What was undone, in words: "3 wrapped lines joined, 1 blank line put back"; "" for nothing."""
    counts: Counter[str] = Counter()
    for name, count in undone:
        counts[name] += count
    return ", ".join(
        f"{counts[one]} {words[1] if counts[one] == 1 else words[2]}" for one, words in WORDS.items() if counts[one]
    )


def broken(patches: Iterable[Patch]) -> list[str]:
    """Sentences on patches whose diffs do not add up by themselves: cut off, or with wrong counts."""
    return [
        f"patch {patch.number}: {patch.why}"
        for patch in patches
        if patch.exactness is Exactness.DAMAGED and (Damage.TRUNCATED in patch.damage or not patch.damage)
    ]
