"""The trailers that a reply gives to a patch, told from what it quotes, proposes, or says about others.

A trailer is taken when its address is the sender's; where either address is hidden (archives), the name decides. All
others are listed with the reason. The rules follow b4 (LoreMessage.find_trailers, get_trailers), but that b4 takes a
trailer whose name alone is the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from kpatch_tool.mail import headers, relayed
from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Trailer
from kpatch_tool.series.people import persons

_LINE = re.compile(r"[*•]{0,2}([A-Za-z][A-Za-z0-9_-]{1,50})[*]{0,2}\s{0,3}:\s*[*]{0,2}\s*(.*)")
_BLANKS_IN_KEY = re.compile(r"([A-Za-z]{4,12}(?:[ _-]and[ _-][A-Za-z]{4,12})?[ _]by)\s{0,3}:\s*(.*)", re.IGNORECASE)
_INSIDE = re.compile(
    r"\S\s+((?:Reviewed|Acked|Tested)(?:-and-[a-z]+)?-by):\s*([^<>]{0,80}<[^<>]{3,200}>)", re.IGNORECASE
)
_QUOTE = re.compile(r"\s*(?:>|\||[A-Za-z]{1,4}>)")
_DIFF = re.compile(r"^(?:diff --git |Index: \S|--- \S[^\n]*\n\+\+\+ )", re.MULTILINE)
_SCISSORS = re.compile(
    r"(?=.{0,60}(?:8<|>8|%<|>%))(?=.{0,60}-{2})[-\s><8%]{4,80}(?:cut here|snip|[-\s><8%])*$", re.IGNORECASE
)
_INBODY = re.compile(r"(?:From|Subject): \S")
# From here on a mail holds nothing of its text.
_END = re.compile(r"--\s*$|-----BEGIN PGP SIGNATURE-----|_{20,}\s*$", re.IGNORECASE)
# The same, or a mail that is quoted with marks ("> "), among which the answer stands.
_ANOTHER = re.compile(r"-{3,} ?(?:original message|forwarded message)|begin forwarded message:", re.IGNORECASE)
_DIFF_BEGINS = re.compile(r"diff --git |Index: \S|\+\+\+ \S|--- \S+/|---$")
_DIFF_GOES_ON = re.compile(
    r"[-+ @\\]|diff --git |index [0-9a-f]|(?:new|old|deleted|similarity|rename|copy|Binary|GIT) "
)
_QUOTED_HEADER = re.compile(r"(?:Sent|Date|To|Cc|Subject): ")
# What robots say before a tag that is meant for somebody's later patch, not for the one they tested.
_ASKED = re.compile(r"if you fix (?:the|this) issue|(?:kindly|please) add (?:the )?following tag", re.IGNORECASE)
_OF_A_FIX = frozenset({"reported-by", "tested-by", "closes", "link", "fixes"})
_LINKS = frozenset({"link", "closes", "buglink"})
# `b4 am` says of a series "Link: https://lore.kernel.org/r/..." among other things.
_PRINTED = re.compile(r"(?:Base|Cover|Total patches): ")
_DOUBTED = re.compile(r"[\s)]\?+$")  # 'Fixes: 5ea0d75037b9 ("lockd: handle test_lock deferrals") ??'
# "Yours is better. For the original patch, feel free to add:", and the trailer.
_OF_THE_PATCH = re.compile(
    r"^(?![>|])(?:[^\n]{0,80}[.!?,] )?(?:(?:and|but|so),? )?for the original patch\b[^\n]{0,80}\n\s*"
    r"(?=[a-z-]{2,40}-by:)",
    re.MULTILINE | re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"\[\d{1,2}\]$")  # "Link: https://example.org/ [1]"
_SIGNS_OFF = re.compile(r"(?:signed-off|co-developed|co-authored)-by$")
# Words before "-by" that people misspell, and others that are near one of them and are meant.
_MEANT = ("acked", "reviewed", "tested", "reported", "suggested", "signed-off", "co-developed")
_OTHERS = frozenset({"asked", "nacked", "backed", "rested", "listed", "noted", "exported", "ported", "reposted"})
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\xad]")
_BLANKS = re.compile("[\xa0\u2000-\u200a\u202f\u3000]")
_JOINED_ADDRESS = re.compile(r"(?<=[^\s<>])<(?=[^\s<>@]{1,64}@[^<>]{1,255}(?:>|$))")
_OPEN_ADDRESS = re.compile(r"[^<>]{1,200} <[^\s<>@]{1,64}@[^\s<>]{1,255}")
_NO_PERSON = "names nobody"  # "Caused-by: the change"
_LONGEST_LINE = 1000
_LONGEST_HEADER = 40  # lines
_LONGEST_NAME = 6  # words of a wrapped line that is still a name and an address


@dataclass(frozen=True, slots=True)
class Refused:
    """A trailer that was not taken, and why ("the address is not the sender's, ...")."""

    trailer: Trailer
    why: str

    def sentence(self) -> str:
        """For the list of problems."""
        return f"`{self.trailer.key}: {self.trailer.value}` {self.why}"


@dataclass(frozen=True, slots=True)
class Given:
    """What one reply gives. Trailers have the source "reply"."""

    taken: tuple[Trailer, ...] = ()
    refused: tuple[Refused, ...] = ()


def of_reply(text: str, sender: Address, *, sloppy: bool = False, to_counter_patch: bool = False) -> Given:
    """The trailers of a reply: those it gives, and those in its own text that were not taken.

    `sloppy` takes a trailer that is another person's (b4's -S). With `to_counter_patch` the reply answers a diff that
    somebody proposed in the thread: what it says is about that one, and nothing is taken, unless it says that it is
    about the original patch.
    """
    to_counter_patch = to_counter_patch and not _OF_THE_PATCH.search(text)
    taken: list[Trailer] = []
    refused: list[Refused] = []
    for trailer, doubt in _found(text):
        why = "answers a counter-patch: not taken" if to_counter_patch else doubt or _objection(trailer, sender)
        if why == _NO_PERSON:
            continue
        if why and not (sloppy and not doubt and not to_counter_patch):
            refused.append(Refused(trailer, why))
        else:
            taken.append(trailer)
    if not taken and not to_counter_patch:
        refused += _in_sentences(text, sender)
    return Given(tuple(dict.fromkeys(taken)), tuple(dict.fromkeys(refused)))


def _objection(trailer: Trailer, sender: Address) -> str:
    """Why a trailer is not its sender's; empty where it is, or where it names no person."""
    if not trailer.key.lower().endswith("-by"):
        return ""
    if writer := relayed.writer(sender.name):  # the address is a list's
        sender = Address(writer, "")
    name = persons.name_of(trailer.value)
    who = sender.name or sender.email or "somebody unknown"
    email = sender.email or sender.shown
    same = persons.same_address(trailer.value, email)
    named = persons.same_name(name, sender.name) or persons.is_named_in(persons.address_in(trailer.value), sender.name)
    if same is None and not named:
        named = persons.is_short_for(name, sender.name) or (
            "@" in sender.name and persons.is_named_in(sender.name, name)
        )
    if same is True or (same is None and named):
        known = same or persons.has_address(trailer.value) or not persons.address_in(email)
        return "" if known else f"was sent by {who}: not taken, it names no address"
    if same is False and persons.same_name(name, sender.name):
        return f"was sent by {who} from {email}: not taken, the address is another"
    if not persons.has_address(trailer.value):
        return _NO_PERSON
    return f"was sent by {who}: not taken"


