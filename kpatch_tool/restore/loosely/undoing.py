"""What an added line of a damaged patch may have been.

The lines that the base holds tell what was done to the mail: each is there as received and as it was. What is found
there is undone in the added lines first; what was not seen there, and may be the author's, is tried later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.mail.message import Damage
from kpatch_tool.restore import addresses
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.hidden import hides
from kpatch_tool.restore.likeness import (
    in_utf8,
    without_entities,
    without_invisible,
    without_no_break,
    without_quoted_printable,
    without_typesetting,
)
from kpatch_tool.restore.loosely.tabs import Way, before, ways_told

_MOST = 40  # readings of a line
_WAYS = 2  # of losing tabs that are thought of at once
_SETTLED = 7.0  # bits: against what the other lines show
_FURTHER = 2.0  # bits: that something was done to more of a line than is likely
_PADDED = 9.0  # blanks at the end that no received line has
_HYPHEN = re.compile(rb"(?<=-) (?=[^\s-])")
_OPERATOR_AT_END = re.compile(rb"(?:[-+*/%=<>&|^?:,({\[!]|\breturn|\bcase)\Z")
_NEAR = 100  # bytes before a hyphen that are looked at


@dataclass(frozen=True, slots=True)
class Undo:
    """One thing done to characters, and how it is undone. `said` are words for
    it; `cost` what it takes to undo it where nothing tells (`kept`: to leave it). `further` is another
    way to undo it, less likely."""

    damage: Damage
    said: str
    undo: Callable[[bytes], bytes]
    cost: float = 0.0
    kept: float = 3.0
    further: Callable[[bytes], bytes] | None = None


def without_hyphen_blanks(text: bytes) -> bytes:
    """`text` without the blank that a GroupWise gateway put after every hyphen, unless a minus sign has it by right."""

    def kept(match: re.Match[bytes]) -> bytes:
        hyphen = match.start() - 1
        head = text[max(0, hyphen - _NEAR) : hyphen]
        before = head.rstrip(b" \t")
        apart = before not in (b"", head) and not _OPERATOR_AT_END.search(before, len(before) - len(b" return"))
        return b" " if apart and text[match.end() : match.end() + 1] != b"=" else b""

    return _HYPHEN.sub(kept, text)


def without_any_hyphen_blank(text: bytes) -> bytes:
    """`text` without the blank behind every hyphen: none is a minus sign where they begin a program's options."""
    return _HYPHEN.sub(b"", text)


