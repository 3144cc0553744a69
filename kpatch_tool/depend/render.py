"""The dependency graph for readers: a terminal of 80 columns, Graphviz, Mermaid, JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from itertools import groupby

from kpatch_tool.depend.model import Dependencies, Edge, External
from kpatch_tool.depend.prerequisites import Chain, Need
from kpatch_tool.series.model import Series
from kpatch_tool.series.reading.stated import Form
from kpatch_tool.text import columns, printable

_INDENT = 6
_SHORTEST = 12  # what is longer stands on a line of its own
_PRESENT = {True: "it is there", False: "it is NOT there", None: "not known"}


def document(needs: Dependencies) -> dict[str, object]:
    """The JSON contract of `kpt deps` (design, section 3), with `made_on` on edges, `cycles` and
    `prerequisites` (what goes before the series, a tree) in addition."""
    return {
        "edges": [
            {
                "patch": edge.patch,
                "needs": edge.needs,
                "kind": str(edge.kind),
                "why": edge.why,
                "made_on": edge.made_on,
            }
            for edge in needs.edges
        ],
        "order": list(needs.order),
        "external": [
            {
                "patch": one.patch,
                "kind": str(one.kind),
                "commit": one.commit,
                "present": one.present,
                "why": one.why,
                "series": one.series or None,
                "todo": one.todo or None,
            }
            for one in needs.external
        ],
        "cycles": [list(cycle) for cycle in needs.cycles],
        "prerequisites": {
            "order": list(needs.chain.order),
            "needs": [_need(one) for one in needs.chain.needs],
            "findings": list(needs.chain.findings),
        },
    }


def _need(one: Need) -> dict[str, object]:
    return {
        "patch": one.stated.patch,
        "kind": str(one.stated.form),
        "value": one.stated.value,
        "revision": one.stated.revision,
        "says": one.stated.words,
        "series": one.series or None,
        "of_patch": one.patch,
        "present": one.present,
        "why": one.why or None,
        "todo": one.todo or None,
        "needs": [_need(inner) for inner in one.needs],
        "again": one.again,
    }


def text(series: Series, needs: Dependencies) -> str:
    """Patch by patch what it needs and why, then the order. Ends without a newline."""
    lines: list[str] = []
    for patch in series.patches:
        lines += _wrapped(f"{patch.number}/{series.total} {printable(patch.subject)}", later=" " * _INDENT)
        edges = [edge for edge in needs.edges if edge.patch == patch.number]
        for number, group in groupby(edges, key=lambda edge: edge.needs):
            lines += _needs(f"needs {number}", [(str(edge.kind), edge.why) for edge in group])
        outside = [one for one in needs.external if one.patch == patch.number]
        if not edges and not outside:
            lines.append(" " * _INDENT + "needs no other patch")
        lines += _outside(outside)
    lines += _outside([one for one in needs.external if one.patch == 0], of="the series")
    lines += _chain(needs.chain)
    lines.append("")
    lines += _wrapped("order: " + " ".join(map(str, needs.order)), later=" " * 7)
    lines += [
        f"patches {', '.join(map(str, cycle))} need one another: no order suits them all" for cycle in needs.cycles
    ]
    return "\n".join(lines)


def _wrapped(words: str, indent: str = "", later: str = "") -> list[str]:
    """`words` in lines of 80 columns; names are not cut at their hyphens."""
    return textwrap.wrap(words, columns(), initial_indent=indent, subsequent_indent=later, break_on_hyphens=False)


def _outside(found: list[External], of: str = "") -> list[str]:
    lines = [of] if found and of else []
    for one in found:
        told = f"{one.why}: {_PRESENT[one.present]}" + (f"; {one.todo}" if one.todo else "")
        if len(one.short) > _SHORTEST:
            lines += _wrapped(f"needs {printable(one.short)}", " " * _INDENT, " " * (_INDENT + 2))
            lines += _needs("", [(str(one.kind), told)])
        else:
            lines += _needs(f"needs {one.short}", [(str(one.kind), told)])
    return lines


def _chain(chain: Chain) -> list[str]:
    """What goes before the series, as a tree, where there is more to it than single statements; and the findings."""
    lines = []
    if any(one.needs for one in chain.needs) or len(chain.order) > 1:
        lines += ["goes first", *_branches(chain.needs, 1)]
    if chain.order:
        lines += _wrapped("apply before it: " + " ".join(chain.order), later=" " * _INDENT)
    for finding in chain.findings:
        lines += _wrapped(f"finding: {printable(finding)}", later=" " * _INDENT)
    return lines


def _branches(needs: Iterable[Need], depth: int) -> list[str]:
    """The needs that are series, each once, with theirs below; what is not here, too."""
    lines: list[str] = []
    met: set[str] = set()
    for one in needs:
        what = one.series or one.stated.value
        if one.stated.form is not Form.BASE and what not in met:
            met.add(what)
            state = {True: "in the tree", False: "not in the tree", None: ""}[one.present]
            again = "as above" if one.again else ""
            told = ", ".join(filter(None, (what if one.series else f"{what}: not here", state, again)))
            indent = "  " * min(depth, 12)
            lines += _wrapped(printable(told), indent, indent + "  ") + _branches(one.needs, depth + 1)
    return lines


def _needs(head: str, reasons: list[tuple[str, str]]) -> list[str]:
    """`head` in the first column, then kind and reason; wrapped."""
    lines = []
    for kind, why in reasons:
        start = " " * _INDENT + f"{head:<9} {kind:<9}"
        lines += _wrapped(printable(why), f"{start} ", " " * (_INDENT + 20))
        head = ""
    return lines


def dot(series: Series, needs: Dependencies) -> str:
    """A digraph for Graphviz: arrows lead from a patch to what it needs; dashed ones say only what it was made on."""
    lines = [f"digraph {_dot_quoted(series.name)} {{", "  rankdir=BT;", "  node [shape=box];"]
    for patch in series.patches:
        label = "\n".join(textwrap.wrap(f"{patch.number}/{series.total} {printable(patch.subject)}", 32))
        lines.append(f"  p{patch.number} [label={_dot_quoted(label)}];")
    lines += [f"  p{edge.patch} -> p{edge.needs} [{_dot_edge(edge)}];" for edge in needs.edges]
    for at, one in enumerate(needs.external):
        lines.append(f"  x{at} [label={_dot_quoted(one.short)}, shape=ellipse];")
        sources = [one.patch] if one.patch else [patch.number for patch in series.patches[:1]]
        why = _dot_quoted(f"{one.why}: {_PRESENT[one.present]}")
        lines += [f"  p{number} -> x{at} [label={_dot_quoted(one.kind)}, tooltip={why}];" for number in sources]
    return "\n".join([*lines, "}"])


def _dot_edge(edge: Edge) -> str:
    style = ", style=dashed" if edge.made_on else ""
    return f"label={_dot_quoted(edge.kind)}, tooltip={_dot_quoted(edge.why)}{style}"


def _dot_quoted(words: str) -> str:
    lines = [printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in words.split("\n")]
    return '"' + "\\n".join(lines) + '"'


def mermaid(series: Series, needs: Dependencies) -> str:
    """A flowchart for Mermaid (GitHub and GitLab draw it in Markdown)."""
    lines = ["flowchart BT"]
    for patch in series.patches:
        lines.append(f'  p{patch.number}["{_mermaid_text(f"{patch.number}/{series.total} {patch.subject}")}"]')
    for edge in needs.edges:
        arrow = "-.->" if edge.made_on else "-->"
        lines.append(f"  p{edge.patch} {arrow}|{edge.kind}| p{edge.needs}")
    for at, one in enumerate(needs.external):
        lines.append(f'  x{at}(["{_mermaid_text(one.short)}"])')
        source = one.patch or (series.patches[0].number if series.patches else 0)
        lines.append(f"  p{source} -->|{one.kind}| x{at}")
    return "\n".join(lines)


def _mermaid_text(words: str) -> str:
    # Mermaid knows HTML's entities without the ampersand.
    return "".join(f"#{ord(char)};" if char in '"#<>&[]{}()`|\\' else char for char in printable(words))


FORMATS: dict[str, Callable[[Series, Dependencies], str]] = {"text": text, "dot": dot, "mermaid": mermaid}
