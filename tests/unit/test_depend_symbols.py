"""Edges through names, and what messages declare."""

from __future__ import annotations

import pytest

from kpatch_tool.depend import source
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.model import Edge, EdgeKind, External
from kpatch_tool.depend.presence import reverted_is_there
from kpatch_tool.depend.symbols import symbol_edges
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.series.model import Patch, Series
from tests.patch_texts import patch, series


def diff(path: str, section: str, *lines: str, at: int = 100) -> bytes:
    """One hunk: `lines` with their first column, below `section`. Created where no line is old."""
    old = sum(line[:1] in ("-", " ") for line in lines)
    new = sum(line[:1] in ("+", " ") for line in lines)
    name = f"a/{path}" if old else "/dev/null"
    body = "".join(f"{line}\n" for line in lines)
    start = at if old else 0
    return f"--- {name}\n+++ b/{path}\n@@ -{start},{old} +{at if old else 1},{new} @@ {section}\n{body}".encode()


def why(*patches: Patch) -> dict[tuple[int, int], str]:
    """The symbol edges of a series: (patch, needs) -> reason."""
    edges = symbol_edges(series(*patches), tuple(one.number for one in patches))
    return {(edge.patch, edge.needs): edge.why for edge in edges}


FILE = "arch/x86/kvm/mmu.c"
FAULT = "static bool fast_page_fault(struct kvm_vcpu *vcpu, gva_t gva, int level,"
ADDS_SP = diff(
    FILE, FAULT, " \tstruct kvm_shadow_walk_iterator iterator;", "+\tstruct kvm_mmu_page *sp;", " \tbool ret;"
)
USES_SP = diff(FILE, FAULT, " \t\tgoto exit;", "+\tif (sp->role.level > 1)", "+\t\tgoto exit;", " ", at=150)


def test_local_of_the_same_function() -> None:
    assert why(patch(1, ADDS_SP), patch(2, USES_SP)) == {
        (2, 1): "uses `sp`, which 1/2 adds to fast_page_fault() in arch/x86/kvm/mmu.c"
    }


def test_without_indentation_too() -> None:
    one, two = ADDS_SP.replace(b"\t", b""), USES_SP.replace(b"\t", b"")
    assert (2, 1) in why(patch(1, one), patch(2, two))


@pytest.mark.parametrize(
    "other",
    [
        diff(FILE, "static void other_function(void)", " \tfoo();", "+\tuse(sp);", " \tbar();"),
        diff("arch/x86/kvm/svm.c", FAULT, " \tfoo();", "+\tuse(sp);", " \tbar();"),
        diff(FILE, FAULT, " \tfoo();", "+\tuse(vcpu->sp);", " \tbar();"),
        diff(FILE, FAULT, " \tfoo();", "+\t/* the sp of it */", ' \tpr_debug("sp");', '+\tpr_debug("sp %d", 1);'),
        diff(FILE, FAULT, " \tfoo();", "-\tuse(sp);", " \tbar();"),
    ],
    ids=["other function", "other file", "a member", "a comment and a string", "removed"],
)
def test_other_things_of_that_name(other: bytes) -> None:
    assert why(patch(1, ADDS_SP), patch(2, other)) == {}


def test_a_name_that_was_there_before_is_not_added() -> None:
    retyped = diff(FILE, FAULT, " \tint a;", "-\tint sp;", "+\tlong sp;", " \tint b;")
    assert why(patch(1, retyped), patch(2, USES_SP)) == {}
    seen = diff(FILE, FAULT, " \tuse(sp);", "+\tint c;", " \tint b;", at=20)
    assert why(patch(1, seen), patch(2, ADDS_SP), patch(3, USES_SP)) == {}


def test_function_of_another_file() -> None:
    header = diff(
        "include/linux/kvm_host.h", "struct kvm;", " struct kvm;", "+void kvm_flush_them(struct kvm *kvm);", " "
    )
    multi = diff("include/linux/kvm_host.h", "", " ", "+int kvm_flush_them(struct kvm *kvm,", "+\t\t   int how);", " ")
    body = diff("virt/kvm/kvm_main.c", "", " ", "+void kvm_flush_them(struct kvm *kvm)", "+{", "+}", " ")
    call = diff(FILE, FAULT, " \tfoo();", "+\tkvm_flush_them(kvm);", " \tbar();")
    for adds in (header, multi, body):
        (reason,) = why(patch(1, adds), patch(2, call)).values()
        assert reason.startswith("calls kvm_flush_them(), which 1/2 adds to ")


