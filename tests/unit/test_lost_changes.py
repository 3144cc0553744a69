"""What a mail lost of its changes is told: it is neither intact nor proven."""

from __future__ import annotations

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.errors import InputError
from kpatch_tool.mail.message import Address, Message
from kpatch_tool.series.model import Exactness, Patch, Series
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
