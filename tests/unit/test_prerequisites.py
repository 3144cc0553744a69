"""What goes before a series, found among others: chains, circles, revisions that do not agree."""

from __future__ import annotations

from dataclasses import replace

from kpatch_tool.depend import render
from kpatch_tool.depend.graph import dependencies
from kpatch_tool.depend.prerequisites import Chain, Index, everything, resolve
from kpatch_tool.diff.patchid import patch_id
from kpatch_tool.restore.damaged import parse_damaged
from kpatch_tool.series.model import Exactness, Series
from kpatch_tool.series.reading.stated import Form
from tests import patch_texts


def diff(name: str) -> bytes:
    return f"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n same\n-old\n+\t{name}\n".encode()


def one(name: str, cover: str = "", *, revision: int = 1, title: str = "", patches: tuple[str, ...] = ()) -> Series:
    """A series called `name`, its mails <name-0@x> to <name-N@x>, of patches that add the words given."""
    words = patches or (name,)
    made = [
        replace(patch_texts.patch(number, diff(word)), message_id=f"{name}-{number}@x")
        for number, word in enumerate(words, 1)
    ]
    whole = patch_texts.series(*made, cover=cover)
    assert whole.cover is not None
    letter = replace(whole.cover, message_id=f"{name}-0@x")
    return replace(whole, name=name, title=title or f"Title of {name}", revision=revision, cover=letter)


def chain(*known: Series) -> Chain:
    """What goes before the first of `known`."""
    return resolve(known[0], Index(known))


def test_prerequisites_of_prerequisites_come_first() -> None:
    a = one("a", "Based-on: <b-1@x>\nDepends-on: <c-0@x>")
    b = one("b", 'This depends on "[PATCH 0/1] Title of d".')
    c = one("c", "prerequisite-message-id: <d-0@x>")
    found = chain(a, b, c, one("d"), one("unrelated", "Based-on: <a-0@x>"))
    assert found.order == ("d", "b", "c")
    assert found.findings == ()
    assert found.missing == ()
    assert [(need.stated.value, need.series) for need in everything(found.needs)] == [
        ("b-1@x", "b"),
        ("Title of d", "d"),
        ("c-0@x", "c"),
        ("d-0@x", "d"),
    ]
    assert found.needs[0].todo == "kpt apply b"


def test_what_is_not_here_is_named_with_what_to_type() -> None:
    found = chain(one("a", "Based-on: <b@x>\nDepends-on: https://example.org/$(x)"), one("b", "Based-on: <z@z>"))
    assert [(need.stated.value, need.todo) for need in found.missing] == [
        ("b@x", "kpt import b@x"),
        ("https://example.org/$(x", "kpt import 'https://example.org/$(x'"),
    ]
    deep = chain(one("a", "Based-on: <b-0@x>"), one("b", "Based-on: <z@z>"))
    assert [(need.stated.value, need.todo) for need in deep.missing] == [("z@z", "kpt import z@z")]


def test_patch_ids_are_looked_up_in_whole_and_damaged_series() -> None:
    whole = one("b", patches=("one", "two", "three"))
    squeezed = diff("two").replace(b" same", b"same").replace(b"+\t", b"+")
    damaged = patch_texts.patch(2, parse_damaged(squeezed))
    hurt = replace(one("b"), patches=(replace(damaged, exactness=Exactness.DAMAGED, diff=squeezed),))
    wanted = f"prerequisite-patch-id: {patch_id(diff('two'))}"
    for other in (whole, hurt):
        (need,) = chain(one("a", wanted), other).needs
        assert (need.series, need.patch, need.why) == ("b", 2, "it is patch 2 of series b (v1)")
    (lost,) = chain(one("a", f"prerequisite-patch-id: {'c' * 40}"), whole).needs
    assert (lost.series, lost.why, lost.todo) == (
        "",
        "no patch here has this patch id",
        "kpt import the series it belongs to",
    )


def test_a_patch_id_means_the_revision_that_has_the_others_too() -> None:
    """v2 and v3 share patch 1; only v2 has the patch 2 that is named."""
    v2 = one("b-v2", title="B", revision=2, patches=("one", "two"))
    v3 = one("b-v3", title="B", revision=3, patches=("one", "other"))
    ids = "".join(f"prerequisite-patch-id: {patch_id(diff(word))}\n" for word in ("one", "two"))
    found = chain(one("a", ids), v2, v3)
    assert (found.order, found.findings) == (("b-v2",), ())
    first = chain(one("a", ids.splitlines()[0]), v2, v3)
    assert first.order == ("b-v3",)


