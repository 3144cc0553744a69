"""Building one state of a tree: moved worktree, configured object directory, make, what came of it kept."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool import doctor
from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild import arch as archs
from kpatch_tool.kbuild import artifacts, config, diagnostics, reach
from kpatch_tool.kbuild.compiled import COMPILES, changes_between, directory_of
from kpatch_tool.kbuild.make import Make, machine_fault
from kpatch_tool.kbuild.model import BuildStatus, Diagnostic, StateBuild
from kpatch_tool.kbuild.objdir import LOG, ObjectDirectory, Record, carried, without_vanished
from kpatch_tool.kbuild.plan import Plan, make_plan
from kpatch_tool.progress import Progress, silent
from kpatch_tool.system import atomic, lock, process, sandbox
from kpatch_tool.system.sandbox import plain
from kpatch_tool.tree.model import State, Tree
from kpatch_tool.tree.worktree import build_lock, worktree_of
from kpatch_tool.workspace import Workspace

_CONFIG_LOG = "config-log"
_ALLCONFIG = "allconfig"
_COMPAT = "compat"
_LOCK_SECONDS = 5.0
# A change to one of these may change what a configuration comes out as.
_KCONFIG = re.compile(r"(?:^|/)Kconfig[^/]*$|^scripts/|^Makefile$|^arch/[^/]+/Makefile[^/]*$|\.config$")


def build_state(
    workspace: Workspace,
    tree: Tree,
    state: State,
    arch: str,
    *,
    fragments: Sequence[Path] = (),
    progress: Progress = silent,
    jobs: int | None = None,
    aside: bool = False,
) -> StateBuild:
    """Build kernel image and KVM modules of `state`, or tell what is known from before.

    `fragments` are the user's configuration files; `jobs` is make's -j (the processors kpt may run on where None);
    `aside`: make stands back from other programs, for guests run beside it. A state that does not compile is a value
    (status "failed"), remembered like one that does; what this machine could not do (status "infra") is never
    remembered. Raises InputError for an unknown architecture, an unreadable fragment or a symbol that does not survive
    the configuration; MachineError when a tool is missing, the disk is full, or another kpt builds this tree.
    """
    plan = make_plan(tree, archs.load(arch), fragments)
    started = time.monotonic()
    kept = artifacts.Artifacts(workspace)
    key = plan.key(state)
    known = kept.load(key, state)
    if known is not None:
        return replace(known, seconds=time.monotonic() - started)
    doctor.require("build")
    sandbox.require()
    with (
        lock.held(build_lock(workspace, tree), wait_seconds=_LOCK_SECONDS),
        atomic.machine_errors(workspace.state),
    ):
        return _Builder(workspace, plan, state, kept, key, progress, jobs or process.processors(), aside).build()


def known_build(
    workspace: Workspace, tree: Tree, state: State, arch: str, *, fragments: Sequence[Path] = ()
) -> StateBuild | None:
    """What `build_state` would answer without running make, or None."""
    plan = make_plan(tree, archs.load(arch), fragments)
    return artifacts.Artifacts(workspace).load(plan.key(state), state)


@dataclass(slots=True)
class _Builder:
    """One build, under the lock of its tree."""

    workspace: Workspace
    plan: Plan
    state: State
    kept: artifacts.Artifacts
    key: str
    progress: Progress
    jobs: int
    aside: bool

    def build(self) -> StateBuild:
        known = self.kept.load(self.key, self.state)  # another kpt may have built it while this one waited
        if known is not None:
            return known
        started = time.monotonic()
        _check_path(self.workspace.root)
        source = worktree_of(self.workspace, self.plan.tree).move_to(self.state, self.progress)
        directory = directory_of(self.workspace, self.plan.tree, self.plan.arch.name)
        record = directory.prepare(self.plan.generation)
        build = self._configured(directory, record, source)
        build = replace(build, seconds=time.monotonic() - started)
        if build.status is BuildStatus.INFRA:
            return replace(build, log=self._log_of_infra(build.log))
        origin = artifacts.Origin(self.plan.tree.name, self.plan.arch.name, self.plan.generation)
        return self.kept.store(self.key, build, self.state, origin, self._files(directory.path, build))

    def _configured(self, directory: ObjectDirectory, record: Record, source: Path) -> StateBuild:
        data = directory.notes / _COMPAT
        self.plan.compat.install(data)
        variables = {**self.plan.compat.variables(self.plan.tools, data), **self.plan.tree.make}
        make = Make(source, directory.path, directory.notes, self.plan.arch.make_arch, variables, self.jobs, self.aside)
        directory.began()
        if self._must_configure(record):
            record = replace(record, config="", image_tree="")  # until it has come out as asked
            directory.keep(record)
            finished = self._configure(make)
            if finished.status != 0:
                return self._failed(directory, make, finished, directory.notes / _CONFIG_LOG, record)
            lost = config.lost(self.plan.asked, _dotconfig(directory.path))
            if lost:
                directory.ended()
                return self._refused(lost, source, directory.notes / _CONFIG_LOG)
            record = self._noted(directory, make, record, directory.notes / _CONFIG_LOG)
            record = replace(record, config=self.plan.config, config_tree=self.state.tree_id)
            directory.keep(record)
        return self._make(directory, make, record)

    def _must_configure(self, record: Record) -> bool:
        if record.config != self.plan.config or not record.config_tree:
            return True
        return any(_KCONFIG.search(change.path) for change in self._changes(record.config_tree))

    def _configure(self, make: Make) -> process.Finished:
        """Everything off but what is asked for (allnoconfig with KCONFIG_ALLCONFIG)."""
        self.progress("configuring")
        asked = make.notes / _ALLCONFIG
        asked.write_text(config.render(self.plan.asked), "utf-8")
        return make.run([self.plan.arch.base_config], make.notes / _CONFIG_LOG, env={"KCONFIG_ALLCONFIG": str(asked)})

    def _refused(self, lost: Sequence[config.Lost], source: Path, log: Path) -> StateBuild:
        """Symbols did not come out as asked: the user's to mend, or, below a patch, the patch's doing."""
        reasons = [_explain(one, source, self.plan.arch.image.split("/")[1]) for one in lost]
        sentences = [sentence for sentence, _ in reasons]
        if self.state.patch == 0 or any(one.asked.origin not in self.plan.ours for one in lost):
            first = next((n for n, one in enumerate(lost) if one.asked.origin not in self.plan.ours), 0)
            raise InputError(sentences[first], where=lost[first].asked.origin, todo=reasons[first][1])
        errors = tuple(Diagnostic("Kconfig", 0, sentence) for sentence in sentences)
        return self._result(BuildStatus.FAILED, errors, (), log, f"after this patch, {sentences[0]}")

    def _make(self, directory: ObjectDirectory, make: Make, record: Record) -> StateBuild:
        quick = self._modules_suffice(directory, record)
        if not quick:
            record = replace(record, image_tree="")  # until make came to its end: it may make the image and then fail
            directory.keep(record)
            self._remove_modules(directory.path)
        goals = self._module_goals(directory.path) if quick else [self.plan.arch.image_target, "modules"]
        log = directory.notes / LOG
        counter = _Counter(self.progress, self._name(), 0 if quick else record.objects)
        finished = make.run(goals, log, on_line=counter)
        if finished.status != 0:
            return self._failed(directory, make, finished, log, record)
        record = self._noted(directory, make, record, log)
        if not quick:
            uses = reach.collect(directory.path, make.source, self._module_directories(directory.path))
            reach.save(directory.notes, uses)
            record = replace(record, image_tree=self.state.tree_id, objects=max(record.objects, counter.count))
        directory.keep(record)
        directory.ended()
        return self._succeeded(directory.path, record, log)

    def _modules_suffice(self, directory: ObjectDirectory, record: Record) -> bool:
        """Whether the image is up to date for this state already (kbuild.reach says when that is sure)."""
        if not record.image_tree or not plain(directory.path, directory.path / self.plan.arch.image):
            return False
        values = config.values(_dotconfig(directory.path))
        if any(values.get(symbol, "m") != "m" for symbol in self.plan.arch.module_symbols):
            return False
        uses = reach.load(directory.notes)
        if uses is None:
            return False
        return reach.modules_suffice(self._changes(record.image_tree), uses, self._module_directories(directory.path))

    def _remove_modules(self, objects: Path) -> None:
        """One that is made no more, for a change to a Makefile or the configuration, must not be taken for this
        state's. To link the others again costs little."""
        for module in self._made(objects):
            (objects / module).unlink()

    def _made(self, objects: Path) -> list[str]:
        """The modules that the last build of everything made. Of some kernels (6.12) irqbypass is a part of the
        image."""
        return [module for module in self.plan.modules if plain(objects, objects / module)]

    def _module_directories(self, objects: Path) -> tuple[str, ...]:
        """The directories whose objects are all in modules: not those of a module that was not made."""
        lacking = {f"{Path(module).parent}/" for module in set(self.plan.modules).difference(self._made(objects))}
        return tuple(one for one in self.plan.arch.module_directories if one not in lacking)

    def _module_goals(self, objects: Path) -> list[str]:
        made = self._made(objects)
        if self.plan.compat.modules == "names":
            return made
        directories = dict.fromkeys(str(Path(module).parent) for module in made)
        return ["modules", f"vmlinux-dirs={' '.join(directories)}"]

    def _noted(self, directory: ObjectDirectory, make: Make, record: Record, log: Path) -> Record:
        """The record with what make, in `log`, said of each object it made. To configure makes some, too (those of
        scripts/kconfig): a later build may make them again, and what they say is then no news."""
        units = diagnostics.read(log.read_bytes(), _roots(make), configuring=log.name == _CONFIG_LOG)
        return replace(record, warnings=without_vanished(carried(record.warnings, units), directory.path))

    def _succeeded(self, objects: Path, record: Record, log: Path) -> StateBuild:
        if not plain(objects, objects / self.plan.arch.image):
            error = Diagnostic("", 0, f"make left no {self.plan.arch.image}")
            return self._result(BuildStatus.FAILED, (error,), _all(record), log, f"does not build: {error.message}")
        modules = tuple(artifacts.module(path, objects / path) for path in self._made(objects))
        warnings = _all(record)
        why = f"built {self.plan.arch.image_target} and {len(modules)} modules"
        build = self._result(BuildStatus.OK, (), warnings, log, why)
        image = artifacts.module(self.plan.arch.image, objects / self.plan.arch.image)
        return replace(build, modules=modules, image=image)

    def _failed(
        self, directory: ObjectDirectory, make: Make, finished: process.Finished, log: Path, record: Record
    ) -> StateBuild:
        text = log.read_bytes()
        if (reason := machine_fault(finished, text)) is not None:
            # The note that make was at work stays: targets may be half-written.
            return self._result(BuildStatus.INFRA, (), (), log, f"this machine could not build it: {reason}")
        record = self._noted(directory, make, record, log)
        directory.keep(record)
        directory.ended()
        errors = diagnostics.root_causes(text, _roots(make)) or (Diagnostic("", 0, _last_line(text), echo=True),)
        return self._result(BuildStatus.FAILED, errors, _all(record), log, f"does not build: {errors[0].told}")

    def _result(
        self,
        status: BuildStatus,
        errors: tuple[Diagnostic, ...],
        warnings: tuple[Diagnostic, ...],
        log: Path,
        why: str,
    ) -> StateBuild:
        return StateBuild(
            patch=self.state.patch,
            commit=self.state.commit,
            status=status,
            seconds=0.0,
            cached=False,
            modules=(),
            errors=errors,
            warnings=warnings,
            artifacts=None,
            log=log,
            why=why,
        )

    def _files(self, objects: Path, build: StateBuild) -> dict[str, Path]:
        files = {"config": objects / ".config"} if plain(objects, objects / ".config") else {}
        if build.status is BuildStatus.OK:
            files[Path(self.plan.arch.image).name] = objects / self.plan.arch.image
            files |= {module.path: objects / module.path for module in build.modules}
        return files

    def _log_of_infra(self, log: Path) -> Path:
        """The log of a build that is not kept, out of the way of the next one."""
        target = self.workspace.logs / f"build-{self.plan.tree.name}-{self.plan.arch.name}.log"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, target)
        except OSError:  # the disk is full, which may be why the build failed
            return log
        return target

    def _changes(self, tree_id: str) -> tuple[reach.ChangedPath, ...]:
        """The files that differ between a git tree and this state; everything, when the old one is gone."""
        found = changes_between(self.plan.tree, tree_id, self.state.tree_id)
        return (reach.ChangedPath("Makefile", "M"),) if found is None else found

    def _name(self) -> str:
        return f"building patch {self.state.patch}" if self.state.patch else "building the base"


