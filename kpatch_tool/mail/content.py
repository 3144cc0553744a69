"""What a mail or a part of one says about itself: Content-Type, -Disposition, -Transfer-Encoding (RFC 2045, 2183)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kpatch_tool.mail.headers import decode, decode_words

_PARAMETER = re.compile(rb';\s*([\w.*-]{1,60}+)\s*=\s*(?:"((?>(?:[^"\\]|\\.)*))"|([^\s;]*+))', re.DOTALL)
_PIECE = re.compile(r"([\w.-]+?)\*(\d{1,3})?(\*)?$")
_LONGEST = 10_000  # bytes of a field that are read


@dataclass(frozen=True, slots=True)
class Content:
    """A part's description. `kind` is "text/plain" and the like, "" where none is named; `name` that of the file it
    was, "" without one; `encoding` and `charset` are in lower case; `attachment` says that
    its Content-Disposition is that."""

    kind: str = ""
    charset: str = ""
    boundary: str = ""
    name: str = ""
    encoding: str = ""
    flowed: bool = False
    delsp: bool = False
    attachment: bool = False

    @property
    def multipart(self) -> bool:
        return self.kind.startswith("multipart/")


def content_of(fields: Mapping[str, list[bytes]]) -> Content:
    """What the header `fields` (as headers.split gives them) say. Any bytes give a Content."""
    types = fields.get("content-type", [b""])
    # Of several the last counts in mailinfo.c, where a boundary once named keeps its meaning.
    value = next((one for one in types if one.strip().lower().startswith(b"multipart/")), types[-1])[:_LONGEST]
    disposition = fields.get("content-disposition", [b""])[0][:_LONGEST]
    return _content(value, disposition, fields.get("content-transfer-encoding", [b""])[-1][:_LONGEST])


@lru_cache(maxsize=500)
def _content(value: bytes, disposition: bytes, encoding: bytes) -> Content:
    kind = value.split(b";")[0].strip().lower().decode("ascii", "replace")
    found = _parameters(value)
    # `charset="utf-8; format=flowed"`: a quote in the wrong place
    label = found.get("charset", "")
    declared = {**_parameters(b";" + label.encode("latin-1", "replace")), **found} if "=" in label else found
    return Content(
        kind=kind if "/" in kind else "",
        charset=found.get("charset", "").partition(";")[0].strip().lower(),
        boundary=found.get("boundary", ""),
        name=_parameters(disposition).get("filename", "") or found.get("name", ""),
        encoding=encoding.strip().strip(b'"').lower().decode("ascii", "replace"),
        flowed=declared.get("format", "").strip("'\" ").lower() == "flowed",
        delsp=declared.get("delsp", "").strip("'\" ").lower() == "yes",
        attachment=disposition.strip().lower().startswith(b"attachment"),
    )


@lru_cache(maxsize=500)
def _parameters(value: bytes) -> Mapping[str, str]:
    """The parameters of a field, those in pieces and in another charset put together (RFC 2231)."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for key, quoted, bare in _PARAMETER.findall(value):
        data = re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL) if quoted else bare
        name = key.decode("ascii", "replace").lower()
        if piece := _PIECE.fullmatch(name):
            pieces.setdefault(piece[1], {})[int(piece[2] or 0)] = (data, bool(piece[3]) or piece[2] is None)
        else:
            text = decode_words(data) if b"=?" in data and name != "boundary" else data.decode("latin-1")
            plain.setdefault(name, text)
    for name, numbered in pieces.items():
        plain.setdefault(name, _joined([numbered[number] for number in sorted(numbered)]))
    return plain


def _joined(pieces: list[tuple[bytes, bool]]) -> str:
    from urllib.parse import unquote_to_bytes

    charset = "latin-1"
    first, encoded = pieces[0]
    if encoded and first.count(b"'") >= 2:
        label, _, rest = first.split(b"'", 2)
        charset, pieces = label.decode("ascii", "replace") or "utf-8", [(rest, True), *pieces[1:]]
    return decode(b"".join(unquote_to_bytes(data) if quoted else data for data, quoted in pieces), charset)
