"""The readings of one patch (as received, its damage undone, its white space read by style), and which is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import partial

from kpatch_tool.diff.apply import Applied, apply_file
from kpatch_tool.diff.blob import is_blob, is_pre_image
from kpatch_tool.diff.model import DiffError, FileDiff, Kind
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore import addresses
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.elsewhere import added_lines, elsewhere
from kpatch_tool.restore.hidden import hides
from kpatch_tool.restore.lettered import lettered
from kpatch_tool.restore.letters import may_lack
from kpatch_tool.restore.loosely.loose import LooseFile, read_loose
from kpatch_tool.restore.loosely.written import with_sections
from kpatch_tool.restore.readings.search import Bound
from kpatch_tool.restore.repair import repair_made, restore_loose
from kpatch_tool.restore.style.structure import RecentFiles
from kpatch_tool.restore.styled import Restoration, other_blob, removal, restore_file, restore_made, with_letters
from kpatch_tool.restore.versions import having
from kpatch_tool.series.model import Patch
from kpatch_tool.series.reading.diffs import LOST
from kpatch_tool.series.restoring.preimages import Blobs, Files, ReadVersions

SOMEBODY = 3.0  # bits: what it costs to take a person of the mail for one whose address is hidden
PEOPLE = ("MAINTAINERS", ".mailmap", "CREDITS")  # of a kernel tree: addresses that may be meant
AGAIN = Bound(20_000, 500_000_000, 5_000)  # of the search for a file that others have told of
_NOTHING: frozenset[Damage] = frozenset()
_LETTERS = frozenset({Damage.REPLACED, Damage.ADDRESSES_HIDDEN})
_TRIED = LOST | {Damage.ADDRESSES_HIDDEN}  # the damages that `restore_file` undoes


class Added:
    """The lines that sure patches add, by their squeezed text; read only when a damaged patch asks for them."""

    def __init__(self) -> None:
        self._waiting: list[Patch] = []
        self._lines: dict[bytes, bytes] = {}

    def take(self, patch: Patch) -> None:
        """One more patch; its lines count before those of earlier ones."""
        self._waiting.append(patch)

    def lines(self) -> Mapping[bytes, bytes]:
        """Those of all so far; in a patch the first file that has a line counts."""
        for patch in self._waiting:
            for file in reversed(patch.files):
                if not file.binary:
                    self._lines.update(added_lines(file))
        self._waiting.clear()
        return self._lines


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a patch from outside it."""

    people: tuple[Person, ...]  # whose addresses may be hidden
    added: Added  # what the sure patches add
    blobs: Blobs
    versions: ReadVersions  # how other kernels have its files
    recent: RecentFiles  # what was read of files before other patches
    bound: Bound | None = None  # how much its files may be searched; None: as usual
    kept: Mapping[str, Restoration] = field(default_factory=dict)  # those that were proven already, by their paths


Tried = tuple[Files, list[Restoration]]


def best(patch: Patch, files: Files, known: Known) -> Tried:
    """The first reading that is proven, or that fits and undoes all that happened to the mail. Where there is none:
    the first where white space was lost, else the last of those that fit best."""
    lost = bool(patch.damage & LOST)
    if _lacks_people(patch):
        known = replace(known, people=(*known.people, *_known_people(patch, files, known.versions)))
    tried: list[Tried] = []
    for reading, undoes in _readings(patch, files, known, lost=lost):
        fit = _fit(reading)
        if fit is _Fit.PROVEN or (fit is _Fit.FOUND and patch.damage <= undoes):
            return reading
        tried.append(reading)
    # Without white space almost any line is near some line of the base: what only fits is not what was sent.
    return tried[0] if lost else max(reversed(tried), key=_fit)


