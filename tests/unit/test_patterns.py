"""Regular expressions must mean the same on every Python that kpt runs on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import kpatch_tool

SOURCES = sorted(Path(kpatch_tool.__file__).parent.rglob("*.py"))
# `(?:ab)*+`: matches wrongly before Python 3.11.5 (https://github.com/python/cpython/issues/106052), which Debian 12
# does not have; `(?>(?:ab)*)` says the same. A repeated class (`[ab]*+`) is well.
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+")


def possessive_groups(source: str) -> list[str]:
    """The strings of a program that have a possessive group."""
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    texts = (text.decode("latin-1") if isinstance(text, bytes) else text for text in strings)
    return [text for text in texts if isinstance(text, str) and POSSESSIVE_GROUP.search(text)]


@pytest.mark.parametrize("pattern", ["(?:ab)*+", "(a|b)++", "(?:x){0,9}+y", "(?:x){2}+", "(?:x)?+"])
def test_a_possessive_group_is_seen(pattern: str) -> None:
    assert possessive_groups(f"A = rb'{pattern}'") == [pattern]


@pytest.mark.parametrize("pattern", ["[ab]*+", r"\)*+", "(?>(?:ab)*)", "(?:ab)+c", r"(a)\+"])
def test_what_is_none_is_not(pattern: str) -> None:
    assert possessive_groups(f"A = rb'{pattern}'") == []


def test_no_pattern_has_a_possessive_group() -> None:
    found = {path.name: groups for path in SOURCES if (groups := possessive_groups(path.read_text()))}
    assert found == {}
