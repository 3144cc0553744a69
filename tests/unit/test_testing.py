"""What the results of several states mean together."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from kpatch_tool.errors import MachineError
from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.report.tests import show
from kpatch_tool.results.complaints import merge_complaints
from kpatch_tool.results.deltas import Change, compare, in_words, is_finding
from kpatch_tool.results.record import Outcome
from kpatch_tool.results.repeats import NOTHING_BEFORE, Before, by_chance, flaky_sentences, flaky_tests, stalled
from kpatch_tool.results.store import Store
from kpatch_tool.running import cells
from kpatch_tool.suites import jobs, run, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.jobs import Plan
from kpatch_tool.suites.model import (
    KERNEL_LOG,
    CaseResult,
    Cause,
    Repeats,
    StateTests,
    SuiteStatus,
    Test,
    Verdict,
    inherited,
)
from kpatch_tool.suites.run import GUEST_CPUS, Subject
from kpatch_tool.suites.share import TEST, Share, kernel_log
from kpatch_tool.testing.command import Tested, guests_at_once
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.vm import host
from kpatch_tool.vm.accel import Choice
from kpatch_tool.vm.console import Trace, TraceKind
from kpatch_tool.vm.model import Boot, Ending, GuestRun, GuestStatus, Job, JobOutcome
from kpatch_tool.workspace import Workspace
from tests.results_fixtures import KPTS_WORDS, make_build, make_tests, repeated


def suite_results(patch: int, verdict: Verdict = Verdict.PASS, status: str = "ok", trace: str = "") -> StateTests:
    return StateTests(patch, "s", SuiteStatus(status), 1.0, (CaseResult("t", "", verdict, 1.0),), "why", trace=trace)


OOPS = Trace(TraceKind.OOPS, "Oops: general protection fault", "Oops: ...", 0)


def logged(patch: int, *traces: Trace) -> StateTests:
    """A state on which the kernel complained."""
    tests = suite_results(patch, trace=next((trace.text for trace in traces), ""))
    heard = {trace.identity: "t" for trace in traces}
    return replace(tests, results=(*tests.results, *kernel_log(traces)), heard=heard)


def test_results_of_another_cpu_are_not_taken_for_those_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(Workspace(tmp_path), Tree("t", tmp_path, "0" * 40), State(0, "", ""), make_build(0))
    monkeypatch.setattr(Subject, "image", tmp_path / "image")
    (tmp_path / "image").write_bytes(b"kernel")
    plan, cpuinfo, identity = Plan("s", (), "digest"), tmp_path / "cpuinfo", host.identity
    monkeypatch.setattr(host, "identity", lambda: identity(cpuinfo))

    def keys(model: int, mhz: int) -> list[str]:
        row = f"processor\t: 0\nmodel\t\t: {model}\ncpu MHz\t\t: {mhz}\nflags\t\t: svm npt\n\n"
        cpuinfo.write_text(row + row.replace(": 0", ": 1"))
        return [run.tests_key(subject, plan, Choice(accel, "7.2", "")) for accel in ("tcg", "kvm")]

    here, later, elsewhere = keys(1, 2000), keys(1, 3000), keys(2, 2000)
    assert here == later
    assert here[0] == elsewhere[0] and here[1] != elsewhere[1]


@pytest.mark.parametrize(
    ("states", "findings", "untested"),
    [
        ((suite_results(0), suite_results(1)), False, False),
        ((suite_results(0), suite_results(1, Verdict.FAIL)), True, False),
        ((suite_results(0, Verdict.FAIL), suite_results(1, Verdict.FAIL)), False, False),
        ((suite_results(0, Verdict.FAIL), suite_results(1)), False, False),
        ((suite_results(0), suite_results(1, status="failed")), True, False),
        ((suite_results(0), suite_results(1, Verdict.FAIL, status="infra")), False, True),
        ((logged(0), logged(1, OOPS)), True, False),
        ((logged(0, OOPS), logged(1, OOPS)), False, False),
        ((logged(0, OOPS), logged(1, OOPS, replace(OOPS, title="BUG: another"))), True, False),
        ((logged(0, OOPS), logged(1)), False, False),
        ((suite_results(0), suite_results(1, status="failed"), suite_results(2, status="infra")), True, True),
        ((suite_results(0),), False, False),
        ((suite_results(0, status="failed"), suite_results(1, status="failed")), True, False),
    ],
)
def test_what_is_a_finding(states: tuple[StateTests, ...], findings: bool, untested: bool) -> None:
    done = Tested(states, "tcg", "asked for")
    assert (done.findings, done.untested) == (findings, untested)
    outcomes = [cells.tests_cell(one.patch, [one], states).outcome for one in states]
    assert (Outcome.FINDING in outcomes, Outcome.INFRA in outcomes) == (findings, untested), "as `kpt run` has it"


def test_a_state_that_fails_as_the_base_is_no_finding_of_its_own() -> None:
    base, same, other = (replace(suite_results(patch, status="failed"), why=why) for patch, why in enumerate("aab"))
    assert [is_finding((base, same, other), one) for one in (base, same, other)] == [True, False, True]


def plan_and_boot(
    monkeypatch: pytest.MonkeyPatch,
    rows: tuple[jobs.Planned, ...],
    boot: Callable[..., tuple[StateTests, ...]],
    *,
    accelerator: str = "kvm",
) -> None:
    """Have suite `s` consist of `rows`, and `boot` say how each run of a guest goes, which no guest can be made to
    (tests/kernel has real ones)."""
    monkeypatch.setattr(run, "plan_suite", lambda *_: Plan("s", rows, "digest"))
    monkeypatch.setattr(run, "choose_accel", lambda *_: Choice(accelerator, "7.2", "asked for"))
    monkeypatch.setattr(run, "tests_key", lambda *_: "key")
    monkeypatch.setattr(run, "test_state", boot)


def rows_of(tests: Sequence[Test]) -> tuple[jobs.Planned, ...]:
    return jobs.plan("s", SuiteKind.UNIT_TESTS, tests, variants.of_suite("s", ()), None)


def built(workspace: Workspace, patch: int = 1) -> StateBuild:
    """A build that results can be kept of."""
    return replace(make_build(patch), artifacts=workspace.state / "artifacts/k")


def new_tester(workspace: Workspace, store: Store, *, fresh: bool = False, keep: bool = True) -> Tester:
    return Tester(workspace, Tree("t", workspace.root, "0" * 40), store, fresh=fresh, keep=keep)


def test_a_search_has_outputs_of_its_own(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The directory is named by the plan: one look of a search must not replace what a verdict that is kept shows."""
    digests: list[str] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        digests.extend(plan.digest for plan in plans)
        return (suite_results(1),)

    plan_and_boot(monkeypatch, (), boot, accelerator="tcg")
    build = built(workspace)
    with Store(workspace) as store:
        for keep in (True, False):
            tester = new_tester(workspace, store, fresh=True, keep=keep)
            assert [tests.suite for tests in tester.test(State(1, "1" * 40, "2" * 40), build, ("s",))] == ["s"]
    assert digests[0] == "digest" != digests[1]


