"""Two revisions compared: the real `git range-diff` is the judge of which patches correspond."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.diff import linediff
from kpatch_tool.diff.assignment import assign
from kpatch_tool.mail.read import parse, read_sources
from kpatch_tool.report.rangediff import lines
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Series
from kpatch_tool.series.views.rangediff import RangeDiff, compare
from tests.clock import within
from tests.conftest import git

Texts = dict[str, list[str]]
Edit = tuple[str, Callable[[Texts], None]]  # a commit: its message and what it does

FILES = ("mm/a.c", "mm/b.c", "mm/c.c")
SIGNED = "\n\nSigned-off-by: Jane Doe <jane@example.org>"


def _files() -> Texts:
    return {path: [f"int {path[3]}{n}(int x)\n{{\n\treturn x + {n};\n}}\n" for n in range(40)] for path in FILES}


def _body(place: int, what: str, count: int = 4, path: str = "mm/a.c") -> Callable[[Texts], None]:
    """Puts `count` lines that speak of `what` into the function at `place`."""

    def edit(texts: Texts) -> None:
        text = "".join(f"\t{what}_step({n}, x);\n" for n in range(count))
        texts[path][place] = texts[path][place].replace("\treturn", text + "\treturn")

    return edit


def _rename(place: int, old: str, new: str, path: str = "mm/a.c") -> Callable[[Texts], None]:
    def edit(texts: Texts) -> None:
        texts[path][place] = texts[path][place].replace(old, new)

    return edit


ONE: Edit = ("mm: one\n\nWhy one." + SIGNED, _body(2, "one"))
TWO: Edit = ("mm: two\n\nWhy two." + SIGNED, _body(8, "two", 8))
THREE: Edit = ("mm: three\n\nWhy three." + SIGNED, _body(14, "three", 6, "mm/b.c"))
LONG: Edit = ("mm: long\n\nWhy." + SIGNED, _body(24, "long", 12))
FOUR: Edit = ("mm: four\n\nWhy four." + SIGNED, _body(20, "four", 5, "mm/c.c"))


def both(first: Edit, second: Edit, message: str) -> Edit:
    def edit(texts: Texts) -> None:
        first[1](texts)
        second[1](texts)

    return message, edit


CASES: dict[str, tuple[list[Edit], list[Edit]]] = {
    "the same": ([ONE, TWO], [ONE, TWO]),
    "another order": ([ONE, TWO, THREE, FOUR], [FOUR, ONE, THREE, TWO]),
    "one dropped": ([ONE, TWO, THREE], [ONE, THREE]),
    "one added": ([ONE, THREE], [ONE, TWO, THREE]),
    "one for another": ([ONE, TWO], [ONE, ("mm: five", _body(30, "five", 12, "mm/c.c"))]),
    "another subject": ([ONE, TWO], [ONE, ("mm: the second" + TWO[0][7:], TWO[1])]),
    "another message": ([ONE, TWO], [(ONE[0].replace("Why", "How"), ONE[1]), TWO]),
    "a trailer": ([ONE, TWO], [ONE, (TWO[0] + "\nReviewed-by: Joe <joe@x.org>", TWO[1])]),
    "a line changed": ([ONE, TWO, THREE], [ONE, (TWO[0], _body(8, "two", 7)), THREE]),
    "rewritten": ([ONE, TWO], [ONE, (TWO[0], _body(8, "different", 9))]),
    "split": ([both(ONE, THREE, "mm: one and three"), TWO], [ONE, THREE, TWO]),
    "joined": ([ONE, THREE, TWO], [TWO, both(ONE, THREE, "mm: one and three")]),
    "on another base": (
        [ONE, TWO],
        [("mm: before", _rename(8, "int x)", "int  x)")), ("mm: near", _rename(2, "{\n", "{\n\tint y;\n")), ONE, TWO],
    ),
    "at another place": ([LONG, TWO], [(LONG[0], _body(26, "long", 12)), TWO]),
    "a mode": ([ONE], [("mm: one" + ONE[0][7:], both(ONE, ("", lambda texts: texts.update(new=["n\n"])), "")[1])]),
    "turned round": ([ONE, TWO, THREE, FOUR], [FOUR, THREE, TWO, ONE]),
}


def _commits(repo: Path, branch: str, edits: Sequence[Edit]) -> None:
    git("checkout", "-q", "-b", branch, "base", cwd=repo)
    texts = _files()
    for message, edit in edits:
        edit(texts)
        for path, pieces in texts.items():
            (repo / path).write_text("".join(pieces))
        git("add", "-A", cwd=repo)
        git("commit", "-q", "-m", message, cwd=repo)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with branch `base`."""
    path = tmp_path / "repo"
    (path / "mm").mkdir(parents=True)
    for name, pieces in _files().items():
        (path / name).write_text("".join(pieces))
    git("init", "-q", "-b", "base", cwd=path)
    git("add", "-A", cwd=path)
    git("commit", "-q", "-m", "base", cwd=path)
    return path


