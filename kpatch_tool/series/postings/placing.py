"""Which posting a patch belongs to, of those that were found before it. docs/series.md gives the rules."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from operator import itemgetter

from kpatch_tool.series.postings.posts import Post, Posting, identities, same_person

NEAR = timedelta(days=7)  # between posts of one posting that no header connects
_NEAR_BEYOND = timedelta(weeks=13)  # for a number beyond the total
AT_ONCE = timedelta(hours=1)  # between posts of one run of git send-email whose tags differ
_ONE_RUN = timedelta(minutes=5)  # the same where no header tells
LATEST = 12  # of a sender's postings that a patch without thread headers is compared with


class Index:
    """The postings found so far, with ways to those that a patch may belong to (a mailbox holds thousands)."""

    def __init__(self, patches: Sequence[Post]) -> None:
        self.found: list[Posting] = []
        self._answering = {(post.parent, post.tag.number) for post in patches if post.parent}
        self._counted = {(post.parent, post.tag.total) for post in patches if post.parent}
        self._tagged = {(post.parent, *_tagged(post)) for post in patches if post.parent}
        self._by_link: dict[str, list[Posting]] = {}
        self._by_sender: dict[tuple[str, int | None], list[tuple[datetime, int, Posting]]] = {}  # by time
        self._links: dict[int, set[str]] = {}
        self._ids: dict[int, set[str]] = {}
        self._anchors: dict[int, set[int]] = {}
        self._tops: dict[int, set[int]] = {}
        self._covers: set[str] = set()

    def add(self, posting: Posting) -> None:
        """One more posting, with what is in it already."""
        self.found.append(posting)
        for known in (self._links, self._ids):
            known[id(posting)] = set()
        for around in (self._anchors, self._tops):
            around[id(posting)] = set()
        if posting.cover:
            self._covers.add(posting.cover.message.message_id)
        for post in posting.posts:
            self.know(post, posting)
        entry = (posting.when, len(self.found), posting)
        for name in identities(posting.sender):
            for total in (posting.total, None):
                insort(self._by_sender.setdefault((name, total), []), entry)

    def know(self, post: Post, posting: Posting) -> None:
        """`post` is in `posting` now."""
        around = self.around(post) - {id(posting)}
        self._anchors[id(posting)] |= self.above(around)
        for other in around:
            self._tops[id(posting)] |= self._tops[other] or {other}
        self._ids[id(posting)].add(post.message.message_id)
        for link in post.links - self._links[id(posting)]:
            self._links[id(posting)].add(link)
            self._by_link.setdefault(link, []).append(posting)

    def is_cover(self, message_id: str) -> bool:
        """Whether it is a cover letter's id."""
        return message_id != "" and message_id in self._covers

    def has_own(self, posting: Posting, post: Post) -> bool:
        """Whether a patch of the number of `post` answers the cover of `posting`, be it placed already or not."""
        cover = posting.cover.message.message_id if posting.cover else ""
        return (cover, post.tag.number) in self._answering

    def is_counted(self, posting: Posting) -> bool:
        """Whether a patch that answers the cover of `posting` counts as it does, be it placed already or not."""
        return posting.cover is not None and (posting.cover.message.message_id, posting.total) in self._counted

    def has_better(self, posting: Posting, post: Post) -> bool:
        """Whether another patch of the number of `post`, which answers the cover of `posting` as it does, has the
        cover's total and version, which this one has not."""
        if posting.cover is None:
            return False
        wanted = (post.tag.number, *_tagged(posting.cover)[1:])
        return _tagged(post) != wanted and (posting.cover.message.message_id, *wanted) in self._tagged

    def around(self, post: Post) -> set[int]:
        """The postings (their ids as objects) in whose thread a post is."""
        return {id(one) for link in post.links for one in self._by_link.get(link, [])[-LATEST:]}

    def above(self, postings: set[int]) -> set[int]:
        """`postings` and those at the top of the threads in which they were sent."""
        return postings.union(*(self._tops[one] for one in postings))

    def anchors(self, posting: Posting) -> set[int]:
        """The other postings in whose threads it was sent."""
        return self._anchors[id(posting)]

    def answers(self, post: Post, posting: Posting) -> bool:
        """Whether `post` answers a mail of `posting` itself."""
        return post.parent != "" and post.parent in self._ids[id(posting)]

    def links(self, posting: Posting) -> AbstractSet[str]:
        """All that connects the posts of `posting` with others."""
        return self._links[id(posting)]

    def near(self, post: Post) -> list[Posting]:
        """The postings that `post`, a patch, may belong to: of its thread, or its sender's latest before it and the
        first after it (its clock may be wrong; whole runs are known from the beginning)."""
        close = [one for link in post.links for one in self._by_link.get(link, [])[-LATEST:]]
        for name in identities(post.sender):
            for total in (post.tag.total or 1, None):
                known = self._by_sender.get((name, total), [])
                place = bisect_right(known, post.when, key=itemgetter(0))
                close += [entry[2] for entry in known[max(0, place - LATEST) : place + 1]]
        if post.unthreaded and _is_beyond(post):
            counted = [one for one in self.found[-LATEST:] if one.total == post.tag.total]
            close += counted if len(counted) == 1 else []
        return list(dict.fromkeys(close))


