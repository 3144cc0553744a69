"""Which removed line an added one resembles most."""

from __future__ import annotations

import time
import tracemalloc

from kpatch_tool.restore.readings.resembling import Resembling


def test_the_likest_line_and_how_alike_it_is() -> None:
    lines = Resembling({3: b"a = b;", 5: b"call(a, b);", 8: b"", 9: b"call(a, b);"})
    assert lines.same(b"call(a, b);") == 5
    assert lines.same(b"call(a);") is None
    # Seven pieces and nine, of which they share seven: call ( a , b ) ;
    assert lines.likest(b"call(a, b, c);") == (2 * 7 / 16, 5)
    assert lines.likest(b"return 0;") is None


def test_a_piece_counts_as_often_as_it_is_there() -> None:
    lines = Resembling({0: b"a a b c", 1: b"a a a a"})
    assert lines.likest(b"a a a d") == (2 * 3 / 8, 1)


def test_the_likest_of_many_lines_shares_rare_pieces() -> None:
    many = {number: b"\tx->common[%d] = value(y, %d);" % (number, number) for number in range(1_000)}
    lines = Resembling(many)
    assert lines.likest(b"x->common[777] = other(y, 777);") == (2 * 14 / 30, 777)


def test_many_lines_take_about_as_long_each_as_few() -> None:
    def seconds(count: int) -> float:
        texts = [b"v%d = f(w%d, %d);" % (number % 40, number % 37, number % 91) for number in range(count)]
        began = time.process_time()
        lines = Resembling(dict(enumerate(texts)))
        for text in texts:
            lines.likest(text.replace(b"=", b"+"))
        return time.process_time() - began

    seconds(200)
    assert seconds(3_200) < 6 * 8 * seconds(400)


def test_many_different_words_take_little_memory() -> None:
    lines = {number: b" ".join(b"w%d" % word for word in range(number * 40, number * 40 + 40)) for number in range(500)}
    tracemalloc.start()
    found = Resembling(lines)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.likest(lines[499]) == (1.0, 499)
    assert most < 12_000_000
