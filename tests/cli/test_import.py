"""kpt import, list, show on the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Kpt
from tests.mail_fixtures import DIFF, Mail, linuxlists, mbox, patch

THREAD = [
    Mail("[PATCH v5 0/2] mm: do it", "Text.\n", "c"),
    patch("[PATCH v5 2/2] mm: two", "p2", minute=2, reply_to="c"),
    patch("[PATCH v5 1/2] mm: one", "p1", minute=1, reply_to="c", trailers="Acked-by: Joe <joe@x.org>\n"),
    Mail("Re: [PATCH v5 0/2] mm: do it", "Applied, thanks.\n", "r", "c", "Joe", "joe@x.org", 9),
]


@pytest.fixture
def page(kpt: Kpt, tmp_path: Path) -> Path:
    """A workspace in tmp_path, and the thread as a page in it."""
    kpt("init")
    path = tmp_path / "page.txt"
    path.write_bytes(linuxlists(*THREAD))
    return path


def test_import_list_show(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    out = kpt("import", page, "--name", "do-it", "--tree", "debian-6.1").out
    assert "imported: " in out
    assert "kpt restore do-it" in out
    assert kpt("list").out.split() == ["do-it", "2", "damaged", "mm:", "do", "it"]
    shown = kpt("show", "do-it").out
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "to 0: Joe, 2014-04-17: Applied, thanks." in shown
    assert kpt("show", tmp_path / "series" / "do-it").out == shown
    one = kpt("show", "do-it", "--patch", "1").out
    assert "mm: one" in one
    assert "+return 2;" in one.replace("+ ", "+")
    cover = kpt("show", "do-it", "--patch", "0").out
    assert cover.startswith("0/2  mm: do it\nJane Doe, 2014-04-17\n\nText.\n")
    assert cover.endswith("reply: Joe, 2014-04-17\n  Applied, thanks.\n")
    assert (tmp_path / "series" / "do-it" / "source" / "page.txt").read_bytes() == page.read_bytes()


def test_json_is_the_contract(kpt: Kpt, page: Path) -> None:
    kpt("import", page, "--name", "do-it")
    document = kpt("show", "do-it", "--json").json
    assert document["kpt"] == 1
    assert (document["name"], document["title"], document["revision"]) == ("do-it", "mm: do it", 5)
    author = {"name": "Jane Doe", "email": ""}
    assert document["cover"] | {"body": ""} == {
        "subject": "mm: do it",
        "author": author,
        "date": "2014-04-17T09:00:00+00:00",
        "body": "",
    }
    first = document["patches"][0]
    assert {key: first[key] for key in ("number", "subject", "author", "date", "exactness")} == {
        "number": 1,
        "subject": "mm: one",
        "author": author,
        "date": "2014-04-17T09:01:00+00:00",
        "exactness": "damaged",
    }
    assert first["trailers"][0] == {"key": "Acked-by", "value": "Joe <[email protected]>", "source": "patch"}
    modes: dict[str, object] = {"old_mode": "100644", "new_mode": "100644", "binary": False}
    blobs = {"old_blob": "1234567", "new_blob": "89abcde"}
    assert first["files"] == [
        {"path": "mm/f.c", "old_path": "mm/f.c", "new_path": "mm/f.c", "hunks": 1, "added": 1, "removed": 1}
        | modes
        | blobs
    ]
    assert document["replies"] == [
        {
            "from": {"name": "Joe", "email": ""},
            "date": "2014-04-17T09:09:00+00:00",
            "subject": "Re: [PATCH v5 0/2] mm: do it",
            "to_patch": 0,
            "diff": False,
        }
    ]
    assert document["problems"] == []
    assert [one["number"] for one in kpt("show", "do-it", "--patch", "2", "--json").json["patches"]] == [2]
    assert kpt("list", "--json").json["series"][0]["patches"] == 2


def test_every_kind_of_source(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    box = tmp_path / "thread.mbox"
    box.write_bytes(mbox(*THREAD))
    directory = tmp_path / "patches"
    directory.mkdir()
    for number, mail in enumerate(THREAD[:3]):
        (directory / f"{number}.eml").write_text(mail.rfc5322())
    kpt("import", box, "--name", "from-mbox")
    kpt("import", directory, "--name", "from-directory")
    kpt("import", "-", "--name", "from-stdin", stdin=box.read_bytes())
    kpt("import", directory / "0.eml", directory / "1.eml", directory / "2.eml", "--name", "from-files")
    named = json.loads(kpt("list", "--json").out)["series"]
    expected = dict.fromkeys(("from-mbox", "from-directory", "from-stdin", "from-files"), (2, "intact"))
    assert {one["name"]: (one["patches"], one["exactness"]) for one in named} == expected


def test_a_name_is_made_of_the_title(kpt: Kpt, page: Path) -> None:
    assert kpt("import", page, "--json").json["name"] == "mm-do-it-v5"


def test_importing_again(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    kpt("import", page, "--name", "s")
    assert "nothing changed" in kpt("import", page, "--name", "s").out
    other = tmp_path / "other.mbox"
    other.write_bytes(mbox(*THREAD))
    assert "--force" in kpt("import", other, "--name", "s", status=2).err
    kpt("import", other, "--name", "s", "--force")
    assert kpt("show", "s", "--json").json["patches"][0]["exactness"] == "intact"


def test_choosing_a_series(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    other = [patch(f"[PATCH] net: {word} this", word, minute=i) for i, word in enumerate(("first", "second"), 20)]
    (tmp_path / "box").write_bytes(mbox(*THREAD, *other))
    assert "(--series 2)" in " ".join(kpt("import", "box", "--name", "a").out.split())
    assert kpt("import", "box", "--name", "b", "--series", "second", "--json").json["title"] == "net: second this"
    assert "nothing changed" in kpt("import", "box", "--name", "b", "--series", "second").out
    assert "--force" in kpt("import", "box", "--name", "b", "--series", "first", status=2).err
    assert (
        kpt("import", "box", "--name", "c", "--series", "first@example.org", "--json").json["title"]
        == "net: first this"
    )
    assert "no series matches" in kpt("import", "box", "--name", "d", "--series", "third", status=2).err


def test_a_reply_with_a_patch_is_listed_as_one(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    counter = Mail("Re: [PATCH v5 1/2] mm: one", "Rather:\n\n" + DIFF, "x", "p1", "Joe", "joe@x.org", 9)
    (tmp_path / "box").write_bytes(mbox(*THREAD, counter))
    kpt("import", "box", "--name", "a")
    shown = kpt("show", "a")
    assert "  to 1: Joe, 2014-04-17, with a patch: Rather:" in shown.out
    assert [(one["to_patch"], one["diff"]) for one in kpt("show", "a", "--json").json["replies"]] == [
        (0, False),
        (1, True),
    ]
    assert "+\treturn  2;" in kpt("show", "a", "--patch", "1").out.partition("with a patch")[2]


def test_long_paths_and_trailers_fit_the_terminal(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    long = "drivers/net/ethernet/somebody/long/name/file.c"
    fixes = 'Fixes: 123456789abc ("mm: a title that is about as long as titles are allowed to be, and more")\n'
    (tmp_path / "box").write_bytes(mbox(patch("[PATCH] mm: one", "p", file=long, trailers=fixes)))
    out = kpt("import", "box", "--name", "a").out
    assert [line for line in out.splitlines() if len(line) > 80 and "imported" not in line] == []
    assert f"{long}  +1 -1  1234567..89abcde" in out


BAD = {
    "empty": b"",
    "text": b"hello\n",
    "junk": bytes(range(256)) * 40,
    "no patch": mbox(Mail("Hello", "Hello.\n")),
    "reply only": mbox(Mail("Re: [PATCH] x", "W.\n---\n" + DIFF)),
    "cut gzip": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_changes_nothing(name: str, kpt: Kpt, page: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad\x1b[31m"
    path.write_bytes(BAD[name])
    run = kpt("import", path, status=2)
    assert run.out == ""
    assert len(run.err.splitlines()) == 1
    assert list((tmp_path / "series").iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        mbox(Mail("[PATCH] x", "W.\n---\n" + DIFF.removesuffix("+\treturn  2;\n"))),
        mbox(Mail("[PATCH] x", "W.\n---\n" + DIFF.replace("@@ -1,4", "@@ -1,9"))),
        linuxlists(*THREAD).partition(b"- return 1;")[0],
    ],
)
def test_a_diff_that_does_not_add_up_is_damaged_with_its_place(
    data: bytes, kpt: Kpt, page: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut").write_bytes(data)
    run = kpt("import", tmp_path / "cut", "--name", "s")
    assert "mm/f.c: the text ends in hunk 1 (@@ -1," in " ".join(run.out.split())
    (patch,) = kpt("show", "s", "--json").json["patches"]
    assert patch["exactness"] == "damaged"


def test_other_mistakes(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    for words in (
        ("import", "missing"),
        ("import", "void"),
        ("import", page, "--name", "../x"),
        ("import", page, "--revision", "9"),
        ("show", "missing"),
    ):
        assert len(kpt(*words, status=2).err.splitlines()) == 1
    kpt("import", page, "--name", "s")
    for options in (("--patch", "7"), ("--patch", "7", "--json"), ("--patch", "-1")):
        assert "it has 1-2" in kpt("show", "s", *options, status=2).err
    kpt("import", page, cwd=tmp_path.parent, status=2)


def test_a_broken_series_does_not_hide_the_others(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    kpt("import", page, "--name", "good")
    (tmp_path / "series" / "bad").mkdir()
    (tmp_path / "series" / "bad" / "series.toml").write_text("title = \n")
    lines = kpt("list").out
    assert "good" in lines
    assert "broken" in lines
    assert [one["name"] for one in kpt("list", "--json").json["series"]] == ["bad", "good"]
    assert "not readable as TOML" in kpt("show", "bad", status=2).err


def test_control_characters_are_not_passed_on(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.mbox"
    evil.write_bytes(
        mbox(patch("[PATCH] x \x1b]0;owned\x07 \u202e", "p", trailers="Acked-by: \x1b[31mJoe <joe@x.org>\n"))
    )
    kpt("import", evil, "--name", "evil")
    for words in (("show", "evil"), ("show", "evil", "--patch", "1"), ("list",)):
        out = kpt(*words).out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_show_imports_nothing_heavy(kpt: Kpt, page: Path, tmp_path: Path) -> None:
    kpt("import", page, "--name", "s")
    program = (
        "import sys\nfrom kpatch_tool.cli import main\n"
        "try:\n    main(['show', 's'])\nexcept SystemExit:\n    pass\n"
        "print('heavy:', *({'rich', 'git', 'unidiff', 'asyncio', 'sqlite3', 'email.parser'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_the_next_step_is_of_the_damage(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    text = "Why.\n---\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    quoted = "".join(f"> {line}\n" for line in text.splitlines())
    (tmp_path / "one.patch").write_text(f"From: J <j@x.org>\nSubject: [PATCH] quoted\n\n{quoted}")
    last = kpt("import", "one.patch", "--name", "s").out.splitlines()[-1]
    assert last == "next: kpt restore s --tree NAME undoes the damage"


def test_what_is_done_to_a_file_is_shown(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    long = "a-directory-of-a-long-name" * 2
    moved = (
        f"diff --git a/{long}/f.c b/{long}/g.c\nsimilarity index 100%\nrename from {long}/f.c\nrename to {long}/g.c\n"
    )
    copied = "diff --git a/a.c b/b.c\nsimilarity index 100%\ncopy from a.c\ncopy to b.c\n"
    mode = "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
    gone = "diff --git a/x.c b/x.c\ndeleted file mode 100644\n--- a/x.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    (tmp_path / "one.patch").write_text(
        f"From: J <j@x.org>\nSubject: [PATCH] all\n\nWhy.\n---\n{moved}{copied}{mode}{gone}"
    )
    shown = kpt("import", "one.patch", "--name", "s").out.splitlines()
    assert shown[6:12] == [
        f"     {long}/f.c =>",
        f"         {long}/g.c  +0 -0",
        "     a.c => b.c (copy)  +0 -0",
        "     run (mode change 100644 => 100755)  +0 -0",
        "     x.c (deleted)  +0 -1",
        "problem: no readable date: patch 1",
    ]
    files = kpt("show", "s", "--json").json["patches"][0]["files"]
    assert [(row["old_path"], row["new_path"]) for row in files[1:]] == [("a.c", "b.c"), ("run", "run"), ("x.c", None)]


def test_binary_files_fit_the_terminal(kpt: Kpt, tmp_path: Path) -> None:
    """Their diffs name all 40 digits of both ids."""
    kpt("init")
    ids = f"{'0' * 40}..{'12345678' * 5}"
    head = f"diff --git a/logo.bin b/logo.bin\nnew file mode 100644\nindex {ids}\n"
    diff = f"{head}GIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n"
    (tmp_path / "one.patch").write_text(
        f"From: J <j@x.org>\nSubject: [PATCH] logo\n\nWhy.\n---\n{diff}literal 0\nHcmV?d00001\n\n"
    )
    kpt("import", "one.patch", "--name", "logo")
    shown = kpt("show", "logo").out
    assert "logo.bin (new)  binary  000000000000..123456781234\n" in shown
    files = kpt("show", "logo", "--json").json["patches"][0]["files"]
    assert files[0]["new_blob"] == "12345678" * 5


# root may read anything
_WITHOUT_POWERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


@pytest.mark.parametrize("name", ["series.toml", "source"])
def test_a_series_that_may_not_be_read_is_not_called_another(kpt: Kpt, page: Path, name: str) -> None:
    kpt("import", page, "--name", "s")
    closed = page.parent / "series/s" / name
    mode = closed.stat().st_mode
    closed.chmod(0)
    words = [*_WITHOUT_POWERS, sys.executable, "-m", "kpatch_tool", "import", str(page), "--name", "s"]
    done = subprocess.run(words, cwd=page.parent, capture_output=True, text=True, check=False)
    closed.chmod(mode)
    assert done.returncode == 2
    assert str(closed) in done.stderr
    assert done.stderr.endswith("cannot be read: permission denied; check its permissions\n")
