"""Undoing what mail programs do to a diff: every damage of tests/damages.py, alone and in pairs, and hostile text."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.parse import parse_diff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Address, Damage, Message
from kpatch_tool.restore.blind import read_blind, suspicions
from kpatch_tool.restore.loosely import fitting
from kpatch_tool.restore.loosely.fit_search import FitSearch
from kpatch_tool.restore.loosely.fits import AlikeBase, Fit
from kpatch_tool.restore.loosely.fitting import TEXT_STEPS, fit_blind
from kpatch_tool.restore.loosely.loose import read_loose
from kpatch_tool.restore.loosely.undoing import Choice
from kpatch_tool.restore.loosely.written import FileLine
from kpatch_tool.restore.readings.judge import readings_judged
from kpatch_tool.restore.repair import chosen, restore_loose
from kpatch_tool.restore.shape import reshaped
from kpatch_tool.series.model import Exactness, Patch, Series
from kpatch_tool.series.reading.patches import read_patch
from kpatch_tool.series.restoring.restore import restore_series
from tests.clock import within
from tests.damages import DAMAGES, PAIRS, Damager, both
from tests.diff_texts import difference

PATH = "net/core/flow.c"
BASE = b"""\
// SPDX-License-Identifier: GPL-2.0
/*
 * Flows, by Jane Doe <jane.doe@kernel.example.org>
 *   "quoted" -- and a list
 */
#include <linux/flow.h>
#include <linux/kernel.h>

#define FLOW_MAX\t\t16\t/* of each kind */
#define FLOW_NAME\t\t"flow"

static int flow_count(const struct flow_table *table, unsigned int kind)
{
\tstruct flow_entry *entry;
\tint count = 0;

\tlist_for_each_entry(entry, &table->entries, list) {
\t\tif (entry->kind == kind && entry->state != FLOW_DEAD)
\t\t\tcount++;
\t}

\treturn count;
}

int flow_add(struct flow_table *table, struct flow_entry *entry, unsigned long flags)
{
\tif (flow_count(table, entry->kind) >= FLOW_MAX)
\t\treturn -ENOSPC;

\tlist_add(&entry->list, &table->entries);
\treturn 0;
}
EXPORT_SYMBOL_GPL(flow_add);
"""
NEW = (
    BASE.replace(
        b'FLOW_NAME\t\t"flow"\n', b'FLOW_NAME\t\t"flow"\n#define FLOW_AUTHOR\t\t"jane.doe@kernel.example.org"\n'
    )
    .replace(b"\tint count = 0;\n", b"\tint count = 0, dead = 0;\n\tbool all = kind == FLOW_ANY;\n")
    .replace(
        b"\t\tif (entry->kind == kind && entry->state != FLOW_DEAD)\n\t\t\tcount++;\n",
        b"\t\tif (entry->state == FLOW_DEAD) {\n\t\t\tdead++;\n\t\t\tcontinue;\n\t\t}\n"
        b"\t\tif (all || (entry->kind == kind && !(entry->flags & FLOW_HIDDEN) && entry->seq < 1UL << 20))\n"
        b"\t\t\tcount++;\n",
    )
    .replace(
        b"\tif (flow_count",
        b"\t/* More than that and the device's table -- it's small -- is full. */\n\tif (flow_count",
    )
    .replace(
        b"\t\treturn -ENOSPC;\n",
        b'\t\treturn flow_error(table, -ENOSPC, "the table of kind %u is full, and nothing can be removed from it",\n'
        b"\t\t\t\t  entry->kind);\n",
    )
)
HEAD = b"Say why.\n\nSigned-off-by: A U Thor <author@example.com>\n---\n net/core/flow.c | 2 +-\n 1 file changed\n\n"


def sent_diff(base: bytes = BASE, new: bytes = NEW, path: str = PATH) -> FileDiff:
    """The diff as `git format-patch` writes it."""
    made = difference(base.split(b"\n")[:-1], new.split(b"\n")[:-1])
    return replace(made, old_path=path, new_path=path, old_blob=blob_id(base)[:12], new_blob=blob_id(new)[:12])


SENT = format_diff([sent_diff()])


def received(damage: Damager, sent: bytes = SENT, *, seed: int = 1) -> Patch:
    body = damage(HEAD + sent + b"-- \n2.39.2\n", random.Random(seed))
    return read_patch(Message("[PATCH] x", Address("A U Thor", "author@example.com"), None, body, "utf-8", "test"), 1)


def restored(patch: Patch, base: bytes = BASE) -> Patch:
    (done,) = restore_series(Series("s", "s", 1, 1, None, (patch,)), {PATH: base}.get).patches
    return done


# Those that the received text does not show, or that lose what nothing gives back.
UNSEEN = {"latin-1", "trailing stripped", "line numbers wrong", "no-newline note lost"}
LOSES = {"truncated"}


@pytest.mark.parametrize("name", sorted(DAMAGES.keys() - UNSEEN - LOSES))
def test_what_a_damage_did_is_undone_and_proven(name: str) -> None:
    assert DAMAGES[name](SENT, random.Random(1)) != SENT
    patch = received(DAMAGES[name])
    assert patch.exactness in {Exactness.DAMAGED, Exactness.INTACT}
    done = restored(patch)
    assert done.exactness is Exactness.PROVEN, done.why
    assert done.diff == SENT
    assert done.why.startswith("restored; 1 file has the blob id the patch names") or patch.diff == SENT


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_damages_are_undone(pair: tuple[str, str]) -> None:
    done = restored(received(both(*pair)))
    assert (done.exactness, done.diff) == (Exactness.PROVEN, SENT)


def test_an_intact_mail_is_not_touched() -> None:
    patch = received(lambda text, _rng: text)
    assert (patch.exactness, patch.diff, patch.damage, patch.received) == (Exactness.INTACT, SENT, frozenset(), b"")
    assert restored(patch) == patch


def test_what_was_undone_is_said() -> None:
    done = restored(received(DAMAGES["wrapped at 72"]))
    assert "wrapped lines joined" in done.why
    assert Damage.REWRAPPED in done.damage
    done = restored(received(DAMAGES["tabs by column"]))
    assert "with their tabs back" in done.why


def test_a_name_that_was_broken_behind_a_slash_is_joined() -> None:
    path = "Documentation/devicetree/bindings/spi/spi-flow.yaml"
    sent = format_diff([sent_diff(path=path)])
    assert b" b/Documentation" in sent
    patch = received(lambda text, _rng: text.replace(b" b/Documentation", b" b/\nDocumentation"), sent)
    assert (patch.diff, patch.exactness, patch.damage) == (sent, Exactness.DAMAGED, frozenset({Damage.REWRAPPED}))
    assert patch.why == "1 wrapped line joined; not compared with a tree yet"


def exactly(sent: bytes, received: bytes, base: bytes | None) -> None:
    """What was received of one file's diff is proven to be what was sent."""
    (file,) = read_loose(received)
    found = restore_loose(file, base)
    assert found.proven, found.why
    assert format_diff([found.file]) == sent


