"""What is fuzzed: name -> a function that takes any bytes. It may raise ALLOWED, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kpatch_tool.diff.apply import apply_file
from kpatch_tool.diff.model import DiffError, FileDiff
from kpatch_tool.diff.parse import diff_start, parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.read import SourceFile, read_files
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.restore.search import Bound
from kpatch_tool.restore.styled import restore_file
from kpatch_tool.series import files, subject, trailers
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.split import diff_end, split_body
from kpatch_tool.series.view import document, patch_text, text

SMALL = Bound(readings=5_000, hashed=50_000_000, lines=10_000)  # a search that finds nothing takes seconds otherwise
ALLOWED = (InputError, DiffError)


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
    diff_start(data)
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


def _restored(file: FileDiff, base: bytes) -> None:
    restore_file(file, base, SMALL)
    restore_file(file, None, SMALL)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "mail": mail,
    "header": header,
    "message": message,
    "diff": diff,
    "damaged": damaged,
}