def test_a_test_that_ended_soon_on_the_base_has_not_long_to_hang(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """Ten tests that hang would else take five minutes of every state."""
    given: list[list[float]] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        given.append([row.job.timeout for plan in plans for row in plan.rows if row.job])
        return (suite_results(1),)

    tests = [Test("s", name, Path("/t.flat"), 60.0, "60") for name in ("t", "u")]
    rows = rows_of(tests)
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace)
    with Store(workspace) as store:
        tester = new_tester(workspace, store, fresh=True)
        for before in (Before(), Before(known=lambda: (suite_results(0),))):
            tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), before)
    assert given == [[60.0, 60.0], [15.0, 60.0]]


@pytest.mark.parametrize(
    "case",
    [
        ("1", "1", 90.0, [30.0]),
        ("1", "12", 90.0, [30.0, 90.0]),
        ("1", "", 90.0, [30.0, 90.0]),
        ("1", "12", 20.0, [20.0]),
        (None, "1", 90.0, [90.0]),
        ("1", "2", 90.0, [30.0]),
    ],
    ids=["as on the base", "further", "not so far", "it had all its time", "no base yet", "as on the state before"],
)
def test_what_hung_on_the_base_has_its_whole_time_where_it_hangs_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    workspace: Workspace,
    case: tuple[str | None, str, float, list[float]],
) -> None:
    """Six tests of kvm-unit-tests hang under emulation with cases printed, for 90 s each on every state."""
    there, now, whole, expected = case
    given: list[float] = []

    def hung(patch: int, cases: str) -> StateTests:
        told = (CaseResult("t", name, Verdict.PASS, 1.0) for name in cases)
        return replace(suite_results(patch), results=(CaseResult("t", "", Verdict.TIMEOUT, 1.0, "hung"), *told))

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        given.extend(row.job.timeout for plan in plans for row in plan.rows if row.job)
        return (hung(1, now if len(given) == 1 else "123"),)

    rows = rows_of([Test("s", "t", Path("/t.flat"), whole)])
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace)
    before = Before(previous=lambda: (hung(1, "2"),), known=lambda: () if there is None else (hung(0, there),))
    with Store(workspace) as store:
        tester = new_tester(workspace, store, fresh=True)
        (tests,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), before)
    assert given == expected
    assert [one.case for one in tests.results] == ["", *("123" if len(expected) == 2 else now)]
    assert tests.results[0].why == "hung", "one run counts, and it was no repetition"


def outcome_of(
    boot: Callable[..., tuple[StateTests, ...]],
    rows: tuple[jobs.Planned, ...],
    monkeypatch: pytest.MonkeyPatch,
    workspace: Workspace,
) -> StateTests:
    """What the state after patch 1 comes to, all of whose tests pass on the base: `boot` says how each run goes."""
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace)
    passed = (CaseResult(row.name, "", Verdict.PASS, 1.0) for row in rows)
    base = replace(suite_results(0), results=(*passed, *kernel_log(())))
    with Store(workspace) as store:
        tester = new_tester(workspace, store, fresh=True)
        (tests,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), Before(base=lambda: (base,)))
    return tests


BASE = State(0, "0" * 40, "0" * 40)
STALL = Trace(TraceKind.STALL, "rcu: INFO: rcu_sched self-detected stall on CPU", "rcu: ...", 0)


@pytest.mark.parametrize(
    ("logs", "boots", "confidence"),
    [
        ([(STALL,), ()], 2, None),
        ([(STALL,), (STALL,)], 2, 1.0),
        ([(STALL,), (OOPS,)], 2, 0.5),
        ([(STALL, OOPS), ()], 2, 0.5),
        ([(STALL, OOPS), (STALL, OOPS)], 2, 1.0),
        ([(OOPS,), (OOPS,)], 2, 1.0),
        ([(OOPS,), ()], 2, 0.5),
        ([(OOPS,), (STALL,)], 2, 0.5),
        ([(), ()], 1, None),
    ],
)
def test_what_the_kernel_says_once_is_no_regression_or_half_sure(
    monkeypatch: pytest.MonkeyPatch,
    workspace: Workspace,
    logs: list[tuple[Trace, ...]],
    boots: int,
    confidence: float | None,
) -> None:
    """A busy machine stalls a guest now and then. What has a place in the kernel it does not make up, but that need not
    be a place that the patch has to do with."""
    digests: list[str] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        digests.extend(plan.digest for plan in plans)
        return (logged(1, *logs[len(digests) - 1]),)

    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace)
    base = logged(0)
    with Store(workspace) as store:
        tester = new_tester(workspace, store, fresh=True)
        (tests,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), Before(base=lambda: (base,)))
    assert len(digests) == len(set(digests)) == boots
    done = Tested((base, tests), "tcg", "asked for")
    assert {delta.confidence for delta in done.deltas(tests)} == ({confidence} if confidence else set())
    assert done.findings is (confidence is not None)
    assert list(flaky_tests(tests)) == ([] if confidence or boots == 1 else [KERNEL_LOG]), "what counts is a verdict"
    unsteady = any("unsteady: worse in 1 of 2 runs" in delta.why for delta in done.deltas(tests))
    assert unsteady is (confidence == 0.5)
    assert any(one.case == OOPS.identity for one in tests.results) is any(OOPS in log for log in logs[:boots])


LATE, DEAD = "the guest did not boot within 120 s", "the guest's kernel died: Kernel panic - not syncing: x"
PANIC = Trace(TraceKind.PANIC, "Kernel panic - not syncing: x", "Kernel panic - not syncing: x\nCPU: 0", 0)