def join(index: Index, post: Post) -> None:
    """Put a patch into the posting of `index` that it fits best, or into a new one of its own."""
    number, total = post.tag.number or 1, post.tag.total or 1
    fitting = [posting for posting in index.near(post) if _fits(index, posting, post)]
    if not fitting:
        index.add(Posting(post.sender, total, None, {number: post}))
        return
    best = fitting[0] if len(fitting) == 1 else max(fitting, key=lambda one: _closeness(index, one, post))
    if not best.patches:
        best.total = total  # the cover may have counted otherwise
    best.patches[number] = post
    index.know(post, best)


def _tagged(post: Post) -> tuple[int | None, int | None, int | None, str]:
    tag = post.tag
    return tag.number, tag.total, tag.revision, tag.minor


def _fits(index: Index, posting: Posting, post: Post) -> bool:
    """Whether a patch belongs to a posting; docs/series.md gives the rules in this order."""
    if (post.tag.number or 1) in posting.patches:
        return False
    introduced = _answers_cover(posting, post)
    if introduced and index.has_better(posting, post):
        return False
    if not _counts_alike(index, posting, post, introduced):
        return False
    return (introduced or _is_connected(index, posting, post)) and _same_revision(posting, post, introduced)


def _counts_alike(index: Index, posting: Posting, post: Post, introduced: bool) -> bool:
    if post.tag.number is None:
        return introduced and posting.total <= 1
    if posting.unnumbered:
        return False  # "[PATCH 2/1]" after "[PATCH]" is a posting of its own
    if posting.total != post.tag.total and (not introduced or posting.patches or index.is_counted(posting)):
        return False  # and so is "[PATCH 14/17]" after "[PATCH 13/7]"
    return introduced or posting.resend == post.tag.resend or _comes_next(posting, post)


def _comes_next(posting: Posting, post: Post) -> bool:
    """Whether a patch is the next one of a run of git send-email on a page that does not show what it answers."""
    return post.unthreaded and _is_next(posting, post) and _is_within(_ONE_RUN, posting, post)


def _is_next(posting: Posting, post: Post) -> bool:
    return post.tag.number == max(posting.patches, default=0) + 1


def _is_connected(index: Index, posting: Posting, post: Post) -> bool:
    """By headers, or, where those say nothing, by sender and time."""
    if index.answers(post, posting):
        return True
    if not same_person(posting.sender, post.sender) and not _goes_beyond(posting, post):
        return any(post.parent == other.parent != "" for other in posting.own.values())
    if index.links(posting) & post.links:
        return True
    if index.is_cover(post.parent):
        return False  # of another posting
    if around := index.around(post):
        around = index.above(around)
        return bool(around & index.anchors(posting))  # both answer the same earlier postings, or not
    near = _NEAR_BEYOND if _goes_beyond(posting, post) else NEAR
    undated = not (post.message.date and posting.posts[-1].message.date)
    return (undated or abs(post.when - posting.when) < near) and not index.has_own(posting, post)


def _is_beyond(post: Post) -> bool:
    return (post.tag.number or 0) > (post.tag.total or 1)


def _goes_beyond(posting: Posting, post: Post) -> bool:
    """Whether somebody adds a patch ("9/8") to a posting of a page that does not show what it answers."""
    return post.unthreaded and _is_beyond(post) and _is_next(posting, post)


def _same_revision(posting: Posting, post: Post, introduced: bool) -> bool:
    known, said = (posting.revision, posting.minor), (post.tag.revision, post.tag.minor)
    if known == said:
        return True
    if _is_counted_together(posting, post) and (post.versioned_alone or _versioned_alone(posting)):
        return True
    # Tags forgotten or mistyped in a run of git send-email.
    answers = introduced or post.parent in posting.ids or any(post.parent == one.parent != "" for one in posting.posts)
    unthreaded = post.unthreaded and all(one.unthreaded for one in posting.posts)
    lost = unthreaded and _is_within(_ONE_RUN, posting, post)
    one_untagged = None in (known[0], said[0]) or post.versioned_alone
    if not posting.patches:
        return introduced or (lost and one_untagged)
    mistyped = introduced or (lost and _is_next(posting, post))
    return (answers or lost) and _is_within(AT_ONCE, posting, post) and (one_untagged or mistyped)


def _is_counted_together(posting: Posting, post: Post) -> bool:
    """Whether a patch was sent with those of `posting`, which has as many patches as it says."""
    return bool(posting.patches) and posting.total == post.tag.total and _is_within(AT_ONCE, posting, post)


def _versioned_alone(posting: Posting) -> bool:
    return all(one.versioned_alone for one in posting.own.values())


def _is_within(time: timedelta, posting: Posting, post: Post) -> bool:
    """Whether a patch was sent so soon after (or before) the last one of `posting`; on a page without dates, whether it
    stands next to one of it there."""
    last = posting.posts[-1]
    if post.message.archive and not (post.message.date or last.message.date):
        return any(abs(post.order - one.order) == 1 for one in posting.posts)
    return abs(post.when - last.when) < time


def _answers_cover(posting: Posting, post: Post) -> bool:
    return posting.cover is not None and bool(post.parent) and posting.cover.message.message_id == post.parent


def _closeness(index: Index, posting: Posting, post: Post) -> tuple[bool, bool, bool, bool, int, float]:
    apart = abs((posting.when - post.when).total_seconds())
    together = post.batch != "" and post.batch in index.links(posting)
    linked = bool(index.links(posting) & post.links)
    alike = (posting.revision, posting.minor) == (post.tag.revision, post.tag.minor)
    # Of those that one run sent, one of which has a number twice.
    fuller = len(posting.patches) if (post.unthreaded or together) and _is_within(_ONE_RUN, posting, post) else 0
    return _answers_cover(posting, post), together, linked, alike, fuller, -apart
