"""The index of a mailbox says what reading the whole mailbox says, in blocks, in pieces and after growing."""

from __future__ import annotations

import base64
import gzip
import lzma
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.mail import index, index_scan, index_store
from kpatch_tool.mail.index_scan import Batch, Scanner
from kpatch_tool.mail.xz import XzFile
from kpatch_tool.progress import silent
from kpatch_tool.series.mailboxes import listing, threads
from kpatch_tool.series.mailboxes.indexed import PatchJudge
from kpatch_tool.series.reading import subject
from kpatch_tool.system import atomic
from tests import thread_texts
from tests.clock import within
from tests.conftest import SHARED
from tests.listed_postings import from_index, shown, whole
from tests.mail_fixtures import DIFF, Mail, mbox, patch, thread

THREADS = sorted((SHARED / "data" / "threads").glob("*.mbox"))


def without_cover(mails: list[Mail]) -> list[Mail]:
    """The same thread, whose first patch is what the others answer."""
    cover, first, *others = mails
    again = {cover.id: first.id}
    return [
        replace(mail, reply_to=again.get(mail.reply_to, mail.reply_to))
        for mail in (replace(first, reply_to=""), *others)
    ]


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_a_thread(path: Path, tmp_path: Path) -> None:
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


@pytest.mark.skipif(not THREADS, reason="no threads beside the repository")
def test_all_threads_in_one_mailbox(tmp_path: Path) -> None:
    path = tmp_path / "all.mbox"
    path.write_bytes(b"".join(one.read_bytes() for one in THREADS))
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


# What only the replies between two postings, a text or a run of git send-email tell, the list does not know
# (docs/mailboxes.md).
LISTED_IN_PART = {
    "a reroll of one patch",
    "a first patch with the number of the cover",
    "a later patch sent as 0/3",
    "a cover letter of another total without threads",
    "a letter and patches of one run that answer nothing",
}


@pytest.mark.parametrize(
    "form", [one for one in thread_texts.THREADS if one.name not in LISTED_IN_PART], ids=lambda form: form.name
)
def test_every_form(form: thread_texts.Thread, tmp_path: Path) -> None:
    path = tmp_path / "form.mbox"
    path.write_bytes(mbox(*form.mails()))
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


ODD = {
    "no headers of a thread": [patch(f"[PATCH {k}/3] mm: a{k}", f"a{k}", minute=k) for k in (2, 1, 3)],
    "cover apart from its patches": [
        patch("[PATCH 1/2] mm: a1", "a1", minute=2),
        patch("[PATCH 2/2] mm: a2", "a2", minute=3, reply_to="a1"),
        Mail("[PATCH v2 0/2] mm: a", "Text.\n", "c", minute=1),
    ],
    "a letter without number": [
        Mail("make it fast", "Text.\n", "c"),
        patch("[PATCH 1/2] mm: a1", "a1", reply_to="c"),
        patch("[PATCH 2/2] mm: a2", "a2", reply_to="c"),
    ],
    "files": [patch(f"[PATCH] mm: a{k}") for k in range(3)],
    "unmarked beside marked": [patch("mm: a", "a"), patch("[PATCH] mm: b", "b")],
    "unmarked": [patch("mm: a", "a"), patch("mm: b", "b")],
    "forwarded": [patch("Fwd: [PATCH] mm: a", "a"), Mail("hello", "Text.\n", "h")],
    "kept Re:": [
        patch("[PATCH 1/2] mm: a1", "a1"),
        patch("Re: [PATCH 2/2] mm: a2", "a2", reply_to="a1"),
        Mail("Re: [PATCH 1/2] mm: a1", "> x\n" + DIFF, "r", "a1"),
    ],
    "copies": [*thread(1), *thread(1), *thread(2)],
    "replies only": [Mail("Re: [PATCH] x", DIFF, "r"), Mail("Hi", "Text.\n", "h")],
    "no ids, not files": [patch("[PATCH] mm: a"), patch("[PATCH] mm: b"), Mail("Re: [PATCH] mm: a", "Yes.\n")],
    "same sender, part by part": [
        *thread(1, missing=2),
        replace(patch("[PATCH 2/3] mm: thing 1.2", "late", minute=40), name="Jane 1"),
    ],
}