def test_static_function_reaches_only_its_file() -> None:
    static = diff("virt/kvm/kvm_main.c", "", " ", "+static void flush_them(void)", "+{", "+}", " ")
    assert why(patch(1, static), patch(2, diff(FILE, FAULT, " a();", "+\tflush_them();", " b();"))) == {}
    same = diff("virt/kvm/kvm_main.c", "int f(void)", " \ta();", "+\tflush_them();", " \tb();")
    assert (2, 1) in why(patch(1, static), patch(2, same))


def test_architectures_have_their_own() -> None:
    arm = diff("arch/arm/mm/fault.c", "", " ", "+void set_ptes(pte_t *ptep)", "+{", "+}", " ")
    mips = diff("arch/mips/mm/fault.c", "void f(void)", " \ta();", "+\tset_ptes(p);", " \tb();")
    assert why(patch(1, arm), patch(2, mips)) == {}
    assert (2, 1) in why(patch(1, arm), patch(2, mips.replace(b"arch/mips", b"arch/arm")))


def test_changed_parameters() -> None:
    change = diff(
        FILE,
        "static void above(void)",
        " ",
        "-static bool",
        "-spte_write_protect(struct kvm *kvm, u64 *sptep, bool *flush, bool pt_protect)",
        "+static bool spte_write_protect(struct kvm *kvm, u64 *sptep, bool pt_protect)",
        " {",
    )
    call = diff(FILE, FAULT, " \tfoo();", "+\tflush |= spte_write_protect(kvm, sptep, false);", " \tbar();")
    reason = "calls spte_write_protect(), whose parameters 1/2 changes in arch/x86/kvm/mmu.c"
    assert why(patch(1, change), patch(2, call)) == {(2, 1): reason}
    renamed = change.replace(b"bool *flush, ", b"").replace(b"u64 *sptep, bool pt_protect)\n {", b"u64 *s, bool p)\n {")
    assert why(patch(1, renamed), patch(2, call)) == {}


def test_a_new_parameter_is_used() -> None:
    change = diff(
        FILE, "", " ", "-static void fix_it(u64 *sptep)", "+static void fix_it(u64 *sptep, bool how)", " {", " }"
    )
    use = diff(FILE, "static void fix_it(u64 *sptep, bool how)", " \ta();", "+\tif (how)", "+\t\tb();", " \tc();")
    assert why(patch(1, change), patch(2, use))[2, 1].startswith("uses `how`, which 1/2 adds to fix_it()")


def test_members_macros_constants_types() -> None:
    header = "include/linux/kvm_host.h"
    member = diff(header, "struct kvm {", " \tint a;", "+\tlong tlbs_dirty;", " \tint b;")
    macro = diff(header, "", " ", "+#define KVM_REQ_FLUSH_ALL 31", " ")
    constant = diff(header, "enum kvm_stat {", " \tSTAT_A,", "+\tSTAT_FLUSHES,", " };")
    tag = diff(header, "", " ", "+struct kvm_flush_range {", "+\tint a;", "+};", " ")
    for adds, uses in (
        (member, "kvm->tlbs_dirty++;"),
        (macro, "kvm_make_request(KVM_REQ_FLUSH_ALL, vcpu);"),
        (constant, "stat[STAT_FLUSHES]++;"),
        (tag, "struct kvm_flush_range range;"),
    ):
        use = diff(FILE, FAULT, " \ta();", f"+\t{uses}", " \tb();")
        assert (2, 1) in why(patch(1, adds), patch(2, use)), uses
    short = diff(header, "struct kvm {", " \tint a;", "+\tlong lock;", " \tint b;")
    assert why(patch(1, short), patch(2, diff(FILE, FAULT, " \ta();", "+\tx->lock = 1;", " \tb();"))) == {}


