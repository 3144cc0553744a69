"""Reading make's output. The lines are from real logs (Linux 3.15 and 6.1, gcc 12, binutils 2.40, make 4.3)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.kbuild import diagnostics
from kpatch_tool.kbuild.model import Diagnostic
from kpatch_tool.kbuild.objdir import carried
from kpatch_tool.system import process
from tests.results_fixtures import make_build

ROOTS = diagnostics.Roots("/w/.kpt/worktrees/t", "/w/.kpt/build/t-x86_64")
SRC = ROOTS.source


def units(log: str) -> dict[str, diagnostics.Unit]:
    return {unit.name: unit for unit in diagnostics.read(log.encode(), ROOTS)}


WARNINGS = [
    (
        f"{SRC}/scripts/sortextable.h:176:17: warning: ‘relocs_size’ may be used uninitialized [-Wmaybe-uninitialized]",
        Diagnostic("scripts/sortextable.h", 176, "'relocs_size' may be used uninitialized", "-Wmaybe-uninitialized"),
    ),
    (
        "../../worktrees/t/arch/x86/kvm/mmu.c:9:5: warning: no previous prototype for 'f' [-Wmissing-prototypes]",
        Diagnostic("arch/x86/kvm/mmu.c", 9, "no previous prototype for 'f'", "-Wmissing-prototypes"),
    ),
    (
        f"{SRC}/arch/x86/kernel/entry_64.S:530: Warning: no instruction mnemonic suffix given; using default for `btr'",
        Diagnostic("arch/x86/kernel/entry_64.S", 530, "no instruction mnemonic suffix given; using default for 'btr'"),
    ),
    (
        "ld: warning: arch/x86/boot/setup.elf has a LOAD segment with RWX permissions",
        Diagnostic("", 0, "arch/x86/boot/setup.elf has a LOAD segment with RWX permissions"),
    ),
    (
        "arch/x86/kvm/kvm.o: warning: objtool: kvm_x()+0x1a: call to memcpy() leaves .noinstr.text section",
        Diagnostic("arch/x86/kvm/kvm.o", 0, "kvm_x()+0x1a: call to memcpy() leaves .noinstr.text section"),
    ),
    (
        "WARNING: modpost: vmlinux.o: section mismatch in reference: foo (section: .text) -> bar (section: .init.text)",
        Diagnostic("vmlinux.o", 0, "section mismatch in reference: foo (section: .text) -> bar (section: .init.text)"),
    ),
]


@pytest.mark.parametrize(("line", "expected"), WARNINGS, ids=[line[:40] for line, _ in WARNINGS])
def test_warning(line: str, expected: Diagnostic) -> None:
    found = units(f"  CC      some/unit.o\n{line}\n")["some/unit.o"]
    assert found.warnings == (expected,)
    assert found.errors == ()


KCONFIG = [
    (
        "arch/x86/kvm/Kconfig:24:warning: type of 'KVM' redefined from 'tristate' to 'boolean'",
        Diagnostic("arch/x86/kvm/Kconfig", 24, "type of 'KVM' redefined from 'tristate' to 'boolean'"),
    ),
    (
        "WARNING: unmet direct dependencies detected for FOO\n  Depends on [n]: BAR [=n]\n  Selected by [m]:",
        Diagnostic("", 0, "unmet direct dependencies detected for FOO"),
    ),
    (
        "warning: (KVM && X86) selects FOO which has unmet direct dependencies (BAR)",
        Diagnostic("", 0, "(KVM && X86) selects FOO which has unmet direct dependencies (BAR)"),
    ),
]


@pytest.mark.parametrize(("line", "expected"), KCONFIG, ids=[line[:40] for line, _ in KCONFIG])
@pytest.mark.parametrize("before", ["", "  HOSTCC  scripts/kconfig/conf.o\n  HOSTLD  scripts/kconfig/conf\n"])
def test_what_kconfig_says_is_its_own_whatever_was_made_for_it(before: str, line: str, expected: Diagnostic) -> None:
    made = f"{before and SRC + '/scripts/kconfig/conf.c:1:1: warning: odd [-Wx]'}\n"
    says, quiet = (
        diagnostics.read(f"{before}{made}{said}\n  GEN     Makefile\n".encode(), ROOTS, configuring=True)
        for said in (line, "")
    )
    here = {unit.name: unit.warnings for unit in says}[diagnostics.KCONFIG]
    assert here == (expected,)
    base, patched = carried({}, quiet), carried(carried({}, quiet), says)
    assert [diagnostics.KCONFIG in one for one in (base, patched, carried(patched, quiet))] == [False, True, False]
    asked_again = diagnostics.read(f"  SYNC    include/config/auto.conf\n{line}\n".encode(), ROOTS)
    assert carried(patched, asked_again) == patched


ERRORS = [
    (
        f"{SRC}/arch/x86/kvm/mmu.c:4583:19: error: 'bb' undeclared (first use in this function)",
        Diagnostic("arch/x86/kvm/mmu.c", 4583, "'bb' undeclared (first use in this function)"),
    ),
    (
        f"{SRC}/arch/x86/kvm/x86.c:31:10: fatal error: linux/nothing.h: No such file or directory",
        Diagnostic("arch/x86/kvm/x86.c", 31, "linux/nothing.h: No such file or directory"),
    ),
    (
        f"{SRC}/a.c:3:5: error: unused variable 'b' [-Werror=unused-variable]",
        Diagnostic("a.c", 3, "unused variable 'b'"),
    ),
    (
        f"{SRC}/arch/x86/lib/x.S:7: Error: no such instruction: `frob'",
        Diagnostic("arch/x86/lib/x.S", 7, "no such instruction: 'frob'"),
    ),
    (
        'ERROR: modpost: "kvm_frob" [arch/x86/kvm/kvm-amd.ko] undefined!',
        Diagnostic("arch/x86/kvm/kvm-amd.ko", 0, '"kvm_frob" [arch/x86/kvm/kvm-amd.ko] undefined!'),
    ),
    (
        'ERROR: "kvm_frob" [arch/x86/kvm/kvm-amd.ko] undefined!',
        Diagnostic("arch/x86/kvm/kvm-amd.ko", 0, '"kvm_frob" [arch/x86/kvm/kvm-amd.ko] undefined!'),
    ),
    (
        f"ld: {SRC}/init/main.c:1042: undefined reference to `frob'",
        Diagnostic("init/main.c", 1042, "undefined reference to 'frob'"),
    ),
    *(
        (said, Diagnostic(*place, message))
        for said, place, message in (
            # GNU ld without debug information; before binutils 2.31 without its name, and of built-in.o without a file
            ("x86.c:(.text+0x12): undefined reference to `foo'", ("x86.c", 0), "undefined reference to 'foo'"),
            ("(.text+0x12): undefined reference to `foo'", ("", 0), "undefined reference to 'foo'"),
            (
                "/usr/bin/ld: a/x86.o:(.data+0x10): undefined reference to `f'",
                ("a/x86.o", 0),
                "undefined reference to 'f'",
            ),
            ("a.o:a.c:(.text+0x5): undefined reference to `f'", ("a.c", 0), "undefined reference to 'f'"),
            (
                "b.c:(.text+0x0): multiple definition of `f'; a.o:a.c: first",
                ("b.c", 0),
                "multiple definition of 'f'; a.o:a.c: first",
            ),
            (f"ld: b.o:{SRC}/kvm.h:12: multiple definition of `f'", ("kvm.h", 12), "multiple definition of 'f'"),
            (
                "x.c:(.text+0x1): relocation truncated to fit: R_X86_64_PC32",
                ("x.c", 0),
                "relocation truncated to fit: R_X86_64_PC32",
            ),
            ("ld: kernel image bigger than KERNEL_IMAGE_SIZE", ("", 0), "kernel image bigger than KERNEL_IMAGE_SIZE"),
            ("ld.lld: error: undefined symbol: foo", ("", 0), "undefined symbol: foo"),
            (
                "ld.lld-15: error: x.o:(.text+0x1): relocation out of range",
                ("", 0),
                "x.o:(.text+0x1): relocation out of range",
            ),
            ("FATAL: modpost: GPL-incompatible module kvm.ko uses f", ("", 0), "GPL-incompatible module kvm.ko uses f"),
            (
                'arch/x86/Kconfig:12: can\'t open file "foo/Kconfig"',
                ("arch/x86/Kconfig", 12),
                'can\'t open file "foo/Kconfig"',
            ),
            (f"{SRC}/a/b.S:12: Fatal error: can't open foo", ("a/b.S", 12), "can't open foo"),
        )
    ),
    (
        "make[4]: *** No rule to make target 'arch/x86/kvm/frob.o', needed by 'arch/x86/kvm/kvm.o'.  Stop.",
        Diagnostic("", 0, "No rule to make target 'arch/x86/kvm/frob.o', needed by 'arch/x86/kvm/kvm.o'"),
    ),
    (
        f"{SRC}/arch/x86/kvm/Makefile:5: *** missing separator.  Stop.",
        Diagnostic("arch/x86/kvm/Makefile", 5, "missing separator"),
    ),
    (
        "arch/x86/kvm/Kconfig:9: syntax error",
        Diagnostic("arch/x86/kvm/Kconfig", 9, "syntax error"),
    ),
    (
        "arch/x86/kvm/kvm.o: error: objtool: can't find jump dest instruction",
        Diagnostic("arch/x86/kvm/kvm.o", 0, "can't find jump dest instruction"),
    ),
]
ECHOES = (
    f"make[3]: *** [{SRC}/scripts/Makefile.build:309: arch/x86/kvm/mmu.o] Error 1\nmake: *** [Makefile:1: x] Error 2\n"
)


@pytest.mark.parametrize(("line", "expected"), ERRORS, ids=[line[:40] for line, _ in ERRORS])
def test_error_is_the_root_cause(line: str, expected: Diagnostic) -> None:
    log = f"""  CC      x.o
