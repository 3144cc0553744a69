"""Any source of mail -> the bytes as received and the messages in them. The kind of a source is told by its content."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers, mbox, mime, relayed
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.unpack import unpacked
from kpatch_tool.progress import Progress, silent

STDIN = "-"
_MOST_JUNK = 1 << 14
_TAG = re.compile(rb"<[A-Za-z/!]")
_API = b"GET /api/"  # what patchwork shows of itself in a browser
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # the byte order marks
_BOM = b"\xef\xbb\xbf"
_BLANK_JUNK = re.compile(rb"(?:\xef\xbb\xbf|\s)*")
# Colours of git diff; those of an author stay, as no line of a diff itself begins with an escape.
_COLOURED = re.compile(rb"^\x1b\[[0-9;]{0,20}mdiff --", re.MULTILINE)
_COLOUR = re.compile(rb"\x1b\[[0-9;]{0,20}[mK]")
_DIFF = re.compile(rb"^(?:diff --git |--- [^\n]+\n\+\+\+ )", re.MULTILINE)
_DIFF_HEAD = re.compile(rb"^(?:diff -|Index: |--- [^\n]+\n\+\+\+ )", re.MULTILINE)  # of any program's
_FIELDS = re.compile(rb"(?<=\n)[A-Z][\w-]{1,40}: [^\n]*\n(?=[A-Z][\w-]{1,40}:|[ \t])", re.MULTILINE)
_MOST_HEADERS = 100
_LEAST_INDENTED = 8  # lines, fewer prove nothing
_GIVE = "give mail, or the page of an archive"
_DEEPEST = 3  # of mails in mails
_COMMIT = re.compile(rb"From ([0-9a-f]{40}) ")
# A file of git format-patch below a diff: somebody mailed several in one text.
_FILE = re.compile(rb"^" + mbox.FILES_LINE + rb"\n(?=(?:From|Date|Subject):)", re.MULTILINE)
_COVER = re.compile(r"(?:\[[^\]]{0,99}\] ?){0,3}\[[^\]]{0,99}\b0{1,3}/[0-9]{1,4}\b[^\]]{0,99}\]")
_KNOWN_FIELDS = frozenset({"from", "subject", "date", "message-id", "received", "return-path", "to"})
_NEVER_SHOWN = frozenset({"received", "return-path", "mime-version", "content-transfer-encoding"})  # by an archive


class NothingFound(InputError):
    """A source in which nothing looks like mail."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as received. `path` is relative to the source ("page.txt", "cur/1:2,S"); its parts are the sender's
    names, to be made safe before a file is called that."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """What sources hold. `directory` is its name where a source is a directory, "" for a single file; `messages`
    follow the order of the files. `patch_files` is True when the order of the messages is the order of the patches
    (a quilt series). `origins` are the URLs or revisions that were asked for, where the source was no file; `notes` are
    sentences on what of the source was not read."""

    files: tuple[SourceFile, ...]
    messages: tuple[Message, ...]
    patch_files: bool = False
    origins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Fetch = Callable[[str], Received | None]


def read_sources(
    sources: Sequence[str],
    stdin: BinaryIO | None = None,
    *,
    fetch: Fetch | None = None,
    fetched_only: bool = False,
    say: Progress = silent,
) -> Received:
    """Read every source: a file, a directory (Maildir, patches, quilt series), or `-` for standard input.

    Files may be an mbox, one mail or patch, the page of an archive (its text or its HTML), or one of these compressed.
    `fetch` is asked for sources that are no file: it reads what they name elsewhere (a URL, a message id), or returns
    None. With `fetched_only` it is asked first, also where a file has that name.
    `say` is told what is waited for.
    Raises InputError, naming the source, when one cannot be read, is empty, or holds no mail.
    """
    read = [
        (fetch(source) if fetched_only and fetch else None) or _read_source(source, stdin, fetch, say)
        for source in sources
    ]
    return Received(
        files=tuple(file for one in read for file in one.files),
        messages=tuple(message for one in read for message in one.messages),
        patch_files=bool(read) and all(one.patch_files for one in read),
        origins=tuple(origin for one in read for origin in one.origins),
        notes=tuple(note for one in read for note in one.notes),
    )


def _read_source(source: str, stdin: BinaryIO | None, fetch: Fetch | None, say: Progress) -> Received:
    from kpatch_tool.mail import streams

    if source == STDIN:
        if stdin is None and sys.stdin is None:
            raise InputError("standard input is closed", where=source)
        data = streams.read_stream(stdin or sys.stdin.buffer, "standard input", say)
        return read_files([SourceFile("stdin", data)], where="standard input")
    if not source:
        raise InputError("the name of a source is empty", todo="give a file, a URL or a message id")
    path = Path(source)
    if fetch is not None and not _exists(path) and (fetched := fetch(source)) is not None:
        return fetched
    try:
        if path.is_dir():
            return _read_directory(path, source)
        if path.is_char_device() or path.is_block_device():
            raise InputError("this is a device, not a file", where=source, todo="use - for standard input")
        if path.is_fifo():
            return read_files([SourceFile(path.name, streams.read_fifo(path, say))], where=source)
        return read_files([SourceFile(path.name, path.read_bytes())], where=source)
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for a file, a NUL
        return False


def _unreadable(source: str, error: OSError | ValueError) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, FileNotFoundError):
        return InputError(
            "no such file or directory", where=source, todo="check the path (or the message id, or the URL)"
        )
    reason = (error.strerror if isinstance(error, OSError) else str(error)) or "unreadable"
    return InputError(f"cannot read: {reason.lower()}", where=source)


def _read_directory(directory: Path, source: str) -> Received:
    from kpatch_tool.mail import directories, streams

    listing = directories.listed(directory, source)
    if sum(path.stat().st_size for path in listing.paths) > streams.LARGEST:
        what = f"more than {streams.LARGEST >> 20} MB in its files"
        raise InputError(what, where=source, todo="give the directory of one series")
    files = [SourceFile(str(path.relative_to(listing.top)), path.read_bytes()) for path in listing.paths]
    received = read_files(files, where=source)
    if listing.series is None:
        return received
    return replace(received, files=(SourceFile("series", listing.series), *received.files), patch_files=True)


def read_files(files: Sequence[SourceFile], *, where: str) -> Received:
    """`read_sources` for files that are read already; `where` names the source in errors.

    Raises InputError when a file holds something else than mail, or all are empty.
    """
    messages: list[Message] = []
    notes: list[str] = []
    for file in files:
        name = where if len(files) == 1 else f"{where}/{file.path}"
        data = unpacked(file.data, name)
        if not data.strip():
            if len(files) == 1:
                raise InputError("the file is empty", where=name, todo=_GIVE)
            continue
        messages.extend(parse(data, name))
        if mbox.cut_short(data):
            notes.append(f"the last mail of {file.path} is cut short")
    if not messages:
        raise InputError("every file is empty", where=where, todo=_GIVE)
    return Received(tuple(files), tuple(messages), notes=tuple(notes))


def parse(data: bytes, name: str) -> Iterator[Message]:
    """The messages in the bytes of one file. `name` is its name, for errors and `Message.origin`.

    Raises InputError when there are none.
    """
    if b"\r" in data and b"\n" not in data:  # a file from an old Macintosh
        data = data.replace(b"\r", b"\n")
    if b"\x1b[" in data and _COLOURED.search(data):
        data = _COLOUR.sub(b"", data)
    start = _BLANK_JUNK.match(data)
    text = data[start.end() :] if start else data
    if others := mbox.of_other_kinds(text):
        for number, mail in enumerate(others, start=1):
            yield from _from_mail(mail, f"{name}, message {number}")
        return
    if not mbox.is_mbox(text):
        text = text[_junk_before_mbox(text) :]
    if mbox.is_mbox(text):
        _refuse_stripped(text, name)
        yield from _from_mbox(text, name)
        return
    if data[:2] in _UTF16 or text.startswith(b"<"):
        from kpatch_tool.mail import saved

        if (page := saved.read_page(data, name)) is not None:
            yield from page
            return
        if data[:2] in _UTF16 and (narrow := data.decode("utf-16", "replace").encode("utf-8", "replace")):
            yield from parse(narrow, name)  # what PowerShell's `>` writes
            return
    yield from parse_text(text, name)


def _junk_before_mbox(text: bytes) -> int:
    """How many bytes of something else (a command's output, a banner) stand before the first mail of an mbox."""
    first = next(mbox.starts(text[:_MOST_JUNK], strict=False), None)
    if first is None or text.startswith(b"<") or _DIFF.search(text, 0, first.start()):
        return 0
    from kpatch_tool.mail import archives

    if archives.recognise(text) is not None:  # the page of a mail into which someone put git's own output
        return 0
    fields, _ = headers.split(text[: first.start()])
    return 0 if len(_KNOWN_FIELDS & fields.keys()) >= 2 else first.start()


def parse_text(text: bytes, name: str) -> Iterator[Message]:
    """`parse` for what is no mbox and no HTML: one mail, the text of an archive's page, a diff."""
    fields, body = headers.split(text)
    if "snapshot-content-location" in fields:
        from kpatch_tool.mail import saved

        if (snapshot := saved.read_single_file(text, name)) is not None:
            yield from snapshot
            return
    if len(_KNOWN_FIELDS & fields.keys()) >= 2 or ("subject" in fields and _DIFF.search(body)):
        # Some pages begin with what looks like a header.
        page = None if _NEVER_SHOWN & fields.keys() else _page(text, name)
        _refuse(text, name, mail=page is None)
        yield from page or _from_mail(text, name)
        return
    text = mime.unix_lines(text)
    if text.lstrip()[:1] in (b"[", b"{") or _API in text[:_MOST_JUNK]:
        from kpatch_tool.mail import patchwork

        if told := patchwork.read_json(text, name):
            yield from told
            return
    if page := _page(text, name):
        _refuse(text, name)
        yield from page
        return
    _refuse(text, name)
    _refuse_other_diffs(text, name)
    if _DIFF.search(text):
        if (at := _header_inside(text)) is not None:
            yield from _from_mail(text[at:], name)
        else:
            yield from _logged(text, name) or [_bare(text, name)]
        return
    if (bare := _at_the_margin(text)) is not None:
        for message in parse(bare, name):
            yield replace(message, damage=message.damage | {Damage.INDENTED})
        return
    raise NothingFound(
        "no mail and no patch found: not an mbox, a mail, a patch or a page of an archive that kpt knows",
        where=name,
        todo="give the thread as mbox if you can",
    )


def _at_the_margin(text: bytes) -> bytes | None:
    """A text of which every line is indented alike without that, None where it is none. The blanks that it begins with
    may be gone."""
    first, *lines = text.split(b"\n")
    told = [line for line in lines if line.strip()]
    margin = min((line[: len(line) - len(line.lstrip(b" \t"))] for line in told), key=len, default=b"")
    if not margin or len(told) < _LEAST_INDENTED or not all(line.startswith(margin) for line in told):
        return None
    below = [line[len(margin) :] if line.startswith(margin) else b"" for line in lines]
    return b"\n".join([first.removeprefix(margin), *below])


def _page(text: bytes, name: str) -> Iterator[Message] | None:
    """The messages of an archive's page; None when it is none."""
    from kpatch_tool.mail import archives  # a table of expressions that a series' own files never need

    archive = archives.recognise(text)
    if archive is None:
        return None
    return (part for message in archives.read(text, archive, name) for part in _apart(message))


def _refuse(text: bytes, name: str, *, mail: bool = False) -> None:
    """Raise InputError for pages that cannot be read; of a `mail` only where `<...>` vanished."""
    from kpatch_tool.mail.archives import refusals

    if mail:
        refusals.refuse_without_tags(text, name)
    else:
        refusals.refuse(text, name)


def _refuse_other_diffs(text: bytes, name: str) -> None:
    from kpatch_tool.mail.archives import refusals

    refusals.refuse_other_diffs(text, name)


def _refuse_stripped(text: bytes, name: str) -> None:
    if not _TAG.search(text, 0, 1 << 16):  # every mail has <...> somewhere in its header
        _refuse(text, name, mail=True)


def _from_mbox(data: bytes, name: str) -> Iterator[Message]:
    for number, (separator, mail) in enumerate(mbox.split(data), start=1):
        commit = _COMMIT.match(separator)
        id_ = commit[1].decode() if commit else ""
        yield from _from_mail(mail, f"{name}, message {number}", id_)


def _from_mail(raw: bytes, origin: str, commit: str = "", depth: int = 0) -> Iterator[Message]:
    raw = raw.removeprefix(_BOM)
    if commit == "" and (found := _COMMIT.match(raw)):
        commit = found[1].decode()
    fields, body = headers.split(raw)
    text = mime.read_text(fields, body)
    answered = headers.message_ids(headers.text(fields, "in-reply-to"))
    own = headers.message_ids(headers.text(fields, "message-id"))
    date = headers.date(headers.text(fields, "date"))
    message = Message(
        subject=headers.text(fields, "subject") or _subject_inside(text.body),
        author=relayed.author(fields),
        date=date,
        body=text.body.removeprefix(_BOM),
        charset=text.charset,
        origin=origin,
        message_id=own[0] if own else "",
        in_reply_to=answered[0] if answered else "",
        references=headers.message_ids(headers.text(fields, "references")),
        flowed=text.flowed,
        delsp=text.delsp,
        commit=commit,
        damage=frozenset({Damage.SQUEEZED}) if text.squeezed else frozenset(),
        sealed=text.sealed,
    )
    yield from _apart(message) if depth < _DEEPEST else (message,)
    for number, inner in enumerate(text.enclosed if depth < _DEEPEST else (), start=1):
        for file in _from_mail(inner, f"{origin}, attachment {number}", depth=depth + 1):
            if file.message_id or file.in_reply_to:
                yield file
            else:  # sent with this mail, in its thread
                above = message.references or answered
                yield replace(file, in_reply_to=own[0] if own else "", references=above, date=file.date or date)


def _apart(message: Message) -> Iterator[Message]:
    """A message, and each of the files of git format-patch that stand below its diff, or in a cover letter."""
    body = message.body
    diff = _DIFF.search(body)
    from_ = len(body) if diff is None else 0 if _COVER.match(message.subject) else diff.start()
    first, *further = [*(found.start() for found in _FILE.finditer(body, from_)), len(body)]
    yield replace(message, body=body[:first])
    for number, (start, end) in enumerate(pairwise([first, *further]), start=2):
        for file in _from_mail(body[start:end], f"{message.origin}, file {number}", depth=_DEEPEST):
            yield replace(
                file, in_reply_to=message.message_id, damage=file.damage | message.damage, archive=message.archive
            )


def _header_inside(text: bytes) -> int | None:
    """Where the header of a mail begins that stands below something else (what a web mail shows above a mail's source,
    a line of somebody's own); None without one that names From, Subject and Date."""
    diff = _DIFF.search(text)
    for found in islice(_FIELDS.finditer(text, 0, diff.start() if diff else 0), _MOST_HEADERS):
        fields, _ = headers.split(text[found.start() : found.start() + _MOST_JUNK])
        if {"from", "subject", "date"} <= fields.keys():
            return found.start()
    return None


def _subject_inside(body: bytes) -> str:
    """The subject in a header inside a mail's text; "" where there is none. Whoever wrote a line above the header of a
    file of git format-patch and sent it had git send-email take all of it for text, and leave the subject empty."""
    place = _header_inside(body)
    return "" if place is None else headers.text(headers.split(body[place : place + _MOST_JUNK])[0], "subject")


def _logged(text: bytes, name: str) -> list[Message]:
    """The commits that git or Mercurial shows in this text; none where it is something else."""
    if not text.startswith((b"commit ", b"# HG changeset patch\n")):
        return []
    from kpatch_tool.mail import logged

    commit = logged.read_commit(text, name)
    return [commit] if commit else logged.read_changesets(text, name)


def _bare(text: bytes, name: str) -> Message:
    """A diff without a mail's header (quilt, `git diff`): the first line of its description is the subject."""
    from kpatch_tool.mail.archives import evidence  # the text of a page that shows no header lands here too

    found = _DIFF_HEAD.search(text)
    described = headers.decode(text[: found.start()] if found else b"", "utf-8").strip().splitlines()
    fields, body = headers.split(text)
    if not _KNOWN_FIELDS & fields.keys():  # "mm: fix it", "Index: mm/f.c"
        fields, body = {}, text
    subject = headers.text(fields, "subject") or (described[0].strip() if described else "")
    if not fields and described:
        body = text[text.find(b"\n", text.find(described[0].strip().encode())) + 1 :]
    return Message(
        subject=subject or re.sub(r"\.(patch|diff)$", "", Path(name).name),
        author=headers.address(headers.text(fields, "from")),
        date=headers.date(headers.text(fields, "date")),
        body=body,
        charset="",
        origin=name,
        damage=evidence.observed([text], frozenset(), lost=False),
    )