class _Counter:
    """Counts the files compiled, for the progress shown."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress = progress
        self._what = what
        self._total = total
        self.count = 0
        progress(what, 0, total)

    def __call__(self, line: bytes) -> None:
        if COMPILES.match(line):
            self.count += 1
            self._progress(self._what, self.count, max(self._total, self.count) if self._total else 0)


def _dotconfig(objects: Path) -> str:
    """The configuration that came out; nothing where there is none that is a file."""
    path = objects / ".config"
    return path.read_text("utf-8", "replace") if plain(objects, path) else ""


def _roots(make: Make) -> diagnostics.Roots:
    return diagnostics.Roots(str(make.source), str(make.objects))


def _all(record: Record) -> tuple[Diagnostic, ...]:
    return diagnostics.unique(one for _, found in sorted(record.warnings.items()) for one in found)


def _last_line(log: bytes) -> str:
    lines = log.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "make said nothing"


def _explain(one: config.Lost, source: Path, arch: str) -> tuple[str, str]:
    """Why a symbol is not as asked, as Kconfig (of arch/`arch` and the rest) tells it, and what to do."""
    name = one.asked.symbol.removeprefix("CONFIG_")
    asked = f"{one.asked.symbol}={one.asked.value} was asked for, but"
    texts = (path.read_text("utf-8", "replace") for path in _kconfig_files(source, arch))
    entries = [wants for text in texts if (wants := config.depends_on(text, name)) is not None]
    if not entries:
        return f"{asked} the tree has no such option for {arch}", "correct its name, or take it out"
    wants = next(filter(None, entries), "")
    why = f" ({name} depends on {wants})" if wants else ""
    return f"{asked} the configuration has {one.got}{why}", "ask for what it depends on too"


def _kconfig_files(source: Path, arch: str) -> Iterable[Path]:
    """The Kconfig files of a source tree, those of other architectures left out."""
    for directory, names, files in os.walk(source):
        if directory == str(source / "arch"):
            names[:] = [name for name in names if name == arch]
        names[:] = [name for name in names if name not in ("Documentation", "include")]
        found = (Path(directory, name) for name in files if name.startswith("Kconfig"))
        yield from (path for path in found if plain(source, path))  # a link may lead nowhere, or out


def _check_path(root: Path) -> None:
    """The kernel's Makefile refuses such directories with a message nobody connects with kpt."""
    if any(character in str(root) for character in " :\t\n"):
        raise MachineError(
            "the kernel's Makefile cannot work in a directory with blanks or colons in its name",
            where=str(root),
            todo="move the workspace",
        )
