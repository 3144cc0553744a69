"""Reads a diff whose white space an archive changed.

Web archives (linuxlists, hypermail) remove the leading and trailing blanks of every line and squeeze every run of
blanks and tabs into one blank; some (old openwall pages) drop blank lines too. The first column of a context line is
lost with that, so a context line whose text begins with `+` or `-` looks like a change. Only the counts in `@@` say
how many there are, and only the file the patch is made for says which: the lines keep the text as received with a
provisional kind, and `kpatch_tool.restore.styled` decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kpatch_tool.diff.model import DiffError, FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.parse import is_change
from kpatch_tool.restore import binaries
from kpatch_tool.restore.header import Header, file_header, header_line, is_file_header
from kpatch_tool.restore.hidden import without_addresses

_HUNK = re.compile(rb"@@ ?-(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? ?@@(.*)")
_BLANKS = re.compile(rb"[ \t\r\f\v]+")
_SIGNATURE_FOLLOWS = re.compile(rb"\d+(\.\d+)+|^$")
# git writes this line in English; diff(1) translates it. A line of the file may begin so in Forth, a comment there.
_NO_NEWLINE = re.compile(rb"[ \t]*\\ ?(?:No newline|Kein Zeilenumbruch|Pas de fin|[^\x00-\x7f])")
# What git format-patch --base and b4 put below a diff, b4 below a line of its own.
_BELOW_DIFF = re.compile(rb"(?:base-commit|prerequisite-patch-id): [0-9a-f]{40}|change-id: \S+$")
_UNENDED = 5  # what it costs to end a hunk where nothing says that it ends
_OVERRUN = 10  # what it costs to go on where a header or the mail's signature stands
_DASHES = 2  # what it costs to go on where a line of two dashes stands, which may be a signature's


def says_no_newline(line: bytes) -> bool:
    """Whether a line of a diff says that the one above it ends without a newline."""
    return _NO_NEWLINE.match(line) is not None


def squeeze(text: bytes) -> bytes:
    """`text` without blanks at its ends, every run of blanks and tabs as one blank: what squeezing archives leave."""
    return _BLANKS.sub(b" ", text).strip(b" ")


def comparable(text: bytes) -> bytes:
    """`text` squeezed, with every e-mail address, hidden by an archive or not, as `@`."""
    return without_addresses(squeeze(text))


def received_text(line: Line) -> bytes:
    """The line as it stood in the damaged diff (without its newline)."""
    return line.text if line.kind is Kind.CONTEXT else line.kind.value.encode() + line.text


def parse_damaged(text: bytes, *, blank_lines_dropped: bool = False) -> tuple[FileDiff, ...]:
    """Read a diff that lost white space.

    `text` may begin with a commit message and end with a mail signature or a footer; both are left out.
    With `blank_lines_dropped` a hunk may have fewer lines than its counts say (blank context lines are missing).
    A line that begins with + or - has the provisional kind ADDED or REMOVED, and may be context: the base tells.

    Raises DiffError (with the number of the line) where a hunk has no reading its counts allow, where a file header
    is incomplete, and where there is a hunk without a file.
    """
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return tuple(_Reader(lines, blank_lines_dropped).files())


class _Reader:
    """One pass over the lines; `at` is the next line to read."""

    def __init__(self, lines: list[bytes], blank_lines_dropped: bool) -> None:
        self.lines = lines
        self.dropped = blank_lines_dropped
        self.at = 0

    def files(self) -> Iterator[FileDiff]:
        current: Header | None = None
        while self.at < len(self.lines):
            line = self.lines[self.at].strip()
            header = self._git_header(line) or self._plain_header(line)
            if header:
                if current:
                    yield current.file()
                current = header
            elif hunk := _HUNK.match(line):
                if current is None:
                    raise self._error("hunk without a file name before it")
                current.hunks.append(self._hunk(hunk))
            else:
                self.at += 1
        if current:
            yield current.file()

    def _error(self, what: str, at: int | None = None) -> DiffError:
        return DiffError((self.at if at is None else at) + 1, what)

    def _git_header(self, line: bytes) -> Header | None:
        header = file_header(line)
        if header is None:
            return None
        self.at += 1
        while self.at < len(self.lines) and header_line(header, self.lines[self.at].strip()):
            if self.lines[self.at].strip() == binaries.START:
                payload, self.at = binaries.read_payload(self.lines, self.at)
                header.diff = replace(header.diff, payload=payload)
                break
            self.at += 1
        return header

    def _plain_header(self, line: bytes) -> Header | None:
        """`---` and `+++` with no `diff --git` above them (quilt, diff -u)."""
        if not self._plain_header_at(self.at):
            return None
        below = self.lines[self.at + 1].strip()
        header = Header()
        header_line(header, line)
        header_line(header, below)
        diff = header.diff
        if diff.old_path is None and diff.new_path is None:
            raise self._error("file header without a name")
        header.created, header.deleted = diff.old_path is None, diff.new_path is None
        self.at += 2
        return header

    def _hunk(self, match: re.Match[bytes]) -> Hunk:
        old_count, new_count = (1 if match[n] is None else int(match[n]) for n in (2, 4))
        header_at = self.at
        end = self._hunk_end(header_at + 1, old_count, new_count)
        if end is None:
            raise self._error(
                f"hunk {match[0].split(b'@@')[1].strip().decode()}: its lines do not add up to {old_count} old and"
                f" {new_count} new ones (truncated, or wrong counts)",
                header_at,
            )
        self.at = end
        section = match[5].strip()
        lines = provisional(self.lines[header_at + 1 : end])
        return Hunk(int(match[1]), old_count, int(match[3]), new_count, section, lines)

    def _hunk_end(self, start: int, old_count: int, new_count: int) -> int | None:
        """The index after the hunk's last line: the cheapest place where the counts can hold."""
        extents = _Extents(old_count, new_count, self.dropped)
        best: tuple[tuple[int, int], int] | None = None
        overrun = 0
        at = start
        while True:
            penalty = _OVERRUN if at >= len(self.lines) else self._looks_ended(at)
            ended = penalty > 0
            cost = extents.cost()
            # Where blank lines are missing, many ends are possible; none is before one more change.
            goes_on = self.dropped and self._goes_on(at)
            if cost is not None and not goes_on and (cost == 0 or overrun < _OVERRUN):
                missing = extents.missing()
                certain = cost == 0 and missing == 0
                rank = (cost + overrun + (0 if ended or certain else _UNENDED), missing)
                if best is None or rank < best[0]:
                    best = (rank, at)
                if certain:
                    break
            if at >= len(self.lines) or (self.dropped and ended and best):
                break
            overrun += penalty
            if not extents.take(self.lines[at]):
                break
            at += 1
        if best is None or self._goes_on(best[1]):
            return None
        end = best[1]
        while end < len(self.lines) and says_no_newline(self.lines[end]):
            end += 1
        return end

    def _goes_on(self, at: int) -> bool:
        """Whether the line after a hunk's last is one more change, so that its counts are wrong."""
        line = self.lines[at] if at < len(self.lines) else b""
        return line == b"-" or is_change(line)

    def _looks_ended(self, at: int) -> int:
        """What it costs to go on at `at`: a header or the mail's signature may stand there."""
        whole, below = (self.lines[one].rstrip() if one < len(self.lines) else b"" for one in (at, at + 1))
        line = whole.lstrip()
        if line == b"--":
            return _OVERRUN if _SIGNATURE_FOLLOWS.match(below.lstrip()) else _DASHES
        if _BELOW_DIFF.match(below if whole == b"---" else whole):  # behind a blank they are the file's
            return _OVERRUN
        if line.startswith(b"Index: ") and below.startswith(b"====="):
            return _OVERRUN
        return _OVERRUN if _HUNK.match(line) or is_file_header(line) or self._plain_header_at(at) else 0

    def _plain_header_at(self, at: int) -> bool:
        """Whether `---`, `+++` and a hunk stand at `at`: the next file of a plain diff."""
        if not self.lines[at].startswith(b"--- "):
            return False
        three = [line.strip() for line in self.lines[at : at + 3]]
        return (
            len(three) == 3
            and three[0].startswith(b"--- ")
            and three[1].startswith(b"+++ ")
            and _HUNK.match(three[2]) is not None
        )


