"""Mail and patches by somebody who means harm: each refused or made harmless, with one line that says so."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpatch_tool import workspace as workspaces
from kpatch_tool.errors import InputError
from kpatch_tool.series.importing import Request, import_request
from kpatch_tool.tree.command import apply_named
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.hostile_patches import HARMLESS, REFUSED, TREE, link, new, series
from tests.mail_fixtures import Mail, mbox

UNSEEN = 's = "\U000e0130\ufff0";'
HIDDEN = "if (admin\u202e /* \u2066begin\u2069 */) {"
ESCAPES = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202eevil\u200b"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a tree `toy` of TREE's files; beside it `toy`, the work tree it was made of."""
    where = tmp_path_factory.mktemp("hostile")
    toy = where / "toy"
    for name, text in TREE.items():
        (toy / name).parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            (toy / name).symlink_to(text[3:])
        else:
            (toy / name).write_text(text)
    as_somebody = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    git("init", "-q", "-b", "main", cwd=toy)
    git("add", "-A", cwd=toy)
    git(*as_somebody, "commit", "-qm", "base", cwd=toy)
    made = workspaces.create(where / "w")
    command = [sys.executable, "-m", "kpatch_tool", "tree", "add", "toy", "--git", str(toy), "--ref", "main"]
    subprocess.run(command, cwd=made.root, check=True, capture_output=True)
    yield made


def state(where: Workspace) -> list[str]:
    """All that there is in and around a workspace, but for the series and kpt's own things, and the tree's refs."""
    top = where.root.parent
    names = [str(path.relative_to(top)) for path in top.rglob("*") if ".kpt" not in path.parts]
    kept = [name for name in names if not name.startswith(("w/series", "w/kernel-trees", "toy/.git", "mails"))]
    return sorted(kept) + git("for-each-ref", cwd=where.trees / "toy.git").splitlines()


def put(where: Workspace, name: str, mails: bytes, *, check: bool = False) -> str:
    """Import and apply; the refusal in one line, or "" where the series was applied."""
    path = where.root.parent / "mails" / f"{name}.mbox"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mails)
    try:
        import_request(where, Request((str(path),), name=name, attest=False))
        outcome = apply_named(where, name, tree="toy", patches=None, check=check, reverse=False).outcome
    except InputError as error:
        return error.line()
    return "; ".join(patch.why for patch in outcome.patches if outcome.conflicts)


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str, place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.root)
    diffs, reason = REFUSED[what]
    before = state(place)
    said = put(place, f"r{list(REFUSED).index(what)}", series(*diffs))
    assert reason in said
    assert said.isprintable()
    assert state(place) == before


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_harmless_becomes_what_git_makes_of_it(
    what: str, place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.root)
    name = f"h{list(HARMLESS).index(what)}"
    assert put(place, name, series(HARMLESS[what])) == ""
    toy = place.root.parent / "toy"
    monkeypatch.setenv("GIT_INDEX_FILE", str(place.root.parent / f"index-{name}"))
    git("read-tree", "main", cwd=toy)
    git("apply", "--cached", "-", cwd=toy, stdin=HARMLESS[what].encode())
    wanted = git("write-tree", cwd=toy)
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert git("rev-parse", f"kpt/{name}^{{tree}}", cwd=place.trees / "toy.git") == wanted


