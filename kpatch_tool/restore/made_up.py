"""Addresses that somebody is likely to have of whom only the name is known: made of the name and others' domains.

Companies form addresses from names, and most of those who are named in a patch work for one whose domain other people
of the tree have. Which of these an address is, only a blob id can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import log2
from string import ascii_lowercase

# How the local part is made of a name: counted in the 4,069 addresses with a name of MAINTAINERS, .mailmap and CREDITS
# of Linux 6.1, of which a third is made in no such way.
_FORMS = {
    "{first}.{last}": 1049,
    "{first}": 496,
    "{f}{last}": 488,
    "{last}": 149,
    "{first}{l}": 127,
    "{first}{last}": 92,
    "{f}.{last}": 76,
    "{f}{l}": 46,
    "{First}.{Last}": 40,
    "{last}{first}": 38,
    "{last}.{first}": 33,
    "{first}.{middle}.{last}": 29,
    "{f}{la}": 26,
    "{middle}": 25,
    "{last}{f}": 22,
    "{l}{first}": 20,
    "{fi}{last}": 16,
    "{fi}{la}": 12,
    "{f}{m}{last}": 10,
    "{first}-{middle}.{last}": 10,
    "{f}{m}{l}": 9,
    "{first}_{last}": 9,
    "{f}{middle}": 5,
    "{first}{middle}": 4,
    "{first}{middle}.{last}": 4,
    "{middle}.{last}": 4,
    "{f}-{last}": 2,
}
_COUNTED = 4069
_SMALL, _CAPITALS = "{first}.{last}", "{First}.{Last}"  # some of those who have the one write the other
_MIDDLE = re.compile(r"\{m")
_NAMES = re.compile(r"[^\W\d_]+")
_BEFORE = re.compile(r"[^<>\"(:@*#|;,\d]*\Z")  # what may be a name, of the text before an address
_LONGEST_NAME = 60  # bytes
_MOST_WORDS, _LONG_NAME = 3, 5
_MOST_DOMAINS = 150
# Bits less for a domain whose name the file's path has (`amlogic,meson-gx` and amlogic.com), or the diff.
_IN_PATH, _MENTIONED = 8.0, 5.0
_LABEL = re.compile(r"[a-z0-9]{3,}")
_VENDOR = re.compile(r"/([a-z0-9]{2,}),")  # of a device tree binding
_COMMON_LABELS = frozenset({"com", "org", "net", "kernel", "linux", "mail", "gmail", "dev"})
# The same for parts of names and for a middle name of which a letter is known at most (counted in the 1,961 people of
# these lists): of how many, in each way.
_RARE_FORMS = (
    *(("{f}{last_}", 24), ("{first_}", 9), ("{last_}", 10), ("{first_}{l}", 7), ("{first_}{last}", 4)),
    *(("{f}{x}{l}", 19), ("{first}.{x}.{last}", 13), ("{f}{x}{last}", 11)),
)
_RARELY_COUNTED = 1961
# People with a domain of their own: `jo@doe.org` and `jo@jodoe.org` (77 of these 1,961 have such, most at these ends).
_OWN_DOMAINS = (("{last}", 30), ("{first}{last}", 6))
_ENDS = {
    **{"com": 18, "net": 15, "org": 14, "de": 6, "io": 2, "ch": 2, "dk": 2, "cc": 2, "me": 2},
    **{"dev": 1, "info": 1, "it": 1, "ca": 1, "hu": 1, "name": 1, "no": 1, "eu": 1, "fr": 1, "nl": 1, "se": 1, "fi": 1},
}
_ANOTHER_NAME = 1.0  # bits: a name that is told less likely
_OWN_FORM = 4.0  # how many people of a domain the shares of all domains weigh as much as
_MADE_UP = 3.0  # bits: nobody with that address is known
_DEAREST = 20.0  # bits
_MOST = 4_000


def names_before(head: bytes) -> list[tuple[str, ...]]:
    """The words of the names that may be meant at the end of the text before a hidden address, without accents, the
    likeliest first: the last words, more of them, those before a comma (behind which a company may stand)."""
    near = head[-_LONGEST_NAME:].decode("utf-8", "replace").rstrip(" \t<(\"'")
    found: list[tuple[str, ...]] = []
    for part in (near, near.rpartition(",")[0].rstrip()):
        name = _BEFORE.search(part)
        for most in (_MOST_WORDS, _LONG_NAME):
            words = _words(name[0], most) if name else ()
            if words and words not in found:
                found.append(words)
    return found


def _words(name: str, most: int = _MOST_WORDS) -> tuple[str, ...]:
    """The last words of a name that begin with a capital letter, at most so many."""
    words: list[str] = []
    for word in reversed(_NAMES.findall(_plain(name))):
        if len(words) == most or not word[0].isupper():
            break
        words.insert(0, word)
    return tuple(words) if len(words) > 1 else ()


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """`text` without accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _filled(form: str, words: Sequence[str]) -> str | None:
    """The local part that a form makes of a name; None where the name has no middle part for it."""
    first, last = words[0], words[-1]
    middle = words[1] if len(words) > 2 else ""
    if not middle and _MIDDLE.search(form):
        return None
    low = {"first": first.lower(), "last": last.lower(), "middle": middle.lower()}
    short = {"f": low["first"][0], "l": low["last"][0], "m": low["middle"][:1]}
    return form.format(**low, **short, First=first, Last=last, la=low["last"][:2], fi=low["first"][:2])


