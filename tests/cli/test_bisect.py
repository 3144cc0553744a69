"""`kpt bisect` on the toy tree: real git, make and commands."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpatch_tool.system import lock
from kpatch_tool.workspace import Workspace
from tests.conftest import Kpt, git
from tests.toy_series import WARNS, append

SCRIPT = """#!/bin/sh
echo "$KPT_PATCH" >> {asked}
test -z "$KPT_SOURCE" && exit 200
grep -q kvm_bad arch/x86/kvm/x86.c && {{ echo "there it is"; exit 3; }}
exit 0
"""


@pytest.fixture
def six(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """Series `six` on tree `toy`: 2 warns, 3 does not build (4 mends it), 4 adds kvm_bad, 5 and 6 are harmless."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    file = toy_repo / "arch/x86/kvm/x86.c"
    changes = (
        "int kvm_one;\n",
        "int kvm_odd(void);\nint kvm_odd(void)\n{\n\tint unset;\n\n\treturn unset;\n}\n",
        "int kvm_three = KVM_THREE;\n",
        None,
        "int kvm_five;\n",
        "/* a comment */\n",
    )
    for number, text in enumerate(changes, start=1):
        if text is None:
            file.write_text("#define KVM_THREE 3\nint kvm_bad;\n" + file.read_text())
        else:
            file.write_text(file.read_text() + text)
        git("commit", "-qam", f"change {number}", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "six")
    kpt("apply", "six", "--tree", "toy")
    return toy_repo


def script(tmp_path: Path, text: str = SCRIPT) -> tuple[Path, Path]:
    asked = tmp_path / "asked"
    path = tmp_path / "ask.sh"
    path.write_text(text.format(asked=asked))
    path.chmod(0o755)
    return path, asked


