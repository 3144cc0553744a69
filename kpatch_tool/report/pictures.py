"""The pictures of the page, as SVG inside it: the dependency graph, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kpatch_tool.report.graph import Graph, Lane
from kpatch_tool.report.markup import tag, text
from kpatch_tool.results.record import RunRecord
from kpatch_tool.text import cut, plural, printable, state_name, width

# All in CSS pixels.
_ROW, _LANE, _PAD = 24, 14, 10
_STUB = 4  # what a patch needs leaves its node this far above the middle, what needs it joins as far below
_BEND = 6
_RADIUS = 5
_DIGIT = 8
_TITLE_LETTERS, _LETTER = 74, 7.3
_HUES = 6
_BAR, _GAP = 14, 8
_NAMES = 72  # room left of the bars
_OUTLIER = 4.0  # a bar this many times as long as the next one is cut


def graph_picture(graph: Graph) -> str:
    """The graph as one <svg>; empty without nodes."""
    if not graph.nodes:
        return ""
    node_x = _PAD + graph.columns * _LANE + _RADIUS
    label_x = node_x + _RADIUS + 6 + max(len(str(node.patch)) for node in graph.nodes) * _DIGIT
    said = [node.title if node.patch else f"{node.label}, {node.title}" for node in graph.nodes]
    titles = [cut(printable(title), _TITLE_LETTERS, "…") for title in said]
    wide = label_x + 10 + int(max(map(width, titles)) * _LETTER) + _PAD
    height = len(graph.nodes) * _ROW + 2 * _PAD
    needed = {lane.source for lane in graph.lanes}
    parts = [part for lane in graph.lanes for part in _lane(lane, node_x)]
    for row, node in enumerate(graph.nodes):
        y = _middle(row)
        kind = "node needed" if row in needed else "node"
        shape = (
            tag("circle", cx=str(node_x), cy=str(y), r=str(_RADIUS), kind=kind)
            if node.patch
            else tag("rect", x=str(node_x - 5), y=str(y - 5), width="10", height="10", kind=kind)
        )
        parts.append(shape)
        if node.patch:
            parts.append(tag("text", str(node.patch), x=str(label_x), y=str(y + 4), kind="number"))
        parts.append(tag("text", text(titles[row]), x=str(label_x + 10), y=str(y + 4)))
    label = f"Dependency graph of {plural(sum(bool(node.patch) for node in graph.nodes), 'patch', 'patches')}"
    return tag(
        "svg",
        "\n".join(parts),
        kind="graph",
        width=str(wide),
        height=str(height),
        viewBox=f"0 0 {wide} {height}",
        role="img",
        aria_label=f"{label}; the table below says the same in words",
    )


def _middle(row: int) -> int:
    return _PAD + row * _ROW + _ROW // 2


def _lane(lane: Lane, node_x: int) -> Iterator[str]:
    """One path for each patch that needs the lane's, and the arrow head at that one."""
    x = node_x - _RADIUS - 4 - (lane.column + 1) * _LANE + _LANE // 2
    near = node_x - _RADIUS
    hue = f"hue{lane.source % _HUES}"
    paths = [(joint, _path(joint.row, lane.source, x, near)) for joint in lane.joints]
    # The wide line below keeps lines that cross apart.
    yield from (tag("path", d=path, kind="halo") for _, path in paths)
    for joint, path in sorted(paths, key=lambda one: not one[0].weak):
        kind = f"edge {hue} weak" if joint.weak else f"edge {hue}"
        yield tag("path", tag("title", text(joint.why, lines=True)), d=path, kind=kind)
    below = any(joint.row > lane.source for joint in lane.joints)
    tip = _middle(lane.source) + (_STUB if below else -_STUB)
    yield tag("path", d=f"M{near} {tip}l-6 -3.5v7z", kind=f"head {hue}")


