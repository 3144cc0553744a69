"""What a subject says about a patch: `[RFC PATCH v2 3/7] mm: fix` and the many ways people write that."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REPLY = re.compile(r"^(?:re|aw|sv|antw|vs|回复|答复)(?:\[\d+\])?\s*[:：]\s*", re.IGNORECASE)
_FORWARD = re.compile(r"^(?:fwd?|wg|tr|转发)\s*[:：]\s*", re.IGNORECASE)
_LOST_BRACKET = re.compile(r"^(?:(?:RFC|RESEND) )*PATCH[^\[\]]{0,40}\]", re.IGNORECASE)
_BRACKETS = re.compile(r"^\[([^\[\]]*)\]\s*")
_NUMBER = re.compile(r"(?<![\w./])(\d{1,4})\s*(?:/|\bof\b)\s*(\d{1,4})(?![\w./])", re.IGNORECASE)
_REVISION = re.compile(
    r"(?<![A-Za-z0-9])(?:patch|rfc|series)?[\s-]*v\.?\s?(\d{1,3})(?:\.\d+)?(?![A-Za-z0-9])", re.IGNORECASE
)
_TRAILING = re.compile(r"\s*[\[(]?v(\d{1,3})[\])]?\s*$")
_WORDS = re.compile(r"patch|rfc|rft|\brepost\b|resend", re.IGNORECASE)
# "+ x.patch added to mm-unstable branch": notices about a patch, sent by a maintainer's scripts.
_NOTICE = re.compile(
    r"^(?:\+ \S+\.patch added to|[-+] \S+\.patch (?:removed|added)|\[(?:to-be-|folded-)?merged|\[tip:|\[merged)"
)
_LONGEST_TAG = 200  # characters inside brackets that are read
_GIT_TRASH = re.compile(r"^(?:\s|:|re:|\[[^\]]*\])+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tag:
    """A subject taken apart.

    `title` is what git am makes the commit's subject; `revision`, `number` and `total` are None where the subject does
    not say. `patch` is True when it is marked as a patch (a word or a number in brackets), `notice` for a maintainer's
    script telling about one.
    """

    title: str
    revision: int | None = None
    number: int | None = None
    total: int | None = None
    patch: bool = False
    reply: bool = False
    forward: bool = False
    resend: bool = False
    notice: bool = False


def parse(subject: str) -> Tag:
    """Take a subject (decoded, white space squeezed) apart. Any text gives a Tag."""
    rest, reply, forward = _prefixes(subject.strip())
    if _NOTICE.match(rest):
        return Tag(title(subject), reply=reply, forward=forward, notice=True)
    if _LOST_BRACKET.match(rest):
        rest = "[" + rest
    tags: list[str] = []
    while found := _BRACKETS.match(rest):
        tags.append(found[1])
        rest = rest[found.end() :]
    inside = " ".join(tags)[:_LONGEST_TAG]
    number = _NUMBER.search(inside)
    bare = None if number else re.match(_NUMBER.pattern + r"\s*[:\]-]?\s+", rest, re.IGNORECASE)
    revision = _REVISION.search(inside)
    marked = bool(number or revision or _WORDS.search(inside))
    if revision is None and marked:
        revision = _TRAILING.search(rest)
    counted = number or (bare if marked else None)
    return Tag(
        title=title(subject),
        revision=int(revision[1]) if revision else None,
        number=int(counted[1]) if counted else None,
        total=int(counted[2]) if counted else None,
        patch=marked,
        reply=reply,
        forward=forward,
        resend="resend" in inside.lower() or "repost" in inside.lower(),
    )


def title(subject: str) -> str:
    """The subject without Re: and [tags], as git's mailinfo cleans it (cleanup_subject)."""
    text = _prefixes(subject)[0]
    if _LOST_BRACKET.match(text):
        text = "[" + text
    return " ".join(_GIT_TRASH.sub("", text).split())


def _prefixes(subject: str) -> tuple[str, bool, bool]:
    """The subject without its Re: and Fwd:, and whether they were there."""
    reply = forward = False
    while True:
        if found := _REPLY.match(subject):
            reply = True
        elif found := _FORWARD.match(subject):
            forward = True
        else:
            return subject, reply, forward
        subject = subject[found.end() :]


def same_title(a: str, b: str) -> bool:
    """Whether two titles name the same thing: case, punctuation and a cut end (mail programs shorten) aside."""
    one, other = plain(a), plain(b)
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) > 24 and longer.startswith(shorter))


def plain(text: str) -> str:
    """The letters and digits of a text, in lower case."""
    return re.sub(r"[\W_]+", "", text.lower())
