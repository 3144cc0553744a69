"""Patches whose files are at hand by their blob ids, before or after the patch: nothing has to be searched."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.restore.damaged import squeeze
from kpatch_tool.restore.readings.judge import rows_in
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.restoring.restore import restore_series
from tests.damages import DAMAGES
from tests.diff_texts import difference

PATH = "net/f.c"
BASE = b"int f(int a)\n{\n\tif (a)\n\t\treturn 1;\n\treturn 0;\n}\n" + b"int g;\n" * 9
ODD = BASE.replace(b"\tif (a)\n", b" \t if\t (a    &&\n     \ta !=  2) \n").replace(b"return 0", b"return   0")
PEOPLE = BASE.replace(b"return 0;\n", b"return 0; /* ask nobody.knows@him.example.org */\n")
UNLIKE = b"/* All of it is new. */\n"
HEAD = b"Say why.\n\n---\n net/f.c | 2 +-\n 1 file changed\n\n"
Blob = Callable[[str], bytes | None]


def sent(new: bytes, digits: int = 12) -> FileDiff:
    made = difference(BASE.split(b"\n")[:-1], new.split(b"\n")[:-1])
    old, made_id = blob_id(BASE)[:digits], blob_id(new)[:digits]
    return replace(made, old_path=PATH, new_path=PATH, old_blob=old, new_blob=made_id)


def squeezed(text: bytes, _rng: random.Random) -> bytes:
    return b"".join(squeeze(line) + b"\n" for line in text.split(b"\n")[:-1])


ALL = {**DAMAGES, "squeezed": squeezed}


def received(damage: str, file: FileDiff, diff: bytes = b"") -> Patch:
    body = ALL[damage](HEAD + (diff or format_diff([file])) + b"-- \n2.39.2\n", random.Random(1))
    lost = frozenset({Damage.SQUEEZED} if damage == "squeezed" else ())
    author = Address("A", "a@example.org")
    return read_patch(Message("[PATCH] x", author, None, body, "utf-8", "test", damage=lost), 1)


def blobs(*contents: bytes) -> Blob:
    return lambda named: next((one for one in contents if blob_id(one).startswith(named)), None)


def restored(patch: Patch, base: bytes | None, blob: Blob) -> Patch:
    (done,) = restore_series(Series("s", "s", 1, 1, None, (patch,)), {PATH: base}.get, blob).patches
    return done


# Those that leave a diff which can be read, and what was cut off.
NOT_MET = {"latin-1", "trailing stripped", "line numbers wrong", "no-newline note lost", "truncated"}


@pytest.mark.parametrize("base", [BASE, UNLIKE, None], ids=["exact base", "other base", "no such file"])
@pytest.mark.parametrize("damage", sorted(ALL.keys() - NOT_MET))
def test_white_space_that_no_rule_gives(damage: str, base: bytes | None) -> None:
    file = sent(ODD)
    patch = received(damage, file)
    done = restored(patch, base, blobs(BASE, ODD))
    sure = {Exactness.PROVEN} if patch.exactness is Exactness.DAMAGED else {Exactness.PROVEN, Exactness.INTACT}
    assert done.exactness in sure
    assert done.diff == format_diff([file])


@pytest.mark.parametrize("damage", ["squeezed", "hidden, x", "hidden, cloudflare"])
def test_an_address_that_nobody_shows(damage: str) -> None:
    file = sent(PEOPLE)
    patch = received(damage, file)
    assert restored(patch, BASE, blobs(PEOPLE)).diff == format_diff([file])


def test_the_file_it_is_made_for_is_found_by_its_id() -> None:
    new = BASE.replace(b"\tif (a)\n", b"\tif (a &&\n\t    a != 2)\n")
    patch = received("squeezed", sent(new))
    assert restored(patch, UNLIKE, blobs(BASE)).exactness is Exactness.PROVEN
    assert restored(patch, UNLIKE, blobs()).exactness is Exactness.DAMAGED
    short = received("squeezed", sent(new, digits=6))
    assert restored(short, UNLIKE, blobs(BASE)).exactness is Exactness.DAMAGED


def test_a_diff_that_was_edited_behind_its_ids_is_not_the_blob_it_names() -> None:
    file = sent(ODD)
    edited = format_diff([file]).replace(b"!=  2", b"!=  3")
    done = restored(received("squeezed", file, edited), BASE, blobs(BASE, ODD))
    assert done.exactness is Exactness.MATCHED
    assert b"!= 3" in done.diff


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\nc\n", [b"b"]),
        (b"a\n\nc\n", [b""]),
        (b"a\nb\nd\n", None),
        (b"a\nb\nc\nc\n", None),
        (b"a\n", None),
    ],
)
def test_the_lines_between_known_ones(content: bytes, expected: list[bytes] | None) -> None:
    assert rows_in(content, [b"a\n", (0, 1), b"c\n"], [b"\n"]) == expected


def test_the_last_line_may_have_no_end() -> None:
    assert rows_in(b"a\nb", [b"", (0, 2)], [b"\n", b""]) == [b"a", b"b"]
    assert rows_in(b"a\nb\nc", [(0, 2), b""], [b"\n", b""]) == [b"a", b"b\nc"]
