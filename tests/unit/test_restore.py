"""Restoring damaged file diffs: alignment with the base, readings of added lines, proof by blob id."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff, Hunk, Kind, Line
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.readings import effects
from kpatch_tool.restore.readings.paths import ReadPath, read_on
from kpatch_tool.restore.readings.reading import Reader
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.styled import restore_file
from tests.restoring import changed, damaged, lines_of, restored

KVM_MAIN = b"""\
#include <linux/kvm_host.h>

static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)
{
	return kvm_make(kvm, req);
}

void kvm_flush_remote_tlbs(struct kvm *kvm)
{
	if (make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH))
		++kvm->stat.remote_tlb_flush;
	kvm->tlbs_dirty = false;
}
EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);

void kvm_reload_remote_mmus(struct kvm *kvm)
{
}
"""


def test_a_context_line_that_looks_added_comes_out_as_context() -> None:
    new = KVM_MAIN.replace(
        b"{\n\tif (make",
        b"{\n\tlong dirty_count = kvm->tlbs_dirty;\n\n\tsmp_mb();\n\tif (make",
    ).replace(b"\tkvm->tlbs_dirty = false;", b"\tcmpxchg(&kvm->tlbs_dirty, dirty_count, 0);")
    text = b"""\
diff --git a/virt/kvm/kvm_main.c b/virt/kvm/kvm_main.c
index %s..%s 100644
--- a/virt/kvm/kvm_main.c
+++ b/virt/kvm/kvm_main.c
@@ -7,9 +7,12 @@ static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)

void kvm_flush_remote_tlbs(struct kvm *kvm)
{
+ long dirty_count = kvm->tlbs_dirty;
+
+ smp_mb();
if (make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH))
++kvm->stat.remote_tlb_flush;
- kvm->tlbs_dirty = false;
+ cmpxchg(&kvm->tlbs_dirty, dirty_count, 0);
}
EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);

""" % (blob_id(KVM_MAIN)[:7].encode(), blob_id(new)[:7].encode())
    (file,) = parse_damaged(text)
    result = restore_file(file, KVM_MAIN)
    assert (result.proven, result.post, result.ambiguous) == (True, new, ())
    (line,) = [line for line in result.file.hunks[0].lines if b"++kvm" in line.text]
    assert line == Line(Kind.CONTEXT, b"\t\t++kvm->stat.remote_tlb_flush;")
    assert result.file.hunks[0].section == b"static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)"


def test_the_text_behind_the_ranges_begins_without_blanks() -> None:
    """As git's drivers of languages cut it: of `\t\tpru0_0: pru@34000 {` what follows the tabs."""
    base = b"soc {\n\t\tpru0_0: pru@34000 {\t/* one */\n\t\t\ta;\n\t\t\tb;\n\t\t\tc;\n\t\t\td;\n\t\t};\n"
    new = base.replace(b"\t\t\td;\n", b"\t\t\td;\n\t\t\te;\n")
    file = changed(base, new)
    hunk = replace(file.hunks[0], section=b"pru0_0: pru@34000 {\t/* one */")
    (received,) = parse_damaged(squeeze(format_diff([replace(file, hunks=(hunk,))])))
    result = restore_file(received, base)
    assert (result.proven, result.file.hunks[0].section) == (True, hunk.section)


