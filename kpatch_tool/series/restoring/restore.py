"""Gives the patches of a series their bytes back, each against the files as the patches before it left them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from kpatch_tool.diff.apply import Applied, Conflict, apply_file
from kpatch_tool.diff.blob import is_blob, is_pre_image
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.printer import format_diff, second_reading
from kpatch_tool.restore import addresses
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.style.structure import RecentFiles
from kpatch_tool.restore.styled import Restoration
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.reading.undone import NOT_COMPARED, told
from kpatch_tool.series.restoring.diffstat import laid_out
from kpatch_tool.series.restoring.guessed import Guesses
from kpatch_tool.series.restoring.preimages import Blobs, Files, ReadBase, ReadBlob, ReadVersions
from kpatch_tool.series.restoring.tries import AGAIN, SOMEBODY, Added, Known, best, may_learn
from kpatch_tool.text import plural

_SUBMODULE = "160000"  # its mode (gitglossary(7), "gitlink")
_SURE = frozenset({Exactness.INTACT, Exactness.PROVEN})


def needs_restoring(series: Series) -> bool:
    """Whether a patch of `series` is not the author's bytes for sure."""
    return any(patch.exactness not in _SURE for patch in series.patches)


def restore_series(
    series: Series,
    read_base: ReadBase,
    read_blob: ReadBlob = lambda _id: None,
    read_versions: ReadVersions = lambda _path: (),
) -> Series:
    """`series` (as received: from `store.reread`) with every patch restored as far as the base tells.

    `read_base` gives the content of a file of the base by its path, None where there is none; each path is asked for
    once. `read_blob` gives the content of a blob by the beginning of its id, None where it is not at hand: where the
    history is in which a patch was taken, the files are that it was made for, and those that it makes. `read_versions`
    gives what other kernels have under a path: most lines of a patch that was taken stand there as they were added.

    Proven patches are passed through, and so are intact ones. Where the base is their exact pre-image and they do not
    make of it the blob they name, something happened to them as well, which is undone or told. What is passed
    through changes the files that later ones see. A patch of which one file does not fit stays damaged as a whole, with
    the reason. One that was not proven is read once more where a later one, which was, has the same lines.
    """
    blobs = Blobs(read_blob)
    files = Files(cache(read_base), blobs)
    known = Known(_people(series), Added(), blobs, cache(read_versions), RecentFiles())
    done = _first_pass(series.patches, files.trial(), known)
    rereading = _worth_rereading(done)
    if any(rereading):
        done = _second_pass(series.patches, done, rereading, files.trial(), known)
    return replace(series, patches=tuple(one.patch for one in done))


@dataclass(frozen=True, slots=True)
class _Done:
    """A patch after its restoration, with what became of its files; none where it is passed through."""

    patch: Patch
    results: Sequence[Restoration] = ()


def _first_pass(patches: Sequence[Patch], files: Files, known: Known) -> list[_Done]:
    """Each patch restored with what the sure ones before it tell."""
    guesses = Guesses()
    out: list[_Done] = []
    for patch in patches:
        out.append(_patch(patch, files, known, guesses))
        if out[-1].patch.exactness in _SURE:
            known.added.take(out[-1].patch)
    return out


def _worth_rereading(done: Sequence[_Done]) -> list[bool]:
    """For each patch whether it is not proven and a later sure one has a line of its own otherwise."""
    later = Added()
    out: list[bool] = []
    for one in reversed(done):
        sure = one.patch.exactness in _SURE
        out.append(not sure and any(may_learn(result, later.lines()) for result in one.results))
        if sure:
            later.take(one.patch)
    return out[::-1]


def _second_pass(
    patches: Sequence[Patch], before: Sequence[_Done], rereading: Sequence[bool], files: Files, known: Known
) -> list[_Done]:
    """Each patch restored again that is worth it, or whose file an earlier patch makes otherwise now; the first pass's
    result for the others."""
    guesses = Guesses()
    changed: set[str] = set()
    out: list[_Done] = []
    for patch, was, again in zip(patches, before, rereading, strict=True):
        if was.patch.exactness in _SURE:
            out.append(_patch(was.patch, files, known, guesses))
            continue
        other_base = any(_touches(file, changed) for file in patch.files)
        if other_base or again:
            kept = {
                result.file.path: result
                for result in was.results
                if result.proven and not _touches(result.file, changed)
            }
            whole = len({file.path for file in patch.files}) == len(patch.files)
            bound = None if other_base else AGAIN
            one = _patch(patch, files, replace(known, bound=bound, kept=kept if whole else {}), guesses)
            changed.update(_other_files(was.results, one.results))
        else:
            trial = files.trial_of_patch()
            for result in was.results:
                if result.found:
                    trial.put(result.file, result.post)
            files.take(trial)
            one = replace(was, patch=guesses.followed(_judged(patch, was.results), was.results)) if was.results else was
        out.append(one)
    return out


def _touches(file: FileDiff, paths: set[str]) -> bool:
    """Whether a file diff starts from one of these files, or makes one."""
    return file.old_path in paths or file.new_path in paths