def test_circles_are_findings() -> None:
    found = chain(one("a", "Based-on: <b-0@x>"), one("b", "Based-on: <c-0@x>"), one("c", "Based-on: <a-0@x>"))
    assert found.findings == ("series that need one another: a -> b -> c -> a",)
    itself = chain(one("a", f"prerequisite-patch-id: {patch_id(diff('a'))}"))
    assert (itself.order, itself.findings) == ((), ())
    assert itself.needs[0].why == "it is in the series itself"


def test_another_revision_is_not_taken_for_the_one_asked() -> None:
    v3 = one("b", "change-id: 20240102-b-1234", revision=3)
    found = chain(one("a", "prerequisite-change-id: 20240102-b-1234:v2"), v3)
    assert found.order == ()
    assert found.findings == (
        "the cover letter of a needs 20240102-b-1234 v2, but series b (v3) is what is here",
    )  # fmt: skip
    assert found.missing[0].why == "v2 is not here; series b (v3) is"
    either = chain(one("a", "prerequisite-change-id: 20240102-b-1234"), v3, replace(v3, name="old", revision=2))
    assert either.order == ("b",)


def test_another_revision_told_by_b4s_message_id() -> None:
    def mailed(name: str, revision: int) -> Series:
        made = one(name, revision=revision)
        assert made.cover is not None
        letter = replace(made.cover, message_id=f"20240425-b4-audio-v{revision}-0-46397f23ce35@x.org")
        return replace(made, cover=letter)

    asks = one("a", "prerequisite-message-id: <20240301-b4-audio-v2-0-0123456789ab@x.org>")
    found = chain(asks, mailed("b", 3))
    assert found.order == ()
    assert found.findings == (
        "the cover letter of a needs v2 (<20240301-b4-audio-v2-0-0123456789ab@x.org>), "
        "but series b (v3) is what is here",
    )


def test_two_prerequisites_that_want_different_revisions_of_one_series() -> None:
    base = [one(f"d{n}", "change-id: 20240102-d-1234", revision=n, title="D") for n in (1, 2)]
    found = chain(
        one("a", "Based-on: <b-0@x>\nDepends-on: <c-0@x>"),
        one("b", "prerequisite-change-id: 20240102-d-1234:v1"),
        one("c", "prerequisite-change-id: 20240102-d-1234:v2"),
        *base,
    )
    assert found.order == ("d1", "b", "d2", "c")
    assert found.findings == ("different revisions of d are asked for: v1 (b), v2 (c)",)


def test_what_names_nothing_is_a_finding() -> None:
    found = chain(one("a", "prerequisite-patch-id: soon"))
    assert found.needs[0].stated.form is Form.INVALID
    assert "names nothing" in found.findings[0]


def test_a_long_chain_ends() -> None:
    known = [one(f"s{n}", f"Based-on: <s{n + 1}-0@x>") for n in range(40)]
    found = chain(*known)
    assert len(found.order) < 25
    assert "more than 20 deep" in found.findings[0]
    wide = one("w", "".join(f"prerequisite-patch-id: {n:040x}\n" for n in range(300)))
    assert len(chain(wide).missing) == 200


def test_what_many_need_is_told_once() -> None:
    """Twelve layers of three series, each of which needs all three of the next: half a million ways through them."""
    layers = [[f"s{layer}-{number}" for number in range(3)] for layer in range(12)]
    known = [
        one(name, "\n".join(f"Depends-on: <{below}-0@x>" for below in (layers[at + 1] if at < 11 else ())))
        for at, layer in enumerate(layers)
        for name in layer
    ]
    found = chain(*known)
    assert len(list(everything(found.needs))) == 3 + 10 * 9
    assert sum(need.again for need in everything(found.needs)) == 10 * 6
    assert found.order[-3:] == tuple(layers[1]) and len(found.order) == 33
    shown = render.text(known[0], replace(dependencies(known[0]), chain=found)).splitlines()
    told = [line.strip() for line in shown if line.strip().startswith("s2-1") and "s2-2" not in line]
    assert told == ["s2-1", "s2-1, as above", "s2-1, as above"]
    assert len(str(render.document(replace(dependencies(known[0]), chain=found)))) < 100_000


def test_the_chain_is_shown_as_a_tree() -> None:
    a = one("a", "Based-on: <b-0@x>\nprerequisite-message-id: <z@z>")
    found = replace(dependencies(a), chain=chain(a, one("b", "Based-on: <d-0@x>"), one("d", "Based-on: <a-0@x>")))
    shown = render.text(a, found)
    assert "goes first\n  b\n    d\n      a\n  z@z: not here\napply before it: d b\n" in shown
    assert "finding: series that need one another: a -> b -> d -> a\n" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    document = render.document(found)["prerequisites"]
    assert isinstance(document, dict)
    assert document["order"] == ["d", "b"]
    assert document["needs"][0]["needs"][0]["series"] == "d"
    assert found.unmet
