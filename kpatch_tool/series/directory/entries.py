"""What series.toml says -> the parts of a series that no other file of its directory tells, and back.

A person may have written the file, or a stranger: values of another kind count as not there. Only an exactness that is
none is an error, since a reader would take the patch for better than it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kpatch_tool.errors import InputError
from kpatch_tool.mail.attestation import Attestation
from kpatch_tool.mail.message import Address, Damage
from kpatch_tool.series.directory import ondisk, toml
from kpatch_tool.series.model import Cover, Exactness, Patch, Reply, Series, Trailer
from kpatch_tool.series.people.attesting import documents, from_table

MARKER = "series.toml"
_COMMENT = "Written by kpt import. `tree` names the kernel tree the series is meant for."


@dataclass(frozen=True, slots=True)
class Asked:
    """How the messages of source/ are to be read: in their order, which revision, with others' trailers, which series;
    and where they are from (URLs, revisions)."""

    ordered: bool
    revision: int | None
    sloppy: bool
    pick: str = ""
    origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Asked:
        return cls(
            bool(table.get("ordered")),
            ondisk.number(table, "revision-asked"),
            bool(table.get("sloppy")),
            str(table.get("series-asked", "")),
            ondisk.strings(table, "from"),
        )


def document(series: Series, listed: Sequence[str], replies: Sequence[str], source: Sequence[str], asked: Asked) -> str:
    """The text of series.toml; `listed` are the files of the patches, `replies` those of the replies, `source` the ones
    below source/."""
    tables: list[tuple[str, toml.Table]] = []
    if series.cover:
        letter: toml.Table = {"subject": series.cover.subject, "message-id": series.cover.message_id or None}
        tables.append(("[cover]", {**letter, **_person(series.cover.author, series.cover.date)}))
    for name, patch in zip(listed, series.patches, strict=True):
        tables.append(("[[patch]]", _of_patch(name, patch)))
        tables += [("[[attestation]]", {"patch": patch.number, **one}) for one in documents(patch.attestation)]
    for name, reply in zip(replies, series.replies, strict=True):
        entry: toml.Table = {"file": name, "subject": reply.subject, "to-patch": reply.to_patch}
        tables.append(("[[reply]]", {**entry, **_person(reply.author, reply.date)}))
    head: toml.Table = {
        "title": series.title,
        "revision": series.revision,
        "total": series.total,
        "tree": series.tree,
        "problems": series.problems,
        "source": source,
        "from": asked.origins or None,
        "ordered": 1 if asked.ordered else None,
        "revision-asked": asked.revision,
        "sloppy": 1 if asked.sloppy else None,
        "series-asked": asked.pick or None,
    }
    return toml.document(head, tables, comment=_COMMENT)


def _of_patch(name: str, patch: Patch) -> toml.Table:
    given = [f"{trailer.key}: {trailer.value}" for trailer in patch.trailers if trailer.source == "reply"]
    return {
        "file": name,
        "number": patch.number,
        "exactness": patch.exactness.value,
        "why": patch.why,
        "ambiguous": [str(one) for one in patch.ambiguous] or None,
        "damage": sorted(damage.value for damage in patch.damage) or None,
        "replied": given or None,
    }


def _person(author: Address, date: datetime | None) -> toml.Table:
    return {"name": author.name, "email": author.email, "date": date.isoformat() if date else None}


def tables(table: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The tables called `name` of series.toml, in their order."""
    found = table.get(name, [])
    return (entry for entry in found if isinstance(entry, dict)) if isinstance(found, list) else iter(())


def tree(table: Mapping[str, Any]) -> str | None:
    """The kernel tree that the series is meant for."""
    return str(table["tree"]) if table.get("tree") else None


def damage(entry: Mapping[str, Any]) -> frozenset[Damage]:
    """What had happened to a patch's mail."""
    return frozenset(Damage(name) for name in ondisk.strings(entry, "damage") if name in set(Damage))


def exactness(entry: Mapping[str, Any], path: Path) -> Exactness | None:
    """What is known of the bytes of the patch file `path`; None where nothing is said. Raises InputError for a
    word that is no exactness."""
    if "exactness" not in entry:
        return None
    try:
        return Exactness(str(entry["exactness"]))
    except ValueError:
        known = ", ".join(Exactness)
        where = f"{path.parent / MARKER}, {path.name}"
        raise InputError(f"exactness {entry['exactness']!r} is none of {known}", where=where) from None


def replied(entry: Mapping[str, Any]) -> tuple[Trailer, ...]:
    """The trailers that replies gave to a patch."""
    return tuple(map(_given, ondisk.strings(entry, "replied")))


def _given(text: str) -> Trailer:
    key, _, value = text.partition(":")
    return Trailer(key.strip(), value.strip(), "reply")


def attested(patches: Iterable[Patch], table: Mapping[str, Any]) -> tuple[Patch, ...]:
    """The patches with what series.toml says of their signatures."""
    known: dict[int | None, list[Attestation]] = {}
    for entry in tables(table, "attestation"):
        if one := from_table(entry):
            known.setdefault(ondisk.number(entry, "patch"), []).append(one)
    return tuple(replace(patch, attestation=tuple(known.get(patch.number, ()))) for patch in patches)


def cover(entry: Mapping[str, Any], body: str) -> Cover:
    """The cover letter with the text `body`."""
    subject, message_id = str(entry.get("subject", "")), str(entry.get("message-id", ""))
    return Cover(subject, _author(entry), _date(entry), body, message_id)


def reply(entry: Mapping[str, Any], body: str) -> Reply:
    """A reply with the text `body`."""
    to_patch = ondisk.number(entry, "to-patch")
    return Reply(_author(entry), _date(entry), str(entry.get("subject", "")), to_patch, body)


def _author(entry: Mapping[str, Any]) -> Address:
    return Address(str(entry.get("name", "")), str(entry.get("email", "")))


def _date(entry: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(entry["date"]))
    except (KeyError, ValueError):
        return None
