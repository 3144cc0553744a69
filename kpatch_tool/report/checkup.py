"""What `kpt doctor` found: for a terminal, and as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpatch_tool.doctor import Checkup, Finding
from kpatch_tool.report.table import print_trimmed
from kpatch_tool.text import printable

if TYPE_CHECKING:
    from rich.console import Console


def document(checkup: Checkup) -> dict[str, object]:
    """The JSON document: tools, machine, the packages that are missing and the command that brings them."""
    machine = checkup.machine
    return {
        "well": checkup.well,
        "tools": [_tool(found) for found in checkup.findings],
        "machine": {
            "cores": machine.cores,
            "memory_gb": round(machine.memory_gb, 1),
            "free_gb": round(machine.free_gb, 1),
            "needed_free_gb": machine.needed_free_gb,
            "kvm": machine.kvm,
            "sandbox": machine.sandbox,
            "short_of": list(machine.short_of),
        },
        "missing_packages": list(checkup.packages),
        "install": list(checkup.install),
    }


def show(checkup: Checkup, console: Console) -> None:
    """Print the table of tools, the machine, and what to do."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("tool", "here", "used for", "Debian package"):
        table.add_column(heading, overflow="fold")
    for found in checkup.findings:
        style = "" if found.there else ("bold red" if found.tool.required else "dim")
        cells = (found.tool.name, state(found), found.tool.why, found.tool.package)
        table.add_row(*(Text(printable(cell), style=style) for cell in cells))
    print_trimmed(console, table)
    for line in ("", *machine_lines(checkup), "", *advice_lines(checkup)):
        console.print(Text(line), soft_wrap=True)


def state(found: Finding) -> str:
    """One cell: the version, "yes" where there is none to tell, or what its absence means."""
    if found.there:
        return found.version or "yes"
    return "MISSING" if found.tool.required else "no (optional)"


def machine_lines(checkup: Checkup) -> tuple[str, ...]:
    """The machine in a few lines, with what there is too little of."""
    machine = checkup.machine
    sizes = f"{machine.cores} processors, {machine.memory_gb:.0f} GB of memory, {machine.free_gb:.0f} GB of disk free"
    about = (f"/dev/kvm: {machine.kvm}", f"sandbox for builds: {machine.sandbox}")
    return (sizes, *about, *(f"note: {lack}" for lack in machine.short_of))


def advice_lines(checkup: Checkup) -> tuple[str, ...]:
    """What to do now."""
    if checkup.well:
        return ("All that kpt needs is here.",)
    if not checkup.install:
        return ("Missing; install what your system calls: " + " ".join(checkup.packages),)
    return ("To bring what is missing (or let `kpt doctor --install` do it):", "  " + " ".join(checkup.install))


def _tool(found: Finding) -> dict[str, object]:
    return {
        "name": found.tool.name,
        "there": found.there,
        "required": found.tool.required,
        "version": found.version,
        "path": None if found.place is None else str(found.place),
        "package": found.tool.package,
        "commands": sorted(found.tool.commands),
        "why": found.tool.why,
    }
