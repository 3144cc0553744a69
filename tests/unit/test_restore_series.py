"""Restoring a series: one patch after the other, the diffstat's layout, what is passed through."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.addresses import people_in
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.restoring.diffstat import laid_out
from kpatch_tool.series.restoring.restore import needs_restoring, restore_series
from tests.diff_texts import difference
from tests.restoring import patch, series

BASE = b"int f(int a)\n{\n\tif (a)\n\t\treturn 1;\n\treturn 0;\n}\n"
SECOND = BASE.replace(b"\tif (a)\n", b"\tif (a &&\n\t    a != 2)\n")
THIRD = SECOND.replace(b"\treturn 0;\n", b"\t/* None. */\n\treturn 0;\n").replace(b"f(int a)", b"f(int a, int b)")


def git(where: Path, *args: str) -> bytes:
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(where), *args], check=True, capture_output=True
    ).stdout


@pytest.fixture
def mails(tmp_path: Path) -> list[bytes]:
    """Two patches as `git format-patch` writes them: the text below the message."""
    git(tmp_path, "init", "-q")
    for number, text in enumerate((BASE, SECOND, THIRD)):
        (tmp_path / "f.c").write_bytes(text)
        if number == 2:
            (tmp_path / "long").mkdir()
            (tmp_path / "long/name.h").write_bytes(b"#define A\t1\n" * 12)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", f"step {number}")
    git(tmp_path, "format-patch", "-q", "-2")
    texts = [path.read_bytes() for path in sorted(tmp_path.glob("*.patch"))]
    return [text[text.index(b"---\n") + 4 : text.rindex(b"-- \n")] for text in texts]


def test_every_patch_sees_the_files_the_ones_before_left(mails: list[bytes]) -> None:
    asked: list[str] = []

    def read(path: str) -> bytes | None:
        asked.append(path)
        return {"f.c": BASE}.get(path)

    done = restore_series(series(*(patch(n, text) for n, text in enumerate(mails, 1))), read)
    assert [one.exactness for one in done.patches] == [Exactness.PROVEN, Exactness.PROVEN]
    assert sorted(asked) == ["f.c", "long/name.h"]
    for one, text in zip(done.patches, mails, strict=True):
        at = text.index(b"diff --git")
        assert one.diff == text[at:]
        assert one.note == text[:at].decode().strip("\n")
        assert one.ambiguous == ()
    assert not needs_restoring(done)


@pytest.mark.parametrize("damaged", [True, False])
def test_files_that_change_places_are_read_as_they_were_before_the_patch(tmp_path: Path, *, damaged: bool) -> None:
    one = b"".join(b"int one_%d(void)\n{\n\treturn %d;\n}\n\n" % (number, number) for number in range(30))
    other = b"".join(b"struct other_%d {\n\tchar *name;\n};\n\n" % number for number in range(30))
    git(tmp_path, "init", "-q")
    states = [
        {"a.c": one, "b.c": other},
        {"a.c": other.replace(b"*name;", b"*label;", 1), "b.c": one.replace(b"return 3", b"return 33")},
        {"a.c": other.replace(b"*name;", b"*label;", 2), "b.c": one.replace(b"return 3", b"return 3 + 33")},
    ]
    for number, files in enumerate(states):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", f"step {number}")
    git(tmp_path, "format-patch", "-q", "-B", "-2")
    texts = [path.read_bytes() for path in sorted(tmp_path.glob("*.patch"))]
    texts = [text[text.index(b"---\n") + 4 : text.rindex(b"-- \n")] for text in texts]
    assert texts[0].count(b"\nrename to ") == 2
    first = patch(1, texts[0]) if damaged else patch(1, texts[0], None)
    done = restore_series(series(first, patch(2, texts[1])), states[0].get)
    assert [one.why for one in done.patches if one.exactness is not Exactness.PROVEN] == ([] if damaged else [""])
    assert [one.diff for one in done.patches] == [text[text.index(b"diff --git") :] for text in texts]


def test_an_intact_patch_is_passed_through_and_changes_what_later_ones_see(mails: list[bytes]) -> None:
    first = patch(1, mails[0], None)
    done = restore_series(series(first, patch(2, mails[1])), {"f.c": BASE}.get)
    assert done.patches[0] == first
    assert done.patches[1].exactness is Exactness.PROVEN


def test_another_base_gives_matched_with_the_reason(mails: list[bytes]) -> None:
    done = restore_series(series(patch(1, mails[0])), {"f.c": b"/* Other. */\n" + BASE}.get)
    (one,) = done.patches
    assert one.exactness is Exactness.MATCHED
    assert one.why.startswith("f.c: the base has blob ")
    assert one.diff == mails[0][mails[0].index(b"diff --git") :]
    assert needs_restoring(done)


def test_without_its_file_a_patch_stays_damaged_whole(mails: list[bytes]) -> None:
    received = series(patch(1, mails[1]))
    done = restore_series(received, lambda _: None)
    assert done.patches[0] == replace(received.patches[0], why="f.c: not in the base")


def test_a_mail_that_kept_its_white_space_is_proven_as_received(mails: list[bytes]) -> None:
    received = replace(patch(1, mails[0], None), exactness=Exactness.DAMAGED, damage=frozenset({Damage.REWRAPPED}))
    (one,) = restore_series(series(received), {"f.c": BASE}.get).patches
    assert one.exactness is Exactness.PROVEN
    assert one.diff == received.diff


STAT = """\
---
 Documentation/x.rst |   5 +
 a.c                 | 120 +++++++++++---
 logo.png            | Bin 0 -> 1423 bytes
 {old => new}/name.c |   0
 4 files changed, 100 insertions(+), 25 deletions(-)
 create mode 100644 logo.png
 rename {old => new}/name.c (100%)

