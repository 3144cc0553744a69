"""Binary changes in damaged mails; git makes the patches."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from html import escape

import pytest

from kpatch_tool.mail.message import Damage
from kpatch_tool.mail.read import parse
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.restoring.restore import restore_series
from tests.conftest import git

RANDOM = random.Random(5)
OLD = {"logo.bin": RANDOM.randbytes(300), "gone.bin": RANDOM.randbytes(90), "f.c": b"int a;\n\tint b;\n\nint c;\n"}
LOGO = OLD["logo.bin"][:120] + b"new" + OLD["logo.bin"][120:]  # a delta


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    top = tmp_path_factory.mktemp("repository")
    git("init", "-q", cwd=top)
    for name, data in OLD.items():
        (top / name).write_bytes(data)
    git("add", ".", cwd=top)
    git("commit", "-qm", "base", cwd=top)
    (top / "logo.bin").write_bytes(LOGO)
    (top / "more.bin").write_bytes(RANDOM.randbytes(500))
    (top / "gone.bin").unlink()
    (top / "f.c").write_bytes(OLD["f.c"].replace(b"int b;", b"int bb;"))
    git("add", "-A", cwd=top)
    git("commit", "-qm", "lamps: new logo\n\nIt is nicer.", cwd=top)
    return git("format-patch", "-1", "--stdout", "--full-index", "HEAD", cwd=top).encode() + b"\n"


def series(mail: bytes, damage: set[Damage]) -> Series:
    (message,) = parse(mail, "x")
    return assemble([replace(message, damage=frozenset(damage))], where="x")


def squeezed(mail: bytes) -> bytes:
    head, _, body = mail.partition(b"\n\n")
    return head + b"\n\n" + re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", re.sub(rb"[ \t]+", b" ", body))


def without_blank_lines(mail: bytes) -> bytes:
    head, _, body = squeezed(mail).partition(b"\n\n")
    return head + b"\n\n" + re.sub(rb"\n{2,}", b"\n", body)


def doubled(mail: bytes) -> bytes:
    head, _, body = mail.partition(b"\n\n")
    return head + b"\n\n" + body.replace(b"\n", b"\n\n")


def entities(mail: bytes) -> bytes:
    head, _, body = mail.partition(b"\n\n")
    return head + b"\n\n" + escape(body.decode(), quote=False).encode()


def quoted(mail: bytes) -> bytes:
    head, _, body = mail.partition(b"\n\n")
    return head + b"\n\n" + re.sub(rb"(?m)^", b"> ", body)


@pytest.mark.parametrize(
    ("damager", "damage"),
    [
        (squeezed, {Damage.SQUEEZED}),
        (without_blank_lines, {Damage.SQUEEZED, Damage.BLANK_LINES_DROPPED}),
        (doubled, set()),
        (entities, set()),
        (quoted, set()),
    ],
)
def test_restored(mail: bytes, damager: object, damage: set[Damage]) -> None:
    assert callable(damager)
    received = series(damager(mail), damage)
    (sent,) = series(mail, set()).patches
    plain = damager is entities  # a line of base 85 or not: only who decodes it sees that
    assert received.patches[0].exactness is (Exactness.INTACT if plain else Exactness.DAMAGED)
    (one,) = restore_series(received, OLD.get).patches
    assert (one.exactness, one.why[:8]) == (Exactness.PROVEN, "restored")
    assert one.diff == sent.diff


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_changed_byte_is_noticed(mail: bytes, which: int) -> None:
    """Also in the data that lead back, which nobody applies."""
    line = [line for line in mail.split(b"\n") if re.fullmatch(rb"z\S{65}", line)][which]
    broken = mail.replace(line, line[:9] + bytes([line[9] ^ 1]) + line[10:])
    (one,) = restore_series(series(squeezed(broken), {Damage.SQUEEZED}), OLD.get).patches
    assert one.exactness is Exactness.DAMAGED
    assert "binary" in one.why


def test_a_diff_without_the_bytes(mail: bytes) -> None:
    text = b"diff --git a/x.bin b/x.bin\nindex 1234567..89abcde 100644\nBinary files a/x.bin and b/x.bin differ\n"
    for file in (parse_damaged(text)[0], read_loose(text)[0].header):
        assert (file.binary, file.payload) == (True, b"")
    cut = b"diff --git a/x.bin b/x.bin\nindex 1234567..89abcde 100644\nGIT binary patch\n"
    for file in (parse_damaged(cut)[0], read_loose(cut)[0].header):
        assert (file.binary, file.payload) == (True, b"")


def test_any_lines_give_a_payload_or_none() -> None:
    cut = b"literal 1\nAzzzzz\n"
    for tail in (b"", b"literal 5\n", b"literal 5\n\n\n", b"delta x\n", cut + b"ZZ\n", cut + b"\n-- \n"):
        text = b"diff --git a/x.bin b/x.bin\nindex 1234567..89abcde 100644\nGIT binary patch\n" + tail
        assert parse_damaged(text)[0].payload == read_loose(text)[0].header.payload