def _path(row: int, source: int, x: int, near: int) -> str:
    """From the node of `row` left to the lane at `x`, along it, and back to the node of `source`."""
    down = row < source  # it needs a later patch
    start, stop = _middle(row) - _STUB, _middle(source) + _STUB
    if down:
        start, stop = start + 2 * _STUB, stop - 2 * _STUB
    turn = _BEND if down else -_BEND
    return (
        f"M{near} {start}H{x + _BEND}Q{x} {start} {x} {start + turn}"
        f"V{stop - turn}Q{x} {stop} {x + _BEND} {stop}H{near - 3}"
    )


@dataclass(frozen=True, slots=True)
class _Bar:
    """The time of a state in seconds; None for what was not done, 0 for what was kept from before."""

    name: str
    build: float | None
    test: float | None

    @property
    def total(self) -> float:
        return (self.build or 0.0) + (self.test or 0.0)


def timings_picture(record: RunRecord) -> str:
    """A bar for each state: building, then testing. Empty where neither took any time."""
    bars = _bars(record)
    if not any(bar.total for bar in bars):
        return ""
    top, cut = _scale(bars)
    height = len(bars) * (_BAR + _GAP) + _GAP
    plot: list[str] = []
    names = []
    for row, bar in enumerate(bars):
        y = _GAP + row * (_BAR + _GAP)
        names.append(tag("text", text(bar.name), x="0", y=str(y + 11)))
        plot += _drawn(bar, y, top, cut=cut and bar.total > top)
    inner = tag("svg", "\n".join(plot), kind="plot", x=str(_NAMES), width="60%", overflow="visible")
    return tag(
        "svg",
        "\n".join([*names, inner]),
        kind="timings",
        width="100%",
        height=str(height),
        role="img",
        aria_label="Time for each state. " + ". ".join(f"{bar.name}: {_told(bar)}" for bar in bars),
    )


def _bars(record: RunRecord) -> list[_Bar]:
    numbers = sorted({build.patch for build in record.builds} | {tests.patch for tests in record.tests})
    bars = []
    for number in numbers:
        builds = [0.0 if build.cached else build.seconds for build in record.builds if build.patch == number]
        tests = [0.0 if one.cached else one.seconds for one in record.tests if one.patch == number]
        name = state_name(number)
        bars.append(_Bar(name, sum(builds) if builds else None, sum(tests) if tests else None))
    return bars


def _scale(bars: Sequence[_Bar]) -> tuple[float, bool]:
    """The time that takes the whole width, and whether the longest bar is cut: the first build takes minutes, the
    others seconds."""
    longest, *others = sorted((bar.total for bar in bars), reverse=True)
    second = others[0] if others else longest
    if second and longest > _OUTLIER * second:
        return second * 2, True
    return longest, False


def _drawn(bar: _Bar, y: int, top: float, *, cut: bool) -> Iterator[str]:
    at = 0.0
    for seconds, kind in ((bar.build, "bar-build"), (bar.test, "bar-test")):
        share = min(100.0 - at, 100 * (seconds or 0.0) / top)
        if share > 0:
            size = {"width": f"{max(share, 0.3):.2f}%", "height": str(_BAR)}
            yield tag("rect", x=f"{at:.2f}%", y=str(y), kind=kind, **size)
            at += share
    if cut:
        inside = tag("path", d=f"M-22 {y - 3}l8 {_BAR + 6}m4 0l-8 -{_BAR + 6}", kind="break")
        yield tag("svg", inside, x=f"{at:.2f}%", overflow="visible")
    yield tag("text", text(_told(bar)), x=f"{at:.2f}%", dx="6", y=str(y + 11), kind="dim")


def _told(bar: _Bar) -> str:
    words = [
        f"{what} {_seconds(seconds) if seconds else 'known'}"
        for what, seconds in (("build", bar.build), ("tests", bar.test))
        if seconds is not None
    ]
    return ", ".join(words) if bar.total else "known"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
