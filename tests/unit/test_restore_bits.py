"""The benchmark that counts what authors' readings cost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.restore_bits import count, set_power
from benchmarks.restore_commits import commits_of
from kpatch_tool.restore.style import weights

OLD = b"int lamp(int a)\n{\n\treturn a;\n}\n"
NEW = OLD.replace(b"\treturn a;\n", b"\tif (a)\n\t\treturn 0;\n\ta =  1;\n\treturn a;\n")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one commit after the first."""

    def git(*args: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, "-C", str(tmp_path), *args], check=True, capture_output=True)

    git("init", "-q")
    for text in (OLD, NEW):
        (tmp_path / "lamp.c").write_bytes(text)
        git("add", "-A")
        git("commit", "-q", "-m", "lamp")
    return tmp_path


def test_lines_are_counted_by_kind_with_what_the_author_s_reading_costs(clone: Path) -> None:
    counts = count(clone, commits_of(clone, ["HEAD"], 0, 1))
    assert {kind: (sums.lines, sums.right, sums.unknown) for kind, sums in counts.kinds.items()} == {
        "statement": (2, 1, 0),
        "body": (1, 1, 0),
    }
    # Two blanks after `=` are no rule's: only the search knows them.
    assert counts.files == [counts.kinds["statement"].more]
    assert 10 < counts.files[0] < 15
    assert count(clone, []).files == []


def test_another_power_is_of_a_kind_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "INDENTS", dict(weights.INDENTS))
    set_power("paren", 2.5)
    assert weights.INDENTS["paren"] == 2.5
    with pytest.raises(SystemExit, match="no such kind: parens"):
        set_power("parens", 1.0)
