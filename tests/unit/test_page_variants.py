"""How stored copies of pages differ from their archive's usual shape, and pages that must be refused, saying why."""

from __future__ import annotations

import json
import re

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail import patchwork
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness
from tests.mail_fixtures import DIFF

TEXT = "Why it is so.\n\nSigned-off-by: Jane Doe <jane@example.org>\n---\n mm/f.c | 2 +-\n\n" + DIFF
BANNER = "lists.example   lists  /  announce\nOpen Source and information security mailing list archives\n \n"
NAVIGATION = "[<prev] [next>] [<thread-prev] [thread-next>] [day] [month] [year] [list]\n"


def squeezed(text: str, *, dropped: bool = True) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    return "\n".join(line for line in lines if line or not dropped) + "\n"


def one(page: str) -> Message:
    (message,) = parse(page.encode(), "page.txt")
    return message


OPENWALL = (
    "Date:\tMon, 22 Jun 2009 17:23:31 -0400\nFrom:\tJane Doe <jane@...mple.org>\nTo:\tJoe <joe@...e.hu>,\n"
    "\tAnn <a@...b.c>\nCc:\tlkml <linux-kernel@...r.kernel.org>,\n\tA Name <n@...x.y>\n"
    "Subject: [RFC][ PATCH -tip v2 6/7] mm: support jump\n\toptimization on x86\n\n"
)
LORE = (
    "From: Jane Doe <jane@example.org>\nTo: a@b.c\nCc: d@e.f,\n\tg@h.i, Joe <j@k.l>,\n\tm@n.o\n"
    "Subject: [PATCH 1/2] mm: one\nDate: Thu, 28 Feb 2008 10:42:06 +0200\t[thread overview]\n"
    "Message-ID: <1@example.org> (raw)\nIn-Reply-To: <0@example.org>\n\n"
)
LOST = {Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED}


def test_openwall_with_a_banner_and_without_message_id() -> None:
    message = one(BANNER + NAVIGATION + OPENWALL + TEXT)
    assert message.subject == "[RFC][ PATCH -tip v2 6/7] mm: support jump optimization on x86"
    assert (message.author.name, message.message_id, message.damage) == ("Jane Doe", "", frozenset())
    assert assemble([message], where="x").patches[0].diff == DIFF.encode()


@pytest.mark.parametrize("links", ["", "[next>] ", "[<prev] [next>] ", "[<thread-prev] "])
def test_openwall_shows_only_links_that_lead_somewhere(links: str) -> None:
    page = f'{links}[day] [month] [year] [list]\n{OPENWALL}{TEXT}\nContent of type "text/html" skipped\n'
    assert one(page).body == TEXT.encode() + b"\n"


def test_who_wrote_what_a_list_sent_in_its_own_name() -> None:
    message = one(LORE.replace("Jane Doe <jane@example.org>", "'Jane Doe' via lists <lists@example.org>") + TEXT)
    assert (message.author.name, message.author.email, message.author.shown) == ("Jane Doe", "", "")
    assert assemble([message], where="x").patches[0].author.email == "jane@example.org"


def test_openwall_that_hides_a_whole_label_of_a_domain() -> None:
    """jane@oss.example.org: three letters are hidden, and a dot follows."""
    diff = DIFF.replace("-\treturn 1;", '-\tfrom("jane@....example.org");')
    text = TEXT.replace(DIFF, diff).replace("jane@", "jane@....")
    message = one(NAVIGATION + OPENWALL.replace("@...", "@....") + text)
    assert message.damage == {Damage.ADDRESSES_HIDDEN}
    assert assemble([message], where="x").patches[0].exactness is Exactness.DAMAGED


def test_openwall_with_everything_stripped() -> None:
    page = squeezed(NAVIGATION + "Message-Id: <1@example.org>\n" + OPENWALL.replace("\t", " ") + TEXT)
    message = one(
        page.replace("mm: support jump\n", "mm: support jump\n" + "kprobes: and other things that fill the line ")
    )
    assert (message.message_id, message.author.name) == ("1@example.org", "Jane Doe")
    assert message.damage >= LOST
    assert assemble([message], where="x").patches[0].exactness is Exactness.DAMAGED


