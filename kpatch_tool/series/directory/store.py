"""The directory of a series: written whole or not at all, read back, found by name.

    series.toml     what the other files cannot say (exactness, trailers from replies, dates of the cover, problems)
    cover.txt       the cover letter
    NNNN-*.patch    what `git am` takes
    series          quilt's list of them
    replies/        the mails that answer
    source/         the bytes as received, never altered

A person may write such a directory by hand: patch files are enough; a series.toml of two lines gives title and tree.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kpatch_tool import workspace
from kpatch_tool.diff import undecided
from kpatch_tool.errors import InputError
from kpatch_tool.mail import read
from kpatch_tool.mail.message import Address
from kpatch_tool.mail.read import Received, SourceFile
from kpatch_tool.series.directory import entries, files, ondisk
from kpatch_tool.series.directory.entries import MARKER, Asked
from kpatch_tool.series.model import Cover, Exactness, Patch, Reply, Series
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.reading.subject import parse
from kpatch_tool.system import atomic, lock
from kpatch_tool.text import some_of, spelt
from kpatch_tool.workspace import Workspace

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_LONGEST_FILE = 120


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A series directory that cannot be read; `why` is one line."""

    name: str
    why: str


def check_name(name: str, where: str = "--name") -> str:
    """`name`, if it can be a directory's and a git branch's name; raises InputError otherwise."""
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".lock", ".")):
        raise InputError(
            f"not a name for a series: {name!r}",
            where=where,
            todo="use up to 80 letters, digits and signs . _ + -, first a letter or digit, without .. in it, and at the"
            " end no . or .lock",
        )
    return name


def save(
    where: Workspace,
    series: Series,
    received: Received,
    *,
    force: bool = False,
    revision: int | None = None,
    sloppy: bool = False,
    pick: str = "",
) -> tuple[Path, bool]:
    """Write series/NAME/ of the workspace; returns it and whether anything was written.

    `revision`, `sloppy` and `pick` are what was asked for (kept for `reread`). A directory that was made of the same
    bytes is left as it is. Raises InputError when another series has that name, or one that may not be read, unless
    `force`.
    """
    directory = where.series / check_name(series.name)
    stored = _stored_files(received)
    with lock.held(where.lock(f"series-{series.name}"), wait_seconds=10):
        if directory.exists() and not force:
            same = _same_source(directory, stored)
            if same and _asked_alike(directory, (revision, sloppy, pick), series.tree):
                return directory, False
            how = "of the same source, imported with other options" if same else "from another source"
            raise InputError(
                f"there is a series of that name, {how}",
                where=str(directory),
                todo="choose another --name, or replace it with --force",
            )
        with atomic.staged_directory(directory) as stage:
            asked = Asked(received.patch_files, revision, sloppy, pick, received.origins)
            _write(stage, series, [name for name, _ in stored], asked)
            for name, data in stored:
                atomic.write_bytes(stage / "source" / name, data)
    return directory, True


def save_patches(directory: Path, series: Series) -> None:
    """Write `series` over its directory (after restoring): patches and series.toml, whole or not at all.

    source/ and files that are not kpt's are kept. Raises InputError where one of these is no file, link or directory.
    """
    with lock.held(_lock_of(directory), wait_seconds=10):
        old = _table(directory)
        with atomic.staged_directory(directory) as stage:
            try:
                atomic.copy_tree(directory, stage)
            except shutil.Error as error:
                raise InputError(f"cannot be copied: {error.args[0][0][2]}", where=str(directory)) from error
            for name in _patch_names(directory, old):
                (stage / name).unlink(missing_ok=True)
            _write(stage, series, ondisk.strings(old, "source"), Asked.of(old))


def load(directory: Path) -> Series:
    """The series in a directory. Raises InputError when it is none, a file of it cannot be read, or two of its patches
    have one number."""
    table = _table(directory)
    told = {str(entry.get("file", "")): entry for entry in entries.tables(table, "patch")}
    listed = _patch_names(directory, table)
    if not listed:
        raise InputError("the series has no patches", where=str(directory), todo="import it again")
    name = check_name(directory.resolve().name, str(directory))  # it becomes a branch's
    patches = []
    revision = total = 0
    for place, file in enumerate(listed, start=1):
        patch, tag_revision, tag_total = _load_patch(directory, file, place, told.get(file, {}))
        revision, total = revision or tag_revision, max(total, tag_total)
        patches.append(patch)
    _refuse_equal_numbers(directory, listed, patches)
    cover = _load_cover(directory, table)
    title = table.get("title")
    return Series(
        name=name,
        title=str(title) if title else (cover.subject if cover else patches[0].subject),
        revision=ondisk.number(table, "revision") or revision or 1,
        total=ondisk.number(table, "total") or max(total, len(patches)),
        cover=cover,
        patches=entries.attested(patches, table),
        replies=tuple(_load_reply(directory, entry) for entry in entries.tables(table, "reply")),
        problems=ondisk.strings(table, "problems"),
        tree=entries.tree(table),
    )