@pytest.mark.parametrize("name", ODD)
def test_oddities(name: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.mbox"
    path.write_bytes(mbox(*ODD[name]))
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


def test_every_form_of_a_date(tmp_path: Path) -> None:
    dates = (
        "1 Jan 2024 10:00:00 CEST",
        "2024-01-01T10:00:00+01:00",
        "@1704099600 +0100",
        "1 Jan 2024 09:59:60 GMT+0100",
    )
    path = tmp_path / "dates.mbox"
    text = mbox(*(patch(f"[PATCH {number}/4] mm: a{number}", f"a{number}") for number in range(1, 5))).decode()
    for date in dates:
        text = re.sub(r"(?<=\nDate: )Thu[^\n]*", date, text, count=1)
    path.write_bytes(text.encode())
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


ENCODED: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
    "base64": lambda body: ("base64", base64.encodebytes(body)),
    "quoted-printable": lambda body: ("quoted-printable", body.replace(b"=", b"=3D").replace(b"diff", b"d=69ff")),
    "long base64": lambda body: ("base64", base64.encodebytes(b"Why.\n" * 20_000 + body)),
    "multipart": lambda body: (
        '7bit\nContent-Type: multipart/mixed; boundary="b"',
        b"--b\nContent-Type: text/plain\n\nWhy.\n--b\nContent-Type: text/x-patch\n\n" + body + b"--b--\n",
    ),
}


