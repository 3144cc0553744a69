"""Pieces of HTML. What came from a mail, a log or a tree goes through `text`: nothing of it becomes markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from kpatch_tool.text import printable


def text(value: object, *, lines: bool = False) -> str:
    """Any value as text between tags or in an attribute; control characters are shown as escapes."""
    return html.escape(printable(str(value), lines=lines), quote=True)


def tag(name: str, content: str = "", **attributes: str | None) -> str:
    """An element whose `content` is markup already. Attributes are texts; those that are None are left out, `kind`
    stands for class and an underscore for a hyphen."""
    written = "".join(
        f' {"class" if key == "kind" else key.replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>"


def paragraph(words: str, kind: str | None = None) -> str:
    """A paragraph of plain text."""
    return tag("p", text(words), kind=kind)


def pre(lines: Iterable[str]) -> str:
    """Lines as they are; nothing where there are none. What is too wide scrolls, by keyboard too."""
    content = "\n".join(text(line, lines=True) for line in lines)
    return tag("pre", content, tabindex="0") if content else ""


def folded(summary: str, content: str, anchor: str | None = None) -> str:
    """A summary that opens; nothing where there is no content. `anchor` is inside, so that a link to it opens it."""
    inside = tag("div", content, id=anchor)
    return f"<details><summary>{text(summary)}</summary>{inside}</details>" if content else ""


def cell(value: object, kind: str | None = None) -> str:
    """A cell of a table, with any value as text."""
    return tag("td", text(value), kind=kind)


def link(target: str, words: object) -> str:
    """A link to a place in the page."""
    return f'<a href="#{text(target)}">{text(words)}</a>'


def table(caption: str, header: Sequence[str], rows: Iterable[str], kind: str | None = None) -> str:
    """A table in a box that scrolls by itself. `rows` are whole <tr> elements."""
    head = tag("thead", tag("tr", "".join(tag("th", text(one), scope="col") for one in header)))
    body = tag("tbody", "\n".join(rows))
    inside = tag("table", f"{tag('caption', text(caption))}{head}\n{body}", kind=kind, role="table")
    return tag("div", inside, kind="wide", role="region", aria_label=caption, tabindex="0")


def row(cells: Iterable[str]) -> str:
    """A row of a table; `cells` are whole elements."""
    return tag("tr", "".join(cells))


def definition(term: str, content: str, anchor: str | None = None, kind: str | None = None) -> str:
    """A term and what is said of it, for a <dl>."""
    return tag("dt", text(term), id=anchor) + tag("dd", content, kind=kind)