@pytest.mark.parametrize(
    "declaration",
    [
        "static DEFINE_MUTEX(vm_list);",
        "static LIST_HEAD(vm_list);",
        "DECLARE_WORK(vm_list, worker);",
        "static DEFINE_PER_CPU(struct kvm_list *, vm_list);",
        "bool __read_mostly vm_list = true;",
        "static const struct kernel_param_ops vm_list = {",
        "extern struct list_head vm_list;",
    ],
)
@pytest.mark.parametrize("section", ["", "static void above(void)"])
def test_a_variable_of_the_file(declaration: str, section: str) -> None:
    adds = diff("virt/kvm/kvm_main.c", section, " \tabove();", " }", f"+{declaration}", " ")
    use = diff("virt/kvm/kvm_main.c", "static void below(void)", " \ta();", "+\tlock(&vm_list);", " \tb();", at=300)
    reason = {(2, 1): "uses `vm_list`, which 1/2 adds to virt/kvm/kvm_main.c"}
    assert why(patch(1, adds), patch(2, use)) == reason
    squeezed = adds.replace(b"\t", b"")  # as on pages: what stands below a function may be its own
    assert why(patch(1, squeezed), patch(2, use)) == (reason if not section or "(" in declaration else {})


def test_what_is_no_variable_of_the_file() -> None:
    for line in ("int open_guest(struct kvm *kvm,", "\t       struct kvm_guest *the_guest,", "struct the_guest;"):
        adds = diff("virt/kvm/kvm_main.h", "", " \tint a;", f"+{line}", " ")
        use = diff("virt/kvm/kvm_main.c", "void f(void)", " \ta();", "+\tthe_guest = 0;", " \tb();")
        assert why(patch(1, adds), patch(2, use)) == {}
    mutex = (
        diff(FILE, "", " ", "+static DEFINE_MUTEX(one);", " "),
        diff(FILE, "", " ", "+static DEFINE_MUTEX(two);", " "),
    )
    assert why(*(patch(number, text) for number, text in enumerate(mutex, 1))) == {}


def test_label() -> None:
    adds = diff(FILE, FAULT, " \ta();", "+out_unlock:", "+\tunlock();", " \treturn 0;")
    use = diff(FILE, FAULT, " \ta();", "+\tgoto out_unlock;", " \tb();", at=20)
    assert (2, 1) in why(patch(1, adds), patch(2, use))


def test_configuration_headers_and_objects() -> None:
    option = diff("virt/kvm/Kconfig", "", " ", "+config HAVE_KVM_RING", "+\tbool", " ")
    select = diff("arch/x86/kvm/Kconfig", "config KVM", " \tselect A", "+\tselect HAVE_KVM_RING", " \tselect B")
    ifdef = diff(FILE, "", " ", "+#ifdef CONFIG_HAVE_KVM_RING", "+#endif", " ")
    header = diff("include/linux/kvm_ring.h", "", "+struct kvm_ring;")
    include = diff(FILE, "", " #include <linux/a.h>", "+#include <linux/kvm_ring.h>", " ")
    object_ = diff("arch/x86/kvm/Makefile", "", " ", "+kvm-y += ring.o", " ")
    ring = diff("arch/x86/kvm/ring.c", "", "+int a;")
    assert (2, 1) in why(patch(1, option), patch(2, select))
    assert (2, 1) in why(patch(1, option), patch(2, ifdef))
    assert why(patch(1, header), patch(2, include))[2, 1] == "includes linux/kvm_ring.h, which 1/2 creates"
    assert why(patch(1, ring), patch(2, object_))[2, 1] == "builds arch/x86/kvm/ring.c, which 1/2 creates"


@pytest.mark.parametrize(
    ("header", "includes", "user", "found"),
    [
        ("arch/x86/include/asm/ring.h", "<asm/ring.h>", "arch/x86/kvm/mmu.c", True),
        ("arch/x86/include/uapi/asm/ring.h", "<asm/ring.h>", "virt/kvm/kvm_main.c", True),
        ("arch/arm64/include/asm/ring.h", "<asm/ring.h>", "arch/x86/kvm/mmu.c", False),
        ("arch/x86/kvm/ring.h", '"../ring.h"', "arch/x86/kvm/mmu/spte.c", True),
        ("arch/x86/kvm/ring.h", '"ring.h"', "virt/kvm/kvm_main.c", False),
    ],
)
def test_headers_of_an_architecture_and_beside(header: str, includes: str, user: str, *, found: bool) -> None:
    create = diff(header, "", "+struct kvm_ring;")
    include = diff(user, "", " #include <linux/a.h>", f"+#include {includes}", " ")
    assert ((2, 1) in why(patch(1, create), patch(2, include))) is found


