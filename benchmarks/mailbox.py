"""Indexing a large mailbox: kpt beside Python's mailbox and email, and git mailsplit and mailinfo, in one run.

    python -m benchmarks.mailbox [--messages 100000] [--peers 10000]

The mailbox repeats the real threads beside this repository (../shared/data/threads), or where there are none threads
made here; every copy has message ids and days of its own. kpt and `mailbox.mbox` as it is (its messages are
compat32's) read the same `--messages`; the slower peers (the same with email.policy.default, git) and kpt read the same
`--peers` messages. The peers in Python decode six header fields, parse the date and decode the text parts of every
mail. kpt alone is then measured at a tenth of `--messages`, at that and at three times that, with the memory it held.
Every run of kpt is a whole process that finds no index, unless the line says "again"; of three beside a peer the
median is told. Ends with status 1 where a goal is not met.
"""

from __future__ import annotations

import argparse
import email
import email.header
import email.policy
import email.utils
import mailbox
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.headerregistry import DateHeader
from email.message import EmailMessage, Message
from functools import partial
from pathlib import Path
from typing import Any, cast

from benchmarks.measure import KPT, Absent, Row, Usage, passed, run, seconds, table, usage

_FIELDS = ("From", "Subject", "Date", "Message-ID", "In-Reply-To", "References")
THREADS = Path(__file__).parents[2] / "shared" / "data" / "threads"
_SEPARATOR = re.compile(rb"^From mboxrd@z ", re.MULTILINE)
_IDS = re.compile(rb"^(?:message-id|in-reply-to|references):[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE | re.IGNORECASE)
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DATE = re.compile(rb"^(date:\s*(?:\w{3},\s*)?)(\d{1,2}) (\w{3}) (\d{4})", re.MULTILINE | re.IGNORECASE)
_RUNS = 3  # of kpt beside each peer, which takes ten times as long and is run once
_DIFF = """diff --git a/mm/file{n}.c b/mm/file{n}.c
index 1234567..89abcde 100644
--- a/mm/file{n}.c
+++ b/mm/file{n}.c
@@ -1,4 +1,4 @@ int f(void)
 {{
 \tint a;

-\treturn 1;
+\treturn {n};
"""


def make(path: Path, messages: int) -> int:
    """Write an mbox of about `messages` mails (whole threads); how many it holds."""
    threads = [thread for file in sorted(THREADS.glob("*.mbox")) if (thread := file.read_bytes())] or list(_made_up())
    sizes = [len(_SEPARATOR.findall(thread)) for thread in threads]
    written = copy = 0
    with path.open("wb") as out:
        while written < messages:
            for thread, size in zip(threads, sizes, strict=True):
                if written < messages:
                    out.write(_fresh(thread, copy))
                    written += size
            copy += 1
    return written


def _fresh(thread: bytes, copy: int) -> bytes:
    """A copy of a thread with ids of its own, sent `copy` months later."""

    def later(found: re.Match[bytes]) -> bytes:
        months = _MONTHS.index(found[3]) + copy if found[3] in _MONTHS else copy
        day, year = min(int(found[2]), 28), int(found[4]) + months // 12
        return b"%s%d %s %d" % (found[1], day, _MONTHS[months % 12], min(year, 9998))

    out: list[bytes] = []
    for mail in _SEPARATOR.split(thread)[1:]:
        header, blank, body = mail.partition(b"\n\n")
        header = _DATE.sub(later, _IDS.sub(lambda found: found[0].replace(b"<", b"<%d." % copy), header))
        out.append(b"From mboxrd@z " + header + blank + body)
    return b"".join(out)


def _made_up() -> Iterator[bytes]:
    """Threads of the usual kinds: a cover, patches, answers."""
    received = "".join(
        f"Received: from host{n}.example.org (host{n}.example.org [192.0.2.{n}])\n\tby mx{n}.example.org with ESMTPS id"
        f" 4F2B9A{n:04d}\n\tfor <list@example.org>; Thu, 17 Apr 2014 09:00:00 +0000\n"
        for n in range(12)
    )
    for thread in range(8):
        total = 2 + thread
        mails = []
        for n in range(total + 1):
            body = "Why.\n" * 20 + ("---\n" + "".join(_DIFF.format(n=k) for k in range(20)) if n else "")
            mails.append((f"[PATCH v2 {n}/{total}] mm: thing {thread}.{n}", f"t{thread}p{n}", body))
            mails.append(
                (f"Re: [PATCH v2 {n}/{total}] mm: thing {thread}.{n}", f"t{thread}r{n}", "> Why.\nYes.\n" * 60)
            )
        top = f"t{thread}p0@example.org"
        yield "".join(
            f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{received}From: Jane Doe <jane@example.org>\n"
            f"Date: Thu, 17 Apr 2014 09:{k:02d}:00 +0000\nSubject: {subject}\nMessage-ID: <{id_}@example.org>\n"
            f"In-Reply-To: <{top}>\nReferences: <{top}>\n\n{body}\n"
            for k, (subject, id_, body) in enumerate(mails)
        ).encode()


def read_with_stdlib(path: Path, policy: str) -> None:
    """What an index needs, with the standard library alone: every mail's header fields, decoded, and its text."""
    modern = policy == "default"
    factory: Any = partial(email.message_from_binary_file, policy=email.policy.default) if modern else None
    for mail in mailbox.mbox(path, factory=factory, create=False):
        for name in _FIELDS:
            value = mail[name] or ""
            str(value) if modern else str(email.header.make_header(email.header.decode_header(value)))
        _date_of(mail, modern=modern)
        for part in mail.walk():
            if part.get_content_type() == "text/plain":
                _text_of(part, modern=modern)


def _date_of(mail: Message, *, modern: bool) -> datetime | None:
    try:
        if modern:
            return cast("DateHeader", mail["Date"]).datetime if mail["Date"] else None
        return email.utils.parsedate_to_datetime(mail["Date"])
    except (TypeError, ValueError):  # none, or none that can be read
        return None


def _text_of(part: Message, *, modern: bool) -> str:
    try:
        if modern:
            return str(cast("EmailMessage", part).get_content())
        return str(cast("bytes", part.get_payload(decode=True)), part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset that Python does not know
        return ""


def rows(scratch: Path, messages: int, peers: int) -> list[Row | Absent]:
    """Lines of the table; `scratch` is an empty directory."""
    found: list[Row | Absent] = []
    box = scratch / "list.mbox"
    for size, policy, name, goal in (
        (messages, "compat32", "mailbox.mbox", 10.0),
        (peers, "default", "mailbox, email.policy.default", 10.0),
    ):
        count = make(box, size)
        ours, theirs = _median([_cold(box, scratch) for _ in range(_RUNS)]), _stdlib(box, policy)
        found.append(
            Row(
                f"index of {count:,} messages",
                ours.seconds,
                name,
                theirs.seconds,
                f"{goal:.0f} times",
                theirs.seconds >= goal * ours.seconds,
            )
        )
        told = (("kpt", ours), (name, theirs))
        each = (
            f"{who} {used.seconds / count * 1e6:.0f} us, {used.processor / count * 1e6:.0f} us of processor"
            for who, used in told
        )
        sys.stdout.write(f"a message of {count:,}: {'; '.join(each)}\n")
    what, kpt = f"index of {count:,} messages", ours.seconds
    git = _git(box, scratch)
    found.append(Row(what, kpt, "git mailsplit, mailinfo", git, "ahead", kpt < git))
    again = seconds(KPT, "index", box, cwd=scratch / "workspace")
    found.append(Row("the same again", again, "kpt index, first run", kpt, "0.5 s", again <= 0.5))
    box.unlink()
    return [*found, _growth(scratch, messages)]


def _median(runs: Sequence[Usage]) -> Usage:
    return sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]


def _stdlib(box: Path, policy: str) -> Usage:
    root = Path(__file__).parents[1]
    return usage(sys.executable, "-m", "benchmarks.mailbox", "--stdlib", policy, box, cwd=root)


def _cold(box: Path, scratch: Path) -> Usage:
    workspace = scratch / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    run(KPT, "init", workspace)
    return usage(KPT, "index", box, cwd=workspace)


def _git(box: Path, scratch: Path) -> float:
    """git mailsplit, then git mailinfo for every mail, as git am calls them."""
    split = scratch / "split"
    split.mkdir()
    script = (
        'git mailsplit -b -o"$1" "$2" >/dev/null; cd "$1"; for mail in [0-9]*; do git mailinfo m p <"$mail" >i; done'
    )
    taken = seconds("sh", "-c", script, "sh", split, box, ok=(0, 1, 128))
    shutil.rmtree(split)
    return taken


def _growth(scratch: Path, messages: int) -> Row:
    """kpt alone at three sizes: told on a line each; the row compares the largest with the middle one."""
    box = scratch / "grown.mbox"
    used: list[Usage] = []
    for size in (messages // 10, messages, messages * 3):
        count = make(box, size)
        used.append(_cold(box, scratch))
        each = used[-1].seconds / count * 1e6
        sys.stdout.write(
            f"kpt index, {count:,} messages, {box.stat().st_size >> 20:,} MiB: {used[-1].seconds:.1f} s,"
            f" {each:.0f} us a message, {used[-1].mebibytes:.0f} MiB of memory\n"
        )
        box.unlink()
    met = used[2].mebibytes <= used[1].mebibytes * 1.1 + 4
    small = f"a third, {used[1].mebibytes:.0f} MiB"
    return Row(
        f"{messages * 3:,}: {used[2].mebibytes:.0f} MiB", used[2].seconds, small, used[1].seconds, "no more memory", met
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument(
        "--stdlib", nargs=2, metavar=("POLICY", "FILE"), help="only read FILE with the standard library"
    )
    asked = parser.parse_args()
    if asked.stdlib:
        read_with_stdlib(Path(asked.stdlib[1]), asked.stdlib[0])
        return
    with tempfile.TemporaryDirectory(prefix="kpt-bench-") as scratch:
        found = rows(Path(scratch), asked.messages, asked.peers)
    sys.stdout.write(table(found) + "\n")
    sys.exit(0 if passed(found) else 1)


if __name__ == "__main__":
    main()
