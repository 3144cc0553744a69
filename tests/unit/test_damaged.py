"""Reading diffs whose white space an archive squeezed."""

from collections.abc import Callable

import pytest

from kpatch_tool.diff.model import DiffError, FileDiff, Kind
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.restore.blind import read_blind
from kpatch_tool.restore.damaged import parse_damaged, received_text, squeeze
from kpatch_tool.restore.loosely.loose import read_loose
from tests.clock import within

HEADER = b"diff --git a/virt/kvm/kvm_main.c b/virt/kvm/kvm_main.c\nindex 56baae8..628275a 100644\n"
NAMES = b"--- a/virt/kvm/kvm_main.c\n+++ b/virt/kvm/kvm_main.c\n"
FLUSH = (
    HEADER
    + NAMES
    + b"""@@ -186,9 +186,12 @@ static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)

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

"""
)


def test_a_hunk_ends_by_its_counts_though_a_context_line_looks_added() -> None:
    (file,) = parse_damaged(FLUSH + b"--\n1.8.1.4\n")
    assert (file.path, file.old_blob, file.new_blob, file.new_mode) == (
        "virt/kvm/kvm_main.c",
        "56baae8",
        "628275a",
        "100644",
    )
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (186, 9, 186, 12)
    assert hunk.section == b"static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)"
    assert [received_text(line) for line in hunk.lines][-2:] == [b"EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);", b""]


@pytest.mark.parametrize(
    "footer",
    [
        b"--\n1.8.1.4\n",
        b"-- \n2.39.2\n\nsome list footer\n",
        b"",
        b"\n\nmore mail\n",
        b"--\nTo unsubscribe from this list: send the line\n",
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
    ],
)
@pytest.mark.parametrize("body", [FLUSH, FLUSH.replace(b"++kvm", b"kvm")])
def test_nothing_after_the_hunk_is_swallowed(footer: bytes, body: bytes) -> None:
    hunk = parse_damaged(body + footer)[0].hunks[0]
    assert len(hunk.lines) == 13
    assert hunk.lines[-1].text == b""


def test_a_removed_line_of_two_dashes_inside_a_hunk_stays() -> None:
    (file,) = parse_damaged(NAMES + b"@@ -1,3 +1,2 @@\na\n--\nb\n--\n2.1\n")
    assert [(line.kind, line.text) for line in file.hunks[0].lines] == [
        (Kind.CONTEXT, b"a"),
        (Kind.REMOVED, b"-"),
        (Kind.CONTEXT, b"b"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FLUSH.replace(b"}\nEXPORT", b"EXPORT"), "do not add up to 9 old and 12 new"),
        (FLUSH.replace(b"9 +186,12", b"3 +186,3"), "do not add up"),
        (FLUSH[: FLUSH.index(b"- kvm->tlbs")], "truncated"),
        (b"@@ -1 +1 @@\n-a\n+b\n", "without a file name"),
    ],
)
def test_a_hunk_that_cannot_be_read_is_an_error_with_its_line(text: bytes, what: str) -> None:
    with pytest.raises(DiffError, match=what) as caught:
        parse_damaged(text)
    assert 1 <= caught.value.line <= text.count(b"\n") + 1


def test_dropped_blank_lines_are_allowed_for_when_said() -> None:
    dropped = b"\n".join(line for line in FLUSH.split(b"\n") if line) + b"\n--\n1.8.1.4\n"
    with pytest.raises(DiffError):
        parse_damaged(dropped)
    (file,) = parse_damaged(dropped, blank_lines_dropped=True)
    assert len(file.hunks[0].lines) == 11
    assert file.hunks[0].lines[-1].text == b"EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);"


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        (b"diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n", "x y", "x y"),
        (b"diff --git a/n b/n\nnew file mode 100644\nindex 0000000..1234567\n", None, "n"),
        (b"diff --git a/n b/n\ndeleted file mode 100644\nindex 1234567..0000000\n", "n", None),
        (b"diff --git a/o b/n\nsimilarity index 90%\nrename from o\nrename to n\n", "o", "n"),
        (b'diff --git "a/\\303\\244" "b/\\303\\244"\n', "\u00e4", "\u00e4"),
        (b"--- linux-old/a.c\t2020-01-01 00:00:00.0 +0000\n+++ linux/a.c\n@@ -1 +1 @@\n-a\n+b\n", "a.c", "a.c"),
        (
            b"--- l/a.c   2020-01-01 00:00:00.0 +0000\n+++ m/a.c  Thu Jan  2 00:00:00 2020\n@@ -1 +1 @@\n-a\n+b\n",
            "a.c",
            "a.c",
        ),
        (b"--- mm/a.c\n+++ mm/a.c.new\n@@ -1 +1 @@\n-a\n+b\n", "mm/a.c", "mm/a.c"),
        (b"diff --git a/a b/a.c\nsimilarity index 90%\nrename from a\nrename to a.c\n", "a", "a.c"),
        (b"--- /dev/null\n+++ b/a.c\n@@ -0,0 +1 @@\n+b\n", None, "a.c"),
    ],
)
def test_file_headers(header: bytes, old: str | None, new: str | None) -> None:
    (file,) = parse_damaged(b"subject\n---\n a | 2 +-\n\n" + header)
    assert (file.old_path, file.new_path) == (old, new)


