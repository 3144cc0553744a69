"""Completion as the shells ask for it: click's protocol for bash, zsh and fish, and the shells themselves."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.clock import within
from tests.conftest import Kpt
from tests.patch_files import patch_text

TREE = 'commit = "0"\nkind = "git"\nsource = "x"\nref = ""\nversion = ""\n'


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    for name, title in (("tlb-flush", "KVM: flush: the tlb"), ("dirty-log", 'KVM\'s "log"\x1b[2J')):
        directory = workspace.series / name
        directory.mkdir()
        (directory / "series.toml").write_text(f"title = {json.dumps(title)}\n")
        for number, words in enumerate(("one", "two"), 1):
            (directory / f"000{number}-KVM-{words}.patch").write_text(patch_text(f"[PATCH] KVM: {words}", "why\n"))
    (workspace.series / "empty").mkdir()
    (workspace.trees / "old.git").mkdir()
    (workspace.trees / "old.git" / "kpt-tree.toml").write_text(TREE)
    (workspace.trees / "trees.toml").write_text('[old]\ngit = "x"\n["new-6.1"]\ndebian = "linux-source-6.1"\n')
    suite = workspace.state / "suites" / "kut"
    (suite / "x86").mkdir(parents=True)
    (suite / "suite.json").write_text("{}")
    (suite / "x86" / "unittests.cfg").write_text(
        "# tests\n[vmexit_cpuid]\nfile = vmexit.flat\n[msr]\nfile = msr.flat\n"
    )
    workspace.remember("series", "dirty-log")
    return workspace


def offered(kpt: Kpt, line: str, *, cwd: Path | None = None) -> list[str]:
    """What bash would offer at the end of `line`."""
    words = line.split(" ")
    env = {"_KPT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = kpt(env=env, cwd=cwd)
    assert done.err == ""
    return done.out.split()


SERIES = ["dirty-log", "tlb-flush"]
OFFERS = {
    "kpt bis": ["bisect"],
    "kpt show ": SERIES,
    "kpt show t": ["tlb-flush"],
    "kpt run d": ["dirty-log"],
    "kpt report ": SERIES,
    "kpt diff tlb-flush ": SERIES,
    "kpt apply --tree ": ["old"],
    "kpt tree ": ["add", "list", "remove", "use"],
    "kpt tree use ": ["old"],
    "kpt tree add ": ["new-6.1"],
    "kpt tree add x --skeleton d": ["dirty-log"],
    "kpt test --suite ": ["kpt-guest", "kut", "selftests"],
    "kpt suite remove ": ["kut"],
    "kpt test --suite kut --test ": ["msr", "vmexit_cpuid"],
    "kpt bisect --suite kut --test v": ["vmexit_cpuid"],
    "kpt test --test dirty": ["dirty", "dirty_log_test"],
    "kpt show tlb-flush --patch ": ["1", "2"],
    "kpt test --patch ": ["1", "2"],
    "kpt results --series ": SERIES,
    "kpt results --tree ": ["old"],
    "kpt results --status ": ["failed", "ok"],
    "kpt report --format j": ["json", "junit"],
}


@pytest.mark.parametrize("line", OFFERS)
def test_what_bash_is_offered(kpt: Kpt, filled: Workspace, line: str) -> None:
    assert sorted(offered(kpt, line)) == OFFERS[line]


def test_words_that_mean_something_are_told_to_zsh_and_fish(kpt: Kpt, filled: Workspace) -> None:
    zsh = kpt(env={"_KPT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "kpt show "}).out
    assert '"tlb-flush":"KVM\\\\: flush\\\\: the tlb"' in zsh and "\x1b" not in zsh
    fish = {"_KPT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    out = kpt(env={**fish, "_TYPER_COMPLETE_ARGS": "kpt show tlb-flush --patch "}).out
    assert out == "1\tKVM one\n2\tKVM two\n"


def test_silent_where_there_is_nothing_to_say(
    kpt: Kpt, filled: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    assert offered(kpt, "kpt show ", cwd=outside) == offered(kpt, "kpt test --test ", cwd=outside) == []
    (filled.trees / "trees.toml").write_text("= broken")
    (filled.series / "tlb-flush" / "series.toml").write_bytes(b"\xff\x00")
    assert offered(kpt, "kpt tree add ") == [] and offered(kpt, "kpt show t") == ["tlb-flush"]
    shutil.rmtree(filled.series)
    assert offered(kpt, "kpt show ") == []


def test_nothing_is_written(kpt: Kpt, filled: Workspace) -> None:
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in filled.root.rglob("*")}

    before = everything()
    for line in list(OFFERS)[::4]:
        offered(kpt, line)
    assert everything() == before


def test_it_answers_while_somebody_types(filled: Workspace) -> None:
    env = {
        **os.environ,
        "_KPT_COMPLETE": "complete_bash",
        "COMP_WORDS": "kpt test --suite kut --test ",
        "COMP_CWORD": "5",
    }
    with within(10 * 0.2):
        for _ in range(10):
            subprocess.run(
                [sys.executable, "-m", "kpatch_tool"], cwd=filled.root, env=env, check=True, capture_output=True
            )


SHELLS = {
    # Sourcing what `kpt --show-completion` prints, then asking for the words as the shell does after TAB.
    "bash": ("source {script}; COMP_WORDS=(kpt show t); COMP_CWORD=2; _kpt_completion kpt; echo ${{COMPREPLY[@]}}",),
    "fish": ("source {script}; complete -C 'kpt show t'",),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself(kpt: Kpt, filled: Workspace, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} (Debian: {shell})")
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    program = bin_directory / "kpt"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kpatch_tool "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "completion"
    script.write_text(kpt(env={"_KPT_COMPLETE": f"source_{shell}"}).out)
    env = {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}"}
    (asked,) = SHELLS[shell]
    done = subprocess.run(
        [shell, "-c", asked.format(script=script)],
        cwd=filled.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\t")[0].split() == ["tlb-flush"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_and_titles_are_no_commands(kpt: Kpt, filled: Workspace, shell: str) -> None:
    """What is offered is put into the line that will be run; zsh evaluates what is told of it at once."""
    for name in ("$(touch ran)", "`touch ran`", "a;touch ran", "-x", "a b", "a\nb", "a'b", "~root", "x\\", "\x1b[2J"):
        (filled.series / name).mkdir()
        (filled.series / name / "series.toml").write_text('title = "x"\n')
    (filled.series / "tlb-flush/series.toml").write_text(
        'title = "a \\\\$(touch ran) \\\\`touch ran` $(touch ran) \\\\\\\\$(touch ran) \\"b\\" \'c\' \\u001b[2J"\n'
    )
    (filled.state / "suites/kut/x86/unittests.cfg").write_text("[msr]\n[$(touch_ran)]\n[a\x1bb]\n")
    words = {"bash": {"COMP_WORDS": "kpt show ", "COMP_CWORD": "2"}, "zsh": {}, "fish": {}}[shell]
    ask = {"_KPT_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    shown = kpt(env={**ask, "_TYPER_COMPLETE_ARGS": "kpt show "}).out
    assert "tlb-flush" in shown and "dirty-log" in shown
    assert not set("`$\\\x1b") & set(shown.replace("\\\\:", ""))
    for other in ("a;touch", "-x", "a b", "~root", "a'b"):
        assert other not in shown
    assert offered(kpt, "kpt test --suite kut --test ") == ["msr"]


def test_a_title_is_not_run_by_zsh(kpt: Kpt, filled: Workspace, tmp_path: Path) -> None:
    """A real TAB on a real terminal."""
    if shutil.which("zsh") is None:
        pytest.skip("no zsh (Debian: zsh)")
    program = tmp_path / "bin/kpt"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kpatch_tool "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "completion"
    script.write_text(kpt(env={"_KPT_COMPLETE": "source_zsh"}).out)
    (filled.series / "tlb-flush/series.toml").write_text(f'title = "a \\\\$(touch {tmp_path}/ran) b"\n')
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> "}
    here, there = pty.openpty()
    start = f"autoload -U compinit; compinit -D -u; source {script}; compdef _kpt_completion kpt; print re''ady\n"
    with subprocess.Popen(
        ["zsh", "-f", "-i"], cwd=filled.root, env=env, stdin=there, stdout=there, stderr=there
    ) as zsh:
        os.close(there)
        try:
            os.write(here, start.encode())
            said = read_until(here, b"ready")
            os.write(here, b"kpt show tlb\t")
            said += read_until(here, b"show tlb-flush")
        finally:
            zsh.kill()
            os.close(here)
    assert not (tmp_path / "ran").exists(), said


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What comes on the terminal up to `wanted`, a minute at most."""
    said = b""
    deadline = time.monotonic() + 60
    while wanted not in said:
        assert time.monotonic() < deadline, said
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 1 << 16)
    return said


def test_zsh_loads_its_script(kpt: Kpt, filled: Workspace, tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("no zsh (Debian: zsh)")
    script = tmp_path / "_kpt"
    script.write_text(kpt(env={"_KPT_COMPLETE": "source_zsh"}).out)
    asked = f"autoload -U compinit; compinit -D -u; source {script}; print -r -- $_comps[kpt]"
    done = subprocess.run(["zsh", "-f", "-c", asked], cwd=filled.root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "_kpt_completion", done.stderr
