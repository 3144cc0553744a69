"""Errors and warnings read from the output of make.

The log is read as groups: with `make --output-sync` the lines of one recipe stand together below its line of progress
("  CC      arch/x86/kvm/mmu.o"), so that whatever the compiler says there belongs to that object. Kernel builds print
paths absolute, relative to the object directory or relative to the source; all become relative to the source tree.

The forms of the lines are those of gcc and clang ("file:line:column: error: ..."), GNU as ("file:line: Error: ..."),
GNU ld, modpost (scripts/mod/modpost.c), objtool (tools/objtool/warn.h), Kconfig (scripts/kconfig) and GNU make.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from kpatch_tool.kbuild.model import Diagnostic
from kpatch_tool.system import process

OTHER_UNIT = ""
KCONFIG = "Kconfig"  # the unit of what is said of the configuration


@dataclass(frozen=True, slots=True)
class Unit:
    """What one recipe said. `name` is its target ("arch/x86/kvm/mmu.o"), OTHER_UNIT for lines outside any recipe."""

    name: str
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Roots:
    """The absolute directories of the sources and of the objects, as make printed them."""

    source: str
    objects: str


@dataclass(frozen=True, slots=True)
class _Form:
    """How a kind of line looks: named groups file, line, target, message, option (all but message may be absent)."""

    pattern: re.Pattern[str]
    error: bool
    last_resort: bool = False  # an error that only repeats that another one happened
    kconfig: bool = False  # Kconfig says it, below whatever line of progress: its own recipe has none


def _form(pattern: str, *, error: bool, last_resort: bool = False, kconfig: bool = False) -> _Form:
    return _Form(re.compile(pattern), error, last_resort, kconfig)


_PLACE = r"(?P<file>[^\s:][^:\n]*):(?P<line>\d{1,9}):(?:\d+:)?"
_OPTION = r"(?:\s\[(?P<option>-W[^\]]+)\])?$"
_LD = r"(?:\S*[/-])?ld(?:\.\w+)?(?:-[\d.]+)?: "

# The first form that matches a line decides.
_FORMS: tuple[_Form, ...] = (
    _form(rf"^{_PLACE} (?:fatal )?error: (?P<message>.*?){_OPTION}", error=True),
    _form(rf"^{_PLACE} internal compiler error: (?P<message>.*)$", error=True),
    _form(rf"^{_PLACE} warning: (?P<message>.*?){_OPTION}", error=False),
    _form(r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d{1,9}): (?:Fatal e|E)rror: (?P<message>.*)$", error=True),
    _form(r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d{1,9}): Warning: (?P<message>.*)$", error=False),
    # gcc's "error: ..." without a place: bad options, plugins
    _form(r"^(?:gcc|cc1|clang|cc)(?:-[\d.]+)?: (?:fatal )?error: (?P<message>.*)$", error=True),
    _form(r"^cc1: (?P<message>(?:all|some) warnings being treated as errors)$", error=True, last_resort=True),
    _form(rf"^(?:cc1|clang): warning: (?P<message>.*?){_OPTION}", error=False),
    # Kconfig (symbol.c), before Linux 4.20 in one line
    _form(r"^WARNING: (?P<message>unmet direct dependencies detected for .*)$", error=False, kconfig=True),
    _form(
        r"^warning: (?P<message>\(.* selects \S+ which has unmet direct dependencies .*)$", error=False, kconfig=True
    ),
    # modpost: ERROR: modpost: "symbol" [module.ko] undefined!  (before 5.7: ERROR: "symbol" [module.ko] undefined!)
    _form(r"^ERROR: (?:modpost: )?(?P<message>\"[^\"]+\" \[(?P<file>[^\]]+)\] undefined!)$", error=True),
    _form(r"^(?:ERROR|FATAL): (?:modpost: )?(?P<message>.*)$", error=True),
    _form(r"^WARNING: (?:modpost: )?(?P<file>[\w./-]+\.(?:o|ko)): (?P<message>.*)$", error=False),
    _form(r"^WARNING: (?:modpost: )?(?P<message>.*)$", error=False),
    _form(r"^(?P<file>[\w./-]+\.o): error: objtool: (?P<message>.*)$", error=True),
    _form(r"^(?P<file>[\w./-]+\.o): warning: objtool: (?P<message>.*)$", error=False),
    # ld (its %C): an object, its source, and a line where there is debug information, else a section. Below "in
    # function" the object is left out, and the source of one linked of others (built-in.o of Linux 3.15) is not known.
    _form(
        rf"^(?:{_LD})?(?=\S)(?:[^\s:()]+\.[oa]:)??(?:(?P<file>[^\s:()]*\.\w+):)?(?:(?P<line>\d{{1,9}}):|\([^)]*\):)?"
        r" (?P<message>(?:undefined reference|multiple definition|relocation) .*)$",
        error=True,
    ),
    _form(rf"^{_LD}warning: (?P<message>.*)$", error=False),
    _form(rf"^{_LD}(?P<message>final link failed.*)$", error=True, last_resort=True),
    _form(rf"^{_LD}error: (?P<message>.*)$", error=True),
    # The rest are its own words and those of ASSERT in a linker script; a NOTE goes with a warning.
    _form(rf"^{_LD}(?!NOTE: |skipping |.*: (?:in function |warning: ))(?P<message>.*)$", error=True),
    # Kconfig: file:line:warning: / file:line: syntax error / error: recursive dependency detected!
    _form(
        r"^(?P<file>[^\s:]*Kconfig[^\s:]*):(?P<line>\d{1,9}):\s?warning: (?P<message>.*)$", error=False, kconfig=True
    ),
    _form(
        r"^(?P<file>[^\s:]*Kconfig[^\s:]*):(?P<line>\d{1,9}):\s?(?:error: )?"
        r"(?P<message>.*(?:error|unknown|invalid|unexpected|recursive|can't open).*)$",
        error=True,
        kconfig=True,
    ),
    # make: a rule it has no way to run is a root cause; "Error 2" is not
    _form(r"^make(?:\[\d+\])?: \*\*\* (?P<message>No rule to make target .*?)(?:\.  Stop\.)?$", error=True),
    _form(r"^(?P<file>[^\s:]+):(?P<line>\d{1,9}): \*\*\* (?P<message>.*?)(?:\.  Stop\.)?$", error=True),
    _form(
        r"^make(?:\[\d+\])?: \*\*\* \[(?:(?P<file>[^\s:\]]+):(?P<line>\d{1,9}): )?(?P<target>[^\]]*)\] "
        r"(?P<message>.*)$",
        error=True,
        last_resort=True,
    ),
)

# Lines of progress: "  CC [M]  path", "  LD      path"; make V=0 prints two blanks, a word, an optional [M].
_PROGRESS = re.compile(r"^  (?P<what>[A-Z][A-Z0-9_+-]{1,9})(?: \[[MUS]\])?\s+(?P<target>\S+)")
_ENTERS = re.compile(r"^make(?:\[\d+\])?: (?:Entering|Leaving) directory ")

# A script of the tree's: sources have relative paths or are below a directory of kpt's.
_SCRIPT = r"(?:[^/\s:]+/|/\S*/(?:scripts|tools|arch)/)\S*"
# Signs that the machine, not the kernel, made the build fail.
_INFRA: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        *process.DISK_FULL,
        r"Input/output error",
        r"Cannot allocate memory",
        r"virtual memory exhausted",
        r"Too many open files",
        r"Resource temporarily unavailable",
        r"fatal error: Killed signal terminated program",
        r"internal compiler error: (?:Killed|Segmentation fault|Bus error|Illegal instruction)\b.*\(program",
        r"\*\*\* .* (?:Killed|Terminated|Hangup|Interrupt|Bus error)$",
        # The same of a program below the shell that runs a recipe: what dash, bash and make say of it (128 + SIGKILL,
        # SIGTERM), and gcc of its linker.
        r"^Killed$",
        r": line \d+: +\d+ Killed\b",
        r"\*\*\* .*\] Error (?:137|143)$",
        r"terminated with signal 9 \[Killed\]",
        # What a script of the tree's calls may be its own mistake; a script that is not there is none of the machine's.
        rf"^(?!{_SCRIPT}: line \d+: ).*(?:command|program) not found$",
        rf": (?!{_SCRIPT}: not found$)\S+: not found$",
    )
)

# What compilers show of the source below a message: "   12 |  code"; gcc before version 9 " code"; clang before version
# 17 the bare line, which only the mark below it tells, or that it is the preprocessor's.
_SHOWN = re.compile(r"\s|\d+ \||#")
_MARK = re.compile(r"[\s~]*\^[\s~^]*$")
# What is said of a place in the source, in its words or not: errors and warnings, `$(error ...)` of a Makefile. A fatal
# error may be the machine's (the output cannot be written), but not #error and its like under -Wfatal-errors.
_SAID = re.compile(
    r"[^\s:]+:\d+:(?: \*\*\* | (?:Error|Warning): |(?:\d+:)? (?:(?:warning|note|error): |"
    r"fatal error: (?:#(?:error|warning)\b|static assertion failed|call to .* declared with attribute)))"
)


def infra_reason(log: bytes) -> str | None:
    """The line that shows a failed build to be this machine's fault (disk full, compiler killed), or None. Lines of the
    source that a compiler shows are none, nor is what it says in the source's words: kernels print "Cannot allocate
    memory", too."""
    for line, below in pairwise([*_lines(log), ""]):
        said_of_source = _SHOWN.match(line) or _SAID.match(line) or _MARK.match(below)
        if not said_of_source and any(pattern.search(line) for pattern in _INFRA):
            return line.strip()
    return None


