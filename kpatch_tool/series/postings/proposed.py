"""Which replies answer a counter-patch: a diff that somebody proposed in a reply, instead of the patch."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from kpatch_tool.series.postings.posts import Post, Posting
from kpatch_tool.series.reading.split import has_diff

_QUOTED_ONCE = re.compile(rb"^> ?(?![> ]{0,3}>)(.*)", re.MULTILINE)
_OWN = re.compile(rb"^(?!>).+", re.MULTILINE)
_LATEST = 100  # counter-patches before a reply that it may answer
_TELLING = 8  # bytes a line must have, blanks left out, to tell where it is from


class CounterPatches:
    """The counter-patches among `posts`: replies with a diff of their own that no posting has taken in."""

    def __init__(self, posts: Sequence[Post], chosen: Posting, found: Sequence[Posting]) -> None:
        ours = {post.order for posting in (*found, chosen) for post in posting.posts}
        counters = [post for post in posts if post.order not in ours and has_diff(post.message.body)]
        self._ids = frozenset(post.message.message_id for post in counters) - {""}
        self._shown = sorted((post for post in counters if post.unthreaded), key=attrgetter("when"))
        self._answered = dict(chosen.patches)
        if chosen.letter:
            self._answered[0] = chosen.letter
        self._lines: dict[int, frozenset[bytes]] = {}

    def answered_by(self, reply: Post, number: int) -> bool:
        """Whether a reply to patch `number` (0: the cover) answers one of them: by its In-Reply-To, or, on a page that
        does not show what a mail answers, by what it quotes: more that stands in the counter-patch only than in the
        patch only."""
        if not reply.unthreaded:
            return reply.message.in_reply_to in self._ids
        end = bisect_right(self._shown, reply.when, key=attrgetter("when"))
        earlier = [one for one in self._shown[max(0, end - _LATEST) : end] if one.order != reply.order]
        if not earlier or number not in self._answered:
            return False
        quoted = _telling(_QUOTED_ONCE.findall(reply.message.body))
        of_patch = self._own(self._answered[number])
        return any(len(quoted & (own - of_patch)) > len(quoted & (of_patch - own)) for own in map(self._own, earlier))

    def _own(self, post: Post) -> frozenset[bytes]:
        if post.order not in self._lines:
            self._lines[post.order] = _telling(_OWN.findall(post.message.body))
        return self._lines[post.order]


def _telling(lines: Sequence[bytes]) -> frozenset[bytes]:
    """Lines without their blanks, those that are long enough to tell where they are from."""
    return frozenset(bare for line in lines if len(bare := b"".join(line.split())) >= _TELLING)
