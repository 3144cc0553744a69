"""The files of saved machines: whole or not there, and nothing left by a kpt that was killed."""

from __future__ import annotations

from pathlib import Path

from kpatch_tool.vm.saved import SavedMachine


def test_what_a_killed_kpt_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    directory = tmp_path / "machines"
    first, second = SavedMachine(directory / "a1"), SavedMachine(directory / "b2")
    with first.begun() as one:
        left = directory / f"{Path(one.name).name}-left"
        left.write_bytes(b"half")
        with second.begun() as other:
            assert not left.exists()
            assert Path(one.name).exists()
            other.write(b"machine b")
            other.flush()
            second.keep(other)
        one.write(b"machine a")
        one.flush()
        first.keep(one)
        first.keep(one)  # another kpt was first
    assert sorted(path.name for path in directory.iterdir()) == ["a1", "b2"]
    assert first.path.read_bytes() == b"machine a"
    first.forget()
    assert first.opened() is None
