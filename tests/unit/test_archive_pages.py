"""Every archive's way to show a mail, undone: real mails of git, shown, read, restored, compared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.archive_shapes import SHAPES, Mail, Shape
from tests.archive_pages import commit, tallies
from tests.conftest import git

DRIVER = b"""\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>

#define LAMP_OFF\t\t0
#define LAMP_ON\t\t\t1
#define LAMP_COUNT\t\t4

struct lamp {
\tstruct device\t*dev;
\tunsigned int\tnumber;
\tbool\t\tlit;\t\t/* as the hardware says */
};

static int lamp_set(struct lamp *lamp, unsigned int value)
{
\tif (value > LAMP_ON)
\t\treturn -EINVAL;

\tif (regmap_write(lamp->map, LAMP_REGISTER(lamp->number),
\t\t\t value))
\t\treturn -EIO;

\tlamp->lit = value;
\treturn 0;
}

static void lamp_clear(struct lamp *lamp)
{
\t++lamp->cleared;
\tlamp->lit = false;
}

MODULE_LICENSE("GPL");
"""
TEXT = b"""\
Lamps
=====

A lamp has two states:

1) off, which is
   the state after a reset
2) on

config LAMP
\ttristate "Lamps"
\thelp
\t  Say Y for lamps.

"""
CHANGES = (
    (
        "Blink",
        DRIVER.replace(b"#define LAMP_COUNT\t\t4\n", b"#define LAMP_BLINK\t\t2\n#define LAMP_COUNT\t\t4\n")
        .replace(b"value > LAMP_ON", b"value > LAMP_BLINK")
        .replace(b"\tbool\t\tlit;", b"\tunsigned int\trate;\t\t/* blinks a minute */\n\tbool\t\tlit;"),
    ),
    (
        "Say why a lamp stays dark",
        DRIVER.replace(
            b"\t\t\t value))\n\t\treturn -EIO;\n",
            b'\t\t\t value)) {\n\t\tdev_err(lamp->dev, "lamp %u stays %s\\n",\n\t\t\tlamp->number,'
            b' lamp->lit ? "on" : "off");\n\t\treturn -EIO;\n\t}\n',
        ),
    ),
    (
        "Count the cleared",
        DRIVER.replace(
            b"\t++lamp->cleared;\n",
            b"\tunsigned long flags;\n\n\tspin_lock_irqsave(&lamp->lock, flags);\n\t++lamp->cleared;\n",
        ).replace(b"\tlamp->lit = false;\n", b"\tlamp->lit = false;\n\tspin_unlock_irqrestore(&lamp->lock, flags);\n"),
    ),
)
MAIL = Mail(
    "[PATCH] Blink",
    "Ann Author",
    "ann@example.org",
    datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    "<1@example.org>",
    "Blink.\n\n\tA tab,  two blanks.\n \n--\nann@example.org\n",
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of two small files."""
    path = tmp_path / "repository"
    path.mkdir()
    git("init", "-q", cwd=path)
    commit(path, {"drivers/lamp.c": DRIVER, "Documentation/lamp.rst": TEXT}, "Lamps")
    git("tag", "start", cwd=path)
    return path


def test_every_shape_gives_the_authors_bytes_back(repository: Path, tmp_path: Path) -> None:
    for subject, after in CHANGES:
        commit(repository, {"drivers/lamp.c": after}, subject)
        commit(repository, {"drivers/lamp.c": DRIVER}, f"Revert {subject}")
    commit(
        repository, {"Documentation/lamp.rst": TEXT.replace(b"2) on\n", b"2) on, which\n   gives light\n")}, "Tell more"
    )
    commit(repository, {"include/linux/lamp.h": b"struct lamp;\n\nint lamp_set(struct lamp *lamp);\n"}, "Declare")
    before = {"drivers/lamp.c": DRIVER, "Documentation/lamp.rst": TEXT}
    for name, tally in tallies(repository, "start", before.get, tmp_path).items():
        assert tally.counts == {"proven": 8}, (name, tally.failures)


def test_what_cannot_be_decided_is_listed(repository: Path, tmp_path: Path) -> None:
    """A base that is not the pre-image proves nothing; every line that came out otherwise is named."""
    odd = DRIVER.replace(
        b"\tlamp->lit = value;\n",
        b"\tif (lamp->lit != value &&\n\t\t  lamp->number)\n\t      lamp->lit = value;\n",
    )
    commit(repository, {"drivers/lamp.c": odd}, "Odd columns")
    near = {"drivers/lamp.c": DRIVER.replace(b"MODULE_LICENSE", b"MODULE_ALIAS")}
    for name, tally in tallies(repository, "start", near.get, tmp_path).items():
        shape = next(shape for shape in SHAPES if shape.name == name)
        assert tally.counts == {"matched, other" if shape.squeezes else "proven": 1}, name
        assert tally.unlisted == 0, name


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_pages_hide_and_lose_what_the_archive_does(shape: Shape) -> None:
    page = shape.page([MAIL, MAIL])
    assert page.count("Blink.") == 2
    assert ("\tA tab,  two" in page) == (not shape.squeezes)
    hidden = shape.name not in {"lore, thread", "lore, mail"}
    assert ("ann@example.org" in page) == (not hidden)
