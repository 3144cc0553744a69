"""The values of a search for the patch that changes an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What one look at a state says. `skip`: the question cannot be asked of it (it does not build)."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the state after `patch` (0: the base). `seconds` is what it took, `cached` whether it was known
    before; `why` is the evidence, a sentence. `fingerprint` stands for all that the answer depends on (kernel, modules,
    programs): states of one fingerprint are one state. Empty where that is not known. `value` is the number that was
    measured, where the question is about one; `about` names the tests that are worse, `cases` those cases of them that
    were reached and are ("test: case"); `broken` where no test could be run, since the kernel does not boot."""

    patch: int
    answer: Answer
    seconds: float = 0.0
    cached: bool = False
    why: str = ""
    fingerprint: str = ""
    value: float | None = None
    about: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a question is answered "bad": `good` for states without the fault, `bad` for states with it.

    Each is the pair (a, b) of a Beta distribution, the belief before any look: a counts bad answers, b good ones. None
    for a question that is always answered right (does it build?).
    """

    good: tuple[float, float]
    bad: tuple[float, float]


# Before any look: a test without the fault fails once in 20 runs, one with it four times in five; both may turn out
# quite otherwise (the belief weighs as much as two looks, or less). `python -m benchmarks.bisecting` says how it does.
FLAKY = Rates(good=(0.1, 1.9), bad=(1.5, 0.4))


@dataclass(frozen=True, slots=True)
class Belief:
    """What the looks so far say. `candidates` are the patches that cannot be told apart further and are the likeliest
    together (patches whose states could not be asked, and the first one after them that could); `confidence` is the
    probability that the culprit is among them. `base` is the probability that the first state that can be asked (mostly
    the base) shows the fault already, `none` that the last one does not; `ends` are these two, None where no state can
    be asked."""

    candidates: tuple[int, ...]
    confidence: float
    base: float
    none: float
    ends: tuple[int, int] | None = None