def read(log: bytes, roots: Roots, *, configuring: bool = False) -> tuple[Unit, ...]:
    """What each recipe of a build said, in the order of the log.

    Units that said nothing are there too: their objects were made again and no longer warn. Within a unit every
    diagnostic stands once. Messages are text for a person, with quotation marks made plain, so that a locale does not
    change their identity.

    In the log of a configuration (`configuring`) all that does not come with a program of the host's is the unit
    KCONFIG's, which is always there. Other logs have none: make may ask Kconfig again, and is told the same.
    """
    outside = KCONFIG if configuring else OTHER_UNIT
    collected: dict[str, tuple[list[Diagnostic], list[Diagnostic]]] = {KCONFIG: ([], [])} if configuring else {}
    name = outside
    for line in _lines(log):
        progress = _PROGRESS.match(line)
        if progress is not None:
            hosts = progress["what"].startswith("HOST")
            name = _inside(progress["target"], roots) if hosts or not configuring else outside
            collected.setdefault(name, ([], []))
            continue
        if _ENTERS.match(line):
            continue
        found = _diagnostic(line, roots)
        if found is None:
            continue
        form, diagnostic = found
        if form.kconfig and not configuring:
            continue
        errors, warnings = collected.setdefault(KCONFIG if form.kconfig else name, ([], []))
        into = errors if form.error else warnings
        if diagnostic not in into:
            into.append(diagnostic)
    return tuple(Unit(unit, tuple(errors), tuple(warnings)) for unit, (errors, warnings) in collected.items())


