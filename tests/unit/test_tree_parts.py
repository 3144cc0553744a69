"""The pure parts of the tree room."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.tree.applied import decode, encode
from kpatch_tool.tree.catalogue import Record
from kpatch_tool.tree.closure import parse_numbers
from kpatch_tool.tree.committing import commit_message, patch_step, tidied
from kpatch_tool.tree.failed import REPAIR, git_failed, unreadable
from kpatch_tool.tree.fastimport import Identity
from kpatch_tool.tree.importing import common_directory
from kpatch_tool.tree.model import TIP_REF, Applied, State, Tree
from kpatch_tool.tree.objects import Commit
from kpatch_tool.tree.paths import check_name
from kpatch_tool.tree.restoring import commits_read
from tests.conftest import git

WHEN = datetime(2014, 4, 17, 9, 5, 45, tzinfo=UTC)
PATCH = Patch(1, "subject", Address("A", "a@example.org"), WHEN, "", "", b"", (), (), Exactness.INTACT, "")
BASE = Commit("1" * 40, "2" * 40, (), b"x <> 5 +0000", b"x <> 77 +0000", b"base\n")


@pytest.mark.parametrize(("text", "numbers"), [("2", (2,)), ("2,4-6", (2, 4, 5, 6)), (" 1 , 1-2", (1, 2))])
def test_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize("text", ["5-4,1", "1,5-2", "", "x", "1-", "-1", "1,,2", "1-99999999999", "\u0662"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(InputError, match="2,4-5"):
        parse_numbers(text)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a//b",
        "a/",
        "./a",
        "a/../b",
        "..",
        ".git/x",
        "a/.GIT/x",
        "a/.git",
        "git~1/x",
        ".git . /x",
        "a\nb",
        "a\x9bb",
    ],
)
def test_unsafe_paths(path: str) -> None:
    assert unsafe_path(path)


@pytest.mark.parametrize("path", ["a", ".gitignore", "a/.gitattributes", "a..b/c", "d\u00e9", "a b", "x\udce9", "..."])
def test_safe_paths(path: str) -> None:
    assert not unsafe_path(path)


@pytest.mark.parametrize("name", ["debian-6.1", "a", "A_1+2"])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a/b", "a..b", "a.lock", "a.git", "a.", "a b", "\x1b[2J", "x" * 101, "a\n"]
)
def test_no_names(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


@given(st.lists(st.sampled_from([b"", b" ", b"\t", b"a", b" b ", b"\r", b"# c", b"d\xe9"]), max_size=8).map(b"\n".join))
def test_messages_are_tidied_as_git_does(text: bytes) -> None:
    expected = subprocess.run(["git", "stripspace"], input=text, capture_output=True, check=True).stdout
    assert tidied(text) == expected


def test_message_and_author_line() -> None:
    zone = timezone(timedelta(hours=-7, minutes=-30))
    date = datetime(2014, 4, 17, 1, 35, 45, tzinfo=zone)
    who = Address(' "J\u00fcrgen, G." ', "<j@example.org>")
    step = patch_step(replace(PATCH, author=who, date=date, message="why\n\n\nSigned-off-by: J"), {}, BASE)
    assert step.author.line() == "J\u00fcrgen, G <j@example.org> 1397725545 -0730".encode()
    assert step.message == b"subject\n\nwhy\n\nSigned-off-by: J\n"
    assert commit_message(PATCH) == b"subject\n"


@pytest.mark.parametrize("date", [None, datetime(1950, 1, 1, tzinfo=UTC)])
def test_without_a_usable_date_the_base_gives_one(date: datetime | None) -> None:
    assert patch_step(replace(PATCH, date=date), {}, BASE).author.line() == b"A <a@example.org> 77 +0000"


def test_hidden_name_and_address() -> None:
    assert Identity("", "", 1, "+0000").line() == b"<> 1 +0000"
    assert Identity("A\n<B>", "x>\ny", 1, "+0000").line() == b"AB <xy> 1 +0000"


def test_records_read_back() -> None:
    record = Record("git", 'https://x/"y"\\', "v1", "a" * 40, (6, 1, 192))
    assert Record.from_toml(record.to_toml()) == record
    applied = Applied("s", "t", "kpt/s", (State(0, "a", "b"), State(2, "c", "d", 'sub"ject \u00e9')))
    assert decode(encode(applied)) == applied
    with pytest.raises(ValueError, match="not a record"):
        decode(b"[]")


def test_common_directory() -> None:
    assert common_directory(["a/b", "a/c/d"]) == "a/"
    assert common_directory(["a/b", "ab/c"]) == ""
    assert common_directory(["a"]) == ""


def test_blob_id() -> None:
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert len(blob_id(b"", like="0" * 64)) == 64


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            b"fatal: cannot lock ref 'refs/heads/x': Unable to create '/r/x.lock': File exists.\n\nmore",
            "/r/x.lock: a git lock",
        ),
        (b"error: file write error: No space left on device\nfatal: x", "no space left"),
        (b"warning: w\nfatal: bad object\n", "bad object"),
        (b"", "it was killed"),
    ],
)
def test_what_git_says_becomes_one_line(said: bytes, expected: str) -> None:
    line = git_failed(said, Path("/r")).line()
    assert expected in line
    assert "\n" not in line


def test_a_series_is_restored_again_when_the_repository_of_a_tree_has_gone_on(tmp_path: Path) -> None:
    git("init", "-q", "--bare", ".", cwd=tmp_path)
    base, tip = (git("commit-tree", "-m", text, git("mktree", cwd=tmp_path, stdin=b""), cwd=tmp_path) for text in "ab")
    tree = Tree("t", tmp_path, base)
    assert list(commits_read([tree])) == [base]
    git("update-ref", TIP_REF, tip, cwd=tmp_path)
    assert list(commits_read([tree, Tree("gone", tmp_path / "gone", base)])) == [base, tip, base]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (b"fatal: bad config line 1 in file /h/.gitconfig\n", "/h/.gitconfig"),
        (b"error: bogus format in GIT_CONFIG_PARAMETERS\nfatal: unable to parse command-line config\n", "PARAMETERS"),
        (b"fatal: bad boolean config value 'x' for 'core.bare'\n", "core.bare"),
        (b"fatal: bad numeric config value '1x' for 'core.bigfilethreshold': invalid unit\n", "core.bigfilethreshold"),
        (b"error: missing value for 'a.b'\nfatal: bad config variable 'a.b' in file '/h/c' at line 3\n", "a.b"),
        (b"fatal: unable to access '/h/.gitconfig': Permission denied\n", "/h/.gitconfig"),
    ],
)
def test_a_bad_configuration_of_git_is_no_fault_of_the_tree(said: bytes, named: str) -> None:
    for error in (git_failed(said, Path("/r")), unreadable(said, Path("/r"))):
        assert error.what.startswith("git cannot read its configuration: ") and named in error.what
        assert "correct" in error.todo and "tree" not in error.line()


@pytest.mark.parametrize(
    "said", [b"bad config line 7 in file /r/config", b"bad config variable 'a.b' in file '/r/config' at line 3"]
)
def test_the_configuration_of_the_tree_is_a_fault_of_the_tree(said: bytes) -> None:
    assert unreadable(b"fatal: " + said + b"\n", Path("/r")).todo == REPAIR
