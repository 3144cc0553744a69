"""Kernel trees for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from kpatch_tool.text import plural, printable
from kpatch_tool.tree.adding import Added
from kpatch_tool.tree.catalogue import Description, Listed, Record

_SHOWN = 5  # files that were left out


def added_text(added: Added) -> str:
    """What `kpt tree add` did, for a person."""
    tree = added.tree
    version = f", version {_version(tree.version)}" if tree.version else ""
    what = "added" if added.made else "already here"
    lines = [f"tree {tree.name}: {what}{version}, base {tree.base[:12]}"]
    if added.left_out:
        count = plural(len(added.left_out), "file")
        lines += [f"without {count} that the clone lacks, to which no patch applies:", *_some(added.left_out)]
    return "\n".join(lines)


def _some(paths: Sequence[str]) -> list[str]:
    rest = len(paths) - _SHOWN
    return [f"  {printable(path)}" for path in paths[:_SHOWN]] + ([f"  and {rest} more"] if rest > 0 else [])


def added_document(added: Added) -> dict[str, object]:
    """What `kpt tree add --json` prints."""
    tree = added.tree
    return {
        "tree": tree.name,
        "made": added.made,
        "base": tree.base,
        "version": _version(tree.version) or None,
        "skeleton": tree.skeleton,
        "left_out": list(added.left_out),
        "path": str(tree.git_dir),
    }


def list_text(rows: Sequence[Listed]) -> str:
    """`kpt tree list` for a person: two lines a tree, the one in use marked with a star."""
    if not rows:
        return "no kernel tree is here or described; run `kpt tree add NAME --git URL --ref R` (or --debian, --dir)"
    return "\n".join(line for row in rows for line in _lines(row))


def list_document(rows: Sequence[Listed]) -> dict[str, object]:
    """What `kpt tree list --json` prints."""
    return {"trees": [_row(row) for row in rows]}


def _lines(row: Listed) -> list[str]:
    mark = "*" if row.in_use else " "
    if row.problem:
        return [f"{mark} {row.name}  cannot be used", f"    {printable(row.problem)}"]
    if row.tree is None or row.record is None:
        return [f"{mark} {row.name}  not here; `kpt tree add {row.name}` brings it", f"    {_source(row.description)}"]
    kind = "made from hunks, proves nothing" if row.tree.skeleton else _version(row.tree.version) or "no version"
    head = f"{mark} {row.name}  {kind}  base {row.tree.base[:12]}"
    return [head, f"    {_source(row.record)}", f"    {row.tree.git_dir}"]


def _row(row: Listed) -> dict[str, object]:
    source = row.record or row.description
    return {
        "name": row.name,
        "here": row.tree is not None,
        "described": row.description is not None,
        "in_use": row.in_use,
        "version": (_version(row.tree.version) or None) if row.tree else None,
        "base": row.tree.base if row.tree else None,
        "skeleton": row.tree.skeleton if row.tree else False,
        "source": {"kind": source.kind, "source": source.source, "ref": source.ref} if source else None,
        "path": str(row.tree.git_dir) if row.tree else None,
        "problem": row.problem,
    }


def _source(source: Record | Description | None) -> str:
    if source is None:
        return ""
    return printable(f"{source.kind} {source.source} {source.ref}".rstrip())


def _version(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
