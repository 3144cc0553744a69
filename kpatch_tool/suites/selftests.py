"""The tree's own tests, tools/testing/selftests/kvm: which there are, which to run, and their programs.

What a program is made of is told by git's ids (of its source, and of everything it may include or link), so a program
that is known for a state needs neither a checkout nor make. A program that does not build is a Test without a path.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from kpatch_tool.diff.hostile import unsafe_path
from kpatch_tool.errors import MachineError
from kpatch_tool.kbuild import diagnostics, toolchain
from kpatch_tool.kbuild.make import environment, machine_fault, toolchain_programs
from kpatch_tool.kbuild.objdir import later_than_now
from kpatch_tool.progress import Progress, silent
from kpatch_tool.suites import own
from kpatch_tool.suites.catalogue import SELFTESTS
from kpatch_tool.suites.model import Test
from kpatch_tool.system import atomic, leftovers, lock, process, sandbox
from kpatch_tool.system.limits import default_limits
from kpatch_tool.system.sandbox import Room, plain
from kpatch_tool.tree.fastimport import ls_tree, run_git
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.worktree import build_lock, worktree_of
from kpatch_tool.workspace import Workspace

DIRECTORY = "tools/testing/selftests/kvm"
DEFAULT_TIMEOUT = 60.0

_DATA = Path(__file__).parent / "selftests.toml"
_RECIPE = "1"  # part of every key: raise it when the way of building changes
_TOUCHED_AT_MOST = 10  # programs beside those listed; a series that changes them all is about something else
_LOCK_SECONDS = 60.0
_STRIP_SECONDS = 60.0
_BUILDING = ".kpt-building"
_CONTENT = ".kpt-content"
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]*")
_MAKES_OWN = re.compile(r": Error \d+$")
_LIBRARIES = ("/usr/include", "/usr/lib", "/usr/lib64", "/usr/local/include", "/usr/local/lib")
# Where try-run of scripts/Makefile.compiler tries options (-no-pie): by itself in the sources, which are read-only.
_TRIES = "TMPOUT=/tmp/.tmp_$$$$"


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the tree's: `name` ("state_test") and its path in DIRECTORY ("x86_64/state_test")."""

    name: str
    path: str

    @property
    def source(self) -> str:
        return f"{self.path}.c"


@dataclass(frozen=True, slots=True)
class Options:
    """How a program is run: seconds it may take, and its arguments."""

    timeout: float = DEFAULT_TIMEOUT
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selftests:
    """The tests of a state, in the order to run them. `why` says why there are none, else it is empty; `log` is what
    make printed, None when nothing had to be built."""

    tests: tuple[Test, ...]
    why: str = ""
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What a state has under DIRECTORY and among the other inputs: path -> git id. `makefile` is DIRECTORY's."""

    ids: Mapping[str, str]
    makefile: str


def build_selftests(
    workspace: Workspace,
    tree: Tree,
    state: State,
    arch: str = "x86_64",
    *,
    patterns: Sequence[str] = (),
    touched: Sequence[str] = (),
    progress: Progress = silent,
    jobs: int | None = None,
) -> Selftests:
    """The tests of `state`: those of selftests.toml the tree has and those called `touched`, or all whose name or path
    matches one of `patterns`.

    Builds only the programs that are not known from before, in kpt's own checkout of the tree, under the lock of its
    builds. Raises MachineError when git or a tool is missing, the disk is full, or another kpt builds this tree.
    """
    sources = read_sources(tree.git_dir, state.commit)
    programs = programs_in(sources.makefile, _data()[arch]["variables"])
    if not programs:
        return Selftests((), f"this tree has no tests for {arch} in {DIRECTORY}")
    chosen = choose(programs, (*defaults(arch), *touched), patterns)
    if not chosen:
        return Selftests((), f"no test of {DIRECTORY} matches {' '.join(patterns)}".strip())
    common = _digest(_common(sources, toolchain.probe(tree.make).identity, _handed(tree.make)))
    keys = _keys(sources, chosen, common)
    kept = _Kept(workspace.cache / SELFTESTS, _libraries())
    log = None
    if any(not kept.has(key) for key in keys.values()):
        with lock.held(build_lock(workspace, tree), wait_seconds=_LOCK_SECONDS):
            missing = tuple(program for program in chosen if not kept.has(keys[program.name]))
            if missing:
                source = worktree_of(workspace, tree).move_to(state, progress)
                objects = workspace.state / "build" / f"{tree.name}-{arch}-{SELFTESTS}"
                log = workspace.logs / SELFTESTS / f"{tree.name}-{state.commit[:12]}.log"
                aside = state.patch != 0  # no guest runs before the base's programs are there
                build = _Build(source, objects, tree.make, log, jobs or process.processors(), progress, aside)
                broken = build.prepare(common, _digest(_headers(sources)), _data()[arch]["make_arch"])
                if broken:
                    for program in missing:
                        kept.keep_failure(keys[program.name], broken)
                else:
                    build.make(missing, keys, kept)
    return Selftests(tuple(_test(program, defaults(arch), kept, keys[program.name]) for program in chosen), log=log)


