"""Outputs of test runs: the oldest go, while other guests make theirs."""

from __future__ import annotations

import os
import subprocess as process
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


def test_outputs_that_a_process_still_reads_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_KEPT_RUNS", 1)
    for age, name in enumerate(("newest", "read", "oldest")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    with process.Popen(["flock", "--shared", str(tmp_path / "read"), "sh", "-c", "echo; read end"], stdin=process.PIPE,
                       stdout=process.PIPE) as reader:  # fmt: skip
        assert reader.stdout is not None and reader.stdout.readline()
        run._forget_old(tmp_path / "newest")
        assert {path.name for path in tmp_path.iterdir()} == {"newest", "read"}
        reader.communicate(b"\n")
