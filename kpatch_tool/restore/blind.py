"""Reads a damaged diff without the file it is made for: what its grammar and the counts in @@ tell, and no more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.damaged import provisional
from kpatch_tool.restore.hidden import hides
from kpatch_tool.restore.letters import MARK
from kpatch_tool.restore.likeness import INVISIBLE, NO_BREAK, without_no_break
from kpatch_tool.restore.loosely.fits import Fit, Fitted
from kpatch_tool.restore.loosely.fitting import TEXT_STEPS, fit_blind
from kpatch_tool.restore.loosely.loose import LooseHunk, read_loose
from kpatch_tool.restore.loosely.undoing import joinings

_CERTAIN = 0.75  # what the next best reading must cost more
_CODE = (".c", ".h", ".S", ".dts", ".dtsi", ".lds", "Makefile", "Kbuild", "Kconfig")
_LEAST_TABS = 2  # lines that begin as tabs made blanks do
# But not CONFIG_A=20, ldr r5, =20, or a line of a binary file (base85).
_CODED = re.compile(
    rb"^(?![A-Za-z][!-~]{5,65}$)[^\n]*?=(?:3D|E2=80|C2=A0)|^(?:[ +-]?=09|=20$)",
    re.MULTILINE,
)
_TYPESET_CODE = re.compile(rb"(?:[(=,\[]|include|return) ?\xe2\x80[\x9c\x9d\x98\x99]|\\n\xe2\x80\x9d")
_ENTITIES = re.compile(rb"-&gt;|&amp;&amp;|&amp;\w|#include &lt;|&quot;[^\n]{0,200}&quot;|\w &[lg]t;=? \w|&nbsp;")
_LEAST_ENTITIES = 2
_COLUMNS = frozenset({b" ", b"+", b"-"})


@dataclass(frozen=True, slots=True)
class Blind:
    """A diff read by its grammar. `certain`: no other reading is near; `undone` what was undone, in how many lines;
    `cut` the hunk in which the text ends, in words; `torn`: a line shows that it is the rest of another, since it
    begins as no line of a diff does."""

    files: tuple[FileDiff, ...]
    certain: bool
    undone: tuple[tuple[Damage, int], ...]
    cut: str = ""
    torn: bool = False


def read_blind(text: bytes) -> Blind | None:
    """The diff in a damaged text, None where no file can be told. A hunk without a reading keeps its lines as they
    came, classified by their first column."""
    loose = read_loose(text)
    if not any(file.hunks or file.header.renamed or file.header.new_mode or file.header.payload for file in loose):
        return None
    undone: Counter[Damage] = Counter()
    certain, cut, guessed = True, "", 0
    left = [TEXT_STEPS]
    files: list[FileDiff] = []
    for file in loose:
        hunks: list[Hunk] = []
        undone[Damage.REWRAPPED] += file.broken
        for number, hunk in enumerate(file.hunks, 1):
            fitted = fit_blind(hunk, left)
            if fitted is None:
                certain = False
                hunks.append(_raw(hunk))
                if hunk.last:
                    cut = _cut(file.header.path, number, hunk)
                continue
            fit = fitted.fits[0]
            undone[Damage.REWRAPPED] += len(fitted.hunk.lines) - len(hunk.lines)
            certain = certain and (len(fitted.fits) == 1 or fitted.fits[1].cost - fit.cost >= _CERTAIN)
            hunks.append(_hunk(fitted, fit, undone))
            guessed += sum(_may_be_apart(fitted.hunk.lines[one.first : one.last]) for one in fit.taken)
            certain = certain and not undone[Damage.BLANK_LINES_DOUBLED]
        files.append(replace(file.header, hunks=tuple(hunks)))
    torn = undone[Damage.REWRAPPED] > guessed
    told = tuple(sorted((name, count) for name, count in undone.items() if count))
    return Blind(tuple(files), certain, told, cut, torn)


def _raw(hunk: LooseHunk) -> Hunk:
    lines = provisional(list(hunk.lines))
    return Hunk(hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count, hunk.section, lines)


def _cut(path: str, number: int, hunk: LooseHunk) -> str:
    """Words for a last hunk that is too short, "" for any other."""
    tail = list(hunk.lines)
    while tail and not tail[-1].strip():
        tail.pop()
    old = sum(1 for line in tail if line[:1] != b"+")
    new = sum(1 for line in tail if line[:1] != b"-")
    if old > hunk.old_count or new > hunk.new_count:
        return ""
    return (
        f"{path}: the text ends in hunk {number} (@@ {hunk.ranges}, line {hunk.line} of the diff), which has {old} of"
        f" {hunk.old_count} old and {new} of {hunk.new_count} new lines"
    )


def _may_be_apart(pieces: Sequence[bytes]) -> bool:
    """Whether pieces that were joined may as well be lines of their own."""
    return len(pieces) > 1 and all(piece[:1] in _COLUMNS for piece in pieces[1:])


def _hunk(fitted: Fitted, fit: Fit, undone: Counter[Damage]) -> Hunk:
    hunk = fitted.hunk
    lines: list[Line] = []
    used = fit.section
    undone[Damage.REWRAPPED] += bool(fit.section)
    for one in fit.taken:
        undone[Damage.BLANK_LINES_DOUBLED] += one.first - used
        used = one.last
        pieces = hunk.lines[one.first : one.last]
        if len(pieces) > 1:
            undone[Damage.REWRAPPED] += 1
        first = pieces[0]
        if one.kind is not Kind.CONTEXT or first[:1] == b" ":
            first = first[1:]
        elif first:
            undone[Damage.FIRST_COLUMN_LOST] += 1
        text = joinings((first, *pieces[1:]))[0][1]
        lines.append(Line(one.kind, text, one.last - 1 not in hunk.bare))
    section = b" ".join((hunk.section, *(line.strip() for line in hunk.lines[: fit.section])))
    return Hunk(hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count, section, tuple(lines))


def suspicions(files: tuple[FileDiff, ...], diff: bytes) -> frozenset[Damage]:
    """What seems to have been done to a diff that reads well.

    Only what an author hardly ever writes counts: a kernel's C code without any tab, codes of quoted-printable.
    """
    found: set[Damage] = set()
    if _CODED.search(diff):
        found.add(Damage.QUOTED_PRINTABLE)
    texts = [line.text for file in files for hunk in file.hunks for line in hunk.lines]
    code = [line.text for file in files if _is_code(file.path) for hunk in file.hunks for line in hunk.lines]
    if b"&" in diff and sum(len(_ENTITIES.findall(text)) for text in code) >= _LEAST_ENTITIES:
        found.add(Damage.HTML_ENTITIES)
    if not diff.isascii():
        if any(MARK in text for text in texts):
            found.add(Damage.REPLACED)
        leading = any(NO_BREAK.search(text[: len(text) - len(text.lstrip(b" \t\xc2\xa0\xc3\x82"))]) for text in texts)
        if (leading or any(_blank_run(text) for text in code)) and not _own_no_break(files):
            found.add(Damage.NO_BREAK_SPACES)
        if any(_TYPESET_CODE.search(text) for text in code):
            found.add(Damage.TYPESET)
        if any(INVISIBLE.search(text) for text in code):
            found.add(Damage.INVISIBLE)
    if any(_mixed_ends(hunk) for file in files for hunk in file.hunks):
        found.add(Damage.LINE_ENDS)
    if _detabbed(files):
        found.add(Damage.TABS_TO_BLANKS)
    if b"@" in diff and re.search(rb"^[ +-].*\[email.{1,3}protected\]", diff, re.MULTILINE | re.IGNORECASE):
        found.add(Damage.ADDRESSES_HIDDEN)
    return frozenset(found)


def _own_no_break(files: tuple[FileDiff, ...]) -> bool:
    """Whether the no-break spaces are the author's, or the file's: a mail program would have made such of the blanks
    that lines of the file begin with, too."""
    others = [line.text for file in files for hunk in file.hunks for line in hunk.lines if line.kind is not Kind.ADDED]
    return any(text.startswith(b"  ") for text in others)


def _blank_run(text: bytes) -> bool:
    """Whether a no-break space stands beside another blank: a mail program's way to write a run of blanks."""
    return without_no_break(text).count(b"  ") > text.count(b"  ")


