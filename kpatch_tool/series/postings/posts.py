"""The values of postings: a message with what its subject says, and the posting it is gathered into."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kpatch_tool.mail.message import Address, Message
from kpatch_tool.series.reading import split
from kpatch_tool.series.reading.subject import Tag

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_ABOVE = 200  # messages
_BATCH = re.compile(r"(\d{14}\.\d+|\d{10}-\d+)-(\d{1,9})-")  # git send-email: <20140417090546.1234-2-jane@example.org>


@dataclass(frozen=True, slots=True)
class Post:
    """A message with what its subject says. `order` is its place in the source, from 0; `diff` tells of a diff in a
    message that is no reply; `forwarder` sent it, where the message is the one inside his; `named` is its sender, where
    the page shows only the address here and the name elsewhere."""

    message: Message
    tag: Tag
    order: int
    diff: bool
    forwarder: Address | None = None
    named: Address | None = None
    # What connects it with others: its id, those it answers, the run of git send-email that sent it. Asked for often.
    links: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        message = self.message
        links = frozenset((message.message_id, message.in_reply_to, *message.references, self.batch)) - {""}
        object.__setattr__(self, "links", links)

    @property
    def sender(self) -> Address:
        """Who sent it, by name where the page shows that anywhere."""
        return self.named or self.message.author

    @property
    def when(self) -> datetime:
        """When it was sent; the beginning of 1970 where no date is known."""
        return self.message.date or _EPOCH

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids it answers, nearest first."""
        return tuple(dict.fromkeys([self.message.in_reply_to, *reversed(self.message.references)]))

    @property
    def parent(self) -> str:
        """The id it answers itself; empty where it answers none or none is known."""
        return self.message.in_reply_to or next(iter(self.message.references[-1:]), "")

    @property
    def versioned_alone(self) -> bool:
        """Whether its version stands in its title ("x (v2)"): many count each patch of a series by itself there."""
        return self.tag.titled

    @property
    def version_tag(self) -> tuple[int | None, str]:
        """The version that its tag says ("[PATCH v2.1 1/3]": 2 and "1"), as git format-patch gives it to each patch of
        a series; no title's."""
        return (None, "") if self.versioned_alone else (self.tag.revision, self.tag.minor)

    @property
    def unthreaded(self) -> bool:
        """Whether it is from an archive's page that does not show what a mail answers."""
        return self.message.archive != "" and not any(self.parents)

    @property
    def batch(self) -> str:
        """The run of git send-email that sent it; empty where its id does not tell."""
        return self.batch_place[0]

    @property
    def batch_place(self) -> tuple[str, int]:
        """That run, and which of its mails it is."""
        found = _BATCH.match(self.message.message_id)
        return (found[1], int(found[2])) if found else ("", 0)


@dataclass(slots=True, eq=False)
class Posting:
    """One posting while its messages are gathered: a cover and patches by number.

    `borrowed` names, by number, the posting that a patch was taken from where this one is only a part (a partial
    reroll); `continues` the posting whose numbers this one goes on ("14/17" after "13/7"); `kept_re` the numbers of
    patches that were sent as replies.
    """

    sender: Address
    total: int
    cover: Post | None = None
    patches: dict[int, Post] = field(default_factory=dict)
    borrowed: dict[int, Posting] = field(default_factory=dict)
    continues: Posting | None = None
    kept_re: set[int] = field(default_factory=set)
    _said: tuple[tuple[int, int, bool], tuple[int | None, str]] = ((0, 0, False), (None, ""))  # see _tagged

    @property
    def revision(self) -> int | None:
        """What most of its patches say, else the first one or the cover; the cover first where they say it in titles
        alone."""
        return self._tagged()[0]

    @property
    def minor(self) -> str:
        """The "1" of v2.1."""
        return self._tagged()[1]

    @property
    def version(self) -> int:
        """Its revision; 1 where none is said."""
        known = self.revision
        return 1 if known is None else known

    @property
    def label(self) -> str:
        """ "v2", "v2.1", "v13A"."""
        return f"v{self.version}{'.' if self.minor.isdigit() else ''}{self.minor}"

    def _tagged(self) -> tuple[int | None, str]:
        now = (len(self.patches), len(self.borrowed), self.cover is not None)
        if self._said[0] != now:
            self._said = (now, self._counted())
        return self._said[1]

    def _counted(self) -> tuple[int | None, str]:
        announced = (self.cover.tag.revision, self.cover.tag.minor) if self.cover else (None, "")
        tags = [(post.tag.revision, post.tag.minor) for post in self.own.values()]
        if not tags:
            return announced
        said = Counter(tags) if tags.count(tags[0]) < len(tags) else {tags[0]: 1}
        most = max(said.values())
        often = [one for one, count in said.items() if count == most]
        best = often[0] if len(often) == 1 else max(often, key=self._weight)
        if announced[0] is not None and (best[0] is None or (best != announced and self._versioned_alone(best))):
            return announced
        first = self.first if best[0] is None and len(said) > 1 else None
        if first and first.tag.revision is not None and not first.versioned_alone:
            return first.tag.revision, first.tag.minor  # only the first file of git format-patch was edited
        return best

    def _weight(self, tag: tuple[int | None, str]) -> int:
        """Of tags that as many patches have: a version, none, one in titles alone ("another try, take #2")."""
        return 1 if tag[0] is None else 0 if self._versioned_alone(tag) else 2

    def _versioned_alone(self, tag: tuple[int | None, str]) -> bool:
        patches = self.own.values()
        return all(one.versioned_alone for one in patches if (one.tag.revision, one.tag.minor) == tag)

    @property
    def own(self) -> Mapping[int, Post]:
        """The patches that were sent in this posting."""
        if not self.borrowed:
            return self.patches
        return {number: post for number, post in self.patches.items() if number not in self.borrowed}

    def _sent(self) -> list[Post]:
        """The messages of this posting, in any order."""
        return [self.cover, *self.own.values()] if self.cover else [*self.own.values()]

    @property
    def posts(self) -> list[Post]:
        """Its cover and the patches that were sent in it, by number."""
        own = [post for _, post in sorted(self.own.items())]
        return ([self.cover] if self.cover else []) + own

    @property
    def when(self) -> datetime:
        """When the first of its messages was sent."""
        return min(post.when for post in self._sent())

    @property
    def day(self) -> str:
        """The day on which that was ("2014-04-17"); "" where none of them has a date."""
        return self.when.date().isoformat() if any(post.message.date for post in self._sent()) else ""

    @property
    def order(self) -> int:
        """The place in the source of the first of its messages."""
        return min(post.order for post in self._sent())

    @property
    def ids(self) -> frozenset[str]:
        """The message ids of what was sent in it."""
        return frozenset(post.message.message_id for post in self._sent()) - {""}

    @property
    def first(self) -> Post:
        """Its cover, or the patch of the lowest number."""
        return self.cover or self.patches[min(number for number in self.patches if number not in self.borrowed)]

    @property
    def letter(self) -> Post | None:
        """Its cover, or that of the posting it sends a part of again."""
        return self.cover or next((one.letter for one in self.borrowed.values() if one.letter), None)

    @property
    def title(self) -> str:
        """That of its cover; of its first patch where it has none, or one without a subject."""
        return self.first.tag.title or next((post.tag.title for _, post in sorted(self.patches.items())), "")

    @property
    def rfc(self) -> bool:
        return self.first.tag.rfc

    @property
    def resend(self) -> bool:
        return self.first.tag.resend

    @property
    def unnumbered(self) -> bool:
        """Whether it is one patch whose subject has no number."""
        return self.cover is None and all(post.tag.number is None for post in self.patches.values())

    @property
    def complete(self) -> bool:
        """Whether every patch of its total is there, sent in it or borrowed."""
        return all(number in self.patches for number in range(1, self.total + 1))