def read(repo: Path, name: str) -> Series:
    """The series of a branch, through the mails git writes."""
    mails = repo.parent / f"mails-{name}"
    git("format-patch", "-q", "-N", "-o", mails, f"base..{name}", cwd=repo)
    return assemble(read_sources([str(mails)]).messages, where=name)


def compared(repo: Path, edits: tuple[list[Edit], list[Edit]]) -> RangeDiff:
    """The two lists of commits made in the repository, on branches a and b, and compared."""
    for branch, one in zip("ab", edits, strict=True):
        _commits(repo, branch, one)
    return compare(read(repo, "a"), read(repo, "b"))


Row = tuple[int | None, str, int | None]
_MARKS = {"unchanged": "=", "dropped": "<", "added": ">"}


def kpt_says(found: RangeDiff) -> list[Row]:
    return [
        (pair.a.number if pair.a else None, _MARKS.get(pair.change, "!"), pair.b.number if pair.b else None)
        for pair in found.pairs
    ]


def git_says(repo: Path) -> list[Row]:
    out = git("range-diff", "--no-color", "-s", "base..a", "base..b", cwd=repo)
    found = re.findall(r"^ *(\d+|-): +\S+ ([=!<>]) +(\d+|-): ", out, re.MULTILINE)
    return [(None if a == "-" else int(a), mark, None if b == "-" else int(b)) for a, mark, b in found]


@pytest.mark.parametrize("name", CASES)
def test_pairs_and_marks_are_gits(name: str, repo: Path) -> None:
    assert kpt_says(compared(repo, CASES[name])) == git_says(repo)


def test_random_series_are_paired_as_git_does(repo: Path) -> None:
    """Twenty patches: some dropped, added, changed a little or a lot, all of them shuffled."""
    chance = random.Random(5)
    edits = [(f"mm: patch {n}", n, chance.randrange(3, 12), chance.choice(FILES)) for n in range(20)]
    first = [(message, _body(2 * n, f"w{n}", size, path)) for message, n, size, path in edits]
    second: list[Edit] = []
    for message, n, size, path in edits:
        fate = chance.randrange(6)
        if fate == 0:
            second.append((f"mm: new {n}", _body(2 * n, f"v{n}", size, path)))
        elif fate == 1:
            second.append((message, _body(2 * n, f"w{n}", size + 1, path)))
        elif fate == 2:
            second.append((message + "\n\nAnew.", _body(2 * n, f"w{n}", size, path)))
        elif fate > 3:
            second.append((message, _body(2 * n, f"w{n}", size, path)))
    chance.shuffle(second)
    assert kpt_says(compared(repo, (first, second))) == git_says(repo)


def test_binary_files_are_paired_as_git_does_and_compared_by_what_they_hold(repo: Path) -> None:
    def blob(seed: int) -> Edit:
        data = "\0" + "".join(random.Random(seed).choices("abcdefgh", k=3000))
        return ("mm: blob", lambda texts: texts.update(blob=[data]))

    found = compared(repo, ([blob(1), ONE], [ONE, blob(2)]))
    numbers = [(old, new) for old, _, new in git_says(repo)]
    assert [(old, new) for old, _, new in kpt_says(found)] == numbers == [(2, 1), (1, 2)]
    assert [pair.change for pair in found.pairs] == ["unchanged", "changed"]


