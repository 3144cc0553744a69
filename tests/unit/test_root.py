"""The unchanging part of the guest's root, kept in the cache that several kpts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.system import lock
from kpatch_tool.vm import root


def test_a_layer_that_another_kpt_removes_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes at the moment it is found must not come back empty: a kernel would be blamed for it."""
    layer = root.base_layer(tmp_path, None)
    whole = layer.read_bytes()
    assert root.base_layer(tmp_path, None) == layer
    layer.unlink()
    look = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path == layer or look(path))
    assert root.base_layer(tmp_path, None) == layer
    assert layer.read_bytes() == whole


def test_old_layers_go_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kpts that forget old layers at once would each look at what the other has just removed."""
    free = []
    glob = Path.glob

    def watched(path: Path, pattern: str) -> object:
        if pattern == "*.cpio":
            try:
                with lock.held(tmp_path / "root" / "layers.lock"):
                    free.append(path)
            except MachineError:
                pass
        return glob(path, pattern)

    monkeypatch.setattr(Path, "glob", watched)
    root.base_layer(tmp_path, None)
    assert not free
