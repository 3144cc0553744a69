"""What subjects say."""

from __future__ import annotations

import pytest

from kpatch_tool.series.reading.subject import parse, same_title, title
from tests.clock import within


@pytest.mark.parametrize(
    ("subject", "revision", "number", "total", "clean"),
    [
        ("[PATCH] mm: fix", None, None, None, "mm: fix"),
        ("[PATCH v5 2/5] KVM: MMU: x", 5, 2, 5, "KVM: MMU: x"),
        ("[PATCH 3/7 v2] x", 2, 3, 7, "x"),
        ("[PATCHv2 03/07] x", 2, 3, 7, "x"),
        ("[PATCH V4 12/11] x", 4, 12, 11, "x"),
        ("[RFC PATCH v2 1/6] x", 2, 1, 6, "x"),
        ("[RFC v3] x", 3, None, None, "x"),
        ("[PATCH net-next v2 1/2] x", 2, 1, 2, "x"),
        ("[PATCH 2.6.39 1/2] x", None, 1, 2, "x"),
        ("[patch 1 of 3] x", None, 1, 3, "x"),
        ("[v2,3/7] x", 2, 3, 7, "x"),
        ("[PATCH RESEND v2 1/3] x", 2, 1, 3, "x"),
        ("[PATCH][v2] x", 2, None, None, "x"),
        ("[PATCH 17/15] [HACK] futex: Force", None, 17, 15, "futex: Force"),
        ("PATCH v4 00/11] KVM: x86/xen: Add", 4, 0, 11, "KVM: x86/xen: Add"),
        ("[PATCH] x: y, v2", 2, None, None, "x: y, v2"),
        ("[PATCH] x: y (v2)", 2, None, None, "x: y (v2)"),
        ("[PATCH] x: y [take 3]", 3, None, None, "x: y [take 3]"),
        ("[PATCH] cgroup v2", None, None, None, "cgroup v2"),
        ("[PATCH] riscv: clone3 for rv64", None, None, None, "riscv: clone3 for rv64"),
        ("[PATCH -next v2 3/7] x", 2, 3, 7, "x"),
        ("[PATCH 5.10 10/200] x", None, 10, 200, "x"),
        ("[PATCH stable v5.4 v2] x", 2, None, None, "x"),
        ("[PATCH stable v4.9] x", None, None, None, "x"),
        ("[PATCH for v5.9] x", None, None, None, "x"),
        ("[PATCH v5.15 v2 1/2] x", 2, 1, 2, "x"),
        ("[PATCH v4.9] x", None, None, None, "x"),
        ("[PATCH v5.4 2/3] x", 5, 2, 3, "x"),
        ("[PATCH v5.15 1/2] x", None, 1, 2, "x"),
        ("[PATCH v6.1.y 1/2] x", None, 1, 2, "x"),
        ("[PATCH v5.15-v6.1 v2] x", 2, None, None, "x"),
        ("[PATCH v4l-utils 1/2] x", None, 1, 2, "x"),
        ("[RFC/PATCH] x", None, None, None, "x"),
        ("[PATCH 12/11] x", None, 12, 11, "x"),
        ("[3 of 7] x", None, 3, 7, "x"),
        ("[PATCH 1/2 v3 (RESEND)] x", 3, 1, 2, "x"),
        ("[PATCH 00/12] x", None, 0, 12, "x"),
        ("[PATCH v0 1/2] x", 0, 1, 2, "x"),
        ("[PATCH, take 2 1/4] x", 2, 1, 4, "x"),
        ("[PATCH v5--cover-letter 1/3] x", 5, 1, 3, "x"),
        ("[linux-next] [PATCH v3 2/5] x", 3, 2, 5, "x"),
        ("[PATCH net,v2,1/3] x", 2, 1, 3, "x"),
        ("[PATCH v2.1 1/2] x", 2, 1, 2, "x"),
        ("[GIT PULL 01/10] KVM: s390: x", None, 1, 10, "KVM: s390: x"),
        ("{PATCH 0/2] x", None, 0, 2, "x"),
        ("[PATCH 0/3} x: y [z]", None, 0, 3, "x: y [z]"),
        ("[RFC PATCH v2[ x", 2, None, None, "x"),
        ("[PATCH v2 1/3: x: y", 2, 1, 3, "x: y"),
        ("[PATCH v4 0/7 x: y", 4, 0, 7, "x: y"),
        ("PATCH [v2 0/3] x", 2, 0, 3, "x"),
        ("[[PATCH 00/12] x", None, 0, 12, "x"),
        ("Subject: [PATCH v14 1/3] x", 14, 1, 3, "x"),
        ("Resend: [PATCH v2 1/3 mdadm] x", 2, 1, 3, "x"),
        ("RFC [PATCH 0/3] x", None, 0, 3, "x"),
        ("[PATCH 1/3 x, v2] y", 2, 1, 3, "y"),
        ("[GIT PULL][PATCH v3 0/4] x", 3, 0, 4, "x"),
        ("[Updated PATCH 3/3] x", None, 3, 3, "x"),
        ("[REGRESSION][BISECTED][PATCH 0/1] x", None, 0, 1, "x"),
        ("[some-list] [[PATCH v2 net] v2 1/4] x: y [z]", 2, 1, 4, "x: y [z]"),
        ("[PATCH [RFC] 1/4] x: [[y] z]", None, 1, 4, "x: [[y] z]"),
        ("[PATCH 2/9] afs: fix [ver #3]", 3, 2, 9, "afs: fix [ver #3]"),
        ("[PATCH ver2 2/9] x", 2, 2, 9, "x"),
        ("[PATCH 2nd try 3/9] x", 2, 3, 9, "x"),
        ("[PATCH, new version 3/9] x", None, 3, 9, "x"),
        ("[PATCH v 3/9] x", None, 3, 9, "x"),
        ("[PATCH] (3/9) x", None, 3, 9, "(3/9) x"),
        ("[PATCH] x: y (3/9)", None, 3, 9, "x: y (3/9)"),
        ("[PATCH] x: support (16/9)", None, None, None, "x: support (16/9)"),
        ("[PATCH_V2_1/2] x", 2, 1, 2, "x"),
        ("[PATCH V3_0/2] x", 3, 0, 2, "x"),
        ("[PATCH1/2] x", None, 1, 2, "x"),
        ("[PATCH 1/2_v2] x", 2, 1, 2, "x"),
        ("[PATCH 6/6] (v3) x: y", 3, 6, 6, "(v3) x: y"),
        ("[PATCH] v2: x", 2, None, None, "v2: x"),
        ("[PATCH 0/4] V2- x", 2, 0, 4, "V2- x"),
        ("[PATCH v3 0/4] v2: x", 3, 0, 4, "v2: x"),
        ("[PATCH] v7-m: x", None, None, None, "v7-m: x"),
        ("[PATCH] v4l: x", None, None, None, "v4l: x"),
        ("[PATCH 3of9] x", None, 3, 9, "x"),
    ],
)
def test_patches(subject: str, revision: int | None, number: int | None, total: int | None, clean: str) -> None:
    tag = parse(subject)
    assert (tag.revision, tag.number, tag.total, tag.title) == (revision, number, total, clean)
    assert tag.patch
    assert not tag.reply


