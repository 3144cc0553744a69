"""Addresses that archives hid in the text of a patch: which it may have been."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log2

from kpatch_tool.restore.hidden import FORMS, Form, hides

_PLAIN = re.compile(rb"(?<![\w.+=-])[\w.+=-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")
# Python's decorators, which archives take for addresses where the sign of a diff stands before them.
_DECORATOR = re.compile(rb"^@\w{1,64}(?:\.\w{1,63}){1,6}", re.MULTILINE)
_NAME = re.compile(rb"[\w][\w .,'-]*\Z")
_ENTRY_NAME = re.compile(rb"N:[ \t]*(.+)")  # of CREDITS
_ENTRY_LINE = re.compile(rb"[A-Z]: ")
_LONGEST_NAME = 60  # bytes before an address in which a name is looked for
_FROM_FILE = 4.0  # bits: an address of the file itself rather than one of the mail's people
_FROM_OTHERS = 3.0  # and what it takes to tell one of so many from the others
_NAMED = 12.0  # less, where the person's name stands before the place
_ANOTHER = 3.0  # more, for an address that nobody is known to have where an address of somebody of that name is
_AT_A_DOMAIN = 3.0  # for one that nobody is known to have, at a domain that others have
_KEPT = 1.0  # to leave what the archive wrote
_MOST = 6_000
_MOST_TWICE = 100  # where two addresses are hidden in a line

Maker = Callable[[bytes], Sequence[tuple[float, bytes]]]  # addresses (bits, address) for the text before a hidden one


@dataclass(frozen=True, slots=True)
class Person:
    """An address that may have been meant, the name seen with it, and what it costs to take it."""

    name: bytes
    address: bytes
    cost: float = 0.0


def people_in(text: bytes, cost: float = 0.0) -> list[Person]:
    """The addresses in a text that are not hidden, each with the first name that is seen with it: the words before it,
    those before the address it follows (.mailmap), or the name of its entry (CREDITS)."""
    found: dict[bytes, Person] = {}
    last, name = 0, b""
    for match in _PLAIN.finditer(text):
        head = text[max(0, match.start() - _LONGEST_NAME) : match.start()].rpartition(b"\n")[2]
        if own := _NAME.search(head.rstrip(b" \t<(\"'")):
            name = own[0]
        elif head == b"E: " and (entry := _entry_name(text, last, match.start())):
            name = entry
        elif text[last : match.start()].strip(b" \t<>") or not last:
            name = b""
        last = match.end()
        if not (known := found.get(match[0])) or not known.name:
            found[match[0]] = Person(name, match[0], cost)
    return [person for person in found.values() if not hides(person.address)]


def _entry_name(text: bytes, last: int, address: int) -> bytes:
    """The name in the entry (CREDITS) whose `E: ` stands before `address`, b"" where there is none from `last` on."""
    name, below = b"", address - len(b"E: ")
    while below > last:
        above = text.rfind(b"\n", last, below - 1) + 1
        if not above and last:
            break
        line = text[above : below - 1]
        if found := _ENTRY_NAME.fullmatch(line):
            name = found[1]
        if not _ENTRY_LINE.match(line):
            break
        below = above
    return name


def pool(mail: Iterable[Person], removed: bytes, base: bytes, others: Iterable[Person] = ()) -> tuple[Person, ...]:
    """The addresses that may be meant in an added line: those of the lines it replaces, the mail's, the file's."""
    found: dict[bytes, Person] = {}
    decorators = [Person(b"", one, _FROM_FILE) for one in _DECORATOR.findall(base)]
    for person in (*people_in(removed), *mail, *people_in(base, _FROM_FILE), *decorators, *others):
        known = found.get(person.address)
        if known is None:
            found[person.address] = person
        elif person.cost < known.cost or not known.name:
            found[person.address] = Person(known.name or person.name, person.address, min(person.cost, known.cost))
    return tuple(found.values())


def others(text: bytes) -> list[Person]:
    """The addresses of a long list of people (MAINTAINERS)."""
    found = people_in(text)
    cost = _FROM_OTHERS + log2(max(1, len(found)))
    return [replace(person, cost=cost) for person in found]


def _nobody(_head: bytes) -> Sequence[tuple[float, bytes]]:
    return ()


def shown(text: bytes, people: Sequence[Person], made_up: Maker = _nobody) -> list[tuple[float, bytes]]:
    """`text` with the first hidden address written out in every likely way, cheapest first; as it is where no address
    may be meant. A second hidden one in the line is written out the same way. `made_up` gives further addresses."""
    out: list[tuple[float, bytes]] = [(0.0, text)]
    domains = _domains(people) if hides(text) else []
    for _ in range(2):
        form = next((form for form in FORMS if form.pattern.search(out[0][1])), None)
        if form is None:
            break
        ways: dict[bytes, float] = {}
        for cost, one in out[:_MOST_TWICE]:
            for more, new in _ways(one, form, people, domains, made_up):
                ways[new] = min(cost + more, ways.get(new, cost + more))
        out = sorted((cost, new) for new, cost in ways.items())[:_MOST]
    return out


def _ways(
    text: bytes, form: Form, people: Sequence[Person], domains: Sequence[tuple[float, bytes]], made_up: Maker
) -> list[tuple[float, bytes]]:
    match = form.pattern.search(text)
    if match is None:
        return [(0.0, text)]
    head, tail = text[: match.start()], text[match.end() :]
    if form.told:
        return [(0.0, head + match.expand(form.told) + tail), (3.0, text)]
    fitting = [(person, _named(person, head)) for person in people if form.fits(match, person.address)]
    found = [
        (max(0.0, person.cost - (_NAMED if named else 0.0)), head + person.address + tail) for person, named in fitting
    ]
    other = _ANOTHER if any(named for _, named in fitting) else 0.0
    more = [
        (cost + other, head + address + tail)
        for cost, address in (*made_up(head), *_at(domains, match))
        if form.fits(match, address)
    ]
    return [*found, *more, (_KEPT, text)]


def _domains(people: Sequence[Person]) -> list[tuple[float, bytes]]:
    """The domains that people have, each with what it costs to take it for an address that nobody is known to have."""
    found = Counter(domain for person in people for domain in person.address.split(b"@")[1:] if domain)
    return [(_AT_A_DOMAIN + log2(found.total() / count), domain) for domain, count in found.items()]


def _at(domains: Sequence[tuple[float, bytes]], match: re.Match[bytes]) -> list[tuple[float, bytes]]:
    """What an archive shows of an address before the @, if it does, at every one of the domains."""
    shown = match[1] if match.re.groups > 1 else b""
    return [(cost, b"%s@%s" % (shown, domain)) for cost, domain in domains] if shown else []


def _named(person: Person, head: bytes) -> bool:
    """Whether the person's name stands before the place."""
    words = _words(person.name)
    near = head[-80:].lower()
    return bool(words) and all(word in near for word in words)


@lru_cache(maxsize=8192)
def _words(name: bytes) -> tuple[bytes, ...]:
    """The last three words of a name, in small letters: of thousands of people, for every place in a line."""
    return tuple(re.findall(rb"\w{3,40}", name.lower())[-3:])
