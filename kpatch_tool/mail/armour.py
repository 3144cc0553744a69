"""Text signed in the clear with OpenPGP (RFC 4880, section 7): the text without its armour."""

from __future__ import annotations

import re

_FIRST = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN = re.compile(rb"^" + _FIRST + rb"[ \t]*\n((?>(?:[A-Za-z-]{1,40}:[^\n]*\n)*))(?:[ \t]*\n)?", re.MULTILINE)
_END = re.compile(rb"^-----BEGIN PGP SIGNATURE-----[ \t]*$", re.MULTILINE)
_CLOSE = re.compile(rb"^-----END PGP SIGNATURE-----[ \t]*\n?", re.MULTILINE)
_DASHED = re.compile(rb"^- ", re.MULTILINE)
_BARE = re.compile(rb"^-(?! )", re.MULTILINE)


def opened(text: bytes) -> bytes:
    """`text` without the armour of what is signed in it; the dashes that signing escaped are undone.

    Where a line begins with a dash that is not escaped, nothing was (`NotDashEscaped`, and programs that forget to).
    """
    if _FIRST not in text:
        return text  # nearly all
    begin = _BEGIN.search(text)
    end = _END.search(text, begin.end()) if begin else None
    if begin is None or end is None:
        return text
    signed = text[begin.end() : end.start()]
    if not _BARE.search(signed):
        signed = _DASHED.sub(b"", signed)
    close = _CLOSE.search(text, end.end())
    return text[: begin.start()] + signed + (text[close.end() :] if close else b"")