def _found(text: str) -> Iterator[tuple[Trailer, str]]:
    """The trailers in a reply's own words, each with the reason why it cannot be meant for the patch ("" for none)."""
    with_diff = _DIFF.search(text) is not None
    asked = tagged = False
    for paragraph, proposed in _paragraphs(text, with_diff):
        signed = any(line.lower().startswith("signed-off-by") for line in paragraph)
        printed = len({found[0] for line in paragraph if (found := _PRINTED.match(line))}) > 1
        for line in _joined(paragraph):
            if _ASKED.search(line):
                asked, tagged = True, False
                continue
            read = _read(line)
            if read is None:
                continue
            trailer, doubt = read
            person = trailer.key.lower().endswith("-by")
            signs = _SIGNS_OFF.match(trailer.key.lower()) is not None
            if (signs or not person) and (with_diff or (signed and not signs)):
                continue  # a patch of the sender's own says itself what it fixes
            tagged = True
            if proposed or (with_diff and signed):
                doubt = "is a counter-patch's: not taken"
            elif signs:
                doubt = "is a sign-off in a reply: not taken"
            elif asked and trailer.key.lower() in _OF_A_FIX:
                doubt = "is asked for in a fix of what is reported: not taken"
            elif not person:
                doubt = doubt or _fact_in_doubt(trailer.value, text, printed=printed)
            yield trailer, doubt
        asked = asked and not tagged


