"""Signatures of mails, checked on the bytes as received.

The libraries that check (dkimpy, dnspython, patatt) are loaded only where a mail carries a signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kpatch_tool.mail import mbox
from kpatch_tool.mail.attestation import Attestation
from kpatch_tool.mail.read import SourceFile
from kpatch_tool.mail.unpack import unpacked

if TYPE_CHECKING:
    from kpatch_tool.mail.attest_dkim import Lookup

_SIGNED = re.compile(rb"^(?:dkim|x-developer)-signature[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ID = re.compile(rb"^message-id[ \t]*:\s*<([^<>\s]+)>", re.IGNORECASE | re.MULTILINE)
_DKIM = re.compile(rb"^dkim-signature[ \t]*:", re.IGNORECASE | re.MULTILINE)
_PATATT = re.compile(rb"^x-developer-signature[ \t]*:", re.IGNORECASE | re.MULTILINE)
_LITERALS = (b"-Signature:", b"-signature:")  # as every program writes them; looked for before anything else
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LARGEST = 16 << 20  # bytes of a mail that is checked
# What makes a diff of lines that a signature does not cover.
UNSIGNED_DIFF = re.compile(rb"^(?:diff --git |--- \S|\+\+\+ \S|@@ -)", re.MULTILINE)
_LONG_BLANK = re.compile(rb"[ \t]{4096}")  # dkimpy's expressions take quadratic time on such


def check(
    files: Iterable[SourceFile], wanted: Iterable[str], *, lookup: Lookup | None = None
) -> dict[str, tuple[Attestation, ...]]:
    """Check the signatures of the mails whose Message-Ids (without <>) are `wanted`, in files as received.

    Returns message id -> its signatures, in the order of its header, patatt's first; mails without any are left out.
    `lookup` gets keys for DKIM instead of the machine's DNS. What cannot be checked says why. DNS is given five seconds
    in all. Raises InputError where a compressed file cannot be unpacked.
    """
    mails = signed_mails(files, frozenset(wanted))
    if not mails:
        return {}
    by_dkim, by_patatt = _by_dkim(mails, lookup), _by_patatt(mails)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found: dict[str, tuple[Attestation, ...]] = {}
    for id_ in mails:
        both = (*by_patatt.get(id_, ()), *by_dkim.get(id_, ()))
        if both:
            found[id_] = tuple(replace(one, checked=now) for one in both)
    return found


def _by_dkim(mails: Mapping[str, tuple[bytes, ...]], lookup: Lookup | None) -> dict[str, tuple[Attestation, ...]]:
    signed = {id_: raws for id_, raws in mails.items() if _DKIM.search(raws[0])}
    if not signed:
        return {}
    from kpatch_tool.mail import attest_dkim

    return attest_dkim.check(signed, lookup)


def _by_patatt(mails: Mapping[str, tuple[bytes, ...]]) -> dict[str, tuple[Attestation, ...]]:
    signed = {id_: raws[0] for id_, raws in mails.items() if _PATATT.search(raws[0])}
    if not signed:
        return {}
    from kpatch_tool.mail import attest_patatt

    return attest_patatt.check(signed)


def signed_mails(files: Iterable[SourceFile], wanted: frozenset[str]) -> Mapping[str, tuple[bytes, ...]]:
    """The wanted mails that carry a signature: message id -> the bytes to check, the likeliest first.

    There are two where an mbox may have put a `>` before lines that begin with From.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    for file in files:
        data = unpacked(file.data, file.path)
        if not any(literal in data for literal in _LITERALS):
            continue
        for raw, sure in mbox.raw_mails(data):
            head = raw[: _header_end(raw)]
            id_ = _ID.search(head)
            name = id_[1].decode("utf-8", "replace") if id_ else ""
            if name not in wanted or name in found or len(raw) > _LARGEST or not _SIGNED.search(head):
                continue
            other = raw if sure else mbox.unquoted(raw)
            found[name] = (raw,) if other == raw else (raw, other)
    return found


def _header_end(raw: bytes) -> int:
    found = _BLANK_LINE.search(raw)
    return found.end() if found else len(raw)


def is_hostile(raw: bytes) -> bool:
    """Whether a mail has blanks in a number that no person writes and that libraries take too long over."""
    return _LONG_BLANK.search(raw) is not None


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].strip().lower()


def is_of(domain: str, signer: str) -> bool:
    """Whether `domain` is the signer's, or below it."""
    return domain == signer or domain.endswith(f".{signer}")
