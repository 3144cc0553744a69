"""Configuration, compatibility and architectures: what is decided before make runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.kbuild import arch, compat, config, reach, versions
from kpatch_tool.kbuild.model import (
    Diagnostic,
    Module,
    ModuleChange,
    fails_as,
    module_changes,
    new_warnings,
    previous_built,
)
from kpatch_tool.kbuild.reach import ChangedPath
from kpatch_tool.kbuild.toolchain import Toolchain, probe
from kpatch_tool.results.answer import answer
from kpatch_tool.text import plural
from kpatch_tool.tree.model import ApplyOutcome
from tests.results_fixtures import make_build

DEBIAN_12 = Toolchain("gcc", (12, 2, 0), (2, 40), (4, 3), ("gcc 12.2.0", "as 2.40", "ld 2.40", "make 4.3"))
OLD = Toolchain("gcc", (4, 8, 4), (2, 24), (3, 82), ("gcc 4.8.4",))
X86 = arch.load("x86_64")


def fragment(text: str, kernel: str = "6.1") -> list[tuple[str, str]]:
    return [(one.symbol, one.value) for one in config.read_fragment(text, "f", versions.parse(kernel))]


def test_fragment_lines() -> None:
    text = '# remark\n\nCONFIG_A=y\n  CONFIG_B=m  # why\n# CONFIG_C is not set\nCONFIG_D="a # b"\nCONFIG_E=0x10\r\n'
    assert fragment(text) == [
        ("CONFIG_A", "y"), ("CONFIG_B", "m"), ("CONFIG_C", "n"), ("CONFIG_D", '"a # b"'), ("CONFIG_E", "0x10"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kernel", "expected"), [("3.15.5", []), ("4.18", ["y"]), ("5.0.1", ["y"]), ("6.2", []), ("", [])]
)
def test_fragment_for_some_versions(kernel: str, expected: list[str]) -> None:
    assert [value for _, value in fragment("CONFIG_A=y  # since 4.18, until 6.2: reason", kernel)] == expected


def test_fragment_line_that_means_nothing() -> None:
    with pytest.raises(InputError, match=r"^f:2: not a line of configuration: 'KVM=m'; write CONFIG_NAME=value$"):
        fragment("CONFIG_A=y\nKVM=m\n")


def test_later_wins_and_lost_are_named() -> None:
    asked = config.merged(config.read_fragment("CONFIG_A=y\nCONFIG_B=m\nCONFIG_A=n\nCONFIG_C=7\n", "f", (6, 1)))
    assert config.render(asked) == "# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_C=7\n"
    assert config.lost(asked, "CONFIG_B=m\nCONFIG_C=7\n# CONFIG_A is not set\n") == ()
    lost = config.lost(asked, "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=7\n")
    assert [(one.asked.symbol, one.asked.value, one.got) for one in lost] == [
        ("CONFIG_A", "n", "y"),
        ("CONFIG_B", "m", "y"),
    ]


def test_depends_on() -> None:
    text = """config KVM
\ttristate "KVM"
\tdepends on HAVE_KVM
\tdepends on NET && MULTIUSER
\thelp
\t  This depends on luck.

