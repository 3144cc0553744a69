"""Where a series fits, for the terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from kpatch_tool.text import columns, plural, printable
from kpatch_tool.tree.base import Declared, Differs, Interval, Near
from kpatch_tool.tree.basing import Answer

_ID = 12
_SHOWN = 8  # intervals that are shown; --json has them all
_FILES = 40  # files that are shown


def text(answer: Answer) -> str:
    """The answer in lines of 80 columns: what a message declares, the commits that fit or the nearest, what to do."""
    lines = list(_wrapped(answer.why))
    if answer.repository != answer.tree.git_dir:
        lines += _wrapped(f"tree {answer.tree.name} itself has no such commit; looked through {answer.repository}")
    for declared in answer.sought.declared:
        lines += _declared(declared)
    for interval in answer.sought.exact[:_SHOWN]:
        lines += _interval(interval)
    if len(answer.sought.exact) > _SHOWN:
        lines.append(f"  ... and {len(answer.sought.exact) - _SHOWN} more ranges (--json has them)")
    if answer.sought.nearest:
        lines += _near(answer.sought.nearest)
    for note in answer.sought.notes:
        lines += _wrapped(f"note: {note}")
    for other in answer.others:
        lines += _wrapped(f"tree {other.tree.name}: {other.why}", "  ")
    if answer.todo:
        lines.append(f"next: {printable(answer.todo)}")
    return "\n".join(lines)


def _interval(one: Interval) -> Iterator[str]:
    yield from _wrapped(f"fits  {_called(one.commit, one.commit_name)}", "  ")
    if one.commits > 1:
        newest, oldest = _called(one.newest, one.newest_name), _called(one.oldest, one.oldest_name)
        yield from _wrapped(f"{plural(one.commits, 'commit')}: from {oldest} to {newest}", "        ")


def _near(near: Near) -> Iterator[str]:
    yield from _wrapped(f"near  {_called(near.commit, near.name)}", "  ")
    for one in near.differs[:_FILES]:
        yield from _wrapped(f"{one.fits:8} {one.path}  {_versions(one)}", "        ")
    if len(near.differs) > _FILES:
        yield f"        ... and {plural(len(near.differs) - _FILES, 'file')} more (--json has them)"


def _declared(one: Declared) -> Iterator[str]:
    if one.commit is None:
        value = one.value[:_ID] if len(one.value) == 40 else one.value[:60]
        yield from _wrapped(f"declared base {value}: this repository does not have it")
        return
    place = {True: "in the history of the tree's base", False: "not in the history of the tree's base", None: "here"}
    called = one.value if one.commit.startswith(one.value) else f"{one.value} ({one.commit[:_ID]})"
    holds = "holds every file" if one.holds else f"{plural(len(one.differs), 'file differs', 'files differ')}"
    yield from _wrapped(f"declared base {called}: {place[one.in_history]}; {holds}")
    if not one.holds:
        for file in one.differs[:_FILES]:
            yield from _wrapped(f"{file.fits:8} {file.path}  {_versions(file)}", "        ")


def _versions(one: Differs) -> str:
    found = one.found[:_ID] if one.found else "no file"
    wish = "no file" if one.fresh else "its hunks to fit"
    return f"wants {one.wanted or wish}, has {found}"


def _called(commit: str, name: str) -> str:
    return f"{commit[:_ID]} ({name})" if name else commit[:_ID]


def _wrapped(words: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(words), columns(), initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )


def document(answer: Answer) -> dict[str, object]:
    """The JSON document of `kpt base`. `declared` is the first base that a message declares, `also_declared` further
    ones; `trees` sums up the answers for other trees."""
    bases = [_declared_document(one) for one in answer.sought.declared]
    near = answer.sought.nearest
    return {
        "series": answer.series,
        "tree": answer.tree.name,
        "repository": str(answer.repository),
        "declared": bases[0] if bases else None,
        "also_declared": bases[1:],
        "exact": [
            {
                "commit": one.commit,
                "describe": one.commit_name or None,
                "from": one.oldest,
                "from_describe": one.oldest_name or None,
                "to": one.newest,
                "to_describe": one.newest_name or None,
                "commits": one.commits,
            }
            for one in answer.sought.exact
        ],
        "nearest": {
            "commit": near.commit,
            "describe": near.name or None,
            "matching": near.matching,
            "differs": [_differs(one) for one in near.differs],
        }
        if near
        else None,
        "wanted": [
            {"path": one.path, "blob": one.blob or None, "new": one.blob == "", "patch": one.patch}
            for one in answer.sought.wanted
        ],
        "why": answer.why,
        "notes": list(answer.sought.notes),
        "todo": answer.todo or None,
        "trees": [
            {"tree": other.tree.name, "exact": len(other.sought.exact), "why": other.why} for other in answer.others
        ],
    }


def _differs(one: Differs) -> dict[str, object]:
    return {"path": one.path, "wanted": one.wanted, "found": one.found, "fits": str(one.fits)}


def _declared_document(one: Declared) -> dict[str, object]:
    return {
        "value": one.value,
        "commit": one.commit,
        "present": one.commit is not None,
        "in_history": one.in_history,
        "holds": one.holds,
        "differs": [_differs(file) for file in one.differs],
    }
