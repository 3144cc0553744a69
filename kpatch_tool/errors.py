"""The two roots of errors: what the user gave, and the machine kpt runs on.

A finding about a series (conflict, build failure, regression) is a value, never one of these.
"""

from __future__ import annotations

from typing import ClassVar


class KptError(Exception):
    """One line for the user: what went wrong, where, and what to do about it."""

    exit_status: ClassVar[int] = 3

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

    exit_status = 2


class MachineError(KptError):
    """This machine cannot do it: a tool is missing, the disk is full, the VM does not start (exit status 3)."""

    exit_status = 3
