"""kpt report, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from kpatch_tool.pipeline import run
from kpatch_tool.results.store import Store
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_series, make_tests


def keep_a_run(workspace: Workspace) -> None:
    series = make_series("KVM: one", "KVM: two")
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(3)}
    tests = {
        patch: (make_tests(patch, "vmexit=pass", f"msr={'fail' if patch == 2 else 'pass'}"),) for patch in range(3)
    }
    with Store(workspace) as store:
        store.record_run(run(series, FakeSteps(make_applied(series), builds, tests), Recorder()))


def test_nothing_was_run(kpt: Kpt, workspace: Workspace) -> None:
    assert kpt("report", status=2).err == ("kpt: this workspace: nothing was run yet; `kpt run SERIES` makes results\n")
    (workspace.series / "x").mkdir()
    (workspace.series / "x" / "series.toml").write_text("kpt = 1\n")
    assert kpt("report", "series/x", status=2).err == "kpt: x: nothing was run yet; `kpt run x` makes results\n"
    assert kpt("report", "nosuch", status=2).err.startswith("kpt: nosuch: no such series")


def test_text_is_the_default(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    out = kpt("report").out
    assert "demo on toy: Demo series" in out and "1 worse" in out and "\x1b" not in out
    assert out.endswith("worse from patch 2 on (msr: pass, now fail).\n")
    assert kpt("report", "series/demo").out == out == kpt("report", "demo").out


def test_json(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    document = kpt("report", "--format", "json").json
    assert (document["kpt"], document["series"], document["exit_status"]) == (1, "demo", 1)


def test_files(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    kpt("report", "demo", "--format", "html", "--output", page)
    kpt("report", "demo", "--format", "json", "-o", data)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert json.loads(data.read_text())["kpt"] == 1


def test_a_place_that_cannot_be_written(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    for place in (tmp_path, tmp_path / "kpt.toml" / "r.html", Path("/proc/none/r.html")):
        ran = kpt("report", "--format", "html", "-o", place, status=2)
        assert ran.err == f"kpt: {place}: no file can be written there; name a file in a directory\n"


def test_an_unknown_format_is_the_user_s_error(kpt: Kpt, workspace: Workspace) -> None:
    assert "text" in kpt("report", "--format", "word", status=2).err
