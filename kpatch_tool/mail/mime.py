"""The body of a mail: transfer encodings undone, the parts a reader of patches wants put together.

Parts are cut out of the raw bytes (RFC 2046, boundaries from the outside in), so that a patch keeps every byte and a
missing end of an inner part cannot swallow the outer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from kpatch_tool.mail import armour, charsets
from kpatch_tool.mail.content import Content, content_of
from kpatch_tool.mail.headers import split
from kpatch_tool.mail.transfer import Room, decoded, unpacked

_PATCH_NAME = re.compile(r"\.(?:patch|diff|txt|mbox|eml)(?:\.(?:gz|xz|bz2))?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(?:gz|xz|bz2)$", re.IGNORECASE)
_UNREADABLE = frozenset({"text/calendar", "text/enriched", "text/x-vcard", "text/vcard", "text/x-amp-html"})
# Parts that may hold the patch, but not for us.
_OF_FILES = re.compile(r"\.(?:zip|7z|rar|tar|tgz|tar\.[a-z0-9]{2,4}|pdf|docx?|rtf|msg)$", re.IGNORECASE)
_SEALED = {
    "application/ms-tnef": "winmail.dat (Outlook's TNEF)",
    "application/pgp-encrypted": "an encrypted text (OpenPGP)",
    "application/pkcs7-mime": "a text sealed with S/MIME",
    "application/x-pkcs7-mime": "a text sealed with S/MIME",
}
_STRUCTURE = re.compile(rb"^(?:diff --git |--- |\+\+\+ |@@ -|index [0-9a-f]+\.\.)[^\n]*$", re.MULTILINE)
# This one and _DIGESTED are looked for in a text with a line end before it: an expression that begins with a character
# is found ten times as fast as one that begins with `^`.
_DIFF = re.compile(rb"\n(?:diff --git |Index: |--- [^\n]+\n\+\+\+ )")
_HUNK = b"@@ -"  # whether quoted or not
_PREFORMATTED = re.compile(rb"<pre[\s>]|<plaintext", re.IGNORECASE)
_OUTLOOKS_LINE = re.compile(r"<(/?)p\b", re.IGNORECASE)
_ONLY_BLANK = re.compile(r"^\N{NO-BREAK SPACE}+$", re.MULTILINE)
_SIGNATURE = re.compile(rb"^-- ?\r?\n", re.MULTILINE)
_GUESSED = re.compile(
    rb"^--([^\s-][^\n]{0,68}?|-{2,}[^\s-][^\n]{0,66}?)[ \t]*\r?\nContent-", re.MULTILINE | re.IGNORECASE
)
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")
# A digest of Mailman in one text: every mail below a rule and its number, at the end the list's footer.
_DIGESTED = re.compile(rb"\n-{30,70}\n\nMessage: \d+(?=\n[!-9;-~]+:)")
_DIGESTS_END = re.compile(rb"\n-{30}\n\n(?:Subject: Digest Footer|_{20,}|End of )")
_NEWLINE = 0x0A
_MAX_DEPTH = 12
_MOST_PARTS = 1000


@dataclass(frozen=True, slots=True)
class Text:
    """The readable text of a mail: LF line ends, in `charset` ("" where none is declared).

    `flowed` and `delsp` are what the mail declares (RFC 3676); whether it is true only the text tells. `enclosed` are
    whole mails that came as attachments, raw. `html` says that the text was HTML, `squeezed` that its white space was
    lost in it; `attached` that it was no part of what the sender wrote into the mail. `sealed` names a part that cannot
    be read and may be the patch.
    """

    body: bytes
    charset: str = ""
    flowed: bool = False
    delsp: bool = False
    enclosed: tuple[bytes, ...] = ()
    html: bool = False
    squeezed: bool = False
    attached: bool = False
    sealed: str = ""


def read_text(fields: Mapping[str, list[bytes]], raw: bytes) -> Text:
    """The text of a mail with the header `fields` and the body `raw`."""
    texts = list(islice(_texts(content_of(fields), raw, 0, Room(len(raw))), _MOST_PARTS))
    shown = _shown(texts)
    enclosed = tuple(mail for text in texts for mail in text.enclosed)
    if len(shown) == 1 and (digest := _digested(shown[0].body)):
        return Text(b"", enclosed=(*enclosed, *digest))
    shown = _once(shown, enclosed)
    sealed = next((text.sealed for text in texts if text.sealed), "")
    if not shown:
        return Text(b"", enclosed=enclosed, sealed=sealed)
    patch = next((at for at, text in enumerate(shown) if _diff_at(text.body) >= 0), 0) if len(shown) > 1 else 0
    shown = [replace(text, body=_without_signature(text.body)) if at < patch else text for at, text in enumerate(shown)]
    body, charset = _joined(shown, shown[patch])
    # Where the parts differ the patch is what counts: a mail program flows its own text, not what is attached.
    flowed = shown[patch].flowed
    delsp, squeezed = flowed and shown[patch].delsp, shown[patch].squeezed
    return Text(body, charset, flowed, delsp, enclosed, squeezed=squeezed, sealed=sealed)


def _shown(texts: list[Text]) -> list[Text]:
    """The texts that are read: of HTML beside what was written as plain text none, unless it alone has the patch
    ("please view in HTML"). A reply's plain text quotes what its HTML has without marks."""
    written = any(text.body.strip() and not (text.html or text.attached) for text in texts)
    shown = [text for text in texts if text.body and not (text.html and written)]
    if not written or any(_HUNK in text.body or text.enclosed for text in texts if not text.html):
        return shown
    return [text for text in texts if text.html and _is_patch(text.body)] or shown


