"""Which messages make one posting of a series, which postings are revisions of one another, what answers what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kpatch_tool.mail.message import Address, Message
from kpatch_tool.series import split, subject
from kpatch_tool.series.subject import Tag

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Post:
    """A message with what its subject says. `order` is its place in the source, from 0."""

    message: Message
    tag: Tag
    order: int
    diff: bool

    @property
    def when(self) -> datetime:
        return self.message.date or _EPOCH

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids it answers, nearest first."""
        return tuple(dict.fromkeys([self.message.in_reply_to, *reversed(self.message.references)]))


@dataclass(slots=True, eq=False)
class Posting:
    """One posting while its messages are gathered: a cover and patches by number."""

    sender: Address
    revision: int | None
    total: int
    cover: Post | None = None
    patches: dict[int, Post] = field(default_factory=dict)
    borrowed: dict[int, int] = field(default_factory=dict)  # number -> revision it comes from (partial rerolls)

    @property
    def version(self) -> int:
        return self.revision or 1

    @property
    def posts(self) -> list[Post]:
        own = [post for number, post in sorted(self.patches.items()) if number not in self.borrowed]
        return ([self.cover] if self.cover else []) + own

    @property
    def when(self) -> datetime:
        """When the first of its messages was sent."""
        return min(post.when for post in self.posts)

    @property
    def order(self) -> int:
        return min(post.order for post in self.posts)

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(post.message.message_id for post in self.posts if post.message.message_id)

    @property
    def title(self) -> str:
        post = self.cover or next(iter(self.posts))
        return post.tag.title


def read_posts(messages: Iterable[Message]) -> list[Post]:
    """Every message once (lists send copies; several sources may overlap), with its subject read."""
    seen: set[object] = set()
    posts: list[Post] = []
    for message in messages:
        identity = message.message_id or (message.subject, message.author, message.date, message.body)
        if identity in seen:
            continue
        seen.add(identity)
        tag = subject.parse(message.subject)
        posts.append(Post(message, tag, len(posts), not tag.reply and split.has_diff(message.body)))
    return posts


def gather(posts: Sequence[Post], *, in_order: bool = False) -> list[Posting]:
    """The postings among `posts`, oldest first; only those with patches.

    With `in_order` (a quilt series) the posts are the patches in their order, whatever their subjects say. Patch files
    without numbers (no Message-Id, no k/N) are taken in order as well.
    """
    patches = _candidates(posts)
    files = [post for post in patches if not post.message.message_id]
    unnumbered = len(files) > 1 and all(post.tag.number is None for post in files) and len(files) == len(patches)
    if patches and (in_order or (unnumbered and _are_files(files))):
        ordered = dict(enumerate(patches, start=1))
        return [Posting(patches[0].message.author, _revision(patches), len(patches), None, ordered)]
    found: list[Posting] = []
    for post in posts:
        if post.tag.number == 0 and not post.tag.reply and not post.tag.forward:
            found.append(Posting(post.message.author, post.tag.revision, post.tag.total or 0, post))
    for post in sorted((p for p in patches if p.tag.number != 0), key=lambda p: (p.when, p.order)):
        _place(found, post)
    _adopt_covers(found)
    found = [posting for posting in found if posting.patches]
    found.sort(key=lambda posting: (posting.when, posting.order))
    _complete_rerolls(found)
    return found


def _candidates(posts: Sequence[Post]) -> list[Post]:
    """The posts that are patches: marked ones; where there are none, unmarked ones, then forwarded ones."""
    own = [post for post in posts if post.diff and not post.tag.notice and not post.tag.forward]
    marked = [post for post in own if post.tag.patch]
    return marked or own or [post for post in posts if post.diff and post.tag.forward]


def _are_files(posts: Sequence[Post]) -> bool:
    """Whether these were written by git format-patch or quilt rather than shown by an archive."""
    return all(not post.message.archive for post in posts)