def programs_of(tree: Tree, state: State, arch: str = "x86_64") -> tuple[Program, ...]:
    """All programs a state has; nothing is built. Raises MachineError when git cannot tell."""
    return programs_in(read_sources(tree.git_dir, state.commit).makefile, _data()[arch]["variables"])


def touched(tree: Tree, base: State, head: State, arch: str = "x86_64") -> tuple[str, ...]:
    """The names of the programs whose sources a series, from `base` to `head`, adds or changes, the first ten: what it
    does to a test that does not run otherwise, nothing else would tell. Raises MachineError when git cannot tell."""
    before, after = (read_sources(tree.git_dir, state.commit) for state in (base, head))
    found = [
        program.name
        for program in programs_in(after.makefile, _data()[arch]["variables"])
        if before.ids.get(f"{DIRECTORY}/{program.source}") != after.ids.get(f"{DIRECTORY}/{program.source}")
    ]
    return tuple(found[:_TOUCHED_AT_MOST])


def read_sources(git_dir: Path, commit: str) -> Sources:
    """What a commit has of the tests and of what they are built from. Raises MachineError when git cannot tell."""
    ids = ls_tree(git_dir, commit, "-r", "--", DIRECTORY)
    if f"{DIRECTORY}/Makefile" not in ids:
        return Sources({}, "")
    makefiles = [ids[name] for name in (f"{DIRECTORY}/Makefile", f"{DIRECTORY}/Makefile.kvm") if name in ids]
    text = "\n".join(run_git(git_dir, "cat-file", "blob", oid).decode("utf-8", "replace") for oid in makefiles)
    return Sources({**ids, **ls_tree(git_dir, commit, "--", *_data()["inputs"]["paths"])}, text)


def programs_in(makefile: str, variables: Iterable[str]) -> tuple[Program, ...]:
    """The programs a Makefile of the tests lists in `variables` (and in the variables those name), in its order; what
    is no plain path below it is left out, for a stranger wrote it."""
    lists: dict[str, list[str]] = {}
    joined = re.sub(r"\\\n", " ", makefile)
    for name, words in re.findall(r"^(TEST_GEN_PROGS\w*)\s*[+:?]?=\s*([^#\n]*)", joined, re.MULTILINE):
        lists.setdefault(name, []).extend(words.split())
    found = [path for variable in variables for path in _expanded(lists, variable, frozenset())]
    plainly = (path for path in dict.fromkeys(found) if _PATH.fullmatch(path) and not unsafe_path(path))
    return tuple(Program(path.rpartition("/")[2], path) for path in plainly)


def choose(programs: Sequence[Program], listed: Iterable[str], patterns: Sequence[str]) -> tuple[Program, ...]:
    """The programs to run: all that match a pattern (as the shell's), in the tree's order; without patterns those
    listed, in the list's order."""
    if patterns:
        return tuple(p for p in programs if any(fnmatchcase(n, one) for one in patterns for n in (p.name, p.path)))
    known = {program.name: program for program in programs}
    return tuple(known[name] for name in dict.fromkeys(listed) if name in known)


def defaults(arch: str) -> Mapping[str, Options]:
    """The programs that run unless others are asked for, in order."""
    table: Mapping[str, Any] = _data()[arch].get("programs", {})
    return {
        name: Options(float(row.get("timeout", DEFAULT_TIMEOUT)), tuple(row.get("args", ())))
        for name, row in table.items()
    }


def _expanded(lists: Mapping[str, list[str]], variable: str, around: frozenset[str]) -> Iterable[str]:
    for word in lists.get(variable, ()) if variable not in around else ():
        reference = re.fullmatch(r"\$[({](\w+)[)}]", word)
        if reference is not None:
            yield from _expanded(lists, reference[1], around | {variable})
        elif "$" not in word:
            yield word


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_DATA.read_text("utf-8"))