def _mixed_ends(hunk: Hunk) -> bool:
    """Whether some context lines end in a carriage return and others do not."""
    context = [line.text.endswith(b"\r") for line in hunk.lines if line.kind is Kind.CONTEXT]
    return any(context) and not all(context)


def _is_code(path: str) -> bool:
    return path.endswith(_CODE)


def _detabbed(files: tuple[FileDiff, ...]) -> bool:
    """Whether files that use tabs have none, and blanks in their place: as many as a tab is wide, or, in Linux, any."""
    code = [file for file in files if _is_code(file.path)]
    texts = _texts(code)
    if any(b"\t" in text for text in texts):
        return False
    linux = _texts([file for file in code if _OF_LINUX.match(file.path)])
    if sum(_BLANKS.match(text) is not None for text in linux) >= _LEAST_TABS:
        return True
    half = any(_HALF.match(text) for text in texts)
    return not half and sum(_INDENTED.match(text) is not None for text in texts) >= _LEAST_TABS


def _texts(files: Sequence[FileDiff]) -> list[bytes]:
    return [line.text for file in files for hunk in file.hunks for line in hunk.lines]


_INDENTED = re.compile(rb"(?: {7}| {8}| {15,16}| {23,24})\S")
_HALF = re.compile(rb"(?: {2}| {4}| {6}| {12})[\w}]")
# C and assembly in directories of Linux whose names no project has that sets in by blanks (QEMU: block, crypto, net).
_OF_LINUX = re.compile(
    r"(?:arch|drivers|fs|init|ipc|kernel|mm|security|sound|virt|net/(?!can/)[\w-]+|include/(?:linux|sound|trace|uapi)"
    r"|tools/(?:bpf|lib|objtool|perf|testing))/.*\.[chS]$"
)
_BLANKS = re.compile(rb" +(?!\w+:$)[\w}{(]")  # but not a label, or a comment's ` * `


