"""What a test printed and how it ended -> its cases. Pure; the text is the guest's and trusted in nothing.

kvm-unit-tests: lib/report.c (PASS, FAIL, SKIP, XPASS, XFAIL, SUMMARY), lib/x86/io.c (exit through isa-debug-exit),
scripts/arch-run.bash, vmm.bash and runtime.bash (meaning of the status, words of the verdict). Selftests:
tools/testing/selftests/kselftest.h (0 pass, 4 skip, TAP); TAP itself: testanything.org's version 14.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kpatch_tool.suites.model import CaseResult, Cause, Verdict
from kpatch_tool.text import printable_bytes

MAX_CASES = 20_000
MAX_NAME = 200
_LONGEST_LINE = 4000  # of TAP that is looked at
# Statuses of upstream's x86/run: 0 once it has judged QEMU's 1, the codes 38 and 63 as `(code << 1) | 1`, timeout(1)'s.
RUN_PASS, RUN_QEMU, RUN_SKIP, RUN_TIMEOUT, RUN_ABORT = 0, 1, 77, 124, 127
_RUN_VERDICTS: Mapping[int, tuple[Verdict, str]] = {
    RUN_PASS: (Verdict.PASS, ""),
    RUN_SKIP: (Verdict.SKIP, "the test skipped itself"),
    RUN_TIMEOUT: (Verdict.TIMEOUT, "the test timed out"),
    RUN_ABORT: (Verdict.ABORT, "the test called abort()"),
}
NO_FILE = "_NO_FILE_4Uhere_"  # the image upstream has QEMU look for, to see whether it comes so far
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
# A "#" before another word is part of the name ("nested #2").
_TAP = re.compile(
    rb"(?P<said>ok|not ok) (?P<number>\d+)(?: -(?= |$))?(?: (?P<name>.*?))??"
    rb"(?:\s+#\s*(?P<directive>SKIP|TODO\b|XFAIL\b|error\b)\w*:?(?:\s+(?P<reason>.*))?)?",
    re.IGNORECASE,
)
# Before the verdict of the line itself: TAP's TODO is a failure that is expected, and no surprise where there is none.
_DIRECTIVES: Mapping[tuple[bytes, bytes], tuple[Verdict, str]] = {
    (b"ok", b"skip"): (Verdict.SKIP, ""),
    (b"not ok", b"skip"): (Verdict.SKIP, ""),
    (b"ok", b"xfail"): _VERDICTS[b"XFAIL"],
    (b"not ok", b"xfail"): _VERDICTS[b"XFAIL"],
    (b"not ok", b"todo"): _VERDICTS[b"XFAIL"],
}
_PROGRAM = re.compile(rb"^qemu-system-\w+: ")
_ABORT = re.compile(rb"^ABORT: (.+)", re.MULTILINE)
_SUMMARY = re.compile(rb"SUMMARY: (.+)")
_STACK = re.compile(rb"\d+\t|\(stack trace empty\)$")  # addr2line's lines, numbered by `cat -n`
_SUMMARY_LINES = 5  # of the end, in which upstream looks for it
_SIGNALLED = re.compile(rb"terminating on signal (\d{1,3})")
_NO_KERNEL = re.compile(rb"[Cc]ould not (?:load|open) kernel|error loading|failed to load")


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict with its reason; `cause` is what kpt itself knows of that."""

    verdict: Verdict
    why: str
    cause: Cause = Cause.OWN


def whole_lines(text: bytes) -> bytes:
    """`text` without a last line that does not end: what was cut short there is no name of a case."""
    return text[: text.rfind(b"\n") + 1]


def unit_test_cases(test: str, output: bytes, seconds: float) -> tuple[CaseResult, ...]:
    """The PASS/FAIL/SKIP lines of a kvm-unit-test; a name that comes again gets " #2", " #3", ..."""
    found = (match.groups() for line in output.splitlines() if (match := _CASE.match(line)))
    return _numbered(test, seconds, ((_VERDICTS[word], name) for word, name in found))


def tap_cases(test: str, output: bytes, seconds: float) -> tuple[CaseResult, ...]:
    """The TAP lines of a selftest, where it prints any."""
    lines = (_TAP.fullmatch(line.strip()[:_LONGEST_LINE]) for line in output.splitlines())
    return _numbered(test, seconds, (_tap_row(match) for match in lines if match is not None))


def _tap_row(line: re.Match[bytes]) -> tuple[tuple[Verdict, str], bytes]:
    """The verdict and the name of a case. kselftest.h prints the name of what it skips behind the directive
    ("ok 2 # SKIP vmx"), and a case may have none but its number."""
    said, directive = line["said"].lower(), (line["directive"] or b"").lower()
    name, reason = line["name"] or b"", line["reason"] or b""
    verdict, why = _DIRECTIVES.get((said, directive), (Verdict.PASS if said == b"ok" else Verdict.FAIL, ""))
    told = why or (printable_bytes(reason)[:MAX_NAME] if name else "")
    return (verdict, told), name or reason or line["number"]


