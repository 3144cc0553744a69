"""A stretch of an mbox -> what an index keeps of every mail: where it lies, which mails it belongs to, and the header
of those that may be a patch or a cover letter. Reads in blocks, so that memory does not depend on the file.

This is a second reader of headers beside mail/read.py, for speed: reading mails in full takes four times as long (6,000
of a kernel list; ten times, where they are plain replies). It is held to the first one by three things: only what most
mails are (one plain part, an undisturbed header) is told here, by a few searches over the bytes, and any other mail is
read by mail/read.py; what a field means is asked of mail/headers.py, unless it is plain ASCII; and
tests/unit/test_mail_index.py compares the two, on threads of every form and on mailboxes with bytes thrown in.
"""

from __future__ import annotations

import binascii
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple, Protocol

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers, mbox, mime, read
from kpatch_tool.mail.message import Message

BLOCK = 256 << 10  # fits beside everything else in a processor's own cache
LONGEST = 4 << 20  # bytes of one mail that are looked at
STRETCH = 8 << 20  # bytes after which a batch is handed on
# Fields of a header one after another, and what follows it: a line that is no field, and all behind it. Of From,
# Subject, Date, Message-ID, In-Reply-To, References, Content-* the name and the value are told, by letters, as ignoring
# case takes five times as long; what else begins so is dropped by name. One expression that steps from line end to line
# end takes two thirds of the time of one for the header's end and one for its fields.
_HEADER = re.compile(
    rb"\n(?![ \t])(?:([FfSsDdMmIiRrCc][RrUuAaEeNnOo][OoBbTtSsFfNn-][!-9;-~]{1,24})[ \t]*+:[ \t]*+([^\n]*+"
    rb"(?>(?:\n[ \t][^\n]*+)*))|"
    rb"(?![A-Za-z-]++:|[!-9;-~]++[ \t]*+:)((?s:.*+)))"
)
_KEPT = frozenset(
    (b"from", b"subject", b"date", b"message-id", b"in-reply-to", b"references", b"content-type",
     b"content-transfer-encoding", b"content-disposition")
)  # fmt: skip
_FIRST_COUNTS = frozenset({b"message-id", b"in-reply-to", b"references", b"content-disposition"})
_MESSAGE_ID = re.compile(rb"<([^<>\s]+)>")
_PLAIN_REPLY = re.compile(rb"[Rr][Ee]: ")
_MOST_LINKS = 100  # ids of one mail that are followed: the oldest one and the latest ones
_MOST_KNOWN = 20_000  # hashes of message ids kept at hand,
_LONGEST_ID = 200  # of ids no longer than this many bytes
_ENVELOPE = b"From mboxrd@z x\n"
_ENVELOPES = (b"From ", b">From")
_ODD = (b" ", b"\t")
_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64"})
_PLAIN = bytes([9, 10, 13, *range(32, 127)])  # what is in a field of which nothing is encoded
# In the parts of a reply: what may be a mail inside the mail.
_HIDDEN = re.compile(
    rb"\n(?:[ \t]*+[Ss][Uu][Bb][Jj][Ee][Cc][Tt][ \t]*+:|"
    rb"[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[^\n:]{4,24}:\s*+(?:[Mm][Ee][Ss]|[Bb][Aa]))"
)
_DECODED = 1 << 16  # bytes of a base64 text in which the diff begins, if there is one
_GLANCE = 1 << 12  # bytes of it that tell what most are
_MOST_NAMES = 1000
_BLANK = re.compile(rb"\r*\n")
_FILE = re.compile(rb"^>?" + mbox.FILES_LINE + rb"\n(?:From|Date|Subject):", re.MULTILINE)
_ENCODING = b"content-transfer-encoding"
_Found = list[tuple[bytes, bytes, bytes]]  # of _HEADER: name, value, what follows the header


class Marks(NamedTuple):
    """What a subject says, in numbers (-1: nothing) and words: see reading.subject.Tag. `kind` is the judge's own; a
    message with `always` is kept, any other only where it has a diff; of a `reply` the whole mail is kept, where the
    judge says that it is a patch all the same."""

    kind: int
    number: int
    total: int
    revision: int
    title: str
    minor: str = ""
    between: str = ""
    always: bool = False
    reply: bool = False


