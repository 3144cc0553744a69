"""What is given to options: a value that looks like the next option is none, though the parser would take it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kpatch_tool.errors import InputError


def refuse_swallowed(command: object, args: Sequence[str]) -> None:
    """Look through the arguments of `command` (click's, or typer's own copy of it) before they are parsed.

    Raises InputError for an option whose value is a word of its own that begins with `--`: `kpt bisect --warning
    --json` would look for warnings like "--json". `--warning=--json` says so.
    """
    words, path = iter(args), []
    for word in words:
        if word == "--":
            return
        inner = getattr(command, "commands", {}).get(word)
        if inner is not None:
            command = inner
            path.append(word)
        elif word in _taking_values(command):
            value = next(words, "")
            if value.startswith("--"):
                what, todo = f"option {word!r} requires an argument", f"write {word}={value} if that is the argument"
                raise InputError(f"{what}, and {value!r} looks like an option", where=" ".join(path), todo=todo)


def _taking_values(command: object) -> Iterable[str]:
    params = getattr(command, "params", ())
    options = (one for one in params if one.param_type_name == "option" and not one.is_flag)
    return {name for option in options for name in option.opts}
