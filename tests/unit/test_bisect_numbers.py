"""Thresholds, numbers in output, and the question about a number against simulated gauges."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field

import pytest

from kpatch_tool.bisect.model import Answer, Observation
from kpatch_tool.bisect.numbers import Measured, Reading, Wanted, module_called, parse_measure
from kpatch_tool.bisect.search import Search, belief, next_state, settled
from kpatch_tool.bisect.threshold import Threshold, change, first_number, parse_threshold, printed, spread
from kpatch_tool.errors import InputError
from kpatch_tool.tree.model import State


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("5%", (100, 105, 12), (105.1, 200)),
        ("+5%", (100, 105), (106,)),
        ("-5%", (100, 95, 300), (94.9, 0)),
        ("10", (110, 0), (110.5,)),
        ("-10", (90,), (89,)),
        ("0", (100,), (101,)),
        (".5", (100.5,), (100.6,)),
    ],
)
def test_thresholds(text: str, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    threshold = parse_threshold(text)
    assert not any(threshold.passed(number, 100) for number in good)
    assert all(threshold.passed(number, 100) for number in bad)


def test_a_share_of_a_negative_number_goes_the_right_way() -> None:
    assert parse_threshold("10%").limit(-100) == -90
    assert parse_threshold("-10%").limit(-100) == -110


@pytest.mark.parametrize("text", ["", "x", "5 %", "%", "--5", "5%%", "1e3", "nan"])
def test_what_is_no_threshold(text: str) -> None:
    with pytest.raises(InputError, match="not a threshold"):
        parse_threshold(text)


def test_numbers_a_test_prints() -> None:
    text = """\
