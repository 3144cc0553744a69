"""Reads x86/unittests.cfg of kvm-unit-tests. Pure.

The rules are those of its scripts/common.bash (for_each_unittest) and scripts/runtime.bash (run). Names of keys
changed over time: extra_params became qemu_params; test_args was once an `-append` among them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.suites.arithmetic import evaluate
from kpatch_tool.suites.model import Test
from kpatch_tool.text import printable

DEFAULT_TIMEOUT = 90.0
NO_TIMEOUT = 3600.0  # `timeout = 0` means none; a run must come to its end all the same
MAX_CPUS = 64
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_PARAMETERS = ("qemu_params", "extra_params")
_KEYS = frozenset(
    {*_PARAMETERS, "file", "smp", "test_args", "groups", "arch", "machine", "check", "accel", "timeout", "disabled_if"}
)
_KEY = re.compile(r"(\w+) *= *(.*)")
_SECTION = re.compile(r"\[(.*)\]")
_QUOTES = '"""'
_DATE = "`date +%s`"


@dataclass(frozen=True, slots=True)
class Section:
    """One [name] of the file as written: key -> value (the last one of a key counts), and its line number."""

    name: str
    values: tuple[tuple[str, str], ...]
    line: int

    def get(self, key: str) -> str:
        return dict(self.values).get(key, "")


@dataclass(frozen=True, slots=True)
class Config:
    """The sections in order, and sentences about what was not understood."""

    sections: tuple[Section, ...]
    problems: tuple[str, ...]


def parse(text: str) -> Config:
    """Read the text of a unittests.cfg. Lines that make no sense are problems, never an exception."""
    sections: list[tuple[str, list[tuple[str, str]], int]] = []
    problems = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        section, setting = _SECTION.fullmatch(line), _KEY.fullmatch(line)
        if section is not None:
            sections.append((section.group(1).strip(), [], number))
        elif setting is None:
            problems.append(f"line {number}: neither [name] nor key = value: {printable(line)[:80]}")
        elif setting.group(1) not in _KEYS:
            problems.append(f"line {number}: unknown key {printable(setting.group(1))[:80]}")
        elif not sections:
            problems.append(f"line {number}: {setting.group(1)} outside of a [name]")
        else:
            key, value = setting.groups()
            if key in _PARAMETERS and value.startswith(_QUOTES):
                value, closed = _block(value[len(_QUOTES) :], lines)
                if not closed:
                    problems.append(f"line {number}: {_QUOTES} is never closed")
            sections[-1][1].append((key, value))
    names = _unique([name for name, _, _ in sections])
    return Config(
        tuple(Section(name, tuple(v), line) for name, (_, v, line) in zip(names, sections, strict=True)),
        tuple(problems),
    )


def _block(first: str, lines: Iterator[tuple[int, str]]) -> tuple[str, bool]:
    """The text up to the closing quotes; a backslash at the end of a line joins it with the next."""
    parts = [first]
    for _, line in lines:
        text = line.rstrip()
        closed = text.endswith(_QUOTES)
        parts.append(text[: -len(_QUOTES)] if closed else text)
        if closed:
            return _joined(parts), True
    return _joined(parts), False


def _joined(parts: Sequence[str]) -> str:
    text = ""
    for part in parts:
        slashes = len(text) - len(text.rstrip("\\"))
        text = text[:-1] + part if slashes % 2 else f"{text}\n{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Here:
    """What a test meets: the suite's name and directory of images, the guest's number of CPUs ($MAX_SMP), the time in
    seconds since 1970 (`date +%s`), the architecture, and whether tests of the group nodefault are wanted."""

    suite: str
    directory: Path
    max_smp: int
    now: int
    nodefault: bool = False
    arch: str = "x86_64"


def tests_of(config: Config, here: Here) -> tuple[Test, ...]:
    """The sections as tests. Tests of another architecture or accelerator, and those that are not built or not
    understood, carry the reason."""
    return tuple(_test(section, here) for section in config.sections)


def _test(section: Section, here: Here) -> Test:
    groups = frozenset(section.get("groups").replace(",", " ").split())
    test = Test(suite=here.suite, name=printable(section.name)[:100], path=None, timeout=DEFAULT_TIMEOUT, groups=groups)
    try:
        smp, topology = _smp(section.get("smp"), here.max_smp)
        parameters = section.get("qemu_params") or section.get("extra_params")
        test = replace(
            test,
            timeout=_timeout(section.get("timeout")),
            args=(" ".join(_words(section.get("test_args"), here.now)),) if section.get("test_args") else (),
            qemu_args=(*_words(parameters, here.now), *topology),
            smp=smp,
            accel=section.get("accel"),
            check=tuple(_words(section.get("check"), here.now)),
        )
    except ValueError as error:
        return replace(test, why_skip=f"unittests.cfg line {section.line}: {printable(str(error))[:200]}")
    reason = _why_skip(section, test, here)
    if reason:
        return replace(test, why_skip=reason)
    file = section.get("file")
    if not file or Path(file).is_absolute() or ".." in Path(file).parts:
        return replace(test, why_skip=f"unittests.cfg line {section.line}: no usable `file`")
    image = here.directory / file
    if not image.is_file():
        return replace(test, why_not_built=f"{printable(file)[:100]} was not built")
    return replace(test, path=image)


def _why_skip(section: Section, test: Test, here: Here) -> str:
    wanted = section.get("arch")
    if wanted and wanted != here.arch:
        return f"{printable(wanted)[:40]} only"
    if "nodefault" in test.groups and not here.nodefault:
        return "marked to be run by hand only (group nodefault)"
    if "migration" in test.groups:
        return "needs a migration, which kpt does not do"
    if test.accel and test.accel != "kvm":
        return f"needs accelerator {printable(test.accel)[:40]}"
    if section.get("disabled_if"):
        return f"has a condition in shell: {printable(section.get('disabled_if'))[:100]}"
    bad = next((check for check in test.check if not re.match(r"/[^=]+=", check)), None)
    return f"has a check that is not PATH=VALUE: {printable(bad)[:100]}" if bad is not None else ""


def _words(text: str, now: int) -> Sequence[str]:
    """Split as the shell does, without doing what a shell could do."""
    text = text.replace(_DATE, str(now)).replace("$(date +%s)", str(now))
    if "`" in text or "$" in text:
        raise ValueError(f"needs a shell: {text}")
    return shlex.split(text)


def _smp(text: str, max_smp: int) -> tuple[int, tuple[str, ...]]:
    """The number of CPUs, and QEMU arguments for a topology behind it ("4,sockets=2")."""
    count, comma, topology = (text or "1").partition(",")
    value = evaluate(count, {"MAX_SMP": max_smp})
    if not 1 <= value <= MAX_CPUS:
        raise ValueError(f"{value} CPUs")
    if comma and not re.fullmatch(r"[\w,=-]+", topology):
        raise ValueError(f"smp: {text}")
    return value, ("-smp", f"{value},{topology}") if comma else ()


def _timeout(text: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise ValueError(f"timeout: {text}")
    return float(match.group(1)) * _UNITS[match.group(2)] or NO_TIMEOUT


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return result
