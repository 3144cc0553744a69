"""Reads x86/unittests.cfg of kvm-unit-tests. Pure.

The rules are those of its scripts/common.bash (for_each_unittest) and scripts/runtime.bash (run), and so are the
reasons for a skip, word for word. Names of keys changed over time: extra_params became qemu_params; test_args was once
an `-append` among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpatch_tool.suites.model import Test
from kpatch_tool.suites.words import split
from kpatch_tool.system.sandbox import plain
from kpatch_tool.text import printable
from kpatch_tool.vm.wire import NOW

ARCH = "x86_64"
DEFAULT_TIMEOUT = "90s"
NO_TIMEOUT = 3600.0  # `timeout = 0` means none; a run must come to its end all the same
_LONGEST = 24 * 3600.0
_LONGEST_NAME = 100
_MOST_WORDS, _MOST_CHECKS = 300, 100  # of an entry: with what kpt adds they are fewer than vm.wire.MOST_FIELDS
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}  # of timeout(1)
_PARAMETERS = ("qemu_params", "extra_params")  # two names of one thing; the last line counts
# What a `machine` other than the default means is x86/run's business, which does not look at it.
_KEYS = frozenset(
    {*_PARAMETERS, "file", "smp", "test_args", "groups", "arch", "machine", "check", "accel", "timeout", "disabled_if"}
)
_OTHERS = frozenset({"kvmtool_params"})  # for another program than QEMU
_KEY = re.compile(r"(\w+) *= *(.*)")
_SECTION = re.compile(r"\[(.*)\]")
_QUOTES = '"""'
_DATE = "date +%s"  # upstream's shell asks when it starts the test, and kvmclock_test allows five seconds


@dataclass(frozen=True, slots=True)
class Section:
    """One [name] of the file, made printable and unique: key -> value (the last one of a key counts), its line."""

    name: str
    values: tuple[tuple[str, str], ...]
    line: int

    def get(self, key: str, default: str = "") -> str:
        return dict(self.values).get(key, default)

    def has(self, key: str) -> bool:
        return any(key == name for name, _ in self.values)


@dataclass(frozen=True, slots=True)
class Config:
    """The sections in order, and sentences about what was not understood."""

    sections: tuple[Section, ...]
    problems: tuple[str, ...]


def parse(text: str) -> Config:
    """Read the text of a unittests.cfg. Lines that make no sense are problems, never an exception."""
    sections: list[tuple[str, list[tuple[str, str]], int]] = []
    problems = []
    *whole, rest = text.split("\n")
    lines = iter(enumerate((line.replace("\0", "") for line in whole), 1))  # as bash reads them
    for number, raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        section, setting = _SECTION.fullmatch(line), _KEY.fullmatch(line)
        if section is not None:
            sections.append((section.group(1).strip(), [], number))
        elif setting is None:
            problems.append(f"line {number}: neither [name] nor key = value: {printable(line)[:80]}")
        elif setting.group(1) in _OTHERS:
            continue
        elif setting.group(1) not in _KEYS:
            problems.append(f"line {number}: unknown key {printable(setting.group(1))[:80]}")
        elif not sections:
            problems.append(f"line {number}: {setting.group(1)} outside of a [name]")
        else:
            key, value = setting.groups()
            if key in _PARAMETERS:
                key = _PARAMETERS[0]
                if value.startswith(_QUOTES):
                    value, closed = _block(value[len(_QUOTES) :], lines)
                    if not closed:
                        problems.append(f"line {number}: {_QUOTES} is never closed")
            sections[-1][1].append((key, value))
    if rest.strip():  # bash's `read` fails on it
        problems.append(f"line {len(whole) + 1}: has no newline at its end, so that kvm-unit-tests does not read it")
    names = _unique([printable(name)[:_LONGEST_NAME] for name, _, _ in sections])
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
    """What a test meets: the suite's name and directory of images, the number of CPUs ($MAX_SMP), whether tests of the
    group nodefault are wanted, the accelerator and the architecture."""

    suite: str
    directory: Path
    max_smp: int
    nodefault: bool = False
    accel: str = "kvm"
    arch: str = ARCH


def tests_of(config: Config, here: Here) -> tuple[Test, ...]:
    """The sections as tests. Tests of another architecture or accelerator, and those that are not built or not
    understood, carry the reason."""
    return tuple(_test(section, here) for section in config.sections)


def _test(section: Section, here: Here) -> Test:
    duration = section.get("timeout") or DEFAULT_TIMEOUT
    test = Test(
        suite=here.suite,
        name=section.name,
        path=None,
        timeout=NO_TIMEOUT,
        duration=printable(duration)[:40],
        groups=frozenset(section.get("groups").split(" ")) - {""},
        accel=section.get("accel"),
        check=_checks(section.get("check")),
    )
    reason = _why_skip(section, test, here)
    if reason:
        return replace(test, why_skip=reason)
    try:
        words = split(_line(section), {"MAX_SMP": here.max_smp}, {_DATE: NOW})
        if len(words) > _MOST_WORDS or len(test.check) > _MOST_CHECKS:
            raise ValueError("more words than a guest takes")
        test = replace(test, timeout=_seconds(duration), qemu_args=words)
    except ValueError as error:
        return replace(test, why_skip=f"unittests.cfg line {section.line}: {printable(str(error))[:200]}")
    file = section.get("file")
    if Path(file).is_absolute() or ".." in Path(file).parts:
        return replace(test, why_skip=f"unittests.cfg line {section.line}: no usable `file`")
    image = here.directory / file
    if not file or not plain(here.directory, image):
        # Upstream names it from its top directory; an entry without a file has no name at all.
        shown = f"x86/{printable(file)[:100]}" if section.has("file") else ""
        return replace(test, why_skip=f"Test file '{shown}' not found")
    return replace(test, path=image)


def _why_skip(section: Section, test: Test, here: Here) -> str:
    """Why run() of scripts/runtime.bash would not start the entry; its order and its words."""
    if "pv-host" in test.groups:
        return "no gen-se-header available for pv-host test"
    if "nodefault" in test.groups and not here.nodefault:
        return "test marked as manual run only"
    wanted = section.get("arch")
    if wanted and wanted != here.arch:
        return f"{printable(wanted)[:40]} only"
    if test.accel and test.accel != here.accel:
        return f"{printable(test.accel)[:40]} only, but ACCEL={here.accel}"
    if section.get("disabled_if"):
        return f"has a condition in shell: {printable(section.get('disabled_if'))[:100]}"
    return ""


def _checks(text: str) -> tuple[str, ...]:
    """PATH=VALUE, each; what has no "=" is path and value at once, as upstream's expansions make it."""
    return tuple(word if "=" in word else f"{word}={word}" for word in text.split())


def _line(section: Section) -> str:
    """What stands behind the image on upstream's command line (get_cmdline), before bash splits it.

    Without the key test_args there is no -append: multiboot takes its first word for the program's name.
    """
    append = f"-append {section.get('test_args')}" if section.has("test_args") else ""
    return f"-smp {section.get('smp', '1')} {append} {section.get(_PARAMETERS[0])}"


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhd]?)", text)
    if match is None:
        raise ValueError(f"timeout: {text}")
    return min(float(match.group(1)) * _UNITS[match.group(2)], _LONGEST) or NO_TIMEOUT


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return result