ld: x.o: in function `f':
x.o: In function `f':
ld: warning: x.o: missing .note.GNU-stack section implies executable stack
ld: NOTE: This behaviour is deprecated and will be removed in a future version of the linker
{line}
ld: final link failed: bad value
cc1: all warnings being treated as errors
{ECHOES}"""
    assert diagnostics.root_causes(log.encode(), ROOTS) == (expected,)


@pytest.mark.parametrize(
    "warning",
    [
        "arch/x86/kvm/kvm-amd.o: section mismatch in reference: kvm_f (section: .text) -> kvm_x (section: .init.data)",
        "kvm-amd.o(.text+0x12): Section mismatch in reference from the function kvm_f() to the variable .init.data:x",
    ],
)
def test_what_mismatches_is_the_root_cause(warning: str) -> None:
    end = "ERROR: modpost: Section mismatches detected.\nSet CONFIG_SECTION_MISMATCH_WARN_ONLY=y to allow them.\n"
    (error,) = diagnostics.root_causes(f"WARNING: modpost: {warning}\n{end}{ECHOES}".encode(), ROOTS)
    assert error.told == warning
    (error,) = diagnostics.root_causes(f"{end}{ECHOES}".encode(), ROOTS)
    assert error.told == "Section mismatches detected."
    only_warned = f"WARNING: modpost: {warning}\n{SRC}/a.c:3:5: error: no\n{ECHOES}"
    (error,) = diagnostics.root_causes(only_warned.encode(), ROOTS)
    assert error.told == "a.c:3: no"


@pytest.mark.parametrize(
    ("errors", "compiled"),
    [
        ([Diagnostic("", 0, "Section mismatches detected.")], True),
        ([Diagnostic("a/kvm.o", 0, "section mismatch in reference: f (section: .text) -> x (section: .init)")], True),
        ([Diagnostic("a/kvm-amd.ko", 0, '"kvm_frob" [a/kvm-amd.ko] undefined!')], True),
        ([Diagnostic("a/kvm-amd.ko", 0, '"f" [a/kvm-amd.ko] undefined!'), Diagnostic("a.c", 1, "no")], False),
        ([Diagnostic("init/main.c", 1042, "undefined reference to 'frob'")], False),
        ([], False),
    ],
)
def test_modpost_comes_when_all_is_compiled(errors: list[Diagnostic], compiled: bool) -> None:
    build = replace(make_build(1, "failed", why="no"), errors=tuple(errors))
    assert (build.compiled, make_build(1).compiled) == (compiled, True)


def test_echo_is_told_where_there_is_nothing_better() -> None:
    (error,) = diagnostics.root_causes(ECHOES.encode(), ROOTS)
    assert (error.file, error.line) == ("scripts/Makefile.build", 309)
    assert error.message == "arch/x86/kvm/mmu.o: Error 1"


def test_context_of_a_warning_is_not_another_one() -> None:
    log = f"""  CC      scripts/kconfig/zconf.tab.o
