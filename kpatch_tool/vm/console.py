"""Reads a kernel's console: panics, oopses, BUGs, warnings, lockups and stalls, each with its trace. Pure.

The wordings are those of lib/bug.c, kernel/panic.c, arch/x86/mm/fault.c, arch/x86/kernel/{traps,dumpstack}.c,
kernel/watchdog.c and kernel/rcu/, from 3.15 on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_TRACE_LINES = 120
MAX_TRACES = 50
MAX_LINE = 1000


class TraceKind(StrEnum):
    """What the kernel complained about."""

    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    WARNING = "warning"
    LOCKUP = "lockup"
    STALL = "stall"


FATAL = frozenset({TraceKind.PANIC, TraceKind.OOPS, TraceKind.BUG})

# The first that matches a line counts, so that "BUG: soft lockup" is no mere BUG.
_STARTS: tuple[tuple[TraceKind, re.Pattern[str]], ...] = (
    (TraceKind.LOCKUP, re.compile(r"BUG: (soft lockup|workqueue lockup)|NMI watchdog: .*LOCKUP|hard LOCKUP")),
    (TraceKind.STALL, re.compile(r"INFO: rcu\w* .*(detected|stall)|INFO: task .* blocked for more than")),
    (TraceKind.PANIC, re.compile(r"^Kernel panic - not syncing|PANIC: (double fault|early exception)")),
    (TraceKind.BUG, re.compile(r"^kernel BUG at ")),
    (
        TraceKind.OOPS,
        re.compile(
            r"^BUG: (unable to handle|kernel NULL pointer|unable to handle page fault)"
            r"|^Oops: |: [0-9a-f]{4} \[#\d+\]|^general protection fault|^stack segment: "
        ),
    ),
    (
        TraceKind.WARNING,
        re.compile(
            r"^WARNING: |^BUG: |^UBSAN: |^INFO: (possible|trying to register) "
            r"|^\[ (BUG|INFO): .* \]$"  # lockdep's, before 4.12
            r"|^BUG \S.* \((Not tainted|Tainted: )|^slab error in |: Slab cache still has objects$"
            r"|^unchecked MSR access error: |^sysfs: cannot create duplicate filename|^kmemleak: \d+ new suspected"
        ),
    ),
)
# Complaints of a moment and not of a place, by the words that tell them: a machine with too much to do has them, too.
_MOMENTS = (("soft lockup", "soft lockup"), ("workqueue lockup", "workqueue lockup"), ("LOCKUP", "hard lockup"),
            ("blocked for more than", "hung task"), ("", "RCU stall"))  # fmt: skip
MOMENTS = frozenset(name for _, name in _MOMENTS)
_OF_A_MOMENT = frozenset({TraceKind.LOCKUP, TraceKind.STALL})
# The line of WARN(), in __warn() of kernel/panic.c. A process may have any name.
_WARNED = (
    # 3.15 to 6.18: "WARNING: CPU: 1 PID: 74 at arch/x86/kvm/svm.c:1059 svm_adjust_tsc_offset+0x23/0x68 [kvm_amd]()"
    re.compile(r"^WARNING: CPU: \d+ PID: \d+ at "),
    # from 6.19 on: "WARNING: arch/x86/kvm/svm/svm.c:1059 at svm_exit+0x23/0x68 [kvm_amd], CPU#1: qemu-system-x86/74"
    re.compile(r"^WARNING: (?:.+:\d+ )?at .+, CPU#\d+: .*/\d+$"),
)
# "BUG: scheduling while atomic: qemu/74/0x00000002", "BUG kmalloc-64 (Tainted: G        W  ): Redzone overwritten"
_CHANGING = re.compile(
    r"CPU: \d+ PID: \d+ |, CPU#\d+: .*/\d+$|(?<=\.[chS]):\d+(?::\d+)?|\+0x[0-9a-f]+/0x[0-9a-f]+|\(\)$| \[#\d+\]"
    r"|\b(?:0x)?[0-9a-f]{8,16}\b|(?<=kworker/)[u\d]\d*:[^\s/]+|(?<=/)\d+(?=[/ !]|$)|(?<=CPU#)\d+"
    r"|(?<=pfn:)[0-9a-f]+|(?<=val:)-?\d+|(?<=kmemleak: )\d+|(?<=: )-?\d+$| \((?:Not tainted|Tainted: [^)]*)\)"
)
# "RIP: 0010:svm_exit+0x5/0x16 [kvm_amd]"; before 4.10 "RIP: 0010:[<ffffffffa0006a3c>]  [<ffffffffa0006a3c>] svm_..."
# and "IP: [<ffffffffa0006a3c>] svm_...". What gcc puts behind a function's name (".isra.0") is not the same for long.
_PLACE = re.compile(
    r"^R?IP: (?:[0-9a-f]{4}:)?(?:\[<[0-9a-f]+>\] *)*([A-Za-z_]\w*)(?:\.[\w.]*)?\+0x[0-9a-f]+/0x[0-9a-f]+( \[\w+\])?"
)
# What says which of its kind a complaint is, below its first line: lockdep's and RCU's (kernel/locking/lockdep.c), and
# lib/smp_processor_id.c's.
_TOLD_BELOW = (
    (re.compile(r"suspicious RCU usage"), re.compile(r"^(\S+\.[ch]):\d+ (?=suspicious )")),
    (
        re.compile(r"locking|lock state|lock inversion|lock order"),
        re.compile(r"\((&?[\w>.\[\]*/#():-]+)\)\{.*, at: .*?([A-Za-z_]\w*)\+0x"),
    ),
    (re.compile(r"unlock balance"), re.compile(r"release lock \(([^)]+)\) at:")),
    (re.compile(r"using (?:smp_processor_id|__this_cpu)"), re.compile(r"^caller is (?:\[<[0-9a-f]+>\] *)?(\w+)")),
)
_SLEEPING = "BUG: sleeping function called from invalid context"
_FRAME = re.compile(r"^ +(?:\[<[0-9a-f]+>\] *)?([A-Za-z_]\w*)(?:\.[\w.]*)?\+0x[0-9a-f]+/0x[0-9a-f]+")
# What stands between the function that must not sleep and the complaint of it.
_SLEEPS = re.compile(
    r"dump_stack|show_(?:stack|trace)|_*might_|_*(?:mutex|down|up|rt)_|_*k[mvz]\w*alloc|kmem_cache_|slab_"
)
_NO_ADDRESS = re.compile(r"(?:,| for) address: *$|:? at +(?:\(null\))?$")
_END = re.compile(r"---\[ end (trace|Kernel panic)")
_CUT = "------------[ cut here ]------------"
_MAX_MESSAGE = 4  # lines between that mark and the warning's own
_BEHIND = ("Modules linked in:", "CPU: ", "Pid: ", " ", "---")
_STAMP = re.compile(r"^(<\d>)?(\[ *\d+\.\d{6}\](\[ *[TC]\d+\])? )?")


@dataclass(frozen=True, slots=True)
class Trace:
    """A complaint of the kernel: its first line, all its lines, and the offset in bytes of its first line."""

    kind: TraceKind
    title: str
    text: str
    offset: int

    @property
    def fatal(self) -> bool:
        return self.kind in FATAL

    @property
    def place(self) -> str:
        """The function in which a fatal complaint arose ("svm_exit [kvm_amd]"), or what else says below the first line
        which one of its kind this is (a file, a lock and a function); empty where nothing does."""
        lines = self.text.splitlines()
        if self.fatal:
            return next((match[1] + (match[2] or "") for match in map(_PLACE.match, lines) if match), "")
        if self.title.startswith(_SLEEPING):
            frames = [match[1] for match in map(_FRAME.match, lines) if match]
            return next((name for name in frames if not _SLEEPS.match(name)), "")
        told = next((below for title, below in _TOLD_BELOW if title.search(self.title)), None)
        found = None if told is None else next(filter(None, map(told.search, lines)), None)
        return " ".join(found.groups()) if found else ""

    @property
    def message(self) -> str:
        """What WARN() was given to say ("refcount_t: underflow; use-after-free."): before the line of the warning, or
        behind it up to 4.14. Empty where it said nothing."""
        if not _is_of_warn(self.title):
            return ""
        before, _, behind = self.text.partition(self.title.rstrip())
        after = [line for line in behind.split("\n")[1:2] if not line.startswith(_BEHIND)]
        return " ".join(before.split("\n")[1:-1] or after)

    @property
    def said(self) -> str:
        """The first line, and the message."""
        return f"{self.title}: {self.message}" if self.message else self.title

    @property
    def headline(self) -> str:
        """The first line, and the message, or the place."""
        return f"{self.said} in {self.place}" if self.place else self.said

    @property
    def identity(self) -> str:
        """The first line without what differs from run to run and from state to state: processor, process, line of the
        file, addresses; and the place. A lockup or stall is one of MOMENTS."""
        if self.kind in _OF_A_MOMENT:
            return next(name for words, name in _MOMENTS if words in self.title)
        said = _NO_ADDRESS.sub("", _CHANGING.sub("", self.title))
        return f"{said} in {self.place}" if self.place else said


def printable(raw: bytes) -> str:
    """A console line as text: no time stamp, no control characters, at most 1000 characters."""
    text = raw[: MAX_LINE * 4].decode("utf-8", "replace").rstrip("\r\n")
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return _STAMP.sub("", text)[:MAX_LINE]


def kind_of(line: str) -> TraceKind | None:
    """What a line (without time stamp) begins, if anything."""
    return next((kind for kind, pattern in _STARTS if pattern.search(line)), None)


def _is_of_warn(line: str) -> bool:
    return any(form.match(line) for form in _WARNED)


def find_traces(console: bytes) -> tuple[Trace, ...]:
    """The complaints in a console, in order; a panic that follows from an oops or BUG is part of that one."""
    found: list[_Growing] = []
    offset = 0
    cut: tuple[int, list[str]] | None = None  # the mark, and what a warning says between it and its line
    for raw in console.split(b"\n"):
        line = printable(raw)
        here, offset = offset, offset + len(raw) + 1
        if line == _CUT:
            cut = (here, [line])
            if found:
                found[-1].open = False
            continue
        kind = kind_of(line) if line else None
        current = found[-1] if found else None
        if kind is not None and not (current is not None and current.continued_by(kind, line)):
            new = _Growing(kind, line, cut, here if cut is None else cut[0])
            if len(found) < MAX_TRACES or _made_room(found, new):
                found.append(new)
            else:
                found[-1].open = False
        elif kind is None and cut is not None and len(cut[1]) <= _MAX_MESSAGE:
            cut[1].append(line)
            continue
        elif current is not None:
            current.add(line, follows=kind is not None)
        cut = None
    return tuple(growing.trace() for growing in found)


def _made_room(found: list[_Growing], new: _Growing) -> bool:
    """Whether `new`, one more than are kept, took another's place: what was not said before that of the last that only
    says something again, and what is fatal that of the last in any case."""
    fatal = new.kind in FATAL
    said = [one.said for one in found]
    if new.said in said and not fatal:
        return False
    again = (at for at in range(len(found) - 1, 0, -1) if found[at].kind not in FATAL and said[at] in said[:at])
    place = next(again, len(found) - 1 if fatal else None)
    if place is not None:
        del found[place]
    return place is not None


class _Growing:
    """A trace while its lines come in."""

    def __init__(self, kind: TraceKind, line: str, cut: tuple[int, list[str]] | None, offset: int) -> None:
        self.kind = kind
        self.title = line
        self.said = Trace(kind, line, "", 0).identity
        self.lines = [line] if cut is None else [*cut[1], line]
        self.open = True
        self.offset = offset

    def continued_by(self, kind: TraceKind, line: str) -> bool:
        """The `Oops:` line, or the panic after it, of a fatal complaint is no complaint of its own; nor is what WARN()
        says right below its line (up to 4.14)."""
        below = _is_of_warn(self.title) and self.lines[-1] == self.title
        said = below and kind is TraceKind.WARNING and not line.startswith(("WARNING: ", "BUG: ", "UBSAN: ", "[ "))
        return (self.kind in FATAL and kind in FATAL) or said

    def add(self, line: str, *, follows: bool) -> None:
        self.open = self.open or follows
        if not self.open or len(self.lines) >= MAX_TRACE_LINES:
            return
        self.lines.append(line)
        if _END.search(line):
            self.open = False

    def trace(self) -> Trace:
        return Trace(self.kind, self.title, "\n".join(self.lines).rstrip(), self.offset)
