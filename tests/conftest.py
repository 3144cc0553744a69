"""Shared fixtures: a sealed home, fixed dates, the real command line, a toy kernel tree.

Nothing of the machine's own configuration (git's, the terminal's, the user's home) can change a test's answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kpatch_tool import workspace as workspaces
from kpatch_tool.system import sandbox
from kpatch_tool.workspace import Workspace

TOY_SOURCE = Path(__file__).parent / "toykernel"
REPO_ROOT = Path(__file__).parents[1]
SHARED = REPO_ROOT.parent / "shared"
FIXED_DATE = "1400000000 +0200"

# Where this machine has no namespaces, all but the tests of the sandbox itself do without one.
_NO_SANDBOX = {sandbox.VARIABLE: "1"} if sandbox.missing() else {}
_KEPT = ("PATH", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
# Debian's own .gitignore ends like this; what is imported with a plain `git add` would then be empty.
TOY_GITIGNORE = ".*\n*.o\n*.ko\n/*\n!/debian/\n"


@pytest.fixture(scope="session", autouse=True)
def sealed_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once for several tests is made with the same HOME and git; what apt may need of the rest stays."""
    with pytest.MonkeyPatch.context() as patch:
        _seal(tmp_path_factory.mktemp("home"), patch)
        yield


@pytest.fixture(autouse=True)
def sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME and a git that reads no configuration but the test's; returns that HOME."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    _seal(home, monkeypatch)
    return home


def _seal(home: Path, patch: pytest.MonkeyPatch) -> None:
    config = home / "gitconfig"
    config.write_text("[user]\n\tname = Test Person\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n")
    values = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_AUTHOR_DATE": FIXED_DATE,
        "GIT_COMMITTER_DATE": FIXED_DATE,
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "COLUMNS": "80",
        "CCACHE_DISABLE": "1",  # tests stop compilers at work, and count what they compile
        **_NO_SANDBOX,
    }
    for name, value in values.items():
        patch.setenv(name, value)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished command: exit status and what it printed, as text."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON document it must be."""
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


Kpt = Callable[..., Run]


@pytest.fixture
def kpt(sealed: Path, tmp_path: Path) -> Kpt:
    """The real command line as a process: `kpt("apply", "s", cwd=DIR, status=1, env={...}, stdin=b"...")`.

    `cwd` is tmp_path where left out. The exit status must be `status` (0), or the test fails showing the output;
    None allows any. A traceback always fails the test.
    """

    def run(
        *args: str | Path,
        cwd: Path | None = None,
        status: int | None = 0,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float = 300,
    ) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "kpatch_tool", *map(str, args)],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        assert "Traceback (most recent call last)" not in err, err
        if status is not None:
            words = " ".join(map(str, args))
            assert done.returncode == status, f"kpt {words}: exit {done.returncode}\n--- out\n{out}\n--- err\n{err}"
        return Run(done.returncode, out, err)

    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh workspace in tmp_path."""
    return workspaces.create(tmp_path)


@pytest.fixture
def toy_kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the toy kernel tree, a plain directory (no git), with Debian's .gitignore trap in it."""
    target = tmp_path_factory.mktemp("toy") / "linux-toy"
    shutil.copytree(TOY_SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / ".gitignore").write_text(TOY_GITIGNORE)
    return target


@pytest.fixture
def toy_repo(toy_kernel: Path) -> Path:
    """The toy kernel tree as a git work tree with one commit on branch `main`."""
    git("init", "-q", "-b", "main", cwd=toy_kernel)
    git("add", "-Af", cwd=toy_kernel)
    git("commit", "-qm", "Toy kernel", cwd=toy_kernel)
    return toy_kernel


def git(*args: str | Path, cwd: Path, stdin: bytes | None = None) -> str:
    """Run real git in `cwd`; its standard output as text, stripped. Fails the test on error."""
    done = subprocess.run(
        ["git", *map(str, args)], cwd=cwd, input=stdin, capture_output=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, f"git {args}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode("utf-8", "surrogateescape").strip()


@pytest.fixture(scope="session")
def debian_git_dir() -> Path:
    """A bare repository with Debian's kernel source (linux-source-6.1) on branch `base`, for the kernel tier.

    The one of this checkout (`kpt tree add debian-6.1`) where it is there; else made once, which takes a minute, and
    kept under .kpt/tests. Add it to a test's workspace with `kpt tree add NAME --git PATH --ref base`: hard links.
    """
    ready = REPO_ROOT / "kernel-trees/debian-6.1.git"
    if (ready / "kpt-tree.toml").exists():
        return ready
    kept = workspaces.create(REPO_ROOT / ".kpt/tests")
    command = [sys.executable, "-m", "kpatch_tool", "tree", "add", "debian-6.1", "--debian", "linux-source-6.1"]
    done = subprocess.run(command, cwd=kept.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return kept.trees / "debian-6.1.git"


def only_described(workspace: Workspace) -> bool:
    """Nothing but trees.toml lies in kernel-trees/."""
    return [path.name for path in workspace.trees.iterdir()] == ["trees.toml"]