def test_a_folded_subject_whose_second_line_lost_its_blank() -> None:
    subject = "Subject: [PATCH 7/7] xen: Make event channel work with PV extension of the HVM thing that\n"
    message = one(
        squeezed(
            NAVIGATION + "Date: Mon, 22 Jun 2009 17:23:31 -0400\nFrom: J <j@...x.y>\n" + subject + "runs here\n" + TEXT
        )
    )
    assert message.subject.endswith("HVM thing that runs here")
    assert message.body.startswith(b"Why it is so.\n")


def test_a_full_subject_above_a_text_that_begins_with_a_path() -> None:
    subject = "Subject: [PATCH nftables 4/4] src: mnl: retry when we hit -ENOBUFS\n"
    text = "tests/shell/testcases/transactions/0049huge_0\nstill fails with ENOBUFS.\n" + TEXT
    message = one(squeezed(NAVIGATION + "Date: Tue, 13 Aug 2019 20:44:09 +0200\nFrom: J <j@...x.y>\n" + subject + text))
    assert message.subject.endswith("-ENOBUFS")


@pytest.mark.parametrize("banner", ["", "LKML Archive on lore.kernel.org\nhelp / color / mirror / Atom feed\n"])
def test_lore_with_everything_stripped(banner: str) -> None:
    message = one(banner + squeezed(LORE + TEXT))
    assert (message.subject, message.author.email) == ("[PATCH 1/2] mm: one", "jane@example.org")
    assert (message.message_id, message.in_reply_to) == ("1@example.org", "0@example.org")
    assert message.damage == LOST


def test_lore_with_blanks_squeezed_only() -> None:
    assert one(squeezed(LORE + TEXT, dropped=False)).damage == {Damage.SQUEEZED}


def test_linuxlists_that_kept_its_white_space() -> None:
    head = "2014-04-17 09:00:00\n\nby Jane Doe\n\n[permalink] [raw]\nSubject: [PATCH] mm: one\n\n"
    message = one(head + TEXT.replace("jane@example.org", "[email protected]"))
    assert message.damage == {Damage.ADDRESSES_HIDDEN}
    assert assemble([message], where="x").patches[0].exactness is Exactness.INTACT


def test_a_stray_line_with_blanks_does_not_make_a_squeezed_page_intact() -> None:
    created = "diff --git a/n.c b/n.c\nnew file mode 100644\nindex 0000000..89abcde\n--- /dev/null\n+++ b/n.c\n"
    created += "@@ -0,0 +1,12 @@\n" + "+int f(void)\n+{\n" + "+\tint a;\n" * 9 + "+}\n"
    head = "2014-04-17 09:00:00\n\nby Jane Doe\n\n[permalink] [raw]\nSubject: [PATCH] mm: one\n\n"
    page = head + squeezed(TEXT.partition("diff")[0] + created, dropped=False)
    for stray in ("", "\nMore majordomo info at  http://vger.kernel.org/majordomo-info.html\n"):
        assert assemble([one(page + stray)], where="x").patches[0].exactness is Exactness.DAMAGED
    assert assemble([one(head + created)], where="x").patches[0].exactness is Exactness.INTACT


def test_spinics_without_a_header() -> None:
    page = "[PATCH] mm: one\n\n[Date Prev][Date Next][Thread Prev][Thread Next][Date Index][Thread Index]\n\n \n\n\n\n"
    message = one(page + TEXT)
    assert (message.subject, message.author.name) == ("[PATCH] mm: one", "")
    assert message.body.startswith(b"Why it is so.")


def test_a_page_that_shows_no_header_at_all() -> None:
    message = one(squeezed(TEXT))
    assert message.damage == LOST
    assert assemble([message], where="x").patches[0].exactness is Exactness.DAMAGED
    assert one(TEXT).damage == frozenset()
    assert one(DIFF).damage == frozenset()


