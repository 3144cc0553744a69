"""Whether kpt reads unittests.cfg as upstream's own scripts do, over all its history. Nothing is run but the readers.

    python -m benchmarks.unittests_plans --kvm-unit-tests DIR

DIR is a git checkout of kvm-unit-tests in which ./configure was run. Every version of x86/unittests.cfg in its history
is read by for_each_unittest of the checkout's scripts/common.bash, with bash splitting the words, and by kpt. Name,
groups, architecture, accelerator, timeout, checks and the words of the command line must be equal. The status is 1
where an entry differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpatch_tool.suites import unittests_cfg
from kpatch_tool.suites.unittests_cfg import DEFAULT_TIMEOUT, Here, Section
from kpatch_tool.system import process
from kpatch_tool.vm.wire import NOW

_CFG = "x86/unittests.cfg"
_CPUS, _NOW = 4, 1_400_000_000
# for_each_unittest hands its command the fields in this order; NUL ends a field, \x01 an entry.
_READ = f"""\
source config.mak; TEST_DIR=x86; source scripts/common.bash
MAX_SMP={_CPUS}; date() {{ echo {_NOW}; }}
show() {{
    local testname=$1 groups=$2 arch=$7 accel=${{10}} timeout=${{11:-{DEFAULT_TIMEOUT}}} words check
    set -f; eval "words=($3 $5 $6)"; check=($9); set +f
    printf '%s\\0' "$testname" "$groups" "$arch" "$accel" "$timeout" "${{#check[@]}}" "${{check[@]}}" "${{words[@]}}"
    printf '\\001'
}}
for_each_unittest "$1" show
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a reader made of an entry."""

    name: str
    groups: frozenset[str]
    arch: str
    accel: str
    timeout: str
    check: tuple[str, ...]
    words: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvm-unit-tests", type=Path, required=True, metavar="DIR")
    directory = parser.parse_args().kvm_unit_tests.resolve()
    if not (directory / "config.mak").is_file():
        sys.exit(f"{directory}: no kvm-unit-tests that was configured; run ./configure in it")
    versions = list(dict.fromkeys(_versions(directory)))
    entries, differing = 0, []
    for version in versions:
        text = _git(directory, "cat-file", "blob", version)
        theirs, mine = _theirs(directory, text), _mine(text)
        entries += len(theirs)
        differing += [f"{version[:12]} {a} {b}" for a, b in zip(theirs, mine, strict=False) if a != b]
        if len(theirs) != len(mine):
            differing.append(f"{version[:12]}: {len(theirs)} entries, kpt finds {len(mine)}")
    sys.stdout.write("".join(f"! {line}\n" for line in differing))
    sys.stdout.write(f"{len(versions)} versions of {_CFG}, {entries} entries, {len(differing)} differ\n")
    sys.exit(bool(differing))


def _versions(directory: Path) -> Iterator[str]:
    """The blob ids of every version, newest first."""
    listed = _git(directory, "log", "--format=", "-m", "--raw", "--no-abbrev", "--no-renames", "--", _CFG)
    for line in listed.decode().splitlines():
        blob = line.split()[3]
        if set(blob) != {"0"}:
            yield blob


def _theirs(directory: Path, text: bytes) -> list[Entry]:
    with tempfile.NamedTemporaryFile(prefix="kpt-plans-") as file:
        file.write(text)
        file.flush()
        done = process.run(["bash", "-c", _READ, "bash", file.name], cwd=directory)
    if done.status:
        sys.exit(f"upstream's scripts cannot be used: {done.last_line()}")
    entries = []
    for entry in done.stdout.decode("utf-8", "replace").split("\x01")[:-1]:
        name, groups, arch, accel, timeout, count, *rest = entry.split("\0")[:-1]
        check, words = rest[: int(count)], rest[int(count) :]
        entries.append(Entry(name, frozenset(groups.split()), arch, accel, timeout, tuple(check), tuple(words)))
    return entries


def _mine(text: bytes) -> list[Entry]:
    config = unittests_cfg.parse(text.decode("utf-8", "replace"))
    return [_entry(section) for section in config.sections]


def _entry(section: Section) -> Entry:
    arch, accel = section.get("arch"), section.get("accel")
    here = Here("any", Path("/nonexistent"), _CPUS, nodefault=True, accel=accel or "kvm", arch=arch or "x86_64")
    (test,) = unittests_cfg.tests_of(unittests_cfg.Config((section,), ()), here)
    name = test.name.partition(" #")[0]  # kpt numbers what bears one name
    words = tuple(word.replace(NOW, str(_NOW)) for word in test.qemu_args)
    return Entry(name, test.groups, arch, test.accel, test.duration, test.check, words)


def _git(directory: Path, *words: str) -> bytes:
    done = process.run(["git", "-C", directory, *words])
    if done.status:
        sys.exit(f"git {words[0]}: {done.last_line()}")
    return done.stdout


if __name__ == "__main__":
    main()