def test_a_function_goes_after_its_users() -> None:
    last_use = diff(FILE, FAULT, " \ta();", "-\tdrop_large_spte(vcpu);", " \tb();")
    removal = diff(FILE, "", " ", "-static void drop_large_spte(struct kvm_vcpu *vcpu)", "-{", "-}", " ")
    reason = "removes `drop_large_spte`, whose last uses shown 1/2 takes out"
    assert why(patch(1, last_use), patch(2, removal)) == {(2, 1): reason}
    elsewhere = diff("arch/x86/kvm/mmu.h", "", " ", "+void drop_large_spte(struct kvm_vcpu *vcpu);", " ")
    assert why(patch(1, last_use), patch(2, removal + elsewhere)) == {}
    private = elsewhere.replace(b"+void", b"+static void").replace(b"mmu.h", b"svm.c")
    assert why(patch(1, last_use), patch(2, removal + private)) == {(2, 1): reason}


def test_what_is_done_with_a_name() -> None:
    adds = diff(FILE, "", " ", "+static int flush_them(struct sp *sp)", "+{", "+}", " ")
    said = ", which 1/2 adds to arch/x86/kvm/mmu.c"
    for line, word in (
        ("\tflush_them(sp);", "calls flush_them()"),
        ("\t.flush = flush_them,", "uses flush_them()"),
        ("int flush_them(struct sp *sp);", "declares flush_them()"),
    ):
        assert why(patch(1, adds), patch(2, diff(FILE, "", " \ta();", f"+{line}", " "))) == {(2, 1): word + said}


def test_a_tag_or_a_head_is_no_use_of_a_parameter() -> None:
    head = "static int flush_them(struct sp *sp)"
    adds = diff(FILE, "", " ", "-static int flush_them(void)", f"+{head}", " {", "+\tuse(sp);", " }")
    tag = diff(FILE, head, " \ta();", "+\tstruct sp *other;", " \tb();")
    again = diff(FILE, "", " ", f"-{head}", f"+{head.removeprefix('static ')}", " {")
    assert why(patch(1, adds), patch(2, tag)) == {}
    assert why(patch(1, adds), patch(2, again)) == {}


@pytest.mark.parametrize(
    ("code", "after_type", "name"),
    [
        ("static int f(void)", False, "f"),
        ("static gpa_t FNAME(gva_to_gpa_nested)(struct kvm_vcpu *vcpu, gva_t vaddr,", False, "gva_to_gpa_nested"),
        ("fast_pf_fix_direct_spte(struct kvm_vcpu *vcpu, u64 *sptep)", True, "fast_pf_fix_direct_spte"),
        ("SYSCALL_DEFINE4(futex_wake, void __user *, uaddr,", False, "sys_futex_wake"),
        ("if (a)", False, ""),
        ("else if (f(a))", False, ""),
        ("return f(a);", False, ""),
        ("f(a);", False, ""),
        ("x = f(a);", False, ""),
        ("#define F(a) g(a)", False, ""),
    ],
)
def test_function_head(code: str, after_type: bool, name: str) -> None:
    assert source.function_head(code, after_type=after_type) == name


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("struct kvm_mmu_page *sp;", ["sp"]),
        ("u64 spte = 0ull;", ["spte"]),
        ("unsigned long a, *b = f(x, y), c[3];", ["a", "b", "c"]),
        ("static DEFINE_PER_CPU(int, x);", []),
        ("return ret;", []),
        ("goto exit;", []),
        ("ret = f(a);", []),
        ("i++;", []),
        ("0 x00ff,", []),
    ],
)
def test_declared_names(code: str, names: list[str]) -> None:
    assert source.declared_names(code) == names


def kinds(whole: Series) -> dict[tuple[int, int, str], str]:
    """All edges of a series."""
    return {(edge.patch, edge.needs, str(edge.kind)): edge.why for edge in dependencies(whole).edges}


@pytest.mark.parametrize(
    "message",
    [
        "This patch needs 1/3.",
        "It depends on patch 1/3 of this series.",
        "This depends on\npatch 1.",
        "Uses the helper introduced in patch #1",
        "on top of patch 1",
        "relies on patches 1 and 2",
        "depends on patch\n#1/3",
        "based on patches 1-2/3",
        "not simple; it needs 1/3 of this series",
        "depends on patch 1 of the series",
        "depends on patch 1 of this patch set",
        "needs patches 1 and 2 of the same series",
        "depends on patch 1 of 3",
        "depends on patches 1 to 2 of 3",
        "needs patch 1 in order to build",
        "depends on patch 1 of my series",
        "requires patches 1 and 2 of our set",
        "needs patch 1 of the whole series",
        "needs patch 1 of the KVM series",
        "needs patch 1 of this small cleanup series",
        "Builds on patches 1-2 of which the first moves it.",
    ],
)
def test_declared_by_number(message: str) -> None:
    assert (3, 1, "declared") in kinds(series(patch(1), patch(2), patch(3, message=message)))


