"""`kpt run` for real: Debian's kernel, its own build, a guest, kpt's own tests, a series that breaks something."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpatch_tool.system.limits import descendants
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.patch_files import mail

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3000)]

HYPERV, X86, MMU = "arch/x86/kvm/hyperv.c", "arch/x86/kvm/x86.c", "arch/x86/kvm/mmu/mmu.c"
KVM_MAIN = "virt/kvm/kvm_main.c"
PROTECTED = "slot->base_gfn + gfn_offset, mask, true);\n"  # the pages that the TDP MMU write-protects again
LOOKED_UP = "\tunsigned long addr = __gfn_to_hva_many(slot, gfn, NULL, write_fault);\n"
SHORT = "\n\tif (slot && gfn + 1 == slot->base_gfn + slot->npages)\n\t\taddr = KVM_HVA_ERR_BAD;\n"
UNKNOWN_HYPERCALL = "\tdefault:\n\t\tret = -KVM_ENOSYS;\n\t\tbreak;\n\t}\nout:\n"


def make_series(debian: Path, where: Path) -> Path:
    """Patch 1 adds a comment, patch 2 answers unknown hypercalls with another error than the interface says."""
    where.mkdir()
    hyperv = git("show", f"base:{HYPERV}", cwd=debian) + "\n"
    x86 = git("show", f"base:{X86}", cwd=debian) + "\n"
    assert x86.count(UNKNOWN_HYPERCALL) == 1
    comment = mail(1, "KVM: x86: mark the end", HYPERV, hyperv, hyperv + "\n/* The end. */\n")
    broken = UNKNOWN_HYPERCALL.replace("ENOSYS", "EPERM")
    refuse = mail(2, "KVM: x86: refuse", X86, x86, x86.replace(UNKNOWN_HYPERCALL, broken))
    (where / "0001.patch").write_text(comment)
    (where / "0002.patch").write_text(refuse)
    return where


def test_the_patch_that_breaks_hypercalls_is_found(
    kept: Workspace, debian_git_dir: Path, kpt: Kpt, tmp_path: Path
) -> None:
    kpt("import", make_series(debian_git_dir, tmp_path / "mails"), "--name", "break", "--force", cwd=kept.root)
    run = ("run", "break", "--tree", "debian-6.1", "--suite", "kpt-guest", "--json")
    first = kpt(*run, cwd=kept.root, status=1, timeout=2400).json
    stages = [patch["stages"] for patch in first["patches"]]
    assert [row["apply"]["text"] for row in stages] == ["clean", "clean"]
    assert [state["status"] for state in first["build"]["states"]] == ["ok"] * 3
    assert stages[0]["test"]["text"] == "= base", "a comment changes no module"
    assert stages[1]["test"]["outcome"] == "finding"
    worse = {delta["test"] for delta in first["test"]["states"][-1]["deltas"] if delta["change"] == "worse"}
    assert any(test.startswith("hypercall") for test in worse), worse
    assert "hypercall" in first["sentence"]
    assert all(Path(path).is_file() for path in first["reports"])

    begun = time.monotonic()
    second = kpt(*run, cwd=kept.root, status=1).json
    assert time.monotonic() - begun < 20, "everything is remembered"
    assert second["sentence"] == first["sentence"]
    assert all(state["cached"] for state in (*second["build"]["states"], *second["test"]["states"]))


def test_each_state_beside_the_one_before(kept: Workspace, debian_git_dir: Path, kpt: Kpt, tmp_path: Path) -> None:
    kpt("import", make_series(debian_git_dir, tmp_path / "mails"), "--name", "break", "--force", cwd=kept.root)
    kpt("apply", "break", "--tree", "debian-6.1", cwd=kept.root)
    test = ("test", "break", "--each", "--suite", "kpt-guest", "--test", "hypercall", "--json")
    base, comment, refuse = kpt(*test, cwd=kept.root, status=1, timeout=2400).json["states"]
    assert base["deltas"] == comment["deltas"] == []
    assert (comment["same_as"], refuse["same_as"], refuse["previous"]) == (0, None, 1)
    worse = {(delta["test"], delta["previous"]) for delta in refuse["deltas_previous"] if delta["change"] == "worse"}
    assert ("hypercall", "pass") in worse
    kept_ones = kpt("results", "--kind", "tests", "--series", "break", "--patch", "1", "--json", cwd=kept.root).json
    assert any({state["patch"] for state in one["states"]} >= {0, 1} for one in kept_ones["results"])

    begun = time.monotonic()
    again = kpt(*test, cwd=kept.root, status=1).json["states"]
    assert time.monotonic() - begun < 10, "everything is remembered"
    assert [state["results"] for state in again] == [state["results"] for state in (base, comment, refuse)]


def test_a_write_that_the_dirty_log_misses_is_found(
    kept: Workspace, debian_git_dir: Path, kpt: Kpt, tmp_path: Path
) -> None:
    text = git("show", f"base:{MMU}", cwd=debian_git_dir) + "\n"
    assert text.count(PROTECTED) == 1
    broken = text.replace(PROTECTED, PROTECTED.replace("mask", "mask & (mask - 1)"))
    (tmp_path / "log.patch").write_text(mail(1, "KVM: log less", MMU, text, broken, total=1))
    kpt("import", tmp_path / "log.patch", "--name", "log", "--force", cwd=kept.root)
    kpt("apply", "log", "--tree", "debian-6.1", cwd=kept.root)
    test = ("test", "log", "--suite", "kpt-guest", "--test", "migrate", "--test", "shootdown", "--json")
    _, state = kpt(*test, cwd=kept.root, status=1, timeout=2400).json["states"]
    whole = {row["test"]: row for row in state["results"] if not row["case"]}
    tests = {"migrate", "migrate@shadow", "shootdown", "shootdown@shadow"}
    assert {name for name in tests if whole[name]["status"] == "fail"} == {"migrate"}
    assert whole["migrate"]["why"].startswith("the dirty log misses ")


def test_memory_that_is_a_page_short_is_found(kept: Workspace, debian_git_dir: Path, kpt: Kpt, tmp_path: Path) -> None:
    text = git("show", f"base:{KVM_MAIN}", cwd=debian_git_dir) + "\n"
    assert text.count(LOOKED_UP) == 1
    broken = text.replace(LOOKED_UP, LOOKED_UP + SHORT)
    (tmp_path / "short.patch").write_text(mail(1, "KVM: end a page early", KVM_MAIN, text, broken, total=1))
    kpt("import", tmp_path / "short.patch", "--name", "short", "--force", cwd=kept.root)
    kpt("apply", "short", "--tree", "debian-6.1", cwd=kept.root)
    test = ("test", "short", "--suite", "kpt-guest", "--test", "dirty", "--json")
    _, state = kpt(*test, cwd=kept.root, status=1, timeout=2400).json["states"]
    assert {delta["test"] for delta in state["deltas"] if delta["change"] == "worse"} == {"dirty", "dirty@shadow"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_kpt_leaves_no_guest_and_no_verdict(kept: Workspace, kpt: Kpt, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "kpatch_tool", "test", "break", "--each", "--fresh", "--suite", "kpt-guest"]
    before = kpt("results", "--kind", "tests", "--json", cwd=kept.root).json["results"]
    with subprocess.Popen(command, cwd=kept.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(b"testing patch 2"):
                break
        below = [one.pid for one in descendants(process.pid)]  # QEMU is in a room
        guests = [pid for pid in below if Path(f"/proc/{pid}/comm").read_text("ascii") == "kpt-guest\n"]
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    time.sleep(0.5)
    assert guests and not any(Path(f"/proc/{pid}").exists() for pid in guests)
    after = kpt("results", "--kind", "tests", "--json", cwd=kept.root).json["results"]
    new = {one["key"] for one in after} - {one["key"] for one in before}
    assert all(state["patch"] == 0 for one in after if one["key"] in new for state in one["states"][:1])


def test_selftests_build_in_the_sandbox_and_pass(kept: Workspace, kpt: Kpt) -> None:
    chosen = ("--test", "cpuid_test", "--test", "set_sregs_test")
    done = kpt("test", "--base", "--tree", "debian-6.1", "--suite", "selftests", *chosen, "--json", cwd=kept.root)
    (state,) = done.json["states"]
    whole = {row["test"]: row["status"] for row in state["results"] if not row["case"]}
    assert {whole["cpuid_test"], whole["set_sregs_test"]} == {"pass"}, state
