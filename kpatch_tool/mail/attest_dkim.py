"""DKIM (RFC 6376): the domain that sent a mail vouches for its header and text. Checked with dkimpy."""

from __future__ import annotations

import binascii
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import dkim
import dns.exception
import dns.resolver

from kpatch_tool.mail import headers
from kpatch_tool.mail.attest import UNSIGNED_DIFF, domain_of, is_hostile, is_of
from kpatch_tool.mail.attestation import Attestation, SignedBy, Standing

SECONDS = 5.0  # for all questions to DNS together
_AT_ONCE = 16
_MOST_SIGNATURES = 5  # of a mail that are checked
_LONGEST_FIELD = 8192
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,253}")
_WITHDRAWN = re.compile(rb"(?:^|;)\s*p=\s*(?:;|$)")
_LENGTH = re.compile(rb"[0-9]{1,12}")
# What dkimpy lets through on damaged signatures and keys, besides its own errors.
_BROKEN = (dkim.DKIMException, ValueError, KeyError, IndexError, TypeError, AttributeError, binascii.Error)
_QUIET = logging.getLogger("kpatch_tool.dkim")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class NoDns(Exception):
    """DNS could not be reached; the text is the reason."""


Lookup = Callable[[str, float], bytes | None]
"""Name of a TXT record and seconds left -> its text; None where there is none. Raises NoDns."""


@dataclass(frozen=True, slots=True)
class _Key:
    """What DNS said: the record, or why there is none (`reached` says whether DNS answered)."""

    record: bytes | None
    why: str = ""


def look_up(name: str, seconds: float, servers: Sequence[tuple[str, int]] = ()) -> bytes | None:
    """Ask DNS for a TXT record; `servers` (address, port) instead of the machine's. See Lookup."""
    try:
        resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            resolver.nameservers = [address for address, _ in servers]
            resolver.port = servers[0][1]
        answer = resolver.resolve(name, "TXT", lifetime=seconds, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    except (dns.exception.DNSException, OSError) as error:
        raise NoDns(type(error).__name__) from error
    return next((b"".join(record.strings) for record in answer), None)


def check(mails: Mapping[str, tuple[bytes, ...]], lookup: Lookup | None = None) -> dict[str, tuple[Attestation, ...]]:
    """The DKIM signatures of mails, by message id; each mail is given in every form it may have been sent in."""
    signatures = {id_: _signatures(raws[0]) for id_, raws in mails.items()}
    names = {name for found in signatures.values() for name in map(_record_name, found) if name}
    keys = _keys(sorted(names), lookup or look_up)
    checked = {}
    for id_, raws in mails.items():
        made = tuple(_check(raws, place, tags, keys) for place, tags in enumerate(signatures[id_]))
        if made:
            checked[id_] = made
    return checked


def _signatures(raw: bytes) -> list[dict[bytes, bytes]]:
    """The tags of a mail's signatures, in the order of the header; none of one that cannot be read."""
    fields, _ = headers.split(raw)
    return [_tags(value) for value in fields.get("dkim-signature", [])[:_MOST_SIGNATURES]]


def _tags(value: bytes) -> dict[bytes, bytes]:
    if len(value) > _LONGEST_FIELD:
        return {}
    pairs = (part.partition(b"=") for part in value.split(b";") if b"=" in part)
    return {name.strip(): re.sub(rb"\s+", b"", text) for name, _, text in pairs}


def _record_name(tags: Mapping[bytes, bytes]) -> str:
    """Where DNS has the key: "SELECTOR._domainkey.DOMAIN"; empty where the signature names none."""
    selector, domain = tags.get(b"s", b""), tags.get(b"d", b"")
    if not (_NAME.fullmatch(selector) and _NAME.fullmatch(domain)):
        return ""
    return f"{selector.decode()}._domainkey.{domain.decode()}".lower()


def _keys(names: Sequence[str], lookup: Lookup) -> dict[str, _Key]:
    """Ask for all keys at once; after the first answer that never came the rest is not waited for."""
    if not names:
        return {}
    end = time.monotonic() + SECONDS
    lost: list[str] = []

    def ask(name: str) -> _Key:
        left = end - time.monotonic()
        if lost or left <= 0:
            return _Key(None, "no DNS")
        try:
            record = lookup(name, left)
        except NoDns as error:
            lost.append(str(error))
            return _Key(None, "no DNS")
        if not record:
            return _Key(None, f"DNS has no key {name} (any more)")
        return _Key(None, f"the key {name} was withdrawn") if _WITHDRAWN.search(record) else _Key(record)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def _check(raws: tuple[bytes, ...], place: int, tags: Mapping[bytes, bytes], keys: Mapping[str, _Key]) -> Attestation:
    domain = tags.get(b"d", b"").decode("ascii", "replace").lower()
    identity = tags.get(b"i", b"").decode("ascii", "replace").lower() or f"@{domain}"
    key = keys.get(_record_name(tags))
    if key is None:
        status, why = Standing.FAILED, "the signature cannot be read"
    elif is_hostile(raws[0]):
        status, why = Standing.UNCHECKED, "the mail has runs of thousands of blanks"
    elif key.record is None:
        status, why = Standing.UNCHECKED, key.why
    else:
        status, why = _best(_verify(raw, place, tags, key.record) for raw in raws)
    return Attestation(SignedBy.DKIM, identity, domain, status, why)


def _best(results: Iterable[tuple[Standing, str]]) -> tuple[Standing, str]:
    """The first that is verified, else the first."""
    first: tuple[Standing, str] | None = None
    for result in results:
        if result[0] is Standing.VERIFIED:
            return result
        first = first or result
    return first or (Standing.UNCHECKED, "")


def _verify(raw: bytes, place: int, tags: Mapping[bytes, bytes], record: bytes) -> tuple[Standing, str]:
    expiry = tags.get(b"x", b"")
    if expiry.isdigit() and len(expiry) < 12 and int(expiry) < time.time():
        return Standing.UNCHECKED, "the signature expired " + time.strftime("%Y-%m-%d", time.gmtime(int(expiry)))
    try:
        mail = dkim.DKIM(raw, logger=_QUIET)
        good = mail.verify(idx=place, dnsfunc=lambda name, timeout=5: record)
    except dkim.ValidationError as error:
        if "body hash mismatch" in str(error):
            return Standing.FAILED, "the body was altered (mailing list footer?)"
        return Standing.FAILED, f"the signature is not valid: {error}"
    except _BROKEN as error:
        return Standing.FAILED, f"the signature cannot be read: {error}"
    if not good:
        return Standing.FAILED, "the header was altered, or the key is another"
    return _covered(mail.body, tags, raw)


def _covered(body: bytes, tags: Mapping[bytes, bytes], raw: bytes) -> tuple[Standing, str]:
    """A signature that holds: does it cover what matters?"""
    said = []
    if _LENGTH.fullmatch(length := tags.get(b"l", b"")) and int(length) < len(body.rstrip()):
        if UNSIGNED_DIFF.search(body, int(length)):
            return Standing.FAILED, f"a diff stands below the first {int(length)} bytes, which alone are signed"
        said.append(f"only the first {int(length)} bytes of the body are signed")
    if b"subject" not in tags.get(b"h", b"").lower().split(b":"):
        said.append("the subject is not signed")
    sender = domain_of(headers.address(headers.text(headers.split(raw)[0], "from")).email)
    if not is_of(sender, tags[b"d"].decode("ascii", "replace").lower()):
        said.append(f"the sender is of {sender or 'no domain'}")
    return Standing.VERIFIED, "; ".join(said)