v2: a | 3 is no file
"""


def test_the_layout_of_a_diffstat() -> None:
    squeezed = "\n".join(" ".join(line.split()) for line in STAT.split("\n"))
    assert laid_out(squeezed) == STAT


@pytest.mark.parametrize("wide", [f"{'b' * 100_000} | 1", f"b | {'1' * 100_000}"])
def test_a_diffstat_with_a_line_without_end_does_not_make_all_of_them_as_wide(wide: str) -> None:
    note = "\n".join(["a | 1"] * 1000 + [wide, "1001 files changed, 1001 insertions(+)"])
    assert len(laid_out(note)) < 2 * len(note)


PEOPLE = b'#define AUTHOR\t"Somebody"\n#define LIST\t"list"\n'


@pytest.mark.parametrize("shown", ["[email protected]", "jo@xxxxxxxxxxxxxxx", "jo@...mple.network"])
def test_a_hidden_address_is_found_among_the_maintainers(shown: str) -> None:
    known = b"FLOWS\nM:\tJo Doe <jo@example.network>\nM:\tAl Bar <al@elsewhere.org>\nM:\tIt <it@example.org>\n"
    new = PEOPLE.replace(b'"Somebody"', b'"Jo Doe <jo@example.network>"')
    file = replace(
        difference(PEOPLE.split(b"\n")[:-1], new.split(b"\n")[:-1]),
        old_path="a.c",
        new_path="a.c",
        old_blob=blob_id(PEOPLE)[:12],
        new_blob=blob_id(new)[:12],
    )
    sent = format_diff([file])
    address = "jo@example.network"
    received = sent.replace(address.encode(), shown.encode())
    for damage in ({Damage.ADDRESSES_HIDDEN}, {Damage.ADDRESSES_HIDDEN, Damage.SQUEEZED}):
        text = received
        if Damage.SQUEEZED in damage:
            text = b"\n".join(squeeze(line) for line in received.split(b"\n"))
        one = replace(patch(1, sent), diff=text, files=parse_damaged(text), damage=frozenset(damage))
        (done,) = restore_series(series(one), {"a.c": PEOPLE, "MAINTAINERS": known}.get).patches
        assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


@pytest.mark.parametrize("shown", ["zq7@xxxxxxxxxxxxxxx", "zq7@...mple.network"])
def test_what_is_shown_of_a_hidden_address_is_tried_at_known_domains(shown: str) -> None:
    known = b"FLOWS\nM:\tJo Doe <jo@example.network>\nM:\tAl Bar <al@elsewhere.org>\n"
    new = PEOPLE.replace(b'"Somebody"', b'"Eva Lund <zq7@example.network>"')
    lines = (PEOPLE.split(b"\n")[:-1], new.split(b"\n")[:-1])
    file = replace(difference(*lines), old_path="a.c", new_path="a.c")
    sent = format_diff([replace(file, old_blob=blob_id(PEOPLE)[:12], new_blob=blob_id(new)[:12])])
    text = sent.replace(b"zq7@example.network", shown.encode())
    for received, damage in (
        (text, {Damage.ADDRESSES_HIDDEN}),
        (b"\n".join(map(squeeze, text.split(b"\n"))), {Damage.ADDRESSES_HIDDEN, Damage.SQUEEZED}),
    ):
        one = replace(patch(1, sent), diff=received, files=parse_damaged(received), damage=frozenset(damage))
        (done,) = restore_series(series(one), {"a.c": PEOPLE, "MAINTAINERS": known}.get).patches
        assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_people_are_read_with_their_names() -> None:
    text = b'M:\t"Jo Doe" <jo@example.org>\nL:\tlinux-x@vger.example.org\nAuthor: Al Bar <al.bar+k@sub.example.com>,\n'
    assert [(person.name, person.address) for person in people_in(text)] == [
        (b"Jo Doe", b"jo@example.org"),
        (b"", b"linux-x@vger.example.org"),
        (b"Al Bar", b"al.bar+k@sub.example.com"),
    ]
    # What .mailmap and CREDITS say of those that MAINTAINERS names; the first name that is told holds.
    more = text + b"Jo Doe <jo@doe.example> <jo@example.net>\n\nN: Eva Lund\nE: eva@example.org\nE: jo@example.org\n"
    assert [(person.name, person.address) for person in people_in(more)][3:] == [
        (b"Jo Doe", b"jo@doe.example"),
        (b"Jo Doe", b"jo@example.net"),
        (b"Eva Lund", b"eva@example.org"),
    ]
    assert people_in(more)[0].name == b"Jo Doe"


# Its middle hunk has other lines; with those of the patch joined, nothing would be left that does not fit.
OTHER = b"""\
/* One. */
#include <linux/acpi.h>
#include <linux/arm.h>
#include <linux/module.h>
#include <linux/device.h>