def unbooted(patch: int, why: str, trace: str = "") -> StateTests:
    """A state that failed before any test began."""
    tests = make_tests(patch, f"t=abort:not-begun {why}", status="failed", why=why, suite="s")
    return replace(tests, results=(*tests.results, *kernel_log((PANIC,) if trace else ())), trace=trace)


@pytest.mark.parametrize("patch", [0, 1])
@pytest.mark.parametrize(
    ("whys", "expected", "blamed"),
    [
        ((LATE, ""), ("ok", f"why; unsteady: another boot failed ({LATE})"), {}),
        ((DEAD, ""), ("ok", f"why; unsteady: another boot failed ({DEAD})"), {"": 0.5, PANIC.identity: 0.5}),
        ((LATE, LATE), ("failed", LATE), {"": 1.0}),
        ((LATE, DEAD), ("failed", DEAD), {"": 1.0, PANIC.identity: 1.0}),
        ((DEAD, LATE), ("failed", DEAD), {"": 1.0, PANIC.identity: 1.0}),
        (("",), ("ok", "why"), {}),
    ],
)
def test_a_state_that_failed_to_boot_is_booted_once_more_before_that_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    workspace: Workspace,
    patch: int,
    whys: tuple[str, ...],
    *,
    expected: tuple[str, str],
    blamed: dict[str, float],
) -> None:
    """A machine with much to do misses a deadline; it makes no kernel panic."""
    digests: list[str] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        digests.extend(plan.digest for plan in plans)
        why = whys[len(digests) - 1]
        return (unbooted(patch, why, why if why == DEAD else "") if why else logged(patch),)

    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace, patch)
    base = logged(0)
    before = Before(base=lambda: (base,)) if patch else NOTHING_BEFORE
    with Store(workspace) as store:
        for _ in range(2):
            tester = new_tester(workspace, store)
            (tests,) = tester.test(State(patch, "1" * 40, "2" * 40), build, ("s",), before)
            assert (str(tests.status), tests.why) == expected
    assert len(digests) == len(set(digests)) == len(whys), "and is kept then"
    assert tests.trace == (DEAD if DEAD in whys else "")
    deltas = {one.case: one.confidence for one in compare(tests, base) if one.change is Change.WORSE}
    assert deltas == blamed and is_finding((base, tests), tests) is (bool(blamed) if patch else expected[0] == "failed")
    if patch:
        assert not compare(tests, replace(tests, patch=0)), "as on a base that panics now and then"
    elif expected[0] == "ok":
        assert {one.change for one in compare(logged(1), tests)} <= {Change.CHANGED}, "no patch has mended that"


def test_a_state_that_fails_as_the_base_is_booted_once(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """Till the base is another: what was kept of the state says nothing then."""
    answers = [unbooted(1, LATE), suite_results(1)]
    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, lambda *_, **__: (answers.pop(0),))
    build = built(workspace)
    found: list[StateTests] = []
    with Store(workspace) as store:
        for base in (unbooted(0, LATE), unbooted(0, LATE), suite_results(0)):
            tester = new_tester(workspace, store)
            before = Before(base=partial(tuple, (base,)))
            found += tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), before)
    assert [str(tests.status) for tests in found] == ["failed", "failed", "ok"]


WARN, SPLAT = (Trace(TraceKind.WARNING, f"WARNING: at {name}.c", "...", 0) for name in ("warn", "splat"))


@pytest.mark.parametrize(
    ("heard", "before", "ran"),
    [
        ("u", None, [["t", "u"], ["u"]]),
        ("", None, [["t", "u"], ["t", "u"]]),
        ("u", Repeats(2, 2), [["t", "u"]]),
        ("u", Repeats(2, 1), [["t", "u"], ["u"]]),
    ],
)
def test_the_test_in_whose_time_the_kernel_complained_is_run_once_more(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, heard: str, before: Repeats | None, ran: list[list[str]]
) -> None:
    """All are where it is not known; none where the state before complained of the same more than once."""
    names: list[list[str]] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        names.append([row.name for plan in plans for row in plan.rows])
        return (complaining(2, names[-1], WARN, heard=heard),)

    base = complaining(0, ["t", "u"])
    previous = complaining(1, ["t", "u"], WARN, heard="u")
    previous = replace(
        previous,
        results=tuple(replace(one, repeats=before) if one.test == KERNEL_LOG else one for one in previous.results),
    )
    tests = [Test("s", name, Path("/t"), 9.0) for name in ("t", "u")]
    plan_and_boot(monkeypatch, rows_of(tests), boot)
    build = built(workspace, 2)
    then = Before(base=lambda: (base,), previous=lambda: () if before is None else (previous,))
    with Store(workspace) as store:
        for _ in range(2):
            tester = new_tester(workspace, store)
            (found,) = tester.test(State(2, "1" * 40, "2" * 40), build, ("s",), then)
            assert names == ran, "and what came of it is kept"
    assert [delta.confidence for delta in compare(found, base)] == [1.0, 1.0]
    assert found.results[-1].why.startswith(WARN.title)
    assert {one.repeats for one in found.results if one.test == KERNEL_LOG} == {Repeats(2, 2, earlier=len(ran) == 1)}


def test_what_a_kernel_said_is_no_verdict_where_no_other_run_could_be_made(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    for traces in ((WARN,), (WARN, STALL), (STALL,)):
        runs = [complaining(1, ["t"], *traces), make_tests(1, status="infra", why="the disk is full", suite="s")]
        tests = outcome_of(lambda *_, left=runs, **__: (left.pop(0),), rows, monkeypatch, workspace)
        assert tests.status is SuiteStatus.INFRA and tests.why.endswith("the disk is full")


@pytest.mark.parametrize("bad", [(), ("t",)])
@pytest.mark.parametrize("first", [WARN, STALL])
def test_a_kernel_that_dies_as_it_is_booted_once_more_is_told_and_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, first: Trace, bad: tuple[str, ...]
) -> None:
    """It was not there to complain, or to fail, again."""
    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    runs = [complaining(1, ["t"], first, heard="t", bad=bad), *[unbooted(1, DEAD, DEAD)] * 3]
    tests = outcome_of(lambda *_, left=runs, **__: (left.pop(0),), rows, monkeypatch, workspace)
    sure = {one.case: one.confidence for one in compare(tests, complaining(0, ["t"])) if one.test == KERNEL_LOG}
    assert sure[first.identity] == 1.0 and PANIC.identity in sure and tests.trace == DEAD


