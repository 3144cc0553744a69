"""How far lines are indented that are not C, pure text in and out."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.style.outline import expected_text


@pytest.mark.parametrize(
    ("above", "text", "start"),
    [
        (b"CFLAGS_vdso := $(SODIUM) -idirafter include \\", b"-isystem arch/include", b"\t       "),
        (b"integrity-$(CONFIG_KEYRING) += platform.o \\", b"mok.o", b"\t\t\t       "),
        (b'\tALTERNATIVE "jmp back", \\', b'"jmp exit", FRED', b"\t\t    "),
        (b"hdr-test-files := \\", b"one.h", b"\t"),
    ],
)
def test_below_a_line_that_a_backslash_continues(above: bytes, text: bytes, start: bytes) -> None:
    _, found = expected_text([b"", above], [], text)
    assert start in found
    ranked = sorted(found, key=lambda one: -found[one])
    assert ranked.index(start) < 4


def test_the_second_line_below_stands_as_the_first() -> None:
    above = [b"obj-$(CONFIG_A) += a.o \\", b"\t\t   b.o \\"]
    _, found = expected_text(above, [], b"c.o")
    assert max(found, key=lambda one: found[one]) == b"\t\t   "


def test_the_content_of_a_directive_stands_as_its_options() -> None:
    """reStructuredText Markup Specification, "Directives"."""
    above = [b".. toctree::", b"   :maxdepth: 2", b"   :numbered:", b""]
    for text in (b"introduction", b":caption: All"):
        _, found = expected_text(above, [], text)
        assert max(found, key=lambda one: found[one]) == b"   "
