"""Records of runs of every kind, for the tests of reports."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from kpatch_tool.depend.model import Dependencies, Edge, EdgeKind, External
from kpatch_tool.depend.order import ordered
from kpatch_tool.diff import undecided
from kpatch_tool.errors import KptError, MachineError
from kpatch_tool.kbuild.model import Diagnostic, StateBuild
from kpatch_tool.results.record import RunRecord
from kpatch_tool.running.pipeline import run
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.suites.model import StateTests
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_series, make_tests, renamed

_Record = TypeVar("_Record")
ERROR = Diagnostic("arch/x86/kvm/mmu.c", 12, "implicit declaration of function 'foo'", "-Werror=implicit")
WARNING = Diagnostic("arch/x86/kvm/x86.c", 99, "unused variable 'r'", "-Wunused-variable")
BASE_CASES = ("vmexit=pass", "vmexit/cpuid=pass", "vmexit/vmcall=pass", "msr=fail no such MSR", "pmu=skip no PMU")
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e'\"&amp; $body"
# What HTML, XML, TAP, YAML, mail, templates and terminals give a meaning to; what of it runs sets `pwned` above.
POISON = (
    "</title></style></pre></svg></script><script>top.pwned = 1</script>",
    "'\"><img src=x onerror='top.pwned = 1'><svg onload='top.pwned = 1'>",
    "<iframe src='javascript:top.pwned = 1'></iframe>",
    '" onmouseover="top.pwned = 1" autofocus onfocus="top.pwned = 1',
    "javascript:top.pwned = 1//",
    "data:text/html,<script>top.pwned = 1</script>",
    "]]><![CDATA[ <!-- --!> &#x6a; &amp; <?php &nosuch;",
    "\x00\x01\x0b\x1b[2J\x9b2J\x85 \udc80\udcff",
    "\ufffe\uffff\U0001fffe\ufdd0 \u202e\u2028\u200b",
    "# SKIP \\# TODO x #todo",
    "\nok 1 - x\n1..0 # SKIP\nBail out!\n---\n...\n",
    "$title ${body} $$ {0} %s [red]x[/red]",
    "\r\nBcc: evil@example.org\r\n\r\n.\r\n",
)
NO_NEEDS = Dependencies((), (1, 2, 3), ())


def three() -> Series:
    return make_series("KVM: one", "KVM: two", "KVM: three")


def clean(series: Series | None = None) -> RunRecord:
    """All is well; the base fails a test, as the last state does."""
    series = series or three()
    states = range(len(series.patches) + 1)
    builds = {patch: make_build(patch, module=str(patch)) for patch in states}
    tests = {patch: (make_tests(patch, *BASE_CASES),) for patch in states}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def base_untested() -> RunRecord:
    """This machine could not test the base; a test fails after every patch."""
    series = three()
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    tests = {patch: (make_tests(patch, *BASE_CASES),) for patch in range(1, 4)}
    tests[0] = (make_tests(0, status="infra", why="no memory"),)
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def untested(series: Series | None = None) -> RunRecord:
    """Applied to a tree that cannot be built."""
    series = series or three()
    steps = FakeSteps(make_applied(series), {}, {}, needs=NO_NEEDS)
    steps.unbuildable = "toy is made of the series' own lines"
    return run(series, steps, Recorder())


def damaged() -> RunRecord:
    """A patch that could not be restored."""
    series = renamed(three(), Exactness.DAMAGED)
    return run(series, FakeSteps(make_applied(series), {}, {}, needs=NO_NEEDS), Recorder())


def lacking() -> RunRecord:
    """The base lacks what patch 1 reverts."""
    series = three()
    needs = Dependencies((), (1, 2, 3), (External(1, EdgeKind.REVERT, "5be" * 13 + "f", False, "it reverts that"),))
    builds = {patch: make_build(patch) for patch in range(4)}
    tests = {patch: (make_tests(patch, *BASE_CASES),) for patch in range(4)}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=needs), Recorder())


def conflict(series: Series | None = None) -> RunRecord:
    """Patch 2 does not apply."""
    series = series or three()
    applied = make_applied(series, "clean", "conflict", "skipped")
    details = ("arch/x86/kvm/mmu.c: hunk 2 of 3 does not fit", "-\tspin_lock(&kvm->lock);", "nearest: line 310")
    patches = tuple(replace(one, details=details if one.number == 2 else ()) for one in applied.patches)
    return run(series, FakeSteps(replace(applied, patches=patches), {}, {}, needs=NO_NEEDS), Recorder())


def hiding() -> RunRecord:
    """The second patch applies, and adds characters that one does not see."""
    series = three()
    applied = make_applied(series)
    first, second, third = applied.patches
    second = replace(second, hidden=("mm/f.c:12 adds U+202E RIGHT-TO-LEFT OVERRIDE",))
    builds = {patch: make_build(patch) for patch in range(4)}
    tests = {0: (make_tests(0, *BASE_CASES),)}
    steps = FakeSteps(replace(applied, patches=(first, second, third)), builds, tests, needs=NO_NEEDS)
    return run(series, steps, Recorder())


def build_failure(log: Path, series: Series | None = None) -> RunRecord:
    """Patch 2 does not build, patch 3 has a new warning."""
    series = series or three()
    log.write_text(
        "  CC      arch/x86/kvm/mmu.o\n" * 100 + "arch/x86/kvm/mmu.c: In function 'bar':\n"
        "arch/x86/kvm/mmu.c:12:9: error: implicit declaration of function 'foo'\n   12 |  foo();\nmake: *** Error 2\n"
    )
    builds = {
        0: make_build(0),
        1: make_build(1, module="1"),
        2: replace(make_build(2, "failed", errors=(ERROR,), why="make ended with 2"), log=log),
        3: make_build(3, module="3", warnings=(WARNING,)),
    }
    tests = {patch: (make_tests(patch, *BASE_CASES),) for patch in (0, 1, 3)}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def regressions(log: Path, series: Series | None = None) -> RunRecord:
    """Patch 2 breaks a case; after patch 3 the test runs into its timeout, and its cases vanish."""
    series = series or three()
    log.write_text("enabling apic\nPASS: cpuid\nFAIL: vmcall: \x1b[31mreturned -1\nSUMMARY: 2 tests, 1 unexpected\n")
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    cases = {
        0: BASE_CASES,
        1: BASE_CASES,
        2: ("vmexit=fail 1 unexpected", "vmexit/cpuid=pass", "vmexit/vmcall=fail", *BASE_CASES[3:]),
        3: ("vmexit=timeout after 90 s", "msr=pass", "pmu=skip no PMU", "new=abort given up"),
    }
    tests = {patch: (replace(make_tests(patch, *found), outputs={"vmexit": log}),) for patch, found in cases.items()}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def complaining(log: Path, series: Series | None = None) -> RunRecord:
    """With patch 2 the kernel warns, far down its console, where boot said something of errors before."""
    series = series or three()
    boot = [f"[    0.{line:06}] ACPI: no error {line}" for line in range(100)]
    warning = "WARNING: CPU: 1 PID: 7 at arch/x86/kvm/mmu.c:9 f+0x1/0x2 [kvm]"
    trace = ["Call Trace:", *(f" g{depth}+0x1/0x2 [kvm]" for depth in range(30)), "---[ end trace 0 ]---"]
    log.write_text("\n".join([*boot, f"[    1.000000] {warning}", *trace, "kvm: exiting"]))
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    said = (f"kernel log=fail 1 complaint: {warning}", f"kernel log/WARNING: at arch=fail {warning}")
    tests = {patch: (make_tests(patch, "vmexit=pass", "kernel log=pass"),) for patch in range(4)}
    tests[2] = (replace(make_tests(2, "vmexit=pass", *said), outputs={"kernel log": log}),)
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def infra() -> RunRecord:
    """This machine could build two states only, and test none."""
    series = three()
    full = MachineError("no space left on device", where=".kpt", todo="free some space")
    builds: dict[int, StateBuild | KptError] = {0: make_build(0), 1: make_build(1), 2: full, 3: full}
    tests: dict[int, tuple[StateTests, ...] | KptError] = {0: MachineError("QEMU does not start"), 1: ()}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def panicking() -> RunRecord:
    """The kernel of patch 3 does not boot; patch 2's guest fell ill, which is this machine's fault."""
    series = three()
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    failed = replace(make_tests(3, status="failed", why="the kernel does not boot"), trace="BUG: <1>\nRIP: 0010")
    tests = {
        0: (make_tests(0, *BASE_CASES),),
        1: (make_tests(1, *BASE_CASES),),
        2: (make_tests(2, status="infra", why="QEMU ended with 1"),),
        3: (failed,),
    }
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=NO_NEEDS), Recorder())


def hostile_record() -> RunRecord:
    """A run in which every text is hostile, and most stages found something."""
    series = make_series(HOSTILE, "KVM: " + "a long subject " * 9, HOSTILE)
    first, *rest = series.patches
    first = replace(
        first, why=HOSTILE, ambiguous=(undecided.read(HOSTILE),), author=replace(first.author, name=HOSTILE)
    )
    series = replace(series, title=HOSTILE, patches=(first, *rest))
    applied = make_applied(series, "offset", "fuzz", "clean")
    patches = tuple(replace(patch, why=HOSTILE, details=(HOSTILE,)) for patch in applied.patches)
    found = Diagnostic(HOSTILE, 3, HOSTILE, "-Wunused")
    builds = {
        0: make_build(0),
        1: make_build(1, module="b", warnings=(found,), why=HOSTILE),
        2: make_build(2, "failed", errors=(found,), why=HOSTILE),
        3: make_build(3, module="c"),
    }
    base = make_tests(0, "vmexit=pass", "msr/one=pass", "msr=pass", "dirty=skip:unbuilt does not build: " + HOSTILE)
    head = make_tests(3, "vmexit=fail", "msr=timeout", "dirty=pass", why=HOSTILE)
    head = replace(head, trace=HOSTILE + "\nRIP: 0010", results=tuple(replace(r, said=HOSTILE) for r in head.results))
    tests = {0: (base,), 1: (replace(base, patch=1),), 3: (head,)}
    outside = (External(1, EdgeKind.REVERT, HOSTILE, False, HOSTILE), External(0, EdgeKind.DECLARED, "5bef", None, "b"))
    needs = Dependencies((Edge(2, 1, EdgeKind.SYMBOL, HOSTILE),), (1, 2, 3), outside, ((1, 2),))
    steps = FakeSteps(replace(applied, patches=patches), builds, tests, needs=needs)
    record = run(series, steps, Recorder())
    return replace(record, problems=(MachineError(HOSTILE).line(),))


def large(count: int, edges: Iterable[Edge] | None = None) -> RunRecord:
    """Many patches with many dependencies, all well."""
    series = make_series(*(f"KVM: x86/mmu: Move part {number} of the walker" for number in range(1, count + 1)))
    found = _edges(count) if edges is None else tuple(edges)
    needs = Dependencies(found, ordered(found, range(1, count + 1)), ())
    builds = {patch: make_build(patch, module=str(patch // 2)) for patch in range(count + 1)}
    tests = {patch: (make_tests(patch, *BASE_CASES),) for patch in range(count + 1)}
    return run(series, FakeSteps(make_applied(series), builds, tests, needs=needs), Recorder())


def _edges(count: int) -> tuple[Edge, ...]:
    chance = random.Random(4)
    found = []
    for patch in range(2, count + 1):
        steps = [chance.choice((1, 1, 2, 3, 5, 9, 20)) for _ in range(chance.randint(0, 3))]
        for needs in sorted({max(1, patch - step) for step in steps}):
            kind, weak = chance.choice(list(EdgeKind)), chance.random() < 0.2
            found.append(Edge(patch, needs, kind, f"uses `thing_{needs}`", made_on=weak))
    return tuple(found)


def every_kind(directory: Path) -> dict[str, RunRecord]:
    """All of the above by name; logs go to `directory`."""
    return {
        "clean": clean(),
        "one patch": clean(make_series("KVM: x86: Fix a thing")),
        "untested": untested(),
        "damaged": damaged(),
        "lacking": lacking(),
        "conflict": conflict(),
        "hiding": hiding(),
        "build failure": build_failure(directory / "make.log"),
        "regressions": regressions(directory / "vmexit.log"),
        "infra": infra(),
        "panicking": panicking(),
        "sixty patches": large(60),
    }


def poisoned(record: _Record, poison: str) -> _Record:
    """`record` with `poison` before every text in it that is no word of kpt's own."""
    made: _Record = _poisoned(record, poison)
    return made


def _poisoned(value: Any, poison: str) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, str):
        return value if isinstance(value, Enum) else poison + value
    if isinstance(value, tuple):
        return tuple(_poisoned(one, poison) for one in value)
    if isinstance(value, dict):
        return {_poisoned(key, poison): _poisoned(one, poison) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        foreign = (one.name for one in fields(value) if one.init and one.name != "status")
        return replace(value, **{name: _poisoned(getattr(value, name), poison) for name in foreign})
    return value
