"""Ways to run the same tests: module parameters (variants.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kpatch_tool.errors import InputError
from kpatch_tool.suites import own
from kpatch_tool.text import printable

DEFAULT = "default"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Variant:
    """A name, the parameters of each module ("kvm_amd" -> "npt=0"), and what it is for."""

    name: str
    parameters: Mapping[str, str]
    why: str

    def of(self, test: str) -> str:
        """What a test is called when run this way: "tlb", "tlb@shadow"."""
        return test if self.name == DEFAULT else f"{test}@{self.name}"


@cache
def known() -> Mapping[str, Variant]:
    """Every variant by name."""
    data = tomllib.loads((_HERE / "variants.toml").read_text("utf-8"))
    rows = {name: Variant(name, row["parameters"], row["why"]) for name, row in data.items()}
    return {DEFAULT: Variant(DEFAULT, {}, "the modules as they are"), **rows}


def of_suite(suite: str, wanted: tuple[str, ...]) -> tuple[Variant, ...]:
    """The variants to run `suite` in: those wanted, or, where none is, its own.

    kpt's own tests are about the MMU and take a second each: they run both ways. Raises InputError for a name that is
    no variant.
    """
    for name in wanted:
        if name not in known():
            raise InputError(f"no variant {printable(name)!r}", where="--variant", todo=f"known: {', '.join(known())}")
    default = (DEFAULT, "shadow") if suite == own.SUITE else (DEFAULT,)
    return tuple(known()[name] for name in dict.fromkeys(wanted or default))
