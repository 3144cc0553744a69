"""docs/reference.md and man/kpt.1, written from the commands themselves: `python -m kpatch_tool.cli.reference [ROOT]`.

A test compares both with the code, so a new option cannot be forgotten there.
"""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import typer

from kpatch_tool import __version__
from kpatch_tool.cli import build_app
from kpatch_tool.cli.commands import TABLE
from kpatch_tool.system import atomic

Click: TypeAlias = Any  # a command or parameter; typer keeps click's classes to itself
MARKDOWN, ROFF = Path("docs/reference.md"), Path("man/kpt.1")
_COLUMNS, _ROFF_COLUMNS = 120, 78
_DATA = Path(__file__).with_name("manual.toml")


@dataclass(frozen=True, slots=True)
class Term:
    """An argument or option as it is typed, and what it does."""

    typed: str
    told: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `name` as typed after kpt, `usage` without the program's name."""

    name: str
    usage: str
    told: str
    arguments: tuple[Term, ...] = ()
    options: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Manual:
    """All that the pages say. `lists` are the sections of terms after the commands, by title."""

    name: str
    changed: str
    description: tuple[str, ...]
    general: tuple[Term, ...]
    commands: tuple[Command, ...]
    lists: Mapping[str, tuple[Term, ...]]
    see_also: tuple[str, ...]


def manual() -> Manual:
    """The manual, from the commands and manual.toml."""
    data = tomllib.loads(_DATA.read_text("utf-8"))
    root = typer.main.get_command(build_app(None))
    lists = {
        title: tuple(Term(str(typed), told) for typed, told in data[key].items())
        for title, key in (
            ("Exit status", "exit_status"),
            ("Environment", "environment"),
            ("Files", "files"),
            ("Examples", "examples"),
        )
    }
    return Manual(
        name=data["name"],
        changed=data["changed"],
        description=tuple(data["description"].strip().split("\n\n")),
        general=_terms(root, "option"),
        commands=tuple(_commands(root, "")),
        lists=lists,
        see_also=tuple(data["see_also"]["pages"]),
    )


def _commands(group: Click, prefix: str) -> Iterator[Command]:
    order = list(TABLE)
    for name, command in sorted(group.commands.items(), key=lambda one: order.index(one[0]) if not prefix else 0):
        nested = hasattr(command, "commands")
        if not nested or command.invoke_without_command:
            arguments, options = _terms(command, "argument"), _terms(command, "option")
            words = [term.typed for term in arguments]
            usage = " ".join([f"{prefix}{name}", *(["[OPTIONS]"] if options else []), *words])
            yield Command(f"{prefix}{name}", usage, _sentence(command.help or ""), arguments, options)
        if nested:
            yield from _commands(command, f"{prefix}{name} ")


def _terms(command: Click, kind: str) -> tuple[Term, ...]:
    parameters = [one for one in command.params if one.param_type_name == kind and not one.hidden]
    return tuple(Term(_typed(one), _told(one)) for one in parameters)


def _typed(parameter: Click) -> str:
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar or parameter.name.upper())
        return name if parameter.required or name.startswith("[") else f"[{name}]"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {_value(parameter)}"


def _value(parameter: Click) -> str:
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return str(parameter.metavar or parameter.type.name.upper().replace(" RANGE", ""))


def _told(parameter: Click) -> str:
    told = _sentence(parameter.help or "")
    default = getattr(parameter.default, "value", parameter.default)
    plain = not parameter.multiple if hasattr(parameter, "multiple") else False
    if plain and isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        told += f" Default: {default}."
    return told


def _sentence(words: str) -> str:
    return " ".join(words.split())


def markdown(page: Manual) -> str:
    """docs/reference.md."""
    return "\n".join(_markdown(page)) + "\n"


def _markdown(page: Manual) -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Written by `make docs` from the code; do not edit. `man kpt` says the same."
    for text in page.description:
        yield ""
        yield from textwrap.wrap(text, _COLUMNS, break_on_hyphens=False)
    yield from _markdown_terms("Options of kpt itself", page.general)
    for command in page.commands:
        yield from ("", f"## kpt {command.name}", "", f"    kpt {command.usage}", "", _plain(command.told))
        yield from _markdown_terms("", command.arguments)
        yield from _markdown_terms("", command.options)
    for title, terms in page.lists.items():
        yield from _markdown_terms(title, terms)


def _markdown_terms(title: str, terms: Iterable[Term]) -> Iterator[str]:
    rows = [f"| `{term.typed.replace('|', chr(92) + '|')}` | {_plain(term.told)} |" for term in terms]
    if rows:
        yield from (["", f"## {title}"] if title else [])
        yield from ("", "| | |", "|---|---|", *rows)


def _plain(words: str) -> str:
    return re.sub(r"([|*_<>])", r"\\\1", words) if "`" not in words else words.replace("|", "\\|")


def roff(page: Manual) -> str:
    """man/kpt.1, with the macros of man(7)."""
    return "\n".join(_roff(page)) + "\n"


def _roff(page: Manual) -> Iterator[str]:
    yield '.\\" Written by `make docs` from the code; do not edit.'
    yield f'.TH KPT 1 {page.changed} "kpt {__version__}" "User Commands"'
    name, _, told = page.name.partition(" - ")
    yield from (".SH NAME", f"{name} \\- {_escaped(told)}")
    yield from (".SH SYNOPSIS", ".B kpt", ".I COMMAND", "[OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION")
    for number, text in enumerate(page.description):
        yield from ([".PP"] if number else [])
        yield from _roff_text(text)
    yield from (".SH OPTIONS", *_roff_terms(page.general), ".SH COMMANDS")
    for command in page.commands:
        yield f".SS kpt {_escaped(command.usage)}"
        yield from _roff_text(command.told)
        yield from _roff_terms((*command.arguments, *command.options))
    for title, terms in page.lists.items():
        yield f".SH {title.upper()}"
        yield from _roff_terms(terms)
    yield ".SH SEE ALSO"
    for number, name in enumerate(page.see_also, 1):
        title, section = name.rstrip(")").split("(")
        yield f".BR {_escaped(title)} ({section}){',' if number < len(page.see_also) else ''}"


def _roff_terms(terms: Iterable[Term]) -> Iterator[str]:
    for term in terms:
        yield from (".TP", f".B {_escaped(term.typed)}", *_roff_text(term.told))


def _roff_text(words: str) -> Iterator[str]:
    """Lines of text, none of which begins as a request."""
    for line in textwrap.wrap(_escaped(words), _ROFF_COLUMNS, break_long_words=False, break_on_hyphens=False):
        yield f"\\&{line}" if line.startswith((".", "'")) else line


def _escaped(words: str) -> str:
    """Text for roff: backslashes, hyphens and quotes as they are typed."""
    text = words.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return text.replace('"', "\\(dq").replace("'", "\\(aq")


def pages() -> dict[Path, str]:
    """The files, by their path in the repository, and what they must contain."""
    page = manual()
    return {MARKDOWN: markdown(page), ROFF: roff(page)}


def main(root: Path) -> None:
    """Write both files below `root`."""
    for path, text in pages().items():
        (root / path).parent.mkdir(exist_ok=True)
        atomic.write_text(root / path, text)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
