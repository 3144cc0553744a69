"""Read a unified diff: git's (extended headers) and plain ones, the way `git apply` reads them.

Source of the rules: git's Documentation/diff-generate-patch.txt and apply.c. Lines end at LF only; a CR belongs to the
line.
"""

from __future__ import annotations

import re
from dataclasses import replace

from kpatch_tool.diff import names
from kpatch_tool.diff.blob import needs_no_text
from kpatch_tool.diff.model import DiffError, FileDiff, Hunk, Kind, Line

HUNK_HEADER = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(.*)", re.DOTALL)
_INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: (?P<mode>[0-7]{6}))?$")
# Ids that somebody made up ("0000000..release"): git apply does not mind them (apply.c, gitdiff_index).
_MADE_UP = re.compile(rb"[0-9A-Za-z]{1,64}\.\.[0-9A-Za-z]{1,64}(?: (?P<mode>[0-7]{6}))?$")
_BINARY_FILES = re.compile(rb"Binary files (.*) differ$")
_BINARY_BLOCK = re.compile(rb"(?:literal|delta) \d{1,10}$")
_GIT_VERSION = re.compile(rb"\d+\.\d+")
_MODE = re.compile(rb"[0-7]{5,6}$")
# What may stand right below a hunk and is no change: a mail's signature, a rule, "-----BEGIN PGP SIGNATURE-----", the
# end of a part of the mail (RFC 2046, 5.1.1), the names of the next file.
_BELOW_HUNK = re.compile(rb"-+\s*$|-{4,}.*-{4,}\s*$|--\S{4,}--\s*$|-- |--- |\+\+\+ ")


def parse_diff(text: bytes) -> tuple[FileDiff, ...]:
    """The files of a diff, in order; () for a text without any.

    Text before, between and after the diffs is skipped, as by `git apply`. The counts in `@@` decide what belongs to a
    hunk. Raises DiffError for a truncated hunk, a wrong count, a hunk that changes nothing, a header without a name or
    without a change, names that leave the tree. What follows the last line end is not read.
    """
    return _Reader(text).files()


def is_change(line: bytes) -> bool:
    """Whether a line right below a hunk that has all its lines looks like one more change, which the counts in its @@
    leave out."""
    return line[:1] in {b"+", b"-"} and not _BELOW_HUNK.match(line)


