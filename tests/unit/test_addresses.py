"""What pasted URLs and message ids mean."""

from __future__ import annotations

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail.addresses import File, Mail, parse

ID = "20140417.1@x.org"
LORE = "https://lore.kernel.org"


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        (ID, Mail(ID)),
        (f"<{ID}>", Mail(ID)),
        (f" msgid:{ID} ", Mail(ID)),
        (f"id:<{ID}>", Mail(ID)),
        (f"Message-ID: <{ID}>", Mail(ID)),
        (f"{LORE}/kvm/{ID}/", Mail(ID, f"{LORE}/kvm")),
        (f"{LORE}/kvm/{ID}", Mail(ID, f"{LORE}/kvm")),
        (f"<{LORE}/kvm/{ID}/T/#u>", Mail(ID, f"{LORE}/kvm")),
        (f"{LORE}/all/{ID}/t/#m0123", Mail(ID, f"{LORE}/all")),
        (f"{LORE}/all/{ID}/t.mbox.gz", Mail(ID, f"{LORE}/all")),
        (f"{LORE}/all/{ID}/raw", Mail(ID, f"{LORE}/all", whole_thread=False)),
        (f"{LORE}/all/20140417.1%40x.org/", Mail(ID, f"{LORE}/all")),
        (f"{LORE}/r/{ID}", Mail(ID)),
        (f"https://lkml.kernel.org/r/{ID}", Mail(ID)),
        (f"https://patch.msgid.link/{ID}", Mail(ID)),
        (f"http://127.0.0.1:80/a/b/{ID}/", Mail(ID, "http://127.0.0.1:80/a/b")),
        (f"https://inbox.example/{ID}/T/", Mail(ID, "https://inbox.example")),
        ("https://www.mail-archive.com/kvm@v.org/", File("https://www.mail-archive.com/kvm@v.org/")),
        (f"https://linuxlists.cc/l/1/k/permalink/%3C{ID}%3E", File(f"https://linuxlists.cc/l/1/k/permalink/%3C{ID}%3E")),
        ("https://lkml.iu.edu/hypermail/1.html#a", File("https://lkml.iu.edu/hypermail/1.html")),
        (f"https://patchwork.x.org/project/kvm/patch/{ID}/", File(f"https://patchwork.x.org/project/kvm/patch/{ID}/mbox/")),
        ("https://patchwork.kernel.org/series/5/mbox/", File("https://patchwork.kernel.org/series/5/mbox/")),
        (f"https://patchew.org/QEMU/{ID}/", File(f"https://patchew.org/QEMU/{ID}/mbox")),
        (f"https://patchew.org/QEMU/{ID}/mbox", File(f"https://patchew.org/QEMU/{ID}/mbox")),
        ("https://github.com/t/linux/commit/0123abc", File("https://github.com/t/linux/commit/0123abc.patch")),
        ("HEAD@{1}..HEAD", None),
        ("v5.1..v5.2", None),
        ("file.mbox", None),
        ("", None),
        ("with/slash@x", Mail("with/slash@x")),
        ("two words@x", None),
    ],
)  # fmt: skip
def test_meaning(source: str, meant: Mail | File | None) -> None:
    assert parse(source) == meant


@pytest.mark.parametrize(
    "source", ["https://", "http://[::1", "https://exa mple/", "ftp://x/y", "https://x:y/", "file:///etc"]
)
def test_what_cannot_be_fetched(source: str) -> None:
    with pytest.raises(InputError, match="not a URL"):
        parse(source)
