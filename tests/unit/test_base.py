"""Finding the base of a series in a history of any shape, compared with looking at every commit."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpatch_tool.diff.model import FileDiff
from kpatch_tool.errors import InputError
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.tree import base
from kpatch_tool.tree.base import Sought, chain_notes, search, spellings, wanted_files
from kpatch_tool.tree.fits import Fits, chain_fits
from tests import patch_texts
from tests.clock import within
from tests.conftest import git
from tests.diff_texts import difference
from tests.repositories import START, Made, repository

OTHER = {"other": "o\n"}


def text(version: int) -> str:
    """A file of twelve lines whose versions differ in the sixth."""
    return "".join(f"line {number}\n" if number != 6 else f"version {version}\n" for number in range(12))


def oid(content: str, repo: Path) -> str:
    return git("hash-object", "--stdin", cwd=repo, stdin=content.encode())


def file(path: str, before: str | None, after: str | None, repo: Path, *, digits: int = 12) -> FileDiff:
    """The diff of one file, with an index line as format-patch writes it."""
    hunks = difference((before or "").encode().splitlines(), (after or "").encode().splitlines()).hunks
    ids = [oid(one, repo)[:digits] if one is not None else "0" * digits for one in (before, after)]
    return FileDiff(path if before is not None else None, path if after is not None else None, hunks,
                    old_blob=ids[0], new_blob=ids[1])  # fmt: skip


def series(*files: FileDiff) -> Series:
    """One patch a file."""
    return patch_texts.series(*(patch_texts.patch(number, (one,)) for number, one in enumerate(files, 1)))


def changing(repo: Path, **versions: int) -> Series:
    """A series that changes each file called by a letter from the version given to version 99."""
    return series(*(file(path, text(version), text(99), repo) for path, version in versions.items()))


def ends(found: Sought, ids: list[str]) -> list[tuple[int, int, int]]:
    """(number of the oldest commit, of the newest, how many), a range."""
    return [(ids.index(one.oldest), ids.index(one.newest), one.commits) for one in found.exact]


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_like_looking_at_every_commit(seed: int, part: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random histories: branches, merges of two and three that take either side or neither, roots, old versions that
    come back, files that come and go. Every commit that holds the files is in a range, and no other. With `part` the
    history counts as long: then those of the last forty minutes (and ends of branches), which are commits 20 to 59."""
    posted = datetime.fromtimestamp(START + 60 * 60 - 86_400, UTC)
    if part:
        monkeypatch.setattr(base, "LONG", 1)
        monkeypatch.setattr(base, "_YEAR", 39 * 60)
    chance = random.Random(seed)
    commits: list[Made] = []
    for number in range(60):
        count = min(number, chance.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))) if number > 3 else min(number, 1)
        parents = tuple(dict.fromkeys(chance.randrange(max(0, number - 9), number) for _ in range(count)))
        files = {"other": f"{number}\n"}
        for path in "ab":
            options = [commits[parent].files.get(path) for parent in parents] * 4
            content = chance.choice([*options, *(text(version) for version in range(2)), None])
            if content is not None:
                files[path] = content
        commits.append(Made(parents, files))
    children = {parent for one in commits for parent in one.parents}
    heads = {f"refs/heads/b{number}": number for number in range(60) if number not in children}
    repo = tmp_path / "r.git"
    ids = repository(repo, commits, heads)
    for wanted in ({"a": text(0), "b": text(1)}, {"a": text(0), "b": None}, {"a": text(1), "b": text(0)}):
        right = {ids[n] for n, one in enumerate(commits) if all(one.files.get(p) == c for p, c in wanted.items())}
        right -= set(ids[:20]).difference(ids[number] for number in heads.values()) if part else set()
        made = series(*(file(path, content, text(9), repo) for path, content in wanted.items()))
        found = search(repo, replace(made, patches=(replace(made.patches[0], date=posted), *made.patches[1:])))
        assert sum(one.commits for one in found.exact) == len(right)
        assert {one.oldest for one in found.exact} | {one.newest for one in found.exact} <= right
        assert {one.commit for one in found.exact} <= right
        if not right and not part:
            assert found.nearest is not None
            there = commits[ids.index(found.nearest.commit)].files
            best = max(sum(one.files.get(p) == c for p, c in wanted.items()) for one in commits)
            assert sum(there.get(path) == content for path, content in wanted.items()) == best
            assert {one.path for one in found.nearest.differs} == {p for p, c in wanted.items() if there.get(p) != c}


