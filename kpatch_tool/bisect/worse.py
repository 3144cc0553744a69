"""Is a test or case worse than on the base?"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kpatch_tool.bisect.model import FLAKY, Answer, Observation, Rates
from kpatch_tool.bisect.questions import Builder, Plain, unbuilt
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.results.deltas import ABSENT, Change, Delta, compare, emulator_died, name, transition
from kpatch_tool.results.repeats import NOTHING_BEFORE, Before, best_of, is_open
from kpatch_tool.suites.model import KERNEL_LOG, Cause, StateTests, SuiteStatus
from kpatch_tool.suites.named import near
from kpatch_tool.testing.tester import Tester
from kpatch_tool.text import plural
from kpatch_tool.tree.model import State

_NAMED = 3  # cases named in the evidence
_KEPT = 100  # cases that a look keeps
_BASE_RETRIES = 1


@dataclass(slots=True)
class Worse(Plain):
    """Is a case worse than on the base? Of `suites`, and of the tests and cases (globs) chosen.

    `tester` must not repeat: a search does its own repeating. Once the last state (`head`) was seen to be worse, only
    the tests that were are run in the states before it. `log_only`: what the kernel says while they run is asked for,
    and not what becomes of them.
    """

    builder: Builder
    tester: Tester
    base: State
    head: State
    suites: tuple[str, ...]
    case: str = "*"
    log_only: bool = False
    rates: Rates | None = FLAKY
    hint: str = "; `kpt test --each` tests every state"
    _reference: dict[str, StateTests] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        options = self.tester.options
        log = [KERNEL_LOG] if self.log_only else []
        return json.dumps(["tests", self.suites, options.tests, options.variants, options.timeout, self.case, *log])

    @property
    def guests(self) -> Tester:
        return self.tester

    @property
    def words(self) -> str:
        tests = KERNEL_LOG if self.log_only else " ".join(self.tester.options.tests)
        return f"{tests or ' '.join(self.suites)} is worse than on the base"

    def look(self, state: State, times: int, seen: Sequence[Observation] = ()) -> Observation:
        started = time.monotonic()
        built = self.builder.build(state)
        if built.status is not BuildStatus.OK:
            return unbuilt(state, built)
        if not self._reference:
            self._reference = self._of_base()
        identity = fingerprint_of(self.tester, state, built, self.suites)
        if state.patch == self.base.patch and not times:
            # All are compared with this very run.
            reference = tuple(self._reference.values())
            if any(tests.status is SuiteStatus.FAILED for tests in reference):
                return self._judged(state, reference, time.monotonic() - started, identity, seen)
            return Observation(state.patch, Answer.GOOD, time.monotonic() - started, True, "as it is", identity)
        found = self._run(state, built, again=times > 0, only=self._worse_tests(state, seen))
        return self._judged(state, found, time.monotonic() - started, identity, seen)

    def remark(self, seen: Sequence[Observation], blamed: Sequence[int] = ()) -> str:
        """In what else the last state is worse: another patch did that."""
        if not blamed:
            return ""
        if said := self._no_boot(seen, blamed[-1]):
            return said
        found, last = (_about(seen, patch) for patch in (blamed[-1], self.head.patch))
        others = [name for name in last if name not in found]
        if not found or not others:
            return self._in_other_cases(seen, blamed[-1])
        named = others[:_NAMED]
        more = f" and {plural(len(others) - _NAMED, 'more test')}" if len(others) > _NAMED else ""
        return (
            f"patch {self.head.patch} is worse in {', '.join(named)}{more} as well, patch {blamed[-1]} is not: "
            f"`{' '.join(f'--test {shlex.quote(name)}' for name in named)}` looks for what did that"
        )

    def _no_boot(self, seen: Sequence[Observation], blamed: int) -> str:
        """That the last state does not boot, where the one that is blamed does."""
        dead = next((one for one in seen if _is_bad(one, self.head) and one.broken), None)
        if dead is None or any(one.patch == blamed and one.broken for one in seen):
            return ""
        return (
            f"patch {self.head.patch} runs no test at all ({dead.why}), patch {blamed} does: "
            f"`--test {shlex.quote(KERNEL_LOG)}` looks for what did that"
        )

    def _in_other_cases(self, seen: Sequence[Observation], blamed: int) -> str:
        """The same of the cases of one test."""
        shown = {case for one in seen if one.patch == blamed for case in one.cases}
        last = next((one.cases for one in seen if one.patch == self.head.patch and one.cases), ())
        other = next((case for case in last if case not in shown), "")
        if not other:
            return ""
        test, _, case = other.partition(": ")
        wanted = f"--test {shlex.quote(test.partition('@')[0])} --case {shlex.quote(glob.escape(case))}"
        return (
            f"patch {self.head.patch} is worse in {other} as well, which patch {blamed} does not show: "
            f"`{wanted}` looks for what did that"
        )

    def _run(self, state: State, built: StateBuild, *, again: bool, only: Sequence[str]) -> tuple[StateTests, ...]:
        if not only:
            self.tester.fresh = again or state.patch == self.base.patch
            return test_once(self.tester, state, built, self.suites, Before(known=self._known))
        suites = [suite for suite, tests in self._reference.items() if {one.test for one in tests.results} & {*only}]
        return test_once(self._tester_of(only), state, built, suites, Before(known=self._known))

    def _known(self) -> tuple[StateTests, ...]:
        return tuple(self._reference.values())

    def _worse_tests(self, state: State, seen: Sequence[Observation]) -> tuple[str, ...]:
        """What the head was worse in; nothing for the head itself, and where that is not in tests alone."""
        if state.patch == self.head.patch and state.tree_id == self.head.tree_id:
            return ()
        bad = [one for one in seen if one.patch == self.head.patch and one.answer is Answer.BAD]
        if not bad or any(not one.about or KERNEL_LOG in one.about for one in bad):
            return ()
        return tuple(dict.fromkeys(test for one in bad for test in one.about))

    def _of_base(self) -> dict[str, StateTests]:
        """What the base is taken to say (repeats.best_of)."""
        built = self.builder.build(self.base)
        self.tester.fresh, self.tester.keep = False, True
        found = test_once(self.tester, self.base, built, self.suites)
        self.tester.keep = False
        self._require_case(found)
        for _ in range(_BASE_RETRIES):
            failed = sorted({one.test for tests in found for one in tests.results if is_open(one)})
            if not failed:
                break
            again = self._tester_of(failed).test(self.base, built, self.suites)
            found = tuple(best_of(*pair) for pair in zip(found, again, strict=True))
        return {tests.suite: tests for tests in found}

    def _tester_of(self, tests: Sequence[str]) -> Tester:
        """One for these tests ("tlb@shadow": that variant of tlb), which remembers nothing."""
        mine = self.tester
        names = tuple(dict.fromkeys(glob.escape(test.partition("@")[0]) for test in tests))
        ways = tuple(dict.fromkeys(test.partition("@")[2] or "default" for test in tests))
        options = replace(mine.options, tests=names, variants=ways)
        return Tester(
            mine.workspace, mine.tree, mine.store, mine.arch, options, fresh=True, progress=mine.progress, keep=False
        )

    def _require_case(self, found: Sequence[StateTests]) -> None:
        if self.log_only:
            return  # what the kernel will complain of it does not say on the base
        cases = {one.case for tests in found for one in tests.results if one.case}
        if self.case != "*" and not fnmatch.filter(cases, self.case):
            todo = f"there is {near(self.case, sorted(cases)) or 'none'}"
            raise InputError(f"no case on the base is called {self.case}", where="--case", todo=todo)

    def _judged(
        self, state: State, found: Sequence[StateTests], seconds: float, identity: str, seen: Sequence[Observation]
    ) -> Observation:
        cached = all(tests.cached for tests in found)
        failed = next((tests for tests in found if tests.status is SuiteStatus.FAILED), None)
        if failed is not None:
            # Where the last state boots, what keeps this one from it is not what is looked for.
            booted = any(_is_bad(one, self.head) and not one.broken for one in seen)
            answer = Answer.SKIP if booted and state.patch != self.base.patch else Answer.BAD
            return Observation(state.patch, answer, seconds, cached, failed.why, identity, broken=True)
        worse = [delta for tests in found for delta in self._worse(tests)]
        if not worse:
            died = self._died(found)
            answer, why = (Answer.SKIP, f"the emulator died in {died}") if died else (Answer.GOOD, "as on the base")
            return Observation(state.patch, answer, seconds, cached, why, identity)
        why = "; ".join(f"{name(delta)}: {transition(delta)}" for delta in worse[:_NAMED])
        cases = tuple(name(delta) for delta in worse if delta.case and delta.now != ABSENT)
        if not cases and self.case != "*" and any(one.cases for one in seen if one.patch == self.head.patch):
            # The last state reaches the case, and fails in it: something else is in its way here.
            return Observation(state.patch, Answer.SKIP, seconds, cached, f"not reached: {why}", identity)
        # What the tests before left behind, they have to leave behind in the other states, too.
        alone = not any(delta.cause is Cause.LEFT_BEHIND for delta in worse)
        about = tuple(dict.fromkeys(delta.test for delta in worse)) if alone else ()
        return Observation(state.patch, Answer.BAD, seconds, cached, why, identity, about=about, cases=cases[:_KEPT])

    def _died(self, found: Sequence[StateTests]) -> str:
        """The first test in which QEMU itself ended, and did not on the base: what it would have said is not known."""
        if self.log_only:
            return ""
        there = {one.test for tests in self._reference.values() for one in tests.results if emulator_died(one)}
        dead = (one.test for tests in found for one in tests.results if emulator_died(one))
        return next((test for test in dead if test not in there and self._is_asked_for(test)), "")

    def _is_asked_for(self, test: str) -> bool:
        """Whether the base has a case in this test that `case` means."""
        cases = [one.case for tests in self._reference.values() for one in tests.results if one.test == test]
        return bool(fnmatch.filter(cases, self.case))

    def _worse(self, tests: StateTests) -> list[Delta]:
        """How a suite is worse than on the base, in the tests that were run."""
        run = {one.test for one in tests.results}
        base = self._reference[tests.suite]
        base = replace(base, results=tuple(one for one in base.results if one.test in run))
        worse = [
            delta
            for delta in compare(tests, base)
            if delta.change is Change.WORSE
            and fnmatch.fnmatchcase(delta.case, self.case)
            and (delta.test == KERNEL_LOG or not self.log_only)
        ]
        return sorted(worse, key=lambda delta: delta.follows)  # what says it comes first


def test_once(
    tester: Tester, state: State, built: StateBuild, suites: Sequence[str], before: Before = NOTHING_BEFORE
) -> tuple[StateTests, ...]:
    """What each suite says of a state, in one run; `before`: what is known of the base. Raises MachineError when this
    machine could not run one."""
    tester.runs = 1
    found = tester.test(state, built, suites, before)
    broken = next((tests for tests in found if tests.status is SuiteStatus.INFRA), None)
    if broken is not None:
        raise MachineError(broken.why, where=f"testing patch {state.patch}")
    return found


def fingerprint_of(tester: Tester, state: State, built: StateBuild, suites: Sequence[str]) -> str:
    """Equal for two states that run the same programs on the same kernel and modules."""
    programs = "".join(tester.fingerprint(state, built, suite) for suite in suites)
    return hashlib.sha256(programs.encode()).hexdigest()


def _is_bad(one: Observation, state: State) -> bool:
    return one.patch == state.patch and one.answer is Answer.BAD


def _about(seen: Sequence[Observation], patch: int) -> tuple[str, ...]:
    """The tests, whatever their variant, in which a state was worse in any look."""
    return tuple(dict.fromkeys(test.partition("@")[0] for one in seen if one.patch == patch for test in one.about))
