"""Timing whole processes and printing one table: what the benchmarks share."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KPT = Path(sys.executable).with_name("kpt")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: seconds of kpt and of its peer (medians), and the goal as text with whether it holds."""

    what: str
    kpt: float
    peer_name: str
    peer: float
    goal: str
    met: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """A line that could not be measured here, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program took: seconds from start to end, the most memory any of its processes held, in MiB, and seconds
    of processor time, all processes together."""

    seconds: float
    mebibytes: float
    processor: float


def run(
    *argv: str | Path, cwd: Path | None = None, ok: Sequence[int] = (0,), env: Mapping[str, str] | None = None
) -> str:
    """Run a program; its output. Ends the benchmark, showing why, when the program fails."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode not in ok:
        sys.exit(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


def seconds(*argv: str | Path, cwd: Path | None = None, ok: Sequence[int] = (0,)) -> float:
    """How long a program takes, from start to end of the process."""
    start = time.perf_counter()
    run(*argv, cwd=cwd, ok=ok)
    return time.perf_counter() - start


def usage(*argv: str | Path, cwd: Path | None = None) -> Usage:
    """Run a program and say what it took. Ends the benchmark when the program fails."""
    words = [str(word) for word in argv]
    start = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(words)}: exit status {process.returncode}\n{told.decode(errors='replace')}")
    return Usage(time.perf_counter() - start, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)


def passed(rows: Sequence[Row | Absent]) -> bool:
    """Whether every row that could be measured met its goal."""
    return all(row.met for row in rows if isinstance(row, Row))


def side_by_side(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """Medians of two timed things, measured in turn so that a machine that slows down slows both."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def table(rows: Sequence[Row | Absent]) -> str:
    """The rows as text, 80 columns wide."""
    lines = [f"{'':34} {'kpt':>8} {'peer':>9}  {'peer is':24}"]
    for row in rows:
        if isinstance(row, Absent):
            lines += textwrap.wrap(f"{row.what:34} not measured: {row.why}", 80, subsequent_indent=" " * 35)
            continue
        mark = "met" if row.met else "NOT MET"
        lines.append(f"{row.what:34} {row.kpt:7.2f}s {row.peer:8.2f}s  {row.peer_name}")
        lines.append(f"{'':34} {row.peer / row.kpt:7.1f}x  goal: {row.goal}: {mark}")
    return "\n".join(lines)
