"""A command line into words as bash splits it, as far as unittests.cfg needs one. Pure: nothing is run.

kvm-unit-tests hands the number of CPUs, the arguments and QEMU's parameters of an entry to `eval` as one line. What
only a shell could do with it (other variables and commands, pipes, redirections) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from kpatch_tool.suites.arithmetic import evaluate

_BLANK = " \t"
_OPERATORS = "|&;()<>{}"
_QUOTABLE = '$`"\\\n'  # what a backslash takes the meaning from between double quotes


def split(text: str, numbers: Mapping[str, int], commands: Mapping[str, str]) -> tuple[str, ...]:
    """The words of `text`. `numbers` are the variables it may use, `commands` what the commands it may use print.

    Raises ValueError for what needs a shell, and for a quotation without its end.
    """
    return _Splitter(text, numbers, commands).words()


class _Splitter:
    def __init__(self, text: str, numbers: Mapping[str, int], commands: Mapping[str, str]) -> None:
        self._text = text
        self._at = 0
        self._numbers = numbers
        self._commands = commands

    def words(self) -> tuple[str, ...]:
        found = []
        while (word := self._word()) is not None:
            found.append(word)
        return tuple(found)

    def _word(self) -> str | None:
        """The next word; None at the end."""
        self._skip_blanks()
        if self._at == len(self._text):
            return None
        parts = []
        while self._at < len(self._text) and self._text[self._at] not in f"{_BLANK}\n":
            parts.append(self._part())
        return "".join(parts)

    def _skip_blanks(self) -> None:
        """Go to the next word over blanks, joined lines, a comment, and what ends the line."""
        while self._at < len(self._text):
            if self._text.startswith("\\\n", self._at):
                self._at += 2
            elif self._text[self._at] in _BLANK:
                self._at += 1
            elif self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif self._text[self._at] == "\n":
                if self._text[self._at :].strip():
                    raise ValueError("needs a shell: more than one command")
                self._at = len(self._text)
            else:
                return

    def _part(self) -> str:
        """One character, or one quotation or expansion."""
        char = self._text[self._at]
        if char == "'":
            return self._until("'")
        if char == '"':
            return self._double_quoted()
        if char in "$`":
            return self._expansion()
        if char in _OPERATORS:
            raise ValueError(f"needs a shell for {char!r}: {self._text}")
        self._at += 1
        if char != "\\":
            return char
        return self._escaped("")

    def _escaped(self, among: str) -> str:
        """The character behind a backslash; the backslash stays where it is not one of `among` (if any are given)."""
        if self._at == len(self._text):
            return "\\"
        char = self._text[self._at]
        self._at += 1
        if among and char not in among:
            return f"\\{char}"
        return "" if char == "\n" else char

    def _double_quoted(self) -> str:
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return "".join(parts)
            if char in "$`":
                parts.append(self._expansion())
                continue
            self._at += 1
            parts.append(self._escaped(_QUOTABLE) if char == "\\" else char)
        raise ValueError(f"a quotation has no end: {self._text}")

    def _until(self, end: str) -> str:
        """What lies between here (the character at hand opens it) and `end`, which is passed."""
        close = self._text.find(end, self._at + 1)
        if close < 0:
            raise ValueError(f"a quotation has no end: {self._text}")
        inner = self._text[self._at + 1 : close]
        self._at = close + len(end)
        return inner

    def _expansion(self) -> str:
        if self._text[self._at] == "`":
            return self._command(self._until("`"))
        self._at += 1
        if self._text.startswith("((", self._at):
            return str(evaluate(self._arithmetic(), self._numbers))
        if self._text.startswith("(", self._at):
            return self._command(self._until(")"))
        return self._variable()

    def _arithmetic(self) -> str:
        """What lies between the "((" at hand and its "))", which are passed; brackets in it go in pairs."""
        start = self._at + 2
        depth = 0
        for at in range(start, len(self._text)):
            depth += {"(": 1, ")": -1}.get(self._text[at], 0)
            if depth < 0:
                if not self._text.startswith("))", at):
                    raise ValueError(f"needs a shell for $(( that is no arithmetic: {self._text}")
                self._at = at + 2
                return self._text[start:at]
        raise ValueError(f"a quotation has no end: {self._text}")

    def _command(self, text: str) -> str:
        if text.strip() not in self._commands:
            raise ValueError(f"needs a shell for `{text.strip()}`: {self._text}")
        return self._commands[text.strip()]

    def _variable(self) -> str:
        if self._text.startswith("{", self._at):
            name = self._until("}")
        else:
            start = self._at
            while self._at < len(self._text) and (self._text[self._at].isalnum() or self._text[self._at] == "_"):
                self._at += 1
            name = self._text[start : self._at]
        if name not in self._numbers:
            raise ValueError(f"needs a shell for ${name}: {self._text}")
        return str(self._numbers[name])
