"""Outputs and statuses of tests -> verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.suites import jobs, output, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import Test, Verdict
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


def test_cases_are_bounded() -> None:
    cases = output.unit_test_cases("t", b"PASS: " + b"x" * 10_000 + b"\n" + b"PASS: y\n" * 30_000, 0)
    assert len(cases) == output.MAX_CASES
    assert len(cases[0].case) == output.MAX_NAME


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, Verdict.PASS),
        (1, Verdict.FAIL),
        (77 >> 1, Verdict.SKIP),
        (63, Verdict.ABORT),
        (2, Verdict.FAIL),
        (64, Verdict.ABORT),
    ],
)
def test_codes_of_a_unit_test(code: int, verdict: Verdict) -> None:
    assert output.unit_test_status(status_of(code), b"").verdict is verdict


def test_qemus_own_endings() -> None:
    assert output.unit_test_status(0, b"").verdict is Verdict.ABORT
    assert output.unit_test_status(124, b"").verdict is Verdict.TIMEOUT
    assert output.unit_test_status(127, b"PASS: a\nABORT: trap 8\r\n") == output.Said(Verdict.ABORT, "trap 8")
    refused = b"qemu-system-x86_64: Property 'cpu.warp' not found\n"
    assert output.unit_test_status(1, refused) == output.Said(Verdict.SKIP, "QEMU: Property 'cpu.warp' not found")
    assert output.unit_test_status(1, b"PASS: a\n" + refused).verdict is Verdict.FAIL
    warned = b"qemu-system-x86_64: warning: host doesn't support\nSUMMARY: 1 tests\n"
    assert output.unit_test_status(1, warned) == output.Said(Verdict.PASS, "1 tests")


def test_selftests() -> None:
    assert output.selftest_status(0, b"").verdict is Verdict.PASS
    assert output.selftest_status(4, b"1..0 # SKIP no nested\n") == output.Said(Verdict.SKIP, "1..0 # SKIP no nested")
    failed = b"==== Test Assertion Failure ====\n  lib/kvm_util.c:5: ret == 0\n  pid=1 tid=1 errno=22\n  (stack)\n"
    assert output.selftest_status(254, failed) == output.Said(
        Verdict.FAIL, "lib/kvm_util.c:5: ret == 0 pid=1 tid=1 errno=22"
    )
    cases = output.tap_cases("t", b"TAP version 13\nok 1 one\nnot ok 2 - two\nok 3 three # SKIP no\n", 0)
    assert [(c.case, c.verdict) for c in cases] == [
        ("one", Verdict.PASS),
        ("two", Verdict.FAIL),
        ("three", Verdict.SKIP),
    ]


TEST = Test(suite="s", name="t", path=Path("/host/t.flat"), timeout=9.0, smp=2, args=("a b",))


def planned(test: Test = TEST, variant: str = "default") -> jobs.Planned:
    (row,) = jobs.plan("s", SuiteKind.UNIT_TESTS, [test], [variants.known()[variant]], None)
    return row


def test_the_nested_command_line_is_upstreams() -> None:
    job = planned(replace(TEST, qemu_args=("-cpu", "max"))).job
    assert job is not None
    text = " ".join(job.argv)
    assert "-device isa-debug-exit,iobase=0xf4,iosize=0x4" in text
    assert text.endswith("-kernel /kpt/tests/s/t.flat -smp 2 -append a b -cpu max")
    assert "-append" not in (planned(replace(TEST, args=())).job or job).argv
    assert planned(variant="shadow").name == "t@shadow"


def outcome(
    row: jobs.Planned, ending: Ending, value: int = 0, text: bytes = b"", out: Path | None = None
) -> JobOutcome:
    if out is not None:
        out.write_bytes(text)
    return JobOutcome(row.job or Job("t", ("/x",), 1), 0, ending, value, 2.0, out, "because")


def test_results(tmp_path: Path) -> None:
    row = planned()
    good = jobs.results(row, outcome(row, Ending.EXIT, 1, b"PASS: a\nSUMMARY: 1 tests\n", tmp_path / "o"))
    assert [(r.case, r.verdict, r.why) for r in good] == [
        ("", Verdict.PASS, "1 tests"),
        ("a", Verdict.PASS, ""),
    ]
    lying = jobs.results(row, outcome(row, Ending.EXIT, 1, b"FAIL: a\n", tmp_path / "o"))
    assert lying[0].verdict is Verdict.FAIL
    endings = {
        Ending.TIMEOUT: Verdict.TIMEOUT,
        Ending.HANG: Verdict.TIMEOUT,
        Ending.PANIC: Verdict.ABORT,
        Ending.LOST: Verdict.ABORT,
        Ending.SIGNAL: Verdict.ABORT,
        Ending.MODULES: Verdict.ABORT,
        Ending.NOT_RUN: Verdict.ABORT,
        Ending.CHECK: Verdict.SKIP,
    }
    for ending, verdict in endings.items():
        (whole,) = jobs.results(row, outcome(row, ending))
        assert (whole.case, whole.verdict, whole.why) == ("", verdict, "because")


def test_what_was_not_built_or_not_wanted() -> None:
    unbuilt = planned(replace(TEST, path=None, why_not_built="x.c:1: no such thing"))
    assert unbuilt.job is None
    assert jobs.results(unbuilt, None)[0].why == "does not build: x.c:1: no such thing"
    assert jobs.results(unbuilt, None)[0].verdict is Verdict.FAIL
    skipped = planned(replace(TEST, path=None, why_skip="i386 only"))
    assert jobs.results(skipped, None)[0].verdict is Verdict.SKIP


def test_variants() -> None:
    assert [v.name for v in variants.of_suite("kpt-guest", ())] == ["default", "shadow"]
    assert [v.name for v in variants.of_suite("other", ())] == ["default"]
    assert variants.of_suite("other", ("shadow",))[0].parameters["kvm_amd"] == "npt=0"
    with pytest.raises(Exception, match="no variant"):
        variants.of_suite("other", ("warp",))


@pytest.mark.parametrize(("own", "emulated"), [(5, 30), (10, 30), (30, 60), (60, 90), (90, 90), (240, 240)])
def test_short_timeouts_are_longer_under_emulation(own: float, emulated: float) -> None:
    assert jobs.emulated(Job("t", ("/x",), own)).timeout == emulated