def _joined(texts: list[Text], patch: Text) -> tuple[bytes, str]:
    """The texts one below another, and the charset they are in: the patch's, whose bytes stay (mailinfo.c converts each
    part by itself)."""
    charset = patch.charset
    of_patch = charsets.resolve(charset)
    strange = [not one.body.isascii() and charsets.resolve(one.charset) != of_patch for one in texts]
    if (
        any(strange) and patch.body.isascii() and b"\x1b" not in patch.body
    ):  # as in ISO-2022, which says more than ASCII
        charset = of_patch = "utf-8"
    bodies = []
    for one, other in zip(texts, strange, strict=True):
        body = charsets.decode(one.body, one.charset).encode(of_patch, "replace") if other else one.body
        bodies.append(body if body.endswith(b"\n") else body + b"\n")
    return b"".join(bodies), charset


def _digested(text: bytes) -> tuple[bytes, ...]:
    """The mails in the text of a digest, raw; () where it is none."""
    starts = list(_DIGESTED.finditer(b"\n" + text))
    ends = [*(start.start() for start in starts[1:]), len(text)]
    mails = [text[start.end() : end] for start, end in zip(starts, ends, strict=False)]
    if mails and (end := _DIGESTS_END.search(mails[-1])):
        mails[-1] = mails[-1][: end.start() + 1]
    return tuple(mails)


def _once(texts: list[Text], enclosed: tuple[bytes, ...]) -> list[Text]:
    """The texts without a diff that is there a second time: written into the mail, and attached so that nothing happens
    to it on its way, be it as a whole mail (`enclosed`). The attached one counts."""
    whole = [copy.body for copy in texts if copy.attached] + list(enclosed)
    copies = [_bare(_without_signature(copy[at:])) for copy in whole if (at := _diff_at(copy)) >= 0]
    for at, text in enumerate(texts if copies else ()):
        own = -1 if text.attached else _diff_at(text.body)
        if own >= 0 and _bare(text.body[own:]).startswith(tuple(copies)):
            return [*texts[:at], replace(text, body=text.body[:own]), *texts[at + 1 :]]
    return texts


def _diff_at(text: bytes) -> int:
    """Where the first diff of a text begins; -1 where there is none."""
    found = _DIFF.search(b"\n" + text)
    return found.start() if found else -1


def _bare(text: bytes) -> bytes:
    """A text without white space, which is what differs between two copies of a diff."""
    return b"".join(text.split())


def _without_signature(body: bytes) -> bytes:
    """The text in front of an attached patch, without the signature that would end up in the commit message."""
    found = list(_SIGNATURE.finditer(body))
    return body[: found[-1].start()] if found else body


def _texts(content: Content, raw: bytes, depth: int, room: Room) -> Iterator[Text]:
    if content.multipart and depth < _MAX_DEPTH:
        yield from _of_parts(content, raw, depth, room)
    elif content.kind == "message/rfc822" and depth:
        yield Text(b"", enclosed=(decoded(content.encoding, raw, content.charset),))
    elif sealed := next((what for kind, what in _SEALED.items() if content.kind == kind), ""):
        yield Text(b"", sealed=sealed)
    elif data := _read(content, raw, depth, room):
        yield from _text(content, data, depth)
    elif depth and (of_files := _OF_FILES.search(content.name)):
        yield Text(b"", sealed=f"an attached {of_files[0].lower()} file")


def _of_parts(content: Content, raw: bytes, depth: int, room: Room) -> Iterator[Text]:
    found = islice(_parts(raw, content.boundary), _MOST_PARTS)
    parts = [(content_of(fields), body) for fields, body in map(split, found)]
    if not parts:  # nothing is between boundaries: what is there is the text
        yield from _text(content, decoded(content.encoding, raw, content.charset), 0)
        return
    if content.kind == "multipart/digest":  # where a part says nothing it is a mail (RFC 2046, 5.1.5)
        parts = [(part if part.kind else replace(part, kind="message/rfc822"), body) for part, body in parts]
    others: list[tuple[Content, bytes]] = []
    if content.kind == "multipart/alternative":
        plain = [part for part in parts if part[0].kind in ("text/plain", "") and part[1].strip()]
        parts, others = (plain[:1], [part for part in parts if part not in plain]) if plain else (parts, [])
    for part, body in parts:
        yield from _texts(part, body, depth + 1, room)
    lacking = not any(_HUNK in decoded(part.encoding, body) for part, body in parts) if others else False
    for part, body in others:  # Apple's Mail has what is attached beside the HTML
        if part.multipart or (lacking and part.kind == "text/html" and _HUNK in decoded(part.encoding, body)):
            texts = _texts(part, body, depth + 1, room)
            yield from (text for text in texts if text.attached or text.enclosed or (lacking and text.html))


