"""Reads a diff whose lines a mail program changed, as far as its grammar reaches: file headers, and hunks by lines.

What the lines of a hunk are is left open (`fitting` decides): they may be broken, doubled, without their first column.
A file header may be broken over lines too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from kpatch_tool.diff.model import FileDiff
from kpatch_tool.restore import binaries
from kpatch_tool.restore.damaged import says_no_newline
from kpatch_tool.restore.header import Header, file_header, header_line

# The second @@ may be gone (a line broken there), the blanks too.
HUNK = re.compile(
    rb"[ \t]{0,8}@@? ?-[ \t]?(\d{1,9})(?:, ?(\d{1,9}))? \+[ \t]?(\d{1,9})(?:, ?(\d{1,9}))?(?: ?@@?(?!@)(.*)|[ \t]*$)",
    re.DOTALL,
)
_DIFF_GIT = re.compile(rb"diff ?- ?- ?git(?: |$)")  # long names are broken behind it
_HEADER = re.compile(
    rb"(?:index(?: [0-9A-Za-z]{1,64}\.\.|$)|(?:old|new|new file|deleted file) mode \d|(?:dis)?similarity index |"
    rb"(?:rename|copy) (?:from|to)(?: |$)|Binary files |GIT binary|--- |\+\+\+ |---$|\+\+\+$)"
)
_MODE = re.compile(rb"[0-7]{6}")  # of a file, which is left out of an index line where it changes
_TAIL = re.compile(rb"-- ?$")
_SIGNATURE_TEXT = re.compile(rb"\d+\.\d|To unsubscribe|_{20}|$")
_MOST_BROKEN = 3  # lines one header line may be broken into
_LONGEST_SECTION = 100  # bytes after the second @@


@dataclass(frozen=True, slots=True)
class LooseHunk:
    """A hunk's numbers and the lines below its @@, to the next header or the end of the text. `bare` are the indices of
    lines that `\\ No newline at end of file` followed. `line` is the number of its @@ in the text, from 1; `last` says
    that nothing of the diff follows."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: bytes
    lines: tuple[bytes, ...]
    bare: frozenset[int] = frozenset()
    line: int = 0
    last: bool = False

    @property
    def ranges(self) -> str:
        """As the @@ says it."""
        return f"-{self.old_start},{self.old_count} +{self.new_start},{self.new_count}"


@dataclass(frozen=True, slots=True)
class LooseFile:
    """What is known of one file: its header as a FileDiff without hunks, and the hunks by lines. `broken` counts the
    lines of the header that were broken."""

    header: FileDiff
    hunks: tuple[LooseHunk, ...]
    broken: int = 0


def read_loose(text: bytes) -> tuple[LooseFile, ...]:
    """The files of a damaged diff; () where no file name can be read. Text before and after is skipped."""
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    found = [file for file in _Reader(lines).files() if file.header.old_path or file.header.new_path]
    if found and found[-1].hunks:
        *first, last = found[-1].hunks
        found[-1] = replace(found[-1], hunks=(*first, replace(last, last=True)))
    return tuple(found)


