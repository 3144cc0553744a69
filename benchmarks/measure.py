"""Timing whole processes and printing one table: what the benchmarks share."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.errors import INPUT, MACHINE, KptError
from kpatch_tool.text import printable

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
    """A line that could not be measured here, and why. `broken`: not for want of something, but by a fault of kpt."""

    what: str
    why: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program took: seconds from start to end, the most memory any of its processes held, in MiB, and seconds
    of processor time, all processes together."""

    seconds: float
    mebibytes: float
    processor: float


class Failed(SystemExit):
    """A program failed, which ends a benchmark that does not catch this. `broken`: it is kpt, and neither its input nor
    this machine is to blame (exit statuses 2 and 3): it crashed, or found something where nothing is."""

    def __init__(self, words: Sequence[str], status: int, said: str) -> None:
        super().__init__(f"{' '.join(words)}: exit status {status}\n{said}")
        crashed = "Traceback (most recent call last)" in said
        self.broken = words[0] == str(KPT) and (crashed or status not in (INPUT, MACHINE))


def run(
    *argv: str | Path, cwd: Path | None = None, ok: Sequence[int] = (0,), env: Mapping[str, str] | None = None
) -> str:
    """Run a program; its output. Ends the benchmark, showing why, when the program fails."""
    words = [str(word) for word in argv]
    with _missing_told():
        done = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if done.returncode not in ok:
        raise Failed(words, done.returncode, f"{done.stderr}{done.stdout}")
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
    with _missing_told():
        process = subprocess.Popen(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(words, process.returncode, told.decode(errors="replace"))
    return Usage(time.perf_counter() - start, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)


@contextlib.contextmanager
def _missing_told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there")


def measured(what: str, measure: Callable[[], Sequence[Row | Absent]]) -> Sequence[Row | Absent]:
    """The rows that `measure` gives, or why it cannot; what kpt said when it broke goes to standard error, whole."""
    try:
        return measure()
    except Failed as failed:
        if failed.broken:
            sys.stderr.write(f"{failed.code}\n")
        return [Absent(what, _brief(str(failed.code)), failed.broken)]
    except (SystemExit, KptError) as error:
        return [Absent(what, _brief(str(error.code if isinstance(error, SystemExit) else error)))]


def _brief(why: str) -> str:
    """The first line, which names the program, and the last, which names the error, in 200 characters."""
    first, *rest = why.strip().splitlines() or [""]
    return printable(" ".join(" ".join([first, *rest[-1:]]).split()))[:200]


def passed(rows: Sequence[Row | Absent]) -> bool:
    """Whether every row that could be measured met its goal, and none broke."""
    return all(row.met if isinstance(row, Row) else not row.broken for row in rows)


def side_by_side(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """Medians of two timed things, measured in turn so that a machine that slows down slows both."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def table(rows: Sequence[Row | Absent]) -> str:
    """The rows as text, 80 columns wide."""
    lines = [f"{'':34} {'kpt':>8} {'peer':>9}  {'peer is':24}"]
    for row in rows:
        if isinstance(row, Absent):
            why = "BROKEN" if row.broken else "not measured"
            lines += textwrap.wrap(f"{row.what:34} {why}: {row.why}", 80, subsequent_indent=" " * 35)
            continue
        mark = "met" if row.met else "NOT MET"
        lines.append(f"{row.what:34} {row.kpt:7.2f}s {row.peer:8.2f}s  {row.peer_name}")
        lines.append(f"{'':34} {row.peer / row.kpt:7.1f}x  goal: {row.goal}: {mark}")
    return "\n".join(lines)
