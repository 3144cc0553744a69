"""Which messages make one posting of a series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kpatch_tool.mail.message import Address, Message
from kpatch_tool.series import split, subject
from kpatch_tool.series.subject import Tag

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = timedelta(days=7)
_LATE_COVER = timedelta(hours=1)
_LATEST = 12  # of a sender's postings that a patch without thread headers is compared with


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
    index = _Index()
    covers = [post for post in posts if post.tag.number == 0 and not post.tag.reply and not post.tag.forward]
    numbered = [(post.when, post.order, post) for post in patches if post.tag.number != 0]
    # A cover's clock may be late; it comes before its patches all the same.
    queue = sorted([*numbered, *((post.when - _LATE_COVER, post.order, post) for post in covers)], key=lambda e: e[:2])
    placed: set[int] = set()
    for run in _whole_runs([post for _, _, post in queue]):
        index.add(_posting_of(run))
        placed.update(post.order for post in run)
    for _, _, post in queue:
        if post.order in placed:
            continue
        if post.tag.number == 0:
            index.add(Posting(post.message.author, post.tag.revision, post.tag.total or 0, post))
        else:
            _place(index, post)
    _adopt_covers(index)
    found = sorted((one for one in index.found if one.patches), key=lambda one: (one.when, one.order))
    _complete_rerolls(found)
    return found


def _whole_runs(posts: Sequence[Post]) -> list[list[Post]]:
    """The runs 1/N, 2/N, ... N/N (a cover may come first) that stand together in the source and answer nothing else.

    Files of git format-patch and b4 are such: they name each patch's author where a mail names its sender, and so one
    series may be from many people.
    """
    runs: list[list[Post]] = []
    run: list[Post] = []
    for post in sorted(posts, key=lambda post: post.order):
        if not (run and _goes_on(run[-1], post)):
            run = []
        if run or post.tag.number in (0, 1):
            run.append(post)
        if run and (post.tag.total or 0) > 1 and post.tag.number == post.tag.total:
            runs.append(run)
            run = []
    return [run for run in runs if _stands_alone(run)]


def _goes_on(last: Post, post: Post) -> bool:
    a, b = last.tag, post.tag
    same = (a.total, a.revision, a.resend) == (b.total, b.revision, b.resend)
    return same and post.order == last.order + 1 and b.number == (a.number or 0) + 1


def _stands_alone(run: Sequence[Post]) -> bool:
    ids = {post.message.message_id for post in run}
    return all(ids.issuperset(filter(None, post.parents)) and not post.message.archive for post in run)


def _posting_of(run: Sequence[Post]) -> Posting:
    cover = run[0] if run[0].tag.number == 0 else None
    patches = {post.tag.number: post for post in run if post.tag.number}
    return Posting(run[0].message.author, _revision(run), len(patches), cover, patches)


class _Index:
    """The postings found so far, with ways to those that a patch may belong to (a mailbox holds thousands)."""

    def __init__(self) -> None:
        self.found: list[Posting] = []
        self._by_id: dict[str, Posting] = {}
        self._by_sender: dict[tuple[str, int | None], list[Posting]] = {}

    def add(self, posting: Posting) -> None:
        self.found.append(posting)
        for post in posting.posts:
            self.know(post, posting)
        self.file(posting, posting.total)

    def know(self, post: Post, posting: Posting) -> None:
        """`post` is in `posting` now."""
        if post.message.message_id:
            self._by_id[post.message.message_id] = posting

    def file(self, posting: Posting, total: int) -> None:
        """`posting` may be found by its sender and `total`."""
        for name in identities(posting.sender):
            self._by_sender.setdefault((name, total), []).append(posting)
            self._by_sender.setdefault((name, None), []).append(posting)

    def near(self, post: Post, total: int) -> list[Posting]:
        """The postings that `post`, a patch n of `total`, may belong to: of its thread, or its sender's latest."""
        close = [self._by_id[parent] for parent in post.parents if parent in self._by_id]
        for name in identities(post.message.author):
            close += self._by_sender.get((name, total), [])[-_LATEST:]
            close += self._by_sender.get((name, None), [])[-_LATEST:]
        return list(dict.fromkeys(close))

    def without_cover(self, lonely: Posting) -> list[Posting]:
        """The postings of the same sender and total that have patches and no cover."""
        close = [one for name in identities(lonely.sender) for one in self._by_sender.get((name, lonely.total), [])]
        return [one for one in close if one.patches and one.cover is None]


def identities(person: Address) -> list[str]:
    """The keys under which a person is found: two of one key are `same_person`."""
    return [key.lower() for key in (f"<{person.email}>" if person.email else "", person.name) if key]


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


def _place(index: _Index, post: Post) -> None:
    number, total = post.tag.number or 1, post.tag.total or 1
    fitting = [posting for posting in index.near(post, total) if _fits(posting, post, number, total)]
    if not fitting:
        index.add(Posting(post.message.author, post.tag.revision, total, None, {number: post}))
        return
    best = max(fitting, key=lambda posting: _closeness(posting, post))
    best.patches[number] = post
    index.know(post, best)
    if total > best.total:
        best.total = total
        index.file(best, total)


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


def _adopt_covers(index: _Index) -> None:
    """Give covers left alone (their version differs from the patches') to the posting they introduce."""
    for lonely in [posting for posting in index.found if not posting.patches]:
        near = [one for one in index.without_cover(lonely) if abs(one.when - lonely.when) < _NEAR]
        if near:
            min(near, key=lambda one: abs(one.when - lonely.when)).cover = lonely.cover


def _complete_rerolls(found: list[Posting]) -> None:
    """A later revision of a few patches, sent as answers to the earlier posting, keeps the earlier one's others."""
    owner: dict[str, Posting] = {}
    for posting in found:
        partial = not posting.cover and posting.revision and posting.total > len(posting.patches)
        answered = {id(one): one for post in posting.posts for one in (_owner(owner, post),) if one} if partial else {}
        if len(answered) == 1:
            (earlier,) = answered.values()
            if earlier.total == posting.total and len(earlier.patches) >= earlier.total:
                for number, post in earlier.patches.items():
                    if number not in posting.patches:
                        posting.patches[number] = post
                        posting.borrowed[number] = earlier.borrowed.get(number, earlier.version)
        owner.update((id_, posting) for id_ in posting.ids)


def _owner(owner: dict[str, Posting], post: Post) -> Posting | None:
    return next((owner[parent] for parent in post.parents if parent in owner), None)


def same_person(a: Address, b: Address) -> bool:
    """The same address, or the same name."""
    if a.email and a.email.lower() == b.email.lower():
        return True
    return bool(a.name) and a.name.lower() == b.name.lower()
