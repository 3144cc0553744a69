"""How each archive shows a mail: what a message starts with, what follows it, what happened to its text.

The shapes were read off the archives' pages. A `start` names the groups subject, name, email, date, id and reply as far
as the archive shows them and ends where the body begins. Repetitions are possessive (`[ab]*+`) or in atomic groups
(`(?>(?:ab)*)`): a page that almost matches must not be tried in every way. A possessive group, `(?:ab)*` with a plus,
matches wrongly before Python 3.11.5, Debian 12's among them (https://github.com/python/cpython/issues/106052).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kpatch_tool.mail.message import Damage


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive's shape."""

    name: str
    start: re.Pattern[bytes]
    damage: frozenset[Damage] = frozenset()
    footer: re.Pattern[bytes] | None = None  # where the archive's own text after a body starts
    address: tuple[tuple[str, str], ...] = ()  # what it writes in the author's address -> what is meant
    undo: tuple[re.Pattern[bytes], bytes] | None = None  # the same in the text: a pattern, and what to put in its place
    undo_in_diff: bool = False  # in the diff as well: what the archive writes stands for nothing else there
    indented: bool = False  # every line of the text may have blanks put before it
    marker: re.Pattern[bytes] | None = None  # lines that it puts between the parts of a mail


def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.MULTILINE)


_SQUEEZED = frozenset({Damage.SQUEEZED, Damage.ADDRESSES_HIDDEN})
_HIDDEN = frozenset({Damage.ADDRESSES_HIDDEN})
_MAJORDOMO = _pattern(rb'^--? ?\n(?=To unsubscribe from this list: send the line "unsubscribe)')
_LORE_MARKER = _pattern(rb"^\[-- (?:Attachment #\d[^\n]*|Type: [^\n]*) --\]\n\n?")
# Fields up to the subject, folded or (where white space was lost) simply broken.
_TO_SUBJECT = rb"(?>(?:(?!Subject:|From:)[^\n]+\n){0,400})"
_PERSON = rb"(?P<name>[^\n<]*?) ?(?:<(?P<email>[^>\n]*)>)?"
_SPINICS_FIELD = (
    rb"(?:Subject|To|Cc|Reply-to|User-agent|In-reply-to|References|Organization|List-id|Delivered-to|Sender)"
)
# Seen in blists, the program behind lists.openwall.net: links that lead nowhere are left out.
_OPENWALL_LINKS = rb"(?>(?:\[<?(?:thread-)?(?:prev|next)>?\][ \t]*)*)\[day\] \[month\] \[year\] \[list\][ \t]*\n\n?"
_OPENWALL_FOOTER = _pattern(
    rb"^(?:(?:View|Download) attachment \"[^\n]*\" of type|Content of type \"[^\n]*\" skipped|"
    rb"Content (?:truncated|removed)$|Powered by (?:blists|Open[Ww]all)|Confused about mailing lists)"
)
# Where an address or a message id begins: in <>, alone in a person's trailer, at the end of a link.
_BEFORE_ADDRESS = rb"(?:<|^(?:[A-Za-z][A-Za-z-]{1,40}-by|C[Cc]): ?|^(?:Link|Closes): ?https?://[\w.%+/-]{1,200}/)"
_LORE_DATE = rb"\d{4}-\d\d-\d\d +\d{1,2}:\d\d"

