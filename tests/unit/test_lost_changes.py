"""What a mail lost of its changes is told: it is neither intact nor proven."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.repair import restore_loose
from kpatch_tool.restore.styled import restore_file
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.reading.counted import contradicted
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.restoring.restore import restore_series

OLD = b"1\n2\n3\n"
NEW = OLD + b"4\n5\n"
IDS = b"index %s..%s 100644\n" % (blob_id(OLD)[:7].encode(), blob_id(NEW)[:7].encode())
GROWS = b"diff --git a/a.c b/a.c\n" + IDS + b"--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,5 @@\n 1\n 2\n 3\n+4\n+5\n"


def read(diff: bytes) -> Patch | None:
    """The patch of a mail with this diff, None where it is refused."""
    body = b"Say why.\n\n---\n a.c | 2 ++\n 1 file changed, 2 insertions(+)\n\n" + diff + b"-- \n2.39.2\n\n"
    message = Message("[PATCH] x", Address("A U Thor", "author@example.com"), None, body, "utf-8", "test")
    try:
        return read_patch(message, 1)
    except InputError:
        return None


def restored(patch: Patch, base: dict[str, bytes]) -> Patch:
    (done,) = restore_series(Series("x", "x", 1, 1, None, (patch,)), base.get).patches
    return done


def test_lines_beyond_a_count_that_is_too_small_are_not_dropped() -> None:
    whole = read(GROWS)
    assert whole
    assert whole.exactness is Exactness.INTACT
    patch = read(GROWS.replace(b"+1,5", b"+1,4"))
    assert patch
    assert patch.exactness is Exactness.DAMAGED
    assert "more lines than the count" in patch.why
    assert restored(patch, {"a.c": OLD}).exactness is Exactness.PROVEN


HEADER = b"diff --git a/b.txt b/b.txt\n"
CUT = {
    "the first line": HEADER,
    "index": HEADER + IDS,
    "---": HEADER + IDS + b"--- a/b.txt\n",
    "--- of a deletion": HEADER + b"deleted file mode 100644\nindex 1234567..0000000\n--- a/b.txt\n",
    "new file mode": HEADER + b"new file mode 100644\n",
    "deleted file mode": HEADER + b"deleted file mode 100644\n",
    "rename to": b"diff --git a/b.txt b/c.txt\nsimilarity index 60%\nrename from b.txt\nrename to c.txt\n",
    "no-break space": HEADER + b"old\xc2\xa0mode 100644\nnew\xc2\xa0mode 100755\n",
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_file_whose_change_is_lost_is_not_intact(cut: bytes) -> None:
    patch = read(GROWS + cut)
    if patch is not None:
        assert patch.exactness is Exactness.DAMAGED
        assert patch.why
        done = restored(patch, {"a.c": OLD, "b.txt": OLD})
        whole = b"new mode 100755" in done.diff
        assert (done.exactness is Exactness.PROVEN) is whole
        assert not whole or done.diff.endswith(b"old mode 100644\nnew mode 100755\n")


@pytest.mark.parametrize(("where", "broken"), [(b" 100644", b"\n100644"), (b"index ", b"index\n")])
def test_a_binary_change_whose_index_line_is_broken_is_not_lost(where: bytes, broken: bytes) -> None:
    old, new = b"\0" * 40, b"\0\1" * 20
    index = b"index %s..%s" % (blob_id(old).encode(), blob_id(new).encode())
    diff = b"diff --git a/b b/b\n" + index + b" 100644\nGIT binary patch\n" + binary(new) + binary(old)
    sent = read(diff)
    assert sent
    assert sent.exactness is Exactness.INTACT
    received = read(diff.replace(where, broken))
    assert received
    assert received.exactness is Exactness.DAMAGED
    done = restored(received, {"b": old})
    assert (done.exactness, done.diff) == (Exactness.PROVEN, diff)


def binary(content: bytes) -> bytes:
    """A block of a binary patch that holds `content` whole."""
    data = zlib.compress(content)
    lines = [data[at : at + 52] for at in range(0, len(data), 52)]
    letters = [bytes([64 + len(line) if len(line) <= 26 else 70 + len(line)]) for line in lines]
    coded = [base64.b85encode(line, pad=True) for line in lines]
    rows = b"".join(letter + code + b"\n" for letter, code in zip(letters, coded, strict=True))
    return b"literal %d\n" % len(content) + rows + b"\n"


LOST = {
    "a deletion": (HEADER + b"deleted file mode 100644\nindex 1234567..0000000\n", "removed lines are missing"),
    "a deletion without ids": (HEADER + b"deleted file mode 100644\n", "removed lines are missing"),
    "a creation": (HEADER + b"new file mode 100644\nindex 0000000..1234567\n", "none of its hunks"),
    "a creation without ids": (HEADER + b"new file mode 100644\n", "none of its hunks"),
    "a change": (HEADER + IDS, "none of its hunks"),
    "a change of mode": (HEADER + b"old mode 100644\nnew mode 100755\nindex 1234567..89abcde\n", "none of its hunks"),
    "half a change of mode": (HEADER + b"old mode 100644\n", "none of its hunks"),
    "a rename": (b"diff --git a/b.txt b/c.txt\nrename from b.txt\nrename to c.txt\n" + IDS, "none of its hunks"),
}


@pytest.mark.parametrize(("diff", "why"), LOST.values(), ids=LOST)
def test_a_file_diff_that_lost_its_hunks_is_not_restored(diff: bytes, why: str) -> None:
    base = None if b"new file" in diff else OLD
    (file,) = parse_damaged(diff)
    (loose,) = read_loose(diff)
    for found in (restore_file(file, base or b""), restore_loose(loose, base)):
        assert (found.found, found.proven) == (False, False)
        assert why in found.why


def test_a_file_diff_without_hunks_is_restored_where_it_needs_none() -> None:
    mode = HEADER + b"old mode 100644\nnew mode 100755\n"
    moved = b"diff --git a/b.txt b/c.txt\nsimilarity index 100%\nrename from b.txt\nrename to c.txt\n"
    gone = HEADER + b"deleted file mode 100644\nindex e69de29..0000000\n"
    for diff, base in ((mode, OLD), (moved, OLD), (gone, b"")):
        (file,) = parse_damaged(diff)
        assert restore_file(file, base).proven
    assert not restore_file(parse_damaged(gone)[0], OLD).found


GONE = (
    b"diff --git a/b.txt b/b.txt\ndeleted file mode 100644\nindex %s..0000000\n" % blob_id(NEW)[:7].encode()
    + b"--- a/b.txt\n+++ /dev/null\n@@ -1,5 +0,0 @@\n-1\n-2\n-3\n-4\n-5\n"
)
SHORT = GONE.replace(b"-1,5 +0,0", b"-1,3 +0,0").replace(b"-4\n-5\n", b"")


def test_a_deletion_that_leaves_lines_is_not_proven() -> None:
    for diff, proven in ((GONE, True), (SHORT, False)):
        (file,) = parse_damaged(diff)
        (loose,) = read_loose(diff)
        for found in (restore_file(file, NEW), restore_loose(loose, NEW)):
            assert (found.found, found.proven) == (proven, proven)
            assert proven or found.why == "its hunks do not remove all of the file"
        other = restore_file(file, NEW + b"6\n")
        assert (other.found, other.proven) == (True, False)


def test_a_deletion_whose_count_is_too_small_is_counted_anew() -> None:
    patch = read(GONE.replace(b"-1,5", b"-1,4"))
    assert patch
    assert patch.exactness is Exactness.DAMAGED
    done = restored(patch, {"b.txt": NEW})
    assert (done.exactness, done.diff) == (Exactness.PROVEN, GONE)


@pytest.mark.parametrize("received", [SHORT, GONE[: GONE.index(b"--- a")]])
@pytest.mark.parametrize("damage", [set(), {Damage.SQUEEZED}, {Damage.NO_BREAK_SPACES}])
def test_a_deletion_of_which_lines_are_missing_stays_damaged(received: bytes, damage: set[Damage]) -> None:
    patch = read(GROWS + received)
    assert patch
    patch = replace(patch, exactness=Exactness.DAMAGED, damage=frozenset(damage))
    assert restored(patch, {"a.c": OLD, "b.txt": NEW}).exactness is Exactness.DAMAGED


def test_an_intact_patch_that_its_exact_base_refutes_says_so() -> None:
    edited = read(GROWS.replace(b"+5\n", b"+6\n"))
    assert edited
    assert edited.exactness is Exactness.INTACT
    done = restored(edited, {"a.c": OLD})
    assert done.exactness is Exactness.INTACT
    assert done.why == ("a.c: of the very file that its index line names it makes another: edited by hand, or damaged")
    unfit = read(GROWS.replace(b" 2\n", b" 7\n"))
    assert unfit
    assert "it does not fit the very file" in restored(unfit, {"a.c": OLD}).why
    assert restored(edited, {"a.c": OLD + b"0\n"}).why == edited.why, "another file proves nothing"


STAT = " a.c | 2 ++\n b.c | 9 +++++++++\n 2 files changed, 11 insertions(+)\n"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (" a.c | 2 ++\n 1 file changed, 2 insertions(+)\n", []),
        ("v2: more\n\n" + STAT, ["patch 1: its diffstat counts 2 files, its diff has 1; cut off, or edited by hand"]),
        (
            " a.c | 3 ++-\n 1 file changed, 2 insertions(+), 1 deletion(-)\n",
            ["patch 1: its diffstat counts +2 -1 lines, its diff +2 -0; cut off, or edited by hand"],
        ),
        ("The whole series:\n" + STAT + "\nThis one:\n a.c | 2 ++\n 1 file changed, 2 insertions(+)\n", []),
        ("", []),
    ],
)
def test_a_diff_that_is_not_what_its_diffstat_counts(note: str, said: list[str]) -> None:
    patch = read(GROWS)
    assert patch
    assert contradicted([replace(patch, note=note)]) == said
    assert contradicted([replace(patch, note=note, exactness=Exactness.DAMAGED)]) == []


def mail(note: bytes, text: bytes) -> Patch:
    message = Message("[PATCH] x", Address("A", "a@example.com"), None, b"Why.\n\n---\n" + note + text, "utf-8", "test")
    return read_patch(message, 1)


@pytest.mark.parametrize(
    "below",
    [
        b"-----BEGIN PGP SIGNATURE-----\nVersion: 1\n",
        b"----- End forwarded message -----\n",
        b"-" * 5 + b"\n",
        b"--=-=-=--\n",
        b"--0016e64--\n",
    ],
)
def test_what_mail_programs_put_below_a_diff_is_none_of_it(below: bytes) -> None:
    patch = mail(b"", GROWS + below)
    assert (patch.exactness, patch.diff) == (Exactness.INTACT, GROWS)


@pytest.mark.parametrize("below", [b"- Andi\n", b"-Andi\n", b"--Andi\n", b"+1 from me\n", b" some text\n- an item\n"])
def test_where_the_diffstat_counts_a_diff_what_is_below_is_none_of_it(below: bytes) -> None:
    stat = b" a.c | 2 ++\n 1 file changed, 2 insertions(+)\n\n"
    patch = mail(stat, GROWS + below)
    assert (patch.exactness, patch.diff) == (Exactness.INTACT, GROWS)
    assert mail(b"", GROWS + below).exactness is Exactness.DAMAGED
    assert mail(stat.replace(b"2 insertions", b"3 insertions"), GROWS + below).exactness is Exactness.DAMAGED


MODE = b"diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
IRREVERSIBLE = HEADER + b"deleted file mode 100644\nindex 1234567..0000000\n"
MOVED = b"diff --git a/x b/y\nrename from x\nrename to y\n"
WHOLE = {
    "a mode, counted": (b" 2 files changed, 2 insertions(+)\n", GROWS + MODE),
    "a mode, before git 1.8.1": (b" 1 file changed, 2 insertions(+)\n", GROWS + MODE),
    "nothing but a mode": (b" 0 files changed, 0 insertions(+), 0 deletions(-)\n", MODE),
    "an irreversible delete": (b" 2 files changed, 2 insertions(+), 30 deletions(-)\n", GROWS + IRREVERSIBLE),
    "Mercurial's rename": (b" 2 files changed, 2 insertions(+)\n", GROWS + MOVED),
    "Mercurial's empty file": (b"", HEADER + b"new file mode 100644\n" + GROWS),
    "a file that did not change": (b"", HEADER + GROWS),
}


@pytest.mark.parametrize(("note", "diff"), WHOLE.values(), ids=WHOLE)
def test_what_needs_no_lines_is_whole(note: bytes, diff: bytes) -> None:
    patch = mail(note, b"\n" + diff)
    assert (patch.exactness, patch.diff) == (Exactness.INTACT, diff)
    assert contradicted([patch]) == []


def test_the_id_of_a_submodule_is_no_blob_s() -> None:
    diff = b"diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1234567\n"
    diff += b"--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n"
    patch = mail(b"", diff + b"+Subproject commit 1234567" + b"8" * 33 + b"\n")
    assert restored(patch, {}).why == patch.why