class Domains:
    """The domains that people of a tree have, with the forms of their addresses."""

    def __init__(self, people: Iterable[tuple[bytes, bytes]]) -> None:
        """`people` are names and addresses."""
        self._people: Counter[str] = Counter()
        self._forms: dict[str, Counter[str]] = {}
        for name, address in people:
            local, _, domain = address.decode("ascii", "replace").rpartition("@")
            self._people[domain] += 1
            words = _words(name.decode("utf-8", "replace"))
            form = next((form for form in _FORMS if words and _filled(form, words) == local), None)
            if form:
                self._forms.setdefault(domain, Counter())[form] += 1

    def addresses(self, names: Sequence[Sequence[str]], path: str, text: bytes) -> list[tuple[float, bytes]]:
        """The addresses somebody may have who has one of these names (the likeliest first), cheapest first, each with
        its cost in bits, in a file of that path and the text of its diff."""
        found: dict[bytes, float] = {}
        in_path = {*_LABEL.findall(path.lower()), *_VENDOR.findall(path.lower())}
        in_text = set(_LABEL.findall(text.decode("latin-1").lower()))
        weights = {domain: count * _bonus(domain, in_path, in_text) for domain, count in self._people.items()}
        usual = sorted(weights, key=lambda domain: (-weights[domain], domain))[:_MOST_DOMAINS]
        everybody = self._people.total()
        for number, words in enumerate(names):
            rare = _rare_locals(words)
            ways = [way for domain in usual for way in self._at(domain, weights[domain] / everybody, words, rare)]
            for share, address in [*ways, *_at_own_domains(words)]:
                cost = _MADE_UP + _ANOTHER_NAME * number - log2(share)
                if cost <= _DEAREST:
                    found[address] = min(cost, found.get(address, cost))
        return sorted((cost, address) for address, cost in found.items())[:_MOST]

    def _at(
        self, domain: str, share: float, words: Sequence[str], rare: Mapping[str, float]
    ) -> Iterator[tuple[float, bytes]]:
        """The addresses at a domain that has that share of the people, each with its share."""
        own = self._forms.get(domain, Counter())
        everybody = own.total() + _OWN_FORM
        capital = _FORMS[_CAPITALS] / _FORMS[_SMALL] * own[_SMALL]
        for form, count in _FORMS.items():
            local = _filled(form, words)
            if local is not None:
                likely = own[form] + (capital if form == _CAPITALS else 0.0) + _OWN_FORM * count / _COUNTED
                yield share * likely / everybody, f"{local}@{domain}".encode()
        for local, part in rare.items():
            yield share * _OWN_FORM * part / everybody, f"{local}@{domain}".encode()


def _rare_locals(words: Sequence[str]) -> dict[str, float]:
    """The local parts that the rare forms make of a name, with their share."""
    first, last = words[0].lower(), words[-1].lower()
    parts = {
        "first_": [first[:count] for count in range(2, len(first))],
        "last_": [last[:count] for count in range(2, len(last))],
        "x": list(ascii_lowercase),
    }
    found: dict[str, float] = {}
    for form, count in _RARE_FORMS:
        name = next(name for name in parts if f"{{{name}}}" in form)
        for part in parts[name]:
            local = form.format(first=first, last=last, f=first[0], l=last[0], **{name: part})
            found[local] = found.get(local, 0.0) + count / _RARELY_COUNTED / len(parts[name])
    return found


def _at_own_domains(words: Sequence[str]) -> Iterator[tuple[float, bytes]]:
    """The addresses at a domain that is the name, each with its share."""
    first, last = words[0].lower(), words[-1].lower()
    for form, count in _OWN_DOMAINS:
        domain = form.format(first=first, last=last)
        for end, ends in _ENDS.items():
            share = count / _RARELY_COUNTED * ends / sum(_ENDS.values())
            yield share, f"{first}@{domain}.{end}".encode()


def _bonus(domain: str, in_path: set[str], in_text: set[str]) -> float:
    """How much likelier a domain is for what is written there."""
    labels = set(domain.split(".")[:-1]) - _COMMON_LABELS
    return 2.0**_IN_PATH if labels & in_path else 2.0**_MENTIONED if labels & in_text else 1.0