def line(*versions: int, path: str = "a") -> list[Made]:
    """A history without branches in which `path` has these versions."""
    return [Made((number - 1,) if number else (), {path: text(v), **OTHER}) for number, v in enumerate(versions)]


def test_a_version_that_comes_back_gives_two_ranges(tmp_path: Path) -> None:
    ids = repository(tmp_path / "r.git", line(1, 1, 2, 2, 1, 3, 4), {"refs/heads/main": 6})
    found = search(tmp_path / "r.git", changing(tmp_path / "r.git", a=1), own=ids[6])
    assert ends(found, ids) == [(4, 4, 1), (0, 1, 2)]
    assert found.exact[0].commit_name == "main~2"
    assert found.nearest is None


def test_the_trees_own_base_and_the_declared_one_come_first(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    ids = repository(repo, line(1, 1, 2, 1, 1, 1), {"refs/heads/main": 5, "refs/tags/v6.1-rc3": 1})
    found = search(repo, changing(repo, a=1), own=ids[3], declared=["v6.1-rc3", "f" * 40, ids[2][:12]])
    assert ends(found, ids) == [(0, 1, 2), (3, 5, 3)]
    assert [one.commit for one in found.exact] == [ids[1], ids[3]]
    assert [(one.commit, one.in_history, one.holds) for one in found.declared] == [
        (ids[1], True, True),
        (None, None, None),
        (ids[2], True, False),
    ]
    (differs,) = found.declared[2].differs
    assert (differs.path, differs.found, differs.fits) == ("a", oid(text(2), repo), Fits.CONFLICT)


def test_branches_merged_either_way(tmp_path: Path) -> None:
    """Each side of a merge changes one file; only the merge has both, though it differs from no parent in all."""
    commits = [
        Made((), {"a": text(0), "b": text(0)}),
        Made((0,), {"a": text(1), "b": text(0)}),
        Made((0,), {"a": text(0), "b": text(1)}),
        Made((1, 2), {"a": text(1), "b": text(1)}),
        Made((3,), {"a": text(1), "b": text(1), "c": "c"}),
        Made((0, 4), {"a": text(1), "b": text(1), "c": "c"}),  # brings it all from the other side
        Made((5, 0, 2), {"a": text(0), "b": text(0)}),  # throws it all away
    ]
    repo = tmp_path / "r.git"
    ids = repository(repo, commits, {"refs/heads/main": 6})
    assert ends(search(repo, changing(repo, a=1, b=1)), ids) == [(3, 5, 3)]
    assert ends(search(repo, changing(repo, b=1)), ids) == [(2, 5, 4)]


def test_kpts_own_branches_are_not_searched(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    repository(repo, line(1, 2), {"refs/heads/base": 0, "refs/heads/kpt/s": 1})
    found = search(repo, changing(repo, a=2))
    assert not found.exact
    assert found.nearest is not None
    assert (found.nearest.name, found.nearest.matching) == ("base", 0)


def test_nearest_says_how_the_hunks_fit(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    files = {"a": text(1), "clean": text(1) + "end\n", "offset": "new\n" + text(1), "conflict": text(5)}
    ids = repository(repo, [Made((), files), Made((0,), {**files, "a": text(2)})], {"refs/heads/main": 1})
    names = ("a", "clean", "offset", "conflict", "missing")
    fresh = file("clean/below", None, "x\n", repo)
    found = search(repo, series(*(file(name, text(1), text(9), repo) for name in names), fresh), own=ids[1])
    assert found.nearest is not None
    assert found.nearest.commit == ids[0]
    assert {one.path: str(one.fits) for one in found.nearest.differs} == {
        name: name for name in names if name != "a"
    }  # fmt: skip


def test_a_file_the_series_creates_must_not_be_there(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    commits = [Made((), {"a": text(1)}), Made((0,), {"a": text(1), "new": "x\n"}), Made((1,), {"a": text(2)})]
    ids = repository(repo, commits, {"refs/heads/main": 2})
    made = series(file("a", text(1), text(2), repo), file("new", None, "mine\n", repo))
    assert ends(search(repo, made), ids) == [(0, 0, 1)]
    only = search(repo, series(file("new", None, "mine\n", repo)))
    assert ends(only, ids) == [(2, 2, 1)]
    assert "no patch names a blob id" in only.notes[0]


def test_later_patches_start_from_what_earlier_ones_make(tmp_path: Path) -> None:
    """A rename and a change of the renamed file ask for the old name's blob alone, and for no file of the new name."""
    repo = tmp_path / "r.git"
    ids = repository(repo, [Made((), {"a": text(1)}), Made((0,), {"a": text(2)})], {"refs/heads/main": 1})
    moved = FileDiff("a", "b", similarity=100, renamed=True)
    first = patch_texts.patch(1, (file("a", text(1), text(2), repo),))
    rest = (patch_texts.patch(2, (moved,)), patch_texts.patch(3, (file("b", text(2), text(3), repo),)))
    whole = patch_texts.series(first, *rest)
    assert [(one.path, one.blob) for one in wanted_files(whole)] == [("a", oid(text(1), repo)[:12]), ("b", "")]
    assert ends(search(repo, whole), ids) == [(0, 0, 1)]
    assert chain_notes(whole) == ()


def moved(old: str, new: str, *ids: str, copied: bool = False) -> FileDiff:
    """A rename, or a copy, that changes a line where blob ids are given."""
    hunks = difference([b"1"], [b"2"]).hunks if ids else ()
    before, after = ids or (None, None)
    return FileDiff(old, new, hunks, old_blob=before, new_blob=after, renamed=not copied, copied=copied)


def names(*patches: tuple[FileDiff, ...]) -> dict[str, str | None]:
    """What the patches want of the base: path -> blob id."""
    whole = patch_texts.series(*(patch_texts.patch(number, files) for number, files in enumerate(patches, 1)))
    return {one.path: one.blob for one in wanted_files(whole)}


NEW = FileDiff(None, "a", difference([], [b"1"]).hunks, new_blob="5234567")
AGAIN = FileDiff("a", "a", difference([b"1"], [b"2"]).hunks, old_blob="5234567", new_blob="6234567")


def test_what_a_patch_renames_was_there_before_it() -> None:
    assert names((moved("b", "a", "1234567", "2345678"), moved("a", "b", "3234567", "4345678"))) == {
        "b": "1234567",
        "a": "3234567",
    }
    assert names((NEW, moved("a", "b", "3234567", "4345678"))) == {"a": "3234567", "b": ""}
    assert names((NEW, AGAIN)) == {"a": ""}
    assert names((moved("b", "a", "1234567", "5234567"), AGAIN)) == {"b": "1234567", "a": ""}
    assert names((moved("a", "b"),), (NEW,), (AGAIN,)) == {"a": None, "b": ""}


def test_a_file_that_is_copied_stays_as_it_is() -> None:
    """A copy of all of it names no id; what changes it later does."""
    assert names((moved("a", "b", copied=True), AGAIN)) == {"a": "5234567", "b": ""}
    assert names((moved("a", "b", copied=True),), (AGAIN,)) == {"a": "5234567", "b": ""}


def test_files_that_change_places_are_no_doubt() -> None:
    swap = (moved("b", "a", "1234567", "2345678"), moved("a", "b", "3234567", "4345678"))
    back = (moved("b", "a", "4345678", "3234567"), moved("a", "b", "2345678", "1234567"))
    assert chain_notes(patch_texts.series(patch_texts.patch(1, swap), patch_texts.patch(2, back))) == ()


def test_a_file_keeps_the_name_a_patch_gives_it_when_another_takes_the_old_one() -> None:
    swap = (moved("a", "b"), moved("b", "a"))
    change = FileDiff("b", "b", difference([b"1"], [b"2"]).hunks)
    whole = patch_texts.series(patch_texts.patch(1, swap), patch_texts.patch(2, (change,)))
    assert chain_fits(whole, "a", b"1\n") is Fits.CLEAN
    assert chain_fits(whole, "a", b"other\n") is Fits.CONFLICT
    assert chain_fits(whole, "b", b"other\n") is Fits.CLEAN


def test_a_patch_without_ids_between_is_no_doubt() -> None:
    bare = replace(AGAIN, old_blob=None, new_blob=None)
    mode = FileDiff("a", "a", old_mode="100644", new_mode="100755")
    last = replace(AGAIN, old_blob="7234567", new_blob="8234567")
    for between, doubtful in ((bare, False), (mode, True)):
        parts = [patch_texts.patch(number, (one,)) for number, one in enumerate((AGAIN, between, last), 1)]
        assert bool(chain_notes(patch_texts.series(*parts))) is doubtful


def test_what_makes_the_ids_doubtful_is_said(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    repository(repo, line(1), {"refs/heads/main": 0})
    broken = series(file("a", text(1), text(2), repo), file("a", text(3), text(4), repo))
    notes = chain_notes(replace(broken, total=4))
    assert notes[0].startswith("patch 3, 4 of the series is not here")
    assert notes[1].startswith(f"patch 2 was made on a {oid(text(3), repo)[:12]}, but patch 1 leaves it as")


def test_without_index_lines_the_hunks_judge(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    commits = [Made((n - 1,) if n else (), {"a": text(v), "b": text(v)}) for n, v in enumerate((1, 2, 2, 3))]
    ids = repository(repo, commits, {"refs/heads/main": 3})
    bare = replace(file("a", text(2), text(9), repo), old_blob=None, new_blob=None)
    assert ends(search(repo, series(bare, file("b", text(2), text(9), repo))), ids) == [(1, 2, 2)]
    at_the_tip = replace(file("a", text(3), text(9), repo), old_blob=None, new_blob=None)
    assert ends(search(repo, series(at_the_tip)), ids) == [(3, 3, 1)]


def test_a_damaged_series_is_found_all_the_same(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    ids = repository(repo, line(1, 2, 1, 4), {"refs/heads/main": 3})
    diff = f"diff --git a/a b/a\nindex {oid(text(2), repo)[:7]}..1234567 100644\n--- a/a\n+++ b/a\n@@ -6,3 +6,3 @@ x\n"
    diff += "line 5\n-version 2\n+version 9\nline 7\n"
    one = replace(patch_texts.patch(1, parse_damaged(diff.encode())), exactness=Exactness.DAMAGED)
    assert ends(search(repo, patch_texts.series(one)), ids) == [(1, 1, 1)]
    git("update-ref", "refs/heads/main", ids[0], cwd=repo)
    near = search(repo, patch_texts.series(one)).nearest
    assert near is not None
    assert [one.fits for one in near.differs] == [Fits.CONFLICT]


def test_a_shallow_history_is_said(tmp_path: Path) -> None:
    ids = repository(tmp_path / "r.git", line(1, 2, 3), {"refs/heads/main": 2})
    git("clone", "-q", "--bare", "--depth=2", f"file://{tmp_path}/r.git", tmp_path / "s.git", cwd=tmp_path)
    repo = tmp_path / "s.git"
    assert ends(search(repo, changing(repo, a=2)), ids) == [(1, 1, 1)]
    lost = search(repo, changing(repo, a=1))
    assert not lost.exact
    assert "cut short" in lost.notes[-1]


def test_an_id_that_begins_like_two_blobs(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    repository(repo, line(1), {"refs/heads/main": 0})
    by_start: dict[str, int] = {}
    for version in range(100_000):  # a birthday: two of a few hundred ids begin with the same four digits
        content = text(version).encode()
        start = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()[:4]
        if start in by_start:
            break
        by_start[start] = version
    twins = by_start[start], version
    repo = tmp_path / "t.git"
    ids = repository(repo, line(0, twins[0], twins[1], 0), {"refs/heads/main": 3})
    found = search(repo, series(file("a", text(twins[0]), text(9), repo, digits=4)))
    assert ends(found, ids) == [(1, 2, 2)]
    assert "is the beginning of 2 blob ids" in found.notes[0]


def test_the_newest_commit_not_younger_than_the_series_is_advised(tmp_path: Path) -> None:
    repo = tmp_path / "r.git"
    ids = repository(repo, line(*([1] * 3000)), {"refs/heads/main": 2999})
    posted = datetime.fromtimestamp(START + 60 * 101 - 86_400, UTC)
    dated = replace(changing(repo, a=1), patches=(replace(changing(repo, a=1).patches[0], date=posted),))
    (found,) = search(repo, dated).exact
    assert (found.commit, found.newest) == (ids[100], ids[2999])


def test_spellings_of_a_base() -> None:
    assert "refs/tags/next-20221110" in spellings("linux-next 20221110")
    assert "refs/remotes/kvm/next" in spellings("kvm/next")


def test_a_series_that_changes_nothing_is_refused(tmp_path: Path) -> None:
    repository(tmp_path / "r.git", line(1), {"refs/heads/main": 0})
    with pytest.raises(InputError, match="no patch of the series changes a file"):
        search(tmp_path / "r.git", patch_texts.series(patch_texts.patch(1)))
    unsafe = (FileDiff("../x", "../x", old_mode="100644", new_mode="100755"),)
    with pytest.raises(InputError, match="refused"):
        search(tmp_path / "r.git", patch_texts.series(patch_texts.patch(1, unsafe)))


def test_a_long_history_takes_seconds(tmp_path: Path) -> None:
    """20,000 commits, a merge every tenth; the file wanted has its version in one stretch near the beginning."""
    commits: list[Made] = []
    for number in range(20_000):
        version = 1 if 500 <= number < 700 else 2 + number % 3
        parents = (number - 1, number - 5) if number % 10 == 9 else (number - 1,) if number else ()
        commits.append(Made(parents, {"d/a": text(version), "d/b": str(number)}))
    repo = tmp_path / "r.git"
    ids = repository(repo, commits, {"refs/heads/main": 19_999})
    wanted = series(file("d/a", text(1), text(9), repo))
    with within(6):
        found = search(repo, wanted, own=ids[-1])
    assert ends(found, ids) == [(500, 699, 200)]


def test_of_a_long_history_the_year_before_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "LONG", 100)
    monkeypatch.setattr(base, "_YEAR", 100 * 60)
    versions = [1 if number < 250 or 350 <= number < 380 else 2 for number in range(400)]
    repo = tmp_path / "r.git"
    ids = repository(repo, line(*versions), {"refs/heads/main": 399, "refs/tags/v1": 10})
    git("tag", "-a", "-m", "x", "v2", ids[390], cwd=repo)
    made = changing(repo, a=1)
    posted = datetime.fromtimestamp(START + 60 * 301 - 86_400, UTC)
    made = replace(made, patches=(replace(made.patches[0], date=posted),))
    part = search(repo, made, own=ids[399])
    assert ends(part, ids) == [(200, 249, 50), (10, 10, 1)]
    assert (part.exact[0].commit, part.exact[0].newest) == (ids[249], ids[249])
    assert "a long history: looked through from 2014-05-13 to 2014-05-13" in part.notes[0]
    assert ends(search(repo, made, own=ids[399], full=True), ids) == [(350, 379, 30), (0, 249, 250)]
    assert ends(search(repo, made, own=ids[360]), ids) == [(360, 360, 1), (200, 249, 50), (10, 10, 1)]


def test_more_files_than_a_command_line_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = tmp_path / "r.git"
    names = [f"{'d' * 250}/{'e' * 250}/{'x' * 200}{number:05}" for number in range(3_100)]
    ids = repository(
        repo, [Made((), dict.fromkeys(names, "a\n")), Made((0,), {"other": "x\n"})], {"refs/heads/main": 1}
    )
    blob = oid("a\n", repo)
    moved = tuple(FileDiff(name, name, old_blob=blob[:12], new_blob="b" * 12) for name in names)
    assert ends(search(repo, patch_texts.series(patch_texts.patch(1, moved))), ids) == [(0, 0, 1)]
    monkeypatch.setattr(base, "_FEW", 1)
    monkeypatch.setattr(base, "_LOOKUPS", 1)
    few = tmp_path / "few.git"
    ids = repository(few, line(1, 2, 1, 2), {"refs/heads/main": 3})
    found = search(few, changing(few, a=1))
    assert ends(found, ids) == [(2, 2, 1)]
    assert "1 old commit with changes" in found.notes[0]