config KVM_AMD
\tdepends on KVM
"""
    assert config.depends_on(text, "KVM") == "HAVE_KVM && NET && MULTIUSER"
    assert config.depends_on("config KVM\n\tbool\n", "KVM") == ""
    assert config.depends_on(text, "KV") is None


def test_our_fragment_is_in_order() -> None:
    for kernel in ((3, 15), (6, 1, 192), ()):
        asked = config.read_fragment(X86.fragments[0].read_text(), "ours", kernel)
        assert len(config.merged(asked)) == len(asked), "a symbol stands twice"
        assert {one.symbol: one.value for one in asked}["CONFIG_KVM"] == "m"


def test_new_kernel_needs_nothing() -> None:
    found = compat.compat((6, 1, 192), DEBIAN_12)
    assert (found.cc, found.hostcc, found.make, found.headers, found.config) == ((), (), {}, {}, ())
    assert found.modules == "names"


def test_old_kernel_with_new_tools(tmp_path: Path) -> None:
    found = compat.compat((3, 15, 5), DEBIAN_12)
    assert "plt32" in found.rules
    found.install(tmp_path)
    variables = found.variables(DEBIAN_12, tmp_path)
    assert variables["CC"].startswith("gcc -std=gnu89 ")
    assert variables["HOSTCC"] == "gcc -fcommon"
    assert "#,\\#," in variables["make-cmd"]
    assert (tmp_path / "include/linux/compiler-gcc12.h").is_file()
    assert variables["CFLAGS_module.o"] == f"-include {tmp_path / 'plt32.h'}"
    assert found.config == ("CONFIG_OPTIMIZE_INLINING=y",)
    assert found.modules == "directories"


def test_old_kernel_with_old_tools() -> None:
    found = compat.compat((3, 15, 5), OLD)
    assert found.rules == ("modules-by-directory",)


def test_installed_headers_keep_their_time(tmp_path: Path) -> None:
    found = compat.compat((3, 15, 5), DEBIAN_12)
    found.install(tmp_path)
    before = (tmp_path / "plt32.h").stat().st_mtime_ns
    found.install(tmp_path)
    assert (tmp_path / "plt32.h").stat().st_mtime_ns == before


@pytest.mark.parametrize("rule", compat.rules(), ids=lambda rule: str(rule.name))
def test_rule_says_why_and_installs_what_it_uses(rule: compat.Rule) -> None:
    assert rule.why
    for source in rule.headers.values():
        assert (Path(compat.__file__).parent / "compat" / source).is_file()
    assert ("{data}" in str(rule.cc) + str(dict(rule.make))) == bool(rule.headers)


@pytest.mark.parametrize(("llvm", "names"), [("1", ("clang", "ld.lld")), ("-15", ("clang-15", "ld.lld-15"))])
def test_the_tools_of_llvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llvm: str, names: tuple[str, str]) -> None:
    """Documentation/kbuild/llvm.rst: one variable chooses them all, and a new clang builds anew."""
    for name in (*names, "gcc", "ld", "as", "make"):
        said = "clang version 15.0.6" if name == names[0] else f"GNU {name} 9.9"
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tools = probe({"LLVM": llvm})
    assert (tools.cc, tools.gcc, tools.identity[0]) == (names[0], (), "clang version 15.0.6")
    assert probe({"LLVM": f"{tmp_path}/", "CC": "gcc", "LD": "ld"}).cc == "gcc"
    assert tools.identity[2] == f"GNU {names[1]} 9.9"


def test_this_machines_tools() -> None:
    tools = probe({})
    assert tools.gcc >= (4,)
    assert tools.binutils >= (2,)
    assert tools.make >= (3,)
    assert len(tools.identity) == 4


def test_architectures() -> None:
    assert arch.names() == ("x86_64",)
    with pytest.raises(InputError, match="known: x86_64"):
        arch.load("../x86_64")
    assert "virt/lib/irqbypass.ko" in X86.modules_of((6, 1))
    assert X86.modules_of((3, 15))[0] == "arch/x86/kvm/kvm.ko"


USES = reach.Uses(
    image=frozenset({"include/linux/mm.h", "arch/x86/kvm/shared.h", "mm/slub.c"}),
    modules=frozenset({"include/linux/kvm_host.h", "include/linux/mm.h", "arch/x86/kvm/mmu.c"}),
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ChangedPath("arch/x86/kvm/mmu.c", "M"), True),
        (ChangedPath("arch/x86/kvm/new.c", "A"), True),
        (ChangedPath("virt/kvm/kvm_main.c", "M"), True),
        (ChangedPath("include/linux/kvm_host.h", "M"), True),
        (ChangedPath("include/linux/kvm_host.h", "D"), False),
        (ChangedPath("include/linux/mm.h", "M"), False),
        (ChangedPath("arch/x86/kvm/shared.h", "M"), False),
        (ChangedPath("arch/x86/kvm/Makefile", "M"), False),
        (ChangedPath("arch/x86/kvm/Kconfig", "M"), False),
        (ChangedPath("arch/x86/kernel/kvm.c", "M"), False),
        (ChangedPath("mm/slub.c", "M"), False),
        (ChangedPath("include/linux/new.h", "A"), False),
        (ChangedPath("Documentation/kvm.txt", "M"), True),
        (ChangedPath("Documentation/Kconfig", "M"), False),
        (ChangedPath("tools/testing/selftests/kvm/Makefile", "M"), True),
        (ChangedPath("tools/include/linux/kernel.h", "M"), False),
    ],
)
def test_how_far_a_change_reaches(change: ChangedPath, expected: bool) -> None:
    assert reach.modules_suffice([change], USES, X86.module_directories) is expected
    harmless = ChangedPath("arch/x86/kvm/x86.c", "M")
    assert reach.modules_suffice([harmless, change], USES, X86.module_directories) is expected


def test_records_of_make(tmp_path: Path) -> None:
    source, objects = tmp_path / "src", tmp_path / "obj"
    for path, deps in {
        "arch/x86/kvm/.mmu.o.cmd": "include/linux/kvm_host.h include/linux/mm.h",
        "mm/.slub.o.cmd": "include/linux/mm.h arch/../mm/slab.h",
    }.items():
        file = objects / path
        file.parent.mkdir(parents=True)
        words = " \\\n  ".join(f"{source}/{dep}" for dep in deps.split())
        file.write_text(f"deps_x.o := \\\n  {words} \\\n    $(wildcard include/config/smp.h) \\\n")
    uses = reach.collect(objects, source, X86.module_directories)
    assert uses.image == {"include/linux/mm.h", "mm/slab.h"}
    assert uses.modules == {"include/linux/kvm_host.h", "include/linux/mm.h"}
    reach.save(objects, uses)
    assert reach.load(objects) == uses


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("unused variable 'x'", "unused variable 'x'", True),
        ("unused variable 'x'", "unused variable 'y'", False),
        ("kvm_init()+0x1a: unreachable instruction", "kvm_init()+0x2c: unreachable instruction", True),
        ("kvm_init()+0x1a: unreachable instruction", "kvm_exit()+0x1a: unreachable instruction", False),
        ("the frame size of 2064 bytes is larger than 2048", "the frame size of 2080 bytes is larger than 2048", True),
        ("stack frame size of 2064 bytes in function 'f'", "stack frame size of 2080 bytes in function 'f'", True),
        (
            "stack frame size (2064) exceeds limit (2048) in 'f'",
            "stack frame size (80) exceeds limit (2048) in 'f'",
            True,
        ),
        (
            "stack frame size (2064) exceeds limit (2048) in 'f'",
            "stack frame size (2064) exceeds limit (2048) in 'g'",
            False,
        ),
        ("stack usage is 2064 bytes", "stack usage is 2080 bytes", True),
        ("stack usage might be 64 bytes", "stack usage might be 80 bytes", True),
        ("array subscript 4 is outside", "array subscript 5 is outside", False),
    ],
)
def test_a_warning_that_moves_is_the_same(before: str, after: str, same: bool) -> None:
    base = replace(make_build(0), warnings=(Diagnostic("a.c", 10, before, "-Wx"),))
    build = replace(make_build(1), warnings=(Diagnostic("a.c", 99, after, "-Wx"),))
    assert (new_warnings(build, base) == ()) is same


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ([100], [100, 900], [900]),
        ([100], [50, 110], [50]),
        ([100, 900], [110, 910], []),
        ([100, 900], [905], []),
        ([], [7, 9], [7, 9]),
        ([0], [0], []),
    ],
)
def test_one_more_warning_of_the_same_is_new(before: list[int], after: list[int], new: list[int]) -> None:
    unused = Diagnostic("a.c", 0, "unused variable 'i'", "-Wx")
    base, build = (
        replace(make_build(patch), warnings=tuple(replace(unused, line=line) for line in lines))
        for patch, lines in enumerate((before, after))
    )
    assert [one.line for one in new_warnings(build, base)] == new
    told = f"builds with {plural(len(new), 'new warning')}" if new else "builds without new warnings"
    assert told in answer("s", "t", ApplyOutcome("t", "b", "kpt", None, ()), [base, build], ())


def test_a_base_that_does_not_build_has_no_warnings_to_compare_with() -> None:
    warned = replace(make_build(1), warnings=(Diagnostic("a.c", 10, "unused", "-Wx"),))
    assert new_warnings(warned, make_build(0)) == new_warnings(warned, None) == warned.warnings
    assert new_warnings(warned, make_build(0, "failed")) == ()


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        ("undefined reference to 'f'", "undefined reference to 'f'", True),
        ("undefined reference to 'f'", "undefined reference to 'g'", False),
        ("vmlinux: Error 1", "vmlinux: Error 1", False),
    ],
)
def test_builds_fail_alike_by_what_went_wrong_only(before: str, after: str, alike: bool) -> None:
    base, build = (
        replace(make_build(k, "failed"), errors=(Diagnostic("Makefile", 1169, said, echo="Error" in said),))
        for k, said in enumerate((before, after))
    )
    assert fails_as(build, base) is alike


def test_modules_beside_those_of_another_state() -> None:
    image, old, gone, new = (
        Module("bzImage", "1", 9),
        Module("a.ko", "2", 100),
        Module("b.ko", "3", 5),
        Module("c", "4", 7),
    )
    base = replace(make_build(0), image=image, modules=(old, gone))
    build = replace(make_build(1), image=image, modules=(Module("a.ko", "5", 90), new))
    assert module_changes(build, base) == (
        ModuleChange("bzImage", True, 0),
        ModuleChange("a.ko", False, -10),
        ModuleChange("c", False, 7, was_present=False),
        ModuleChange("b.ko", False, -5, present=False),
    )
    assert not build.same_binaries(base)
    assert build.same_binaries(replace(build, patch=2))
    assert module_changes(build, make_build(2, "failed")) == ()
    assert not make_build(1, "failed").same_binaries(make_build(2, "failed"))


def test_the_state_that_a_patch_is_compared_with() -> None:
    builds = [make_build(0), make_build(1), make_build(2, "failed"), make_build(3)]
    assert [found and found.patch for found in (previous_built(builds, k) for k in range(5))] == [None, 0, 1, 1, 3]
