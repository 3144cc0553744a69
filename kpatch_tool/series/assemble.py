"""Messages -> one Series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers
from kpatch_tool.mail.flowed import unflow
from kpatch_tool.mail.footers import banner_end, without_footer
from kpatch_tool.mail.message import Message
from kpatch_tool.series.model import Cover, Patch, Reply, Series, Trailer
from kpatch_tool.series.people import trailers
from kpatch_tool.series.people.given import Refused, of_reply
from kpatch_tool.series.postings import gathering
from kpatch_tool.series.postings.answers import answers as find_answers
from kpatch_tool.series.postings.choosing import announced, choose, shortcomings
from kpatch_tool.series.postings.posts import Post, Posting
from kpatch_tool.series.postings.proposed import CounterPatches
from kpatch_tool.series.postings.received import read_posts
from kpatch_tool.series.reading.counted import contradicted
from kpatch_tool.series.reading.diffs import all_readable
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.reading.split import has_diff, split_body, strip_space
from kpatch_tool.series.reading.subject import parse
from kpatch_tool.series.reading.undone import broken
from kpatch_tool.text import plural

_LONGEST_SLUG = 34
# What looks like a diff to a reader and is none that can be applied, with a sentence on it.
_NO_DIFFS = (
    (
        re.compile(rb"^diff --(?:cc|combined) ", re.MULTILINE),
        "the mail shows a merge (`diff --cc`), which cannot be applied",
    ),
    (
        re.compile(rb"^--? [^\s-]\S*\n\+\+\+ \S", re.MULTILINE),
        "the diff lost a hyphen of the `---` before its first file; put it back in and import it again",
    ),
)
_QUOTED = re.compile(rb"^>[> ]{0,9}(?:diff --git |--- \S[^\n]*\n>[> ]{0,9}\+\+\+ )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the replies gave: trailers by patch number (0: to all), and those not taken, with that number."""

    replies: tuple[Reply, ...]
    trailers: dict[int, list[Trailer]]
    refused: tuple[tuple[int, Refused], ...]


def assemble(
    messages: Sequence[Message],
    *,
    where: str,
    name: str = "",
    revision: int | None = None,
    pick: str = "",
    in_order: bool = False,
    sloppy: bool = False,
) -> Series:
    """The series in `messages`: its latest revision, or `revision`.

    `pick` chooses among several series: a number (of the postings, oldest first, as `problems` name them), a message id
    or a part of the title.

    `name` is what it will be called (made from the title where empty); `where` names the source in errors; `in_order`
    says that the messages are the patches in their order (a quilt series); `sloppy` takes trailers sent by others.
    Messages of other revisions and of other series are left out; `problems` says so.

    Raises InputError when there is no patch, no such revision or series, when one of many series must be chosen, or a
    patch cannot be read.
    """
    posts = read_posts(all_readable(messages))
    found = gathering.gather(posts, in_order=in_order)
    if not found:
        raise InputError(_no_patch(posts), where=where)
    chosen, others = choose(found, posts, revision=revision, pick=pick, where=where)
    others += announced(posts, found, chosen)
    answers = _answers(posts, chosen, found, sloppy=sloppy)
    patches = tuple(
        _patch(number, post, answers, lettered=chosen.cover is chosen.letter or number in chosen.borrowed)
        for number, post in sorted(chosen.patches.items())
    )
    cover = _cover(chosen.letter.message) if chosen.letter else None
    heading = (cover and cover.subject) or patches[0].subject
    return Series(
        name=name or slug(heading, chosen.version),
        title=heading,
        revision=chosen.version,
        total=chosen.total,
        cover=cover,
        patches=patches,
        replies=answers.replies,
        problems=_problems(chosen, patches, others, answers),
    )


