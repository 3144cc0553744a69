"""Differences of many tests that have one reason, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kpatch_tool.results.deltas import Delta, identity, transition
from kpatch_tool.results.repeats import by_chance, flaky_tests, not_confirmed
from kpatch_tool.suites.model import Cause, StateTests
from kpatch_tool.text import plural

_ALIKE_AT_MOST = 3


def one_of_alike(deltas: Iterable[tuple[Delta, str]], *, any_why: bool = False) -> list[tuple[Delta, str]]:
    """Of many tests that became the same for one and the same reason (the kernel died before their turn; `any_why`:
    for whatever reason) the first, with their number in its name: else what is said behind them would not be seen.
    Each comes with what is said of it besides."""
    groups: dict[tuple[object, ...], list[tuple[Delta, str]]] = {}
    for delta, note in deltas:
        foldable = not delta.case and (any_why or bool(delta.why))
        alike = (delta.change, transition(delta), delta.why, note) if foldable else identity(delta)
        groups.setdefault(alike, []).append((delta, note))
    return [pair for group in groups.values() for pair in _first_of(group)]


def came_back(deltas: Iterable[Delta]) -> list[Delta]:
    """The same of what a state takes back, without why it was otherwise before: that was said there."""
    bare = ((replace(delta, why="", cause=Cause.OWN), "") for delta in deltas)
    return [delta for delta, _ in one_of_alike(bare, any_why=True)]


def surely_back(
    own: Iterable[Delta], previous: StateTests, tests: StateTests, base: StateTests | None
) -> tuple[list[Delta], list[Delta]]:
    """Of what `tests` take back of the `previous` state (`own`) what is sure, and what was run only once there. What is
    worse in some runs still, or was only in some there, is neither."""
    left_open = flaky_tests(tests)
    once = frozenset[str]() if base is None else not_confirmed(previous, tests, base)
    chance = frozenset[tuple[str, str]]() if base is None else by_chance(previous, tests, base)
    settled = [delta for delta in own if delta.test not in left_open and (delta.test, delta.case) not in chance]
    sure = came_back(delta for delta in settled if delta.test not in once)
    return sure, came_back(delta for delta in settled if delta.test in once)


def only_once(previous: StateTests) -> str:
    """Why no patch gets credit for a test that was worse on the `previous` state and is not now
    (repeats.not_confirmed)."""
    return f"run only once {f'after patch {previous.patch}' if previous.patch else 'on the base'}, which is no verdict"


def _first_of(group: Sequence[tuple[Delta, str]]) -> Sequence[tuple[Delta, str]]:
    if len(group) <= _ALIKE_AT_MOST:
        return group
    first, note = group[0]
    return ((replace(first, test=f"{first.test} and {plural(len(group) - 1, 'more test')}"), note),)
