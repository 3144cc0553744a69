"""Addresses that somebody is likely to have of whom only the name is known: made of the name and others' domains.

Companies form addresses from names, and most of those who are named in a patch work for one whose domain other people
of the tree have. Which of these an address is, only a blob id can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import log2

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
    "{fi}{last}": 16,
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
_MIDDLE = re.compile(r"\{m")
_NAMES = re.compile(r"[^\W\d_]+")
_BEFORE = re.compile(r"[^<>\"(:@*#|;,\d]*\Z")  # what may be a name, of the text before an address
_LONGEST_NAME = 60  # bytes
_MOST_WORDS = 3
_MOST_DOMAINS = 150
# Bits less for a domain whose name the file's path has (`amlogic,meson-gx` and amlogic.com), or the diff.
_IN_PATH, _MENTIONED = 8.0, 5.0
_LABEL = re.compile(r"[a-z0-9]{3,}")
_COMMON_LABELS = frozenset({"com", "org", "net", "kernel", "linux", "mail", "gmail", "dev"})
_OWN_FORM = 4.0  # how many people of a domain the shares of all domains weigh as much as
_MADE_UP = 3.0  # bits: nobody with that address is known
_DEAREST = 20.0  # bits
_MOST = 1_000


def name_before(head: bytes) -> tuple[str, ...]:
    """The words of the name at the end of the text before a hidden address, without accents; () where none is."""
    near = head[-_LONGEST_NAME:].decode("utf-8", "replace").rstrip(" \t<(\"'")
    found = _BEFORE.search(near)
    return _words(found[0]) if found else ()


def _words(name: str) -> tuple[str, ...]:
    """The last words of a name that begin with a capital letter, at most three."""
    words: list[str] = []
    for word in reversed(_NAMES.findall(_plain(name))):
        if len(words) == _MOST_WORDS or not word[0].isupper():
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

    def addresses(self, words: Sequence[str], path: str, text: bytes) -> list[tuple[float, bytes]]:
        """The addresses somebody of that name may have, cheapest first, each with its cost in bits, in a file of that
        path and the text of its diff."""
        found: dict[bytes, float] = {}
        everybody = self._people.total()
        in_path, in_text = set(_LABEL.findall(path.lower())), set(_LABEL.findall(text.decode("latin-1").lower()))
        weights = {domain: count * _bonus(domain, in_path, in_text) for domain, count in self._people.items()}
        for domain in sorted(weights, key=lambda domain: (-weights[domain], domain))[:_MOST_DOMAINS]:
            share = weights[domain] / everybody
            own = self._forms.get(domain, Counter())
            for form, count in _FORMS.items():
                local = _filled(form, words)
                if local is None:
                    continue
                like = (own[form] + _OWN_FORM * count / _COUNTED) / (own.total() + _OWN_FORM)
                cost, address = _MADE_UP - log2(share * like), f"{local}@{domain}".encode()
                if cost <= _DEAREST:
                    found[address] = min(cost, found.get(address, cost))
        return sorted((cost, address) for address, cost in found.items())[:_MOST]


def _bonus(domain: str, in_path: set[str], in_text: set[str]) -> float:
    """How much likelier a domain is for what is written there."""
    labels = set(domain.split(".")[:-1]) - _COMMON_LABELS
    return 2.0**_IN_PATH if labels & in_path else 2.0**_MENTIONED if labels & in_text else 1.0
