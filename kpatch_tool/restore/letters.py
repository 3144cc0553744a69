"""Letters that a program could not show: what may have stood in the place of U+FFFD, or of `?`.

A program that lacks a letter writes one sign for it, or one for each byte of its UTF-8 (up to four). U+FFFD says so; a
`?` may be the author's. What a line lacks is told by another with the same text around: the very line in the base, a
line it replaces, a word met elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from kpatch_tool.restore.damaged import comparable
from kpatch_tool.restore.hidden import without_addresses

MARK = "\N{REPLACEMENT CHARACTER}".encode()
_RUN = re.compile(rb"[\x80-\xff?]+")
_SIGNS = re.compile(rb"((?:\xef\xbf\xbd|\?)+)")
_MARKED = re.compile(rb"[\w\x80-\xff?]+")
_WORD = re.compile(rb"[\w\x80-\xff]+")
_INSIDE = re.compile(rb"[A-Za-z]\?{1,4}[A-Za-z]")
_LETTER = re.compile(rb"[A-Za-z]")
_MOST_BYTES = 4  # of a character in UTF-8 (RFC 3629, 3)
_MOST = 4  # readings of a line
_MOST_WORDS = 3  # readings of a word
_MOST_SIGNS = 200  # of a line
_MOST_PARTS = 17  # of a word: eight signs, and what stands between them
_MOST_ALIKE = 40  # words that may be one with signs
_MOST_REPLACED = 40  # lines that one may be the changed copy of


def may_lack(text: bytes) -> bool:
    """Whether an added line may lack letters."""
    return MARK in text or _INSIDE.search(text) is not None


def folded(text: bytes) -> bytes:
    """`text` with `?` for every run of letters outside ASCII and signs for them: the same before and after a program
    replaced them."""
    return _RUN.sub(b"?", without_addresses(text))


def put_back(text: bytes, known: bytes) -> bytes:
    """`text` with the letters of `known`, which is the same line or one with the same runs of them; as it is where that
    cannot be."""
    runs, whole = _RUN.findall(text), _RUN.findall(known)
    if len(runs) != len(whole):
        return text
    told = [one if _SIGNS.search(run) and not one.isascii() else run for run, one in zip(runs, whole, strict=True)]
    if any(run != one and not _may_be(run, one) for run, one in zip(runs, told, strict=True)):
        return text
    left = iter(told)
    return _RUN.sub(lambda _: next(left), text)


class Words:
    """Words with letters outside ASCII, and lines that have some: what may be meant by a line that lacks letters."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        """`texts`: where they are met, what tells more first."""
        self._words: dict[bytes, list[bytes]] = {}
        self._lines: dict[bytes, list[bytes]] = {}
        for text in texts:
            if text.isascii():
                continue
            counts = Counter(word for word in _WORD.findall(text) if not word.isascii() and MARK not in word)
            for word, _ in counts.most_common():
                self._words.setdefault(_RUN.sub(b"?", word), []).append(word)
            for line in text.split(b"\n"):
                if not line.isascii() and MARK not in line:
                    self._lines.setdefault(comparable(folded(line)), []).append(line)

    def __bool__(self) -> bool:
        return bool(self._words)

    def words(self, signs: bytes) -> list[bytes]:
        """The words that one with signs in it may be."""
        return [word for word in self._words.get(_RUN.sub(b"?", signs), [])[:_MOST_ALIKE] if _may_be(signs, word)]

    def lines(self, text: bytes) -> list[bytes]:
        """The lines that `text` may be."""
        return self._lines.get(comparable(folded(text)), [])


def readings(text: bytes, replaced: Sequence[bytes], near: Words, far: Words) -> list[bytes]:
    """What a line that lacks letters may have been, the likeliest first; () where nothing tells.

    `replaced` are the lines whose changed copy it may be, `near` their words, `far` those met elsewhere. A `?` that
    touches no letter is read only as what the lines have that it replaces.
    """
    found: dict[bytes, None] = {}
    for known in (
        *near.lines(text),
        *far.lines(text),
        *sorted(replaced[:_MOST_REPLACED], key=lambda one: -_shared(text, one)),
    ):
        found.setdefault(put_back(text, known))
    for one in _worded(text, near, far):
        found.setdefault(one)
    found.pop(text, None)
    return list(found)[:_MOST]


def _worded(text: bytes, near: Words, far: Words) -> Iterator[bytes]:
    """The line with words that its own may be: the likeliest for each, then one of them otherwise."""
    places = [found for found in _MARKED.finditer(text) if MARK in found[0] or b"?" in found[0]]
    if not places or len(places) > _MOST_SIGNS:
        return
    ways = [_words(place[0], near, far) or [place[0]] for place in places]
    first = [way[0] for way in ways]
    yield _with(text, places, first)
    for number, way in enumerate(ways):
        for other in way[1:]:
            yield _with(text, places, [*first[:number], other, *first[number + 1 :]])


def _with(text: bytes, places: Sequence[re.Match[bytes]], words: Sequence[bytes]) -> bytes:
    out, at = [], 0
    for place, word in zip(places, words, strict=True):
        out += [text[at : place.start()], word]
        at = place.end()
    return b"".join([*out, text[at:]])


def _words(word: bytes, near: Words, far: Words) -> list[bytes]:
    """The words that one with signs in it may be."""
    telling = MARK in word or _LETTER.search(word)
    found = dict.fromkeys((*near.words(word), *(far.words(word) if telling else ())))
    return list(found)[:_MOST_WORDS]


def _may_be(signs: bytes, known: bytes) -> bool:
    """Whether a program that lacks letters may write `known` so."""
    if known.isascii():
        return False
    parts = _SIGNS.split(signs)  # what stands between signs, and signs, in turn
    if len(parts) > _MOST_PARTS:
        return False
    for at in range(1, len(parts), 2):
        count = len(parts[at].replace(MARK, b"?"))
        parts[at] = b"[\\x80-\\xff?]{%d,%d}" % (count, count * _MOST_BYTES)
    parts[::2] = map(re.escape, parts[::2])
    return re.fullmatch(b"".join(parts), known) is not None


def _shared(text: bytes, other: bytes) -> int:
    """How many words two lines share."""
    return len(set(text.split()) & set(other.split()))
