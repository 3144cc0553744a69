"""Questions about a number: the size of a module, what a test prints or how long it takes, what a command prints.

`--measure WHAT` names it: "size:kvm.ko" (bytes of the file), "text:kvm.ko" and "data:kvm.ko" (as size(1) counts them),
"test:exits:cpuid" (the number that test prints after that name), "time:exits" (seconds), "run" (the first number of
the last line that --run's command prints).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.bisect.questions import SKIP, Builder, CommandRun, modules_of, unbuilt
from kpatch_tool.bisect.threshold import Threshold, change, first_number, printed, shown, spread
from kpatch_tool.bisect.worse import fingerprint_of, test_once
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.make import environment
from kpatch_tool.kbuild.model import BuildStatus
from kpatch_tool.suites.model import StateTests, Verdict
from kpatch_tool.suites.named import near
from kpatch_tool.system import sandbox
from kpatch_tool.system.sandbox import Room
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.model import State

_SECONDS = 60.0
_BASE_LOOKS = 5  # at the base, before its number is compared with
_COLUMNS = {"text": 0, "data": 1}  # of size(1)
_TELLING = 0.5  # a spread beyond this share of the threshold is worth a word,
_HOPELESS = 4.0  # and one beyond this many thresholds ends the search


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement: `value` is None where the state has no such number, and `why` tells."""

    value: float | None
    seconds: float
    cached: bool = False
    why: str = ""
    fingerprint: str = ""


class Gauge(Protocol):
    """Something that measures a state. `name` stands for it in sentences; `exact`: it says the same every time;
    `tester` boots the state, where that is needed."""

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    @property
    def tester(self) -> Tester | None: ...

    def read(self, state: State) -> Reading:
        """Measure. Raises InputError where the name means nothing, MachineError when this machine fails at it."""
        ...


@dataclass(slots=True)
class Measured:
    """Is a number past the threshold, compared with the median of the base's numbers?

    The base is measured several times first. `judged` says good or bad of every number again as the base's change.
    """

    gauge: Gauge
    threshold: Threshold
    base: State
    once: bool = False
    hint: str = ""

    @property
    def rates(self) -> Rates | None:
        return None if self.gauge.exact else FLAKY

    @property
    def identity(self) -> str:
        return json.dumps(["measure", self.gauge.name, str(self.threshold)])

    @property
    def words(self) -> str:
        return f"{self.gauge.name} is {self.threshold}"

    @property
    def base_looks(self) -> int:
        return 1 if self.gauge.exact or self.once else _BASE_LOOKS

    @property
    def guests(self) -> Tester | None:
        return self.gauge.tester

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        if state.patch != self.base.patch:
            self._refuse_chaos(_numbers(seen, self.base.patch))
        reading = self.gauge.read(state)
        answer = Answer.SKIP if reading.value is None else Answer.GOOD
        if answer is Answer.SKIP and state.patch == self.base.patch:
            what = f"cannot be measured on the base: {reading.why}"
            raise InputError(what, where=self.gauge.name, todo="ask for a number that the base has")
        return Observation(
            state.patch, answer, reading.seconds, reading.cached, reading.why, reading.fingerprint, value=reading.value
        )

    def _refuse_chaos(self, base: Sequence[float]) -> None:
        """Numbers that lie all over the place would be measured for hours, and in vain."""
        if len(base) < _BASE_LOOKS:
            return
        middle = statistics.median(base)
        room = abs(self.threshold.limit(middle) - middle)
        if spread(base) * abs(middle) > _HOPELESS * room:
            what = f"the base's own numbers spread over {spread(base):.0%} of their median {shown(middle)}"
            todo = "take a --threshold of that size, or a machine with less to do (and --restart)"
            raise InputError(what, where=self.gauge.name, todo=todo)

    def judged(self, seen: Sequence[Observation]) -> tuple[Observation, ...]:
        numbers = _numbers(seen, self.base.patch)
        if not numbers:
            return tuple(seen)
        base = statistics.median(numbers)
        return tuple(one if one.value is None else self._judged(one, one.value, base) for one in seen)

    def remark(self, seen: Sequence[Observation], blamed: Sequence[int] = ()) -> str:
        """What was measured, state by state, and a word on numbers that vary too much for the threshold."""
        states = sorted({one.patch for one in seen if one.value is not None})
        if not states:
            return ""
        base = _numbers(seen, self.base.patch)
        parts = [_summary(patch, _numbers(seen, patch), base) for patch in states]
        told = f"{self.gauge.name}: {', '.join(parts)}"
        room = self.threshold.amount if self.threshold.relative else 0.0
        if room and spread(base) > _TELLING * room:
            told += f"; the base's numbers spread over {spread(base):.1%}, much for a threshold of {room * 100:g}%"
        return told

    def same(self, one: Observation, other: Observation) -> bool:
        return True

    def _judged(self, one: Observation, value: float, base: float) -> Observation:
        answer = Answer.BAD if self.threshold.passed(value, base) else Answer.GOOD
        why = shown(value) if one.patch == self.base.patch else f"{shown(value)}, {change(value, base)}"
        return replace(one, answer=answer, why=why)


def _numbers(seen: Sequence[Observation], patch: int) -> list[float]:
    return [one.value for one in seen if one.patch == patch and one.value is not None]


def _summary(patch: int, numbers: Sequence[float], base: Sequence[float]) -> str:
    middle = statistics.median(numbers)
    times = f" ({len(numbers)}x)" if len(numbers) > 1 else ""
    if not patch:
        return f"base {shown(middle)}{times}"
    compared = f" {change(middle, statistics.median(base))}" if base else ""
    return f"{patch}: {shown(middle)}{compared}{times}"


