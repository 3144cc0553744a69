"""What mails say of their base and of what goes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.series.reading.stated import Form, change_ids, message_of, statements
from tests import patch_texts
from tests.clock import within

A40, B40 = "a1b2c3d4e5" * 4, "b" * 40


def said(cover: str) -> list[tuple[str, str, int | None]]:
    """(form, value, revision) of every statement in a cover letter."""
    one = patch_texts.series(patch_texts.patch(1), cover=cover)
    return [(str(stated.form), stated.value, stated.revision) for stated in statements(one)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"base-commit: {A40}", [("base-commit", A40, None)]),
        (f"  Base-Commit: {A40} (tag: v6.1)", [("base-commit", A40, None)]),
        ("base-commit: v6.9-rc1", [("base-commit", "v6.9-rc1", None)]),
        ("base-commit: kvm-x86/next", [("base-commit", "kvm-x86/next", None)]),
        ("base-commit: next-20221110", [("base-commit", "next-20221110", None)]),
        ("base-commit: yesterday's", [("invalid", "yesterday's", None)]),
        (f"prerequisite-patch-id: {B40}", [("patch-id", B40, None)]),
        ("prerequisite-patch-id: 1234", [("invalid", "1234", None)]),
        ("prerequisite-change-id: 20240402-audio-74ba:v5", [("change-id", "20240402-audio-74ba", 5)]),
        ("prerequisite-change-id: 20240402-audio-74ba", [("change-id", "20240402-audio-74ba", None)]),
        ("prerequisite-message-id: <x-v5-0-4639@nxp.com>", [("message-id", "x-v5-0-4639@nxp.com", None)]),
        ("Based-on: <2022.1@qemu.org>", [("message-id", "2022.1@qemu.org", None)]),
        ("Based-on: 2022.1-1-a@qemu.org", [("message-id", "2022.1-1-a@qemu.org", None)]),
        ("Based-on: <a@b.c>, <d@e.f>", [("message-id", "a@b.c", None), ("message-id", "d@e.f", None)]),
        ("Based-on: https://lore.kernel.org/qemu-devel/2022.1@q.org/", [("message-id", "2022.1@q.org", None)]),
        ("Based-on: https://lore.kernel.org/r/a%2Bb@q.org/T/#u", [("message-id", "a+b@q.org", None)]),
        ("Based-on: https://example.org/series/12", [("url", "https://example.org/series/12", None)]),
        ("Based-on: [PATCH v3 0/7] Fix the thing", [("title", "Fix the thing", 3)]),
        ("Based-on: mst/next", [("invalid", "mst/next", None)]),
        ("Based-on: kvm/queue", [("base-commit", "kvm/queue", None)]),
        ("Based-on: [email protected]", [("invalid", "[email protected]", None)]),
        ("Depends-on:\n <a@b.c>\n https://lore.kernel.org/kvm/d@e.f", [("message-id", "a@b.c", None),
                                                                      ("message-id", "d@e.f", None)]),
        (f"Depends-On: I{A40}", [("change-id", f"I{A40}", None)]),
        (f"Depends-on: {A40[:12]}", [("base-commit", A40[:12], None)]),
        ("Depends-on: 20240402-b4-x_y-74ba02030a72:v2", [("change-id", "20240402-b4-x_y-74ba02030a72", 2)]),
        ("Depends-on: patch 2", []),
        ("Depends-on: none", []),
        ("Dependencies: the firmware of last year", []),
        ("> base-commit: " + A40, []),
        ("This series depends on [1].\n\n[1] https://lore.kernel.org/kvm/x@y.z/", [("message-id", "x@y.z", None)]),
        ("It applies on top of\nhttps://lore.kernel.org/all/x@y.z/T/#t", [("message-id", "x@y.z", None)]),
        ("This depends on my earlier series:\n\n  https://lore.kernel.org/all/x@y.z", [("message-id", "x@y.z", None)]),
        ('It depends on "[PATCH v2 0/3] KVM: one thing".', [("title", "KVM: one thing", 2)]),
        ("Based on kvm/next.", [("base-commit", "kvm/next", None)]),
        ("on top of v6.1-rc3", [("base-commit", "v6.1-rc3", None)]),
        ("Patches are against linux-next 20221110.", [("base-commit", "next-20221110", None)]),
        ("based on linux-next (20221110)", [("base-commit", "next-20221110", None)]),
        ("The series is based on commit 0c3beacf681e (\"x\").", [("base-commit", "0c3beacf681e", None)]),
        ("Rebased on top of mm-unstable", [("base-commit", "mm-unstable", None)]),
        ("- Rebased on v6.11\n- Link to v1: https://lore.kernel.org/r/x@y.z", [("base-commit", "v6.11", None)]),
        ("It depends on:\n- https://lore.kernel.org/r/x@y.z\n- <a@b.c>", [("message-id", "a@b.c", None),
                                                                          ("message-id", "x@y.z", None)]),
        ("Range-diff against v3:\n1:  0049c4412978 = 1:  313eb689b715 x86/mm: Add functions", []),
        ("This depends on CONFIG_MEMORY_HOTPLUG and the guest page size.", []),
        ("values are calculated based on the guest's pages", []),
        ("Rebased to v6.6-rc", []),
        ("It requires v2.6.32 or later", []),
    ],
)  # fmt: skip
def test_what_a_cover_letter_says(text: str, found: list[tuple[str, str, int | None]]) -> None:
    assert said(f"Words.\n\n{text}\n") == found
    squeezed = "\n".join(line.strip() for line in f"Words.\n\n{text}\n".split("\n"))
    assert said(squeezed) == found


def test_b4s_block_is_read_below_a_diff_and_in_its_order() -> None:
    note = (
        f"---\nbase-commit: {A40}\nchange-id: 20240101-mine-0123456789ab\n"
        f"prerequisite-change-id: 20240102-one-aaaa:v2\nprerequisite-patch-id: {B40}\n"
    )
    one = patch_texts.series(patch_texts.patch(1, note=note), patch_texts.patch(2))
    found = statements(one)
    assert [(stated.patch, stated.form) for stated in found] == [
        (1, Form.BASE),
        (1, Form.CHANGE_ID),
        (1, Form.PATCH_ID),
    ]
    assert change_ids(one) == {"20240101-mine-0123456789ab"}


def test_sentences_of_commit_messages_speak_of_the_code() -> None:
    said = "This is based on v5.4."
    alone = patch_texts.series(patch_texts.patch(1, message=said))
    assert [stated.value for stated in statements(alone)] == ["v5.4"]
    assert not statements(patch_texts.series(patch_texts.patch(1), patch_texts.patch(2, message=said)))


def test_its_own_mails_are_no_prerequisite() -> None:
    patch = replace(patch_texts.patch(1, note="Depends-on: <me@x.y>"), message_id="me@x.y")
    assert statements(patch_texts.series(patch)) == ()


def test_message_ids_in_addresses() -> None:
    assert message_of("https://lkml.kernel.org/r/20221110.1-2-a@b.org") == "20221110.1-2-a@b.org"
    assert message_of("https://patchew.org/QEMU/2022.1@b.org/") == "2022.1@b.org"
    assert message_of("https://github.com/someone@x/y") == ""
    assert message_of("https://lore.kernel.org/kvm/") == ""


def test_hostile_text_takes_linear_time() -> None:
    with within(20):
        pieces = ["depends on ", "Based-on:\n", "[1] ", "<a@", "a@b ", "https://", "based on on top of "]
        pieces += ["a" * 50 + "@", "v1.2.3.", "[PATCH ", '"[PATCH] ', "next/", "\n\n", "base-commit: ", "commit \t"]
        pieces += ["0" * 41]
        for piece in pieces:
            said(piece * (200_000 // len(piece)))