def test_what_follows_a_revision_or_a_number() -> None:
    assert [(tag.revision, tag.minor) for tag in map(parse, ("[PATCH v2.1 1/2] x", "[PATCH v13A 1/2] x"))] == [
        (2, "1"),
        (13, "A"),
    ]
    assert [(tag.number, tag.between) for tag in map(parse, ("[PATCH 5.5/36] x", "[PATCH 3a/7] x"))] == [
        (5, ".5"),
        (3, "a"),
    ]


@pytest.mark.parametrize(
    "subject",
    [
        "[dri-devel] Re: [PATCH 1/2] x",
        "Re[2]: [PATCH 1/2] x",
        "Ответ: [PATCH 1/2] x",
        "Ping: [PATCH 1/2] x",
        "Re: (subset) [PATCH 1/2] x",
        "ACK: [PATCH 1/2] x",
        "NACK/Cmt: [PATCH 1/2] x",
        "APPLIED: [list] [PATCH 1/2] x",
    ],
)
def test_replies_behind_other_prefixes(subject: str) -> None:
    tag = parse(subject)
    assert (tag.reply, tag.number, tag.title) == (True, 1, "x")
    assert not parse("[PATCH] Re: x").reply
    assert not parse("ack: x").reply


@pytest.mark.parametrize(
    "subject",
    [
        "+ x-y.patch added to mm-unstable branch",
        "[merged mm-stable] x-y.patch removed from -mm tree",
        "[to-be-updated] x-y.patch removed from -mm tree",
        'Patch "x: y" has been added to the 5.10-stable tree',
        'Applied "x: y" to the regulator tree',
        'FAILED: patch "[PATCH] x: y" failed to apply to 5.10-stable tree',
        "[tip: x86/mm] x86/mm: y",
        "[GIT PULL v2] x",
        "[syzbot] [kvm?] WARNING in x",
    ],
)
def test_notices(subject: str) -> None:
    assert parse(subject).notice
    assert not parse("[PULL 12/39] x").notice


