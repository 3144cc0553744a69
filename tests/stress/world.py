"""The workspace that faults are injected into: a toy kernel's repository, a series, one snapshot before each command.

Every trial runs at the same path, because records of builds hold paths.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.system import sandbox

TOY = Path(__file__).parents[1] / "toykernel"
KPT = (sys.executable, "-m", "kpatch_tool")
_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "1400000000 +0200",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_COMMITTER_DATE": "1400000000 +0200",
    "LC_ALL": "C.UTF-8",
}
_PATIENCE = 180.0
# What the patches of the series do: a file, and lines added at its end. The second does not compile.
_CHANGES = (
    ("arch/x86/kvm/mmu.c", "int kvm_more(void);\nint kvm_more(void)\n{\n\treturn 1;\n}\n"),
    ("virt/kvm/kvm_main.c", "int kvm_broken = nothing;\n"),
    ("arch/x86/kvm/x86.c", "int kvm_other;\n"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and the name of the step whose result it starts from ("" for an empty workspace). `statuses` are the
    exit statuses of an undisturbed run; `once` marks a command that does something else the second time."""

    name: str
    words: tuple[str, ...]
    after: str
    statuses: tuple[int, ...] = (0,)
    once: bool = False


_TREE = ("tree", "add", "toy")
STEPS = (
    Step("tree-git", (*_TREE, "--git", "../source", "--ref", "main"), ""),
    Step("tree-dir", (*_TREE, "--dir", "../plain"), ""),
    Step("tree-tar", (*_TREE, "--tarball", "../toy.tar"), ""),
    Step("import", ("import", "../mails", "--name", "s"), "tree-git"),
    Step("import-page", ("import", "../page.txt", "--name", "page"), "import"),
    Step("restore", ("restore", "page"), "import-page"),
    Step("apply-one", ("apply", "s", "--patches", "1", "--json"), "import-page"),
    Step("apply", ("apply", "s", "--json"), "apply-one"),
    Step("apply-page", ("apply", "page", "--json"), "apply-one"),
    Step("undo", ("undo", "s", "--json"), "apply", once=True),
    Step("build-one", ("build", "s", "--patch", "1", "--json"), "apply"),
    Step("build", ("build", "s", "--each", "--json"), "build-one", (1,)),
    Step("bisect", ("bisect", "s", "--build", "--json"), "apply", (1,)),
    # The toy kernel does not boot: everything up to QEMU, and what this machine cannot do.
    Step("test", ("test", "s", "--patch", "1", "--suite", "kpt-guest", "--json"), "build", (3,)),
    Step("run", ("run", "s", "--json"), "build", (1, 3)),
    Step("report", ("report", "s", "--format", "html"), "run"),
    Step("tree-remove", ("tree", "remove", "toy"), "apply", once=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """A finished command."""

    status: int
    out: bytes
    err: bytes
    seconds: float


@dataclass(slots=True)
class World:
    """Directories below `root`: source (the user's repository), home, tmp, workspace (of the trial), snapshots."""

    root: Path
    seconds: dict[str, float] = field(default_factory=dict)
    answers: dict[str, Done] = field(default_factory=dict)
    ended_early: int = 0  # how often kpt was at work when a signal came

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def scratch(self) -> Path:
        return self.root / "tmp"

    def environment(self) -> dict[str, str]:
        kept = {
            name: os.environ[name]
            for name in ("PATH", "VIRTUAL_ENV", "LD_PRELOAD", sandbox.VARIABLE)
            if name in os.environ
        }
        repo = Path(__file__).parents[2]
        more = {"HOME": str(self.root / "home"), "TMPDIR": str(self.scratch), "PYTHONPATH": str(repo), "COLUMNS": "80"}
        more["CCACHE_DISABLE"] = "1"
        return {**kept, **_GIT, **more}

    def snapshot(self, step: str) -> Path:
        """The workspace as an undisturbed `step` leaves it."""
        return self.root / "snapshots" / (step or "empty")

    def start(self, words: Sequence[str], extra: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start kpt in the workspace."""
        return subprocess.Popen(
            [*KPT, *words],
            cwd=self.workspace,
            env={**self.environment(), **(extra or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, words: Sequence[str], extra: Mapping[str, str] | None = None) -> Done:
        """Run kpt in the workspace to its end; one that hangs is killed, which its status tells."""
        begun = time.monotonic()
        with self.start(words, extra) as process:
            try:
                out, err = process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
        return Done(process.returncode, out, err, time.monotonic() - begun)

    def put(self, snapshot: Path) -> None:
        """Make the workspace equal to a snapshot, times included."""
        _copied(snapshot, self.workspace)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()


def make(root: Path, names: Sequence[str] = ()) -> World:
    """A world below the empty directory `root`, and the undisturbed run of each step (of those `names` need)."""
    world = World(root)
    for path in (root / "home", root / "tmp", root / "snapshots", root / "mails"):
        path.mkdir()
    shutil.copytree(TOY, world.source, ignore=shutil.ignore_patterns("__pycache__"))
    _git(world, "init", "-q", "-b", "main")
    _commit(world, "toy kernel")
    shutil.copytree(world.source, root / "plain", ignore=shutil.ignore_patterns(".git"))
    subprocess.run(["tar", "cf", root / "toy.tar", "-C", root, "plain"], check=True)
    _git(world, "checkout", "-q", "-b", "work")
    for name, lines in _CHANGES:
        with (world.source / name).open("a") as file:
            file.write(f"\n{lines}")
        _commit(world, f"more of {path}")
    _git(world, "format-patch", "-q", "-o", str(root / "mails"), "main..work")
    (root / "page.txt").write_bytes(_page(sorted((root / "mails").iterdir())))
    (world.source / "Makefile").write_text((world.source / "Makefile").read_text() + "# not committed\n")
    _git(world, "add", "Makefile")
    world.workspace.mkdir()
    assert world.run(("init",)).status == 0
    _copied(world.workspace, world.snapshot(""))
    for step in needed(names):
        _undisturbed(world, step)
    return world


def needed(names: Sequence[str]) -> tuple[Step, ...]:
    """The steps called so (none: all), and those they start from."""
    known = {step.name: step for step in STEPS}
    wanted = set(names or known)
    for step in reversed(STEPS):
        if step.name in wanted and step.after:
            wanted.add(step.after)
    return tuple(step for step in STEPS if step.name in wanted)


def _undisturbed(world: World, step: Step) -> None:
    world.put(world.snapshot(step.after))
    done = world.run(step.words)
    if done.status not in step.statuses:
        raise SystemExit(f"{step.name}: exit {done.status} undisturbed\n{done.err.decode(errors='replace')}")
    world.seconds[step.name], world.answers[step.name] = done.seconds, done
    _copied(world.workspace, world.snapshot(step.name))


def _copied(origin: Path, target: Path) -> None:
    """As rsync does, but what is in place is thrown away; a mount point stays."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    subprocess.run(["cp", "-a", "--reflink=auto", f"{origin}/.", target], check=True)


def _git(world: World, *words: str) -> None:
    subprocess.run(["git", *words], cwd=world.source, env=world.environment(), check=True, capture_output=True)


def _commit(world: World, subject: str) -> None:
    _git(world, "add", "-Af")
    _git(world, "commit", "-qm", subject)


def _page(mails: Sequence[Path]) -> bytes:
    """The mails as an archive's page that squeezed all white space."""
    out = []
    for minute, path in enumerate(mails):
        head, _, body = path.read_bytes().partition(b"\n\n")
        subject = next(line for line in head.split(b"\n") if line.startswith(b"Subject: "))
        squeezed = b"\n".join(squeeze(line) for line in body.split(b"\n"))
        top = f"2014-04-17 09:0{minute}:00\n\nby A Person\n\n[permalink] [raw]\n".encode()
        out.append(top + subject + b"\n\n" + squeezed + b"\n")
    return b"\n".join(out)
