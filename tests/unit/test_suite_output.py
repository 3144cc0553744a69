"""Outputs and statuses of tests -> verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.results.deltas import compare
from kpatch_tool.suites import jobs, output, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import Cause, StateTests, SuiteStatus, Test, Verdict
from kpatch_tool.suites.run import Options
from kpatch_tool.vm.model import Ending, Job, JobOutcome

SERIAL = b"""\
enabling apic\r
PASS: first\r
FAIL: second: got 3\r
SKIP: third\r
XFAIL: fourth\r
XPASS: fifth\r
PASS: first\r
PASS: \x1b[31mred\xff\r
not PASS: in the middle\r
INFO: nothing\r
SUMMARY: 7 tests, 2 unexpected failures, 1 expected failures, 1 skipped\r
"""


def status_of(code: int) -> int:
    """What QEMU makes of a code given to isa-debug-exit, as the host's shell sees it."""
    return (code << 1 | 1) & 0xFF


def test_cases_in_order_with_stable_names() -> None:
    cases = output.unit_test_cases("t", SERIAL, 1.5)
    assert [(case.case, case.verdict) for case in cases] == [
        ("first", Verdict.PASS),
        ("second: got 3", Verdict.FAIL),
        ("third", Verdict.SKIP),
        ("fourth", Verdict.PASS),
        ("fifth", Verdict.FAIL),
        ("first #2", Verdict.PASS),
        ("\\x1b[31mredÿ", Verdict.PASS),
    ]
    assert {case.seconds for case in cases} == {1.5}
    assert cases[3].why == "failed as expected"


def test_no_two_cases_have_a_name_between_them() -> None:
    base, state = (
        StateTests(patch, "s", SuiteStatus.OK, 1.0, output.unit_test_cases("t", text, 0), "ran")
        for patch, text in enumerate((b"PASS: a\nPASS: a\nPASS: a #2\n", b"PASS: a\nFAIL: a\nPASS: a #2\n"))
    )
    assert [case.case for case in base.results] == ["a", "a #2", "a #2 #2"]
    assert [(delta.case, delta.now) for delta in compare(state, base)] == [("a #2", "fail")]
    literal_first = output.unit_test_cases("t", b"PASS: a #2\nPASS: a\nPASS: a\n", 0)
    assert [case.case for case in literal_first] == ["a #2", "a", "a #3"]


def test_cases_are_bounded() -> None:
    cases = output.unit_test_cases("t", b"PASS: " + b"x" * 10_000 + b"\n" + b"PASS: y\n" * 30_000, 0)
    assert len(cases) == output.MAX_CASES
    assert len(cases[0].case) == output.MAX_NAME


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, output.Said(Verdict.PASS, "2 tests")),
        (1, output.Said(Verdict.FAIL, "2 tests")),
        (77 >> 1, output.Said(Verdict.SKIP, "2 tests")),
        (63, output.Said(Verdict.ABORT, "2 tests")),
        (2, output.Said(Verdict.FAIL, "2 tests")),
        (64, output.Said(Verdict.ABORT, "terminated on SIGHUP")),
        (67, output.Said(Verdict.ABORT, "terminated on SIGBUS")),
    ],
)
def test_codes_of_a_unit_test(code: int, said: output.Said) -> None:
    assert output.unit_test_status(status_of(code), b"PASS: a\r\nSUMMARY: 2 tests\r\n") == said


WARNING = b"qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]\n"
REFUSED = b"qemu-system-x86_64: Property 'cpu.warp' not found\n"
STOPPED = b"qemu-system-x86_64: terminating on signal 15 from pid 77 (timeout)\n"