# Each: the lines above, the added lines, the lines below. The likeliest reading must be the author's.
STYLES = {
    "statement like its neighbour": ("int f(void)\n{\n\tint a;\n", "\ta = 1;\n", "\treturn a;\n}\n"),
    "body of an if": ("int f(void)\n{\n\tint a;\n", "\tif (a)\n\t\treturn 1;\n", "\treturn a;\n}\n"),
    "after the body of an if": ("int f(void)\n{\n\tif (a)\n", "\t\tb();\n\tc();\n", "\treturn a;\n}\n"),
    "braces": ("int f(void)\n{\n", "\tif (a) {\n\t\tb();\n\t} else {\n\t\tc();\n\t}\n", "\treturn a;\n}\n"),
    "a block below lines that are indented by blanks": (
        "int f(void)\n{\n" + "\tif (a) {\n\t\tb();\n\t}\n" * 9 + "        if (c) {\n",
        "\t\td();\n",
        "\t\te();\n        }\n}\n",
    ),
    "aligned to the parenthesis": ("int f(void)\n{\n", "\tif (aaa &&\n\t    bbb)\n\t\tc();\n", "\treturn a;\n}\n"),
    "parenthesis that ends its line": ("int f(void)\n{\n", "\tlong_name(\n\t\targument);\n", "\treturn a;\n}\n"),
    "as the line before it goes on": (
        "int f(void)\n{\n\tcall(a,\n\t\tb,\n",
        "\t\tc,\n",
        "\t\td);\n}\n",
    ),
    "parameters below others, not as elsewhere in the file": (
        "int one(int a,\n\tstruct key *key,\n\tvoid *ctx);\nint other(int a,\n\t      struct two *two,\n",
        "\t      struct key *key,\n",
        "\t      void *ctx);\n",
    ),
    "case labels": (
        "int f(int a)\n{\n\tswitch (a) {\n\tcase 1:\n\t\tbreak;\n",
        "\tcase 2:\n\t\tb();\n\t\tbreak;\n\tdefault:\n\t\tc();\n",
        "\t}\n}\n",
    ),
    "goto label": ("int f(void)\n{\n\ta();\n", "out:\n\tb();\n", "\treturn 0;\n}\n"),
    "preprocessor inside a function": ("int f(void)\n{\n\ta();\n", "#ifdef X\n\tb();\n#endif\n", "\treturn 0;\n}\n"),
    "comment": ("int f(void)\n{\n\ta();\n", "\t/*\n\t * One.\n\t * Two.\n\t */\n", "\treturn 0;\n}\n"),
    "list in a comment": (
        "int a;\n",
        "/*\n * Sorts:\n * 1) the first case\n * 2) the second, which is\n *    longer than a line\n *    or two.\n *\n"
        " * So.\n */\n",
        "int b;\n",
    ),
    "macro": (
        "int a;\n",
        "#define swap(a, b) \\\n\tdo { \\\n\t\tint t = a; \\\n\t\ta = b; \\\n\t} while (0)\n",
        "int b;\n",
    ),
    "values of defines in a column": (
        "#define AA\t\t1\n#define LONG_NAME\t2\n",
        "#define LONGEST_NAME\t3\n#define B\t\t4\n",
        "#define C\t\t5\n",
    ),
    "backslashes in a column": (
        "#define X\t\t\t\t\\\n\tdo {\t\t\t\t\\\n\t\ta();\t\t\t\\\n",
        "\t\tb_longer();\t\t\\\n",
        "\t} while (0)\n",
    ),
    "members in a column": (
        "struct s {\n\tint\t\ta;\n\tunsigned long\tb;\n",
        "\tlong\t\tc;\n",
        "\tchar\t\td;\n};\n",
    ),
    "initialisers in a column": (
        "static struct s s = {\n\t.open\t\t= f_open,\n",
        "\t.release\t= f_release,\n\t.poll\t\t= f_poll,\n",
        "\t.read\t\t= f_read,\n};\n",
    ),
    "trailing comments in a column": (
        "struct s {\n\tint a;\t\t/* one */\n",
        "\tint bcd;\t/* two */\n",
        "\tlong e;\t\t/* three */\n};\n",
    ),
    "device tree": (
        "/ {\n\tsoc {\n\t\tclock: clock {\n",
        "\t\t\t#clock-cells = <0>;\n\t\t\tclocks = <&a>,\n\t\t\t\t <&b>;\n",
        "\t\t};\n\t};\n};\n",
    ),
    "device tree, a list on lines of its own": (
        '/ {\n\tkeypad {\n\t\tstatus = "okay";\n',
        "\t\tlinux,keymap = <\n\t\t\tMATRIX_KEY(0, 0, KEY_UP)\n\t\t\tMATRIX_KEY(0, 1, KEY_DOWN)\n\t\t>;\n",
        "\t};\n};\n",
    ),
    "operands of assembly below the first one": (
        "int f(void)\n{\n",
        '\tasm volatile(\n\t\t"nop"\n\t\t: [out] "=r" (a),\n\t\t  [more] "=r" (b)\n\t\t: [in] "r" (c));\n',
        "\treturn a;\n}\n",
    ),
    "initialiser lists": (
        "static int a[] = {\n\t1,\n",
        "\t2,\n\t{\n\t\t3,\n\t\t4,\n\t},\n",
        "\t5,\n};\n",
    ),
}


