"""What is known of a mail's signatures (values only; mail.attest checks them)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SignedBy(StrEnum):
    """The kinds of signatures that patch mail carries."""

    DKIM = "dkim"  # of the domain that sent it (RFC 6376)
    PATATT = "patatt"  # of the developer (X-Developer-Signature)


class Standing(StrEnum):
    """What a check came to."""

    VERIFIED = "verified"
    FAILED = "failed"  # the mail is not what was signed
    UNCHECKED = "unchecked"  # the key could not be had, or the signature says nothing any more


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signature of one mail.

    `identity` is who signed ("jane@example.org"; of DKIM often "@example.org"), `domain` that one's domain; `why` the
    reason of a standing that is not "verified", or what a verified signature leaves open. `checked` is the time of
    checking (ISO 8601, UTC).
    """

    kind: SignedBy
    identity: str
    domain: str
    status: Standing
    why: str = ""
    checked: str = ""
