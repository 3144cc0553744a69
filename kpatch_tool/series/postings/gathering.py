"""Which messages make one posting of a series. The rules are told in docs/series.md."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from math import inf
from operator import itemgetter

from kpatch_tool.series.postings import rerolls
from kpatch_tool.series.postings.posts import Post, Posting, identities, is_whole_patch, same_person, signers

_NEAR = timedelta(days=7)  # between posts of one posting that no header connects
_NEAR_BEYOND = timedelta(weeks=13)  # for a number beyond the total
_AT_ONCE = timedelta(hours=1)  # between posts of one run of git send-email whose tags differ
_ONE_RUN = timedelta(minutes=5)  # the same where no header tells
_LATEST = 12  # of a sender's postings that a patch without thread headers is compared with


def gather(posts: Sequence[Post], *, in_order: bool = False) -> list[Posting]:
    """The postings among `posts`, oldest first; only those with patches.

    With `in_order` (a quilt series) the posts are the patches in their order, whatever their subjects say. Patch files
    without numbers (no Message-Id, no k/N) are taken in order as well.
    """
    patches = _candidates(posts)
    if patches and (in_order or _are_files_in_order(patches, posts)):
        ordered = dict(enumerate(patches, start=1))
        return [Posting(patches[0].sender, len(patches), None, ordered)]
    index = _Index(patches)
    zeros = [post for post in posts if post.tag.number == 0 and not post.tag.reply and not post.tag.forward]
    misnumbered = _misnumbered(zeros)
    patches_all_the_same = {post.order for post in misnumbered}
    covers = [post for post in zeros if post.order not in patches_all_the_same]
    placed: set[int] = set()
    queue = _queue(covers, [post for post in patches if post.tag.number != 0])
    for run in _whole_runs(posts, queue):
        index.add(_posting_of(run))
        placed.update(post.order for post in run)
    for post in queue:
        if post.order in placed:
            continue
        if post.tag.number == 0:
            index.add(Posting(post.sender, post.tag.total or 0, post))
        else:
            _place(index, post)
    return rerolls.related(index.found, posts, misnumbered)


def _misnumbered(zeros: Sequence[Post]) -> list[Post]:
    """Those of the posts 0/N that are patches: signed off, and sent with a cover letter that has no diff."""
    letters: dict[tuple[str, int | None, int | None], list[Post]] = {}
    for post in zeros if any(post.diff for post in zeros) else ():
        for key in _Dated.keys(post) if not post.diff else ():
            letters.setdefault(key, []).append(post)
    return [
        post
        for post in zeros
        if post.diff
        and signers(post)
        and any(
            abs(post.when - one.when) < _AT_ONCE for key in _Dated.keys(post) for one in letters.get(key, ())[-_LATEST:]
        )
    ]


def _queue(covers: Sequence[Post], patches: Sequence[Post]) -> list[Post]:
    """Covers and patches in the order in which they were sent. A cover's clock may be late, or a patch may bear the
    date of its commit: a cover comes before the patches that answer it all the same, and a patch before those that
    answer it."""
    # In seconds: no date is before that of the year 1, which a mail may bear.
    early = {post.order: post.when.timestamp() - _AT_ONCE.total_seconds() for post in covers}
    sent = {post.message.message_id: early[post.order] for post in covers if post.message.message_id}
    unthreaded = _Dated(covers, patches)
    times: dict[int, float] = {}
    for post in patches:
        answered = [sent[parent] for parent in post.parents if parent in sent][:1]
        if post.unthreaded:
            answered = unthreaded.covers_of(post)
        times[post.order] = max([post.when.timestamp(), *answered])
    queue = [(early[post.order], 0, post.order, post) for post in covers]
    turns = _turns(patches, times)
    queue += [(*turns[post.order], post.order, post) for post in patches]
    return [entry[3] for entry in sorted(queue, key=lambda entry: entry[:3])]


def _turns(patches: Sequence[Post], times: Mapping[int, float]) -> dict[int, tuple[float, int]]:
    """When each of `patches`, sent at `times`, is placed: not before the one that it answers. With how many (from 1) it
    answers, one by way of another: of one second, too."""
    by_id = {post.message.message_id: post for post in patches if post.message.message_id}
    turns: dict[int, tuple[float, int]] = {}
    for patch in patches:
        chain: dict[int, Post] = {}
        above: Post | None = patch
        while above is not None and above.order not in turns and above.order not in chain:
            chain[above.order] = above
            above = by_id.get(above.parent)
        time, depth = turns.get(above.order, (-inf, 0)) if above is not None else (-inf, 0)
        for order in reversed(chain):
            time, depth = max(time, times[order]), depth + 1
            turns[order] = time, depth
    return turns


class _Dated:
    """When covers and patches were sent of which a page does not show what they answer, by sender, total, version and
    number."""

    def __init__(self, covers: Sequence[Post], patches: Sequence[Post]) -> None:
        self._times: dict[tuple[str, int | None, int | None, int | None], list[float]] = {}
        for post in sorted((post for post in (*covers, *patches) if post.unthreaded), key=lambda post: post.when):
            for key in self.keys(post):
                self._times.setdefault((*key, post.tag.number), []).append(post.when.timestamp())

    @staticmethod
    def keys(post: Post) -> list[tuple[str, int | None, int | None]]:
        """What a cover letter shares with its patches, for every name of the sender."""
        return [(name, post.tag.total, post.tag.revision) for name in identities(post.sender)]

    def covers_of(self, patch: Post) -> list[float]:
        """When a cover was sent that counts `patch` and is dated less than a week after it, if no other patch of that
        number was sent with the cover."""
        when = patch.when.timestamp()
        found: list[float] = []
        for key in self.keys(patch):
            cover = self._next((*key, 0), when)
            twin = self._next((*key, patch.tag.number), max(when, cover - _AT_ONCE.total_seconds()))
            if cover - when < _NEAR.total_seconds() and twin - cover > _AT_ONCE.total_seconds():
                found.append(cover - _AT_ONCE.total_seconds())
        return found

    def _next(self, key: tuple[str, int | None, int | None, int | None], when: float) -> float:
        """The first time after `when`; infinity for none."""
        times = self._times.get(key, [])
        place = bisect_right(times, when)
        return times[place] if place < len(times) else inf


def _are_files_in_order(patches: Sequence[Post], posts: Sequence[Post]) -> bool:
    """Whether these are files of git format-patch or quilt without numbers, rather than mails or what an archive
    shows."""
    alike = len({(post.tag.revision, post.tag.minor) for post in patches}) == 1
    files = len(patches) > 1 and _are_files(patches) and all(post.tag.number is None for post in patches)
    return files and alike and not any(post.tag.reply for post in posts)


def _whole_runs(posts: Sequence[Post], queue: Sequence[Post]) -> list[list[Post]]:
    """The runs 1/N, 2/N, ... N/N of `queue` (a cover may come first) that stand together among `posts` and answer
    nothing else. Of files (no mail has an id) some may be missing, or hold no diff.

    Files of git format-patch and b4 are such: they name each patch's author where a mail names its sender, and so one
    series may be from many people.
    """
    wanted = {post.order for post in queue}
    runs: list[list[Post]] = []
    last: Post | None = None
    for post in sorted(posts, key=lambda post: post.order):
        if post.tag.number is not None and not (post.tag.reply or post.tag.forward):
            if last is None or not _goes_on(last, post):
                runs.append([])
            runs[-1].append(post)
            last = post
    found = ([post for post in run if post.order in wanted] for run in runs)
    return [run for run in found if _is_whole(run) and _stands_alone(run)]


def _goes_on(last: Post, post: Post) -> bool:
    a, b = last.tag, post.tag
    same = (a.total, a.revision, a.minor, a.resend) == (b.total, b.revision, b.minor, b.resend)
    next_ = (a.number or 0) + 1
    number = b.number or 0
    return same and post.order == last.order + 1 and (number == next_ or (number > next_ and _are_files((last, post))))


def _is_whole(run: Sequence[Post]) -> bool:
    """Whether all of a series is in a run; of files, more than one."""
    if len(run) < 2:
        return False
    first, last = run[0].tag.number or 0, run[-1].tag.number or 0
    return _are_files(run) or (first < 2 and 1 < last == run[0].tag.total and len(run) == last - first + 1)


def _are_files(run: Sequence[Post]) -> bool:
    """Whether they are files, rather than mails or what an archive shows: none has an id."""
    return not any(post.message.message_id or post.message.archive for post in run)


def _stands_alone(run: Sequence[Post]) -> bool:
    ids = {post.message.message_id for post in run}
    if not all(ids.issuperset(filter(None, post.parents)) and not post.message.archive for post in run):
        return False
    if _are_files(run):
        return True  # their dates are the commits'
    times = [post.when for post in run if post.message.date]
    one = all(same_person(post.sender, run[0].sender) for post in run)
    return not times or max(times) - min(times) < (_NEAR if one else _AT_ONCE)


def _posting_of(run: Sequence[Post]) -> Posting:
    cover = run[0] if run[0].tag.number == 0 else None
    patches = {post.tag.number: post for post in run if post.tag.number}
    return Posting(run[0].sender, run[0].tag.total or len(patches), cover, patches)


class _Index:
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
        return {id(one) for link in post.links for one in self._by_link.get(link, [])[-_LATEST:]}

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
        close = [one for link in post.links for one in self._by_link.get(link, [])[-_LATEST:]]
        for name in identities(post.sender):
            for total in (post.tag.total or 1, None):
                known = self._by_sender.get((name, total), [])
                place = bisect_right(known, post.when, key=itemgetter(0))
                close += [entry[2] for entry in known[max(0, place - _LATEST) : place + 1]]
        if post.unthreaded and _is_beyond(post):
            counted = [one for one in self.found[-_LATEST:] if one.total == post.tag.total]
            close += counted if len(counted) == 1 else []
        return list(dict.fromkeys(close))


def _tagged(post: Post) -> tuple[int | None, int | None, int | None, str]:
    tag = post.tag
    return tag.number, tag.total, tag.revision, tag.minor


def _candidates(posts: Sequence[Post]) -> list[Post]:
    """The posts that are patches: marked ones; where there are none, unmarked ones, then forwarded ones, then whole
    patches sent as replies."""
    own = [post for post in posts if post.diff and not post.tag.notice and not post.tag.forward]
    marked = [post for post in own if post.tag.patch]
    forwarded = [post for post in posts if post.diff and post.tag.forward]
    return marked or own or forwarded or [post for post in posts if post.tag.patch and is_whole_patch(post)]


def _place(index: _Index, post: Post) -> None:
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


def _fits(index: _Index, posting: Posting, post: Post) -> bool:
    """Whether a patch belongs to a posting; docs/series.md gives the rules in this order."""
    if (post.tag.number or 1) in posting.patches:
        return False
    introduced = _answers_cover(posting, post)
    if introduced and index.has_better(posting, post):
        return False
    if not _counts_alike(index, posting, post, introduced):
        return False
    return (introduced or _is_connected(index, posting, post)) and _same_revision(posting, post, introduced)


def _counts_alike(index: _Index, posting: Posting, post: Post, introduced: bool) -> bool:
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


def _is_connected(index: _Index, posting: Posting, post: Post) -> bool:
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
    near = _NEAR_BEYOND if _goes_beyond(posting, post) else _NEAR
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
    # Tags forgotten or mistyped in a run of git send-email.
    answers = introduced or post.parent in posting.ids or any(post.parent == one.parent != "" for one in posting.posts)
    unthreaded = post.unthreaded and all(one.unthreaded for one in posting.posts)
    lost = unthreaded and _is_within(_ONE_RUN, posting, post)
    one_untagged = None in (known[0], said[0]) or post.versioned_alone
    if not posting.patches:
        return introduced or (lost and one_untagged)
    mistyped = introduced or (lost and _is_next(posting, post))
    return (answers or lost) and _is_within(_AT_ONCE, posting, post) and (one_untagged or mistyped)


def _is_within(time: timedelta, posting: Posting, post: Post) -> bool:
    """Whether a patch was sent so soon after (or before) the last one of `posting`; on a page without dates, whether it
    stands next to one of it there."""
    last = posting.posts[-1]
    if post.message.archive and not (post.message.date or last.message.date):
        return any(abs(post.order - one.order) == 1 for one in posting.posts)
    return abs(post.when - last.when) < time


def _answers_cover(posting: Posting, post: Post) -> bool:
    return posting.cover is not None and bool(post.parent) and posting.cover.message.message_id == post.parent


def _closeness(index: _Index, posting: Posting, post: Post) -> tuple[bool, bool, bool, bool, int, float]:
    apart = abs((posting.when - post.when).total_seconds())
    together = post.batch != "" and post.batch in index.links(posting)
    linked = bool(index.links(posting) & post.links)
    alike = (posting.revision, posting.minor) == (post.tag.revision, post.tag.minor)
    # Of those that one run sent, one of which has a number twice.
    fuller = len(posting.patches) if (post.unthreaded or together) and _is_within(_ONE_RUN, posting, post) else 0
    return _answers_cover(posting, post), together, linked, alike, fuller, -apart