@pytest.mark.parametrize(
    ("status", "text", "errors", "verdict", "why"),
    [
        (1, b"SUMMARY: 1 tests\n", WARNING, Verdict.PASS, "1 tests"),
        (1, b"SUMMARY: 1 tests\n", WARNING + REFUSED, Verdict.FAIL, "1 tests; QEMU: Property 'cpu.warp' not found"),
        (1, b"", REFUSED, Verdict.FAIL, "QEMU: Property 'cpu.warp' not found"),
        (3, b"SUMMARY: 1 tests, 1 unexpected failures\n", REFUSED, Verdict.FAIL, "1 tests, 1 unexpected failures"),
        (0, b"", b"", Verdict.ABORT, "QEMU ended by itself with status 0"),
        (0, b"", STOPPED, Verdict.ABORT, "terminated on SIGTERM"),
        (2, b"", REFUSED, Verdict.ABORT, "QEMU ended by itself with status 2; QEMU: Property 'cpu.warp' not found"),
        (124, b"", b"", Verdict.TIMEOUT, "the test timed out"),
        (134, b"", b"qemu: assertion\n", Verdict.ABORT, "terminated on SIGABRT"),
        (77, b"", b"", Verdict.SKIP, "the test skipped itself"),
        (127, b"PASS: a\nABORT: trap 8\r\n", b"", Verdict.ABORT, "trap 8"),
        (127, b"PASS: a\n", b"", Verdict.ABORT, "the test called abort()"),
        (5, b"", b"", Verdict.FAIL, "the test ended with code 2"),
    ],
)
def test_how_qemu_ended(status: int, text: bytes, errors: bytes, verdict: Verdict, why: str) -> None:
    assert output.unit_test_status(status, text, errors) == output.Said(verdict, why)


def test_the_summary_is_sought_where_upstream_seeks_it() -> None:
    early = b"SUMMARY: 1 tests\n" + b"more\n" * 5
    assert output.unit_test_status(1, early).why == ""
    late = b"SUMMARY: 9 tests\nSUMMARY: 1 tests\n" + b"more\n" * 4
    assert output.unit_test_status(1, late).why == "1 tests"
    # What QEMU itself says is not among the lines of the test.
    assert output.unit_test_status(1, late + WARNING * 3, WARNING * 3).why == "1 tests"
    assert output.unit_test_status(1, b" SUMMARY: 1 tests\n").why == ""


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (b"qemu-system-x86_64: could not open kernel file '_NO_FILE_4Uhere_': No such file or directory\n", None),
        (WARNING + b"qemu: could not load kernel '_NO_FILE_4Uhere_'\n", None),
        (b"qemu-system-x86_64: Error loading uncompressed kernel _NO_FILE_4Uhere_: error loading it\n", None),
        (WARNING + REFUSED + b"\n", "qemu-system-x86_64: Property 'cpu.warp' not found"),
        (b"could not open kernel file 'another'\n", "could not open kernel file 'another'"),
        (b"", "QEMU ended without a word"),
    ],
)
def test_whether_qemu_looked_for_the_image(errors: bytes, reason: str | None) -> None:
    assert output.premature_failure(1, errors) == reason


def test_a_qemu_that_aborts_before_it_looks() -> None:
    said = b"qemu-system-x86_64: kvm_buf_set_msrs: Assertion failed.\n"
    reason = "QEMU Aborted: qemu-system-x86_64: kvm_buf_set_msrs: Assertion failed."
    assert output.premature_failure(134, said) == reason
    row = planned()
    (whole,) = jobs.results(row, outcome(row, Ending.SIGNAL, 6), outcome(row, Ending.SIGNAL, 6, errors=said))
    assert (whole.verdict, whole.why) == (Verdict.SKIP, reason)


def test_selftests() -> None:
    assert output.selftest_status(0, b"").verdict is Verdict.PASS
    assert output.selftest_status(4, b"1..0 # SKIP no nested\n") == output.Said(Verdict.SKIP, "1..0 # SKIP no nested")
    failed = b"==== Test Assertion Failure ====\n  lib/kvm_util.c:5: ret == 0\n  pid=1 tid=1 errno=22\n  (stack)\n"
    assert output.selftest_status(254, failed) == output.Said(Verdict.FAIL, "lib/kvm_util.c:5: ret == 0 (stack)")
    cases = output.tap_cases("t", b"TAP version 13\nok 1 one\nnot ok 2 - two\nok 3 three # SKIP no\n", 0)
    assert [(c.case, c.verdict) for c in cases] == [
        ("one", Verdict.PASS),
        ("two", Verdict.FAIL),
        ("three", Verdict.SKIP),
    ]


