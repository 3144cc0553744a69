"""`kpt bisect` on the toy tree: real git, make and commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git

SCRIPT = """#!/bin/sh
echo "$KPT_PATCH" >> {asked}
test -z "$KPT_SOURCE" && exit 200
grep -q kvm_bad arch/x86/kvm/x86.c && {{ echo "there it is"; exit 3; }}
exit 0
"""


@pytest.fixture
def six(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """Series `six` on tree `toy`: 2 warns, 3 does not build (4 mends it), 4 adds kvm_bad, 5 and 6 are harmless."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    file = toy_repo / "arch/x86/kvm/x86.c"
    changes = (
        "int kvm_one;\n",
        "int kvm_odd(void);\nint kvm_odd(void)\n{\n\tint unset;\n\n\treturn unset;\n}\n",
        "int kvm_three = KVM_THREE;\n",
        None,
        "int kvm_five;\n",
        "/* a comment */\n",
    )
    for number, text in enumerate(changes, start=1):
        if text is None:
            file.write_text("#define KVM_THREE 3\nint kvm_bad;\n" + file.read_text())
        else:
            file.write_text(file.read_text() + text)
        git("commit", "-qam", f"change {number}", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "six")
    kpt("apply", "six", "--tree", "toy")
    return toy_repo


def script(tmp_path: Path, text: str = SCRIPT) -> tuple[Path, Path]:
    asked = tmp_path / "asked"
    path = tmp_path / "ask.sh"
    path.write_text(text.format(asked=asked))
    path.chmod(0o755)
    return path, asked


def test_a_command(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    command, asked = script(tmp_path)
    document = kpt("bisect", "six", "--run", command, "--json", status=1).json
    assert document["culprit"]["patch"] == 4
    assert document["culprit"]["subject"] == "change 4"
    assert document["confidence"] >= 0.95
    assert "there it is" in document["why"]
    looks = [step["patch"] for step in document["steps"]]
    assert looks[:2] == [6, 0]
    assert looks.count(4) >= 2 and looks.count(3) >= 2  # nobody is blamed on one run
    assert asked.read_text().split() == [str(one) for one in looks]
    again = kpt("bisect", "six", "--run", command, "--json", status=1).json
    assert again["culprit"] == document["culprit"]
    assert all(step["cached"] for step in again["steps"])
    assert len(asked.read_text().split()) == len(looks)


def test_once_and_restart(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    command, asked = script(tmp_path)
    first = kpt("bisect", "--run", command, "--once", "--json", status=1).json
    assert (first["culprit"]["patch"], len(first["steps"])) == (4, 4)
    kpt("bisect", "--run", command, "--once", "--restart", status=1)
    assert len(asked.read_text().split()) == 8


def test_a_search_that_was_stopped_goes_on(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    flag = tmp_path / "stop"
    flag.touch()
    stops = SCRIPT.replace('test -z "$KPT_SOURCE"', f'test -e {flag} && test "$KPT_PATCH" = 3')
    command, asked = script(tmp_path, stops)
    failed = kpt("bisect", "six", "--run", command, "--once", status=2)
    assert "status 200, which is no answer" in failed.err
    before = len(asked.read_text().split())
    flag.unlink()
    document = kpt("bisect", "six", "--run", command, "--once", "--json", status=1).json
    assert document["culprit"]["patch"] == 4
    assert len(asked.read_text().split()) == len(document["steps"]) + 1
    assert sum(step["cached"] for step in document["steps"]) == before - 1


def test_a_broken_build_is_found_and_skipped(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    ends_well = kpt("bisect", "six", "--build").out
    assert "nothing to find" in ends_well and "kpt build --each" in ends_well
    kpt("apply", "six", "--tree", "toy", "--patches", "1-3")
    document = kpt("bisect", "six", "--build", "--json", status=1).json
    assert (document["culprit"]["patch"], document["confidence"]) == (3, 1.0)
    assert "KVM_THREE" in document["why"]
    kpt("apply", "six", "--tree", "toy")
    command, _ = script(tmp_path)
    document = kpt("bisect", "six", "--build", "--run", command, "--once", "--json", status=1).json
    assert document["culprit"] is None
    assert [one["patch"] for one in document["culprits"]] == [3, 4]
    assert "could not be asked" in document["why"]


def test_a_new_warning(six: Path, kpt: Kpt) -> None:
    document = kpt("bisect", "six", "--warning", "*uninitialized*", "--json", status=1).json
    assert document["culprit"]["patch"] == 2
    assert "nothing to find" in kpt("bisect", "six", "--warning", "*no such thing*").out


def test_git_replays_the_log(six: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    command, _ = script(tmp_path)
    log = tmp_path / "log"
    log.write_text(kpt("bisect", "six", "--run", command, "--once", "--git", status=1).out)
    clone = tmp_path / "clone"
    git("clone", "-q", "--branch", "kpt/six", workspace.trees / "toy.git", clone, cwd=tmp_path)
    done = subprocess.run(["git", "bisect", "replay", log], cwd=clone, capture_output=True, text=True, check=True)
    assert "is the first bad commit" in done.stdout and "change 4" in done.stdout


def test_what_is_no_question(six: Path, kpt: Kpt) -> None:
    assert kpt("bisect", "six", status=2).err == (
        "kpt: no question; give one of --build, --warning, --suite/--test, --run CMD\n"
    )
    assert "two questions" in kpt("bisect", "six", "--build", "--warning", "*", status=2).err
    assert "close the quotation" in kpt("bisect", "six", "--run", "sh -c 'x", status=2).err
    assert "not a probability" in kpt("bisect", "six", "--build", "--confidence", "2", status=2).err
    assert "not installed" in kpt("bisect", "six", "--run", "no-such-program-here", status=3).err
