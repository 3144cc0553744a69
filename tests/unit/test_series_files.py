"""Patch files: real `git am` takes them and makes the commit that was meant."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from kpatch_tool.mail.message import Address
from kpatch_tool.mail.read import parse
from kpatch_tool.series.directory import files, toml
from kpatch_tool.series.model import Cover, Exactness, Patch
from kpatch_tool.series.people.persons import HIDDEN_EMAIL
from kpatch_tool.series.reading.patches import read_patch

OLD, NEW = b"one\ntwo\n", b"one\nth\xe9ree\n"
DIFF = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+th\xe9ree\n"
WHEN = datetime(2014, 4, 17, 17, 5, 45, tzinfo=timezone(timedelta(hours=8)))
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A repository with the file f, and a way to run git in it."""
    repository = tmp_path / "repo"
    repository.mkdir()

    def run(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True, encoding="utf-8").stdout

    run("init", "-q")
    (repository / "f").write_bytes(OLD)
    run("add", "f")
    run("commit", "-qm", "base")
    return run


PLAIN = Patch(
    number=2,
    subject="mm: do it",
    author=Address("Jane Doe", "jane@example.org"),
    date=WHEN,
    message="Why.\n\nSigned-off-by: Jane Doe <jane@example.org>",
    note=" f | 2 +-\n 1 file changed",
    diff=DIFF,
    files=(),
    trailers=(),
    exactness=Exactness.INTACT,
    why="",
)
made = partial(replace, PLAIN)

