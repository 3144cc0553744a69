"""`kpt results`: what is kept, found again, and pruned beside kpts that use it, that are killed, and on full disks."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kpatch_tool.results.prune import prune
from kpatch_tool.results.store import Origin, Store
from kpatch_tool.storage.contents import Contents
from kpatch_tool.suites.model import CaseResult, StateTests, SuiteStatus, Verdict
from kpatch_tool.system import lock
from kpatch_tool.vm.saved import SavedMachine
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.toy_series import toy

__all__ = ["toy"]  # a fixture
Rows = list[dict[str, Any]]


def results(kpt: Kpt, *args: str) -> Rows:
    rows: Rows = kpt("results", *args, "--json").json["results"]
    return rows


def objects(workspace: Workspace) -> list[Path]:
    return [path for path in (workspace.state / "objects").rglob("*") if path.is_file()]


@pytest.fixture
def built(toy: Path, kpt: Kpt) -> Path:
    """Every state of the series `s` built."""
    kpt("build", "s", "--each", status=1)
    return toy


def keep_tests(workspace: Workspace, build: str, name: str = "t", status: str = "ok") -> Path:
    """Results of a suite `name` on a kept build, with an output; the output's path."""
    output = workspace.logs / "test" / f"patch-1-{name}" / "0001-t.txt"
    output.parent.mkdir(parents=True)
    output.write_text(f"output of {name}\n" * 100)
    tests = StateTests(
        1, name, SuiteStatus(status), 1.0, (CaseResult("t", "", Verdict.PASS, 1.0),), "ran", outputs={"t": output}
    )
    with Store(workspace) as store:
        store.keep_tests(f"{name * 64:.64}", tests, Origin(build, "v1", "tcg"))
        store.answered(f"{name * 64:.64}", build)
    return output