def test_a_command(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    command, asked = script(tmp_path)
    document = kpt("bisect", "six", "--run", command, "--json", status=1).json
    assert document["culprit"]["patch"] == 4
    assert document["culprit"]["subject"] == "change 4"
    assert document["confidence"] >= 0.95
    assert "there it is" in document["why"]
    looks = [step["patch"] for step in document["steps"]]
    assert looks[:2] == [6, 0]
    assert looks.count(4) >= 2 and looks.count(3) >= 2  # nobody is blamed on one run
    assert asked.read_text().split() == [str(one) for one in looks]
    again = kpt("bisect", "six", "--run", command, "--json", status=1).json
    assert again["culprit"] == document["culprit"]
    assert all(step["cached"] for step in again["steps"])
    assert len(asked.read_text().split()) == len(looks)


def test_once_and_restart(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    command, asked = script(tmp_path)
    first = kpt("bisect", "--run", command, "--once", "--json", status=1).json
    assert (first["culprit"]["patch"], len(first["steps"])) == (4, 4)
    kpt("bisect", "--run", command, "--once", "--restart", status=1)
    assert len(asked.read_text().split()) == 8
    again = kpt("bisect", "--run", command, "--json", status=1).json
    assert not any(step["cached"] for step in again["steps"]), "one look more at each is another search"


def test_a_script_that_was_changed_is_asked_anew(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    """In whatever way the command names it."""
    (tmp_path / "a b").mkdir()
    place = tmp_path / "a b" / "check.sh"
    for command in (f"'{place}'", f"sh '{place}' 2>/dev/null"):
        for word, culprit in (("kvm_bad", 4), ("kvm_five", 5), ("kvm_bad", 4)):
            place.write_text(f"#!/bin/sh\n! grep -q {word} arch/x86/kvm/x86.c\n")
            place.chmod(0o755)
            document = kpt("bisect", "six", "--once", "--run", command, "--json", status=1).json
            assert document["culprit"]["patch"] == culprit


def test_what_was_seen_with_other_flags_is_asked_anew(six: Path, workspace: Workspace, kpt: Kpt) -> None:
    search = ("bisect", "six", "--warning", "*unset*", "--json")
    first = kpt(*search, status=1).json
    assert all(step["cached"] for step in kpt(*search, status=1).json["steps"])
    (workspace.trees / "trees.toml").write_text('[toy]\nmake = { KCFLAGS = "-Wno-uninitialized" }\n')
    document = kpt(*search).json
    assert (first["culprit"]["patch"], document["culprit"]) == (2, None)


def test_a_search_that_was_stopped_goes_on(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    flag = tmp_path / "stop"
    flag.touch()
    stops = SCRIPT.replace('test -z "$KPT_SOURCE"', f'test -e {flag} && test "$KPT_PATCH" = 3')
    command, asked = script(tmp_path, stops)
    failed = kpt("bisect", "six", "--run", command, "--once", status=2)
    assert "status 200, which is no answer" in failed.err
    before = len(asked.read_text().split())
    flag.unlink()
    document = kpt("bisect", "six", "--run", command, "--once", "--json", status=1).json
    assert document["culprit"]["patch"] == 4
    assert len(asked.read_text().split()) == len(document["steps"]) + 1
    assert sum(step["cached"] for step in document["steps"]) == before - 1


def test_files_are_not_taken_from_under_another_build(six: Path, workspace: Workspace, kpt: Kpt) -> None:
    with lock.held(workspace.lock("build-toy")):
        refused = kpt("bisect", "six", "--run", "true", "--once", status=3)
    assert "another kpt" in refused.err and "build-toy" in refused.err


def test_a_command_with_a_variable_of_its_own(six: Path, kpt: Kpt) -> None:
    document = kpt("bisect", "six", "--run", "LEAST=4 printenv LEAST", "--once", "--json").json
    assert {step["why"] for step in document["steps"]} == {"exit status 0: 4"}


def test_a_broken_build_is_found_and_skipped(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    ends_well = kpt("bisect", "six", "--build").out
    assert "nothing to find" in ends_well and "kpt build --each" in ends_well
    kpt("apply", "six", "--tree", "toy", "--patches", "1-3")
    document = kpt("bisect", "six", "--build", "--json", status=1).json
    assert (document["culprit"]["patch"], document["confidence"]) == (3, 1.0)
    assert "KVM_THREE" in document["why"]
    kpt("apply", "six", "--tree", "toy")
    known = " ".join(kpt("bisect", "six", "--build").out.split())
    assert "it is known not to build after patch 3: --bad 3 says why" in known
    document = kpt("bisect", "six", "--build", "--bad", "3", "--json", status=1).json
    assert document["culprit"]["patch"] == 3
    assert "it does not build from patch 3 on, the last looked at (" in document["why"]
    later = "patch 3 uses `KVM_THREE`, which 4/6 adds to arch/x86/kvm/x86.c, and nothing before has"
    assert document["why"].endswith(f"; {later}; it builds again after patch 6 at the latest")
    assert later in " ".join(kpt("build", "six", "--each", status=1).out.split())
    document = kpt("bisect", "six", "--build", "--bad", "3", "--json", status=1).json
    assert document["why"].endswith(f"; {later}; it builds again after patch 4")
    command, _ = script(tmp_path)
    document = kpt("bisect", "six", "--build", "--run", command, "--once", "--json", status=1).json
    assert document["culprit"] is None
    assert [one["patch"] for one in document["culprits"]] == [3, 4]
    assert "could not be asked" in document["why"]


def test_a_new_warning(six: Path, kpt: Kpt) -> None:
    document = kpt("bisect", "six", "--warning", "*uninitialized*", "--json", status=1).json
    assert document["culprit"]["patch"] == 2
    assert "nothing to find" in kpt("bisect", "six", "--warning", "*no such thing*").out


def test_a_new_warning_in_states_that_do_not_build(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    git("checkout", "-qb", "work", cwd=toy_repo)
    append(toy_repo, "virt/kvm/kvm_main.c", "int kvm_broken = nothing;\n", "break")
    append(toy_repo, "arch/x86/kvm/mmu.c", WARNS, "warn")
    append(toy_repo, "arch/x86/kvm/mmu.c", "int kvm_more;\n", "more")
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "both")
    kpt("apply", "both", "--tree", "toy")
    document = kpt("bisect", "both", "--warning", "*", "--json", status=1).json
    # Patch 1 broke the build before all was compiled: whether its state would warn is not known.
    assert [one["patch"] for one in document["culprits"]] == [1, 2]
    verdicts = {step["patch"]: step["verdict"] for step in document["steps"]}
    assert (verdicts[1], verdicts[2], verdicts[3]) == ("skip", "bad", "bad")


def test_warnings_beside_a_base_that_does_not_build(
    toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path
) -> None:
    """All of them would be new: the search would blame the patch that mends the build."""
    append(toy_repo, "arch/x86/kvm/mmu.c", WARNS, "an old warning")
    append(toy_repo, "arch/x86/kvm/x86.c", "int kvm_broken = nothing;\n", "break")
    git("checkout", "-qb", "work", cwd=toy_repo)
    text = (toy_repo / "arch/x86/kvm/x86.c").read_text()
    (toy_repo / "arch/x86/kvm/x86.c").write_text(text.replace("int kvm_broken = nothing;\n", ""))
    git("commit", "-qam", "mend", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "mends")
    kpt("apply", "mends", "--tree", "toy")
    said = kpt("bisect", "mends", "--warning", "*", status=2).err.splitlines()[-1]
    assert said.startswith("kpt: --warning: the base has no warnings to compare with: does not build: arch/x86/kvm/x86")


def test_git_replays_the_log(six: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    command, _ = script(tmp_path)
    log = tmp_path / "log"
    log.write_text(kpt("bisect", "six", "--run", command, "--once", "--git", status=1).out)
    clone = tmp_path / "clone"
    git("clone", "-q", "--branch", "kpt/six", workspace.trees / "toy.git", clone, cwd=tmp_path)
    done = subprocess.run(["git", "bisect", "replay", log], cwd=clone, capture_output=True, text=True, check=True)
    assert "is the first bad commit" in done.stdout and "change 4" in done.stdout


def test_what_is_no_question(six: Path, kpt: Kpt) -> None:
    assert kpt("bisect", "six", status=2).err == (
        "kpt: no question; give one of --build, --warning GLOB, --suite/--test/--case, --run CMD, --measure WHAT\n"
    )
    assert "two questions" in kpt("bisect", "six", "--build", "--warning", "*", status=2).err
    assert "close the quotation" in kpt("bisect", "six", "--run", "sh -c 'x", status=2).err
    assert "not a probability" in kpt("bisect", "six", "--build", "--confidence", "2", status=2).err
    assert "no such program" in kpt("bisect", "six", "--run", "./no-such-script-here", status=2).err


@pytest.fixture
def sets(toy_repo: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> Path:
    """Series `sets` on tree `toy`: 2 gives 5 its macro, 5 adds the fault kvm_bad, 3 makes kvm.ko larger; patch 6 is
    harmless."""
    git("checkout", "-qb", "work", cwd=toy_repo)
    header, svm = toy_repo / "include/linux/kvm_host.h", toy_repo / "arch/x86/kvm/svm.c"
    added = (
        (toy_repo / "init/main.c", "int main_one;\n"),
        (header, None),
        (toy_repo / "arch/x86/kvm/mmu.c", "char mmu_three[] = { [0 ... 4999] = 1 };\n"),
        (toy_repo / "arch/x86/kvm/vmx.c", "/* a comment */\n"),
        (svm, "#include <linux/kvm_host.h>\nint kvm_bad = KVM_FIVE;\n"),
        (toy_repo / "virt/kvm/kvm_main.c", "int main_six;\n"),
    )
    for number, (file, text) in enumerate(added, start=1):
        before = file.read_text()
        file.write_text(before + text if text else before.replace("#endif", "#define KVM_FIVE 5\n\n#endif"))
        git("commit", "-qam", f"change {number}", cwd=toy_repo)
    kpt("tree", "add", "toy", "--git", toy_repo, "--ref", "main")
    git("format-patch", "-q", "-o", tmp_path / "mails", "main..work", cwd=toy_repo)
    kpt("import", tmp_path / "mails", "--name", "sets")
    kpt("apply", "sets", "--tree", "toy")
    return toy_repo


BAD = "sh -c '! grep -q kvm_bad arch/x86/kvm/svm.c'"


def test_the_smallest_set(sets: Path, kpt: Kpt, workspace: Workspace) -> None:
    refs = git("for-each-ref", cwd=workspace.trees / "toy.git")
    command = ("bisect", "sets", "--build", "--run", BAD, "--minimal")
    document = kpt(*command, "--json", status=1).json
    assert document["culprit"]["patch"] == 5
    minimal = document["minimal"]
    assert [row["patch"] for row in minimal["patches"]] == [2, 5]
    assert "does not build" in minimal["patches"][0]["why"] and "KVM_FIVE" in minimal["patches"][0]["why"]
    dropped = {row["patch"]: row["why"] for row in minimal["dropped"]}
    assert sorted(dropped) == [1, 3, 4, 6]
    assert dropped[1].startswith("commutes") and "after the patch" in dropped[6]
    steps = [(step["patches"], step["verdict"]) for step in minimal["steps"]]
    assert steps == [([2, 5], "bad"), ([2, 5], "bad"), ([5], "skip")]  # never on one bad run
    assert git("for-each-ref", cwd=workspace.trees / "toy.git") == refs
    assert kpt(*command, "--json", status=1).json["minimal"] == minimal  # remembered
    shown = kpt(*command, status=1).out
    assert "smallest set that shows it: 2 patches\n" in shown
    assert shown.endswith("kpt apply sets --patches 2,5 --no-deps\n")
    # The set it names is one that shows it.
    kpt("apply", "sets", "--patches", "2,5", "--no-deps")
    again = kpt("bisect", "sets", "--build", "--run", BAD, "--once", "--json", status=1).json
    assert again["culprit"]["patch"] == 5
    assert git("rev-parse", "kpt/sets^{tree}", cwd=workspace.trees / "toy.git") == git(
        "rev-parse", f"{minimal['commit']}^{{tree}}", cwd=workspace.trees / "toy.git"
    )


def test_a_patch_that_does_not_build_alone(sets: Path, kpt: Kpt) -> None:
    shown = kpt("apply", "sets", "--patches", "4,5", "--no-deps").out
    assert "patch 5 goes without patch 2: " in shown
    built = kpt("build", "sets", "--each", "--json", status=1).json
    assert [state["status"] for state in built["states"]] == ["ok", "ok", "failed"]
    assert "KVM_FIVE" in built["states"][-1]["errors"][0]["message"]
    document = kpt("bisect", "sets", "--build", "--minimal", "--json", status=1).json
    assert document["culprit"]["patch"] == 5
    assert [row["patch"] for row in document["minimal"]["patches"]] == [5]


def test_minimal_wants_the_series_as_it_was_applied(sets: Path, kpt: Kpt, workspace: Workspace) -> None:
    patch = next((workspace.series / "sets").glob("0001-*.patch"))
    patch.write_bytes(patch.read_bytes().replace(b"+int main_one;", b"+int main_uno;"))
    said = kpt("bisect", "sets", "--run", BAD, "--once", "--minimal", status=2).err
    assert "the series is not as it was applied" in said


def test_the_size_of_a_module(sets: Path, kpt: Kpt) -> None:
    document = kpt("bisect", "sets", "--measure", "data:kvm.ko", "--threshold", "1000", "--json", status=1).json
    assert (document["culprit"]["patch"], document["confidence"]) == (3, 1.0)
    values = {step["patch"]: step["value"] for step in document["steps"]}
    assert values[3] - values[0] >= 5000 and values[6] == values[3]
    assert len(document["steps"]) <= 5
    assert "data:kvm.ko is more than 1000 above the base's from patch 3 on" in document["why"]
    out = kpt("bisect", "sets", "--measure", "size:kvm-intel").out
    assert "nothing to find" in out and "size:kvm-intel.ko: base" in out
    kpt("bisect", "sets", "--measure", "size:kvm.ko", "--threshold", "-5%")


def test_a_number_that_a_command_prints(sets: Path, kpt: Kpt, tmp_path: Path) -> None:
    """About 100, from patch 4 on about 120; every tenth number is thrice as large."""
    count = tmp_path / "count"
    command = tmp_path / "number.sh"
    command.write_text(
        f"""#!/bin/sh
n=$(cat {count} 2>/dev/null || echo 0)
echo $((n + 1)) > {count}
x=$((100 + n * 7 % 4))
test "$KPT_PATCH" -ge 4 && x=$((x + 20))
test $((n % 10)) = 9 && x=$((x * 3))
echo some words
echo "it took $x.5 ms"
"""
    )
    command.chmod(0o755)
    document = kpt("bisect", "sets", "--measure", "run", "--run", command, "--json", status=1).json
    assert document["culprit"]["patch"] == 4
    assert document["confidence"] >= 0.95
    assert sum(step["patch"] == 0 for step in document["steps"]) >= 5
    resumed = kpt("bisect", "sets", "--measure", "run", "--run", command, "--json", status=1).json
    assert resumed["why"] == document["why"]
    assert int(count.read_text()) == len(document["steps"])


def test_killed_it_goes_on(sets: Path, workspace: Workspace, kpt: Kpt, tmp_path: Path) -> None:
    """kill -9 in the middle of a look: what was asked ends, that look is made again, those before are not."""
    asked, ready = tmp_path / "asked", tmp_path / "ready"
    command = tmp_path / "ask.sh"
    command.write_text(
        f'#!/bin/sh\necho "$KPT_PATCH" >> {asked}\n'
        f'test "$KPT_PATCH" = 3 && test ! -e {ready} && echo $$ > {ready} && sleep 600\n'
        'test "$KPT_PATCH" -lt 5\n'
    )
    command.chmod(0o755)
    words = [sys.executable, "-m", "kpatch_tool", "bisect", "sets", "--once", "--run", str(command)]
    with subprocess.Popen(words, cwd=workspace.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (ready.exists() and ready.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        busy = kpt("bisect", "sets", "--once", "--build", status=3).err
        assert f"another kpt (process {process.pid}) is using this" in busy
        process.kill()
    asking = Path("/proc") / ready.read_text().strip()
    deadline = time.monotonic() + 60
    while asking.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not asking.exists()
    document = kpt("bisect", "sets", "--once", "--run", command, "--json", status=1).json
    assert document["culprit"]["patch"] == 5
    looks = [str(step["patch"]) for step in document["steps"]]
    assert asked.read_text().split() == ["6", "0", "3", *looks[2:]]
    assert [step["cached"] for step in document["steps"]] == [True, True, False, False, False][: len(looks)]


def test_a_fault_that_goes_again(six: Path, kpt: Kpt) -> None:
    """Patches 2 to 4 show it; with all of them it is gone."""
    fault = "sh -c 'test $KPT_PATCH -lt 2 -o $KPT_PATCH -gt 4'"
    out = kpt("bisect", "six", "--run", fault, "--once").out
    assert "nothing to find: with all patches" in out and "--bad K" in " ".join(out.split())
    assert (
        "nothing to find: up to patch 5 it is not so"
        in kpt("bisect", "six", "--run", fault, "--once", "--bad", "5").out
    )
    document = kpt("bisect", "six", "--run", fault, "--once", "--bad", "4", "--json", status=1).json
    assert document["culprit"]["patch"] == 2
    assert "fails from patch 2 on, looking no further than patch 4 (" in document["why"]
    assert "there are 1, 2, 3, 4, 5, 6" in kpt("bisect", "six", "--run", fault, "--bad", "7", status=2).err


def test_the_base_is_bad_already_and_a_series_of_one(six: Path, kpt: Kpt) -> None:
    document = kpt("bisect", "six", "--run", "false", "--json").json
    assert document["culprit"] is None
    assert document["why"].startswith("on the base already")
    kpt("apply", "six", "--patches", "1")
    document = kpt("bisect", "six", "--run", "sh -c 'test $KPT_PATCH = 0'", "--minimal", "--json", status=1).json
    assert document["culprit"]["patch"] == 1
    assert [row["patch"] for row in document["minimal"]["patches"]] == [1]
    assert document["minimal"]["steps"] == []


def test_commands_as_people_write_them(six: Path, kpt: Kpt, tmp_path: Path) -> None:
    """A script beside the workspace, a pipe, a variable."""
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "no.sh").write_text("#!/bin/sh\ngrep -q kvm_bad arch/x86/kvm/x86.c\n")
    (tmp_path / "a b" / "no.sh").chmod(0o755)
    (tmp_path / "check.sh").write_text("#!/bin/sh\n! grep -q kvm_bad arch/x86/kvm/x86.c\n")
    (tmp_path / "check.sh").chmod(0o755)
    for command in (
        "./check.sh",
        "./check.sh && test -e Makefile",
        "A='x y' B= ./check.sh",
        "! './a b/no.sh' > /dev/null",
        "! grep kvm_bad arch/x86/kvm/x86.c | grep -q .",
        "test $KPT_PATCH -lt 4",
        "sh -c 'test $KPT_PATCH -lt 4'",
    ):
        assert kpt("bisect", "six", "--once", "--run", command, "--json", status=1).json["culprit"]["patch"] == 4


def test_names_that_mean_nothing(six: Path, kpt: Kpt) -> None:
    said = {
        ("nosuch", "--build"): "no such series; there is: six",
        ("six", "--measure", "weight"): "not something to measure; write size:kvm.ko",
        ("six", "--measure", "size:kvn.ko"): "no module 'kvn.ko'; there is irqbypass.ko, kvm.ko",
        ("six", "--measure", "run"): "give --measure run --run CMD",
        ("six", "--measure", "size:kvm", "--threshold", "x"): "not a threshold",
        ("six", "--run", "true", "--threshold", "1"): "say what to measure",
        ("six", "--build", "--measure", "size:kvm"): "two questions",
        ("six", "--run", ""): "an empty command",
        ("six", "--run", "nosuchprogram -x"): "no such program: nosuchprogram",
    }
    for words, what in said.items():
        err = kpt("bisect", *words, status=2).err
        assert what in err and len(err.splitlines()) == 1, err
    kpt("bisect", "series/six", "--build")


def test_another_configuration_is_another_question(six: Path, kpt: Kpt, workspace: Workspace, tmp_path: Path) -> None:
    """What was seen of the states as they were built before says nothing of them as they are built now."""
    git("checkout", "-q", "main", cwd=six)
    for path in ("virt/kvm/kvm_main.c", "arch/x86/kvm/svm.c"):
        append(six, path, f"int more = {'nothing' if 'svm' in path else '1'};\n", f"change {path}")
    git("format-patch", "-q", "-o", tmp_path / "two", "HEAD~2..HEAD", cwd=six)
    kpt("import", tmp_path / "two", "--name", "two")
    kpt("apply", "two", "--tree", "toy")
    (tmp_path / "no-amd").write_text("CONFIG_KVM_AMD=n\n")
    ask = ("bisect", "two", "--build", "--json")
    assert kpt(*ask, "--config", tmp_path / "no-amd").json["culprit"] is None
    assert kpt(*ask, status=1).json["culprit"]["patch"] == 2
    with (workspace.trees / "trees.toml").open("a") as file:
        file.write('[toy]\nconfig = ["CONFIG_KVM_AMD=n"]\n')
    assert kpt(*ask).json["culprit"] is None
    err = kpt("bisect", "two", "--run", "true", "--config", tmp_path / "no-amd", status=2).err
    assert err == "kpt: --config: a configuration, but nothing is built; give --build with --run\n"