def _numbered(test: str, seconds: float, rows: Iterable[tuple[tuple[Verdict, str], bytes]]) -> tuple[CaseResult, ...]:
    counts: dict[str, int] = {}
    taken: set[str] = set()
    cases: list[CaseResult] = []
    for (verdict, why), raw in rows:
        if len(cases) == MAX_CASES:
            break
        name = printable_bytes(raw.strip())[:MAX_NAME]
        shown = ""
        while not shown or shown in taken:  # a test may print " #2" itself
            counts[name] = counts.get(name, 0) + 1
            shown = name if counts[name] == 1 else f"{name} #{counts[name]}"
        taken.add(shown)
        cases.append(CaseResult(test, shown, verdict, seconds, why))
    return tuple(cases)


def unit_test_status(status: int, output: bytes, errors: bytes = b"", machine: str = "QEMU") -> Said:
    """The verdict of a kvm-unit-test that ran, as upstream's run() gives it.

    `status` is QEMU's as a shell has it (above 127: a signal), `output` what came over the serial line, `errors` what
    QEMU itself said, or the program in its place, whose name is `machine`. The reason is upstream's own where it prints
    one (a summary, the signal). Upstream prints FAIL for what is ABORT here: the test called abort(), or QEMU did not
    end by the test's word.
    """
    summary = _summary(output, errors)
    ended = run_status(status, errors)
    if ended in _RUN_VERDICTS:
        verdict, otherwise = _RUN_VERDICTS[ended]
        return Said(verdict, summary or (_aborted(output) if ended == RUN_ABORT else "") or otherwise)
    if ended > RUN_ABORT:
        return Said(Verdict.ABORT, f"terminated on {_signal_name(ended - 128)}")
    complaint = _complaint(errors)
    qemu = f"{machine}: {complaint}" if complaint else ""
    if status == RUN_QEMU:
        return Said(Verdict.FAIL, joined(summary, qemu))
    if status % 2 == 0:
        return Said(Verdict.ABORT, joined(summary or f"{machine} ended by itself with status {status}", qemu))
    return Said(Verdict.FAIL, summary or f"the test ended with code {status >> 1}")


def run_status(status: int, errors: bytes) -> int:
    """What upstream's x86/run makes of QEMU's status (qemu_fixup_return_code).

    1 is the test's success unless QEMU said something besides warnings, and 0 no success: the test did not end QEMU.
    Lines are judged one by one, as upstream did up to db9c4e1c8c2a (June 2025). Since then it joins them first, so that
    one warning excuses any error beside it.
    """
    if status == 0:
        found = _SIGNALLED.search(errors)
        return int(found.group(1)) + 128 if found is not None else RUN_QEMU
    if status == 1 and not _complaint(errors):
        return RUN_PASS
    return status


def premature_failure(status: int, errors: bytes) -> str | None:
    """Why a test is skipped: what QEMU said when it was started with the image NO_FILE and did not even look for it.

    `status` is QEMU's as a shell has it. None when it did look (premature_failure of upstream's runtime.bash): such a
    QEMU can run the test.
    """
    lines = [line for line in errors.splitlines() if line.strip()]
    if any(NO_FILE.encode() in line and _NO_KERNEL.search(line) for line in lines):
        return None
    said = printable_bytes(lines[-1].strip())[:MAX_NAME] if lines else "QEMU ended without a word"
    return f"QEMU Aborted: {said}" if status == 128 + signal.SIGABRT else said  # upstream prints the first two words


def selftest_status(status: int, output: bytes) -> Said:
    """What the exit status of one of the tree's selftests says."""
    if status == 0:
        return Said(Verdict.PASS, "")
    last = _last_line(output)
    if status == KSFT_SKIP:
        return Said(Verdict.SKIP, last or "the test skipped itself")
    return Said(Verdict.FAIL, _assertion(output) or last or f"exit status {status}")


def _complaint(errors: bytes) -> str:
    """QEMU's first line that is no warning."""
    lines = (line.strip() for line in errors.splitlines())
    found = next((line for line in lines if line and b"warning" not in line.lower()), b"")
    return printable_bytes(_PROGRAM.sub(b"", found))[:MAX_NAME]


def _summary(output: bytes, errors: bytes) -> str:
    said = frozenset(errors.splitlines())
    lines = [line for line in output[-(64 << 10) :].splitlines() if line not in said]
    found = [match for line in lines[-_SUMMARY_LINES:] if (match := _SUMMARY.match(line))]
    return printable_bytes(found[-1].group(1).strip())[:MAX_NAME] if found else ""


def joined(*parts: str) -> str:
    """The parts of a reason that are not empty, as one."""
    return "; ".join(part for part in parts if part)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _aborted(output: bytes) -> str:
    found = _ABORT.search(output)
    return printable_bytes(found.group(1).strip())[:MAX_NAME] if found is not None else ""


def _assertion(output: bytes) -> str:
    """Where a TEST_ASSERT failed, and its message, as one line; the process with its errno, and a stack, stand between
    the two (test_assert() of the selftests' lib/assert.c)."""
    lines = [line.strip() for line in output.splitlines()]
    at = next((n for n, line in enumerate(lines) if line.startswith(b"==== Test Assertion Failure")), None)
    if at is None:
        return ""
    where, process, *rest = [*lines[at + 1 :], b"", b""]
    message = next((line for line in rest if line and not _STACK.match(line)), process)
    return printable_bytes(b" ".join((where, message)).strip())[:MAX_NAME]


def _last_line(output: bytes) -> str:
    lines = [line for line in output[-4096:].splitlines() if line.strip()]
    return printable_bytes(lines[-1].strip())[:MAX_NAME] if lines else ""
