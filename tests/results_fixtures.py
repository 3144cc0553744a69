"""Builds, test results and series written in a few words, for the tests of results, reports and the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from kpatch_tool.depend.model import Dependencies, Edge, EdgeKind
from kpatch_tool.errors import KptError
from kpatch_tool.kbuild.model import BuildStatus, Diagnostic, Module, StateBuild, Uncompiled
from kpatch_tool.mail.message import Address
from kpatch_tool.results.record import Cell, PatchRecord
from kpatch_tool.results.repeats import Before
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.suites.model import CaseResult, Cause, Repeats, StateTests, SuiteStatus, Verdict
from kpatch_tool.tree.model import AppliedPatch, ApplyOutcome, ApplyStatus, State

T = TypeVar("T")
# What a test may print as its last words: kpt's own, so that nobody is blamed for it.
KPTS_WORDS = (
    "the emulator died: x",
    "not begun: x",
    "its modules are not loaded: unloading",
    "does not build: x",
    "x; worse in 3 of 3 runs",
    "unsteady: worse in 1 of 2 runs",
    "in some of its runs only",
    "passes in one run of two",
)
NEEDS = Dependencies((Edge(2, 1, EdgeKind.SYMBOL, "uses sp"),), (1, 2, 3), ())


def make_series(*subjects: str, exactness: Exactness = Exactness.INTACT) -> Series:
    """A series "demo" with these patches, without diffs."""
    author = Address("A. Thor", "a@example.org")
    patches = tuple(
        Patch(number, subject, author, None, subject, "", b"", (), (), exactness, "as sent")
        for number, subject in enumerate(subjects, 1)
    )
    return Series("demo", "Demo series", 1, len(patches), None, patches)


def make_build(
    patch: int,
    status: str = "ok",
    *,
    module: str = "a" * 64,
    warnings: tuple[Diagnostic, ...] = (),
    errors: tuple[Diagnostic, ...] = (),
    why: str = "built",
) -> StateBuild:
    """A build with one module whose hash is `module`."""
    modules = (Module("arch/x86/kvm/kvm.ko", module, 1000 + patch),) if status == "ok" else ()
    return StateBuild(
        patch, f"{patch:040x}", BuildStatus(status), 2.0, False, modules, errors, warnings, None, Path("make.log"), why
    )


def make_tests(patch: int, *cases: str, status: str = "ok", why: str = "ran", suite: str = "kut") -> StateTests:
    """Results written as "test/case=verdict why", "test=verdict why" for the test as a whole; "verdict:cause why" where
    kpt knows the cause."""
    return StateTests(patch, suite, SuiteStatus(status), 1.0, tuple(map(_case, cases)), why)


def _case(text: str) -> CaseResult:
    key, _, rest = text.partition("=")
    test, _, case = key.partition("/")
    word, _, said = rest.partition(" ")
    verdict, _, cause = word.partition(":")
    return CaseResult(test, case, Verdict(verdict), 0.5, said, Cause(cause or Cause.OWN))


def repeated(tests: StateTests, repeats: Repeats, *names: str) -> StateTests:
    """`tests` with what other runs say of those of its tests that are called `names`."""
    results = (replace(one, repeats=repeats) if one.test in names and not one.case else one for one in tests.results)
    return replace(tests, results=tuple(results))


def make_applied(series: Series, *statuses: str) -> ApplyOutcome:
    """What applying said; all clean where `statuses` is left out."""
    words = statuses or ("clean",) * len(series.patches)
    patches = tuple(
        AppliedPatch(
            patch.number,
            patch.subject,
            ApplyStatus(word),
            patch.exactness,
            f"{patch.number:040x}" if word in ("clean", "offset", "fuzz", "merged") else None,
            (),
            f"it is {word}",
        )
        for patch, word in zip(series.patches, words, strict=True)
    )
    return ApplyOutcome("toy", "0" * 40, "kpt/demo", None if "conflict" in words else "f" * 40, patches)


class FakeSteps:
    """The rooms, as a run sees them, with answers given beforehand. A KptError among them is raised."""

    tree, base, arch, accelerator, unbuildable, lacking, guests = "toy", "0" * 40, "x86_64", "tcg", "", "", 1
    never_loaded = frozenset({"kvm-intel.ko"})
    uncompiled: tuple[Uncompiled, ...] = ()
    config: tuple[str, ...] = ()

    def __init__(
        self,
        applied: ApplyOutcome | KptError,
        builds: Mapping[int, StateBuild | KptError],
        tests: Mapping[int, tuple[StateTests, ...] | KptError],
        *,
        suites: tuple[str, ...] = ("kut",),
        restored: Series | KptError | None = None,
        needs: Dependencies | KptError | None = None,
    ) -> None:
        self.suites = suites
        self.tested: list[tuple[int, tuple[str, ...]]] = []
        self.spoken_for: list[tuple[int, str]] = []
        self._applied, self._builds, self._tests = applied, builds, tests
        self._restored, self._needs = restored, needs

    def restore(self, series: Series) -> Series:
        return _given(self._restored or series)

    def dependencies(self, series: Series) -> Dependencies:
        return _given(self._needs or NEEDS)

    def apply(self, series: Series) -> ApplyOutcome:
        return _given(self._applied)

    def states(self) -> tuple[State, ...]:
        return tuple(State(patch, f"{patch:040x}", "") for patch in self._builds)

    def build(self, state: State) -> StateBuild:
        return _given(self._builds[state.patch])

    def not_compiled(self, states: Sequence[State], builds: Sequence[StateBuild]) -> tuple[Uncompiled, ...]:
        return self.uncompiled

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        return ",".join(module.sha256 for module in build.modules)

    def test(self, state: State, build: StateBuild, suites: tuple[str, ...], before: Before) -> tuple[StateTests, ...]:
        self.tested.append((state.patch, suites))
        return tuple(tests for tests in _given(self._tests[state.patch]) if tests.suite in suites)

    def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
        return tuple(found)

    def speaks_for(self, state: State, build: StateBuild, suites: tuple[str, ...]) -> None:
        self.spoken_for += [(state.patch, suite) for suite in suites]


def _given(answer: T | KptError) -> T:
    if isinstance(answer, KptError):
        raise answer
    return answer


class Recorder:
    """A Watcher that remembers."""

    def __init__(self) -> None:
        self.seen: list[Cell] = []
        self.known: list[tuple[PatchRecord, ...]] = []

    def patches(self, patches: object) -> None:
        assert isinstance(patches, tuple)
        self.known.append(patches)

    def cell(self, cell: Cell) -> None:
        self.seen.append(cell)


def renamed(series: Series, exactness: Exactness) -> Series:
    """The same series with every patch of another exactness."""
    patches = tuple(replace(patch, exactness=exactness, why="blob ids agree") for patch in series.patches)
    return replace(series, patches=patches)