def test_long_names_are_each_on_a_line_of_their_own() -> None:
    path = "drivers/media/cec/usb/extron-da-hd-4k-plus/extron-da-hd-4k-plus.c"
    sent = format_diff([sent_diff(path=path)])
    broken = sent.replace(b"git a/", b"git\na/", 1).replace(b" b/", b"\nb/", 1)
    assert broken.startswith(b"diff --git\na/drivers")
    exactly(sent, broken, BASE)


def test_a_section_all_of_which_is_on_the_next_line() -> None:
    base = b"test_that_nothing_is_lost() {\n" + b"\techo one\n" * 5 + b"\techo two\n"
    sent = format_diff([sent_diff(base, base.replace(b"two", b"three"), "a.sh")]).replace(
        b" @@\n", b" @@ test_that_nothing_is_lost() {\n"
    )
    exactly(sent, sent.replace(b"@@ test", b"@@\ntest"), base)


def test_the_rest_of_the_last_line_is_not_of_the_diff() -> None:
    """It stood behind a soft break of quoted-printable, where the counts say that the hunk is over."""
    base = b"a\nb\nc\nssize_t a_name_that_is_long(struct dentry *dentry, struct inode *inode,\n"
    sent = format_diff([sent_diff(base, base.replace(b"a\n", b"x\n", 1), PATH)])
    exactly(sent, sent.replace(b"inode,\n", b"in=\n"), base)


def test_a_new_file_with_a_line_more_than_its_count_says() -> None:
    new = b"one\ntwo\nthree\n"
    made = replace(sent_diff(b"", new), old_path=None, old_blob="0" * 12, new_mode="100644")
    sent = format_diff([made])
    assert b"+1,3 @@" in sent
    exactly(sent, sent.replace(b"+1,3 @@", b"+1,2 @@"), None)