@pytest.mark.parametrize("name", ENCODED)
def test_diffs_are_found_in_encoded_texts(name: str, tmp_path: Path) -> None:
    path = tmp_path / "e.mbox"
    encoding, body = ENCODED[name](DIFF.encode())
    head = (
        "From x Thu Apr 17 09:00:00 2014\nFrom: J <j@x>\nSubject: [PATCH] mm: a\n"
        "Date: Thu, 17 Apr 2014 09:00:00 +0000\n"
        f"Message-ID: <a@x>\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    path.write_bytes(head.encode() + body + b"\n")
    assert from_index(path, tmp_path / "i.sqlite") == whole(path) != []


@settings(max_examples=300, deadline=None)
@given(
    tag=st.sampled_from(["[PATCH]", "[RFC PATCH]", "[PATCH v2 3/7]", "[PATCH 0/2]", "[PATCH v10]", "[PATCH 2/1]"]),
    words=st.lists(st.sampled_from(["mm:", "fix f()", "re:", "Re: x", "v3", "(v2)", "[v2 ]", "ping:", "3/4", "a", "[x]",
                                    "take 2", "incoming", "über", ")", "foo]", "-", "patch", "_f(): x86", ", v2", "#3",
                                    "V4", "-2", "take2", "5.10", "v2:", "V2-"]), max_size=4),
)  # fmt: skip
def test_a_usual_subject_says_what_every_subject_says(tag: str, words: list[str]) -> None:
    text = " ".join([tag, *words])
    marks, known = PatchJudge().marks(text), subject.parse(text)
    assert marks is not None
    numbers = [-1 if number is None else number for number in (known.number, known.total, known.revision)]
    assert [marks.number, marks.total, marks.revision] == numbers
    assert (marks.title, marks.minor, marks.between, marks.reply) == (
        known.title,
        known.minor,
        known.between,
        known.reply,
    )
    kinds = (known.patch, known.forward, known.resend, known.reply, known.rfc, known.notice, known.titled)
    names = ("PATCH", "FORWARD", "RESEND", "REPLY", "RFC", "NOTICE", "TITLED")
    bits = [getattr(threads, name) for name in names]
    assert marks.kind == sum(bit for bit, said in zip(bits, kinds, strict=True) if said)


@pytest.mark.parametrize("name", ["7bit", *ENCODED])
def test_several_files_in_one_text_are_found(name: str, tmp_path: Path) -> None:
    file = "From " + "0" * 40 + " Mon Sep 17 00:00:00 2001\nFrom: J <j@x>\nSubject: [PATCH 2/2] mm: b\n\nWhy.\n---\n"
    text = (DIFF + "-- \n2.43\n\n" + file + DIFF).encode()
    encoding, body = ENCODED[name](text) if name in ENCODED else (name, text.replace(b"\nFrom ", b"\n>From "))
    head = (
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: J <j@x>\nSubject: [PATCH 1/2] mm: a\n"
        f"Message-ID: <a@x>\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    path = tmp_path / "several.mbox"
    path.write_bytes(head.encode() + body.replace(b"\nFrom ", b"\n>From ") + b"\n")
    found = from_index(path, tmp_path / "i.sqlite")
    assert found == whole(path)
    assert "1, 2" in str(found[0]) or "1,2" in str(found[0])


def test_a_subject_that_only_the_text_has_is_found(tmp_path: Path) -> None:
    mails = [
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: J <j@x>\nSubject: \n"
        f"Message-ID: <{number}@x>\nIn-Reply-To: <1@x>\nDate: Mon, 3 Jun 2019 10:0{number}:00 +0000\n\nhello\n\n"
        f"From: J <j@x>\nDate: Mon, 3 Jun 2019 10:00:00 +0000\nSubject: [PATCH {number}/2] mm: x\n\nWhy.\n---\n{DIFF}\n"
        for number in (1, 2)
    ]
    path = tmp_path / "subjects.mbox"
    path.write_text("".join(mails))
    found = from_index(path, tmp_path / "i.sqlite")
    assert found == whole(path)
    assert "1, 2" in str(found[0]) or "1,2" in str(found[0])


_CHANGES = st.tuples(
    st.sampled_from(["", "", "", "", "drop", "tag", "twice", "other", "loose", "late", "text"]),
    st.sampled_from(["[PATCH v2 ", "[RFC PATCH ", "[PATCH RESEND ", "Re: [PATCH ", "[PATCH 9", "["]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_threads_give_what_reading_them_gives(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Series whose parts are missing, twice there, misnumbered, by others, out of order, or hang elsewhere."""
    mails: list[Mail] = []
    for number in range(data.draw(st.integers(1, 3))):
        series = thread(number, data.draw(st.integers(1, 4)), day=number, more=data.draw(st.sampled_from([0, 0, 2])))
        for mail in series if data.draw(st.booleans()) else without_cover(series):
            change, tag = data.draw(_CHANGES)
            changed = {
                "tag": replace(mail, subject=mail.subject.replace("[PATCH ", tag)),
                "other": replace(mail, name="Joe", email="joe@y.org"),
                "loose": replace(mail, reply_to=""),
                "late": replace(mail, minute=59),
                "text": replace(mail, body="No diff.\n"),
            }
            mails += [changed.get(change, mail)] * {"drop": 0, "twice": 2}.get(change, 1)
    mails = data.draw(st.permutations(mails)) if data.draw(st.booleans()) else mails
    directory = tmp_path_factory.mktemp("any")
    path = directory / "m.mbox"
    path.write_bytes(mbox(*mails) if mails else b"From mboxrd@z x\nSubject: x\n\nText <a@b>.\n")
    assert from_index(path, directory / "i.sqlite") == whole(path)


def test_many_turns_join_the_same_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*(mail for number in range(20) for mail in thread(number)), *thread(3)))
    monkeypatch.setattr(threads, "_AT_ONCE", 7)
    monkeypatch.setattr(threads, "_A_TURN", 7)
    monkeypatch.setattr(threads, "_CHUNK", 9)
    assert from_index(path, tmp_path / "i.sqlite") == whole(path)


LOOSE = st.builds(
    threads.Loose, st.integers(0, 2), st.sampled_from([0.0, *(day * 86400.0 for day in range(1, 60, 2))]), st.just(0),
    st.booleans()
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(LOOSE, max_size=20))
def test_what_a_person_left_over_is_joined_as_if_every_two_were_compared(entries: list[threads.Loose]) -> None:
    ordered = [one._replace(root=place) for place, one in enumerate(sorted(entries), start=1)]
    joined = threads.Threads()
    joined._above.extend(range(1, len(ordered) + 1))
    joined.join_loose(ordered)
    compared = threads.Threads()
    compared._above.extend(range(1, len(ordered) + 1))
    begun: dict[int, tuple[float, float]] = {}  # by person: where the chain begins, and its last
    for place, one in enumerate(ordered):
        first, last = begun.get(one.person, (one.sent, one.sent))
        if one.sent - first > threads.LONGEST_CHAIN and one.sent - last > threads.PAUSE:
            first = one.sent
        begun[one.person] = (first or one.sent, one.sent)
        for other in ordered[:place]:
            near = other.sent == 0 or first <= other.sent >= one.sent - threads.WINDOW
            if one.person == other.person and near and (one.seeks or other.seeks):
                compared._union(one.root, other.root)
    assert list(map(joined.root, range(len(ordered) + 1))) == list(map(compared.root, range(len(ordered) + 1)))


def test_a_person_of_many_covers_takes_no_longer_than_many_people() -> None:
    entries = [threads.Loose(1, float(place), place, seeks=True) for place in range(1, 40_001)]
    joined = threads.Threads()
    joined._above.extend(range(1, len(entries) + 1))
    with within(5):
        joined.join_loose(entries)
    assert joined.root(40_000) == 1


def test_files_of_many_people_of_which_one_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    mails = [
        replace(patch(f"[PATCH {k}/6] mm: {k}"), name=f"P {k}", email=f"p{k}@x.org", day=3 * k) for k in range(1, 7)
    ]
    path.write_bytes(mbox(*mails[:3], *mails[4:]))
    with index.update(tmp_path / "i.sqlite", [str(path)], PatchJudge(), silent, count=1) as file:
        assert shown(file) == whole(path)
    assert len(whole(path)) == 1


def test_many_blocks_and_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of blocks and stretches, every mail is read once."""
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*(mail for number in range(60) for mail in thread(number, 1 + number % 4))))
    expected = whole(path)
    assert len(expected) == 60
    assert from_index(path, tmp_path / "0.sqlite") == expected
    monkeypatch.setattr(index_scan, "BLOCK", 700)
    monkeypatch.setattr("kpatch_tool.mail.mbox.REACH", 100)
    for stretch in (5000, 997):
        monkeypatch.setattr(index, "STRETCH", stretch)
        assert from_index(path, tmp_path / f"{stretch}.sqlite") == expected
    monkeypatch.setattr(index, "STRETCH", 9000)
    assert from_index(path, tmp_path / "2.sqlite", count=2) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_blocks_give_the_same_mails(data: st.DataObject) -> None:
    text = mbox(*thread(1), *thread(2)) + data.draw(st.sampled_from([b"", b"From x\n", b"\0" * 40, b"From mboxrd@z"]))
    blocks = data.draw(st.lists(st.integers(1, 3000), min_size=1, max_size=30))

    def spans(sizes: list[int]) -> list[int]:
        at, turn = 0, 0

        def read_into(room: memoryview) -> int:
            nonlocal at, turn
            block = text[at : at + min(len(room), sizes[turn % len(sizes)])]
            room[: len(block)] = block
            at, turn = at + len(block), turn + 1
            return len(block)

        return [n for batch in Scanner(PatchJudge(), strict=True).scan(read_into, 0) for n in batch.spans]

    assert spans(blocks) == spans([len(text)])


def test_a_mailbox_that_grows_is_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, at = tmp_path / "m.mbox", tmp_path / "i.sqlite"
    text = mbox(*(mail for number in range(8) for mail in thread(number)))
    cut = text.index(b"thing 5.2") + 4  # inside a mail
    path.write_bytes(text[:cut])
    assert from_index(path, at) == whole(path)
    path.write_bytes(text)
    begun: list[int] = []
    scan = Scanner.scan

    def noted(self: Scanner, read_into: Callable[[memoryview], int], at: int, stop: int | None) -> Iterator[Batch]:
        begun.append(at)
        return scan(self, read_into, at, stop)

    monkeypatch.setattr(Scanner, "scan", noted)
    assert from_index(path, at) == whole(path)
    assert begun and min(begun) > cut - 1000
    begun.clear()
    assert from_index(path, at) == whole(path)
    assert begun == []


def test_threads_joined_before_another_kpt_changed_the_index_do_not_count(tmp_path: Path) -> None:
    path, at = tmp_path / "m.mbox", tmp_path / "i.sqlite"
    path.write_bytes(mbox(*thread(1), *thread(2)))
    joined = threads.Threads()
    with index.update(at, [str(path)], PatchJudge(), silent, count=1, added=joined.join_next) as file:
        path.write_bytes(mbox(*thread(3, 4), *thread(1, 2)))
        with index.update(at, [str(path)], PatchJudge(), silent, count=1) as other:
            assert other.messages() == file.messages()
        assert shown(file, joined) == whole(path)
        assert threads.messages_of(file, [1]) == set(range(1, 7))


def test_a_mailbox_that_changed_is_read_again(tmp_path: Path) -> None:
    path, at = tmp_path / "m.mbox", tmp_path / "i.sqlite"
    path.write_bytes(mbox(*thread(1), *thread(2)))
    from_index(path, at)
    path.write_bytes(mbox(*thread(3), *thread(4), *thread(5)))
    assert from_index(path, at) == whole(path)


def test_a_broken_index_is_made_again(tmp_path: Path) -> None:
    path, at = tmp_path / "m.mbox", tmp_path / "i.sqlite"
    path.write_bytes(mbox(*thread(1)))
    at.write_bytes(b"no database" * 1000)
    assert from_index(path, at) == whole(path)


@pytest.mark.parametrize("late", [False, True])
def test_a_mail_that_is_moved_meanwhile_is_found_by_the_next_run(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail programs rename the files of a Maildir: from new to cur, and for every flag."""
    box = tmp_path / "box"
    for name in ("cur", "new"):
        (box / name).mkdir(parents=True)
    for number in range(3):
        mail = patch(f"[PATCH] mm: {number}", f"p{number}").rfc5322()
        (box / "new" / str(number)).write_text(mail)
    where = "_sniffed" if late else "_files"
    original = getattr(index, where)

    def moving(asked: object) -> object:
        found = original(asked) if late else iter(list(original(asked)))
        if (box / "new/1").exists():
            (box / "new/1").rename(box / "cur/1:2,S")
        return found

    monkeypatch.setattr(index, where, moving)
    for known in (2, 3):
        with index.update(tmp_path / "index.sqlite", [str(box)], PatchJudge(), silent, count=1) as file:
            assert file.messages() == known


def test_compressed_and_maildir(tmp_path: Path) -> None:
    mails = [mail for number in range(3) for mail in thread(number)]
    packed = tmp_path / "m.mbox.gz"
    packed.write_bytes(gzip.compress(b"\n\n" + mbox(*mails)))
    box = tmp_path / "box"
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
    for place, mail in enumerate(mails):
        (box / ("new", "cur")[place % 2] / f"{place:03}:2,S").write_text(mail.rfc5322())
    assert from_index(packed, tmp_path / "1.sqlite") == from_index(box, tmp_path / "2.sqlite") == whole(packed)
    (box / "new" / "999").write_bytes(b"\0\1\2 nothing")
    with index.update(tmp_path / "2.sqlite", [str(box)], PatchJudge(), silent) as file:
        assert shown(file) == whole(packed)
        assert len(listing.Mailbox(file, ["box"]).not_mail) == 1


def test_a_message_id_names_the_posting_that_has_it(tmp_path: Path) -> None:
    """As in a small mailbox: not the latest of that thread, be it the id of a cover letter or of any patch."""
    mails = [
        patch("[PATCH 1/2] mm: a", "a1"),
        patch("[PATCH 2/2] mm: b", "a2", minute=1, reply_to="a1"),
        Mail("Re: [PATCH 2/2] mm: b", "No.\n", "r", reply_to="a2", minute=2, name="Joe", email="joe@example.org"),
        patch("[PATCH v2 1/2] mm: a", "b1", minute=20, reply_to="a1"),
        patch("[PATCH v2 2/2] mm: b", "b2", minute=21, reply_to="b1"),
    ]
    path = tmp_path / "box.mbox"
    path.write_bytes(mbox(*mails))
    with index.update(tmp_path / "i.sqlite", [str(path)], PatchJudge(), silent, count=1) as file:
        shown(file)
        box = listing.Mailbox(file, ["box"])
        taken = {id_: box.choose(f"<{id_}@example.org>").revision for id_ in ("a1", "a2", "r", "b1", "b2")}
        assert taken == {"a1": 1, "a2": 1, "r": 2, "b1": 2, "b2": 2}
        assert [box.choose("a2@example.org", revision).revision for revision in (1, 2)] == [1, 2]


def test_a_mail_longer_than_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_scan, "LONGEST", 50_000)
    monkeypatch.setattr(index_scan, "BLOCK", 10_000)
    path = tmp_path / "m.mbox"
    long = Mail("[PATCH] mm: long", DIFF + "x" * 30 + ("y" * 100 + "\n") * 3000, "long", minute=1)
    path.write_bytes(mbox(*thread(1), long, *thread(2)))
    with index.update(tmp_path / "i.sqlite", [str(path)], PatchJudge(), silent, count=1) as file:
        assert [one[0] for one in shown(file)] == ["mm: thing 1", "mm: long", "mm: thing 2"]
        spans = list(file.spans(lambda _: True))
        starts, ends = [span.start for span in spans], [span.start + span.length for span in spans]
    assert starts[1:] == ends[:-1]
    assert ends[-1] == path.stat().st_size


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"x" * 200_000])
def test_no_mailbox(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(data)
    with pytest.raises(InputError):
        from_index(path, tmp_path / "i.sqlite")


def test_hostile_mailboxes_give_what_reading_them_gives(tmp_path: Path) -> None:
    """Bytes thrown into a mailbox: the index finds the same series as reading it whole."""
    clean = mbox(*(mail for number in range(4) for mail in thread(number)))
    chance = random.Random(7)
    for turn in range(25):
        text = bytearray(clean)
        for _ in range(20):
            text[chance.randrange(60, len(text))] = chance.randrange(256)
        path = tmp_path / f"{turn}.mbox"
        path.write_bytes(text)
        assert from_index(path, tmp_path / f"{turn}.sqlite") == whole(path)


@pytest.mark.parametrize("streams", [1, 3])
def test_an_xz_file_is_read_as_its_library_reads_it(tmp_path: Path, streams: int) -> None:
    data = random.Random(1).randbytes(300_000) + bytes(300_000)
    packed = b"".join(lzma.compress(data) + bytes(4) for _ in range(streams))
    path = tmp_path / "x.xz"
    path.write_bytes(packed)
    with XzFile(path) as stream:
        assert stream.read() == data * streams
        for place in (0, 299_990, 7, 600_000 * streams - 3, 10**9):
            stream.seek(place)
            assert stream.read(20) == (data * streams)[place : place + 20]
    path.write_bytes(packed[: len(packed) // 2])
    with XzFile(path) as stream, pytest.raises(EOFError):
        stream.read()


def test_a_dictionary_of_gigabytes(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    path = tmp_path / "m.mbox.xz"
    path.write_bytes(lzma.compress(mbox(*thread(1)), filters=filters))
    with pytest.raises(InputError, match=r"damaged \(Memory usage limit exceeded\)"):
        from_index(path, tmp_path / "i.sqlite")


def test_where_a_full_disk_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says of both alike that the disk is full: of the index's own, and of the one where it sorts."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    path = tmp_path / "x.sqlite"
    for place, full, named in ((other, False, other), (other, True, path), (tmp_path, False, path)):
        monkeypatch.setenv("TMPDIR", str(place))
        monkeypatch.setattr(atomic, "is_full", {path.parent: full}.__getitem__)
        with pytest.raises(MachineError, match="the disk is full; free some space") as told, index_store._trouble(path):
            raise error
        assert told.value.where == str(named)
