"""Addresses made of a name and of the domains that others have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpatch_tool.diff.blob import blob_id
from kpatch_tool.diff.printer import format_diff
from kpatch_tool.mail.message import Damage
from kpatch_tool.restore.damaged import parse_damaged, squeeze
from kpatch_tool.restore.made_up import Domains, names_before
from kpatch_tool.series.model import Exactness, Patch
from kpatch_tool.series.restoring.restore import restore_series
from tests.diff_texts import difference
from tests.restoring import patch, series

MAINTAINERS = b"""\
LAMPS
M:\tJo Doe <jo.doe@acme.example>
M:\tAl Bar <al.bar@acme.example>
M:\tIda Falk <idaf@example.org>
"""


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (b'MODULE_AUTHOR("Brad Larson <', [("Brad", "Larson")]),
        (b" * Authors: Jos\xc3\xa9 de la Cruz <", []),
        (b"  - Zo\xc3\xab Lindg\xc3\xa5rd <", [("Zoe", "Lindgard")]),
        (b" * Copyright (C) 2020 Jo Ann Doe <", [("Jo", "Ann", "Doe")]),
        (b" * Copyright 2022 ACME, Jo Doe <", [("Jo", "Doe")]),
        (b"  - Jo Ann Doe I <", [("Ann", "Doe", "I"), ("Jo", "Ann", "Doe", "I")]),
        (b" * Copyright 2020 Jo B Doe, ACME Corp. <", [("ACME", "Corp"), ("Jo", "B", "Doe")]),
        (b"Contact: linux-lamp <", []),
        (b"", []),
    ],
)
def test_the_names_before_an_address(head: bytes, names: list[tuple[str, ...]]) -> None:
    assert names_before(head) == names


def test_the_forms_of_a_domain_are_those_of_its_people() -> None:
    people = [(b"Jo Doe", b"jdoe@acme.example"), (b"Al Bar", b"abar@acme.example"), (b"Ida Falk", b"ida@home.example")]
    found = Domains(people).addresses([("Eva", "Lund")], "drivers/acme/lamp.c", b"")
    assert found[0][1] == b"elund@acme.example"
    assert [cost for cost, _ in found] == sorted(cost for cost, _ in found)
    assert b"eva.lund@home.example" in [address for _, address in found]


@pytest.mark.parametrize(
    ("name", "path", "address"),
    [
        (("Eva", "Lund"), "drivers/lamp.c", b"eva@lund.info"),
        (("Eva", "Lund"), "drivers/lamp.c", b"eva@evalund.org"),
        (("Eva", "Lund"), "drivers/acme/lamp.c", b"eva.q.lund@acme.example"),
        (("Eva", "Lund"), "drivers/acme/lamp.c", b"elu@acme.example"),
        (("Eva", "Lund"), "drivers/acme/lamp.c", b"leva@acme.example"),
        (("Eva", "Lund"), "drivers/acme/lamp.c", b"Eva.Lund@acme.example"),
        (("Eva", "Lund"), "bindings/lamp/ab,lamp.yaml", b"eva@ab.example"),
    ],
)
def test_rarer_addresses(name: tuple[str, ...], path: str, address: bytes) -> None:
    people = [(b"Jo Doe", b"jo.doe@acme.example"), (b"Al Bar", b"al@ab.example")]
    found = Domains(people).addresses([name], path, b"")
    assert address in [one for _, one in found]
    assert [cost for cost, _ in found] == sorted(cost for cost, _ in found)


def restored(address: bytes, line: bytes, maintainers: bytes | None) -> tuple[Patch, bytes]:
    """A patch that adds `line` with an address, which its page hid, as restored; and its diff as sent."""
    old = [b"#define LAMP\t1\n", b"int lamp;\n"]
    new = [b"#define LAMP\t1\n", line % address, b"int lamp;\n"]
    old_file, new_file = b"".join(old), b"".join(new)
    file = replace(
        difference([line.rstrip(b"\n") for line in old], [line.rstrip(b"\n") for line in new]),
        old_path="a.c",
        new_path="a.c",
        old_blob=blob_id(old_file)[:12],
        new_blob=blob_id(new_file)[:12],
    )
    sent = format_diff([file])
    text = b"\n".join(map(squeeze, sent.replace(address, b"[email protected]").split(b"\n")))
    damage = frozenset({Damage.ADDRESSES_HIDDEN, Damage.SQUEEZED})
    one = replace(patch(1, sent), diff=text, files=parse_damaged(text), damage=damage)
    (done,) = restore_series(series(one), {"a.c": old_file, "MAINTAINERS": maintainers}.get).patches
    return done, sent


def test_an_address_nobody_has_is_made_of_the_name_and_proven() -> None:
    address, line = b"eva.lund@acme.example", b'MODULE_AUTHOR("Eva Lund <%s>");\n'
    done, sent = restored(address, line, MAINTAINERS)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)
    # Without the domain there is nothing to make it of, and the address stays as it was received.
    left, _ = restored(address, line, None)
    assert left.exactness is Exactness.MATCHED
    assert b"[email protected]" in left.diff


def test_an_address_without_a_name_is_one_of_many() -> None:
    people = b"".join(b"M:\tJo Doe <jo%d@acme.example>\n" % number for number in range(3500))
    done, sent = restored(b"jo2900@acme.example", b'MODULE_AUTHOR("<%s>");\n', people)
    assert (done.exactness, done.diff) == (Exactness.PROVEN, sent)
