"""Whether what kpt says of a patch's text is what git finds: needs that are missing, and needs that are none.

    python -m benchmarks.depending --git DIR [--range REVISION ...] [--series N] [--patches L] [--seed S]

DIR is any clone (or its git directory); nothing is written there. N times a commit of the range is chosen by chance
(the seed is fixed), and it and the commits before it, L at most and up to a merge, are mailed with `git format-patch`
and read back as a series. Of each patch `git apply` is asked

- whether it applies after those that it needs by the textual edges, and what they need, alone (else a need is missing),
- for each need, whether it still applies after all patches before it but that one and those that need it (then git
  does without it). Not asked where another of its needs is among those left out.

Edges that only say which version of a file a patch was made on count for neither: without them it applies as well.
Prints both counts, and a line for each such patch.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kpatch_tool.depend.model import Edge
from kpatch_tool.depend.order import closure
from kpatch_tool.depend.textual import textual_edges
from kpatch_tool.mail.read import read_sources
from kpatch_tool.series.assemble import assemble
from kpatch_tool.series.model import Series

_SEALED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(slots=True)
class Tally:
    """What was counted, and a line for each patch that git judges otherwise."""

    series: int = 0
    patches: int = 0
    needs: int = 0
    asked: int = 0
    missing: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scratch:
    """An index, and a place for new objects, outside the repository `git`."""

    git: Path
    objects: str
    place: Path

    @staticmethod
    def of(directory: Path, place: Path) -> Scratch:
        """In the empty directory `place`."""
        objects = git(directory, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        return Scratch(directory, objects.decode().strip(), place)

    def run(self, *args: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        aside = {
            "GIT_INDEX_FILE": str(self.place / "index"),
            "GIT_OBJECT_DIRECTORY": str(self.place),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": self.objects,
        }
        env = {**os.environ, **_SEALED, **aside}
        return subprocess.run(["git", "-C", self.git, *args], input=text, capture_output=True, env=env, check=False)

    def applies(self, base: str, diffs: Iterable[bytes]) -> bool:
        """Whether all of `diffs` apply to `base` one after another."""
        self.run("read-tree", base).check_returncode()
        asked = (self.run("apply", "--cached", "--whitespace=nowarn", "-", text=diff) for diff in diffs if diff)
        return all(done.returncode == 0 for done in asked)


def git(directory: Path, *args: str) -> bytes:
    """What git prints, with no configuration but the repository's."""
    env = {**os.environ, **_SEALED}
    return subprocess.run(["git", "-C", directory, *args], capture_output=True, check=True, env=env).stdout


def chains(directory: Path, revisions: Sequence[str], longest: int, seed: int) -> Iterator[tuple[str, str]]:
    """Runs of commits without a merge, by their base and their last commit, in an order that chance gives."""
    rows = (line.split() for line in git(directory, "rev-list", "--parents", *revisions).decode().splitlines())
    parents = {commit: before[0] for commit, *before in rows if len(before) == 1}
    chosen = sorted(parents)
    random.Random(seed).shuffle(chosen)
    for last in chosen:
        base = last
        for _ in range(longest):
            base = parents.get(base, base)
        if parents[last] != base:
            yield base, last


def mailed(directory: Path, base: str, last: str) -> Series | None:
    """The commits after `base` up to `last`, as kpt reads their mails; None where the clone lacks files of theirs."""
    asked = ("format-patch", "--stdout", "--always", "--binary", "-M", "-n", f"{base}..{last}")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "sent.mbox"
        try:
            path.write_bytes(git(directory, *asked))
        except subprocess.CalledProcessError:
            return None
        return assemble(read_sources([str(path)]).messages, where=last)


def judge(series: Series, base: str, scratch: Scratch, tally: Tally) -> None:
    """Ask git of every patch of a series, and of every need."""
    edges = [edge for edge in textual_edges(series) if not edge.made_on]
    diffs = {patch.number: patch.diff for patch in series.patches}
    tally.series, tally.patches, tally.needs = tally.series + 1, tally.patches + len(diffs), tally.needs + len(edges)
    for number in diffs:
        if not scratch.applies(base, (diffs[one] for one in closure(edges, [number]))):
            tally.missing.append(f"{base[:12]} patch {number} does not apply after what it needs")
    for edge in edges:
        others = _without(edge, edges, diffs)
        if others is not None:
            tally.asked += 1
            if scratch.applies(base, (diffs[one] for one in (*others, edge.patch))):
                tally.idle.append(f"{base[:12]} patch {edge.patch} applies without {edge.needs}: {edge.why}")


def _without(edge: Edge, edges: Sequence[Edge], numbers: Iterable[int]) -> list[int] | None:
    """The patches before `edge.patch` that do without `edge.needs`; None where another of its needs does not."""
    kept = [one for one in numbers if one < edge.patch and edge.needs not in closure(edges, [one])]
    others = {one.needs for one in edges if one.patch == edge.patch} - {edge.needs}
    return kept if others <= {*kept} else None


def main() -> int:
    parser = argparse.ArgumentParser(description="kpt's textual needs beside git apply")
    parser.add_argument("--git", type=Path, required=True, metavar="DIR")
    parser.add_argument("--range", nargs="+", default=["HEAD"], metavar="REVISION")
    parser.add_argument("--series", type=int, default=50, metavar="N")
    parser.add_argument("--patches", type=int, default=15, metavar="L")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    asked = parser.parse_args()
    tally = Tally()
    for base, last in chains(asked.git, asked.range, asked.patches, asked.seed):
        if tally.series == asked.series:
            break
        series = mailed(asked.git, base, last)
        if series is None or series.problems:  # a mail that holds another one, say
            continue
        with tempfile.TemporaryDirectory() as place:
            judge(series, base, Scratch.of(asked.git, Path(place)), tally)
    counted = f"{len(tally.missing)} patches lack a need; of {tally.asked} needs git does without {len(tally.idle)}"
    told = (f"{tally.series} series, {tally.patches} patches, {tally.needs} needs", counted)
    sys.stdout.writelines(f"{line}\n" for line in (*told, *tally.missing, *tally.idle))
    return 1 if tally.missing else 0


if __name__ == "__main__":
    sys.exit(main())