@pytest.mark.parametrize(
    "message",
    [
        "needs 1/7 of the other series",
        "needs 100 ms",
        "needs patching",
        "patch 1 is bad",
        "needs 1/3 of the memory",
        "This does not depend on patch 1.",
        "It no longer requires 1/3.",
        "It doesn't really need patch 1",
        "relies on patches 1-2/7",
        "relies on patches 1 and 2/7",
        "depends on patch 1 of the other series by Bob",
        "depends on patches 1, 2 of Bob's series",
        "depends on patch 1 of 7",
        "needs patch 1 from another series",
        "needs the previous patch of the other series",
        "needs patch 1 of my other series",
        "needs patch 1 of his series",
    ],
)
def test_not_declared(message: str) -> None:
    assert kinds(series(patch(1), patch(2), patch(3, message=message))) == {}


def test_declared_by_the_previous_patch_and_by_fixes() -> None:
    previous = patch(2, message="Relies on the previous patch.")
    fixes = patch(3, message='Text\n\nFixes: 1234567890ab ("KVM: one")')
    wrapped = patch(4, message='Fixes: 1234567890ab ("KVM:\none")\nFixes: 1234567890ac ("KVM\nCc: two")')
    found = kinds(series(patch(1, subject="KVM: one"), previous, fixes, wrapped))
    assert found == {
        (2, 1, "declared"): 'its message says "Relies on the previous patch"',
        (3, 1, "declared"): "its Fixes: line names 1/4",
        (4, 1, "declared"): "its Fixes: line names 1/4",
    }


def test_message_that_builds_on_a_function() -> None:
    change = diff(FILE, "static bool mmu_spte_update(u64 *sptep)", " \ta();", "-\tb();", "+\tc();", " \td();")
    other = diff("arch/x86/kvm/x86.c", "void f(void)", " \ta();", "+\tb();", " \tc();")
    message = "In mmu_spte_update(), we have checked that."
    found = kinds(series(patch(1, change), patch(2, other, message=message)))
    assert found == {(2, 1, "declared"): f"its message builds on mmu_spte_update(), which 1/2 changes in {FILE}"}
    same = diff(FILE, "static bool mmu_spte_update(u64 *sptep)", " \tx();", "+\ty();", " \tz();", at=300)
    assert kinds(series(patch(1, change), patch(2, same, message=message))) == {}


REVERT = diff(
    "virt/kvm/kvm_main.c",
    "static bool make_all_cpus_request(struct kvm *kvm, unsigned int req)",
    " ",
    " void kvm_flush_remote_tlbs(struct kvm *kvm)",
    " {",
    "+\tlong dirty_count = kvm->tlbs_dirty;",
    "+",
    " \tif (make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH))",
    " \t\t++kvm->stat.remote_tlb_flush;",
    "-\tkvm->tlbs_dirty = false;",
    "+\tcmpxchg(&kvm->tlbs_dirty, dirty_count, 0);",
    " }",
)
REVERT_MESSAGE = (
    "This reverts commit 5befdc385ddb2d5ae8995ad89004529a3acf58fc.\n\nWe flush outside the lock in a later patch."
)


def test_revert_and_what_relies_on_it() -> None:
    call = diff(FILE, FAULT, " \tspin_unlock(&kvm->mmu_lock);", "+\tkvm_flush_remote_tlbs(kvm);", " }")
    revert = patch(1, REVERT, subject='Revert "KVM: Simplify"', message=REVERT_MESSAGE)
    needs = dependencies(series(revert, patch(2, call)))
    (edge,) = needs.edges
    assert (edge.patch, edge.needs, edge.kind) == (2, 1, EdgeKind.REVERT)
    assert "adds calls of kvm_flush_remote_tlbs() to arch/x86/kvm/mmu.c" in edge.why
    assert 'says: "We flush outside the lock in a later patch."' in edge.why
    commit = "5befdc385ddb2d5ae8995ad89004529a3acf58fc"
    assert needs.external == (
        External(1, EdgeKind.REVERT, commit, None, "the commit that 1/2 reverts must be in the base"),
    )
    assert dependencies(series(revert, patch(2, call)), lambda _: False).unmet


