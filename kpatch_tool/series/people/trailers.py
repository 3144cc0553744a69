"""Trailers of a commit message (git's rules), and which trailers say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from kpatch_tool.series.model import Trailer
from kpatch_tool.series.people import persons

_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)\s*:\s?(.*)", re.DOTALL)
_GENERATED = ("Signed-off-by: ", "(cherry picked from commit ")
_NAMED = re.compile(
    r"(?:[a-z-]+-by|fixes|link|buglink|closes|cc|to|change-id|message-id|stable-dep-of)$", re.IGNORECASE
)
_REFERENCE = re.compile(r"[A-Z][A-Za-z-]{1,30}: (?:https?://\S+|#?\d{3,})")  # "Coverity-id: 1234"
_ALIKE = re.compile(r"[A-Za-z][A-Za-z -]{1,30}: ?\S")  # "Reviewed by: Jane"
_PICKED = re.compile(r"\(cherry picked from commit .*\)")
_LONGEST_AMONG = 12  # lines in brackets, in which the next who signs off says what he changed
_LINKS = frozenset({"link", "closes", "buglink"})
_ID_IN_URL = re.compile(r"https?://[^@\s]{1,500}/([^/\s]{1,250}@[^/\s]{1,250})", re.IGNORECASE)
_REVIEW = re.compile(r"(?:^|-)(?:reviewed|acked|tested)-(?:[a-z]+-)*by$")
_ID_DIGITS = 8  # of the commit that Fixes names: people abbreviate differently


def of_message(message: str, *, paragraphs: bool = True) -> tuple[Trailer, ...]:
    """The trailers of a commit message (without its subject), in order, as `git interpret-trailers --parse` finds them.

    Without `paragraphs` (an archive dropped the blank lines) those at its end.
    """
    return _parsed(message, paragraphs)[0]


def without(message: str, *, paragraphs: bool = True) -> str:
    """A commit message without its trailers."""
    trailers, cut = _parsed(message, paragraphs)
    return message[:cut].rstrip() if trailers else message


def _parsed(message: str, paragraphs: bool) -> tuple[tuple[Trailer, ...], int]:
    """The trailers of a message and where they begin.

    The last paragraph is the trailers when every line is one, or when one of git's own is among them and a quarter of
    the lines are trailers (trailer.c, find_trailer_start).
    """
    if not paragraphs:
        return _last_lines(message)
    text = _without_conflicts(message.split("\n"))
    breaks = [found.end() for found in re.finditer(r"\n[ \t]*\n", text)]
    start = breaks[-1] if breaks else 0
    lines = [line for line in _unfolded(text[start:].lstrip("\n")) if not line.startswith("#")]
    found = [(line, _TRAILER.fullmatch(line)) for line in lines]
    good = [match for line, match in found if match and not line.startswith(_GENERATED[1])]
    generated = any(line.startswith(_GENERATED) for line in lines)
    count = len(good) + sum(1 for line, match in found if line.startswith(_GENERATED[1]))
    others = len(lines) - count
    if not good or (others and not (generated and count * 3 >= others)):
        return (), len(message)
    return tuple(map(_trailer, good)), start


def _without_conflicts(lines: Sequence[str]) -> str:
    """A message without what git's own programs put below its trailers: comments, and the paths in which a merge had
    conflicts (commit.c, ignored_log_message_bytes)."""
    end = len(lines)
    while end:
        if not lines[end - 1] or lines[end - 1].startswith("#"):
            end -= 1
            continue
        heading = end - 1
        while heading and lines[heading].startswith("\t"):
            heading -= 1
        if lines[heading] != "Conflicts:":
            break
        end = heading
    return "\n".join(lines[:end])


def _last_lines(message: str) -> tuple[tuple[Trailer, ...], int]:
    """The trailers at the end of a message without paragraphs: from its last sign-off on what would be a paragraph of
    them for git, and the lines that are trailers above."""
    lines = message.rstrip("\n").split("\n")
    found: list[Trailer] = []
    cut = _last_sign_off(lines)
    for line in reversed(lines[cut:]):
        if match := _TRAILER.fullmatch(line):
            found.append(_trailer(match))
    place = cut - 1
    while place >= 0:
        match = _TRAILER.fullmatch(lines[place])
        if match and (_NAMED.match(match[1]) or (found and _REFERENCE.fullmatch(lines[place]))):
            found.append(_trailer(match))
            cut = place
        elif found and _is_between(lines, place):
            found += [_trailer(match)] if match else []
        elif not found or (place := _among_begins(lines, place)) < 0:
            break
        place -= 1
    return tuple(reversed(found)), len("\n".join(lines[:cut]))


def _is_between(lines: Sequence[str], place: int) -> bool:
    """Whether a line looks like a trailer and stands below one with a name that people use."""
    above = _TRAILER.fullmatch(lines[place - 1]) if place else None
    return bool(above and _NAMED.match(above[1]) and _ALIKE.match(lines[place]))


def _among_begins(lines: Sequence[str], place: int) -> int:
    """Where that begins which may stand between trailers and ends at `place`; -1 where it is something else."""
    if lines[place].endswith("]"):
        opened = (at for at in range(place, max(-1, place - _LONGEST_AMONG), -1) if lines[at].startswith("["))
        return next(opened, -1)
    return place if _PICKED.fullmatch(lines[place]) else -1


def _last_sign_off(lines: Sequence[str]) -> int:
    """The place of the last sign-off; that behind the last line where too few below it are trailers."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith(_GENERATED[0]):
            below = lines[place:]
            count = sum(1 for line in below if _TRAILER.fullmatch(line))
            return place if count * 3 >= len(below) - count else len(lines)
    return len(lines)


