"""Pages of archives saved as HTML: each archive's own way to write one, and the patch back byte for byte."""

from __future__ import annotations

import html
import quopri
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.errors import InputError
from kpatch_tool.mail import headers, pages
from kpatch_tool.mail.message import Message
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.reading.split import diff_end
from tests.clock import within
from tests.conftest import SHARED
from tests.mail_fixtures import DIFF, Mail, patch

MAILS = [
    Mail("[PATCH v2 0/1] mm: do <it> & more", "Text  of\n\n\tthe cover.\n", "c"),
    patch("[PATCH v2 1/1] mm: one", "p1", minute=1, reply_to="c", trailers="Acked-by: José <jose@example.com>\n"),
]
ROT13 = str.maketrans(
    "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[abcdefghijklmnopqrstuvwxyz", "NOPQRSTUVWXYZ[@ABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)


def esc(text: str) -> str:
    return html.escape(text, quote=False)


def protected(address: str, key: int = 0x5A) -> str:
    """An address as Cloudflare writes it."""
    digits = f"{key:02x}" + "".join(f"{byte ^ key:02x}" for byte in address.encode())
    link = '<a href="/cdn-cgi/l/email-protection" class="__cf_email__" data-cfemail="'
    return f'{link}{digits}">[email&#160;protected]</a>'


def with_addresses(text: str, write: Callable[[str], str]) -> str:
    """`text` escaped, with each address written by `write`."""
    pieces = re.split(r"([\w.]+@[\w.]+\w)", text)
    return "".join(write(piece) if place % 2 else esc(piece) for place, piece in enumerate(pieces))


def crossed(address: str) -> str:
    user, _, domain = address.partition("@")
    return f'<a  href="mailto:DOMAIN-HIDDEN">{user}@{"x" * len(domain)}</a>'


def mhonarc(mail: Mail, site: str, body: str) -> str:
    minus = "&#45;"
    fields = {
        "X-Subject": esc(mail.subject).replace("-", minus),
        "X-From-R13": esc(f"{mail.name} <{mail.email}>".translate(ROT13)).replace("&gt;", ">").replace("&lt;", "<"),
        "X-Date": f"Thu, 17 Apr 2014 09:{mail.minute:02d}:00 +0000",
        "X-Message-Id": f"{mail.id}@example.org",
        "X-Reference": f"{mail.reply_to}@example.org" if mail.reply_to else "",
    }
    comments = "".join(f"<!--{name}: {value} -->\n" for name, value in fields.items() if value)
    return (
        f'<!-- MHonArc v2.6.16 -->\n{comments}<!--X-Head-End-->\n<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f"<title>{site}: {esc(mail.subject)}</title></head>\n<body><h1>{esc(mail.subject)}</h1>\n"
        f"<ul><li><a href=x>Next message: [PATCH] other</a></ul>\n<!--X-Body-of-Message-->\n{body}"
        "\n<!--X-Body-of-Message-End-->\n<!--X-MsgBody-End--><ul><li>Next</ul></body></html>\n"
    )


def spinics(mail: Mail) -> str:
    return mhonarc(mail, "Kernel list -- spinics", f"<pre>\n{with_addresses(mail.body, crossed)}</pre>")


def hypermail(mail: Mail) -> str:
    text = with_addresses(mail.body, crossed)
    return mhonarc(mail, "Linux-Kernel Archive", text.replace("\n", "<br>\n"))


def mail_archive(mail: Mail) -> str:
    return mhonarc(mail, "www.mail-archive.com", f"<pre>{with_addresses(mail.body, protected)}</pre>")


def old_hypermail(mail: Mail) -> str:
    lines = esc(mail.body).replace("\n", "<br>\n")
    return (
        f'<html><!-- isosent="20140417" -->\n<!-- sent="Thu, 17 Apr 2014 09:{mail.minute:02d}:00 +0000" -->\n'
        f'<!-- name="{mail.name}" -->\n<!-- email="{mail.email}" -->\n'
        f'<!-- subject="{esc(mail.subject)}" -->\n<!-- id="{mail.id}@example.org" -->\n'
        + (f'<!-- inreplyto="{mail.reply_to}@example.org" -->\n' if mail.reply_to else "")
        + f'<h1>{esc(mail.subject)}</h1><hr>\n<!-- body="start" -->\n{lines}<!-- body="end" -->\n<p>\n</html>'
    )


def later_hypermail(mail: Mail) -> str:
    """Breaks on lines of their own, `<p>` for blank lines, `&nbsp;` for the blanks a line begins with."""
    text = re.sub("^ +", lambda found: "&nbsp;" * len(found[0]), esc(mail.body), flags=re.MULTILINE)
    lines = re.sub(r"\n<br>\n\n<br>\n", "\n<br>\n<p>", text.rstrip("\n").replace("\n", "\n<br>\n")) + "\n<br>\n"
    return re.sub(
        '(<!-- body="start" -->\n).*(?=<!-- body="end" -->)',
        lambda found: found[1] + lines,
        old_hypermail(mail),
        flags=re.S,
    )


def pipermail(mail: Mail) -> str:
    text = with_addresses(mail.body, lambda address: f'<A HREF="http://l/x">{address.replace("@", " at ")}</A>')
    id_ = f"%3C{mail.id}%40example.org%3E"
    return (
        f"<HTML><HEAD><TITLE> x</TITLE></HEAD><BODY><H1>{esc(mail.subject)}</H1>\n<B>{mail.name}</B> \n"
        f'<A HREF="mailto:kvm%40lists.example.org?Subject=Re%3A%20x&In-Reply-To={id_}"\n'
        f'   TITLE="x">{mail.email.replace("@", " at ")}\n   </A><BR>\n'
        f"<I>Thu Apr 17 09:{mail.minute:02d}:00 UTC 2014</I>\n<P><UL><LI>Previous</UL><HR>\n<!--beginarticle-->\n"
        f"<PRE>{text}</PRE>\n\n<!--endarticle-->\n<HR></BODY></HTML>\n"
    )


def openwall(mail: Mail) -> str:
    text = with_addresses(mail.body, lambda address: re.sub("@...", "@...", address))
    return (
        "<!DOCTYPE html PUBLIC>\n<html><head><title>x</title></head><body>\n"
        '<a href="../">[&lt;prev]</a> <a href="2">[next&gt;]</a> [thread-next&gt;] <a href=".">[day]</a> [month] [year]'
        ' <a href="/">[list]</a>\n<pre style="white-space: pre-wrap">\n'
        f"Message-ID: &lt;{mail.id}@example.org&gt;\nDate:\tThu, 17 Apr 2014 09:{mail.minute:02d}:00 +0000\n"
        f"From:\t{mail.name} &lt;jane@...mple.org&gt;\nTo:\ta@...b.c,\n\tlinux-kernel@...r.kernel.org\n"
        f"Subject: {esc(mail.subject)}\n\n{text}</pre>\n<p>Powered by <a href=x>OpenWall</a></body></html>"
    )


def lore_thread(*mails: Mail) -> str:
    out = '<html><head><title>x</title></head><body><form action="./"><pre>help / color</pre></form><pre>'
    for place, mail in enumerate(mails):
        link = f"../{mail.id}@example.org/"
        parent = "" if place == 0 else "  2014-04-17  9:00 <a href=#r1>[PATCH v2 0/1] mm: do it</a> Jane Doe\n"
        out += (
            f"<a\nhref=#e{place}\nid=m{place}>*</a> <b>{esc(mail.subject)}</b>\n{parent}"
            f"<a\nhref=#r{place}>@ 2014-04-17  9:0{place} {mail.name}</a>\n  <a>0 siblings, 1 reply; 2+ messages</a>\n"
            f"From: {mail.name} @ 2014-04-17  9:{mail.minute:02d} UTC "
            f'(<a\nhref="{link}">permalink</a> / <a\nhref="{link}raw">raw</a>)\n  To: kvm; <b>+Cc:</b> lkml\n\n'
            f'{esc(mail.body)}\n<a\nhref=#m{place}\nid=e{place}>^</a> <a\nhref="{link}">permalink</a> <a\n'
            f'href="{link}raw">raw</a> <a\nhref="{link}#R">reply</a>\t[flat|nested] 2+ messages in thread\n'
            "</pre><hr><pre>"
        )
    return out + "end of thread</pre></body></html>"


def lore_mail(mail: Mail) -> str:
    return (
        "<html><head><title>x</title></head><body><pre>All of lore.kernel.org</pre><pre\nid=b>"
        f"From: {mail.name} &lt;{mail.email}&gt;\nTo: a@b.c\nCc: d@e.f\n"
        f"Subject: <a\nhref=#r id=t>{esc(mail.subject)}</a>\n"
        f"Date: Thu, 17 Apr 2014 09:{mail.minute:02d}:00 +0000\t[<a\nhref=#r>thread overview</a>]\n"
        f'Message-ID: &lt;{mail.id}@example.org&gt; (<a\nhref="raw">raw</a>)\n'
        + (f"In-Reply-To: &lt;<a\nhref=x>{mail.reply_to}@example.org</a>&gt;\n" if mail.reply_to else "")
        + f"\n{esc(mail.body)}\n</pre><hr><pre>next\t<a>reply</a>\tother threads:[...]</pre></body></html>"
    )


def lkml_org(mail: Mail) -> str:
    text = with_addresses(mail.body, lambda _: "").replace("\n", "<br />")
    row = '<tr><td class="lp">{}</td><td class="rp" itemprop="x">{}</td></tr>'
    return (
        "<!DOCTYPE html><html><head><title>LKML</title></head><body><table><tr><td><h1>Messages in "
        "this thread</h1></td><td><table>"
        + row.format("Date", f"Thu, 17 Apr 2014 09:{mail.minute:02d}:00 +0000")
        + row.format("From", f"{mail.name} &lt;&gt;")
        + row.format("Subject", esc(mail.subject))
        + f'</table><pre itemprop="articleBody">{text}</pre>'
        "</td></tr></table>&nbsp;<br />Last update: 2014-04-17 11:00 [W:0.1]</body></html>"
    )


def linuxlists(*mails: Mail) -> str:
    out = "<!doctype html>\n<html>\n <head><style>pre { color: red }</style></head>\n <body>\n"
    for mail in mails:
        out += (
            f'  <div class="post">\n   <div>2014-04-17 09:{mail.minute:02d}:00</div>\n'
            f"   <div>\n    by {mail.name}\n   </div>\n"
            f"   <p><a href=1>[permalink]</a> <a href=2>[raw]</a></p>\n   <b>Subject: {esc(mail.subject)}</b>\n"
            f'   <div class="body">{with_addresses(mail.body, protected)}</div>\n  </div>\n'
        )
    return out + " </body>\n</html>\n"


ONE_A_PAGE = {
    "spinics": spinics,
    "hypermail": hypermail,
    "mail-archive": mail_archive,
    "old hypermail": old_hypermail,
    "later hypermail": later_hypermail,
    "pipermail": pipermail,
    "openwall": openwall,
    "lore, mail": lore_mail,
    "lkml.org": lkml_org,
}
WHOLE_THREAD = {"lore, thread": lore_thread, "linuxlists": linuxlists}
# What a page carries beside the text.
WITH_ADDRESS = {"spinics", "hypermail", "mail-archive", "old hypermail", "later hypermail", "pipermail", "lore, mail"}
WITH_ID = {*WITH_ADDRESS, "openwall", "lore, thread"}


def read(name: str, mails: list[Mail], encoding: str = "utf-8") -> list[Message]:
    if name in WHOLE_THREAD:
        return list(parse(WHOLE_THREAD[name](*mails).encode(encoding), "page.html"))
    return [message for mail in mails for message in parse(ONE_A_PAGE[name](mail).encode(encoding), "page.html")]


@pytest.mark.parametrize("name", [*ONE_A_PAGE, *WHOLE_THREAD])
def test_a_saved_page_gives_the_patch_byte_for_byte(name: str) -> None:
    found = read(name, MAILS)
    assert [message.subject for message in found] == [mail.subject for mail in MAILS]
    assert {message.author.name for message in found} == {"Jane Doe"}
    assert {message.author.email for message in found} == ({"jane@example.org"} if name in WITH_ADDRESS else {""})
    assert [message.date.minute if message.date else None for message in found] == [0, 1]
    ids = ["c@example.org", "p1@example.org"] if name in WITH_ID else ["", ""]
    assert [message.message_id for message in found] == ids
    series = assemble(found, where="page")
    assert series.cover is not None
    assert series.cover.body == "Text  of\n\n\tthe cover."
    assert series.patches[0].exactness is Exactness.INTACT
    assert series.patches[0].diff == DIFF.encode()
    assert "Acked-by: José <" in series.patches[0].message


@pytest.mark.parametrize("name", ["mail-archive", "linuxlists"])
def test_protected_addresses_are_decoded(name: str) -> None:
    assert (
        "Acked-by: José <jose@example.com>\nSigned-off-by: Jane Doe <jane@example.org>"
        in read(name, MAILS)[1].body.decode()
    )


def test_the_authors_address_is_put_back_above_the_diff() -> None:
    body = read("spinics", MAILS)[1].body.decode()
    assert "Acked-by: José <jose@xxxxxxxxxxx>\nSigned-off-by: Jane Doe <jane@example.org>\n" in body


def test_lores_marks_between_the_parts_of_a_mail_go() -> None:
    mark = "[-- Attachment #1: Type: text/plain, Size: 99 bytes --]\n\n"
    end = "\n[-- Attachment #2: signature --]\n[-- Type: application/pgp-signature, Size: 833 bytes --]\n"
    plain, signed = MAILS[1], Mail(MAILS[1].subject, mark + MAILS[1].body + end, "p1")
    for name in ("lore, mail", "lore, thread"):
        assert read(name, [signed])[0].body.strip() == read(name, [plain])[0].body.strip()


@pytest.mark.skipif(not (SHARED / "data" / "threads").is_dir(), reason="real threads are not here")
@pytest.mark.parametrize("thread", ["k06-shift-overflow-b64-v1-v3", "n05-gbk-v1-v2", "a12-div64-b64-single"])
@pytest.mark.parametrize("name", [*ONE_A_PAGE, *WHOLE_THREAD])
def test_real_threads_survive_being_pages(name: str, thread: str) -> None:
    sent = list(parse((SHARED / "data" / "threads" / f"{thread}.mbox").read_bytes(), thread))
    bodies = [headers.decode(message.body, message.charset).rstrip() + "\n" for message in sent]
    mails = [Mail(one.subject, body, f"{place}") for place, (one, body) in enumerate(zip(sent, bodies, strict=True))]
    shown = read(name, mails)
    assert len(shown) == len(sent)
    for body, message in zip(bodies, shown, strict=True):
        if found := re.search(r"^diff --git ", body, re.MULTILINE):
            diff = body[found.start() :].encode()
            assert diff[: diff_end(diff)] in message.body


def test_protection_that_holds_no_address_is_left() -> None:
    assert pages.unprotected("5a3b1a38") == "a@b"
    for digits in ("5a", "5a3b", "5a5a", "ffff00", "zz", "5a3b1a50"):
        assert pages.unprotected(digits) == ""
    assert pages.text('<p>x <a data-cfemail="5a3b">[email protected]</a></p>') == "x [email protected]\n\n"


def test_charsets() -> None:
    page = spinics(MAILS[1])
    for charset, declared in (("windows-1252", "iso-8859-1"), ("utf-8", "iso-8859-1"), ("utf-16", "utf-8")):
        found = list(parse(page.replace('charset="utf-8"', f"charset={declared}").encode(charset), "x"))
        assert "José" in found[0].body.decode()


def test_crlf_and_upper_case_tags() -> None:
    page = pipermail(MAILS[1]).replace("\n", "\r\n")
    assert assemble(list(parse(page.encode(), "x")), where="x").patches[0].diff == DIFF.encode()


def test_a_raw_mail_shown_by_a_browser() -> None:
    raw = f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{MAILS[1].rfc5322()}"
    style = "word-wrap: break-word; white-space: pre-wrap;"
    page = f'<html><head></head><body><pre style="{style}">{esc(raw)}</pre></body></html>'
    found = list(parse(page.encode(), "x"))
    assert (found[0].message_id, found[0].author.email) == ("p1@example.org", "jane@example.org")
    assert assemble(found, where="x").patches[0].diff == DIFF.encode()


def test_a_page_saved_as_one_file() -> None:
    page = quopri.encodestring(spinics(MAILS[1]).encode())
    head = (
        "From: <Saved by Blink>\nSnapshot-Content-Location: https://x/1.html\nSubject: x\nDate: x\nMIME-Version: 1.0\n"
    )
    head += 'Content-Type: multipart/related;\n\ttype="text/html";\n\tboundary="--=_b"\n\n'
    part = "----=_b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n"
    data = (head + part).encode() + page + b"\n----=_b\nContent-Type: image/png\n\nx\n----=_b--\n"
    for text in (data, data.replace(b"\n", b"\r\n")):
        assert assemble(list(parse(text, "x")), where="x").patches[0].diff == DIFF.encode()


def test_a_page_of_parts_in_parts_without_end() -> None:
    parts = "".join(f"--b{i}\nContent-Type: multipart/related; boundary=b{i + 1}\n\n" for i in range(3000))
    head = "From: <Saved>\nSnapshot-Content-Location: x\nSubject: x\nDate: x\n"
    saved = f"{head}Content-Type: multipart/related; boundary=b0\n\n{parts}"
    assert [message.body for message in parse(saved.encode(), "page")] == [b""]


def test_mailto_links_give_an_address_that_is_their_own() -> None:
    shown = '<a href="mailto:jane%40example.org?Subject=x">jane_at_example.org</a>'
    assert pages.text(f"<p>{shown}</p>").strip() == "jane@example.org"
    other = '<a href="mailto:list%40example.org">jane at example.org</a>'
    assert pages.text(f"<p>{other}</p>").strip() == "jane at example.org"


def test_a_diff_on_another_sites_page_is_not_taken_for_a_mail() -> None:
    pre = f"<pre>Why.\n\n{esc(DIFF)}</pre>"
    assert assemble(list(parse(f"<html><body>{pre}</body></html>".encode(), "x")), where="x").patches[0].diff
    menu = "<ul><li>Projects</li><li>Patches</li><li>Log in</li></ul><p>Submitter: Jane Doe. State: new.</p>" * 3
    with pytest.raises(InputError, match="shows a diff, but is of no archive"):
        list(parse(f"<html><body>{menu}{pre}</body></html>".encode(), "x"))


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ("<!doctype html><html><body><p>Hello</p></body></html>", "no mail and no patch found in this HTML"),
        ("<html><head><title>Making sure you're not a bot!</title></head><body></body></html>", "check for robots"),
        ("<html><title>Just a moment...</title><body>", "check for robots"),
        ("<html>", "no mail and no patch"),
    ],
)
def test_other_pages_are_refused(page: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(parse(page.encode(), "page.html"))


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        '<a "',
        "<!--",
        "<div>",
        "</div>",
        "<pre>",
        "&",
        "<a href='",
        "<script>",
        "<!--X-Body-of-Message-->",
        "<br>",
    ],
)
def test_hostile_pages_take_time_in_proportion(piece: str) -> None:
    page = "<html>" + piece * (200_000 // len(piece))
    with within(6):
        try:
            list(parse(page.encode(), "x"))
        except InputError as error:
            assert "\n" not in error.line()


PIECES = ["<", ">", "<pre>", "</pre>", "<br>", "<p", "<!--", "-->", "X-Body-of-Message", "<a href='", "&lt;", "&#0;"]
PIECES += ["&#xD800;", 'data-cfemail="5a', '"', "\n", "diff --git a/f b/f\n", "\x00", "<td>", "</td>", "beginarticle"]
PIECES += ['body="start"', " ", "@@ -1 +1 @@\n-a\n+b\n"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_page_gives_messages_or_one_line(pieces: list[str]) -> None:
    try:
        found = list(parse(("<html>" + "".join(pieces)).encode(), "page"))
    except InputError as error:
        assert "\n" not in error.line()
    else:
        assert all(message.body for message in found)


def test_an_entity_of_any_length() -> None:
    assert pages.text(f"a&#{'9' * 5000};b&#{'0' * 50}65;") == "a\ufffdbA"
