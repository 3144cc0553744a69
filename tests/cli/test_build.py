"""`kpt build` on the toy tree: real git, real make, real gcc."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kpatch_tool.kbuild import build as building
from kpatch_tool.kbuild.make import Make, ccache
from kpatch_tool.kbuild.model import BuildStatus, StateBuild
from kpatch_tool.system import lock
from kpatch_tool.tree.applied import load_applied
from kpatch_tool.tree.catalogue import Catalogue
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.toy_series import WARNS, append, toy

__all__ = ["toy"]  # a fixture

KVM = "arch/x86/kvm/kvm.ko"
MODULES = ["virt/lib/irqbypass.ko", KVM, "arch/x86/kvm/kvm-amd.ko", "arch/x86/kvm/kvm-intel.ko"]


def log_of(state: dict[str, object]) -> str:
    return Path(str(state["log"])).read_text()


def test_each_state(toy: Path, kpt: Kpt) -> None:
    document = kpt("build", "s", "--arch", "x86_64", "--each", "--json", status=1).json
    assert document["kpt"] == 1
    assert document["arch"] == "x86_64"
    states = document["states"]
    assert [(one["patch"], one["status"], one["cached"]) for one in states] == [
        (0, "ok", False), (1, "ok", False), (2, "failed", False), (3, "ok", False), (4, "ok", False),
    ]  # fmt: skip
    assert [module["path"] for module in states[0]["modules"]] == MODULES
    (warning,) = states[1]["new_warnings"]
    assert warning["file"] == "arch/x86/kvm/mmu.c"
    assert warning["option"] == "-Wuninitialized"
    (error,) = states[2]["errors"]
    assert (error["file"], error["line"]) == ("arch/x86/kvm/x86.c", 13)
    assert "nothing" in error["message"]
    assert "mmu.o" not in log_of(states[3]), "only what changed is made"
    assert states[3]["new_warnings"] == [warning], "a file that is not compiled again still warns"
    assert "BUILD" not in log_of(states[3])
    sums = [{module["path"]: module["sha256"] for module in one["modules"]} for one in states]
    assert sums[3][KVM] == sums[1][KVM] != sums[0][KVM]
    assert sums[3]["arch/x86/kvm/kvm-amd.ko"] != sums[0]["arch/x86/kvm/kvm-amd.ko"]


def test_what_each_patch_changed(toy: Path, kpt: Kpt) -> None:
    base, warns, broken, mends, header = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert [one["previous"] for one in (base, warns, broken, mends, header)] == [None, 0, 1, 1, 3]
    assert all(module["base"] is None and module["previous"] is None for module in base["modules"])

    def beside(state: dict[str, Any], other: str) -> dict[str, tuple[bool, bool]]:
        """Module -> whether it is the same, whether its size is."""
        rows = {module["path"]: module[other] for module in state["modules"]}
        return {path: (row["same"], row["size_change"] == 0) for path, row in rows.items() if row}

    same, other = (True, True), (False, False)
    amd = "arch/x86/kvm/kvm-amd.ko"
    assert beside(warns, "base") == beside(warns, "previous") == {**dict.fromkeys(MODULES, same), KVM: other}
    assert broken["image"] is None and broken["modules"] == []
    assert beside(mends, "previous") == {**dict.fromkeys(MODULES, same), amd: other}
    assert beside(mends, "base") == {**dict.fromkeys(MODULES, same), amd: other, KVM: other}
    assert set(beside(header, "previous").values()) == {same}, "a macro nobody uses changes nothing"
    assert header["image"]["previous"]["same"]
    grown = {module["path"]: module["previous"]["size_change"] for module in warns["modules"]}
    assert grown[KVM] == sizes(warns)[KVM] - sizes(base)[KVM]
    assert len(warns["new_warnings_previous"]) == 1
    assert mends["new_warnings_previous"] == [] != mends["new_warnings"], "patch 1 brought it, not patch 3"


def test_what_configuring_warned_of_is_no_news_where_it_is_made_again(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """As scripts/kconfig is: by a later make whose clock or place differs."""
    tool = "scripts/kconfig/tool.o"
    append(toy_repo, "scripts/kconfig/tool.c", WARNS, "a tool that warns")
    append(toy_repo, "Makefile", f"ifneq ($(TOY_SUBMAKE),)\nallnoconfig bzImage: {tool}\nendif\n", "made early")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "HEAD")
    append(toy_repo, "kernel/sched.c", "int sched_more;\n", "innocent")
    append(toy_repo, "arch/x86/kvm/mmu.c", WARNS, "warns")
    git("format-patch", "-q", "-o", tmp_path / "mails", "HEAD~2", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s", "--tree", "toy")
    (base,) = kpt("build", "s", "--base", "--json").json["states"]
    assert base["status"] == "ok" and tool not in log_of(base), "it was made to configure"
    (workspace.state / "build/toy-x86_64" / tool).unlink()
    _, innocent, warns = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert tool in log_of(innocent) and "-Wuninitialized" in log_of(innocent)
    assert innocent["new_warnings"] == []
    assert [one["file"] for one in warns["new_warnings"]] == ["arch/x86/kvm/mmu.c"]


def sizes(state: dict[str, Any]) -> dict[str, int]:
    return {module["path"]: module["size"] for module in state["modules"]}


def test_what_each_patch_changed_in_words(toy: Path, kpt: Kpt) -> None:
    out = kpt("build", "s", "--each", status=1).out
    shown = {part.split()[0]: part for part in re.split(r"^(?:base |patch )", out, flags=re.MULTILINE)[2:]}
    assert re.search(r"kvm\.ko +changed, [+-][\d,]+ bytes\n", shown["1"])
    assert re.search(r"irqbypass\.ko +as on the base\n", shown["1"])
    assert "error: arch/x86/kvm/x86.c:13:" in shown["2"]
    assert "1 warning more than the base, as after patch 1" in shown["3"]
    assert "kernel and modules are byte for byte those of patch 3\n" in shown["4"]
    alone = kpt("build", "s", "--patch", "4", status=1).out
    assert "byte for byte those of patch 3\n" in alone, "what is known from before counts"


def test_what_the_configuration_leaves_out_is_not_said_to_build(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """A file of the base and a new one that no object is made of; one with all that goes into it; a program."""
    xen, more = "arch/x86/kvm/xen.c", "arch/arm64/kvm/arm.c"
    append(toy_repo, xen, "int xen;\n", "base")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "HEAD")
    base = git("rev-parse", "HEAD", cwd=toy_repo).strip()
    append(toy_repo, "arch/x86/kvm/svm.c", "int svm_more;\n", "compiled")
    append(toy_repo, xen, "int broken = nothing;\n", "not compiled")
    for path in (more, "tools/testing/selftests/kvm/one.c"):
        (toy_repo / path).parent.mkdir(parents=True)
    append(toy_repo, more, "int broken = nothing;\n", "of another architecture")
    append(toy_repo, xen, "int xen_more;\n", "not compiled either")
    append(toy_repo, "tools/testing/selftests/kvm/one.c", "int main(void) { return 0; }\n", "a test")
    git("format-patch", "-q", "-o", tmp_path / "mails", f"{base}..HEAD", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s", "--tree", "toy")
    document = kpt("build", "--each", "--json").json
    found = [{"patch": 2, "files": [xen]}, {"patch": 3, "files": [more]}, {"patch": 4, "files": [xen]}]
    assert document["not_compiled"] == found
    assert kpt("build", "--each").out.endswith(
        "what patches 2 and 4 change in arch/x86/kvm/xen.c is not compiled in this\n"
        "  configuration; what patch 3 changes in arch/arm64/kvm/arm.c is not compiled in\n"
        "  this configuration (--config FRAGMENT adds to it)\n"
    )
    assert kpt("build", "--patch", "1", "--json").json["not_compiled"] == []
    other = tmp_path / "config"
    other.write_text("CONFIG_KVM_INTEL=n\n")
    assert kpt("build", "--patch", "1", "--config", other, "--json").json["not_compiled"] == []
    assert kpt("build", "--each", "--json").json["not_compiled"] == [], "the objects are another configuration's now"


def test_a_new_revision_builds_only_what_is_new(toy: Path, kpt: Kpt, tmp_path: Path) -> None:
    kpt("build", "s", "--each", status=1)
    git("checkout", "-q", "work~2", cwd=toy)
    append(toy, "arch/x86/kvm/svm.c", "int svm_other;\n", "mend otherwise")
    git("format-patch", "-q", "-v2", "-o", tmp_path / "v2", "main..HEAD", cwd=toy)
    kpt("import", tmp_path / "v2", "--name", "s-v2")
    kpt("apply", "s-v2", "--tree", "toy")
    states = kpt("build", "s-v2", "--each", "--json", status=1).json["states"]
    assert [(one["patch"], one["cached"]) for one in states] == [(0, True), (1, True), (2, True), (3, False)]


def test_second_time_make_is_not_asked(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    first = kpt("build", "s", "--each", "--json", status=1).json["states"]
    (workspace.state / "build").rename(workspace.state / "gone")
    (workspace.state / "worktrees").rename(workspace.state / "gone2")
    again = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert all(one["cached"] for one in again)
    keep = ("patch", "status", "modules", "errors", "new_warnings", "log")
    assert [{key: one[key] for key in keep} for one in again] == [{key: one[key] for key in keep} for one in first]
    assert not (workspace.state / "build").exists()


def test_equal_states_give_equal_files_whatever_the_order(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    def sums() -> dict[int, list[str]]:
        states = kpt("build", "s", "--each", "--json", status=1).json["states"]
        return {one["patch"]: [module["sha256"] for module in one["modules"]] for one in states}

    forwards = sums()
    for path in ("artifacts", "build", "worktrees"):
        (workspace.state / path).rename(workspace.state / f"old-{path}")
    for patch in (4, 3, 1):
        kpt("build", "s", "--patch", str(patch))
    kpt("build", "--base")
    assert sums() == forwards


def test_head_is_what_is_meant(toy: Path, kpt: Kpt) -> None:
    run = kpt("build")
    assert run.out.splitlines()[0].split()[:3] == ["patch", "4", "ok"]
    assert "warnings not compared" in run.out
    kpt("build", "--base")
    out = kpt("build", "--tree", "toy", status=1).out  # for the warning, now that it is known to be new
    assert "known from before" in out
    assert "new warning: arch/x86/kvm/mmu.c:" in out


def test_a_series_is_named_by_its_directory_too(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    by_name = kpt("build", "s", "--base", "--json").json
    again = kpt("build", "series/s/", "--base", "--json").json
    assert [row["commit"] for row in again["states"]] == [row["commit"] for row in by_name["states"]]
    assert again["states"][0]["cached"]
    (workspace.series / "s").rename(workspace.root / "moved")
    assert kpt("build", "s", "--base", "--json").json["states"][0]["cached"]
    assert "nosuch: no such series" in kpt("build", "nosuch", status=2).err


def test_artifact_holds_what_the_guest_needs(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    kpt("build", "--base", "--tree", "toy")
    applied = load_applied(workspace, "s")
    asked = (workspace, Catalogue(workspace).get("toy"), applied.states[0], "x86_64")
    build = building.known_build(*asked)
    assert build is not None
    assert build.artifacts is not None
    for name in ("bzImage", "config", "log", *MODULES):
        assert (build.artifacts / name).is_file(), name
    assert "CONFIG_KVM=m\n" in (build.artifacts / "config").read_text()
    for name in ("bzImage", "log", *MODULES):
        there = build.artifacts / name
        aside = there.rename(there.with_name("aside"))
        assert building.known_build(*asked) is None, f"without {name} it is to be built again"
        aside.rename(there)
    assert building.known_build(*asked) == build


def test_options_that_exclude_one_another(toy: Path, kpt: Kpt) -> None:
    assert "exclude one another" in kpt("build", "s", "--each", "--base", status=2).err
    assert "patch 9 of s is not applied; there is: 0, 1, 2, 3, 4" in kpt("build", "s", "--patch", "9", status=2).err
    assert "known: x86_64" in kpt("build", "s", "--arch", "vax", status=2).err
    assert "no such file" in kpt("build", "s", "--config", "absent.config", status=2).err


def test_symbol_that_does_not_survive(toy: Path, kpt: Kpt, tmp_path: Path) -> None:
    (tmp_path / "mine.config").write_text("CONFIG_PRINTK=y\nCONFIG_DEBUG_TOY=y\n")
    err = kpt("build", "s", "--base", "--config", "mine.config", status=2).err
    told = "kpt: mine.config:2: CONFIG_DEBUG_TOY=y was asked for, but the configuration has n"
    todo = "(DEBUG_TOY depends on DEBUG_KERNEL); ask for what it depends on too"
    assert err.splitlines()[-1] == f"{told} {todo}"
    (tmp_path / "mine.config").write_text("CONFIG_DEBUG_KERNEL=y\nCONFIG_DEBUG_TOY=y\n")
    with_it = kpt("build", "s", "--base", "--config", "mine.config", "--json").json["states"][0]
    assert not with_it["cached"]
    assert not kpt("build", "s", "--base", "--json").json["states"][0]["cached"], "another configuration"


def test_lines_of_the_tree_are_asked_for_too(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    with (workspace.trees / "trees.toml").open("a") as file:
        file.write('[toy]\nconfig = ["CONFIG_NOBODY_KNOWS=y"]\n')
    told = "trees.toml, config of toy:1: CONFIG_NOBODY_KNOWS=y was asked for, but the tree has no such option for x86"
    assert kpt("build", "--base", status=2).err.endswith(f"{told}; correct its name, or take it out\n")


def test_patch_that_breaks_the_configuration(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """The next one, which mends it, is not built with what was left of the broken one."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    text = (toy_repo / "Kconfig").read_text()
    entry = "config KVM_AMD\n\ttristate\n\tdepends on "
    (toy_repo / "Kconfig").write_text(text.replace(f"{entry}KVM\n", f"{entry}LUCK\n"))
    git("commit", "-qam", "need luck", cwd=toy_repo)
    (toy_repo / "Kconfig").write_text(text)
    append(toy_repo, "arch/x86/kvm/svm.c", "int svm_more;\n", "need none")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s")
    kpt("build", "--base")
    _, broken, mended = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert broken["status"] == "failed"
    assert "CONFIG_KVM_AMD=m was asked for, but the configuration has n" in broken["errors"][0]["message"]
    assert (mended["status"], [module["path"] for module in mended["modules"]]) == ("ok", MODULES)
    assert "CONFIG_KVM_AMD=m\n" in Path(mended["log"]).with_name("config").read_text()