def _fact_in_doubt(value: str, text: str, *, printed: bool) -> str:
    """Why a commit or a link in a reply is no trailer; "" where it may be one. `printed`: it stands among what a
    program printed."""
    if printed:
        return "is what a program printed: not taken"
    if _DOUBTED.search(value):
        return "is asked, not said: not taken"
    mark = _FOOTNOTE.search(value)
    return "is a footnote of the reply: not taken" if mark and text.count(mark[0]) > 1 else ""


def _paragraphs(text: str, with_diff: bool) -> Iterator[tuple[list[str], bool]]:
    """The paragraphs of a reply's own lines, and whether each belongs to the commit message of a counter-patch: what
    stands below its header or scissors, and the last paragraph above `---`. Diffs are left out."""
    lines = [line[:_LONGEST_LINE] for line in text.split("\n")]
    inside = _diff_lines(lines) if with_diff else frozenset()
    paragraph: list[str] = []
    proposed = False
    for place, line in enumerate(lines):
        bare = line.strip()
        header = _quotes_header(lines, place, with_diff)
        if _END.match(line) or (_ANOTHER.match(line) and not _is_marked(lines, place + 1)):
            break
        if header and not with_diff and not _is_marked(lines, _header_end(lines, place)):
            break
        begins = with_diff and (header or _SCISSORS.match(bare) is not None)
        if place in inside:
            yield paragraph, proposed or bare == "---"
            paragraph, proposed = [], False
        elif begins or not bare or _QUOTE.match(line) or bare.startswith(("-----BEGIN PGP SIGNED", "Hash: SHA")):
            yield paragraph, proposed
            paragraph, proposed = [], proposed or begins
        else:
            paragraph.append(bare)
    yield paragraph, proposed


def _header_end(lines: Sequence[str], place: int) -> int:
    """Where the paragraph ends that begins at `place`: a quoted header."""
    last = min(len(lines), place + _LONGEST_HEADER)
    return next((end for end in range(place, last) if not lines[end].strip()), last)


def _is_marked(lines: Sequence[str], place: int) -> bool:
    """Whether the first line with text from `place` on is quoted."""
    following = next((line for line in islice(lines, place, None) if line.strip()), "")
    return _QUOTE.match(following) is not None


def _diff_lines(lines: Sequence[str]) -> frozenset[int]:
    """The places of the lines that are diffs (and what stands between `---` and them). A diff ends at a paragraph that
    has nothing of one in its first column."""
    inside: set[int] = set()
    open_diff = blank = False
    for place, line in enumerate(lines):
        if open_diff and blank and line.strip() and not _DIFF_GOES_ON.match(line):
            open_diff = False
        open_diff = open_diff or _DIFF_BEGINS.match(line) is not None
        blank = not line.strip()
        if open_diff:
            inside.add(place)
    return frozenset(inside)


def _quotes_header(lines: Sequence[str], place: int, with_diff: bool) -> bool:
    """Whether a mail's header begins here: of one quoted without marks, or of a counter-patch."""
    if not _INBODY.match(lines[place]):
        return False
    following = [line.lstrip("*") for line in lines[place + 1 : place + 4]]
    return with_diff or sum(_QUOTED_HEADER.match(line) is not None for line in following) > 1


def _joined(paragraph: Sequence[str]) -> list[str]:
    """The lines of a paragraph with trailers that a mail program wrapped in one piece."""
    lines: list[str] = []
    for line in paragraph:
        if lines and _goes_on(lines[-1], line):
            lines[-1] += " " + line
        else:
            lines.append(line)
    return lines


