"""White space between words: what the line above says, and deviations that follow from others."""

from __future__ import annotations

import pytest

from kpatch_tool.restore.align import BaseText, Misplaced, place_hunks
from kpatch_tool.restore.readings.reading import Memory, file_reader
from kpatch_tool.restore.readings.rows import survey_file
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.style import gaps, repeated
from kpatch_tool.restore.style.cstate import State, step
from kpatch_tool.restore.styled import restore_file
from tests.restoring import changed, damaged, restored


def likeliest(above: bytes, text: bytes, key: str) -> bytes:
    """The line with its gap of that kind as the line above has it, from an even choice."""
    chunks = gaps.split(text)
    index = chunks.keys.index(key)
    out: gaps.Options = {gaps.SINGLE: 1.0, gaps.Gap(b"\t"): 1.0, gaps.Gap(b"\t\t"): 1.0}
    repeated.as_above(out, index, chunks, gaps.Around([gaps.split(above)], (), ()), told=False)
    best = max(out, key=lambda gap: out[gap])
    return gaps.render(chunks.words, b"", [best if at == index else gaps.SINGLE for at in range(len(chunks.gaps))])


@pytest.mark.parametrize(
    ("above", "text", "key", "line"),
    [
        (b"#define A\t\t1", b"#define LONGER_THAN_IT 2", "define", b"#define LONGER_THAN_IT\t2"),
        (b"#define A 1", b"#define LONGER_THAN_IT 2", "define", b"#define LONGER_THAN_IT 2"),
        (b"one(a);\t\t\t\\", b"another(b); \\", "backslash", b"another(b);\t\t\\"),
    ],
)
def test_a_gap_is_as_in_the_line_above(above: bytes, text: bytes, key: str, line: bytes) -> None:
    assert likeliest(above, text, key) == line


def test_the_backslash_of_a_comment_in_a_macro_is_one() -> None:
    assert gaps.split(b"/* \\").keys == ("backslash",)
    assert gaps.split(b"/* Text. */").keys[0] == "star"


def test_an_odd_gap_is_found_in_a_line_that_deviates_otherwise_too() -> None:
    base = b"int f(int a)\n{\n\treturn 0;\n}\n"
    new = base.replace(b"{\n", b"{\n\tif (a &&\n\t\t\ta  < 9)\n\t\treturn 1;\n")
    assert restored(base, new).proven


def test_text_goes_on_under_an_open_bracket_in_a_comment() -> None:
    base = b"/* A file. */\n"
    new = base + b"\n/*\n * int light(struct lamp *lamp, int much,\n *           int more)\n */\n"
    assert restore_file(damaged(changed(base, new)), base, Bound(readings=40)).proven


def test_blanks_reach_a_column_where_tabs_would_do() -> None:
    chunks = gaps.split(b"#define SHORT 2")
    around = gaps.Around([gaps.split(b"#define A_LONG_NAME\t\t1")], (), ())
    found = gaps.by_blanks(gaps.options(1, chunks, around, 0.1))
    tabs, blanks = gaps.Gap(b"\t", 32), gaps.Gap(b" ", 32)
    assert gaps.render(chunks.words, b"", [gaps.SINGLE, blanks]) == b"#define SHORT                   2"
    assert 0 < found[blanks] < found[tabs]


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        (b".owner = THIS_MODULE,", ("initialiser", "value")),
        (b"[LAMP] = 1,", ("initialiser", "value")),
        (b"LAMP_ON = 1,", ("enumerator", "value")),
        (b"lamp->on = 1;", ("assign", "value")),
        (b"#define LAMP_ON BIT(3)", ("field", "define")),
        (b"#define LAMP_REG 0x30", ("first", "define")),
        (b".align 6", ("instruction",)),
        (b"3: ldr x10, x11", ("label", "member", "")),
    ],
)
def test_the_kinds_of_gaps(line: bytes, kinds: tuple[str, ...]) -> None:
    assert gaps.split(line).keys == kinds