def unstuffed(files: tuple[FileDiff, ...], *, declared: bool = False) -> tuple[FileDiff, ...]:
    """`files` without the blanks that a mail program put before every line that begins with one (format=flowed, RFC
    3676, 4.4: the context lines of a diff); `files` itself where nothing shows that.

    What shows it are blanks before the tabs of all context lines while changed lines begin with tabs; or, where the
    mail is `declared` to be flowed, a blank before all of them.
    """
    lines = [line for file in files for hunk in file.hunks for line in hunk.lines if line.text.strip()]
    context = [line.text for line in lines if line.kind is Kind.CONTEXT]
    count = min((len(text) - len(text.lstrip(b" ")) for text in context), default=0)
    tabbed = sum(text[count : count + 1] == b"\t" for text in context)
    changed = any(line.text[:1] == b"\t" for line in lines if line.kind is not Kind.CONTEXT)
    if declared and count:
        count = 1
    elif not (count and tabbed >= _LEAST_TABS and changed):
        return files
    return tuple(replace(file, hunks=tuple(_without_blanks(hunk, count) for hunk in file.hunks)) for file in files)


def _without_blanks(hunk: Hunk, count: int) -> Hunk:
    lines = [
        replace(line, text=line.text[count:])
        if line.kind is Kind.CONTEXT and line.text.startswith(b" " * count)
        else line
        for line in hunk.lines
    ]
    return replace(hunk, lines=tuple(lines))


def hides_address(files: tuple[FileDiff, ...]) -> bool:
    """Whether an archive hid an address in a line of the diff, or behind an @@."""
    hunks = [hunk for file in files for hunk in file.hunks]
    return any(hides(hunk.section) or any(hides(line.text) for line in hunk.lines) for hunk in hunks)