def reread(directory: Path, revision: int | None = None) -> Series:
    """The series as received, read from source/ again, or its `revision`.

    Raises InputError when source/ is not there, or has no such revision.
    """
    from kpatch_tool.series.assemble import assemble

    table = _table(directory)
    received = received_of(directory)
    asked = Asked.of(table)
    series = assemble(
        received.messages,
        where=str(directory / "source"),
        name=directory.resolve().name,
        revision=asked.revision if revision is None else revision,
        in_order=asked.ordered,
        sloppy=asked.sloppy,
        pick=asked.pick,
    )
    series = replace(series, tree=entries.tree(table))
    if series.revision != table.get("revision"):
        return series
    # What was known at the import only: signatures, and what was wrong with the source.
    problems = ondisk.strings(table, "problems") if "problems" in table else series.problems
    return replace(series, patches=entries.attested(series.patches, table), problems=problems)


def received_of(directory: Path) -> Received:
    """The mails of source/. Raises InputError when it is not there."""
    source = directory / "source"
    loaded = []
    try:
        for name in ondisk.strings(_table(directory), "source"):
            loaded.append(SourceFile(name, ondisk.contents(directory, f"source/{name}")))
    except FileNotFoundError as error:
        raise _no_source(Path(error.filename)) from error
    if not loaded:
        raise _no_source(source)
    return read.read_files([file for file in loaded if file.path != "series"], where=str(source))


def _no_source(path: Path) -> InputError:
    return InputError("the source of the series is not there", where=str(path), todo="import it again")


def names(where: Workspace) -> tuple[str, ...]:
    """The names of the workspace's series, sorted."""
    if not where.series.is_dir():
        return ()
    return tuple(
        sorted(p.name for p in where.series.iterdir() if not p.name.startswith(".") and (_marked(p) or _by_hand(p)))
    )


def _marked(directory: Path) -> bool:
    try:
        return (directory / MARKER).is_file()
    except PermissionError:  # a series, perhaps; reading it will say so
        return True


def _by_hand(directory: Path) -> bool:
    """Whether it holds patch files, which is enough for a series."""
    return next(directory.glob("*.patch"), None) is not None


def load_all(where: Workspace) -> tuple[Series | Unreadable, ...]:
    """Every series of the workspace, by name; one that cannot be read does not hide the others."""
    return tuple(_load_or_tell(where.series / name) for name in names(where))


def _load_or_tell(directory: Path) -> Series | Unreadable:
    try:
        return load(directory)
    except InputError as error:
        return Unreadable(directory.name, error.line())


def patch_of(series: Series, number: int) -> Patch:
    """The patch called `number`. Raises InputError when the series has none."""
    patch = series.patch(number)
    if patch is None:
        raise InputError(
            f"no patch {number} in the series",
            where=series.name,
            todo=f"it has {spelt([patch.number for patch in series.patches])}",
        )
    return patch


def find(where: Workspace, name_or_path: str) -> Path:
    """The directory of a series given by its name or its path (from here, or from the workspace's root).

    Raises InputError, with the names there are, when there is none.
    """
    given = name_or_path.rstrip("/") or name_or_path
    candidates = (Path(given), where.root / given, where.series / given)
    for is_series in (_marked, _by_hand):  # a directory of mails called like a series does not hide that one
        for candidate in candidates:
            with contextlib.suppress(OSError, ValueError):
                if is_series(candidate):
                    return candidate.resolve()
    known = names(where)
    with contextlib.suppress(OSError, ValueError):
        if given and Path(given).name == given and (where.series / given).is_dir():
            raise InputError("there is no patch in it", where=str(where.series / given), todo="import it, or remove it")
    there = some_of(known, given, others="kpt list")
    todo = f"there is: {there}" if known else "import one: kpt import FILE --name NAME"
    raise InputError("no such series", where=name_or_path, todo=todo)


def name_of(name_or_path: str) -> str:
    """The name of a series given by its name or its directory, which may be gone."""
    path = Path(name_or_path)
    if path.name == name_or_path:
        return name_or_path
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        return path.resolve().name
    return path.name


def _lock_of(directory: Path) -> Path:
    with contextlib.suppress(InputError):
        return workspace.find(directory).lock(f"series-{directory.resolve().name}")
    return directory.resolve().parent / f".{directory.resolve().name}.lock"


def _write(stage: Path, series: Series, source: Sequence[str], asked: Asked) -> None:
    listed = _distinct([files.file_name(patch.number, patch.subject) for patch in series.patches])
    replies = [f"replies/{place:04d}.txt" for place in range(1, len(series.replies) + 1)]
    if series.cover:
        atomic.write_text(stage / "cover.txt", files.cover_text(series.cover, series.revision, series.total))
    for name, patch in zip(listed, series.patches, strict=True):
        atomic.write_bytes(stage / name, files.patch_text(patch, series.revision, series.total))
    for name, reply in zip(replies, series.replies, strict=True):
        atomic.write_text(stage / name, files.reply_text(reply))
    lines = (files.quilt_line(name, patch) for name, patch in zip(listed, series.patches, strict=True))
    atomic.write_text(stage / "series", "".join(lines))
    atomic.write_text(stage / MARKER, entries.document(series, listed, replies, source, asked))