@dataclass(slots=True)
class Size:
    """The size of a built file: of all of it ("size"), or of what size(1) counts as "text" or "data"."""

    builder: Builder
    kind: str
    module: str
    exact: bool = True
    tester: Tester | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}:{Path(self.module).name}"

    def read(self, state: State) -> Reading:
        built = self.builder.build(state)
        if built.status is not BuildStatus.OK or built.artifacts is None:
            return Reading(None, built.seconds, built.cached, unbuilt(state, built).why)
        path = built.artifacts / self.module
        size = self._count(path) if path.is_file() else None
        why = "" if size is not None else f"{self.module} is not built"
        return Reading(size, built.seconds, built.cached, why, modules_of(built))

    def _count(self, path: Path) -> float:
        if self.kind not in _COLUMNS:
            return float(path.stat().st_size)
        # What a stranger's make left, read by a program that has had its share of holes.
        room = Room(readable=(path.resolve(),))
        done = sandbox.run(
            ["size", "-B", str(path.resolve())], room, cwd=Path("/"), env=environment(), timeout=_SECONDS
        )
        try:
            return float(done.stdout.split(b"\n")[1].split()[_COLUMNS[self.kind]])
        except (IndexError, ValueError) as error:
            what = f"size(1) cannot tell: {done.last_line()}"
            raise MachineError(what, where=str(path), todo="see whether binutils is in order") from error


@dataclass(slots=True)
class OfTest:
    """What one test prints after `label` (None: the only number it prints), or, with `seconds`, how long it takes.

    `tester` runs nothing but that test, one way, and keeps nothing.
    """

    builder: Builder
    tester: Tester
    suite: str
    test: str
    label: str | None = None
    seconds: bool = False
    exact: bool = False

    @property
    def name(self) -> str:
        if self.seconds:
            return f"time:{self.test}"
        return f"test:{self.test}" + (f":{self.label}" if self.label else "")

    def read(self, state: State) -> Reading:
        started = time.monotonic()
        built = self.builder.build(state)
        if built.status is not BuildStatus.OK:
            return Reading(None, built.seconds, built.cached, unbuilt(state, built).why)
        self.tester.fresh = True
        (tests,) = test_once(self.tester, state, built, (self.suite,))
        value, why = self._value(tests)
        fingerprint = fingerprint_of(self.tester, state, built, (self.suite,))
        return Reading(value, time.monotonic() - started, False, why, fingerprint)

    def _value(self, tests: StateTests) -> tuple[float | None, str]:
        whole = next((one for one in tests.results if one.test == self.test and not one.case), None)
        if whole is None:
            return None, tests.why
        if whole.verdict in (Verdict.SKIP, Verdict.ABORT, Verdict.TIMEOUT):
            return None, f"{self.test}: {whole.verdict}{f', {whole.why}' if whole.why else ''}"
        if self.seconds:
            return whole.seconds, ""
        output = tests.outputs.get(self.test)
        found = printed(output.read_text("utf-8", "replace")) if output is not None else {}
        label = next(iter(found)) if self.label is None and len(found) == 1 else self.label
        if label is None:
            return None, f"which number? It prints {near('', found)}" if found else "it prints no number"
        return found.get(label), f"{self.test} prints no number called {label}, but {near(label, found) or 'none'}"


@dataclass(slots=True)
class OfCommand:
    """The number a command prints, in a checkout of the state."""

    command: CommandRun
    exact: bool = False
    tester: Tester | None = None

    @property
    def name(self) -> str:
        return f"`{self.command.words}`"

    def read(self, state: State) -> Reading:
        built, done = self.command.run(state)
        if done is None:
            why = unbuilt(state, built).why
            return Reading(None, 0.0, False, why)
        if done.status:
            said = f": {done.last_line()}" if done.status != SKIP else ""
            return Reading(None, done.seconds, False, f"exit status {done.status}{said}")
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        value = first_number(lines[-1]) if lines else None
        return Reading(value, done.seconds, False, "" if value is not None else "its last line has no number")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`--measure WHAT` taken apart: kind ("size", "text", "data", "test", "time", "run"), the name it is about, and
    the label of a number a test prints."""

    kind: str
    name: str = ""
    label: str | None = None


_KINDS = ("size", "text", "data", "test", "time")


def parse_measure(text: str) -> Wanted:
    """Raises InputError for what is no measure."""
    kind, _, rest = text.partition(":")
    if kind == "run" and not rest:
        return Wanted("run")
    name, colon, label = rest.partition(":") if kind == "test" else (rest, "", "")
    if kind not in _KINDS or not name or (colon and not label):
        todo = "write size:kvm.ko, text:kvm.ko, data:kvm.ko, test:exits:cpuid, time:exits, or run with --run CMD"
        raise InputError("not something to measure", where=f"--measure {text}", todo=todo)
    return Wanted(kind, name, label or None)


def module_called(name: str, modules: Sequence[str]) -> str:
    """The one of `modules` (paths) that "kvm", "kvm.ko" or its path means. Raises InputError, naming them, for none."""
    matches: tuple[Callable[[str], bool], ...] = (
        lambda path: path == name,
        lambda path: Path(path).name == name,
        lambda path: Path(path).stem == name,
    )
    for holds in matches:
        found = next((path for path in modules if holds(path)), None)
        if found is not None:
            return found
    known = ", ".join(Path(path).name for path in modules)
    raise InputError(f"no module {name!r}", where="--measure", todo=f"there is {known}")
