"""What `git show` prints, read as a patch; git itself prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpatch_tool.mail.logged import read_commit
from kpatch_tool.mail.message import Address
from kpatch_tool.mail.read import parse
from kpatch_tool.series.assemble import assemble
from tests.conftest import git

MESSAGE = (
    "mm: rename b,\nas it is better\n\nWhy so:\n\n    indented\n\n\nSigned-off-by: Jos\u00e9 Doe <jane@example.org>\n"
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("repository")
    git("init", "-q", cwd=top)
    (top / "f.c").write_text("int a;\nint b;\n\tint c;\n")
    git("add", ".", cwd=top)
    git("commit", "-qm", "mm: add f", cwd=top)
    (top / "f.c").write_text("int a;\nint bb;\n\tint c;\n")
    author = "Jos\u00e9 Doe <jane@example.org>"
    git("commit", "-qam", MESSAGE, f"--author={author}", "--date=2014-04-17T09:00:00+0200", cwd=top)
    git("tag", "v1", cwd=top)
    return top


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--decorate",),
        ("--stat", "-p"),
        ("--format=fuller",),
        ("--format=raw",),
        ("--date=iso",),
        ("--date=iso-strict",),
        ("--date=rfc",),
    ],
    ids=" ".join,
)
def test_one_commit(repository: Path, options: tuple[str, ...]) -> None:
    shown = git("show", *options, "HEAD", cwd=repository) + "\n"
    (message,) = parse(shown.encode(), "show.txt")
    assert message.commit == git("rev-parse", "HEAD", cwd=repository)
    assert message.date is not None
    assert message.date.isoformat() == "2014-04-17T09:00:00+02:00"
    (one,) = assemble([message], where="x").patches
    (wanted,) = assemble(
        list(parse(git("format-patch", "-1", "--stdout", cwd=repository).encode(), "x")), where="x"
    ).patches
    assert one.author == Address("Jos\u00e9 Doe", "jane@example.org")
    assert (one.subject, one.message, one.diff) == (wanted.subject, wanted.message, wanted.diff)


def test_dates_that_no_program_reads(repository: Path) -> None:
    shown = git("show", "--date=relative", "HEAD", cwd=repository).encode()
    found = read_commit(shown, "x")
    assert found is not None
    assert found.date is None
    for date in (b"99999999999", b"999999999999"):
        odd = shown.replace(b"Author: ", b"author ").replace(b"org>", b"org> " + date + b" +9999", 1)
        assert (read_commit(odd, "x") or found).date is None


CHANGESET = """# HG changeset patch
# User Jos\u00e9 Doe <jane@example.org>
# Date 1397718000 -7200
#      Thu Apr 17 09:00:00 2014 +0200
# Node ID 0123456789012345678901234567890123456789
# Parent  9876543210987654321098765432109876543210
"""


def test_changesets_of_mercurial(repository: Path) -> None:
    diff = git("diff", "HEAD^", "HEAD", cwd=repository) + "\n"
    text = f"{CHANGESET}{MESSAGE}\n{diff}"
    one, two = parse((text + text.replace("# Date 1397718000 -7200", "# Date 1397718000 99999")).encode(), "hg.patch")
    assert one.date is not None
    assert (one.date.isoformat(), two.date) == ("2014-04-17T09:00:00+02:00", None)
    series = assemble([one, two], where="x")
    assert [patch.subject for patch in series.patches] == ["mm: rename b,"] * 2
    assert series.patches[0].author == Address("Jos\u00e9 Doe", "jane@example.org")
    assert (
        series.patches[0].message
        == ("as it is better" + MESSAGE.partition("better")[2].replace("\n\n\n", "\n\n")).strip()
    )
    assert series.patches[0].diff == diff.encode()
    assert series.problems == ("no readable date: patch 2",)


@pytest.mark.parametrize(
    "text", [b"", b"commit 0123\n", b"commit " + b"0" * 40 + b"\nHello\n", b"commit " + b"1" * 40 + b"\n\n"]
)
def test_what_is_no_commit(text: bytes) -> None:
    assert read_commit(text, "x") is None