@dataclass(slots=True)
class _Extents:
    """Counts of the lines taken so far by how they begin, against the counts of the hunk's header."""

    old_count: int
    new_count: int
    dropped: bool
    plus: int = 0
    minus: int = 0
    rest: int = 0
    plus_plus: int = 0
    minus_minus: int = 0

    def take(self, line: bytes) -> bool:
        """Count one more line; False where the hunk cannot be that long."""
        first = line[:1]
        if says_no_newline(line):
            return True
        self.plus += first == b"+"
        self.minus += first == b"-"
        self.plus_plus += line[:2] == b"++"
        self.minus_minus += line[:2] == b"--"
        self.rest += first not in {b"+", b"-"}
        return self._spare() is not None

    def _spare(self) -> tuple[int, int] | None:
        added, removed = self.old_count - self.rest - self.minus, self.new_count - self.rest - self.plus
        return (added, removed) if added >= 0 and removed >= 0 else None

    def missing(self) -> int:
        """Blank context lines that must have been dropped."""
        both = self._spare()
        return min(both) if both and self.dropped else 0

    def cost(self) -> int | None:
        """How many lines must be other than they look, None where the counts cannot hold."""
        both = self._spare()
        if both is None:
            return None
        added, removed = both
        missing = self.missing()
        added, removed = added - missing, removed - missing
        if added and removed and (added > self.plus_plus or removed > self.minus_minus):
            return None  # a line that is missing looks just like this
        return added + removed if added <= self.plus and removed <= self.minus else None


def provisional(lines: list[bytes]) -> tuple[Line, ...]:
    """Lines as received, each of the kind that its first column says."""
    out: list[Line] = []
    blank = Line(Kind.CONTEXT, b"")
    for line in lines:
        if not line:
            out.append(blank)
            continue
        text = line.lstrip(b" \t") if line[:1] not in {b"+", b"-"} else line
        if out and says_no_newline(text):
            out[-1] = Line(out[-1].kind, out[-1].text, newline=False)
        elif text[:1] == b"+":
            out.append(Line(Kind.ADDED, text[1:]))
        elif text[:1] == b"-":
            out.append(Line(Kind.REMOVED, text[1:]))
        else:
            out.append(Line(Kind.CONTEXT, text))
    return tuple(out)