class Judge(Protocol):
    """What the room of series says about a mail, for an index to keep it."""

    def marks(self, subject: str) -> Marks | None:
        """What the subject says; None where it can be neither a patch nor a cover, whatever the text is."""

    def has_diff(self, body: bytes) -> bool:
        """Whether a text holds a diff."""

    def is_patch(self, reply: Message) -> bool:
        """Whether a reply is a patch that kept its "Re:"."""


# A message that may be a patch or a cover: its place in the batch, its marks (kind, number, total, revision), whether
# it has a diff and a Message-ID, and what else of it counts (Record.packed). Plain tuples: pickle, which brings them
# from the process that read them, takes eight times as long to make named ones.
Kept = tuple[int, int, int, int, int, bool, bool, bytes]


class Record(NamedTuple):
    """What of a message counts when series are put together, besides the numbers in its subject. `sent` are seconds
    since 1970, `date` is in ISO 8601 (both empty where there is none); `references` are apart by blanks; `body` is
    there for patches that kept their "Re:" only."""

    title: str
    minor: str
    between: str
    name: str
    email: str
    date: str
    sent: str
    message_id: str
    in_reply_to: str
    references: str
    archive: str
    body: bytes = b""

    def packed(self) -> bytes:
        """As bytes: a line each, then the body. No header field has a line end once its white space is squeezed."""
        return "\n".join((*self[:-1], "")).encode("utf-8", "surrogatepass") + self.body

    @classmethod
    def of(cls, data: bytes) -> Record:
        """The opposite of `packed`."""
        *_, body = data.split(b"\n", len(cls._fields) - 1)
        lines = data[: len(data) - len(body) - 1].decode("utf-8", "surrogatepass").split("\n")
        return cls._make([*lines, body])


@dataclass(slots=True)
class Batch:
    """The mails of one stretch."""

    # Three numbers a message: where it begins and how long it is, in bytes; which mail inside that mail (0: itself).
    spans: array[int] = field(default_factory=lambda: array("q"))
    own: array[int] = field(default_factory=lambda: array("q"))  # the hash of each message's id
    # Two numbers for every id that a message answers: the hash, and the place of the message in the batch.
    parents: array[int] = field(default_factory=lambda: array("q"))
    posts: list[Kept] = field(default_factory=list)
    end: int = 0  # the offset at which the stretch ends,
    last: int = 0  # and at which its last mail begins
    answers: bool = False  # there are replies in it

    def __len__(self) -> int:
        return len(self.own)