enum {
\tA_SECURE = 1,
\tA_NON_SECURE = 2,
\tA_RMA = 3
};

static const char * const states[] = {
\t[A_SECURE] = "Secured",
\t[A_RMA] = "RMA",
};

/* Log what came. */
static int log_it(int a)
{
\treturn 0;
}

MODULE_DEVICE_TABLE(acpi, ids);

static bool is_here(void)
{
"""
HIDDEN = b"""\
---
diff --git a/f.c b/f.c
index 1234567..7654321 100644
--- a/f.c
+++ b/f.c
@@ -2,5 +2,6 @@
 #include <linux/acpi.h>
 #include <linux/arm.h>
+#include <linux/delay.h>
 #include <linux/module.h>
 #include <linux/device.h>

@@ -8,6 +9,10 @@ static const char * const states[] = {
 \t[3] = "RMA",
 };

+/* Ask jane at example.org. */
+static void *data;
+static void *count;
+
 /* ARM SMC call which is atomic and no need for lock. */
 static int smc(unsigned int op, int arg)
 {
@@ -24,4 +29,5 @@ static int log_it(int a)
 MODULE_DEVICE_TABLE(acpi, ids);

+static int b;
 static bool is_here(void)
 {
"""


def test_a_base_that_differs_is_not_made_to_fit_by_joining_lines_that_came_whole() -> None:
    sent = replace(patch(1, HIDDEN, None), exactness=Exactness.DAMAGED, damage=frozenset({Damage.ADDRESSES_HIDDEN}))
    start = HIDDEN.index(b" /* ARM")  # the end of the hunk is there
    found = HIDDEN[start : HIDDEN.index(b"@@", start)].replace(b"\n ", b"\n")[1:]
    base = OTHER.replace(b"\tA_SECURE = 1,\n", b"\n" + found + b"\tA_SECURE = 1,\n")
    (one,) = restore_series(series(sent), {"f.c": base}.get).patches
    assert one.exactness is Exactness.DAMAGED
    assert one.why == "f.c: it fits the base only with lines joined or left out that the mail did not show so"
    assert b"*/ static" not in one.diff


def test_a_base_that_differs_is_not_made_to_fit_a_wrapped_hunk_by_joining_all_its_context() -> None:
    wrapped = HIDDEN[HIDDEN.index(b"diff --git") :].replace(b"and no need", b"and\nno need")
    sent = replace(
        patch(1, HIDDEN, None),
        exactness=Exactness.DAMAGED,
        damage=frozenset({Damage.REWRAPPED}),
        diff=wrapped,
        files=(),
    )
    (one,) = restore_series(series(sent), {"f.c": OTHER}.get).patches
    assert one.exactness is Exactness.DAMAGED
    assert one.why.endswith("hunk 2 (@@ -8,6 +9,10) does not fit the base: none of its lines is in it there")