def test_the_command_line_refuses_in_one_line(place: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(series(new(".git/hooks/post-checkout", "#!/bin/sh", mode="100755")))
    shown = kpt("import", path, "--name", "hook", cwd=place.root).out
    assert "problem: patch 1" in shown
    assert "next: " not in shown
    refused = kpt("apply", "hook", "--tree", "toy", cwd=place.root, status=2)
    assert refused.out == ""
    assert refused.err.count("\n") == 1
    assert "refused: a path inside .git; do not apply this series" in refused.err


def test_a_conflict_on_the_right_base_is_not_blamed_on_the_base(place: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(series(link("mm/in", "../kernel"), new("mm/in/below", "int below;")))
    kpt("import", path, "--name", "through", cwd=place.root)
    shown = kpt("apply", "through", "--tree", "toy", cwd=place.root, status=1)
    assert "commit that fits" not in shown.out + shown.err


def test_hidden_characters_are_a_finding(place: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(
        series(new("mm/ok.c", "int ok;"), new("mm/h.c", "int a;", HIDDEN, "\ta = 1; /*\x08\x08 */", UNSEEN))
    )
    told = "mm/h.c:2 adds U+202E RIGHT-TO-LEFT OVERRIDE, U+2066 LEFT-TO-RIGHT ISOLATE, U+2069 POP DIRECTIONAL ISOLATE"
    control = "mm/h.c:3 adds U+0008 (a control character)"
    unseen = "mm/h.c:4 adds U+FFF0 (not assigned), U+E0130 VARIATION SELECTOR-65"
    kpt("import", path, "--name", "trojan", cwd=place.root)
    problems = kpt("show", "trojan", "--json", cwd=place.root).json["problems"]
    assert problems == [f"patch 2: {told}", f"patch 2: {control}", f"patch 2: {unseen}"]
    whole = kpt("show", "trojan", "--patch", "2", cwd=place.root).out
    assert "if (admin\\u202e /* \\u2066begin\\u2069 */) {" in whole
    checked = kpt("apply", "trojan", "--tree", "toy", "--check", cwd=place.root, status=1)
    assert "finding: mm/h.c:2 adds U+202E" in checked.out
    document = kpt("apply", "trojan", "--tree", "toy", "--check", "--json", cwd=place.root, status=1).json
    assert [patch["hidden"] for patch in document["patches"]] == [[], [told, control, unseen]]
    assert [patch["status"] for patch in document["patches"]] == ["clean", "clean"]
    made = kpt("apply", "trojan", "--tree", "toy", "--json", cwd=place.root, status=1).json
    assert git("rev-parse", "kpt/trojan", cwd=place.trees / "toy.git") == made["head"]
    back = ("apply", "trojan", "--tree", "toy", "--onto", "kpt/trojan", "--reverse", "--check", "--json")
    assert [patch["hidden"] for patch in kpt(*back, cwd=place.root).json["patches"]] == [[], []], "taken out, not added"


def test_nothing_acts_on_the_terminal(place: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """Escapes in every field of a mail, and in every place of a diff that is shown."""
    body = f"{ESCAPES}\n\nReviewed-by: {ESCAPES} <a@b.c>\n---\n{ESCAPES}\n"
    diff = (
        "diff --git a/mm/f.c b/mm/f.c\n--- a/mm/f.c\n+++ b/mm/f.c\n"
        f"@@ -1,3 +1,4 @@ {ESCAPES}\n a\n+{ESCAPES}\n b\n-{ESCAPES}\n+c\n"
    )
    mails = (
        Mail(f"[PATCH 0/1] {ESCAPES}", f"{ESCAPES}\n", "c", name=ESCAPES),
        Mail(f"[PATCH 1/1] {ESCAPES}", body + diff, "p", "c", name=ESCAPES),
        Mail(f"Re: [PATCH 1/1] {ESCAPES}", f"{ESCAPES}\nAcked-by: {ESCAPES} <b@b.c>\n", "r", "p", name=ESCAPES),
    )
    path = tmp_path / "m.mbox"
    path.write_bytes(mbox(*mails))
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("import", path, "--name", "esc"), ("list",), ("show", "esc"), ("show", "esc", "--patch", "0"),
        ("show", "esc", "--patch", "1"), ("deps", "esc"), ("apply", "esc", "--tree", "toy", "--check"),
        ("show", "esc", "--json"), ("deps", "esc", "--json"), ("apply", "esc", "--tree", "toy", "--check", "--json"),
        ("index", path), ("index", path, "--json"),
    )  # fmt: skip
    for command in commands:
        done = kpt(*command, cwd=place.root, status=None)
        for text in (done.out, done.err):
            acting = {sign for sign in text if not sign.isprintable()} - set("\n\t")
            assert not acting, (command, acting)
        if "--json" in command:
            assert json.loads(done.out)["kpt"] == 1
    assert kpt("show", "esc", "--json", cwd=place.root).json["patches"][0]["files"][0]["path"] == "mm/f.c"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(bytes(64 << 20)), "more than 64 times its size"),
        (series("".join(f"diff --git a/d/{n} b/d/{n}\nnew file mode 100644\n" for n in range(60_000))), "50,000 files"),
    ],
    ids=["bomb", "files"],
)
def test_what_is_too_much(data: bytes, reason: str, place: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    path = tmp_path / "m.mbox"
    path.write_bytes(data)
    refused = kpt("import", path, "--name", "much", cwd=place.root, status=2)
    assert reason in refused.err
    assert refused.err.count("\n") == 1
    assert not os.path.lexists(place.series / "much")


@pytest.mark.parametrize(
    "diff",
    ["@@ -1 +1,N @@", "@@ -N +1 @@", "@@ -1,N +N,N @@", "similarity index N%\n@@ -1 +1 @@",
     "@@ -1 +1 @@\n-a\n+a\n@@ -N,N +N,N @@", "GIT binary patch\nliteral N"],
)  # fmt: skip
def test_numbers_of_any_length(diff: str, place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python refuses to read one of more than 4300 digits, by an error that nobody expects."""
    monkeypatch.chdir(place.root)
    long = "9" * 5000
    text = f"diff --git a/mm/f.c b/mm/f.c\n{diff}\n-a\n+b\n".replace("N", long)
    mails = series(text).replace(b"do 1", b"v%b 1/%b" % (long.encode(), long.encode()))
    put(place, "numbers", mails.replace(b"Why.", b"Depends on patch %b/%b." % (long.encode(), long.encode())))


HOOKS = ("pre-commit", "post-checkout", "post-merge", "pre-auto-gc", "post-index-change", "reference-transaction",
         "fsmonitor-watchman", "pre-receive", "update", "post-update", "pre-push", "post-rewrite")  # fmt: skip


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    """A repository whose own settings name a program, `ran`, for whatever git may run when it reads."""
    repository, evil = tmp_path / "armed", tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho $0 >> {tmp_path}/ran\nexit 1\n")
    evil.chmod(0o755)
    git("init", "-q", "-b", "main", str(repository), cwd=tmp_path)
    (repository / ".gitattributes").write_text("*.c filter=evil diff=evil\n")
    for text in ("old", "new"):
        (repository / "f.c").write_text(f"int {text};\n")
        git("add", "-A", cwd=repository)
        git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", text, cwd=repository)
    head = git("cat-file", "commit", "HEAD", cwd=repository).replace("\n\n", "\ngpgsig x\n\n", 1) + "\n"
    signed = git("hash-object", "-t", "commit", "-w", "--stdin", cwd=repository, stdin=head.encode())
    git("update-ref", "refs/heads/main", signed, cwd=repository)
    (repository / "f.c").write_text("int new;\n")  # of another time: git status asks the filter what is in it
    programs = ("core.fsmonitor", "core.sshCommand", "gpg.program", "diff.external", "diff.evil.command",
                "diff.evil.textconv", "filter.evil.clean", "filter.evil.process", "filter.evil.smudge", "core.pager",
                "core.editor", "core.askPass", "core.gitProxy", "core.alternateRefsCommand", "credential.helper",
                "uploadpack.packObjectsHook", "gpg.ssh.program", "trailer.x.command", "diff.guitool",
                "merge.evil.driver", "interactive.diffFilter", "sequence.editor", "remote.o.uploadpack",
                "pager.log")  # fmt: skip
    aliases = ("status", "log", "rev-parse", "clone", "format-patch", "config", "merge-base", "rev-list")
    others = {"log.showSignature": "true", "core.repositoryFormatVersion": "1", "extensions.partialClone": "o",
              "remote.o.promisor": "true", "remote.o.url": "ssh://localhost/x"}  # fmt: skip
    others |= {f"alias.{name}": f"!{evil}" for name in aliases} | {"core.hooksPath": str(tmp_path / "hooks")}
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=evil diff=evil merge=evil\n")
    for place in (tmp_path / "hooks", repository / ".git/hooks"):
        place.mkdir(exist_ok=True)
        for hook in HOOKS:
            (place / hook).symlink_to(evil)
    for key, value in {**dict.fromkeys(programs, str(evil)), **others}.items():
        git("config", key, value, cwd=repository)
    return repository


def test_no_program_of_a_repository_is_run(place: Workspace, kpt: Kpt, armed: Path) -> None:
    top = place.root
    kpt("tree", "add", "armed-dir", "--dir", armed, cwd=top)
    kpt("tree", "add", "armed-git", "--git", armed, "--ref", "main", cwd=top)
    kpt("tree", "add", "armed-url", "--git", f"file://{armed}", "--ref", "main", cwd=top, status=None)
    kpt("suite", "add", "armed", "--git", armed, cwd=top, status=2)
    kpt("import", "--git", armed, "main~1..main", "--name", "armed", cwd=top)
    wanted = top / "wanted.patch"
    wanted.write_text("--- a/f.c\n+++ b/f.c\n@@ -1 +1 @@\n-int none;\n+int x;\n")
    kpt("import", wanted, "--name", "wanted", cwd=top)
    kpt("base", "wanted", "--tree", "armed-git", cwd=top, status=None)  # looks at the signed commits, too
    blob = git("rev-parse", "main:f.c", cwd=armed)
    (armed / ".git/objects" / blob[:2] / blob[2:]).unlink()
    failed = kpt("import", "--git", armed, "main~1..main", "--name", "lazy", cwd=top, status=3)
    assert "git log -p" in failed.err
    assert not (armed.parent / "ran").exists()
