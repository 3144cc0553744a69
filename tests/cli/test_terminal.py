"""What a terminal gets: its width is kept, colour only where it is wanted, any charset."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kpatch_tool.cli import common
from kpatch_tool.results.store import Store
from kpatch_tool.series.directory.store import load
from kpatch_tool.workspace import Workspace
from tests import report_records as records
from tests.answered_thread import thread
from tests.conftest import Kpt, git

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def run_before(kpt: Kpt, workspace: Workspace) -> Workspace:
    (workspace.root / "t.mbox").write_text(thread())
    kpt("import", "t.mbox", "--name", "demo")
    series = load(workspace.series / "demo")
    with Store(workspace) as store:
        store.record_run(records.build_failure(workspace.root / "make.log", series))
    return workspace


def on_a_terminal(workspace: Workspace, *words: str, **env: str) -> str:
    """What a command prints on a terminal."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "kpatch_tool", *words]
    merged = {**os.environ, "TERM": "xterm-256color", **env}
    with subprocess.Popen(command, cwd=workspace.root, env=merged, stdin=there, stdout=there, stderr=there) as process:
        os.close(there)
        said = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(here, 1 << 16):
                said += piece
    os.close(here)
    assert process.returncode == 0
    return said.decode().replace("\r\n", "\n")


def test_lines_fit_the_terminal(run_before: Workspace) -> None:
    said_whole = re.compile(r"\S{35,}|GB of|^/dev/kvm|install|log: |^note|^  ")  # paths and what is to be typed
    for width in (40, 80):
        for words in (["list"], ["report"], ["deps", "demo"], ["doctor"]):
            lines = ESCAPE.sub("", on_a_terminal(run_before, *words, COLUMNS=str(width))).splitlines()
            assert [line for line in lines if len(line) > width and not said_whole.search(line)] == [], words


def test_colour_is_for_terminals_that_want_it(run_before: Workspace, kpt: Kpt) -> None:
    assert ESCAPE.search(on_a_terminal(run_before, "report"))
    assert not ESCAPE.search(on_a_terminal(run_before, "report", NO_COLOR="1"))
    assert not ESCAPE.search(on_a_terminal(run_before, "report", TERM="dumb"))
    assert not ESCAPE.search(kpt("report").out)


def test_on_a_narrow_terminal_the_stages_stand_below_the_subject(run_before: Workspace, kpt: Kpt) -> None:
    out = kpt("report", env={"COLUMNS": "40"}).out
    assert "2  KVM: two\n   restore intact, deps none, apply\n   clean, build FAILED\n" in out


@pytest.mark.parametrize(
    "env", [{"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_any_charset_will_do(run_before: Workspace, kpt: Kpt, env: dict[str, str]) -> None:
    out = kpt("report", env=env).out
    assert "2  KVM: two" in out
    assert "demo: 3 patches" in kpt("show", "demo", env=env).out  # by J\u00fcrgen D\u0153


def test_a_cut_subject_keeps_the_columns(workspace: Workspace, kpt: Kpt) -> None:
    """It ends in a sign as wide as the ellipsis where the charset has none."""
    with Store(workspace) as store:
        store.record_run(records.large(3))
    wide = kpt("report", env={"COLUMNS": "80"}).out
    narrow = kpt("report", env={"COLUMNS": "80", "PYTHONIOENCODING": "ascii"}).out
    assert wide.count("\u2026") == 3 and narrow == wide.replace("\u2026", "~")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_names_in_the_progress_are_no_markup(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream())
    with common.progress() as say:
        say("testing [red][/x]\x1b]0;owned\x07")
    assert isinstance(sys.stderr, io.StringIO)
    assert "testing [red][/x]\\x1b]0;owned\\x07" in ESCAPE.sub("", sys.stderr.getvalue())


SIGNS = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202eevil\u200b"


def test_what_compilers_and_commits_say_does_not_act_on_it(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """A warning, then an error with signs that act; whatever kpt prints of them, and of names given to it."""
    source = toy_repo / "arch/x86/kvm/mmu.c"
    kpt("tree", "add", "toy", "--git", toy_repo)
    git("checkout", "-qb", "work", cwd=toy_repo)
    for line in (f'#warning "{SIGNS}"', f'#error "{SIGNS}"'):
        source.write_text(f"{source.read_text()}{line}\n")
        git("commit", "-qam", f"mm: {line}", cwd=toy_repo)
    kpt("import", "--git", toy_repo, "main..work", "--name", "e")
    kpt("apply", "e", "--tree", "toy", status=None)
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("build", "e", "--each"), ("build", "e", "--each", "--json"), ("bisect", "e", "--build"),
        ("bisect", "e", "--warning", "*"), ("bisect", "e", "--run", "printf '\\033[2J'; exit 1"),
        ("run", "e", "--tree", "toy"), ("report", "e"), ("report", "e", "--format", "json"), ("results",),
        ("results", "list", "--json"), ("deps", "e", "--format", "dot"), ("deps", "e", "--format", "mermaid"),
        ("base", "e", "--tree", "toy"), ("diff", "e", "e"), ("undo", "e"),
        ("show", SIGNS), ("import", SIGNS), ("import", "--git", toy_repo, f"a{SIGNS}..b"), (SIGNS,),
        ("list", f"--{SIGNS}"),
        ("tree", "add", "q", "--git", toy_repo, "--ref", SIGNS), ("tree", "add", "q", "--tarball", SIGNS),
        ("suite", "add", "q", "--dir", SIGNS), ("test", "--base", "--suite", SIGNS), ("build", "e", "--config", SIGNS),
    )  # fmt: skip
    shown = ""
    for command in commands:
        done = kpt(*command, status=None)
        for text in (done.out, done.err):
            acting = {sign for sign in text if not sign.isprintable()} - set("\n\t")
            assert not acting, (command, acting)
        shown += done.out
    assert shown.count("evil") > 10
