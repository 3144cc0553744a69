"""kpt index, and kpt import of large mailboxes, on the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Kpt
from tests.mail_fixtures import Mail, mbox, thread


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A mailbox of three series; the second lacks a patch."""
    path = tmp_path / "list.mbox"
    second = [mail for mail in thread(2, day=2) if mail.id != "p2.2"]
    path.write_bytes(mbox(*thread(1), *second, *thread(3, 1, day=3), Mail("hello", "Text.\n", "h")))
    return path


def test_list(kpt: Kpt, box: Path) -> None:
    shown = kpt("index", box).out.splitlines()
    assert [line.split()[:4] for line in shown[:3]] == [
        ["1", "2014-04-17", "v1", "3/3"],
        ["2", "2014-04-17", "v1", "2/3"],
        ["3", "2014-04-17", "v1", "1/1"],
    ]
    assert shown[0].endswith("Jane 1             mm: thing 1")
    assert shown[3] == "3 series in 13 messages"
    assert not (box.parent / ".kpt").exists()


def test_json(kpt: Kpt, box: Path) -> None:
    document = kpt("index", box, "--json").json
    assert (document["kpt"], document["messages"]) == (1, 13)
    assert document["series"][1] == {
        "number": 2,
        "title": "mm: thing 2",
        "revision": 1,
        "author": {"name": "Jane 2", "email": "j2@x.org"},
        "date": "2014-04-17T09:02:00+00:00",
        "patches": [1, 3],
        "total": 3,
        "cover": True,
        "message_id": "c2@example.org",
        "complete": False,
    }
    assert kpt("index", box, "--json", "--author", "nobody").json["series"] == []


def test_filters(kpt: Kpt, box: Path) -> None:
    def numbers(*options: str) -> list[str]:
        return [line.split()[0] for line in kpt("index", box, *options).out.splitlines()[:-1]]

    assert numbers("--author", "JANE 2") == ["2"]
    assert numbers("--subject", "thing 3") == ["3"]
    assert numbers("--since", "2014-04-17", "--until", "2014-04-17") == ["1", "2", "3"]
    assert numbers("--since", "2014-04-18") == numbers("--until", "2014-04-16") == []


def test_the_second_run_reads_nothing(kpt: Kpt, box: Path) -> None:
    kpt("init")
    assert "reading list.mbox" in kpt("index", box).err
    assert kpt("index", box).err == ""


def test_errors(kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert kpt("index", "empty", status=2).err.endswith(
        "empty: the file is empty; give mail, or the page of an archive\n"
    )
    assert "no such file" in kpt("index", "nothing", status=2).err


def test_a_file_that_is_no_mail_is_named_safely(kpt: Kpt, box: Path, tmp_path: Path) -> None:
    directory = tmp_path / "mails"
    directory.mkdir()
    (directory / "list.mbox").write_bytes(box.read_bytes())
    (directory / "no\nmail").write_text("Hello.\n")
    said = [line for line in kpt("index", directory).err.splitlines() if "no mail" in line]
    assert len(said) == 1 and "/mails/no\\x0amail: no mail and no patch found" in said[0]


@pytest.mark.parametrize("pick", ["2", "p2.1@example.org", "<r2@example.org>", "THING 2"])
def test_import_from_a_large_mailbox(kpt: Kpt, box: Path, tmp_path: Path, pick: str) -> None:
    """Only the thread is kept, its bytes as they are in the mailbox."""
    kpt("init")
    text = box.read_bytes()
    box.write_bytes(text + b"\n" * (65 << 20))
    shown = kpt("import", box, "--series", pick, "--name", "two", "--no-attest", "--json").json
    assert [patch["subject"] for patch in shown["patches"]] == ["mm: thing 2.1", "mm: thing 2.3"]
    assert len(shown["replies"]) == 1
    (kept,) = (tmp_path / "series/two/source").iterdir()
    first, last = text.index(b"From mboxrd@z", text.index(b"r1@example.org")), text.index(b"thing 3")
    assert kept.read_bytes() == text[first : text.rindex(b"From mboxrd@z", 0, last)]
    assert kpt("show", "two").status == 0


def test_import_names_what_there_is_to_choose(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*(mail for number in range(9) for mail in thread(number))) + b"\n" * (65 << 20))
    refused = kpt("import", path, status=2).err
    assert "choose with --series" in refused
    assert "Traceback" not in refused
    assert "several series match" in kpt("import", path, "--series", "thing", status=2).err
    for pick in ("10", "9" * 30):
        assert "no series matches" in kpt("import", path, "--series", pick, status=2).err
    assert "no revision 2" in kpt("import", path, "--series", "4", "--revision", "2", status=2).err


def test_killed_while_reading(kpt: Kpt, tmp_path: Path) -> None:
    """A run that is killed leaves nothing that the next one trips over."""
    kpt("init")
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*(mail for number in range(1500) for mail in thread(number))))
    command = [sys.executable, "-m", "kpatch_tool", "index", path.name]
    for wait in (0.25, 0.35, 0.5):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(wait)
            os.kill(process.pid, signal.SIGKILL)
    assert kpt("index", path).out.splitlines()[-1] == "1500 series in 7500 messages"


def test_two_at_once(kpt: Kpt, tmp_path: Path) -> None:
    kpt("init")
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*(mail for number in range(300) for mail in thread(number))))
    command = [sys.executable, "-m", "kpatch_tool", "index", path.name]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [process.communicate(timeout=60)[0].splitlines()[-1] for process in both]
    assert ends == ["300 series in 1500 messages"] * 2
