"""Which postings are revisions of one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice

from kpatch_tool.series.postings.posts import Posting, identities, same_person
from kpatch_tool.series.reading import subject

_Key = tuple[str, str]
_PAGE = ""  # in the place of a thread's id
_PREFIX = 24  # characters of a title that two spellings of it share (see subject.same_title)
_MOST_ALIKE = 100  # titles of one beginning, or postings of one title, that are compared
_LONG_ENOUGH = 16  # letters of a title that two people do not choose by chance


def topics(found: Sequence[Posting], threads: Sequence[AbstractSet[str]]) -> list[list[Posting]]:
    """Postings that are revisions of one another, in groups; the group of the first posting first. `threads` are, for
    each, its ids and those of all above it (posts.threads_above).

    Two are related when

    - one takes patches from the other;
    - one run of git send-email sent both;
    - one answers the other with the same version and total;
    - one person sent both, and they share a title;
    - one person sent both as different revisions, in one thread or on a page that shows no ids;
    - different people sent different revisions under one title, or in one thread with a patch of one title.
    """
    groups = _Groups(found)
    for place, posting in enumerate(found):
        for other in (posting.continues, *posting.borrowed.values()):
            if other is not None:
                groups.join(place, groups.place_of(other))
    for place, posting in enumerate(found):
        for key, title, plain in _titles(posting):
            groups.by_title(key, title, plain, place)
        groups.by_threads(threads[place], place)
        for batch in {post.batch for post in posting.posts} - {""}:
            groups.by_batch(batch, place)
        groups.by_heading(posting, place)
        groups.by_patch(posting, place, threads)
        groups.by_answer(place)
    return groups.gathered()


class _Groups:
    """A union-find over the postings, with what leads from one to another."""

    def __init__(self, found: Sequence[Posting]) -> None:
        self._found = found
        self._group = list(range(len(found)))
        # Both are asked of every two postings of a title, and a posting counts its messages for them.
        self._versions = [posting.version for posting in found]
        self._on_page = [_on_a_page(posting) for posting in found]
        self._places = {id(posting): place for place, posting in enumerate(found)}
        self._titles: dict[_Key, dict[str, tuple[str, int]]] = {}
        self._threads: dict[str, dict[str, dict[tuple[int, str, bool], int]]] = {}
        self._owners: dict[str, int] = {}
        self._batches: dict[str, int] = {}
        self._headings: dict[str, list[int]] = {}
        self._patches: dict[str, list[int]] = {}

    def place_of(self, posting: Posting) -> int:
        return self._places[id(posting)]

    def by_title(self, key: _Key, title: str, plain: str, place: int) -> None:
        """`place` has a patch or cover of that title, which is `plain` in letters; `key` is its sender and the title's
        beginning."""
        known = self._titles.setdefault(key, {})
        if title in known:
            self.join(known[title][1], place)
            return
        for other, (letters, owner) in islice(known.items(), _MOST_ALIKE):
            # Titles that are one begin alike: what is asked of a hundred is asked of few.
            if (plain.startswith(letters) or letters.startswith(plain)) and subject.same_title(title, other):
                self.join(owner, place)
        known[title] = plain, place

    def by_threads(self, threads: AbstractSet[str], place: int) -> None:
        """`place` is in those threads. One of the same person and revision there is another series, unless a title says
        otherwise."""
        one = self._found[place]
        mine = (one.version, one.minor, one.resend)
        for person in identities(one.sender):
            known = self._threads.setdefault(person, {})
            for thread in (_PAGE, *threads) if self._on_page[place] else threads:
                if (revisions := known.get(thread)) is None:
                    known[thread] = {mine: place}
                    continue
                for revision, other in revisions.items():
                    if revision != mine:
                        self.join(other, place)
                        break
                if mine not in revisions:
                    revisions[mine] = place

    def by_answer(self, place: int) -> None:
        """It is a number of `k/N` sent twice, or "1.5/N", as an answer to the posting of N."""
        one = self._found[place]
        numbered = [post for post in one.own.values() if one.cover is None and post.tag.number is not None]
        for owner in {self._owners[post.parent] for post in numbered if post.parent in self._owners}:
            other = self._found[owner]
            alike = (other.total, other.version) == (one.total, one.version)
            if alike and same_person(other.sender, one.sender):
                self.join(owner, place)
        self._owners.update((id_, place) for id_ in one.ids)

    def by_batch(self, batch: str, place: int) -> None:
        """One run of git send-email sent it: a number may be there twice."""
        self.join(self._batches.setdefault(batch, place), place)

    def by_heading(self, posting: Posting, place: int) -> None:
        """Another person's later revision, under the same title."""
        heading = subject.plain(posting.title)
        if len(heading) < _LONG_ENOUGH:
            return
        known = self._headings.setdefault(heading, [])
        for other in known:
            if self._versions[other] != self._versions[place]:
                self.join(other, place)
        if len(known) < _MOST_ALIKE:
            known.append(place)

    def by_patch(self, posting: Posting, place: int, threads: Sequence[AbstractSet[str]]) -> None:
        """Another person's later revision, in one thread with a patch of the same title."""
        for title in {subject.plain(post.tag.title) for post in posting.own.values()}:
            if len(title) < _LONG_ENOUGH:
                continue
            known = self._patches.setdefault(title, [])
            for other in known:
                if self._versions[other] != self._versions[place] and self._near(other, place, threads):
                    self.join(other, place)
            if len(known) < _MOST_ALIKE:
                known.append(place)

    def _near(self, a: int, b: int, threads: Sequence[AbstractSet[str]]) -> bool:
        """Whether both are in one thread, or may be as far as a page shows."""
        return (self._on_page[a] and self._on_page[b]) or not threads[a].isdisjoint(threads[b])

    def root(self, place: int) -> int:
        group = self._group
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    def join(self, a: int, b: int) -> None:
        if self._group[a] == self._group[b]:
            return  # as nearly all are that many threads or titles join
        first, second = sorted((self.root(a), self.root(b)))
        self._group[second] = first

    def gathered(self) -> list[list[Posting]]:
        found: dict[int, list[Posting]] = {}
        for place, posting in enumerate(self._found):
            found.setdefault(self.root(place), []).append(posting)
        return list(found.values())


def _on_a_page(posting: Posting) -> bool:
    """Whether nothing tells what its messages answer."""
    return not posting.ids or all(post.unthreaded for post in posting.posts)


def _titles(posting: Posting) -> Iterator[tuple[_Key, str, str]]:
    for person in identities(posting.sender):
        for post in posting.posts:
            plain = subject.plain(post.tag.title)
            yield (person, plain[:_PREFIX]), post.tag.title, plain