@pytest.mark.parametrize("name", STYLES)
def test_the_likeliest_reading_follows_kernel_style(name: str) -> None:
    above, added, below = (text.encode() for text in STYLES[name])
    path = "a.dts" if name.startswith("device tree") else "a.c"
    result = restored(above + below, above + added + below, path, exact=False)
    assert result.post == above + added + below
    assert not result.proven
    assert result.why.startswith("the base has blob ")


OTHER_FILES = {
    "Makefile": ("obj-y\t\t\t+= a.o\nobj-$(CONFIG_B)\t\t+= b.o\n", "obj-$(CONFIG_C)\t\t+= c.o\n", "\nclean:\n\trm\n"),
    "Kconfig": (
        "config A\n\tbool\n\n",
        'config B\n\tbool "b"\n\tdepends on A\n\thelp\n\t  Say Y.\n\t  Really.\n\n',
        "config C\n\tbool\n",
    ),
    "a.rst": ("Title\n=====\n\n- one\n", "- two, which goes\n  on\n", "- three\n"),
    "a.S": ("f:\n\tmov\tr0, r1\n", "\tadd\tr0, r2\n", "\tret\n"),
}


@pytest.mark.parametrize("path", OTHER_FILES)
def test_files_that_are_not_c_are_proven(path: str) -> None:
    above, added, below = (text.encode() for text in OTHER_FILES[path])
    assert restored(above + below, above + added + below, path).proven


def test_moved_and_reindented_lines_are_proven() -> None:
    base = b"void f(void)\n{\n\tfor (;;) {\n\t\ta(b,\n\t\t  c);\n\t\td();\n\t}\n}\n"
    new = b"void f(void)\n{\n\tif (x) {\n\t\tfor (;;) {\n\t\t\ta(b,\n\t\t\t  c);\n\t\t\td();\n\t\t}\n\t}\n}\n"
    assert restored(base, new).proven


_OTHER_BASE = {
    "what is joined has no gap of the backslash that stood between": (
        b"#define F(t)\t\t\t\t\t\\\nnotrace F(t)(struct s *s,\t\t\t\\\n\t\tint a)\t\t\t\t\\\n{\t\t\t\t\t\t\\\n}\n",
        b"#define F(t)\t\t\t\t\t\\\nF(t)(struct s *s, int a)\t\t\t\\\n{\t\t\t\t\t\t\\\n}\n",
    ),
    "a line removed and added again stands elsewhere": (
        b"void f(struct a *a)\n{\n\tsend(a);\n\twait(a);\n\tdone(a);\n}\n",
        b"void f(struct a *a)\n{\n\tif (a->on) {\n\t\tsend(a);\n\t\twait(a);\n\t}\n\tdone(a);\n}\n",
    ),
    "a statement that becomes an argument does not lend its column": (
        b"void f(struct a *a)\n{\n\twrite(a, a->mmio.irqmask);\n}\n",
        b"void f(struct a *a)\n{\n\tset_irq_mask(&a->mmio.wed,\n\t\t     a->mmio.irqmask);\n}\n",
    ),
    "arguments keep their style under a name of another length": (
        b"int f(struct a *a)\n{\n\treturn call(a,\n\t\t    a->one);\n}\n",
        b"int f(struct a *a)\n{\n\treturn longer_call(a,\n\t\t\t   a->one);\n}\n",
    ),
    "a macro with parameters that stands alone has one blank": (
        b"#include <a.h>\n\nint f(int);\n",
        b"#include <a.h>\n\n#define set_pte(mm, addr, pte) set_ptes(mm, addr, pte, 1)\n\nint f(int);\n",
    ),
    "a guard has a body": (
        b"void f(struct a *a)\n{\n\tsend(a);\n}\n",
        b"void f(struct a *a)\n{\n\tscoped_guard(mutex, &a->lock)\n\t\tsend(a);\n}\n",
    ),
}


