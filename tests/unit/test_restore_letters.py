"""Letters that a program replaced by U+FFFD or `?`: put back from the base, judged by the blob id, never guessed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.elsewhere import Elsewhere
from kpatch_tool.restore.lettered import lettered, lettered_loose
from kpatch_tool.restore.letters import Words, folded, put_back, readings
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.repair import repair_made, restore_loose
from kpatch_tool.restore.styled import Restoration, restore_file, restore_made
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.restoring.restore import restore_series
from tests.clock import within
from tests.damages import LETTERS
from tests.diff_texts import difference

BASE = """/*
 * Copyright © 2011 Zoë Ångström
 * Written by José, who asked: why not?
 */
int f(int a)
{
\treturn a ? 1 : 0;
}
/* Temperature → °C */
""".encode()
CONTEXT = BASE.replace(b"int f(int a)", b"int f(long a)")
COPIED = BASE.replace("© 2011".encode(), "© 2011-2014".encode())
NAMED = BASE.replace(b"int f", "/* Ask José or Zoë first. */\nint f".encode())
NEWLY = BASE.replace(b"int f", "/* Ask Björk first. */\nint f".encode())
REPLACED = sorted(LETTERS)
Restore = Callable[..., Restoration]
PEOPLE = (Person("Björk Test".encode(), b"b@example.org"),)


def diff_of(post: bytes, base: bytes = BASE) -> FileDiff:
    made = difference(base.split(b"\n")[:-1], post.split(b"\n")[:-1])
    return replace(made, old_path="f.c", new_path="f.c", old_blob=blob_id(base)[:10], new_blob=blob_id(post)[:10])


def mailed(post: bytes, how: str, base: bytes = BASE) -> bytes:
    return LETTERS[how](format_diff((diff_of(post, base),)), random.Random(1))


def from_page(text: bytes, base: bytes = BASE, people: tuple[Person, ...] = ()) -> Restoration:
    squeezed = b"\n".join(squeeze(line) for line in text.split(b"\n"))
    (file,) = parse_damaged(squeezed)
    return restore_file(file, base, beside=Elsewhere(people))


def from_mail(text: bytes, base: bytes = BASE, people: tuple[Person, ...] = ()) -> Restoration:
    (file,) = read_loose(text)
    return restore_loose(file, base, people)


@pytest.mark.parametrize("restore", [from_page, from_mail])
@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.parametrize("post", [CONTEXT, COPIED, NAMED], ids=["context", "changed copy", "words of the file"])
def test_letters_that_the_base_has_come_back(post: bytes, how: str, restore: Restore) -> None:
    done = restore(mailed(post, how))
    assert done.proven, done.why
    assert done.post == post
    assert format_diff((done.file,)) == format_diff((diff_of(post),))
    assert dict(done.undone)[Damage.REPLACED] >= 1
    assert done.ambiguous == ()


@pytest.mark.parametrize("restore", [from_page, from_mail])
@pytest.mark.parametrize("how", REPLACED)
def test_a_name_comes_back_from_the_mails_people(how: str, restore: Restore) -> None:
    assert restore(mailed(NEWLY, how), BASE, PEOPLE).post == NEWLY


@pytest.mark.parametrize("restore", [from_page, from_mail])
@pytest.mark.parametrize("how", REPLACED)
def test_an_unknown_letter_is_listed_and_left_as_received(how: str, restore: Restore) -> None:
    done = restore(mailed(NEWLY, how))
    assert done.found
    assert not done.proven
    sign = "?" if "?" in how else "\ufffd"
    assert any("Ask Bj" + sign in one.text and (one.path, one.line) == ("f.c", 5) for one in done.ambiguous)
    assert b"Ask Bj" + sign.encode() in (done.post or b"")
    assert "© 2011 Zoë Ångström".encode() in (done.post or b"")


@pytest.mark.parametrize("restore", [from_page, from_mail])
def test_a_letter_read_without_a_judge_is_listed(restore: Restore) -> None:
    text = mailed(NAMED, "letters as U+FFFD").replace(blob_id(BASE)[:10].encode(), b"1234567890")
    done = restore(text)
    assert done.post == NAMED
    assert not done.proven
    assert str(done.ambiguous[0]).startswith("f.c:+5 `/* Ask José or Zoë first. */`")


@pytest.mark.parametrize("restore", [from_page, from_mail])
def test_another_letter_in_the_base_is_no_place(restore: Restore) -> None:
    """What was not replaced must be the same: only signs stand for letters."""
    other = BASE.replace("Zoë".encode(), "Zoé".encode())
    text = mailed(CONTEXT, "letters as ?").replace(b"Zo?", "Zoë".encode())
    assert not restore(text, other).found


@pytest.mark.parametrize("restore", [from_page, from_mail])
def test_a_question_mark_of_the_author_stays(restore: Restore) -> None:
    post = BASE.replace(b"a ? 1 : 0", b"a ? 1 : a?2:0").replace(b"why not?", b"why, when?")
    done = restore(mailed(post, "letters as ?"))
    assert (done.proven, done.post) == (True, post)


def test_letters_come_back_from_a_file_known_by_its_id() -> None:
    text = mailed(NEWLY, "letters as U+FFFD, by bytes")
    (file,) = parse_damaged(b"\n".join(squeeze(line) for line in text.split(b"\n")))
    (loose,) = read_loose(text)
    for done in (restore_made(file, BASE, NEWLY), repair_made(loose, BASE, NEWLY)):
        assert done is not None
        assert (done.proven, done.post) == (True, NEWLY)


def mail(post: bytes, how: str) -> Patch:
    body = b"Say why.\n---\n f.c | 2 +-\n\n" + mailed(post, how)
    return read_patch(Message("[PATCH] x", Address("A", "a@example.org"), None, body, "utf-8", "test"), 1)


@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.parametrize("post", [CONTEXT, COPIED, NAMED, b""], ids=["context", "copy", "words", "deletion"])
def test_a_mail_that_kept_its_white_space_is_proven(post: bytes, how: str) -> None:
    patch = mail(post, how)
    if not post:
        gone = replace(diff_of(b""), new_path=None, new_mode=None, new_blob="0" * 10)
        text = LETTERS[how](format_diff((gone,)), random.Random(1))
        body = b"Say why.\n---\n\n" + text
        patch = read_patch(Message("[PATCH] x", Address("A", "a@example.org"), None, body, "utf-8", "test"), 1)
    (done,) = restore_series(Series("s", "s", 1, 1, None, (patch,)), {"f.c": BASE}.get).patches
    assert done.exactness is Exactness.PROVEN, done.why
    assert "their letters back" in done.why or "its letters back" in done.why
    if post:
        assert done.diff == format_diff((diff_of(post),))


def test_only_letters_change_in_a_mail_that_nothing_else_happened_to() -> None:
    """Eight blanks that the author wrote are no tab, though no blob id can say so."""
    post = NEWLY.replace(b"int f", b"/*\n        eight\n                sixteen\n */\nint f").replace(
        b"return a", b"return !a"
    )
    patch = mail(post, "letters as U+FFFD")
    assert patch.damage == frozenset({Damage.REPLACED})
    (done,) = restore_series(Series("s", "s", 1, 1, None, (patch,)), {"f.c": BASE}.get).patches
    assert done.exactness is Exactness.MATCHED
    assert done.diff == format_diff((diff_of(post),)).replace("Bjö".encode(), "Bj\ufffd".encode())
    assert any("letter was replaced" in str(one) for one in done.ambiguous)


def test_put_back_takes_letters_only_for_signs() -> None:
    known = "naïve → Øre?".encode()
    for text in ("na?ve ? ?re?", "na??ve ??? ??re?", "na\ufffdve \ufffd\ufffd\ufffd \ufffdre?"):
        assert put_back(text.encode(), known) == known
    assert put_back(b"na?ve ? Are?", known) == b"na?ve ? Are?"
    assert put_back("naive → ?re?".encode(), known) == "naive → ?re?".encode()
    assert put_back("ë?".encode(), "éa".encode()) == "ë?".encode()


def test_folded_is_the_same_before_and_after() -> None:
    for how in REPLACED:
        assert folded(LETTERS[how](b" " + BASE.split(b"\n")[1], random.Random(1))) == folded(
            b" " + BASE.split(b"\n")[1]
        )


def test_a_lone_question_mark_is_no_word_of_the_file() -> None:
    far = Words([BASE])
    assert readings(b"\tx = y ? 1 : 2;", [], Words([]), far) == []
    assert readings("\tx = y \ufffd 1;".encode(), [], Words([]), far)[0] == "\tx = y © 1;".encode()


def test_hostile_text_is_read_in_bounded_time() -> None:
    signs = "+? \ufffda?b é?é\ufffd? ".encode()
    old = b"".join(b"-%d \xc3\xa9?\xc3\xa9?\xc3\xa9 word%d\xc3\xa9\n" % (at, at) for at in range(400))
    added = b"".join(b"%s word%d? %s\n" % (signs * 20, at, b"\xc3\xa9?" * 300) for at in range(400))
    text = b"index 1234567..7654321\n--- a/f\n+++ b/f\n@@ -1,400 +1,400 @@\n" + old + added
    base = old.replace(b"?", b"\xc3\xb6").replace(b"\n-", b"\n")[1:]
    with within(20):
        for ways in (lettered(parse_damaged(text)[0], base), lettered_loose(read_loose(text)[0], base)):
            assert len(ways) <= 8
