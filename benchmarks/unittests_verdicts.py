"""Whether kpt's verdicts on kvm-unit-tests are upstream's: both run every entry, on one QEMU, outside of any guest.

    python -m benchmarks.unittests_verdicts --kvm-unit-tests DIR [NAME...]

DIR is a checkout in which `./configure && make` was run. For each entry of its x86/unittests.cfg upstream's own
./run_tests.sh runs first, then kpt's plan, command line and verdict (those a test gets inside the guest), with the same
accelerator and timeout. They agree when the word is the same, where upstream gives a summary or a reason kpt's begins
with it, and upstream's log has as many cases (but for a test that was cut short). The status is 1 where an entry
differs in each of its runs (`--runs`).
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.unittests_host import Host
from kpatch_tool.suites import catalogue, jobs, output, unittests_cfg, variants
from kpatch_tool.suites.catalogue import SuiteKind
from kpatch_tool.suites.model import CaseResult, Verdict
from kpatch_tool.system import process
from kpatch_tool.text import printable
from kpatch_tool.vm import qemu

_RESULT = re.compile(r"(PASS|FAIL|SKIP) (\S+) *(?:\((.*)\))?")
_COLOUR = re.compile(r"\x1b\[\d+m")
_SLACK = 60.0  # seconds upstream's scripts may take besides the test
# FAIL is upstream's word for all that is no PASS and no SKIP; the reason tells timeouts and signals apart.
_WORDS: Mapping[Verdict, str] = {
    Verdict.PASS: "PASS",
    Verdict.SKIP: "SKIP",
    Verdict.FAIL: "FAIL",
    Verdict.TIMEOUT: "FAIL",
    Verdict.ABORT: "FAIL",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What upstream said of an entry: its word, the text in parentheses, the seconds it took with its scripts, and the
    number of PASS, FAIL and SKIP lines in its log."""

    word: str
    text: str
    seconds: float
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Checkout:
    """Upstream's side: a built checkout, the QEMU and accelerator to use, and the user's timeout in seconds."""

    directory: Path
    host: Host
    timeout: float | None
    everything: bool

    def run(self, name: str) -> Said:
        """What ./run_tests.sh prints for one entry."""
        with tempfile.TemporaryDirectory(prefix="kpt-verdicts-") as logs:
            env = {**os.environ, "ACCEL": self.host.accel, "QEMU": str(self.host.qemu)}
            env["unittest_log_dir"] = str(Path(logs) / "logs")
            if self.timeout is not None:
                env["TIMEOUT"] = f"{self.timeout:g}s"
            start = time.monotonic()
            argv = ["./run_tests.sh", *(["-a"] if self.everything else []), name]
            done = process.run(argv, cwd=self.directory, env=env, timeout=unittests_cfg.NO_TIMEOUT + _SLACK)
            seconds = time.monotonic() - start
            log = Path(env["unittest_log_dir"]) / f"{name}.log"
            logged = log.read_bytes() if log.is_file() else b""
        return said_of(name, done.stdout, logged, seconds)


def said_of(name: str, printed: bytes, log: bytes, seconds: float) -> Said:
    """What run_tests.sh said of the entry `name`, by what it printed and its log of it."""
    lines = _COLOUR.sub("", printed.decode("utf-8", "replace")).splitlines()
    found = [match for line in lines if (match := _RESULT.match(line.strip())) and match[2] == name]
    if len(found) != 1:
        return Said("?", printable(lines[-1]) if lines else "", seconds)
    return Said(found[0][1], (found[0][3] or "").strip(), seconds, len(output.unit_test_cases(name, log, seconds)))


def config_of(checkout: Path) -> unittests_cfg.Config:
    """What x86/unittests.cfg of a checkout says. Ends the program where it was not configured."""
    path = checkout / "x86/unittests.cfg"
    if not path.is_file() or not (checkout / "config.mak").is_file():
        sys.exit(f"{checkout}: no kvm-unit-tests that was configured; run ./configure && make in it")
    return unittests_cfg.parse(path.read_text("utf-8", "replace"))


def main() -> None:
    options = _arguments()
    directory = options.kvm_unit_tests.resolve()
    parsed = config_of(directory)
    for problem in parsed.problems:
        _print(f"unittests.cfg, {problem}")
    with tempfile.TemporaryDirectory(prefix="kpt-verdicts-") as scratch:
        host = Host(options.qemu or qemu.find(), options.accel, Path(scratch))
        upstream = Checkout(directory, host, options.timeout, options.all)
        here = unittests_cfg.Here(
            suite="upstream",
            directory=directory / "x86",
            max_smp=os.cpu_count() or 1,
            nodefault=options.all,
            accel=options.accel,
            arch=catalogue.built_for(directory),
        )
        tests = unittests_cfg.tests_of(parsed, here)
        default = [variants.known()[variants.DEFAULT]]
        rows = jobs.plan("upstream", SuiteKind.UNIT_TESTS, tests, default, options.timeout, place=host.place())
        wanted = [row for row in rows if not options.names or any(fnmatch.fnmatch(row.name, n) for n in options.names)]
        differing = [row.name for row in wanted if not _compare(row, upstream, options.runs)]
    _print(
        f"{len(wanted)} entries, {len(wanted) - len(differing)} agree (QEMU {qemu.version(host.qemu)}, {host.accel})"
    )
    if differing:
        sys.exit(f"different: {', '.join(differing)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvm-unit-tests", type=Path, required=True, metavar="DIR")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--qemu", type=Path, help="another QEMU than the one in PATH")
    parser.add_argument("--timeout", type=float, help="seconds for every entry, on both sides")
    parser.add_argument("--all", action="store_true", help="also the group nodefault (run_tests.sh -a)")
    parser.add_argument("--runs", type=int, default=3, help="of both sides, as long as they differ (3)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries, or globs on their names")
    return parser.parse_args()


def _compare(row: jobs.Planned, upstream: Checkout, runs: int) -> bool:
    """Run an entry on both sides until they agree, print a line for each run, and tell whether they did."""
    for _ in range(runs):
        theirs = upstream.run(row.name)
        whole, *cases = upstream.host.run(row)
        same = agree(theirs, whole, len(cases))
        show(row.name, theirs, whole, len(cases), same)
        if same:
            return True
    return False


def agree(theirs: Said, mine: CaseResult, cases: int) -> bool:
    """Whether kpt's verdict, and the number of its cases, are the ones of upstream."""
    # A QEMU that outlives timeout(1)'s TERM by a second is killed: upstream names the signal, not the timeout.
    killed = theirs.text == "terminated on SIGKILL" and theirs.seconds > mine.seconds
    if mine.verdict is Verdict.TIMEOUT and killed:
        return True
    timed_out = theirs.text.startswith("timeout; ")
    signalled = theirs.text.startswith("terminated on ")
    return (
        theirs.word == _WORDS[mine.verdict]
        and mine.why.startswith(theirs.text)
        and (mine.verdict is Verdict.TIMEOUT) == timed_out
        and (not signalled or mine.verdict is Verdict.ABORT)
        and (timed_out or theirs.cases == cases)
    )


def show(name: str, theirs: Said, mine: CaseResult, cases: int, same: bool) -> None:
    """Print a line: the entry, both words, both numbers of cases, both times, and the texts."""
    text = theirs.text if same else f"{theirs.text} | {mine.why}"
    times = f"{theirs.seconds:6.1f} {mine.seconds:6.1f} s"
    mark = "" if same else "! "
    _print(f"{mark}{name:28} {theirs.word:5} {mine.verdict:8} {theirs.cases:5} {cases:5} cases {times}  {text}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
