"""What is known of added lines from outside their file: addresses of people, lines of the patch's other files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.model import FileDiff
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.addresses import Person
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.elsewhere import Elsewhere, added_lines, elsewhere
from kpatch_tool.restore.spelled import hidden_lines, reworded, spelled_out, with_likeliest
from kpatch_tool.restore.styled import restore_file
from kpatch_tool.series.model import Exactness
from kpatch_tool.series.restoring.restore import restore_series
from tests.restoring import changed, damaged, patch, series

HEADER = b"/* A lamp. */\n\nint lit(void);\n"
JO, AL = Person(b"Jo Doe", b"jo@example.org", 3.0), Person(b"Al Bar", b"al@example.com", 3.0)


def sent_as(base: bytes, new: bytes, path: str) -> FileDiff:
    file = replace(changed(base, new), old_path=path, new_path=path)
    return replace(file, old_blob=blob_id(base)[:12], new_blob=blob_id(new)[:12])


def hidden(file: FileDiff) -> FileDiff:
    """`file` as a page shows it that squeezes white space and hides addresses."""
    text = format_diff([file])
    for person in (JO, AL):
        text = text.replace(person.address, b"[email protected]")
    (out,) = parse_damaged(b"\n".join(squeeze(line) for line in text.split(b"\n")) + b"\n")
    return out


def test_an_address_and_odd_white_space_are_found_together() -> None:
    new = HEADER.replace(b"int lit", b"/*\n * Author: Jo Doe <jo@example.org>\n *   See  the manual.\n */\nint lit")
    page = hidden(sent_as(HEADER, new, "lamp.h"))
    done = restore_file(page, HEADER, beside=Elsewhere((AL, JO)))
    assert (done.proven, done.post) == (True, new)
    unknown = restore_file(page, HEADER, beside=Elsewhere((AL,)))
    assert not unknown.proven and "hid an e-mail address" in unknown.why
    assert str(unknown.ambiguous[0]) == "lamp.h:+4 `* Author: Jo Doe <[email protected]>`: a hidden address"


def test_another_address_of_somebody_else_is_tried_as_well() -> None:
    new = HEADER.replace(b"int lit", b"/*\n * Contact: al@example.com, jo@example.org\n */\nint lit")
    done = restore_file(hidden(sent_as(HEADER, new, "lamp.h")), HEADER, beside=Elsewhere((JO, AL)))
    assert (done.proven, done.post) == (True, new)
    new = HEADER.replace(b"int lit", b"/*\n * Contact: al@example.com\n */\nint lit")
    done = restore_file(hidden(sent_as(HEADER, new, "lamp.h")), HEADER, beside=Elsewhere((JO, AL)))
    assert (done.proven, done.post) == (True, new)


def test_where_nothing_judges_a_named_address_is_put_in_and_listed() -> None:
    new = HEADER.replace(b"int lit", b"/* Jo Doe <jo@example.org> */\n/* <al@example.com> */\nint lit")
    page = replace(hidden(sent_as(HEADER, new, "lamp.h")), old_blob=None, new_blob=None)
    done = restore_file(page, HEADER, beside=Elsewhere((JO, AL)))
    assert done.post == new.replace(b"al@example.com", b"[email protected]")
    assert sum(one.why == "a hidden address" for one in done.ambiguous) == 2
    assert with_likeliest(page, HEADER, (JO,)).hunks[0].lines[2].text.endswith(b"<jo@example.org> */")
    assert spelled_out(page, HEADER, ()) is None and len(hidden_lines(page)) == 2


def test_words_are_changed_and_white_space_kept() -> None:
    assert reworded(b"\t *  Jo\t<a@b>", (b"*", b"Al", b"<c@d>")) == b"\t *  Al\t<c@d>"
    assert reworded(b"\tone two", (b"one",)) == b"\tone two"


MOVED = b"#define  LAMP_ON\t 0x01\n#define LAMP_LONG_NAME   0x02\n\t/* odd    but kept */\n"
FROM, TO = b"int a;\n" + MOVED + b"int b;\n", b"int c;\nint d;\n"


def test_lines_that_move_to_another_file_keep_their_white_space() -> None:
    away = sent_as(FROM, b"int a;\nint b;\n", "from.h")
    here = sent_as(TO, b"int c;\n" + MOVED + b"int d;\n", "to.h")
    bases = {"from.h": FROM, "to.h": TO}
    one = replace(patch(1, format_diff([away, here])), damage=frozenset({Damage.SQUEEZED}))
    (done,) = restore_series(series(one), bases.get).patches
    assert (done.exactness, done.diff) == (Exactness.PROVEN, format_diff([away, here]))
    alone = restore_file(damaged(here), TO)
    assert not alone.proven


def test_files_that_were_proven_tell_of_lines_that_others_share() -> None:
    odd = b"#define  ODD\t  (1 |  2   |    4)\n"
    easy, hard = b"int a;\n#define  ODD\t  (1 |  2   |    4)\n", b"int c;\n"
    first = sent_as(easy, easy.replace(b"int a;\n", b"int a;\n" + odd), "easy.h")
    second = sent_as(hard, hard + odd, "hard.h")
    known = elsewhere([(damaged(first), easy), (damaged(second), hard)])
    assert known.seen[squeeze(odd[:-1])] == odd[:-1]
    assert restore_file(damaged(second), hard, beside=known).proven
    assert added_lines(first) == {squeeze(odd[:-1]): odd[:-1]}


def test_a_file_is_read_again_when_another_one_was_proven() -> None:
    odd = b"#define  ODD\t  (1 |  2   |    4)\n"
    old, other = b"int a;\n" + odd.replace(b"4", b"3") + b"int b;\n", b"int c;\n"
    first, second = sent_as(old, b"int a;\n" + odd + b"int b;\n", "a.h"), sent_as(other, other + odd, "b.h")
    assert not restore_file(damaged(second), other).proven
    one = replace(patch(1, format_diff([first, second])), damage=frozenset({Damage.SQUEEZED}))
    (done,) = restore_series(series(one), {"a.h": old, "b.h": other}.get).patches
    assert (done.exactness, done.diff) == (Exactness.PROVEN, format_diff([first, second]))


def test_a_proven_patch_tells_the_ones_after_it_of_its_lines() -> None:
    odd = b"#define  ODD\t  (1 |  2   |    4)\n"
    old, other = b"int a;\n" + odd.replace(b"4", b"3") + b"int b;\n", b"int c;\n"
    first, second = sent_as(old, b"int a;\n" + odd + b"int b;\n", "a.h"), sent_as(other, other + odd, "b.h")
    pair = [patch(number, format_diff([file])) for number, file in enumerate((first, second), 1)]
    done = restore_series(series(*pair), {"a.h": old, "b.h": other}.get).patches
    assert [(one.exactness, one.diff) for one in done] == [
        (Exactness.PROVEN, format_diff([first])),
        (Exactness.PROVEN, format_diff([second])),
    ]


def test_a_later_proven_patch_tells_the_ones_before_it_of_its_lines() -> None:
    odd = b"#define  ODD\t  (1 |  2   |    4)\n"
    old, other = b"int a;\n" + odd.replace(b"4", b"3") + b"int b;\n", b"int c;\n"
    first, second = sent_as(other, other + odd, "b.h"), sent_as(old, b"int a;\n" + odd + b"int b;\n", "a.h")
    third = sent_as(other + odd, b"int d;\n" + other + odd, "b.h")
    given = [patch(number, format_diff([file])) for number, file in enumerate((first, second, third), 1)]
    done = restore_series(series(*given), {"a.h": old, "b.h": other}.get).patches
    assert [(one.exactness, one.diff) for one in done] == [
        (Exactness.PROVEN, format_diff([file])) for file in (first, second, third)
    ]
    (alone,) = restore_series(series(given[0]), {"b.h": other}.get).patches
    assert alone.exactness is Exactness.MATCHED


def test_files_that_were_proven_are_not_searched_again() -> None:
    odd = b"#define  ODD\t  (1 |  2   |    4)\n"
    old, other = b"int a;\n" + odd.replace(b"4", b"3") + b"int b;\n", b"int c;\n"
    text = b"".join(b"#define LAMP_%d  %d\n" % (number, number) for number in range(4))
    first = [sent_as(b"int d;\n", b"int d;\n" + text, "c.h"), sent_as(other, other + odd, "b.h")]
    second = sent_as(old, b"int a;\n" + odd + b"int b;\n", "a.h")
    given = [patch(1, format_diff(first)), patch(2, format_diff([second]))]
    done = restore_series(series(*given), {"a.h": old, "b.h": other, "c.h": b"int d;\n"}.get).patches
    assert [one.exactness for one in done] == [Exactness.PROVEN] * 2


def test_what_the_second_reading_does_not_reach_stays_as_the_first_left_it() -> None:
    odd, strange = b"#define  ODD\t  (1 |  2   |    4)\n", b"int\t x  =    (1 +   2)\t;\n"
    old, other = b"int a;\n" + odd.replace(b"4", b"3") + b"int b;\n", b"int c;\n"
    lost = sent_as(b"int d;\n", b"int d;\n" + strange, "c.h")
    first, second = sent_as(other, other + odd, "b.h"), sent_as(old, b"int a;\n" + odd + b"int b;\n", "a.h")
    after = sent_as(b"int d;\n" + strange, b"int d;\nint e;\n" + strange, "c.h")
    given = [patch(number, format_diff([file])) for number, file in enumerate((lost, first, after, second), 1)]
    done = restore_series(series(*given), {"a.h": old, "b.h": other, "c.h": b"int d;\n"}.get).patches
    matched, proven = Exactness.MATCHED, Exactness.PROVEN
    assert [one.exactness for one in done] == [matched, proven, matched, proven]
    assert "none of the" in done[0].why and "the base has blob" in done[2].why
    assert any("as it was read in an earlier patch" in str(one) for one in done[2].ambiguous)


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_file_knows_nothing_from_elsewhere(count: int) -> None:
    file = damaged(sent_as(FROM, TO, "a.h"))
    assert elsewhere([(file, FROM)] * count) == Elsewhere()