def test_blank_lines_are_missed_where_all_files_are_new() -> None:
    new = DIFF[: DIFF.index("index")] + "new file mode 100644\n--- /dev/null\n+++ b/mm/f.c\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    message = one(squeezed(TEXT[: TEXT.index("diff ")] + new))
    assert message.damage == {Damage.BLANK_LINES_DROPPED}
    assert [trailer.key for trailer in assemble([message], where="x").patches[0].trailers] == ["Signed-off-by"]


def test_lkml_org_in_either_order() -> None:
    page = "Subject[PATCH] mm: one\nFromJane Doe <>\nDateThu, 17 Apr 2014 09:00:00 +0000\n\n" + TEXT
    message = one(page.replace(" <jane@example.org>", ""))
    assert (message.subject, message.author.name) == ("[PATCH] mm: one", "Jane Doe")
    assert assemble([message], where="x").patches[0].diff == DIFF.encode()


def test_lkml_org_indented_and_squeezed() -> None:
    lines = squeezed(TEXT.replace(" <jane@example.org>", ""), dropped=False).split("\n")
    body = "".join(f"    {line}\n" if line else "\n" for line in lines)
    message = one("Subject[PATCH] mm: one\nFromJane Doe <>\nDateThu, 17 Apr 2014 09:00:00 +0000\n\n" + body)
    assert (message.damage, message.body[:4]) == (frozenset({Damage.SQUEEZED}), b"Why ")


def test_pipermail_with_the_name_on_a_line_of_its_own() -> None:
    body = squeezed(TEXT).replace("jane@", "jane at ")
    message = one(f"[PATCH v8 11/17] mm: one\nJane Doe\njane at example.org\nThu Apr 17 07:58:26 PDT 2014\n{body}")
    assert (message.subject, message.author.name, message.author.email) == (
        "[PATCH v8 11/17] mm: one",
        "Jane Doe",
        "jane@example.org",
    )
    assert message.damage == {Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED}
    assert message.body.startswith(b"Why ")


def test_pipermail_writes_at_in_addresses_without_a_name_too() -> None:
    trailers = (
        "Reported-by: syzbot+1234 at bot.example.org\nCc: stable at example.org # 5.4+\n"
        "Link: https://example.org/r/20140417.1-jane at example.org\nSigned-off-by: Jane Doe <jane at example.org>\n"
    )
    body = "Look at example.org for more: it is at example.org\n\n" + trailers + "---\n" + DIFF
    message = one(f"[PATCH] mm: one\n\nJane Doe jane at example.org\nThu Apr 17 07:58:26 PDT 2014\n\n\n{body}")
    (patch,) = assemble([message], where="x").patches
    assert patch.message.startswith("Look at example.org for more: it is at example.org\n")
    assert [trailer.value for trailer in patch.trailers] == [
        "syzbot+1234@bot.example.org",
        "stable@example.org # 5.4+",
        "https://example.org/r/20140417.1-jane@example.org",
        "Jane Doe <jane@example.org>",
    ]


def test_lore_with_a_subject_in_two_lines() -> None:
    header = (
        "From: Jane Doe <jane@example.org>\nTo: x@example.org,\ny@example.org\nSubject: [PATCH v2 2/3] mm: a long\n"
    )
    message = one(
        header + "subject\nDate: Thu, 17 Apr 2014 09:00:00 +0000 [thread overview]\nMessage-ID: <p1@x> (raw)\n" + TEXT
    )
    assert (message.subject, message.message_id) == ("[PATCH v2 2/3] mm: a long subject", "p1@x")


