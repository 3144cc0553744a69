"""The store of results: kept values, two processes, broken files, full disks."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kpatch_tool.depend.model import Dependencies, Edge, EdgeKind, External
from kpatch_tool.errors import MachineError
from kpatch_tool.results.codec import decode, encode
from kpatch_tool.results.prune import prune
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, RunRecord, Stage
from kpatch_tool.results.store import Store
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.reading.stated import Form
from kpatch_tool.storage.database import Database
from kpatch_tool.suites.model import CaseResult, Cause, Repeats, StateTests, SuiteStatus, Verdict
from kpatch_tool.system import atomic
from kpatch_tool.tree.model import AppliedFile, AppliedPatch, ApplyOutcome, ApplyStatus
from kpatch_tool.workspace import Workspace, create
from tests.results_fixtures import make_build


def state_tests(output: Path, status: str = "ok") -> StateTests:
    results = (CaseResult("vmexit", "", Verdict.PASS, 1.5), CaseResult("msr", "x\udcff", Verdict.FAIL, 0.1, "why"))
    return StateTests(
        2,
        "kut",
        SuiteStatus(status),
        12.25,
        results,
        "ran",
        trace="Oops",
        outputs={"vmexit": output, "gone": output / "x"},
    )


def record(series: str = "s", sentence: str = "well") -> RunRecord:
    applied = ApplyOutcome(
        "t",
        "0" * 40,
        "kpt/s",
        None,
        (
            AppliedPatch(
                1,
                "a",
                ApplyStatus.OFFSET,
                Exactness.PROVEN,
                "1" * 40,
                (AppliedFile("a.c", None),),
                "moved",
                ("hunk 1",),
            ),
        ),
    )
    return RunRecord(
        series,
        "title",
        5,
        "t",
        "0" * 40,
        "x86_64",
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        61.5,
        (PatchRecord(1, "a", "A <a@b>", Exactness.PROVEN, "blob ids", ("a.c:1",)),),
        (Cell(1, Stage.APPLY, Outcome.WELL, "offset", "moved"),),
        sentence,
        dependencies=Dependencies((Edge(2, 1, EdgeKind.SYMBOL, "uses sp"),), (1, 2), (), cycles=((3, 4),)),
        applied=applied,
    )


def test_tests_come_back_as_they_were_kept(workspace: Workspace, tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.touch()
    with Store(workspace) as store:
        assert store.tests("k") is None
        store.keep_tests("k", state_tests(output))
    with Store(workspace) as store:
        found = store.tests("k", patch=3)
    assert found is not None
    assert (found.patch, found.cached, found.results) == (3, True, state_tests(output).results)
    assert found.outputs == {"vmexit": output}, "a file that is gone is left out"
    assert found.trace == "Oops"


@pytest.mark.parametrize("absolute", [False, True], ids=["kept now", "kept as it once was"])
def test_a_workspace_that_was_moved_keeps_its_outputs(tmp_path: Path, absolute: bool) -> None:
    workspace = create(tmp_path / "before")
    output = workspace.logs / "test/patch-2-k/0001-vmexit.txt"
    output.parent.mkdir(parents=True)
    output.write_text("PASS: vmexit\n")
    build = replace(make_build(2), log=workspace.logs / "make.log", artifacts=workspace.state / "artifacts/k")
    assert build.artifacts is not None
    build.artifacts.mkdir(parents=True)
    build.log.touch()
    run = replace(record(), builds=(build,), tests=(state_tests(output),))
    with Store(workspace) as store:
        store.keep_tests("k", state_tests(output))
        store.record_run(run)
    if absolute:
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE tests SET value = ?", (json.dumps(encode(state_tests(output))),))
            connection.execute("UPDATE runs SET value = ?", (json.dumps({"format": 3, **encode(run)}),))
        connection.close()
    old = time.time() - 100_000
    os.utime(output.parent, (old, old))
    moved = Workspace(workspace.root.rename(tmp_path / "after"))
    prune(moved)
    there = moved.logs / "test/patch-2-k/0001-vmexit.txt"
    assert there.read_text() == "PASS: vmexit\n", "no leftover"
    with Store(moved) as store:
        found, last = store.tests("k"), store.last_run("s")
    assert found is not None and found.outputs == {"vmexit": there}
    assert last is not None and last.tests[0].outputs["vmexit"] == there
    assert (last.builds[0].log, last.builds[0].artifacts) == (moved.logs / "make.log", moved.state / "artifacts/k")


def test_a_failure_of_this_machine_is_not_kept(workspace: Workspace, tmp_path: Path) -> None:
    with Store(workspace) as store:
        store.keep_tests("k", state_tests(tmp_path, status="infra"))
        assert store.tests("k") is None
        why = "the emulator died: QEMU ended by itself (status 134)"
        died = CaseResult("emulator", "", Verdict.ABORT, 9.0, why, Cause.EMULATOR_DIED)
        tests = state_tests(tmp_path)
        store.keep_tests("k", replace(tests, results=(*tests.results, died)))
        assert store.tests("k") is None
        store.keep_tests("k", tests)
        assert store.tests("k") is not None


def test_nothing_is_made_before_it_is_used(workspace: Workspace) -> None:
    with Store(workspace) as store:
        assert not store.path.exists()


def test_runs(workspace: Workspace) -> None:
    with Store(workspace) as store:
        assert store.last_run("s") is None and store.last_series() is None
        store.record_run(record())
        store.record_run(record(sentence="newer"))
        store.record_run(record("other"))
        assert store.last_run("s") == record(sentence="newer")
        assert store.last_series() == "other"


def test_what_is_known_of_a_result_is_kept_with_it(workspace: Workspace, tmp_path: Path) -> None:
    known = CaseResult("t", "", Verdict.FAIL, 1.0, "said", Cause.LEFT_BEHIND, Repeats(3, 3, earlier=True))
    tests = replace(state_tests(tmp_path), results=(known,))
    with Store(workspace) as store:
        store.keep_tests("k", tests)
        found = store.tests("k")
    assert found is not None and found.results == (known,)
    assert found.results[0].why == "said; worse as in 3 of 3 runs of an earlier state"


def test_old_runs_make_room(workspace: Workspace) -> None:
    with Store(workspace) as store:
        store.record_run(record("other"))
        for number in range(60):
            store.record_run(record(sentence=str(number)))
        assert store.last_run("other") is not None
    counted = sqlite3.connect(store.path).execute("SELECT count(*) FROM runs WHERE series = 's'").fetchone()
    assert counted == (50,)


def test_a_value_of_another_form_counts_as_not_there(workspace: Workspace) -> None:
    with Store(workspace) as store:
        store.record_run(record())
    with sqlite3.connect(store.path) as connection:
        old = encode(record(sentence="older"))
        values: tuple[object, ...] = ({"series": 3}, {"format": 2, "series": 3}, old, {"format": 1, **old}, [])
        for value in values:
            connection.execute("INSERT INTO runs (series, started, value) VALUES ('s', '', ?)", (json.dumps(value),))
        connection.execute("INSERT INTO tests (key, suite, kept_at, value) VALUES ('k', 's', '', '[]')")
    with Store(workspace) as store:
        assert store.last_run("s") == record()
        assert store.tests("k") is None


@pytest.mark.parametrize("content", [b"this is not a database, it is some text " * 200, None])
def test_a_broken_file_is_set_aside(workspace: Workspace, tmp_path: Path, content: bytes | None) -> None:
    with Store(workspace) as store:
        store.keep_tests("k", state_tests(tmp_path))
    if content is None:  # torn pages behind a sound header
        content = store.path.read_bytes()[:4096] + b"\xff" * 20_000
    store.path.write_bytes(content)
    notes: list[str] = []
    with Store(workspace, note=lambda what, done=0, total=0: notes.append(what)) as store:
        assert store.tests("k") is None
        store.keep_tests("k", state_tests(tmp_path))
        assert store.tests("k") is not None
    (aside,) = workspace.state.glob("store.sqlite.broken-*")
    assert aside.read_bytes() == content
    assert len(notes) == 1 and aside.name in notes[0]


def test_a_newer_store_is_refused(workspace: Workspace) -> None:
    workspace.state.mkdir()
    with sqlite3.connect(workspace.state / "store.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with Store(workspace) as store, pytest.raises(MachineError, match="a newer kpt wrote this; update kpt"):
        store.tests("k")


def test_a_full_disk_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    with Store(workspace) as store:
        store.tests("k")
        assert store._database._connection is not None
        # What SQLite says when the file system is full, from SQLite itself: no page may be added.
        store._database._connection.execute("PRAGMA max_page_count = 1")
        big = state_tests(tmp_path)
        with pytest.raises(MachineError, match=r"store\.sqlite: cannot write: the disk is full; free some space"):
            for number in range(100):
                store.keep_tests(f"{number:0>5000}", big)
        assert store.tests("k") is None, "and it still answers"


def test_on_a_full_disk_what_was_kept_is_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(workspace) as store:
        store.keep_tests("k", state_tests(tmp_path))

    def refused(_: Database) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Database, "_open_file", refused)
    with Store(workspace) as store, pytest.raises(MachineError, match="disk I/O error"):
        store.tests("k")
    monkeypatch.setattr(atomic, "is_full", lambda _: True)
    with Store(workspace) as store:
        assert store.tests("k") is not None
        with pytest.raises(MachineError, match=r"store\.sqlite: cannot write: the disk is full; free some space"):
            store.keep_tests("l", state_tests(tmp_path))


def _write_many(root: Path, process: int) -> None:
    with Store(Workspace(root)) as store:
        for number in range(40):
            store.keep_tests(f"{process}-{number}", state_tests(root))
            store.record_run(record(f"s{process}"))


def test_two_processes_at_once(workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(workspace.root, process)) for process in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with Store(workspace) as store:
        assert all(store.tests(f"{process}-{number}") for process in range(3) for number in range(40))


def test_kill_9_loses_nothing_that_was_kept(workspace: Workspace) -> None:
    program = (
        "import sys, pathlib; from tests.unit.test_store import _write_many\n"
        "print('ready', flush=True)\n"
        "while True: _write_many(pathlib.Path(sys.argv[1]), 7)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, workspace.root], cwd=root, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        with Store(workspace) as store:
            while store.tests("7-5") is None:
                assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    with Store(workspace) as store:
        assert store.tests("7-5") is not None
        store.record_run(record())
        assert store.last_run("s") == record()
    assert not list(workspace.state.glob("store.sqlite.broken-*"))


def test_codec_goes_there_and_back() -> None:
    assert decode(RunRecord, encode(record())) == record()


CELL = {"patch": 1, "stage": "apply", "outcome": "ok", "text": ""}


@pytest.mark.parametrize(
    "data", [None, [], {"patch": 1}, {**CELL, "patch": "1"}, {**CELL, "patch": True}, {**CELL, "stage": "no"}]
)
def test_codec_refuses_what_does_not_fit(data: object) -> None:
    with pytest.raises(ValueError):
        decode(Cell, data)


def test_codec_reads_older_and_newer_writers() -> None:
    data = {**CELL, "text": "t", "colour": "green"}
    assert decode(Cell, data) == Cell(1, Stage.APPLY, Outcome.WELL, "t", "")


def test_codec_tells_the_types_of_a_union_apart() -> None:
    for kind in (EdgeKind.REVERT, Form.CHANGE_ID):
        outside = External(1, kind, "5befdc385ddb", True, "it reverts that")
        assert decode(External, encode(outside)) == outside
    with pytest.raises(ValueError):
        decode(External, {**encode(External(1, EdgeKind.REVERT, "5b", None, "")), "kind": "no such kind"})