class Scanner:
    """Reads mails one after another into batches. `strict` as in mail/mbox.py."""

    def __init__(self, judge: Judge, *, strict: bool = False) -> None:
        self._judge = judge
        self._strict = strict
        self._hashes = _Hashes()
        self._names = _Names()
        self._batch = Batch()

    def scan(self, read_into: Callable[[memoryview], int], at: int, stop: int | None = None) -> Iterator[Batch]:
        """The batches of the mails that begin from offset `at`, where a separator is, to `stop` (None: the end).

        `read_into(room)` fills some of the room with the next bytes and says how many, 0 at the end. A mail longer than
        LONGEST is judged by its first bytes.
        """
        # One buffer for all: fresh memory for every block took a sixth of the time of reading.
        text, filled, begin, ended = bytearray(BLOCK), 0, at, False
        while not ended:
            if filled > len(text) // 2:
                text += bytes(len(text))  # a long mail
            count = _read_behind(text, filled, read_into)
            filled, ended = filled + count, not count
            found = self._starts(text, filled, ended=ended)
            if not found:
                continue
            for one, following in pairwise(found):
                self._mail(text, begin, one, following.start())
                if stop is not None and begin + following.start() >= stop:
                    yield self._handed_on(begin + following.start())
                    return
            if ended:
                self._mail(text, begin, found[-1], filled)
                begin += filled
            else:
                rest = text[found[-1].start() : filled]
                begin += found[-1].start()
                if len(rest) > LONGEST:
                    rest, length = self._long_mail(rest, begin, read_into)
                    begin, ended = begin + length, not rest
                    if stop is not None and begin >= stop:
                        yield self._handed_on(begin)
                        return
                filled = len(rest)
                text[:filled] = rest
            if self._batch and (ended or begin - self._batch.spans[0] > STRETCH):
                yield self._handed_on(begin)

    def maildir_file(self, data: bytes) -> Batch | None:
        """The batch of a file that holds one mail; None when its header is not that of a mail."""
        text = _ENVELOPE + data
        (separator,) = mbox.starts(text[: len(_ENVELOPE)], strict=True)
        if sum(1 for spelt, *_ in _HEADER.findall(text, len(_ENVELOPE) - 1) if spelt) < 2:
            return None
        self._mail(text, -len(_ENVELOPE), separator, len(text))
        spans = self._batch.spans
        for at in range(0, len(spans), 3):
            spans[at : at + 2] = array("q", (0, len(data)))
        return self._handed_on(len(data))

    def file_of(self, messages: Iterable[Message], length: int) -> Batch:
        """The batch of a file that is no mbox, of `length` bytes, read already."""
        for part, message in enumerate(messages):
            self._read_mail(message, 0, length, part)
        return self._handed_on(length)

    def _starts(self, text: bytes | bytearray, filled: int, *, ended: bool) -> list[re.Match[bytes]]:
        """The separators in the first `filled` bytes, behind which more may follow unless `ended`."""
        limit = filled if ended else filled - mbox.REACH
        return [one for one in mbox.starts(text, strict=self._strict, end=filled) if one.start() < limit]

    def _handed_on(self, end: int) -> Batch:
        batch, self._batch = self._batch, Batch()
        batch.end = end
        batch.last = batch.spans[-3] if batch else end
        return batch

    def _long_mail(self, text: bytearray, begin: int, read_into: Callable[[memoryview], int]) -> tuple[bytearray, int]:
        """Take the mail that `text` begins with, which is longer than is looked at; what follows it and how long it
        is."""
        first = next(mbox.starts(text, strict=self._strict))
        rest, length = text[-mbox.REACH :], len(text) - mbox.REACH
        while True:
            filled = len(rest)
            rest += bytes(BLOCK)
            count = _read_behind(rest, filled, read_into)
            del rest[filled + count :]
            # The blank: `rest` does not begin a line.
            found = self._starts(b" " + rest, len(rest) + 1, ended=not count)
            if found or not count:
                break
            kept = rest[-mbox.REACH - 1 :]
            length, rest = length + len(rest) - len(kept), kept
        stop = found[0].start() - 1 if found else len(rest)
        self._mail(text, begin, first, len(text), length + stop)
        return rest[stop:], length + stop

    def _mail(self, text: bytes | bytearray, base: int, separator: re.Match[bytes], stop: int, length: int = 0) -> None:
        """Take one mail: `text` from the separator to `stop`; `text` begins at offset `base`; `length` is the mail's
        where that is more."""
        start, head = separator.span()
        length = length or stop - start
        found = _HEADER.findall(text, head - 1, stop)
        fields: dict[bytes, bytes] = {}
        for spelt, value, _ in found:
            name = self._names[spelt]
            if name and not (name in fields and name in _FIRST_COUNTS):
                fields[name] = value
        # The last of `found` is what follows the header, if it ends before the mail.
        body = found[-1][2] if found else b""
        odd = text.startswith(_ODD, head) or body.startswith(_ENVELOPES)
        if not body or odd or stop - len(body) == head or not fields.get(b"subject", b"").strip():
            self._unusual(bytes(text[start:stop]), base + start, length)
            return
        marks, diff = self._judged(fields, found, body)
        if diff is None:
            self._unusual(bytes(text[start:stop]), base + start, length)
            return
        batch = self._batch
        place = len(batch.own)
        batch.spans.append(base + start)
        batch.spans.append(length)
        batch.spans.append(0)
        own = _MESSAGE_ID.search(fields[b"message-id"]) if b"message-id" in fields else None
        batch.own.append(self._hashes[own[1] if own else b"\n".join(fields.values()) + body])
        references = _MESSAGE_ID.findall(fields[b"references"]) if b"references" in fields else []
        answered = _MESSAGE_ID.findall(fields[b"in-reply-to"]) if b"in-reply-to" in fields else []
        if references or answered:
            self._parents(references + answered, place)
        if marks is not None:
            batch.answers |= marks.reply
            if diff or marks.always:
                ids = (own[1] if own else b"", answered[0] if answered else b"", references)
                record = _record(fields, found, ids, marks)
                kind, number, total, revision, *_ = marks
                batch.posts.append((place, kind, number, total, revision, diff, own is not None, record))

    def _judged(self, fields: dict[bytes, bytes], found: _Found, body: bytes) -> tuple[Marks | None, bool | None]:
        """What the subject says (None: neither patch nor cover, or an answer that is none), and whether the mail has a
        diff; None for the latter where that is not quickly told."""
        encoding = fields[_ENCODING].strip().lower() if _ENCODING in fields else b""
        subject = fields.get(b"subject", b"")
        special = _is_special(fields.get(b"content-type"))
        if _PLAIN_REPLY.match(subject) and (
            _quotes(body, encoding) or (not special and self._has_diff(body, encoding, reply=True) is False)
        ):
            self._batch.answers = True
            marks = None
        else:
            marks = self._judge.marks(_decoded(subject, found))
        if special:
            if marks is None and not _HIDDEN.search(body):
                return None, False
            return marks, None if b"message-id" not in fields else self._of_parts(body, found, marks)
        return marks, marks is not None and self._has_diff(body, encoding, reply=marks.reply)

    def _of_parts(self, body: bytes, found: _Found, marks: Marks | None) -> bool | None:
        """Whether a mail of several parts has a diff; None when it may hold other mails, or be a patch sent as a
        reply."""
        blank = _BLANK.match(body)
        text = mime.read_text(_lists(found), body[blank.end() :] if blank else body)
        if text.enclosed:
            return None
        if marks is None:
            return False
        if marks.reply:
            return False if b"\n>" in text.body else None
        return None if _is_several(text.body) else self._judge.has_diff(text.body.removeprefix(b"\xef\xbb\xbf"))

    def _has_diff(self, body: bytes, encoding: bytes, *, reply: bool) -> bool | None:
        """Whether a mail of one part has a diff (a reply: is a patch); None when this is not quickly told."""
        text = body
        try:
            if encoding == b"base64":
                whole = not reply and self._judge.has_diff(_glance(body))
                text = binascii.a2b_base64((body if whole else body[:_DECODED]).strip())
            elif encoding == b"quoted-printable":
                text = binascii.a2b_qp(body)
        except binascii.Error:
            return None
        known = encoding in _ENCODINGS and (encoding != b"base64" or len(body) <= _DECODED)
        if reply:
            return False if known and (b"\n>" in text or b"\n---" not in text) else None
        if self._judge.has_diff(text):
            return None if _is_several(text) else True
        return False if known else None

    def _unusual(self, raw: bytes, begin: int, length: int) -> None:
        """Take a strange mail, or one with mails in it, by reading it as the rest of kpt does."""
        try:
            messages = list(read.parse(raw, ""))
        except InputError:
            messages = []
        for part, message in enumerate(messages):
            self._read_mail(message, begin, length, part)

    def _read_mail(self, message: Message, begin: int, length: int, part: int) -> None:
        place = len(self._batch)
        self._batch.spans.extend((begin, length, part))
        # As received.read_posts does.
        shown = message.subject, message.author, message.date, message.body, message.in_reply_to
        own = message.message_id or repr(shown)
        self._batch.own.append(self._hashes[_bytes(own)])
        self._parents([_bytes(id_) for id_ in (*message.references, message.in_reply_to) if id_], place)
        marks = self._judge.marks(message.subject)
        if marks is not None:
            self._batch.answers |= marks.reply
            diff = self._judge.is_patch(message) if marks.reply else self._judge.has_diff(message.body)
            if diff or marks.always:
                record = _of_message(message, marks)
                kind, number, total, revision, *_ = marks
                named = bool(message.message_id)
                self._batch.posts.append((place, kind, number, total, revision, diff, named, record))

    def _parents(self, ids: Sequence[bytes], place: int) -> None:
        if len(ids) > _MOST_LINKS:
            ids = [ids[0], *ids[-_MOST_LINKS:]]
        hashes, add = self._hashes, self._batch.parents.append
        for id_ in set(ids):
            add(hashes[id_])
            add(place)


