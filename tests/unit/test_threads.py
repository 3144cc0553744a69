"""Real threads beside the repository, where they are there: read as their expectations say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kpatch_tool.errors import InputError
from kpatch_tool.mail.read import read_sources
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.postings import gathering, posts, received
from kpatch_tool.series.reading.subject import title
from kpatch_tool.series.views import view
from kpatch_tool.series.views.view import carries_patch
from tests.conftest import SHARED

PAGE = SHARED / "data" / "tlb-flush-v5.txt"
RENDERER = SHARED / "tools" / "archive_pages.py"
THREADS = sorted((SHARED / "data" / "threads").glob("*.mbox"))
WHOLE = [
    "linuxlists",
    "hypermail",
    "spinics",
    "openwall",
    "lore_flat",
    "lore_single",
    "pipermail",
    "mailarchive",
    "bullets",
]

# Where kpt reads otherwise than the machine that made the expectations, and why.
JOINED = {
    "a13-futex-17of15": {
        (15, 16, 17): "[PATCH 17/15] [HACK] is one posting with 15/15 and 16/15: the bracket is the title's"
    }
}
COVERS = {"k05-xen-evtchn-v4-12of11": "the cover's subject lost its first bracket"}
FORWARDED = {"a15-fwd-kcrctab-wrapped": "a forwarded patch is read where a source has nothing else"}


def expected(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.with_suffix(".expect.json").read_text())
    return loaded


def read(path: Path, revision: int | None = None) -> Series:
    return assemble(read_sources([str(path)]).messages, where=path.name, revision=revision)


@pytest.mark.skipif(not PAGE.is_file(), reason="the thread is not beside the repository")
def test_the_v5_series() -> None:
    series = read(PAGE)
    assert (series.title, series.revision, series.total, series.problems) == (
        "KVM: x86: flush tlb out of mmu-lock after write protection",
        5,
        5,
        (),
    )
    assert series.cover is not None
    assert [(one.number, one.subject) for one in series.patches] == [
        (1, 'Revert "KVM: Simplify kvm->tlbs_dirty handling"'),
        (2, "KVM: MMU: properly check last spte in fast_page_fault()"),
        (3, "KVM: MMU: lazily drop large spte"),
        (4, "KVM: MMU: flush tlb if the spte can be locklessly modified"),
        (5, "KVM: MMU: flush tlb out of mmu lock when write-protect the sptes"),
    ]
    assert {(one.author.name, one.author.email, one.exactness) for one in series.patches} == {
        ("Xiao Guangrong", "", Exactness.DAMAGED)
    }
    dates = [one.date.isoformat() for one in series.patches if one.date]
    assert [date[11:19] for date in dates] == ["09:05:49", "09:05:58", "09:08:38", "09:05:56", "09:05:54"]
    marcelo = [[t.key for t in one.trailers if t.value.startswith("Marcelo Tosatti")] for one in series.patches]
    assert marcelo == [[], ["Reviewed-by"], ["Reviewed-by"], ["Reviewed-by"], ["Acked-by"]]
    blobs = [[(file.old_blob, file.new_blob) for file in one.files] for one in series.patches]
    assert blobs[0] == [("123efd3", "4107765"), ("7d21cf9", "33cccd5"), ("56baae8", "628275a")]
    assert blobs[4] == [("388a2ef", "65f2400"), ("3842e70", "b982112"), ("ebd8506", "fe2590f")]
    assert [(r.to_patch, r.author.name) for r in series.replies] == [(0, "Marcelo Tosatti"), (5, "Paolo Bonzini")]
    assert series.replies[0].body.endswith("Applied, thanks.")


def gathered(path: Path) -> list[posts.Posting]:
    return gathering.gather(received.read_posts(read_sources([str(path)]).messages))


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_postings_are_the_expected_ones(path: Path) -> None:
    found = gathered(path)
    if path.stem in FORWARDED:
        assert all(post.tag.forward for one in found for post in one.posts)
        return
    wanted = {(one["version"], one["total"], tuple(one["numbers"])) for one in expected(path)["series"]}
    got = {(str(one.version), one.total, tuple(sorted(one.own))) for one in found}
    for joined in JOINED.get(path.stem, {}):
        (one,) = [one for one in got if one[2] == joined]
        parts = [part for part in wanted if set(part[2]) < set(joined) and part[:2] == one[:2]]
        assert sorted(number for part in parts for number in part[2]) == list(joined)
        wanted = (wanted - set(parts)) | {one}
    assert got == wanted


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_covers_are_the_expected_ones(path: Path) -> None:
    wanted = {mid.strip("<>") for one in expected(path)["series"] for mid in one["cover"]}
    got = {one.cover.message.message_id for one in gathered(path) if one.cover}
    assert got == wanted or (path.stem in COVERS and len(got) == 1 and not wanted)


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_what_is_complete_is_the_expected(path: Path) -> None:
    """Complete, as the machine says it: all numbers of the total and no other, in one posting."""
    wanted = sorted((one["total"], len(one["numbers"])) for one in expected(path)["series"] if one["complete"])
    found = [
        one for one in gathered(path) if path.stem not in FORWARDED and sorted(one.own) == [*range(1, one.total + 1)]
    ]
    assert sorted((one.total, len(one.own)) for one in found) == wanted


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_replies_with_a_diff_of_their_own_are_marked(path: Path) -> None:
    wanted = {
        (one["sender"].partition(" <")[0].strip('"'), one["subject"])
        for one in expected(path)["other"]
        if one["unquoted_diff"]
    }
    try:
        series = read(path)
    except InputError:
        assert not expected(path)["series"]
        return
    marked = {(reply.author.name, reply.subject) for reply in series.replies if carries_patch(reply)}
    assert marked == {one for one in wanted if one[1].startswith("Re: ")}


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_patches_are_the_expected_ones(path: Path) -> None:
    by_id = {one["mid"].strip("<>"): one for series in expected(path)["series"] for one in series["patches"]}
    found = gathered(path) if path.stem not in FORWARDED else []
    for number in range(1, len(found) + 1):
        series = assemble(read_sources([str(path)]).messages, where=path.name, pick=str(number))
        assert series.patches
        for patch in series.patches:
            wanted = by_id[patch.message_id]
            assert patch.number == wanted["n"]
            assert patch.subject == title(wanted["subject"])
            assert wanted["author"].replace('"', "") in (
                f"{patch.author.name} <{patch.author.email}>",
                patch.author.email,
            )
            own = [f"{t.key}: {t.value}" for t in patch.trailers if t.source == "patch"]
            assert [trailer for trailer in wanted["trailers"] if trailer not in own] == []
            if wanted["files"]:
                assert sorted(file.path for file in patch.files) == sorted(wanted["files"])


@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_trailers_of_replies_are_the_expected_ones(path: Path) -> None:
    try:
        series = read(path)
    except InputError:
        assert expected(path)["series"] == []
        return
    wanted = {one["trailer"] for one in expected(path)["follow_up_trailers"] if one["target"]}
    given = {f"{t.key}: {t.value}" for one in series.patches for t in one.trailers if t.source == "reply"}
    listed = " ".join(series.problems)
    assert [trailer for trailer in wanted if trailer not in given and trailer not in listed] == []


@pytest.mark.skipif(not RENDERER.is_file(), reason="the renderer of pages is not beside the repository")
@pytest.mark.parametrize("path", THREADS, ids=lambda path: path.stem)
def test_pages_show_the_same_postings(path: Path, tmp_path: Path) -> None:
    """By subject, sender and time alone, where a page shows no ids."""
    shapes = [*WHOLE, "openwall_stripped"]
    subprocess.run([sys.executable, str(RENDERER), str(path), str(tmp_path), *shapes], check=True)

    def told(source: Path) -> list[tuple[object, ...]]:
        return [(one.label, one.total, {n: post.tag.title for n, post in one.own.items()}, one.cover is not None)
                for one in gathered(source)]  # fmt: skip

    for shape in shapes:
        assert told(tmp_path / f"{path.stem}.{shape}.txt") == told(path), shape


@pytest.mark.skipif(not RENDERER.is_file(), reason="the renderer of pages is not beside the repository")
@pytest.mark.parametrize(
    "path", [p for p in THREADS if p.stem[:3] in ("a02", "h01", "k05", "n05")], ids=lambda p: p.stem
)
def test_pages_give_what_the_mails_give(path: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(RENDERER), str(path), str(tmp_path), *WHOLE, "oneline"], check=True)
    mails = read(path)
    for shape in WHOLE:
        page = read(tmp_path / f"{path.stem}.{shape}.txt")
        problems = tuple(one for one in page.problems if not (shape == "spinics" and "date" in one))  # it shows none
        assert (page.revision, page.total, problems) == (mails.revision, mails.total, mails.problems), shape
        for ours, theirs in zip(page.patches, mails.patches, strict=True):
            assert (ours.number, ours.subject, ours.author.name) == (theirs.number, theirs.subject, theirs.author.name)
            assert [file.path for file in ours.files] == [file.path for file in theirs.files]
            if ours.exactness is Exactness.INTACT:
                assert ours.diff == theirs.diff, shape
        assert [reply.to_patch for reply in page.replies] == [reply.to_patch for reply in mails.replies], shape
    with pytest.raises(InputError, match="one line a mail"):
        read(tmp_path / f"{path.stem}.oneline.txt")


@pytest.mark.skipif(not PAGE.is_file(), reason="the thread is not beside the repository")
def test_context_that_looks_added_is_not_counted() -> None:
    """`++kvm->stat.remote_tlb_flush;` in 1/5 is context; the page's own diffstat says four lines are added."""
    patches: Any = view.document(read(PAGE))["patches"]
    assert [(file["added"], file["removed"]) for file in patches[0]["files"]] == [(3, 4), (1, 3), (4, 1)]