CHANGES = {
    "another message": (["message", "unchanged"], [["message"], []]),
    "another subject": (["unchanged", "message"], [[], ["subject"]]),
    "a trailer": (["unchanged", "trailers"], [[], ["trailers"]]),
    "a line changed": (["unchanged", "changed", "unchanged"], [[], ["diff"], []]),
    "on another base": (["added", "added", "context", "context"], [[], [], ["context"], ["context"]]),
    "at another place": (["changed", "unchanged"], [["diff"], []]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed(name: str, repo: Path) -> None:
    pairs = compared(repo, CASES[name]).pairs
    assert ([str(pair.change) for pair in pairs], [list(map(str, pair.parts)) for pair in pairs]) == CHANGES[name]
    for pair in pairs:
        assert (pair.similarity == 1) == (pair.change in ("unchanged", "message", "trailers"))
        assert bool(pair.diff) == (pair.change not in ("unchanged", "added", "dropped"))


def _bodies(text: str) -> Iterator[str]:
    """The lines of the differences, without hunk headings (git cuts their text at 80 bytes)."""
    return (
        line.strip() for line in text.split("\n") if line.startswith("     ") or line.startswith(("    +", "    -"))
    )


@pytest.mark.parametrize("name", ["a line changed", "another message", "a trailer", "on another base"])
def test_the_text_is_gits(name: str, repo: Path) -> None:
    found = compared(repo, CASES[name])
    ours = "\n".join("".join(text for text, _ in spans) for spans in lines(found))
    theirs = git("range-diff", "--no-color", "base..a", "base..b", cwd=repo)
    assert list(_bodies(ours)) == list(_bodies(theirs))
    rows = ["".join(text for text, _ in spans) for spans in lines(found, patches=False)]
    assert not list(_bodies("\n".join(rows)))
    assert all(len(row) <= 80 for row in rows)


def test_fifty_by_fifty_patches_are_quick() -> None:
    """Of one kind, so that every pair must be weighed: the same words in many functions."""
    series = []
    for last in ("1", "2"):
        mails = []
        for n in range(50):
            text = "".join(f"+\tcall({n if k % 3 else k});\n" for k in range(60)) + f"+\tlast({n}, {last});\n"
            head = f"diff --git a/f{n}.c b/f{n}.c\n--- a/f{n}.c\n+++ b/f{n}.c\n@@ -1,2 +1,63 @@\n {{\n"
            mails.append(f"From: J <j@x.org>\nSubject: [PATCH {n + 1}/50] {n}\n\nWhy.\n---\n{head}{text} }}\n")
        box = "".join(f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail}\n" for mail in mails)
        series.append(assemble(list(parse(box.encode(), "box")), where="box"))
    with within(5):
        a, b = series
        pairs = compare(a, b).pairs
    assert [(pair.a, pair.b) for pair in pairs] == list(zip(a.patches, b.patches, strict=True))


TEXTS = st.lists(st.sampled_from([b"a", b"b", b"c", b""]), max_size=24)


@given(TEXTS, st.integers(0, 40), st.integers(0, 40))
def test_the_cost_is_the_length_of_the_diff(extra: list[bytes], first: int, second: int) -> None:
    old = [b"%d" % n for n in range(40)]
    new = old[:first] + extra + old[first:second] + old[second + 1 :]
    steps = linediff.script(old, new)
    assert linediff.cost(old, new) == sum(end - start + 1 for start, end in linediff.hunks(steps))


@given(TEXTS, TEXTS)
def test_a_script_is_right_and_shortest(old: list[bytes], new: list[bytes]) -> None:
    steps = linediff.script(old, new)
    assert [old[step.place] for step in steps if step.sign != "+"] == old
    assert [(old if step.sign == " " else new)[step.place] for step in steps if step.sign != "-"] == new
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, one in enumerate(old):
        for j, other in enumerate(new):
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == other else max(longest[i][j + 1], longest[i + 1][j])
    assert sum(step.sign == " " for step in steps) == longest[-1][-1]
    assert linediff.cost(old, new) == sum(end - start + 1 for start, end in linediff.hunks(steps))
    assert linediff.least_cost(Counter(old), Counter(new)) <= linediff.cost(old, new)


def test_texts_too_large_to_compare_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linediff, "_LARGEST", 3)
    steps = linediff.script([b"a", b"b", b"c", b"z"], [b"a", b"x", b"b", b"z"])
    assert "".join(step.sign for step in steps) == " --++ "


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(-2, 9), max_size=16))
def test_the_best_assignment(gains: dict[tuple[int, int], int]) -> None:
    chosen = assign(gains)
    assert len(set(chosen.values())) == len(chosen)
    best = max(
        sum(max(gains.get((left, right), 0), 0) for left, right in enumerate(order)) for order in permutations(range(4))
    )
    assert sum(gains[pair] for pair in chosen.items()) == best
