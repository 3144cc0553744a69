"""The body of a mail: transfer encodings undone, the parts a reader of patches wants put together.

Parts are cut out of the raw bytes (RFC 2046, boundaries from the outside in), so that a patch keeps every byte and a
missing end of an inner part cannot swallow the outer one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kpatch_tool.mail.headers import decode_base64, split

_PARAMETER = re.compile(rb';\s*([\w.*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))')
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]*={0,2}\s*")
_PATCH_NAME = re.compile(r"\.(?:patch|diff|txt|mbox|eml)$", re.IGNORECASE)
_UNREADABLE = frozenset({"text/html", "text/calendar", "text/enriched", "text/x-vcard", "text/vcard"})
_STRUCTURE = re.compile(rb"^(?:diff --git |--- |\+\+\+ |@@ -|index [0-9a-f]+\.\.)[^\n]*$", re.MULTILINE)
_WHOLE_MAIL = re.compile(rb"\s*(?:From [0-9a-f]{40} [^\n]*\n|From:[^\n]+\n(?:[ \t][^\n]*\n)*(?:Date|Subject):)")
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Text:
    """The readable text of a mail: LF line ends, in `charset` ("" where none is declared).

    `flowed` and `delsp` are what the mail declares (RFC 3676); whether it is true only the text tells. `enclosed` are
    whole mails that came as attachments, raw.
    """

    body: bytes
    charset: str = ""
    flowed: bool = False
    delsp: bool = False
    enclosed: tuple[bytes, ...] = ()


def read_text(fields: Mapping[str, list[bytes]], raw: bytes) -> Text:
    """The text of a mail with the header `fields` and the body `raw`."""
    texts = list(_texts(fields, raw, 0))
    shown = [text for text in texts if not text.enclosed]
    enclosed = tuple(mail for text in texts for mail in text.enclosed)
    first = shown[0] if shown else Text(b"")
    body = b"".join(text.body if text.body.endswith(b"\n") else text.body + b"\n" for text in shown if text.body)
    return Text(body, first.charset, first.flowed, first.delsp, enclosed)


def _texts(fields: Mapping[str, list[bytes]], raw: bytes, depth: int) -> Iterator[Text]:
    kind, parameters = _content_type(fields)
    if kind.startswith("multipart/") and parameters.get("boundary") and depth < _MAX_DEPTH:
        parts = [split(part) for part in _parts(raw, parameters["boundary"])]
        if kind == "multipart/alternative":
            plain = [part for part in parts if _content_type(part[0])[0] in ("text/plain", "")]
            parts = plain[:1] or parts
        for part_fields, part_raw in parts:
            yield from _texts(part_fields, part_raw, depth + 1)
    elif kind == "message/rfc822" and depth:
        yield Text(b"", enclosed=(_decoded(fields, raw),))
    elif _readable(kind, fields, raw, top=depth == 0):
        data = unix_lines(_decoded(fields, raw))
        if depth and _attached(fields) and _WHOLE_MAIL.match(data):
            yield Text(b"", enclosed=(data,))
            return
        flowed = parameters.get("format", "").lower() == "flowed"
        yield Text(data, parameters.get("charset", "").lower(), flowed, parameters.get("delsp", "").lower() == "yes")


def _content_type(fields: Mapping[str, list[bytes]]) -> tuple[str, dict[str, str]]:
    value = fields.get("content-type", [b""])[0]
    kind = value.split(b";")[0].strip().lower().decode("ascii", "replace")
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        text = re.sub(rb"\\(.)", rb"\1", quoted) if quoted else plain
        parameters.setdefault(name.decode("ascii", "replace").lower(), text.decode("latin-1"))
    return kind if "/" in kind else "", parameters


def _parts(raw: bytes, boundary: str) -> Iterator[bytes]:
    mark = rb"(?m)^--" + re.escape(boundary.encode("latin-1")) + rb"(--)?[ \t]*\r?$\n?"
    start: int | None = None
    for match in re.finditer(mark, raw):
        if start is not None:
            yield re.sub(rb"\r?\n\Z", b"", raw[start : match.start()])
        if match[1]:
            return
        start = match.end()
    if start is not None:  # the closing boundary is missing: the mail was cut
        yield raw[start:]


def _attached(fields: Mapping[str, list[bytes]]) -> bool:
    return fields.get("content-disposition", [b""])[0].strip().lower().startswith((b"attachment", b"inline"))


def _readable(kind: str, fields: Mapping[str, list[bytes]], raw: bytes, *, top: bool) -> bool:
    if top or kind == "" or (kind.startswith("text/") and kind not in _UNREADABLE):
        return True
    names = b" ".join([*fields.get("content-type", []), *fields.get("content-disposition", [])])
    found = re.search(rb'name="?([^";]+)', names)
    return bool(found and _PATCH_NAME.search(found[1].decode("latin-1").strip()))


def _decoded(fields: Mapping[str, list[bytes]], raw: bytes) -> bytes:
    encoding = fields.get("content-transfer-encoding", [b""])[0].strip().lower()
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding == b"base64":
        return _base64_with_footer(raw)
    return raw


def _base64_with_footer(raw: bytes) -> bytes:
    """Base64 lines decoded; from the first line that is none (the footer a list program appended) kept as it is."""
    at = 0
    for line in raw.splitlines(keepends=True):
        if not _BASE64_LINE.fullmatch(line):
            break
        at += len(line)
    data, footer = decode_base64(raw[:at]), raw[at:]
    return data + (b"\n" if footer and not data.endswith(b"\n") else b"") + footer


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
