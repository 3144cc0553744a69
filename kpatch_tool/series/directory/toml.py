"""Writes the little TOML that series.toml needs: strings, integers, lists of strings, tables of these.

The standard library reads TOML and does not write it; a dependency for fifty lines is not worth its keep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

Scalar = str | int | Sequence[str]
Table = Mapping[str, Scalar | None]

_SURROGATES = re.compile("[\ud800-\udfff]")


def string(text: str) -> str:
    """A TOML basic string (JSON's escapes are TOML's, but for DEL)."""
    return json.dumps(_SURROGATES.sub("\ufffd", text), ensure_ascii=False).replace("\x7f", "\\u007f")


def document(head: Table, tables: Sequence[tuple[str, Table]], *, comment: str = "") -> str:
    """A document: keys of `head`, then each of `tables`, whose name is written as given ("[cover]", "[[patch]]").

    A value of None is left out.
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += _pairs(head)
    for name, table in tables:
        lines += ["", name, *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(table: Table) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Scalar) -> str:
    if isinstance(value, str):
        return string(value)
    if isinstance(value, int):
        return str(value)
    items = [string(item) for item in value]
    short = "[" + ", ".join(items) + "]"
    return short if len(short) < 100 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
