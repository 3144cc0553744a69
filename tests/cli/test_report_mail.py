"""`kpt report --format mail`: the answer of a reviewer, as git send-email, git mailinfo and kpt itself read it."""

from __future__ import annotations

import email
import email.policy
import re
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from kpatch_tool.mail.message import Address
from kpatch_tool.results.record import RunRecord
from kpatch_tool.results.store import Store
from kpatch_tool.running.pipeline import run
from kpatch_tool.series.directory.store import load
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.people.given import of_reply
from kpatch_tool.suites.model import StateTests
from kpatch_tool.workspace import Workspace
from tests import report_records as records
from tests.answered_thread import WHO, thread
from tests.conftest import REPO_ROOT, Kpt, git
from tests.results_fixtures import FakeSteps, Recorder, make_applied, make_build, make_tests, renamed


@pytest.fixture
def imported(kpt: Kpt, workspace: Workspace) -> Series:
    (workspace.root / "t.mbox").write_text(thread())
    kpt("import", "t.mbox", "--name", "demo")
    return load(workspace.series / "demo")


def written(kpt: Kpt, workspace: Workspace, record: RunRecord) -> EmailMessage:
    with Store(workspace) as store:
        store.record_run(record)
    path = workspace.root / "draft.txt"
    kpt("report", "demo", "--format", "mail", "-o", path)
    read = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(read, EmailMessage) and not read.defects
    assert all(not field.defects for field in read.values())
    return read


def body(draft: EmailMessage) -> str:
    return str(draft.get_content())


def test_all_is_well(kpt: Kpt, workspace: Workspace, imported: Series) -> None:
    draft = written(kpt, workspace, records.clean(imported))
    assert draft["Subject"] == "Re: [PATCH v5 0/3] KVM: do all of it"
    assert draft["From"] == "Test Person <test@example.org>"
    assert draft["To"] == WHO
    assert draft["Cc"] == 'kvm@vger.example.org, "Doe, Jane" <jane@example.org>, lkml@vger.example.org'
    assert (draft["In-Reply-To"], draft["References"]) == ("<c@example.org>", "<c@example.org>")
    text = body(draft)
    assert text.startswith(
        "On Thu, 17 Apr 2014 09:00:00 +0200, Jürgen Dœ wrote:\n> It does it.\n> Really.\n> [...]\n\n"
        "Tested-by: Test Person <test@example.org>\n\ndemo applies to toy; all 3 patches build"
    )
    for fact in ("Tree:          toy, base 0000", "x86_64", "TCG (", "kut (4 cases on the base)"):
        assert fact in text
    assert max(map(len, text.splitlines())) <= 72
    taken = of_reply(text, Address("Test Person", "test@example.org")).taken
    assert [(one.key, one.value) for one in taken] == [("Tested-by", "Test Person <test@example.org>")]


def draft_of(kpt: Kpt, workspace: Workspace, series: Series, *tests: StateTests) -> str:
    """The body of the draft on a run with these results, base first."""
    built = {number: make_build(number, module=str(number)) for number in range(len(tests))}
    steps = FakeSteps(make_applied(series), built, {one.patch: (one,) for one in tests})
    return body(written(kpt, workspace, run(series, steps, Recorder())))


def test_what_an_earlier_patch_broke_is_not_told_of_the_later_ones(
    kpt: Kpt, workspace: Workspace, imported: Series
) -> None:
    """Patch 1 breaks a, and every state behind it shows that; only patch 3 breaks b."""
    first = (make_tests(0, "a=pass", "b=pass"), *(make_tests(number, "a=fail", "b=pass") for number in (1, 2)))
    text = draft_of(kpt, workspace, imported, *first, make_tests(3, "a=fail", "b=fail"))
    assert "With this patch 1 case of kut no longer passes:\n\n  a: pass, now fail\n" in text
    assert "Found further on:\n\n  patch 3, test: 1 worse (b: pass, now fail)\n\n" in text
    assert "further on" not in draft_of(kpt, workspace, imported, *first, make_tests(3, "a=fail", "b=pass"))


def test_a_state_that_does_not_boot_is_told_once(kpt: Kpt, workspace: Workspace, imported: Series) -> None:
    base, dead = make_tests(0, "a=pass"), [make_tests(number, status="failed", why="no boot") for number in (1, 2, 3)]
    assert "further on" not in draft_of(kpt, workspace, imported, base, *dead)
    text = draft_of(kpt, workspace, imported, base, make_tests(1, "a=fail"), *dead[1:])
    assert "Found further on:\n\n  patch 2, test: FAILED\n\n" in text