def test_counts_that_are_wrong_where_a_hunk_has_many_places() -> None:
    """None has them; those looked at first leave steps for the right one."""
    block = [b"\treturn 0;", b"}", b"", b"/*", b" * Said.", b" */"]
    base, added = block * 400, [b"\tnew_line(%d, a, b);" % number for number in range(40)]
    new = [*base[:1203], *added, *base[1203:]]
    ids = (blob_id(b"\n".join(lines) + b"\n")[:12].encode() for lines in (base, new))
    shown = [
        *(b" " + line for line in block[:3]),
        *(b"+" + line for line in added),
        *(b" " + line for line in block[3:]),
    ]
    head = b"diff --git a/f.c b/f.c\nindex %s..%s 100644\n--- a/f.c\n+++ b/f.c\n" % tuple(ids)
    sent = head + b"@@ -1201,6 +1201,46 @@\n" + b"\n".join(shown) + b"\n"
    exactly(sent, sent.replace(b",46 @@", b",47 @@"), b"\n".join(base) + b"\n")


@pytest.mark.parametrize("line", [b"\trun ping -q -M want -c 10 -s 500 b", b"\tlen -= a - b;"])
def test_blanks_after_hyphens_that_are_no_minus_signs(line: bytes) -> None:
    base = b"\trun ping -q -M want -c 1 -s 500 b\n\tlen -= a;\n"
    sent = format_diff([sent_diff(base, base + line + b"\n")])
    exactly(sent, re.sub(rb"(?m)^((?!---).*)$", lambda found: re.sub(rb"-(?=[^\s-])", b"- ", found[1]), sent), base)


def test_a_blank_after_the_hyphen_of_an_address() -> None:
    """The line is in its place, and not the rest of the @@."""
    base = b"R:\tEric <eric@example.com>\nL:\tlinux-mm@vger.kernel.org\nS:\tSupported\nF:\ta/\nF:\tb/\nF:\tc/\nF:\td/\n"
    sent = format_diff([sent_diff(base, base.replace(b"F:\tb/\n", b"F:\ta.h\nF:\tb/\n"))])
    assert b"@@ -2,6 +2,7 @@" in sent
    sent = sent.replace(b"+2,7 @@", b"+2,7 @@ R:\tEric <eric@example.com>")
    exactly(sent, sent.replace(b"linux-mm@", b"linux- mm@"), base)


@pytest.mark.parametrize("name", ["flowed", "wrapped at 76", "wrapped at 72"])
def test_a_wide_gap_at_which_a_line_was_broken_is_as_wide_again(name: str) -> None:
    """What follows the line end has the other blanks of the gap: no style tells how many an author wrote."""
    table = b"".join(
        b"#define FLOW_TABLE_REQUEST_FLAGS_%s%s FLOW_TABLE_REQUEST_FLAGS_OF_ALL_KINDS_%s\n" % (one, b" " * wide, one)
        for one, wide in ((b"FIRST", 13), (b"LAST", 3), (b"ALL", 21))
    )
    said = b"/* Of the table and no other one, which would be in the way.  See above. */\n"
    new = NEW.replace(b"\nstatic int", table + said + b"\nstatic int")
    patch = restored(received(DAMAGES[name], format_diff([sent_diff(new=new)])))
    assert patch.exactness is Exactness.PROVEN, patch.why
    assert table in patch.diff.replace(b"\n+", b"\n")


@pytest.mark.parametrize("more", [-1, 1])
def test_counts_of_the_last_hunk_that_are_wrong_are_counted_anew(more: int) -> None:
    """A line too many is one that the text seems to lack at its end."""

    def change(text: bytes, _rng: random.Random) -> bytes:
        head, at, rest = text.rpartition(b"\n@@ ")
        numbers = re.sub(rb"(\+\d+,)(\d+)", lambda found: found[1] + b"%d" % (int(found[2]) + more), rest, count=1)
        return head + at + numbers

    patch = restored(received(change))
    assert (patch.exactness, patch.diff) == (Exactness.PROVEN, SENT), patch.why
    assert "1 hunk counted anew" in patch.why


def test_another_base_proves_nothing_and_undecided_lines_are_shown() -> None:
    done = restored(received(DAMAGES["hidden, cloudflare"]), BASE.replace(b"flow", b"flow", 1) + b"/* end */\n")
    assert done.exactness is Exactness.MATCHED
    assert "the base has blob " in done.why
    typeset = restored(received(DAMAGES["typeset"]), BASE + b"/* end */\n")
    assert typeset.exactness is Exactness.MATCHED


