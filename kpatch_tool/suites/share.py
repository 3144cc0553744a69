"""What a run of the guest says about each of its suites: the results case by case, and the kernel's complaints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.suites.jobs import Plan, Planned, results
from kpatch_tool.suites.model import KERNEL_LOG, CaseResult, StateTests, SuiteStatus, Verdict
from kpatch_tool.text import plural
from kpatch_tool.vm.accel import Choice
from kpatch_tool.vm.console import Trace
from kpatch_tool.vm.model import GuestRun, GuestStatus, JobOutcome

TEST, PROBE = "test", "probe"
Key = tuple[str, str, str]  # suite, name of the test, and whether it is the test itself or its probe


@dataclass(frozen=True, slots=True)
class Share:
    """What a run of the guest says about one suite. `run` is None where nothing had to run."""

    build: StateBuild
    plan: Plan
    outcomes: Mapping[Key, JobOutcome]
    run: GuestRun | None = None
    choice: Choice | None = None
    first: bool = False

    def tests(self) -> StateTests:
        """The suite's results."""
        mine = [(row, self._outcome(row, TEST)) for row in self.plan.rows]
        found = tuple(result for row, outcome in mine for result in results(row, outcome, self._outcome(row, PROBE)))
        done = StateTests(self.build.patch, self.plan.suite, SuiteStatus.OK, 0.0, found, _count(found))
        if self.run is None:
            return replace(done, why=_problems(self.plan)) if self.plan.problems else done
        if self.run.status is GuestStatus.INFRA:
            return replace(done, status=SuiteStatus.INFRA, results=(), why=self.run.why)
        traces = self._traces()
        files = {row.name: outcome.output for row, outcome in mine if outcome is not None and outcome.output}
        if self.run.boots:
            files[KERNEL_LOG] = self._console(self.run, traces)
        failed = self.run.status is GuestStatus.FAILED
        return replace(
            done,
            status=SuiteStatus.FAILED if failed else SuiteStatus.OK,
            seconds=sum(outcome.seconds for _, outcome in mine if outcome is not None),
            results=(*found, *kernel_log(traces)),
            why=self.run.why if failed else f"{_count(found)}; {self._how(self.run)}",
            trace=next((trace.text for trace in traces if trace.fatal), ""),
            outputs=files,
            heard=self._heard(),
        )

    def _outcome(self, row: Planned, what: str) -> JobOutcome | None:
        return self.outcomes.get((row.suite, row.name, what))

    def _how(self, run: GuestRun) -> str:
        first = run.boots[0].first_job if run.boots else None
        parts = [f"{plural(len(run.boots), 'boot')} with {self.choice.accel if self.choice else 'no accelerator'}"]
        if run.boots and run.boots[0].saved:
            parts.append("gone on from a saved machine")
        if first is not None:
            parts.append(f"first test {first:.1f} s after the start")
        if self.plan.problems:
            parts.append(_problems(self.plan))
        return ", ".join(parts)

    def _console(self, run: GuestRun, traces: Sequence[Trace]) -> Path:
        """The console that has the worst of `traces`, the first of them else; the last boot's where there are none."""
        worst = _worst(traces) if traces else None
        return next((boot.console for boot in run.boots if worst in boot.traces), run.boots[-1].console)

    def _heard(self) -> dict[str, str]:
        """The first test during which each complaint came that came during one."""
        mine = [(name, done) for (suite, name, _), done in self.outcomes.items() if suite == self.plan.suite]
        return {trace.identity: name for name, done in reversed(mine) for trace in done.traces}

    def _traces(self) -> list[Trace]:
        """What the kernel complained of while the suite ran; the first suite answers for boot and modules as well."""
        assert self.run is not None
        mine = [trace for key, done in self.outcomes.items() if key[0] == self.plan.suite for trace in done.traces]
        if self.first:
            theirs = [trace for outcome in self.outcomes.values() for trace in outcome.traces]
            mine = [trace for trace in self.run.traces if trace not in theirs] + mine
        return mine


def _problems(plan: Plan) -> str:
    more = len(plan.problems) - 1
    return plan.problems[0] + (f" (and {plural(more, 'more problem')} of its description)" if more else "")


def kernel_log(traces: Sequence[Trace]) -> tuple[CaseResult, ...]:
    """The complaints of a kernel as a test: whether there are none, and each as a case that fails."""
    if not traces:
        return (CaseResult(KERNEL_LOG, "", Verdict.PASS, 0.0, ""),)
    worst = _worst(traces)
    whole = CaseResult(KERNEL_LOG, "", Verdict.FAIL, 0.0, f"{plural(len(traces), 'complaint')}: {worst.headline}")
    each = {trace.identity: CaseResult(KERNEL_LOG, trace.identity, Verdict.FAIL, 0.0, trace.said) for trace in traces}
    return (whole, *each.values())


def _worst(traces: Sequence[Trace]) -> Trace:
    return next((trace for trace in traces if trace.fatal), traces[0])


def _count(found: Sequence[CaseResult]) -> str:
    whole = [result for result in found if not result.case and result.test != KERNEL_LOG]
    counts = {verdict: sum(result.verdict is verdict for result in whole) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{plural(len(whole), 'test')}: {told}" if told else "no test was selected"