class _Reader:
    """A cursor over the lines."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.at = 0
        self.broken = 0  # lines of the header that was read last

    def files(self) -> Iterator[LooseFile]:
        header: Header | None = None
        hunks: list[LooseHunk] = []
        broken = 0
        while self.at < len(self.lines):
            self.broken = 0
            found = self._header()
            if found is not None:
                if header is not None:
                    yield LooseFile(header.file(), tuple(hunks), broken)
                header, hunks, broken = found, [], self.broken
            elif header is not None and HUNK.match(self._peek()):
                hunks.append(self._hunk())
            else:
                self.at += 1
        if header is not None:
            yield LooseFile(header.file(), tuple(hunks), broken)

    def _peek(self, ahead: int = 0) -> bytes:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else b""

    def _header(self) -> Header | None:
        line = self._peek().strip()
        if _DIFF_GIT.match(line):
            text = _DIFF_GIT.sub(b"diff --git ", self._joined(_names_whole))
            header = file_header(text)
            if header is None:
                self.at += 1
                return None
            self._rest(header)
            return header
        if self._plain_here():
            header = Header()
            self._rest(header)
            return header
        return None

    def _plain_here(self) -> bool:
        """`---` and `+++`, maybe broken, with a hunk soon after and no `diff --git` before."""
        if not self._peek().strip().startswith(b"--- "):
            return False
        near = [self._peek(ahead).strip() for ahead in range(1, 6)]
        plus = next((at for at, line in enumerate(near) if line.startswith(b"+++ ")), None)
        return plus is not None and any(HUNK.match(line) for line in near[plus + 1 :])

    def _rest(self, header: Header) -> None:
        """Take the header lines from the cursor on."""
        while self.at < len(self.lines):
            line = self._peek().strip()
            if HUNK.match(line) or _DIFF_GIT.match(line):
                return
            if line and not _HEADER.match(line) and not self._garbled():
                return
            if not line:  # between doubled lines
                if not any(
                    _HEADER.match(self._peek(ahead).strip()) or HUNK.match(self._peek(ahead)) for ahead in (1, 2)
                ):
                    return
                self.at += 1
                continue
            if line == binaries.START:
                payload, self.at = binaries.read_payload(self.lines, self.at)
                header.diff = replace(header.diff, binary=True, payload=payload)
                return
            if _HEADER.match(line):
                header_line(header, self._joined(_header_whole))
            else:
                self.at += 1

    def _garbled(self) -> bool:
        """Whether the line at the cursor is an unreadable one among the lines of a header."""
        near = [self._peek(ahead) for ahead in (1, 2, 3)]
        return any(old.startswith(b"--- ") and new.startswith(b"+++ ") for old, new in pairwise(near))

    def _joined(self, whole: re.Pattern[bytes]) -> bytes:
        """The header line at the cursor with the lines it was broken into."""
        text = self._peek().strip()
        self.at += 1
        for _ in range(_MOST_BROKEN - 1):
            below = self._peek().strip()
            if not below or _HEADER.match(below) or HUNK.match(below) or _DIFF_GIT.match(below):
                break
            if whole.fullmatch(text) and not (_MODE.fullmatch(below) and text.startswith(b"index ")):
                break
            if text.endswith(b"="):
                text = text[:-1] + below
            else:  # a long path is broken behind a slash
                text += below if text.endswith(b"/") else b" " + below
                self.broken += 1
            self.at += 1
        return text

    def _hunk(self) -> LooseHunk:
        start = self.at
        match = HUNK.match(self._peek())
        assert match is not None
        self.at += 1
        taken: list[bytes] = []
        bare: set[int] = set()
        counts = tuple(1 if match[n] is None else int(match[n]) for n in (2, 4))
        least = max(counts)
        while self.at < len(self.lines) and not self._ends(len(taken) >= least):
            line = self.lines[self.at]
            if line and taken and says_no_newline(line):
                bare.add(len(taken) - 1)
            else:
                taken.append(line)
            self.at += 1
        section = (match[5] or b"").strip().removesuffix(b"@@").strip()[:_LONGEST_SECTION]
        return LooseHunk(
            int(match[1]), counts[0], int(match[3]), counts[1], section, tuple(taken), frozenset(bare), start + 1
        )

    def _ends(self, enough: bool) -> bool:
        """Whether the line at the cursor cannot be a hunk's."""
        line = self._peek().strip()
        if not line:
            return False
        if HUNK.match(line) and line.startswith(b"@") and self._peek()[:1] == b"@":
            return True
        if HUNK.match(line) and enough and self._peek()[:1] in (b" ", b"\t"):
            return True
        if _DIFF_GIT.match(line) or self._plain_here():
            return True
        if line.startswith(b"Index: ") and self._peek(1).startswith(b"====="):
            return True
        return bool(_TAIL.match(line)) and bool(_SIGNATURE_TEXT.match(self._peek(1).strip())) and enough


_names_whole = re.compile(rb'diff ?- ?- ?git "?a/(.{1,4096})"? "?b/\1"?|diff ?- ?- ?git \S+ \S*[^\s/]', re.DOTALL)
_header_whole = re.compile(
    rb"index [0-9A-Za-z]{1,64}\.\.[0-9A-Za-z]{1,64}(?: [0-7]{6})?|(?:old|new|new file|deleted file) mode \d+|"
    rb"(?:dis)?similarity index \d+%|(?:rename|copy) (?:from|to) .+|Binary files .+ differ|GIT binary.*|"
    rb"(?:---|\+\+\+) .+",
    re.DOTALL,
)
