"""The header of a mail: fields, RFC 2047 words, addresses, dates. Never fails: a field it cannot read is empty."""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from kpatch_tool.mail.message import Address

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
HIDDEN_ADDRESS = re.compile(r"\[email[ \xa0]protected\]|@x{2,}|@\.\.\.|\[EMAIL PROTECTED\]")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_PLAIN_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>[0-9]{1,2}) "
    r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"(?P<year>[0-9]{4}) (?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) "
    r"(?P<sign>[+-])(?P<zone_hours>[0-9]{2})(?P<zone_minutes>[0-5][0-9])"
)
_ENVELOPE = re.compile(rb">?From[ \t][^\n]*\n")
_BLANK = re.compile(rb"\r*\n")
_WORD = re.compile(rb"=\?([^?\s]{1,80})\?([bBqQ])\?(.{0,2000}?)\?=", re.DOTALL)
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
# Python codecs that are no charset of any mail, or that take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "ks_c_5601-1987": "cp949"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST = 2000  # characters of a From field that are read
_SANE_NAME = 60  # git's get_sane_name(): a longer name is no name


def split(raw: bytes) -> tuple[dict[str, list[bytes]], bytes]:
    """The fields of a mail (lower-case name -> unfolded values in order) and its body.

    A first line `From ...` or `>From ...` is skipped. As in git's mailinfo, the first line that is no field ends the
    header and belongs to the body.
    """
    fields: dict[str, list[bytes]] = {}
    envelope = _ENVELOPE.match(raw)
    at = envelope.end() if envelope else 0
    while field := _FIELD.match(raw, at):
        fields.setdefault(field[1].decode("ascii").lower(), []).append(field[2].replace(b"\r\n", b"\n").rstrip(b"\r"))
        at = field.end()
    blank = _BLANK.match(raw, at)
    return fields, raw[blank.end() if blank else at :]


def text(fields: Mapping[str, list[bytes]], name: str) -> str:
    """The first field called `name`, decoded and with its white space squeezed; empty when there is none."""
    values = fields.get(name)
    return " ".join(decode_words(values[0]).split()) if values else ""


def decode_words(value: bytes) -> str:
    """A field's value with its RFC 2047 words decoded.

    Adjacent words of one charset are joined before decoding: senders split characters between words.
    """
    if b"=?" not in value:
        return decode(_unfold(value), "utf-8")
    out: list[str] = []
    pending, pending_charset = b"", ""
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        at = match.end()
        charset = match[1].decode("ascii", "replace").split("*")[0].lower()
        if between.strip() or charset != pending_charset:
            out.append(decode(pending, pending_charset))
            pending = b""
        if between.strip() or (not out and not pending):
            out.append(decode(_unfold(between), "utf-8"))
        pending, pending_charset = pending + _decode_word(match[2], match[3]), charset
    out.append(decode(pending, pending_charset))
    out.append(decode(_unfold(value[at:]), "utf-8"))
    return "".join(out)


def _unfold(value: bytes) -> bytes:
    return re.sub(rb"\r?\n[ \t]*", b" ", value) if b"\n" in value else value


def _decode_word(encoding: bytes, data: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(_unfold(data).replace(b"_", b" "))
    return decode_base64(data)


def decode_base64(data: bytes) -> bytes:
    """What base64 text stands for; foreign characters are skipped, a broken end is left out."""
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", data.split(b"=")[0])
    clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def decode(data: bytes, charset: str) -> str:
    """Bytes as text, never failing: the declared charset, else UTF-8, else the declared one with replacement marks,
    else Latin-1 (which is what most unlabelled mail that is not UTF-8 is in)."""
    name = charset.strip().strip('"').lower()
    name = _ALIASES.get(name, name) or "utf-8"
    if not known(name):
        name = "utf-8"
    if name == "utf-8" and data.isascii():
        return data.decode("ascii")
    for attempt in (name, "utf-8"):
        try:
            return _SURROGATE.sub("\ufffd", data.decode(attempt))
        except ValueError:
            continue
    if name in ("utf-8", "ascii", "us-ascii"):
        return data.decode("latin-1")
    return _SURROGATE.sub("\ufffd", data.decode(name, "replace"))


def known(charset: str) -> bool:
    """Whether Python can decode mail in `charset`."""
    try:
        info = codecs.lookup(charset)
        b"x".decode(charset, "replace")  # what is no text encoding ("hex") is refused only here
    except (LookupError, ValueError):
        return False
    return info.name.replace("_", "-") not in _NO_CHARSETS


def address(value: str) -> Address:
    """The person in a From field, read as git's mailinfo does (handle_from, get_sane_name)."""
    value = value[:_LONGEST]
    value = re.sub(r"\\(.)", r"\1", re.sub(r'"((?:[^"\\]|\\.)*)"', r"\1", value.strip()))
    found = re.search(r"<?([^\s<>]*@[^\s>]*)>?", value)
    if not found:
        bracket = re.search(r"<([^<>]*)>", value)
        if bracket is None:
            return Address(" ".join(value.split()), "")
        return Address(" ".join((value[: bracket.start()] + value[bracket.end() :]).split()), bracket[1].strip())
    email = found[1]
    name = " ".join((value[: found.start()] + " " + value[found.end() :]).split())
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1].strip()
    if not name or len(name.encode()) > _SANE_NAME or re.search(r"[@<>]", name):
        name = email
    return Address(name, email)


def _plain_date(found: re.Match[str]) -> datetime | None:
    """A date as nearly every program writes it. Loading email.utils takes longer than reading fifty patches."""
    day, year, hour, minute, second = (int(found[name]) for name in ("day", "year", "hour", "minute", "second"))
    offset = timedelta(hours=int(found["zone_hours"]), minutes=int(found["zone_minutes"]))
    zone = timezone(-offset if found["sign"] == "-" else offset) if offset else UTC
    try:
        return datetime(year, _MONTHS.index(found["month"]) // 3 + 1, day, hour, minute, second, tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def is_hidden(email: str) -> bool:
    """Whether an archive put this in the place of an address."""
    return HIDDEN_ADDRESS.search(email) is not None


def message_ids(value: str) -> tuple[str, ...]:
    """The message ids of a field, without <>."""
    return tuple(_MESSAGE_ID.findall(value))


def date(value: str) -> datetime | None:
    """The moment a Date field names, in the sender's zone (UTC where it names none); None when unreadable."""
    if found := _PLAIN_DATE.fullmatch(value.strip()):
        return _plain_date(found)
    from email.utils import parsedate_tz

    try:
        parsed = parsedate_tz(value)
        if parsed is None:
            return None
        offset = parsed[9] or 0
        zone = timezone(timedelta(seconds=offset)) if offset else UTC
        return datetime(*parsed[:6], tzinfo=zone)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
