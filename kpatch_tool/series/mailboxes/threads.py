"""The messages of an index -> threads, and which of them are in one. Memory: four bytes a message, and an id of some
hundred thousand messages at a time."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple

from kpatch_tool.mail.index_scan import Record
from kpatch_tool.mail.index_store import IndexFile, Numbers

WINDOW = (
    7 * 86400.0
)  # seconds that two mails of a sender may be apart to be looked at together, if no thread joins them
LONGEST_CHAIN = 4 * WINDOW  # how long a chain of such mails may be, so that the busiest sender's fits in memory
PAUSE = 3600.0  # where a chain may end
PATCH, FORWARD, RESEND, REPLY, RFC, NOTICE = 1, 2, 4, 8, 16, 32  # the kinds of a post: what is True in its subject.Tag
TITLED = 64  # the same, of no weight for what is gathered together
_AT_ONCE = 105_000  # messages whose ids are looked at in one turn,
_A_TURN = 60_000  # and in each of several where there are more
_POSTS = "SELECT id, kind, number, total, diff, named FROM post ORDER BY id"
# Copies of a patch with a diff, with what both say.
_COPIES = (
    "SELECT copy.id, copy.first, old.kind, old.number, old.total, old.revision, old.record,"
    " new.kind, new.number, new.total, new.revision, new.record"
    " FROM copy JOIN post AS old ON old.id = copy.first JOIN post AS new ON new.id = copy.id"
    " WHERE old.diff AND new.diff ORDER BY copy.id"
)
_DIFF, _COVER = 64, 128  # beside a post's kind: that it has a diff; that its number is 0
_CHUNK = 1 << 16  # messages whose threads are in one row


class Loose(NamedTuple):
    """A thread that may have to do with others of the same sender. `seeks` is True where something of it is left over,
    False where it may take in what others have left over."""

    person: int
    sent: float
    root: int
    seeks: bool


class _Company:
    """Threads of one person that are looked at together, in the order of their time. As soon as one of them seeks, all
    are joined, and with one of them the next is joined to all."""

    def __init__(self) -> None:
        self.known: deque[Loose] = deque()
        self._seeker: Loose | None = None

    def forget(self, before: float) -> None:
        while self.known and self.known[0].sent < before:
            if self.known.popleft() is self._seeker:
                self._seeker = None

    def joined_to(self, one: Loose) -> Iterable[Loose]:
        """Those by which `one` is joined to all that it has to do with. Of what is joined here one is kept."""
        if self._seeker is not None:
            return (self._seeker,)
        if not one.seeks:
            return ()
        joined, self.known = self.known, deque(islice(self.known, 1))
        return joined

    def add(self, one: Loose) -> None:
        self.known.append(one)
        if one.seeks:
            self._seeker = one


class Kinds(NamedTuple):
    """What counts as a patch in this mailbox, as gathering.gather decides it for all of its posts: a marked mail; where
    there is none, any with a diff; where there is none, forwarded ones, then replies. `as_one`: files without numbers
    or ids, which are one series."""

    marked: bool
    own: bool
    forwarded: bool
    as_one: bool

    def counts(self, kind: int, diff: bool) -> bool:
        """Whether a post of this kind is a patch."""
        if kind & REPLY:
            return diff and not self.own and not self.forwarded
        if kind & FORWARD:
            return diff and not self.own
        return diff and (bool(kind & PATCH) or not self.marked)


def _is_anew(old: Sequence[Any], new: Sequence[Any]) -> bool:
    """Whether a mail (kind, number, total, revision and record) has another date and another subject than the one with
    its id; a page may show less of a title."""
    one, other = Record.of(old[-1]), Record.of(new[-1])
    if not (one.sent and other.sent) or one.sent == other.sent:
        return False
    titled = one.title != other.title and not (one.archive or other.archive)
    return titled or (*old[:-1], one.minor, one.between) != (*new[:-1], other.minor, other.between)


@dataclass(slots=True)
class _Ids:
    """Ids that were met in one of several turns: the first message that names each, the first whose own it is, and how
    often one was named as answered."""

    turn: int = 0
    turns: int = 1
    first: dict[int, int] = field(default_factory=dict)
    owned: dict[int, int] = field(default_factory=dict)
    named: int = 0


class Threads:
    """Which messages are in one thread: a forest over their numbers. `copies` are the numbers, in order, of messages
    that repeat an earlier one. Of posts that are no copies it holds the numbers and, in a byte, what they are."""

    def __init__(self) -> None:
        self.copies = array("i")
        self._copied = array("i")  # what each of them repeats
        self._above = array("i", [0])
        self._ids = _Ids()
        self._posts = array("i")
        self._kinds = bytearray()

    def join_next(self, numbers: Numbers) -> None:
        """Join the messages of a batch to those before, as soon as it is read; `join` does what this cannot."""
        messages = len(self._above) - 1
        if numbers.first == messages + 1 and _turns(messages, self._ids.named) == 1:
            self._above.extend(range(messages + 1, messages + 1 + len(numbers.own)))
            self._join_batch(numbers, self._ids)
        else:
            self._ids = _Ids()  # too many for one turn

    def join(self, index: IndexFile) -> None:
        """Join messages that name one id. Where there are many, their ids are looked at in several turns, so that
        memory does not grow with them."""
        messages = index.messages()
        if len(self._above) - 1 != messages:
            self.copies, self._copied, self._above = array("i"), array("i"), array("i", range(messages + 1))
            turns = _turns(messages, index.parents())
            for turn in range(turns):
                ids = _Ids(turn, turns)
                for numbers in index.numbers():
                    self._join_batch(numbers, ids)
            self._set_copies(sorted(zip(self.copies, self._copied, strict=True)))
        self._ids = _Ids()
        self._part_reused(index)

    def _set_copies(self, pairs: Sequence[tuple[int, int]]) -> None:
        self.copies, self._copied = (array("i", (pair[side] for pair in pairs)) for side in (0, 1))

    def _part_reused(self, index: IndexFile) -> None:
        """Take out of the copies the patches that share an id and are none, as received.read_posts does; what only
        their texts tell is not looked at."""
        if not self.copies:
            return
        pairs = list(zip(self.copies, self._copied, strict=True))
        index.change("CREATE TEMP TABLE copy (id INTEGER PRIMARY KEY, first INTEGER)")
        index.change("INSERT INTO copy VALUES (?, ?)", pairs)
        anew: dict[tuple[int, str], int] = {}
        for id_, first, *said in index.rows(_COPIES):
            if _is_anew(said[:5], said[5:]):
                anew.setdefault((first, Record.of(said[-1]).sent), id_)
        index.change("DROP TABLE copy")
        parted = frozenset(anew.values())
        self._set_copies([pair for pair in pairs if pair[0] not in parted])

    def _join_batch(self, numbers: Numbers, ids: _Ids) -> None:
        base, own, parents = numbers
        above, first, owned, turn, turns = self._above, ids.first, ids.owned, ids.turn, ids.turns
        ids.named += len(parents) // 2
        for message, hash_ in enumerate(own, base):
            if turns > 1 and hash_ % turns != turn:
                continue
            if (copied := owned.setdefault(hash_, message)) != message:
                self.copies.append(message)
                self._copied.append(copied)
            known = first.setdefault(hash_, message)
            if above[known] != above[message]:
                self._union(known, message)
        for hash_, place in zip(parents[0::2], parents[1::2], strict=True):
            if turns > 1 and hash_ % turns != turn:
                continue
            known = first.setdefault(hash_, base + place)
            if above[known] != above[base + place]:
                self._union(known, base + place)

    def root(self, message: int) -> int:
        above = self._above
        while (up := above[message]) != message:
            above[message] = message = above[up]
        return message

    def _union(self, one: int, other: int) -> None:
        a, b = self.root(one), self.root(other)
        if a < b:
            self._above[b] = a
        elif b < a:
            self._above[a] = b

    def join_loose(self, entries: Iterable[Loose]) -> None:
        """Join threads of one person and the same days where one of two has something left over; `entries` come in the
        order of person and time."""
        for _, of_person in groupby(entries, key=attrgetter("person")):
            self._join_of_person(of_person)

    def _join_of_person(self, entries: Iterable[Loose]) -> None:
        near, undated = _Company(), _Company()
        begun = 0.0
        for one in entries:
            if not near.known:
                begun = one.sent
            elif one.sent - begun > LONGEST_CHAIN and one.sent - near.known[-1].sent > PAUSE:
                near = _Company()
                begun = one.sent
            near.forget(one.sent - WINDOW)
            for company in (near, undated):
                for other in company.joined_to(one):
                    self._union(one.root, other.root)
            (near if one.sent else undated).add(one)

    def join_runs(self, index: IndexFile) -> Kinds:
        """Join patches k/N and k+1/N that stand behind one another, of mails without ids also such between which some
        are missing (gathering.gather knows files that were written so); what counts as a patch here."""
        marked = own = forwarded = False
        patches = bare = 0
        (answered,) = index.row("SELECT coalesce(max(answers), 0) FROM file")
        last: tuple[int, ...] = ()
        last_number = last_place = last_id = -2
        last_named = False
        for id_, kind, number, total, diff, named in index.rows(_POSTS):
            place = self._place(id_)
            if place < 0:
                continue
            self._posts.append(id_)
            self._kinds.append((kind & ~TITLED) | _DIFF * diff | _COVER * (number == 0))
            if diff:
                forwarded = forwarded or bool(kind & FORWARD)
                if not kind & (FORWARD | REPLY):
                    own = True
                    marked = marked or bool(kind & PATCH)
                    patches += 1
                    bare += number < 0 and not named
            run = (total, kind & RESEND)  # versions may stand in titles: gathering tells
            bare_before = not (named or last_named) and last_number < number
            if place == last_place + 1 and last == run and (last_number == number - 1 or bare_before):
                self._union(last_id, id_)
            last, last_number, last_place, last_id, last_named = run, number, place, id_, named
        return Kinds(marked, own, forwarded, as_one=patches > 1 and bare == patches and not answered)

    def _place(self, message: int) -> int:
        """Its place among all messages but copies, from 0; -1 for a copy."""
        if not self.copies:
            return message - 1
        before = bisect_left(self.copies, message)
        return -1 if before < len(self.copies) and self.copies[before] == message else message - before - 1

    def write(self, index: IndexFile, kinds: Kinds) -> None:
        """Write which posts are gathered together, and the thread of every message."""
        wanted = self._wanted(kinds)
        above = self._above
        for one in range(1, len(above)):
            above[one] = above[above[one]]  # what is above is less, and done already
        members = ((above[id_], id_, self._place(id_)) for id_ in self._posts if wanted[above[id_]])
        index.change("INSERT INTO member VALUES (?,?,?)", members)
        for first in range(1, len(above), _CHUNK):
            index.change("INSERT INTO chunk VALUES (?,?)", [(first, above[first : first + _CHUNK].tobytes())])

    def _wanted(self, kinds: Kinds) -> bytearray:
        """Marks the threads (at their first message) in which there may be a posting."""
        wanted = bytearray(len(self._above))
        last = 0
        counts = [kinds.counts(kind & ~(_DIFF | _COVER), bool(kind & _DIFF)) for kind in range(256)]
        for id_, kind in zip(self._posts, self._kinds, strict=True):
            if counts[kind] or kind & _COVER:
                if kinds.as_one and last:
                    self._union(last, id_)
                last = id_
                wanted[self.root(id_)] = 1
        if kinds.as_one and last:
            wanted[self.root(last)] = 1
        return wanted


def _turns(messages: int, parents: int) -> int:
    """In how many turns the ids of so many messages, which name so many others, are looked at."""
    size = max(messages, parents // 5)
    return 1 if size < _AT_ONCE else 1 + size // _A_TURN


def roots_of(index: IndexFile, messages: Iterable[int]) -> set[int]:
    """The threads in which messages are."""
    wanted = set(messages)
    return {
        roots[one - first] for first, roots in _chunks(index) for one in wanted if first <= one < first + len(roots)
    }


def messages_of(index: IndexFile, roots: Sequence[int]) -> set[int]:
    """The messages of threads."""
    wanted = set(roots)
    return {one for first, above in _chunks(index) for one, root in enumerate(above, first) if root in wanted}


def _chunks(index: IndexFile) -> Iterator[tuple[int, array[int]]]:
    for first, data in index.rows("SELECT first, roots FROM chunk ORDER BY first"):
        roots = array("i")
        roots.frombytes(data)
        yield first, roots