class _Reader:
    """A cursor over the lines of a text."""

    def __init__(self, text: bytes) -> None:
        self.lines = text.split(b"\n")
        self.lines.pop()  # what follows the last LF is no line
        self.at = 0

    def files(self) -> tuple[FileDiff, ...]:
        found = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith(b"diff --git "):
                found.append(self._git_file())
            elif line.startswith(b"--- ") and self._plain_header_here():
                found.append(self._plain_file())
            elif line.startswith((b"diff --cc ", b"diff --combined ")):
                raise self._error("a combined diff (of a merge) cannot be applied")
            elif line.startswith(b"@@ -") and HUNK_HEADER.match(line):
                raise self._error("a hunk without a file header before it")
            else:
                self.at += 1
        return tuple(found)

    def _error(self, what: str, at: int | None = None) -> DiffError:
        return DiffError((self.at if at is None else at) + 1, what)

    def _peek(self, ahead: int = 0) -> bytes:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else b""

    def _usable(self, name: bytes, *, strip: int = 1) -> str:
        try:
            return names.usable(name, strip=strip)
        except names.BadName as error:
            raise self._error(str(error)) from None

    def _named(self, rest: bytes) -> bytes | None:
        try:
            return names.header_name(rest)
        except names.BadName as error:
            raise self._error(str(error)) from None

    # Plain diffs

    def _plain_header_here(self) -> bool:
        return self._peek(1).startswith(b"+++ ") and self._peek(2).startswith(b"@@ -")

    def _plain_file(self) -> FileDiff:
        old_rest, new_rest = self._peek()[4:], self._peek(1)[4:]
        old, new = self._named(old_rest), self._named(new_rest)
        if old is None and new is None:
            raise self._error("both names are /dev/null")
        both = [name for name in (old, new) if name is not None]
        strip = names.plain_strip(both)
        # git prefers the shorter of `file` and `file.orig`.
        name = both[0] if len(both) == 2 and both[1].startswith(both[0]) else both[-1]
        path = self._usable(name, strip=strip)
        old_path = None if old is None or names.is_epoch(old_rest) else path
        new_path = None if new is None or names.is_epoch(new_rest) else path
        self.at += 2
        return self._checked(FileDiff(old_path, new_path, hunks=self._hunks()))

    # git's diffs

    def _git_file(self) -> FileDiff:
        start = self.at
        try:
            pair = names.git_pair(self._peek()[len(b"diff --git ") :].rstrip(b"\r"))
        except names.BadName as error:
            raise self._error(str(error)) from None
        header = _Header(pair)
        self.at += 1
        while self.at < len(self.lines) and self._extended(header):
            self.at += 1
        if self._peek().startswith(b"--- ") and self._peek(1).startswith(b"+++ "):
            header.old_name = self._named(self._peek()[4:])
            header.new_name = self._named(self._peek(1)[4:])
            header.named = True
            self.at += 2
        cut = self._peek().startswith(b"--- ")  # the name before without the one after
        payload = self._binary()
        hunks = () if payload else self._hunks()
        if header.named and not hunks:
            raise self._error("a file header without hunks", start)
        file = self._assembled(header, hunks, start)
        # What another file follows is not cut off; git, too, skips one without a change.
        if not (hunks or payload or self._peek().startswith(b"diff --git ")) and (cut or not needs_no_text(file)):
            raise self._error("a file header without a change: the text is cut off or damaged below it", start)
        return self._checked(replace(file, binary=bool(payload), payload=payload), start)

    def _extended(self, header: _Header) -> bool:
        """Take one extended header line into `header`; False where the line is none."""
        line = self._peek().rstrip(b"\r")
        start, key = next(((start, key) for start, key in _EXTENDED if line.startswith(start)), (b"", ""))
        if not key:
            return False
        value = line[len(start) :]
        if key == "index":
            self._index(value, header)
        elif key.endswith("mode"):
            if not _MODE.match(value):
                raise self._error("unreadable file mode")
            header.modes[key] = value.decode()
        elif key == "similarity":
            header.similarity = self._percentage(value)
        else:
            name = self._extended_name(value)
            header.moves[key] = name
        return True

    def _index(self, value: bytes, header: _Header) -> None:
        if match := _INDEX.match(value):
            header.old_blob, header.new_blob = match[1].decode(), match[2].decode()
        elif not (match := _MADE_UP.match(value)):
            raise self._error("unreadable index line")
        header.index_mode = match["mode"].decode() if match["mode"] else None

    def _percentage(self, value: bytes) -> int:
        digits = value.rstrip(b"%")
        if not re.fullmatch(rb"\d{1,3}", digits) or int(digits) > 100:
            raise self._error("unreadable similarity index")
        return int(digits)

    def _extended_name(self, value: bytes) -> bytes:
        try:
            return names.unquote(value)[0] if value.startswith(b'"') else value
        except names.BadName as error:
            raise self._error(str(error)) from None

    def _assembled(self, header: _Header, hunks: tuple[Hunk, ...], start: int) -> FileDiff:
        # git apply goes by /dev/null alone where a line with the mode is missing.
        created = "new file mode" in header.modes or (header.named and header.old_name is None)
        deleted = "deleted file mode" in header.modes or (header.named and header.new_name is None)
        renamed, copied = "rename to" in header.moves, "copy to" in header.moves
        if ("old mode" in header.modes) != ("new mode" in header.modes):
            raise self._error("an old or new mode without the other", start)
        if created + deleted + renamed + copied + ("old mode" in header.modes and (created or deleted)) > 1:
            raise self._error("the header lines contradict each other", start)
        old, new = self._paths(header, start)
        if header.named and ((header.old_name is None) != created or (header.new_name is None) != deleted):
            raise self._error("the header lines disagree on whether the file is created or deleted", start)
        modes = header.modes
        return FileDiff(
            old_path=None if created else old,
            new_path=None if deleted else new,
            hunks=hunks,
            old_mode=None if created else modes.get("deleted file mode") or modes.get("old mode") or header.index_mode,
            new_mode=None if deleted else modes.get("new file mode") or modes.get("new mode") or header.index_mode,
            old_blob=header.old_blob,
            new_blob=header.new_blob,
            similarity=header.similarity,
            renamed=renamed,
            copied=copied,
        )

    def _paths(self, header: _Header, start: int) -> tuple[str, str]:
        """The names before and after; those of `rename`/`copy` lines, of ---/+++ and of `diff --git` must agree."""
        at, self.at = self.at, start
        moves = header.moves
        source = moves.get("rename from", moves.get("copy from"))
        target = moves.get("rename to", moves.get("copy to"))
        written = [name for name in (header.old_name, header.new_name) if name is not None]
        pair = header.pair or ((written[0], written[-1]) if written else None)
        strip = names.git_strip(*pair, moved=pair == (source, target)) if pair else 1
        from_pair = [self._usable(name, strip=strip) for name in header.pair] if header.pair else []
        named = [self._usable(name, strip=strip) for name in written]
        if (source is None) != (target is None):
            raise self._error("a rename or copy with only one name")
        if source is not None and target is not None:
            found = [self._usable(source, strip=0), self._usable(target, strip=0)]
        else:
            found = named or from_pair
        if not found:
            raise self._error("no file name in the header")
        old, new = found[0], found[-1]
        if len(named) == 2 and named != [old, new]:
            raise self._error("the names in the header lines disagree")
        if source is None and old != new:
            raise self._error("two names, and no rename or copy line")
        if from_pair and set(from_pair) != {old, new}:
            raise self._error("the names in the header lines disagree")
        self.at = at
        return old, new

    def _binary(self) -> bytes:
        """The text of a binary change at the cursor, b"" where there is none."""
        start = self.at
        if _BINARY_FILES.match(self._peek().rstrip(b"\r")):
            self.at += 1
        elif self._peek().rstrip(b"\r") == b"GIT binary patch":
            self.at += 1
            while _BINARY_BLOCK.match(self._peek().rstrip(b"\r")):
                self._binary_block()
            if self.at == start + 1:
                raise self._error("a binary patch without data")
        else:
            return b""
        return b"".join(line + b"\n" for line in self.lines[start : self.at])

    def _binary_block(self) -> None:
        self.at += 1
        while self._peek().rstrip(b"\r"):
            self.at += 1
        if self.at >= len(self.lines):
            raise self._error("the text ends inside a binary patch")
        self.at += 1

    # Hunks

    def _hunks(self) -> tuple[Hunk, ...]:
        found: list[Hunk] = []
        while self._peek().startswith(b"@@ -"):
            found.append(self._hunk())
        below = self._peek()
        if found and (is_change(below) or (below.strip() and below.startswith((b" ", b"+++ ")))):
            raise self._error("the hunk before this line has more lines than the count in its @@ says")
        return tuple(found)

    def _hunk(self) -> Hunk:
        head_at = self.at
        match = HUNK_HEADER.match(self._peek())
        if match is None:
            raise self._error("unreadable @@ line")
        old_start, new_start = int(match[1]), int(match[3])
        old_count, new_count = (int(count) if count is not None else 1 for count in (match[2], match[4]))
        self.at += 1
        lines = self._hunk_lines(head_at, old_count, new_count)
        if all(line.kind is Kind.CONTEXT for line in lines):
            raise self._error("a hunk that changes nothing", head_at)
        section = match[5].rstrip(b"\r")
        return Hunk(old_start, old_count, new_start, new_count, section.removeprefix(b" "), lines)

    def _hunk_lines(self, head_at: int, old_left: int, new_left: int) -> tuple[Line, ...]:
        found: list[Line] = []
        said = f"the @@ of line {head_at + 1}"
        total = old_left, new_left
        while old_left or new_left:
            if self.at >= len(self.lines):
                missing = f"{total[0] - old_left} of {total[0]} old and {total[1] - new_left} of {total[1]} new lines"
                raise self._error(f"the text ends inside a hunk: {said} has {missing}")
            raw = self.lines[self.at]
            kind = _KINDS.get(raw[:1])
            if kind is None:
                self._incomplete(raw, found, said, old_left, new_left)
                continue
            old_left -= kind is not Kind.ADDED
            new_left -= kind is not Kind.REMOVED
            if old_left < 0 or new_left < 0:
                raise self._error(f"wrong count: {said} ends before this line")
            # `\r` alone is an empty context line of a CRLF file that lost its blank.
            found.append(Line(kind, raw if raw == b"\r" else raw[1:]))
            self.at += 1
        if self.lines[self.at - 1] == b"-- " and _GIT_VERSION.match(self._peek()):
            # It would pass for a removed line `- `.
            raise self._error(f"wrong count: {said} takes in the mail's signature", self.at - 1)
        if self.at < len(self.lines) and _is_no_newline(self.lines[self.at]):
            self._incomplete(self.lines[self.at], found, said, 0, 0)
        return tuple(found)

    def _incomplete(self, raw: bytes, found: list[Line], said: str, old_left: int, new_left: int) -> None:
        """Take `\\ No newline at end of file`; any other line here is an error."""
        if not _is_no_newline(raw) or not found:
            left = max(old_left, new_left)
            raise self._error(f"wrong count or truncated hunk: {said} wants {left} more lines")
        found[-1] = replace(found[-1], newline=False)
        self.at += 1

    def _checked(self, file: FileDiff, start: int | None = None) -> FileDiff:
        """Refuse what cannot be: old lines of a created file, new lines of a deleted one."""
        if file.old_path is None and any(hunk.old_count for hunk in file.hunks):
            raise self._error("a created file with old lines", start)
        if file.new_path is None and any(hunk.new_count for hunk in file.hunks):
            raise self._error("a deleted file with new lines", start)
        return file


