"""Whether two people in mail are the same: by address, also where an archive shows part of it, or by name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from kpatch_tool.mail import headers

# Stands in a file where an archive hid an address: `git am` wants one, and .invalid never is anybody's (RFC 2606).
HIDDEN_EMAIL = "hidden@archive.invalid"
NOBODY = "unknown"  # stands where there is no name either
_LONGEST = 320  # characters an address can have (RFC 5321)
_ADDRESS = re.compile(r"[^\s<>(),;:\"\[\]]{1,64}(?:@| at )[^\s<>(),;\"\[\]]{1,255}")
_HIDDEN = re.compile(rf"\[email[\s\xa0]?protected\]|\[EMAIL PROTECTED\]|{re.escape(HIDDEN_EMAIL)}", re.IGNORECASE)
_X = re.compile(r"x{2,}(?:\.x+)*$")
_WITHOUT_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "æ": "ae", "ø": "oe"})
_LONG_ENOUGH = 6  # characters of what stands before an @ that tell a person
_WORD = re.compile(r"[^\W_]+")
_WORDS_SHORTENED = 3  # of which a name is made at least where some of them are first letters only
_GMANE = re.compile(r"(.+)-[\w/+-]{16,}$")  # gmane's hash of the address


@dataclass(frozen=True, slots=True)
class _Shown:
    """What can be seen of an address. `cut` says that `local` is only its beginning; `domain` is None where it is
    hidden, and begins with "..." where only its end is shown."""

    local: str
    cut: bool
    domain: str | None


def has_address(text: str) -> bool:
    """Whether a text names an address, be it hidden by an archive."""
    return _ADDRESS.search(text) is not None or _HIDDEN.search(text) is not None


def name_of(value: str) -> str:
    """The name in a person's trailer: what stands before the address, hidden or not."""
    return re.split(rf"<|\[email|\[EMAIL|\S{{1,{_LONGEST}}}@", value, maxsplit=1)[0]


def is_whole(address: str) -> bool:
    """Whether an address is all there: no archive hid it or a part of it."""
    shown = _shown(address)
    return shown is not None and not shown.cut and shown.domain is not None and "..." not in address


def address_in(text: str) -> str:
    """The first address in a text, in lower case, as it is shown; empty where there is none or it is hidden."""
    text = text[: 4 * _LONGEST]
    bracket = re.search(r"<([^<>]*)>", text)
    found = _ADDRESS.search(bracket[1] if bracket else text)
    if found is None or _HIDDEN.search(found[0]):
        return ""
    return found[0].rstrip(".").replace(" at ", "@").replace("\N{BULLET}", ".").lower()


def same_address(one: str, other: str) -> bool | None:
    """Whether two addresses, as shown, are one person's: None where too little is visible to tell.

    Case and `+tag` say nothing; one more level of the domain (linux.example.com, example.com) neither, as for b4
    (LoreTrailer.email_eq).
    """
    a, b = _shown(one), _shown(other)
    if a is None or b is None:
        return None
    if a.cut or b.cut:
        if not (a.local.startswith(b.local) if b.cut else b.local.startswith(a.local)):
            return False
    elif a.local != b.local:
        return False
    if a.domain is None or b.domain is None:
        return True
    return _same_domain(a.domain, b.domain)


def _same_domain(one: str, other: str) -> bool:
    if one.startswith("...") or other.startswith("..."):
        cut, whole = sorted((one, other), key=lambda domain: (not domain.startswith("..."), len(domain)))
        seen = cut.lstrip(".")
        return whole.endswith(seen) or (whole.startswith("...") and seen.endswith(whole.lstrip(".")))
    shorter, longer = sorted((one, other), key=len)
    return one == other or (
        "." in shorter and longer.endswith(f".{shorter}") and longer.count(".") == shorter.count(".") + 1
    )


def _shown(address: str) -> _Shown | None:
    address = address_in(address)
    local, at, domain = address.rpartition("@")
    if not at or not local or headers.HIDDEN_ADDRESS.fullmatch(address):
        return None
    if domain.endswith("gmane.org") and (hashed := _GMANE.match(local)):
        return _Shown(hashed[1], False, None)
    cut = local.endswith("...")
    local = local.rstrip(".") if cut else local.partition("+")[0] or local
    if _X.match(domain) or domain in ("...", "public.gmane.org"):
        return _Shown(local, cut, None)
    return _Shown(local, cut, domain)


def same_name(one: str, other: str) -> bool:
    """Whether two names have the same words: people write `Doe, John` and `John Doe`, with and without (Company),
    `Jürgen` and `Juergen`."""
    words = name_words(one)
    return bool(words) and (words == name_words(other) or name_words(_spelt_out(one)) == name_words(_spelt_out(other)))


def is_short_for(one: str, other: str) -> bool:
    """Whether one of two names has all the words of the other, and that has two at least: `Jane Doe` and
    `Doe, Jane Q`; or the first letters of words that the other writes out: `Jane DS`, `Jdsmith`, `Jane Doe-Smith`,
    `Jane K Doe`, `Jane Kate Doe`."""
    fewer, more = sorted((name_words(one), name_words(other)), key=len)
    return (len(fewer) > 1 and fewer <= more) or _abbreviates(one, other) or _abbreviates(other, one)


def _abbreviates(short: str, whole: str) -> bool:
    """Whether of the words of `whole`, in order, those behind the first stand in `short` as their first letters, or
    those before the last do and the last one follows them."""
    mine, words = (_WORD.findall(_spelt_out(name)) for name in (short, whole))
    if len(words) < _WORDS_SHORTENED:
        return False
    letters = "".join(word[0] for word in words)
    return mine in ([words[0], letters[1:]], [letters[:-1] + words[-1]], [words[0], *letters[1:-1], words[-1]])


def is_named_in(address: str, name: str) -> bool:
    """Whether the words of a name are those before the @: `Doe, JaneX` and janex.doe@example.org; of two words or more
    the initials between them say nothing."""
    local = address.partition("@")[0].partition("+")[0]
    if len(local) < _LONG_ENOUGH:
        return False
    words, others = name_words(re.sub(r"[._-]", " ", local)), name_words(name)
    spelt, also = ({word for word in one if len(word) > 1} for one in (words, others))
    return words == others or (len(spelt) > 1 and spelt == also)


def _spelt_out(name: str) -> str:
    return unicodedata.normalize("NFC", name[:_LONGEST]).casefold().translate(_WITHOUT_UMLAUTS)


def name_words(name: str) -> frozenset[str]:
    """The words of a name in lower case, without accents, quotes, apostrophes and what stands in brackets."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\([^)]*\)|\[[^\]]*\]|(?<=\w)['’](?=\w)", "", name[:_LONGEST]))
    return frozenset(re.findall(r"\w+", "".join(char for char in plain if not unicodedata.combining(char)).casefold()))