ARCHIVES = (
    # One page a thread; times are UTC; every line's blanks squeezed; the order is not the series'.
    Archive(
        "linuxlists",
        _pattern(
            rb"^(?P<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\n{1,4}+by (?P<name>[^\n]*)\n{1,4}+"
            rb"\[permalink\] ?\[raw\]\n{1,3}+Subject: ?(?P<subject>[^\n]*)\n\n?"
        ),
        _SQUEEZED,
    ),
    # lkml.iu.edu, uwsg.indiana.edu: a mail a page; the From shows no address.
    Archive(
        "hypermail",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n?From: ?(?P<name>[^\n]*)\n"
            rb"Date: ?(?P<date>\w{3} \w{3} \d\d? \d{4} - \d\d:\d\d:\d\d \w+)\n+"
        ),
        _SQUEEZED,
        _MAJORDOMO,
    ),
    # MHonArc as lists.gnu.org, lists.debian.org and lists.xenproject.org have it: links above the subject, then fields.
    Archive(
        "MHonArc",
        _pattern(
            rb"^(?:\[Top\][^\n]*\n(?>(?:[ \t]*\n)*))?\[Date Prev\][^\n]*\n(?>(?:[ \t]*\n)*)"
            rb"(?!(?i:" + _SPINICS_FIELD + rb"|From|Date|Message-id):)(?P<subject>[^\n]+)\n(?>(?:[ \t]*\n)*)"
            rb"(?>(?:[ \t]*(?:[-*] ?)?(?:In-reply-to:[ \t]*(?P<reply><[^\n]*)|(?i:"
            + _SPINICS_FIELD
            + rb"):[ \t]*[^\n]*|"
            rb"(?:Delivery-date|Reply-to|References):[^\n]*|Date:[ \t]*(?P<date>[^\n]*)|"
            rb"(?i:Message-id):[ \t]*<?(?P<id>[^\n>]*)>?|From:[ \t]*" + _PERSON + rb")\n){2,20})\n*"
        ),
        _HIDDEN,
        _pattern(rb"^[ \t]*(?:Follow-Ups:|reply via email to$|Reply to:\n|(?:\* )?Prev by Date:)"),
    ),
    # spinics.net: blanks are kept; the domain of every address is written in x. Older pages show no header.
    Archive(
        "spinics",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n?\[Date Prev\][^\n]*\n(?:(?>(?:[ \t]*\n)+)|(?=From: ))"
            rb"(?>(?:(?:[-*] ?)?(?:(?i:" + _SPINICS_FIELD + rb"): [^\n]*|Date: (?P<date>[^\n]*)|"
            rb"(?i:Message-id): <?(?P<id>[^\n>]*)>?|From: " + _PERSON + rb")\n){0,20})\n*"
        ),
        _HIDDEN,
        _MAJORDOMO,
    ),
    # lists.openwall.net: newer copies keep tabs (also in the header), older ones lost blanks and blank lines.
    Archive(
        "openwall",
        _pattern(
            rb"^" + _OPENWALL_LINKS + rb"(?:Message-I[Dd]:[ \t]*(?P<id>[^\n]*)\n)?Date:\t(?P<date>[^\n]*)\n"
            rb"From:\t"
            + _PERSON
            + rb"\n"
            + _TO_SUBJECT
            + rb"Subject:[ \t]*(?P<subject>[^\n]*(?>(?:\n[ \t][^\n]*)*))\n\n?"
        ),
        _HIDDEN,
        _OPENWALL_FOOTER,
    ),
    Archive(
        "openwall, white space lost",
        _pattern(
            rb"^" + _OPENWALL_LINKS + rb"(?:Message-I[Dd]: ?(?P<id>[^\n]*)\n)?Date: (?P<date>[^\n]*)\n"
            rb"From: " + _PERSON + rb"\n" + _TO_SUBJECT + rb"Subject: (?P<subject>[^\n]*)\n"
        ),
        _SQUEEZED | {Damage.BLANK_LINES_DROPPED},
        _OPENWALL_FOOTER,
    ),
    # lore.kernel.org/.../T/ and /t/: the author's address is not shown, the rest is kept.
    Archive(
        "lore, thread",
        _pattern(
            rb"^[ \t]*\* (?P<subject>[^\n]+)\n(?>(?:(?![ \t]*\* |From: )[^\n]*\n){0,2000})"
            rb"From: (?P<name>[^\n]*?) @ (?P<date>" + _LORE_DATE + rb") UTC \(permalink / raw\)\n(?>(?:  [^\n]*\n)*)"
            # Where white space was lost, the names that To and Cc have no room for are lines of their own.
            rb"(?>(?:(?:To|\+?Cc): ?[^\n]*\n(?>(?:(?<=,\n)[^\n]*\n)*)){0,3})"
            rb"(?:In-Reply-To: (?P<reply>[^\n]*)\n)?\n?"
        ),
        frozenset(),
        _pattern(rb"^\^ permalink raw reply"),
        marker=_LORE_MARKER,
    ),
    # lore.kernel.org/.../MESSAGE-ID/, and mirrors that write the first dot of a domain as a bullet.
    Archive(
        "lore, mail",
        _pattern(
            rb"^From: " + _PERSON + rb"\n" + _TO_SUBJECT + rb"Subject: ?"
            rb"(?P<subject>[^\n]*(?>(?:\n(?!Date:)[^\n]*){0,3}))\n"
            rb"Date: (?P<date>[^\n\t]*?)[\t ]\[thread overview\]\n"
            rb"Message-I[Dd]: (?P<id>[^\n]*?)(?: \(raw\))?\n"
            rb"(?>(?:In-Reply-To: (?P<reply>[^\n]*)\n|References: [^\n]*\n(?>(?:[ \t][^\n]*\n)*))*)\n?"
        ),
        frozenset(),
        _pattern(
            rb"^(?>(?:(?:next|prev|parent|reply|permalink|raw)[ \t]+| +){1,9})(?:other threads:|\[flat\|nested\])|"
            rb"^Thread overview: \d+\+ messages"
        ),
        (("\N{BULLET}", "."),),
        (_pattern(rb"([\w+-]@[\w-]{1,63})\xe2\x80\xa2(?=\w)"), rb"\1."),
        undo_in_diff=True,
        marker=_LORE_MARKER,
    ),
    # lists.infradead.org/pipermail: `user at host`, in the text as well. Some copies break the line before it and lost
    # white space.
    Archive(
        "pipermail",
        _pattern(
            rb"^(?P<subject>[^\n]{1,500})\n\n?(?P<name>[^\n]{0,200}?)(?: |\n|)(?P<email>[^\s]{1,100} at [^\s]{1,100})\n"
            rb"(?P<date>\w{3} \w{3} [ \d]?\d \d\d:\d\d:\d\d \w+ \d{4})\n+"
        ),
        _HIDDEN,
        _pattern(rb"^More information about the [^\n]* mailing list$"),
        ((" at ", "@"),),
        (
            _pattern(rb"(" + _BEFORE_ADDRESS + rb"[\w.+=-]{1,64}) at ((?:[\w-]{1,63}\.)+\w+(?:>|/?$|(?= [#(\[])))"),
            rb"\1@\2",
        ),
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
    # patchew.org: a series a page; how long ago is all it says of the time.
    Archive(
        "patchew",
        _pattern(
            rb"^(?P<subject>[^\n]+)\n\n?Posted by (?P<name>[^\n]{1,200}?) "
            rb"(?>(?:\d{1,3} (?:year|month|week|day|hour|minute)s?,? )+)"
            rb"ago\n\n?"
        ),
        frozenset(),
        _pattern(rb"^(?:\xc2\xa9|\(c\)) ?2016 ?- ?\d{4} Red Hat, Inc\."),
    ),
    # lkml.org: a table of three fields without colons, in either order; the text indented in stored copies.
    Archive(
        "lkml.org",
        _pattern(
            rb"^[ \t]*(?:Date[ \t]*(?P<date>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\n]*)\n\s*+|From[ \t]*(?![ \t:])"
            + _PERSON
            + rb"[ \t]*\n\s*+|Subject[ \t]*(?P<subject>[^\s:][^\n]*?)(?:\n\s*+|\Z)){3}"
        ),
        frozenset(),
        _pattern(rb"^(?>(?:[ \t]|\xc2\xa0)*)(?>(?:\n(?>(?:[ \t]|\xc2\xa0)*)){0,9})Last update: \d{4}-\d\d-\d\d"),
        indented=True,
    ),
    # marc.info: `user () host ! org` in the header.
    Archive(
        "marc",
        _pattern(
            rb"^List: ++[^\n]*\nSubject: ++(?P<subject>[^\n]*)\nFrom: ++" + _PERSON + rb"\nDate: ++(?P<date>[^\n]*)\n"
            rb"(?:Message-ID: ++(?P<id>[^\n]*)\n)?\[Download [^\n]*\n\n?"
        ),
        frozenset(),
        _pattern(rb"^\[prev in list\] \[next in list\]"),
        ((" () ", "@"), (" ! ", ".")),
    ),
)