def _revision(posts: Sequence[Post]) -> int | None:
    return next((post.tag.revision for post in posts if post.tag.revision), None)


def _place(found: list[Posting], post: Post) -> None:
    number, total = post.tag.number or 1, post.tag.total or 1
    fitting = [posting for posting in found if _fits(posting, post, number, total)]
    if fitting:
        best = max(fitting, key=lambda posting: _closeness(posting, post))
        best.patches[number] = post
        best.total = max(best.total, total)
        return
    found.append(Posting(post.message.author, post.tag.revision, total, None, {number: post}))


def _fits(posting: Posting, post: Post, number: int, total: int) -> bool:
    if number in posting.patches:
        return False
    threaded = _threaded(posting, post)
    if not threaded and not same_person(posting.sender, post.message.author):
        return False
    if _unmarked(posting, post) and not threaded:
        return False
    known = _revision(list(posting.patches.values()))
    revisions = {known if posting.patches else posting.revision, post.tag.revision}
    near = post.message.in_reply_to in posting.ids
    if len(revisions) > 1 and not (near and None in revisions and not _answers_patch(posting, post)):
        return posting.cover is not None and not posting.patches and _answers_cover(posting, post)
    if posting.total == total:
        return True
    # "[PATCH 14/17]" after "[PATCH 13/7]": the sender noticed.
    last = max(posting.patches, default=0)
    return last > posting.total and number == last + 1 and total > posting.total


def _unmarked(posting: Posting, post: Post) -> bool:
    """Two patches that are both "[PATCH]", or resent ones and first ones: not the same posting."""
    return any(post.tag.resend != other.tag.resend for other in posting.posts)


def _threaded(posting: Posting, post: Post) -> bool:
    return bool(posting.ids.intersection(post.parents))


def _answers_cover(posting: Posting, post: Post) -> bool:
    return posting.cover is not None and posting.cover.message.message_id in post.parents[:1]


def _answers_patch(posting: Posting, post: Post) -> bool:
    """Whether it is sent as an answer to a patch of the posting that has its number: a new revision of that one."""
    return any(other.message.message_id in post.parents[:1] and other.tag.number == post.tag.number
               for other in posting.patches.values())  # fmt: skip


def _closeness(posting: Posting, post: Post) -> tuple[bool, bool, float]:
    apart = abs((posting.when - post.when).total_seconds())
    return _answers_cover(posting, post), _threaded(posting, post), -apart


def _adopt_covers(found: list[Posting]) -> None:
    """Give covers left alone (their version differs from the patches') to the posting they introduce."""
    for lonely in [posting for posting in found if not posting.patches]:
        near = [
            posting
            for posting in found
            if posting.patches
            and posting.cover is None
            and posting.total == lonely.total
            and same_person(posting.sender, lonely.sender)
            and abs(posting.when - lonely.when) < _NEAR
        ]
        if near:
            best = min(near, key=lambda posting: abs(posting.when - lonely.when))
            best.cover = lonely.cover


def _complete_rerolls(found: list[Posting]) -> None:
    """A later revision of a few patches, sent as answers to the earlier posting, keeps the earlier one's others."""
    for position, posting in enumerate(found):
        if posting.cover or not posting.revision or posting.total == len(posting.patches):
            continue
        for earlier in reversed(found[:position]):
            complete = len(earlier.patches) >= earlier.total
            if (
                earlier.total == posting.total
                and complete
                and all(_threaded(earlier, post) for post in posting.patches.values())
            ):
                for number, post in earlier.patches.items():
                    if number not in posting.patches:
                        posting.patches[number] = post
                        posting.borrowed[number] = earlier.version
                break


def same_person(a: Address, b: Address) -> bool:
    """The same address, or the same name."""
    if a.email and a.email.lower() == b.email.lower():
        return True
    return bool(a.name) and a.name.lower() == b.name.lower()


