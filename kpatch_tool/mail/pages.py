"""HTML -> text, keeping the white space the page was written with.

A browser squeezes white space only when it draws; a saved page still has it. So the text of a `<pre>`, and of any block
whose source runs over several lines, is taken as it stands in the source. One pass, time linear in the page.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote

from kpatch_tool.mail import headers

_LOOKED_AT = 4096  # bytes in which a page says what it is and in which charset
_NO_CHARACTER = re.compile(r"&#[0-9]{100,};?")
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|title|meta|table|pre|div|!--\s?(?:MHonArc|X-Subject))\b", re.IGNORECASE
)
_CHARSET = re.compile(rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
# What browsers take these names for (WHATWG Encoding, 4.2).
_ALIASES = {"iso-8859-1": "windows-1252", "latin1": "windows-1252", "us-ascii": "windows-1252", "ascii": "windows-1252"}
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]{0,30})")
_SKIPPED = frozenset({"script", "style", "noscript", "template", "title"})
_CLOSED = {name: re.compile(rf"</{name}\b[^>]*>", re.IGNORECASE) for name in _SKIPPED}
_CELLS = frozenset({"td", "th"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "pre", "hr", "ul", "ol", "dl"})
_BLOCKS = _PARAGRAPHS | _CELLS | frozenset(
    {"div", "li", "tr", "dt", "dd", "body", "html", "section", "article", "header", "footer", "main", "nav", "center",
     "form", "fieldset", "details", "summary", "figure", "address"}
)  # fmt: skip
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "wbr", "base", "col"})
_PROTECTED = re.compile(r"""\bdata-cfemail\s*=\s*["']?([0-9a-fA-F]{4,400})|/email-protection#([0-9a-fA-F]{4,400})""")
_MAILTO = re.compile(r"""\bhref\s*=\s*["']?mailto:([^"'?>\s]{3,200})""", re.IGNORECASE)
_OBSCURED = re.compile(r"^<?([\w.+-]{1,64}?)(?:_at_| at |@x{2,}|@\.\.\.|\.\.\.@|@\[hidden\])")
_MOST_QUOTED = 8  # `>` inside the quoted attributes of one tag that are stepped over


class Kind(Enum):
    """What a piece of a page is: its name (lower case) or text is the token's `value`."""

    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"
    COMMENT = "comment"


class Token(NamedTuple):
    """A piece of a page. `value` is text with its entities decoded, a tag's name, or what a comment holds; `rest` the
    attributes of an opened tag as written."""

    kind: Kind
    value: str
    rest: str = ""


