"""Edges between patches that touch the same lines, and the order they ask for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Edge, EdgeKind
from kpatch_tool.depend.order import closure, cycles, ordered
from kpatch_tool.depend.textual import textual_edges
from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.model import FileDiff, Hunk, Line
from kpatch_tool.series.model import Series
from tests.diff_texts import difference, joined
from tests.patch_texts import patch, series, steps

LINES = [f"int counter_{number};" for number in range(1, 41)]


def _text(*changed: tuple[int, str], base: list[str] = LINES) -> str:
    """LINES with line N (from 1) replaced by a text of any number of lines."""
    out = list(base)
    for number, text in changed:
        out[number - 1] = text
    return "".join(f"{line}\n" for line in out if line)


def _pairs(edges: tuple[Edge, ...], *, made_on: bool = False) -> set[tuple[int, int]]:
    return {(edge.patch, edge.needs) for edge in edges if edge.made_on is made_on}


def test_changing_what_an_earlier_one_added() -> None:
    states = [_text(), _text((5, "int five;")), _text((5, "int cinq;"))]
    (edge,) = textual_edges(steps(*({"f.c": state} for state in states)))
    assert (edge.patch, edge.needs, edge.kind) == (2, 1, EdgeKind.TEXTUAL)
    assert edge.why == "f.c: removes `int five;`, which 1/2 adds"


def test_context_that_an_earlier_one_added() -> None:
    states = [_text(), _text((5, "int five;")), _text((5, "int five;"), (8, "int eight;"))]
    (edge,) = textual_edges(steps(*({"f.c": state} for state in states)))
    assert edge.why == "f.c: its context has `int five;`, which 1/2 adds"


def test_far_apart_is_independent_also_after_lines_moved() -> None:
    longer = "int a;\nint b;\nint c;"
    states = [_text(), _text((5, longer)), _text((5, longer), (30, "int thirty;"))]
    assert textual_edges(steps(*({"f.c": state} for state in states))) == ()


def test_standing_where_lines_were_removed() -> None:
    states = [_text(), _text((10, "")), _text((10, ""), (12, "int twelve;"))]
    (edge,) = textual_edges(steps(*({"f.c": state} for state in states)))
    assert edge.why == "f.c: stands where 1/2 removes lines, after `int counter_9;`"


def test_changing_the_context_of_an_earlier_one() -> None:
    lines = [line.encode() for line in LINES]
    middle = [*lines[:9], b"TEN", *lines[10:]]
    last = [*middle[:12], b"THIRTEEN", *middle[13:]]
    first = FileDiff("f", "f", difference(lines, middle).hunks)
    second = FileDiff("f", "f", difference(middle, last, context=1).hunks)
    (edge,) = textual_edges(series(patch(1, [first]), patch(2, [second])))
    assert edge.why == "f: changes lines that 1/2 has as context, at `int counter_12;`"


def test_the_one_between_does_not_hide_the_first() -> None:
    one = _text((5, "int five;"))
    two = _text((5, "int five;"), (20, "int a;\nint b;"))
    three = _text((5, "int cinq;"), (20, "int a;\nint B;"))
    edges = textual_edges(steps(*({"f.c": state} for state in (_text(), one, two, three))))
    assert _pairs(edges) == {(3, 1), (3, 2)}


def test_blob_ids_say_what_a_patch_was_made_on() -> None:
    states = [{"f.c": text} for text in (_text(), _text((5, "int five;")), _text((5, "int five;"), (30, "int x;")))]
    (edge,) = textual_edges(steps(*states, blobs=True))
    assert edge.made_on
    assert edge.why.startswith("made on f.c ")
    assert edge.why.endswith(", as 1/2 leaves it")


def test_blob_ids_order_patches_against_their_numbers() -> None:
    states = [{"f.c": text} for text in (_text(), _text((5, "int five;")), _text((5, "int cinq;")))]
    made = steps(*states, blobs=True)
    swapped = series(replace(made.patches[1], number=1), replace(made.patches[0], number=2))
    needs = dependencies(swapped)
    assert _pairs(needs.edges) == {(1, 2)}
    assert needs.order == (2, 1)
    assert needs.cycles == ()


def test_a_change_and_its_revert_are_no_circle() -> None:
    there = {"f.c": _text((5, "int five;"))}
    needs = dependencies(steps({"f.c": _text()}, there, {"f.c": _text()}, blobs=True))
    assert _pairs(needs.edges) == {(2, 1)}
    assert needs.order == (1, 2)


def test_circles_are_reported_and_ordered_by_number() -> None:
    one = [
        FileDiff("a", "a", old_blob="aaaa1", new_blob="aaaa2"),
        FileDiff("b", "b", old_blob="bbbb2", new_blob="bbbb3"),
    ]
    two = [
        FileDiff("a", "a", old_blob="aaaa2", new_blob="aaaa3"),
        FileDiff("b", "b", old_blob="bbbb1", new_blob="bbbb2"),
    ]
    needs = dependencies(series(patch(1, one), patch(2, two), patch(3)))
    assert needs.cycles == ((1, 2),)
    assert needs.order == (1, 2, 3)
    assert needs.unmet
    assert closure(needs.edges, [2]) == (1, 2)


def test_files_created_renamed_deleted() -> None:
    text = [b"int a;", b"int b;"]
    create = FileDiff(None, "d/f.c", difference([], text).hunks, new_mode="100644")
    rename = FileDiff("d/f.c", "d/g.c", renamed=True, similarity=100)
    change = FileDiff("d/g.c", "d/g.c", difference(text, [b"int a;", b"int c;"]).hunks)
    other = FileDiff("d/f.c", "d/f.c", difference(text, [b"int x;", b"int b;"]).hunks)
    edges = textual_edges(series(patch(1, [create]), patch(2, [rename]), patch(3, [change])))
    assert _pairs(edges) == {(2, 1), (3, 1), (3, 2)}
    edges = textual_edges(series(patch(1, [create]), patch(2, [other])))
    assert edges[0].why.startswith("d/f.c: 1/2 creates it; ")
    delete = FileDiff("f.c", None, difference(text, []).hunks, old_mode="100644")
    again = FileDiff(None, "f.c", difference([], text).hunks, new_mode="100644")
    assert _pairs(textual_edges(series(patch(1, [delete]), patch(2, [again])))) == {(2, 1)}


def test_a_name_must_be_free_before_it_is_taken() -> None:
    text = [b"int a;", b"int b;"]
    away = FileDiff("f.c", "lib/f.c", renamed=True, similarity=100)
    create = FileDiff(None, "f.c", difference([], text).hunks, new_mode="100644")
    (edge,) = textual_edges(series(patch(1, [away]), patch(2, [create])))
    assert (edge.patch, edge.needs, edge.why) == (2, 1, "f.c: 1/2 renames it away")
    delete = FileDiff("f.c", None, difference(text, []).hunks, old_mode="100644")
    here = FileDiff("lib/f.c", "f.c", renamed=True, similarity=100)
    (edge,) = textual_edges(series(patch(1, [delete]), patch(2, [here])))
    assert (edge.patch, edge.needs, edge.why) == (2, 1, "f.c: 1/2 deletes it")


def _moved(old: str, new: str, *, copied: bool = False) -> FileDiff:
    return FileDiff(old, new, renamed=not copied, copied=copied, similarity=100)


def _edit(path: str, before: str, after: str) -> FileDiff:
    """The sixth of twelve lines changes."""
    texts = ([*LINES[:5], line, *LINES[6:12]] for line in (before, after))
    return FileDiff(path, path, difference(*([line.encode() for line in text] for text in texts)).hunks)


ONE, TWO = _edit("a", "int old;", "int one;"), _edit("b", "int one;", "int two;")


A_TO_B, B_TO_A, A_TO_C = _moved("a", "b"), _moved("b", "a"), _moved("a", "c")


@pytest.mark.parametrize("swap", [(B_TO_A, A_TO_B), (A_TO_B, B_TO_A), (B_TO_A, A_TO_C, _moved("a", "b", copied=True))])
def test_files_change_places_in_a_patch(swap: tuple[FileDiff, ...]) -> None:
    """What a patch renames or copies was there before it, in whatever order it names its files."""
    edges = textual_edges(series(patch(1, [ONE]), patch(2, swap), patch(3, [TWO])))
    assert _pairs(edges) == {(3, 1), (3, 2)}
    of_a = textual_edges(series(patch(1, [ONE]), patch(2, swap), patch(3, [_edit("a", "int old;", "int new;")])))
    assert [(edge.patch, edge.needs, edge.why) for edge in of_a] == [(3, 2, "a: 2/3 gives another file this name")]


FILE = difference([], [b"int a;"]).hunks
REMOVED = difference([b"int a;"], []).hunks


@pytest.mark.parametrize(
    ("frees", "takes", "why"),
    [
        (FileDiff("d", None, REMOVED), FileDiff(None, "d/x", FILE), "d: 1/2 deletes it"),
        (FileDiff("d", None, REMOVED), FileDiff(None, "d/deep/x", FILE), "d: 1/2 deletes it"),
        (_moved("d", "e"), FileDiff(None, "d/x", FILE), "d: 1/2 renames it away"),
        (_moved("d", "e"), _moved("f", "d/x"), "d: 1/2 renames it away"),
        (FileDiff("d/x", None, REMOVED), FileDiff(None, "d", FILE), "d/x: 1/2 deletes it"),
        (FileDiff("d/deep/x", None, REMOVED), _moved("f", "d", copied=True), "d/deep/x: 1/2 deletes it"),
        (_moved("d/x", "e"), FileDiff(None, "d", FILE), "d/x: 1/2 renames it away"),
    ],
)
def test_a_directory_takes_the_name_of_a_file_or_gives_it_up(frees: FileDiff, takes: FileDiff, why: str) -> None:
    beside = [FileDiff(path, None, REMOVED) for path in ("d-x", "d.c", "dx", "d0")]
    (edge,) = textual_edges(series(patch(1, [frees, *beside]), patch(2, [takes])))
    assert (edge.patch, edge.needs, edge.why) == (2, 1, why)
    assert textual_edges(series(patch(1, beside), patch(2, [takes]))) == ()
    again = [patch(1, [frees]), patch(2, [takes]), patch(3, [FileDiff(takes.new_path, None, REMOVED)])]
    assert (4, 3) in _pairs(textual_edges(series(*again, patch(4, [takes]))))


def test_an_empty_file_goes_after_its_lines() -> None:
    """A deletion that shows no lines fits an empty file alone."""
    empties = FileDiff("d", "d", REMOVED)
    deletes = FileDiff("d", None, old_mode="100644", old_blob="e69de29", new_blob="0000000")
    (edge,) = textual_edges(series(patch(1, [empties]), patch(2, [deletes])))
    assert (edge.patch, edge.needs, edge.why) == (2, 1, "deletes d as 1/2 leaves it")
    renamed = textual_edges(
        series(patch(1, [empties]), patch(2, [_moved("d", "e")]), patch(3, [replace(deletes, old_path="e")]))
    )
    assert _pairs(renamed) == {(3, 1), (3, 2)}


def test_what_deletes_a_file_does_without_its_mode() -> None:
    """git says that it has another mode, and deletes it."""
    mode = FileDiff("d", "d", old_mode="100644", new_mode="100755")
    deletes = FileDiff("d", None, REMOVED, old_mode="100755")
    assert textual_edges(series(patch(1, [mode]), patch(2, [deletes]))) == ()
    back = FileDiff("d", "d", old_mode="100755", new_mode="100644")
    (edge,) = textual_edges(series(patch(1, [mode]), patch(2, [back])))
    assert edge.why == "both change the mode of d"


def test_line_numbers_of_a_series_with_a_hole_are_not_believed() -> None:
    """The text decides: the same lines elsewhere are found, other lines at that place are not."""
    text = "int very_recognisable_name;"
    made = steps({"f.c": _text()}, {"f.c": _text((5, text))}, {"f.c": _text((5, "int other;"))})
    first, second = made.patches
    moved = replace(second, files=(replace(second.files[0], hunks=(_shifted(second.files[0].hunks[0], 200),)),))
    assert [edge.why for edge in textual_edges(series(first, moved))] == [f"f.c: has `{text}`, which 1/2 adds"]
    foreign = replace(second, files=(_renamed_lines(second.files[0]),))
    assert textual_edges(series(first, foreign)) == ()


def test_squeezed_white_space_is_the_same_line() -> None:
    made = steps({"f.c": _text()}, {"f.c": _text((5, "\tint  five;"))}, {"f.c": _text((5, "int cinq;"))})
    squeezed = replace(made.patches[1], files=(_squeezed(made.patches[1].files[0]),))
    assert _pairs(textual_edges(series(made.patches[0], squeezed))) == {(2, 1)}


def _shifted(hunk: Hunk, lines: int) -> Hunk:
    return replace(hunk, old_start=hunk.old_start + lines, new_start=hunk.new_start + lines)


def _with_lines(file: FileDiff, lines: list[Line]) -> FileDiff:
    return replace(file, hunks=(replace(file.hunks[0], lines=tuple(lines)),))


def _renamed_lines(file: FileDiff) -> FileDiff:
    return _with_lines(file, [replace(line, text=b"foreign " + line.text) for line in file.hunks[0].lines])


def _squeezed(file: FileDiff) -> FileDiff:
    return _with_lines(file, [replace(line, text=b" ".join(line.text.split())) for line in file.hunks[0].lines])


def test_order_is_stable_and_closure_brings_what_is_needed() -> None:
    edges = [Edge(2, 5, EdgeKind.SYMBOL, ""), Edge(4, 2, EdgeKind.SYMBOL, ""), Edge(3, 1, EdgeKind.SYMBOL, "")]
    assert ordered(edges, range(1, 7)) == (1, 3, 5, 2, 4, 6)
    assert closure(edges, [4]) == (5, 2, 4)
    assert closure(edges, [6, 1]) == (1, 6)
    assert cycles([*edges, Edge(5, 4, EdgeKind.SYMBOL, "")]) == ((2, 4, 5),)


def test_a_circle_does_not_disturb_what_needs_it() -> None:
    circle = [Edge(4, 3, EdgeKind.SYMBOL, ""), Edge(3, 4, EdgeKind.SYMBOL, ""), Edge(1, 3, EdgeKind.SYMBOL, "")]
    assert ordered(circle, range(1, 5)) == (2, 3, 4, 1)


@st.composite
def _series(draw: st.DrawFn) -> tuple[dict[str, list[bytes]], Series]:
    """A base of lines that are all different, and up to six patches of it."""
    lines = [b"line number %d" % number for number in range(draw(st.integers(5, 40)))]
    states = [lines]
    for step in range(draw(st.integers(2, 6))):
        now = list(states[-1])
        for run in range(draw(st.integers(1, 2))):
            start = draw(st.integers(0, len(now)))
            end = draw(st.integers(start, min(len(now), start + 3)))
            new = [b"patch %d adds %d.%d" % (step, run, at) for at in range(draw(st.integers(0, 3)))]
            now[start:end] = new
        states.append(now)
    patches = [
        patch(number, [FileDiff("f", "f", difference(before, after).hunks)])
        for number, (before, after) in enumerate(pairwise(states), 1)
    ]
    return {"f": lines}, series(*patches)


@settings(max_examples=100, deadline=None)
@given(_series())
def test_what_a_patch_needs_is_enough(made: tuple[dict[str, list[bytes]], Series]) -> None:
    """The law: every patch applies on the base with nothing but what its edges bring, as git would place it, and
    removes and adds what it did in its place."""
    base, whole = made
    edges = textual_edges(whole)
    for wanted in whole.patches:
        text = joined(base["f"])
        for number in closure(edges, [wanted.number]):
            one = whole.patch(number)
            assert one is not None
            for file in one.files:
                done = apply_file(text, file, fuzz=0)
                assert isinstance(done, Applied), (wanted.number, number, done)
                assert done.post is not None
                text = done.post