class _Header:
    """What the header lines of one file said so far."""

    def __init__(self, pair: tuple[bytes, bytes] | None) -> None:
        self.pair = pair
        self.modes: dict[str, str] = {}
        self.moves: dict[str, bytes] = {}
        self.old_blob: str | None = None
        self.new_blob: str | None = None
        self.index_mode: str | None = None
        self.similarity: int | None = None
        self.old_name: bytes | None = None
        self.new_name: bytes | None = None
        self.named = False


_KINDS = {
    b" ": Kind.CONTEXT,
    b"": Kind.CONTEXT,
    b"\r": Kind.CONTEXT,
    b"-": Kind.REMOVED,
    b"+": Kind.ADDED,
}

_EXTENDED: tuple[tuple[bytes, str], ...] = (
    (b"index ", "index"),
    (b"old mode ", "old mode"),
    (b"new mode ", "new mode"),
    (b"new file mode ", "new file mode"),
    (b"deleted file mode ", "deleted file mode"),
    (b"similarity index ", "similarity"),
    (b"dissimilarity index ", "similarity"),
    (b"rename from ", "rename from"),
    (b"rename to ", "rename to"),
    (b"copy from ", "copy from"),
    (b"copy to ", "copy to"),
)


def _is_no_newline(raw: bytes) -> bool:
    # The words depend on the locale of whoever made the diff; git asks for this start and length too.
    return raw.startswith(b"\\ ") and len(raw) >= 11
