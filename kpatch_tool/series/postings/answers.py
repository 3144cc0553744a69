"""Which messages answer a posting, and which of its patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from kpatch_tool.series.postings.posts import ById, Post, Posting, same_person
from kpatch_tool.series.reading import subject
from kpatch_tool.series.reading.split import split_body
from kpatch_tool.series.reading.subject import Tag

_WRONG_CLOCK = timedelta(days=1)


def answers(posts: Sequence[Post], chosen: Posting, found: Sequence[Posting]) -> Iterator[tuple[Post, int | None]]:
    """The posts that answer `chosen`, oldest first, each with the number of the patch (0: the cover, None: unknown).

    Told by headers; where a page has none, by subject. Answers to other postings are left out, but for those to a
    patch that was sent twice without a change.
    """
    taken = {post.order for posting in found for post in posting.posts} | {p.order for p in chosen.posts}
    by_id = ById(posts)
    numbers = {post.order: number for number, post in chosen.patches.items()}
    if chosen.letter:
        numbers[chosen.letter.order] = 0
    numbers |= _sent_before(chosen, found) | _carriers(chosen, by_id, taken)
    taken |= {order for posting in found for order in _carriers(posting, by_id, taken)}
    ends = frozenset(taken | numbers.keys())
    known: dict[int, Post | None] = {}
    # A clock may be wrong; what came before a later posting may be about an earlier one.
    early = _WRONG_CLOCK if chosen is found[0] else timedelta(0)
    whole = {parent for post in chosen.posts for parent in post.parents if parent} | chosen.ids
    for post in sorted(posts, key=lambda p: (p.when, p.order)):
        if post.order in numbers or post.order in taken:
            continue
        ancestor = _ancestor(post, by_id, ends, known)
        if ancestor is not None:
            if ancestor.order in numbers:
                yield post, _number_answered(post, numbers[ancestor.order], chosen, by_id)
            continue
        number = _by_subject(post, chosen, early)
        if number is not None:
            yield post, number
        elif whole.intersection(post.parents):
            yield post, _of_absent_cover(post.tag, chosen)
        elif _names(post.tag, chosen) and (not any(post.parents) or _is_left_alone(post, by_id)):
            yield post, None


def _sent_before(chosen: Posting, found: Sequence[Posting]) -> dict[int, int]:
    """The patches of other postings that are those of `chosen` (a resend), by place; the cover where all are."""
    same: dict[int, int] = {}
    for other in found:
        if other is chosen or other.version != chosen.version:
            continue
        twins = {
            number: twin
            for number, post in chosen.patches.items()
            if (twin := other.patches.get(number)) and twin is not post and _equal(twin, post)
        }
        same |= {twin.order: number for number, twin in twins.items()}
        if other.letter and len(twins) == len(chosen.patches):
            same[other.letter.order] = 0
    return same


def _carriers(chosen: Posting, by_id: ById, taken: AbstractSet[int]) -> dict[int, int]:
    """The mails, by place, to which one file of git format-patch was attached, a patch of `chosen`: what answers such a
    mail is about that patch."""
    carried: dict[int, list[int]] = {}
    for number, post in chosen.patches.items():
        attached = post.message.commit and not post.message.message_id
        carrier = by_id.answered(post.message.in_reply_to, post) if attached else None
        if carrier and carrier.order not in taken:
            carried.setdefault(carrier.order, []).append(number)
    return {order: numbers[0] for order, numbers in carried.items() if len(numbers) == 1}


def _equal(one: Post, other: Post) -> bool:
    diffs = [split_body(post.message.body, post.message.charset).diff for post in (one, other)]
    return diffs[0] == diffs[1] != b"" and subject.same_title(one.tag.title, other.tag.title)


def _ancestor(post: Post, by_id: ById, ends: frozenset[int], known: dict[int, Post | None]) -> Post | None:
    """The nearest patch or cover above `post` in its thread (`ends` are their places); None where the thread is not
    known. `known` keeps what was found, by place: every mail of a long thread is looked at once."""
    passed: list[int] = []
    found: Post | None = None
    here: Post | None = post
    while here is not None and here.order not in known:
        known[here.order] = None  # where the mails go round in a circle
        passed.append(here.order)
        parents = [one for parent in here.parents if (one := by_id.answered(parent, here))]
        found = next((parent for parent in parents if parent.order in ends), None)
        here = parents[0] if parents and found is None else None
    if here is not None:
        found = known[here.order]
    known.update(dict.fromkeys(passed, found))
    return found


def _number_answered(post: Post, number: int, chosen: Posting, by_id: ById) -> int | None:
    """`number`, unless mails between are not in the source and its subject names another patch."""
    named = post.tag.number
    answered = chosen.patches.get(number)
    misnumbered = answered is not None and answered.tag.number == named
    if named is None or named == number or misnumbered or not post.tag.reply:
        return number
    if (meant := chosen.cover if named == 0 else chosen.patches.get(named)) and _means(post.tag, meant.tag):
        return named
    of_chosen = (post.tag.revision, post.tag.total) == (chosen.revision, chosen.total)
    if named not in chosen.patches and (of_chosen or post.message.in_reply_to not in by_id):
        return None  # it answers a patch that is not in the source
    return number if post.message.in_reply_to in by_id else named


def _by_subject(post: Post, chosen: Posting, early: timedelta) -> int | None:
    """The number of the patch whose subject a reply names, or says that it named; it may have been sent `early` before
    the posting (a patch or a letter that was taken from an earlier one: before that)."""
    too_early = bool(post.message.date) and chosen.when - post.when > early
    if too_early and not chosen.borrowed:
        return None
    tags = [post.tag] if post.tag.reply or _lacks_re(post, chosen) else []
    if post.unthreaded and (former := subject.former(post.message.subject)):
        tags.append(former)
    for tag in tags:
        sent = [(0, chosen.letter, chosen.cover is None)] if chosen.letter else []
        sent += [(number, patch, number in chosen.borrowed) for number, patch in chosen.patches.items()]
        for number, one, borrowed in sent:
            since = one.when if borrowed else chosen.when
            if _means(tag, one.tag) and not (post.message.date and since - post.when > early):
                return number
    return None


def _lacks_re(post: Post, chosen: Posting) -> bool:
    """Whether somebody else's mail, on a page that does not show what it answers, may be a reply sent without "Re:"."""
    kept = post.tag.patch and not (post.tag.forward or post.tag.notice)
    return kept and post.unthreaded and not post.diff and not same_person(post.sender, chosen.sender)


def _is_left_alone(post: Post, by_id: ById) -> bool:
    """Whether all that a page shows of the thread above a mail of a series is the id of one that is not there."""
    return post.message.archive != "" and post.tag.patch and not any(parent in by_id for parent in post.parents)


def _of_absent_cover(reply: Tag, chosen: Posting) -> int | None:
    """0 where a reply's subject names the cover letter, and that is not in the source; else None."""
    named = (reply.number, reply.total, reply.revision or 1) == (0, chosen.total, chosen.version)
    return 0 if named and chosen.letter is None else None


def _means(reply: Tag, answered: Tag) -> bool:
    """Whether a reply's subject is that of `answered` (a reply may have dropped the [tag], not changed it)."""
    tagged = not reply.patch or (reply.revision, reply.number) == (answered.revision, answered.number)
    return tagged and subject.same_title(reply.title, answered.title)


def _names(reply: Tag, chosen: Posting) -> bool:
    """Whether a reply's subject is of this posting, though of a patch that is not there."""
    if not reply.reply:
        return False
    return not reply.patch or ((reply.revision or 1) == chosen.version and reply.total == chosen.total)
