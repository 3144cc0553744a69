"""Made-up threads in every form in which people post series, and how they are to be read.

A line of a thread is `ID [< PARENT] WHO [DAY:]MINUTE SUBJECT`; the mail holds a patch, or only text where `~` stands
before the subject, or, after `+`, a reply that is a whole patch. A posting is written `v2 1-3/3 c`: its version, the
numbers sent in it, the total, and c where it has a cover letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.mail_fixtures import DIFF, Mail

_LINE = re.compile(r"(\S+)(?: < (\S+))? (\w+) (?:(\d+):)?(\d+) ([~+] )?(.*)")


@dataclass(frozen=True, slots=True)
class Thread:
    """`postings` are all that are found, oldest first; `chosen` the ids of the patches imported by default (in their
    order), `says` pieces of what is said about them, in order; nothing else is said."""

    name: str
    text: str
    postings: tuple[str, ...]
    chosen: str
    says: tuple[str, ...] = ()

    def mails(self) -> list[Mail]:
        found = (_LINE.fullmatch(line.strip()) for line in self.text.strip().split("\n"))
        return [_mail(match) for match in found if match]


def _mail(found: re.Match[str]) -> Mail:
    name, parent, who, day, minute, mark, subject = found.groups()
    email = f"{who}@example.org"
    person = who.title()
    signed = f"Why.\n\nSigned-off-by: {person} <{email}>\n---\n 1 file changed\n\n{DIFF}-- \n2.39.5\n"
    body = "Text.\n" if mark == "~ " else signed
    id_ = "" if name.startswith("-") else name
    return Mail(subject, body, id_, parent or "", person, email, int(minute), int(day or 17))


THREADS = (
    Thread(
        "a patch of the series sent beside it by itself",
        """
        c jane 0 ~ [PATCH v2 0/2] mm: do all of it
        o < c jane 1 [PATCH v2 1/1] mm: two
        p1 < c jane 2 [PATCH v2 1/2] mm: one
        p2 < c jane 3 [PATCH v2 2/2] mm: two
        """,
        ("v2 1-2/2 c", "v2 1/1"),
        "p1 p2",
        ('also posted as v2: "mm: two"',),
    ),
    Thread(
        "a first patch sent twice, below a cover letter",
        """
        c jane 0 ~ [PATCH 0/1] mm: do all of it
        p1 < c jane 1 [PATCH 1/1] mm: one
        q1 < c jane 2 [PATCH 1/1] mm: one again
        """,
        ("v1 1/1 c", "v1 1/1"),
        "q1",
        ('also posted as v1: "mm: do all of it"',),
    ),
    Thread(
        "the earlier version of a patch sent with the new one",
        """
        c jane 0 ~ [PATCH v2 0/2] mm: do all of it
        o1 < c jane 1 [PATCH 1/2] mm: one
        p1 < c jane 2 [PATCH v2 1/2] mm: one
        p2 < c jane 3 [PATCH v2 2/2] mm: two
        """,
        ("v2 1-2/2 c", "v1 1/2"),
        "p1 p2",
        ('posted later without a version: "mm: one"',),
    ),
    Thread(
        "a patch tried for the second time in a new series",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: remove support for it, take #2
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
        ("tagged v2: patch 2",),
    ),
    Thread(
        "a cover letter with the number of the first patch",
        """
        c jane 0 ~ [PATCH v4 1/2] mm: do all of it
        p1 < c jane 1 [PATCH v4 1/2] mm: one
        p2 < c jane 2 [PATCH v4 2/2] mm: two
        """,
        ("v4 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "files of another series in the directory that was sent",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it
        o1 < c jane 1 [PATCH 1/2] arm: one
        p1 < c jane 2 [PATCH 1/3] mm: one
        o2 < c jane 3 [PATCH 2/2] arm: two
        p2 < c jane 4 [PATCH 2/3] mm: two
        p3 < c jane 5 [PATCH 3/3] mm: three
        """,
        ("v1 1-3/3 c", "v1 1-2/2"),
        "p1 p2 p3",
        ('another series is in the source: "arm: one"',),
    ),
    Thread(
        "only the first patch names the version",
        """
        p1 jane 0 [PATCH v2 1/3] mm: one
        p2 < p1 jane 1 [PATCH 2/3] mm: two
        p3 < p1 jane 2 [PATCH 3/3] mm: three
        """,
        ("v2 1-3/3",),
        "p1 p2 p3",
        ("without a version in the subject: patch 2-3",),
    ),
    Thread(
        "patches that count their versions each by itself",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it (v4)
        p1 < c jane 1 [PATCH 1/3] mm: one (v2)
        p2 < c jane 2 [PATCH 2/3] mm: two (v3)
        p3 < c jane 3 [PATCH 3/3] mm: three (v2)
        """,
        ("v4 1-3/3 c",),
        "p1 p2 p3",
        ("tagged v2: patch 1, 3", "tagged v3: patch 2"),
    ),
    Thread(
        "such patches without a cover letter",
        """
        c jane 0 ~ mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one (v2)
        p2 < c jane 2 [PATCH 2/2] mm: two (v3)
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
        ("tagged v3: patch 2",),
    ),
    Thread(
        "a cover and its patches",
        """
        c jane 0 ~ [PATCH 00/02] mm: do all of it
        p2 < c jane 2 [PATCH 02/02] mm: two
        p1 < c jane 1 [PATCH 01/02] mm: one
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "two series of a person, a patch dated before the one it answers",
        """
        a1 jane 0 [PATCH 1/1] mm: one
        b2 < b1 jane 1 [PATCH 2/1] arm: two
        b1 jane 2 [PATCH 1/1] arm: one
        """,
        ("v1 1/1", "v1 1-2/1"),
        "a1",
        ("another series",),
    ),
    Thread(
        "two series of a person within the hour, of one the cover is missing",
        """
        p1 < gone jane 0 [PATCH 1/2] mm: one
        p2 < gone jane 0 [PATCH 2/2] mm: two
        c jane 1 ~ [PATCH 0/2] arm: both
        q1 < c jane 2 [PATCH 1/2] arm: one
        q2 < c jane 3 [PATCH 2/2] arm: two
        """,
        ("v1 1-2/2", "v1 1-2/2 c"),
        "p1 p2",
        ('another series is in the source: "arm: both"',),
    ),
    Thread(
        "a cover that counts and tags otherwise",
        """
        c jane 0 ~ [RESEND PATCH v2 0/3] mm: do all of it
        p1 < c jane 0 [PATCH 1/2] mm: one
        p2 < c jane 1 [PATCH 2/2] mm: two
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a cover without a title",
        """
        c jane 0 ~ [PATCH v3 0/2]
        p1 < c jane 1 [PATCH v3 1/2] mm: one
        p2 < c jane 2 [PATCH v3 2/2] mm: two
        """,
        ("v3 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a cover of one patch without a number",
        """
        c jane 0 ~ [PATCH 0/1] mm: do all of it
        p1 < c jane 1 [PATCH] mm: one
        """,
        ("v1 1/1 c",),
        "p1",
    ),
    Thread(
        "a cover sent again, in answer to that which is not there",
        """
        p1 < gone jane 1 [PATCH v2 1/2] mm: one
        p2 < gone jane 2 [PATCH v2 2/2] mm: two
        d < gone jane 20 ~ [PATCH v2/resend 0/2] mm: do all of it
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "numbers beyond the total",
        """
        c jane 0 ~ [PATCH v4 0/2] mm: do all of it
        p1 < c jane 1 [PATCH v4 1/2] mm: one
        p2 < c jane 2 [PATCH v4 2/2] mm: two
        p3 < c jane 18:3 [PATCH v4 3/2] mm: three
        """,
        ("v4 1-3/2 c",),
        "p1 p2 p3",
        ("sent beyond the 2 that were announced: 3",),
    ),
    Thread(
        "one patch of a run tagged as sent again",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it
        p1 < c jane 1 [PATCH 1/3] mm: one
        p2 < c jane 2 [PATCH RESEND 2/3] mm: two
        p3 < c jane 3 [PATCH 3/3] mm: three
        """,
        ("v1 1-3/3 c",),
        "p1 p2 p3",
    ),
    Thread(
        "a number beyond the total by somebody else",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        a joe 30 [PATCH] x86: another thing
        p3 < c ann 18:3 [PATCH 3/2] mm: three
        """,
        ("v1 1-3/2 c", "v1 1/1"),
        "p1 p2 p3",
        ("sent beyond the 2 that were announced: 3", "another series"),
    ),
    Thread(
        "numbers that go on under another total",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        p3 < p2 jane 18:3 [PATCH 3/4] mm: three
        p4 < p3 jane 18:4 [PATCH 4/4] mm: four
        """,
        ("v1 1-2/2 c", "v1 3-4/4"),
        "p1 p2",
        ('goes on in "mm: three" by Jane, 3-4 of 4, 2014-04-18 (--series 2)',),
    ),
    Thread(
        "2/1 after a single patch, then both",
        """
        a jane 0 [PATCH] mm: a first thing
        b < a jane 5 [PATCH 2/1] mm: a second thing
        p1 jane 30 [PATCH 1/2] mm: a first thing
        p2 < p1 jane 31 [PATCH 2/2] mm: a second thing
        """,
        ("v1 1/1", "v1 2/1", "v1 1-2/2"),
        "p1 p2",
        ("also posted as v1: ", "also posted as v1: "),
    ),
    Thread(
        "revisions, each with a cover",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        d < c jane 18:0 ~ [PATCHv2 0/2] mm: do all of it
        q1 < d jane 18:1 [PATCHv2 1/2] mm: one
        q2 < d jane 18:2 [PATCHv2 2/2] mm: two
        e jane 19:0 ~ [PATCH 0/2 v3] mm: do all of it
        r1 < e jane 19:1 [PATCH 1/2 v3] mm: one
        r2 < e jane 19:2 [PATCH 2/2 v3] mm: two
        """,
        ("v1 1-2/2 c", "v2 1-2/2 c", "v3 1-2/2 c"),
        "r1 r2",
    ),
    Thread(
        "a reroll of one patch",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it
        p1 < c jane 1 [PATCH 1/3] mm: one
        p2 < c jane 2 [PATCH 2/3] mm: two
        p3 < c jane 3 [PATCH 3/3] mm: three
        r < p2 joe 18:0 ~ Re: [PATCH 2/3] mm: two
        q2 < r jane 18:1 [PATCH v2 2/3] mm: two
        """,
        ("v1 1-3/3 c", "v2 2/3"),
        "p1 q2 p3",
        ("v2 was sent in part; taken from v1: 1, 3",),
    ),
    Thread(
        "versions at the end of the titles",
        """
        c jane 0 ~ [PATCH 0/2] mm: all
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        d jane 18:0 ~ [PATCH 0/2] mm: all [ver #2]
        q1 < d jane 18:1 [PATCH 1/2] mm: one [ver #2]
        q2 < d jane 18:2 [PATCH 2/2] mm: two [ver #2]
        """,
        ("v1 1-2/2 c", "v2 1-2/2 c"),
        "q1 q2",
    ),
    Thread(
        "rerolls of one patch after another, each an answer to its first form",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it
        p1 < c jane 1 [PATCH 1/3] mm: one
        p2 < c jane 2 [PATCH 2/3] mm: two
        p3 < c jane 3 [PATCH 3/3] mm: three
        q2 < p2 jane 18:2 [PATCH v2 2/3] mm: two
        r1 < p1 jane 19:1 [PATCH v3 1/3] mm: one
        """,
        ("v1 1-3/3 c", "v2 2/3", "v3 1/3"),
        "r1 q2 p3",
        ("v3 was sent in part; taken from v2: 2", "v3 was sent in part; taken from v1: 3"),
    ),
    Thread(
        "a later form of one patch without its number",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        q2 < p2 jane 18:2 [PATCH v2] mm: two
        """,
        ("v1 1-2/2 c", "v2 1/1"),
        "q2",
        ('sent as an answer to "mm: do all of it" by Jane, 1-2 of 2, 2014-04-17 (--series 1)',),
    ),
    Thread(
        "rerolls of several patches, each an answer to its own",
        """
        p1 jane 1 [PATCH v3 1/3] mm: one
        p2 < p1 jane 2 [PATCH v3 2/3] mm: two
        p3 < p1 jane 3 [PATCH v3 3/3] mm: three
        q2 < p2 jane 18:1 [PATCH v4 2/3] mm: two
        q3 < p3 jane 27:1 [PATCH v4 3/3] mm: three
        r3 < q3 jane 28:1 [PATCH v4.1 3/3] mm: three
        """,
        ("v3 1-3/3", "v4 2-3/3", "v4.1 3/3"),
        "p1 q2 r3",
        ("v4.1 was sent in part; taken from v4: 2", "v4.1 was sent in part; taken from v3: 1"),
    ),
    Thread(
        "a later form of one patch, from a reviewer",
        """
        c jane 0 ~ [PATCH v7 0/2] mm: do all of it
        p1 < c jane 1 [PATCH v7 1/2] mm: one
        p2 < c jane 2 [PATCH v7 2/2] mm: two
        q2 < p2 bob 40 [PATCH v7.1 2/2] mm: two
        """,
        ("v7 1-2/2 c", "v7.1 2/2"),
        "p1 q2",
        ("v7.1 was sent in part; taken from v7: 1",),
    ),
    Thread(
        "an earlier version of some patches after a later one of another",
        """
        p1 jane 1 [PATCH v4 1/4] mm: one
        p2 < p1 jane 2 [PATCH v4 2/4] mm: two
        p3 < p1 jane 3 [PATCH v4 3/4] mm: three
        p4 < p1 jane 4 [PATCH v4 4/4] mm: four
        q1 < p1 jane 17:30 [PATCH v5 1/4] mm: one
        q4 < p4 jane 17:31 [PATCH v5 4/4] mm: four
        r1 < q1 jane 18:1 [PATCH v6 1/4] mm: one
        s4 < p4 jane 22:1 [PATCH v5 4/4] mm: four
        s3 < p3 jane 22:2 [PATCH v5 3/4] mm: three
        """,
        ("v4 1-4/4", "v5 1, 4/4", "v6 1/4", "v5 3-4/4"),
        "r1 p2 p3 q4",
        ("taken from v5: 4", "taken from v4: 2-3", "posted later as v5"),
    ),
    Thread(
        "a later version that goes on after an earlier one of other patches",
        """
        p1 jane 1 [PATCH v4 1/4] mm: one
        p2 < p1 jane 2 [PATCH v4 2/4] mm: two
        p3 < p1 jane 3 [PATCH v4 3/4] mm: three
        p4 < p1 jane 4 [PATCH v4 4/4] mm: four
        q1 < p1 jane 17:30 [PATCH v5 1/4] mm: one
        q4 < p4 jane 17:31 [PATCH v5 4/4] mm: four
        r1 < q1 jane 18:1 [PATCH v6 1/4] mm: one
        s4 < p4 jane 22:1 [PATCH v5 4/4] mm: four
        s3 < p3 jane 22:2 [PATCH v5 3/4] mm: three
        r2 < p2 jane 23:1 [PATCH v6 2/4] mm: two
        """,
        ("v4 1-4/4", "v5 1, 4/4", "v6 1-2/4", "v5 3-4/4"),
        "r1 r2 s3 s4",
        ("taken from v5: 3-4",),
    ),
    Thread(
        "one patch sent again without a version",
        """
        p1 jane 1 [PATCH 1/2] mm: one
        p2 < p1 jane 2 [PATCH 2/2] mm: two
        q2 < p2 jane 18:1 [PATCH 2/2] mm: two
        """,
        ("v1 1-2/2", "v1 2/2"),
        "p1 q2",
        ("sent again in part: 2; taken from 2014-04-17: 1",),
    ),
    Thread(
        "one number twice in one run",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        q2 < c jane 2 [PATCH 2/2] mm: the name it had before
        """,
        ("v1 1-2/2 c", "v1 2/2"),
        "p1 p2",
        ('also posted as v1: "mm: the name it had before"',),
    ),
    Thread(
        "a second posting without a version",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        d jane 18:0 ~ [PATCH 0/2] mm: do all of it
        q1 < d jane 18:1 [PATCH 1/2] mm: one
        q2 < d jane 18:2 [PATCH 2/2] mm: two
        """,
        ("v1 1-2/2 c", "v1 1-2/2 c"),
        "q1 q2",
        ("also posted as v1: ",),
    ),
    Thread(
        "an attempt that mail broke off, after a whole one",
        """
        p1 jane 1 [PATCH v5 1/3] mm: one
        p2 < p1 jane 2 [PATCH v5 2/3] mm: two
        p3 < p1 jane 3 [PATCH v5 3/3] mm: three
        q1 jane 30 [PATCH v5 1/3] mm: one
        """,
        ("v5 1-3/3", "v5 1/3"),
        "p1 p2 p3",
        ("also posted as v5: ",),
    ),
    Thread(
        "sent again, with and without a version",
        """
        p1 jane 1 [PATCH v2 1/2] mm: one
        p2 < p1 jane 2 [PATCH v2 2/2] mm: two
        q1 < p1 jane 18:1 [PATCH v2 RESEND 1/2] mm: one
        q2 < q1 jane 18:2 [RESEND PATCH v2 2/2] mm: two
        """,
        ("v2 1-2/2", "v2 1-2/2"),
        "q1 q2",
        ("also posted as v2: ",),
    ),
    Thread(
        "a resend of which the first patch is missing",
        """
        p2 < p1 jane 2 [PATCH v3 2/3] mm: two
        d < p1 jane 18:0 ~ [PATCH RESEND v3 0/3] mm: do all of it
        q1 < d jane 18:1 [PATCH RESEND v3 1/3] mm: one
        """,
        ("v3 2/3", "v3 1/3 c"),
        "q1",
        ("patches 2-3 are not in the source (of 3)", "also posted as v3: "),
    ),
    Thread(
        "the cover has a version, the patches have none",
        """
        c jane 0 ~ [PATCH v2 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "the cover has another version",
        """
        c jane 0 ~ [PATCH v2 0/2] mm: do all of it
        p1 < c jane 1 [PATCH v3 1/2] mm: one
        p2 < c jane 2 [PATCH v3 2/2] mm: two
        """,
        ("v3 1-2/2 c",),
        "p1 p2",
        ("the cover letter says v2, the patches v3",),
    ),
    Thread(
        "tags forgotten in a run",
        """
        c jane 0 ~ [PATCH v4 0/3] mm: do all of it
        p1 < c jane 1 [PATCH v4 1/3] mm: one
        p2 < c jane 2 [PATCH 2/3] mm: two
        p3 < c jane 3 [PATCH v4 3/3] mm: three
        """,
        ("v4 1-3/3 c",),
        "p1 p2 p3",
        ("without a version in the subject: patch 2",),
    ),
    Thread(
        "some patches tagged v3 in a v2 posting",
        """
        c jane 0 ~ [PATCH v2 0/3] mm: do all of it
        p1 < c jane 1 [PATCH v2 1/3] mm: one
        p2 < c jane 2 [PATCH v3 2/3] mm: two
        p3 < c jane 3 [PATCH v2 3/3] mm: three
        """,
        ("v2 1-3/3 c",),
        "p1 p2 p3",
        ("tagged v3: patch 2",),
    ),
    Thread(
        "the cover counts otherwise",
        """
        c jane 0 ~ [PATCH v9 0/3] mm: do all of it
        p1 < c jane 1 [PATCH v9 1/2] mm: one
        p2 < c jane 2 [PATCH v9 2/2] mm: two
        """,
        ("v9 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a cover without a number",
        """
        c jane 0 ~ mm: do all of it, second try
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        r < c joe 30 ~ Re: mm: do all of it, second try
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "an RFC, then versions from the beginning",
        """
        p1 jane 1 [RFC PATCH v3 1/2] mm: one
        p2 < p1 jane 2 [RFC PATCH v3 2/2] mm: two
        q1 jane 18:1 [PATCH 1/2] mm: one
        q2 < q1 jane 18:2 [PATCH 2/2] mm: two
        """,
        ("v3 1-2/2", "v1 1-2/2"),
        "q1 q2",
        ("the versions begin anew after the RFC: v3 came before",),
    ),
    Thread(
        "an RFC, and what became of it with the date of its commit",
        """
        p jane 10 [RFC PATCH] mm: one
        q < p jane 5 [PATCH] mm: one
        """,
        ("v1 1/1", "v1 1/1"),
        "q",
        ('also posted as v1: "mm: one"',),
    ),
    Thread(
        "another one's series in the thread, and a fix",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        b1 < p2 bob 18:1 [PATCH 1/2] mm: on top of this
        b2 < b1 bob 18:2 [PATCH 2/2] mm: and that
        f < p1 robot 19:0 [PATCH] mm: f() can be static
        """,
        ("v1 1-2/2 c", "v1 1-2/2", "v1 1/1"),
        "p1 p2",
        (
            'another series is in the source: "mm: on top of this" by Bob',
            'another series is in the source: "mm: f() can be static" by Robot',
        ),
    ),
    Thread(
        "a later revision by somebody else",
        """
        c jane 0 ~ [PATCH v2 0/2] mm: do all of it at last
        p1 < c jane 1 [PATCH v2 1/2] mm: one
        p2 < c jane 2 [PATCH v2 2/2] mm: two
        d mark 20:0 ~ [PATCH v3 0/2] mm: do all of it at last
        q1 < d mark 20:1 [PATCH v3 1/2] mm: one
        q2 < d mark 20:2 [PATCH v3 2/2] mm: two
        """,
        ("v2 1-2/2 c", "v3 1-2/2 c"),
        "q1 q2",
    ),
    Thread(
        "no headers of threads: by subject, sender and time",
        """
        -1 jane 1 [PATCH 1/2] mm: one
        -2 jane 2 [PATCH 2/2] mm: two
        -3 jane 3 [PATCH v2 2/2] mm: two
        -4 jane 3 [PATCH v2 1/2] mm: one
        b1 bob 4 [PATCH 1/2] net: other
        b2 bob 28:1 [PATCH 2/2] net: much later
        """,
        ("v1 1-2/2", "v2 1-2/2", "v1 1/2", "v1 2/2"),
        "- -",
        ("another series is in the source: ", "another series is in the source: "),
    ),
    Thread(
        "two series of one sender at one time",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        d jane 0 ~ [PATCH 0/2] net: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        q1 < d jane 1 [PATCH 1/2] net: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        q2 < d jane 2 [PATCH 2/2] net: two
        """,
        ("v1 1-2/2 c", "v1 1-2/2 c"),
        "p1 p2",
        ('another series is in the source: "net: do all of it"',),
    ),
    Thread(
        "patches dated before their cover",
        """
        c jane 20:0 ~ [PATCH v5 0/2] mm: do all of it
        p1 < c jane 16:1 [PATCH v5 1/2] mm: one
        p2 < c jane 20:2 [PATCH v5 2/2] mm: two
        """,
        ("v5 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a first patch with the number of the cover",
        """
        c jane 0 ~ [PATCH v2 0/3] mm: do all of it
        p1 < c jane 1 [PATCH v2 0/3] mm: one
        p2 < c jane 2 [PATCH v2 2/3] mm: two
        p3 < c jane 3 [PATCH v2 3/3] mm: three
        """,
        ("v2 1-3/3 c",),
        "p1 p2 p3",
        ("patch 1 was sent as 0/3",),
    ),
    Thread(
        "a second posting, with a cover and without a version",
        """
        p1 jane 16:1 [PATCH 1/2] mm: one
        p2 jane 16:2 [PATCH 2/2] mm: two
        c jane 20:0 ~ [PATCH 0/2] mm: do all of it
        q1 < c jane 20:1 [PATCH 1/2] mm: one
        q2 < c jane 20:2 [PATCH 2/2] mm: two
        """,
        ("v1 1-2/2", "v1 1-2/2 c"),
        "q1 q2",
        ("also posted as v1",),
    ),
    Thread(
        "a list's tag, a tree's name, a kernel's version",
        """
        c jane 0 ~ [linux-next] [PATCH -next v2 0/2] mm: do all of it
        p1 < c jane 1 [linux-next] [PATCH -next v2 1/2] mm: one
        p2 < c jane 2 [PATCH 5.10 v2 2/2] mm: two
        r < p1 joe 3 ~ [linux-next] Re: [PATCH -next v2 1/2] mm: one
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a patch between two others",
        """
        p1 jane 1 [PATCH 1/2] mm: one
        p2 < p1 jane 2 [PATCH 2/2] mm: two
        q < p1 jane 30 [PATCH 1.5/2] mm: one and a half
        """,
        ("v1 1-2/2", "v1 1/2"),
        "p1 p2",
        ('also posted as v1: "mm: one and a half"',),
    ),
    Thread(
        "changes that go on top of a patch",
        """
        p1 jane 1 [PATCH v2 1/2] mm: one
        p2 < p1 jane 2 [PATCH v2 2/2] mm: two
        q < p1 jane 18:30 [PATCH v2 1/2 fix] mm: one: fix
        r < p1 jane 19:10 [PATCH v2 1/2 fix2] mm: one: fix2
        """,
        ("v2 1-2/2", "v2 1/2", "v2 1/2"),
        "p1 p2",
        ('also posted as v2: "mm: one: fix"', 'also posted as v2: "mm: one: fix2"'),
    ),
    Thread(
        "3a and 3b",
        """
        p1 jane 1 [PATCH 1/2] mm: one
        a < p1 jane 2 [PATCH 2a/2] mm: two, first half
        b < p1 jane 3 [PATCH 2b/2] mm: two, second half
        """,
        ("v1 1-2/2", "v1 2/2"),
        "p1 a",
        ('also posted as v1: "mm: two, second half"',),
    ),
    Thread(
        "a patch that kept its Re:",
        """
        p1 jane 1 [PATCH v2 1/3] mm: one
        p2 < p1 jane 2 + Re: [PATCH v2 2/3] mm: two
        p3 < p1 jane 3 [PATCH v2 3/3] mm: three
        r < p1 bob 4 + Re: [PATCH v2 1/3] mm: one
        """,
        ("v2 1-3/3",),
        "p1 p2 p3",
        ("sent as a reply, its `Re:` left in the subject: patch 2",),
    ),
    Thread(
        "only a cover of the latest revision",
        """
        p1 jane 1 [PATCH 1/2] mm: one
        p2 < p1 jane 2 [PATCH 2/2] mm: two
        d jane 18:0 ~ [PATCH v2 0/2] mm: one
        """,
        ("v1 1-2/2",),
        "p1 p2",
        ("v2: only the cover letter is in the source",),
    ),
    Thread(
        "what scripts and pullers say about it",
        """
        p1 jane 1 [PATCH v2] mm: one
        a < p1 tip 2 [tip: x86/mm] mm: one
        b < p1 akpm 3 + mm-one.patch added to mm-unstable branch
        d < p1 greg 4 Patch "mm: one" has been added to the 5.10-stable tree
        e linus 5 ~ [GIT PULL] mm
        """,
        ("v2 1/1",),
        "p1",
    ),
    Thread(
        "n of m, version 0, and a missing patch",
        """
        p1 jane 1 [PATCH v0 1 of 3] mm: one
        p3 < p1 jane 2 [PATCH v0 3 of 3] mm: three
        """,
        ("v0 1, 3/3",),
        "p1 p3",
        ("patch 2 is not in the source (of 3)",),
    ),
    Thread(
        "a later version, in the thread by way of an answer alone",
        """
        p1 jane 1 [PATCH net] mm: one
        r < p1 joe 18:0 ~ Re: [PATCH net] mm: one
        s < r jane 18:1 ~ Re: [PATCH net] mm: one
        q1 < s jane 18:2 [PATCH net v2] mm: quite another title
        """,
        ("v1 1/1", "v2 1/1"),
        "q1",
    ),
    Thread(
        "a letter before a single patch",
        """
        20140417090546.1234-1-jane jane 0 ~ Do it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH] mm: one
        """,
        ("v1 1/1 c",),
        "20140417090546.1234-2-jane",
    ),
    Thread(
        "a letter before a single patch, by its id",
        """
        20240309-macb-phy-v9-0-5afd87d9db43@x jane 0 ~ [PATCH v9] mm: do it
        p1 < 20240309-macb-phy-v9-0-5afd87d9db43@x jane 1 [PATCH v9] mm: one
        """,
        ("v9 1/1 c",),
        "p1",
    ),
    Thread(
        "a request to pull, with the patches",
        """
        c jane 0 ~ [GIT PULL] mm: fixes for 5.2
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a letter whose number counts sets of patches",
        """
        c jane 0 ~ [PATCHSET V4 1/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        """,
        ("v4 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a letter and patches of one run that answer nothing",
        """
        20140417090546.1234-1-jane jane 0 ~ Do all of it
        20140417090546.1234-2-jane jane 1 [PATCH 1/2] mm: one
        20140417090546.1234-3-jane jane 2 [PATCH 2/2] mm: two
        """,
        ("v1 1-2/2 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane",
    ),
    Thread(
        "a patch whose subject lost its number",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH v2 0/3] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 1/3] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH v2] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v2 3/3] mm: three
        20140417090546.1234-5-jane < 20140417090546.1234-1-jane jane 4 [PATCH v2] man: all of it
        """,
        ("v2 1-3/3 c", "v2 1/1"),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
        ("counted otherwise by its subject, sent in this place: patch 2", 'also posted as v2: "man: all of it"'),
    ),
    Thread(
        "a patch with another total",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH v2 0/3] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 1/3] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH v2 2/5] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v2 3/3] mm: three
        """,
        ("v2 1-3/3 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
        ("counted otherwise by its subject, sent in this place: patch 2",),
    ),
    Thread(
        "the number of the patch before",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH v2 0/3] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 1/3] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH v2 2/3] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v2 2/3] mm: three
        """,
        ("v2 1-3/3 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
        ("counted otherwise by its subject, sent in this place: patch 3",),
    ),
    Thread(
        "the number of a patch behind",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH v2 0/4] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 1/4] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH v2 4/4] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v2 3/4] mm: three
        20140417090546.1234-5-jane < 20140417090546.1234-1-jane jane 4 [PATCH v2 4/4] mm: four
        """,
        ("v2 1-4/4 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane 20140417090546.1234-5-jane",
        ("counted otherwise by its subject, sent in this place: patch 2",),
    ),
    Thread(
        "some patches kept the total of an earlier posting",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH v3 0/4] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 1/1] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH v2 2/2] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v3 3/4] mm: three
        20140417090546.1234-5-jane < 20140417090546.1234-1-jane jane 4 [PATCH v3 4/4] mm: four
        """,
        ("v3 1-4/4 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane 20140417090546.1234-5-jane",
        ("counted otherwise by its subject, sent in this place: patch 1-2", "tagged v2: patch 1-2"),
    ),
    Thread(
        "most patches kept the total of an earlier posting",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH 0/3] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH 1/2] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH 2/2] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH 3/3] mm: three
        """,
        ("v1 1-3/3 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
        ("counted otherwise by its subject, sent in this place: patch 1-2",),
    ),
    Thread(
        "a file of an earlier version in the directory that was sent",
        """
        20140417090546.1234-1-jane jane 0 [PATCH v2 1/3] mm: one
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH v2 2/3] mm: two
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH 2/3] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH v2 3/3] mm: three
        """,
        ("v2 1-3/3", "v1 2/3"),
        "20140417090546.1234-1-jane 20140417090546.1234-2-jane 20140417090546.1234-4-jane",
        ('posted later without a version: "mm: two"',),
    ),
    Thread(
        "files of the same posting twice in the directory that was sent",
        """
        20140417090546.1234-1-jane jane 0 [PATCH 1/3] mm: one
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH 2/3] mm: two
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH 2/3] mm: two!
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH 3/3] mm: three
        20140417090546.1234-5-jane < 20140417090546.1234-1-jane jane 4 [PATCH 3/3] mm: three!
        """,
        ("v1 1-3/3", "v1 2-3/3"),
        "20140417090546.1234-1-jane 20140417090546.1234-2-jane 20140417090546.1234-4-jane",
        ('also posted as v1: "mm: two!"',),
    ),
    Thread(
        "a later patch sent as 0/3",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH 0/3] mm: do all of it
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH 1/3] mm: one
        20140417090546.1234-3-jane < 20140417090546.1234-1-jane jane 2 [PATCH 0/3] mm: two
        20140417090546.1234-4-jane < 20140417090546.1234-1-jane jane 3 [PATCH 3/3] mm: three
        """,
        ("v1 1-3/3 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
        ("patch 2 was sent as 0/3",),
    ),
    Thread(
        "a cover letter of another total without threads",
        """
        20140417090546.1234-1-jane jane 0 ~ [PATCH 0/2] mm: do all of it
        20140417090546.1234-2-jane jane 1 [PATCH 1/3] mm: one
        20140417090546.1234-3-jane jane 2 [PATCH 2/3] mm: two
        20140417090546.1234-4-jane jane 3 [PATCH 3/3] mm: three
        """,
        ("v1 1-3/3 c",),
        "20140417090546.1234-2-jane 20140417090546.1234-3-jane 20140417090546.1234-4-jane",
    ),
    Thread(
        "patches of several series in one run",
        """
        20140417090546.1234-1-jane jane 0 [PATCH 1/2] mm: one
        20140417090546.1234-2-jane < 20140417090546.1234-1-jane jane 1 [PATCH] net: two
        """,
        ("v1 1/2", "v1 1/1"),
        "20140417090546.1234-2-jane",
        ('also posted as v1: "mm: one"',),
    ),
    Thread(
        "a replacement under another title, at once",
        """
        c jane 0 ~ [PATCH 0/3] mm: do all of it
        p1 < c jane 1 [PATCH 1/3] mm: one
        p2 < c jane 2 [PATCH 2/3] mm: two
        p3 < c jane 3 [PATCH 3/3] mm: three
        q2 < c jane 8 [PATCH 2/3 replacement] mm: rather this
        """,
        ("v1 1-3/3 c", "v1 2/3"),
        "p1 q2 p3",
        ("sent again in part: 2; taken from 2014-04-17: 1, 3",),
    ),
    Thread(
        "a patch before the first",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        h < c jane 4 [PATCH 0.5/2] mm: before it
        """,
        ("v1 1-2/2 c", "v1 1/1"),
        "p1 p2",
        ('another series is in the source: "mm: before it"',),
    ),
    Thread(
        "a bracket and a brace",
        """
        c jane 0 ~ [CFT}[PATCH 0/2] mm: do all of it
        p1 < c jane 1 [CFT}[PATCH 1/2] mm: one
        p2 < c jane 2 [CFT}[PATCH 2/2] mm: two
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a single patch after a mail of its sender's",
        """
        q jane 0 ~ Is this a bug?
        p1 < q jane 1 [PATCH] mm: one
        """,
        ("v1 1/1",),
        "p1",
    ),
    Thread(
        "a tag inside a tag",
        """
        c jane 0 ~ [list] [[PATCH v2 net] v2 0/2] mm: do all of it
        p1 < c jane 1 [list] [[PATCH v2 net] v2 1/2] mm: one
        p2 < c jane 2 [list] [[PATCH v2 net] v2 2/2] mm: two
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "a later version by another person, in the thread, with a patch of one title",
        """
        p1 jane 1 [PATCH v3 1/2] mm: get ready for all of it
        p2 < p1 jane 2 [PATCH v3 2/2] mm: finally do all of it
        q1 < p2 greg 18:1 [PATCH v4] mm: finally do all of it
        """,
        ("v3 1-2/2", "v4 1/1"),
        "q1",
        ('sent as an answer to "mm: get ready for all of it" by Jane',),
    ),
    Thread(
        "patches of a pull request",
        """
        c jane 0 ~ [GIT PULL 0/2] mm: changes
        p1 < c jane 1 [GIT PULL 1/2] mm: one
        p2 < c jane 2 [GIT PULL 2/2] mm: two
        """,
        ("v1 1-2/2 c",),
        "p1 p2",
    ),
    Thread(
        "single patches sent at once",
        """
        p1 jane 1 [PATCH v2] mm: one
        q1 jane 2 [PATCH v2] mm: one
        """,
        ("v2 1/1", "v2 1/1"),
        "q1",
        ('also posted as v2: "mm: one" by Jane',),
    ),
    Thread(
        "a number twice in one run",
        """
        c jane 0 ~ [PATCH 0/4] mm: do all of it
        p1 < c jane 1 [PATCH 1/4] mm: one
        p2 < c jane 2 [PATCH 3/4] mm: two
        p3 < c jane 3 [PATCH 3/4] mm: three
        p4 < c jane 4 [PATCH 4/4] mm: four
        """,
        ("v1 1, 3-4/4 c", "v1 3/4"),
        "p1 p2 p4",
        ("patch 2 is not in the source (of 4)", 'also posted as v1: "mm: three" by Jane'),
    ),
    Thread(
        "a number too many, weeks later",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        p3 < c jane 30:1 [PATCH 3/2] mm: three
        """,
        ("v1 1-3/2 c",),
        "p1 p2 p3",
        ("sent beyond the 2 that were announced: 3",),
    ),
    Thread(
        "one patch tagged, its cover and the other not",
        """
        c jane 0 ~ [PATCH 0/2] mm: do all of it
        p1 < c jane 1 [PATCH V2 1/2] mm: one
        p2 < c jane 2 [PATCH 2/2] mm: two
        """,
        ("v2 1-2/2 c",),
        "p1 p2",
        ("without a version in the subject: patch 2",),
    ),
)
