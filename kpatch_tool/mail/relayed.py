"""Who wrote a mail that a list sent in its own name, as DMARC makes lists do: `Jane Doe via kvm <kvm@example.org>`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kpatch_tool.mail import headers
from kpatch_tool.mail.message import Address

_VIA = re.compile(r"['\"]?(.+?)['\"]? +via +.+", re.IGNORECASE)
# Where the writer is named instead: Google Groups and B4 Relay, Mailman (dmarc_moderation_action "Munge From").
_WRITER = ("x-original-from", "reply-to")


def author(fields: Mapping[str, list[bytes]]) -> Address:
    """The author by the header `fields`: the From, or the person of that name in another field where it is a list's."""
    sent = headers.address(headers.text(fields, "from"))
    via = _VIA.fullmatch(sent.name)
    if via is None:
        return sent
    for field in _WRITER:
        people = headers.people([headers.text(fields, field)])
        for name, email in people:
            if "@" in email and (_words(name) == _words(via[1]) or (len(people) == 1 and not name)):
                return Address(via[1], email)
    return sent


def writer(name: str) -> str:
    """The person in a name of the kind `Jane Doe via kvm`; empty where it is none."""
    via = _VIA.fullmatch(name)
    return via[1] if via else ""


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", name.casefold()))