def test_revert_of_a_patch_of_the_series_is_not_external() -> None:
    revert = patch(2, REVERT, subject='Revert "KVM: one"', message=REVERT_MESSAGE)
    needs = dependencies(series(patch(1, subject="KVM: one"), revert))
    assert needs.external == ()
    assert needs.edges == (Edge(2, 1, EdgeKind.REVERT, "it reverts 1/2"),)


def test_what_a_revert_takes_back_goes_before_it() -> None:
    """A patch of the same title behind it does better what it takes back."""
    revert = patch(1, REVERT, subject='Revert "KVM: one"', message=REVERT_MESSAGE)
    needs = dependencies(series(revert, patch(2, subject="KVM: one")))
    assert needs.edges == ()
    assert [one.patch for one in needs.external] == [1]


def test_base_information() -> None:
    base, other = "a" * 40, "b" * 40
    cover = f"Words\n\nbase-commit: {base}\nprerequisite-patch-id: {other}\n"
    stable = "Text\n\nCc: <stable@vger.kernel.org> # 3.3.x: a1f84a3: sched: Check for idle"
    needs = dependencies(series(patch(1, message=stable), cover=cover))
    assert [(one.patch, one.commit) for one in needs.external] == [(1, "a1f84a3"), (0, base), (0, other)]
    assert needs.external[1].why == "the series was made on this commit (the cover letter says so)"


def test_what_a_base_holds_of_a_reverted_commit() -> None:
    (file,) = parse_diff(REVERT)
    revert = patch(1, REVERT)
    old = b"\n".join(line.text for line in file.hunks[0].old_lines()) + b"\n"
    new = b"\n".join(line.text for line in file.hunks[0].new_lines()) + b"\n"
    files = {"virt/kvm/kvm_main.c": b"int a;\n" + old.replace(b"\t", b"        ") + b"int b;\n"}
    assert reverted_is_there(revert, files.get) is True
    files["virt/kvm/kvm_main.c"] = new
    assert reverted_is_there(revert, files.get) is False
    files["virt/kvm/kvm_main.c"] = b"other\n"
    assert reverted_is_there(revert, files.get) is None
    assert reverted_is_there(revert, lambda _: None) is None


def early(absent: str, *patches: Patch) -> dict[tuple[int, int], str]:
    """The same of patches that use what a later one adds, where the base has none of the names in `absent`."""
    edges = symbol_edges(series(*patches), tuple(one.number for one in patches), set(absent.split()).intersection)
    return {(edge.patch, edge.needs): edge.why for edge in edges if edge.needs > edge.patch}


CALLS = diff("arch/x86/kvm/svm.c", "static int f(void)", " \tx();", "+\tkvm_count_exit(vcpu);", " \ty();")
MAKES = diff(
    "arch/x86/kvm/x86.c",
    "",
    " }",
    " ",
    "+void kvm_count_exit(struct kvm_vcpu *vcpu)",
    "+{",
    "+\tvcpu->exit_count++;",
    "+}",
)


def test_a_call_of_what_a_later_patch_adds() -> None:
    told = "calls kvm_count_exit(), which 2/2 adds to arch/x86/kvm/x86.c, and nothing before has"
    assert early("kvm_count_exit", patch(1, CALLS), patch(2, MAKES)) == {(1, 2): told}
    assert early("kvm_count_exit", patch(1, MAKES), patch(2, CALLS)) == {}
    assert early("other", patch(1, CALLS), patch(2, MAKES)) == {}  # a stub, say: the base has the name


def test_what_the_patch_itself_or_an_earlier_one_makes_is_not_early() -> None:
    own = CALLS + diff("arch/x86/kvm/svm.h", "", " }", " ", "+static inline void kvm_count_exit(void) { }")
    assert early("kvm_count_exit", patch(1, own), patch(2, MAKES)) == {}
    local = diff("arch/x86/kvm/svm.c", "static int f(void)", " {", "+\tint exit_count;", "+\tuse(exit_count);")
    assert early("exit_count", patch(1, local), patch(2, diff("virt/v.h", "struct s {", "+\tint exit_count;"))) == {}
    other = diff("arch/arm/kvm/arm.c", "static int f(void)", " \tx();", "+\tkvm_count_exit(vcpu);", " \ty();")
    assert early("kvm_count_exit", patch(1, other), patch(2, MAKES)) == {}
