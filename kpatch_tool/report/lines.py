"""Lines for a terminal, a page or a mail: cut to a width, limited in number, diagnostics and paths in one form."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kpatch_tool.text import spelt

if TYPE_CHECKING:
    from kpatch_tool.kbuild.model import Diagnostic

_FEW = 6


def wrapped(line: str, most: int, later: str | None = None) -> list[str]:
    """`line` as lines of at most `most` characters (40 at least) that break at blanks; those after the first begin with
    `later`, four columns more than the first where None."""
    later = " " * (len(line) - len(line.lstrip()) + 4) if later is None else later
    return textwrap.wrap(
        line, max(most, 40), subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    ) or [""]  # fmt: skip


def limited(lines: Iterable[str], most: int) -> tuple[str, ...]:
    """The first `most` of `lines`, and one that counts the rest where there are more."""
    shown = tuple(lines)
    left = len(shown) - most
    return (*shown[:most], f"... and {left} more") if left > 0 else shown


def few(words: Sequence[str]) -> str:
    """Words one behind another, of many the first and how many more there are; "" for none."""
    more = len(words) - _FEW
    return f"{', '.join(words[:_FEW])} and {more} more" if more > 0 else ", ".join(words)


def blamed(suspects: Sequence[int]) -> str:
    """The patches that may have done what a state shows (RunRecord.suspects), in words said of that state."""
    return "this patch" if len(suspects) == 1 else f"one of {spelt(suspects)}"


def diagnostic_line(found: Diagnostic) -> str:
    """A diagnostic as a compiler writes it: "file:line: message [option]", as far as these are known."""
    return f"{found.told}{f' [{found.option}]' if found.option else ''}"


def from_here(path: Path) -> str:
    """The path as seen from the current directory, where it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
