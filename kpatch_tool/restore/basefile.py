"""The file a damaged diff is made for, by lines, each with what is compared of it."""

from __future__ import annotations

from collections.abc import Callable

_SECTION = 80  # git cuts the text after the second @@ here (xdiff-interface.c, def_ff)


class BaseFile:
    """A file by lines.

    `lines` are without their newlines; `bare` is the index of a last line that has none, -1 where every line has one.
    `keys` are what is compared of each line; `positions` says where each key occurs, in order.
    """

    __slots__ = ("bare", "key", "keys", "lines", "positions")

    def __init__(self, content: bytes, key: Callable[[bytes], bytes]) -> None:
        self.key = key
        self.lines = content.split(b"\n")
        self.bare = len(self.lines) - 1
        if not self.lines[-1]:
            self.lines.pop()
            self.bare = -1
        self.keys = [key(line) for line in self.lines]
        self.positions: dict[bytes, list[int]] = {}
        for number, text in enumerate(self.keys):
            self.positions.setdefault(text, []).append(number)

    def block(self, start: int, end: int) -> bytes:
        """The bytes of the lines start..end-1."""
        if start >= end:
            return b""
        text = b"\n".join(self.lines[start:end])
        return text if self.bare == end - 1 else text + b"\n"

    def section_above(self, start: int, wanted: bytes, first: bytes) -> bytes | None:
        """The nearest line above `start` whose key begins with `first` and that has the key `wanted` when it is cut as
        git cuts the text after the second @@ (without the blanks it begins with: userdiff.c); None where no line
        does."""
        for number in range(min(start, len(self.lines)) - 1, -1, -1):
            if self.keys[number].startswith(first):
                text = self.lines[number].strip()[:_SECTION]
                if self.key(text) == wanted:
                    return text.rstrip()
        return None