def _read_behind(text: bytearray, filled: int, read_into: Callable[[memoryview], int]) -> int:
    """Fill up `text` from offset `filled`; how many bytes came."""
    with memoryview(text) as whole, whole[filled:] as room:
        return read_into(room)


def _quotes(body: bytes, encoding: bytes) -> bool:
    """Whether lines of a text are quoted, as far as is quickly told."""
    return b"\n>" in (_glance(body) if encoding == b"base64" else body)


def _is_several(text: bytes) -> bool:
    """Whether a text may hold several files of git format-patch, each a message of its own (mail/read.py)."""
    return mbox.FILES_DATE in text and _FILE.search(text) is not None


def _glance(body: bytes) -> bytes:
    """How a base64 text begins; empty when this is not quickly told."""
    try:
        return binascii.a2b_base64(body[: body.rfind(b"\n", 0, _GLANCE) + 1])
    except binascii.Error:
        return b""


class _Names(dict[bytes, bytes]):
    """The names of fields as they are spelt -> in lower case, empty for those that do not count."""

    def __missing__(self, spelt: bytes) -> bytes:
        name = spelt.lower()
        name = name if name in _KEPT else b""
        if len(self) < _MOST_NAMES:
            self[spelt] = name
        return name


class _Hashes(dict[bytes, int]):
    """Message ids -> their hashes (hash_of); the latest stay at hand, as a thread's mails name the same ones."""

    def __missing__(self, id_: bytes) -> int:
        known = hash_of(id_)
        if len(id_) < _LONGEST_ID:
            if len(self) > _MOST_KNOWN:
                self.clear()
            self[id_] = known
        return known