@pytest.mark.parametrize("digits", [4, 5])
def test_a_short_blob_id_proves_no_more_readings_than_it_can_judge(digits: int) -> None:
    file = sent_diff()

    def told(new: bytes) -> Patch:
        short = replace(file, old_blob=blob_id(BASE)[:digits], new_blob=blob_id(new)[:digits])
        return restored(received(DAMAGES["tabs by column"], format_diff([short])))

    assert told(NEW).exactness is Exactness.PROVEN
    other = told(NEW + b"/* end */\n")
    assert other.exactness is Exactness.MATCHED
    tried = re.search(r"none of the (\d+) likeliest readings", other.why)
    assert tried and 1 <= int(tried[1]) <= readings_judged("a" * digits)


def test_a_hidden_address_nobody_has_stays_and_is_shown() -> None:
    base = BASE.replace(b"jane.doe@kernel.example.org", b"somewhere")
    new = NEW.replace(b" <jane.doe@kernel.example.org>", b" <somewhere>")
    sent = format_diff([sent_diff(base, new)])
    done = restored(received(DAMAGES["hidden, cloudflare"], sent), base)
    assert done.exactness is Exactness.MATCHED
    assert any("a hidden address" in str(one) for one in done.ambiguous)


def test_changes_cut_off_are_damaged_with_their_place() -> None:
    cut = SENT[: SENT.rindex(b"+\t\t\t\t  entry->kind")]
    patch = received(lambda _text, _rng: HEAD + cut)
    assert patch.exactness is Exactness.DAMAGED
    assert patch.why.startswith(f"{PATH}: the text ends in hunk ")
    done = restored(patch)
    assert done.exactness is Exactness.DAMAGED
    assert "cut off" in done.why


def test_context_cut_off_is_put_back() -> None:
    cut = SENT[: SENT.rindex(b" \tlist_add")]
    done = restored(received(lambda _text, _rng: HEAD + cut))
    assert (done.exactness, done.diff) == (Exactness.PROVEN, SENT)
    assert "put back at the end" in done.why