@pytest.mark.parametrize(
    ("above", "line"),
    [
        (b"#define A\t\t\t1", b"#define A_LONGER_NAME\t\t2"),
        (b"#define A                       1", b"#define A_LONGER_NAME           2"),
    ],
)
def test_the_last_gap_of_a_kind_counts_further_down(above: bytes, line: bytes) -> None:
    last = repeated.remembered((), gaps.split(above))
    assert repeated.remembered(last, gaps.split(above)) is last
    chunks = gaps.split(b"#define A_LONGER_NAME 2")
    out: gaps.Options = {gaps.SINGLE: 0.5, gaps.Gap(b"\t"): 0.5}
    repeated.as_last(out, "define", last, 0)
    assert gaps.render(chunks.words, b"", [gaps.SINGLE, max(out, key=lambda gap: out[gap])]) == line
    before = dict(out)
    repeated.as_last(out, "trailing", last, 0)
    assert out == before


@pytest.mark.parametrize(
    ("above", "told"),
    [
        ([b"", b"struct lamp {"], True),
        ([b"struct lamp {", b"\t/* Lit. */"], True),
        ([b"struct lamp {", b"\tint on;"], False),
        ([b"struct lamp *lamp(void)", b"{"], False),
        ([], False),
    ],
)
def test_the_first_member_of_a_struct_may_begin_columns(above: list[bytes], told: bool) -> None:
    out: gaps.Options = {gaps.SINGLE: 1.0}
    repeated.as_first_member(out, above, 10)
    assert (gaps.Gap(b"\t", beyond=10) in out) is told
    assert max(out, key=lambda gap: out[gap]) == gaps.SINGLE


def likeliest_last(base: bytes, new: bytes) -> bytes:
    """The likeliest reading of the last added line where those above it are read as they are."""
    file = damaged(changed(base, new))
    text = BaseText(base)
    placed = place_hunks(file.hunks, text, file.path)
    assert not isinstance(placed, Misplaced)
    readings = [one.readings[0] for one in placed]
    reader = file_reader("a.c", text, placed, readings, survey_file("a.c", text, placed))
    last = max(number for number, row in enumerate(reader.rows) if row.text is None)
    texts = new.split(b"\n")[:last]
    state = State()
    for line in texts:
        state = step(state, line)
    return reader.candidates(last, state, Memory(), texts)[0].text


def test_a_line_follows_one_that_has_another_column_than_before() -> None:
    names = [b"open", b"read", b"poll", b"mmap"]
    old = b"static struct a a = {\n" + b"".join(b"\t.%b\t\t= a_%b,\n" % (name, name) for name in names) + b"};\n"
    assert likeliest_last(old, old.replace(b"a_", b"b_")) == b"\t.mmap\t\t= b_mmap,"
    wider = old.replace(b"\t\t=", b"\t\t\t\t=")
    assert likeliest_last(old, wider) == b"\t.mmap\t\t\t\t= a_mmap,"
    assert likeliest_last(old, wider.replace(b"a_", b"b_")) == b"\t.mmap\t\t\t\t= b_mmap,"


@pytest.mark.parametrize(
    ("above", "added"),
    [
        (b"\t__u8\t\ta;\n\t__u16\t\tb;\n", b"\tunion nvme_data_ptr dptr;\n\t__u8\t\tc;\n"),
        (b"\t.owner\t\t= THIS_MODULE,\n", b"\t.unlocked_ioctl = ctrl_ioctl,\n\t.open\t\t= ctrl_open,\n"),
    ],
)
def test_a_text_that_reaches_its_column_has_one_blank_and_the_next_line_the_column(above: bytes, added: bytes) -> None:
    head, tail = b"struct a b = {\n", b"};\n"
    assert restored(head + above + tail, head + above + added + tail).proven
    first = restored(head + above + tail, head + above + added + tail, exact=False)
    assert first.post == head + above + added + tail


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (b"(keys etc. We call", ("first", "sentence", "")),
        (b"(keys etc. and others", ("first", "", "")),
        (b"6. Zeroize the key", ("first", "", "")),
        (b"* 6. Zeroize the key", ("star", "", "", "")),
        (b"It was 6. Zeroize the key", ("first", "", "sentence", "", "")),
    ],
)
def test_where_a_sentence_ends(text: bytes, kinds: tuple[str, ...]) -> None:
    assert gaps.split(text).keys == kinds


def test_the_column_of_a_define_is_not_that_of_the_code_below() -> None:
    base = b"#define SIZE\t(16)\n"
    new = base + b"\nstruct node {\n\tint size;\n};\n"
    assert restore_file(damaged(changed(base, new)), base, Bound(readings=1)).proven
