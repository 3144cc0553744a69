"""How each archive shows a mail: what a message starts with, what follows it, what happened to its text.

The shapes were read off the archives' pages. A `start` names the groups subject, name, email, date, id and reply as far
as the archive shows them and ends where the body begins. Repetitions are possessive (`*+`): a page that almost matches
must not be tried in every way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.mail.message import Damage


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive's shape. `footer` is where the archive's own text after a body starts; `address` are replacements
    that give the author's address back (from what is written to what is meant), `undo` the same for addresses in the
    text: a pattern and what to put in its place, in the diff as well where `undo_in_diff` (what the archive writes
    stands for nothing else there)."""

    name: str
    start: re.Pattern[bytes]
    damage: frozenset[Damage] = frozenset()
    footer: re.Pattern[bytes] | None = None
    address: tuple[tuple[str, str], ...] = ()
    undo: tuple[re.Pattern[bytes], bytes] | None = None
    undo_in_diff: bool = False


def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.MULTILINE)


_SQUEEZED = frozenset({Damage.SQUEEZED, Damage.ADDRESSES_HIDDEN})
_HIDDEN = frozenset({Damage.ADDRESSES_HIDDEN})
_MAJORDOMO = _pattern(rb'^-- ?\n(?=To unsubscribe from this list: send the line "unsubscribe)')
_LORE_DATE = rb"\d{4}-\d\d-\d\d +\d{1,2}:\d\d"

# Zones that pages name by letters (hours from UTC).
ZONES = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
         "CET": 1, "CEST": 2, "BST": 1, "JST": 9}  # fmt: skip

ARCHIVES = (
    # One page a thread; times are UTC; every line's blanks squeezed; the order is not the series'.
    Archive(
        "linuxlists",
        _pattern(
            rb"^(?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\n\nby (?P<name>[^\n]*)\n\n\[permalink\] \[raw\]\n"
            rb"Subject: ?(?P<subject>[^\n]*)\n\n?"
        ),
        _SQUEEZED,
    ),
    # lkml.iu.edu, uwsg.indiana.edu: a mail a page; the From shows no address.
    Archive(
        "hypermail",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\nFrom: (?P<name>[^\n]*)\n"
            rb"Date: (?P<date>\w{3} \w{3} \d\d? \d{4} - \d\d:\d\d:\d\d \w+)\n\n+"
        ),
        _SQUEEZED,
    ),
    # spinics.net: blanks are kept; the domain of every address is written in x.
    Archive(
        "spinics",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n\[Date Prev\]\[Date Next\][^\n]*\n(?:[ \t]*\n)++"
            rb"(?:(?:Subject|To|Cc|Date): (?:[^\n]*)\n)*From: (?P<name>[^\n<]*?) ?(?:<(?P<email>[^>\n]*)>)?\n"
            rb"(?:(?:Subject|To|Cc|Reply-to|User-agent|In-reply-to): [^\n]*\n|Date: (?P<date>[^\n]*)\n)*+\n"
        ),
        _HIDDEN,
        _MAJORDOMO,
    ),
    # lists.openwall.net: newer copies keep tabs (also in the header), older ones lost blanks and blank lines.
    Archive(
        "openwall",
        _pattern(
            rb"^\[<prev\][^\n]*\[list\]\nMessage-ID: (?P<id>[^\n]*)\nDate:\t(?P<date>[^\n]*)\n"
            rb"From:\t(?P<name>[^\n<]*?) ?(?:<(?P<email>[^>\n]*)>)?\n(?:(?:To|CC|Cc):[^\n]*\n(?:[ \t][^\n]*\n)*+)*+"
            rb"Subject:\t? ?(?P<subject>[^\n]*)\n\n?"
        ),
        _HIDDEN,
    ),
    Archive(
        "openwall, white space lost",
        _pattern(
            rb"^\[<prev\][^\n]*\[list\]\nMessage-ID: (?P<id>[^\n]*)\nDate: (?P<date>[^\n]*)\n"
            rb"From: (?P<name>[^\n<]*?) ?(?:<(?P<email>[^>\n]*)>)?\n(?:(?:To|CC|Cc):[^\n]*\n)*+"
            rb"Subject: (?P<subject>[^\n]*)\n"
        ),
        _SQUEEZED | {Damage.BLANK_LINES_DROPPED},
    ),
    # lore.kernel.org/.../T/: the author's address is not shown, the rest is kept.
    Archive(
        "lore, thread",
        _pattern(
            rb"^\* (?P<subject>[^\n]+)\n(?:  [^\n]*\n)*+@ " + _LORE_DATE + rb" [^\n]*\n(?:[ \t][^\n]*\n|\n)*+"
            rb"From: (?P<name>[^\n]*?) @ (?P<date>" + _LORE_DATE + rb") UTC \(permalink / raw\)\n(?:  [^\n]*\n)*+\n"
        ),
        frozenset(),
        _pattern(rb"^\^ permalink raw reply"),
    ),
    # lore.kernel.org/.../MESSAGE-ID/, and mirrors that write the first dot of a domain as a bullet.
    Archive(
        "lore, mail",
        _pattern(
            rb"^From: (?P<name>[^\n<]*?) ?(?:<(?P<email>[^>\n]*)>)?\n(?:(?:To|Cc): [^\n]*\n(?:[ \t][^\n]*\n)*+)*+"
            rb"Subject: (?P<subject>[^\n]*)\nDate: (?P<date>[^\n\t]*)\t\[thread overview\]\n"
            rb"Message-ID: (?P<id>[^\n]*?)(?: \(raw\))?\n(?:In-Reply-To: (?P<reply>[^\n]*)\n)?\n"
        ),
        frozenset(),
        _pattern(rb"^(?:next prev parent reply|next reply|prev parent reply|reply)\tother threads:"),
        (("\N{BULLET}", "."),),
        (_pattern(rb"([\w+-]@[\w-]{1,63})\xe2\x80\xa2(?=\w)"), rb"\1."),
        undo_in_diff=True,
    ),
    # lists.infradead.org/pipermail: `user at host`, in the text as well.
    Archive(
        "pipermail",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n(?P<name>[^\n]*?) ?(?P<email>[^\s]+ at [^\s]+)\n"
            rb"(?P<date>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \w+ \d{4})\n\n+"
        ),
        _HIDDEN,
        _pattern(rb"^More information about the [^\n]* mailing list$"),
        ((" at ", "@"),),
        (_pattern(rb"(<[\w.+-]{1,64}) at ((?:[\w-]{1,63}\.)+\w+>)"), rb"\1@\2"),
    ),
    # mail-archive.com: message pages keep the text; addresses are hidden.
    Archive(
        "mail-archive",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n(?P<name>[^\n]*?) "
            rb"(?P<date>\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})\n\n"
        ),
        _HIDDEN,
        _MAJORDOMO,
    ),
)