def root_causes(log: bytes, roots: Roots) -> tuple[Diagnostic, ...]:
    """The errors of a failed build, root cause first; those that only tell of another ("Error 2") come only when there
    is nothing better. Where modpost ends for section mismatches (CONFIG_SECTION_MISMATCH_WARN_ONLY=n), which it calls
    warnings, these are the errors."""
    real: dict[Diagnostic, None] = {}
    echoes: dict[Diagnostic, None] = {}
    mismatches: dict[Diagnostic, None] = {}
    for line in _lines(log):
        found = _diagnostic(line, roots)
        if found is None:
            continue
        if _MISMATCH in found[1].message:
            mismatches[found[1]] = None
        elif found[1].message.startswith(_MISMATCHES):
            real |= mismatches or {found[1]: None}
        elif found[0].error:
            (echoes if found[0].last_resort else real)[found[1]] = None
    return tuple(real) or tuple(echoes)[:1]


def unique(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each diagnostic once: a header's warning is repeated by every file that includes it."""
    return tuple(dict.fromkeys(diagnostics))


def _lines(log: bytes) -> Iterator[str]:
    """The lines as make printed them: what a compiler shows of the source may hold form feeds and the like."""
    return (line.removesuffix(b"\r").decode("utf-8", "replace") for line in log.removesuffix(b"\n").split(b"\n"))


def _diagnostic(line: str, roots: Roots) -> tuple[_Form, Diagnostic] | None:
    for form in _FORMS:
        match = form.pattern.match(line)
        if match is None:
            continue
        parts = match.groupdict()
        return form, Diagnostic(
            file=_inside(parts.get("file") or "", roots),
            line=int(parts.get("line") or 0),
            message=_plain(": ".join(filter(None, (parts.get("target"), parts["message"])))),
            option="" if form.error else parts.get("option") or "",
            echo=form.last_resort,
        )
    return None


_MISMATCH, _MISMATCHES = "ection mismatch in reference", "Section mismatches detected."
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "`": "'"})


def _plain(message: str) -> str:
    return message.translate(_QUOTES).strip()


def _inside(path: str, roots: Roots) -> str:
    """`path` relative to the source tree, or to the object directory for what make generates there."""
    if not path or path.startswith("<"):
        return path
    place = posixpath.normpath(f"{roots.objects}/{path}") if path.startswith("../") else path
    for root in (roots.source, roots.objects):
        if place.startswith(root + "/"):
            return _normal(place[len(root) + 1 :])
    return _normal(path) if not path.startswith("/") else path


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
