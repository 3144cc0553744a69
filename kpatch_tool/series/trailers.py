"""Trailers: of a commit message (git's rules) and of replies (people's rules)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kpatch_tool.mail.message import Address
from kpatch_tool.series.model import Trailer

_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)\s*:\s?(.*)", re.DOTALL)
_GENERATED = ("Signed-off-by: ", "(cherry picked from commit ")
# Keys that a reply gives to a patch. Signed-off-by in a reply belongs to somebody's own patch.
_PERSONAL = re.compile(r"(?!signed-off|co-developed)[a-z][a-z-]*-by$", re.IGNORECASE)
_PLAIN = frozenset({"fixes", "link", "closes"})
_NAMED = re.compile(r"(?:[a-z-]+-by|fixes|link|closes|cc|change-id)$", re.IGNORECASE)
_QUOTE = re.compile(r"^\s*(?:>|\||[A-Za-z]{1,4}>)")
_DIFF = re.compile(r"^diff --git ", re.MULTILINE)
_SIGNATURE = re.compile(r"^--\s*$")


def of_message(message: str, *, paragraphs: bool = True) -> tuple[Trailer, ...]:
    """The trailers of a commit message (without its subject), in order, as `git interpret-trailers --parse` finds them.

    Without `paragraphs` (an archive dropped the blank lines) the last lines that are trailers.

    The last paragraph is the trailers when every line is one, or when one of git's own is among them and a quarter of
    the lines are trailers (trailer.c, find_trailer_start).
    """
    if not paragraphs:
        return _last_lines(message)
    paragraph = re.split(r"\n[ \t]*\n", message.strip("\n"))[-1]
    lines = [line for line in _unfolded(paragraph) if not line.startswith("#")]
    found = [(line, _TRAILER.fullmatch(line)) for line in lines]
    good = [match for line, match in found if match and not line.startswith(_GENERATED[1])]
    generated = any(line.startswith(_GENERATED) for line in lines)
    count = len(good) + sum(1 for line, match in found if line.startswith(_GENERATED[1]))
    others = len(lines) - count
    if not good or (others and not (generated and count * 3 >= others)):
        return ()
    return tuple(Trailer(match[1], " ".join(match[2].split()), "patch") for match in good)


def _last_lines(message: str) -> tuple[Trailer, ...]:
    found: list[Trailer] = []
    for line in reversed(message.strip("\n").split("\n")):
        match = _TRAILER.fullmatch(line)
        if match is None or not _NAMED.match(match[1]):
            break
        found.append(Trailer(match[1], " ".join(match[2].split()), "patch"))
    return tuple(reversed(found))


def _unfolded(paragraph: str) -> list[str]:
    """Lines with those that begin with a blank joined to the one before."""
    lines: list[str] = []
    for line in paragraph.split("\n"):
        if line[:1] in (" ", "\t") and lines and line.strip():
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return lines


def of_reply(text: str, sender: Address) -> tuple[list[Trailer], list[str]]:
    """The trailers a reply gives, from its own lines (not quoted, not in its signature), and sentences on the ones not
    taken: a person's trailer counts only when its sender is that person (the same address or the same name)."""
    taken: list[Trailer] = []
    refused: list[str] = []
    lines = list(_own_lines(text))
    # A patch of the sender's own: its Fixes and Reported-by are not meant for the patch answered.
    counter_patch = _DIFF.search(text) is not None or any(line.startswith("Signed-off-by:") for line in lines)
    for line in lines:
        match = _TRAILER.fullmatch(line.strip())
        if match is None or not match[2].strip():
            continue
        key, value = match[1], " ".join(match[2].split())
        trailer = Trailer(key, value, "reply")
        if key.lower() in _PLAIN and not counter_patch:
            taken.append(trailer)
        elif _PERSONAL.match(key):
            if _is_sender(value, sender):
                taken.append(trailer)
            elif "@" in value or "[email" in value:
                refused.append(f"`{key}: {value}` was sent by {sender.name or sender.email}: not taken")
    return taken, refused


def _own_lines(text: str) -> Iterable[str]:
    for line in text.split("\n"):
        if _SIGNATURE.match(line) or line.startswith(("diff --git ", "---")):
            return
        if line.strip() and not _QUOTE.match(line):
            yield line


def _is_sender(value: str, sender: Address) -> bool:
    name, _, rest = value.partition("<")
    email = rest.partition(">")[0].strip().lower()
    if email and email == sender.email.lower():
        return True
    return bool(name.strip()) and _words(name) == _words(sender.name)


def _words(name: str) -> frozenset[str]:
    """A name's words: people write `Doe, John` and `John Doe`, with and without (Company)."""
    return frozenset(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", name.lower())))


def added(own: Iterable[Trailer], replied: Iterable[Trailer]) -> tuple[Trailer, ...]:
    """`own` followed by those of `replied` that say something new (same key and value, case aside, say it once)."""
    out = list(own)
    seen = {(trailer.key.lower(), trailer.value.lower()) for trailer in out}
    for trailer in replied:
        identity = (trailer.key.lower(), trailer.value.lower())
        if identity not in seen:
            seen.add(identity)
            out.append(trailer)
    return tuple(out)