BUILD_HEAD=v6.1
timeout -k 1s --foreground 90s qemu --no-reboot
cpuid 2412
inl_from_pmtimer 1,234
ple_round_robin: 3.5
Clear dirty log over 3 iterations took 0.25s
PASS: apic 12
cpuid 9
mov_to_cr8 = -4
nothing here
"""
    assert printed(text) == {
        "cpuid": 2412,
        "inl_from_pmtimer": 1234,
        "ple_round_robin": 3.5,
        "Clear dirty log over 3 iterations took": 0.25,
        "mov_to_cr8": -4,
    }
    assert printed("") == {}


def test_other_numbers() -> None:
    assert first_number("took 1,234.5 s (3 runs)") == 1234.5
    assert first_number("1e3") == 1000
    assert first_number("none") is None
    assert spread([100.0]) == 0
    assert spread([90.0, 100.0, 110.0]) == pytest.approx(0.2)
    assert spread([100.0, 101.0, 102.0, 300.0, 300.0]) < 0.05
    assert change(103, 100) == "+3.0%"
    assert change(3, 0) == "+3"
    assert change(379_445, 379_329) == "+116"
    assert (change(201_234_567, 200_000_000), change(328_430, 329_596)) == ("+1,234,567", "-1,166")
    assert (change(1.004, 1), change(5, 5), change(21_477_900, 100_000)) == ("+0.004", "+0", "+21,377.9%")


def test_measures() -> None:
    assert parse_measure("size:kvm.ko") == Wanted("size", "kvm.ko")
    assert parse_measure("test:vmexit_cpuid:cpuid") == Wanted("test", "vmexit_cpuid", "cpuid")
    assert parse_measure("test:exits:a: b") == Wanted("test", "exits", "a: b")
    assert parse_measure("test:exits") == Wanted("test", "exits")
    assert parse_measure("run") == Wanted("run")
    for wrong in ("", "size", "size:", "run:x", "test:", "test:exits:", "weight:kvm.ko"):
        with pytest.raises(InputError, match="not something to measure"):
            parse_measure(wrong)


def test_modules() -> None:
    modules = ("virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-amd.ko")
    for name in ("kvm", "kvm.ko", "arch/x86/kvm/kvm.ko"):
        assert module_called(name, modules) == "arch/x86/kvm/kvm.ko"
    with pytest.raises(InputError, match=r"irqbypass\.ko, kvm\.ko, kvm-amd\.ko"):
        module_called("kvm-intel", modules)


@dataclass
class Simulated:
    """States before `culprit` measure about 1000, those from it on `factor` times as much; the numbers vary by
    `noise`, and one in twenty is far too large, as on a busy machine."""

    culprit: int
    factor: float
    noise: float
    seed: int = 0
    exact: bool = False
    name: str = "simulated"
    tester: None = None
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def read(self, state: State) -> Reading:
        middle = 1000 * (self.factor if state.patch >= self.culprit else 1)
        outlier = 3 if self.noise and self.random.random() < 0.05 else 1
        return Reading(middle * self.random.gauss(1, self.noise) * outlier, 1.0)


def searched(
    gauge: Simulated, threshold: Threshold, last: int = 16
) -> tuple[Search, tuple[Observation, ...], Measured]:
    states = [State(patch, f"{patch:040x}", f"{patch:040x}") for patch in range(last + 1)]
    question = Measured(gauge, threshold, states[0])
    search = Search(last, question.rates)
    seen: list[Observation] = []
    for _ in range(question.base_looks):
        seen.append(question.look(states[0], len(seen)))
    while (at := next_state(search, question.judged(seen))) is not None:
        seen.append(question.look(states[at], sum(one.patch == at for one in seen), seen))
        assert len(seen) < 300
    return search, question.judged(seen), question


FIVE = Threshold(0.05, relative=True)


@pytest.mark.parametrize(
    ("factor", "noise", "least"),
    [(1.2, 0.0, 60), (1.2, 0.02, 57), (1.1, 0.02, 56), (1.3, 0.05, 54), (1.08, 0.02, 48)],
)
def test_noisy_numbers_name_the_right_patch(factor: float, noise: float, least: int) -> None:
    """60 searches; 95 % is the stated confidence. In the last row threshold and change are 1.5 deviations apart."""
    right = 0
    for seed in range(60):
        culprit = random.Random(seed).randint(1, 16)
        with contextlib.suppress(InputError):  # five numbers of the base that lie too far apart by chance
            search, seen, _ = searched(Simulated(culprit, factor, noise, seed), FIVE)
            right += settled(search, seen) and belief(search, seen).candidates == (culprit,)
    assert right >= least


def test_noise_alone_blames_nobody() -> None:
    """No patch changes the number; it varies by 2 %, and one in twenty is thrice as large."""
    blamed = 0
    for seed in range(40):
        search, seen, _ = searched(Simulated(99, 1.0, 0.02, seed), FIVE, last=6)
        found = belief(search, seen)
        blamed += settled(search, seen) and max(found.none, found.base) < search.threshold
    assert blamed <= 2


def test_less_is_worse() -> None:
    search, seen, question = searched(Simulated(5, 0.7, 0.02), Threshold(0.05, relative=True, falls=True))
    assert belief(search, seen).candidates == (5,)
    assert "below" in question.words


def test_an_exact_number_is_plain_bisection() -> None:
    gauge = Simulated(7, 1.001, 0.0, exact=True)
    search, seen, question = searched(gauge, Threshold(0.0))
    assert belief(search, seen).candidates == (7,)
    assert len(seen) <= 2 + 4
    assert question.remark(seen).startswith("simulated: base 1,000")


def test_a_number_that_varies_more_than_the_threshold_is_told() -> None:
    _, seen, question = searched(Simulated(99, 1.0, 0.2, seed=3), Threshold(0.15, relative=True), last=3)
    assert "much for a threshold of 15%" in question.remark(seen)
    with pytest.raises(InputError, match=r"the base's own numbers spread over .*--restart"):
        searched(Simulated(99, 1.0, 0.6, seed=3), FIVE)


def test_the_base_must_have_a_number() -> None:
    class Nothing:
        name, exact, tester = "nothing", False, None

        def read(self, state: State) -> Reading:
            return Reading(None, 0.0, why="it prints no number")

    base = State(0, "0" * 40, "0" * 40)
    with pytest.raises(InputError, match="cannot be measured on the base: it prints no number"):
        Measured(Nothing(), FIVE, base).look(base, 0)
    assert Measured(Nothing(), FIVE, base).look(State(1, "1" * 40, "1" * 40), 0).answer is Answer.SKIP
