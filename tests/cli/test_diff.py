"""`kpt diff`: revisions of a thread, pages against mails, colours, reviews that carry over."""

from __future__ import annotations

import re
from pathlib import Path

from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt
from tests.mail_fixtures import Mail, linuxlists, mbox

DIFF_OF = """diff --git a/mm/{0}.c b/mm/{0}.c
index 1234567..89abcde 100644
--- a/mm/{0}.c
+++ b/mm/{0}.c
@@ -1,4 +1,4 @@ int {0}(void)
 {{
 \tint a;

-\treturn {0};
+\treturn {1};
"""


def _mail(version: int, number: int, name: str, result: str, *, trailers: str = "", minute: int = 0) -> Mail:
    tag = f"PATCH v{version}" if version > 1 else "PATCH"
    body = f"Why {name}.\n\n{trailers}Signed-off-by: Jane Doe <jane@example.org>\n---\n\n"
    text = body + DIFF_OF.format(name, result) + "-- \n2.39.5\n"
    return Mail(f"[{tag} {number}/2] mm: {name}", text, f"v{version}p{number}", f"v{version}c", minute=minute)


def _thread() -> list[Mail]:
    reviewed = "Reviewed-by: Joe <joe@x.org>\n"
    return [
        Mail("[PATCH 0/2] mm: do it", "Text.\n", "v1c"),
        _mail(1, 1, "f", "1", minute=1),
        _mail(1, 2, "g", "2", minute=2),
        Mail("Re: [PATCH 0/2] mm: do it", reviewed, "r1", "v1c", "Joe", "joe@x.org", 5),
        Mail("Re: [PATCH 1/2] mm: f", "Tested-by: Ann <ann@x.org>\n", "r2", "v1p1", "Ann", "ann@x.org", 6),
        Mail("[PATCH v2 0/2] mm: do it", "Text.\n", "v2c", "v1c", minute=10),
        _mail(2, 1, "g", "3", minute=11),
        _mail(2, 2, "f", "1", trailers=reviewed, minute=12),
    ]


def test_revisions_of_one_thread_and_reviews_that_hold(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "t.mbox").write_bytes(mbox(*_thread()))
    kpt("import", "t.mbox", "--name", "s")
    document = kpt("diff", "s@1", "s", "--json").json
    assert document["kpt"] == 1
    assert (document["a"], document["b"]) == ({"name": "s", "revision": 1}, {"name": "s", "revision": 2})
    said = [(pair["a"], pair["b"], pair["change"], pair["moved"]) for pair in document["pairs"]]
    assert sorted(said) == [(1, 2, "trailers", False), (2, 1, "changed", True)] or sorted(said) == [
        (1, 2, "trailers", True),
        (2, 1, "changed", False),
    ]
    tested = [{"key": "Tested-by", "value": "Ann <ann@x.org>"}]
    assert document["carry_over"] == [{"patch": 2, "from": 1, "trailers": tested}]
    assert kpt("diff", "s@v1", "series/s@2", "--json").json["pairs"] == document["pairs"]
    assert "   2  Tested-by: Ann <ann@x.org> (from 1 of A)" in kpt("diff", "s@1", "s").out
    assert "there is: 1, 2" in kpt("diff", "s@3", "s", status=2).err
    assert "no such series" in kpt("diff", "t@1", "s", status=2).err


def test_a_page_against_the_mails(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    """What a page lost is no difference; what changed is one, and the page is named."""
    mails = _thread()
    (tmp_path / "t.mbox").write_bytes(mbox(*mails[:3]))
    (tmp_path / "page.txt").write_bytes(linuxlists(*mails[:3]))
    (tmp_path / "changed.txt").write_bytes(linuxlists(mails[0], mails[1], _mail(1, 2, "g", "7", minute=2)))
    kpt("import", "t.mbox", "--name", "mails")
    kpt("import", "page.txt", "--name", "page")
    kpt("import", "changed.txt", "--name", "changed")
    pairs = kpt("diff", "mails", "page", "--json").json["pairs"]
    assert [(pair["change"], pair["squeezed"]) for pair in pairs] == [("unchanged", True)] * 2
    pairs = kpt("diff", "page", "changed", "--creation-factor", "100", "--json").json["pairs"]
    assert [pair["change"] for pair in pairs] == ["unchanged", "changed"]
    assert "white space squeezed" in kpt("diff", "mails", "changed", "--creation-factor", "100").out


def test_foreign_text_is_made_safe(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(mbox(_mail(1, 1, "f", "\x1b[31m1")))
    (tmp_path / "b.mbox").write_bytes(mbox(_mail(1, 1, "f", "\x1b]0;x\x072")))
    kpt("import", "a.mbox", "--name", "a")
    kpt("import", "b.mbox", "--name", "b")
    assert "\x1b" not in kpt("diff", "a", "b").out


def test_colours_only_where_wanted(kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    for name, result in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.mbox").write_bytes(mbox(_mail(1, 1, "f", result)))
        kpt("import", f"{name}.mbox", "--name", name)
    words = ("diff", "a", "b", "--creation-factor", "100")
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    out = kpt(*words, env=forced).out
    assert re.search(r"\x1b\[[0-9;]+m-\x1b\[0m\x1b\[[0-9;]+m\+", out)  # outer and inner sign, each in its colour
    plain = kpt(*words).out
    assert "\x1b" not in plain + kpt(*words, env={**forced, "NO_COLOR": "1"}).out
    assert "    -+\treturn 1;\n    ++\treturn 2;\n" in plain
    rows = kpt(*words, "--no-patch").out
    assert "return" not in rows
    assert all(len(line) <= 80 for line in rows.split("\n"))
