"""The header of a mail: fields, RFC 2047 words, addresses, dates. Never fails: a field it cannot read is empty."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence

from kpatch_tool.mail import charsets, dates
from kpatch_tool.mail.message import Address

decode = charsets.decode  # bytes as text, never failing
date = dates.date  # what a Date field says

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+(?>(?:\n[ \t][^\n]*+)*))(?:\n|\Z)")
HIDDEN_ADDRESS = re.compile(r"\[email[ \xa0]protected\]|@x{2,}|@\.\.\.|\[EMAIL PROTECTED\]")
_NO_BASE64 = re.sub(rb"[A-Za-z0-9+/]", b"", bytes(range(256)))
_ENVELOPE = re.compile(rb">?From[ \t][^\n]*\n")
_BLANK = re.compile(rb"\r*\n")
_WORD = re.compile(rb"=\?([^?\s]{1,80})\?([bBqQ])\?(.{0,2000}?)\?=", re.DOTALL)
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
LAST_COUNTS = frozenset({"from", "subject", "date"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")  # RFC 8264's Cf, the usual ones
_LONGEST = 2000  # characters of a From field that are read
_SANE_NAME = 60  # git's get_sane_name(): a longer name is no name


def split(raw: bytes) -> tuple[dict[str, list[bytes]], bytes]:
    """The fields of a mail (lower-case name -> unfolded values in order) and its body.

    Lines `From ...` and `>From ...` are skipped. As in git's mailinfo, the first line that is no field ends the header
    and belongs to the body.
    """
    fields: dict[str, list[bytes]] = {}
    at = 0
    while True:
        if envelope := _ENVELOPE.match(raw, at):
            at = envelope.end()
            continue
        field = _FIELD.match(raw, at)
        if field is None:
            break
        fields.setdefault(field[1].decode("ascii").lower(), []).append(field[2].replace(b"\r\n", b"\n").rstrip(b"\r"))
        at = field.end()
    blank = _BLANK.match(raw, at)
    return fields, raw[blank.end() if blank else at :]


def text(fields: Mapping[str, list[bytes]], name: str) -> str:
    """The field called `name`, decoded and with its white space squeezed; empty when there is none.

    Of several the first counts, of From, Subject and Date the last, as in mailinfo.c. Programs that do not encode their
    headers write them in the charset of the mail's text.
    """
    values = fields.get(name)
    if not values:
        return ""
    value = values[-1 if name in LAST_COUNTS else 0]
    return squeezed(decode_words(value, "utf-8" if value.isascii() else _of_text(fields)))


def _of_text(fields: Mapping[str, list[bytes]]) -> str:
    found = _CHARSET.search(fields.get("content-type", [b""])[-1][:_LONGEST])
    return found[1].decode("latin-1") if found else "utf-8"


def squeezed(value: str) -> str:
    """`value` with runs of white space and control characters as one blank, without what no header shows."""
    if not value.isprintable():
        value = _CONTROL.sub(" ", _UNSEEN.sub("", value))
    return " ".join(value.split())


def decode_words(value: bytes, charset: str = "utf-8") -> str:
    """A field's value with its RFC 2047 words decoded; the rest is in `charset`.

    Adjacent words of one charset are joined before decoding: senders split characters between words.
    """
    if b"=?" not in value:
        return decode(_unfold(value), charset)
    out: list[str] = []
    pending: list[bytes] = []
    pending_charset = ""
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        at = match.end()
        word_charset = match[1].decode("ascii", "replace").split("*")[0].lower()
        if between.strip() or word_charset != pending_charset:
            out.append(decode(b"".join(pending), pending_charset))
            pending = []
        if between.strip() or match.start() == 0 or (not any(out) and not pending):
            out.append(decode(_unfold(between), charset))
        pending.append(_decode_word(match[2], match[3]))
        pending_charset = word_charset
    out.append(decode(b"".join(pending), pending_charset))
    out.append(decode(_unfold(value[at:]), charset))
    return "".join(out)


def _unfold(value: bytes) -> bytes:
    return re.sub(rb"\r?\n[ \t]*", b" ", value) if b"\n" in value else value


def _decode_word(encoding: bytes, data: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(_unfold(data).replace(b"_", b" "))
    return decode_base64(data)


def decode_base64(data: bytes) -> bytes:
    """What base64 text stands for; foreign characters are skipped, a broken end is left out."""
    clean = data.partition(b"=")[0].translate(None, _NO_BASE64)
    clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def address(value: str) -> Address:
    """The person in a From field, read as git's mailinfo does (mailinfo.c, handle_from, get_sane_name)."""
    value = " ".join(value[:_LONGEST].split())
    plain = _unquoted(value)
    at = plain.find("@")
    if at < 0:
        return _bogus(value)
    start = max(plain.rfind(" ", 0, at), plain.rfind("<", 0, at)) + 1
    email = plain[start:].replace(">", " ").split(" ", 1)[0]
    before = plain[:start].removesuffix("<")
    name = " ".join((before + " " + plain[start + len(email) + 1 :]).split())
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1]
    return Address(_sane(name, email), email)


def _sane(name: str, email: str) -> str:
    return email if not name or len(name.encode()) > _SANE_NAME or re.search(r"[@<>]", name) else name


def _bogus(value: str) -> Address:
    """`John Doe <johndoe>` (parse_bogus_from). Without <> git has nobody; kpt keeps the words as a name."""
    found = re.search(r"<([^>]*)>", value)
    if found is None:
        return Address(" ".join(_unquoted(value).split()), "")
    name = " ".join((_unquoted(value[: found.start()]) + " " + _unquoted(value[found.end() :])).split())
    return Address(_sane(name, found[1]), found[1])


def _unquoted(value: str) -> str:
    """Quoted strings without their quotes, quoted pairs undone there and in comments (unquote_quoted_pair)."""
    if '"' not in value and "(" not in value:
        return value
    out: list[str] = []
    depth, quoted, literal = 0, False, False
    for letter in value:
        if literal:
            literal = False
        elif (quoted or depth) and letter == "\\":
            literal = True
            continue
        elif quoted or (not depth and letter == '"'):
            if letter == '"':
                quoted = not quoted
                continue
        elif letter == "(":
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
        out.append(letter)
    return "".join(out)


def people(values: Sequence[str]) -> list[tuple[str, str]]:
    """The names and addresses in fields that may hold several (email.utils.getaddresses); none where their comments lie
    deeper in one another than can be followed."""
    from email.utils import getaddresses

    try:
        return getaddresses(list(values))
    except RecursionError:
        return []


def is_hidden(email: str) -> bool:
    """Whether an archive put this in the place of an address."""
    return HIDDEN_ADDRESS.search(email) is not None


def message_ids(value: str) -> tuple[str, ...]:
    """The message ids of a field, without <>."""
    return tuple(_MESSAGE_ID.findall(value))
