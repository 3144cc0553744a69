"""How deep lines of YAML and of quoted code stand: pure text in and out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.restore.elsewhere import Elsewhere
from kpatch_tool.restore.style import braces
from kpatch_tool.restore.style.cstate import indent_of, width
from kpatch_tool.restore.style.yaml_text import expected_columns
from kpatch_tool.restore.styled import restore_file
from tests.restoring import changed, damaged, restored

SCHEMA = b"""\
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
%YAML 1.2
---
$id: http://devicetree.org/schemas/lamp.yaml#

title: A lamp

maintainers:
  - Jo Doe <jo@example.org>

description: |
  It is a lamp.

  It is lit.

allOf:
  - $ref: light.yaml#
  - if:
      properties:
        compatible:
          contains:
            const: acme,lamp
    then:
      required:
        - reg

properties:
  compatible:
    oneOf:
      - items:
          - const: acme,lamp-2
          - const: acme,lamp
      - items:
          - enum:
              - acme,lamp-3
              - acme,lamp-4
          - const: acme,lamp

  reg:
    maxItems: 1

  clock-names:
    minItems: 1
    items:
      - const: core

required:
  - compatible

additionalProperties: false

examples:
  - |
    #include <dt-bindings/lamp.h>

    lamp@0 {
        reg = <0 1>,
              <2 3>;
        status = "okay";

        port {
            lit;
        };
    };
"""


def test_a_schema_is_read_as_it_stands() -> None:
    lines = SCHEMA.split(b"\n")[:-1]
    odd = []
    for number, line in enumerate(lines[1:], 1):
        columns = expected_columns(lines[:number], line.strip()) if line.strip() else {}
        first = max(columns, key=lambda column: columns[column], default=0)
        if columns and first != width(indent_of(line)):
            odd.append((line, first))
    # Whether a mapping goes on or one around it does, nothing tells after a blank line.
    assert odd in ([], [(b"  - $ref: light.yaml#", 0)])


def test_a_schema_is_proven_and_never_indented_by_tabs() -> None:
    assert restored(b"", SCHEMA, "a.yaml").proven
    more = SCHEMA.replace(b"    oneOf:\n      - items:", b"    oneOf:\n      - const: acme,lamp-1\n      - items:")
    done = restored(SCHEMA, more, "a.yaml", exact=False)
    assert done.post == more


@pytest.mark.parametrize(
    ("above", "text", "column"),
    [
        (("        node {",), "reg = <1>;", 12),
        (("\tnode {",), "reg = <1>;", 16),
        (("  node {", "    a;", "    other {"), "b;", 6),
        (("    node {", "        reg = <1>,"), "<2>;", 14),
        (("    node {", "        reg ="), "<2>;", 12),
        (("    node {", "        reg =", "            <2>;"), "status;", 8),
        (("    node {", "        reg = <1>,", "              <2>;"), "status;", 8),
        (("    node {", "        reg = <1>;"), "};", 4),
        (("    node {", "        other {", "            a;", "        };"), "b;", 8),
    ],
)
def test_quoted_code_stands_as_its_braces_tell(above: tuple[str, ...], text: str, column: int) -> None:
    columns = braces.columns([line.encode() for line in above], text.encode())
    assert max(columns, key=lambda one: columns[one]) == column
    assert sum(columns.values()) == pytest.approx(1.0)


def test_code_in_other_text_is_proven() -> None:
    base = b"Bindings\n========\n\n- reg: which.\n\n  An example.\n\nThe end of it all.\n"
    code = (
        b"\tnode@0 {\n\t\treg = <0 1>;\n\t\tmatrix = <0 0>,\n\t\t\t <0 1>,\n\t\t\t <1 1>;\n\t};\n\n"
        b"\tnode@1 {\n\t\tlit;\n\t};\n\n"
    )
    assert restored(base, base.replace(b"The end", code + b"The end"), "a.txt").proven


def test_a_line_moved_from_a_text_with_tabs_stands_where_yaml_puts_it() -> None:
    moved = {b"lamp: lamp {": b"\tlamp: lamp {", b"reg = <1>;": b"\t\treg = <1>;"}
    new = SCHEMA + b"\nexamples:\n  - |\n    lamp: lamp {\n        reg = <1>;\n    };\n"
    sent = replace(changed(SCHEMA, new), old_path="a.yaml", new_path="a.yaml", new_blob=None)
    result = restore_file(damaged(sent), SCHEMA, beside=Elsewhere(moved=moved))
    assert result.post == new
