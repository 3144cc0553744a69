"""The shell arithmetic that unittests.cfg uses for its numbers of CPUs: `$(($MAX_SMP < 8 ? $MAX_SMP : 8))`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\s*(?:(\d+)|\$?\{?([A-Za-z_]\w*)\}?|(<=|>=|==|!=|[-+*/%()<>?:]))")
_DEEPEST, _LONGEST = 50, 200


def evaluate(text: str, names: Mapping[str, int]) -> int:
    """The value of an expression; `names` are the variables. Raises ValueError where it is none or too deep."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise ValueError("expression is too long")
    if text.startswith("$((") and text.endswith("))"):
        text = text[3:-2]
    parser = _Parser(_tokens(text), names)
    value = parser.choice()
    parser.expect_end()
    return value


def _tokens(text: str) -> list[str]:
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not an expression: {text!r}")
        found.append(match.group(match.lastindex or 0))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; each level binds tighter than the one before."""

    def __init__(self, tokens: list[str], names: Mapping[str, int]) -> None:
        self._tokens = tokens
        self._names = names
        self._at = 0
        self._depth = 0

    def choice(self) -> int:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("expression is nested too deeply")
        value = self._binary(0)
        if self._accept("?"):
            yes = self.choice()
            self._expect(":")
            no = self.choice()
            value = yes if value else no
        self._depth -= 1
        return value

    def expect_end(self) -> None:
        if self._at != len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at]!r}")

    def _binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._atom()
        value = self._binary(level + 1)
        while self._at < len(self._tokens) and self._tokens[self._at] in _LEVELS[level]:
            operate = _LEVELS[level][self._tokens[self._at]]
            self._at += 1
            value = operate(value, self._binary(level + 1))
        return value

    def _atom(self) -> int:
        if self._at == len(self._tokens):
            raise ValueError("expression ends too early")
        token = self._tokens[self._at]
        self._at += 1
        if token == "(":
            value = self.choice()
            self._expect(")")
            return value
        if token == "-":
            return -self._atom()
        if token.isdigit() and len(token) < 10:
            return int(token)
        if token in self._names:
            return self._names[token]
        raise ValueError(f"unknown {token!r}")

    def _accept(self, token: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise ValueError(f"{token!r} is missing")


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ValueError("division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_LEVELS: tuple[Mapping[str, Callable[[int, int], int]], ...] = (
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b),
        ">=": lambda a, b: int(a >= b),
    },
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": _divide, "%": lambda a, b: a - _divide(a, b) * b},
)
