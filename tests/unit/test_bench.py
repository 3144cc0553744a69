"""What the benchmarks make of programs that fail: a kpt that breaks is shown, and is no row that is merely absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.measure import Absent, Row, measured, passed, table

CRASH = "printf 'Traceback (most recent call last):\\n  at a place\\nKeyError: 7\\n' >&2; exit 3"


def failing(way: Callable[..., object], *words: str | Path) -> Absent:
    """The row that is left of a measurement in which a program fails."""

    def rows() -> list[Row]:
        way(*words)
        raise AssertionError("it did not fail")

    (found,) = measured("a row", rows)
    assert isinstance(found, Absent)
    return found


@pytest.mark.parametrize(
    ("script", "broken", "said"),
    [
        (CRASH, True, "kpt build: exit status 3 KeyError: 7"),
        ("kill -SEGV $$", True, "kpt build: exit status -11"),
        ("echo 'patch 1 conflicts' >&2; exit 1", True, "kpt build: exit status 1 patch 1 conflicts"),
        ("echo 'kpt: no such series' >&2; exit 2", False, "kpt build: exit status 2 kpt: no such series"),
        ("echo 'kpt: no disk left' >&2; exit 3", False, "kpt build: exit status 3 kpt: no disk left"),
    ],
)
def test_a_kpt_that_breaks_is_not_merely_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, broken: bool, said: str
) -> None:
    kpt = tmp_path / "kpt"
    kpt.write_text(f"#!/bin/sh\n{script}\n")
    kpt.chmod(0o755)
    monkeypatch.setattr(measure, "KPT", kpt)
    for way in (measure.run, measure.seconds, measure.usage):
        found = failing(way, kpt, "build")
        assert found.why == f"{tmp_path}/{said}"
        assert passed([found]) is not broken
        assert ("BROKEN" in table([found]), "not measured" in table([found])) == (broken, not broken)


def test_a_peer_that_fails_or_is_missing_is_absent(tmp_path: Path) -> None:
    for way in (measure.seconds, measure.usage):
        assert passed([failing(way, "false")])
        missing = failing(way, tmp_path / "missing")
        assert passed([missing]) and missing.why == f"{tmp_path}/missing is not there"
