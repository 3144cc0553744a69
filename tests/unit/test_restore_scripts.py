"""How deep lines of shell scripts and of Python stand, pure text in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from kpatch_tool.restore.style import python_text, shell_text
from kpatch_tool.restore.style.cstate import indent_of
from tests.restoring import restored

Expected = Callable[[Sequence[bytes], bytes], dict[bytes, float]]

SHELL = b"""\
#!/bin/sh
# SPDX-License-Identifier: GPL-2.0

run_all()
{
\tlocal names="$(ls "$1" | sort)" count=0

\tfor name in $names; do
\t\tif [ "$name" = skip ]; then continue; fi
\t\tcase "$name" in
\t\tfast|quick)
\t\t\techo "a (string"
\t\t\t;;
\t\t*) echo 'done; fi' ;;
\t\tesac
\t\tif [ -e "$name" ]
\t\tthen
\t\t\t: $((count += 1))
\t\telif grep -q "^x" <<< "$name"; then
\t\t\tfalse
\t\telse
\t\t\twhile read -r line; do
\t\t\t\techo "$line" # if it is there
\t\t\tdone
\t\tfi
\tdone

\t# what follows is done once
\tlist=(
\t\tone
\t\ttwo
\t)
}

if run_all /tmp; then
\techo ok
fi
"""

PYTHON = b'''\
#!/usr/bin/env python3
"""Says what
is there: and where
"""

import sys


@decorated
def first(names, *,
          count=0):
    """One more."""
    table = {
        "a": [1, 2],  # (
        "b": names[0:count],
    }
    for name in names:
        if name in table:
            print("{0}: {1}".format(name,
                                    table[name]))
        elif not name:
            return None
        else:
            count += 1
    return count


class Other:
    def method(self):
        try:
            return first(
                self.names,
            )
        except KeyError:
            raise

    def last(self):
        return 1


if __name__ == "__main__":
    sys.exit(0)
'''


@pytest.mark.parametrize(
    ("script", "expected"), [(SHELL, shell_text.expected), (PYTHON, python_text.expected)], ids=["shell", "python"]
)
def test_a_script_is_read_as_it_stands(script: bytes, expected: Expected) -> None:
    lines = script.split(b"\n")[:-1]
    wrong = []
    for number, line in enumerate(lines):
        told = expected(lines[:number], line.strip()) if line.strip() else {}
        if told and max(told, key=lambda start: told[start]) != indent_of(line):
            wrong.append(line)
    # Whether a block goes on, or one around it, nothing tells in Python.
    assert wrong in ([], [b"    return count"], [b"    for name in names:"])


@pytest.mark.parametrize(
    ("above", "text", "start"),
    [
        ("cat <<EOF > a\n\tif\nif x; then", "EOF", b""),
        ("\tcat <<-EOF\n\t\tone", "EOF", b"\t"),
        ("\techo 'one\n  if two' ; done_so", "echo", b""),
        ("if a; then\n    b\nfi\nfor i in 1 2; do", "c", b"    "),
        ("\tif a ||\n\t   b; then", "c", b"\t\t"),
        ("\tcase $a in\n\t\tb)", "c;;", b"\t\t\t"),
        ("\tcase $a in\n\t\tb) c;;", "d)", b"\t\t"),
        ("\t# fi\n\twhile ! a", "do", b"\t"),
        ("x=$(a |\n\tb)", "c", b""),
        ("\ta; do_it; esac\n\tif b; then", "c", b"\t\t"),
    ],
)
def test_what_is_open_in_a_shell_script(above: str, text: str, start: bytes) -> None:
    told = shell_text.expected(above.encode().split(b"\n"), text.encode())
    assert not told or max(told, key=lambda one: told[one]) == start
    assert sum(told.values()) <= 1.0


@pytest.mark.parametrize(
    ("above", "text", "start"),
    [
        ("if a:\n\tif b:\n\t\tc", "else:", b"\t"),
        ("for a in b:\n    if c: d\n    e", "else:", b""),
        ("    x = call(a,", "b)", b"             "),
        ("    x = call(  # why", "b)", b"        "),
        ("    x = [\n        1,", "]", b"    "),
        ("    def a(self):\n        '''Text\n    if so:\n        '''", "b = 1", b"        "),
        ("    def a(self):\n        return 1\n", "def b(self):", b"    "),
        ("class A:\n    b = 1\n", "def c(self):", b"    "),
        ("    # one", "a = 1", b"    "),
        ("    a = 1\n    # two", "b = 2", b"    "),
        ("try:\n  a()\nexcept B:\n  c()", "finally:", b""),
        ("a = b + \\\n  c", "d = 1", b""),
    ],
)
def test_what_is_open_in_python(above: str, text: str, start: bytes) -> None:
    told = python_text.expected(above.encode().split(b"\n"), text.encode())
    assert max(told, key=lambda one: told[one]) == start
    assert sum(told.values()) <= 1.0


@pytest.mark.parametrize(("script", "name"), [(SHELL, "a.sh"), (PYTHON, "a.py")])
def test_a_new_script_is_proven(script: bytes, name: str) -> None:
    assert restored(b"", script, name).proven


def test_any_text_is_read() -> None:
    for text in (b"fi", b")", b"esac", b'"""', b"}", b";;", b"\\", b"<<", b"$(", b"else:", b"):"):
        for expected in (shell_text.expected, python_text.expected):
            assert expected([text, b"", b"\t" + text], text) is not None
            assert expected([], text) is not None