def _load_patch(directory: Path, file: str, place: int, entry: Mapping[str, Any]) -> tuple[Patch, int, int]:
    """A patch file with what series.toml says of it, and the revision and total its subject names (0: none)."""
    path = directory / file
    try:
        data = ondisk.contents(directory, file)
    except FileNotFoundError:
        raise InputError("the patch file is not there", where=str(path), todo="import the series again") from None
    message = next(read.parse(data, str(path)))
    exactness = entries.exactness(entry, path)
    damage = entries.damage(entry)
    lost = damage if exactness is Exactness.DAMAGED else frozenset()
    tag = parse(message.subject)
    number = ondisk.number(entry, "number") or place
    patch = read_patch(
        replace(message, damage=lost), number, replied=entries.replied(entry), kept=exactness is not None
    )
    if exactness is not None:
        patch = replace(
            patch,
            exactness=exactness,
            why=str(entry.get("why", patch.why)),
            ambiguous=tuple(map(undecided.read, ondisk.strings(entry, "ambiguous"))),
            damage=damage,
        )
    return patch, tag.revision or 0, tag.total or 0


def _refuse_equal_numbers(directory: Path, listed: Sequence[str], patches: Sequence[Patch]) -> None:
    """A number names a patch everywhere: in options, states and verdicts."""
    known: dict[int, str] = {}
    for file, patch in zip(listed, patches, strict=True):
        if patch.number in known:
            what = f"two patches have the number {patch.number}: {known[patch.number]} and {file}"
            raise InputError(what, where=str(directory / MARKER), todo="give every patch a `number` of its own")
        known[patch.number] = file


def _load_cover(directory: Path, table: Mapping[str, Any]) -> Cover | None:
    entry = table.get("cover")
    try:
        text = ondisk.contents(directory, "cover.txt").decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    if not isinstance(entry, dict):
        first = text.strip().splitlines()
        return Cover(first[0] if first else "", Address("", ""), None, text.removesuffix("\n"))
    return entries.cover(entry, files.letter_body(text))


def _load_reply(directory: Path, entry: Mapping[str, Any]) -> Reply:
    text = ""
    with contextlib.suppress(FileNotFoundError):
        text = ondisk.contents(directory, str(entry.get("file", ""))).decode("utf-8", "replace")
    return entries.reply(entry, files.letter_body(text))


def _table(directory: Path) -> dict[str, Any]:
    try:
        return ondisk.table(directory, MARKER)
    except FileNotFoundError:
        if _by_hand(directory):
            return {}
        raise InputError("not a series: no patch files in it", where=str(directory), todo="import one") from None


def _patch_names(directory: Path, table: Mapping[str, Any]) -> list[str]:
    """The patch files of a series in order: as series.toml lists them, else as quilt's list does, else by name."""
    listed = [str(entry["file"]) for entry in entries.tables(table, "patch") if "file" in entry]
    if not listed:
        from kpatch_tool.mail.directories import quilt_names

        with contextlib.suppress(FileNotFoundError):
            listed = quilt_names(ondisk.contents(directory, "series"))
    outside = next((name for name in listed if Path(name).name != name), None)
    if outside is not None:
        raise InputError(f"{outside!r} is not a file of this directory", where=str(directory / MARKER))
    return listed or sorted(path.name for path in directory.glob("*.patch"))


def _stored_files(received: Received) -> list[tuple[str, bytes]]:
    """The received files under names that are safe below source/."""
    safe = _distinct([safe_path(file.path) for file in received.files])
    return [(name, file.data) for name, file in zip(safe, received.files, strict=True)]


def safe_path(path: str) -> str:
    """A relative path without control characters, blanks, leading dots, `..` or overlong parts."""
    parts = [re.sub(r"[^A-Za-z0-9._,:=+@-]+", "_", part).lstrip(".")[-_LONGEST_FILE:] for part in path.split("/")]
    return "/".join(part for part in parts if part) or "file"


def _distinct(wanted: Sequence[str]) -> list[str]:
    """`wanted` with a number added to names that come again."""
    seen: set[str] = set()
    tried: dict[str, int] = {}  # name -> the last number it was tried with
    out = []
    for name in wanted:
        stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
        candidate = name
        while candidate.lower() in seen:
            count = tried[name.lower()] = tried.get(name.lower(), 1) + 1
            candidate = f"{stem}-{count}{dot}{suffix}"
        seen.add(candidate.lower())
        out.append(candidate)
    return out


def _same_source(directory: Path, stored: Sequence[tuple[str, bytes]]) -> bool:
    try:
        table = _table(directory)
        same = all(ondisk.contents(directory, f"source/{name}") == data for name, data in stored)
    except ondisk.Forbidden:
        raise
    except (OSError, InputError):
        return False
    return same and ondisk.strings(table, "source") == tuple(name for name, _ in stored)


def _asked_alike(directory: Path, wanted: tuple[int | None, bool, str], tree: str | None) -> bool:
    table = _table(directory)
    asked = Asked.of(table)
    return (asked.revision, asked.sloppy, asked.pick) == wanted and tree in (None, table.get("tree"))
