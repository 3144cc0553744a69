"""What restoring learns from the file and the patch: steps of indentation, comments, macros, tables, assembly."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.styled import restore_file
from tests.restoring import changed, damaged, restored

BLANKS = (
    "int a(void)\n{\n    int x;\n\n    if (b)\n        return 1;\n    return 0;\n}\n\n"
    "int b(void)\n{\n    return 1;\n}\n\n"
)
DOC = "/**\n * a - do it\n * @b: what it is done with, which\n *  goes on\n */\nvoid a(int b);\n\n"
MACRO = "#define A 1\n\n"

# Each: the lines above, the added lines, the lines below. The likeliest reading must be the author's.
FIRST = {
    "a file that indents by four blanks": (
        BLANKS,
        "int c(void)\n{\n    if (d) {\n        e();\n        f();\n    }\n    return 0;\n}\n\n",
        "int z;\n",
    ),
    "a description that goes on as another in the file does": (
        DOC,
        "/**\n * c - do that\n * @d: what that is done with, which\n *  goes on, too\n */\nvoid c(int d);\n\n",
        "int z;\n",
    ),
    "a value that goes on below its parenthesis": (
        "#define Z 1\n\n",
        "#define entry(type, offset) ((swp_entry_t) { (((type) & MASK) << SHIFT) | \\\n"
        "\t\t\t\t\t     ((offset) << OTHER) })\n\n",
        "int z;\n",
    ),
    "a condition that goes on below what follows #if": (
        MACRO,
        "#if defined(CONFIG_A) || \\\n    defined(CONFIG_B)\nint b;\n#endif\n\n",
        "int z;\n",
    ),
    "the end of a part of a trace event": (
        "TRACE_EVENT(a,\n\n\tTP_PROTO(int b),\n\n\tTP_STRUCT__entry(\n\t\t__field(int, b)\n\t),\n\n",
        "\tTP_fast_assign(\n\t\t__entry->b = b;\n\t),\n\n",
        '\tTP_printk("%d", __entry->b)\n);\n',
    ),
    "attributes of a Kconfig entry below another entry's help": (
        "config A\n\tbool\n\thelp\n\t  The first\n\n",
        'config B\n\tbool "B"\n\tdepends on A\n\thelp\n\t  The second\n\n'
        'config C\n\tbool "C"\n\thelp\n\t  The third\n\n',
        "config Z\n\tbool\n",
    ),
    "a condition of the preprocessor among instructions": (
        "f:\n\tmov\tr0, r1\n\tadd\tr0, r2\n\tsub\tr0, r3\n",
        "#ifdef CONFIG_B\n\tadd\tr0, r4\n#endif\n",
        "\tret\n",
    ),
    "instructions of inline assembly as above": (
        'void f(void)\n{\n\tasm volatile(\n\t\t"\tldr\tr0, [r1]\\n"\n\t\t"\tadd\tr0, r2\\n"\n',
        '\t\t"\tstr\tr0, [r1]\\n"\n',
        '\t\t: : : "memory");\n}\n',
    ),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_likeliest_reading_follows_the_file(name: str) -> None:
    above, added, below = (text.encode() for text in FIRST[name])
    named = {"a condition of the preprocessor among instructions": "a.S"}
    path = named.get(name, "Kconfig" if "Kconfig" in name else "a.h")
    assert restored(above + below, above + added + below, path, exact=False).post == above + added + below


# Each: the base and the file after the patch, with the blob id to decide.
PROVEN = {
    "a macro's lines whose backslashes move": (
        "#define a(x) do { \\\n\tb(x); \\\n} while (0)\n\nint z;\n",
        "#define longer_name(x) do {\t\t\\\n\tb(x);\t\t\t\t\\\n\tc(x);\t\t\t\t\\\n} while (0)\n\nint z;\n",
    ),
    "assignments padded with blanks two levels deep": (
        "void f(void)\n{\n\tif (a) {\n\t\tb();\n\t}\n}\n",
        "void f(void)\n{\n\tif (a) {\n\t\tentry->callsite = callsite;\n\t\tentry->cpu      = cpu;\n\t\tb();\n\t}\n}\n",
    ),
    "two wide gaps in one line": (
        "if the tree  is  outside of  it\nit is  told\nby the make option\n",
        "if the tree  is  outside of  it\nit has  to be  told then\nby the make option\n",
    ),
    "a continuation line that stands three tabs in": (
        "void f(struct a *a)\n{\n\tb();\n}\n",
        "void f(struct a *a)\n{\n\tassert_that(a->one && a->other,\n\t\t\t\"neither is\");\n\tb();\n}\n",
    ),
    "descriptions that go on alike, with what is sure between them": (
        "int z;\n",
        "/**\n * a - take the first of all that there are, and if there is\n *  none of them\n * @b: one\n */\n"
        "void a(int b);\n\nint c;\nint d;\nint e;\n\n"
        "/**\n * f - take the last of all that there are, and if there is\n *  none of those\n * @b: one\n */\n"
        "void f(int b);\n\nint z;\n",
    ),
    "a run of continuation lines in a style of its own": (
        "void f(struct a *a)\n{\n\tb();\n}\n",
        "void f(struct a *a)\n{\n" + "".join(f"\tcall_{n}(a->one,\n\t\t\t\ta->more_of_{n});\n" for n in range(12))
        + "\tb();\n}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROVEN)
def test_the_blob_id_finds_what_habits_leave_open(name: str) -> None:
    base, new = (text.encode() for text in PROVEN[name])
    path = "README" if "gaps" in name else "a.h"
    assert restored(base, new, path).proven


def test_more_is_listed_where_no_likely_reading_is_right() -> None:
    above, below = b"int f(void)\n{\n", b"\treturn 0;\n}\n"
    new = above + b"\tif (a   &&   b   ||   c)   \n\t\treturn   1;\n" + below
    file = damaged(changed(above + below, new))
    searched = restore_file(file, above + below, Bound(readings=50))
    asked = restore_file(damaged(changed(above + below, new)), b"/* Other. */\n" + above + below)
    assert not searched.proven and searched.why.startswith("none of the ")
    assert {one.path for one in searched.ambiguous} == {"a.c"}
    assert len(searched.ambiguous) > len(asked.ambiguous)