def test_a_copied_workspace_leaves_the_files_of_the_first_alone(
    workspace: Workspace, kpt: Kpt, tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = keep_tests(workspace, "no build")
    copied = tmp_path_factory.mktemp("copies") / "workspace"
    shutil.copytree(workspace.root, copied)
    pruned = kpt("results", "prune", "--max-size", "0", "--json", cwd=copied).json
    assert [row["suite"] for row in pruned["removed"]] == ["t"]
    assert output.is_file()
    kpt("results", "prune", "--max-size", "0")
    assert not output.exists()


def test_suites_of_one_boot_lose_their_outputs_with_the_last_of_them(workspace: Workspace, kpt: Kpt) -> None:
    output = keep_tests(workspace, "no build", "a")
    other = output.with_name("0002-b.txt")
    other.write_text("output of b\n")
    tests = StateTests(1, "b", SuiteStatus.OK, 1.0, (), "ran", outputs={"b": other})
    with Store(workspace) as store:
        store.keep_tests("b" * 64, tests, Origin("no build", "v1", "tcg"))
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE tests SET kept_at = '2020-01-01', used_at = '2020-01-01' WHERE suite = 'a'")
    connection.close()
    pruned = kpt("results", "prune", "--older-than", "30d", "--json").json
    assert [row["suite"] for row in pruned["removed"]] == ["a"]
    assert other.is_file()
    kpt("results", "prune", "--max-size", "0")
    assert not other.parent.exists()


def test_what_is_kept_is_listed(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    rows = results(kpt)
    assert [(row["kind"], row["status"], row["tree"]) for row in rows].count(("build", "ok", "toy")) == 4
    assert {row["states"][0]["patch"] for row in rows} == {0, 1, 2, 3, 4}
    trees = {git("rev-parse", f"kpt/s~{4 - k}^{{tree}}", cwd=workspace.trees / "toy.git"): k for k in range(5)}
    assert {row["git_trees"][0]: row["states"][0]["patch"] for row in rows} == trees
    configs = {row["config"] for row in rows}
    assert len(configs) == 1 and len(str(configs.pop())) == 64, "the resolved configuration, by content"
    out = kpt("results").out
    assert "5 builds, 0 results of tests, 0 runs; the store takes" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_filters(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    (first,) = results(kpt, "--patch", "1")
    keep_tests(workspace, str(first["key"]))
    (failed,) = results(kpt, "--status", "failed")
    assert failed["states"] == [{"series": "s", "patch": 2}]
    assert [row["kind"] for row in results(kpt, "--suite", "t")] == ["tests"]
    assert {row["kind"] for row in results(kpt, "--patch", "1", "--series", "s")} == {"build", "tests"}
    assert results(kpt, "--series", "series/s/") == results(kpt, "--series", "s") != []
    assert results(kpt, "--series", "none") == []
    assert len(results(kpt, "--tree", "toy")) == 6
    assert len(results(kpt, "--tree", str(first["git_trees"])[2:12])) == 2
    assert len(results(kpt, "--kind", "build", "--status", "ok")) == 4


def test_one_is_shown_with_its_logs(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    (first,) = results(kpt, "--patch", "1")
    output = keep_tests(workspace, str(first["key"]))
    out = kpt("results", "show", str(first["id"])).out
    (log,) = (line.split()[1] for line in out.splitlines() if line.startswith("log "))
    assert "arch/x86/kvm/mmu.o" in Path(log).read_text()
    assert str(output) in kpt("results", "show", "tttt").out
    assert kpt("results", "show", "tttt", "--json").json["accelerator"] == "tcg"
    assert "nothing is kept as 'zz'" in kpt("results", "show", "zz", status=2).err


def test_equal_files_are_kept_once(built: Path, workspace: Workspace) -> None:
    images = list((workspace.state / "artifacts").glob("*/bzImage"))
    assert len(images) == 4
    assert len({path.stat().st_ino for path in images}) == 1
    names = [path for path in (workspace.state / "artifacts").rglob("*") if path.is_file()]
    assert {path.stat().st_ino for path in names} == {path.stat().st_ino for path in objects(workspace)}


def test_what_pruning_looks_at_grows_with_what_is_kept_not_with_its_square(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        Contents.of(workspace).share(keep_tests(workspace, f"b{number}", f"{number:02d}x"))
    looked_at = 0
    listed = Contents._files

    def counted(contents: Contents) -> Iterator[Path]:
        nonlocal looked_at
        for path in listed(contents):
            looked_at += 1
            yield path

    monkeypatch.setattr(Contents, "_files", counted)
    assert len(prune(workspace, max_size=0).removed) == 20
    assert objects(workspace) == []
    assert looked_at <= 3 * 20


def test_the_least_used_goes_first(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("build", "s", "--patch", "1", status=1)
    with Store(workspace) as store:  # seconds are too coarse for a test
        store._database.execute("UPDATE builds SET used_at = '2020-01-01T00:00:00+00:00' WHERE status = 'failed'")
    takes = kpt("results", "--json").json["bytes"]
    pretended = kpt("results", "prune", "--max-size", str(takes - 1), "--pretend", "--json").json
    assert [row["status"] for row in pretended["removed"]] == ["failed"]
    assert len(results(kpt)) == 5, "nothing was removed"
    pruned = kpt("results", "prune", "--max-size", str(takes - 1), "--json").json
    assert [row["status"] for row in pruned["removed"]] == ["failed"]
    assert pruned["bytes"] < takes
    assert len(results(kpt)) == 4
    kpt("results", "prune", "--max-size", "0")
    assert results(kpt) == []
    assert objects(workspace) == []
    states = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert not any(state["cached"] for state in states)


def test_a_size_beyond_all_numbers(kpt: Kpt, workspace: Workspace) -> None:
    output = keep_tests(workspace, "no build")
    kpt("results", "prune", "--max-size", "9" * 400)
    assert output.is_file()


def test_old_ones_go(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    (first,) = results(kpt, "--patch", "1")
    output = keep_tests(workspace, str(first["key"]), "old")
    keep_tests(workspace, str(first["key"]), "new")
    with Store(workspace) as store:
        store._database.execute("UPDATE tests SET used_at = '2020-01-01T00:00:00+00:00' WHERE suite = 'old'")
    pruned = kpt("results", "prune", "--older-than", "30d", "--json").json
    assert [row["suite"] for row in pruned["removed"]] == ["old"]
    assert not output.parent.exists()
    assert "is no age" in kpt("results", "prune", "--older-than", "soon", status=2).err
    assert "is no size" in kpt("results", "prune", "--max-size", "much", status=2).err


def test_saved_guests_are_counted_and_go_with_the_rest(kpt: Kpt, workspace: Workspace) -> None:
    machines = workspace.cache / "machines"
    machines.mkdir(parents=True)
    for name, age in (("a1", 100), ("b2", 50), ("c3", 0)):
        (machines / name).write_bytes(bytes(1 << 20))
        os.utime(machines / name, (time.time() - 86400 * age,) * 2)
    (machines / ".kpt-staging-left").write_bytes(bytes(1 << 20))
    before = kpt("results", "--json").json
    assert [row["key"] for row in before["results"]] == ["c3", "b2", "a1"]
    assert before["bytes"] >= 4 << 20
    assert "0 runs, 3 saved guests; the store takes" in kpt("results").out
    going_on = SavedMachine(machines / "a1").opened()
    assert going_on is not None
    with going_on:
        os.utime(machines / "a1", (time.time() - 86400 * 100,) * 2)
        kpt("results", "prune")
        limit = str(kpt("results", "--json").json["bytes"] - 1)
        kept = kpt("results", "prune", "--max-size", limit, "--pretend", "--json").json
        assert [row["key"] for row in kept["removed"]] == ["b2"] and len(results(kpt)) == 3
        pruned = kpt("results", "prune", "--max-size", limit, "--json").json
        assert [row["key"] for row in pruned["in_use"]] == ["a1"]
        assert [row["key"] for row in pruned["removed"]] == ["b2"]
    assert sorted(path.name for path in machines.iterdir()) == ["a1", "c3"]
    kpt("results", "prune", "--older-than", "30d")
    assert [row["key"] for row in results(kpt)] == ["c3"]
    kpt("results", "prune", "--max-size", "0")
    assert list(machines.iterdir()) == []


@pytest.fixture
def user(built: Path, workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """Another kpt that has taken the build of patch 1 and works with it."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom kpatch_tool.workspace import Workspace\n"
        "from kpatch_tool.kbuild.build import known_build\nfrom kpatch_tool.tree.applied import load_applied\n"
        "from kpatch_tool.tree.catalogue import Catalogue\nw = Workspace(Path(sys.argv[1]))\n"
        "assert known_build(w, Catalogue(w).get('toy'), load_applied(w, 's').states[1], 'x86_64')\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, workspace.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        yield child
        child.kill()


def test_what_a_running_kpt_uses_stays(user: subprocess.Popen[bytes], kpt: Kpt) -> None:
    pruned = kpt("results", "prune", "--max-size", "0", "--json").json
    assert [row["states"][0]["patch"] for row in pruned["in_use"]] == [1]
    (left,) = results(kpt)
    assert Path(str(left["directory"]), "bzImage").is_file()
    assert kpt("build", "s", "--patch", "1", "--json").json["states"][0]["cached"]
    user.send_signal(signal.SIGKILL)
    user.wait()
    kpt("results", "prune", "--max-size", "0")
    assert results(kpt) == []


def test_leftovers_of_killed_ones_go(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    artifacts = workspace.state / "artifacts"
    (first,) = results(kpt, "--patch", "1")
    directory = Path(str(first["directory"]))
    directory.rename(artifacts / f".kpt-removed-{directory.name}")  # killed between the steps of a removal
    young, old = artifacts / "young", artifacts / ".kpt-staging-old"
    for path in (young, old):
        path.mkdir()
        (path / "bzImage").write_text(path.name)
    os.utime(old, (time.time() - 7200,) * 2)
    kpt("results", "prune")
    assert sorted(path.name for path in artifacts.iterdir()) == sorted(
        ["young", *(Path(str(row["directory"])).name for row in results(kpt))]
    )
    assert len(results(kpt)) == 4, "a row without a directory is nothing"


def test_outputs_in_two_directories_stay(kpt: Kpt, workspace: Workspace) -> None:
    """A test that hung otherwise than on the base was run again in full: what it printed then lies elsewhere."""
    first = keep_tests(workspace, "no build")
    again = workspace.logs / "test" / "patch-1-again" / "0001-u.txt"
    again.parent.mkdir()
    again.write_text("in full\n")
    with Store(workspace) as store:
        tests = store.tests("t" * 64)
        assert tests is not None
        store.keep_tests("t" * 64, replace(tests, outputs={"t": first, "u": again}))
    for path in (first.parent, again.parent):
        os.utime(path, (time.time() - 7200,) * 2)
    kpt("results", "prune")
    assert first.is_file() and again.is_file()


def test_killed_while_pruning(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    """Wherever it is killed, what is listed can be used, and the rest is swept up."""
    for delay in (0.25, 0.3, 0.35, 0.4, 0.5):
        kpt("build", "s", "--each", status=1)
        process = subprocess.Popen(
            [sys.executable, "-m", "kpatch_tool", "results", "prune", "--max-size", "0"],
            cwd=workspace.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        process.kill()
        process.wait()
        for row in kpt("build", "s", "--each", "--json", status=1).json["states"]:
            assert row["status"] == ("failed" if row["patch"] == 2 else "ok")
            assert Path(row["log"]).is_file()
    kpt("results", "prune", "--max-size", "0")
    assert objects(workspace) == []


def test_two_at_once(built: Path, kpt: Kpt, workspace: Workspace) -> None:
    """One builds all the time, one prunes all the time; neither sees half of anything."""
    pruner = subprocess.Popen(
        ["sh", "-c", 'while "$@" >/dev/null; do :; done', "sh",
         sys.executable, "-m", "kpatch_tool", "results", "prune", "--max-size", "0"],
        cwd=workspace.root, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(4):
            for row in kpt("build", "s", "--each", "--json", status=1).json["states"]:
                assert row["status"] == ("failed" if row["patch"] == 2 else "ok"), row["why"]
        assert pruner.poll() is None, "every prune ended well"
    finally:
        os.killpg(pruner.pid, signal.SIGKILL)
        pruner.wait()


@pytest.fixture
def small_disk(workspace: Workspace) -> Iterator[Path]:
    """The workspace's state on a file system of 8 MiB."""
    workspace.state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", workspace.state], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a file system is not allowed here")
    yield workspace.state
    subprocess.run(["umount", workspace.state], check=True)


def test_a_full_disk_can_be_pruned(small_disk: Path, toy: Path, kpt: Kpt) -> None:
    kpt("build", "s", "--patch", "1")
    kpt("build", "s", "--base")
    (large,) = (Path(str(row["directory"])) for row in results(kpt, "--patch", "1"))
    (large / "more").write_bytes(bytes(3 << 20))
    os.utime(large, (time.time() - 60,) * 2)
    with (small_disk / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError, match="No space left"):
        while True:
            fill.write(bytes(4096))
    assert len(results(kpt)) == 2, "reading takes no room"
    err = kpt("build", "s", "--patch", "3", status=3).err
    assert err.endswith("; free some space and run the command again\n")
    kpt("results", "prune")
    assert [row["states"] for row in results(kpt)] == [[{"series": "s", "patch": 0}]]
    assert kpt("build", "s", "--patch", "1", "--json", status=1).json["states"][0]["status"] == "ok"


def test_another_kpt_prunes(workspace: Workspace, kpt: Kpt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpatch_tool.results.prune._LOCK_SECONDS", 0.0)
    from kpatch_tool.errors import MachineError
    from kpatch_tool.results.prune import prune

    with lock.held(workspace.lock("prune")), pytest.raises(MachineError, match="another kpt"):
        prune(workspace)