@pytest.mark.parametrize(
    ("line", "name", "verdict", "why"),
    [
        (b"ok 2 - nested #2 # SKIP no nested virtualisation", "nested #2", Verdict.SKIP, "no nested virtualisation"),
        (b"ok 2 - nested #2", "nested #2", Verdict.PASS, ""),
        (b"not ok 3 - vcpu #1 halted # SKIP", "vcpu #1 halted", Verdict.SKIP, ""),
        (b"not ok 3 - vcpu #1 halted", "vcpu #1 halted", Verdict.FAIL, ""),
        (b"ok 2 # SKIP b needs Y", "b needs Y", Verdict.SKIP, ""),
        (b"ok 2 # XFAIL b", "b", Verdict.PASS, "failed as expected"),
        (b"not ok 2 # error b", "b", Verdict.FAIL, ""),
        (b"not ok 6 foo # TODO known", "foo", Verdict.PASS, "failed as expected"),
        (b"ok 6 foo # todo", "foo", Verdict.PASS, ""),
        (b"ok 7 foo # skipped: no", "foo", Verdict.SKIP, "no"),
        (b"ok 8", "8", Verdict.PASS, ""),
        (b"not ok 8 -", "8", Verdict.FAIL, ""),
        (b"ok 9 # SKIP", "9", Verdict.SKIP, ""),
    ],
)
def test_a_line_of_tap(line: bytes, name: str, verdict: Verdict, why: str) -> None:
    (case,) = output.tap_cases("t", b"TAP version 13\n1..1\n" + line + b"\n# ok 1 no case\nok then\n", 0)
    assert (case.case, case.verdict, case.why) == (name, verdict, why)


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        (b"  (stack trace empty)\n  KVM allowed CR4 bit 0x800\n", "x.c:39: rc KVM allowed CR4 bit 0x800"),
        (
            b"     1\t0x0000402e: main at x.c:39\n     2\t0x7f: ?? ??:0\n  Wanted 1, got 2\nmore\n",
            "x.c:39: rc Wanted 1, got 2",
        ),
        (b"     1\t0x0000402e: main at x.c:39\n", "x.c:39: rc pid=28 tid=28 errno=22 - Invalid argument"),
        (b"", "x.c:39: rc pid=28 tid=28 errno=22 - Invalid argument"),
    ],
)
def test_an_assertion_of_a_selftest_is_told_by_its_message(behind: bytes, why: str) -> None:
    head = b"==== Test Assertion Failure ====\n  x.c:39: rc\n  pid=28 tid=28 errno=22 - Invalid argument\n"
    assert output.selftest_status(254, b"a test\n" + head + behind).why == why
    assert output.selftest_status(254, head.splitlines()[0]).verdict is Verdict.FAIL


WORDS = ("-smp", "2", "-append", "a b", "-cpu", "max")
TEST = Test(suite="s", name="t", path=Path("/host/t.flat"), timeout=9.0, duration="9", qemu_args=WORDS)


def planned(test: Test = TEST, variant: str = "default") -> jobs.Planned:
    (row,) = jobs.plan("s", SuiteKind.UNIT_TESTS, [test], [variants.known()[variant]], None)
    return row


def test_the_nested_command_line_is_upstreams() -> None:
    row = planned()
    assert row.job is not None
    assert row.probe is not None
    text = " ".join(row.job.argv)
    assert "-device isa-debug-exit,iobase=0xf4,iosize=0x4" in text
    end = "-smp 2 -append a b -cpu max -initrd /kpt/environment"
    assert text.endswith(f"-machine accel=kvm -kernel /kpt/tests/s/t.flat {end}")
    assert "a b" in row.job.argv
    # Upstream asks QEMU for an image that is not there first; here only where the test printed nothing.
    assert " ".join(row.probe.argv) == text.replace("/kpt/tests/s/t.flat", "_NO_FILE_4Uhere_")
    assert row.probe.checks == ("/kpt/printed=no",)
    assert planned(variant="shadow").name == "t@shadow"


