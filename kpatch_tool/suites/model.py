"""The values of testing: a test to run, a case inside it, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from kpatch_tool.text import state_name

KERNEL_LOG = "kernel log"
"""The test that fails where the kernel complained; its cases are the complaints, each known by `Trace.identity`."""

UNBUILT = "does not build"
"""What is said of a test that could not be built, and before the reason."""


class Verdict(StrEnum):
    """What became of a case or a test (the words of the JSON contract)."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    TIMEOUT = "timeout"
    ABORT = "abort"


class Cause(StrEnum):
    """What a verdict is due to, as far as kpt itself knows."""

    OWN = "own"  # the test ran: its own word, or how it ended
    UNBUILT = "unbuilt"  # it could not be built
    NOT_BEGUN = "not-begun"  # its turn did not come, because others hung
    NOT_LOADED = "not-loaded"  # the modules it wants did not load
    LEFT_BEHIND = "left-behind"  # nor would those of the tests before go, which left something that holds them
    EMULATOR_DIED = "emulator-died"  # QEMU itself ended, in every run of several: no word about the kernel


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a suite. `timeout` in seconds, `duration` the same as its description writes it; `why_skip` is set
    when it cannot run here (wrong architecture, no image). `path` is its image or program on the host; None when it
    was not built, and then `why_not_built` tells. `args` are a program's arguments, `qemu_args` what QEMU gets besides
    the image; `check` are "PATH=VALUE", all of which must hold where it runs. `monitor` is the program on the host that
    runs the image in QEMU's place, None for QEMU itself."""

    __test__ = False  # not a pytest class

    suite: str
    name: str
    path: Path | None
    timeout: float
    duration: str = ""
    args: tuple[str, ...] = ()
    qemu_args: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    accel: str = ""
    check: tuple[str, ...] = ()
    why_skip: str = ""
    why_not_built: str = ""
    monitor: Path | None = None


@dataclass(frozen=True, slots=True)
class Repeats:
    """What runs besides the first say of a result; that it has such at all says that it was asked whether it is worse
    than on the base by chance.

    It was worse than on the base in `worse` of `runs` (0: it was not run again, as others spoke for it or there were
    runs enough); `earlier`: these are an earlier state's, which is worse in the very same cases. `in_some`: a
    case that is worse in some runs only, of a test that is worse in all. `failed_once`: one of the base's, which passes
    it in a second run and did not in the first.
    """

    runs: int = 0
    worse: int = 0
    earlier: bool = False
    in_some: bool = False
    failed_once: bool = False

    @property
    def proven(self) -> bool:
        """Whether it was worse in every run of several."""
        return 0 < self.runs == self.worse

    @property
    def unsteady(self) -> str:
        """What is said of one that was worse in some runs and then was not; "" of any other."""
        return f"worse in {self._rate}" if self.worse < self.runs else ""

    @property
    def words(self) -> str:
        """All of it in words."""
        parts = (
            self._worse(),
            "in some of its runs only" if self.in_some else "",
            "passes in one run of two" if self.failed_once else "",
        )
        return "; ".join(part for part in parts if part)

    def _worse(self) -> str:
        if self.earlier:
            return f"worse as in {f'{self._rate} of ' if self.runs else ''}an earlier state"
        if self.unsteady:
            return f"unsteady: {self.unsteady}"
        return f"worse in {self._rate}" if self.runs else ""

    @property
    def _rate(self) -> str:
        return f"{self.worse} of {self.runs} runs"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case inside a test; `case` is empty for the verdict of the test as a whole. `seconds` is the test's.

    `said` is the reason in words, and may be the guest's: nothing is decided by it, but by `cause` and `repeats` (None:
    its one run is all that is known).
    """

    test: str
    case: str
    verdict: Verdict
    seconds: float
    said: str = ""
    cause: Cause = Cause.OWN
    repeats: Repeats | None = None

    @property
    def why(self) -> str:
        """All that is said of the reason, as people see it."""
        return "; ".join(part for part in (self.said, self.repeats.words if self.repeats else "") if part)


def repeats_of(result: CaseResult) -> Repeats:
    """What runs besides the first say of a result; nothing where there were none."""
    return result.repeats or Repeats()


class SuiteStatus(StrEnum):
    """Whether a suite could say something of a state, and whose fault it is where it could not."""

    OK = "ok"  # it ran to its end
    FAILED = "failed"  # the state does not build or boot
    INFRA = "infra"  # this machine failed


@dataclass(frozen=True, slots=True)
class StateTests:
    """What a suite said of one state; `why` is a sentence."""

    patch: int
    suite: str
    status: SuiteStatus
    seconds: float
    results: tuple[CaseResult, ...]
    why: str
    cached: bool = False
    trace: str = ""  # a kernel panic or oops of the guest
    outputs: Mapping[str, Path] = field(default_factory=dict)  # test -> the file with its whole output
    heard: Mapping[str, str] = field(default_factory=dict)  # a complaint of the kernel -> the test during which it came
    # The earlier state whose results these are, as kernel, modules and tests are the very same; None: they are its own.
    same_as: int | None = None

    @property
    def cases(self) -> tuple[CaseResult, ...]:
        """The results that count as test cases: the cases, and the tests that print none; never what the kernel
        said."""
        counted = counted_cases([(result.test, result.case) for result in self.results])
        return tuple(result for result in self.results if (result.test, result.case) in counted)


def counted_cases(keys: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the (test, case) that count as test cases (StateTests.cases)."""
    cased = {test for test, case in keys if case}
    return frozenset((test, case) for test, case in keys if test != KERNEL_LOG and (case or test not in cased))


def inherited(tests: StateTests, patch: int) -> StateTests:
    """The results of a state for a later one that runs the very same programs."""
    first = tests.patch if tests.same_as is None else tests.same_as
    why = f"kernel, modules and tests are identical to {state_name(first)}'s"
    return replace(tests, patch=patch, cached=True, seconds=0.0, why=why, same_as=first)