def test_the_log_is_that_with_what_the_kernel_is_blamed_for() -> None:
    """Where the log of the first run has nothing but what the base complains of, too."""
    base, first = (complaining(patch, ["t"], SPLAT, heard="t") for patch in (0, 1))
    again = complaining(1, ["t"], SPLAT, WARN, heard="t")
    first, again = (
        replace(one, outputs={KERNEL_LOG: Path(name), "t": Path(name)})
        for name, one in (("first", first), ("again", again))
    )
    found = merge_complaints(first, again, base, {"t": 2})
    assert found.outputs == {KERNEL_LOG: Path("again"), "t": Path("first")}
    (whole,) = (one for one in found.results if (one.test, one.case) == (KERNEL_LOG, ""))
    assert whole.said == f"2 complaints: {WARN.title}"
    assert [delta.case for delta in compare(found, base)] == [WARN.identity]


def complaining(
    patch: int, names: Sequence[str], *traces: Trace, heard: str = "", bad: Sequence[str] = ()
) -> StateTests:
    """A state of whose tests `bad` fail, and whose kernel complained during `heard`."""
    verdicts = {name: Verdict.FAIL if name in bad else Verdict.PASS for name in names}
    results = tuple(CaseResult(name, "", verdict, 1.0) for name, verdict in verdicts.items())
    told = {trace.identity: heard for trace in traces} if heard else {}
    return replace(suite_results(patch), results=(*results, *kernel_log(traces)), heard=told)


@pytest.mark.parametrize("heard", ["t", ""])
def test_what_the_kernel_complains_of_while_tests_are_run_again_is_told(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, heard: str
) -> None:
    """But for what it says as the guest boots: that another suite answers for."""
    runs = iter([complaining(1, ["t"], WARN, heard="t", bad=["t"]), complaining(1, ["t"], SPLAT, heard=heard)])
    base = complaining(0, ["t"])
    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, lambda *_, **__: (next(runs),))
    build = built(workspace)
    with Store(workspace) as store:
        tester = new_tester(workspace, store)
        (found,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), Before(base=lambda: (base,)))
    deltas = {delta.case: delta.confidence for delta in compare(found, base)}
    assert deltas == dict.fromkeys(("", WARN.identity, *([SPLAT.identity] if heard else [])), 0.5)
    assert list(flaky_tests(found)) == ["t"]
    later = replace(base, patch=2)
    assert by_chance(found, later, base) == {(KERNEL_LOG, case) for case in deltas}, "nobody took it back"


