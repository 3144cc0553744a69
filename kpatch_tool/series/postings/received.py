"""Messages -> posts: every mail once, with its subject read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from kpatch_tool.mail.message import Address, Message
from kpatch_tool.series.people import senders
from kpatch_tool.series.postings.posts import Post
from kpatch_tool.series.reading import forwarded, split, subject


class _Turns:
    """Which of several alike on one page a message is, where neither ids nor dates tell them apart: a patch that was
    not changed in the next version. Another copy of the page has it as often; one right behind another is a copy of
    that one."""

    def __init__(self) -> None:
        self._known: dict[object, int] = {}
        self._count: Counter[object] = Counter()
        self._last: tuple[object, object] = ("", None)

    def of(self, message: Message, identity: object) -> int:
        if (message.origin, identity) not in self._known:
            page = message.origin.rpartition(",")[0]
            self._count[page, identity] += self._last != (page, identity)
            self._known[message.origin, identity] = self._count[page, identity]
            self._last = page, identity
        return self._known[message.origin, identity]


def read_posts(messages: Iterable[Message]) -> list[Post]:
    """Every message once (lists send copies; several sources may overlap), with its subject read. Of copies with one id
    the first counts, or the first with a diff: some gateways send a mail on without its text. Mails with one id that
    are no copies are posts of their own."""
    messages = list(messages)
    names = senders.named(messages)
    places: dict[object, int] = {}
    known: list[Message] = []
    posts: list[Post] = []
    turns = _Turns()
    for message in messages:
        # A file that is attached to several answers is one of each of them.
        shown = message.subject, message.author, message.date, message.body, message.in_reply_to
        identity: object = message.message_id or shown
        if message.archive and not (message.message_id or message.date):
            identity = identity, turns.of(message, identity)
        place = places.setdefault(identity, len(posts))
        if place < len(posts) and _is_another(known[place], message):
            place = places.setdefault((identity, message.date), len(posts))
        if place == len(posts):
            posts.append(_post(message, place, names))
            known.append(message)
        elif message.message_id and not posts[place].diff and (copy := _post(message, place, names)).diff:
            posts[place] = copy
    return posts


def _is_another(known: Message, message: Message) -> bool:
    """Whether a mail with the id of one that is known is none of its copies: an edited file of git format-patch that
    was sent once more, under a later date; or an answer sent under the id of a patch. A list may have put a tag before
    the subject and a notice below the text, a page may show less of a date and of a text: there the subject tells."""
    if not (known.date and message.date) or known.date == message.date or not message.body.strip():
        return False
    if not (split.has_diff(known.body) or split.has_diff(message.body)):
        return False
    shown = known.archive or message.archive
    one, other = (subject.parse(mail.subject) for mail in (known, message))
    if shown:
        return replace(one, title="") != replace(other, title="")
    return one != other or _text(known) != _text(message)


def _text(message: Message) -> tuple[str, bytes]:
    """The commit message and the diff of a mail."""
    parts = split.split_body(message.body, message.charset)
    return parts.message, parts.diff


def _post(message: Message, order: int, names: Mapping[str, Address]) -> Post:
    tag = subject.parse(message.subject)
    inner = forwarded.opened(message) if tag.forward else None
    if inner is not None:
        tag = replace(subject.parse(inner.subject), forward=True)
    forwarder = message.author if inner else None
    text = inner or message
    diff = not tag.reply and split.has_diff(text.body)
    return Post(text, tag, order, diff, forwarder, names.get(text.author.name))