def test_an_image_that_a_failed_build_made_is_made_again(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """Patch 1 changes the image and breaks a module, patch 2 takes both back and changes a module only."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    sched, x86 = toy_repo / "kernel/sched.c", toy_repo / "arch/x86/kvm/x86.c"
    before = sched.read_text(), x86.read_text()
    sched.write_text(f"{before[0]}int sched_more = 7;\n")
    append(toy_repo, "arch/x86/kvm/x86.c", "int kvm_broken = nothing;\n", "break")
    sched.write_text(before[0])
    x86.write_text(before[1])
    append(toy_repo, "arch/x86/kvm/svm.c", "int svm_more = 3;\n", "mend")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s")
    base, broken, mended = kpt("build", "s", "--each", "-j", "1", "--json", status=1).json["states"]
    assert [one["status"] for one in (base, broken, mended)] == ["ok", "failed", "ok"]
    assert mended["image"]["sha256"] == base["image"]["sha256"]


def test_a_module_that_is_made_no_more_is_not_an_earlier_states(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    text, line = (toy_repo / "Makefile").read_text(), "modules-$(CONFIG_KVM_AMD) += arch/x86/kvm/kvm-amd.ko\n"
    assert line in text
    (toy_repo / "Makefile").write_text(text.replace(line, "include $(srctree)/arch/x86/kvm/Makefile\n"))
    append(toy_repo, "arch/x86/kvm/Makefile", line, "as Kbuild has it")
    git("checkout", "-qb", "work", cwd=toy_repo)
    (toy_repo / "arch/x86/kvm/Makefile").write_text("# nothing\n")
    git("commit", "-qam", "drop AMD", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s")
    base, dropped = kpt("build", "s", "--each", "--json").json["states"]
    assert [module["path"] for module in base["modules"]] == MODULES
    assert dropped["vanished_modules"] == ["arch/x86/kvm/kvm-amd.ko"]


def test_a_module_that_is_built_in(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """As irqbypass in Linux 6.12: it is not asked for as a module, and a change to it reaches the image."""
    makefile = (toy_repo / "Makefile").read_text()
    makefile = makefile.replace("core := init/main.o", "core := virt/lib/irqbypass.o init/main.o")
    makefile = makefile.replace("kvm.ko virt/lib/irqbypass.ko\n", "kvm.ko\n")
    makefile = makefile.replace(
        "irqbypass.ko: virt/lib/irqbypass.o\n", "irqbypass.ko: virt/lib/irqbypass.o\n\t@false\n"
    )
    (toy_repo / "Makefile").write_text(makefile)
    git("commit", "-qam", "build it in", cwd=toy_repo)
    git("checkout", "-qb", "work", cwd=toy_repo)
    append(toy_repo, "virt/kvm/kvm_main.c", "int main_more = 3;\n", "a module")
    append(toy_repo, "virt/lib/irqbypass.c", "int bypass_more = 3;\n", "the image")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "s")
    kpt("apply", "s")
    base, module, image = kpt("build", "s", "--each", "--json").json["states"]
    assert [one["path"] for one in base["modules"]] == MODULES[1:]
    assert "BUILD" not in Path(module["log"]).read_text(), "only modules were asked for"
    assert module["image"]["sha256"] == base["image"]["sha256"] != image["image"]["sha256"]


def test_another_kpt_is_building(toy: Path, kpt: Kpt, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock.held(workspace.lock("build-toy")):
        run = kpt("build", "s", status=3)
    assert f"another kpt (process {os.getpid()}) is using this" in run.err


@pytest.fixture
def slow_cc(tmp_path: Path) -> Path:
    """A compiler that writes half an object for mmu.c and then takes its time."""
    path = tmp_path / "slow" / "gcc"
    path.parent.mkdir()
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '*mmu.c*) out=$(echo "$*" | sed "s/.* -o \\\\([^ ]*\\\\) .*/\\\\1/"); echo half >"$out"\n'
        "sleep 300;;\nesac\n"
        'exec /usr/bin/gcc "$@"\n'
    )
    path.chmod(0o755)
    return path.parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("toy")
def test_killed_while_compiling(kpt: Kpt, workspace: Workspace, slow_cc: Path, number: signal.Signals) -> None:
    kpt("build", "s", "--base")
    env = {**os.environ, "PATH": f"{slow_cc}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "kpatch_tool", "build", "s", "--patch", "1"],
        cwd=workspace.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    half = workspace.state / "build/toy-x86_64/arch/x86/kvm/mmu.o"
    wait_for(lambda: half.exists() and half.read_bytes() == b"half\n" and running(slow_cc))
    process.send_signal(number)
    process.wait(timeout=60)
    wait_for(lambda: not running(slow_cc))
    state = kpt("build", "s", "--patch", "1", "--json", status=1).json["states"][0]
    assert state["status"] == "ok" and state["new_warnings"]
    whole = {module["path"]: module["sha256"] for module in state["modules"]}
    for path in ("artifacts", "build"):
        (workspace.state / path).rename(workspace.state / f"old-{path}")
    fresh = kpt("build", "s", "--patch", "1", "--json").json["states"][0]  # 0: the base is not known now
    assert {module["path"]: module["sha256"] for module in fresh["modules"]} == whole


def wait_for(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def running(program: Path) -> list[str]:
    """The processes with `program` among their words (a process that has ended has none)."""
    found = []
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = words.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if os.fsencode(program) in text:
            found.append(words.parent.name)
    return found


def test_what_the_machine_cannot_do_is_not_remembered(
    toy: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path
) -> None:
    broken = tmp_path / "broken" / "ld"
    broken.parent.mkdir()
    broken.write_text(
        '#!/bin/sh\ncase "$*" in --version) exec /usr/bin/ld --version;; esac\n'
        'echo "ld: final link failed: No space left on device" >&2\nexit 1\n'
    )
    broken.chmod(0o755)
    env = {"PATH": f"{broken.parent}:{os.environ['PATH']}"}
    run = kpt("build", "s", "--base", "--json", status=3, env=env)
    assert run.json["states"][0]["status"] == "infra"
    assert "No space left on device" in run.json["states"][0]["why"]
    assert Path(run.json["states"][0]["log"]).is_file()
    shown = " ".join(kpt("build", "s", "--base", status=3, env=env | {"COLUMNS": "40"}).out.split())
    assert run.json["states"][0]["why"] in shown
    assert kpt("build", "s", "--base", "--json").json["states"][0]["status"] == "ok"


def test_what_another_kpt_failed_at_is_built_again(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    """It may know by now what the state needs; what was built is as good as it was."""

    def cached() -> list[tuple[str, bool]]:
        states = kpt("build", "s", "--patch", "2", "--json", status=1).json["states"]
        return [(state["status"], state["cached"]) for state in states]

    kpt("build", "s", "--base")
    assert cached() == [("failed", False)]
    assert cached() == [("failed", True)]
    with closing(sqlite3.connect(workspace.state / "store.sqlite")) as connection, connection:
        connection.execute("UPDATE builds SET value = json_set(value, '$.rules', 'older')")
    assert cached() == [("failed", False)]
    assert cached() == [("failed", True)]
    assert kpt("build", "s", "--base", "--json").json["states"][0]["cached"]


@pytest.mark.parametrize("zeros", [False, True])
def test_what_a_power_cut_left_empty_is_built_again(toy: Path, kpt: Kpt, workspace: Workspace, zeros: bool) -> None:
    """The files of a build, and the contents that they are names of, without their data."""
    before = kpt("build", "s", "--base", "--json").json["states"][0]
    (artifact,) = (workspace.state / "artifacts").iterdir()
    for module in (KVM, "bzImage"):
        (artifact / module).chmod(0o644)
        size = (artifact / module).stat().st_size
        os.truncate(artifact / module, 0)
        os.truncate(artifact / module, size if zeros else 0)
    after = kpt("build", "s", "--base", "--json").json["states"][0]
    assert not after["cached"] and after["modules"] == before["modules"]
    assert {module["size"] for module in after["modules"]} == {
        (artifact / module["path"]).stat().st_size for module in after["modules"]
    }
    assert {module["sha256"] for module in after["modules"]} == {
        hashlib.sha256((artifact / module["path"]).read_bytes()).hexdigest() for module in after["modules"]
    }
    assert kpt("build", "s", "--base", "--json").json["states"][0]["cached"]


def test_missing_tool_is_named(toy: Path, kpt: Kpt, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in ("git", "make", "gcc", "as", "ld", "sh", "setpriv"):
        (tools / program).symlink_to(Path("/usr/bin") / program)
    err = kpt("build", "s", status=3, env={"PATH": str(tools)}).err
    assert "flex" in err
    assert "bison" in err


def test_result_is_a_value(toy: Path, workspace: Workspace) -> None:
    applied = load_applied(workspace, "s")
    tree = Catalogue(workspace).get("toy")
    seen: list[str] = []
    broken = applied.state(2)
    assert broken is not None
    build: StateBuild = building.build_state(
        workspace, tree, broken, "x86_64", progress=lambda what, done=0, total=0: seen.append(what), jobs=2
    )
    assert build.status is BuildStatus.FAILED
    assert build.why.startswith("does not build: arch/x86/kvm/x86.c:13: ")
    assert build.artifacts is None
    assert "building patch 2" in seen


def test_a_clock_that_went_back_hides_no_error(toy: Path, kpt: Kpt, workspace: Workspace) -> None:
    """Objects of tomorrow are newer than every source that changes today, and make leaves them as they are."""
    kpt("build", "s", "--patch", "1")
    for path in workspace.state.rglob("*"):
        written = path.lstat().st_mtime + 86_400
        os.utime(path, (written, written), follow_symlinks=False)
    states = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert [one["status"] for one in states] == ["ok", "ok", "failed", "ok", "ok"]


def test_make_stands_back_only_where_guests_run_beside_it(tmp_path: Path) -> None:
    source, objects, notes = (tmp_path / name for name in ("source", "objects", "notes"))
    for directory in (source, objects, notes):
        directory.mkdir()
    (source / "Makefile").write_text("all:\n\t@nice\n")
    mine = os.nice(0)  # the tests may be run with nice, too
    said = []
    for aside in (False, True):
        make = Make(source, objects, notes, "x86", {}, 1, aside)
        assert make.run(["all"], notes / "log").status == 0
        said.append(int((notes / "log").read_text()))
    assert said == [mine, min(mine + 10, 19)]


@pytest.mark.skipif(ccache() is None, reason="ccache is not installed, or its links are not where kpt looks")
def test_ccache_beside_the_objects_and_nowhere_else(
    toy: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    monkeypatch.delenv("CCACHE_DISABLE")
    first = kpt("build", "s", "--each", "--json", status=1, env={"CCACHE_DIR": str(users)}).json["states"]
    cache = workspace.state / "build" / "toy-x86_64.ccache"
    assert list(cache.rglob("*R")) and not users.exists()
    shutil.rmtree(cache.with_name("toy-x86_64"))
    shutil.rmtree(cache.with_name("toy-x86_64.notes"))
    shutil.rmtree(workspace.state / "artifacts")
    before = hits(cache)
    again = kpt("build", "s", "--each", "--json", status=1).json["states"]
    assert hits(cache) > before
    told = ("status", "modules", "errors", "new_warnings")
    assert [[state[what] for what in told] for state in again] == [[state[what] for what in told] for state in first]


def hits(cache: Path) -> int:
    """How many compilations ccache has answered from this cache."""
    rows = subprocess.check_output(["ccache", "--print-stats", "-d", cache], text=True).splitlines()
    answered = ("direct_cache_hit", "preprocessed_cache_hit")
    return sum(int(row.split("\t")[1]) for row in rows if row.startswith(answered))