def test_what_hung_in_less_time_is_not_taken_for_a_base(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """A state's tests have less time than the base's. As the base of another series it has all of it."""
    ran: list[float] = []
    needs = {"1" * 40: 1.0, "2" * 40: 40.0}

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ((row,),) = (plan.rows for plan in plans)
        assert row.job is not None
        ran.append(row.job.timeout)
        need = needs[subject.state.commit]
        verdict = Verdict.PASS if need <= row.job.timeout else Verdict.TIMEOUT
        result = CaseResult("t", "", verdict, min(need, row.job.timeout))
        return (replace(suite_results(subject.state.patch), results=(result,)),)

    def verdict_of(patch: int, commit: str, before: Before, *, fresh: bool = False) -> Verdict:
        tester = new_tester(workspace, store, fresh=fresh)
        (tests,) = tester.test(State(patch, commit, commit), replace(build, patch=patch), ("s",), before)
        return tests.results[0].verdict

    test = Test("s", "t", Path("/t"), 90.0)
    rows = rows_of([test])
    plan_and_boot(monkeypatch, rows, boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: subject.state.commit)
    build = built(workspace)
    base = replace(suite_results(0), results=(CaseResult("t", "", Verdict.PASS, 1.0),))
    after = Before(base=lambda: (base,), known=lambda: (base,))
    with Store(workspace) as store:
        assert verdict_of(1, "2" * 40, after) is Verdict.TIMEOUT
        assert (ran, max(ran) < 40) == ([15.0, 30.0, 30.0], True)
        assert verdict_of(1, "2" * 40, after) is Verdict.TIMEOUT, "as the state of this series it is kept"
        assert len(ran) == 3
        assert verdict_of(0, "2" * 40, NOTHING_BEFORE) is Verdict.PASS
        assert ran[3:] == [90.0]
        assert verdict_of(1, "2" * 40, after) is Verdict.PASS, "what had all its time says more"
        assert verdict_of(1, "2" * 40, after, fresh=True) is Verdict.TIMEOUT
        assert verdict_of(1, "2" * 40, after) is Verdict.TIMEOUT, "what was asked for anew takes the place of the old"


def test_a_stall_is_told_beside_what_the_base_complains_of() -> None:
    worse = [delta for delta in compare(logged(1, OOPS, STALL), logged(0, OOPS)) if delta.change is Change.WORSE]
    assert [delta.case for delta in worse] == ["RCU stall"]
    assert stalled(logged(1, OOPS, STALL), logged(0, OOPS))
    gone = compare(logged(1, OOPS), logged(0, OOPS, STALL))
    assert [delta.change for delta in gone] == [Change.CHANGED], "nobody mended it"


@pytest.mark.parametrize(
    ("cause", "with_it"), [(Cause.LEFT_BEHIND, ["t", "t@shadow"]), (Cause.NOT_LOADED, ["t@shadow"])]
)
def test_what_modules_left_behind_is_looked_for_with_the_tests_that_left_it(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, cause: Cause, with_it: list[str]
) -> None:
    """A machine that is not given back keeps kvm_amd in use: alone, in a new boot, the next variant finds no fault."""
    ran: list[list[str]] = []
    why = "its modules are not loaded: unloading kvm_amd: resource temporarily unavailable"

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append([row.name for plan in plans for row in plan.rows])
        blocked = "t" in ran[-1] or cause is Cause.NOT_LOADED
        passed = CaseResult("t", "", Verdict.PASS, 1.0)
        shadow = CaseResult("t@shadow", "", Verdict.PASS, 0.0)
        shadow = replace(shadow, verdict=Verdict.ABORT, said=why, cause=cause) if blocked else shadow
        return (replace(suite_results(1), results=(passed, shadow)),)

    test = Test("s", "t", Path("/t.flat"), 60.0, "60")
    rows = jobs.plan("s", SuiteKind.UNIT_TESTS, [test], variants.of_suite("s", ("default", "shadow")), None)
    tests = outcome_of(boot, rows, monkeypatch, workspace)
    assert ran == [["t", "t@shadow"], with_it, with_it]
    assert [(one.test, one.why) for one in tests.results] == [
        ("t", ""),
        ("t@shadow", f"{why}; worse in 3 of 3 runs"),
    ]


@pytest.mark.parametrize("kind", SuiteKind)
@pytest.mark.parametrize("line", KPTS_WORDS)
def test_a_test_that_prints_words_of_kpt_s_own_is_worse_as_any_other(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, line: str, kind: SuiteKind
) -> None:
    """It hides its own regression by none of them: it is run again, and a patch is blamed."""
    printed = workspace.root / "printed"
    printed.write_text(f"SUMMARY: {line}\n" if kind is SuiteKind.UNIT_TESTS else f"{line}\n")
    rows = jobs.plan("s", kind, [Test("s", "t", Path("/t"), 60.0, "60")], variants.of_suite("s", ()), None)
    assert rows[0].job is not None
    outcome = JobOutcome(rows[0].job, 0, Ending.EXIT, 3, 1.0, printed, "exit status 3")
    once = replace(suite_results(1), results=jobs.results(rows[0], outcome))
    ran: list[list[str]] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append([row.name for plan in plans for row in plan.rows])
        return (once,)

    tests = outcome_of(boot, rows, monkeypatch, workspace)
    assert ran == [["t"]] * 3
    assert tests.results[0].why == f"{line}; worse in 3 of 3 runs"
    (found,) = compare(tests, suite_results(0))
    assert (found.change, found.confidence) == (Change.WORSE, 1.0)
    assert in_words(found) == f"t: pass, now fail ({line}; worse in 3 of 3 runs)"


@pytest.mark.parametrize("bad", [(), ("t4",)])
def test_those_that_spoke_for_others_speak_for_nobody_where_they_are_not_worse_again(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, bad: Sequence[str]
) -> None:
    """A machine that stood still for a while lets many tests run out of their time, once."""
    ran: list[list[str]] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append([row.name for plan in plans for row in plan.rows])
        hangs = bad if len(ran) > 1 else ran[0]
        verdicts = {name: Verdict.TIMEOUT if name in hangs else Verdict.PASS for name in ran[-1]}
        results = tuple(CaseResult(name, "", verdict, 30.0) for name, verdict in verdicts.items())
        return (replace(suite_results(1), results=results),)

    tests = [Test("s", f"t{number}", Path("/t.flat"), 60.0, "60") for number in range(6)]
    rows = rows_of(tests)
    found = outcome_of(boot, rows, monkeypatch, workspace)
    pairs = [["t0", "t1"], ["t2", "t3"], ["t4", "t5"]]
    assert ran == [[row.name for row in rows], *pairs, *([["t4"]] if bad else [])]
    assert [one.test for one in found.results if one.verdict is Verdict.TIMEOUT] == [*bad]
    assert found.results[4].why == ("worse in 3 of 3 runs" if bad else "unsteady: worse in 1 of 2 runs")


def test_a_disk_that_is_full_does_not_cost_the_answer(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    def full(*_: object) -> None:
        raise MachineError("cannot write: the disk is full", where="store.sqlite")

    plan_and_boot(monkeypatch, (), lambda *_, **__: (suite_results(1),), accelerator="tcg")
    monkeypatch.setattr(Store, "keep_tests", full)
    said: list[str] = []
    build = built(workspace)
    with Store(workspace) as store:
        tree = Tree("t", workspace.root, "0" * 40)
        tester = Tester(workspace, tree, store, fresh=True, progress=lambda what, *_: said.append(what))
        (found,) = tester.test(State(1, "1" * 40, "2" * 40), build, ["s"])
    assert found.results == suite_results(1).results
    assert said == ["not remembered: store.sqlite: cannot write: the disk is full"]


def test_what_passes_in_another_run_of_the_base_was_not_mended(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """Of four tests that are not as they should be on the base one hangs there each time, one fails in another case the
    next time, and one is not built."""
    ran: list[tuple[int, list[str]]] = []
    wrong = {  # by how often the base was run
        1: {
            "luck": "fail",
            "fault": "timeout",
            "shaky": "fail",
            "shaky/a": "fail",
            "unbuilt": "fail:unbuilt does not build: no",
        },
        2: {"fault": "timeout", "shaky": "fail", "shaky/b": "fail"},
    }
    later = {"shaky": "fail", "shaky/b": "fail"}

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        patch, names = subject.state.patch, [row.name for plan in plans for row in plan.rows]
        ran.append((patch, names))
        bad = later if patch else wrong[sum(1 for number, _ in ran if not number)]
        cases = [
            key for name in names for key in (name, *(f"{name}/{case}" for case in ("ab" if name == "shaky" else "")))
        ]
        return (make_tests(patch, *(f"{key}={bad.get(key, 'pass')}" for key in cases), suite="s"),)

    tests = [Test("s", name, Path("/t.flat"), 60.0, "60") for name in ("luck", "fault", "shaky", "unbuilt", "good")]
    rows = rows_of(tests)
    plan_and_boot(monkeypatch, rows, boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: str(subject.state.patch))
    build = built(workspace)
    with Store(workspace) as store:
        tester = new_tester(workspace, store, fresh=True)
        base = tester.test(BASE, build, ("s",))
        before = Before(base=lambda: base, previous=lambda: base)
        first, second = (tester.test(State(patch, "1" * 40, "2" * 40), build, ("s",), before)[0] for patch in (1, 2))
        best, first, second = tester.reconsidered((*base, first, second))
        (kept,) = new_tester(workspace, store).test(BASE, build, ("s",))
    assert [(patch, names) for patch, names in ran if not patch][1:] == [(0, ["luck", "fault", "shaky"])], "asked once"
    assert kept.results == best.results
    done = Tested((best, first, second), "kvm", "asked for")
    for one in (first, second):
        changes = {(delta.test, delta.case): (str(delta.change), delta.confidence) for delta in done.deltas(one)}
        assert changes == {
            ("fault", ""): ("better", 0.5),
            ("shaky", "b"): ("worse", 1.0),
            ("unbuilt", ""): ("better", 1.0),
        }
    assert best.results[0].why == "passes in one run of two"


@pytest.mark.parametrize("bad", [1, 2])
def test_what_the_base_passes_in_another_run_counts_for_every_state(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, bad: int
) -> None:
    """The base fails by chance. One patch breaks the test; the other passes it, by which that comes out."""
    ran: list[int] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append(subject.state.patch)
        fails = ran[-1] == bad or len(ran) == 1
        return (suite_results(ran[-1], Verdict.FAIL if fails else Verdict.PASS),)

    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: str(subject.state.patch))
    build = built(workspace)
    states = [State(patch, f"{patch:040x}", f"{patch:040x}") for patch in range(3)]
    for _ in range(2):
        with Store(workspace) as store:
            tester = new_tester(workspace, store)
            found = [*tester.test(BASE, build, ("s",))]
            before = Before(base=partial(tuple, (found[0],)))
            found += [tester.test(state, build, ("s",), before)[0] for state in states[1:]]
            base, *later = tester.reconsidered([*found, inherited(found[bad], 3)])
        done = Tested((base, *later), "kvm", "asked for")
        changes = [[(str(one.change), one.confidence) for one in done.deltas(tests)] for tests in later]
        assert changes == [[("worse", 0.5)] if patch in (bad, 3) else [] for patch in (1, 2, 3)]
        assert later[bad - 1].results[0].why == later[2].results[0].why == "worse in 3 of 3 runs"
    assert sorted(ran) == sorted([0, 1, 2, 0, bad, bad]), "the second time all is known"


@pytest.mark.parametrize("fails", [2, 4])
def test_a_base_that_failed_to_boot_is_tested_whole_where_a_state_is_not(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, fails: int
) -> None:
    """One state failed as the base did, and was not booted once more; the next did not. Where the base fails again it
    is not asked any more."""
    ran: list[tuple[int, list[str]]] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        patch, names = subject.state.patch, [row.name for plan in plans for row in plan.rows]
        ran.append((patch, names))
        times = sum(1 for number, _ in ran if number == patch)
        if times <= {0: fails, 1: 1}.get(patch, 0):
            return (
                make_tests(patch, *(f"{n}=abort:not-begun {LATE}" for n in "tu"), status="failed", why=LATE, suite="s"),
            )
        return (complaining(patch, names, bad=["u"] if patch == 0 else []),)

    tests = [Test("s", name, Path("/t.flat"), 60.0, "60") for name in ("t", "u")]
    plan_and_boot(monkeypatch, rows_of(tests), boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: str(subject.state.patch))
    build = built(workspace)
    with Store(workspace) as store:
        tester = new_tester(workspace, store)
        first = tester.test(BASE, build, ("s",))
        before, found = Before(base=lambda: first), [*first]
        for patch in (1, 2, 3):
            found += tester.test(State(patch, f"{patch:040x}", f"{patch:040x}"), build, ("s",), before)
        base, *later = tester.reconsidered(found)
        (kept,) = new_tester(workspace, store).test(BASE, build, ("s",))
    assert (kept.status, kept.results) == (base.status, base.results)
    of_base = [["t", "u"], ["t", "u"], ["t", "u"], *([["u"]] if fails == 2 else [])]
    assert [names for patch, names in ran if not patch] == of_base
    assert [patch for patch, _ in ran if patch] == [1, 2, 3, *([1] if fails == 2 else [])]
    changes = [[(one.test, str(one.change)) for one in compare(tests, base)] for tests in later]
    if fails == 2:
        assert [str(one.status) for one in (base, *later)] == ["ok"] * 4
        assert changes == [[("u", "better")]] * 3, "it fails on the base each time"
    else:
        assert [str(one.status) for one in (base, *later)] == ["failed", "failed", "ok", "ok"]
        assert changes[0] == []


def test_a_base_that_boots_at_last_tells_all_and_a_stall_as_it_had_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """What cannot be run is told of it, too; and a busy machine that stalled both is not the state's doing."""
    ran: list[int] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        patch, (plan,) = subject.state.patch, plans
        ran.append(patch)
        fails = patch == 0 and ran.count(0) <= 2
        stalls = fails or (patch == 1 and ran.count(1) == 1)
        ended = f"abort:not-begun {LATE}" if fails else "pass"
        words = [f"{row.name}={ended if row.job else 'skip'}" for row in plan.rows]
        found = make_tests(patch, *words, status="failed" if fails else "ok", why=LATE, suite="s")
        return (replace(found, results=(*found.results, *kernel_log([STALL] if stalls else []))),)

    tests = [Test("s", "t", Path("/t.flat"), 60.0), Test("s", "sk", Path("/x.flat"), 60.0, why_skip="no image")]
    plan_and_boot(monkeypatch, rows_of(tests), boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: str(subject.state.patch))
    build = built(workspace)
    with Store(workspace) as store:
        tester = new_tester(workspace, store)
        base = tester.test(BASE, build, ("s",))
        found = tester.test(State(1, f"{1:040x}", f"{1:040x}"), build, ("s",), Before(base=lambda: base))
        anew, one = tester.reconsidered([*base, *found])
    assert ran == [0, 0, 1, 0, 1]
    assert (anew.status, {result.test for result in anew.results}) == (SuiteStatus.OK, {"t", "sk", KERNEL_LOG})
    assert compare(one, anew) == ()


def test_a_state_is_not_remembered_before_the_base_was_asked(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """The base fails by chance, and cannot be run again at first: nothing is taken for mended by that later."""
    ran: list[int] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        patch = subject.state.patch
        ran.append(patch)
        if patch == 0 and ran.count(0) in (2, 3):
            return (make_tests(0, status="infra", why="the disk is full", suite="s"),)
        return (suite_results(patch, Verdict.FAIL if len(ran) == 1 else Verdict.PASS),)

    rows = rows_of([Test("s", "t", Path("/t"), 9.0)])
    plan_and_boot(monkeypatch, rows, boot)
    monkeypatch.setattr(run, "tests_key", lambda subject, *_: str(subject.state.patch))
    build = built(workspace)
    first, second = (State(patch, f"{patch:040x}", f"{patch:040x}") for patch in (1, 2))
    with Store(workspace) as store:
        tester = new_tester(workspace, store)
        before = Before(base=partial(tuple, tester.test(BASE, build, ("s",))))
        for state in (first, second):  # which may be tested at the same time: that the base was asked once is no answer
            with pytest.raises(MachineError, match="the disk is full"):
                tester.test(state, build, ("s",), before)
        tester = new_tester(workspace, store)
        base = tester.test(BASE, build, ("s",))
        (found,) = tester.test(first, build, ("s",), Before(base=partial(tuple, base)))
        best, found = tester.reconsidered([*base, found])
    assert ran == [0, 1, 0, 2, 0, 1, 0]
    assert compare(found, best) == ()


@pytest.mark.parametrize(
    ("first_base", "fails_again"), [(Verdict.FAIL, True), (Verdict.FAIL, False), (Verdict.PASS, True)]
)
def test_a_kept_failure_is_run_again_where_the_base_is_another_now(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, first_base: Verdict, *, fails_again: bool
) -> None:
    """A base that failed by chance hides that a state failed, once; `kpt test --base --fresh` shows it."""
    ran: list[list[str]] = []

    def boot(subject: Subject, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append([row.name for plan in plans for row in plan.rows])
        fails = fails_again or len(ran) == 1
        return (suite_results(1, Verdict.FAIL if fails else Verdict.PASS),)

    tests = [Test("s", "t", Path("/t.flat"), 60.0, "60")]
    rows = rows_of(tests)
    plan_and_boot(monkeypatch, rows, boot)
    build = built(workspace)
    why, counts = [], []
    with Store(workspace) as store:
        tester = new_tester(workspace, store)
        for verdict in (first_base, Verdict.PASS, Verdict.PASS):
            before = Before(base=partial(tuple, (suite_results(0, verdict),)))
            (now,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), before)
            why.append(now.results[0].why)
            counts.append(len(ran))
    said = "worse in 3 of 3 runs" if fails_again else "unsteady: worse in 1 of 2 runs"
    assert why == ["" if first_base is Verdict.FAIL else said, said, said]
    assert counts == ([3, 3, 3] if first_base is Verdict.PASS else [1, 3, 3] if fails_again else [1, 2, 2])


@pytest.mark.parametrize("other", [Verdict.FAIL, Verdict.TIMEOUT])
@pytest.mark.parametrize("complains", [False, True])
def test_a_kept_failure_is_run_again_though_others_of_its_state_were(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, other: Verdict, *, complains: bool
) -> None:
    """Beside a base that failed in it by chance `t` was not worse: what was run again then did not speak for it."""
    ran: list[list[str]] = []

    def boot(subject: object, plans: Sequence[Plan], choice: object, *, progress: object) -> tuple[StateTests, ...]:
        ran.append([row.name for plan in plans for row in plan.rows])
        verdicts = {"t": Verdict.FAIL if len(ran) == 1 else Verdict.PASS, "u": other}
        results = [CaseResult(name, "", verdicts[name], 1.0) for name in ran[-1]]
        traces = (WARN,) if complains and "u" in ran[-1] else ()
        log, heard = kernel_log(traces), {trace.identity: "u" for trace in traces}
        return (replace(suite_results(1), results=(*results, *log), heard=heard),)

    tests = [Test("s", name, Path("/t.flat"), 60.0, "60") for name in ("t", "u")]
    plan_and_boot(monkeypatch, rows_of(tests), boot)
    build = built(workspace)
    for bad in (["t"], [], []):
        base = complaining(0, ["t", "u"], bad=bad)
        with Store(workspace) as store:
            tester = new_tester(workspace, store)
            (found,) = tester.test(State(1, "1" * 40, "2" * 40), build, ("s",), Before(base=partial(tuple, (base,))))
    assert ran == [["t", "u"], ["u"], ["u"], ["t"]]
    assert {one.test for one in compare(found, base)} == {"u", *([KERNEL_LOG] if complains else [])}
    assert "t is unsteady: worse in 1 of 2 runs" in flaky_sentences(found)


def test_each_suite_has_its_own_base() -> None:
    other = StateTests(0, "other", SuiteStatus.OK, 1.0, (), "why")
    done = Tested((other, suite_results(0), suite_results(1, Verdict.TIMEOUT)), "tcg", "asked for")
    assert done.base_of(done.states[2]) is done.states[1]
    assert [(delta.base, delta.now) for delta in done.deltas(done.states[2])] == [("pass", "timeout")]
    assert done.deltas(done.states[1]) == ()


def test_what_a_patch_did_and_what_an_earlier_one_did() -> None:
    same = inherited(suite_results(2, Verdict.FAIL), 3)
    states = (suite_results(0), suite_results(1, Verdict.FAIL), suite_results(2, Verdict.FAIL), same, suite_results(4))
    done = Tested(states, "tcg", "asked for")
    assert [found and found.patch for found in map(done.previous_of, states)] == [None, 0, 1, 2, 3]
    assert [(delta.base, delta.now) for delta in done.deltas_previous(states[4])] == [("fail", "pass")]
    out = io.StringIO()
    console = Console(width=80, file=out)
    show(done, console)
    parts = out.getvalue().split("\n\n")[1:]
    assert "worse: t: pass, now fail\n" in parts[1]
    assert "worse: t: pass, now fail, as after patch 1\n" in parts[2]
    assert parts[3].startswith("patch 3: s (ok, same as patch 2)\nkernel, modules and tests are identical to patch 2's")
    assert "worse" not in parts[4]
    assert "better since patch 3: t: fail, now pass\n" in parts[4]


def test_many_tests_with_one_reason_are_one_line() -> None:
    def state(patch: int, said: str) -> StateTests:
        return make_tests(patch, *(f"t{number}={said}" for number in range(10)), suite="s")

    states = (state(0, "pass"), state(1, "abort:not-begun not begun: died"), state(2, "abort other"))
    out = io.StringIO()
    show(Tested((*states, state(3, "pass")), "tcg", "asked for"), Console(width=100, file=out))
    assert [line for line in out.getvalue().splitlines() if line.startswith(("worse", "better"))] == [
        "worse: t0 and 9 more tests: pass, now abort (not begun: died)",
        "worse: t0 and 9 more tests: pass, now abort (other), as after patch 1",
        "better since patch 2: t0 and 9 more tests: abort, now pass",
    ]


def test_what_was_worse_in_one_run_only_is_told() -> None:
    done = Tested((suite_results(0), repeated(suite_results(1), Repeats(2, 1), "t")), "tcg", "asked for")
    out = io.StringIO()
    show(done, Console(width=60, file=out))
    assert "t is unsteady: worse in 1 of 2 runs\n" in out.getvalue() and not done.findings


def test_what_is_worse_in_some_runs_still_was_not_mended() -> None:
    states = (suite_results(0), suite_results(1, Verdict.FAIL), repeated(suite_results(2), Repeats(2, 1), "t"))
    out = io.StringIO()
    show(Tested(states, "tcg", "asked for"), Console(width=60, file=out))
    assert "better" not in out.getvalue() and "t is unsteady" in out.getvalue()


def test_complaints_that_differ_in_a_number_alone_take_one_another_s_place() -> None:
    """Of two in a rerun the second is new; alone it is the base's, and nothing is left to tell of."""

    def log(*numbers: int) -> StateTests:
        said = [f"sysfs: cannot create duplicate filename '/devices/{number}'" for number in numbers]
        return logged(1, *(Trace(TraceKind.WARNING, line, line, 0) for line in said))

    assert merge_complaints(log(), log(22222, 33333), log(11111), {"t": 2}).results


def test_the_log_of_the_kernel_is_that_of_the_boot_it_complained_in(tmp_path: Path) -> None:
    """After an oops the tests left are run in another boot, whose console says nothing of it."""
    warning = Trace(TraceKind.WARNING, "WARNING: at x", "WARNING: at x", 5)
    job = Job("t", ("/t",), 1.0)
    done = JobOutcome(job, 0, Ending.EXIT, 1, 1.0, None, "exit status 1")

    def log(*boots: tuple[Trace, ...]) -> Path:
        ran = tuple(
            Boot(1.0, 1.0, 2.0, "6.1", "amd", tmp_path / f"console-{number}.log", "", traces)
            for number, traces in enumerate(boots, 1)
        )
        guest = GuestRun(GuestStatus.OK, "", (done,), ran)
        return Share(make_build(1), Plan("s", (), ""), {}, guest, first=True).tests().outputs[KERNEL_LOG]

    assert log((OOPS,), ()).name == "console-1.log"
    assert log((warning,), (OOPS,), ()).name == "console-2.log"
    assert log((), (warning,), (warning,)).name == "console-2.log"
    assert log((), ()).name == "console-2.log"


def test_it_is_kept_during_which_test_the_kernel_complained() -> None:
    """The first of the suite's own; what came during none, or another suite's, is not known."""

    def ended(name: str, *traces: Trace) -> JobOutcome:
        return JobOutcome(Job(name, ("/t",), 1.0), 0, Ending.EXIT, 1, 1.0, None, "exit status 1", traces=traces)

    outcomes = {
        ("s", "t", TEST): ended("t"),
        ("s", "u", TEST): ended("u", WARN),
        ("s", "v", TEST): ended("v", WARN, OOPS),
        ("other", "w", TEST): ended("w", SPLAT),
    }
    boot = Boot(1.0, 1.0, 2.0, "6.1", "amd", Path("console-1.log"), "", (STALL, WARN, OOPS, SPLAT))
    guest = GuestRun(GuestStatus.OK, "", tuple(outcomes.values()), (boot,))
    tests = Share(make_build(1), Plan("s", (), ""), outcomes, guest, first=True).tests()
    assert tests.heard == {WARN.identity: "u", OOPS.identity: "v"}


def test_no_more_guests_than_there_is_memory_for() -> None:
    assert guests_at_once(1) == 1
    assert 1 <= guests_at_once(None) <= max(1, len(os.sched_getaffinity(0)) // GUEST_CPUS)
    assert guests_at_once(100_000) < 100_000


@pytest.mark.parametrize(("width", "below"), [(40, True), (60, True), (80, True), (120, False)])
def test_results_fit_the_terminal(width: int, *, below: bool) -> None:
    why = "10 tests, 1 unexpected failures; worse in 3 of 3 runs"
    names = ("shootdown3@shadow", "svm_unsupported_instruction_intercept_test")
    results = [CaseResult(name, "", Verdict.FAIL, 12.5, why) for name in names]
    results += [CaseResult("hypercall", case, Verdict.FAIL, 1.0) for case in ("a", "b")]
    passed = StateTests(
        0, "s", SuiteStatus.OK, 1.0, tuple(CaseResult(name, "", Verdict.PASS, 1.0) for name in names), "ran"
    )
    worse = StateTests(
        1, "s", SuiteStatus.OK, 1.0, tuple(results), "2 tests: 2 fail; 1 boot with tcg, first test 2.4 s after it"
    )
    out = io.StringIO()
    console = Console(width=width, file=out)
    show(Tested((passed, worse), "tcg", "a trial guest with KVM failed: Assertion `ret == nmsrs' failed"), console)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines if names[1] not in line) <= width, "one word of 42 columns stays whole"
    assert any(line.startswith(f"  {names[0]}: ") for line in lines) is below, "the reasons"
    assert "10 tests, 1 unexpected failures; worse in 3 of 3 runs" in " ".join(out.getvalue().split())
    assert any(line.split()[:2] == [names[0], "fail"] for line in lines), "a name is not cut where its row has room"


def test_a_state_that_was_not_built_is_told_in_a_line() -> None:
    """And not once for each case that the base has, a thousand times."""
    results = (CaseResult("t", "", Verdict.PASS, 1.0), *(CaseResult("t", f"{n}", Verdict.PASS, 1.0) for n in range(99)))
    unbuilt = StateTests(1, "s", SuiteStatus.FAILED, 0.0, (), "it was not built: a.c:1: no")
    out = io.StringIO()
    show(
        Tested((StateTests(0, "s", SuiteStatus.OK, 1.0, results, "ran"), unbuilt), "", ""), Console(width=80, file=out)
    )
    _, _, shown = out.getvalue().partition("patch 1: s (failed)\n")
    assert shown == "it was not built: a.c:1: no\nworse: of 99 cases of the base none was run\n"


@pytest.mark.parametrize(
    ("accelerator", "flags", "expected"),
    [
        ("", "fpu vmx", set()),
        ("tcg", "fpu vmx", {"kvm-intel.ko"}),
        ("kvm", "fpu svm", {"kvm-intel.ko"}),
        ("kvm", "fpu vmx", {"kvm-amd.ko"}),
    ],
)
def test_modules_that_no_guest_loads(tmp_path: Path, accelerator: str, flags: str, expected: set[str]) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"vendor_id\t: x\nflags\t\t: {flags}\nbugs\t: svm_bug\n")
    assert host.never_loaded(accelerator, cpuinfo) == expected
