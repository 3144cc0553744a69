"""format=flowed (RFC 3676)."""

from __future__ import annotations

import re

_QUOTE = re.compile(rb">+")


def unflow(body: bytes, *, delsp: bool) -> bytes:
    """`body` with its soft line ends joined and its stuffed blanks removed.

    As git's mailinfo does it (handle_filter_flowed), but for quoted lines, which it knows nothing of: a line is joined
    only to one quoted as deep, and the marks do not end up in its middle (RFC 3676, 4.5). With `delsp` the blank before
    a soft line end goes too. The signature separator `-- ` stays as it is.
    """
    out: list[bytes] = []
    pending: list[bytes] = []
    depth = 0
    lines = body.split(b"\n")
    cut = lines.pop()  # what follows the last line end
    for line in [*lines, cut] if cut else lines:
        if not (line or pending):
            out.append(line)
            continue
        quote, text = _unquoted(line.removesuffix(b"\r"))
        if pending and (text == b"-- " or len(quote) != depth):
            out.append(b"".join(pending))
            pending = []
        if text == b"-- ":
            out.append(_marked(quote, line.removesuffix(b"\r") if not quote else text))
            continue
        text = text.removeprefix(b" ")
        if not pending:
            depth = len(quote)
            pending.append(_marked(quote, b""))
        if text.endswith(b" "):
            pending.append(text[:-1] if delsp else text)
            continue
        out.append(b"".join([*pending, text]))
        pending = []
    if pending:
        out.append(b"".join(pending))
    return b"".join(line + b"\n" for line in out)


def _unquoted(line: bytes) -> tuple[bytes, bytes]:
    found = _QUOTE.match(line)
    return (found[0], line[found.end() :]) if found else (b"", line)


def _marked(quote: bytes, text: bytes) -> bytes:
    return quote + b" " + text if quote else text
