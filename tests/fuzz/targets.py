"""What is fuzzed: name -> a function that takes any bytes. It may raise ALLOWED, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.hostile import hidden, unsafe_file
from kpatch_tool.diff.model import DiffError, FileDiff, Kind, reversed_diff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.errors import InputError
from kpatch_tool.kbuild import diagnostics
from kpatch_tool.mail import headers
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.read import SourceFile, read_files
from kpatch_tool.restore.blind import read_blind
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.repair import restore_loose
from kpatch_tool.restore.styled import restore_file
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.directory import files
from kpatch_tool.series.people import trailers
from kpatch_tool.series.reading import subject
from kpatch_tool.series.reading.split import diff_end, split_body
from kpatch_tool.series.views.view import document, patch_text, text
from kpatch_tool.suites import output, unittests_cfg
from kpatch_tool.text import printable
from kpatch_tool.vm.console import find_traces
from kpatch_tool.vm.wire import FrameReader, WireError

SMALL = Bound(readings=5_000, hashed=50_000_000, lines=10_000)  # a search that finds nothing takes seconds otherwise
ALLOWED = (InputError, DiffError, WireError)


def mail(data: bytes) -> None:
    """A source of mail, read, made a series, shown and written."""
    try:
        series = assemble(read_files([SourceFile("x", data)], where="x").messages, where="x")
    except InputError as error:
        assert "\n" not in error.line()
        return
    document(series)
    list(text(series))
    for one in series.patches:
        list(patch_text(series, one))
        files.patch_text(one, series.revision, series.total)


def header(data: bytes) -> None:
    """The parts of a header."""
    fields, body = headers.split(data)
    for name in fields:
        headers.text(fields, name)
    words = headers.decode_words(data)
    headers.address(words)
    headers.date(words)
    headers.message_ids(words)
    headers.decode(body, words[:40])
    subject.parse(headers.squeezed(words))
    files.encoded(words)


def message(data: bytes) -> None:
    """The text of one mail."""
    taken = split_body(data, "utf-8")
    split_body(unflow(data, delsp=True), "gbk", damaged=True)
    trailers.of_message(taken.message)
    assert taken.diff in data
    diff_end(data)


def diff(data: bytes) -> None:
    """A diff as it was sent: what kpt writes of it is read as the same."""
    read = parse_diff(data)
    written = format_diff(read)
    again = parse_diff(written)
    assert format_diff(again) == written
    for file in read[:3]:
        apply_file(data, file)


def damaged(data: bytes) -> None:
    """A diff that lost its white space, read, and restored against a file that has its words."""
    for dropped in (False, True):
        try:
            read = parse_damaged(data, blank_lines_dropped=dropped)
        except DiffError:
            continue
        base = b"".join(b"\t" + line.lstrip(b"+- ") + b"\n" for line in data.split(b"\n"))
        for file in read[:2]:
            _restored(file, base)


def loose(data: bytes) -> None:
    """A diff with any other damage, restored against a file; a proof is of an id that the diff names."""
    base = b"".join(line[1:] + b"\n" for line in data.split(b"\n") if line.startswith((b" ", b"-")))
    for file in read_loose(data)[:2]:
        result = restore_loose(file, base, bound=SMALL)
        assert result.why
        if result.proven:
            made = file.header.new_blob
            assert result.post is None or not made or blob_id(result.post, like=made).startswith(made)
            assert made or result.post in (None, base)
    read_blind(data)


def applied(data: bytes) -> None:
    """A diff put on the text it names, and taken back; what it hides, told in printable lines."""
    for file in parse_diff(data)[:5]:
        unsafe_file(file)
        base = b"".join(
            line.text + b"\n" * line.newline
            for hunk in file.hunks
            for line in hunk.lines
            if line.kind is not Kind.ADDED
        )
        done = apply_file(base, file, fuzz=0)
        if isinstance(done, Applied) and done.post is not None and file.old_path and not file.binary:
            (back,) = reversed_diff([file])
            again = apply_file(done.post, back, fuzz=0)
            assert not isinstance(again, Applied) or again.post == base
    for line in hidden(parse_diff(data)):
        assert " adds " in line


def config(data: bytes) -> None:
    """A unittests.cfg, as tests."""
    read = unittests_cfg.parse(data.decode("utf-8", "replace"))
    assert all(printable(line) == line for line in read.problems)
    unittests_cfg.tests_of(read, unittests_cfg.Here("s", Path("/none"), max_smp=4))


def log(data: bytes) -> None:
    """What make printed."""
    roots = diagnostics.Roots("/w/tree", "/w/objects")
    diagnostics.read(data, roots)
    diagnostics.root_causes(data, roots)
    diagnostics.infra_reason(data)


def console(data: bytes) -> None:
    """What a guest printed: kernel and tests, and the frames of its port."""
    for trace in find_traces(data):
        assert all(sign.isprintable() or sign in "\t\n" for sign in trace.text + trace.title)
    for read in (output.unit_test_cases, output.tap_cases):
        read("t", data, 1.0)
    for status in (0, 1, 77, 124, 139):
        output.unit_test_status(status, data)
        output.selftest_status(status, data)
    reader = FrameReader()
    for at in range(0, len(data), 4096):
        reader.feed(data[at : at + 4096])


def _restored(file: FileDiff, base: bytes) -> None:
    restore_file(file, base, SMALL)
    restore_file(file, None, SMALL)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "mail": mail,
    "header": header,
    "message": message,
    "diff": diff,
    "damaged": damaged,
    "loose": loose,
    "applied": applied,
    "config": config,
    "log": log,
    "console": console,
}
