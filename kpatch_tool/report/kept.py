"""What the store holds, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from kpatch_tool.report.lines import wrapped
from kpatch_tool.results.kept import Kept, Kind
from kpatch_tool.results.prune import Pruned
from kpatch_tool.text import columns, cut, plural, printable

_UNITS = ("B", "K", "M", "G", "T")
_AGES = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (60, 60, "min"))
_STATES_SHOWN = 3


def list_text(found: Sequence[Kept], on_disk: int) -> str:
    """A line each, then what all of the store takes on disk."""
    lines = [cut(_line(one), columns()) for one in found]
    counts = {kind: sum(one.kind is kind for one in found) for kind in Kind}
    told = ", ".join(
        (
            plural(counts[Kind.BUILD], "build"),
            plural(counts[Kind.TESTS], "result of tests", "results of tests"),
            plural(counts[Kind.RUN], "run"),
            *([plural(counts[Kind.GUEST], "saved guest")] if counts[Kind.GUEST] else []),
        )
    )
    return "\n".join([*lines, *wrapped(f"{told}; the store takes {size(on_disk)}", columns())])


def list_document(found: Sequence[Kept], on_disk: int) -> dict[str, object]:
    """`kpt results --json`."""
    return {"bytes": on_disk, "results": [document(one) for one in found]}


def one_text(one: Kept) -> str:
    """All that is known of one, and where its files are."""
    rows = {
        "what": f"{one.kind} {one.key}",
        "status": one.status,
        "says": one.why,
        "states": _states(one, everything=True),
        "tree": one.tree,
        "git trees": " ".join(one.git_trees),
        "arch": one.arch,
        "config": one.config,
        "toolchain": one.toolchain,
        "suite": f"{one.suite} {one.suite_version}".strip(),
        "accelerator": one.accelerator,
        "kept": one.kept_at,
        "used": one.used_at,
        "size": size(one.size),
    }
    told = (f"{name:12} {printable(value)}" for name, value in rows.items() if value)
    lines = [line for row in told for line in wrapped(row, columns(), later=" " * 13)]
    lines += (f"{printable(name):40} {printable(str(path))}" for name, path in one.files.items())
    return "\n".join(lines)


def document(one: Kept) -> dict[str, object]:
    """One as JSON."""
    return {
        "kind": str(one.kind),
        "id": one.id,
        "key": one.key,
        "status": one.status or None,
        "why": one.why,
        "tree": one.tree or None,
        "git_trees": list(one.git_trees),
        "states": [{"series": state.series, "patch": state.patch} for state in one.states],
        "arch": one.arch or None,
        "config": one.config or None,
        "toolchain": one.toolchain or None,
        "suite": one.suite or None,
        "suite_version": one.suite_version or None,
        "accelerator": one.accelerator or None,
        "kept_at": one.kept_at,
        "used_at": one.used_at,
        "size": one.size,
        "directory": None if one.directory is None else str(one.directory),
        "files": {name: str(path) for name, path in one.files.items()},
    }


def pruned_text(pruned: Pruned, *, pretend: bool) -> str:
    """What went, a line each, and what that did."""
    return "\n".join(_pruned_lines(pruned, pretend))


def pruned_document(pruned: Pruned) -> dict[str, object]:
    """`kpt results prune --json`."""
    return {
        "removed": [document(one) for one in pruned.removed],
        "in_use": [document(one) for one in pruned.in_use],
        "bytes_before": pruned.before,
        "bytes": pruned.after,
    }


def size(count: int) -> str:
    """Bytes in at most five characters: 0B, 980K, 1.2G."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.1f}{unit}" if amount < 10 and unit != "B" else f"{amount:.0f}{unit}"


def _pruned_lines(pruned: Pruned, pretend: bool) -> Iterator[str]:
    word = "would remove" if pretend else "removed"
    for one in pruned.removed:
        yield cut(f"{word} {_line(one)}", columns())
    for one in pruned.in_use:
        yield cut(f"in use, stays: {_line(one)}", columns())
    will = "would take" if pretend else "takes"
    yield f"the store took {size(pruned.before)} and {will} {size(pruned.after)}"


def _line(one: Kept) -> str:
    what = one.suite or one.tree
    head = f"{one.kind:5} {one.id:12} {one.status or '-':6} {_age(one.used_at):>6} {size(one.size):>5}"
    return f"{head}  {printable(what):12} {printable(_states(one))}".rstrip()


def _states(one: Kept, *, everything: bool = False) -> str:
    shown = one.states if everything else one.states[:_STATES_SHOWN]
    words = [f"{state.series}/{state.patch}" for state in shown]
    more = len(one.states) - len(shown)
    return ", ".join(words) + (f" and {more} more" if more else "")


def _age(moment: str) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except ValueError:
        return "?"
    for least, unit, name in _AGES:
        if seconds >= least:
            return f"{seconds / unit:.0f} {name}"
    return "now"