def is_html(data: bytes) -> bool:
    """Whether a file is a saved page: it begins with a tag, and one that only pages have is near."""
    start = data[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start.replace(b"\0", b"")[2:].lstrip()
    return start.startswith(b"<") and _HTML.search(start) is not None


def decode_page(data: bytes) -> str:
    """A page as text, LF line ends, in the charset its byte order mark or its `<meta>` names (else UTF-8, else
    Latin-1)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        charset = "utf-16"
    else:
        named = _CHARSET.search(data[:_LOOKED_AT])
        charset = named[1].decode("ascii").lower() if named else "utf-8"
    text = _utf8(data) or headers.decode(data, _ALIASES.get(charset, charset))
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _utf8(data: bytes) -> str:
    """`data` if it is UTF-8 with more than ASCII in it: a page that was saved anew keeps its old `<meta>`."""
    try:
        return "" if data.isascii() else data.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def tokens(page: str) -> Iterator[Token]:
    """The pieces of a page in order; nothing is refused. Scripts and styles are left out."""
    return _readable_addresses(_cut(page))


def _cut(page: str) -> Iterator[Token]:
    at = 0
    while at < len(page):
        mark = page.find("<", at)
        if mark != at:
            yield Token(Kind.TEXT, _unescaped(page[at:mark] if mark > 0 else page[at:]))
        if mark < 0:
            return
        token, at = _markup(page, mark)
        if token is not None:
            yield token


def _unescaped(text: str) -> str:
    """`text` with its entities decoded. `&nbsp;` is how an archive keeps blanks apart; a mail's own is a character."""
    return _decoded(text.replace("&nbsp;", " "))


def _decoded(text: str) -> str:
    """The text without entities. The number of one may be of any length, which Python does not read; what no character
    has is U+FFFD (WHATWG, 13.2.5.80)."""
    return entities.unescape(_NO_CHARACTER.sub("\ufffd", text) if "&#" in text else text)


def _markup(page: str, mark: int) -> tuple[Token | None, int]:
    """What begins with the `<` at `mark`, None where nothing is to be shown of it, and where it ends."""
    if page.startswith("<!--", mark):
        end = page.find("-->", mark + 4)  # without one a browser shows nothing either
        comment = Token(Kind.COMMENT, _decoded(page[mark + 4 : end].strip())) if end >= 0 else None
        return comment, end + 3 if end >= 0 else len(page)
    name = _NAME.match(page, mark + 1)
    if name is None and page[mark + 1 : mark + 2] not in ("!", "?"):
        return Token(Kind.TEXT, "<"), mark + 1
    end = _tag_end(page, mark)
    if end < 0:
        return Token(Kind.TEXT, _unescaped(page[mark:])), len(page)
    return _tag(page, mark, name, end) if name else (None, end + 1)


def _tag(page: str, mark: int, name: re.Match[str], end: int) -> tuple[Token | None, int]:
    value = name[1].lower()
    if page[mark + 1] == "/":
        return Token(Kind.CLOSE, value), end + 1
    if value in _SKIPPED:
        closed = _CLOSED[value].search(page, end)
        return None, closed.end() if closed else len(page)
    return Token(Kind.OPEN, value, page[name.end() : end]), end + 1


def _tag_end(page: str, start: int) -> int:
    """Where the `>` of the tag at `start` is: the first one outside of quotes, if that is near; -1 for none."""
    first = end = page.find(">", start)
    for _ in range(_MOST_QUOTED):
        if end < 0:
            return first
        inside = page[start:end]
        if inside.count('"') % 2 == 0 or "=" not in inside:
            return end
        end = page.find(">", end + 1, start + 10_000)
    return first


def _readable_addresses(found: Iterable[Token]) -> Iterator[Token]:
    """The tokens with addresses that the page hides from robots, but still carries, put in their places."""
    pending = ""  # the address a tag carries
    exact = False
    for token in found:
        if token.kind is Kind.OPEN:
            pending, exact = _carried(token)
        elif token.kind is Kind.TEXT and pending:
            shown = token.value.strip()
            obscured = _OBSCURED.match(shown)
            same = obscured is not None and pending.split("@")[0].startswith(obscured[1])
            if headers.is_hidden(shown) if exact else same:
                yield Token(Kind.TEXT, token.value.replace(shown, pending))
                pending = ""
                continue
            pending = ""
        elif token.kind is Kind.CLOSE:
            pending = ""
        yield token


def _carried(token: Token) -> tuple[str, bool]:
    """The address a tag carries, and whether the text in it stands for nothing else (Cloudflare's protection)."""
    if protected := _PROTECTED.search(token.rest):
        return unprotected(protected[1] or protected[2]), True
    if token.value == "a" and (mailto := _MAILTO.search(token.rest)):
        return unquote(_decoded(mailto[1])), False
    return "", False


def unprotected(digits: str) -> str:
    """The address in Cloudflare's `data-cfemail`: bytes in hexadecimal, the first XORed into the others; "" where it
    is no address."""
    try:
        key, *rest = bytes.fromhex(digits)
        address = bytes(byte ^ key for byte in rest).decode("utf-8")
    except ValueError:
        return ""
    return address if "@" in address and address.isprintable() and " " not in address else ""


def source_text(found: Iterable[Token]) -> str:
    """The text of a part that an archive wrote line by line: white space as in the source, `<br>` a line end where
    the source has none, `<p>` a blank line (hypermail writes `line<br>` or, later, `line`, `<br>` and `<p>` on lines
    of their own)."""
    out: list[str] = []
    after_tag = False  # a newline that follows stands for nothing
    source_newline = False  # the text ended in a newline of its own
    for token in found:
        if token.kind is Kind.TEXT:
            text = token.value
            if after_tag and text.startswith("\n"):
                text = text[1:]
            after_tag = False
            if text:
                out.append(text)
                source_newline = text.endswith("\n")
        elif token.kind is Kind.OPEN and token.value == "br":
            if not source_newline:
                out.append("\n")
            source_newline, after_tag = False, True
        elif token.kind is Kind.OPEN and token.value == "p":
            out.append("\n" if _at_line_start(out) else "\n\n")
            source_newline, after_tag = False, True
        elif token.value == "pre" and token.kind is not Kind.COMMENT:
            if not _at_line_start(out):
                out.append("\n")
            after_tag = token.kind is Kind.OPEN  # HTML drops a newline just after <pre>
    return "".join(out)


def _at_line_start(out: list[str]) -> bool:
    last = next((piece for piece in reversed(out) if piece), "\n")
    return last.endswith("\n")


def text(page: str) -> str:
    """All the text of a page, about as a browser shows it, but with the white space of preformatted blocks."""
    cut = list(tokens(page))
    return _Renderer(_preformatted(cut)).text(cut)


def _preformatted(cut: list[Token]) -> set[int]:
    """The blocks (by the place of their opening token; -1: the page) whose own text runs over several lines."""
    found: set[int] = set()
    open_blocks: list[tuple[str, int]] = [("", -1)]
    for place, token in enumerate(cut):
        if token.kind is Kind.TEXT:
            if len(open_blocks) > 1 and "\n" in token.value.strip():
                found.add(open_blocks[-1][1])
        elif token.value in _BLOCKS and token.value not in _VOID:
            if token.kind is Kind.OPEN:
                if len(open_blocks) < 200:
                    open_blocks.append((token.value, place))
                if token.value == "pre" or "white-space:pre" in token.rest.replace(" ", "").lower():
                    found.add(place)
            elif token.kind is Kind.CLOSE:
                _close(open_blocks, token.value)
    return found


def _close(open_blocks: list[tuple[str, int]], name: str) -> None:
    for place in range(len(open_blocks) - 1, 0, -1):
        if open_blocks[place][0] == name:
            del open_blocks[place:]
            return


class _Renderer:
    """Puts the text of tokens together."""

    def __init__(self, preformatted: set[int]) -> None:
        self.preformatted = preformatted
        self.out: list[str] = []
        self.tail = "\n\n"  # the last two characters written
        self.skip_newline = False

    def text(self, cut: list[Token]) -> str:
        open_blocks: list[tuple[str, int]] = [("", -1)]
        for place, token in enumerate(cut):
            kept = open_blocks[-1][1] in self.preformatted
            if token.kind is Kind.TEXT:
                self._text(token.value, kept=kept)
            elif token.value == "br" and token.kind is Kind.OPEN:
                self._write("\n")
                self.skip_newline = True
            elif token.value in _BLOCKS:
                if token.kind is Kind.OPEN:
                    self._boundary(token.value, opening=True)
                    if token.value not in _VOID and len(open_blocks) < 200:
                        open_blocks.append((token.value, place))
                    self.skip_newline = token.value == "pre"
                elif token.kind is Kind.CLOSE:
                    _close(open_blocks, token.value)
                    self._boundary(token.value, opening=False)
        return "".join(self.out)

    def _text(self, text: str, *, kept: bool) -> None:
        if kept:
            if self.skip_newline and text.startswith("\n"):
                text = text[1:]
        else:
            text = re.sub(r"[ \t\n\f]+", " ", text)
            if self.tail[-1] in " \n\t":
                text = text.lstrip(" ")
        if text:
            self.skip_newline = False
            self._write(text)

    def _boundary(self, name: str, *, opening: bool) -> None:
        if name in _CELLS:
            if not opening and self.tail[-1] != "\n":
                self._write("\t")
            return
        while self.tail[-1] in " \t" and self.out:  # the blanks a template leaves at the end of a block
            last = self.out[-1].rstrip(" \t")
            if last:
                self.out[-1] = last
                self.tail = ("".join(self.out[-2:]))[-2:].rjust(2, "\n")
                break
            self.out.pop()
            self.tail = ("".join(self.out[-2:]))[-2:].rjust(2, "\n")
        if self.tail[-1] != "\n":
            self._write("\n")
        if name in _PARAGRAPHS and self.tail != "\n\n":
            self._write("\n")

    def _write(self, text: str) -> None:
        self.out.append(text)
        self.tail = (self.tail + text)[-2:]
