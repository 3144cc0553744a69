"""kpt import of URLs and message ids, against a real server that speaks public-inbox."""

from __future__ import annotations

import os
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpatch_tool.errors import MachineError
from kpatch_tool.mail import download
from tests.conftest import Kpt
from tests.inbox_server import InboxServer, serving
from tests.mail_fixtures import DIFF, Mail, mbox, patch

THREAD = [
    Mail("[PATCH 0/2] mm: do it", "Text.\n", "c"),
    patch("[PATCH 1/2] mm: one", "p1", minute=1, reply_to="c"),
    patch("[PATCH 2/2] mm: two", "p2", minute=2, reply_to="c"),
]


@pytest.fixture
def server(kpt: Kpt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InboxServer]:
    """A server with the thread; the workspace in tmp_path asks it for message ids."""
    kpt("init")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(*THREAD) as server:
        (tmp_path / "kpt.toml").write_text(f'kpt = 1\n[mail]\nlore = "{server.url}/all"\n')
        yield server


@pytest.mark.parametrize(
    "form", ["{id}", "<{id}>", "msgid:{id}", "{url}/all/{id}/", "{url}/all/{id}/T/#u", "{url}/all/{id}/t.mbox.gz"]
)
def test_a_thread(form: str, kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    source = form.format(id="p1@example.org", url=server.url)
    shown = kpt("import", source, "--name", "s", "--json").json
    assert [one["subject"] for one in shown["patches"]] == ["mm: one", "mm: two"]
    table = tomllib.loads((tmp_path / "series/s/series.toml").read_text())
    assert table["from"] == [f"{server.url}/all/p1@example.org/"]
    assert (tmp_path / "series/s/source/p1@example.org.mbox").read_bytes() == mbox(*THREAD)
    assert any((tmp_path / ".kpt/cache/lore").iterdir())


def test_a_thread_is_asked_for_once_in_a_while(kpt: Kpt, server: InboxServer) -> None:
    for _ in range(2):
        kpt("import", "c@example.org", "--name", "s")
    assert [line for line in server.asked if "t.mbox.gz" in line] == ["GET /all/c%40example.org/t.mbox.gz"]


def test_one_mail(kpt: Kpt, server: InboxServer) -> None:
    shown = kpt("import", f"{server.url}/all/p2@example.org/raw", "--json").json
    assert [one["number"] for one in shown["patches"]] == [2]


def test_other_urls_are_read_as_files(kpt: Kpt, server: InboxServer) -> None:
    server.files["/series/5/mbox/"] = mbox(*THREAD)
    server.files["/page.html"] = b"<html><body>Hello</body></html>"
    assert len(kpt("import", f"{server.url}/series/5/mbox/", "--name", "a", "--json").json["patches"]) == 2
    error = kpt("import", f"{server.url}/page.html", status=2).err
    assert "no mail and no patch" in error
    assert f"{server.url}/page.html" in error


def test_a_file_of_that_name_wins(kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    (tmp_path / "p1@example.org").write_bytes(mbox(patch("[PATCH] from the file", "f")))
    assert kpt("import", "p1@example.org", "--json").json["title"] == "from the file"
    assert server.asked == []


FAULTS = {
    "500": (3, "answers with an error (HTTP 500)"),
    "denied": (3, "does not let kpt in (HTTP 403)"),
    "slow": (3, "did not answer in time"),
    "drip": (3, "did not answer in time"),
    "cut": (3, "cut short"),
    "page": (3, "a page instead of mail"),
    "robots": (3, "a check for robots instead of mail"),
    "bomb": (2, "too large unpacked"),
    "loop": (3, "redirects without end"),
    "downgrade": (3, "redirects"),
    "to a file": (3, "redirects from http to file"),
    "to no address": (3, "redirects to what is no address"),
    "to no text": (3, "redirects to what is no address"),
    "to no name": (2, "not a URL that can be fetched"),
    "nested": (2, "larger than 256 MB"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_in_one_line(fault: str, kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    server.fault = fault
    status, what = FAULTS[fault]
    start = time.monotonic()
    run = kpt("import", "c@example.org", "--timeout", "2" if fault in ("slow", "drip") else "20", status=status)
    assert time.monotonic() - start < 15
    assert what in run.err
    assert "; " in run.err  # what to do
    assert len(run.err.splitlines()) == 1
    assert (run.out, list((tmp_path / "series").iterdir())) == ("", [])


def test_no_such_message_and_no_server(kpt: Kpt, server: InboxServer) -> None:
    error = kpt("import", "missing@example.org", status=2).err
    assert f"no such message on 127.0.0.1:{server.server_port}" in error
    assert "no such page on" in kpt("import", f"{server.url}/nothing", status=2).err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert "cannot be reached" in kpt("import", f"http://127.0.0.1:{port}/all/a@b/", status=3).err
    proxy = {"https_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""}
    assert "the proxy" in kpt("import", "https://lore.example/all/a@b/", status=3, env=proxy).err
    error = kpt("import", "https://lore.invalid/all/a@b/", "--timeout", "10", status=3).err
    assert "no address for" in error or "in time" in error  # as fast as the machine's resolver


def test_a_certificate_nobody_signed(kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    """TLS against the plain server fails as TLS, not as a broken connection."""
    error = kpt("import", f"https://127.0.0.1:{server.server_port}/all/a@b/", status=3).err
    assert "certificate" in error or "TLS" in error


def test_the_configuration(kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    (tmp_path / "kpt.toml").write_text("kpt = 1\n")
    with Path(os.environ["GIT_CONFIG_GLOBAL"]).open("a") as config:
        config.write(f"[b4]\n\tmidmask = {server.url}/all/%s\n")
    assert len(kpt("import", "c@example.org", "--name", "a", "--json").json["patches"]) == 2
    with Path(os.environ["GIT_CONFIG_GLOBAL"]).open("a") as config:
        config.write(f'[liblore "{server.url}"]\n\tuseragentplus = mine\n')
    kpt("import", "p2@example.org", "--name", "b")
    assert [agent.partition("/")[0] for agent in server.agents] == ["kpt", "kpt"]
    assert server.agents[-1].endswith("+mine")
    for address in ("nonsense", "http://[bad", "http://x:99999999/", "file:///etc/passwd", "https://\\u001b[2J"):
        (tmp_path / "kpt.toml").write_text(f'[mail]\nlore = "{address}"\n')
        assert "is no URL" in kpt("import", "c@example.org", status=2).err
    (tmp_path / "kpt.toml").write_text(f"x = {'[' * 5000}")
    assert "cannot be read" in kpt("import", "c@example.org", status=2).err
    (tmp_path / "kpt.toml").write_text("[mail\n")
    assert "cannot be read" in kpt("import", "c@example.org", status=2).err


def test_the_patch_is_the_one_sent(kpt: Kpt, server: InboxServer, tmp_path: Path) -> None:
    kpt("import", "c@example.org", "--name", "s")
    assert DIFF in (tmp_path / "series/s/0001-mm-one.patch").read_text()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "2130706433", "0x7f.1", "127.1", "10.0.0.1",
             "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "0.0.0.0"]
)  # fmt: skip
def test_a_public_server_cannot_send_kpt_to_a_private_one(host: str) -> None:
    with pytest.raises(MachineError, match="an address of a private network"):
        download._check_redirect("https://1.1.1.1/t.mbox.gz", f"https://{host}/x")
    download._check_redirect("https://127.0.0.1/t.mbox.gz", f"https://{host}/x")
    download._check_redirect("https://1.1.1.1/t.mbox.gz", "https://9.9.9.9/x")
