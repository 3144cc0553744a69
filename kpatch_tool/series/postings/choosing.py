"""Which of a source's postings is imported, and what is said about the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from kpatch_tool.errors import InputError
from kpatch_tool.series.model import Patch
from kpatch_tool.series.postings.posts import Post, Posting, same_person, signers, threads_above
from kpatch_tool.series.postings.topics import topics
from kpatch_tool.series.reading import subject
from kpatch_tool.text import spelt

_MOST_OTHERS = 5  # series that are left out and named; with more, one must be chosen
_NUMBER = re.compile(r"[0-9]{1,9}")
_THREADED_RUN = timedelta(hours=1)  # in which the mails of one posting are sent, one answering another
_ONE_RUN = timedelta(minutes=5)  # the same where no header tells
_MOST_LISTED = 3  # series that an error names
_UNDATED = "no date"


def choose(
    found: Sequence[Posting], posts: Sequence[Post], *, revision: int | None, pick: str, where: str
) -> tuple[Posting, list[str]]:
    """The posting of `found` (oldest first, as gathering.gather gives them of `posts`) that is meant, and sentences on
    what else the source holds.

    `pick` is the number of a posting in `found`, from 1, a message id in it, or a part of its title; "" takes the first
    series. Of a series the latest revision is taken, or `revision`: a complete posting before one in part, then the
    later one.

    Raises InputError when nothing is meant by `pick`, or several series are; when there are more than five unrelated
    series and no `pick`; when the revision is not there.
    """
    numbers = {id(one): number for number, one in enumerate(found, start=1)}
    threads = list(map(threads_above(posts), found))
    groups = topics(found, threads)
    exact = _named(found, pick)
    if exact is not None:
        group = next(group for group in groups if exact in group)
        if revision is None or exact.version == revision:
            return exact, _others(groups, group, exact, numbers)
    elif pick:
        group = _titled(groups, pick, numbers, where)
    else:
        above = {id(one): thread for one, thread in zip(found, threads, strict=True)}
        groups = _from_the_top(groups, above)
        group = _first(groups, _unconnected(groups, above), numbers, where)
    chosen = _latest(group, revision, where)
    return chosen, _others(groups, group, chosen, numbers)


def number_of(pick: str) -> int | None:
    """The number of a posting that `pick` may be; None where it is none that a source could hold."""
    return int(pick) if _NUMBER.fullmatch(pick) else None


def _named(found: Sequence[Posting], pick: str) -> Posting | None:
    """The posting that a number or a message id names."""
    number = number_of(pick)
    if number is not None and 0 < number <= len(found):
        return found[number - 1]
    wanted = pick.strip("<> ")
    return next((one for one in found if wanted and wanted in one.ids), None)


def _titled(groups: Sequence[list[Posting]], pick: str, numbers: dict[int, int], where: str) -> list[Posting]:
    wanted = subject.plain(pick)
    meant = [
        group
        for group in groups
        if wanted and any(wanted in subject.plain(post.tag.title) for one in group for post in one.posts)
    ]
    headed = [group for group in meant if any(wanted in subject.plain(one.title) for one in group)]
    meant = headed or meant
    if len(meant) == 1:
        return meant[0]
    what = f"several series match `{pick}`" if meant else f"no series matches `{pick}`"
    raise InputError(what, where=where, todo=f"choose with --series: {_list(meant or groups, numbers)}")


def _first(
    groups: Sequence[list[Posting]], apart: Sequence[list[Posting]], numbers: dict[int, int], where: str
) -> list[Posting]:
    if len(apart) > _MOST_OTHERS:
        raise InputError(
            f"{len(groups)} series are here",
            where=where,
            todo=f"choose with --series (a number, a part of the title or a message id): {_list(groups, numbers)}; "
            "`kpt index FILE` lists all",
        )
    return groups[0]


def _from_the_top(groups: Sequence[list[Posting]], above: dict[int, frozenset[str]]) -> list[list[Posting]]:
    """`groups`, before them the first that was not sent in another's thread: a file that somebody attached to an answer
    bears the date of its commit."""
    owners = {id_: place for place, group in enumerate(groups) for one in group for id_ in one.ids}
    for place, group in enumerate(groups):
        if all(owners.get(id_, place) == place for one in group for id_ in above[id(one)]):
            return [group, *groups[:place], *groups[place + 1 :]]
    return list(groups)


def _unconnected(groups: Sequence[list[Posting]], above: dict[int, frozenset[str]]) -> list[list[Posting]]:
    """The series that are not in the thread of the first."""
    thread = {id_ for one in groups[0] for id_ in _links(one, above)}
    return [group for group in groups if thread.isdisjoint(id_ for one in group for id_ in _links(one, above))]


def _links(one: Posting, above: dict[int, frozenset[str]]) -> set[str]:
    return {post.batch for post in one.posts if post.batch} | above[id(one)]


def _list(groups: Sequence[list[Posting]], numbers: dict[int, int]) -> str:
    """A few series for an error: `1: "mm: do it" v2, 4: ...`."""
    latest = [_latest(group, None, "") for group in groups[:_MOST_LISTED]]
    texts = [f'{numbers[id(one)]}: "{one.title}"{f" {one.label}" if one.version != 1 else ""}' for one in latest]
    return ", ".join(texts) + (", ..." if len(groups) > len(latest) else "")


def _latest(group: Sequence[Posting], revision: int | None, where: str) -> Posting:
    wanted = [one for one in group if revision is None or one.version == revision]
    if not wanted:
        known = ", ".join(str(number) for number in sorted({one.version for one in group}))
        raise InputError(f"no revision {revision} of the series here", where=where, todo=f"there is: {known}")
    counted = _after_the_rfc(wanted) if revision is None else wanted
    latest = max(counted, key=lambda one: (*_worth(one), one.when, one.order))
    at_once = [one for one in counted if one is latest or (_worth(one) == _worth(latest) and _in_one_run(one, latest))]
    return min(at_once, key=lambda one: (one.cover is None, one.when, one.order))


def _worth(one: Posting) -> tuple[int, bool]:
    return one.version, one.complete and not one.continues


def _in_one_run(one: Posting, other: Posting) -> bool:
    """Whether one run of git send-email sent both: neither is later than the other, nor takes patches of it."""
    if one in other.borrowed.values():
        return False
    batches = {post.batch for post in other.posts} - {""}
    told = any(post.batch in batches for post in one.posts)
    return one.minor == other.minor and (told or _sent_together(one, other))


def _sent_together(one: Posting, other: Posting) -> bool:
    """Whether two postings of one total, or of which one is a single patch, were sent at once: a number is there
    twice, or the file of an earlier try was in the directory that was sent."""
    totals = {one.total, other.total}
    numbered = max(totals) > 1 and (len(totals) == 1 or 1 in totals)
    dated = one.first.message.date and other.first.message.date
    if not (numbered and dated and same_person(one.sender, other.sender)):
        return False
    threaded = any(post.parent in b.ids for a, b in ((one, other), (other, one)) for post in a.posts)
    near = _THREADED_RUN if threaded else _ONE_RUN
    return abs(one.when - other.when) < near and (threaded or one.first.unthreaded)


def _after_the_rfc(group: Sequence[Posting]) -> Sequence[Posting]:
    """Without the RFC postings where counting began anew after them: "[RFC PATCH v5]", then "[PATCH]"."""
    requests = [one for one in group if one.rfc]
    last = max((one.when for one in requests), default=None)
    # A file that is attached to an answer bears the date of its commit.
    after = [one for one in group if last and not one.rfc and (one.when > last or _answers(one, requests))]
    return [one for one in after if not any(_in_one_run(one, rfc) for rfc in requests)] or group


def _answers(one: Posting, earlier: Sequence[Posting]) -> bool:
    """Whether a posting was sent in the thread of one of the `earlier` ones, below it."""
    ids = {id_ for other in earlier for id_ in other.ids}
    return any(not ids.isdisjoint(post.parents) for post in one.posts)


def shortcomings(chosen: Posting, patches: Sequence[Patch]) -> list[str]:
    """Sentences on what is missing or odd in a posting and its `patches`, as they were read."""
    problems: list[str] = []
    missing = [number for number in range(1, chosen.total + 1) if number not in chosen.patches]
    if missing:
        which = f"patch {spelt(missing)} is" if len(missing) == 1 else f"patches {spelt(missing)} are"
        problems.append(f"{which} not in the source (of {chosen.total})")
    beyond = [number for number in chosen.patches if number > chosen.total]
    if beyond:
        problems.append(f"sent beyond the {chosen.total} that were announced: {spelt(beyond)}")
    problems += list(_taken(chosen))
    if chosen.kept_re:
        problems.append(f"sent as a reply, its `Re:` left in the subject: patch {spelt(sorted(chosen.kept_re))}")
    for number in (number for number, post in chosen.own.items() if post.tag.number == 0):
        problems.append(f"patch {number} was sent as 0/{chosen.total}")
    if chosen.cover and chosen.cover.diff and signers(chosen.cover):
        problems.append(f"0/{chosen.total}, the cover letter, is a signed patch as well, which is not taken")
    if miscounted := _miscounted(chosen):
        problems.append(f"counted otherwise by its subject, sent in this place: patch {spelt(miscounted)}")
    if any(post.tag.reply for post in chosen.own.values()) and not chosen.kept_re:
        problems.append("the patch was sent as a reply: the source holds no other")
    if any(post.tag.forward and not post.forwarder for post in chosen.patches.values()):
        problems.append("the patch was forwarded: its author and date may be the forwarder's")
    for who in dict.fromkeys(post.forwarder for post in chosen.patches.values() if post.forwarder):
        problems.append(f"forwarded by {who.name or who.email}: author and date are those that the text gives")
    undated = [patch.number for patch in patches if patch.date is None]
    if undated:
        problems.append(f"no readable date: patch {spelt(undated)}")
    nameless = [patch.number for patch in patches if not patch.author.name]
    if nameless:
        problems.append(f"no author: patch {spelt(nameless)}")
    return [*problems, *_versions(chosen)]


def _miscounted(chosen: Posting) -> list[int]:
    """The patches of one run of git send-email whose subjects have no number, another one, or another total than
    the others."""
    totals = {post.tag.total for post in chosen.own.values() if post.batch}
    usual = chosen.total if len(totals) > 1 else None
    tags = {number: post.tag for number, post in sorted(chosen.own.items()) if post.batch}
    return [
        number for number, tag in tags.items() if (usual and tag.total != usual) or tag.number not in {None, 0, number}
    ]


def _taken(chosen: Posting) -> Iterator[str]:
    """What was taken from earlier postings."""
    for origin in dict.fromkeys(chosen.borrowed.values()):
        kept = spelt([number for number, other in chosen.borrowed.items() if other is origin])
        if chosen.continues:
            sent = f"{spelt(origin.own)} of {origin.total}, {origin.day or _UNDATED}"
            yield f'{spelt(chosen.own)} of {chosen.total} go on from "{origin.title}" ({sent}); taken from it: {kept}'
        elif origin.label == chosen.label:
            yield f"sent again in part: {spelt(chosen.own)}; taken from {origin.day or 'the posting before'}: {kept}"
        else:
            yield f"{chosen.label} was sent in part; taken from {origin.label}: {kept}"


def _versions(chosen: Posting) -> Iterator[str]:
    """Tags that differ inside the posting."""
    said = chosen.cover.tag.revision if chosen.cover else None
    if said not in (None, chosen.revision):
        yield f"the cover letter says v{said}, the patches v{chosen.version}"
    for revision in sorted({post.tag.revision or 0 for post in chosen.own.values()} - {chosen.version, 0}):
        which = [number for number, post in chosen.own.items() if post.tag.revision == revision]
        yield f"tagged v{revision}: patch {spelt(which)}"
    if chosen.revision is not None:
        untagged = [number for number, post in chosen.own.items() if post.tag.revision is None]
        if untagged and len(untagged) < len(chosen.own):
            yield f"without a version in the subject: patch {spelt(sorted(untagged))}"


def _others(
    groups: Sequence[list[Posting]], group: Sequence[Posting], chosen: Posting, numbers: dict[int, int]
) -> list[str]:
    """Sentences on what else the source holds."""
    lines = [line for one in group if one is not chosen for line in _about(one, chosen, numbers)]
    requests = [one.label for one in group if one.version > chosen.version and one.rfc and not chosen.rfc]
    if requests:
        lines.append(f"the versions begin anew after the RFC: {', '.join(dict.fromkeys(requests))} came before")
    if len(lines) > _MOST_OTHERS:
        lines[_MOST_OTHERS:] = [f"and {len(lines) - _MOST_OTHERS} more postings of the series"]
    others = [other for other in groups if other is not group]
    for other in others[:_MOST_OTHERS]:
        lines.append(f"another series is in the source: {_described(_latest(other, None, ''), numbers)}")
    if len(others) > _MOST_OTHERS:
        lines.append(f"and {len(others) - _MOST_OTHERS} more series")
    return lines


def _about(one: Posting, chosen: Posting, numbers: dict[int, int]) -> Iterator[str]:
    """What is worth knowing about another posting of the same series."""
    if one.continues is chosen:
        yield f"goes on in {_described(one, numbers)}"
    elif one is chosen.continues or one in chosen.borrowed.values():
        return  # said with what was taken from it
    elif one.version == chosen.version:
        yield f"also posted as {one.label}: {_described(one, numbers)}"
    elif chosen.unnumbered and not one.unnumbered and chosen.first.parent in one.ids:
        yield f"sent as an answer to {_described(one, numbers)}"
    elif one.version < chosen.version and one.when > chosen.when:
        how = "without a version" if one.revision is None else f"as {one.label}"
        yield f"posted later {how}: {_described(one, numbers)}"


def announced(posts: Sequence[Post], found: Sequence[Posting], chosen: Posting) -> list[str]:
    """A sentence on later revisions of which the source holds only the cover letter."""
    used = {post.order for one in found for post in one.posts}
    labels = [
        f"v{post.tag.revision}"
        for post in posts
        if post.order not in used
        and post.tag.number == 0
        and not (post.tag.reply or post.tag.forward)
        and (post.tag.revision or 0) > chosen.version
        and same_person(post.sender, chosen.sender)
        and subject.same_title(post.tag.title, chosen.title)
    ]
    return [f"{', '.join(dict.fromkeys(labels))}: only the cover letter is in the source"] if labels else []


def _described(one: Posting, numbers: dict[int, int]) -> str:
    who = one.sender.name or one.sender.email
    return (
        f'"{one.title}" by {who}, {spelt(one.own)} of {one.total}, {one.day or _UNDATED} (--series {numbers[id(one)]})'
    )