@pytest.mark.parametrize(
    "subject",
    ["Re: [PATCH 1/2] x", "RE: RE: [PATCH 1/2] x", "AW: [PATCH 1/2] x", "reply: [PATCH 1/2] x", "回复：[PATCH 1/2] x"],
)
def test_replies(subject: str) -> None:
    tag = parse(subject)
    assert tag.reply
    assert (tag.number, tag.total, tag.title) == (1, 2, "x")


def test_no_patches() -> None:
    for subject in ("", "mm: fix 1/2 of it", "[ANNOUNCE] kpt 1.0", "[GIT PULL] KVM", "x v2"):
        assert not parse(subject).patch
    assert parse("Fwd: [PATCH] x").forward
    assert parse("+ x-y.patch added to mm-unstable branch").notice
    assert parse("[PATCH RESEND] x").resend
    assert parse("repost: [PATCH] x").resend


def test_titles_are_what_git_makes_of_them() -> None:
    assert title("Re: [PATCH] [KVM]   a  b") == "a b"
    assert title('[PATCH v5 1/5] Revert "KVM: x"') == 'Revert "KVM: x"'
    assert title("[PATCH] a [b] c") == "a [b] c"


def test_same_title() -> None:
    assert same_title("KVM: x", "kvm x")
    assert same_title(
        "KVM: selftests: memslot_perf_test: Use data", "KVM: selftests: memslot_perf_test: Use data->nslots"
    )
    assert same_title("KVM: x", "(v2) KVM: x")
    assert same_title("v2: KVM: x", "KVM: x, v3")
    assert not same_title("KVM", "KVM: x")


def test_long_subjects_take_linear_time() -> None:
    with within(10):
        for piece in ("-", "[", "]", "[PATCH ", "re:", "1", "1/2 ", "v", " ", "[-", "patch-"):
            parse(piece * 50_000)
            parse("[PATCH " + piece * 50_000 + "] x")


@pytest.mark.parametrize("prefix", ["Re: ", "[PATCH] ", "[x] ", "Fwd: ", "["])
def test_a_subject_of_megabytes_takes_no_time(prefix: str) -> None:
    with within(2):
        parse(prefix * (1 << 20) + "[PATCH] s")


@pytest.mark.parametrize("word", ["ping", "tr", "vs", "res", "sv", "rv", "wg"])
def test_the_name_of_a_part_of_the_kernel_is_no_re(word: str) -> None:
    for subject in (f"{word}: fix it", f"[net,v2,1/3] {word}: fix it", f"[PATCH] {word}: fix it"):
        tag = parse(subject)
        assert (tag.title, tag.reply, tag.forward) == (f"{word}: fix it", False, False)
    stacked = (f"{word.title()}: [PATCH 1/2] mm: x", f"{word.upper()}: Re: [PATCH 1/2] mm: x",
               f"{word}: {word.upper()}: [PATCH 1/2] mm: x", f"{word}: Antwort: [PATCH 1/2] mm: x",
               f"{word}^2: [PATCH 1/2] mm: x", f"{word} (2): 回复: [PATCH 1/2] mm: x",
               f"{word}\uff1a***SPAM*** [PATCH 1/2] mm: x")  # fmt: skip
    for subject in stacked:
        tag = parse(subject)
        assert tag.title == "mm: x"
        assert tag.reply or tag.forward
