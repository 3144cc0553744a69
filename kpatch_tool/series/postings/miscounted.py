"""Patches that their subjects count otherwise than the run of git send-email that sent them. Its ids count its mails:
they tell where a patch belongs that lost its number, has another total, or the number of another patch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kpatch_tool.series.postings.posts import Post, Posting

_FEWEST = 3  # patches of a posting that may have one without a number: a run may also send "[PATCH 1/2]" and others


def take(found: list[Posting]) -> None:
    """Give every posting of `found` that lacks patches those that one run sent in their places, if it lacks none then.
    Postings of which nothing is left are taken out of `found`."""
    lacking = [one for one in found if not one.complete]
    sent = {post.batch_place: one for one in found for post in one.own.values() if post.batch} if lacking else {}
    taken: set[Posting] = set()
    for one in sorted(lacking, key=lambda one: -len(one.own)):
        run = _run(one)
        if run is None or one in taken:
            continue
        batch, ahead = run
        places = {post.batch_place: number for number, post in one.own.items()}
        missing = [number for number in range(1, one.total + 1) if number not in one.patches]
        # One that was sent in a gap may have the number of a later one: that is the one missing then.
        moved = {number: places.get((batch, number + ahead), number) for number in missing}
        lost = {number: sent.get((batch, number + ahead)) for number in moved.values()}
        whole = {number: other for number, other in lost.items() if other is not None and other not in taken}
        patches = {number: _sent_at((batch, number + ahead), other) for number, other in whole.items()}
        if len(whole) == len(missing) and _belong(patches, set(whole.values()), one):
            one.patches.update({number: one.patches[was] for number, was in moved.items() if was in one.patches})
            one.patches.update(patches)
            taken.update(whole.values())
    found[:] = [one for one in found if one not in taken]


def _run(one: Posting) -> tuple[str, int] | None:
    """The run that sent the mails of a posting, and by how much its count is ahead of their numbers; one of three or
    more may have the number of another."""
    mails = dict(one.own) if one.cover is None or not one.cover.batch else {0: one.cover, **one.own}
    runs = Counter((post.batch, post.batch_place[1] - number) for number, post in mails.items())
    ((place, count),) = runs.most_common(1)
    apart = len(mails) - count
    return place if place[0] and len(mails) > 1 and (not apart or (apart == 1 and count > 1)) else None


def place_of(post: Post, one: Posting) -> int:
    """The number in `one` of a patch that was sent as 0/N: where its run sent it, or the first."""
    batch, ahead = _run(one) or ("", 0)
    number = post.batch_place[1] - ahead
    return number if post.batch and post.batch == batch and 0 < number <= one.total else 1


def _sent_at(place: tuple[str, int], other: Posting) -> Post:
    return next(post for post in other.own.values() if post.batch_place == place)


def _belong(patches: Mapping[int, Post], others: set[Posting], one: Posting) -> bool:
    """Whether `patches`, which are in the postings `others` so far, are those that `one` lacks: all that these hold,
    each with its number; or a single one whose subject says no number, or that of another."""
    if one in others or any(other.cover or other.borrowed for other in others):
        return False
    if sum(len(other.own) for other in others) != len(patches):
        return False
    if all(post.tag.number == number for number, post in patches.items()):
        return True
    ((number, post),) = patches.items() if len(patches) == 1 else ((0, one.first),)
    alike = number and (post.tag.revision, post.tag.minor) == (one.revision, one.minor)
    twice = post.tag.number in one.patches and post.tag.total == one.total
    return bool(alike) and one.total >= _FEWEST and (post.tag.number is None or twice)
