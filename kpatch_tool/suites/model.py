"""The values of testing: a test to run, a case inside it, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from kpatch_tool.text import state_name

KERNEL_LOG = "kernel log"
"""The test that fails where the kernel complained; its cases are the complaints, each known by `Trace.identity`."""

UNBUILT = "does not build"
"""How the `why` of a test begins that could not be built."""
NOT_BEGUN = "not begun"
"""How the `why` of a test begins whose turn did not come, because others hung."""
EMULATOR_DIED = "the emulator died"
"""How the `why` of a test begins while which QEMU itself ended, in every run of several: no word about the kernel."""

BASE_PASSES = "in another run the base passes it, too"
"""How the `why` of a test ends that passes where the base failed, but not in every run: no patch mended anything."""


class Verdict(StrEnum):
    """What became of a case or a test (the words of the JSON contract)."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    TIMEOUT = "timeout"
    ABORT = "abort"


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
class CaseResult:
    """One case inside a test; `case` is empty for the verdict of the test as a whole. `seconds` is the test's."""

    test: str
    case: str
    verdict: Verdict
    seconds: float
    why: str = ""


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
    # The earlier state whose results these are, as kernel, modules and tests are the very same; None: they are its own.
    same_as: int | None = None


def inherited(tests: StateTests, patch: int) -> StateTests:
    """The results of a state for a later one that runs the very same programs."""
    first = tests.patch if tests.same_as is None else tests.same_as
    why = f"kernel, modules and tests are identical to {state_name(first)}'s"
    return replace(tests, patch=patch, cached=True, seconds=0.0, why=why, same_as=first)
