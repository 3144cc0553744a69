"""The order of a run, what it builds and tests, and what it makes of trouble. The rooms are given answers
(tests/results_fixtures.py); tests/kernel runs the real ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Semaphore

import pytest

from kpatch_tool.depend.model import Dependencies, EdgeKind, External
from kpatch_tool.errors import InputError, KptError, MachineError
from kpatch_tool.kbuild.model import Diagnostic, Module, StateBuild, Uncompiled
from kpatch_tool.progress import silent
from kpatch_tool.report import table
from kpatch_tool.report.alike import surely_back
from kpatch_tool.report.document import run_document
from kpatch_tool.report.findings import evidence
from kpatch_tool.report.letter import answered
from kpatch_tool.results.deltas import Change, compare
from kpatch_tool.results.record import Outcome, RunRecord, Stage
from kpatch_tool.results.repeats import Before, merge_rerun
from kpatch_tool.results.store import Store
from kpatch_tool.running.command import Rooms
from kpatch_tool.running.pipeline import Which, run
from kpatch_tool.series.model import Exactness
from kpatch_tool.suites.model import Repeats, StateTests, inherited
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.workspace import create
from tests.results_fixtures import (
    FakeSteps,
    Recorder,
    make_applied,
    make_build,
    make_series,
    make_tests,
    renamed,
    repeated,
)

SERIES = make_series("one", "two", "three")
SAME = ("vmexit=pass", "msr=fail")


def words(record: RunRecord, stage: Stage) -> list[str]:
    return [cell.text for patch in range(4) if (cell := record.cell(patch, stage))]


def builds(*modules: str) -> dict[int, StateBuild | KptError]:
    return {patch: make_build(patch, module=module) for patch, module in enumerate(modules)}


def same_results(*patches: int) -> dict[int, tuple[StateTests, ...] | KptError]:
    return {patch: (make_tests(patch, *SAME),) for patch in patches}


def test_what_the_base_passes_in_another_run_is_told_of_all_states() -> None:
    """A later state passes what the base failed by chance."""

    class Learning(FakeSteps):
        def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
            _, *later = found
            return (make_tests(0, "vmexit=pass", "msr=pass passes in one run of two"), *later)

    tests: dict[int, tuple[StateTests, ...] | KptError] = {
        **same_results(0, 1),
        2: (make_tests(2, "vmexit=pass", "msr=pass"),),
        3: (make_tests(3, *SAME),),
    }
    steps = Learning(make_applied(SERIES), builds("a", "b", "c", "d"), tests)
    seen = Recorder()
    record = run(SERIES, steps, seen)
    assert words(record, Stage.TEST) == ["2 cases", "1 worse", "same", "1 worse"]
    assert [cell.text for cell in seen.seen if (cell.patch, cell.stage) == (1, Stage.TEST)][-2:] == ["same", "1 worse"]


def test_a_good_series() -> None:
    steps, recorder = FakeSteps(make_applied(SERIES), builds("a", "b", "b", "c"), same_results(0, 1, 3)), Recorder()
    record = run(SERIES, steps, recorder)
    assert words(record, Stage.RESTORE) == ["intact"] * 3
    assert words(record, Stage.DEPS) == ["none", "1", "none"]
    assert words(record, Stage.APPLY) == ["clean"] * 3
    assert words(record, Stage.BUILD) == ["ok 2 s"] * 4
    assert words(record, Stage.TEST) == ["2 cases", "same", "= patch 1", "same"]
    assert [patch for patch, _ in steps.tested] == [0, 1, 3], "patch 2 changes no module: nothing to run"
    assert record.sentence == (
        "demo applies to toy; all 3 patches build without new warnings; all 2 test cases are as on the base."
    )
    assert (record.exit_status, record.problems) == (0, ())
    assert record.tests[2].why == "kernel, modules and tests are identical to patch 1's"
    deps = [cell.outcome for cell in recorder.seen if (cell.patch, cell.stage) == (2, Stage.DEPS)]
    assert deps == [Outcome.RUNNING, Outcome.WELL]


def test_what_no_guest_loads_is_not_tested() -> None:
    """Results that are as on the base say nothing of a module for another CPU."""
    both = builds("a", "b", "b", "b")
    for patch, intel in enumerate("cddc"):
        build = both[patch]
        assert isinstance(build, StateBuild)
        more = Module("arch/x86/kvm/kvm-intel.ko", intel * 64, 500)
        both[patch] = replace(build, modules=(*build.modules, more))
    record = run(SERIES, FakeSteps(make_applied(SERIES), both, same_results(0, 1, 2, 3)), Recorder())
    assert record.sentence.endswith(
        "are as on the base; what patches 1 and 3 change in kvm-intel.ko is not tested, no guest loads it here."
    )


def test_what_is_not_compiled_is_told() -> None:
    """That all patches build says nothing of it."""
    steps = FakeSteps(make_applied(SERIES), builds("a", "b", "b", "c"), same_results(0, 1, 3))
    steps.uncompiled = (Uncompiled(2, ("x.c", "y.S", "z.c")), Uncompiled(3, ("z.c",)))
    record = run(SERIES, steps, Recorder())
    assert record.sentence.endswith(
        "; what patch 2 changes in x.c and 1 more file is not compiled in this configuration; "
        "what patches 2 and 3 change in z.c is not compiled in this configuration."
    )
    assert run_document(record)["build"]["not_compiled"][1] == {"patch": 3, "files": ["z.c"]}


@pytest.mark.parametrize(("which", "runs"), [(Which.HEAD, [0, 3]), (Which.EACH, [0, 1, 2, 3])])
def test_which_states_are_tested(which: Which, runs: list[int]) -> None:
    steps = FakeSteps(make_applied(SERIES), builds("a", "b", "b", "c"), same_results(0, 1, 2, 3))
    record = run(SERIES, steps, Recorder(), which=which)
    assert [patch for patch, _ in steps.tested] == runs
    assert record.cell(1, Stage.TEST) is not None


def test_a_suite_whose_own_programs_changed_runs_again_alone() -> None:
    class Steps(FakeSteps):
        def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
            return f"{state.patch}" if suite == "selftests" else "same"

    both = {patch: (make_tests(patch, "a=pass"), make_tests(patch, "b=pass", suite="selftests")) for patch in range(3)}
    steps = Steps(make_applied(SERIES), builds("a", "a", "a"), both, suites=("kut", "selftests"))
    run(SERIES, steps, Recorder())
    assert steps.tested == [(0, ("kut", "selftests")), (1, ("selftests",)), (2, ("selftests",))]
    assert steps.spoken_for == [(1, "kut"), (2, "kut")]


def test_a_conflict_ends_it() -> None:
    record = run(SERIES, FakeSteps(make_applied(SERIES, "clean", "conflict", "skipped"), {}, {}), Recorder())
    assert words(record, Stage.APPLY) == ["clean", "conflict", "skipped"]
    assert words(record, Stage.TEST) == ["-", "-", "-"]
    assert record.sentence == "demo does not apply to toy: patch 2 conflicts (it is conflict)."
    assert record.exit_status == 1


def test_hidden_characters_are_a_finding_and_stop_nothing() -> None:
    applied = make_applied(SERIES)
    first, second, third = applied.patches
    applied = replace(applied, patches=(first, replace(second, hidden=("f.c:1 adds U+202E",)), third))
    record = run(SERIES, FakeSteps(applied, builds("a", "a", "a", "a"), same_results(0)), Recorder())
    cell = record.cell(2, Stage.APPLY)
    assert cell is not None
    assert (cell.outcome, cell.text, cell.why) == (Outcome.FINDING, "clean", "it is clean; f.c:1 adds U+202E")
    assert record.sentence.startswith("demo applies to toy, but patch 2 adds hidden characters; all 3 patches build")
    assert record.exit_status == 1


def test_a_patch_that_does_not_build_does_not_stop_the_next() -> None:
    error = Diagnostic("arch/x86/kvm/mmu.c", 7, "'sp' undeclared")
    built = builds("a", "b", "c", "d") | {2: make_build(2, "failed", errors=(error,), why="1 error")}
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(0, 1, 3)), Recorder())
    assert words(record, Stage.BUILD) == ["ok 2 s", "ok 2 s", "FAILED", "ok 2 s"]
    assert words(record, Stage.TEST) == ["2 cases", "same", "-", "same"]
    assert record.sentence == (
        "demo applies to toy; patch 2 does not build (arch/x86/kvm/mmu.c:7: 'sp' undeclared); "
        "patches 1 and 3 build without new warnings; all 2 test cases are as on the base."
    )
    assert record.exit_status == 1


def test_a_new_warning_is_a_finding_and_an_old_one_is_not() -> None:
    old, new = Diagnostic("a.c", 1, "old", "-Wold"), Diagnostic("b.c", 2, "unused x", "-Wunused-variable")
    built = builds("a", "b", "c", "d") | {
        0: make_build(0, warnings=(old,)),
        2: make_build(2, module="c", warnings=(old, new)),
        3: make_build(3, module="d", warnings=(old, new)),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(0, 1, 2, 3)), Recorder())
    assert words(record, Stage.BUILD) == ["ok 2 s", "ok 2 s", "1 warning", "1 warning"]
    assert "all 3 patches build with 1 new warning, first at patch 2 (b.c:2: unused x)" in record.sentence
    assert record.exit_status == 1


def test_the_tests_of_a_series_that_ends_unbuilt_are_those_of_its_last_state_that_was_tested() -> None:
    error = Diagnostic("a.c", 7, "'sp' undeclared")
    moved, other = replace(error, line=9), Diagnostic("b.c", 1, "no")
    failed = {
        patch: replace(make_build(patch, "failed", why=f"does not build: {errors[0].told}"), errors=errors)
        for patch, errors in ((2, (error,)), (3, (moved,)), (4, (moved, other)))
    }
    series = make_series("one", "two", "three", "four")
    record = run(
        series,
        FakeSteps(make_applied(series), builds("a", "b", "c", "d", "e") | failed, same_results(0, 1)),
        Recorder(),
    )
    assert record.sentence == (
        "demo applies to toy; patches 2, 3 and 4 do not build (a.c:7: 'sp' undeclared); patch 1 builds without new "
        "warnings; after patch 1, the last that was tested, all 2 test cases are as on the base."
    )
    said = [line.strip() for line in table.details(record) if line.strip().startswith("patch ")]
    assert said[0] == "patch 2: failed: does not build: a.c:7: 'sp' undeclared"
    assert said[1].startswith("patch 3: failed as after patch 2; log: ")
    assert said[2] == "patch 4: failed: does not build: a.c:9: 'sp' undeclared"


def test_what_mends_the_build_brings_no_warnings() -> None:
    """The base's own are not known then: they are none of the patch's."""
    old = Diagnostic("a.c", 1, "old", "-Wold")
    built = builds("a", "b", "c", "d") | {
        0: make_build(0, "failed", why="1 error"),
        1: make_build(1, "failed", why="1 error", warnings=(old,)),
        2: make_build(2, module="c", warnings=(old,)),
        3: make_build(3, module="d", warnings=(old,)),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(2, 3)), Recorder())
    assert words(record, Stage.BUILD) == ["FAILED", "as base", "ok 2 s", "ok 2 s"]
    assert record.sentence == (
        "demo applies to toy; the base itself does not build (1 error), and patch 1 does not for the same reason; "
        "patches 2 and 3 build."
    )


def test_nobody_is_blamed_for_what_keeps_the_base_from_building() -> None:
    old, new = (Diagnostic("a.c", line, f"'{name}' undeclared", "") for line, name in ((3, "old"), (9, "new")))
    built = builds("a", "b", "c", "d") | {
        0: make_build(0, "failed", errors=(old,), why="does not build: 'old'"),
        1: make_build(1, "failed", errors=(replace(old, line=4),), why="does not build: 'old'"),
        2: make_build(2, "failed", errors=(old, new), why="does not build: 'old'"),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(3)), Recorder())
    assert words(record, Stage.BUILD) == ["FAILED", "as base", "FAILED", "ok 2 s"]
    assert record.exit_status == 1 and answered(record) == 2 and not evidence(record, 1)
    assert "patch 1 does not for the same reason; patch 2 does not build" in record.sentence


def test_what_is_worse_before_the_guest_hangs_as_on_the_base_is_a_finding() -> None:
    hung = "the guest hung"
    tests = {
        0: (make_tests(0, "kernel log=pass", status="failed", why=hung),),
        1: (make_tests(1, "kernel log=fail", "kernel log/KASAN in f=fail", status="failed", why=hung),),
        **same_results(2, 3),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST)[1] == "FAILED"
    assert any("KASAN in f" in line for one in evidence(record, 1) for line in one.lines)


def test_nobody_is_blamed_for_what_keeps_the_base_from_booting() -> None:
    dead, other = "the guest did not boot: VFS", "the guest did not boot: Oops"
    tests = {patch: (make_tests(patch, status="failed", why=dead),) for patch in (0, 1)} | {
        2: (make_tests(2, status="failed", why=other),),
        3: (make_tests(3, "vmexit=pass"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST)[:3] == ["FAILED", "as base", "FAILED"]
    assert record.exit_status == 1 and answered(record) == 2 and not evidence(record, 1)


def test_regressions_and_repairs() -> None:
    tests = same_results(0, 1) | {
        2: (make_tests(2, "vmexit=fail", "msr=fail"),),
        3: (make_tests(3, "vmexit=pass", "msr=pass"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST) == ["2 cases", "same", "1 worse", "1 better"]
    assert record.sentence.endswith(
        "of 2 test cases 1 are as on the base, 1 better from patch 3 on (msr: fail, now pass); "
        "at patch 2, 1 case of vmexit worse, taken back later."
    )
    assert record.exit_status == 1


def test_the_sentence_says_which_patch_did_it() -> None:
    tests = {
        0: (make_tests(0, "vmexit=pass", "msr=pass", "tsc=fail"),),
        1: (make_tests(1, "vmexit=pass", "msr=fail", "tsc=timeout"),),
        2: (make_tests(2, "vmexit=fail", "msr=fail", "tsc=timeout"),),
        3: (make_tests(3, "vmexit=fail", "msr=fail", "tsc=timeout"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        "of 3 test cases 0 are as on the base, 1 worse from patch 1 on (msr: pass, now fail), "
        "1 worse from patch 2 on (vmexit: pass, now fail), 1 changed from patch 1 on (tsc: fail, now timeout)."
    )


def test_patches_between_that_do_not_build_may_have_done_it() -> None:
    built = builds("a", "b", "c", "d") | {2: make_build(2, "failed", why="1 error")}
    tests = same_results(0, 1) | {3: (make_tests(3, "vmexit=fail", "msr=fail"),)}
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, tests), Recorder())
    assert record.sentence.endswith("1 worse by one of patches 2 and 3 (vmexit: pass, now fail).")


def test_what_is_broken_between_is_told_once() -> None:
    why = "its modules are not loaded: loading kvm_amd: device or resource busy"
    tests = same_results(0) | {
        1: (make_tests(1, "vmexit=abort", "msr=abort", status="failed", why=why),),
        2: (make_tests(2, "vmexit=abort", "msr=abort", status="failed", why=why),),
        3: (make_tests(3, "vmexit=pass", "msr=fail"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        f"patches 1 and 2 do not get through kut ({why}); all 2 test cases are as on the base."
    )
    assert [line.strip() for line in table.details(record)][-2:] == [
        f"patch 1, kut: failed: {why}",
        "patch 2, kut: failed as after patch 1",
    ]


def test_what_is_broken_for_another_reason_at_the_end_is_told_as_well() -> None:
    """The kernel dies after patch 1, which patch 2 mends; after patch 3 the module does not load."""
    tests = same_results(0, 2) | {
        1: (make_tests(1, "vmexit=abort", "msr=abort", status="failed", why="the guest's kernel died"),),
        3: (make_tests(3, "vmexit=abort", "msr=abort", status="failed", why="its modules are not loaded"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        "; patch 1 does not get through kut (the guest's kernel died); "
        "patch 3 does not get through kut (its modules are not loaded)."
    )


@pytest.mark.parametrize("status", ["failed", "infra"])
def test_a_state_that_says_nothing_takes_nothing_back(status: str) -> None:
    """Patch 1 breaks vmexit; after patch 2 or 3 the kernel does not boot, or this machine fails."""
    said = {"failed": "do not get through kut (why)", "infra": "could not be tested with kut on this machine (why)"}
    kut = {0: make_tests(0, *SAME), 1: make_tests(1, "vmexit=fail", "msr=fail")}
    kut |= {number: make_tests(number, status=status, why="why") for number in (2, 3)}
    tests = {number: (one,) for number, one in kut.items()}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        f"patches 2 and 3 {said[status]}; after patch 1, the last that was tested, of 2 test cases 1 are as on the "
        "base, 1 worse from patch 1 on (vmexit: pass, now fail)."
    )
    both = {number: (one, make_tests(number, "tlb=pass", suite="kpt-guest")) for number, one in kut.items()}
    steps = FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), both, suites=("kut", "kpt-guest"))
    record = run(SERIES, steps, Recorder())
    assert "taken back" not in record.sentence
    assert record.sentence.endswith("1 worse from patch 1 on (vmexit: pass, now fail).")


def test_what_is_taken_back_before_the_end_is_told_though_the_end_is_broken() -> None:
    tests = same_results(0, 2) | {
        1: (make_tests(1, "vmexit=fail", "msr=fail"),),
        3: (make_tests(3, status="failed", why="why"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        "; patch 3 does not get through kut (why); at patch 1, 1 case of vmexit worse, taken back later."
    )


def test_what_the_same_kernel_does_not_get_through_is_one_finding() -> None:
    """It is not tested, and says so; that no case ran on either is nothing that one of the two patches did."""
    why = "no job could be started: the guest's kernel died"
    broken = make_tests(2, "vmexit=abort", "msr=abort", status="failed", why=why)
    tests = same_results(0, 1) | {2: (broken,), 3: (inherited(broken, 3),)}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(f"; patches 2 and 3 do not get through kut ({why}).")
    assert [line.strip() for line in table.details(record)][-2:] == [
        f"patch 2, kut: failed: {why}",
        "patch 3, kut: failed as after patch 2",
    ]


def test_what_was_worse_in_some_runs_only_is_no_all_clear() -> None:
    def shaken(patch: int, *names: str) -> StateTests:
        return repeated(make_tests(patch, *SAME), Repeats(2, 1), *names)

    for names, told in ((("vmexit",), "vmexit"), (("vmexit", "msr"), "vmexit and 1 more test")):
        flaky = shaken(2, *names)
        tests = same_results(0, 1) | {2: (flaky,), 3: (inherited(flaky, 3),)}
        record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
        assert record.sentence.endswith(
            f"as on the base; at patch 2 {told} worse in some runs only, which is no verdict: "
            "`kpt bisect --test vmexit` looks more often."
        )
        assert record.exit_status == 0


def test_what_is_taken_back_later_is_counted_by_tests() -> None:
    cases = ("vmexit", "vmexit/one", "msr", "msr/two")
    for more, told in (((), "2 cases of vmexit and msr"), (("tlb",), "3 cases of vmexit and 2 more tests")):
        every = (*cases, *more)
        tests = {number: (make_tests(number, *(f"{case}=pass" for case in every)),) for number in (0, 1, 3)}
        tests[2] = (make_tests(2, *(f"{case}=fail" for case in every)),)
        record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
        assert record.sentence.endswith(f"at patch 2, {told} worse, taken back later.")


def test_what_is_not_reached_later_is_not_taken_back_nor_the_doing_of_the_patch_it_ends_at() -> None:
    """Patch 1 breaks the test, and the emulator dies in it ever after, a little earlier after patch 3."""
    died = "apic=abort:emulator-died the emulator died: an assertion"
    tests = {
        0: (make_tests(0, "apic=pass", "apic/one=pass", "apic/two=pass", "apic/three=pass", "apic/four=pass"),),
        1: (make_tests(1, died, "apic/one=fail", "apic/two=fail", "apic/three=pass"),),
        2: (make_tests(2, died, "apic/one=fail", "apic/two=fail", "apic/three=pass"),),
        3: (make_tests(3, died, "apic/one=fail"),),
    }
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith(
        "of 4 test cases 0 are as on the base, 1 worse from patch 1 on (apic: one: pass, now fail), "
        "3 changed from patch 1 on (apic: pass, now abort); "
        "at patch 1, 1 case of apic worse, not reached later."
    )


def test_all_that_is_taken_back_later_is_told_where_it_came() -> None:
    """A fault that another patch mends must not hide the next one; what an earlier patch did is told there."""
    series = make_series(*"123456")
    why = "1 complaint: BUG: soft lockup"
    log = {
        4: ("vmexit=pass", "kernel log=fail"),
        5: ("vmexit=abort", "kernel log=fail", "kernel log/BUG: bad page=fail"),
    }
    silent = {2: ("vmexit=fail", "kernel log=pass"), 3: ("vmexit=fail", "kernel log=pass")}
    said = {number: make_tests(number, "vmexit=pass", "kernel log=pass") for number in (0, 1, 6)}
    said |= {number: make_tests(number, *results) for number, results in (silent | log).items()}
    said[4] = replace(said[4], results=tuple(replace(one, said=why) for one in said[4].results))
    tests = {number: (one,) for number, one in said.items()}
    record = run(series, FakeSteps(make_applied(series), builds(*"abcdefg"), tests), Recorder())
    assert record.sentence.endswith(
        "as on the base; at patch 2, 1 case of vmexit worse, taken back later; "
        f"at patch 4 the kernel says {why}, taken back later; "
        "at patch 5, 1 case of vmexit worse (the kernel says BUG: bad page), taken back later."
    )


def test_a_case_of_some_runs_is_not_taken_back_by_a_patch_after_which_its_test_is_worse() -> None:
    def failing(patch: int, *cases: str) -> StateTests:
        wrong = {f"vmexit/{case}" for case in cases}
        names = ("vmexit", "vmexit/one", "vmexit/two", "vmexit/three")
        results = (f"{name}={'fail' if wrong and name in wrong | {'vmexit'} else 'pass'}" for name in names)
        return make_tests(patch, *results)

    mixed = merge_rerun(failing(2, "one", "two"), failing(2, "one"), failing(0), {"vmexit": 2})
    said = {0: failing(0), 1: failing(1), 2: mixed, 3: failing(3, "three")}
    tests = {number: (one,) for number, one in said.items()}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert record.sentence.endswith("; at patch 2, 1 case of vmexit worse, taken back later."), "one, not two"
    mended = [delta for delta in compare(said[3], mixed) if delta.change is Change.BETTER]
    assert [delta.case for delta in surely_back(mended, mixed, said[3], said[0])[0]] == ["one"]


def test_many_tests_with_one_reason_are_one_line() -> None:
    """What the kernel said comes behind them, and must be seen."""
    names = [f"t{number}" for number in range(40)]
    tests = {number: (make_tests(number, *(f"{name}=pass" for name in names), "log=pass"),) for number in range(3)}
    why = "not begun: the guest's kernel died"
    idle = (f"{name}=abort:not-begun {why}" for name in names[:38])
    ended = make_tests(3, *idle, "t38=pass", "t39=fail", "log=fail")
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests | {3: (ended,)}), Recorder())
    assert [line.strip() for line in table.details(record)][-3:] == [
        f"patch 3, kut: worse   t0 and 37 more tests: pass, now abort ({why})",
        "patch 3, kut: worse   t39: pass, now fail",
        "patch 3, kut: worse   log: pass, now fail",
    ]
    mended = {3: (make_tests(3, *(f"{name}=pass" for name in names), "log=pass"),), 2: (replace(ended, patch=2),)}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests | mended), Recorder())
    assert [line.strip() for line in table.details(record)][-3:] == [
        "patch 3, kut: better  by this patch: t0 and 37 more tests: abort, now pass",
        "patch 3, kut: better  by this patch: t39: fail, now pass",
        "patch 3, kut: better  by this patch: log: fail, now pass",
    ]


def test_a_state_that_does_not_boot() -> None:
    tests = same_results(0, 1, 2) | {3: (make_tests(3, status="failed", why="the guest's kernel panicked"),)}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST)[3] == "FAILED"
    assert "patch 3 does not get through kut (the guest's kernel panicked)" in record.sentence
    assert record.exit_status == 1


def test_the_machine_fails_in_the_build() -> None:
    built = builds("a", "b", "c", "d") | {2: MachineError("cannot write: no space left on device", where="o")}
    steps = FakeSteps(make_applied(SERIES), built, same_results(0, 1))
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.BUILD) == ["ok 2 s", "ok 2 s", "cannot", "cannot"]
    assert words(record, Stage.TEST) == ["2 cases", "same", "-", "-"], "what was built is tested all the same"
    assert record.problems == ("build: o: cannot write: no space left on device",)
    untested = record.cell(3, Stage.TEST)
    assert untested is not None and untested.why == "not built"
    assert record.exit_status == 3


def test_a_suite_that_is_named_twice_counts_once() -> None:
    steps = FakeSteps(make_applied(SERIES), builds("a", "b", "b", "c"), same_results(0, 1, 3), suites=("kut", "kut"))
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.TEST) == ["2 cases", "same", "= patch 1", "same"]
    assert len(record.tests) == 4


def test_what_the_machine_could_not_do_outweighs_what_was_found() -> None:
    full = MachineError("cannot write: no space left on device", where="o")
    built = builds("a", "b", "c", "d") | {1: make_build(1, "failed", why="1 error"), 3: full}
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(0, 2)), Recorder())
    assert words(record, Stage.BUILD) == ["ok 2 s", "FAILED", "ok 2 s", "cannot"]
    assert record.exit_status == 3


def test_no_qemu() -> None:
    missing = MachineError("no qemu", todo="run `kpt doctor`")
    steps = FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), dict.fromkeys(range(4), missing))
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.TEST) == ["cannot"] * 4
    assert record.problems == ("test: no qemu; run `kpt doctor`",)
    assert record.sentence == "demo applies to toy; all 3 patches build without new warnings."
    assert record.exit_status == 3


def test_a_base_that_this_machine_could_not_test_is_not_compared_with() -> None:
    tests = same_results(0, 1, 2, 3) | {0: (make_tests(0, status="infra", why="no memory"),)}
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST) == ["cannot", "no base", "no base", "no base"]
    cell = record.cell(1, Stage.TEST)
    assert cell is not None and cell.why == "ran; kut: the base was not tested"
    assert record.exit_status == 3


def test_what_one_guest_found_is_not_lost_when_another_could_not_run() -> None:
    steps = Together(make_applied(SERIES), builds("a", "b", "c", "d"), same_results(0, 1, 2, 3))
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.TEST) == ["2 cases", "cannot", "same", "same"]
    assert record.exit_status == 3


def test_a_disk_that_is_full_anywhere_in_a_room_ends_the_stage_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object, **__: object) -> StateBuild:
        with Path("/dev/full").open("w") as full:
            full.write("a note")
        raise AssertionError

    monkeypatch.setattr("kpatch_tool.testing.tester.build_state", fill)
    workspace = create(tmp_path)
    kernel = Tree("toy", tmp_path, "0" * 40)
    with Store(workspace) as store:
        tester = Tester(workspace, kernel, store)
        rooms = Rooms(workspace, tmp_path, kernel, "x86_64", ("kut",), tester, 1, silent)
        built = builds("a", "b", "c", "d")
        steps = FakeSteps(make_applied(SERIES), built, same_results(0, 1, 2, 3))
        monkeypatch.setattr(
            steps, "build", lambda state: rooms.build(state) if state.patch == 2 else built[state.patch]
        )
        record = run(SERIES, steps, Recorder())
    assert words(record, Stage.BUILD) == ["ok 2 s", "ok 2 s", "cannot", "cannot"]
    assert words(record, Stage.TEST)[:2] == ["2 cases", "same"]
    assert "no space left on device" in record.problems[0]


class Together(FakeSteps):
    """Three states are tested at once; the first of them fails when the others have their results."""

    guests = 3
    others = Semaphore(0)

    def test(self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before) -> tuple[StateTests, ...]:
        if state.patch == 1:
            for _ in range(2):
                self.others.acquire(timeout=10)
            time.sleep(0.2)
            raise MachineError("no memory")
        found = super().test(state, build, suites, before)
        if state.patch > 1:
            self.others.release()
        return found


def test_an_infra_result_is_no_verdict_for_the_next_state() -> None:
    tests = {patch: (make_tests(patch, status="infra", why="no memory"),) for patch in range(2)}
    steps = FakeSteps(make_applied(SERIES), builds("a", "a"), tests)
    record = run(SERIES, steps, Recorder())
    assert [patch for patch, _ in steps.tested] == [0, 1], "tried again, although nothing changed"
    assert record.problems == (
        "the base could not be tested with kut: no memory",
        "patch 1 could not be tested with kut: no memory",
    )
    assert record.exit_status == 3


def test_damaged_patches_are_restored_first() -> None:
    damaged = make_series("one", "two", exactness=Exactness.DAMAGED)
    restored = renamed(damaged, Exactness.PROVEN)
    recorder = Recorder()
    steps = FakeSteps(make_applied(restored), builds("a", "b", "c"), same_results(0, 1, 2), restored=restored)
    record = run(damaged, steps, recorder)
    assert words(record, Stage.RESTORE) == ["proven", "proven"]
    assert [patches[0].exactness for patches in recorder.known] == ["damaged", "proven"]


def test_a_damaged_series_that_cannot_be_applied_is_the_user_s_business() -> None:
    damaged = make_series("one", exactness=Exactness.DAMAGED)
    steps = FakeSteps(InputError("patch 1 is damaged"), {}, {}, restored=MachineError("no git"))
    with pytest.raises(InputError, match="patch 1 is damaged"):
        run(damaged, steps, Recorder())


def test_what_this_machine_cannot_apply_is_not_built() -> None:
    record = run(SERIES, FakeSteps(MachineError("no space left on device"), {}, {}), Recorder())
    assert (record.exit_status, record.problems) == (3, ("apply: no space left on device",))
    assert record.sentence == "demo was not applied to toy."
    left = [record.cell(1, stage) for stage in (Stage.APPLY, Stage.BUILD, Stage.TEST)]
    assert [(cell.outcome, cell.why) for cell in left if cell] == [
        (Outcome.INFRA, "no space left on device"),
        (Outcome.SKIPPED, "the series was not applied"),
        (Outcome.SKIPPED, "the series was not applied"),
    ]


def test_dependencies_that_fail_stop_nothing() -> None:
    steps = FakeSteps(make_applied(SERIES), builds("a", "b"), same_results(0, 1), needs=MachineError("no git"))
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.DEPS) == ["cannot"] * 3
    assert record.sentence.startswith("demo applies to toy; patch 1 builds")
    assert record.exit_status == 3


def test_a_missing_prerequisite_is_a_finding() -> None:
    needs = Dependencies((), (), (External(1, EdgeKind.REVERT, "5befdc385ddb", False, "reverts it"),))
    record = run(SERIES, FakeSteps(make_applied(SERIES), builds("a"), same_results(0), needs=needs), Recorder())
    cell = record.cell(1, Stage.DEPS)
    assert cell is not None and (cell.text, cell.outcome) == ("lacks", Outcome.FINDING)


def test_a_tree_that_has_it_all() -> None:
    record = run(SERIES, FakeSteps(make_applied(SERIES, *["already"] * 3), builds("a"), same_results(0)), Recorder())
    assert record.sentence == (
        "toy has all of demo already; the base gives 2 test cases, there is nothing to compare with it."
    )
    assert words(record, Stage.BUILD) == ["ok 2 s", "-", "-", "-"]
    assert record.exit_status == 0


def test_a_base_that_does_not_build() -> None:
    built = builds("a", "b") | {0: make_build(0, "failed", why="make stopped")}
    record = run(SERIES, FakeSteps(make_applied(SERIES), built, same_results(1)), Recorder())
    assert "the base itself does not build (make stopped); patch 1 builds" in record.sentence
    assert words(record, Stage.TEST) == ["no base", "-", "-"]


def test_a_tree_that_cannot_be_built() -> None:
    steps = FakeSteps(make_applied(SERIES), builds("a"), {})
    steps.unbuildable = "it is made of the series' own lines"
    record = run(SERIES, steps, Recorder())
    assert words(record, Stage.BUILD) == ["-", "-", "-"]
    assert record.sentence == "demo applies to toy; nothing was built: it is made of the series' own lines."
    assert record.exit_status == 0


def test_one_state_is_tested_while_the_next_is_built() -> None:
    tested, built = Event(), Event()

    class Steps(FakeSteps):
        def build(self, state: State) -> StateBuild:
            if state.patch == 1:
                assert tested.wait(5), "the base is tested before patch 1 is built"
                built.set()
            return super().build(state)

        def test(
            self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before
        ) -> tuple[StateTests, ...]:
            tested.set()
            assert built.wait(5)
            return super().test(state, build, suites, before)

    recorder = Recorder()
    record = run(SERIES, Steps(make_applied(SERIES), builds("a", "b"), same_results(0, 1)), recorder)
    assert words(record, Stage.TEST)[:2] == ["2 cases", "same"]
    seen = [(cell.patch, cell.stage) for cell in recorder.seen if cell.outcome is Outcome.RUNNING]
    assert seen.index((0, Stage.TEST)) < seen.index((1, Stage.TEST))


def test_guests_side_by_side_are_compared_with_a_base_that_takes_longer() -> None:
    second = Event()

    class Steps(FakeSteps):
        guests = 2

        def test(
            self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before
        ) -> tuple[StateTests, ...]:
            if state.patch == 0:
                assert second.wait(5), "patch 1 is tested beside it"
            else:
                second.set()
            found = super().test(state, build, suites, before)
            assert [tests.patch for tests in before.base()] == ([0] if state.patch else [])
            assert [tests.patch for tests in before.previous()] == ([state.patch - 1] if state.patch > 1 else [])
            return found

    tests = same_results(0, 1, 2, 3) | {2: (make_tests(2, "vmexit=fail", "msr=fail"),)}
    record = run(SERIES, Steps(make_applied(SERIES), builds("a", "b", "c", "d"), tests), Recorder())
    assert words(record, Stage.TEST) == ["2 cases", "same", "1 worse", "same"]
    assert [tests.patch for tests in record.tests] == [0, 1, 2, 3]


def test_a_build_is_told_before_its_suites_are_built() -> None:
    recorder = Recorder()

    class Steps(FakeSteps):
        def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
            told = [cell.text for cell in recorder.seen if (cell.patch, cell.stage) == (state.patch, Stage.BUILD)]
            assert told == ["...", "ok 2 s"]
            return super().fingerprint(state, build, suite)

    record = run(SERIES, Steps(make_applied(SERIES), builds("a", "b"), same_results(0, 1)), recorder)
    assert words(record, Stage.TEST)[:2] == ["2 cases", "same"]


def test_builds_stand_back_from_guests_and_the_base_has_none_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = []

    def note(*_: object, **options: object) -> StateBuild:
        aside.append(options["aside"])
        return make_build(0)

    monkeypatch.setattr("kpatch_tool.testing.tester.build_state", note)
    workspace = create(tmp_path)
    kernel = Tree("toy", tmp_path, "0" * 40)
    with Store(workspace) as store:
        tester = Tester(workspace, kernel, store)
        rooms = Rooms(workspace, tmp_path, kernel, "x86_64", ("kut",), tester, 1, silent)
        for patch in (0, 1):
            rooms.build(State(patch, "1" * 40, "2" * 40))
    assert aside == [False, True]
