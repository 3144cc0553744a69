"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.system import atomic, lock


def put(target: Path, text: str) -> None:
    with atomic.staged_directory(target) as stage:
        (stage / "file").write_text(text)


def test_no_moment_without_the_directory(tmp_path: Path) -> None:
    target = tmp_path / "series"
    put(target, "0")
    missing: list[OSError] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                os.close(os.open(target, os.O_RDONLY | os.O_DIRECTORY))
            except OSError as error:
                missing.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(200):
        put(target, str(number))
    done.set()
    reader.join()
    assert missing == []
    assert (target / "file").read_text() == "199"
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_a_directory_is_on_the_disk_before_it_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk: set[int] = set()
    at_exchange: list[set[int]] = []
    wait, exchange = os.fsync, atomic._exchanged

    def noted(handle: int) -> None:
        wait(handle)
        on_disk.add(os.fstat(handle).st_ino)

    def exchanged(one: Path, other: Path) -> bool:
        at_exchange.append(set(on_disk))
        return exchange(one, other)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(atomic, "_exchanged", exchanged)
    target = tmp_path / "series"
    put(target, "old")
    with atomic.staged_directory(target) as stage:
        (stage / "source").mkdir()
        (stage / "source/mail").write_text("the only copy")
        (stage / "source/link").symlink_to("nowhere")
        os.mkfifo(stage / "source/pipe")
    made = {path.stat().st_ino for path in (target, target / "source", target / "source/mail")}
    assert made <= at_exchange[1]
    assert tmp_path.stat().st_ino in on_disk


@pytest.mark.parametrize("can", [True, False])
def test_replaced_also_where_the_file_system_cannot_exchange(
    tmp_path: Path, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can:
        monkeypatch.setattr(atomic, "_exchanged", lambda one, other: False)
    target = tmp_path / "series"
    put(target, "old")
    put(target, "new")
    assert (target / "file").read_text() == "new"
    with pytest.raises(RuntimeError), atomic.staged_directory(target) as stage:
        (stage / "file").write_text("half")
        raise RuntimeError
    assert (target / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


@pytest.mark.parametrize("can", [True, False], ids=["O_TMPFILE", "a file system without it"])
def test_what_a_killed_writer_left_goes_but_not_what_another_writes(tmp_path: Path, can: bool) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from kpatch_tool.system import atomic\n"
        f"os.O_TMPFILE = {'os.O_TMPFILE' if can else 'os.O_RDWR | os.O_DIRECTORY'}\n"
        "with atomic.staged_file(Path(sys.argv[1])) as out:\n"
        "    out.write(b'x'); out.flush(); print('writing', flush=True); time.sleep(60)\n"
    )
    there = 0 if can else 1
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        atomic.sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == there
        writer.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == there
    atomic.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_written_whole_takes_the_place_of_another_and_leaves_no_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        for flag in (os.O_TMPFILE, os.O_RDWR | os.O_DIRECTORY):  # the second is refused: EISDIR
            monkeypatch.setattr(os, "O_TMPFILE", flag)
            atomic.write_bytes(tmp_path / "file", f"{flag}".encode())
            assert (tmp_path / "file").read_bytes() == f"{flag}".encode()
            assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
            assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_tree_is_copied_or_the_disk_is_full(tmp_path: Path) -> None:
    """shutil.copytree gathers what went wrong as words, in which a full disk looks like a file of the wrong kind."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").write_bytes(b"12345")
    (tmp_path / "from" / "link").symlink_to("a")
    atomic.copy_tree(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "a").read_bytes() == b"12345" and (tmp_path / "to" / "link").is_symlink()
    script = (
        "import sys; from pathlib import Path; from kpatch_tool.system import atomic\n"
        "with atomic.machine_errors(Path('x')): atomic.copy_tree(*map(Path, sys.argv[1:]))"
    )
    words = ["prlimit", "--fsize=4", sys.executable, "-c", script, str(tmp_path / "from"), str(tmp_path / "again")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "MachineError: x: cannot write: file too large" in done.stderr.splitlines()[-1]
    os.mkfifo(tmp_path / "from" / "pipe")
    with pytest.raises(shutil.Error, match="named pipe"):
        atomic.copy_tree(tmp_path / "from", tmp_path / "to")


def test_where_files_cannot_be_flushed_or_locked_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some file systems of networks and of FUSE. What an earlier write could not bring to the disk is told."""

    def refuse(number: int) -> Callable[..., None]:
        def refused(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        return refused

    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    for number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        monkeypatch.setattr(os, "fsync", refuse(number))
        atomic.write_bytes(tmp_path / "file", str(number).encode())
        assert (tmp_path / "file").read_bytes() == str(number).encode()
        atomic.sync(tmp_path)
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        atomic.write_bytes(tmp_path / "file", b"")
    with pytest.raises(OSError, match="Input/output error"):
        atomic.sync(tmp_path)


@pytest.mark.parametrize(("number", "words"), [(errno.ENOLCK, "no locks available"), (errno.EBADF, "bad file desc.*")])
def test_a_file_system_without_locks_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    told = f"this file system has no locks: {words}; move the workspace to a disk that has"
    with pytest.raises(MachineError, match=told), lock.held(tmp_path / "lock"):
        pass
    with pytest.raises(MachineError, match=told):
        lock.pin(tmp_path)
    with pytest.raises(MachineError, match=told), lock.held_unless_pinned(tmp_path):
        pass
