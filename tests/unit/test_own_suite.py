"""kpt's own guest tests: what can be said without a compiler and QEMU."""

from __future__ import annotations

import configparser
import re

import pytest

from kpatch_tool.suites import own


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            b"a.c: In function 'f':\na.c:3:1: error: x undeclared\nmake: *** [Makefile:4: a.o] Error 1\n",
            "a.c:3:1: error: x undeclared",
        ),
        (
            b"ld: b.o: in function `g':\nb.c:7: undefined reference to `h'\nmake: *** Error 1\n",
            "b.c:7: undefined reference to `h'",
        ),
        (
            b"ld: b.c:7: undefined reference to `h'\ncollect2: error: ld returned 1 exit status\n",
            "ld: b.c:7: undefined reference to `h'",
        ),
        (b"make: *** No rule to make target 'x'.  Stop.\n", "make: *** No rule to make target 'x'.  Stop."),
        (b"a.c:1:1: warning: unused \xff\n", ""),
    ],
)
def test_first_error(log: bytes, line: str) -> None:
    assert own.first_error(log) == line


def test_every_entry_has_its_source_and_a_short_timeout() -> None:
    entries = configparser.ConfigParser()
    entries.read(own.SOURCE / "unittests.cfg", encoding="utf-8")
    assert entries.sections()
    for name in entries.sections():
        image = entries[name]["file"]
        assert (own.SOURCE / image.replace(".flat", ".c")).is_file(), name
        assert int(entries[name]["timeout"]) <= 15  # doubled under TCG, and a hang costs all of it


def test_case_names_are_unique_within_a_source() -> None:
    """A case is known by its name from one state to the next."""
    for source in own.SOURCE.glob("*.c"):
        names = re.findall(r'report\([^;]*?"((?:[^"\\]|\\.)*)"', source.read_text(encoding="utf-8"))
        assert names, source
        assert len(names) == len(set(names)), source