def _readings(patch: Patch, files: Files, known: Known, *, lost: bool) -> Iterator[tuple[Tried, frozenset[Damage]]]:
    """The readings of a patch in the order in which they are tried, each made when it is asked for, with the damages
    of which it undoes every trace; `lost`: the mail lost white space."""
    if patch.files and lost:
        by_ids = _by_ids(patch.files, files, known.blobs, restore_made)
        yield _styled(patch.files, files, replace(known, kept={**known.kept, **by_ids})), _TRIED
    elif patch.files:
        yield _each(patch.files, files, _as_received), _NOTHING
        yield _each(patch.files, files, partial(_letters_alone, people=known.people)), _LETTERS
    loose = read_loose(patch.received or patch.diff)
    if loose:
        trial, results = _repaired(loose, files, known)
        yield (trial, results if lost else _not_retold(patch, results)), _NOTHING
    elif not lost:
        yield _styled(patch.files, files, known), _NOTHING


def _not_retold(patch: Patch, results: Sequence[Restoration]) -> list[Restoration]:
    """`results` without those that nothing proved and that tell other lines from each other than the text does, though
    that agrees with its counts: the base is another, and what fits it by joining lines is not what was sent."""
    try:
        received = {file.path: file for file in parse_diff(patch.received or patch.diff)}
    except DiffError:
        return list(results)
    return [_refused(one, received.get(one.file.path)) for one in results]


def _refused(one: Restoration, sent: FileDiff | None) -> Restoration:
    if sent is None or not one.found or one.proven or _kinds(sent) == _kinds(one.file):
        return one
    why = "it fits the base only with lines joined or left out that the mail did not show so"
    return Restoration(sent, None, found=False, proven=False, why=why)


def _kinds(file: FileDiff) -> list[list[Kind]]:
    return [[line.kind for line in hunk.lines] for hunk in file.hunks]


def _lacks_people(patch: Patch) -> bool:
    """Whether an archive hid an address in a line of the diff, or an added one may lack letters of a name."""
    lines = [line for file in patch.files for hunk in file.hunks for line in hunk.lines]
    return any(hides(line.text) or (line.kind is Kind.ADDED and may_lack(line.text)) for line in lines)


def _known_people(patch: Patch, files: Files, versions: ReadVersions) -> list[Person]:
    """Those whose addresses the base shows: in the files that the patch changes (other kernels' too), and in its lists
    of people."""
    others = [content for file in patch.files for content in versions(file.path)]
    changed = b"\n".join([*(files.before(file) or b"" for file in patch.files), *others])
    listed = b"\n".join(files.read(path) or b"" for path in PEOPLE)
    return [*addresses.people_in(changed, SOMEBODY), *addresses.others(listed)]


def _each(headers: Sequence[FileDiff], files: Files, restore: Callable[[FileDiff, bytes | None], Restoration]) -> Tried:
    trial = files.trial_of_patch()
    results: list[Restoration] = []
    for file in headers:
        for base in trial.bases(file):
            result = restore(file, base)
            if result.found:
                trial.put(result.file, result.post)
                break
        results.append(result)
    return trial, results


def _by_ids(
    headers: Sequence[FileDiff],
    files: Files,
    blobs: Blobs,
    restore: Callable[[FileDiff, bytes, bytes], Restoration | None],
) -> dict[str, Restoration]:
    """The files of a patch, by their paths, that are at hand as they were before and after it; none where two of its
    diffs change one file."""
    if len({file.path for file in headers}) != len(headers):
        return {}
    out: dict[str, Restoration] = {}
    for file in headers:
        made = blobs.read(file.new_blob)
        base = files.exact(file) if made is not None else None
        if made is not None and base is not None and (found := restore(file, base, made)):
            out[file.path] = found
    return out


def _repaired(loose: Sequence[LooseFile], files: Files, known: Known) -> Tried:
    """Each file with its damage undone."""
    of = {id(file.header): file for file in loose}
    headers = [file.header for file in loose]
    made = _by_ids(headers, files, known.blobs, lambda file, base, made: repair_made(of[id(file)], base, made))
    return _each(
        headers, files, lambda file, base: made.get(file.path) or restore_loose(of[id(file)], base, known.people)
    )


