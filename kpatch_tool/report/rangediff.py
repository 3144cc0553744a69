"""The comparison of two revisions: for a terminal, in the manner of `git range-diff`, and as a JSON document."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kpatch_tool.series.model import Series
from kpatch_tool.series.views.rangediff import Change, Pair, Part, RangeDiff
from kpatch_tool.text import columns, cut, plural, printable, printable_bytes

if TYPE_CHECKING:
    from rich.console import Console

Spans = list[tuple[str, str]]  # pieces of a line with their styles

_INDENT = "    "
_MARKS = {Change.DROPPED: "<", Change.ADDED: ">", Change.UNCHANGED: "="}
_STYLES = {Change.DROPPED: "red", Change.ADDED: "green"}
_WORDS = {
    Part.AUTHOR: "author",
    Part.SUBJECT: "subject",
    Part.MESSAGE: "message",
    Part.TRAILERS: "trailers",
    Part.CONTEXT: "context",
    Part.DIFF: "diff",
}
_SAID = {
    Change.CHANGED: "the diff changed",
    Change.MESSAGE: "the diff is the same",
    Change.CONTEXT: "rebased: the same lines are added and removed",
    Change.TRAILERS: "only trailers changed",
}
# As git's dual colours: the inner sign colours the line, the outer one stands on a background.
_INNER = {"+": "green", "-": "red", "@": "cyan"}
_OUTER = {"+": ("black on green", "bold"), "-": ("black on red", "dim"), " ": ("", "")}


def document(found: RangeDiff) -> dict[str, object]:
    """What `kpt diff --json` prints, without the schema's version."""
    return {
        "a": {"name": found.a.name, "revision": found.a.revision},
        "b": {"name": found.b.name, "revision": found.b.revision},
        "pairs": [
            {
                "a": pair.a.number if pair.a else None,
                "b": pair.b.number if pair.b else None,
                "subject": pair.patch.subject,
                "change": str(pair.change),
                "parts": [str(part) for part in pair.parts],
                "moved": pair.moved,
                "squeezed": pair.squeezed,
                "similarity": round(pair.similarity, 3),
                "diff": [_text(line) for line in pair.diff],
            }
            for pair in found.pairs
        ],
        "carry_over": [
            {
                "patch": one.number,
                "from": one.source,
                "trailers": [{"key": trailer.key, "value": trailer.value} for trailer in one.trailers],
            }
            for one in found.carry_over
        ],
    }


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def show(found: RangeDiff, console: Console, *, patches: bool = True) -> None:
    """Print it: in colour where the terminal shows colours, else plain lines with their tabs as they are. Without
    `patches` only what became of each."""
    from rich.text import Text

    plain = console.color_system is None or console.no_color
    for spans in lines(found, patches=patches):
        if plain:
            console.file.write("".join(text for text, _ in spans) + "\n")
        else:
            console.print(Text.assemble(*spans), soft_wrap=True)


def lines(found: RangeDiff, *, patches: bool = True) -> Iterator[Spans]:
    """The lines of `kpt diff`, safe for a terminal; all but those of the diffs fit 80 columns."""
    for label, series in (("A", found.a), ("B", found.b)):
        yield from _plain(f"{label}: {_named(series)}, {plural(len(series.patches), 'patch', 'patches')}", "   ")
    width = max(len(str(patch.number)) for series in (found.a, found.b) for patch in series.patches)
    for pair in found.pairs:
        yield _row(pair, width)
        for sentence in _details(pair):
            yield from _plain(_INDENT + sentence, _INDENT)
        for line in pair.diff if patches else ():
            yield _diff_line(printable_bytes(line, lines=True))
    yield from _plain(_summary(found), "  ")
    yield from _carried(found)


def _named(series: Series) -> str:
    return printable(f"{series.name} v{series.revision} ({series.title})")


def _plain(sentence: str, indent: str) -> Iterator[Spans]:
    for line in textwrap.wrap(sentence, columns(), subsequent_indent=indent, break_on_hyphens=False):
        yield [(line, "")]


def _row(pair: Pair, width: int) -> Spans:
    """ " 2 ! 3  changed    mm: subject": the numbers in A and B, git's mark, what happened."""
    a = str(pair.a.number) if pair.a else "-"
    b = str(pair.b.number) if pair.b else "-"
    mark = _MARKS.get(pair.change, "!")
    head = f"{a:>{width}} {mark} {b:>{width}}  {pair.change:<9}  "
    subject = printable(pair.patch.subject)
    subject = cut(subject, columns() - len(head))
    if style := _STYLES.get(pair.change):
        return [(head + subject, style)]
    if mark == "=":
        return [(head + subject, "yellow")]
    return [(f"{a:>{width}} ", "red"), (f"{mark} ", "yellow"), (f"{b:>{width}}", "green"),
            (head[2 * width + 3 :] + subject, "yellow")]  # fmt: skip


def _details(pair: Pair) -> Iterator[str]:
    """What the row does not say, as sentences."""
    if pair.namesake is not None:
        other = "B" if pair.b is None else "A"
        yield f"{pair.namesake} of {other} has the same subject, but too little in common (--creation-factor)"
    said = []
    if pair.change in _SAID and (len(pair.parts) > 1 or pair.change is not Change.TRAILERS):
        differs = ", ".join(_WORDS[part] for part in pair.parts)
        alike = f", {pair.similarity:.0%} of its lines alike" if pair.change is Change.CHANGED else ""
        said.append(f"{_SAID[pair.change]}{alike}; differs: {differs}")
    if pair.moved:
        said.append("moved")
    if said:
        yield "; ".join(said)
    if pair.squeezed:
        yield "compared with white space squeezed, since an archive damaged it"


def _diff_line(line: str) -> Spans:
    """One line of a difference of patches, its outer sign apart from its inner one."""
    if line.startswith("@@ "):
        return [(_INDENT, ""), (line[: columns() - len(_INDENT)], "cyan")]
    sign, rest = line[:1], line[1:]
    background, weight = _OUTER.get(sign, ("", ""))
    return [(_INDENT, ""), (sign, background), (rest, f"{_INNER.get(rest[:1], '')} {weight}".strip())]


def _summary(found: RangeDiff) -> str:
    counts = Counter(pair.change for pair in found.pairs)
    names = {Change.MESSAGE: "with another message", Change.CONTEXT: "rebased", Change.TRAILERS: "with other trailers"}
    said = [f"{counts[change]} {names.get(change, str(change))}" for change in reversed(Change) if counts[change]]
    return ", ".join(said)


def _carried(found: RangeDiff) -> Iterator[Spans]:
    if found.carry_over:
        yield [("reviews of A that hold for B's unchanged patches and are missing there:", "")]
    for one in found.carry_over:
        origin = "" if one.source == one.number else f" (from {one.source} of A)"
        for trailer in one.trailers:
            head = f"{one.number:>4}  "
            yield from _plain(f"{head}{printable(f'{trailer.key}: {trailer.value}')}{origin}", " " * len(head))