def slug(heading: str, revision: int) -> str:
    """A directory name made from a title: "kvm-x86-flush-tlb-v5"."""
    words = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "series"
    if len(words) > _LONGEST_SLUG:
        words = words[: _LONGEST_SLUG + 1].rpartition("-")[0] or words[:_LONGEST_SLUG]
    return f"{words}-v{revision}" if revision > 1 else words


def _no_patch(posts: Sequence[Post]) -> str:
    replies = sum(1 for post in posts if has_diff(post.message.body))
    if replies:
        what = "1 message has a diff, but it is a reply or a notice" if replies == 1 else (
            f"{replies} messages have a diff, but they are replies or notices"
        )  # fmt: skip
        return f"no patch found: {what}"
    if quoted := sum(1 for post in posts if _QUOTED.search(post.message.body)):
        return (
            f"no patch found: {plural(quoted, 'mail quotes', 'mails quote')} a diff; import the mails that they answer"
        )
    if sealed := next((post.message.sealed for post in posts if post.message.sealed), ""):
        return f"no patch found: the mail holds {sealed}, which kpt does not read"
    for pattern, why in _NO_DIFFS:
        if any(pattern.search(post.message.body) for post in posts):
            return f"no patch found: {why}"
    if any(post.tag.number == 0 and not post.tag.reply for post in posts):
        return "no patch found: only the cover letter is here; import the whole thread"
    return f"no patch found in {plural(len(posts), 'message')}"


def _patch(number: int, post: Post, answers: _Answers, *, lettered: bool) -> Patch:
    """`lettered`: what answers the cover letter is about this patch (and not about what became of it later)."""
    replied = [*answers.trailers.get(number, ()), *(answers.trailers.get(0, ()) if lettered else ())]
    return read_patch(post.message, number, replied=tuple(replied))


def _prose(message: Message) -> str:
    """The text of a mail that people read: flowed lines joined, without what lists and companies put around it."""
    body = unflow(message.body, delsp=message.delsp) if message.flowed else message.body
    return strip_space(headers.decode(without_footer(body[banner_end(body) :]), message.charset))


def _cover(message: Message) -> Cover:
    inside = "" if message.subject else split_body(message.body, message.charset).inbody.get("subject", "")
    title = parse(inside or message.subject).title
    return Cover(title, message.author, message.date, _prose(message), message.message_id)


def _answers(posts: Sequence[Post], chosen: Posting, found: Sequence[Posting], *, sloppy: bool) -> _Answers:
    replies: list[Reply] = []
    given: dict[int, list[Trailer]] = {}
    refused: list[tuple[int, Refused]] = []
    proposed = CounterPatches(posts, chosen, found)
    for post, number in find_answers(posts, chosen, found):
        message = post.message
        text = _prose(message)
        replies.append(Reply(message.author, message.date, message.subject, number, text))
        if number is not None:
            counter = proposed.answered_by(post, number)
            read = of_reply(text, post.sender, sloppy=sloppy, to_counter_patch=counter)
            given.setdefault(number, []).extend(read.taken)
            refused += [(number, one) for one in read.refused]
    return _Answers(tuple(replies), given, tuple(refused))


def _problems(chosen: Posting, patches: Sequence[Patch], others: Sequence[str], answers: _Answers) -> tuple[str, ...]:
    """Sentences on what is missing, odd or left out, each once; `others` are those on other postings and series."""
    of_patches = *broken(patches), *contradicted(patches)
    return tuple(dict.fromkeys((*shortcomings(chosen, patches), *others, *_refused(answers, patches), *of_patches)))


def _refused(answers: _Answers, patches: Sequence[Patch]) -> list[str]:
    """Sentences on trailers that were not taken, but for those that a patch has anyway."""
    known = {patch.number: {trailers.identity(trailer) for trailer in patch.trailers} for patch in patches}
    everywhere = set.intersection(*known.values()) if known else set()
    told = [
        one for number, one in answers.refused if trailers.identity(one.trailer) not in known.get(number, everywhere)
    ]
    return list(dict.fromkeys(one.sentence() for one in told))