@pytest.mark.parametrize("digits", range(4, 41))
def test_a_short_blob_id_is_met_by_chance_once_in_2600_files(digits: int) -> None:
    readings = Bound().for_id("a" * digits).readings
    assert 1 <= readings <= Bound().readings
    assert readings * 2600 <= 16**digits


@pytest.mark.parametrize("name", _OTHER_BASE)
def test_the_first_reading_is_right_without_a_judge(name: str) -> None:
    base, new = _OTHER_BASE[name]
    file = changed(base, new)
    result = restore_file(damaged(replace(file, old_blob="f" * 7)), base)
    assert result.post == new
    assert not result.proven


def test_the_blob_id_decides_what_style_does_not() -> None:
    above, below = b"int f(void)\n{\n", b"\treturn 0;\n}\n"
    for added in (
        b"\tif (a &&\n\t    b)\n\t\tc();\n",
        b"\tif (a &&\n\t\tb)\n\t\tc();\n",
        b"\tif (a &&\n\t\t\tb)\n\t\tc();\n",
    ):
        assert restored(above + below, above + added + below).proven


def test_undecided_lines_are_listed() -> None:
    above, below = b"int f(void)\n{\n", b"\treturn 0;\n}\n"
    result = restored(above + below, above + b"\tif (a &&\n\t\tb)\n\t\tc();\n" + below, exact=False)
    assert any((one.line, one.text) == (4, "b)") and one.why.endswith(" readings") for one in result.ambiguous)