@pytest.mark.parametrize(
    "header",
    [
        "[Top][All Lists]\n\n[Date Prev][Date Next][Thread Index]\n\n[PATCH v2 1/2] mm: one\n\nFrom: \tJane Doe\n"
        "Subject: \t[PATCH v2 1/2] mm: one\nDate: \tThu, 17 Apr 2014 09:00:00 +0000\n\n",
        "[Date Prev][Date Next] [Thread Prev][Thread Next] [Date Index]\n[PATCH v2 1/2] mm: one\n\n"
        "    To: x@example.org\n    Subject: [PATCH v2 1/2] mm: one\n    From: Jane Doe <jane@example.org>\n"
        "    Date: Thu, 17 Apr 2014 09:00:00 +0000\n    Message-id: <p1@x>\n    In-reply-to: <p0@x>\n\n",
    ],
    ids=["gnu", "debian"],
)
def test_mhonarc_with_links_above_the_subject(header: str) -> None:
    message = one(header + TEXT + "\nreply via email to\n[Prev in Thread]\n")
    assert (message.subject, message.author.name, message.archive) == ("[PATCH v2 1/2] mm: one", "Jane Doe", "MHonArc")
    assert str(message.date) == "2014-04-17 09:00:00+00:00"
    assert (message.message_id, message.in_reply_to) == (("p1@x", "p0@x") if "p1@x" in header else ("", ""))
    assert message.damage == frozenset()
    assert assemble([message], where="x").patches[0].diff == DIFF.encode()


def test_patchew() -> None:
    footer = "_______________________________________________\nXen-devel mailing list\nXen-devel@lists.xen.org\n"
    page = (
        "[Xen-devel] [PATCH 0/1] mm: all\n\nJane Doe posted 1 patch 4 years, 1 month ago\nPatches applied\n"
        f"[Xen-devel] [PATCH 0/1] mm: all\nPosted by Jane Doe 4 years, 1 month ago\nWhat it is.\n\n{footer}"
        f"[Xen-devel] [PATCH 1/1] mm: one\nPosted by Jane Doe 4 years, 1 month ago\n{TEXT}\n{footer}"
        "Re: [Xen-devel] [PATCH 1/1] mm: one\nPosted by John Roe 4 years ago\n\nReviewed-by: John Roe <john@x.org>\n\n"
        "\u00a9 2016 - 2024 Red Hat, Inc.\n"
    )
    series = assemble(list(parse(page.encode(), "page.txt")), where="x")
    (patch,) = series.patches
    assert (series.cover.body if series.cover else "", patch.subject, patch.diff) == (
        "What it is.",
        "mm: one",
        DIFF.encode(),
    )
    assert [(trailer.value, trailer.source) for trailer in patch.trailers][-1] == ("John Roe <john@x.org>", "reply")
    assert patch.damage == frozenset()


def test_patchworks_api() -> None:
    content, diff = TEXT[: TEXT.index("diff --git")], TEXT[TEXT.index("diff --git") :]
    entry: dict[str, object] = {
        "id": 5,
        "web_url": "http://x/project/kvm/patch/p1@x/",
        "msgid": "<p1@x>",
        "date": "2014-04-17T09:00:00",
        "name": "[v2,1/3] mm: one",
        "submitter": {"id": 7, "name": "Jane Doe", "email": "jane@example.org"},
        "headers": {"Received": ["a", "b"], "In-Reply-To": "<p0@x>"},
        "content": content,
        "diff": diff,
    }
    for text in (
        json.dumps(entry),
        json.dumps([entry]),
        "Show a patch.\n\nGET /api/patches/5/\nHTTP 200 OK\n\n" + json.dumps(entry, indent=4),
    ):
        message = one(text)
        assert (message.subject, message.message_id, message.in_reply_to) == ("[v2,1/3] mm: one", "p1@x", "p0@x")
        assert (message.author.name, message.author.email, str(message.date)) == (
            "Jane Doe",
            "jane@example.org",
            "2014-04-17 09:00:00+00:00",
        )
        assert assemble([message], where="x").patches[0].diff == DIFF.encode()
    entry["headers"] = {"From": "=?utf-8?q?Jos=C3=A9?= <j@x.org>", "Subject": "[PATCH v2 1/3] mm:\n one", "Date": "x"}
    message = one(json.dumps(entry))
    assert (message.author.name, message.subject) == ("Jos\u00e9", "[PATCH v2 1/3] mm: one")
    entry |= {
        "headers": {},
        "name": "half \ud800",
        "submitter": {"name": "\udfff", "email": "a@b"},
        "content": "\ud83d",
    }
    message = one(json.dumps(entry))
    assert (message.subject, message.author.name, message.body[:4]) == ("half \ufffd", "\ufffd", "\ufffd\n".encode())
    assert patchwork.read_json(json.dumps(entry).replace('"id": 5', f'"id": {"9" * 5000}').encode(), "x") == []