def _trailer(match: re.Match[str]) -> Trailer:
    return Trailer(match[1], " ".join(match[2].split()), "patch")


def _unfolded(paragraph: str) -> list[str]:
    """Lines with those that begin with a blank joined to the one before."""
    lines: list[str] = []
    for line in paragraph.split("\n"):
        if line[:1] in (" ", "\t") and lines and line.strip():
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return lines


def added(own: Iterable[Trailer], replied: Iterable[Trailer]) -> tuple[Trailer, ...]:
    """`own` followed by those of `replied` that say something new, in their order.

    So does `git interpret-trailers --where end --if-exists addIfDifferent`, and so does b4 am with its default order
    (b4.trailer-order = *): what a patch was sent with stays as and where it is. Of a person's two in replies the one
    with a name is kept.
    """
    out = list(own)
    fixed = len(out)
    seen: dict[tuple[str, str], int] = {identity(trailer): 0 for trailer in out}
    for trailer in replied:
        place = seen.setdefault(identity(trailer), len(out))
        if place == len(out):
            out.append(trailer)
        elif place >= fixed and _is_nameless(out[place]):
            out[place] = trailer
    return tuple(out)


def _is_nameless(trailer: Trailer) -> bool:
    return persons.address_in(trailer.value) == trailer.value.strip("<>").lower()


def identity(trailer: Trailer) -> tuple[str, str]:
    """What two trailers share that say the same: the key, and the person's address (the name where it is hidden), the
    commit, the message id in a link, or the value; case, quotes, comments and folding say nothing."""
    key, value = trailer.key.lower(), " ".join(trailer.value.split())
    if key in _LINKS:
        found = _ID_IN_URL.search(unquote(value))
        return key, found[1].lower() if found else re.sub(r"^https?://", "", value.partition(" ")[0]).rstrip("/")
    if key == "fixes" and (commit := re.match(rf"[0-9a-f]{{{_ID_DIGITS}}}", value, re.IGNORECASE)):
        return key, commit[0].lower()
    if key.endswith("-by") or key == "cc":
        if address := persons.address_in(value):
            return key, address
        if persons.has_address(value):
            return key, " ".join(sorted(persons.name_words(value.partition("<")[0].partition("[")[0])))
    return key, value.lower()


def is_review(trailer: Trailer) -> bool:
    """Whether somebody vouches for a patch with it (Reviewed-by, Acked-by, Tested-by and their compounds)."""
    return _REVIEW.search(trailer.key.lower()) is not None
