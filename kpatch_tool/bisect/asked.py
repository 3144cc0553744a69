"""What the user asked for, checked before anything is built, as a question."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kpatch_tool import doctor
from kpatch_tool.bisect import numbers
from kpatch_tool.bisect.numbers import Measured, Wanted
from kpatch_tool.bisect.questions import Builder, Builds, CommandRun, Question, Runs, Warns
from kpatch_tool.bisect.threshold import Threshold, parse_threshold
from kpatch_tool.bisect.worse import Worse
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.results.store import Store
from kpatch_tool.suites import named, variants
from kpatch_tool.suites.run import Options
from kpatch_tool.testing.command import default_suites
from kpatch_tool.testing.tester import Tester
from kpatch_tool.tree.model import Applied, State, Tree

_SHELL = frozenset("|&;<>()$`*?[~#!\n")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")  # before a command: a variable of its environment
# The program of a command line: behind `!` and such variables, its name as it is quoted for a shell.
_QUOTED = r"""(?:[^\s'"\\|&;<>()]|'[^']*'|"(?:\\.|[^"\\])*"|\\.)"""
_PROGRAM = re.compile(rf"\s*(?:!\s+)?(?:{_ASSIGNMENT.pattern}{_QUOTED}*\s+)*(?P<name>{_QUOTED}+)")
_SURE = (0.5, 0.9999)
_QUESTIONS = "--build, --warning GLOB, --suite/--test/--case, --run CMD, --measure WHAT"
_EXACT, _NOISY = Threshold(0.0), Threshold(0.05, relative=True)  # where none is given


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked: a series (None: the one applied last) on `tree`, and one question: `build`, `warning` (a
    glob), `suites`/`tests`/`case`, `run` (a command line; with `build` each state is built first), or `measure` (a
    number, with `threshold`). `bad`: search up to this patch only. `once`: answers are always right. `minimal`: look
    for the smallest set of patches, too. `restart`: forget what an earlier search found. `fragments` are files of
    configuration to build the states with."""

    series: str | None = None
    tree: str | None = None
    arch: str = "x86_64"
    build: bool = False
    warning: str | None = None
    suites: tuple[str, ...] = ()
    case: str | None = None
    run: str | None = None
    measure: str | None = None
    threshold: str | None = None
    bad: int | None = None
    confidence: float = 0.95
    once: bool = False
    minimal: bool = False
    restart: bool = False
    fragments: tuple[Path, ...] = ()
    options: Options = field(default_factory=Options)

    @property
    def measured(self) -> Wanted | None:
        """Raises InputError for what cannot be measured."""
        return None if self.measure is None else numbers.parse_measure(self.measure)

    @property
    def about_tests(self) -> bool:
        return bool(self.suites or self.options.tests or self.case is not None) and self.measure is None

    @property
    def builds(self) -> bool:
        """Whether a kernel is needed."""
        command = self.run is not None or (self.measure == "run")
        return self.build or not command

    @property
    def boots(self) -> bool:
        """Whether that kernel is booted. Raises InputError for what cannot be measured."""
        wanted = self.measured
        return self.about_tests or (wanted is not None and wanted.kind in ("test", "time"))


def check(request: Request, tree: Tree) -> None:
    """Find out what is wrong with a request before anything is built. Raises InputError, or MachineError for a tool
    that is missing."""
    _check_one_question(request)
    low, high = _SURE
    if not low <= request.confidence <= high:
        raise InputError("not a probability to stop at", where="--confidence", todo=f"between {low} and {high}")
    archs.load(request.arch)
    if request.fragments and not request.builds:
        raise InputError("a configuration, but nothing is built", where="--config", todo="give --build with --run")
    if request.builds and tree.skeleton:
        what = "is made of the series' own lines: there is nothing to build"
        raise InputError(what, where=f"tree {tree.name}", todo="`kpt tree add debian-6.1` brings a kernel")
    doctor.require("test" if request.boots else "build" if request.builds else "apply")


def _check_one_question(request: Request) -> None:
    wanted = request.measured
    if wanted is not None and (wanted.kind == "run") != (request.run is not None):
        what = "no command prints the number" if request.run is None else "a command, but another thing to measure"
        raise InputError(what, where=f"--measure {request.measure}", todo="give --measure run --run CMD")
    if request.threshold is not None and wanted is None:
        raise InputError("a threshold for no number", where="--threshold", todo="say what to measure: --measure WHAT")
    asked = [
        wanted is not None,
        request.run is not None and wanted is None,
        request.build and request.run is None,
        request.warning is not None,
        request.about_tests,
    ]
    if sum(asked) != 1:
        raise InputError("two questions at once" if sum(asked) else "no question", todo=f"give one of {_QUESTIONS}")


def question_of(builder: Builder, request: Request, applied: Applied, store: Store) -> Question:
    """The question. Raises InputError, with what is near, for names that mean nothing."""
    base = applied.states[0]
    wanted = request.measured
    if wanted is not None:
        return _measured(builder, request, wanted, base, store)
    if request.run is not None:
        return Runs(_command(builder, request, request.run))
    if request.build:
        return Builds(builder)
    if request.warning is not None:
        return Warns(builder, base, request.warning)
    known = _tests_of(builder, request, base)
    tests = named.chosen(request.options.tests, known)
    log_only = bool(request.options.tests) and not tests
    options = replace(request.options, tests=tests)
    suites = _suites(known, tests)
    for suite in suites:
        variants.of_suite(suite, options.variants)
    tester = _tester(builder, options, store)
    tester.about(base, applied.head, suites)
    return Worse(builder, tester, base, applied.head, suites, request.case or "*", log_only)


def _measured(builder: Builder, request: Request, wanted: Wanted, base: State, store: Store) -> Measured:
    threshold = None if request.threshold is None else parse_threshold(request.threshold)
    gauge: numbers.Gauge
    if wanted.kind == "run":
        gauge = numbers.OfCommand(_command(builder, request, request.run or ""))
    elif wanted.kind in ("test", "time"):
        gauge = _of_test(builder, request, wanted, base, store)
    else:
        arch = archs.load(builder.arch)
        gauge = numbers.Size(
            builder, wanted.kind, numbers.module_called(wanted.name, arch.modules_of(builder.tree.version))
        )
    return Measured(gauge, threshold or (_EXACT if gauge.exact else _NOISY), base, request.once)


def _of_test(builder: Builder, request: Request, wanted: Wanted, base: State, store: Store) -> numbers.OfTest:
    """One test, run one way: "exits@shadow" is that test of variant shadow."""
    name, _, variant = wanted.name.partition("@")
    ways = request.options.variants or (variant or variants.DEFAULT,)
    if len(ways) > 1 or (variant and ways != (variant,)):
        raise InputError("a number of one test, run one way", where="--variant", todo="give one")
    known = _tests_of(builder, request, base)
    named.require_match((name,), [one for names in known.values() for one in names], f"--measure {request.measure}")
    suite, *_ = _suites(known, (name,))
    way = next(one for one in variants.of_suite(suite, ways))
    options = replace(request.options, tests=(name,), variants=ways)
    tester = _tester(builder, options, store)
    return numbers.OfTest(builder, tester, suite, way.of(name), wanted.label, seconds=wanted.kind == "time")


def _tests_of(builder: Builder, request: Request, base: State) -> Mapping[str, tuple[str, ...]]:
    """The names of the tests in each of the suites asked for."""
    asked = tuple(dict.fromkeys(request.suites)) or default_suites(builder.workspace)
    return named.tests_of(builder.workspace, builder.tree, (base,), asked, builder.arch, progress=builder.progress)


def _suites(tests: Mapping[str, tuple[str, ...]], globs: tuple[str, ...]) -> tuple[str, ...]:
    """The suites that have a test of such a name."""
    return tuple(suite for suite, names in tests.items() if not globs or named.matches(globs, names))


def _tester(builder: Builder, options: Options, store: Store) -> Tester:
    """One that neither repeats nor keeps: a search does its own repeating."""
    return Tester(
        builder.workspace, builder.tree, store, builder.arch, options, progress=builder.progress, runs=1, keep=False
    )


def _command(builder: Builder, request: Request, command: str) -> CommandRun:
    build = builder if request.build else None
    return CommandRun(builder.workspace, builder.tree, _words(command), build, builder.progress)


def _words(command: str) -> tuple[str, ...]:
    """The command as words; with anything in it that only a shell understands, for sh(1). A script named by its path
    from here is found from the checkout, too, behind variables and `!`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"cannot be taken apart: {error}", where="--run", todo="close the quotation") from error
    if not words:
        raise InputError("an empty command", where="--run", todo="give a program and its arguments")
    if (found := _PROGRAM.match(command)) is not None:
        name = shlex.split(found["name"])[0]
        if "/" in name and not Path(name).is_absolute() and Path(name).is_file():
            place = str(Path(name).resolve())
            words[0] = place if words[0] == name else words[0]
            command = f"{command[: found.start('name')]}{shlex.quote(place)}{command[found.end('name') :]}"
    needs_shell = _SHELL & {*command} or _ASSIGNMENT.match(words[0])
    if needs_shell:
        return "sh", "-c", command
    if "/" not in words[0] and shutil.which(words[0]) is None:
        raise InputError(f"no such program: {words[0]}", where="--run", todo="name a script by its path, ./check.sh")
    return tuple(words)
