"""Reports of a run: hostile text stays text, nothing is loaded from outside, 80 columns are enough."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import partial

import pytest
from rich.console import Console

from kpatch_tool.kbuild.model import Diagnostic
from kpatch_tool.report import document, html, table
from kpatch_tool.report.document import run_document
from kpatch_tool.report.live import LiveTable, PlainLines, watcher_for
from kpatch_tool.report.tests import show as show_tests
from kpatch_tool.results.record import Cell, Outcome, PatchRecord, RunRecord, Stage
from kpatch_tool.running.pipeline import run
from kpatch_tool.series.model import Exactness
from kpatch_tool.suites.model import Repeats
from kpatch_tool.system.parallel import Threads
from kpatch_tool.testing.command import Tested
from tests.html_page import Page
from tests.report_records import HOSTILE, hostile_record
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_series, make_tests, repeated

# All that a page is made of: nothing that runs, loads or sends.
TAGS = """
    html head meta title style body main h1 h2 p ul li dl dt dd section div figure figcaption table caption thead tbody
    tr th td details summary pre code a span strong svg path circle rect text
"""
ATTRIBUTES = """
    class id href title lang charset name content http-equiv role tabindex scope colspan aria-label data-stage
    x y dx cx cy r d width height viewbox overflow
"""


def shown(record: RunRecord, width: int = 80) -> str:
    out = io.StringIO()
    table.show(record, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_hostile_text_never_becomes_markup() -> None:
    page = Page(html.page(hostile_record()))
    assert set(page.tags) <= set(TAGS.split())
    assert {key for _, key, _ in page.attributes} <= set(ATTRIBUTES.split())
    assert all(str(value).startswith("#patch-") for _, key, value in page.attributes if key == "href")
    assert page.text.count("<script>alert(1)</script>\\x1b[31m\\u202e'\"&amp; $body") > 15


def test_the_page_needs_nothing_else() -> None:
    text = html.page(hostile_record())
    assert "http://" not in text and "https://" not in text and "url(" not in text and "src=" not in text
    assert "default-src 'none'" in text


def test_links_of_the_page_lead_somewhere() -> None:
    page = Page(html.page(hostile_record()))
    anchors = {f"#{value}" for _, key, value in page.attributes if key == "id"}
    links = {value for _, key, value in page.attributes if key == "href"}
    assert links and links <= anchors


def test_the_terminal_gets_no_control_characters() -> None:
    text = shown(hostile_record())
    assert "\x1b" not in text and "\u202e" not in text
    assert "\\x1b[31m" in text


def test_the_table_fits_eighty_columns() -> None:
    lines = shown(hostile_record()).splitlines()
    header = next(number for number, line in enumerate(lines) if "restore" in line and "build" in line)
    rows = lines[header : header + 5]
    assert all(len(line) <= 80 for line in rows)
    assert [line.split()[0] for line in rows[1:]] == ["0", "1", "2", "3"]
    assert rows[2].rstrip().endswith("1 warning  same") and "offset" in rows[2]
    assert "FAILED" in rows[3] and rows[3].rstrip().endswith("-")


def test_the_terminal_says_what_was_found() -> None:
    text = shown(hostile_record(), width=400)
    for part in (
        "2 needs 1 (symbol)",
        "THE TREE LACKS IT",
        "1: offset:",
        "patch 2: failed:",
        "patch 1: new warning",
        "patch 3, kut: worse   vmexit: pass, now fail",
        "patch 3, kut: better  dirty: does not build, now pass",
        "not done on this machine:",
    ):
        assert part in text, part
    assert "msr: one" not in text, "it only follows from the timeout of msr"


def test_a_warning_is_told_where_it_comes() -> None:
    series = make_series("one", "two", "three", "four", "five")
    old, more = Diagnostic("a.c", 1, "unused variable 'a'", "-Wunused-variable"), Diagnostic("b.c", 2, "odd")
    moved = replace(old, line=9)
    warnings = {1: (), 2: (old,), 3: (moved,), 4: (moved, more), 5: (moved, more, replace(old, line=50))}
    built = {0: make_build(0)} | {at: make_build(at, module=str(at), warnings=found) for at, found in warnings.items()}
    tests = {at: (make_tests(at, "a=pass"),) for at in built}
    lines = shown(run(series, FakeSteps(make_applied(series), built, tests), Recorder())).splitlines()
    start = lines.index("building:") + 1
    assert lines[start : lines.index("", start)] == [
        "  patch 2: new warning a.c:1: unused variable 'a' [-Wunused-variable]",
        "  patch 4: new warning b.c:2: odd",
        "  patch 5: new warning a.c:50: unused variable 'a' [-Wunused-variable]",
        "  patches 3-5: 1 new warning as after patch 2",
        "  patch 5: 1 new warning as after patch 4",
    ]


def test_a_difference_is_told_where_it_comes_and_where_it_goes() -> None:
    series = make_series("one", "two", "three", "four", "five", "six", "seven")
    tests = {
        0: (make_tests(0, "a=pass", "b=pass"),),
        1: (make_tests(1, "a=pass", "b=pass"),),
        2: (make_tests(2, "a=fail", "b=pass"),),
        3: (make_tests(3, "a=fail", "b=pass"),),
        4: (make_tests(4, "a=fail", "b=pass"),),
        5: (make_tests(5, "a=fail", "b=fail"),),
        6: (make_tests(6, "a=pass", "b=fail"),),
        7: (repeated(make_tests(7, "a=pass", "b=pass 3 tests"), Repeats(2, 1), "b"),),
    }
    built = {number: make_build(number, module=str(number)) for number in tests}
    lines = shown(run(series, FakeSteps(make_applied(series), built, tests), Recorder())).splitlines()
    start = lines.index("tests:") + 1
    assert lines[start : lines.index("", start)] == [
        "  patch 2, kut: worse   a: pass, now fail",
        "  patches 3-5, kut: 1 worse as after patch 2",
        "  patch 5, kut: worse   b: pass, now fail",
        "  patch 6, kut: better  by this patch: a: fail, now pass",
        "  patch 6, kut: 1 worse as after patch 5",
        "  patch 7, kut: b is unsteady: worse in 1 of 2 runs",
    ]


def test_what_failed_in_one_run_gives_no_patch_credit_while_what_spoke_for_it_fails() -> None:
    series = make_series("one", "two", "three")
    again, earlier = Repeats(3, 3), Repeats(3, 3, earlier=True)
    tests = {
        0: (make_tests(0, "a=pass", "b=pass"),),
        1: (repeated(make_tests(1, "a=fail 3 tests", "b=fail 3 tests"), again, "a"),),
        2: (repeated(make_tests(2, "a=fail 3 tests", "b=pass"), earlier, "a"),),
        3: (make_tests(3, "a=pass", "b=pass"),),
    }
    built = {number: make_build(number, module=str(number)) for number in tests}
    record = run(series, FakeSteps(make_applied(series), built, tests), Recorder())
    assert "taken back later" in record.sentence and "cases of a and b worse" in record.sentence
    unmended = run(series, FakeSteps(make_applied(series), built, {**tests, 3: tests[2]}), Recorder())
    assert "taken back later" not in unmended.sentence, "nobody knows that patch 1 did anything to b"
    lines = shown(record, width=120).splitlines()
    start = lines.index("tests:") + 1
    assert lines[start + 2 : lines.index("", start)] == [
        "  patch 2, kut: changed b: fail, now pass; run only once after patch 1, which is no verdict",
        "  patch 2, kut: 1 worse as after patch 1",
        "  patch 3, kut: better  by this patch: a: fail, now pass",
    ]
    states = document.tests_document(record.tests)["states"]
    own = [state["deltas_previous"] for state in states[2:]]
    assert [[(delta["test"], delta["confidence"]) for delta in deltas] for deltas in own] == [
        [("b", 0.5)],
        [("a", 1.0)],
    ]
    out = io.StringIO()
    show_tests(Tested(record.tests, "tcg", "asked for"), Console(width=100, file=out))
    assert "changed: b: fail, now pass; run only once after patch 1, which is no verdict\n" in out.getvalue()
    assert "better since patch 2: a: fail, now pass\n" in out.getvalue()


def test_what_was_taken_back_is_no_patchs_doing_for_sure_where_states_were_not_tested() -> None:
    series = make_series("one", "two", "three")
    tests = {
        0: (make_tests(0, "a=pass"),),
        1: (make_tests(1, "a=fail"),),
        2: (make_tests(2, status="infra"),),
        3: (make_tests(3, "a=pass"),),
    }
    built = {number: make_build(number, module=str(number)) for number in tests}
    text = shown(run(series, FakeSteps(make_applied(series), built, tests), Recorder()), width=200)
    assert "patch 3, kut: better  by one of 2-3: a: fail, now pass\n" in text


def test_what_a_test_did_not_reach_for_an_earlier_fault_is_not_blamed_on_the_patch_that_mends_that() -> None:
    series = make_series("one", "two", "three", "four")
    whole = ("a=pass", "a/1=pass", "a/2=pass")
    tests = {
        0: (make_tests(0, *whole),),
        1: (make_tests(1, *whole),),
        2: (make_tests(2, "a=abort", "a/1=pass"),),
        3: (make_tests(3, "a=abort", "a/1=pass"),),
        4: (make_tests(4, "a=fail", "a/1=pass", "a/2=fail"),),
    }
    built = {number: make_build(number, module=str(number)) for number in tests}
    record = run(series, FakeSteps(make_applied(series), built, tests), Recorder())
    lines = shown(record, width=200).splitlines()
    for case in ("a: pass", "a: 2: pass"):
        assert f"  patch 4, kut: worse   {case}, now fail, by one of 2-4: not reached before" in lines
    assert "1 worse by one of patches 2, 3 and 4 (a: pass, now fail)" in record.sentence
    assert html.page(record).count("<td>one of 2-4</td>") == 2


def test_the_document_is_json_and_holds_the_contracts() -> None:
    document = json.loads(json.dumps(run_document(hostile_record())))
    assert [patch["status"] for patch in document["apply"]["patches"]] == ["offset", "fuzz", "clean"]
    states = document["build"]["states"]
    assert [(s["patch"], s["status"], len(s["new_warnings"]), len(s["errors"])) for s in states] == [
        (0, "ok", 0, 0),
        (1, "ok", 1, 0),
        (2, "failed", 0, 1),
        (3, "ok", 0, 0),
    ]
    last = document["test"]["states"][-1]
    assert [(d["test"], d["case"], d["base"], d["now"], d["change"]) for d in last["deltas"]] == [
        ("vmexit", "", "pass", "fail", "worse"),
        ("msr", "", "pass", "timeout", "worse"),
        ("dirty", "", "skip", "pass", "better"),
        ("msr", "one", "pass", "absent", "worse"),
    ]
    assert document["patches"][0]["stages"]["build"] == {"outcome": "finding", "text": "1 warning", "why": HOSTILE}
    assert document["exit_status"] == 3, "it has problems of this machine, too"


def test_plain_lines_for_a_log() -> None:
    out = io.StringIO()
    lines = PlainLines(out)
    lines.cell(Cell(1, Stage.BUILD, Outcome.RUNNING, "..."))
    lines.progress("compiling")
    lines.progress("compiling")
    lines.progress("compiling", 3, 10)
    lines.progress("testing the base: vmexit", 1, 10)
    lines.progress("building patch 2", 2, 10)
    lines.progress("testing the base: msr", 2, 10)
    lines.progress("building patch 2", 4, 10)
    lines.progress("")
    lines.cell(Cell(1, Stage.BUILD, Outcome.WELL, "ok 2 s"))
    lines.cell(Cell(0, Stage.TEST, Outcome.FINDING, "\x1b[31m"))
    assert out.getvalue().splitlines() == [
        "          compiling",
        "          testing the base",
        "          building patch 2",
        "patch 1   build    ok 2 s",
        "base      test     \\x1b[31m",
    ]


def test_a_long_step_says_in_a_log_now_and_then_how_far_it_is() -> None:
    out, now = io.StringIO(), [0.0]
    lines = PlainLines(out, lambda: now[0])
    for second in range(0, 200, 20):
        now[0] = second
        lines.progress("testing the base: msr", second, 200)
        lines.progress("booting patch 1")
    assert out.getvalue().splitlines() == [
        "          testing the base",
        "          booting patch 1",
        "          testing the base 30%",
        "          testing the base 60%",
        "          testing the base 90%",
    ]


def test_the_live_table_draws_what_it_knows() -> None:
    console = Console(file=io.StringIO(), width=80)
    live = LiveTable(console)
    record = hostile_record()
    live.patches(record.patches)
    for cell in record.cells:
        live.cell(cell)
    live.progress("compiling \x1b[2J", 1, 3)
    with Threads(1) as other:
        other.submit(partial(live.progress, "testing the base: vmexit")).result()
        for console.width in (40, 60, 80):
            lines = drawn(live, console)
            assert lines[-2:] == ["compiling \\x1b[2J 33%", "testing the base: vmexit"]
            assert any("FAILED" in line for line in lines) and max(map(len, lines)) <= console.width
        other.submit(partial(live.progress, "")).result()
    live.progress("")
    assert not [line for line in drawn(live, console) if "testing" in line or "compiling" in line]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 5), (80, 2), (30, 12), (14, 24), (10, 12)])
def test_the_live_table_fits_the_terminal(width: int, height: int) -> None:
    """What is below its last line would not be seen, and what is going on is last."""
    console = Console(file=io.StringIO(), width=width, height=height)
    live = LiveTable(console)
    live.patches([_patch(number) for number in range(1, 41)])
    live.cell(Cell(0, Stage.TEST, Outcome.WELL, "ok"))
    shown = set()
    tested = (1, 2, 12, 25, 39, 40)
    for number in tested:
        live.cell(Cell(number, Stage.TEST, Outcome.RUNNING, "..."))
        live.progress(f"testing patch {number}: vmexit", 3, 10)
        lines = drawn(live, console)
        assert len(lines) <= height
        assert lines[-1].startswith(f"testing patch {number}: vm"[: width - 1])
        live.cell(Cell(number, Stage.TEST, Outcome.WELL, "ok"))
        shown |= {number} if any(re.match(rf" *{number} ", line) for line in lines) else set()
        if height > 8 and width > 10:
            assert any(re.fullmatch(r"\.\.\. \d+ (more patches|m.*…)", line) for line in lines)
    assert shown == (set(tested) if height > 5 and width > 10 else set())


def test_where_many_are_at_work_the_first_is_shown() -> None:
    console = Console(file=io.StringIO(), width=80, height=12)
    live = LiveTable(console)
    live.patches([_patch(number) for number in range(1, 41)])
    for number in range(3, 40):
        live.cell(Cell(number, Stage.APPLY, Outcome.RUNNING, "..."))
    lines = drawn(live, console)
    assert [line.split()[0] for line in lines[1:3]] == ["3", "4"] and "... 32 more patches" in lines


def _patch(number: int) -> PatchRecord:
    return PatchRecord(number, f"KVM: subject number {number}", "A <a@b>", Exactness.INTACT, "", ())


@pytest.mark.parametrize(("term", "kind"), [("xterm", LiveTable), ("dumb", PlainLines)])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(term: str, kind: type[object]) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": term})
    assert type(watcher_for(console)) is kind


def drawn(live: LiveTable, console: Console) -> list[str]:
    """The lines of the live table."""
    with console.capture() as captured:
        console.print(live.picture())
    return [line.rstrip() for line in captured.get().splitlines()]
