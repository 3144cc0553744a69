"""Patches that are in another kernel already, on another base: their added lines stand there with all their bytes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address, Damage
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.versions import having, told_by
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.restoring.restore import restore_series
from tests.clock import within
from tests.diff_texts import difference

PATH = "drivers/f.c"
BASE = b"#include <linux/f.h>\n\nint f(int a)\n{\n\tif (a)\n\t\treturn 1;\n\treturn 0;\n}\n" + b"int g;\n" * 9
# What no rule tells, in five lines: nothing but another version has it.
ART = b"/*\n *   ,--[ 63 ]--.      .-- index --.\n *  /    mode   \\   |           |\n */\n"
NEW = BASE.replace(b"int f(int a)\n", ART + b"static  int  odd ,  even;\n\nint f(int a)\n")
LATER = b"/* Another licence. */\n" + NEW.replace(b"int g;\n" * 9, b"int h;\n").replace(b"<linux/f.h>", b"<linux/e.h>")


def squeezed(old: bytes, new: bytes, *, ids: bool = True) -> Patch:
    made = difference(old.split(b"\n")[:-1], new.split(b"\n")[:-1])
    names = (blob_id(old)[:12], blob_id(new)[:12]) if ids else (None, None)
    file = replace(made, old_path=PATH, new_path=PATH, old_blob=names[0], new_blob=names[1])
    text = b"".join(squeeze(line) + b"\n" for line in format_diff([file]).split(b"\n")[:-1])
    author = Address("A", "a@example.org")
    return Patch(
        number=1,
        subject="x",
        author=author,
        date=None,
        message="",
        note="",
        diff=text,
        files=parse_damaged(text),
        trailers=(),
        exactness=Exactness.DAMAGED,
        why="white space was lost",
        damage=frozenset({Damage.SQUEEZED}),
    )


def restored(patch: Patch, base: bytes, *versions: bytes) -> Patch:
    series = Series("s", "s", 1, 1, None, (patch,))
    (done,) = restore_series(series, {PATH: base}.get, read_versions=lambda _path: versions).patches
    return done


def added(patch: Patch) -> list[bytes]:
    return [line[1:] for line in patch.diff.split(b"\n") if line.startswith(b"+") and not line.startswith(b"+++")]


def test_a_version_that_has_the_patch_tells_what_no_rule_does() -> None:
    patch = squeezed(BASE, NEW)
    assert restored(patch, BASE).exactness is Exactness.MATCHED
    done = restored(patch, BASE, b"int other;\n", LATER)
    assert done.exactness is Exactness.PROVEN, done.why
    assert ART in b"\n".join(added(done))


def test_what_a_version_has_otherwise_is_searched() -> None:
    new = NEW.replace(b"static  int  odd ,  even;\n", b"").replace(b"\tif (a)\n", b"\tif (a &&\n\t    a != 2)\n")
    tidied = b"\n" + new.replace(b"\t    a != 2)", b"\t\ta != 2)")
    assert restored(squeezed(BASE, new), BASE, tidied).exactness is Exactness.PROVEN


def test_a_version_from_before_the_patch_tells_nothing() -> None:
    """What the patch puts deeper stands there as it was."""
    new = BASE.replace(b"\tif (a)\n\t\treturn 1;\n", b"\twhile (a--) {\n\t\tif (a)\n\t\t\treturn 1;\n\t}\n")
    assert restored(squeezed(BASE, new), BASE, BASE, b"\n" + BASE).exactness is Exactness.PROVEN


def test_without_the_exact_base_the_version_gives_the_first_reading() -> None:
    other = BASE + b"int more;\n"
    done = restored(squeezed(BASE, NEW), other, LATER)
    assert done.exactness is Exactness.MATCHED
    assert ART in b"\n".join(added(done))
    assert ART not in b"\n".join(added(restored(squeezed(BASE, NEW), other)))


@pytest.mark.parametrize("base", [BASE, BASE + b"int more;\n"])
def test_an_address_that_an_archive_hid_is_the_one_that_makes_a_line_of_the_version(base: bytes) -> None:
    """Of people of one name, and with an address that nobody else has."""
    both = b"// %s\n// %s\n" % (b"Jo Doe <jo.other@example.org>", b"Jo Doe <jo.d@home.example.net> said so")
    new = BASE.replace(b"int f(int a)\n", both + b"int one_more;\n\nint f(int a)\n")
    patch = squeezed(BASE, new)
    hidden = re.sub(rb"<jo\S+>", b"<[email protected]>", patch.diff)
    patch = replace(patch, diff=hidden, files=parse_damaged(hidden), damage=patch.damage | {Damage.ADDRESSES_HIDDEN})
    done = restored(patch, base, b"\n" + new)
    assert both in b"\n".join(added(done))
    assert (done.exactness is Exactness.PROVEN) == (base == BASE)


def test_lines_that_were_moved_since_are_searched_as_if_no_version_had_them() -> None:
    lines = b"".join(b"\tint name_%d = %d;\n" % (number, number) for number in range(20))
    new = BASE.replace(b"\tif (a)\n", lines + b"\tif (a)\n")
    deeper = new.replace(b"\tint name", b"\t\tint name")
    assert restored(squeezed(BASE, new), BASE, deeper).exactness is Exactness.PROVEN


def test_lines_are_told_where_they_stand_in_the_same_order() -> None:
    version = b"\tint first_one;\n\n\t\tint second_one;\r\n\tbreak;\n"
    hunks = [[b"int first_one;", b"", b"int second_one;"], [b"break;"]]
    assert told_by(hunks, [b"nothing\n", version]) == {
        (0, 0): b"\tint first_one;",
        (0, 1): b"",
        (0, 2): b"\t\tint second_one;",
    }


def test_a_version_has_the_patch_where_it_has_most_of_what_is_new() -> None:
    (file,) = squeezed(BASE, BASE.replace(b"\treturn 0;\n", b"\treturn one(a);\n\treturn two(a);\n\treturn 1;\n")).files
    half, less = b"  return two(a);\n", b"  return 1;\n"
    assert having(file, BASE, [BASE, half, less]) == [half]
    (same,) = squeezed(BASE, BASE.replace(b"\t\treturn 1;\n", b"\treturn 1;\n")).files
    assert having(same, BASE, [BASE]) == []


@pytest.mark.parametrize("count", [5_000, 100_000])
def test_hunks_that_are_looked_for_in_vain_take_no_time(count: int) -> None:
    """Lines that are everywhere, and lines of which every other one is found: without bounds, minutes."""
    alike = [b"%s_line();" % (b"one", b"two")[number % 2] for number in range(count)]
    every_other = [(b"shared line %d" if number % 2 else b"other line %d") % number for number in range(count)]
    with within(8.0):
        told_by([alike], [b"\ttwo_line();\n\ttwo_line();\n\tone_line();\n" * (count // 3)])
        told_by([every_other], [b"".join(b"\tshared line %d\nno line\n" % number for number in range(1, count, 2))])
