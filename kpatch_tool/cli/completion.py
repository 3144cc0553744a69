"""What the shell is offered after TAB: the series, trees, suites, tests and patches of the workspace.

It answers while somebody types: names are listed from directories, nothing of the rest of kpt is loaded, nothing is
written, and outside a workspace, or where something is broken, nothing is offered.
"""

from __future__ import annotations

import os
import re
import tomllib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import typer
from typer.models import ParameterInfo

from kpatch_tool import workspace
from kpatch_tool.errors import InputError
from kpatch_tool.series.directory import ondisk
from kpatch_tool.workspace import Workspace

Offer = tuple[str, str]  # a word and what it means
_SUITES = Path(__file__).parents[1] / "suites"
_PATCH = re.compile(r"0*(\d+)-(.*)\.patch")
# A shell puts the words into the line that will be run, as they are; zsh even evaluates what is told of them, and
# typer's escapes know no backslash. Both may be a stranger's: names of directories, subjects of mails.
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@%=,:/-]*")
_SECTION = re.compile(r"^\[(\S+)\]", re.MULTILINE)


def typed_words() -> tuple[str, ...]:
    """The words before the one that is being completed, without the program's name, as the shells hand them over."""
    if "_TYPER_COMPLETE_ARGS" in os.environ:  # zsh, fish
        line = os.environ["_TYPER_COMPLETE_ARGS"]
        words = line.split()
        return tuple(words[1:] if line.endswith(" ") else words[1:-1])
    words = os.environ.get("COMP_WORDS", "").split()
    return tuple(words[1 : int(os.environ.get("COMP_CWORD", "0") or 0)])


def attach(functions: Iterable[Callable[..., None]]) -> None:
    """Tell typer what completes the parameters of these commands, by OFFERS."""
    for function in functions:
        # They are strings; what they mean is put in their place, or typer would make it anew.
        function.__annotations__ = typing.get_type_hints(function, include_extras=True)
        for parameter, hint in function.__annotations__.items():
            for info in getattr(hint, "__metadata__", ()):
                if isinstance(info, ParameterInfo) and parameter in _NAMES:
                    info.autocompletion = _completer(parameter)


def _completer(parameter: str) -> Callable[..., list[Offer]]:
    def complete(ctx: typer.Context, incomplete: str) -> list[Offer]:
        command = ctx.command_path.partition(" ")[2]  # commands may share the description of a parameter
        offer = OFFERS.get(f"{command} {parameter}") or OFFERS.get(parameter)
        try:
            where = workspace.around(Path.cwd())
            found = offer(where, ctx.params) if where is not None and offer is not None else ()
            return [
                (word, _tame(told)) for word, told in found if word.startswith(incomplete) and _WORD.fullmatch(word)
            ]
        except (OSError, ValueError):
            return []

    return complete


def _tame(told: str) -> str:
    return "".join(sign if sign.isprintable() and sign not in "\\$`" else "_" for sign in told)


def series(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """Directories with patches, with their titles."""
    for path in sorted(where.series.iterdir()):
        listed = path / "series.toml"
        if not path.name.startswith(".") and (listed.is_file() or any(path.glob("*.patch"))):
            yield path.name, _title(path)


def _title(directory: Path) -> str:
    try:
        table = ondisk.table(directory, "series.toml")
    except (FileNotFoundError, InputError):
        return ""
    return " ".join(filter(str.isprintable, str(table.get("title", "")).replace("\n", " ").split(" ")))


def trees(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """The trees that are here."""
    for path in sorted(where.trees.glob("*.git")):
        if not path.name.startswith("."):
            yield path.stem, ""


def described_trees(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """The trees of trees.toml that are not here."""
    here = {name for name, _ in trees(where, given)}
    for name, table in tomllib.loads((where.trees / "trees.toml").read_text("utf-8")).items():
        if name not in here and isinstance(table, dict):
            yield name, " ".join(f"{key} {value}" for key, value in table.items() if isinstance(value, str))


def suites(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """kpt's own, the tree's, and those that were added."""
    yield "kpt-guest", "kpt's own"
    yield "selftests", "the tree's tools/testing/selftests/kvm"
    yield from added_suites(where, given)


def added_suites(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """The suites that the user added: those that can be removed."""
    for path in sorted((where.state / "suites").glob("[!.]*/suite.json")):
        yield path.parent.name, ""


def tests(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """The tests of the suites named on the line, else of all."""
    wanted = given.get("suite")
    names = [str(name) for name in wanted] if isinstance(wanted, list | tuple) else []
    for suite in names or [name for name, _ in suites(where, given)]:
        for test in _tests_of(where, suite):
            yield test, suite


def _tests_of(where: Workspace, suite: str) -> list[str]:
    if suite == "selftests":
        table = tomllib.loads((_SUITES / "selftests.toml").read_text("utf-8"))
        return list(table["x86_64"]["programs"])
    place = _SUITES / "kpt_guest" if suite == "kpt-guest" else where.state / "suites" / suite / "x86"
    return _SECTION.findall((place / "unittests.cfg").read_text("utf-8", "replace"))


def patches(where: Workspace, given: Mapping[str, object]) -> Iterator[Offer]:
    """The patches of the series named on the line, else of the one applied last."""
    # Behind an option that still lacks its value nothing is parsed, so the words are looked at.
    known = {name for name, _ in series(where, given)}
    typed = (Path(word).name for word in typed_words())
    name = next((word for word in typed if word in known), where.remembered("series") or "")
    for path in sorted((where.series / name).glob("*.patch")):
        if found := _PATCH.fullmatch(path.name):
            yield found[1], found[2].replace("-", " ")


# By parameter; where one means something else in a command, by command and parameter.
OFFERS: Mapping[str, Callable[[Workspace, Mapping[str, object]], Iterable[Offer]]] = {
    "series": series,
    "diff a": series,
    "diff b": series,
    "tree": trees,
    "tree add name": described_trees,
    "tree add skeleton": series,
    "tree use name": trees,
    "tree remove name": trees,
    "suite": suites,
    "suite remove name": added_suites,
    "test": tests,
    "patch": patches,
}
_NAMES = frozenset(key.rpartition(" ")[2] for key in OFFERS)