def _other_files(before: Sequence[Restoration], after: Sequence[Restoration]) -> Iterator[str]:
    """The paths of the files that two restorations of a patch make otherwise."""
    posts = {result.file.new_path: result.post for result in before}
    for result in after:
        path = result.file.new_path
        if path and posts.get(path) != result.post:
            yield path


def _people(series: Series) -> tuple[Person, ...]:
    """Everybody whose address the series shows."""
    found: dict[str, Person] = {}
    for patch in series.patches:
        if patch.author.email:
            found.setdefault(patch.author.email, _person(patch.author.name, patch.author.email))
        texts = [patch.message, *(f"{trailer.key}: {trailer.value}" for trailer in patch.trailers)]
        for person in addresses.people_in("\n".join(texts).encode("utf-8", "replace"), SOMEBODY):
            found.setdefault(person.address.decode("utf-8", "replace"), person)
    for reply in series.replies:
        if reply.author.email:
            found.setdefault(reply.author.email, _person(reply.author.name, reply.author.email))
    return tuple(found.values())


def _person(name: str, email: str) -> Person:
    return Person(name.encode("utf-8", "replace"), email.encode("utf-8", "replace"), SOMEBODY)


def _patch(patch: Patch, files: Files, known: Known, guesses: Guesses) -> _Done:
    if patch.exactness in _SURE:
        return _Done(_sure(patch, files, known))
    if not patch.files and not read_loose(patch.received or patch.diff):
        return _Done(replace(patch, exactness=Exactness.DAMAGED, why=patch.why or "its diff could not be read"))
    trial, results = best(patch, files, known)
    files.take(trial)
    return _Done(guesses.followed(_judged(patch, results), results), results)


def _sure(patch: Patch, files: Files, known: Known) -> Patch:
    """An intact or proven patch as it is. Where its exact pre-image is at hand, and what an intact one makes of that is
    not what it names: with some damage undone, where that makes it, else with that for its reason."""
    trial = files.trial_of_patch()
    against: list[str] = []
    for file in patch.files:
        for before in trial.bases(file):
            outcome = apply_file(before, file, fuzz=0)
            against += [f"{file.path}: {why}" for why in _refuted(file, before, outcome)]
            if isinstance(outcome, Applied):
                trial.put(file, outcome.post)
                break
    if against and patch.exactness is Exactness.INTACT:
        other, results = best(patch, files, known)
        if results and all(result.proven for result in results):
            files.take(other)
            return _judged(patch, results)
        patch = replace(patch, why="; ".join(dict.fromkeys(against)))
    files.take(trial)
    return patch


def _refuted(file: FileDiff, before: bytes | None, outcome: Applied | Conflict) -> Iterator[str]:
    """Why a file diff cannot be what its author sent, in words, where `before` is the very file that it names."""
    is_there = file.old_path is None and before is not None  # and the patch is not to blame
    of_commit = _SUBMODULE in {file.old_mode, file.new_mode}  # whose id is that of a commit
    if is_there or of_commit or not (file.new_blob and (file.hunks or file.payload) and is_pre_image(before, file)):
        return
    if isinstance(outcome, Conflict):
        yield "it does not fit the very file that its index line names: edited by hand, or damaged"
    elif file.new_path and not is_blob(outcome.post or b"", file.new_blob):
        yield "of the very file that its index line names it makes another: edited by hand, or damaged"


def _judged(patch: Patch, results: Sequence[Restoration]) -> Patch:
    lost = [result for result in results if not result.found]
    if lost:
        return replace(patch, exactness=Exactness.DAMAGED, why=_reasons(lost), ambiguous=())
    restored = tuple(result.file for result in results)
    diff = format_diff(restored)
    differs = second_reading(diff, restored)
    if differs:
        return replace(patch, exactness=Exactness.DAMAGED, why=f"restored, but read back wrongly: {differs}")
    undone = [pair for result in results for pair in result.undone]
    done = replace(
        patch,
        diff=diff,
        files=restored,
        note=laid_out(patch.note),
        ambiguous=tuple(line for result in results for line in result.ambiguous),
        damage=patch.damage | {damage for damage, _ in undone},
        received=b"",
    )
    words = told(undone) or (patch.why.removesuffix(NOT_COMPARED) if patch.why.endswith(NOT_COMPARED) else "")
    said = f" ({words})" if words else ""
    unsure = [result for result in results if not result.proven]
    if unsure:
        return replace(done, exactness=Exactness.MATCHED, why=_reasons(unsure) + said)
    blobs = plural(len(restored), "file has", "files have")
    return replace(
        done, exactness=Exactness.PROVEN, why=f"restored; {blobs} the blob id the patch names{said}", ambiguous=()
    )


def _reasons(results: Sequence[Restoration]) -> str:
    """The reasons of files, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for result in results:
        by_reason.setdefault(result.why, []).append(result.file.path)
    return "; ".join(f"{', '.join(paths)}: {why}" for why, paths in by_reason.items())