def test_what_a_reading_leads_to_is_followed_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten sentences that may end in one blank or two, most combinations lead to texts that are listed already."""
    followed: list[int] = []

    def counted(reader: Reader, path: ReadPath, parent: ReadPath | None, from_row: int) -> tuple[int, int]:
        followed.append(from_row)
        return read_on(reader, path, parent, from_row)

    monkeypatch.setattr(effects, "read_on", counted)
    comment = b"".join(b"\t * It is so.  Of %d others it is not.\n" % number for number in range(10))
    base = b"int f(void)\n{\n\ta();\n\treturn 0;\n}\n"
    new = base.replace(b"\ta();\n", b"\ta();\n\n\t/*\n" + comment + b"\t */\n")
    assert restored(base, new, exact=False).ambiguous
    assert 0 < len(followed) < 50


def test_a_search_without_success_stops_at_its_bound() -> None:
    above, below = b"int f(void)\n{\n", b"\treturn 0;\n}\n"
    sent = replace(changed(above + below, above + b"\ta();\n" + below), new_blob="0123456")
    result = restore_file(damaged(sent), above + below, Bound(readings=5))
    assert not result.proven
    assert result.why.startswith("none of the ")
    assert result.post == above + b"\ta();\n" + below
    assert result.ambiguous
    only = restore_file(damaged(sent), above + below, Bound(readings=5, only_proven=True))
    assert only == replace(result, ambiguous=())


def test_dropped_blank_lines_come_back() -> None:
    base = b"int a;\n\nint b;\n\nvoid f(void)\n{\n\ta();\n\n\tb();\n}\n"
    new = base.replace(b"\ta();\n\n", b"\ta();\n\n\tc();\n\n")
    sent = changed(base, new)
    result = restore_file(damaged(sent, drop_blank=True), base)
    assert result.proven
    assert result.post == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a;\n\n\nb;\n", b"a;\n\nb;\n"),
        (b"a;\n\n\n\nb;\n", b"a;\n\nb;\n"),
        (b"a;\nx;\n\n\nb;\n", b"a;\n\nb;\n"),
        (b"a;\n\n\nx;\nb;\n", b"a;\n\nb;\n"),
        (b"a;\n\nb;\n", b"a;\n\n\nb;\n"),
        (b"a;\n\nb;\n", b"a;\nx;\n\n\nb;\n"),
        (b"a;\n\nb;\n", b"a;\n\n\nx;\nb;\n"),
    ],
)
def test_of_blank_lines_that_look_alike_git_changes_the_last_ones(old: bytes, new: bytes) -> None:
    around = b"int %d;\n" * 5
    base, made = (around % tuple(range(5)) + text + around % tuple(range(5, 10)) for text in (old, new))
    sent = changed(base, made)
    result = restore_file(damaged(sent, drop_blank=True), base)
    assert result.proven
    assert [hunk.lines for hunk in result.file.hunks] == [hunk.lines for hunk in sent.hunks]


def test_dropped_blank_lines_stand_where_git_puts_them(tmp_path: Path) -> None:
    rng = random.Random(1)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    for _ in range(60):
        old = [f"\tcall_{rng.randrange(12)}(a, b);" if rng.random() < 0.6 else "" for _ in range(rng.randrange(10, 30))]
        new = list(old)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(new))
            new[at : at + rng.randrange(3)] = rng.choice([[], [""], ["\tnew();", ""]])
        base, made = ("".join(f"{line}\n" for line in lines).encode() for lines in (old, new))
        (tmp_path / "a.c").write_bytes(base)
        subprocess.run([*git, "add", "a.c"], check=True)
        (tmp_path / "a.c").write_bytes(made)
        sent = subprocess.run([*git, "diff", "--full-index", "a.c"], check=True, capture_output=True).stdout
        for file in parse_diff(sent):
            result = restore_file(damaged(file, drop_blank=True), base)
            assert result.proven
            assert format_diff([result.file]) == sent


def test_a_hunk_is_found_at_an_offset() -> None:
    base = b"int x;\n" * 40 + KVM_MAIN
    sent = changed(KVM_MAIN, KVM_MAIN.replace(b"= false", b"= true"))
    result = restore_file(damaged(sent), base)
    assert result.found
    assert result.post == base.replace(b"= false", b"= true")
    assert not result.proven


@pytest.mark.parametrize(
    ("base", "why"),
    [
        (
            KVM_MAIN.replace(b"EXPORT_SYMBOL_GPL", b"EXPORT_SYMBOL"),
            "`EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);` is not",
        ),
        (None, "not in the base"),
        (b"", "is not in it"),
    ],
)
def test_a_hunk_that_does_not_fit_is_told_and_kept(base: bytes | None, why: str) -> None:
    file = damaged(changed(KVM_MAIN, KVM_MAIN.replace(b"= false", b"= true")))
    result = restore_file(file, base)
    assert (result.found, result.proven, result.post, result.file) == (False, False, None, file)
    assert why in result.why


def test_a_created_file_needs_no_base() -> None:
    new = b"/* New. */\nint f(void)\n{\n\treturn 0;\n}\n"
    hunk = Hunk(0, 0, 1, 5, b"", tuple(Line(Kind.ADDED, line) for line in lines_of(new)))
    sent = FileDiff(None, "a.c", (hunk,), None, "100644", "0000000", blob_id(new)[:7])
    result = restore_file(damaged(sent), None)
    assert (result.proven, result.post) == (True, new)
    assert "has it already" in restore_file(damaged(sent), b"int a;\n").why


def test_a_deleted_file_is_proven_by_the_blob_it_removes() -> None:
    hunk = Hunk(1, 18, 0, 0, b"", tuple(Line(Kind.REMOVED, line) for line in lines_of(KVM_MAIN)))
    sent = FileDiff("a.c", None, (hunk,), "100644", None, blob_id(KVM_MAIN)[:7], "0000000")
    result = restore_file(damaged(sent), KVM_MAIN)
    assert (result.proven, result.post) == (True, None)
    assert result.file.hunks == sent.hunks


def test_files_without_a_newline_at_the_end() -> None:
    base = b"int a;\nint b;"
    lines = (
        Line(Kind.CONTEXT, b"int a;"),
        Line(Kind.REMOVED, b"int b;", newline=False),
        Line(Kind.ADDED, b"int c;", newline=False),
    )
    sent = FileDiff("a.c", "a.c", (Hunk(1, 2, 1, 2, b"", lines),), "100644", "100644", blob_id(base)[:7])
    sent = replace(sent, new_blob=blob_id(b"int a;\nint c;")[:7])
    result = restore_file(damaged(sent), base)
    assert (result.proven, result.post) == (True, b"int a;\nint c;")
    assert result.file.hunks[0].lines == lines


def test_lines_that_end_in_carriage_returns() -> None:
    base = b"int a;\r\nint b;\r\n"
    assert restored(base, base + b"int c;\r\n").proven


WORDS = st.sampled_from(
    ["a", "foo(b);", "if (a)", "/*", "*", "*/", "{", "}", "=", "#define", "case 1:", "++b;", "--b;", "x,"]
)
INDENT = st.sampled_from(["", "\t", "\t\t", "    ", "\t  "])
GAP = st.sampled_from([" ", " ", " ", "\t", "  "])


@st.composite
def c_like(draw: st.DrawFn) -> bytes:
    """Lines of words as C has them, in any order and with any white space."""
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 8))):
        words = draw(st.lists(WORDS, max_size=3))
        text = draw(INDENT) if words else ""
        for number, word in enumerate(words):
            text += (draw(GAP) if number else "") + word
        lines.append(text)
    return "".join(line + "\n" for line in lines).encode()


@settings(max_examples=60, deadline=None)
@given(c_like(), c_like(), c_like(), c_like())
def test_restored_text_squeezes_to_what_was_received(above: bytes, old: bytes, new: bytes, below: bytes) -> None:
    base, post = above + old + below, above + new + below
    if base == post or not base:
        return
    sent = changed(base, post)
    result = restore_file(damaged(sent), base, Bound(readings=400))
    assert result.found
    assert result.post is not None
    assert [squeeze(line) for line in lines_of(result.post)] == [squeeze(line) for line in lines_of(post)]
    if result.proven:
        assert result.post == post


def test_a_line_that_only_moves_keeps_the_gaps_of_the_removed_one() -> None:
    base = b"#ifndef mask\n  #ifdef NUMA\n    #define mask(node)\t((void)(node))\n  #endif\n#endif\n\nint a;\n"
    after = b"#ifndef mask\n  #define mask(node)\t((void)(node))\n#endif\n\nint a;\n"
    page = (
        f"diff --git a/x.h b/x.h\nindex {blob_id(base)[:12]}..{blob_id(after)[:12]} 100644\n--- a/x.h\n+++ b/x.h\n"
        "@@ -1,7 +1,5 @@\n#ifndef mask\n- #ifdef NUMA\n- #define mask(node) ((void)(node))\n- #endif\n"
        "+ #define mask(node) ((void)(node))\n#endif\n\nint a;\n"
    )
    (file,) = parse_damaged(page.encode())
    restored = restore_file(file, base)
    assert restored.proven and restored.post == after
