"""Which postings are revisions of one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kpatch_tool.series import subject
from kpatch_tool.series.posting import Posting, identities

_Key = tuple[str, str, str]
_PREFIX = 24  # characters of a title that two spellings of it share (see subject.same_title)


def topics(found: Sequence[Posting]) -> list[list[Posting]]:
    """Postings that are revisions of one another, in groups; the group of the first posting first.

    Two are related when one person sent both, and they share a thread or a title; on a page that shows no ids, when one
    person sent both.
    """
    group = list(range(len(found)))
    seen: dict[_Key, int] = {}
    titles: dict[_Key, list[tuple[str, int]]] = {}
    for place, posting in enumerate(found):
        for key in _keys(posting):
            _join(group, seen.setdefault(key, place), place)
        for key, title in _titles(posting):
            known = titles.setdefault(key, [])
            for other, owner in known:
                if _root(group, owner) != _root(group, place) and subject.same_title(title, other):
                    _join(group, owner, place)
            if (title, _root(group, place)) not in known:
                known.append((title, _root(group, place)))
    gathered: dict[int, list[Posting]] = {}
    for place, posting in enumerate(found):
        gathered.setdefault(_root(group, place), []).append(posting)
    return list(gathered.values())


def _keys(posting: Posting) -> Iterator[_Key]:
    threads = {parent for post in posting.posts for parent in post.parents if parent} | posting.ids
    for person in identities(posting.sender):
        if not posting.ids:
            yield person, "page", ""
        for thread in threads:
            yield person, "thread", thread


def _titles(posting: Posting) -> Iterator[tuple[_Key, str]]:
    for person in identities(posting.sender):
        for post in posting.posts:
            yield (person, "title", subject.plain(post.tag.title)[:_PREFIX]), post.tag.title


def _root(group: list[int], place: int) -> int:
    while group[place] != place:
        group[place] = group[group[place]]
        place = group[place]
    return place


def _join(group: list[int], a: int, b: int) -> None:
    first, second = sorted((_root(group, a), _root(group, b)))
    group[second] = first
