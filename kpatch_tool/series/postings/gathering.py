"""Which messages make one posting of a series. The rules are told in docs/series.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf

from kpatch_tool.series.postings import rerolls
from kpatch_tool.series.postings.placing import AT_ONCE, LATEST, NEAR, Index, join
from kpatch_tool.series.postings.posts import Post, Posting, identities, is_whole_patch, same_person, signers
from kpatch_tool.series.reading import subject


def gather(posts: Sequence[Post], *, in_order: bool = False) -> list[Posting]:
    """The postings among `posts`, oldest first; only those with patches.

    With `in_order` (a quilt series) the posts are the patches in their order, whatever their subjects say. Patch files
    without numbers (no Message-Id, no k/N) are taken in order as well.
    """
    patches = _candidates(posts)
    if patches and (in_order or _are_files_in_order(patches, posts)):
        ordered = dict(enumerate(patches, start=1))
        return [Posting(patches[0].sender, len(patches), None, ordered)]
    index = Index(patches)
    zeros = [post for post in posts if post.tag.number == 0 and not post.tag.reply and not post.tag.forward]
    misnumbered = _misnumbered(zeros)
    alone = _whole_patches(zeros, patches)
    for post in alone:
        index.add(Posting(post.sender, 1, None, {1: post}))
    no_covers = {post.order for post in (*misnumbered, *alone)}
    covers = [post for post in zeros if post.order not in no_covers]
    placed: set[int] = set()
    queue = _queue(covers, [post for post in patches if post.tag.number != 0])
    for run in _whole_runs(posts, queue):
        index.add(_posting_of(run))
        placed.update(post.order for post in run)
    for post in queue:
        if post.order in placed:
            continue
        if post.tag.number == 0:
            index.add(Posting(post.sender, post.tag.total or 0, post))
        else:
            join(index, post)
    return rerolls.related(index.found, posts, misnumbered)


def _whole_patches(zeros: Sequence[Post], patches: Sequence[Post]) -> list[Post]:
    """Those of the posts 0/1 that are patches: signed off, and no cover letter of one of `patches`."""
    found = [post for post in zeros if post.diff and post.tag.total == 1 and signers(post)]
    if not found:
        return []
    answered = {post.parent for post in patches if post.tag.number != 0}
    sent = [post.sender for post in patches if (post.tag.number, post.tag.total) == (1, 1)]
    firsts = {name for sender in sent for name in identities(sender)}
    return [
        post
        for post in found
        if post.message.message_id not in answered and not firsts.intersection(identities(post.sender))
    ]


def _misnumbered(zeros: Sequence[Post]) -> list[Post]:
    """Those of the posts 0/N that are patches: signed off, and sent with a cover letter that has no diff."""
    letters: dict[tuple[str, int | None, int | None], list[Post]] = {}
    for post in zeros if any(post.diff for post in zeros) else ():
        for key in _Dated.keys(post) if not post.diff else ():
            letters.setdefault(key, []).append(post)
    return [
        post
        for post in zeros
        if post.diff
        and signers(post)
        and any(
            abs(post.when - one.when) < AT_ONCE for key in _Dated.keys(post) for one in letters.get(key, ())[-LATEST:]
        )
    ]


def _queue(covers: Sequence[Post], patches: Sequence[Post]) -> list[Post]:
    """Covers and patches in the order in which they were sent. A cover's clock may be late, or a patch may bear the
    date of its commit: a cover comes before the patches that answer it all the same, and a patch before those that
    answer it."""
    # In seconds: no date is before that of the year 1, which a mail may bear.
    early = {post.order: post.when.timestamp() - AT_ONCE.total_seconds() for post in covers}
    sent = {post.message.message_id: early[post.order] for post in covers if post.message.message_id}
    unthreaded = _Dated(covers, patches)
    times: dict[int, float] = {}
    for post in patches:
        answered = [sent[parent] for parent in post.parents if parent in sent][:1]
        if post.unthreaded:
            answered = unthreaded.covers_of(post)
        times[post.order] = max([post.when.timestamp(), *answered])
    queue = [(early[post.order], 0, post.order, post) for post in covers]
    turns = _turns(patches, times)
    queue += [(*turns[post.order], post.order, post) for post in patches]
    return [entry[3] for entry in sorted(queue, key=lambda entry: entry[:3])]


def _turns(patches: Sequence[Post], times: Mapping[int, float]) -> dict[int, tuple[float, int]]:
    """When each of `patches`, sent at `times`, is placed: not before the one that it answers. With how many (from 1) it
    answers, one by way of another: of one second, too."""
    by_id = {post.message.message_id: post for post in patches if post.message.message_id}
    turns: dict[int, tuple[float, int]] = {}
    for patch in patches:
        chain: dict[int, Post] = {}
        above: Post | None = patch
        while above is not None and above.order not in turns and above.order not in chain:
            chain[above.order] = above
            above = by_id.get(above.parent)
        time, depth = turns.get(above.order, (-inf, 0)) if above is not None else (-inf, 0)
        for order in reversed(chain):
            time, depth = max(time, times[order]), depth + 1
            turns[order] = time, depth
    return turns


class _Dated:
    """When covers and patches were sent of which a page does not show what they answer, by sender, total, version and
    number."""

    def __init__(self, covers: Sequence[Post], patches: Sequence[Post]) -> None:
        self._times: dict[tuple[str, int | None, int | None, int | None], list[float]] = {}
        for post in sorted((post for post in (*covers, *patches) if post.unthreaded), key=lambda post: post.when):
            for key in self.keys(post):
                self._times.setdefault((*key, post.tag.number), []).append(post.when.timestamp())

    @staticmethod
    def keys(post: Post) -> list[tuple[str, int | None, int | None]]:
        """What a cover letter shares with its patches, for every name of the sender."""
        return [(name, post.tag.total, post.tag.revision) for name in identities(post.sender)]

    def covers_of(self, patch: Post) -> list[float]:
        """When a cover was sent that counts `patch` and is dated less than a week after it, if no other patch of that
        number was sent with the cover."""
        when = patch.when.timestamp()
        found: list[float] = []
        for key in self.keys(patch):
            cover = self._next((*key, 0), when)
            twin = self._next((*key, patch.tag.number), max(when, cover - AT_ONCE.total_seconds()))
            if cover - when < NEAR.total_seconds() and twin - cover > AT_ONCE.total_seconds():
                found.append(cover - AT_ONCE.total_seconds())
        return found

    def _next(self, key: tuple[str, int | None, int | None, int | None], when: float) -> float:
        """The first time after `when`; infinity for none."""
        times = self._times.get(key, [])
        place = bisect_right(times, when)
        return times[place] if place < len(times) else inf


def _are_files_in_order(patches: Sequence[Post], posts: Sequence[Post]) -> bool:
    """Whether these are files of git format-patch or quilt without numbers, rather than mails or what an archive
    shows."""
    alike = len({post.version_tag for post in patches}) == 1 and not _are_versions(patches)
    files = len(patches) > 1 and _are_files(patches) and all(post.tag.number is None for post in patches)
    return files and alike and not any(post.tag.reply for post in posts)


def _are_versions(patches: Sequence[Post]) -> bool:
    """Whether some have one title but for the version in it ("x", "x (v2)")."""
    titles = Counter(subject.plain(post.tag.title) for post in patches)
    return any(post.versioned_alone and titles[subject.plain(post.tag.title)] > 1 for post in patches)


def _whole_runs(posts: Sequence[Post], queue: Sequence[Post]) -> list[list[Post]]:
    """The runs 1/N, 2/N, ... N/N of `queue` (a cover may come first) that stand together among `posts` and answer
    nothing else. Of files (no mail has an id) some may be missing, or hold no diff.

    Files of git format-patch and b4 are such: they name each patch's author where a mail names its sender, and so one
    series may be from many people.
    """
    wanted = {post.order for post in queue}
    runs: list[list[Post]] = []
    last: Post | None = None
    for post in sorted(posts, key=lambda post: post.order):
        if post.tag.number is not None and not (post.tag.reply or post.tag.forward):
            if last is None or not _goes_on(last, post):
                runs.append([])
            runs[-1].append(post)
            last = post
    found = ([post for post in run if post.order in wanted] for run in runs)
    return [run for run in found if _is_whole(run) and _stands_alone(run)]


def _goes_on(last: Post, post: Post) -> bool:
    a, b = last.tag, post.tag
    same = (a.total, last.version_tag, a.resend) == (b.total, post.version_tag, b.resend)
    next_ = (a.number or 0) + 1
    number = b.number or 0
    return same and post.order == last.order + 1 and (number == next_ or (number > next_ and _are_files((last, post))))


def _is_whole(run: Sequence[Post]) -> bool:
    """Whether all of a series is in a run; of files, more than one."""
    if len(run) < 2:
        return False
    first, last = run[0].tag.number or 0, run[-1].tag.number or 0
    return _are_files(run) or (first < 2 and 1 < last == run[0].tag.total and len(run) == last - first + 1)


def _are_files(run: Sequence[Post]) -> bool:
    """Whether they are files, rather than mails or what an archive shows: none has an id."""
    return not any(post.message.message_id or post.message.archive for post in run)


def _stands_alone(run: Sequence[Post]) -> bool:
    ids = {post.message.message_id for post in run}
    if not all(ids.issuperset(filter(None, post.parents)) and not post.message.archive for post in run):
        return False
    if _are_files(run):
        return True  # their dates are the commits'
    times = [post.when for post in run if post.message.date]
    one = all(same_person(post.sender, run[0].sender) for post in run)
    return not times or max(times) - min(times) < (NEAR if one else AT_ONCE)


def _posting_of(run: Sequence[Post]) -> Posting:
    cover = run[0] if run[0].tag.number == 0 else None
    patches = {post.tag.number: post for post in run if post.tag.number}
    return Posting(run[0].sender, run[0].tag.total or len(patches), cover, patches)


def _candidates(posts: Sequence[Post]) -> list[Post]:
    """The posts that are patches: marked ones; where there are none, unmarked ones, then forwarded ones, then whole
    patches sent as replies."""
    own = [post for post in posts if post.diff and not post.tag.notice and not post.tag.forward]
    marked = [post for post in own if post.tag.patch]
    forwarded = [post for post in posts if post.diff and post.tag.forward]
    return marked or own or forwarded or [post for post in posts if post.tag.patch and is_whole_patch(post)]
