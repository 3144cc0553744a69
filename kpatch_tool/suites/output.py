"""What a test printed and how it ended -> its cases. Pure; the text is the guest's and trusted in nothing.

kvm-unit-tests: lib/report.c (PASS, FAIL, SKIP, XPASS, XFAIL, SUMMARY), lib/x86/io.c (exit through isa-debug-exit),
scripts/runtime.bash (meaning of the status). Selftests: tools/testing/selftests/kselftest.h (0 pass, 4 skip, TAP).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kpatch_tool.suites.model import CaseResult, Verdict
from kpatch_tool.text import printable_bytes

MAX_CASES = 20_000
MAX_NAME = 200
# QEMU's exit statuses: `(code << 1) | 1` for the codes 0, 38 and 63; 124 is timeout(1)'s.
EXIT_PASS, EXIT_SKIP, EXIT_TIMEOUT, EXIT_ABORT = 1, 77, 124, 127
KSFT_SKIP = 4
_CASE = re.compile(rb"(PASS|FAIL|SKIP|XPASS|XFAIL): (.+)")
# An expected failure is no failure; an unexpected success is one (lib/report.c counts it so).
_VERDICTS: Mapping[bytes, tuple[Verdict, str]] = {
    b"PASS": (Verdict.PASS, ""),
    b"FAIL": (Verdict.FAIL, ""),
    b"SKIP": (Verdict.SKIP, ""),
    b"XPASS": (Verdict.FAIL, "passed where a failure was expected"),
    b"XFAIL": (Verdict.PASS, "failed as expected"),
}
_TAP = re.compile(rb"(ok|not ok) \d+ (?:- )?([^#]+)(# *SKIP)?", re.IGNORECASE)
_QEMU_ERROR = re.compile(rb"qemu-system-\w+: (?!warning: |terminating on signal )(.+)")
_ABORT = re.compile(rb"^ABORT: (.+)", re.MULTILINE)
_SUMMARY = re.compile(rb"SUMMARY: (.+)")


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict with its reason."""

    verdict: Verdict
    why: str


def unit_test_cases(test: str, output: bytes, seconds: float) -> tuple[CaseResult, ...]:
    """The PASS/FAIL/SKIP lines of a kvm-unit-test; a name that comes again gets " #2", " #3", ..."""
    found = (match.groups() for line in output.splitlines() if (match := _CASE.match(line)))
    return _numbered(test, seconds, ((_VERDICTS[word], name) for word, name in found))


def tap_cases(test: str, output: bytes, seconds: float) -> tuple[CaseResult, ...]:
    """The TAP lines of a selftest, where it prints any."""
    rows = []
    for line in output.splitlines():
        match = _TAP.match(line.strip())
        if match is not None:
            good = match.group(1).lower() == b"ok"
            verdict = Verdict.SKIP if match.group(3) else Verdict.PASS if good else Verdict.FAIL
            rows.append(((verdict, ""), match.group(2)))
    return _numbered(test, seconds, rows)


def _numbered(test: str, seconds: float, rows: Iterable[tuple[tuple[Verdict, str], bytes]]) -> tuple[CaseResult, ...]:
    counts: dict[str, int] = {}
    cases: list[CaseResult] = []
    for (verdict, why), raw in rows:
        if len(cases) == MAX_CASES:
            break
        name = printable_bytes(raw.strip())[:MAX_NAME]
        counts[name] = counts.get(name, 0) + 1
        shown = name if counts[name] == 1 else f"{name} #{counts[name]}"
        cases.append(CaseResult(test, shown, verdict, seconds, why))
    return tuple(cases)


def unit_test_status(status: int, output: bytes) -> Said:
    """What QEMU's exit status says of a kvm-unit-test.

    The test leaves through isa-debug-exit, which makes QEMU's status `(code << 1) | 1`; an even one is QEMU's own,
    and so is 1 where QEMU complained. Statuses above 127 are signals (lib/abort.c of kvm-unit-tests).
    """
    complaint = _complaint(output)
    summary = _summary(output)
    if status == EXIT_PASS and complaint:
        started = _CASE.search(output) is not None or bool(summary)
        return Said(Verdict.FAIL if started else Verdict.SKIP, f"QEMU: {complaint}")
    words = {
        EXIT_PASS: Said(Verdict.PASS, summary),
        EXIT_SKIP: Said(Verdict.SKIP, summary or "the test skipped itself"),
        EXIT_TIMEOUT: Said(Verdict.TIMEOUT, "the test timed out"),
        EXIT_ABORT: Said(Verdict.ABORT, _aborted(output) or "the test called abort()"),
    }
    if status in words:
        return words[status]
    if status > EXIT_ABORT:
        return Said(Verdict.ABORT, f"ended by signal {status - 128}")
    if status % 2 == 0:
        what = f"QEMU ended by itself with status {status}"
        return Said(Verdict.ABORT, f"{what}: {complaint}" if complaint else what)
    return Said(Verdict.FAIL, summary or f"the test ended with code {status >> 1}")


def selftest_status(status: int, output: bytes) -> Said:
    """What the exit status of one of the tree's selftests says."""
    if status == 0:
        return Said(Verdict.PASS, "")
    last = _last_line(output)
    if status == KSFT_SKIP:
        return Said(Verdict.SKIP, last or "the test skipped itself")
    return Said(Verdict.FAIL, _assertion(output) or last or f"exit status {status}")


def _complaint(output: bytes) -> str:
    found = _QEMU_ERROR.search(output)
    return printable_bytes(found.group(1).strip())[:MAX_NAME] if found is not None else ""


def _summary(output: bytes) -> str:
    found = _SUMMARY.findall(output)
    return printable_bytes(found[-1].strip())[:MAX_NAME] if found else ""


def _aborted(output: bytes) -> str:
    found = _ABORT.search(output)
    return printable_bytes(found.group(1).strip())[:MAX_NAME] if found is not None else ""


def _assertion(output: bytes) -> str:
    """The heading of a failed TEST_ASSERT and what follows it, as one line."""
    lines = [line.strip() for line in output.splitlines()]
    at = next((n for n, line in enumerate(lines) if line.startswith(b"==== Test Assertion Failure")), None)
    return "" if at is None else printable_bytes(b" ".join(lines[at + 1 : at + 3]))[:MAX_NAME]


def _last_line(output: bytes) -> str:
    lines = [line for line in output[-4096:].splitlines() if line.strip()]
    return printable_bytes(lines[-1].strip())[:MAX_NAME] if lines else ""