def test_on_this_machine_the_command_line_is_the_same() -> None:
    place = jobs.Place("/opt/qemu", "tcg", "/tmp/env", None)
    (row,) = jobs.plan("s", SuiteKind.UNIT_TESTS, [TEST], [variants.known()["default"]], 5.0, place=place)
    there = planned().job
    assert row.job is not None
    assert there is not None
    swap = {"/opt/qemu": there.argv[0], "accel=tcg": "accel=kvm", "/host/t.flat": "/kpt/tests/s/t.flat"}
    assert tuple({**swap, "/tmp/env": "/kpt/environment"}.get(word, word) for word in row.job.argv) == there.argv
    assert (row.job.timeout, row.fixed) == (5.0, True)


def test_the_environment_of_a_test() -> None:
    text = jobs.environment("tcg", "7.2.22 (Debian 1:7.2)", "6.1.0-49-amd64").decode()
    assert text.splitlines() == [
        "TARGET=",
        "QEMU_ACCEL=tcg",
        "QEMU_VERSION_STRING=QEMU emulator version 7.2.22 (Debian 1:7.2)",
        *("QEMU_MAJOR=7", "QEMU_MINOR=2", "QEMU_MICRO=22", "KERNEL_VERSION_STRING=6.1.0-49-amd64"),
        *("KERNEL_VERSION=6", "KERNEL_PATCHLEVEL=1", "KERNEL_SUBLEVEL=0", "KERNEL_EXTRAVERSION=49", "ERRATA_FORCE=y"),
    ]
    assert b"ERRATA" not in jobs.environment("kvm", "9.0.0")
    assert b"QEMU_MICRO=\n" in jobs.environment("kvm", "9.0")


def outcome(
    row: jobs.Planned,
    ending: Ending,
    value: int = 0,
    text: bytes = b"",
    out: Path | None = None,
    *,
    errors: bytes = b"",
) -> JobOutcome:
    if out is not None:
        out.write_bytes(text)
    return JobOutcome(row.job or Job("t", ("/x",), 1), 0, ending, value, 2.0, out, "because", errors=errors)


@pytest.mark.parametrize("ending", [Ending.DIED, Ending.PANIC, Ending.HANG, Ending.TIMEOUT, Ending.SIGNAL])
def test_a_line_that_was_cut_short_is_no_case(tmp_path: Path, ending: Ending) -> None:
    """On the base it would pass, and be worse wherever the test goes on."""
    row, text = planned(), b"PASS: xadd (3)\nPASS: xadd ("
    _, *cases = jobs.results(row, outcome(row, ending, 6, text, tmp_path / "o"))
    assert [case.case for case in cases] == ["xadd (3)"]
    selftest = replace(row, kind=SuiteKind.SELFTESTS)
    _, *cases = jobs.results(selftest, outcome(row, ending, 6, b"ok 1 one\nok 2 tw", tmp_path / "o"))
    assert [case.case for case in cases] == ["one"]


def test_what_was_left_out_of_an_output_may_begin_in_a_case(tmp_path: Path) -> None:
    row = planned()
    done = outcome(row, Ending.EXIT, 1, b"PASS: a\nPASS: b", tmp_path / "o")
    assert [case.case for case in jobs.results(row, done)] == ["", "a", "b"], "a test need not end its last line"
    assert [case.case for case in jobs.results(row, replace(done, dropped=9))] == ["", "a"]


def test_output_that_was_cut_is_told(tmp_path: Path) -> None:
    """Cases of a test that printed more than is kept are missing, and the base may have them."""
    row = planned()
    cut = replace(outcome(row, Ending.EXIT, 1, b"PASS: a\nSUMMARY: 2 tests\n", tmp_path / "o"), dropped=5_000_000)
    state, base = (
        StateTests(patch, "s", SuiteStatus.OK, 1.0, jobs.results(row, done), "ran")
        for patch, done in ((1, cut), (0, outcome(row, Ending.EXIT, 1, b"PASS: a\nPASS: b\n", tmp_path / "p")))
    )
    (delta,) = compare(state, base)
    assert (delta.case, delta.now) == ("b", "absent")
    assert delta.why == "2 tests; 5,000,000 bytes of its output were left out"


