"""Which suites are run on which states; threads run for real, what they run is a line."""

from __future__ import annotations

from threading import Event

from kpatch_tool.results.repeats import NOTHING_BEFORE, Before
from kpatch_tool.suites.model import StateTests, SuiteStatus
from kpatch_tool.system.parallel import Threads
from kpatch_tool.testing.turns import Results, Turns


class Machine:
    """Runs suites on the state `patch`; the first `broken` runs fail for this machine's sake."""

    def __init__(self, broken: int = 0) -> None:
        self.patch = 0
        self.broken = broken
        self.ran: list[tuple[int, tuple[str, ...]]] = []

    def test(self, suites: tuple[str, ...], before: Before) -> Results:
        self.ran.append((self.patch, suites))
        status = "infra" if len(self.ran) <= self.broken else "ok"
        return tuple(StateTests(self.patch, suite, SuiteStatus(status), 1.0, (), "") for suite in suites)


def test_only_what_differs_is_run_and_the_last_that_ran_is_what_is_compared_with() -> None:
    machine = Machine()
    with Threads(1) as pool:
        turns = Turns(pool)
        found = []
        for patch, prints in enumerate(({"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"})):
            machine.patch = patch
            turn = turns.begin(patch, prints, machine.test)
            found.append([turn.result(suite) for suite in prints])
            assert turn.is_over
    assert machine.ran == [(0, ("a", "b")), (1, ("b",))]
    assert turn.fresh == ()
    assert [one.patch for one in turn.before.previous()] == [1]
    assert [[one.same_as for one in results] for results in found] == [[None, None], [0, None], [0, 1]]


def test_what_is_known_of_the_base_is_not_waited_for() -> None:
    go = Event()

    def test(suites: tuple[str, ...], before: Before) -> Results:
        go.wait(20)
        return tuple(StateTests(0, suite, SuiteStatus.OK, 1.0, (), "") for suite in suites)

    with Threads(1) as pool:
        turns = Turns(pool)
        base = turns.begin(0, {"a": "1"}, test)
        turns.begin(1, {"a": "2"}, test)
        later = turns.begin(2, {"a": "3"}, test)
        assert later.before.known() == ()
        go.set()
        assert later.before.base() == later.before.known() == (base.result("a"),)


def test_always_runs_what_would_be_the_same() -> None:
    machine = Machine()
    with Threads(1) as pool:
        turns = Turns(pool)
        for patch in range(2):
            turns.begin(patch, {"a": "1"}, machine.test, always=True).result("a")
    assert len(machine.ran) == 2


def test_where_this_machine_failed_a_later_state_with_the_same_programs_is_run_itself() -> None:
    machine = Machine(broken=1)
    with Threads(1) as pool:
        turns = Turns(pool)
        base = turns.begin(0, {"a": "1"}, machine.test)
        assert base.before is NOTHING_BEFORE
        assert base.result("a").status == "infra"
        machine.patch = 1
        later = turns.begin(1, {"a": "1"}, machine.test)
        assert later.fresh == ()
        assert (later.result("a").patch, later.result("a").status) == (1, "ok")
