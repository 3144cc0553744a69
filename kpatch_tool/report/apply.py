"""What applying did, for the terminal (the JSON document is document.apply_document's)."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

from kpatch_tool.report.lines import from_here
from kpatch_tool.text import columns, cut, plural, printable
from kpatch_tool.tree.model import AppliedPatch, ApplyOutcome, ApplyStatus, Tree

_DETAILS = 40  # lines of one patch's details that are shown
_VERBATIM = ("  ", "- ", "+ ", "@@")  # lines of a diff: cut, never wrapped


def text(outcome: ApplyOutcome, tree: Tree, *, notes: Sequence[str] = ()) -> str:
    """The whole answer: notes, one line a patch (and what is remarkable about it below), how to look at it."""
    lines = [line for note in notes for line in _wrapped(note, "")]
    for patch in outcome.patches:
        lines += _patch_lines(patch)
    return "\n".join([*lines, *_ending(outcome, tree)])


def _patch_lines(patch: AppliedPatch) -> Iterator[str]:
    head = f"{patch.number:4} {patch.status:8} {patch.exactness:7}  "
    yield head + cut(printable(patch.subject), columns() - len(head))
    told = "" if patch.status is ApplyStatus.CLEAN else patch.why
    if told:
        yield from _wrapped(printable(told), " " * 5)
    for line in patch.hidden:
        yield from _wrapped(f"finding: {printable(line)}", " " * 5)
    details = [line for line in patch.details if line not in told]
    for line in details[:_DETAILS]:
        if line.startswith(_VERBATIM):
            yield " " * 7 + cut(line, columns() - 7)
        else:
            yield from _wrapped(line, " " * 7)
    if len(details) > _DETAILS:
        yield f"{' ' * 7}... and {plural(len(details) - _DETAILS, 'line')} more (--json has them)"


def _ending(outcome: ApplyOutcome, tree: Tree) -> list[str]:
    if outcome.conflicts:
        return [f"nothing was changed: a patch does not fit tree {tree.name} (base {outcome.base[:12]})"]
    made = sum(patch.commit is not None for patch in outcome.patches)
    if outcome.head is None and all(patch.status is ApplyStatus.ALREADY for patch in outcome.patches):
        return [f"nothing to do on tree {tree.name}; nothing was written"]
    if outcome.head is None:
        return [f"it fits tree {tree.name} (base {outcome.base[:12]}); nothing was written"]
    if not made:
        return [f"nothing to do on tree {tree.name}: branch {outcome.branch} is its base {outcome.base[:12]}"]
    base = "base" if outcome.base == tree.base else outcome.base[:12]
    where = f"git -C {shlex.quote(from_here(tree.git_dir))} log --oneline {base}..{outcome.branch}"
    return [f"{plural(made, 'commit')} on branch {outcome.branch} of tree {tree.name}; to look at them:", f"  {where}"]


def _wrapped(sentence: str, indent: str) -> list[str]:
    return textwrap.wrap(sentence, columns(), initial_indent=indent, subsequent_indent=indent, break_long_words=False)
