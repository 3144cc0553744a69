"""The page of a run: its pictures, its logs, and that it can be read by everybody."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.depend.model import Dependencies, Edge, EdgeKind, External
from kpatch_tool.report import html
from kpatch_tool.report.checks import Kind, checks_of
from kpatch_tool.report.document import run_document
from kpatch_tool.report.excerpt import excerpt
from kpatch_tool.report.graph import Graph, layout
from kpatch_tool.report.pictures import timings_picture
from kpatch_tool.report.table import details
from kpatch_tool.results.record import PatchRecord
from kpatch_tool.running.pipeline import run
from kpatch_tool.series.model import Exactness
from tests import report_records as records
from tests.html_page import Page
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_tests

NONE = Dependencies((), (), ())


def graph(count: int, pairs: list[tuple[int, int]], others: Dependencies = NONE) -> Graph:
    patches = [PatchRecord(number, f"patch {number}", "", Exactness.INTACT, "") for number in range(1, count + 1)]
    edges = tuple(Edge(patch, needs, EdgeKind.TEXTUAL, "why") for patch, needs in pairs)
    return layout(replace(others, edges=edges), patches)


def lanes(found: Graph) -> dict[int, tuple[int, list[int]]]:
    return {lane.source: (lane.column, [joint.row for joint in lane.joints]) for lane in found.lanes}


def test_a_chain_takes_one_column() -> None:
    assert lanes(graph(4, [(2, 1), (3, 2), (4, 3)])) == {0: (0, [1]), 1: (0, [2]), 2: (0, [3])}


def test_lanes_that_overlap_stand_side_by_side() -> None:
    assert lanes(graph(4, [(4, 1), (3, 2)])) == {0: (1, [3]), 1: (0, [2])}


def test_what_others_imply_is_not_drawn() -> None:
    found = graph(4, [(2, 1), (3, 2), (3, 1), (4, 1)])
    assert lanes(found) == {0: (1, [1, 3]), 1: (0, [2])} and found.implied == 1


def test_patches_that_need_one_another_are_all_drawn() -> None:
    found = graph(3, [(1, 2), (2, 1), (3, 1)], replace(NONE, cycles=((1, 2),)))
    assert lanes(found) == {0: (1, [1, 2]), 1: (0, [0])} and found.implied == 0


def test_what_is_needed_from_outside_has_a_row_of_its_own() -> None:
    outside = (External(2, EdgeKind.REVERT, "5befdc385ddb", True, "it reverts it"),
               External(0, EdgeKind.DECLARED, "v6.1", None, "its base"))  # fmt: skip
    found = graph(2, [], replace(NONE, external=outside))
    assert [node.label for node in found.nodes] == ["5befdc385ddb", "v6.1", "1", "2"]
    assert lanes(found) == {0: (1, [3]), 1: (0, [2])}


def test_no_two_lanes_of_a_column_overlap() -> None:
    found = layout(records.large(60).dependencies, records.large(60).patches)
    spans = [(lane.column, lane.source, max(joint.row for joint in lane.joints)) for lane in found.lanes]
    for column, first, last in spans:
        others = [(a, b) for c, a, b in spans if c == column and a != first]
        assert all(b <= first or last <= a for a, b in others)
    assert found.columns <= 16
    drawn = {(joint.row + 1, lane.source + 1) for lane in found.lanes for joint in lane.joints}
    asked = {(edge.patch, edge.needs) for edge in records.large(60).dependencies.edges}
    assert len(asked) - len(drawn) == found.implied and drawn <= asked


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    assert graph(399, [(number, number - 1) for number in range(2, 400)]).columns == 1
    assert graph(401, [(2, 1)]).nodes == ()


def test_the_log_is_one_click_from_the_delta(tmp_path: Path) -> None:
    text = html.page(records.regressions(tmp_path / "vmexit.log"))
    second = text[text.index('id="patch-2-test"') : text.index('id="patch-3"')]
    found = re.search(
        r"vmexit: vmcall</td>.*?<details><summary>log of vmexit \(([^)]*)\)</summary>(.*?)</details>", second, re.S
    )
    assert found is not None
    assert found[1] == "vmexit.log, whole" and "FAIL: vmcall: \\x1b[31mreturned -1" in found[2]
    third = text[text.index('id="patch-3"') :]
    assert 'href="#log-1">log of vmexit on the base: as above' in second
    assert "<details><summary>log of vmexit (" not in third  # the page has it already


def test_what_a_patch_changed_is_told_apart_from_what_was_there_before(tmp_path: Path) -> None:
    text = html.page(records.regressions(tmp_path / "vmexit.log"))
    rows = {
        number: re.findall(r"<tr>(<td class=\"(?:worse|better|changed)\".*?)</tr>", part)
        for number, part in by_patch(text)
    }
    since = [re.findall(r"<td[^>]*>([^<]*)</td>", one)[1:4] for one in rows[3]]
    assert ["vmexit", "pass, now timeout", "this patch"] in since
    assert {one[2] for one in since} == {"this patch"}
    large = html.page(records.large(4))  # patches 2 and 3 give the same module
    parts = dict(by_patch(large))
    assert "1 module, byte for byte as after patch 2" in parts[3] and "byte for byte" not in parts[2]
    assert "<td>changed, +4 bytes</td>" in parts[4] and "beside patch 3" in parts[4]


def test_what_was_worse_before_a_state_that_did_not_boot_is_not_the_next_patchs_doing() -> None:
    series = records.three()
    tests = {0: "pass", 1: "fail", 3: "fail"}
    given = {patch: (make_tests(patch, f"vmexit={verdict}"),) for patch, verdict in tests.items()}
    given[2] = (make_tests(2, status="failed", why="the kernel does not boot"),)
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    record = run(series, FakeSteps(make_applied(series), builds, given), Recorder())
    third = dict(by_patch(html.page(record)))[3]
    assert "<td>patch 1 or before</td>" in third
    assert run_document(record)["test"]["states"][3]["deltas_previous"] == []


def test_a_state_that_cannot_be_booted_is_one_finding() -> None:
    record = records.panicking()
    third = dict(by_patch(html.page(record)))[3]
    assert "None of the 4 cases that the base reports was run." in third and "now absent" not in third
    (state,) = (one for one in checks_of(record) if one.patch == 3)
    (failed,) = (check for check in state.checks if check.kind is Kind.FAIL)
    assert (failed.name, failed.message, failed.evidence) == (
        "kut",
        "the kernel does not boot",
        ("BUG: <1>", "RIP: 0010"),
    )
    assert not any("absent" in line for line in details(record))


def by_patch(page: str) -> list[tuple[int, str]]:
    parts = re.split(r'<section id="patch-(\d+)">', page)
    return [(int(number), part) for number, part in zip(parts[1::2], parts[2::2], strict=True)]


def test_a_page_stays_bounded(tmp_path: Path) -> None:
    log = tmp_path / "vmexit.log"
    record = records.regressions(log)
    log.write_bytes(b"FAIL: vmcall\n" + b"x" * (1 << 22))
    assert len(html.page(record)) < 100_000


@pytest.mark.parametrize("content", [None, b"", b"\n\n"])
def test_a_log_that_is_not_there(tmp_path: Path, content: bytes | None) -> None:
    log = tmp_path / "vmexit.log"
    record = records.regressions(log)
    log.unlink() if content is None else log.write_bytes(content)
    assert "not there any more, or empty" in html.page(record)


def test_excerpts_begin_near_what_they_are_about(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [f"line {number}" for number in range(1, 101)]
    lines[59] = "mmu.c:3: warning: odd"
    lines[79] = "mmu.c:9: error: wrong\r"
    log.write_text("\n".join(lines) + "\n")
    found = excerpt(log, 20)
    assert found is not None and (found.first, len(found.lines), found.total) == (72, 20, 100)
    assert found.lines[8] == "mmu.c:9: error: wrong" and found.summary == "log, lines 72-91 of 100"
    about = excerpt(log, 20, "mmu.c:3:")
    assert about is not None and about.lines[8] == "mmu.c:3: warning: odd"
    log.write_text("\n".join(lines[:50]))
    last = excerpt(log, 20)
    assert last is not None and (last.first, last.lines[-1]) == (31, "line 50")


@pytest.mark.parametrize(
    ("log", "case", "line"),
    [
        ("PASS: vmrun intercept\n" * 60 + "FAIL: vmrun\nSUMMARY: 61 tests\n", "vmrun", "FAIL: vmrun"),
        ("PASS: vmrun intercept\n" * 60 + "XPASS: vmrun\r\n", "vmrun", "XPASS: vmrun"),
        ("ok 1 - vmrun intercept\n" * 60 + "not ok 2 - vmrun\n", "vmrun", "not ok 2 - vmrun"),
        ("PASS: vmrun\n" + "PASS: b\n" * 60 + "FAIL: vmrun\n", "vmrun #2", "FAIL: vmrun"),
        ("FAIL: vmrun\n" + "PASS: b\n" * 60 + "FAIL: vmrun\nend", "vmrun #2", "end"),
        ("PASS: vmrun\nPASS: vmrun\n" + "PASS: b\n" * 60 + "FAIL: vmrun #2\n", "vmrun #2", "FAIL: vmrun #2"),
        ("PASS: b\n" * 60 + "vmrun: here\n", "vmrun", "vmrun: here"),
    ],
)
def test_an_excerpt_shows_the_case_that_failed(log: str, case: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    found = excerpt(path, 20, case)
    assert found is not None and line in found.lines


def test_times_are_told_and_the_first_build_does_not_hide_the_others() -> None:
    record = records.clean()
    slow = replace(record.builds[0], seconds=154.0)
    picture = timings_picture(replace(record, builds=(slow, *record.builds[1:])))
    assert "the base: build 154 s, tests 1.0 s" in picture and 'class="break"' in picture
    widths = [float(width) for width in re.findall(r'width="([\d.]+)%" height', picture)]
    assert max(widths) == 100 and min(widths) > 10
    assert timings_picture(replace(record, builds=(), tests=())) == ""
    known = tuple(replace(build, cached=True) for build in record.builds)
    assert "patch 1: build known, tests 1.0 s" in timings_picture(replace(record, builds=known))


def test_every_page_is_well_formed_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    for kind, record in records.every_kind(tmp_path).items():
        page = Page(html.page(record))
        anchors = [f"#{value}" for _, key, value in page.attributes if key == "id"]
        assert len(anchors) == len(set(anchors)), kind
        assert {value for _, key, value in page.attributes if key == "href"} <= set(anchors), kind


def test_colour_alone_says_nothing(tmp_path: Path) -> None:
    """What is marked as a finding says so in words or with a sign; every table has a caption and headers."""
    for kind, record in records.every_kind(tmp_path).items():
        text = html.page(record)
        for cell in re.findall(r'<td class="finding"[^>]*>(.*?)</td>', text):
            assert "✗" in cell, (kind, cell)
        tables = re.findall(r"<table.*?</table>", text, re.S)
        assert all("<caption>" in table and 'scope="col"' in table for table in tables)
        assert text.count("<svg") == text.count('role="img" aria-label') + text.count('class="plot"') + text.count(
            "<svg x="
        )
