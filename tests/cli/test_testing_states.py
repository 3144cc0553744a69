"""States built and tested side by side: real builds of the toy kernel, a tester that boots nothing."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from kpatch_tool import doctor
from kpatch_tool.bisect import asked
from kpatch_tool.bisect.command import bisect_request
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.model import StateBuild
from kpatch_tool.progress import silent
from kpatch_tool.report import document
from kpatch_tool.report.tests import show
from kpatch_tool.results.repeats import NOTHING_BEFORE, Before
from kpatch_tool.suites import catalogue
from kpatch_tool.suites.model import CaseResult, StateTests, SuiteStatus, Verdict
from kpatch_tool.suites.run import Options
from kpatch_tool.testing import command
from kpatch_tool.testing.command import Tested, _Testing
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.tree.model import State
from kpatch_tool.vm.accel import Choice
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.results_fixtures import make_tests
from tests.toy_series import toy

__all__ = ["toy"]  # a fixture


@dataclass
class FakeTester:
    """What _Testing needs of a Tester. The suite's one test fails on the states in `fail`."""

    workspace: Workspace
    fail: frozenset[int] = frozenset()
    dies_at: int | None = None
    arch: str = "x86_64"
    progress = staticmethod(silent)
    tested: list[int] = field(default_factory=list)
    prepared: list[int] = field(default_factory=list)
    spoken_for: list[int] = field(default_factory=list)
    base_done: threading.Event = field(default_factory=threading.Event)

    def about(self, base: State, head: State, suites: Collection[str]) -> None:
        """No suite here is the tree's selftests."""
        assert catalogue.SELFTESTS not in suites

    @property
    def tree(self) -> object:
        return Catalogue(self.workspace).get("toy")

    def prepare(self, state: State, build: StateBuild, suite: str) -> None:
        self.prepared.append(state.patch)

    @property
    def choice(self) -> Choice:
        return Choice("tcg", "7.2", "asked for")

    def choose(self, state: State, build: StateBuild) -> Choice:
        return self.choice

    def speaks_for(self, state: State, build: StateBuild, suites: Sequence[str]) -> None:
        self.spoken_for += [state.patch for _ in suites]

    def reconsidered(self, found: Sequence[StateTests]) -> tuple[StateTests, ...]:
        return tuple(found)

    def fingerprint(self, state: State, build: StateBuild, suite: str) -> str:
        return repr(build.modules)

    def test(self, state: State, build: StateBuild, suites: Sequence[str], before: Before) -> tuple[StateTests, ...]:
        if state.patch == self.dies_at:
            raise MachineError("QEMU is gone")
        if state.patch == 0:
            time.sleep(0.3)
            self.base_done.set()
        else:
            assert [tests.patch for tests in before.base()] == [0]
            assert all(0 < tests.patch < state.patch for tests in before.previous())
            assert self.base_done.is_set(), "the base is what the others are compared with"
        self.tested.append(state.patch)
        verdict = Verdict.FAIL if state.patch in self.fail else Verdict.PASS
        return tuple(
            StateTests(state.patch, suite, SuiteStatus.OK, 1.0, (CaseResult("t", "", verdict, 1.0),), "ran")
            for suite in suites
        )


@dataclass
class Searched(FakeTester):
    """One for a search, which passes everywhere."""

    options: Options = field(default_factory=Options)

    def test(
        self, state: State, build: StateBuild, suites: Sequence[str], before: Before = NOTHING_BEFORE
    ) -> tuple[StateTests, ...]:
        result = CaseResult("t", "", Verdict.PASS, 1.0)
        return tuple(StateTests(state.patch, suite, SuiteStatus.OK, 1.0, (result,), "ran") for suite in suites)


def run(workspace: Workspace, tester: FakeTester, guests: int = 2) -> tuple[StateTests, ...]:
    return _Testing(cast("Tester", tester), ("s",), guests).run(load_applied(workspace, "s").states)[0]


@pytest.mark.parametrize("guests", [1, 3])
def test_what_is_the_same_is_not_run_again(toy: Path, workspace: Workspace, guests: int) -> None:
    tester = FakeTester(workspace, fail=frozenset({3}))
    found = run(workspace, tester, guests)
    assert sorted(tester.tested) == [0, 1, 3], "2 does not build, 4 changes no module"
    assert tester.prepared == [0, 1, 3, 4]
    assert tester.spoken_for == [4]
    assert [(one.patch, one.status, one.same_as) for one in found] == [
        (0, "ok", None), (1, "ok", None), (2, "failed", None), (3, "ok", None), (4, "ok", 3),
    ]  # fmt: skip
    assert found[4].why == "kernel, modules and tests are identical to patch 3's"
    assert found[4].results == found[3].results


