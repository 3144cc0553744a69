"""JUnit and TAP, read back by programs that others wrote; what they count agrees with the exit status."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import xmlschema
import yaml
from junitparser import Error, Failure, JUnitXml, Skipped
from tap.line import Plan, Result, Version
from tap.parser import Parser

from kpatch_tool.diff.undecided import Undecided
from kpatch_tool.errors import FINDING, MACHINE
from kpatch_tool.kbuild.model import BuildStatus
from kpatch_tool.mail.message import Address
from kpatch_tool.report.checks import Kind, checks_of
from kpatch_tool.report.findings import evidence
from kpatch_tool.report.html import page
from kpatch_tool.report.junit import junit
from kpatch_tool.report.letter import draft
from kpatch_tool.report.reports import MAKERS, encoded
from kpatch_tool.report.tap import tap
from kpatch_tool.results.answer import answer
from kpatch_tool.results.record import RunRecord
from kpatch_tool.running.pipeline import Which, run
from kpatch_tool.series.directory.posted import Posted
from kpatch_tool.series.model import Exactness
from kpatch_tool.suites.model import CaseResult, Cause, Verdict
from kpatch_tool.text import printable
from kpatch_tool.workspace import Workspace
from tests.report_records import (
    POISON,
    base_untested,
    clean,
    every_kind,
    hiding,
    hostile_record,
    infra,
    large,
    poisoned,
    regressions,
    three,
)
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_series, make_tests, renamed

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "junit.xsd"))
KINDS = (
    "clean", "one patch", "untested", "damaged", "lacking", "conflict", "build failure", "regressions", "infra",
    "panicking", "sixty patches", "hostile", "poisoned build failure", "poisoned conflict", "poisoned infra",
    "poisoned lacking", "poisoned panicking", "poisoned regressions",
)  # fmt: skip


def record_of(kind: str, directory: Path) -> RunRecord:
    if kind.startswith("poisoned "):
        poison = "".join(POISON).replace("&#", "&")  # tap.py knows no escaped #
        return poisoned(record_of(kind.removeprefix("poisoned "), directory), poison)
    return hostile_record() if kind == "hostile" else every_kind(directory)[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_checks_agree_with_the_exit_status(kind: str, tmp_path: Path) -> None:
    record = record_of(kind, tmp_path)
    kinds = Counter(check.kind for state in checks_of(record) for check in state.checks)
    assert record.exit_status == (3 if kinds[Kind.ERROR] else 1 if kinds[Kind.FAIL] else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_junit_is_valid_and_reads_back(kind: str, tmp_path: Path) -> None:
    record = record_of(kind, tmp_path)
    text = junit(record)
    SCHEMA.validate(text)
    suites = list(JUnitXml.fromstring(text.encode()))
    states = checks_of(record)
    assert [suite.tests for suite in suites] == [len(state.checks) for state in states]
    for suite, state in zip(suites, states, strict=True):
        found = Counter(type(result) for case in suite for result in case.result)
        assert (found[Failure], found[Error]) == (suite.failures, suite.errors)
        assert (suite.failures, suite.errors) == (state.count(Kind.FAIL), state.count(Kind.ERROR))
        assert found[Skipped] == suite.skipped == state.count(Kind.SKIP) + state.count(Kind.KNOWN)


@pytest.mark.parametrize("kind", KINDS)
def test_json_holds_every_contract(kind: str, tmp_path: Path) -> None:
    record = record_of(kind, tmp_path)
    document = json.loads(MAKERS["json"](Workspace(tmp_path), record))
    assert (document["kpt"], document["exit_status"]) == (1, record.exit_status)
    assert set(document["deps"]) >= {"edges", "order", "external"}
    assert len(document["build"]["states"]) == len(record.builds)
    assert len(document["test"]["states"]) == len(record.tests)
    assert [row["number"] for row in document["patches"]] == [patch.number for patch in record.patches]
    deltas = sum(len(state["deltas"]) for state in document["test"]["states"])
    whole = [(tests, delta) for tests in record.tests for delta in record.deltas(tests)]
    assert deltas == sum(bool(tests.results or not delta.case) for tests, delta in whole)


def test_junit_tells_what_got_worse_and_what_always_failed(tmp_path: Path) -> None:
    suites = {suite.name: suite for suite in JUnitXml.fromstring(junit(regressions(tmp_path / "log")).encode())}
    second = {(case.classname, case.name): case.result for case in suites["patch 2: KVM: two"]}
    (worse,) = second["demo.patch-2.test.kut.vmexit", "vmcall"]
    assert isinstance(worse, Failure)
    assert (worse.type, worse.message) == ("worse: fail", "pass, now fail")
    assert "FAIL: vmcall: \\x1b[31mreturned -1" in worse.text
    (known,) = second["demo.patch-2.test.kut.msr", "msr"]
    assert isinstance(known, Skipped) and known.message == "fail, as on the base: no such MSR"
    third = {(case.classname, case.name): case.result for case in suites["patch 3: KVM: three"]}
    (timeout,) = third["demo.patch-3.test.kut.vmexit", "vmexit"]
    assert isinstance(timeout, Failure) and timeout.message.startswith("pass, now timeout, 50% sure: after 90 s")
    assert isinstance(third["demo.patch-3.test.kut.vmexit", "cpuid"][0], Failure)
    assert isinstance(third["demo.patch-3.test.kut.new", "new"][0], Skipped)  # the base does not have it
    assert third["demo.patch-3.test.kut.msr", "msr"] == []  # better


def test_nothing_is_called_as_on_the_base_where_that_was_not_tested() -> None:
    record = base_untested()
    told = "fail; the base was not tested, so that nothing tells whether the series did it: no such MSR"
    suites = {suite.name: suite for suite in JUnitXml.fromstring(junit(record).encode())}
    results = {case.name: case.result for case in suites["patch 1: KVM: one"]}
    assert [result.message for result in results["msr"]] == [told]
    assert f"# TODO {told}" in tap(record)
    assert "as on the base" not in tap(record)
    shown = page(record)
    assert "Every case is as" not in shown and "no such MSR" in shown


def test_what_the_base_does_not_get_through_either_is_nobody_s_failure() -> None:
    series, builds = three(), {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    hung = "the guest did not boot within 120 s"
    tests = {patch: (make_tests(patch, status="failed", why=hung),) for patch in range(4)}
    record = run(series, FakeSteps(make_applied(series), builds, tests), Recorder())
    base, *patches = checks_of(record)
    assert base.count(Kind.FAIL) == 1
    assert not any(state.count(kind) for state in patches for kind in (Kind.FAIL, Kind.ERROR))


def test_a_test_that_ends_the_emulator_each_time_was_not_run() -> None:
    """It is no patch's failure for sure, and it is not all well."""
    series, builds = three(), {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    tests = {patch: (make_tests(patch, "vmexit=pass", "pmu=pass"),) for patch in range(4)}
    died = CaseResult("pmu", "", Verdict.ABORT, 1.0, "the emulator died", Cause.EMULATOR_DIED)
    for patch in (0, 2):
        (one,) = tests[patch]
        kept = (result for result in one.results if result.test != "pmu" or patch == 0)
        tests[patch] = (replace(one, results=(*kept, *((died,) if patch else ()))),)
    record = run(series, FakeSteps(make_applied(series), builds, tests), Recorder())
    assert record.problems == ("patch 2 was not tested with pmu of kut: the emulator died each time",)
    assert record.exit_status == MACHINE
    assert [state.patch for state in checks_of(record) if state.count(Kind.ERROR)] == [2]
    (one,) = tests[2]
    tests[2] = (replace(one, results=(CaseResult("vmexit", "", Verdict.FAIL, 1.0), died)),)
    record = run(series, FakeSteps(make_applied(series), builds, tests), Recorder())
    assert (record.problems, record.exit_status) == ((), FINDING), "what is worse says enough of it"


def test_junit_calls_what_the_machine_could_not_do_an_error() -> None:
    errors = [
        (case.classname, result.message)
        for suite in JUnitXml.fromstring(junit(infra()).encode())
        for case in suite
        for result in case.result
        if isinstance(result, Error)
    ]
    assert ("demo.patch-2.build", ".kpt: no space left on device; free some space") in errors
    assert ("demo.base.test", "QEMU does not start") in errors


def subtests(text: str) -> list[str]:
    """The subtests of a TAP 14 stream, each as a stream of its own (tap.py reads version 13, which has none)."""
    blocks = re.findall(r"^# Subtest: [^\n]*\n((?:    [^\n]*\n)+)", text, re.MULTILINE)
    return ["TAP version 13\n" + textwrap.dedent(block) for block in blocks]


@pytest.mark.parametrize("kind", KINDS)
def test_tap_reads_back(kind: str, tmp_path: Path) -> None:
    record = record_of(kind, tmp_path)
    text = tap(record)
    states = checks_of(record)
    assert text.startswith("TAP version 14\n")
    lines = list(Parser().parse_text(text))
    assert [line.version for line in lines if isinstance(line, Version)] == [14]
    assert [line.expected_tests for line in lines if isinstance(line, Plan)] == [len(states)]
    results = [line for line in lines if isinstance(line, Result)]
    assert [line.number for line in results] == list(range(1, len(states) + 1))
    assert [line.ok for line in results] == [
        not (state.count(Kind.FAIL) or state.count(Kind.ERROR)) for state in states
    ]
    assert all(line.ok for line in results) == (record.exit_status == 0)
    assert len(subtests(text)) == len([state for state in states if state.checks])
    for state, block in zip((state for state in states if state.checks), subtests(text), strict=True):
        inner = list(Parser().parse_text(block))
        assert [line.expected_tests for line in inner if isinstance(line, Plan)] == [len(state.checks)]
        points = [line for line in inner if isinstance(line, Result)]
        assert [_kind(line) for line in points] == [
            Kind.FAIL if check.kind is Kind.ERROR else check.kind for check in state.checks
        ]


def _kind(point: Result) -> Kind:
    if point.todo:
        return Kind.KNOWN
    if point.skip:
        return Kind.SKIP
    return Kind.PASS if point.ok else Kind.FAIL


def test_tap_gives_the_evidence_as_yaml(tmp_path: Path) -> None:
    second = subtests(tap(regressions(tmp_path / "log")))[2]
    failed = [
        line for line in Parser().parse_text(second) if isinstance(line, Result) and not line.ok and not line.todo
    ]
    assert [line.description for line in failed] == ["- kut.vmexit: vmexit", "- kut.vmexit: vmcall"]
    block = failed[1].yaml_block
    assert block["message"] == "pass, now fail" and block["severity"] == "fail"
    assert "FAIL: vmcall: \\x1b[31mreturned -1" in block["evidence"]
    assert yaml.safe_load(yaml.safe_dump(block)) == block


def test_tap_escapes_what_has_a_meaning() -> None:
    record = hostile_record()
    text = tap(record)
    assert "\x1b" not in text and "\u202e" not in text
    assert not re.search(r"(?<!\\)#(?! (?:Subtest:|SKIP|TODO|\d+ checks?|demo))", re.sub(r'"[^"\n]*"', "", text))


def test_what_configuration_was_added_is_in_every_report(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("CONFIG_KVM=m\n")
    asked = tuple(f"CONFIG_{name}=y" for name in "ABCDEFGH")
    record = clean()
    builds = tuple(replace(one, artifacts=tmp_path) for one in record.builds)
    record = replace(record, config=asked, builds=builds)
    shown = "CONFIG_A=y, CONFIG_B=y, CONFIG_C=y, CONFIG_D=y, CONFIG_E=y, CONFIG_F=y and 2 more"
    mail = Posted(0, "[PATCH 0/3] x", Address("J", "j@example.org"), None, "", "p@x")
    letter = draft(record, make_series("a", "b", "c"), mail, Address("T", "t@example.org")).text
    assert shown in page(record)
    assert f"kpt's guest configuration with {shown}, .config has" in " ".join(letter.split())
    assert f'name="config" value="{", ".join(asked)}"' in junit(record)


def test_a_clean_run_is_clean() -> None:
    assert "\nnot ok" not in tap(clean())
    assert "# TODO fail, as on the base: no such MSR" in tap(clean())


def test_many_patches_are_named_by_their_ranges() -> None:
    record = large(60)
    states = [replace(one, status=BuildStatus.FAILED) if one.patch == 7 else one for one in record.builds]
    said = answer("s", "t", record.applied, states, ())
    assert "patches 1-6, 8-60 build" in said


@pytest.mark.parametrize("form", ["text", "html", "junit", "tap", "json"])
@pytest.mark.parametrize("poison", POISON)
def test_no_text_of_a_run_acts(form: str, poison: str, tmp_path: Path) -> None:
    """As each format is written to a terminal: no control character but line ends and tabs, none that is not seen."""
    for record in (regressions(tmp_path / "log"), hostile_record()):
        said = encoded(MAKERS[form](Workspace(tmp_path), poisoned(record, poison))).decode()
        assert printable(said, lines=True) == said


def test_characters_one_does_not_see_are_named_and_are_no_conflict(workspace: Workspace) -> None:
    record, told = hiding(), "mm/f.c:12 adds U+202E RIGHT-TO-LEFT OVERRIDE"
    assert [(one.said, one.lines) for one in evidence(record, 2)] == [
        ("This patch has characters that a reader does not see:", (told,))
    ]
    below = page(record).partition('id="patch-2-apply"')[2].partition("</dd>")[0]
    assert told in below
    assert f"applying:\n  2: {told}\n" in MAKERS["text"](workspace, record)


def test_what_each_check_says_and_shows() -> None:
    """Lines below the stage they are of alone; the time a build took; what became of a test that fails on the base."""
    series = make_series("KVM: one", "KVM: two")
    unsure = Undecided("a.c", 1, "x", "2 readings")
    damaged = replace(renamed(series, Exactness.MATCHED).patches[0], ambiguous=(unsure,))
    first, second = make_applied(series).patches
    applied = replace(make_applied(series), patches=(first, replace(second, details=("hunk 1 at line 9",))))
    builds = {patch: replace(make_build(patch, module=str(patch // 2)), seconds=patch + 1.5) for patch in range(3)}
    tests = {0: (make_tests(0, "msr=fail"),), 2: (make_tests(2, "msr=timeout"),)}
    steps = FakeSteps(applied, builds, tests, restored=replace(series, patches=(damaged, series.patches[1])))
    found = {
        (state.patch, check.group): check
        for state in checks_of(run(series, steps, Recorder()))
        for check in state.checks
    }
    shown = {place: check.evidence for place, check in found.items() if check.evidence}
    assert shown == {(1, "restore"): ("a.c:+1 `x`: 2 readings",), (2, "apply"): ("hunk 1 at line 9",)}
    taken = {place: check.seconds for place, check in found.items() if place[1] in ("build", "apply") and check.seconds}
    assert taken == {(0, "build"): 1.5, (1, "build"): 2.5, (2, "build"): 3.5}
    assert [found[patch, "test.kut.msr"].message for patch in range(3)] == [
        "fail on the base", "fail, as on the base", "fail, now timeout, 50% sure",
    ]  # fmt: skip


def test_evidence_is_of_the_patch_and_says_who_may_have_done_it(tmp_path: Path) -> None:
    records = every_kind(tmp_path)
    said = {kind: [one.said for one in evidence(records[kind], number)]
            for kind, number in (("conflict", 2), ("regressions", 3), ("panicking", 3), ("hiding", 3))}  # fmt: skip
    assert said == {
        "conflict": ["This patch does not apply to toy: it is conflict."],
        "regressions": ["With this patch 1 case of kut no longer passes:"],
        "panicking": [
            "With this patch, or one before it (the state after 2 not tested), kut cannot be run: "
            "the kernel does not boot."
        ],
        "hiding": [],
    }
    (worse,) = evidence(records["regressions"], 3)
    assert worse.lines == ("vmexit: pass, now timeout (after 90 s)",)
    assert worse.log[:2] == ("enabling apic", "PASS: cpuid")


def test_of_patches_that_were_not_tested_one_by_one_nobody_is_blamed() -> None:
    """kpt run --head: the base and the last state alone are tested."""
    series = make_series("KVM: one", "KVM: two", "KVM: three")
    builds = {patch: make_build(patch, module=str(patch)) for patch in range(4)}
    tests = {0: (make_tests(0, "msr=pass"),), 3: (make_tests(3, "msr=fail"),)}
    record = run(series, FakeSteps(make_applied(series), builds, tests), Recorder(), which=Which.HEAD)
    (found,) = evidence(record, 3)
    assert found.said == (
        "With this patch, or one before it (the states after 1-2 not tested), 1 case of kut no longer passes:"
    )
    assert "<td>one of 1-3</td>" in page(record) and "<td>this patch</td>" not in page(record)