def test_results(tmp_path: Path) -> None:
    row = planned()
    good = jobs.results(row, outcome(row, Ending.EXIT, 1, b"PASS: a\nSUMMARY: 1 tests\n", tmp_path / "o"))
    assert [(r.case, r.verdict, r.why) for r in good] == [
        ("", Verdict.PASS, "1 tests"),
        ("a", Verdict.PASS, ""),
    ]
    # Upstream's verdict is the status alone; the case tells of itself.
    lying = jobs.results(row, outcome(row, Ending.EXIT, 1, b"FAIL: a\n", tmp_path / "o"))
    assert [result.verdict for result in lying] == [Verdict.PASS, Verdict.FAIL]
    endings = {
        Ending.HANG: Verdict.TIMEOUT,
        Ending.PANIC: Verdict.ABORT,
        Ending.LOST: Verdict.ABORT,
        Ending.CHECK: Verdict.SKIP,
    }
    for ending, verdict in endings.items():
        (whole,) = jobs.results(row, outcome(row, ending))
        assert (whole.case, whole.verdict, whole.why, whole.cause) == ("", verdict, "because", Cause.OWN)
    causes = {
        Ending.NOT_RUN: (Cause.NOT_BEGUN, "not begun: because"),
        Ending.DIED: (Cause.EMULATOR_DIED, "the emulator died: because"),
        Ending.MODULES: (Cause.NOT_LOADED, "because"),
        Ending.LEFT_BEHIND: (Cause.LEFT_BEHIND, "because"),
    }
    for ending, known in causes.items():
        (whole,) = jobs.results(row, outcome(row, ending))
        assert (whole.verdict, whole.cause, whole.why) == (Verdict.ABORT, *known)
    (killed,) = jobs.results(row, outcome(row, Ending.SIGNAL, 6))
    assert (killed.verdict, killed.why) == (Verdict.ABORT, "terminated on SIGABRT")


def test_a_timeout_names_the_time_it_had() -> None:
    row = planned()
    assert jobs.results(row, outcome(row, Ending.TIMEOUT))[0].why == "timeout; duration=9"
    assert row.job is not None
    longer = replace(row, job=jobs.emulated(row.job))
    assert jobs.results(longer, outcome(longer, Ending.TIMEOUT))[0].why == "timeout; duration=30s"


@pytest.mark.parametrize(
    ("own", "base", "accel", "limit"),
    [
        (45.0, 0.5, "tcg", 30.0),  # 90 at first
        (45.0, 5.01, "tcg", 51.0),
        (45.0, 60.0, "tcg", 90.0),
        (9.0, 0.5, "tcg", 30.0),
        (9.0, 0.5, "kvm", 9.0),
        (90.0, 0.5, "kvm", 30.0),
    ],
)
def test_a_test_that_hangs_need_not_hang_as_long_again(own: float, base: float, accel: str, limit: float) -> None:
    row = planned(replace(TEST, timeout=own))
    again = jobs.again(row, base, accel)
    assert again.job is not None and again.job.timeout == limit
    assert jobs.again(again, base, accel) == again, "it is as it will run"
    users = replace(row, fixed=True)
    assert jobs.again(users, base, accel) == users


@pytest.mark.parametrize(
    ("own", "base", "accel", "limit"),
    [
        (15.0, 0.4, "tcg", 12.0),
        (15.0, 1.0, "tcg", 15.0),
        (90.0, 5.0, "tcg", 35.0),
        (15.0, 1.1447, "tcg", 16.0),  # the verdict names it
        (15.0, 8.0, "tcg", 30.0),
        (15.0, 0.1, "kvm", 11.0),
        (5.0, 0.1, "kvm", 5.0),
        (90.0, None, "tcg", 30.0),  # it hung there
        (180.0, None, "kvm", 60.0),
        (15.0, None, "kvm", 15.0),
    ],
)
def test_the_base_says_when_a_test_hangs(own: float, base: float | None, accel: str, limit: float) -> None:
    row = planned(replace(TEST, timeout=own))
    first = jobs.first(row, base, accel)
    assert first.job is not None and first.job.timeout == limit
    assert jobs.first(first, base, accel) == first, "it is as it will run"
    users = replace(row, fixed=True)
    assert jobs.first(users, base, accel) == users