def test_each_case_beside_the_base_and_the_state_before(toy: Path, workspace: Workspace) -> None:
    found = run(workspace, FakeTester(workspace, fail=frozenset({1})))
    _, one, broken, three, four = document.tests_document(found)["states"]
    assert [delta["now"] for delta in one["deltas"]] == ["fail"]
    assert one["deltas_previous"] == [
        {**{key: value for key, value in one["deltas"][0].items() if key != "base"}, "previous": "pass"}
    ]
    assert [(delta["previous"], delta["now"]) for delta in broken["deltas_previous"]] == [("fail", "absent")]
    assert (three["previous"], three["deltas"]) == (1, []), "a state that does not build is no state to compare with"
    assert [(delta["previous"], delta["now"], delta["change"]) for delta in three["deltas_previous"]] == [
        ("fail", "pass", "better")
    ]
    assert (four["previous"], four["same_as"], four["deltas_previous"]) == (3, 3, [])
    assert Tested(found, "tcg", "").findings


def test_a_state_that_was_not_built_has_a_row_for_each_test_and_none_for_cases() -> None:
    base = make_tests(0, "a=pass", "a/one=pass", "a/two=fail", "b=fail")
    broken = make_tests(1, status="failed", why="it was not built")
    hung = make_tests(2, "a=timeout", "a/one=pass", "b=fail")
    _, untested, tested = document.tests_document([base, broken, hung])["states"]
    for deltas in (untested["deltas"], untested["deltas_previous"]):
        assert [(delta["test"], delta["case"], delta["now"]) for delta in deltas] == [
            ("a", "", "absent"), ("b", "", "absent"),
        ]  # fmt: skip
    assert [(delta["case"], delta["now"]) for delta in tested["deltas"]] == [("", "timeout"), ("two", "absent")]


def test_what_the_machine_cannot_do_ends_it(toy: Path, workspace: Workspace) -> None:
    with pytest.raises(MachineError, match="QEMU is gone"):
        run(workspace, FakeTester(workspace, dies_at=1))


@pytest.fixture
def intel(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """Series `intel` on tree `toy`: 1 and 3 change kvm.ko, 2 changes kvm-intel.ko."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    for number, name in enumerate(("x86.c", "vmx.c", "x86.c"), start=1):
        file = toy_repo / "arch/x86/kvm" / name
        file.write_text(file.read_text() + f"int kvm_{number};\n")
        git("commit", "-qam", f"change {number}", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "intel")
    kpt("apply", "intel", "--tree", "toy")


@pytest.mark.parametrize(("each", "patches"), [(True, "patch 2 changes"), (False, "patches 1, 2 and 3 change")])
def test_what_no_guest_loads_is_told(
    intel: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, each: bool, patches: str
) -> None:
    monkeypatch.setattr(command, "Tester", lambda *_, **__: FakeTester(workspace))
    monkeypatch.setattr(doctor, "require", lambda _: None)
    tested = command.test_request(workspace, command.Request("intel", suites=("kpt-guest",), each=each))
    told = f"what {patches} in kvm-intel.ko is not tested, no guest loads it here"
    assert (tested.not_tested, tested.findings) == (told, False)
    out = io.StringIO()
    show(tested, Console(width=60, file=out))
    assert " ".join(out.getvalue().split()).endswith(told)


def test_a_test_that_no_suite_has(intel: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not end as one where all is well; "kernel log" is what the kernel says during any test."""
    given: list[Options] = []

    def tester(*words: object, **_: object) -> FakeTester:
        given.append(cast("Options", words[4]))
        return FakeTester(workspace)

    monkeypatch.setattr(command, "Tester", tester)
    monkeypatch.setattr(doctor, "require", lambda _: None)
    for globs in (("nosuch*",), ("exits", "nosuch*")):
        with pytest.raises(InputError, match=r"--test: no test is called nosuch\*; there is tlb, "):
            command.test_request(workspace, command.Request(suites=("kpt-guest",), options=Options(globs)))
    assert not given
    for asked_for, chosen in {("exi*", "kernel log"): ("exi*",), ("kernel log",): ()}.items():
        command.test_request(workspace, command.Request(suites=("kpt-guest",), options=Options(asked_for)))
        assert given.pop().tests == chosen


def test_a_search_tells_what_no_guest_loads(intel: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tester = cast("Tester", Searched(workspace))
    monkeypatch.setattr(asked, "_suites", lambda *_: ("s",))
    monkeypatch.setattr(asked, "_tester", lambda *_: tester)
    monkeypatch.setattr(doctor, "require", lambda _: None)
    request = asked.Request("intel", suites=("selftests",))
    missed = "; what patches 1, 2 and 3 change in kvm-intel.ko is not tested, no guest loads it here"
    for _ in range(2):
        found = bisect_request(workspace, request)
        assert not found.culprits and found.why.endswith(missed), "also where all looks are remembered"
    log = bisect_request(workspace, replace(request, options=Options(("kernel log",))))
    assert "it is not so that kernel log is worse than on the base" in log.why
    assert "kvm-intel" not in bisect_request(workspace, asked.Request("intel", build=True)).why
