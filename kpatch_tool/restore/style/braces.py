"""How deep a line stands in code that is quoted in other text: examples in YAML and reStructuredText.

The code has braces, statements that end in `;` and lists that end in `,` (device trees, C); nothing else is known
of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kpatch_tool.restore.style.cstate import indent_of, width
from kpatch_tool.restore.style.weights import add, shares

Columns = dict[int, float]

_CODE = re.compile(rb".*(?:\{|;|,|\*/)$|[\w-]+ = .*|#(?:include|define) .*|/\*.*|//.*|\};?$")
_VALUE = re.compile(rb"[ \t]*[^=<\"]*?=\s+(?=\S)")  # what stands before the first value of `name = value,`
_CELLS = re.compile(rb".*=\s.*<(?=[^>;]+$)")  # and what before cells that go on in the next line
# Columns of one level, where lines are indented by blanks (counted in the examples of 1,500 device tree schemas of
# Linux 6.1) and where by tabs.
_STEPS = ((4, 0.63), (2, 0.27), (8, 0.064), (6, 0.02), (5, 0.006), (7, 0.004), (3, 0.004), (10, 0.002))
_TABS = ((8, 0.96), (4, 0.02), (2, 0.02))
_KNOWN_STEP = 0.957  # the share of blocks that are as deep as the last one
_UNKNOWN = 0.02  # what is left for other columns


@dataclass(slots=True)
class _Block:
    """What is known at the end of some lines: the columns of the lines that opened the blocks still open, the last step
    of a block, the column of the statement that is not over (-1 for none), and where its first value stands."""

    openers: list[int] = field(default_factory=list)
    step: int = 0
    begun: int = -1
    value: int = -1
    last: int = -1
    opened: bool = False
    tabs: bool = False

    @property
    def deeper(self) -> int:
        """The columns of one level, as the blocks above have it."""
        return self.step or (_TABS if self.tabs else _STEPS)[0][0]


def is_code(line: bytes) -> bool:
    """Whether a line looks like one of such code."""
    return _CODE.match(line.strip()) is not None


def columns(above: Sequence[bytes], text: bytes) -> Columns:
    """The columns that a line of code may stand at below others, with weights of one in sum; {} where they tell
    nothing."""
    block = _Block()
    for line in above:
        if line.strip():
            _take(block, line)
    if block.last < 0:
        return {}
    return _expected(block, text)


def _take(block: _Block, line: bytes) -> None:
    text, column = line.strip(), width(indent_of(line))
    block.tabs = block.tabs or line.startswith(b"\t")
    if block.opened and column > block.openers[-1]:
        block.step = column - block.openers[-1]
    block.opened = False
    if text.startswith(b"}") and block.openers:
        column = block.openers.pop()
    if text.endswith(b"{"):
        block.openers.append(column if block.begun < 0 else block.begun)
        block.opened = True
    cells = _CELLS.match(line) if block.begun < 0 else None
    goes_on = text.endswith((b",", b"=")) and not text.startswith((b"*", b"/*", b"//"))
    if (goes_on or cells) and block.begun < 0:
        block.begun = column
        value = cells or _VALUE.match(line)
        block.value = width(value[0]) if value else column + block.deeper if text.endswith(b"=") else -1
    elif not goes_on and block.begun >= 0 and (text.endswith((b";", b"}")) or block.value < 0):
        column, block.begun = block.begun, -1
    block.last = column


def _expected(block: _Block, text: bytes) -> Columns:
    out: Columns = {}
    if text.startswith((b"}", b")")) and block.openers:
        add(out, block.openers[-1], 1.0 - _UNKNOWN)
        add(out, block.last, _UNKNOWN)
    elif block.opened:
        for step, share in _TABS if block.tabs else _STEPS:
            add(out, block.openers[-1] + step, share * (1.0 - _KNOWN_STEP if block.step else 1.0))
        if block.step:
            add(out, block.openers[-1] + block.step, _KNOWN_STEP)
    elif block.begun >= 0:
        add(out, block.last, 0.75 if block.last != block.begun else 0.15)
        if block.value >= 0:
            add(out, block.value, 0.75)
        add(out, block.begun + 4, 0.04)
        add(out, block.begun + 8, 0.04)
    else:
        add(out, block.last, 0.96)
        for opener in block.openers[-2:]:
            add(out, opener, _UNKNOWN)
    return shares(out)
