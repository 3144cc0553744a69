"""How archives write the addresses of mail that they hide: one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


def _anything(_found: re.Match[bytes], _address: bytes) -> bool:
    return True


def _same_length(found: re.Match[bytes], address: bytes) -> bool:
    local, _, domain = address.partition(b"@")
    return local == found[1] and len(domain) == len(found[2])


def _same_end(found: re.Match[bytes], address: bytes) -> bool:
    local, _, domain = address.partition(b"@")
    return local == found[1] and domain.endswith(found[2])


def _same_begin(found: re.Match[bytes], address: bytes) -> bool:
    local, _, domain = address.partition(b"@")
    return local.startswith(found[1]) and domain == found[2]


def _same_local(found: re.Match[bytes], address: bytes) -> bool:
    return address.partition(b"@")[0] == found[1]


@dataclass(frozen=True, slots=True)
class Form:
    """How an archive writes an address: the pattern, which addresses it may stand for, and what it stands for where it
    tells that itself."""

    pattern: re.Pattern[bytes]
    fits: Callable[[re.Match[bytes], bytes], bool]
    told: bytes = b""


FORMS = (
    Form(re.compile(rb"\[email.{1,3}protected\]", re.IGNORECASE), _anything),  # linuxlists, Cloudflare, mail-archive
    Form(re.compile(rb"<hidden>"), _anything),
    Form(re.compile(rb"([\w.+=-]{1,64})@(x{3,64})(?!\.?\w)"), _same_length),  # hypermail, spinics
    Form(re.compile(rb"([\w.+=-]{1,64})@\.\.\.([\w.-]{1,64})"), _same_end),  # openwall
    Form(re.compile(rb"([\w.+=-]{1,40})\.\.\.@([\w.-]{1,64})"), _same_begin),  # Google groups
    Form(re.compile(rb"([\w.+=-]{1,40})-[\w+/]{8,40}@public\.gmane\.org"), _same_local),
    Form(
        re.compile(rb"([\w.+=-]{1,64}) at ((?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,20})\b"), _anything, rb"\1@\2"
    ),  # pipermail
    Form(re.compile(rb"([\w.+=-]{1,64}@[\w-]{1,63})\xe2\x80\xa2(?=\w)"), _anything, rb"\1."),  # lore's mirrors
    # What begins a changed line and looks like an address with the sign before it ("+@pytest.mark.slow").
    Form(re.compile(rb"\A()@(x{3,64})(?!\.?\w)"), _same_length),
    Form(re.compile(rb"\A()@\.\.\.([\w.-]{1,64})"), _same_end),
    Form(re.compile(rb"\A at ((?:[\w-]{1,63}\.){1,6}\w{1,63})"), _anything, rb"@\1"),
    Form(re.compile(rb"\A(@[\w-]{1,63})\xe2\x80\xa2(?=\w)"), _anything, rb"\1."),
)

_MAY_BE_ONE = re.compile(rb"@| at |\[email|<hidden>", re.IGNORECASE)
_PLAIN = rb"[\w.+=/-]{1,64}@[\w.\xe2\x80\xa2-]{1,200}"
# The plain one first: it takes a whole address where a form stops at the mark that tells it.
_ANY = re.compile(b"<?(?:" + b"|".join((_PLAIN, *(form.pattern.pattern for form in FORMS))) + b")>?", re.IGNORECASE)


def hides(text: bytes) -> bool:
    """Whether an address is hidden in a text."""
    return _MAY_BE_ONE.search(text) is not None and any(form.pattern.search(text) for form in FORMS)


def lost(text: bytes) -> bool:
    """Whether an address is hidden in a text in a way that does not tell it."""
    return any(form.pattern.search(text) for form in FORMS if not form.told)


def without_addresses(text: bytes) -> bytes:
    """`text` with `@` for every address of mail, hidden or not."""
    return _ANY.sub(b"@", text) if _MAY_BE_ONE.search(text) else text
