"""A program that meets a full disk, in each of its ways to say so: the advice is to free some space, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.suites import own
from kpatch_tool.system import atomic, process
from kpatch_tool.system.process import Finished
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.sources import debian
from kpatch_tool.tree.worktree import Worktree

WORDS = pytest.mark.parametrize("words", process.DISK_FULL)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """Every program of those asked fails with these words, and other ones behind them."""
    said = f"fatal: x.c: {words}\nmake: *** Error 1\n".encode()
    run = process.run

    def fails(argv: Sequence[str], **_: object) -> Finished:
        asked = argv[0] in {"git", "make", "dpkg-deb"}
        return Finished(tuple(map(str, argv)), 1, b"", said, 0.0) if asked else run(argv)

    monkeypatch.setattr(process, "run", fails)


def refused(error: pytest.ExceptionInfo[MachineError]) -> str:
    assert error.value.todo.startswith("free some space") and "remove" not in error.value.line()
    return error.value.line()


@WORDS
@pytest.mark.usefixtures("says")
def test_git_in_the_checkout(tmp_path: Path, words: str) -> None:
    with pytest.raises(MachineError) as error:
        Worktree(Tree("toy", tmp_path / "toy.git", "0" * 40), tmp_path / "toy").move_to(State(0, "0" * 40, "1" * 40))
    assert words in refused(error)


@pytest.mark.parametrize("words", ["unable to write new index file"])
@pytest.mark.usefixtures("says")
def test_git_that_does_not_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, state = Tree("toy", tmp_path / "toy.git", "0" * 40), State(0, "0" * 40, "1" * 40)
    with pytest.raises(MachineError, match=r"; remove .*toy and run the command again"):
        Worktree(tree, tmp_path / "toy").move_to(state)
    monkeypatch.setattr(atomic, "is_full", lambda _: True)
    with pytest.raises(MachineError) as error:
        Worktree(tree, tmp_path / "toy").move_to(state)
    refused(error)


@WORDS
@pytest.mark.usefixtures("says")
def test_dpkg(tmp_path: Path) -> None:
    package = tmp_path / "p.deb"
    package.touch()
    with pytest.raises(MachineError) as error:
        debian._extracted(package, tmp_path, lambda *_: None)
    refused(error)
    assert package.exists()


@WORDS
@pytest.mark.usefixtures("says")
def test_the_compiler_of_the_guest_tests(tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(MachineError) as error:
        own.compile_into(tmp_path)
    assert error.value.where == str(tmp_path)
    assert words in refused(error) and "TMPDIR" in error.value.todo


def test_what_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not atomic.is_full(tmp_path)
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
        assert atomic.is_full(tmp_path)
