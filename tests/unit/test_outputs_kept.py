"""Outputs of test runs: the oldest go, while other guests make theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpatch_tool.suites import run


def test_the_oldest_outputs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_KEPT_RUNS", 2)
    for age, name in enumerate(("newest", "older", "oldest")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "gone").symlink_to("nowhere")  # as a directory that another guest has removed since it was listed
    run._forget_old(tmp_path / "newest")
    assert {path.name for path in tmp_path.iterdir()} == {"newest", "gone"}