def test_a_qemu_that_does_not_start_is_a_skip() -> None:
    row = planned()
    silent = outcome(row, Ending.EXIT, 1, errors=REFUSED)
    refused = outcome(row, Ending.EXIT, 1, errors=WARNING + REFUSED)
    (whole,) = jobs.results(row, silent, refused)
    assert (whole.verdict, whole.why) == (Verdict.SKIP, "qemu-system-x86_64: Property 'cpu.warp' not found")
    looked = outcome(row, Ending.EXIT, 1, errors=b"could not open kernel file '_NO_FILE_4Uhere_'")
    assert jobs.results(row, silent, looked)[0].verdict is Verdict.FAIL
    # The check of the probe did not hold: the test printed something.
    assert jobs.results(row, silent, outcome(row, Ending.CHECK))[0].verdict is Verdict.FAIL


def test_selftests_that_contradict_themselves_fail(tmp_path: Path) -> None:
    (row,) = jobs.plan("s", SuiteKind.SELFTESTS, [TEST], [variants.known()["default"]], None)
    assert row.probe is None
    lying = jobs.results(row, outcome(row, Ending.EXIT, 0, b"not ok 1 - a\n", tmp_path / "o"))
    assert (lying[0].verdict, lying[0].why) == (Verdict.FAIL, "a case failed")


def test_what_was_not_built_or_not_wanted() -> None:
    unbuilt = planned(replace(TEST, path=None, why_not_built="x.c:1: no such thing"))
    assert unbuilt.job is None
    (failed,) = jobs.results(unbuilt, None)
    assert (failed.cause, failed.why) == (Cause.UNBUILT, "does not build: x.c:1: no such thing")
    assert jobs.results(unbuilt, None)[0].verdict is Verdict.FAIL
    skipped = planned(replace(TEST, path=None, why_skip="i386 only"))
    assert jobs.results(skipped, None)[0].verdict is Verdict.SKIP


def test_variants() -> None:
    assert [v.name for v in variants.of_suite("kpt-guest", ())] == ["default", "shadow"]
    assert [v.name for v in variants.of_suite("other", ())] == ["default"]
    assert variants.of_suite("other", ("shadow",))[0].parameters["kvm_amd"] == "npt=0"
    with pytest.raises(Exception, match="no variant"):
        variants.of_suite("other", ("warp",))


@pytest.mark.parametrize(
    ("tests", "ways", "expected"),
    [
        ([], [], ([], [])),
        (["tlb"], [], (["tlb"], [])),
        (["tlb@shadow"], [], (["tlb"], ["shadow"])),
        (["tlb@shadow", "d*@default"], [], (["tlb", "d*"], ["shadow", "default"])),
        (["tlb@shadow", "dirty"], [], (["tlb", "dirty"], [])),  # dirty is run in all its ways, and so is tlb
        (["tlb@shadow", "dirty"], ["default"], (["tlb", "dirty"], ["default", "shadow"])),
        (["tlb@shadow"], ["shadow"], (["tlb"], ["shadow"])),
    ],
)
def test_tests_are_named_as_results_call_them(
    tests: list[str], ways: list[str], expected: tuple[list[str], list[str]]
) -> None:
    options = Options(tuple(tests), tuple(ways), 7.0, "tcg", nodefault=True).by_name()
    assert options == Options(tuple(expected[0]), tuple(expected[1]), 7.0, "tcg", nodefault=True)


@pytest.mark.parametrize(("own", "emulated"), [(5, 30), (10, 30), (30, 60), (60, 90), (90, 90), (240, 240)])
def test_short_timeouts_are_longer_under_emulation(own: float, emulated: float) -> None:
    assert jobs.emulated(Job("t", ("/x",), own)).timeout == emulated
