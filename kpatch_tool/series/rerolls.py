"""What postings have to do with one another: covers found late, patches that go on or replace those of an earlier one.
The rules are told in docs/series.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from kpatch_tool.series.posts import Post, Posting, identities, is_whole_patch, same_person

_NEAR = timedelta(days=7)
_AT_ONCE = timedelta(minutes=10)  # a number sent twice within it was sent so by mistake


def related(found: Sequence[Posting], posts: Sequence[Post]) -> list[Posting]:
    """The postings of `found` that have patches, oldest first, with the covers they lacked and the patches they take
    from one another. `posts` are all messages."""
    _adopt_covers(found)
    whole = sorted((one for one in found if one.patches), key=lambda one: (one.when, one.order))
    _adopt_untagged_covers(whole, posts)
    _take_replies(whole, posts)
    _continue(whole)
    _complete(whole)
    return whole


def _adopt_covers(found: Sequence[Posting]) -> None:
    """Give covers left alone (their version differs from the patches') to the posting they introduce."""
    without: dict[tuple[str, int], list[Posting]] = {}
    for one in found:
        if one.patches and one.cover is None:
            for name in identities(one.sender):
                without.setdefault((name, one.total), []).append(one)
    for lonely in found:
        cover = lonely.cover
        if lonely.patches or cover is None:
            continue
        names = identities(lonely.sender)
        near = [one for name in names for one in without.get((name, lonely.total), ()) if _introduces(cover, one)]
        if near:
            min(near, key=lambda one: abs(one.when - cover.when)).cover = cover


def _introduces(cover: Post, one: Posting) -> bool:
    answers = {post.parent for post in one.own.values()} - {""}
    apart = bool(answers) and cover.message.message_id not in answers and not answers & one.ids
    return one.cover is None and not one.unnumbered and not apart and abs(one.when - cover.when) < _NEAR


def _adopt_untagged_covers(found: Sequence[Posting], posts: Sequence[Post]) -> None:
    """A cover letter whose subject has no 0/N ("switch iomap to an iterator model v2"): a mail of the sender, no reply
    and without a diff, that the first patch answers, and the others too; on a page without ids, the sender's mail right
    before the first patch."""
    by_id = {post.message.message_id: post for post in posts if post.message.message_id}
    ordered = sorted(posts, key=lambda post: (post.when, post.order))
    before = {post.order: place for place, post in enumerate(ordered)}
    for one in found:
        if one.cover or one.total < 2 or 1 not in one.patches:
            continue
        first = one.patches[1]
        if not first.message.message_id and before[first.order]:
            letter: Post | None = ordered[before[first.order] - 1]
        else:
            letter = by_id.get(first.parent)
        if letter is not None and _is_letter(letter, one):
            one.cover = letter


def _is_letter(post: Post, one: Posting) -> bool:
    tag = post.tag
    if tag.reply or tag.forward or tag.notice or post.diff or tag.number is not None:
        return False
    answering = all(patch.parent in (post.message.message_id, *one.ids) for patch in one.own.values())
    close = abs(one.when - post.when) < timedelta(hours=1)
    return answering and close and same_person(one.sender, post.message.author)


def _take_replies(found: Sequence[Posting], posts: Sequence[Post]) -> None:
    """Where a patch is missing and its sender sent it with a "Re:" left in the subject, take that."""
    lacking = [one for one in found if not one.complete]
    if not lacking:
        return
    for post in posts:
        if not (post.tag.reply and post.tag.number):
            continue
        for one in lacking:
            same = (post.tag.total, post.tag.revision) == (one.total, one.revision)
            missing = post.tag.number not in one.patches and post.tag.number <= one.total
            if same and missing and same_person(one.sender, post.message.author) and is_whole_patch(post):
                one.patches[post.tag.number] = post
                one.kept_re.add(post.tag.number)
                break


def _continue(found: Sequence[Posting]) -> None:
    """ "[PATCH 14/17]" after "[PATCH 13/7]" and "[PATCH 2/1]" after "[PATCH]": the numbers of one posting go on in
    another, whose total is another. The later one takes the patches before its own from the earlier."""
    for place, one in enumerate(found):
        first = min(one.own)
        if first < 2 or one.cover:
            continue
        earlier = [other for other in found[:place] if max(other.own) == first - 1 and _goes_on(other, one)]
        if earlier:
            one.continues = max(earlier, key=lambda other: other.when)
            _borrow(one, one.continues)


def _goes_on(earlier: Posting, later: Posting) -> bool:
    if (earlier.revision, earlier.minor) != (later.revision, later.minor):
        return False
    if {link for post in earlier.posts for link in post.links} & {link for post in later.posts for link in post.links}:
        return True
    told = all(post.message.message_id for post in later.posts)
    return not told and same_person(earlier.sender, later.sender) and abs(later.when - earlier.when) < _NEAR


def _complete(found: Sequence[Posting]) -> None:
    """A later posting of a few patches, sent as answers to an earlier one, keeps the earlier one's others."""
    owner: dict[str, Posting] = {}
    for one in found:
        part = not one.cover and not one.continues and len(one.own) < one.total
        if part and not any(post.tag.between for post in one.own.values()):
            answered = {owner[post.parent] for post in one.own.values() if post.parent in owner}
            inside = all(post.parent in owner or post.parent in one.ids for post in one.own.values())
            if len(answered) == 1 and inside:
                (earlier,) = answered
                if _replaces(one, earlier):
                    _borrow(one, earlier)
        owner.update((id_, one) for id_ in one.ids)


def _replaces(later: Posting, earlier: Posting) -> bool:
    if earlier.total != later.total or not earlier.complete or later.version < earlier.version:
        return False
    again = (later.version, later.minor) == (earlier.version, earlier.minor)
    return not again or later.when - max(post.when for post in earlier.posts) > _AT_ONCE


def _borrow(one: Posting, earlier: Posting) -> None:
    for number, post in _missing(one, earlier.patches.items()):
        one.patches[number] = post
        one.borrowed[number] = earlier.borrowed.get(number, earlier)


def _missing(one: Posting, patches: Iterable[tuple[int, Post]]) -> list[tuple[int, Post]]:
    return [(number, post) for number, post in patches if number not in one.patches]