UNDOS = (
    Undo(Damage.QUOTED_PRINTABLE, "codes of quoted-printable decoded", without_quoted_printable),
    Undo(Damage.HTML_ENTITIES, "entities of HTML decoded", without_entities),
    Undo(Damage.NO_BREAK_SPACES, "no-break spaces made blanks", without_no_break),
    Undo(Damage.INVISIBLE, "invisible characters taken out", without_invisible, kept=2.0),
    Undo(Damage.TYPESET, "typographic characters made ASCII", without_typesetting, cost=1.0, kept=0.0),
    Undo(Damage.CHARSET, "put in UTF-8", in_utf8, cost=1.0, kept=0.0),
    Undo(
        Damage.HYPHENS_SPACED,
        "blanks after hyphens taken out",
        without_hyphen_blanks,
        cost=_SETTLED,
        kept=0.0,
        further=without_any_hyphen_blank,
    ),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A reading of a line, what it costs (bits) and what was undone for it (names of damages)."""

    cost: float
    text: bytes
    undone: frozenset[Damage] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the lines of the base tell. `settled`: damage -> whether it was done; `ways`: how tabs were lost (None: not
    at all), likeliest first, () where white space was lost otherwise; `carriage`: what lines of the file end in before
    their newline; `margin`: white space was lost at the ends of lines only."""

    settled: dict[Damage, bool]
    ways: tuple[Way | None, ...]
    carriage: bytes = b""
    margin: bool = False

    @property
    def lossy(self) -> bool:
        return not self.ways

    def supposing(self, damage: Damage, done: bool) -> Evidence:
        """The same with one question answered."""
        return replace(self, settled={**self.settled, damage: done})


def evidence(pairs: Sequence[tuple[bytes, bytes]], added: Sequence[bytes] = ()) -> Evidence:
    """What `pairs` of a line as received and as it is in the base tell, and the `added` lines where they do not."""
    seen: Counter[Damage] = Counter()
    against: Counter[Damage] = Counter()
    carriage = bool(pairs) and all(known.endswith(b"\r") for _, known in pairs)
    left: list[tuple[bytes, bytes]] = []
    for received, whole in pairs:
        known = whole.removesuffix(b"\r") if carriage else whole
        text = received.removesuffix(b"\r")
        for undo in UNDOS:
            other = undo.undo(text)
            if other == text and (undo.further is None or undo.further(text) == text):
                continue
            if (squeeze(text) == squeeze(known) and undo.damage != Damage.NO_BREAK_SPACES) or text == known:
                against[undo.damage] += 1
            elif _shows(undo, text, known):
                seen[undo.damage] += 1
                text = other
        left.append((text, known))
    settled = {undo.damage: seen[undo.damage] > 0 for undo in UNDOS if seen[undo.damage] or against[undo.damage]}
    for damage in settled:
        if seen[damage] and against[damage]:
            settled[damage] = seen[damage] >= against[damage]
    ways = ways_told([pair for pair in left if pair[1].strip()], added)
    margin = not ways and all(text.strip() == known.strip() for text, known in left)
    return Evidence(settled, ways, b"\r" if carriage else b"", margin)


def _shows(undo: Undo, text: bytes, known: bytes) -> bool:
    """Whether undoing makes the received text more like the line that is known."""
    if undo.damage == Damage.HYPHENS_SPACED:
        forward = re.sub(rb"-(?=[^\s-])", b"- ", known)
        return forward == text and forward != known
    done = undo.undo(text)
    return undo.undo(known) == known or done == known


def joinings(pieces: Sequence[bytes]) -> list[tuple[float, bytes]]:
    """What a line broken into `pieces` may have been, with costs, cheapest first."""
    found: list[tuple[float, bytes]] = [(0.0, pieces[0])]
    for piece in pieces[1:]:
        found = sorted((cost + more, text) for cost, head in found for more, text in _joined(head, piece))[:_MOST]
    return found


def _joined(head: bytes, tail: bytes) -> list[tuple[float, bytes]]:
    if head.endswith(b"=") and not head.endswith(b"=="):
        return [(0.0, head[:-1] + tail), (2.5, head + b" " + tail.lstrip(b" ")), (4.0, head + tail)]
    bare = tail.lstrip(b" \t")
    lead = len(tail) - len(bare)
    if head.endswith((b" ", b"\t")):
        ways = [(0.0, head + bare), (2.0, head[:-1] + bare)]
        whole = head + tail[1:]  # without the blank that flowed text is stuffed with
    else:
        ways = [(0.0, head + b" " + bare), (2.5, head + bare), (4.0, head + b"\t" + bare), (4.5, head + b"  " + bare)]
        whole = head + b" " + tail  # a wide gap, the first blank of which is the line end now
    if not lead:
        return ways
    # Programs that break lines do not indent the rest.
    first = [(0.0, whole), (1.0, ways[0][1])] if lead > 1 else [ways[0], (1.0, whole)]
    return [*first, (1.5, head + tail), *ways[1:]]


def readings(pieces: Sequence[bytes], told: Evidence, people: Sequence[Person]) -> list[Choice]:
    """What an added line received as `pieces` (without the first column) may have been, cheapest first."""
    found = [Choice(cost, text) for cost, text in joinings(pieces)]
    if len(pieces) > 1:
        found = [replace(choice, undone=frozenset({Damage.REWRAPPED})) for choice in found]
    for undo in UNDOS:
        found = _least([new for choice in found for new in _undone(choice, undo, told)])
    found = _least([new for choice in found for new in _tabbed(choice, told)])
    if any(hides(choice.text) for choice in found):
        found = [
            replace(choice, cost=choice.cost + cost, text=text, undone=choice.undone | {Damage.ADDRESSES_HIDDEN})
            for choice in found[:4]
            for cost, text in addresses.shown(choice.text, people)
        ]
        found.sort(key=lambda choice: choice.cost)
    return [replace(choice, text=choice.text.removesuffix(b"\r") + told.carriage) for choice in _padded(found)]


def as_near(options: list[Choice], head: bytes, known: Sequence[Sequence[bytes]]) -> list[Choice]:
    """`options` of a line received with the white space `head` at its start, likelier the more they begin as the
    lines around do that were received with the same; `known` are (received, in the base), the nearest first."""
    alike = [true for received, true in known if received == head]
    if not alike:
        return options
    nearest, common = alike[0], Counter(alike)
    out = []
    for choice in options:
        start = choice.text[: len(choice.text) - len(choice.text.lstrip(b" \t"))]
        less = 4.5 if start == nearest else 3.0 * common[start] / len(alike)
        out.append(replace(choice, cost=choice.cost + 4.5 - less))
    return _least(out, len(out))


def _undone(choice: Choice, undo: Undo, told: Evidence) -> list[Choice]:
    done = told.settled.get(undo.damage)
    cost, kept = (undo.cost, undo.kept) if done is None else (0.0, _SETTLED) if done else (_SETTLED, 0.0)
    ways = [(choice.cost + cost, undo.undo(choice.text))]
    if undo.further:
        ways.append((choice.cost + cost + _FURTHER, undo.further(choice.text)))
    found = [Choice(least, text, choice.undone | {undo.damage}) for least, text in ways if text != choice.text]
    return [*found, replace(choice, cost=choice.cost + kept)] if found else [choice]


def _tabbed(choice: Choice, told: Evidence) -> list[Choice]:
    out: list[Choice] = []
    for rank, way in enumerate(told.ways[:_WAYS] or (None,)):
        more = 0.0 if not rank else 2.0 if told.ways[0] is None else 3.0
        if way is None:
            out.append(replace(choice, cost=choice.cost + more))
            continue
        for cost, text in before(choice.text, way):
            undone = choice.undone if text == choice.text else choice.undone | {Damage.TABS_TO_BLANKS}
            out.append(Choice(choice.cost + more + cost, text, undone))
    return out


def _padded(found: list[Choice]) -> list[Choice]:
    """With blanks at the end of a line that has none, as a last resort."""
    best = found[0]
    if best.text[-1:] in (b" ", b"\t"):
        bare = [replace(best, cost=best.cost + 3.0, text=best.text.rstrip(b" \t"))]
    else:
        bare = [replace(best, cost=best.cost + _PADDED, text=best.text + blank) for blank in (b" ", b"\t")]
    return _least([*found, *bare], _MOST + 400)


def _least(found: list[Choice], most: int = _MOST) -> list[Choice]:
    """Each text once, at its least cost, cheapest first."""
    best: dict[bytes, Choice] = {}
    for choice in sorted(found, key=lambda one: one.cost):
        best.setdefault(choice.text, choice)
    return list(best.values())[:most]
