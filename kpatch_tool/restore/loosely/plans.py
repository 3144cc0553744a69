"""The ways to read all hunks of a loosely read file together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kpatch_tool.diff.model import Kind
from kpatch_tool.restore.choosing import choices
from kpatch_tool.restore.likeness import likeness
from kpatch_tool.restore.loosely.fits import AlikeBase, Fit, Fitted, Taken

_MAX_COMBINED = 64  # combinations of the hunks' readings that are tried
_MOST_LOST = 12  # context lines at the end of a hunk that are put back


@dataclass(frozen=True, slots=True)
class HunkPlan:
    """One way to read all hunks: what it costs, and each hunk with the reading of it, in order."""

    cost: float
    fits: tuple[tuple[Fitted, Fit], ...]

    def unsure(self) -> bool:
        """Whether a hunk has other counts than its @@ says, or context put back at its end."""
        return any(fit.recounted or fit.completed for _, fit in self.fits)

    def unsure_at_end(self) -> bool:
        """The same of the last hunk of the diff: whether changes are missing after it, nothing tells."""
        return any((fit.recounted or fit.completed) and fitted.hunk.last for fitted, fit in self.fits)

    def added(self) -> Iterator[bytes]:
        """The received lines of which added ones are made, with their first columns."""
        for fitted, fit in self.fits:
            for one in fit.taken:
                if one.kind is Kind.ADDED:
                    yield from fitted.hunk.lines[one.first : one.last]

    def known(self) -> list[bool]:
        """For each line of the hunks after the patch, whether the base has it."""
        return [one.base is not None for _, fit in self.fits for one in fit.taken if one.kind is not Kind.REMOVED]


def plans_of(placed: Sequence[Fitted], base: AlikeBase, most: int = _MAX_COMBINED) -> list[HunkPlan]:
    """The likeliest combinations of the hunks' readings, cheapest first, at least one and at most `most`."""
    least = sum(one.fits[0].cost for one in placed)
    found: list[HunkPlan] = []
    for more, choice in choices([[fit.cost for fit in one.fits] for one in placed], most):
        fits = [(one, one.fits[choice.get(number, 0)]) for number, one in enumerate(placed)]
        found.append(HunkPlan(least + more, tuple((one, _whole(one, fit, base)) for one, fit in fits)))
    return found


def plan_making(placed: Sequence[Fitted], base: AlikeBase, made: AlikeBase) -> HunkPlan | None:
    """The readings of the hunks that lead from `base` to `made`; None where a hunk has none."""
    fits: list[tuple[Fitted, Fit]] = []
    at = copied = 0  # lines of the one, of the other
    for fitted in placed:
        start = fitted.start or 0
        at += start - copied
        whole = (_whole(fitted, fit, base) for fit in fitted.fits)
        fit = next((fit for fit in whole if _leads(fitted, fit, base, made.lines[at : at + fit.new_count()])), None)
        if fit is None:
            return None
        fits.append((fitted, fit))
        at += fit.new_count()
        copied = start + fit.old_count()
    return HunkPlan(0.0, tuple(fits))


def _leads(fitted: Fitted, fit: Fit, base: AlikeBase, lines: Sequence[bytes]) -> bool:
    """Whether a hunk read so makes these lines."""
    kept = [one for one in fit.taken if one.kind is not Kind.REMOVED]
    return len(kept) == len(lines) and all(
        base.lines[one.base] == line if one.base is not None else likeness(_received(fitted, one)) == likeness(line)
        for one, line in zip(kept, lines, strict=True)
    )


def _received(fitted: Fitted, one: Taken) -> bytes:
    """An added line without its first column, the lines it was broken into as one."""
    return b" ".join(fitted.hunk.lines[one.first : one.last])[1:]


def _whole(fitted: Fitted, fit: Fit, base: AlikeBase) -> Fit:
    """With the context lines at the end that the mail lost, where the counts say how many they are."""
    hunk = fitted.hunk
    lost = hunk.old_count - fit.old_count()
    end = (fitted.start or 0) + fit.old_count()
    if not fit.recounted or not 0 < lost <= _MOST_LOST or lost != hunk.new_count - fit.new_count():
        return fit
    if end + lost > len(base.lines):
        return fit
    more = tuple(Taken(Kind.CONTEXT, fit.used, fit.used, end + number) for number in range(lost))
    return replace(fit, taken=(*fit.taken, *more), recounted=False, completed=lost)
