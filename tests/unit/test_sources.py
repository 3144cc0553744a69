"""Kinds of sources: packed files, streams without end, directories, what stands before and after the mails."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import threading
import time
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail import mbox, streams, unpack
from kpatch_tool.mail.read import Received, SourceFile, read_files, read_sources
from tests.clock import within
from tests.mail_fixtures import DIFF, Mail, patch
from tests.mail_fixtures import mbox as made

MAIL = patch("[PATCH] mm: one", "p1").rfc5322().encode()
BOX = made(patch("[PATCH 1/2] mm: one", "p1"), patch("[PATCH 2/2] mm: two", "p2"))


def read(data: bytes) -> Received:
    return read_files([SourceFile("m", data)], where="m")


def subjects(data: bytes) -> list[str]:
    return [message.subject for message in read(data).messages]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed(pack: object) -> None:
    assert callable(pack)
    packed = pack(BOX)
    assert subjects(packed) == ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]
    assert subjects(pack(BOX[:100]) + pack(BOX[100:])) == ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]
    for cut in (len(packed) - 5, len(packed) // 2):
        with pytest.raises(InputError, match="compressed file is cut short"):
            read(packed[:cut])
    broken = packed[:40] + bytes([packed[40] ^ 0xFF]) + packed[41:]
    with pytest.raises(InputError, match="compressed file"):
        read(broken)


def test_a_member_for_every_mail_takes_linear_time() -> None:
    """How archives make their compressed mailboxes; a quadratic reader takes half a minute."""
    packed = gzip.compress(BOX) + gzip.compress(b"\n") * 400_000
    with within(10):
        assert subjects(packed) == ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]


def test_padding_behind_a_member_of_gzip() -> None:
    packed = gzip.compress(BOX[:100]) + bytes(100_000) + gzip.compress(BOX[100:]) + bytes(100_000)
    assert subjects(packed) == ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]


def test_padding_behind_a_stream_of_xz() -> None:
    packed = lzma.compress(BOX[:100]) + bytes(4) + lzma.compress(BOX[100:]) + bytes(8)
    assert subjects(packed) == ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]


def test_what_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LARGEST", 1 << 24)
    with pytest.raises(InputError, match="too large unpacked"):
        read(gzip.compress(bytes(1 << 23)) * 3)


def test_what_unpacks_to_more_than_any_mail_does() -> None:
    with pytest.raises(InputError, match="more than 64 times its size"):
        read(lzma.compress(bytes(17 << 20), preset=0))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04rest", "a zip file"),
        (b"name" + bytes(253) + b"ustar\x00", "a tar file"),
        (gzip.compress(b"name" + bytes(253) + b"ustar\x00"), "a tar file"),
        (b"\x28\xb5\x2f\xfdrest", "packed with zstd"),
        (b"%PDF-1.4", "a PDF"),
        (b"{\\rtf1\\ansi diff --git a/f b/f\\par\n", "RTF"),
    ],
)
def test_files_of_files(data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        read(data)
    assert caught.value.todo


def test_junk_before_an_mbox() -> None:
    expected = ["[PATCH 1/2] mm: one", "[PATCH 2/2] mm: two"]
    assert subjects(b"\xef\xbb\xbf\n\n" + BOX) == expected
    assert subjects(b"Grabbing thread from lore\n---\nAnalyzing 3 messages\n\n" + BOX) == expected
    quoting = MAIL + b"\nit looked like this:\n\nFrom a@b Thu Jan  1 00:00:00 1970\nSubject: x\n\nBye.\n"
    assert subjects(quoting) == ["[PATCH] mm: one"]
    start = f"From {'1' * 40} Mon Sep 17 00:00:00 2001\nFrom: Joe <j@x>\n"
    inline = f"{start}Subject: [PATCH] mm: inside\n\nWhy.\n---\n{DIFF}"
    page = f"[PATCH] mm: page\n\n[Date Prev][Date Next]\n\nFrom: Jane <j@xxxxxx>\n\nHow about:\n\n{inline}"
    assert subjects(page.encode()) == ["[PATCH] mm: page"]
    saved = f"<html><body><pre>{page.replace('<', '&lt;')}</pre></body></html>"
    assert subjects(saved.encode()) == ["[PATCH] mm: page"]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_an_mbox_that_is_cut_short(newline: bytes) -> None:
    assert read(BOX.replace(b"\n", newline)).notes == ()
    header = made(Mail("[PATCH] x", DIFF)) + b"From a@b Thu Jan  1 00:00:00 1970\nFrom: Joe <j@x>\nSubject: cut\n"
    assert read(header.replace(b"\n", newline)).notes == ("the last mail of m is cut short",)
    part = b"From a@b Thu Jan  1 00:00:00 1970\nSubject: x\n"
    part += b'Content-Type: multipart/mixed;\n boundary="=_b"\n\n--=_b\n\ntext\n'
    assert mbox.cut_short(part.replace(b"\n", newline))
    assert not mbox.cut_short((part + b"--=_b--\n").replace(b"\n", newline))
    assert not mbox.cut_short(MAIL)


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "v2" / "sent").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "0000.patch").write_bytes(b"no")
    (tmp_path / "v2" / "sent" / "0001-a.patch").write_bytes(MAIL)
    (tmp_path / "v2" / "0002-b.eml").write_bytes(MAIL)
    (tmp_path / "v2" / "notes.txt").write_bytes(b"no mail")
    assert [file.path for file in read_sources([str(tmp_path)]).files] == ["v2/0002-b.eml", "v2/sent/0001-a.patch"]
    for number in (10, 9, 1):
        (tmp_path / f"p{number}.patch").write_bytes(MAIL)
    assert [file.path for file in read_sources([str(tmp_path)]).files] == ["p1.patch", "p9.patch", "p10.patch"]
    for path in tmp_path.glob("p*"):
        path.unlink()
    (tmp_path / "thread.MBOX.gz").write_bytes(gzip.compress(BOX))
    assert [file.path for file in read_sources([str(tmp_path)]).files] == ["thread.MBOX.gz"]


def test_a_directory_of_pages(tmp_path: Path) -> None:
    head = "2014-04-17 09:00:00\n\nby Jane\n\n[permalink] [raw]\nSubject: [PATCH] a\n\n"
    (tmp_path / "1.txt").write_text(head + DIFF)
    assert [message.archive for message in read_sources([str(tmp_path)]).messages] == ["linuxlists"]


def test_an_empty_maildir(tmp_path: Path) -> None:
    for box in ("cur", "new", "tmp"):
        (tmp_path / box).mkdir()
    with pytest.raises(InputError, match="holds no mail"):
        read_sources([str(tmp_path)])


def test_quilt(tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    patches.mkdir()
    (patches / "a.diff").write_bytes(DIFF.encode())
    (patches / "series").write_text("a.diff -p1 # first\n#b.diff\n")
    received = read_sources([str(tmp_path)])
    assert ([file.path for file in received.files], received.patch_files) == (["series", "a.diff"], True)
    for option in ("-R", "-p2", "-p 3"):
        (patches / "series").write_text(f"a.diff {option}\n")
        with pytest.raises(InputError, match=r"wants 'a\.diff' applied with -"):
            read_sources([str(tmp_path)])
    for option in ("-p0", "-p1", "-pab", "-p 1"):
        (patches / "series").write_text(f"a.diff {option}\n")
        assert len(read_sources([str(tmp_path)]).messages) == 1


def test_a_pipe_that_stays_silent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.1)
    said: list[str] = []
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write() -> None:
        time.sleep(0.4)
        with fifo.open("wb") as out:
            out.write(MAIL[:50])
            out.flush()
            time.sleep(0.3)
            out.write(MAIL[50:])

    writer = threading.Thread(target=write)
    writer.start()
    received = read_sources([str(fifo)], say=lambda what, done=0, total=0: said.append(what))
    writer.join()
    assert received.messages[0].subject == "[PATCH] mm: one"
    assert said == [f"waiting for {fifo} (something must be written into this named pipe)"]


def test_a_stream_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGEST", 1 << 20)
    with pytest.raises(InputError, match="no end"), Path("/dev/zero").open("rb") as endless:
        streams.read_stream(endless, "standard input")
    with pytest.raises(InputError, match="no end"):
        streams.read_stream(io.BytesIO(bytes(1 << 21)), "standard input")


def test_a_sparse_file_in_a_directory_is_no_bomb(tmp_path: Path) -> None:
    (tmp_path / "1.patch").touch()
    os.truncate(tmp_path / "1.patch", 1 << 40)
    with pytest.raises(InputError, match="more than 512 MB in its files"):
        read_sources([str(tmp_path)])
