"""format=flowed (RFC 3676)."""

from __future__ import annotations


def unflow(body: bytes, *, delsp: bool) -> bytes:
    """`body` with its soft line ends joined and its stuffed blanks removed, as git's mailinfo does it.

    With `delsp` the blank before a soft line end goes too. The signature separator `-- ` stays as it is.
    """
    out: list[bytes] = []
    pending = b""
    for line in body.splitlines(keepends=True):
        text = line.rstrip(b"\r\n")
        if text == b"-- ":
            out.extend([pending + b"\n", line] if pending else [line])
            pending = b""
            continue
        text = text.removeprefix(b" ")
        if text.endswith(b" "):
            pending += text[:-1] if delsp else text
            continue
        out.append(pending + text + b"\n")
        pending = b""
    if pending:
        out.append(pending + b"\n")
    return b"".join(out)
