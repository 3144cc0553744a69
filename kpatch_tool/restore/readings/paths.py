"""One reading of a whole file, and how another one is read that differs from it in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kpatch_tool.restore.align import ReadLine
from kpatch_tool.restore.readings.reading import Candidate, Memory, Reader
from kpatch_tool.restore.style import repeated
from kpatch_tool.restore.style.cstate import State

_REMEMBERED = repeated.KEPT | {"end", "star"}  # kinds of gap that the memory of those above tells of
_SAME = 8  # so many equal lines above, and the same state, make the rest the same


@dataclass(slots=True)
class ReadPath:
    """One reading of a whole file: the text of every row, with what could have been chosen."""

    texts: list[bytes]
    options: list[list[Candidate] | None]
    before: list[tuple[State, Memory]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a file with how each line ends: one choice (`steps`, a reading for each hunk) of what is context and
    what is added."""

    reader: Reader
    endings: Sequence[bytes]
    steps: Sequence[tuple[ReadLine, ...]]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another plan, which differs in the rows first..last alone, and what it costs in bits more."""

    cost: float
    first: int
    last: int
    plan: Callable[[], Plan]


def greedy(reader: Reader) -> ReadPath:
    """The likeliest reading, row by row."""
    path = ReadPath([], [], [])
    read_on(reader, path, None, 0)
    return path


def read_on(reader: Reader, path: ReadPath, parent: ReadPath | None, from_row: int) -> tuple[int, int]:
    """Read the rows left in `path`, taking the parent's where the state is the same again; how many rows were read, and
    the row behind the last of them."""
    if path.before:
        state, memory = _after_last(reader, path)
    else:
        state, memory = State(), Memory()
    count = 0
    number = last = len(path.texts)
    while number < len(reader.rows):
        row = reader.rows[number]
        if row.start is not None:
            state = row.start
        if parent is not None and number > from_row + 1:
            end = _taken(reader, path, parent, state, memory)
            if end == len(reader.rows):
                return count, last
            if end > number:
                number = end
                state = parent.before[number][0]
                continue
        path.before.append((state, memory))
        count += 1
        if row.text is not None:
            path.texts.append(row.text)
            path.options.append(None)
            state, memory = reader.after(number, state, memory, None, row.text)
        else:
            candidates = reader.candidates(number, state, memory, path.texts)
            chosen = candidates[0]
            path.texts.append(chosen.text)
            path.options.append(candidates)
            state, memory = reader.after(number, state, memory, chosen, chosen.text)
        number += 1
        last = number
    return count, last


def _taken(reader: Reader, path: ReadPath, parent: ReadPath, state: State, memory: Memory) -> int:
    """Take for the next rows of `path` those of the parent that are the same there; the row behind the last of them."""
    number = len(path.texts)
    low = max(0, number - _SAME)
    same_state, same_memory = parent.before[number]
    if same_state != state or path.texts[low:] != parent.texts[low:number]:
        return number
    alike = same_memory == memory
    end = len(reader.rows) if alike else _indifferent(reader, parent, number)
    path.texts += parent.texts[number:end]
    path.options += parent.options[number:end]
    before = parent.before[number:end]
    path.before += before if alike else [(one, memory) for one, _ in before]
    return end


def _indifferent(reader: Reader, parent: ReadPath, number: int) -> int:
    """The first row from `number` on that another memory can change."""
    while number < len(reader.rows):
        row, options = reader.rows[number], parent.options[number]
        if options and row.chunks:
            told = any(key.startswith("sentence") or key in _REMEMBERED for key in row.chunks.keys)
            if told or row.model is not None or options[0].kind in {"paren", "plain"}:
                break
        number += 1
    return number


def _after_last(reader: Reader, path: ReadPath) -> tuple[State, Memory]:
    number = len(path.texts) - 1
    state, memory = path.before[number]
    options = path.options[number]
    text = path.texts[number]
    candidate = next((option for option in options or () if option.text == text), None)
    return reader.after(number, state, memory, candidate, text)
