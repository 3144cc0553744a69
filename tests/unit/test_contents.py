"""Files kept once by content, and directories kept while they are used."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.storage.contents import Contents
from kpatch_tool.system import lock

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # printf hello | sha256sum


def test_equal_files_become_one(tmp_path: Path) -> None:
    contents = Contents(tmp_path / "objects")
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, text in zip(files, ("hello", "hello", "other"), strict=True):
        file.write_text(text)
    assert contents.share(files[0]) == HELLO
    assert contents.share(files[0]) == HELLO, "again is the same"
    for file in files[1:]:
        contents.share(file)
    assert files[0].stat().st_ino == files[1].stat().st_ino == (tmp_path / "objects/2c" / HELLO[2:]).stat().st_ino
    assert contents.size() == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "objects"], "no scratch is left"
    files[0].unlink()
    assert contents.sweep() == 0
    files[1].unlink()
    assert contents.sweep() == 5
    assert contents.size() == 5
    assert files[2].read_text() == "other"


def test_without_hard_links_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("hello")
    assert Contents(tmp_path / "objects").share(tmp_path / "a") == HELLO
    assert (tmp_path / "a").read_text() == "hello"


@pytest.mark.parametrize("left", [b"", bytes(5)])
def test_what_the_disk_has_lost_takes_no_good_files_place(tmp_path: Path, left: bytes) -> None:
    """As where the power failed: the name is there, and less of the content, or zeros."""
    kept = tmp_path / "objects/2c" / HELLO[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(left)
    (tmp_path / "a").write_text("hello")
    assert Contents(tmp_path / "objects").share(tmp_path / "a") == HELLO
    assert (tmp_path / "a").read_text() == kept.read_text() == "hello"


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "link", full)
    (tmp_path / "a").write_text("hello")
    with pytest.raises(MachineError, match="no space left on device; free some space"):
        Contents(tmp_path / "objects").share(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "hello"


def _share_and_sweep(root: Path, number: int) -> None:
    contents = Contents(root / "objects")
    for turn in range(100):
        file = root / f"{number}-{turn % 7}"
        file.write_text(str(turn % 3)) if not file.exists() else None
        contents.share(file)
        assert file.read_text() in ("0", "1", "2")
        file.unlink()
        contents.sweep()


def test_many_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_share_and_sweep, args=(tmp_path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]


def test_a_directory_in_use(tmp_path: Path) -> None:
    place = tmp_path / "d"
    place.mkdir()
    program = (
        "import sys; from pathlib import Path; from kpatch_tool.system import lock\n"
        "print(lock.pin(Path(sys.argv[1])), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None and user.stdout.readline() == b"True\n"
        with lock.held_unless_pinned(place) as free:
            assert not free
        assert lock.pin(place), "any number may use it"
        user.kill()
    with lock.held_unless_pinned(place) as free:
        assert not free, "this process does, too"


def test_a_directory_that_is_being_removed(tmp_path: Path) -> None:
    place = tmp_path / "d"
    assert not lock.pin(place)
    place.mkdir()
    with lock.held_unless_pinned(place) as free:
        assert free
        assert not lock.pin(place)
    assert lock.pin(place)


def test_directories_that_are_gone_hold_no_files_open(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kpatch_tool.system import lock\n"
        "for number in range(200):\n"
        "    place = Path(sys.argv[1], str(number)); place.mkdir(); assert lock.pin(place); place.rmdir()\n"
        "print(len(lock._pinned))"
    )
    words = ["prlimit", "--nofile=64:64", sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout == b"1\n"


@pytest.mark.parametrize("answer", [OSError(116, os.strerror(116)), 0])
def test_a_directory_stays_pinned_where_nobody_knows_whether_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: OSError | int
) -> None:
    """A server that does not answer (ESTALE), a file system that does not count the links of directories."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    fstat = os.fstat
    asked: list[int] = []

    def odd(descriptor: int) -> os.stat_result:
        asked.append(descriptor)
        if isinstance(answer, OSError) and descriptor == asked[0] and len(asked) > 1:
            raise answer
        found = list(fstat(descriptor))
        return os.stat_result([*found[:3], 0, *found[4:]]) if answer == 0 else fstat(descriptor)

    monkeypatch.setattr(lock, "_pinned", {})
    monkeypatch.setattr(os, "fstat", odd)
    assert lock.pin(first)
    assert lock.pin(second)
    for place in (first, second):
        with lock.held_unless_pinned(place) as free:
            assert not free