def _styled(headers: Sequence[FileDiff], files: Files, known: Known) -> Tried:
    """Each file with its white space read by style; those that were not proven once more where they share lines with
    others that were."""
    pairs = [(file, files.before(file) or b"") for file in headers]
    beside = replace(
        elsewhere(pairs, known.people).before(known.added.lines()),
        versions={file.path: having(file, base, known.versions(file.path)) for file, base in pairs},
        recent=known.recent,
    )
    restore = partial(restore_file, bound=known.bound, beside=beside)
    trial, results = _each(headers, files, lambda file, base: known.kept.get(file.path) or restore(file, base))
    taught = {text: line for result in results if result.proven for text, line in added_lines(result.file).items()}
    again = {id(file) for file, result in zip(headers, results, strict=True) if may_learn(result, taught)}
    if not again:
        return trial, results
    told, first = beside.also(taught), {id(file): result for file, result in zip(headers, results, strict=True)}
    return _each(
        headers,
        files,
        lambda file, base: restore_file(file, base, AGAIN, beside=told) if id(file) in again else first[id(file)],
    )


def may_learn(result: Restoration, taught: Mapping[bytes, bytes]) -> bool:
    """Whether a file that was not proven has a line that was read otherwise in one that was."""
    if result.proven or not result.found:
        return False
    return any(taught.get(text, line) != line for text, line in added_lines(result.file).items())


class _Fit(IntEnum):
    """What became of all files of a patch together."""

    LACKING = 0  # one at least is not restored
    FOUND = 1
    PROVEN = 2


def _fit(tried: Tried) -> _Fit:
    results = tried[1]
    if not results or not all(result.found for result in results):
        return _Fit.LACKING
    return _Fit.PROVEN if all(result.proven for result in results) else _Fit.FOUND


def _as_received(file: FileDiff, base: bytes | None) -> Restoration:
    """The text as it stands, where it gives the blob that the patch names."""
    if file.new_blob and not file.binary and _counts_hold(file):
        outcome = apply_file(base if file.old_path else None, file, fuzz=0)
        if isinstance(outcome, Applied):
            if file.new_path is None:
                content = base or b""
                found = removal(file, content, b"" if file.hunks else content)
                return found if found.proven else replace(found, found=False)
            if outcome.post is not None and is_blob(outcome.post, file.new_blob):
                written = with_sections(file, base or b"")
                return Restoration(written, outcome.post, True, True, f"blob {file.new_blob} as received")
    return Restoration(file, None, False, False, "it does not fit as received")


def _counts_hold(file: FileDiff) -> bool:
    """Whether every hunk has the lines that its @@ says: a diff with others could not be read back."""
    return all(
        (len(hunk.old_lines()), len(hunk.new_lines())) == (hunk.old_count, hunk.new_count) for hunk in file.hunks
    )


def _letters_alone(file: FileDiff, base: bytes | None, people: Sequence[Person]) -> Restoration:
    """The text as it stands but for letters that were replaced."""
    ways = [] if file.binary or not file.hunks else lettered(file, base or b"", people)
    return with_letters(ways, lambda one, _bound=None: _as_it_stands(one, base)) or _as_received(file, base)


def _as_it_stands(file: FileDiff, base: bytes | None) -> Restoration:
    """The text as it stands, whatever it makes of the base."""
    found = _as_received(file, base)
    outcome = apply_file(base if file.old_path else None, file, fuzz=0)
    if found.proven or not isinstance(outcome, Applied) or not _counts_hold(file):
        return found
    exact = is_pre_image(base, file)
    why = f"it does not make blob {file.new_blob}" if exact and file.new_blob else other_blob(file, base or b"")
    return Restoration(file, outcome.post, True, False, why)
