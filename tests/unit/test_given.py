"""Trailers that replies give, and whose they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpatch_tool.mail.message import Address
from kpatch_tool.series.people.given import of_reply
from kpatch_tool.series.people.persons import same_address, same_name
from tests.clock import within
from tests.mail_fixtures import DIFF

JANE = Address("Jane Doe", "jane@example.org")
MINE = "Reviewed-by: Jane Doe <jane@example.org>"
NO_ADDRESS = Address("Jane Doe", "")
SHOWN = Address("Jane Doe", "", "jane@xxxxxxxxxxx")  # as spinics shows her


def taken(text: str, sender: Address = JANE, *, sloppy: bool = False) -> list[str]:
    return [f"{t.key}: {t.value}" for t in of_reply(text, sender, sloppy=sloppy).taken]


def listed(text: str, sender: Address = JANE) -> list[str]:
    return [one.sentence() for one in of_reply(text, sender).refused]


TAKEN = {
    "plain": (f"Looks good.\n\n{MINE}\n", [MINE]),
    "case": ("Acked-By: jane doe <JANE@Example.ORG>\n", ["Acked-By: jane doe <JANE@Example.ORG>"]),
    "blank before the colon": (MINE.replace(":", " :"), [MINE]),
    "another name, the same address": ("Acked-by: J. D. (Company) <jane@example.org>", None),
    "plus": ("Acked-by: Jane Doe <jane+kernel@example.org>", None),
    "one more level of the domain": ("Acked-by: Jane Doe <jane@linux.example.org>", None),
    "bare address": ("Acked-by: jane@example.org", None),
    "compound": ("Reviewed-and-tested-by: Jane Doe <jane@example.org>", None),
    "own key": ("Nacked-by: Jane Doe <jane@example.org>", None),
    "comment": ("Acked-by: Jane Doe <jane@example.org> # for mm", None),
    "comment below": (
        "Acked-by: Jane Doe <jane@example.org>\n[the mm part]\n",
        ["Acked-by: Jane Doe <jane@example.org> [the mm part]"],
    ),
    "text after the address": (f"{MINE}, thanks!", [MINE]),
    "wrapped by a mail program": ("Reviewed-by: Jane Doe\n<jane@example.org>\n", [MINE]),
    "folded": ("Reviewed-by: Jane Doe\n  <jane@example.org>\n", [MINE]),
    "wrapped in the name": ("Reviewed-by: Jane\nDoe <jane@example.org>\n", [MINE]),
    "no-break spaces": ("Reviewed-by:\xa0Jane\xa0Doe <jane@example.org>\u200b", [MINE]),
    "an open bracket": (MINE.rstrip(">"), [MINE]),
    "no blank before the address": (MINE.replace(" <", "<"), [MINE]),
    "encoded words": ("Reviewed-by: =?utf-8?q?Jane_Doe?= <jane@example.org>", [MINE]),
    "colours": ("Reviewed-by: Jane\x1b Doe <jane@example.org>\x07", [MINE]),
    "html left over": ("Reviewed-by: Jane Doe <jane@example.org<mailto:jane@example.org>>", [MINE]),
    "stars": (f"**{MINE}**".replace("by:", "by:**"), [MINE]),
    "twice": (f"{MINE}\n{MINE}\n", [MINE]),
    "a rule of dashes": (f"Fine.\n---\n{MINE}\n", [MINE]),
    "signed by PGP": (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{MINE}\n-----BEGIN PGP SIGNATURE-----\n\nAcked-by: x\n",
        [MINE],
    ),
    "facts": (
        'Fixes: 1234567890ab ("x")\nLink: https://x.org/y\nCloses: https://x.org/z\n',
        ['Fixes: 1234567890ab ("x")', "Link: https://x.org/y", "Closes: https://x.org/z"],
    ),
    "a wrapped title": ('Fixes: 1234567890ab ("a long\ntitle")\n', ['Fixes: 1234567890ab ("a long title")']),
    "a wrapped link": ("Link:\nhttps://x.org/y\n", ["Link: https://x.org/y"]),
    "before a suggestion": (f"{MINE}\n\nFixes: 1234567\n---\n{DIFF}", [MINE]),
    "with a suggestion": (f"Rather:\n\n{DIFF}", []),
    "among a mail that is quoted with marks": (f"\n----- Original Message -----\n> Why.\n\n{MINE}\n\n> ---\n", [MINE]),
    "below a header above a mail that is quoted with marks": (
        f"From: Joe <j@x.org>\nSubject: [PATCH] x\nDate: Thu, 16 Mar 2023 17:08:59 +0100\n\n> Why.\n\n{MINE}\n",
        [MINE],
    ),
    "above an unmarked quotation": (f"{MINE}\n\n-----Original Message-----\nAcked-by: Joe <joe@x.org>\n", [MINE]),
    "below a suggestion": (f"Rather:\n\n{DIFF}\nWith that:\n{MINE}\n", [MINE]),
    "below a suggestion's signature": (f"Rather:\n\n{DIFF}-- \n2.39.5\n\n{MINE}\n", []),
    "in an empty line of a diff": (f"Rather:\n\n{DIFF}\n {MINE}\n", []),
    "html codes": (MINE.replace("<", "&lt;").replace(">", "&gt;"), [MINE]),
    "quoted": (f"> {MINE}\nJD> {MINE}\n| {MINE}\n", []),
    "in a signature": (f"--\n{MINE}\n", []),
    "in a diff": (f"Rather:\n{DIFF}+{MINE}\n{MINE}\n", []),
    "no trailers": ("Note: this\nHello: there\nlinux-5.1: no\nFixes: the bug\nLink: below\nReviewed-by: tags\n", []),
    "signed off": ("Signed-off-by: Jane Doe <jane@example.org>\n", []),
    "Cc": ("Cc: stable@vger.kernel.org\n", []),
    "an Outlook header": ("From: Joe\nSent: Monday\nTo: Jane\nCc: X\n\nReviewed-by: Jane Doe <jane@example.org>\n", []),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str) -> None:
    text, wanted = TAKEN[name]
    assert taken(text) == (wanted if wanted is not None else [text.strip()])


LISTED = {
    "another person": ("Tested-by: Joe <joe@example.org>", "was sent by Jane Doe: not taken"),
    "another address": ("Acked-by: Jane Doe <jd@work.example>", "from jane@example.org: not taken, the address is"),
    "no address": ("Acked-by: Jane Doe", "names no address"),
    "reported by others": ("Reported-by: Joe <joe@example.org>", "was sent by Jane Doe"),
    "misspelt": ("Reviewd-by: Jane Doe <jane@example.org>", "is misspelt"),
    "swapped letters": ("Rewieved-by: Jane Doe <jane@example.org>", "is misspelt"),
    "no dash": ("Acked by: Jane Doe <jane@example.org>", "is misspelt"),
    "a sign-off": ("Signed-off-by: Jane Doe <jane@example.org>", "is a sign-off in a reply"),
    "in a sentence": ("Feel free to add Reviewed-by: Jane Doe <jane@example.org>", "stands inside a sentence"),
    "behind a word and a colon": ("Otherwise: Reviewed-by: Jane Doe <jane@example.org>", "stands inside a sentence"),
    "a counter-patch": (
        f"From: Joe <joe@x.org>\nSubject: better\n\nWhy.\n\n{MINE}\n\n---\n{DIFF}",
        "is a counter-patch's",
    ),
    "a counter-patch below scissors": (f"Rather:\n-- >8 --\nbetter\n\n{MINE}\n\n{DIFF}", "is a counter-patch's"),
    "a counter-patch's last paragraph": (f"Why.\n\n{MINE}\n---\n{DIFF}", "is a counter-patch's"),
    "a signed counter-patch": (
        f"Why.\n\n{MINE}\nSigned-off-by: Jane Doe <jane@example.org>\n\n{DIFF}",
        "is a counter-patch's",
    ),
    "a footnote": ("There is a v2 [1].\n\nLink:\nhttps://x.org/y\n[1]\n", "is a footnote of the reply"),
    "a question": ('At a guess: \n\nFixes: 5ea0d75037b9 ("lockd: handle it")  ??\n', "is asked, not said"),
    "a link with a question": ("Link: https://x.org/y ?", "is asked, not said"),
    "what b4 printed": (
        "Total patches: 4\n---\n Cover: ./one.cover\n Link: https://x.org/r/1@x.org\n Base: not specified\n",
        "is what a program printed",
    ),
    "a robot's test": (
        "please add the following tag to your commit message:\n  Tested-by: Jane Doe <jane@example.org>\n",
        "is asked for in a fix",
    ),
    "a robot's": (
        "If you fix the issue in a separate patch, kindly add following tag\nReported-by: Jane Doe <jane@example.org>",
        "is asked for in a fix",
    ),
}


@pytest.mark.parametrize("name", LISTED)
def test_listed_not_taken(name: str) -> None:
    text, why = LISTED[name]
    assert taken(text) == []
    (line,) = listed(text)
    assert why in line


@pytest.mark.parametrize("name", ["another person", "another address", "reported by others"])
def test_sloppy_takes_what_others_said(name: str) -> None:
    text, _ = LISTED[name]
    assert taken(text, sloppy=True) == [text]
    assert taken(LISTED["misspelt"][0], sloppy=True) == []


@pytest.mark.parametrize("name", ["Jane Doe via Linux-erofs", "'Jane Doe' via Group"])
def test_where_a_list_put_itself_into_from_the_name_decides(name: str) -> None:
    assert taken(MINE, Address(name, "list@lists.example.net")) == [MINE]
    assert taken("Acked-by: Joe <list@lists.example.net>", Address(name, "list@lists.example.net")) == []


def test_an_answer_to_a_counter_patch_is_about_that_one() -> None:
    read = of_reply(MINE, JANE, to_counter_patch=True)
    assert not read.taken
    assert [one.why for one in read.refused] == ["answers a counter-patch: not taken"]
    said = f"Yours is better. For the original patch, feel free to add:\n\n{MINE}\n"
    assert of_reply(said, JANE, to_counter_patch=True).taken
    for other in (
        "Not for the original patch:",
        "This is a replacement for the original patch.",
        "For the original patch:\n\nNo.",
    ):
        assert not of_reply(f"{other}\n\n{MINE}\n", JANE, to_counter_patch=True).taken
    assert not of_reply(f"> For the original patch:\n\n{MINE}\n", JANE, to_counter_patch=True).taken


@pytest.mark.parametrize(
    ("value", "sender", "good"),
    [
        ("Jane Doe <[email protected]>", NO_ADDRESS, True),
        ("Doe, Jane <[email\xa0protected]>", JANE, True),
        ("Jané Doe <jane@example.org>", NO_ADDRESS, True),
        ("Joe <[email protected]>", NO_ADDRESS, False),
        ("Jane Doe <jane@xxxxxxxxxxx>", JANE, True),
        ("Jane Doe <jd@xxxxxxxxxxx>", JANE, False),
        ("Jane Doe <jane@...mple.org>", JANE, True),
        ("Jane Doe <jane@...mple.net>", JANE, False),
        ("Jane Doe <jane@...ux.example.org>", Address("Jane Doe", "", "jane@...mple.org"), True),
        ("Jane Doe <jane@...mple.org>", Address("Jane Doe", "", "jane@...ux.example.org"), True),
        ("Jane Doe <jane@...mple.org>", Address("Jane Doe", "", "jane@...mple.net"), False),
        ("Jane Doe <ja...@example.org>", JANE, True),
        ("Jane Doe <jo...@example.org>", JANE, False),
        ("Jane Doe <jane at example.org>", JANE, True),
        ("Jane Doe <jane@example\N{BULLET}org>", JANE, True),
        ("Jane Doe <jane-XYZabcdefghij0123456789@public.gmane.org>", JANE, True),
        ("Jane Doe", NO_ADDRESS, True),
        ("Jane Doe <jane@xxxxxxxxxxx>", SHOWN, True),
        ("Jane Doe <jd@xxxxxxxxxxx>", SHOWN, False),
        ("Jane Doe <jane@example.org>", Address("Jane Doe", "", "jane@...mple.org"), True),
        ("Jane Doe <jane@other.org>", Address("Jane Doe", "", "jane@...mple.org"), False),
        ("Jane Doe <janex.doe@example.org>", Address("Doe, JaneX", ""), True),
        ("Jane Doe <janex.roe@example.org>", Address("Doe, JaneX", ""), False),
        ("Jürgen Doe <jdoe@example.org>", Address("Juergen Doe", ""), True),
        ("Jorgen Doe <jdoe@example.org>", Address("Joergen Doe", ""), False),
        ("Jane Doe <[email protected]>", Address("Doe, Jane Q", ""), True),
        ("Jane Q. Doe <[email protected]>", Address("Jane Doe", ""), True),
        ("Jane Doe <[email protected]>", Address("Jane", ""), False),
        ("Jane Roe <[email protected]>", Address("Jane Doe Roeson", ""), False),
        ("Jane Doe <[email protected]>", Address("Jane.Doe@example.org", ""), True),
        ("Jane Doe <[email protected]>", Address("Jane.Roe@example.org", ""), False),
        ("Jane Q. Doe <[email protected]>", Address("jane.doe@example.org", ""), True),
        ("Q. Doeson <[email protected]>", Address("j.doeson@example.org", ""), False),
    ],
)
def test_where_an_archive_hides_addresses(value: str, sender: Address, good: bool) -> None:
    assert taken(f"Acked-by: {value}", sender) == ([f"Acked-by: {value}".replace("\xa0", " ")] if good else [])
    assert len(listed(f"Acked-by: {value}", sender)) == (0 if good else 1)


def test_people() -> None:
    assert same_address("a@x.org", "b@x.org") is False
    assert same_address("a@x.org", "") is None
    assert same_address("a@b.c.x.org", "a@x.org") is False
    assert same_address("a@org", "a@x.org") is False
    assert same_name('"Doe, Jane" (X)', "jane doe")
    assert same_name("Jane D'oe", "Jane Doe")
    assert not same_name("", "")


@pytest.mark.parametrize(
    ("sender", "writes", "same"),
    [
        ("Jane DS", "Jane Doe-Smith", True),
        ("Jane Doe-Smith", "Jane DS", True),
        ("Jdsmith", "Jane Doe-Smith", True),
        ("Jane Kate Doe", "Jane K. Doe", True),
        ("Jane Kate Doe", "Jane M. Doe", False),
        ("Jane", "Jane Doe-Smith", False),
        ("Jane SD", "Jane Doe-Smith", False),
        ("John DS", "Jane Doe-Smith", False),
        ("Jane D", "Jane Doe", False),
        ("Jdoe", "Jane Doe", False),
    ],
)
def test_names_with_first_letters_where_addresses_are_hidden(sender: str, writes: str, same: bool) -> None:
    text = f"Reviewed-by: {writes} <[email protected]>\n"
    assert bool(taken(text, Address(sender, ""))) is same
    assert not taken(text.replace("[email protected]", "jane@example.org"), Address(sender, "joe@example.org"))


@settings(deadline=None)
@given(st.text(alphabet='Reviwd-by: <>@x.\n#(["-8>~', max_size=400))
def test_any_text_is_read(text: str) -> None:
    of_reply(text, JANE)


@pytest.mark.parametrize("piece", ["Reviewed-by: ", "-- >8 ", "<", "a@", "From: x\n", "[", "- ", "x: <a", "by "])
def test_hostile_text_takes_no_long_time(piece: str) -> None:
    with within(2):
        of_reply(piece * 50_000, JANE)
