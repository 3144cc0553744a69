"""kpt report, as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kpatch_tool.results.store import Store
from kpatch_tool.running.pipeline import run
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


def test_a_run_of_another_version(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    with contextlib.closing(sqlite3.connect(workspace.state / "store.sqlite")) as database, database:
        database.execute("UPDATE runs SET value = json_set(value, '$.format', 0)")
    told = "what was run was kept by another version of kpt; `kpt run demo` makes results\n"
    assert kpt("report", status=2).err == f"kpt: demo: {told}"


def test_text_is_the_default(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    out = kpt("report").out
    assert "demo on toy: Demo series" in out and "1 worse" in out and "\x1b" not in out
    assert out.endswith("worse from patch 2 on (msr: pass, now fail).\n")
    assert kpt("report", "series/demo").out == out == kpt("report", "demo").out
    (workspace.series / "demo").mkdir()
    assert kpt("report", ".", cwd=workspace.series / "demo").out == out
    assert "1 run;" in kpt("results", "--series", ".", cwd=workspace.series / "demo").out


def test_a_name_that_is_no_text(kpt: Kpt, workspace: Workspace) -> None:
    assert kpt("report", "a\udcffb", status=2).err.startswith("kpt: a\\udcffb: no such series")


def test_json(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    document = kpt("report", "--format", "json").json
    assert (document["kpt"], document["series"], document["exit_status"]) == (1, "demo", 1)


def test_json_is_asked_for_as_elsewhere(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    document = kpt("report", "--format", "json").json
    assert kpt("report", "--json").json == document
    assert kpt("report", "--json", "-o", tmp_path / "report").out == ""
    assert json.loads((tmp_path / "report").read_text()) == document


def test_files(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    kpt("report", "demo", "--format", "html", "--output", page)
    kpt("report", "demo", "--format", "json", "-o", data)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert json.loads(data.read_text())["kpt"] == 1


def test_what_is_kept_of_a_run_fits_the_terminal(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    out = kpt("results", "show", "1").out
    assert max(map(len, out.splitlines())) <= 80
    assert max(map(len, kpt("results", env={"COLUMNS": "50"}).out.splitlines())) <= 50
    assert kpt("report", "--format", "json").json["sentence"] in " ".join(out.split())


def test_a_place_that_cannot_be_written(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    for place in (tmp_path, tmp_path / "kpt.toml" / "r.html", Path("/proc/none/r.html"), tmp_path / "no/r.html", "."):
        ran = kpt("report", "--format", "html", "-o", place, status=2)
        assert ran.err == f"kpt: {place}: no file can be written there; name a file in a directory\n"


def test_what_is_no_plain_file_stays_what_it_is(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    keep_a_run(workspace)
    (tmp_path / "link").symlink_to("there.json")
    kpt("report", "--format", "json", "-o", tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and json.loads((tmp_path / "there.json").read_text())["kpt"] == 1
    tap = kpt("report", "--format", "tap", "-o", "/dev/stdout").out
    assert tap.startswith(kpt("report", "--format", "tap").out) and Path("/dev/stdout").is_symlink()


def test_standard_output_by_its_name(kpt: Kpt, workspace: Workspace) -> None:
    keep_a_run(workspace)
    assert kpt("report", "--format", "tap", "-o", "-").out == kpt("report", "--format", "tap").out
    assert not (workspace.root / "-").exists()


def test_an_unknown_format_is_the_user_s_error(kpt: Kpt, workspace: Workspace) -> None:
    assert "text" in kpt("report", "--format", "word", status=2).err


_WITHOUT_POWERS = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()  # root may write anywhere


@pytest.fixture
def read_only(workspace: Workspace) -> Iterator[Callable[..., str]]:
    """Has kpt read the workspace, none of whose files it may write; what it prints."""

    def run(*args: str, status: int = 0) -> str:
        subprocess.run(["chmod", "-R", "a-w", workspace.root], check=True)
        words = [*_WITHOUT_POWERS, sys.executable, "-m", "kpatch_tool", *args]
        done = subprocess.run(words, cwd=workspace.root, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout or done.stderr

    yield run
    subprocess.run(["chmod", "-R", "u+w", workspace.root], check=True)


def test_a_reader_who_may_not_write(kpt: Kpt, workspace: Workspace, read_only: Callable[..., str]) -> None:
    assert "nothing was run yet" in read_only("report", status=2)
    subprocess.run(["chmod", "-R", "u+w", workspace.root], check=True)
    keep_a_run(workspace)
    shown = {words: kpt(*words).out for words in (("report",), ("report", "--format", "tap"), ("results", "show", "1"))}
    for words, out in shown.items():
        assert read_only(*words) == out
    assert read_only("results").splitlines()[0].split()[:2] == ["run", "1"]
    assert "permission denied" in read_only("results", "prune", status=3)
    assert read_only("results", "prune", "--max-size", "0", "--pretend").startswith("would remove run   1 ")


def test_a_reader_beside_a_writer_that_was_killed(
    kpt: Kpt, workspace: Workspace, read_only: Callable[..., str], tmp_path: Path
) -> None:
    """What it had kept is in its log of writes, which only a writer takes into the file."""
    keep_a_run(workspace)
    out = kpt("report").out
    with contextlib.closing(sqlite3.connect(workspace.state / "store.sqlite")) as store, store:
        store.execute("UPDATE runs SET series = 'later'")
        store.commit()
        shutil.copytree(workspace.state, tmp_path / "killed")
    (tmp_path / "killed").rename(workspace.root / ".kpt-killed")
    shutil.rmtree(workspace.state)
    (workspace.root / ".kpt-killed").rename(workspace.state)
    assert (workspace.state / "store.sqlite-wal").stat().st_size > 0
    assert read_only("report", "later") == out