def test_threads_of_which_blank_lines_are_lost() -> None:
    """Copies of lore's threads, and of hypermail's pages, whose lines were stripped and empty ones left out."""
    lore = "* [PATCH {0}/2] mm: {0}\n@ 2014-04-17 9:0{0} Jane Doe\n0 siblings, 0 replies; 2+ messages in thread\n"
    lore += "From: Jane Doe @ 2014-04-17 9:0{0} UTC (permalink / raw)\nTo: kvm, Joe Doe,\nBob Doe\nCc: linux-mm\n"
    hypermail = "[PATCH {0}/2] mm: {0}\nFrom: Jane Doe\nDate: Thu Apr 17 2014 - 09:0{0}:00 EST\n"
    ends = ("\n^ permalink raw reply\t[flat|nested] 2+ messages in thread\n", "")
    for head, end in zip((lore, hypermail), ends, strict=True):
        for dropped in (True, False):
            page = squeezed("".join(head.format(number) + "\n" + TEXT + end for number in (1, 2)), dropped=dropped)
            first, second = parse(page.encode(), "page")
            assert (first.subject, first.author.name, second.subject) == (
                "[PATCH 1/2] mm: 1",
                "Jane Doe",
                "[PATCH 2/2] mm: 2",
            )
            assert first.body.startswith(b"Why it is so.\n")
            series = assemble([first, second], where="x")
            assert [patch.number for patch in series.patches] == [1, 2]
            assert Damage.SQUEEZED in series.patches[0].damage


FLOWED = """\
diff --git a/mm/x.c b/mm/x.c
--- a/mm/x.c
+++ b/mm/x.c
@@ -1,4 +1,4 @@ int f(void)
  \tone();
  \tif (two())
-\t\tthree();
+\t\tfour();
  }
"""


def test_blanks_that_flowed_text_puts_before_context() -> None:
    """A page does not say that a mail was format=flowed."""
    (message,) = parse(LORE.encode() + TEXT.replace(DIFF, FLOWED).encode(), "page")
    patch = assemble([message], where="x").patches[0]
    assert patch.diff == FLOWED.replace("\n  ", "\n ").encode()
    assert (patch.exactness.value, patch.received) == ("damaged", FLOWED.encode())
    # A file that does so itself: its changed lines begin with a blank as well.
    own = FLOWED.replace("-\t", "- \t").replace("+\t", "+ \t")
    (message,) = parse(LORE.encode() + TEXT.replace(DIFF, own).encode(), "page")
    assert assemble([message], where="x").patches[0].diff == own.encode()


@pytest.mark.parametrize(("stat", "undone"), [("  1 file changed, 1 insertion(+)", True), (" 1 file changed", False)])
def test_a_diffstat_tells_that_blanks_were_put_before_context(stat: str, undone: bool) -> None:
    diff = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n  one\n-two\n+three\n  four\n"
    (message,) = parse((LORE + f"Why.\n---\n  f | 2 +-\n{stat}\n\n{diff}").encode(), "page")
    patch = assemble([message], where="x").patches[0]
    assert patch.diff == (diff.replace("\n  ", "\n ") if undone else diff).encode()
    assert patch.exactness is (Exactness.DAMAGED if undone else Exactness.INTACT)


def test_flowed_text_that_cannot_be_joined_loses_its_blanks_alone() -> None:
    """Empty context lines of a blank look like soft line ends."""
    flowed = "From: Jane <jane@x.org>\nSubject: [PATCH] x\nContent-Type: text/plain; format=flowed\n\nWhy.\n---\n"
    context = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n  one\n  \n-two\n+three\n  four\n"
    (message,) = parse((flowed + context).encode(), "mail")
    patch = assemble([message], where="x").patches[0]
    assert patch.diff == context.replace("\n  ", "\n ").encode()
    assert patch.exactness.value == "damaged"


