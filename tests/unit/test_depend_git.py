"""What patches need of one another by their text, judged by git (benchmarks/depending.py)."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.depending import Scratch, Tally, chains, judge, mailed
from tests.conftest import git

COMMITS = 14


def _change(lines: list[str], number: int, chance: random.Random) -> None:
    """A few lines in the place of a few others, somewhere."""
    at = chance.randrange(len(lines) - 3)
    lines[at : at + chance.randrange(3)] = [f"int of_{number}_{new};" for new in range(chance.randrange(4))]


def _repository(where: Path, chance: random.Random) -> None:
    """Two files that change by chance; one is renamed on the way, and another takes its name."""
    where.mkdir()
    git("init", "-q", "-b", "main", cwd=where)
    files = {name: [f"int {name}_{line};" for line in range(40)] for name in ("a", "b")}
    for number in range(COMMITS + 1):
        for lines in files.values():
            if number and chance.random() < 0.7:
                _change(lines, number, chance)
        if number == 5:
            files["c"] = files.pop("a")
            (where / "a").unlink()
        if number == 7:
            files["a"] = [f"int new_{line};" for line in range(40)]
        for name, lines in files.items():
            (where / name).write_text("".join(f"{line}\n" for line in lines))
        git("add", "-A", cwd=where)
        git("commit", "-q", "--allow-empty", "-m", f"Change {number}", cwd=where)


def test_git_applies_a_patch_after_what_it_needs_and_not_without(tmp_path: Path, sealed: Path) -> None:
    chance, tally = random.Random(7), Tally()
    for number in range(3):
        where, place = tmp_path / f"repository-{number}", tmp_path / f"scratch-{number}"
        place.mkdir()
        _repository(where, chance)
        head = git("rev-parse", "HEAD", cwd=where)
        (base,) = (base for base, last in chains(where, ["HEAD"], COMMITS, 1) if last == head)
        before = git("count-objects", cwd=where)
        series = mailed(where, base, head)
        assert series is not None
        judge(series, base, Scratch.of(where, place), tally)
        assert git("count-objects", cwd=where) == before
    assert tally.asked > 20
    assert (tally.missing, tally.idle) == ([], [])