def _goes_on(last: str, line: str) -> bool:
    """Whether `line` is the rest of the trailer `last`: the address, the link, the rest of a commit's title, a
    [comment]."""
    head = _LINE.match(last)
    if head is None:
        return False
    key, value = head[1].lower(), head[2]
    if key in _LINKS:
        return _FOOTNOTE.fullmatch(line) is not None if value else line.startswith("http")
    if line.startswith("[") and line.endswith("]") and "protected" not in line.lower():
        return key.endswith("-by") and persons.has_address(value)
    if key == "fixes":
        return value.count("(") > value.count(")") and _LINE.match(line) is None
    if not key.endswith("-by") or persons.has_address(value):
        return False
    named = re.fullmatch(r"[^<>]{0,80}<[^<>\s]{3,200}>.{0,40}", line) or line.startswith("[email")
    return bool(named) and len(line.split()) <= _LONGEST_NAME and ":" not in line.partition("<")[0]


def _read(line: str) -> tuple[Trailer, str] | None:
    """One line as a trailer, with the reason why it is not taken ("" for none); None where it is none."""
    spaced = _BLANKS_IN_KEY.match(line)
    found = spaced or _LINE.match(line)
    if found is None:
        return None
    key, value = found[1], clean(found[2])
    low = re.sub(r"[ _]", "-", key.lower())
    trailer = Trailer(key, value, "reply")
    if low in _LINKS:
        return (trailer, "") if "://" in value else None
    if low == "fixes":
        return (trailer, "") if re.match(r"[0-9a-f]{6,40}\b", value) else None
    if spaced or _misspelt(low):
        return (trailer, "is misspelt: not taken") if persons.has_address(value) else None
    person = persons.has_address(value) or (0 < len(value.split()) <= _LONGEST_NAME)
    return (trailer, "") if person and low.endswith("-by") else None


def _misspelt(key: str) -> bool:
    """Whether a key is none that people use and one or two letters from one that they do."""
    stem, dash, end = key.rpartition("-")
    if not dash or end != "by":
        return (stem in _MEANT and end[:1] in ("b", "y") and len(end) < 4) or key.removesuffix("by") in _MEANT
    words = set(stem.split("-and-")) - _OTHERS - set(_MEANT)
    return any(_near(word, meant) for word in words if word for meant in _MEANT)


def _near(word: str, known: str) -> bool:
    """Whether two words are one edit apart (a letter more, less, other, or two swapped), or two in long ones."""
    if abs(len(word) - len(known)) > 2 or word[0] != known[0]:
        return False
    previous: list[int] = []
    row = list(range(len(known) + 1))
    for i, letter in enumerate(word, 1):
        older, previous, row = previous, row, [i]
        for j, other in enumerate(known, 1):
            best = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == known[j - 2] and word[i - 2] == other:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return 0 < row[-1] <= (2 if len(known) > 7 else 1)


def clean(value: str) -> str:
    """A trailer's value as git would want it: RFC 2047 words decoded, odd blanks made plain, what a mail program put
    around an address removed, its blank and its last bracket in place, no control characters; a comment (#, [, or
    parentheses) stays, other text after the address goes."""
    if "=?" in value:
        value = headers.decode_words(value.encode("utf-8", "replace"))
    value = _BLANKS.sub(" ", _INVISIBLE.sub("", value))
    value = value.replace("&lt;", "<").replace("&gt;", ">")
    value = headers.squeezed(re.sub(r"<mailto:[^<>]*>", "", value).replace("**", ""))
    value = _JOINED_ADDRESS.sub(" <", value)
    if _OPEN_ADDRESS.fullmatch(value):
        value += ">"
    found = re.match(r"([^<>]{0,200}<[^<>]{1,320}>)(.*)", value) or re.match(r"(\S{1,64}@[\w.-]{1,255})(.*)", value)
    if found is None:
        return value
    rest = found[2].strip()
    return f"{found[1]} {rest}" if rest.startswith(("#", "(", "[")) else found[1]


def _in_sentences(text: str, sender: Address) -> Iterator[Refused]:
    """The sender's own trailers that stand inside a sentence ("feel free to add Reviewed-by: ...")."""
    for paragraph, proposed in _paragraphs(text, _DIFF.search(text) is not None):
        for line in () if proposed else paragraph:
            if _read(line) is None and (found := _INSIDE.search(line)):
                trailer = Trailer(found[1], clean(found[2]), "reply")
                if not _objection(trailer, sender):
                    yield Refused(trailer, "stands inside a sentence: not taken")
