"""The two roots of errors: what the user gave, and the machine kpt runs on.

A finding about a series (conflict, build failure, regression) is a value, never one of these. The exit status that
each of them stands for is here, too.
"""

from __future__ import annotations

from typing import ClassVar

FINDING, INPUT, MACHINE = 1, 2, 3  # exit statuses; 0: all well


def exit_status(*, findings: bool, incomplete: bool = False) -> int:
    """The exit status of a command that came to its end.

    `incomplete`: this machine could not do all of it. That is MACHINE whatever else was found, for there may be more to
    find: run again, the command may blame another patch.
    """
    return MACHINE if incomplete else FINDING if findings else 0


class KptError(Exception):
    """One line for the user: what went wrong, where, and what to do about it."""

    exit_status: ClassVar[int] = MACHINE

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        self.what = what
        self.where = where
        self.todo = todo
        super().__init__(self.line())

    def line(self) -> str:
        """The message as shown on a terminal, without a newline."""
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.todo}" if self.todo else ""
        return f"{place}{self.what}{advice}"


class InputError(KptError):
    """The user's input cannot be used (exit status 2)."""

    exit_status = INPUT


class MachineError(KptError):
    """This machine cannot do it: a tool is missing, the disk is full, the VM does not start (exit status 3)."""

    exit_status = MACHINE
