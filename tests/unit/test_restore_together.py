"""Deviations in all lines of a kind at once: what one habit of an author explains, pure text in and out."""

from __future__ import annotations

from kpatch_tool.restore.readings.reading import Candidate
from kpatch_tool.restore.readings.rows import Row
from kpatch_tool.restore.readings.together import Lines, joint
from kpatch_tool.restore.style import gaps
from kpatch_tool.restore.style.cstate import State, step


def lines_of(*texts: bytes, kinds: str = "", others: dict[int, tuple[bytes, ...]] | None = None) -> Lines:
    """Added lines as a first reading has them; `kinds` names a kind for each, `others` has other readings by row."""
    state, states, rows, options = State(), [], [], []
    names = kinds.split() or ["statement"] * len(texts)
    for number, (text, kind) in enumerate(zip(texts, names, strict=True)):
        states.append(state)
        state = step(state, text)
        squeezed = b" ".join(text.split())
        words = tuple(squeezed.split(b" ")) if squeezed else ()
        rows.append(Row(None, words=words, chunks=gaps.split(squeezed), lead=text[:1] in b" \t"))
        more = (others or {}).get(number, ())
        options.append([Candidate(one, 3.0 * at, kind) for at, one in enumerate((text, *more))])
    return Lines(rows, texts, options, states)


def made(lines: Lines) -> list[bytes]:
    """The file that each joint deviation gives."""
    out: list[bytes] = []
    for one in joint(lines):
        texts = list(lines.texts)
        for row, text in one.rows:
            texts[row] = text
        out.append(b"\n".join(texts))
    return out


def test_continuations_take_one_style_together() -> None:
    lines = lines_of(
        b"\tone(a,",
        b"\t    b);",
        b"\tlonger(a,",
        b"\t       b,",
        b"\t       c);",
        kinds="statement paren " * 2 + "paren",
    )
    assert b"\tone(a,\n\t\tb);\n\tlonger(a,\n\t\tb,\n\t\tc);" in made(lines)


def test_stars_of_all_comments_stand_below_the_slash() -> None:
    lines = lines_of(b"/*", b" * One.", b" */", b"\tint a;", b"\t/*", b"\t * Two.", b"\t * 3.", b"\t */", b"\ta = *b;")
    together = made(lines)
    assert b"/*\n* One.\n*/\n\tint a;\n\t/*\n\t* Two.\n\t* 3.\n\t*/\n\ta = *b;" in together
    assert b"/*\n * One.\n */\n\tint a;\n\t/*\n\t* Two.\n\t* 3.\n\t*/\n\ta = *b;" in together


def test_gaps_of_a_kind_are_as_wide_together() -> None:
    lines = lines_of(b"#define ONE 1", b"#define TWENTY 20")
    together = made(lines)
    assert b"#define ONE\t1\n#define TWENTY\t20" in together
    assert b"#define ONE\t\t\t1\n#define TWENTY\t\t\t20" in together
    assert b"#define ONE\t\t1\n#define TWENTY\t\t20" in together
    assert b"#define ONE          1\n#define TWENTY       20" in together


def test_lines_with_the_same_text_take_the_same_reading() -> None:
    lines = lines_of(b"\tint a;", b"\tint b;", b"\tint a;", others={0: (b"\tint\ta;",), 2: (b"\tint\ta;",)})
    assert b"\tint\ta;\n\tint b;\n\tint\ta;" in made(lines)


def test_what_follows_commas_stands_in_columns() -> None:
    together = made(lines_of(b"GET(u32, function, 0)", b"GET(unsigned long, arg1, 1)"))
    assert b"GET(u32,           function, 0)\nGET(unsigned long, arg1,     1)" in together
    assert b"GET(u32, function, 0)\nGET(unsigned long, arg1, 1)" not in together
    assert b"\t{ 1,\t\t2 },\n\t{ 1000000,\t2 }," in made(lines_of(b"\t{ 1, 2 },", b"\t{ 1000000, 2 },"))


def test_a_run_stands_elsewhere_as_a_whole() -> None:
    lines = lines_of(b"\tif (a) {", b"\t\tb();", b"\t}")
    assert b"    if (a) {\n\t    b();\n    }" in made(lines)


def test_every_deviation_touches_more_than_one_line_and_comes_once() -> None:
    lines = lines_of(b"#define ONE 1", b"#define TWO 2", b"\tdo_it(a, c, d,", b"\t      b);", b"\tone(a, b);", b"")
    found = joint(lines)
    assert all(len(one.rows) > 1 for one in found)
    assert all(text != lines.texts[row] for one in found for row, text in one.rows)
    assert len({one.rows for one in found}) == len(found)
    assert [one.cost for one in found] == sorted(one.cost for one in found)


def test_gaps_of_lines_one_below_the_other_end_at_a_column() -> None:
    lines = lines_of(
        b"\tx = 1;",
        b"",
        b"\t.open = lamp_open,",
        b"\t.unlocked_ioctl = lamp_ioctl,",
        b"\t.read = lamp_read,",
    )
    aligned = b"\t.open\t\t= lamp_open,\n\t.unlocked_ioctl%b= lamp_ioctl,\n\t.read\t\t= lamp_read,"
    files = made(lines)
    # The longest name is followed by a tab as the others, or by the one blank that is left.
    assert b"\tx = 1;\n\n" + aligned % b"\t" in files
    assert b"\tx = 1;\n\n" + aligned % b" " in files