def _test(program: Program, listed: Mapping[str, Options], kept: _Kept, key: str) -> Test:
    options = listed.get(program.name, Options())
    path, why = kept.get(key)
    return Test(
        suite=SELFTESTS,
        name=program.name,
        path=path,
        timeout=options.timeout,
        args=options.args,
        why_not_built=why,
    )


# What a program is made of


def _common(sources: Sources, tools: Iterable[str], variables: Sequence[str]) -> dict[str, str]:
    """What all programs depend on: everything but the sources of single programs."""
    inside = f"{DIRECTORY}/"
    shared = (f"{inside}lib/", f"{inside}include/")
    files = {
        path: oid
        for path, oid in sources.ids.items()
        if not path.startswith(inside) or path.startswith(shared) or path.endswith((".h", "Makefile", "Makefile.kvm"))
    }
    words = {"variables": "\n".join(variables)} if variables else {}
    return {**files, "recipe": _RECIPE, "tools": "\n".join(tools), **words}


def _handed(variables: Mapping[str, str]) -> list[str]:
    """The tree's make variables that are handed to the tests' make."""
    return [f"{name}={variables[name]}" for name in ("CC", "CROSS_COMPILE") if name in variables]


def _headers(sources: Sources) -> dict[str, str]:
    """What `make headers` reads."""
    return {path: sources.ids[path] for path in _data()["inputs"]["headers"] if path in sources.ids}


def _keys(sources: Sources, programs: Iterable[Program], common: str) -> dict[str, str]:
    """Program name -> the key of everything it is made of."""
    return {
        program.name: _digest({"common": common, program.path: sources.ids.get(f"{DIRECTORY}/{program.source}", "")})
        for program in programs
    }


def _libraries() -> str:
    """Another text when a header or a library is added to this machine or taken away."""
    tops = [Path(name) for name in _LIBRARIES]
    places = [place for top in tops for place in (top, *sorted(top.glob("*-linux-gnu*"))) if place.is_dir()]
    return _digest({str(place): str(place.stat().st_mtime_ns) for place in places})