FAILING: dict[str, tuple[Callable[[Path, Series], RunRecord], int, tuple[str, ...]]] = {
    "build": (
        records.build_failure, 2,
        (
            "> +++ b/arch/x86/kvm/mmu.c\n> @@ -9,4 +9,5 @@ static void bar(void)\n>  {\n>  \tint r;\n>\n> +\tfoo();\n",
            "With this patch toy does not build:\n\n  arch/x86/kvm/mmu.c:12: implicit declaration of function 'foo'",
            "From the log of make:\n",
            "  arch/x86/kvm/mmu.c:12:9: error: implicit declaration of function 'foo'\n",
            "Found further on:\n\n  patch 3, build: 1 warning\n",
        ),
    ),
    "test": (
        records.regressions, 2,
        (
            "> Why it does two.\n\n",
            "With this patch 2 cases of kut no longer pass:\n\n"
            "  vmexit: pass, now fail (1 unexpected)\n  vmexit: vmcall: pass, now fail\n",
            "  FAIL: vmcall: \\x1b[31mreturned -1\n",
            "  patch 3, test: 3 worse",
        ),
    ),
    "kernel": (
        records.complaining, 2,
        (
            "From the log of the kernel:\n\n  [    0.000092] ACPI: no error 92\n",
            "  [    1.000000] WARNING: CPU: 1 PID: 7 at arch/x86/kvm/mmu.c:9 f+0x1/0x2 [kvm]\n  Call Trace:\n",
            "   g29+0x1/0x2 [kvm]\n  ---[ end trace 0 ]---\n",
        ),
    ),
    "conflict": (
        lambda _, series: records.conflict(series), 2,
        ("This patch does not apply to toy: it is conflict.\n\n  arch/x86/kvm/mmu.c: hunk 2 of 3 does not fit\n",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILING)
def test_the_first_failing_patch_is_answered(
    kpt: Kpt, workspace: Workspace, imported: Series, tmp_path: Path, kind: str
) -> None:
    make, number, says = FAILING[kind]
    draft = written(kpt, workspace, make(tmp_path / "log", imported))
    assert draft["Subject"] == f"Re: [PATCH v5 {number}/3] KVM: two"
    assert draft["In-Reply-To"] == f"<p{number}@example.org>"
    assert draft["References"].split() == ["<first@example.org>", "<c@example.org>", "<p2@example.org>"]
    text = body(draft)
    assert "Tested-by" not in text and not of_reply(text, Address("Test Person", "test@example.org")).taken
    for words in says:
        assert words in text, text
    prose = [line for line in text.splitlines() if not line.startswith(("  ", ">"))]
    assert max(map(len, prose)) <= 72


def test_what_was_not_tested_is_not_vouched_for(kpt: Kpt, workspace: Workspace, imported: Series) -> None:
    text = body(written(kpt, workspace, records.untested(imported)))
    assert "Tested-by" not in text and "It was not tested." in text


def test_git_mailinfo_reads_it(kpt: Kpt, workspace: Workspace, imported: Series, tmp_path: Path) -> None:
    for record in (records.clean(imported), records.build_failure(tmp_path / "log", imported)):
        raw = (written(kpt, workspace, record), (workspace.root / "draft.txt").read_bytes())[1]
        said = git("mailinfo", "msg", "patch", cwd=tmp_path, stdin=raw)
        assert "Author: Test Person\nEmail: test@example.org\nSubject: KVM: " in said
        message = (tmp_path / "msg").read_text()
        assert message.startswith("On Thu, 17 Apr 2014") and "Done with kpt" in message
        assert (tmp_path / "patch").read_text().strip() == ""


def send_email_works() -> bool:
    """Whether it is installed with the Perl modules it wants."""
    return subprocess.run(["git", "send-email", "--dump-aliases"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not send_email_works(), reason="no git send-email (Debian: git-email, libmailtools-perl)")
def test_git_send_email_takes_it(kpt: Kpt, workspace: Workspace, imported: Series, tmp_path: Path) -> None:
    git("init", "-q", cwd=workspace.root)
    for record, addressees in (
        (records.clean(imported), ["jd", "kvm", "jane", "lkml", "test"]),
        (records.regressions(tmp_path / "log", imported), ["jd", "kvm", "jane", "lkml", "test"]),
    ):
        draft = written(kpt, workspace, record)
        said = git("send-email", "--dry-run", "--confirm=never", "draft.txt", cwd=workspace.root)
        assert "Result: OK" in said
        assert f"In-Reply-To: {draft['In-Reply-To']}" in said
        to = re.findall(r"^RCPT TO:<(\w+)@", said, re.MULTILINE)
        assert set(to) == set(addressees)
        assert "Subject: Re: [PATCH v5 " in said


def test_a_page_that_hides_addresses(kpt: Kpt, workspace: Workspace) -> None:
    page = REPO_ROOT / "series/tlb-flush-v5/source/tlb-flush-v5.txt"
    kpt("import", page, "--name", "demo")
    series = load(workspace.series / "demo")
    draft = written(kpt, workspace, records.untested(renamed(series, Exactness.MATCHED)))
    assert draft["Subject"].startswith("Re: [PATCH v5 0/5] KVM: x86: flush tlb out of mmu-lock")
    assert draft["To"] is draft["Cc"] is draft["In-Reply-To"] is draft["References"] is None
    notes = " ".join(draft.get_all("Comments", []))
    assert "the address of Xiao Guangrong is not known" in notes and "--in-reply-to=ID" in notes
    assert "hidden" not in body(draft) and ".invalid" not in (workspace.root / "draft.txt").read_text()
    assert "Patches 1-5 came from a damaged copy" in body(draft)


def test_nobody_is_invented(kpt: Kpt, workspace: Workspace, imported: Series, sealed: Path) -> None:
    with Store(workspace) as store:
        store.record_run(records.clean(imported))
    (sealed / "gitconfig").write_text("")
    said = kpt("report", "demo", "--format", "mail", status=2).err
    assert said.startswith("kpt: Tested-by: git does not know who you are; `git config --global user.name NAME`")


def test_another_series_than_was_run(kpt: Kpt, workspace: Workspace, imported: Series) -> None:
    with Store(workspace) as store:
        store.record_run(records.clean(imported))
    (workspace.root / "t.mbox").write_text(thread(" v6"))
    kpt("import", "t.mbox", "--name", "demo", "--force")
    assert kpt("report", "demo", "--format", "mail", status=2).err == (
        "kpt: demo: the series is another than was run; `kpt run demo`\n"
    )
