"""How far a number may go from the base's before a state is called bad. Pure.

A single number says little where numbers vary, so nothing is believed of how they vary: each number is only compared
with a limit (the median of the base's numbers, and the threshold on top), as in a sign test, and the search treats the
outcome as what it is, an answer that may be wrong.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kpatch_tool.errors import InputError

_FORM = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(%?)")
_NUMBER = r"[+-]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_LINE = re.compile(rf"\s*(?P<label>[^\d\s].*?)\s*(?:[:=]\s*|\s)(?P<number>{_NUMBER})\s*(?P<unit>[^\s\d]\S*)?\s*")
_LONGEST_LINE = 1000
_SHARE = 0.01
_VERDICT = re.compile(r"\s*(?:PASS|FAIL|XFAIL|XPASS|SKIP|ok|not ok|SUMMARY)\b")


@dataclass(frozen=True, slots=True)
class Threshold:
    """`amount` above the base's number (`falls`: below it) is still good; a `relative` amount is a share of it."""

    amount: float
    relative: bool = False
    falls: bool = False

    def __str__(self) -> str:
        amount = f"{self.amount * 100:g}%" if self.relative else f"{self.amount:g}"
        return f"more than {amount} {'below' if self.falls else 'above'} the base's"

    def limit(self, base: float) -> float:
        """The last number that is good, for the base's `base`."""
        room = abs(base) * self.amount if self.relative else self.amount
        return base - room if self.falls else base + room

    def passed(self, number: float, base: float) -> bool:
        """Whether `number` is worse than what is allowed."""
        return number < self.limit(base) if self.falls else number > self.limit(base)


def parse_threshold(text: str) -> Threshold:
    """The threshold "5%", "100", "-5%" (it is bad when the number falls). Raises InputError for anything else."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        todo = "write 5%, 100, or -5% where less is worse"
        raise InputError("not a threshold", where=f"--threshold {text}", todo=todo)
    sign, number, percent = found.groups()
    return Threshold(float(number) / (100 if percent else 1), bool(percent), sign == "-")


def printed(text: str) -> dict[str, float]:
    """The lines of a test's output that are a name and a number ("cpuid 2412", "time: 0.5s"), the first of each name;
    verdicts of cases are none of them."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = None if len(line) > _LONGEST_LINE or _VERDICT.match(line) else _LINE.fullmatch(line)
        if match is not None:
            found.setdefault(match["label"], _value(match["number"]))
    return {label: number for label, number in found.items() if math.isfinite(number)}


def first_number(line: str) -> float | None:
    """The first number in a line, None where there is none."""
    match = re.search(_NUMBER, line)
    return None if match is None else _value(match[0])


def spread(numbers: Sequence[float]) -> float:
    """How wide the band around the median is that holds half of the numbers (twice the median absolute deviation, which
    bears with a few numbers that are far off), as a share of the median; 0 for one number."""
    middle = statistics.median(numbers)
    if not middle:
        return 0.0
    return 2 * statistics.median(abs(number - middle) for number in numbers) / abs(middle)


def shown(number: float) -> str:
    """A number for a person: whole where it is whole, else four digits."""
    return f"{number:,.0f}" if abs(number) >= 1000 or number == round(number) else f"{number:.4g}"


def change(number: float, base: float) -> str:
    """How far a number is from the base's: "+3.1%", or "+116" where that is less than a hundredth."""
    share = (number - base) / abs(base) if base else 0.0
    if abs(share) >= _SHARE:
        return f"{share:+,.1%}"
    return f"{'-' if number < base else '+'}{shown(abs(number - base))}"


def _value(text: str) -> float:
    return float(text.replace(",", ""))
