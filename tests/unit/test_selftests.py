"""The tree's selftests: lists of programs in Makefiles; building in a toy tree with real git, make and gcc."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool import workspace
from kpatch_tool.errors import MachineError
from kpatch_tool.suites import selftests
from kpatch_tool.suites.selftests import Options, Program
from kpatch_tool.tree.model import State, Tree

X86 = ("TEST_GEN_PROGS_x86_64", "TEST_GEN_PROGS_x86")


@pytest.mark.parametrize(
    ("makefile", "paths"),
    [
        (  # Linux 6.1
            "TEST_GEN_PROGS_x86_64 = x86_64/cpuid_test\nTEST_GEN_PROGS_x86_64 += x86_64/smm_test\n"
            "TEST_GEN_PROGS_x86_64 += dirty_log_test # all of them\nTEST_GEN_PROGS_EXTENDED_x86_64 += x86_64/nx\n"
            "TEST_GEN_PROGS_aarch64 += aarch64/vgic_init\nTEST_GEN_PROGS += $(TEST_GEN_PROGS_$(UNAME_M))\n",
            ["x86_64/cpuid_test", "x86_64/smm_test", "dirty_log_test"],
        ),
        (  # Linux 4.18
            "TEST_GEN_PROGS_x86_64 := set_sregs_test \\\n\tsync_regs_test\n",
            ["set_sregs_test", "sync_regs_test"],
        ),
        (  # Linux 6.14
            "TEST_GEN_PROGS_COMMON = demand_paging_test\nTEST_GEN_PROGS_COMMON += guest_print_test\n"
            "TEST_GEN_PROGS_x86 = $(TEST_GEN_PROGS_COMMON)\nTEST_GEN_PROGS_x86 += x86/smm_test\n",
            ["demand_paging_test", "guest_print_test", "x86/smm_test"],
        ),
        ("TEST_GEN_PROGS_x86 = $(TEST_GEN_PROGS_x86) a\n", ["a"]),
        ("TEST_GEN_PROGS_x86_64 += twice\nTEST_GEN_PROGS_x86_64 += twice\n", ["twice"]),
        ("all:\n\techo\n", []),
        ("", []),
    ],
)
def test_programs_in(makefile: str, paths: list[str]) -> None:
    assert [program.path for program in selftests.programs_in(makefile, X86)] == paths


def test_name_is_the_last_part_of_the_path() -> None:
    (program,) = selftests.programs_in("TEST_GEN_PROGS_x86_64 = x86_64/cpuid_test\n", X86)
    assert (program.name, program.source) == ("cpuid_test", "x86_64/cpuid_test.c")


PROGRAMS = (Program("b", "x86_64/b"), Program("a", "a"), Program("ab", "ab"))


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), ["a", "b"]),  # the list's order; what the tree lacks is left out
        (("a*",), ["a", "ab"]),  # the tree's order
        (("x86_64/*",), ["b"]),
        (("b", "a"), ["b", "a"]),
        (("c",), []),
    ],
)
def test_choose(patterns: tuple[str, ...], names: list[str]) -> None:
    listed = {"a": Options(), "missing": Options(), "b": Options()}
    assert [program.name for program in selftests.choose(PROGRAMS, listed, patterns)] == names


def test_shipped_list_is_usable() -> None:
    listed = selftests.defaults("x86_64")
    assert listed["dirty_log_test"].args[:2] == ("-i", "3")
    assert len(listed) > 10
    assert all(0 < options.timeout <= 120 for options in listed.values())


MAKEFILE = """\
TEST_GEN_PROGS_x86_64 = good_test
TEST_GEN_PROGS_x86_64 += x86_64/bad_test
TEST_GEN_PROGS_x86_64 += syntax_test
LIB := $(OUTPUT)/lib/common.o
$(OUTPUT)/%: %.c $(LIB)
	@mkdir -p $(@D)
	@echo $< >>$(OUTPUT)/made
	$(CC) $(KHDR_INCLUDES) -Iinclude -o $@ $< $(LIB)
$(LIB): lib/common.c
	@mkdir -p $(@D)
	@echo $< >>$(OUTPUT)/made
	$(CC) -Iinclude -c -o $@ $<
"""
TOP = """\
headers:
	@mkdir -p $(O)/usr/include
	@cp include/uapi/kvm.h $(O)/usr/include/kvm-toy.h
