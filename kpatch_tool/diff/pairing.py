"""Which patch of one series corresponds to which of another, told by their diffs as `git range-diff` does.

The rules and the text that is compared are git's (range-diff.c): line numbers and index lines are left out, so that a
diff that only moved is the same; two diffs correspond when turning one into the other costs fewer lines than dropping
the one and adding the other, where these cost `creation_factor` percent of their lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from kpatch_tool.diff.assignment import assign
from kpatch_tool.diff.linediff import cost, least_cost
from kpatch_tool.diff.model import NO_NEWLINE, FileDiff, Hunk, Kind

CREATION_FACTOR = 60
Text = tuple[bytes, ...]
Pairs = list[tuple[int | None, int | None]]

_SIGN = {kind: kind.value.encode() for kind in Kind}


def diff_text(files: Sequence[FileDiff], *, data: bool = True) -> Text:
    """The lines of a diff that count for a comparison: a heading a file, `@@ path: section` a hunk, the lines.

    An empty line stands before the second and later headings. Without `data` what a binary file is made of does not
    count, as git range-diff pairs patches; of several diffs that are equal then the first is taken, by git the last.
    """
    lines: list[bytes] = []
    for file in files:
        lines += [b""] if lines else []
        lines.append(b" ## " + heading(file) + b" ##")
        if file.payload:
            lines += _data_lines(file.payload) if data else [b" Binary files differ"]
        for hunk in file.hunks:
            lines += _hunk_lines(file, hunk)
    return tuple(lines)


def _data_lines(payload: bytes) -> list[bytes]:
    """What a binary file becomes and was, as lines that a patch adds: none of it is context."""
    return [b"+" + line for line in payload.rstrip(b"\n").split(b"\n") if line]


def heading(file: FileDiff) -> bytes:
    """What a diff does to a file, in a line: "path", "path (new)", "old => new (mode change 100644 => 100755)"."""
    path = file.path.encode("utf-8", "surrogateescape")
    if file.old_path is None:
        return path + b" (new)"
    if file.new_path is None:
        return path + b" (deleted)"
    shown = file.old_path.encode("utf-8", "surrogateescape") + b" => " + path if file.renamed else path
    if file.old_mode and file.new_mode and file.old_mode != file.new_mode:
        shown += f" (mode change {file.old_mode} => {file.new_mode})".encode()
    return shown


def _hunk_lines(file: FileDiff, hunk: Hunk) -> Iterator[bytes]:
    path = file.path.encode("utf-8", "surrogateescape")
    yield b"@@ " + path + b": " + hunk.section if hunk.section else b"@@"
    for line in hunk.lines:
        yield _SIGN[line.kind] + line.text
        if not line.newline:
            yield b" " + NO_NEWLINE


def pair(old: Sequence[Text], new: Sequence[Text], creation_factor: int = CREATION_FACTOR) -> Pairs:
    """The correspondences of two series of diffs (each as `diff_text` gives it), as pairs of places from 0.

    None stands for a diff that was dropped or added. The order is git's: that of `new`, and a dropped one as soon as
    all before it in `old` are shown. `creation_factor` is in percent.
    """
    matching = _same(old, new)
    left = [place for place in range(len(old)) if place not in matching]
    right = sorted(set(range(len(new))) - set(matching.values()))
    lines = {text: Counter(text) for text in {*(old[a] for a in left), *(new[b] for b in right)}}
    gains: dict[tuple[int, int], int] = {}
    for a in left:
        for b in right:
            alone = _creation(old[a], creation_factor) + _creation(new[b], creation_factor)
            # Most pairs share so few lines that their diff need not be made.
            if least_cost(lines[old[a]], lines[new[b]]) < alone and (gain := alone - cost(old[a], new[b])) > 0:
                gains[a, b] = gain
    return _in_order({**matching, **assign(gains)}, len(old), len(new))


def _same(old: Sequence[Text], new: Sequence[Text]) -> dict[int, int]:
    """Diffs that are equal, each used once."""
    places: dict[Text, list[int]] = {}
    for place in reversed(range(len(old))):
        places.setdefault(old[place], []).append(place)
    return {places[text].pop(): place for place, text in enumerate(new) if places.get(text)}


def _creation(text: Text, factor: int) -> int:
    return sum(1 for line in text if line) * factor // 100


def _in_order(matching: dict[int, int], old: int, new: int) -> Pairs:
    origin = {b: a for a, b in matching.items()}
    pairs: Pairs = []
    shown: set[int] = set()
    here = 0
    for b in range(new):
        while here < old and (here in shown or here not in matching):
            if here not in shown:
                pairs.append((here, None))
            here += 1
        pairs.append((origin.get(b), b))
        shown.update(place for place in [origin.get(b)] if place is not None)
    pairs += [(a, None) for a in range(here, old) if a not in shown]
    return pairs
