"""Inputs to try: pieces put together, whole mails changed, one thing many times. All of it follows from the seed."""

from __future__ import annotations

import base64
import gzip
import quopri
from collections.abc import Callable, Sequence
from random import Random

from tests.mail_fixtures import DIFF, Mail, linuxlists, mbox, patch

LARGEST = 200_000  # bytes of an input made by repeating
PIECES: tuple[bytes, ...] = (
    b"\n", b"\r\n", b"\r", b" ", b"  ", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x1b[31m", b"\xff\xfe", b"\xc2\xa0",
    b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\x1b$B", b"+AO", b"<", b">", b"<a", b"(", b'"', b"\\",
    b";", b"=", b"@", b"[", b"<pre>\n", b"</pre>\n", b"<!--", b"&lt;", b"&#", b"<a href=\"mailto:a@b.c\">",
    b"<html><body>\n", b"<table><tr><td>", b"From a@b Thu Jan  1 00:00:00 1970\n",
    b"From mboxrd@z Thu Jan  1 00:00:00 1970\n", b">From x\n",
    b"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n",
    b"From: Jane <jane@example.org>\n", b"From: =?utf-8?b?", b"Subject: [PATCH v2 1/2] x\n",
    b"Subject: Re: [PATCH 1/2] x\n", b"Subject: [PATCH 12/11] y\n", b"Subject: [PATCH 0/2] cover\n",
    b"Date: Thu, 17 Apr 2014 09:05:45 +0000\n", b"Message-ID: <a@b>\n", b"In-Reply-To: <a@b>\n",
    b"References: <a@b> <c@d>\n", b"X: y\n z\n", b"Content-Type: multipart/mixed; boundary=b\n",
    b'Content-Type: multipart/alternative; boundary="b"\n',
    b"Content-Type: text/plain; charset=hex; format=flowed; delsp=yes\n",
    b"Content-Type: text/plain; charset=utf-7\n", b"Content-Type: text/plain; charset=utf-16\n",
    b"Content-Type: text/plain; charset=gb2312; format=flowed\n", b"Content-Type: message/rfc822\n",
    b"Content-Type: application/gzip; name=x.patch.gz\n", b"Content-Type: text/html\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*1=.patch\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"--b\n", b"--b--\n",
    b"---\n", b"-- \n2.39\n", b"-- >8 --\n", b"8<-----\n", b"=?utf-8?q?=C3?=", b"=?gbk?b?yNU=?=\n ", b"> quoted\n",
    b"> > ", b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\n", b"- -----\n",
    b"-----BEGIN PGP SIGNATURE-----\n",
    b"2014-04-17 09:05:45\n\nby Jane\n\n[permalink] [raw]\nSubject: [PATCH] x\n\n",
    b"Reviewed-by: Jane <jane@example.org>\n", b"Signed-off-by: [email protected]\n", b"_" * 47 + b"\n", b"a" * 72,
    b"diff --git a/f b/f\n", b"index 1234567..89abcde 100644\n", b"--- a/f\n", b"+++ b/f\n", b"--- /dev/null\n",
    b"@@ -1,2 +1,2 @@\n", b"@@ -1,999999999 +1,999999999 @@\n", b"@@ -0,0 +1 @@ x\n", b"+added\n", b"-removed\n",
    b" context\n", b"+\n", b"-\n", b"+\tif (x) {\n", b"\\ No newline at end of file\n", b"rename from x\n",
    b"rename to y\n", b"similarity index 90%\n", b"GIT binary patch\nliteral 9\n",
    b"Binary files a/x and b/y differ\n", b"new file mode 100644\n", b"Index: f\n=====\n",
    b'diff --git "a/\\303\\244" "b/x"\n', DIFF.encode(), DIFF[:90].encode(), DIFF.replace("\t", " ").encode(),
)  # fmt: skip

# Of what programs print and of unittests.cfg.
OF_PROGRAMS: tuple[bytes, ...] = (
    b"[access]\n", b"file = access.flat\n", b"smp = $(($MAX_SMP*2))\n", b"timeout = 1h\n", b"check = /proc/x=0\n",
    b'extra_params = """-cpu max\n', b'"""\n', b"groups = a b\n", b"test_args = '`date +%s`'\n", b"arch = i386\n",
    b"  CC      arch/x86/kvm/mmu.o\n", b"/w/tree/mm/f.c:1:2: error: no `x'\n", b"mm/f.c: In function 'f':\n",
    b"mm/f.c:9: warning: unused [-Wunused]\n", b"make[2]: *** [mm/f.o] Error 1\n", b"ld: undefined reference to `f'\n",
    b"No space left on device\n", b"In file included from a.h:1,\n", b"a:" * 40,
    b"[    0.000001] BUG: unable to handle page fault\n", b"[    1.000001] WARNING: CPU: 0 PID: 1 at mm/f.c:1 f+0x1\n",
    b"------------[ cut here ]------------\n", b"---[ end trace 0 ]---\n", b"Kernel panic - not syncing: x\n",
    b"PASS: a\n", b"FAIL: b\n", b"SKIP: c\n", b"SUMMARY: 2 tests, 1 unexpected failures\n", b"ok 1 - a\n",
    b"not ok 2 b # SKIP\n", b"1..4\n", b"==== Test Assertion Failure ====\n  x.c:1: a == b\n", b"KPT",
)  # fmt: skip


def seeds() -> list[bytes]:
    """Whole inputs to change."""
    one, two = patch("[PATCH v2 1/2] mm: x", "p1"), patch("[PATCH v2 2/2] mm: y", "p2", file="mm/g.c", reply_to="p1")
    cover = Mail("[PATCH v2 0/2] cover", "Hello.\n\n mm/f.c | 2 +-\n", "c")
    reply = Mail("Re: [PATCH v2 1/2] mm: x", "> a\n\nReviewed-by: Jane Doe <jane@example.org>\n", "r", "p1")
    thread = mbox(cover, one, two, reply)
    raw = one.rfc5322().encode()
    header, _, body = raw.partition(b"\n\n")
    flowed = b"\nContent-Type: text/plain; charset=utf-8; format=flowed\n\n" + body.replace(b"\n ", b"\n  ")
    mixed = (
        b'\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nWhy.\n--b\n'
        b"Content-Type: text/x-patch; name=a.patch\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(DIFF.encode())
        + b"--b\nContent-Type: message/rfc822\n\n" + raw + b"\n--b--\n"
    )  # fmt: skip
    return [
        thread,
        thread.replace(b"\n", b"\r\n"),
        linuxlists(cover, one, two, reply),
        raw,
        header + flowed,
        header + mixed,
        header + b"\nContent-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(body),
        header + b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(body),
        DIFF.encode(),
        DIFF.replace("\n\t", "\n").replace("  ", " ").encode(),
        b"<html><body><pre>" + raw.replace(b"<", b"&lt;") + b"</pre></body></html>\n",
        gzip.compress(thread, mtime=0),
        b"".join(OF_PROGRAMS[:10]),
        b"".join(OF_PROGRAMS[10:19]),
        b"".join(OF_PROGRAMS[19:]),
    ]


def make(random: Random, whole: Sequence[bytes]) -> bytes:
    """One input; `whole` are the seeds."""
    way = random.random()
    if way < 0.25:
        return b"".join(_piece(random) for _ in range(random.randrange(1, 25)))
    if way < 0.4:
        return _repeated(random, whole)
    data = random.choice(whole)
    for _ in range(random.randrange(1, 6)):
        data = random.choice(_CHANGES)(random, data)
    return data[: LARGEST * 2]


def _piece(random: Random) -> bytes:
    way = random.random()
    if way < 0.65:
        return random.choice(PIECES)
    return random.choice(OF_PROGRAMS) if way < 0.9 else random.randbytes(random.randrange(1, 12))


def _repeated(random: Random, whole: Sequence[bytes]) -> bytes:
    """What makes a reader whose time grows with the square show it."""
    unit = b"".join(_piece(random) for _ in range(random.randrange(1, 4)))
    body = unit * (random.choice((1000, 20_000, LARGEST)) // len(unit) + 1)
    if random.random() < 0.3:
        return b"".join(_piece(random) for _ in range(random.randrange(8))) + body + _piece(random)
    around = random.choice(whole)
    at = random.randrange(len(around) + 1)
    return around[:at] + body + around[at:]


def _at(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _cut(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + data[at + random.choice((1, 2, 10, 100, 1000)) :]


def _truncated(random: Random, data: bytes) -> bytes:
    return data[: _at(random, data)]


def _put(random: Random, data: bytes) -> bytes:
    at = _at(random, data)
    return data[:at] + b"".join(_piece(random) for _ in range(random.randrange(1, 4))) + data[at:]


def _flipped(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(1, 9)):
        if changed:
            changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _doubled(random: Random, data: bytes) -> bytes:
    at, end = sorted((_at(random, data), _at(random, data)))
    return data[:end] + data[at:end] * random.choice((1, 2, 30)) + data[end:]


def _lines(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    for _ in range(random.randrange(1, 5)):
        at, to = random.randrange(len(lines)), random.randrange(len(lines))
        lines[at], lines[to] = lines[to], lines[at]
    return b"\n".join(lines)


def _digits(random: Random, data: bytes) -> bytes:
    return data.translate(bytes.maketrans(b"12", random.choice((b"21", b"90", b"00", b"31"))))


def _squeezed(_random: Random, data: bytes) -> bytes:
    return b"\n".join(b" ".join(line.split()) for line in data.split(b"\n"))


def _wrapped(random: Random, data: bytes) -> bytes:
    width = random.choice((20, 60, 72))
    return b"\n".join(
        b" \n".join(line[i : i + width] for i in range(0, len(line) or 1, width)) for line in data.split(b"\n")
    )


def _enclosed(random: Random, data: bytes) -> bytes:
    for _ in range(random.choice((1, 1, 3, 40))):
        kind = random.choice(
            (b"message/rfc822", b"multipart/mixed; boundary=b", b"text/plain", b"application/octet-stream")
        )
        data = (
            b"From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
            + kind
            + b"\n\n"
            + data
        )
        data += b"\n--b--\n"
    return data


_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut, _truncated, _put, _put, _put, _flipped, _doubled, _lines, _digits, _squeezed, _wrapped, _enclosed,
    lambda random, data: data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b" \n"))),
    lambda random, data: data.replace(b" ", random.choice((b"\xc2\xa0", b"  ", b"\t", b"=20"))),
    lambda random, data: data.replace(b":", random.choice((b"", b" :", b"::"))),
    lambda _random, data: data.decode("latin-1").encode("utf-16"),
    lambda _random, data: gzip.compress(data, 1, mtime=0),
)  # fmt: skip
