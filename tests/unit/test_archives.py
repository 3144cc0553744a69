"""Pages of archives: each shape with two mails of one thread, and what is got back from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail import archives
from kpatch_tool.mail.archives.table import ARCHIVES
from kpatch_tool.mail.message import Damage, Message
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness
from tests.clock import within
from tests.mail_fixtures import DIFF, Mail, linuxlists, patch

MAILS = [
    Mail("[PATCH v2 0/1] mm: do it", "Text  of\n\n\tthe cover.\n", "c"),
    patch("[PATCH v2 1/1] mm: one", "p1", minute=1, reply_to="c"),
]


def squeezed(text: str) -> str:
    return "\n".join(re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))


def hypermail(mails: list[Mail]) -> str:
    return "\n\n\n".join(
        f"{m.subject}\n\nFrom: {m.name}\nDate: Thu Apr 17 2014 - 04:{m.minute:02d}:00 EST\n\n\n"
        + squeezed(m.body.replace("@example.org", "@xxxxxxxxxxx"))
        for m in mails
    )


def spinics(mails: list[Mail]) -> str:
    return "\n".join(
        f"{m.subject}\n\n[Date Prev][Date Next][Thread Prev]\n\n \n\n\n\nFrom: {m.name} <jane@xxxxxxxxxxx>\n\n"
        + m.body.replace("@example.org", "@xxxxxxxxxxx")
        + '\n--\nTo unsubscribe from this list: send the line "unsubscribe kvm" in\nthe body\n'
        for m in mails
    )


def openwall(mails: list[Mail]) -> str:
    return "\n".join(
        f"[<prev] [next>] [<thread-prev] [thread-next>] [day] [month] [year] [list]\nMessage-ID: <{m.id}@example.org>\n"
        f"Date:\tThu, 17 Apr 2014 09:{m.minute:02d}:00 +0000\nFrom:\t{m.name} <jane@...mple.org>\nTo:\ta@...b.c\n"
        f"Subject: {m.subject}\n\n" + m.body.replace("@example.org", "@...mple.org")
        for m in mails
    )


def openwall_stripped(mails: list[Mail]) -> str:
    return "\n".join(line for line in squeezed(openwall(mails)).split("\n") if line) + "\n"


def lore_thread(mails: list[Mail]) -> str:
    first = mails[0]
    out = "All of lore.kernel.org\n help / color / mirror / Atom feed\n"
    out += f"* {first.subject}\n@ 2014-04-17  9:00 {first.name}\n"
    out += "  2014-04-17  9:01 ` [PATCH] other Jane Doe\n  0 siblings, 1 reply; 2+ messages in thread\n"
    for place, m in enumerate(mails):
        if place:
            out += f"\n* {m.subject}\n  2014-04-17  9:00 {first.subject} Jane Doe\n@ 2014-04-17  9:01 {m.name}\n"
            out += "  0 siblings, 0 replies; 2+ messages in thread\n"
        out += f"From: {m.name} @ 2014-04-17  9:{m.minute:02d} UTC (permalink / raw)\n  To: kvm\n  Cc: lkml\n\n{m.body}"
        out += "\n\n^ permalink raw reply\t[flat|nested] 2+ messages in thread\n"
    return out


def lore_mail(mails: list[Mail]) -> str:
    return "\n\n".join(
        f"All of lore.kernel.org\n help / color / mirror / Atom feed\nFrom: {m.name} <{m.email}>\nTo: a@b.c\nCc: \n"
        f"Subject: {m.subject}\nDate: Thu, 17 Apr 2014 09:{m.minute:02d}:00 +0000\t[thread overview]\n"
        f"Message-ID: <{m.id}@example.org> (raw)\n"
        + (f"In-Reply-To: <{m.reply_to}@example.org>\n" if m.reply_to else "")
        + f"\n{m.body}\n\nnext prev parent reply\tother threads:[~2014-04-17  9:01 UTC|newest]\n\nThread overview: 2+\n"
        for m in mails
    )


def bullets(mails: list[Mail]) -> str:
    return lore_mail(mails).replace("example.org", "example•org")


def pipermail(mails: list[Mail]) -> str:
    return "\n\n".join(
        f"{m.subject}\n\n{m.name} jane at example.org\nThu Apr 17 02:{m.minute:02d}:00 PDT 2014\n\n\n"
        + re.sub(r"(?<=\w)@(?=\w)", " at ", m.body)
        + "\n\nMore information about the linux-arm-kernel mailing list\n"
        for m in mails
    )


def mail_archive(mails: list[Mail]) -> str:
    return "\n\n".join(
        f"{m.subject}\n\n{m.name} Thu, 17 Apr 2014 01:{m.minute:02d}:00 -0800\n\n"
        + re.sub(r"\S+@example.org", "<[email protected]>", m.body)
        + '\n-- \nTo unsubscribe from this list: send the line "unsubscribe linux-kernel" in\nthe body\n'
        for m in mails
    )


def lkml_org(mails: list[Mail]) -> str:
    """One mail a page in truth; several here, as when pages are put into one file."""
    return "".join(
        f"DateThu, 17 Apr 2014 09:{m.minute:02d}:00 +0000\nFrom{m.name} <>\nSubject{m.subject}\n\n"
        + "".join(f"    {line}\n" if line else "\n" for line in m.body.replace("@example.org", "").split("\n"))
        + "\nLast update: 2014-04-17 11:00    [W:0.1 / U:0.2 seconds]\n"
        for m in mails
    )


def marc(mails: list[Mail]) -> str:
    return "".join(
        f"[prev in list] [next in list]\n\nList:       kvm\nSubject:    {m.subject}\n"
        f"From:       {m.name} <{m.email.replace('@', ' () ').replace('.', ' ! ')}>\n"
        f"Date:       2014-04-17 09:{m.minute:02d}:00\nMessage-ID: {m.id} () example ! org\n"
        f"[Download message RAW]\n\n{m.body}\n[prev in list] [next in list]\n"
        for m in mails
    )


def mhonarc(mails: list[Mail]) -> str:
    """As lists.xenproject.org has it; lists.gnu.org and lists.debian.org are in test_page_variants."""
    return "".join(
        f"[Date Prev][Date Next][Thread Prev][Thread Next][Date Index][Thread Index]\n\n{m.subject}\n\n"
        f"* To: <kvm@xxxxxxxxxxx>\n* From: {m.name} <jane@xxxxxxxxxxx>\n"
        f"* Date: Thu, 17 Apr 2014 09:{m.minute:02d}:00 +0000\n* Cc: A <a@xxxxxxxxxxx>\n* Delivery-date: x\n\n"
        f"{m.body.replace('@example.org', '@xxxxxxxxxxx')}\n \nFollow-Ups:\n\n    Re: x\n"
        for m in mails
    )


def patchew(mails: list[Mail]) -> str:
    page = f"{mails[0].subject}\n\nJane Doe posted {len(mails)} patches 9 years ago\nMaintainers: A <a@x.org>\n"
    page += "".join(f"{m.subject}\nPosted by {m.name} 9 years, 1 month ago\n{m.body}\n" for m in mails)
    return page + "\u00a9 2016 - 2024 Red Hat, Inc.\n"


LOST = {Damage.SQUEEZED, Damage.ADDRESSES_HIDDEN}
SHAPES: dict[str, tuple[Callable[[list[Mail]], str], set[Damage], str]] = {
    "linuxlists": (lambda mails: linuxlists(*mails).decode(), LOST, ""),
    "hypermail": (hypermail, LOST, ""),
    "spinics": (spinics, {Damage.ADDRESSES_HIDDEN}, ""),
    "openwall": (openwall, {Damage.ADDRESSES_HIDDEN}, ""),
    "openwall, white space lost": (openwall_stripped, LOST | {Damage.BLANK_LINES_DROPPED}, ""),
    "lore, thread": (lore_thread, set(), ""),
    "lore, mail": (lore_mail, set(), "jane@example.org"),
    "lore, mail, bullets": (bullets, set(), "jane@example.org"),
    "pipermail": (pipermail, set(), "jane@example.org"),
    "mail-archive": (mail_archive, {Damage.ADDRESSES_HIDDEN}, ""),
    "lkml.org": (lkml_org, set(), ""),
    "MHonArc": (mhonarc, {Damage.ADDRESSES_HIDDEN}, ""),
    "patchew": (patchew, set(), ""),
    "marc": (marc, set(), "jane@example.org"),
}


def read(name: str, *, crlf: bool = False) -> list[Message]:
    page = SHAPES[name][0](MAILS)
    return list(parse((page.replace("\n", "\r\n") if crlf else page).encode(), "page"))


@pytest.mark.parametrize("crlf", [False, True], ids=["lf", "crlf"])
@pytest.mark.parametrize("name", SHAPES)
def test_messages(name: str, crlf: bool) -> None:
    found = read(name, crlf=crlf)
    _, damage, email = SHAPES[name]
    assert [message.subject for message in found] == [mail.subject for mail in MAILS]
    assert {(message.author.name, message.author.email) for message in found} == {("Jane Doe", email)}
    assert {message.damage for message in found} == {frozenset(damage)}
    if name not in ("spinics", "patchew"):  # they show no date
        dates = [message.date.astimezone(UTC).isoformat() if message.date else "" for message in found]
        assert dates == ["2014-04-17T09:00:00+00:00", "2014-04-17T09:01:00+00:00"]
    assert name.startswith(found[0].archive)


@pytest.mark.parametrize("name", SHAPES)
def test_patches(name: str) -> None:
    series = assemble(read(name), where="page")
    one = series.patches[0]
    lost = Damage.SQUEEZED in SHAPES[name][1]
    assert one.exactness is (Exactness.DAMAGED if lost else Exactness.INTACT)
    assert [(file.path, file.added, file.removed) for file in one.files] == [("mm/f.c", 1, 1)]
    assert [trailer.key for trailer in one.trailers] == ["Signed-off-by"]
    if name in ("lore, mail", "lore, mail, bullets", "pipermail"):
        assert one.trailers[0].value == "Jane Doe <jane@example.org>"
    if not lost:
        assert one.diff == DIFF.encode()
        assert series.cover is not None
        assert series.cover.body == "Text  of\n\n\tthe cover."


def test_a_bullet_in_a_message_id_is_a_dot_as_well() -> None:
    plain, shown = read("lore, mail"), read("lore, mail, bullets")
    assert [(one.message_id, one.in_reply_to) for one in shown] == [(one.message_id, one.in_reply_to) for one in plain]
    assert "@example.org" in shown[1].in_reply_to


def test_every_archive_has_a_shape_here() -> None:
    assert {archive.name for archive in ARCHIVES} <= set(SHAPES)


@pytest.mark.parametrize("name", ["spinics", "openwall", "pipermail", "mail-archive"])
def test_an_address_hidden_inside_the_diff_is_damage(name: str) -> None:
    mail = patch("[PATCH] x", "p")
    body = mail.body.replace("return  2;", "return  2; // jane@example.org")
    page = SHAPES[name][0]([Mail(mail.subject, body, "p")])
    one = assemble(list(parse(page.encode(), "page")), where="page").patches[0]
    assert one.exactness is Exactness.DAMAGED
    assert one.why.startswith("the archive hid an e-mail address inside the diff")


def test_a_page_in_one_line_is_refused() -> None:
    page = "\n".join(" ".join(f"From: {m.name} Subject: {m.subject} {m.body} {'x' * 400}".split()) for m in MAILS)
    with pytest.raises(InputError, match="one line a mail"):
        list(parse(page.encode(), "page"))


def test_no_archive() -> None:
    assert archives.recognise(b"hello\n") is None
    for line in (b"x\n\n", b"[Date Prev]\n", b"From: a\n", b"* a\n  b\n", b"a at b\n\n", b"  x\n", b"\n", b"To: x\n"):
        with within(10):
            assert archives.recognise(line * 20_000) is None


@pytest.mark.parametrize("name", SHAPES)
def test_a_page_that_almost_matches_takes_no_longer(name: str) -> None:
    with within(5):
        page = SHAPES[name][0](MAILS)
        for line in ("  2014-04-17  9:00 ` x\n", "To:\ta@b\n", "Cc: a\n  b\n", " \n", "\t \t\n", "Subject: x\n"):
            for place in [found.end() for found in re.finditer("\n", page)][:14]:
                archives.recognise((page[:place] + line * 60 + "x\n" + page[place:]).encode())