class ById:
    """Posts by the ids of their messages. Where authors sent an edited file of git format-patch once more, several have
    one id; what answers it means the one that was sent last before."""

    def __init__(self, posts: Iterable[Post]) -> None:
        self._posts: dict[str, list[Post]] = {}
        for post in sorted(posts, key=lambda post: post.when):
            if post.message.message_id:
                self._posts.setdefault(post.message.message_id, []).append(post)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._posts

    def answered(self, id_: str, answer: Post) -> Post | None:
        """The post with that id that `answer` means; None where there is none."""
        several = self._posts.get(id_, ())
        if len(several) < 2:
            return several[0] if several else None
        others = [post for post in several if post is not answer]
        patches = [post for post in others if post.diff] or others
        before = [post for post in patches if post.when <= answer.when]
        return before[-1] if before else patches[0]


def threads_above(posts: Iterable[Post]) -> Callable[[Posting], frozenset[str]]:
    """A function that gives the ids of a posting and of all that it answers, directly or by way of `posts`: not every
    mail's References name the whole thread above it. Above the nearest 200 it looks no further."""
    above = {post.message.message_id: post.parents for post in posts if post.message.message_id}

    def ids(posting: Posting) -> frozenset[str]:
        own = posting.ids
        found = set(own)
        todo = deque(id_ for post in posting.posts for id_ in post.parents)
        while todo and len(found) < len(own) + _MOST_ABOVE:
            id_ = todo.popleft()
            if id_ and id_ not in found:
                found.add(id_)
                todo += above.get(id_, ())
        return frozenset(found)

    return ids


def is_whole_patch(post: Post) -> bool:
    """Whether a reply is a patch whose subject kept its "Re:", signed off by its sender."""
    return post.tag.reply and any(
        key.strip("<>").encode() in signer.lower() for signer in signers(post) for key in identities(post.sender)
    )


def signers(post: Post) -> list[bytes]:
    """Who signed off the patch that a message is, whatever its subject says: a commit message with a sign-off, `---`, a
    diff, and nothing quoted. Empty where it is none."""
    body = post.message.body
    message, rule, _ = body.partition(b"\n---\n")
    if not rule or not split.has_diff(body) or re.search(rb"^>", body, re.MULTILINE):
        return []
    return re.findall(rb"^Signed-off-by: (.*)", message, re.MULTILINE)


def identities(person: Address) -> list[str]:
    """The keys under which a person is found: two of one key are `same_person`."""
    return [key.lower() for key in (f"<{person.email}>" if person.email else "", person.name) if key]


def same_person(a: Address, b: Address) -> bool:
    """The same address, or the same name."""
    if a.email and a.email.lower() == b.email.lower():
        return True
    return bool(a.name) and a.name.lower() == b.name.lower()
