"""The reference and the manual page: written from the code, up to date, and read by the programs for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from kpatch_tool.cli import build_app
from kpatch_tool.cli.reference import MARKDOWN, ROFF, manual, pages
from kpatch_tool.text import printable
from tests.conftest import REPO_ROOT


@pytest.mark.parametrize("path", [MARKDOWN, ROFF], ids=str)
def test_it_is_up_to_date(path: Path) -> None:
    assert (REPO_ROOT / path).read_text() == pages()[path], "run `make docs`"


def test_every_command_and_option_is_there() -> None:
    known = {command.name: command for command in manual().commands}
    root = typer.main.get_command(build_app(None))
    assert isinstance(root, typer.core.TyperGroup)
    for name, command in root.commands.items():
        for inner, one in getattr(command, "commands", {"": command}).items():
            told = known[f"{name} {inner}".strip()]
            assert told.told and all(term.told for term in (*told.arguments, *told.options)), told.name
            options = {option for parameter in one.params for option in parameter.opts if option.startswith("-")}
            assert options <= {word.rstrip(",") for term in told.options for word in term.typed.split()}


def test_every_variable_of_its_own_is_there() -> None:
    sources = [path.read_text("utf-8") for path in (REPO_ROOT / "kpatch_tool").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'"(KPT_[A-Z_]+)"', source)}
    assert read and read == {term.typed for term in manual().lists["Environment"] if term.typed.startswith("KPT_")}


def test_text_is_safe_for_roff() -> None:
    roff = pages()[ROFF]
    assert printable(roff, lines=True) == roff and roff.isascii()
    requests = {line.split()[0] for line in roff.splitlines() if line.startswith((".", "'"))}
    assert requests <= {'.\\"', ".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".BR"}


CHECKERS = {
    "mandoc": ["mandoc", "-T", "lint"],
    "groff": ["groff", "-ww", "-man", "-z"],
    "man": ["man", "--warnings", "-l"],
}


@pytest.mark.parametrize("program", CHECKERS)
def test_nothing_is_wrong_with_the_page(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    done = subprocess.run([*CHECKERS[program], REPO_ROOT / ROFF], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if program == "man":
        assert "kpt - tells, with evidence" in done.stdout and "--with-prerequisites" in done.stdout
    else:
        assert done.stdout == ""


def test_it_is_installed_where_man_looks() -> None:
    """share/man beside the bin directory that is in PATH (manpath(5))."""
    listed = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    assert listed == {"share/man/man1": [str(ROFF)]}