def _lists(found: _Found) -> dict[str, list[bytes]]:
    """The fields as headers.split has them."""
    lists: dict[str, list[bytes]] = {}
    for spelt, value, _ in found[:-1]:
        lists.setdefault(spelt.decode("ascii").lower(), []).append(value.replace(b"\r\n", b"\n").rstrip(b"\r"))
    return lists


def _record(fields: dict[bytes, bytes], found: _Found, ids: tuple[bytes, bytes, list[bytes]], marks: Marks) -> bytes:
    """The record of a mail; `ids` are its own, the one it answers, and the references. read.py says the same of it, in
    ten times the time."""
    person, sent = fields.get(b"from", b""), fields.get(b"date", b"")
    own, answered, references = ids
    if not _is_plain(b"\n".join((person, sent, own, answered, *references))):
        lists = _lists(found)
        texts = [headers.text(lists, name) for name in ("from", "date", "message-id", "in-reply-to", "references")]
        known = [headers.message_ids(text) for text in texts[2:]]
        names = _person(texts[0])
        words = (*(one[0] if one else "" for one in known[:2]), " ".join(known[2]))
        moment = _moment(headers.date(texts[1]))
    else:
        names = _person(" ".join(person.decode("ascii").split()))
        words = (own.decode("ascii"), answered.decode("ascii"), b" ".join(references).decode("ascii"))
        moment = _moment(headers.date(" ".join(sent.decode("ascii").split())))
    said = (marks.title, marks.minor, marks.between, names.name, names.email)
    return "\n".join((*said, *moment, *words, "", "")).encode()  # Record.packed


def _of_message(message: Message, marks: Marks) -> bytes:
    """The record of a message; the texts of pages may have anything in them."""
    words = (
        marks.title, marks.minor, marks.between, message.author.name, message.author.email, *_moment(message.date),
        message.message_id, message.in_reply_to, " ".join(message.references), message.archive,
    )  # fmt: skip
    return Record._make([*map(headers.squeezed, words), message.body if marks.reply else b""]).packed()


def _moment(date: datetime | None) -> tuple[str, str]:
    return (date.isoformat(), str(date.timestamp())) if date else ("", "")


_person = lru_cache(maxsize=1000)(headers.address)


def _decoded(subject: bytes, found: _Found) -> str:
    """headers.text of a subject; nearly all are plain ASCII."""
    if not _is_plain(subject):
        return headers.text(_lists(found), "subject")
    return " ".join(subject.decode("ascii").split())


def _is_plain(value: bytes) -> bool:
    """Whether nothing in a field is encoded."""
    return b"=?" not in value and not value.translate(None, _PLAIN)  # three times as fast as an expression


def _is_special(content_type: bytes | None) -> bool:
    return content_type is not None and content_type[:10].lower().startswith((b"multipart/", b"message/"))


def hash_of(id_: bytes) -> int:
    """The 64 bits under which an index finds a message id (without <>): among ten million ids, two that share one come
    up once in 300,000 mailboxes."""
    return int.from_bytes(blake2b(id_, digest_size=8).digest(), "little", signed=True)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