In file included from scripts/kconfig/zconf.tab.c:2537:
In function ‘get_prompt_str’,
    inlined from ‘get_symbol_str’ at {SRC}/scripts/kconfig/menu.c:638:3:
{SRC}/scripts/kconfig/menu.c:590:46: warning: ‘jump’ may be used uninitialized [-Wmaybe-uninitialized]
  590 |                                 jump->offset = strlen(r->s);
      |                                 ~~~~~~~~~~~~~^~~~~~~~~~~~~~
{SRC}/scripts/kconfig/menu.c: In function ‘get_symbol_str’:
{SRC}/scripts/kconfig/menu.c:551:26: note: ‘jump’ was declared here
  551 |         struct jump_key *jump;
"""
    assert [one.line for one in units(log)["scripts/kconfig/zconf.tab.o"].warnings] == [590]


def test_each_object_has_its_own_and_silent_ones_are_there() -> None:
    log = (
        "  CC [M]  arch/x86/kvm/a.o\n"
        f"{SRC}/arch/x86/kvm/a.c:1:1: warning: one [-Wx]\n{SRC}/arch/x86/kvm/a.c:1:1: warning: one [-Wx]\n"
        "  CC [M]  arch/x86/kvm/b.o\n  LD [M]  arch/x86/kvm/kvm.o\n"
    )
    found = units(log)
    assert [len(found[name].warnings) for name in found] == [1, 0, 0]
    assert list(found) == ["arch/x86/kvm/a.o", "arch/x86/kvm/b.o", "arch/x86/kvm/kvm.o"]


@pytest.mark.parametrize(
    "line",
    [
        "fs/x.c:1:1: fatal error: error writing to /tmp/ccX.s: No space left on device",
        "gcc: fatal error: Killed signal terminated program cc1",
        "make[2]: *** [scripts/Makefile.build:250: mm/slub.o] Killed",
        "/bin/sh: 1: bison: not found",
        "/bin/bash: line 1: bison: command not found",
        "make: bison: command not found",
        "x.S:12: Fatal error: can't write 20 bytes to section .text of x.o: 'No space left on device'",
        "/bin/sh: 1: /usr/bin/flex: not found",
        "/bin/sh: 1: /opt/x-tools/bin/aarch64-linux-gnu-gcc: not found",
        "Killed",
        "scripts/link-vmlinux.sh: line 47: 4711 Killed                  ld -o vmlinux",
        "make[2]: *** [Makefile.vmlinux:34: vmlinux] Error 137",
        "collect2: fatal error: ld terminated with signal 9 [Killed]",
        "cc1: out of memory allocating 65536 bytes: Cannot allocate memory",
    ],
)
def test_the_machines_fault(line: str) -> None:
    assert diagnostics.infra_reason(f"  CC      x.o\n{line}\n{ECHOES}".encode()) == line


@pytest.mark.parametrize(
    "log",
    [
        "\n".join(line for line, _ in ERRORS),
        'a/x.c:10:5: error: initializer-string for array is too long: "No space left on device"\n',
        "a/x.S:10: Error: no such instruction: `Too many open files'\n",
        'a/x.c:1:9: note: expanded from macro\n#define MSG "Cannot allocate memory"\n        ^\n',
        'a/x.c:1:9: error: expected expression\nchar *a = "Disk quota exceeded\n     ~~~~ ^ ~~\n',
        "/s/arch/x86/kvm/gen.sh: line 3: foo: command not found\n",
        "scripts/gen.sh: line 3: foo: command not found\n",
    ],
)
def test_the_kernels_fault(log: str) -> None:
    assert diagnostics.infra_reason(log.encode()) is None


@pytest.mark.parametrize("number", [1, 123_456])
@pytest.mark.parametrize("before", ["", "\f", "\v", "\r", "\u2028"])
def test_words_of_the_source_are_not_the_machines(tmp_path: Path, number: int, before: str) -> None:
    """A compiler shows the line that is wrong, and kernels speak of machines, too."""
    source = "\n" * (number - 1) + f'int f(void) {{ return pr_warn("{before}Cannot allocate memory"); }}\n'
    (tmp_path / "f.c").write_text(source, newline="\n")
    done = process.run(["gcc", "-c", "-Werror=implicit-function-declaration", "f.c"], cwd=tmp_path)
    assert done.status == 1 and b"Cannot allocate memory" in done.stderr
    assert diagnostics.infra_reason(done.stderr) is None
    assert diagnostics.infra_reason(done.stderr + b"as: f.o: Cannot allocate memory\n") is not None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("f.c", "#error No space left on device\n", ["gcc", "-c"]),
        ("f.c", '_Static_assert(0, "Input/output error");\n', ["gcc", "-c"]),
        ("f.c", "#warning Too many open files\n", ["gcc", "-c", "-Werror"]),
        ("f.c", '__attribute__((error("Disk quota exceeded"))) void g(void);\nvoid f(void) { g(); }\n', ["gcc", "-c"]),
        ("f.c", '#pragma message("No space left on device")\nnosuch f;\n', ["gcc", "-c"]),
        ("Makefile", "$(error No space left on device)\n", ["make", "-f"]),
        ("Makefile", "all:\n\t@./names.sh\n", ["make", "-f"]),
        ("Makefile", "all:\n\t@sh -c 'exec $(CURDIR)/scripts/names.sh'\n", ["make", "-f"]),
    ],
)
def test_what_a_patch_has_the_compiler_say_is_not_the_machines(
    tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    done = process.run([*words, name], cwd=tmp_path, env={**os.environ, "LC_ALL": "C"})
    assert done.status != 0
    assert diagnostics.infra_reason(done.stdout + done.stderr) is None


def test_bytes_that_are_not_text() -> None:
    log = b"  CC      x.o\n" + SRC.encode() + b"/x.c:1:1: warning: caf\xe9 \x1b[31m [-Wx]\n\xff\xfe\n"
    (unit,) = diagnostics.read(log, ROOTS)
    assert unit.warnings[0].option == "-Wx"


def test_a_line_number_of_any_length() -> None:
    long = "9" * 5000
    log = f"mm/f.c:{long}: error: x\nmm/Kconfig:{long}: error: y\nmake: *** [x:{long}: z] Error 1\n"
    assert len(diagnostics.root_causes(log.encode(), ROOTS)) > 0