def _digest(parts: Mapping[str, str]) -> str:
    text = "".join(f"{name}\0{value}\n" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


# Building


@dataclass(frozen=True, slots=True)
class _Kept:
    """Built programs, and what was said of those that do not build, which holds while this machine has the same
    `libraries`: one file a key, never changed."""

    directory: Path
    libraries: str

    def has(self, key: str) -> bool:
        return self._program(key).exists() or self._failure(key).exists()

    def get(self, key: str) -> tuple[Path | None, str]:
        """The program, or None and why there is none."""
        if self._program(key).exists():
            return self._program(key), ""
        return None, self._failure(key).read_text("utf-8")

    def keep(self, key: str, program: Path, out: Path) -> None:
        """Keep `program`, which make left somewhere in `out`."""
        with atomic.machine_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            bare = program.with_name(f"{program.name}.stripped")
            # Debugging information is nine tenths of a program, and nobody debugs in the guest.
            words = ["strip", "--strip-debug", "-o", str(bare), str(program)]
            room, cwd = Room((out,)), program.parent
            done = sandbox.run(words, room, cwd=cwd, env=environment(), timeout=_STRIP_SECONDS)
            made = bare if done.status == 0 and plain(out, bare) else program
            with made.open("rb") as data, atomic.staged_file(self._program(key), 0o755) as kept:
                shutil.copyfileobj(data, kept)

    def keep_failure(self, key: str, why: str) -> None:
        atomic.write_text(self._failure(key), why)

    def _program(self, key: str) -> Path:
        return self.directory / key

    def _failure(self, key: str) -> Path:
        return self.directory / f"{key}-{self.libraries}.txt"


@dataclass(frozen=True, slots=True)
class _Build:
    """make in an object directory of the selftests' own."""

    source: Path
    objects: Path
    variables: Mapping[str, str]
    log: Path
    jobs: int
    progress: Progress
    aside: bool

    def prepare(self, common: str, headers: str, make_arch: str) -> str:
        """Have the kernel's user headers, and no object made from other inputs; why the headers cannot be made, if so.

        The selftests' Makefile does not know what includes what, and a killed compiler may leave half an object.
        """
        content = self.objects / _CONTENT
        held = content.read_text("utf-8").split() if content.exists() else []
        if later_than_now(content, self.objects / _BUILDING):  # make would not see what changed since then
            held = []
        if held[:1] != [headers]:
            leftovers.remove(self.objects)
        if held[1:] != [common] or (self.objects / _BUILDING).exists():
            leftovers.remove(self._out)
        with atomic.machine_errors(self.objects):
            for place in (self._out, self._installed):
                place.mkdir(parents=True, exist_ok=True)
        if held[:1] != [headers]:
            self.progress("installing the kernel's headers for its selftests")
            goals = [f"O={self._installed}", f"ARCH={make_arch}", self._headers_goal()]
            log = self.log.with_suffix(".headers.log")
            if self._run(self.source, goals, log).status != 0:
                return f"the kernel's headers for it: {self._first_cause(log, self.source)}"
        atomic.write_text(content, f"{headers} {common}")
        (self.objects / _BUILDING).unlink(missing_ok=True)
        return ""

    def make(self, programs: Sequence[Program], keys: Mapping[str, str], kept: _Kept) -> None:
        """Build `programs` and keep what comes of each."""
        self.progress(f"building {len(programs)} selftests")
        atomic.write_text(self.objects / _BUILDING, "")
        places = [self._out / program.path for program in programs]
        if not all(sandbox.within(self._out, place) for place in places):
            leftovers.remove(self._out)
            self._out.mkdir()
        for place in places:
            if place.is_dir() and not place.is_symlink():
                leftovers.remove(place)
            place.unlink(missing_ok=True)
        self._programs(programs, self.log)
        for program in programs:
            built = self._out / program.path
            why = "" if plain(self._out, built) else self._why(program)
            if plain(self._out, built):  # be it when it was made alone: make -j may have made things in a wrong order
                kept.keep(keys[program.name], built, self._out)
            else:
                kept.keep_failure(keys[program.name], why)
        (self.objects / _BUILDING).unlink(missing_ok=True)

    @property
    def _out(self) -> Path:
        return self.objects / "out"

    @property
    def _installed(self) -> Path:
        """The kernel's headers for user space."""
        return self.objects / "headers"

    def _headers_goal(self) -> str:
        """`headers` came with Linux 5.3; it needs no rsync, which headers_install does since then."""
        path = self.source / "Makefile"
        makefile = path.read_text("utf-8", "replace") if plain(self.source, path) else ""
        return "headers" if re.search(r"^(?:PHONY \+= )?headers:", makefile, re.MULTILINE) else "headers_install"

    def _why(self, program: Program) -> str:
        """Make it once more, alone: the first error is its own then."""
        log = self.log.with_suffix(f".{program.name}.log")
        self._programs((program,), log)
        return self._first_cause(log, self.source / DIRECTORY)

    def _first_cause(self, log: Path, source: Path) -> str:
        """What made make fail in the directory `source`, as its `log` tells."""
        text = log.read_bytes()
        roots = diagnostics.Roots(str(source), str(self._out))
        causes = diagnostics.root_causes(text, roots)
        if not causes or _MAKES_OWN.search(causes[0].message):
            return own.first_error(text) or "make left no program and told no error"
        return causes[0].told

    def _programs(self, programs: Sequence[Program], log: Path) -> None:
        goals = [
            "-k",
            f"OUTPUT={self._out}",
            f"KHDR_INCLUDES=-isystem {self._installed / 'usr' / 'include'}",
            *_handed(self.variables),
            *(str(self._out / program.path) for program in programs),
        ]
        self._run(self.source / DIRECTORY, goals, log)

    def _run(self, directory: Path, goals: Sequence[str], log: Path) -> process.Finished:
        """Run make; raises MachineError where it fails by this machine's fault."""
        argv = ["make", f"-j{self.jobs}", "--output-sync=target", "--no-print-directory", _TRIES, *goals]
        with atomic.machine_errors(log):
            room = Room(
                (self._out, self._installed), (self.source, *sandbox.beyond_system(toolchain_programs(self.variables)))
            )
            limits = default_limits(aside=self.aside)
            done = sandbox.run_logged(argv, log, room, cwd=directory, env=environment(), limits=limits)
        fault = machine_fault(done, log.read_bytes()) if done.status != 0 else None
        if fault is not None:
            raise MachineError(f"cannot build the selftests: {fault}", where=str(log), todo="see the log")
        return done
