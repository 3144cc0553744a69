"""Who sent the mails of an archive's page, where it shows one person under a name and under an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kpatch_tool.mail.message import Address, Message

_WORD = re.compile(r"[^\W\d_]{3,}")  # initials tell nothing


def named(messages: Iterable[Message]) -> Mapping[str, Address]:
    """Address that a page shows in a name's place -> the sender with the name that the same page shows for him.

    `git send-email` leaves the name out where the address was all it was told, so that the cover letter may be from
    "Paul E. McKenney" and the patches from "paulmck@kernel.org". Only an address that is made of one of the page's
    names is taken for that person's.
    """
    shown = dict.fromkeys(message.author.name for message in messages if message.archive)
    names = [name for name in shown if name and "@" not in name]
    out: dict[str, Address] = {}
    for address in (name for name in shown if "@" in name):
        made_of = [name for name in names if _is_made_of(address.partition("@")[0].lower(), name)]
        if len(made_of) == 1:
            out[address] = Address(made_of[0], address)
    return out


def _is_made_of(local: str, name: str) -> bool:
    """Whether the part of an address before @ holds a word of a name: "ira.weiny", "paulmck"."""
    return any(word in local for word in _WORD.findall(name.lower()))