@pytest.mark.parametrize(("old", "new"), [("", ""), ("i/", "w/"), ("o/", "w/")])
def test_a_header_with_other_prefixes_or_none_keeps_its_ids(old: str, new: str) -> None:
    """What diff.noprefix and diff.mnemonicPrefix make of it, and what a mail program then breaks or strips."""
    name = "sound/usb/pcm.c"
    text = (
        f"diff --git {old}{name} {new}{name}\nindex 1234567..89abcde 100644\n--- {old}{name}\n+++ {new}{name}\n"
        "@@ -3,3 +3,4 @@ static int set_up(struct\nsubstream *subs)\nint a;\n+ int b;\na = 1;\nb = a;\n"
    ).encode()
    (file,) = parse_damaged(text.replace(b"struct\nsub", b"struct sub"))
    assert (file.path, file.old_blob, file.new_blob) == (name, "1234567", "89abcde")
    blind = read_blind(text)
    assert blind is not None
    assert [(one.path, len(one.hunks), one.new_blob) for one in blind.files] == [(name, 1, "89abcde")]


def test_a_missing_newline_at_the_end_is_kept() -> None:
    text = NAMES + b"@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    assert [line.newline for line in parse_damaged(text)[0].hunks[0].lines] == [False, False]


def test_a_line_of_the_file_may_begin_with_a_backslash() -> None:
    hunk = b"@@ -1,3 +1,4 @@\n\\ the size is a word\n\\ in all of them\n+ \\ No\n;\n@@ -9 +10 @@\n-a\n+b\n"
    (file,) = parse_damaged(NAMES + hunk)
    assert [line.text for line in file.hunks[0].lines] == [
        b"\\ the size is a word",
        b"\\ in all of them",
        b" \\ No",
        b";",
    ]
    assert all(line.newline for line in file.hunks[0].lines)
    assert len(file.hunks) == 2


def test_squeezing() -> None:
    assert squeeze(b"\t\tint  a;\t\t/* x */ \t") == b"int a; /* x */"
    assert squeeze(b" \t") == b""


PLAIN = b"""\
--- mm/a.c\t2020-01-01 00:00:00.000000000 +0000
+++ mm/a.c\t2020-01-02 00:00:00.000000000 +0000
@@ -1,4 +1,4 @@
int a;

-int b;
+int c;
int d;
Index: linux/mm/b.c
===================================================================
--- linux.orig/mm/b.c
+++ linux/mm/b.c
@@ -1,3 +1,3 @@
int a;
-int b;
+int c;
int d;
--- a/mm/c.c
+++ b/mm/c.c
@@ -1 +1 @@
-int b;
+int c;
"""


@pytest.mark.parametrize("dropped", [False, True])
def test_every_file_of_a_plain_diff_is_read(dropped: bool) -> None:
    text = PLAIN.replace(b"\n\n", b"\n") if dropped else PLAIN
    files = parse_damaged(text, blank_lines_dropped=dropped)
    assert [(file.path, file.added, file.removed) for file in files] == [
        ("mm/a.c", 1, 1),
        ("mm/b.c", 1, 1),
        ("mm/c.c", 1, 1),
    ]


def test_list_items_that_look_removed_do_not_end_a_hunk_early() -> None:
    """Context of YAML begins with a minus; where blank lines may be missing, the hunk still goes on to the next."""
    text = b"""\
--- a/a.yaml
+++ b/a.yaml
@@ -42,7 +42,7 @@ properties:
- const: mgbe
- const: mac
- const: mac-divider
- - const: ptp-ref
+ - const: ptp_ref
- const: rx-input-m
- const: rx-input
- const: tx
@@ -133,1 +133,1 @@ examples:
-a
+b
"""
    (file,) = parse_damaged(text, blank_lines_dropped=True)
    assert [len(hunk.lines) for hunk in file.hunks] == [8, 2]


def test_made_up_ids_do_not_end_a_header() -> None:
    text = b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..mine\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n"
    (file,) = parse_damaged(text)
    assert (file.old_path, file.new_path, file.new_mode, file.new_blob) == (None, "f", "100644", None)
    (loose,) = read_loose(text)
    assert (loose.header.new_path, len(loose.hunks), loose.broken) == ("f", 1, 0)


@pytest.mark.parametrize("read", [parse_diff, parse_damaged])
def test_a_name_of_many_blanks_is_read_in_linear_time(read: Callable[[bytes], tuple[FileDiff, ...]]) -> None:
    name = b"mm/a" + b" " * 30_000 + b"b"
    with within(3):
        (file,) = read(b"--- " + name + b"\n+++ " + name + b"\n@@ -1 +1 @@\n-a\n+b\n")
        assert len(file.hunks) == 1


@pytest.mark.parametrize("context", [["Index: x", "======"], [f"base-commit: {'1' * 40}", "d"]])
def test_context_that_looks_like_what_follows_a_hunk(context: list[str]) -> None:
    """Its blank is kept, so it is of the file."""
    lines = "".join(f" {line}\n" for line in [*context, "e"])
    text = f"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,5 +1,5 @@\n a\n-b\n+c\n{lines}"
    (file,) = parse_damaged(text.encode(), blank_lines_dropped=True)
    assert [line.text.decode() for line in file.hunks[0].lines][3:] == [*context, "e"]


BASE = b"base-commit: " + b"1" * 40 + b"\n"


@pytest.mark.parametrize("below", [BASE, b"---\n" + BASE, b"prerequisite-patch-id: " + b"2" * 40 + b"\n" + BASE])
def test_what_names_the_base_is_no_line_of_the_last_hunk(below: bytes) -> None:
    """A blank line is missing in the hunk, not one below it."""
    text = b"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,5 +1,5 @@\na\n-b\n+c\nd\ne\n"
    (file,) = parse_damaged(text + below, blank_lines_dropped=True)
    assert [line.text for line in file.hunks[0].lines] == [b"a", b"b", b"c", b"d", b"e"]
