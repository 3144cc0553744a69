"""patatt: the developer's own signature of a patch (X-Developer-Signature), checked with the library of that name.

Keys are looked for where patatt and b4 do: b4.keyringsrc or else patatt.keyringsrc of git's configuration, .keys and
.local-keys of the repository kpt is started in, its refs/meta/keyring, and both programs' own directories.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import patatt

from kpatch_tool.mail import headers
from kpatch_tool.mail.attest import UNSIGNED_DIFF, domain_of, is_hostile
from kpatch_tool.mail.attestation import Attestation, SignedBy, Standing

_AT_ONCE = 4
_IN_TREE = ("ref:::.keys", "ref:::.local-keys", "ref::refs/meta/keyring:")
_LENGTH = re.compile("[0-9]{1,12}")
_BROKEN = (patatt.Error, RuntimeError, ValueError, KeyError, IndexError, TypeError, binascii.Error, UnicodeError)


def key_sources() -> list[str]:
    """Where keys are looked for, in order, as patatt names places."""
    configured: list[str] = []
    for section in ("b4", "patatt"):
        found = patatt.get_config_from_git(rf"{section}\..*", multivals=["keyringsrc"]).get("keyringsrc", [])
        configured = configured or ([found] if isinstance(found, str) else list(found))
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    own = [str(data / name) for name in ("patatt/public", "b4/keyring") if (data / name).is_dir()]
    return [*configured, *_IN_TREE, *own]


def check(signed: Mapping[str, bytes]) -> dict[str, tuple[Attestation, ...]]:
    """The developers' signatures of mails that have one (message id -> raw bytes), by message id."""
    sources = key_sources()
    patatt.set_bin_paths(None)  # once, before several threads would
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        made = pool.map(lambda raw: _check(raw, sources), signed.values())
        return dict(zip(signed, made, strict=True))


def _check(raw: bytes, sources: list[str]) -> tuple[Attestation, ...]:
    if is_hostile(raw):
        return (_answer(raw, "", Standing.UNCHECKED, "the mail has runs of thousands of blanks"),)
    try:
        found = patatt.validate_message(raw, sources)
        if not any(one[0] == patatt.RES_VALID for one in found):  # as b4: a list may have added a footer
            trimmed = patatt.validate_message(raw, sources, trim_body=True)
            if any(one[0] == patatt.RES_VALID for one in trimmed):
                return tuple(_told(raw, one, trimmed=True) for one in trimmed)
        return tuple(_told(raw, one, trimmed=False) for one in found)
    except FileNotFoundError as error:  # gpg or ssh-keygen
        why = f"{error.filename or 'a program'} is not installed"
        return (_answer(raw, "", Standing.UNCHECKED, why),)
    except _BROKEN as error:
        return (_answer(raw, "", Standing.FAILED, f"the signature cannot be read: {error}"),)


def _told(raw: bytes, result: tuple[object, ...], *, trimmed: bool) -> Attestation:
    """One of patatt's results: code, identity, time, source of the key, algorithm, errors."""
    code, identity, source, algorithm = result[0], str(result[1] or ""), result[3], result[4]
    errors = result[5] if isinstance(result[5], list) else []
    if code == patatt.RES_VALID:
        return _verified(raw, identity, source, trimmed=trimmed)
    if code == patatt.RES_NOKEY:
        why = f"{algorithm} key of {identity} not in the keyring"
        return _answer(raw, identity, Standing.UNCHECKED, why)
    if code == patatt.RES_BADSIG:
        altered = "the body was altered" if _body_altered(raw, identity) else "the header was altered"
        return _answer(raw, identity, Standing.FAILED, f"{altered}, or the key is another")
    return _answer(raw, identity, Standing.FAILED, "; ".join(map(str, errors)) or "the signature cannot be read")


def _verified(raw: bytes, identity: str, source: object, *, trimmed: bool) -> Attestation:
    said = []
    if trimmed:
        beyond = _unsigned(raw, identity)
        if UNSIGNED_DIFF.search(beyond):
            return _answer(raw, identity, Standing.FAILED, "a diff stands below the part that is signed")
        said.append(f"the last {len(beyond)} bytes are not signed (mailing list footer?)")
    sender = _sender(raw)
    if identity.lower() != sender.lower():
        said.append(f"the sender is {sender or 'unknown'}")
    if isinstance(source, str) and source.startswith("(default keyring)"):
        said.append("by gpg's own keyring")
    return _answer(raw, identity, Standing.VERIFIED, "; ".join(said))


def _answer(raw: bytes, identity: str, status: Standing, why: str) -> Attestation:
    identity = identity or _sender(raw)
    return Attestation(SignedBy.PATATT, identity, domain_of(identity), status, why)


def _sender(raw: bytes) -> str:
    return headers.address(headers.text(headers.split(raw)[0], "from")).email


def _signature(raw: bytes, identity: str) -> tuple[patatt.DevsigHeader | None, bytes]:
    """The signature of `identity` and the body as patatt signs it."""
    message = patatt.PatattMessage(raw)
    message.git_canonicalize()
    found = (one for one in message.get_sigs() if one.get_field_as_str("i") == identity)
    return next(found, None), message.canon_body or b""


def _unsigned(raw: bytes, identity: str) -> bytes:
    signature, body = _signature(raw, identity)
    length = signature.get_field_as_str("l") if signature else None
    return body[int(length) :] if length and _LENGTH.fullmatch(length) else b""


def _body_altered(raw: bytes, identity: str) -> bool:
    signature, body = _signature(raw, identity)
    length = signature.get_field_as_str("l") if signature else None
    signed = body[: int(length)] if length and _LENGTH.fullmatch(length) else body
    stated = signature.get_field_as_bytes("bh") if signature else None
    return base64.b64encode(hashlib.sha256(signed).digest()) != stated