def test_an_intact_patch_that_its_exact_base_refutes() -> None:
    """Blanks at line ends were taken off: nothing shows it but the base."""
    base = BASE.replace(b"\tint count = 0;\n", b"\tint count = 0;  \n")
    sent = format_diff([sent_diff(base)])
    patch = received(DAMAGES["trailing stripped"], sent)
    assert patch.exactness is Exactness.INTACT
    done = restored(patch, base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_what_the_author_wrote_is_kept() -> None:
    """A file that really has no-break spaces, entities and codes comes out as it is."""
    base = BASE.replace(b"by Jane", b"by\xc2\xa0Jane").replace(b"of each", b"&lt;of&gt; =3D each")
    new = NEW.replace(b"by Jane", b"by\xc2\xa0Jane").replace(b"of each", b"&lt;of&gt; =3D each")
    new = new.replace(b"More than that", b"More\xc2\xa0than =3D that")
    sent = format_diff([sent_diff(base, new)])
    for damage in (lambda text, _rng: text, DAMAGES["wrapped at 72"], DAMAGES["tabs by column"]):
        done = restored(received(damage, sent), base)
        assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_line_ends_of_the_tree_are_kept() -> None:
    base, new = BASE.replace(b"\n", b"\r\n"), NEW.replace(b"\n", b"\r\n")
    sent = format_diff([sent_diff(base, new)])
    stripped = sent.replace(b"\r\n", b"\n")
    done = restored(received(lambda _text, _rng: HEAD + stripped), base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_a_missing_newline_at_the_end_that_the_mail_lost() -> None:
    base, new = BASE[:-1], NEW[:-1].replace(b"(flow_add);", b"(flow_add); /* end */")
    last = difference(base.split(b"\n"), new.split(b"\n"))
    hunk = last.hunks[-1]
    lines = tuple(replace(line, newline=line.text[:6] != b"EXPORT") for line in hunk.lines)
    file = replace(
        last,
        old_path=PATH,
        new_path=PATH,
        hunks=(*last.hunks[:-1], replace(hunk, lines=lines)),
        old_blob=blob_id(base)[:12],
        new_blob=blob_id(new)[:12],
    )
    sent = format_diff([file])
    assert b"\\ No newline" in sent
    done = restored(received(DAMAGES["no-newline note lost"], sent), base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_without_a_base_only_what_is_certain_is_undone() -> None:
    patch = received(DAMAGES["wrapped at 76"])
    assert (patch.exactness, patch.damage) == (Exactness.DAMAGED, frozenset({Damage.REWRAPPED}))
    assert patch.files == parse_diff(SENT)
    assert "not compared with a tree" in patch.why
    assert patch.received != patch.diff


@pytest.mark.parametrize("name", ["quoted", "indented", "doubled", "CR", "CRLF", "quoted-printable", "groupwise"])
def test_the_files_are_seen_in_every_shape(name: str) -> None:
    patch = received(DAMAGES[name])
    assert [file.path for file in patch.files] == [PATH]
    assert patch.message.startswith("Say why.")


def test_intact_diffs_are_not_suspected() -> None:
    assert suspicions(parse_diff(SENT), SENT) == frozenset()


@pytest.mark.parametrize(
    ("context", "suspected"),
    [
        ("    (void) x;", False),
        ("    (void) x;\n \xa0 x", False),  # the file has both
        ("\xa0   (void) x;", True),
        ("(void) x;", True),
        ("\t(void) x;", True),
    ],
)
def test_no_break_spaces_beside_blanks_that_lines_of_the_file_begin_with_are_the_authors(
    context: str, suspected: bool
) -> None:
    count = context.count("\n") + 2
    text = f"--- a/f.3\n+++ b/f.3\n@@ -1,{count} +1,{count} @@\n {context}\n-old\n+\xa0   new\n".encode()
    assert (suspicions(parse_diff(text), text) == {"no-break-spaces"}) is suspected


@pytest.mark.parametrize(
    ("path", "lines", "suspected"),
    [
        ("drivers/x/f.c", ["    if (a)", "        b();"], True),
        ("kernel/f.c", [" if (a)", "  b();"], True),
        ("net/core/f.c", ["    if (a)", "\tb();"], False),  # one tab is enough
        ("fs/f.c", [" * Of", " * this.", " out:"], False),
        ("fs/f.rst", ["    one", "    two"], False),
        ("hw/core/f.c", ["    if (a)", "        b();"], False),  # QEMU's
        ("net/can/f.c", ["    if (a)", "        b();"], False),
        ("block/f.c", ["    if (a)", "        b();"], False),
    ],
)
def test_code_of_linux_without_a_tab_is_suspected(path: str, lines: list[str], suspected: bool) -> None:
    body = "".join(f" {line}\n" for line in lines)
    count = len(lines)
    text = f"--- a/{path}\n+++ b/{path}\n@@ -1,{count} +1,{count + 1} @@\n{body}+x;\n".encode()
    assert (suspicions(parse_diff(text), text) == {"tabs-to-blanks"}) is suspected


def test_lines_that_end_in_an_equals_sign_are_no_quoted_printable() -> None:
    line = b" \tgpio-line-names =\n+\t\tname,\n"
    text = b"diff --git a/f.dts b/f.dts\n--- a/f.dts\n+++ b/f.dts\n" + (b"@@ -1,1 +1,2 @@\n" + line) * 4
    assert reshaped(text) == (text, ())
    long = text.replace(b"gpio-line-names =", b"x" * 70 + b"=")
    assert reshaped(long)[1] == ("quoted-printable",)


@pytest.mark.parametrize(
    ("lines", "suspected"),
    [
        (b"+CONFIG_A=20\n+CONFIG_B=9\n", False),
        (b"+\tldr\tr5, =20\n", False),
        (b"+a =3D b;\n", True),
        (b"+=09a();\n", True),
        (b"+a();\n=20\n", True),
        (b"GIT binary patch\nliteral 4\nLc${NkU}|Z=3D1oj6\n\n", False),
    ],
)
def test_an_equals_sign_may_be_itself(lines: bytes, suspected: bool) -> None:
    assert ("quoted-printable" in suspicions((), lines)) is suspected


def test_nothing_is_read_from_prose() -> None:
    assert read_blind(b"hello\n@@ -1 +1 @@\n-a\n+b\n") is None
    assert read_loose(b"") == ()


HOSTILE = [
    b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,400 +1,400 @@\n" + b"+\n\n" * 3000,
    b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,9999999 +1,9999999 @@\n" + b" a\n" * 4000,
    b"diff --git a/f b/f\n--- a/f\n+++ b/f\n" + b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n" * 400,
    b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,60 +1,60 @@ x\n" + b"+- " * 6000 + b"\n" + b"+a@" * 3000,
    b"diff --git a/f b/f\n" * 2000 + b"--- a/f\n+++ b/f\n" * 2000,
    b"--- a/f\n+++ b/f\n@@ -1,99 +1,150 @@\n" + b"+" + b" \xc2\xa0=3D&lt;" * 2000 + b"\n" + b"x\n" * 300,
    b"--- a/f\n+++ b/f\n@@ -0,0 +1,300 @@\n" + (b"+" + b"        a  b" * 20 + b"\n") * 300,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_is_read_in_bounded_time(number: int) -> None:
    text = HOSTILE[number].replace(b"--- a/f", b"index 1234567..7654321\n--- a/f", 1)
    base = b" a\n\na\n\n" * 2000
    with within(60):
        for file in read_loose(text)[:3]:
            exact = replace(file, header=replace(file.header, old_blob=blob_id(base)[:12], new_blob="7654321"))
            restore_loose(exact, base)
        read_blind(text)


def test_blank_context_lines_joined_with_the_next_are_set_apart() -> None:
    """As Thunderbird sends flowed text: blanks before all context lines, and none of the blank ones."""
    base = b"int a;\n\nint b;\n\tint c;\n\n\tint d;\nint e;\n"
    new = b"int a;\n\nint x;\nint b;\n\tint c;\n\n\tint d;\nint f;\n"
    ids = b"index %s..%s 100644\n" % (blob_id(base)[:12].encode(), blob_id(new)[:12].encode())
    lines = b"  int a;\n  +int x;\n  int b;\n  \tint c;\n   \tint d;\n-int e;\n+int f;\n"
    text = b"diff --git a/f.c b/f.c\n" + ids + b"--- a/f.c\n+++ b/f.c\n@@ -1,7 +1,8 @@\n" + lines
    (file,) = read_loose(text)
    assert restore_loose(file, base).proven
    blind = read_blind(text)
    assert blind is not None and blind.certain
    assert dict(blind.undone)[Damage.REWRAPPED] == 2


@pytest.mark.parametrize("damage", ["tabs to 8", "tabs to 4", "tabs by column", "tabs by screen"])
def test_tabs_before_the_values_of_a_new_header(damage: str) -> None:
    """None of its lines begins with a tab, and no file is there that would show what became of tabs."""
    names = [b"A", b"STATUS_OF_THE_PORT", b"START_CONTROL", b"POWER_STATE_CONFIG"]
    lines = [
        b"#define %s%s0x%03x" % (name, b"\t" * (4 - (len(name) + 8) // 8), 4 * at) for at, name in enumerate(names)
    ]
    new = b"".join(line + b"\n" for line in (b"/* SPDX-License-Identifier: GPL-2.0 */", b"", *lines))
    made = difference([], new.split(b"\n")[:-1])
    sent = format_diff([replace(made, old_path=None, new_path="a.h", new_mode="100644", new_blob=blob_id(new)[:12])])
    (file,) = read_loose(DAMAGES[damage](sent, random.Random(1)))
    found = restore_loose(file, None)
    assert (found.proven, found.post) == (True, new)


def test_blank_lines_that_were_dropped_stand_where_code_has_them() -> None:
    """Each of many hunks has several places for each of its blank lines."""
    function = b"""\
static int f%d(void)
{
\tchar temp[32];
\tint i;

\tif (!allowed())
\t\treturn -EPERM;

\tif (copy(temp))
\t\treturn -EFAULT;

\treturn 0;
}
/*
 * One.
 * Two.
 * Three.
 * Four.
 */
"""
    head = b'#include <linux/types.h>\n\n#include "f.h"\n'
    base = head + b"".join(function % number for number in range(8))
    new = base.replace(b"\tchar temp[32];\n\tint i;\n", b"\tint i, ret;\n")
    new = new.replace(b"\tif (copy(temp))\n\t\treturn -EFAULT;\n", b"\tret = get(&i);\n\tif (ret)\n\t\treturn ret;\n")
    new = new.replace(b"types.h>\n", b"types.h>\n\n#include <dt-bindings/f.h>\n")
    sent = format_diff([sent_diff(base, new)])
    done = restored(received(DAMAGES["blank lines dropped"], sent), base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_hunks_whose_lines_cannot_give_the_counts_take_no_time() -> None:
    """AsciiDoc: context lines `+` and `----` that lost their blanks look like changes."""
    words = [b".. UINT%d left\n+\n----\nvalue of it\n" % number for number in range(12)]
    hunk = b"@@ -1,60 +1,60 @@\n" + b"".join(words) + b"-old\n+new\n"
    text = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n" + hunk * 30
    (file,) = read_loose(text)
    left = [TEXT_STEPS]
    assert all(fit_blind(one, left) is None for one in file.hunks)
    assert TEXT_STEPS - left[0] < 1000


def test_the_places_of_very_many_hunks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    class Counted(FitSearch):
        def best(self, bound: int) -> tuple[Fit, ...]:
            searches.append(bound)
            return super().best(bound)

    monkeypatch.setattr(fitting, "FitSearch", Counted)
    base = b"a\nx\n" * 3000
    monkeypatch.setattr(fitting, "_ALL_PLACES", 1000)
    (file,) = read_loose(b"--- a/f\n+++ b/f\n" + b"@@ -1,4 +1,5 @@\na\nx\na\nx\n+c\n" * 60)
    placed = fitting.fit_hunks(file.hunks, AlikeBase(base))
    assert not isinstance(placed, int)
    assert len(searches) <= 1060


PIECES = st.sampled_from(
    [
        b"diff --git a/f b/f\n", b"index 1234567..7654321 100644\n", b"--- a/f\n", b"+++ b/f\n",
        b"@@ -1,3 +1,3 @@\n",
        b"@@ -1,2 +1,4 @@ int f(\n", b" a\n", b"-a\n", b"+b\n", b"\n", b" \n", b"\xc2\xa0", b"=3D", b"=\n", b"&lt;",
        b"x\n", b"-- \n", b"\\ No newline at end of file\n", b"\r\n", b"\t", b"user at example.org\n", b"> ",
        b"[email protected]",
        b"        ", b"diff -- git a/f b/f\n", b"@ - 1,3 +1,3\n", b"\xff", b"+\n", b"Index: f\n====\n",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=60).map(b"".join), st.sampled_from([BASE, b"a\nb\n", b"", b"a", b"\n\n\n"]))
def test_any_bytes_give_a_result(text: bytes, base: bytes) -> None:
    for file in read_loose(text):
        result = restore_loose(file, base)
        assert result.why
        assert not result.proven or result.found
    blind = read_blind(text)
    assert blind is None or blind.files


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(DAMAGES)), st.integers(0, 9), st.integers(0, len(SENT)))
def test_nothing_wrong_is_proven(name: str, seed: int, cut: int) -> None:
    """Whatever happens to the text, a proven patch makes of the base what the author's did."""
    damaged = DAMAGES[name](SENT[:cut] + SENT[cut + 3 :], random.Random(seed))
    for file in read_loose(damaged):
        result = restore_loose(file, BASE)
        assert not result.proven or result.post == NEW


def test_an_indented_example_in_a_letter_is_no_patch() -> None:
    letter = b"Consider this:\n\n" + DAMAGES["indented"](SENT, random.Random(1)) + b"-- \nMe\n"
    assert reshaped(letter) == (letter, ())
    assert reshaped(b"    Consider this:\n\n" + DAMAGES["indented"](SENT, random.Random(1)))[1] == ("indented",)


@pytest.mark.parametrize(
    ("three", "two", "one"),
    [
        ("\u2014", "\u2013", "-"),
        ("\u2014", "\u2014", "-"),
        ("\u2013-", "\u2013", "-"),
        ("\u2014-", "\u2014", "-"),
        ("\u2013\u2013\u2013", "\u2013\u2013", "\u2013"),
    ],
)
def test_hyphens_of_which_a_typesetter_made_dashes(three: str, two: str, one: str) -> None:
    letter = b"Why - so.\n\n- one\n-\n" + "\u2014\nsaid he\n".encode() + b"---\n f | 2 +-\n\n"
    tail = b"-- \n2.39.2\n"
    text = (letter.replace("\u2014".encode(), b"*") + SENT + tail).decode()
    typeset = text.replace("\n-\t", f"\n{one}\t").replace("---", three).replace("--", two).replace("@@ -", f"@@ {one}")
    body, undone = reshaped(typeset.encode())
    assert undone == ("typeset",)
    assert body.startswith(b"Why - so.\n\n- one\n-\n*\nsaid he\n---\n f | 2 +-\n\ndiff --git ")
    assert body.endswith(tail)
    (file,) = read_loose(body)
    done = restore_loose(file, BASE)
    assert (done.proven, done.post) == (True, NEW)


def test_a_mail_that_is_indented_with_its_header_is_forwarded() -> None:
    header = b"From: Jane Doe <jane@example.org>\nSubject: [PATCH] x\n\nWhy.\n---\n"
    shown = DAMAGES["indented"](header + SENT, random.Random(1))
    body, undone = reshaped(b"Please take this:\n\n" + shown)
    assert undone == ("indented",)
    assert body == b"Please take this:\n\n" + header + SENT
    signed = DAMAGES["indented"](b"-- \n2.39.2\n", random.Random(1)) + b"\n----- End forwarded message -----\n"
    assert reshaped(b"See:\n" + shown + signed)[0].endswith(
        SENT + b"-- \n2.39.2\n\n----- End forwarded message -----\n"
    )
    one_field = DAMAGES["indented"](b"Subject: so\n\n" + SENT, random.Random(1))
    for letter in (b"Consider:\n" + one_field, b"See:\n" + shown.replace(b"    Why.", b"Why.")):
        assert reshaped(letter) == (letter, ())


def test_a_diff_in_another_charset_than_the_file() -> None:
    base, new = (text.replace(b"Jane Doe", "Jäne Dœ".encode()) for text in (BASE, NEW))
    new = new.replace(b"is full. */", "is full: Ärger. */".encode())
    sent = format_diff([sent_diff(base, new)])
    done = restored(received(DAMAGES["latin-1"], sent), base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)


def test_a_rename_is_proven_where_git_says_that_nothing_else_changes() -> None:
    for similarity, proven in (("similarity index 100%\n", True), ("similarity index 90%\n", False), ("", False)):
        (file,) = read_loose(f"diff --git a/f b/g\n{similarity}rename from f\nrename to g\n".encode())
        assert restore_loose(file, b"a\n").proven is proven


def test_a_new_file_of_which_only_the_leading_tabs_are_gone() -> None:
    """A Makefile has tabs before its backslashes as well, which say nothing of those that lines begin with."""
    new = b"obj-$(CONFIG_A) := a.o\n\na-objs := one.o\t\\\n\ttwo.o\t\\\n\tthree.o\t\\\n\tfour.o\t\\\n\tfive.o\n"
    lines = new.split(b"\n")[:-1]
    head = b"diff --git a/f/Makefile b/f/Makefile\nnew file mode 100644\nindex 000000000000..%s\n--- /dev/null\n"
    text = head % blob_id(new)[:12].encode() + b"+++ b/f/Makefile\n@@ -0,0 +1,%d @@\n" % len(lines)
    sent = text + b"".join(b"+" + line + b"\n" for line in lines)
    patch = restored(received(DAMAGES["leading tabs to 8"], sent))
    assert (patch.exactness, patch.diff) == (Exactness.PROVEN, sent), patch.why


def test_lines_that_were_received_alike_are_read_alike_first() -> None:
    """A blank that ends at a tab stop may have been a tab: in each of many lines that are the same, one habit."""
    version = (Choice(0.0, b"KernelVersion: 5.18"), Choice(4.0, b"KernelVersion:\t5.18"))
    rows = [
        FileLine(version, b"\n"),
        FileLine((Choice(0.0, b""),), b"\n"),
        FileLine(version, b"\n"),
        FileLine(version, b"\n"),
    ]
    assert list(chosen(rows, 3)) == [{}, {0: 1, 2: 1, 3: 1}, {}, {0: 1}, {2: 1}]
    assert list(chosen(rows[:2], 3)) == [{}, {0: 1}], "and none twice where no two are alike"


def test_a_line_more_than_the_hunk_counts_was_not_wrapped() -> None:
    """Somebody changed a patch by hand. Two of its lines joined would fit the count, but nothing shows that."""
    head = (
        b"diff --git a/f.c b/f.c\nindex 1111111..2222222 100644\n--- a/f.c\n+++ b/f.c\n@@ -5,4 +5,10 @@ int f(void)\n"
    )
    added = b"+static bool g(struct a *a)\n+{\n+\tif (a->b)\n+\t\treturn true;\n+\treturn false;\n+}\n+\n"
    sent = head + b" }\n \n" + added + b" static int h(void)\n {\n"
    patch = received(lambda text, _: text, sent)
    assert (patch.exactness, patch.damage) == (Exactness.DAMAGED, frozenset())
    assert "wrong count" in patch.why
    assert Damage.REWRAPPED in received(lambda text, _: text.replace(b"(struct a", b"(struct\na"), sent).damage


def test_words_that_may_be_codes_do_not_keep_tabs_from_being_found() -> None:
    """What one answer for all lines explains is tried before the code's style, which takes far longer."""
    lines = (
        b'\tcall%d(a,\n\t       "it\xe2\x80\x99s", %d);\n',
        b'\tif (a%d && b) {\n\t\tfoo("x&amp;y%d");\n\t}\n',
        b'\tx%d = y %% %d ? "=3D" : z;\n',
    )
    codes = b"".join(lines[kind] % (n, n) for n, kind in enumerate([0, 1, 2, 2, 0, 1, 1, 2, 2, 2]))
    base = b"".join(b"int f%d(int a)\n{\n\tint x = a;\n\n\treturn x;\n}\n\n" % n for n in range(12))
    new = base + b"int h(void)\n{\n" + codes + b"}\n"
    sent = format_diff([sent_diff(base, new)])
    patch = received(DAMAGES["tabs by column"], sent)
    with within(2):
        done = restored(patch, base)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)
