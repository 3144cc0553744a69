"""Getting and building kvm-unit-tests in a directory that is thrown away afterwards."""

from __future__ import annotations

from pathlib import Path

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.kbuild.make import environment
from kpatch_tool.progress import Progress
from kpatch_tool.suites import own
from kpatch_tool.system import atomic, process, sandbox
from kpatch_tool.system.sandbox import Room
from kpatch_tool.text import printable
from kpatch_tool.tree.adding import init_bare
from kpatch_tool.tree.failed import git_failed
from kpatch_tool.tree.sources.git import GitRepository
from kpatch_tool.tree.worktree import PLAIN_FILES

_BUILD_SECONDS = 1800.0
_CONFIGURE_SECONDS = 120.0


def fetch_sources(work: Path, source: str, ref: str, cache: Path, progress: Progress) -> str:
    """Put the sources at `ref` of the repository `source` (URL or path) into work/source; the commit's full id.

    Raises InputError for an unusable source or ref and for sources that are no kvm-unit-tests.
    """
    git_dir, target = work / "git", work / "source"
    target.mkdir(parents=True)
    init_bare(git_dir)
    there = Path(source)
    commit = GitRepository(str(there.resolve()) if there.is_dir() else source, ref).fill(git_dir, cache, progress)
    atomic.write_text(git_dir / "info" / "attributes", PLAIN_FILES)  # no filter of the user's: git-lfs would call out
    done = process.run(
        ["git", f"--git-dir={git_dir}", f"--work-tree={target}", "checkout", "--quiet", commit, "--", "."]
    )
    if done.status:
        raise git_failed(done.stderr, git_dir)
    if not (target / "x86" / "unittests.cfg").is_file() or not (target / "configure").is_file():
        raise InputError("this is no kvm-unit-tests", where=source, todo="it has no configure or x86/unittests.cfg")
    return commit


def build_unit_tests(work: Path, log: Path, progress: Progress) -> None:
    """Build work/source into work/build, leaving the sources as they are; make's output goes to `log`.

    Raises MachineError when it does not build.
    """
    build = work / "build"
    build.mkdir()
    progress("configuring kvm-unit-tests")
    room = Room((build,), (work / "source", *sandbox.beyond_system(["make", "gcc"])))
    done = sandbox.run_logged(
        ["../source/configure", "--arch=x86_64"],
        log,
        room,
        cwd=build,
        env=environment(),
        timeout=_CONFIGURE_SECONDS,
    )
    _check(done, log)
    count = 0

    def count_line(line: bytes) -> None:
        nonlocal count
        count += 1
        progress("building kvm-unit-tests", count)

    done = sandbox.run_logged(
        ["make", f"-j{process.processors()}"],
        log,
        room,
        cwd=build,
        env=environment(),
        timeout=_BUILD_SECONDS,
        on_line=count_line,
    )
    _check(done, log)


def _check(done: process.Finished, log: Path) -> None:
    if done.stopped:
        raise MachineError(f"building kvm-unit-tests was stopped: {done.stopped}", todo=f"see {log}")
    if done.timed_out:
        raise MachineError(f"took longer than {done.seconds:.0f} s", where=done.argv[0], todo=f"see {log}")
    if done.status:
        text = log.read_bytes()
        error = own.first_error(text) or text.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise MachineError(f"kvm-unit-tests does not build: {printable(error[:300])}", todo=f"see {log}")
