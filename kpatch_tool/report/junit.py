"""A run as JUnit XML: a test suite for the base and for each patch, a test case for every check.

The elements and attributes are those that Jenkins, GitLab and their like read: testsuites > testsuite > properties,
testcase > failure | error | skipped, system-out. A test that fails on the base too is `skipped`, with the reason.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from kpatch_tool.report.checks import Check, Kind, StateChecks, checks_of
from kpatch_tool.report.table import heading
from kpatch_tool.results.record import RunRecord
from kpatch_tool.text import printable

_NO_CHARACTERS = re.compile("[\ufffe\uffff]")  # the two of XML 1.0's exclusions that `printable` lets pass
_ELEMENT = {Kind.FAIL: "failure", Kind.ERROR: "error", Kind.SKIP: "skipped", Kind.KNOWN: "skipped"}
_SKIPPED = (Kind.SKIP, Kind.KNOWN)


def junit(record: RunRecord) -> str:
    """The document, with its XML declaration."""
    states = checks_of(record)
    facts = {"name": _text(heading(record)), **_counts(states), "time": _seconds(record.seconds)}
    root = Xml.Element("testsuites", facts)
    for number, state in enumerate(states):
        root.append(_suite(record, state, number))
    Xml.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suite(record: RunRecord, state: StateChecks, number: int) -> Xml.Element:
    suite = Xml.Element(
        "testsuite",
        {
            "name": _text(state.title),
            **_counts((state,)),
            "skipped": str(sum(map(state.count, _SKIPPED))),
            "time": _seconds(sum(check.seconds for check in state.checks)),
            "timestamp": record.started.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",  # readers want one; which machine it was says nothing
            "id": str(number),
            "package": _text(record.series),
        },
    )
    facts = {
        "tree": record.tree,
        "base": record.base,
        "arch": record.arch,
        "config": ", ".join(record.config),
        "accelerator": record.accelerator,
    }
    if state.patch:
        facts["patch"] = str(state.patch)
    properties = Xml.SubElement(suite, "properties")
    for name, value in facts.items():
        if value:
            Xml.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for check in state.checks:
        suite.append(_case(record, state, check))
    return suite


def _case(record: RunRecord, state: StateChecks, check: Check) -> Xml.Element:
    owner = "machine" if state.patch is None else f"patch-{state.patch}" if state.patch else "base"
    case = Xml.Element(
        "testcase",
        name=_text(check.name),
        classname=_text(f"{record.series}.{owner}.{check.group}"),
        time=_seconds(check.seconds),
    )
    if check.kind is not Kind.PASS:
        told = Xml.SubElement(case, _ELEMENT[check.kind], type=_text(check.type), message=_text(check.message))
        if check.kind not in _SKIPPED:
            told.text = _text("\n".join([check.message, *check.evidence]), lines=True)
    if check.log and check.kind in (Kind.FAIL, Kind.ERROR):
        Xml.SubElement(case, "system-out").text = _text(f"log: {check.log}")
    return case


def _counts(states: tuple[StateChecks, ...]) -> dict[str, str]:
    return {
        "tests": str(sum(len(state.checks) for state in states)),
        "failures": str(sum(state.count(Kind.FAIL) for state in states)),
        "errors": str(sum(state.count(Kind.ERROR) for state in states)),
    }


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str, *, lines: bool = False) -> str:
    return _NO_CHARACTERS.sub("?", printable(text, lines=lines))