"""
INSIDE = selftests.DIRECTORY
FILES = {
    "Makefile": TOP,
    "include/uapi/kvm.h": "#define FROM_KERNEL 7\n",
    f"{INSIDE}/Makefile": MAKEFILE,
    f"{INSIDE}/include/common.h": "int common(void);\n#define STEP 1\n",
    f"{INSIDE}/lib/common.c": '#include "common.h"\nint common(void) { return STEP; }\n',
    f"{INSIDE}/good_test.c": '#include <kvm-toy.h>\n#include "common.h"\n'
    "int main(void) { return FROM_KERNEL + common(); }\n",
    f"{INSIDE}/x86_64/bad_test.c": '#include "common.h"\nint missing();\nint main(void) { return missing(); }\n',
    f"{INSIDE}/syntax_test.c": "int main(void)\n{ return x; }\n",
}


class Toy:
    """A tree with selftests, and a workspace to build them in."""

    def __init__(self, root: Path) -> None:
        self.workspace = workspace.create(root / "ws")
        self.work = root / "work"
        self.work.mkdir()
        self._git("init", "-q", "-b", "main")
        self.made = self.workspace.state / "build" / "toy-x86_64-selftests" / "out" / "made"

    def commit(self, files: dict[str, str]) -> State:
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self._git("add", "-Af")
        self._git("commit", "-qm", "state")
        return State(0, self._git("rev-parse", "HEAD"), self._git("rev-parse", "HEAD^{tree}"))

    def build(self, state: State, *patterns: str, cc: str = "") -> selftests.Selftests:
        tree = Tree("toy", self.work / ".git", state.commit, make={"CC": cc} if cc else {})
        return selftests.build_selftests(self.workspace, tree, state, patterns=patterns or ("*",), jobs=2)

    def news(self) -> list[str]:
        """What was compiled since the last question."""
        if not self.made.exists():
            return []
        lines = sorted(self.made.read_text("utf-8").split())
        self.made.unlink()
        return lines

    def _git(self, *words: str) -> str:
        identity = ["-c", "user.name=toy", "-c", "user.email=toy@example.org"]
        done = subprocess.run(["git", *identity, *words], cwd=self.work, check=True, capture_output=True, text=True)
        return done.stdout.strip()


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def test_each_program_on_its_own(toy: Toy) -> None:
    found = toy.build(toy.commit(FILES))
    good, bad, syntax = found.tests
    assert [test.name for test in found.tests] == ["good_test", "bad_test", "syntax_test"]
    assert good.path is not None
    assert not good.why_not_built
    assert os.access(good.path, os.X_OK)
    assert subprocess.run([good.path], check=False).returncode == 8
    assert bad.path is None
    assert "undefined reference to" in bad.why_not_built
    assert "missing" in bad.why_not_built
    assert syntax.path is None
    assert syntax.why_not_built.startswith("syntax_test.c:2: ")
    assert found.log is not None
    assert found.log.is_file()


def test_known_programs_are_not_built_again(toy: Toy) -> None:
    first = toy.commit(FILES)
    before = toy.build(first)
    assert toy.news()
    unrelated = toy.commit({"kernel/sched.c": "int x;\n"})
    after = toy.build(unrelated)
    assert toy.news() == []
    assert after.log is None
    assert [test.path for test in after.tests] == [test.path for test in before.tests]


def test_what_lacked_a_header_is_built_again_once_that_is_installed(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = tmp_path / "include"
    headers.mkdir()
    monkeypatch.setattr(selftests, "_LIBRARIES", (str(headers),))
    monkeypatch.setenv("KPT_NO_SANDBOX", "1")  # it shows nothing of /tmp
    text = f'#include "{headers}/popt.h"\nint main(void) {{ return POPT; }}\n'
    state = toy.commit({**FILES, f"{INSIDE}/good_test.c": text})
    for _ in range(2):
        (good,) = toy.build(state, "good_test").tests
        assert "popt.h" in good.why_not_built
    assert len([line for line in toy.news() if line == "good_test.c"]) == 2, "together, and alone for its error"
    (headers / "popt.h").write_text("#define POPT 3\n", "utf-8")
    (good,) = toy.build(state, "good_test").tests
    assert good.path is not None
    assert subprocess.run([good.path], check=False).returncode == 3


def test_a_change_of_one_program_builds_that_one(toy: Toy) -> None:
    first = toy.commit(FILES)
    assert toy.build(first).tests[2].path is None
    toy.news()
    second = toy.commit({f"{INSIDE}/syntax_test.c": "int main(void)\n{ return 0; }\n"})
    assert toy.build(second).tests[2].path is not None
    assert toy.news() == ["syntax_test.c"]
    assert toy.build(first).tests[2].path is None
    assert toy.news() == []


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        (f"{INSIDE}/include/common.h", "int common(void);\n#define STEP 2\n", 9),
        ("include/uapi/kvm.h", "#define FROM_KERNEL 20\n", 21),
    ],
)
def test_a_changed_header_reaches_every_program(toy: Toy, name: str, text: str, status: int) -> None:
    toy.build(toy.commit(FILES), "good_test")
    (test,) = toy.build(toy.commit({name: text}), "good_test").tests
    assert test.path is not None
    assert subprocess.run([test.path], check=False).returncode == status


def test_a_compiler_with_other_options_builds_all_again(toy: Toy) -> None:
    """Also what the programs share, which has been built with the options of before."""
    added = toy.commit(
        {**FILES, f"{INSIDE}/include/common.h": "int common(void);\n#ifndef STEP\n#define STEP 1\n#endif\n"}
    )
    for cc, status in (("gcc", 8), ("gcc -DSTEP=3", 10)):
        (test,) = toy.build(added, "good_test", cc=cc).tests
        assert test.path is not None
        assert subprocess.run([test.path], check=False).returncode == status


def test_what_a_series_adds_or_changes_runs_beside_the_usual_ones(toy: Toy) -> None:
    base = toy.commit(FILES)
    more = MAKEFILE.replace("good_test", "good_test new_test", 1)
    middle = toy.commit({f"{INSIDE}/Makefile": more, f"{INSIDE}/new_test.c": "int main(void) { return 1; }\n"})
    head = toy.commit({f"{INSIDE}/syntax_test.c": "int main(void)\n{ return 0; }\n"})
    tree = Tree("toy", toy.work / ".git", base.commit)
    touched = selftests.touched(tree, base, head)
    assert touched == ("new_test", "syntax_test")
    assert selftests.touched(tree, base, base) == ()

    def names(state: State) -> list[tuple[str, bool]]:
        found = selftests.build_selftests(toy.workspace, tree, state, touched=touched, jobs=2)
        return [(test.name, test.path is not None) for test in found.tests]

    assert names(base) == [("syntax_test", False)]
    assert names(middle) == [("new_test", True), ("syntax_test", False)]
    assert names(head) == [("new_test", True), ("syntax_test", True)]


def test_make_stands_back_from_guests_and_for_the_base_there_are_none(toy: Toy) -> None:
    base = toy.commit({**FILES, f"{INSIDE}/Makefile": f"{MAKEFILE}$(info nice $(shell nice))\n"})
    patched = replace(toy.commit({f"{INSIDE}/include/common.h": "int common(void);\n#define STEP 2\n"}), patch=1)
    mine = os.nice(0)  # the tests may be run with nice, too
    found = []
    for state in (base, patched):
        log = toy.build(state, "good_test").log
        assert log is not None
        found.append({int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("nice ")})
    assert found == [{mine}, {min(mine + 10, 19)}]


def test_what_a_killed_build_left_is_not_used(toy: Toy) -> None:
    state = toy.commit(FILES)
    toy.build(state, "good_test")
    objects = toy.made.parent.parent
    (objects / "out" / "lib" / "common.o").write_bytes(b"half")
    (objects / ".kpt-building").touch()
    changed = toy.commit({f"{INSIDE}/good_test.c": FILES[f"{INSIDE}/good_test.c"] + "/* again */\n"})
    (test,) = toy.build(changed, "good_test").tests
    assert test.path is not None


def test_what_builds_when_it_is_made_alone_is_kept(toy: Toy) -> None:
    """make -j may have made things in a wrong order."""
    late = MAKEFILE.replace(
        "$(CC) $(KHDR", "test -e $(OUTPUT)/tried || { touch $(OUTPUT)/tried; exit 1; }; $(CC) $(KHDR"
    )
    (test,) = toy.build(toy.commit({**FILES, f"{INSIDE}/Makefile": late}), "good_test").tests
    assert test.path is not None


def test_headers_that_cannot_be_made_are_the_states_fault_and_made_by_the_next(toy: Toy) -> None:
    broken = toy.commit({**FILES, "Makefile": "headers:\n\t@echo 'gen.c:3: error: no such key'; exit 1\n"})
    for _ in range(2):  # remembered
        good, *_ = toy.build(broken).tests
        assert good.path is None
        assert good.why_not_built.startswith("the kernel's headers for it: ") and "no such key" in good.why_not_built
    good, *_ = toy.build(toy.commit({"Makefile": TOP})).tests
    assert good.path is not None


@pytest.mark.parametrize("rule", ["exit 137", "kill -9 $$PPID"])
def test_a_make_that_was_killed_is_this_machines_fault(toy: Toy, rule: str) -> None:
    killed = MAKEFILE.replace("$(CC) $(KHDR", f"{rule}; $(CC) $(KHDR")
    state = toy.commit({**FILES, f"{INSIDE}/Makefile": killed})
    with pytest.raises(MachineError, match="cannot build the selftests"):
        toy.build(state, "good_test")


def test_a_tree_without_selftests_says_so(toy: Toy) -> None:
    found = toy.build(toy.commit({"Makefile": TOP}))
    assert found.tests == ()
    assert INSIDE in found.why


def test_nothing_matches(toy: Toy) -> None:
    found = toy.build(toy.commit(FILES), "nonsense")
    assert found.tests == ()
    assert "nonsense" in found.why


@pytest.mark.parametrize("form", ["absolute", "upward", "through a link"])
def test_no_name_or_link_of_a_stranger_leads_out(toy: Toy, tmp_path: Path, form: str) -> None:
    """What lies at a program's path is removed before it is made: it must lie in the directory of the objects."""
    victim = tmp_path / "home/good_test"
    victim.parent.mkdir()
    victim.write_text("precious")
    makefile = MAKEFILE
    if form == "through a link":
        link = f"$(shell mkdir -p $(OUTPUT); rm -rf $(OUTPUT)/x86_64; ln -s {victim.parent} $(OUTPUT)/x86_64)\n"
        makefile = link + MAKEFILE.replace("x86_64/bad_test", "x86_64/good_test")
    else:
        up = toy.made.parents[1] / "out"
        path = victim if form == "absolute" else os.path.relpath(victim, up)
        makefile = f"TEST_GEN_PROGS_x86_64 += {path}\n" + MAKEFILE
    assert makefile != MAKEFILE
    state = toy.commit({**FILES, f"{INSIDE}/Makefile": makefile})
    for patterns in (("*",), ("good_test",)):
        found = toy.build(state, *patterns)
        assert "home" not in " ".join(test.name for test in found.tests)
    for name in ("good_test.c", "x86_64/good_test.c"):  # made again, in the directory that is there
        toy.build(toy.commit({f"{INSIDE}/{name}": f"int main(void) {{ return {len(name)}; }}\n"}))
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    "left", ["rm -f {0}; mkdir -p {0}/d", "ln -sf /etc/passwd {0}", "rm -rf x86_64; ln -s x86_64 x86_64"]
)
def test_what_make_left_in_the_place_of_a_program_is_no_hindrance(toy: Toy, left: str) -> None:
    trap = left.format("good_test")
    makefile = f"{MAKEFILE}all_made := $(shell cd $(OUTPUT); {trap})\n"
    toy.build(toy.commit({**FILES, f"{INSIDE}/Makefile": makefile}))
    (built, *_) = toy.build(toy.commit({f"{INSIDE}/Makefile": MAKEFILE})).tests
    assert built.path is not None
    out = toy.made.parent
    subprocess.run(["sh", "-c", trap], cwd=out, check=True)
    changed = {f"{INSIDE}/good_test.c": FILES[f"{INSIDE}/good_test.c"] + "/* again */\n"}
    (again, *_) = toy.build(toy.commit(changed)).tests
    assert again.path is not None and again.path != built.path


@pytest.mark.parametrize("word", ["../x", "a/../../x", "/x", "-x", "CC=x", "a\x1bb", "a//b", ".", "x/", "a;b", "a:b"])
def test_words_that_are_no_programs(word: str) -> None:
    assert selftests.programs_in(f"TEST_GEN_PROGS = good {word}\n", ["TEST_GEN_PROGS"]) == (
        selftests.Program("good", "good"),
    )
