"""What postings have to do with one another: covers found late, patches that go on or replace those of an earlier one.
The rules are told in docs/series.md."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, product, takewhile
from operator import itemgetter

from kpatch_tool.series.postings import miscounted
from kpatch_tool.series.postings.posts import Post, Posting, identities, is_whole_patch, same_person
from kpatch_tool.series.reading import subject

_NEAR = timedelta(days=7)
_NEXT_MAIL = timedelta(seconds=10)  # between two mails of one run of git send-email
_LATE_COVER = timedelta(hours=1)  # by which a cover's clock may be late
_ONE_RUN = timedelta(minutes=5)  # of git send-email, where no header tells
_ANY = -1  # for any total
# The ids of cover letters of git format-patch --thread and of b4 send.
_COVER_ID = re.compile(r"cover\.\d{9,11}\.git\.|\d{8}-.{1,200}-v\d{1,3}-0-[0-9a-f]{12}@")
_REPLACES = {subject.REPLACEMENT}
_LATEST = 100  # postings before one that it may go on from
_AT_ONCE = timedelta(minutes=10)  # a number sent twice within it was sent so by mistake


def related(found: Sequence[Posting], posts: Sequence[Post], misnumbered: Sequence[Post] = ()) -> list[Posting]:
    """The postings of `found` that have patches, oldest first, with the covers they lacked and the patches they take
    from one another. `posts` are all messages, `misnumbered` the patches among them that were sent as 0/N."""
    _adopt_covers(found)
    whole = sorted((one for one in found if one.patches), key=lambda one: (one.when, one.order))
    _adopt_untagged_covers(whole, posts)
    _take_misnumbered(whole, misnumbered)
    miscounted.take(whole)
    _take_replies(whole, posts)
    _continue(whole)
    _complete(whole, {post.message.message_id: post for post in posts if post.message.message_id})
    return whole


def _adopt_covers(found: Sequence[Posting]) -> None:
    """Give covers left alone (their version differs from the patches') to the posting they introduce. On a page without
    threads, and in one run of git send-email, the total may differ as well, if a patch follows soon, and both if it
    follows at once without a tag."""
    without = _Coverless(found)
    for lonely in found:
        cover = lonely.cover
        if lonely.patches or cover is None:
            continue
        near = without.introduced_by(cover, lonely.total)
        if not near and (cover.unthreaded or cover.batch):
            near = [one for one in without.introduced_by(cover, _ANY) if _follows(one, lonely)]
        if near:
            min(near, key=lambda one: abs(one.when - cover.when)).cover = cover


class _Coverless:
    """Postings without a cover, by sender, total and what they answer ("": nothing but one another), in the order of
    time: a mailbox may hold thousands of each."""

    def __init__(self, found: Sequence[Posting]) -> None:
        self._known: dict[tuple[str, int, str], list[tuple[datetime, int, Posting]]] = {}
        for place, one in enumerate(found):
            if one.patches and one.cover is None:
                entry = (one.when, place, one)
                for key in product(identities(one.sender), (one.total, _ANY), _answered_outside(one)):
                    self._known.setdefault(key, []).append(entry)
        for entries in self._known.values():
            entries.sort(key=itemgetter(0, 1))

    def introduced_by(self, cover: Post, total: int) -> list[Posting]:
        """Those that `cover` may introduce: its sender's, of `total` patches, which answer nothing else; of very many
        those that were sent next to it. In the order in which they were found."""
        answered = {"", cover.message.message_id, cover.parent}
        keys = product(identities(cover.sender), (total,), answered)
        near = {entry[1]: entry[2] for key in keys for entry in self._near(key, cover)}
        return [near[place] for place in sorted(near)]

    def _near(self, key: tuple[str, int, str], cover: Post) -> Iterator[tuple[datetime, int, Posting]]:
        entries = self._known.get(key, [])
        place = bisect_left(entries, cover.when, key=itemgetter(0))
        fits = partial(_introduces, cover)
        for side in (range(place, len(entries)), range(place - 1, -1, -1)):
            here = takewhile(partial(_is_about, cover), (entries[n] for n in side))
            yield from islice((entry for entry in here if fits(entry[2])), _LATEST)


def _answered_outside(one: Posting) -> set[str]:
    """The ids that the patches of a posting answer; with "" where they are its own, or there are none."""
    answered = {post.parent for post in one.own.values()} - {""}
    return answered | {""} if not answered or answered & one.ids else answered


def _is_about(cover: Post, entry: tuple[datetime, int, Posting]) -> bool:
    """Whether a posting was sent when patches of `cover` may have been."""
    return -_LATE_COVER < entry[0] - cover.when < _NEAR


def _introduces(cover: Post, one: Posting) -> bool:
    if one.cover is not None:
        return False
    lone = cover.unthreaded and cover.tag.total == 1 and one.when - cover.when < _LATE_COVER  # [PATCH 0/1], [PATCH]
    return lone or not one.unnumbered


def _follows(one: Posting, lonely: Posting) -> bool:
    if lonely.first.batch != one.first.batch:
        return False
    apart = one.when - lonely.when
    return apart < _LATE_COVER if one.version == lonely.version else apart < _ONE_RUN and one.revision is None


def _adopt_untagged_covers(found: Sequence[Posting], posts: Sequence[Post]) -> None:
    """A cover letter whose subject has no 0/N ("switch iomap to an iterator model v2", "[GIT PULL] mm"): a mail of the
    sender, no reply and without a diff, that the first patch answers, and the others too, or that one run of git
    send-email sent before it; on a page without threads, the sender's mail right before the first patch. That of a
    single patch must be called a cover by its id, or be of one run of git send-email with the patch (on a page without
    ids: sent within ten seconds)."""
    by_id = {post.message.message_id: post for post in posts if post.message.message_id}
    ordered = sorted(posts, key=lambda post: (post.when, post.order))
    before = {post.order: place for place, post in enumerate(ordered)}
    runs = {post.batch_place: post for post in posts if not post.diff and post.batch}
    for one in found:
        if one.cover or 1 not in one.patches:
            continue
        first = one.patches[1]
        letter: Post | None
        if first.unthreaded and before[first.order]:
            letter = ordered[before[first.order] - 1]
        elif first.batch and not first.parent:
            letter = runs.get((first.batch, first.batch_place[1] - 1))
        else:
            letter = by_id.get(first.parent)
        if letter is not None and _is_letter(letter, one) and (one.total > 1 or _at_once(letter, first)):
            one.cover = letter


def _at_once(letter: Post, patch: Post) -> bool:
    """Whether one run of git send-email sent a letter and its one patch, or the letter's id says what it is."""
    if _COVER_ID.match(letter.message.message_id):
        return True
    if letter.batch or patch.batch:
        return letter.batch == patch.batch
    dated = letter.message.date is not None and patch.message.date is not None
    return dated and patch.unthreaded and abs(patch.when - letter.when) < _NEXT_MAIL


def _is_letter(post: Post, one: Posting) -> bool:
    tag = post.tag
    if tag.reply or tag.forward or post.diff:
        return False
    # Some letters have the number of the first patch.
    counted = tag.number is not None and (tag.number, tag.total) != (1, one.total)
    if (tag.notice or counted) and tag.between not in subject.LETTERS:
        return False
    ids = (post.message.message_id, *one.ids)
    answering = all(
        patch.unthreaded or patch.parent in ids or (not patch.parent and post.batch and patch.batch == post.batch)
        for patch in one.own.values()
    )
    close = abs(one.when - post.when) < _LATE_COVER
    return answering and close and same_person(one.sender, post.sender)


def _take_replies(found: Sequence[Posting], posts: Sequence[Post]) -> None:
    """Where a patch is missing and its sender sent it with a "Re:" left in the subject, take that."""
    lacking: dict[tuple[str, int, int | None], list[Posting]] = {}
    for one in found:
        for name in identities(one.sender) if not one.complete else ():
            lacking.setdefault((name, one.total, one.revision), []).append(one)
    for post in posts:
        number = post.tag.number
        if not (lacking and post.tag.reply and number):
            continue
        keys = [(name, post.tag.total or 0, post.tag.revision) for name in identities(post.sender)]
        waiting = [one for key in keys for one in lacking.get(key, ()) if number <= one.total]
        fitting = next((one for one in waiting if number not in one.patches), None)
        if fitting and is_whole_patch(post):
            fitting.patches[number] = post
            fitting.kept_re.add(number)


def _take_misnumbered(found: Sequence[Posting], misnumbered: Sequence[Post]) -> None:
    """Where a patch is missing and its sender sent one as 0/N with the others, take that: for the first, unless a run
    of git send-email tells another place."""
    lacking: dict[tuple[str, int, int | None], list[Posting]] = {}
    for one in found if misnumbered else ():
        for name in identities(one.sender) if not one.complete else ():
            lacking.setdefault((name, one.total, one.revision), []).append(one)
    for post in misnumbered:
        waiting = [
            one
            for name in identities(post.sender)
            for one in lacking.get((name, post.tag.total or 0, post.tag.revision), ())[:_LATEST]
            if miscounted.place_of(post, one) not in one.patches and abs(one.when - post.when) < _LATE_COVER
        ]
        if waiting:
            nearest = min(waiting, key=lambda one: abs(one.when - post.when))
            nearest.patches[miscounted.place_of(post, nearest)] = post


def _continue(found: Sequence[Posting]) -> None:
    """ "[PATCH 14/17]" after "[PATCH 13/7]" and "[PATCH 2/1]" after "[PATCH]": the numbers of one posting go on in
    another, whose total is another. The later one takes the patches before its own from the earlier."""
    ended: dict[tuple[int, int | None, str], list[Posting]] = {}  # by last number, revision, minor
    links = {one: frozenset[str]().union(*(post.links for post in one.posts)) for one in found}
    for one in found:
        first = min(one.own)
        if first > 1 and one.cover is None:
            before = ended.get((first - 1, one.revision, one.minor), [])[-_LATEST:]
            linked = (other for other in reversed(before) if links[one] & links[other] or _is_near(other, one))
            if (earlier := next(linked, None)) is not None:
                one.continues = earlier
                _borrow(one, earlier)
        ended.setdefault((max(one.own), one.revision, one.minor), []).append(one)


def _is_near(earlier: Posting, later: Posting) -> bool:
    """Whether a posting of a page that does not show all ids is the same sender's, of the same days."""
    told = all(post.message.message_id for post in later.posts)
    return not told and same_person(earlier.sender, later.sender) and abs(later.when - earlier.when) < _NEAR


def _complete(found: Sequence[Posting], by_id: dict[str, Post]) -> None:
    """A later posting of a few patches, sent as answers to an earlier one or to its reviews, keeps the others of that,
    or the latest of those that replaced them before. Where a page shows no threads, the titles tell."""
    owner = {id_: one for one in found for id_ in one.ids}
    lines: dict[Posting, list[Posting]] = {}  # a posting and those that replaced a part of it, by each of them
    ordered = sorted(found, key=lambda one: (_ended(one), one.order))
    for place, one in enumerate(ordered):
        part = not one.cover and not one.continues and len(one.own) < one.total
        said = {post.tag.between for post in one.own.values()}
        if part and said <= {"", subject.REPLACEMENT}:
            answered = {_answered(post, one, owner, by_id) for post in one.own.values()} - {one}
            if all(post.unthreaded or (not post.parent and said == _REPLACES) for post in one.own.values()):
                answered = {_titled_alike(one, ordered[:place])}
            known = [lines.setdefault(earlier, [earlier]) for earlier in answered if earlier is not None]
            if len(known) == len(answered) and len({id(line) for line in known}) == 1:
                line = known[0]
                if earlier := [other for other in line if _replaces(one, other)]:
                    _borrow_latest(one, earlier)
                    line.append(one)
                    lines[one] = line


def _ended(posting: Posting) -> datetime:
    return max(post.when for post in posting.posts)


def _borrow_latest(one: Posting, line: Sequence[Posting]) -> None:
    """Take every patch that `one` lacks from the latest version in `line` that sent it."""
    missing = line[0].patches.keys() - one.patches.keys()
    for latest in sorted(line, key=lambda other: (other.version, other.minor, _ended(other)), reverse=True):
        sent = missing.intersection(latest.patches if latest is line[0] else latest.own)
        for number in sorted(sent):
            one.patches[number] = latest.patches[number]
            one.borrowed[number] = latest.borrowed.get(number, latest)
        missing = missing - sent


def _answered(post: Post, one: Posting, owner: dict[str, Posting], by_id: dict[str, Post]) -> Posting | None:
    """The posting that a post of `one` answers, directly or by way of replies, which need not all be there: its
    References name what is above them."""
    own = one.ids
    seen: set[str] = set()
    for parent in post.parents:
        here = parent
        while here and here not in seen:
            if here in own:
                return one
            if here in owner:
                return owner[here]
            seen.add(here)
            here = by_id[here].parent if here in by_id else ""
    return None


def _titled_alike(one: Posting, earlier: Sequence[Posting]) -> Posting | None:
    """The sender's latest posting before `one` that it can replace whose patches of the same numbers have the same
    titles (but those that are called replacements); a v7.1 may be somebody else's to a v7."""
    for other in reversed(earlier[-_LATEST:]):
        pairs = [(post, other.patches.get(number)) for number, post in one.own.items()]
        if (
            (same_person(one.sender, other.sender) or (one.minor and one.version == other.version))
            and _replaces(one, other)
            and all(twin is not None and _is_new_form(post, twin) for post, twin in pairs)
        ):
            return other
    return None


def _is_new_form(post: Post, of: Post) -> bool:
    return post.tag.between == subject.REPLACEMENT or subject.same_title(post.tag.title, of.tag.title)


def _replaces(later: Posting, earlier: Posting) -> bool:
    if earlier.total != later.total or not earlier.complete or later.version < earlier.version:
        return False
    if {post.tag.between for post in later.own.values()} == _REPLACES:
        return True
    again = (later.version, later.minor) == (earlier.version, earlier.minor)
    # Without dates the order of the page is all there is.
    undated = not any(post.message.date for one in (earlier, later) for post in one.posts)
    return not again or undated or later.when - _ended(earlier) > _AT_ONCE


def _borrow(one: Posting, earlier: Posting) -> None:
    for number, post in _missing(one, earlier.patches.items()):
        one.patches[number] = post
        one.borrowed[number] = earlier.borrowed.get(number, earlier)


def _missing(one: Posting, patches: Iterable[tuple[int, Post]]) -> list[tuple[int, Post]]:
    return [(number, post) for number, post in patches if number not in one.patches]