def test_an_author_whose_address_is_hidden_has_that_of_the_sign_off() -> None:
    page = re.sub(r"<[^<>]*>", "<[email protected]>", LORE, count=1) + TEXT
    for signed, known in (
        ("Jane Doe <jane@example.org>", "jane@example.org"),
        ("Joe <joe@example.org>", ""),
        ("Jane Doe <jane@...mple.org>", ""),
        ("Jane Doe <jane@xxxxxxx>", ""),
    ):
        text = page.replace("Jane Doe <jane@example.org>", signed)
        (message,) = parse(text.encode(), "page")
        assert assemble([message], where="x").patches[0].author.email == known, signed


def test_a_log_quoted_in_a_mail_is_no_log() -> None:
    quoted = "".join(f"commit {digit * 40}\nAuthor: A <a@b>\n\n" for digit in "12")
    (message,) = parse((LORE + "Like these:\n" * 4 + quoted + TEXT).encode(), "page")
    assert assemble([message], where="x").patches[0].diff == DIFF.encode()


VANISHED = re.sub(r"<[A-Za-z/!][^>]*>", "", TEXT.replace(" {\n", " #include <linux/mm.h>\n"))
ONE_LINE = " ".join((LORE + TEXT * 2).split())
IN_ONE = "one line a mail"
LOGGED = "commit %s\nAuthor: A <a@b>\n\n    x\n\n" + DIFF
REFUSED = {
    "one line": (ONE_LINE + "\n", IN_ONE),
    "one line, a reply": ("Return-Path: Received: by x id S17; " + " ".join(LORE.split()) + " > quoted" * 50, IN_ONE),
    "one line of an mbox": ("From mboxrd@z Thu Jan 1 00:00:00 1970 Received: by x " + ONE_LINE, IN_ONE),
    "one line, attachment": ("This patch does " * 30 + " ".join(re.sub("<[^>]*>", "", TEXT).split()), IN_ONE),
    "tags vanished": (VANISHED, "vanished"),
    "tags vanished from a mail": ("From: Jane\nSubject: [PATCH] x\nDate: x\n\n" + VANISHED, "vanished"),
    "blanks after hyphens": (LORE + TEXT.replace("diff --git", "diff -- git"), "after the hyphens"),
    "search results": ("Re: [PATCH] x\n\n2015-03-09 Thread Jane Doe\nHi,\n\n " + TEXT, "search results"),
    "git log": (LOGGED % ("1" * 40) + LOGGED % ("2" * 40 + " (tag: v1)\nMerge: 1 2"), "git log"),
    "one line of an mbox, and more": (
        "From mboxrd@z Thu Jan 1 00:00:00 1970 Received: by x " + ONE_LINE + "\n\n",
        IN_ONE,
    ),
    "lines joined to paragraphs": ("mm: one\n\nWhy.\n\n" + " ".join(DIFF.split()) + "\n", IN_ONE),
    "patchwork's page": (
        "[v2,1/3] mm: one\n\nMessage ID p1@x.org (mailing list archive)\nState New\nHeaders show\n\nPatch\n\n" + DIFF,
        "a page of patchwork",
    ),
    "patchwork's API, a list": (
        '[{"id":17,"web_url":"http://x/","msgid":"<1@x>","mbox":"http://x/mbox/"}]',
        "patchwork's API",
    ),
    "patchwork's API": ('[{"id":17,"web_url":"http://x/","msgid":"<1@x>","content":"' + "x" * 500, "patchwork's API"),
}


def test_a_reply_in_one_line_is_no_reason_to_refuse_the_thread() -> None:
    said = LORE.replace("Subject: ", "Subject: Re: ").replace("<1@", "<2@") + "x " * 200 + " ".join(LORE.split()) + "\n"
    series = assemble(list(parse((LORE + TEXT + "\n" + said).encode(), "page.txt")), where="x")
    assert (series.patches[0].diff, len(series.replies)) == (DIFF.encode(), 1)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name: str) -> None:
    page, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as caught:
        list(parse(page.encode(), "page.txt"))
    assert "import" in caught.value.todo
    assert "\n" not in caught.value.line()