def _text(content: Content, data: bytes, depth: int) -> Iterator[Text]:
    data, charset = charsets.readable(data, content.charset)
    data = unix_lines(data).removeprefix(b"\xef\xbb\xbf")
    attached = bool(depth and (content.name or content.attachment))
    if attached and _is_mail(data):
        yield Text(b"", enclosed=(data,))
    elif content.kind == "text/html" and not _PATCH_NAME.search(content.name):
        yield _of_html(data, charset, attached)
    else:
        yield Text(armour.opened(data), charset, content.flowed, content.delsp, attached=attached)


def _of_html(data: bytes, charset: str, attached: bool) -> Text:
    """The text of a mail that has no other: as a browser shows it, which keeps the white space of `<pre>` only.

    Mail programs write runs of blanks with no-break spaces then, which stay (Damage.NO_BREAK_SPACES undoes them), and
    Outlook every line as a paragraph without a margin.
    """
    from kpatch_tool.mail import pages

    page = charsets.decode(data, charset).replace("\r\n", "\n")
    kept = _PREFORMATTED.search(data) is not None
    if not kept:
        page = _OUTLOOKS_LINE.sub(r"<\1div", page) if "MsoNormal" in page else page
        page = page.replace("&nbsp;", "\N{NO-BREAK SPACE}")
    body = _ONLY_BLANK.sub("", pages.text(page))
    squeezed = not kept and "\N{NO-BREAK SPACE}" not in body
    return Text(body.encode("utf-8", "replace"), "utf-8", html=True, squeezed=squeezed, attached=attached)


def _read(content: Content, raw: bytes, depth: int, room: Room) -> bytes:
    """The bytes of a part that somebody who looks for patches reads; empty for any other."""
    if _PACKED.search(content.name) or content.kind in ("application/gzip", "application/x-gzip", "application/x-xz"):
        data = unpacked(decoded(content.encoding, raw, content.charset), room)
        return data if _PATCH_NAME.search(content.name) or _is_patch(data) else b""
    if depth == 0 or content.kind == "" or _PATCH_NAME.search(content.name):
        return decoded(content.encoding, raw, content.charset)
    if content.kind.startswith("text/"):
        return b"" if content.kind in _UNREADABLE else decoded(content.encoding, raw, content.charset)
    if content.kind.startswith("application/") and "signature" not in content.kind and "encrypted" not in content.kind:
        data = decoded(content.encoding, raw, content.charset)
        return data if _is_patch(data) else b""
    return b""


def _is_mail(data: bytes) -> bool:
    """Whether an attachment is a whole mail, such as git format-patch writes."""
    fields, _ = split(data.lstrip())
    return "subject" in fields and not fields.keys().isdisjoint(("from", "date"))


def _is_patch(data: bytes) -> bool:
    """Whether what no name calls a patch is one."""
    return b"\x00" not in data[:1000] and b"\n@@ -" in data and _diff_at(data) >= 0


def _parts(raw: bytes, boundary: str) -> Iterator[bytes]:
    """What stands between boundaries. The line end in front of a boundary stays: it may be a diff's last blank line."""
    start: int | None = None
    for line in _boundaries(raw, boundary.encode("latin-1", "replace")):
        if start is not None:
            yield raw[start : line.start]
        if line.closing:
            return
        start = line.end
    if start is not None:  # the closing boundary is missing: the mail was cut
        yield raw[start:]


class _Line(NamedTuple):
    start: int
    end: int
    closing: bool


def _boundaries(raw: bytes, boundary: bytes) -> list[_Line]:
    """The boundary's lines: the declared one's, or those of that which the text uses; none without one."""
    if boundary and (found := _lines_of(raw, boundary)):
        return found
    guessed = _GUESSED.search(raw)
    return _lines_of(raw, guessed[1]) if guessed else []


def _lines_of(raw: bytes, boundary: bytes) -> list[_Line]:
    found: list[_Line] = []
    mark = b"--" + boundary
    at = raw.find(mark)
    while at >= 0 and len(found) <= _MOST_PARTS + 1:
        rest = _AFTER_BOUNDARY.match(raw, at + len(mark)) if at == 0 or raw[at - 1] == _NEWLINE else None
        if rest:
            found.append(_Line(at, rest.end(), rest[1] is not None))
        at = raw.find(mark, rest.end() if rest else at + 1)
    return found


def unix_lines(data: bytes) -> bytes:
    """`data` with LF line ends, where CRLF is the transport's.

    A file with CRLF of its own sent in an undamaged mail has CRLF on its lines only, not on the lines of the diff's
    structure: there nothing is changed.
    """
    if b"\r\n" not in data:
        return data
    structure = _STRUCTURE.findall(data)
    if any(not line.endswith(b"\r") for line in structure):
        return data
    if not structure and data.count(b"\r\n") * 2 < data.count(b"\n"):
        return data
    return data.replace(b"\r\n", b"\n")