def test_lines_that_were_copied_have_blanks_for_tabs() -> None:
    lines = lines_of(b"\tif (a)", b"\t\tb(a);", b"", b"\tc();", b"\td();\t\t/* d */")
    files = made(lines)
    assert b"        if (a)\n                b(a);\n\n\tc();\n\td();\t\t/* d */" in files
    assert b"\tif (a)\n\t\tb(a);\n\n        c();\n        d();            /* d */" in files


def test_every_run_has_the_columns_of_its_own_longest_text() -> None:
    lines = lines_of(
        b"\t.probe = lamp_probe,",
        b"\t.driver = {",
        b"\t\t.name = KBUILD_MODNAME,",
        b"\t\t.acpi_match_table = lamp_ids,",
        b"\t},",
        b"",
        b"\t.x = 1,",
    )
    files = made(lines)
    inner = b"\t\t.name\t\t\t= KBUILD_MODNAME,\n\t\t.acpi_match_table\t= lamp_ids,\n\t},\n\n"
    assert b"\t.probe\t= lamp_probe,\n\t.driver\t= {\n" + inner + b"\t.x\t= 1," in files
    padded = inner.replace(b"e\t\t\t", b"e" + b" " * 19).replace(b"e\t=", b"e       =")
    assert b"\t.probe  = lamp_probe,\n\t.driver = {\n" + padded + b"\t.x      = 1," in files


def test_words_one_below_the_other_stand_in_columns() -> None:
    files = made(lines_of(b"\tu32 blocks;", b"\tunsigned long size, left;", b"\tu32 value;"))
    assert b"\tu32      blocks;\n\tunsigned long size, left;\n\tu32      value;" in files
    assert b"\tu32       blocks;\n\tunsigned  long size, left;\n\tu32       value;" in files


def test_lines_pasted_from_a_diff_have_the_blanks_behind_its_sign() -> None:
    files = made(lines_of(b"\twhile (a)", b"\t\tb(a);"))
    assert b"       while (a)\n               b(a);" in files


def test_the_ends_of_comments_stand_in_a_column_by_blanks() -> None:
    lines = lines_of(b"#define A\t1 /* one */", b"#define B\t2 /* and two */")
    assert b"#define A\t1 /* one        */\n#define B\t2 /* and two    */" in made(lines)


def test_all_gaps_of_inline_assembly_are_tabs_together() -> None:
    texts = (b'\t\t"       l       %0,%2\\n"', b'\t\t"0:     nr      %0,%5\\n"')
    tabs = b'\t\t"\tl\t%0,%2\\n"\n\t\t"0:\tnr\t%0,%5\\n"'
    assert tabs in made(lines_of(*texts))


def test_a_call_of_one_function_goes_on_in_another_style_than_those_of_others() -> None:
    texts = (b"\tone(a,", b"\t    b);", b"\ttwo(a,", b"\t    b);", b"\tone(c,", b"\t    d);")
    lines = lines_of(*texts, kinds="statement paren " * 3)
    assert b"\tone(a,\n\t\tb);\n\ttwo(a,\n\t    b);\n\tone(c,\n\t\td);" in made(lines)


def test_a_text_that_reaches_the_column_has_one_blank_behind_it() -> None:
    lines = lines_of(b"\tu8 a;", b"\tunion nvme_data_ptr dptr;", b"\tu16 b;")
    assert b"\tu8\t\ta;\n\tunion nvme_data_ptr dptr;\n\tu16\t\tb;" in made(lines)


def test_lines_with_one_text_have_one_reading_that_no_rule_gives() -> None:
    file = b"  a = <&gpio0 168\n%bGPIO_ACTIVE_HIGH>;\n  b = <&gpio0 169\n%bGPIO_ACTIVE_HIGH>;"
    first, wanted = (file % (b" " * column, b" " * column) for column in (20, 28))
    assert wanted in made(lines_of(*first.split(b"\n"), kinds="text " * 4))


def test_gaps_that_removed_lines_had_wide_are_single_together() -> None:
    texts = (b"\trun_cmd nettest  -r ${A}", b"\tsleep 1", b"\trun_cmd nettest  -r ${B}")
    assert b"\trun_cmd nettest -r ${A}\n\tsleep 1\n\trun_cmd nettest -r ${B}" in made(lines_of(*texts))


def test_a_long_run_moves_as_a_whole_and_takes_little_room() -> None:
    """5,000 lines of calls: from each line on, that were 200,000,000 lines, and 24 GB."""
    texts = [b"\tcall_number(%d);" % number for number in range(5_000)]
    found = joint(lines_of(*texts))
    assert sum(len(one.rows) for one in found) <= 500_000
    assert b"\n".join(b"\t" + text for text in texts[:70]) in made(lines_of(*texts[:70]))


def test_stops_are_two_blanks_wide_together_before_names_and_the_ends_of_comments() -> None:
    lines = lines_of(
        b"/* One. Two. */",
        b"\t/* It begins. __begin() says so, and %NULL. @end is last. */",
        b"\tint a; /* not a sentence */",
    )
    assert (
        b"/* One.  Two.  */\n\t/* It begins.  __begin() says so, and %NULL.  @end is last.  */\n"
        b"\tint a; /* not a sentence */"
    ) in made(lines)


def test_stars_of_one_depth_have_another_gap() -> None:
    lines = lines_of(
        b"/*", b" * Say why", b" * and how.", b" */", b"int f(void)", b"{", b"\t/*", b"\t * It is.", b"\t */"
    )
    assert (b"/*\n *\tSay why\n *\tand how.\n */\nint f(void)\n{\n\t/*\n\t * It is.\n\t */") in made(lines)