def topics(found: Sequence[Posting]) -> list[list[Posting]]:
    """Postings that are revisions of one another, in groups; the group of the oldest posting first."""
    groups: list[list[Posting]] = []
    for posting in found:
        related = [group for group in groups if any(_related(posting, other) for other in group)]
        merged = [other for group in related for other in group] + [posting]
        place = groups.index(related[0]) if related else len(groups)
        groups = [group for group in groups if group not in related]
        groups.insert(place, merged)
    return groups


def _related(a: Posting, b: Posting) -> bool:
    if not same_person(a.sender, b.sender):
        return False
    if not a.ids and not b.ids:
        return True  # one page, one sender
    threads = [
        {parent for post in posting.posts for parent in post.parents if parent} | posting.ids for posting in (a, b)
    ]
    if threads[0] & threads[1]:
        return True
    titles = [[post.tag.title for post in posting.posts] for posting in (a, b)]
    return any(subject.same_title(one, other) for one in titles[0] for other in titles[1])


def answers(posts: Sequence[Post], chosen: Posting, found: Sequence[Posting]) -> Iterator[tuple[Post, int | None]]:
    """The posts that answer `chosen`, oldest first, each with the number of the patch (0: the cover, None: unknown).

    Told by headers; where a page has none, by subject. Answers to other postings are left out.
    """
    taken = {post.order for posting in found for post in posting.posts} | {p.order for p in chosen.posts}
    by_id = {post.message.message_id: post for post in posts if post.message.message_id}
    numbers = {post.order: number for number, post in chosen.patches.items()}
    if chosen.cover:
        numbers[chosen.cover.order] = 0
    whole = {parent for post in chosen.posts for parent in post.parents if parent} | chosen.ids
    for post in sorted(posts, key=lambda p: (p.when, p.order)):
        if post.order in numbers or post.order in taken:
            continue
        ancestor = _ancestor(post, by_id, taken | numbers.keys())
        if ancestor is not None:
            if ancestor.order in numbers:
                yield post, _number_answered(post, numbers[ancestor.order], chosen, by_id)
            continue
        number = _by_subject(post, chosen)
        if number is not None:
            yield post, number
        elif whole.intersection(post.parents) or (not any(post.parents) and _names(post.tag, chosen)):
            yield post, None


def _ancestor(post: Post, by_id: dict[str, Post], ends: Iterable[int]) -> Post | None:
    """The nearest patch or cover above `post` in its thread (`ends` are their places); None where the thread is not
    known."""
    stops = frozenset(ends)
    seen: set[int] = set()
    here = post
    while here.order not in seen:
        seen.add(here.order)
        parents = [by_id[parent] for parent in here.parents if parent in by_id]
        for parent in parents:
            if parent.order in stops:
                return parent
        if not parents:
            return None
        here = parents[0]
    return None


def _number_answered(post: Post, number: int, chosen: Posting, by_id: dict[str, Post]) -> int | None:
    """`number`, unless the mail it answers is not in the source and its subject names another patch."""
    named = post.tag.number
    if named is None or named == number or post.message.in_reply_to in by_id or not post.tag.reply:
        return number
    return named if named in chosen.patches else None


def _by_subject(post: Post, chosen: Posting) -> int | None:
    tag = post.tag
    if not tag.reply or (post.message.date and post.when < chosen.when):
        return None
    if chosen.cover and _means(tag, chosen.cover.tag):
        return 0
    return next((number for number, patch in chosen.patches.items() if _means(tag, patch.tag)), None)


def _means(reply: Tag, answered: Tag) -> bool:
    """Whether a reply's subject is that of `answered` (a reply may have dropped the [tag], not changed it)."""
    tagged = not reply.patch or (reply.revision, reply.number) == (answered.revision, answered.number)
    return tagged and subject.same_title(reply.title, answered.title)


def _names(reply: Tag, chosen: Posting) -> bool:
    """Whether a reply's subject is of this posting, though of a patch that is not there."""
    if not reply.reply:
        return False
    return not reply.patch or ((reply.revision or 1) == chosen.version and reply.total == chosen.total)