PATCHES = {
    "plain": made(),
    "no note": made(note=""),
    "no message": made(message=""),
    "first": made(number=1),
    "not ASCII": made(
        subject="mm: é à " + "日本" * 40, author=Address("José Núñez", "j@x.org"), message="Ärger.\n\n日本", note="é"
    ),
    "quoted name": made(author=Address('Doe, "J." (x)', "jane@example.org")),
    "name that is the address": made(author=Address("jane@example.org", "jane@example.org")),
    "long subject": made(subject="word " * 60 + "end"),
    "hidden address": made(author=Address("Xiao Guangrong", "")),
    "hidden address, like a field": made(author=Address("Xiao", ""), message="Date: it has none"),
    "no author": made(author=Address("", "")),
    "no date": made(date=None),
    "like a field": made(message="From: the beginning\n\nit was so."),
    "like a subject": made(message="Subject: to change\nand more"),
    "like a tag": made(message="[PATCH] is what it says"),
    "note like a separator": made(note="---\nv2: better\n---\nv3: best"),
    "brackets later": made(subject="mm: [x] y"),
    "encoded look": made(subject="mm: =?utf-8?q?x?= y"),
    "name with an encoded look": made(author=Address("=?utf-8?q?evil?=", "j@x.org")),
    "lines that begin with From": made(message="Why.\n\nFrom pci 0000:00:1f.2 which fails\nFrom 10:30 on it hangs."),
    "id": made(message_id="20140417.1@example.org"),
    "no newline": made(diff=DIFF.rstrip(b"\n") + b"\n\\ No newline at end of file"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_git_am_makes_the_commit_that_was_meant(name: str, git: Git, tmp_path: Path) -> None:
    patch = PATCHES[name]
    path = tmp_path / files.file_name(patch.number, patch.subject)
    path.write_bytes(files.patch_text(patch, 3, 5))
    git("am", "-q", str(path))
    author = f"{patch.author.name or 'unknown'} <{patch.author.email or HIDDEN_EMAIL}>"
    date = patch.date or datetime.fromtimestamp(1400000000, timezone(timedelta(hours=2)))
    body = f"{patch.subject}\n\n{patch.message}".strip("\n")
    said = git("log", "-1", "--format=%an <%ae>%n%aI%n%B").rstrip("\n")
    if patch.date is None:
        assert said.splitlines()[0] == author
    else:
        assert said == f"{author}\n{date.isoformat()}\n{body}"
    expected = NEW.rstrip(b"\n") if name == "no newline" else NEW
    assert (tmp_path / "repo" / "f").read_bytes() == expected


@pytest.mark.parametrize("name", PATCHES)
def test_read_back_as_it_was(name: str) -> None:
    patch = PATCHES[name]
    data = files.patch_text(patch, 3, 5)
    again = read_patch(next(parse(data, "x")), patch.number)
    for field in ("subject", "message", "note", "date", "message_id", "exactness"):
        assert getattr(again, field) == getattr(patch, field), field
    assert again.diff == (patch.diff if patch.diff.endswith(b"\n") else patch.diff + b"\n")
    assert again.author == patch.author
    assert files.patch_text(again, 3, 5) == data


def test_file_names_are_gits(git: Git, tmp_path: Path) -> None:
    for subject in (
        "KVM: MMU: x y",
        'Revert "KVM: Simplify kvm->tlbs_dirty handling"',
        "a" * 90,
        "a..b/.c",
        "mm: (x) é",
    ):
        git("commit", "-q", "--allow-empty", "-m", subject)
        (tmp_path / "repo" / "f").write_text(subject)
        git("commit", "-qam", subject)
        shown = git("format-patch", "-1", "--stdout", "--no-signature", "--format=%f").strip().splitlines()[0]
        made_by_git = git("format-patch", "-1", "-o", str(tmp_path)).strip().rpartition("/")[2]
        assert files.file_name(1, subject) == made_by_git, shown


def test_dates() -> None:
    assert files.rfc_date(WHEN) == "Thu, 17 Apr 2014 17:05:45 +0800"
    assert files.rfc_date(datetime(5, 1, 2, tzinfo=UTC)) == "Sun, 2 Jan 0005 00:00:00 +0000"


def test_letters() -> None:
    text = files.cover_text(Cover("s", Address("J", ""), WHEN, "a\n\nb\n"), 2, 3)
    assert text.startswith("From: J\nDate: Thu, 17 Apr 2014 17:05:45 +0800\nSubject: [PATCH v2 0/3] s\n\n")
    assert files.letter_body(text) == "a\n\nb\n"


def test_toml_is_read_back() -> None:
    import tomllib

    texts = ["", 'a"b\\c', "tab\tnl\n\r\x00\x1b\x7f\u2028", "日本 😀", "\ud800"]
    written = toml.document(
        {"n": 3, "none": None, "list": texts * 9}, [("[t]", {"a": t}) for t in texts[:1]], comment="x\ny"
    )
    assert tomllib.loads(written) == {"n": 3, "list": [*texts[:-1], "\ufffd"] * 9, "t": {"a": ""}}


def test_a_message_that_quotes_the_start_of_a_mail_stays_one_mail() -> None:
    line = "From jane@example.org Thu Apr 17 09:05:46 2014\n"
    data = files.patch_text(made(message=f"Why.\n\n{line}Subject: x\n\nMore."), 1, 1)
    (message,) = parse(data, "x")
    again = read_patch(message, 2, kept=True)
    assert again.message == f"Why.\n\n>{line}Subject: x\n\nMore."
    assert files.patch_text(again, 1, 1) == data


@pytest.mark.parametrize("line", ["diff -u a b", "Index: of it", "---", "--- start of log", "--- ---"])
def test_a_line_that_would_end_the_message_is_indented(line: str, git: Git, tmp_path: Path) -> None:
    """In a mail that lost white space it was: the message goes on below it."""
    message = f"Compare with\n{line}\nwhich shows nothing.\n\nSigned-off-by: Jane Doe <jane@example.org>"
    data = files.patch_text(made(message=message), 1, 1)
    (tmp_path / "m.patch").write_bytes(data)
    git("am", "-q", str(tmp_path / "m.patch"))
    wanted = message.replace(f"\n{line}\n", f"\n {line}\n")
    assert git("log", "-1", "--format=%B").rstrip("\n") == f"mm: do it\n\n{wanted}"
    again = read_patch(next(parse(data, "x")), 2, kept=True)
    assert again.message == wanted
    assert files.patch_text(again, 1, 1) == data


def test_what_kpt_wrote_is_not_cut_once_more() -> None:
    patch = made(message="Why.\n\n-- >8 --\nFrom: B <b@x.org>\n\nMore.\n\nSigned-off-by: J <j@x.org>")
    again = read_patch(next(parse(files.patch_text(patch, 1, 1), "x")), 2, kept=True)
    assert (again.message, again.author) == (patch.message, patch.author)


def test_quilt_is_told_of_a_diff_without_prefixes() -> None:
    bare = DIFF.replace(b"a/f", b"f").replace(b"b/f", b"f")
    assert files.quilt_line("x.patch", made(diff=bare)) == "x.patch -p0\n"
    assert files.quilt_line("x.patch", made()) == "x.patch\n"
