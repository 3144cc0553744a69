"""How far an added line is indented in text that is not C: scripts, makefiles, Kconfig, YAML, reStructuredText.

The lines above say most: what opened a block, what the line closes, lines that begin alike, list items, open brackets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from kpatch_tool.restore.style import braces, python_text, shell_text, yaml_text
from kpatch_tool.restore.style.cstate import TAB, by_tabs, indent_of, pad, width
from kpatch_tool.restore.style.gaps import TAGGED, TAGS
from kpatch_tool.restore.style.weights import Readings, add
from kpatch_tool.restore.style.yaml_text import YAML

# The lines above and a line -> its indentations with weights of at most one in sum, as far as the language tells.
Structure = Callable[[Sequence[bytes], bytes], Readings]

_ITEM = re.compile(rb"^([-*+o\xe2]|\(?\d{1,2}[.):]|[a-z][.)]|@[\w.]+:|\.\.)\s")
_OPENS = re.compile(rb".*(?:[:{(\[=]|: [|>][-+]?|\bthen|\bdo|\belse|\btry|\bin|\bhelp|---help---)$|(?:menu)?config \w")
# What closes a block, and what opened it (both as they begin or end a line).
_CLOSERS = (
    (re.compile(rb"fi\b"), re.compile(rb"(?:if)\b"), re.compile(rb"fi\b")),
    (re.compile(rb"(?:else|elif)\b"), re.compile(rb"(?:if)\b"), re.compile(rb"fi\b")),
    (re.compile(rb"done\b"), re.compile(rb"(?:for|while|until)\b|.*\| ?while\b"), re.compile(rb"done\b")),
    (re.compile(rb"esac\b"), re.compile(rb"case\b"), re.compile(rb"esac\b")),
    (re.compile(rb"(?:except|finally)\b"), re.compile(rb"try:"), re.compile(rb"finally:")),
    (re.compile(rb"\}"), re.compile(rb".*\{$"), re.compile(rb"\}")),
    (re.compile(rb"\)"), re.compile(rb".*\($"), re.compile(rb"\)")),
    (re.compile(rb"\]"), re.compile(rb".*\[$"), re.compile(rb"\]")),
)
_OPTION = re.compile(rb":[\w-]+:(?: .*)?$")  # of a directive of reStructuredText; its content stands as deep
_LEAVES = re.compile(rb"(?:return|break|continue|raise|pass|exit|die|;;)\b|.*;;$")
_TOPMOST = re.compile(
    rb"(?:(?:menu)?config|endif|endmenu|menu|source|choice|endchoice|def|class|function|ifeq|ifneq|ifdef|ifndef|include)\b"
    rb"|[\w-]+ ?[+:?]?= |(?:required|properties|additionalProperties|unevaluatedProperties|examples|maintainers|allOf"
    rb"|title|description|patternProperties|select|if|then):(?: |$)|\.\. _|#!|=+$|\.\.\. $|---$"
)
# What a Kconfig entry begins with, and its attributes, of which the help text comes last
# (Documentation/kbuild/kconfig-language.rst).
_ENTRY = re.compile(rb"(?:(?:menu)?config \w|choice\b|comment \")")
_ATTRIBUTE = re.compile(
    rb"(?:bool|tristate|string|int|hex|prompt|default|def_bool|def_tristate|depends on|select|imply|visible if|range"
    rb"|help|---help---|modules)(?: |$)"
)
_HELP = re.compile(rb"(?:help|---help---)$")
_AS_ATTRIBUTE = 3.0
_TAG = re.compile(rb"(?:" + b"|".join(sorted(TAGS)) + rb")([ \t]*)(\S?)")  # with what follows it
_BELOW_TAG, _IN_TAG = 4.0, 0.6
_VALUE = re.compile(rb"\s*[^\s:=]+\s*[:+?]?=\s*(?=[^\s\\])")
_ARGUMENT = re.compile(rb"\s+[A-Z_][A-Z_0-9]*\s+(?=[^\s\\=:+?])")
_AT_VALUE, _NEAR_VALUE = 0.25, 0.08
_CLOSES = 4.0
_STRUCTURE = 0.96  # the share of what the structure of a language tells
_CODE = 0.9  # the share of what the structure of code tells that other text quotes
_DEEPEST = 8  # blanks of one level
_BRACKETS = {41: 40, 93: 91, 125: 123, 62: 60}  # ) ] } >


def structure_of(path: str) -> Structure | None:
    """What tells the structure of a file of that name, if anything here does."""
    return next((structure for ends, structure in _STRUCTURES if path.endswith(ends)), None)


def expected_text(
    above: Sequence[bytes],
    below: Iterable[bytes],
    text: bytes,
    unit: bytes = b"\t",
    structure: Structure | None = None,
) -> tuple[str, Readings]:
    """Likely indentations of `text` from the lines above (nearest last) and known lines below, with weights; `unit` is
    what one level is in such files, `structure` what else tells of it."""
    out: Readings = {}
    previous = next((line for line in reversed(above) if line.strip()), b"")
    if previous:
        _after(out, previous, above, text, _own_unit(above) or unit)
    for start, weight in _told(above, text):
        add(out, start, weight)
    for distance, line in enumerate(reversed(above[-14:])):
        if line.strip():
            alike = _same_start(line, text)
            add(out, indent_of(line), (0.9 if alike else 0.06) / (1 + distance / 3))
    for distance, line in enumerate(below):
        if distance > 8:
            break
        if line.strip():
            alike = _same_start(line, text)
            add(out, indent_of(line), (0.7 if alike else 0.12) / (1 + distance / 2))
    if not out:
        out = {b"": 0.5, b"\t": 0.1, b"  ": 0.1, b"    ": 0.1}
        add(out, unit, 0.3)
    if _TOPMOST.match(text):
        add(out, b"", 0.3)
    if structure is not None:
        return "structured", _mixed(out, structure(above, text), _STRUCTURE)
    code = _code(above)
    return "text", _mixed(out, _by_column(braces.columns(code, text), tabs=by_tabs(code)) if code else {}, _CODE)


def _mixed(out: Readings, told: Readings, share: float) -> Readings:
    """Indentations by what is known of lines of that kind, and what the structure of the text tells."""
    if not told:
        return out
    total = sum(out.values()) / (1.0 - share * sum(told.values()))
    mixed = {start: weight / total for start, weight in out.items()}
    for start, weight in told.items():
        add(mixed, start, weight * share)
    return mixed


def _by_column(columns: Mapping[int, float], *, tabs: bool) -> Readings:
    return {pad(column) if tabs else b" " * column: weight for column, weight in columns.items()}


def _of_yaml(above: Sequence[bytes], text: bytes) -> Readings:
    return _by_column(yaml_text.expected_columns(above, text), tabs=False)


_STRUCTURES: Sequence[tuple[tuple[str, ...], Structure]] = (
    (YAML, _of_yaml),
    ((".sh", ".bash"), shell_text.expected),
    ((".py",), python_text.expected),
)


def _code(above: Sequence[bytes]) -> Sequence[bytes]:
    """The indented lines right above that are quoted code with braces; none where they are not."""
    begin = len(above)
    while begin and (not above[begin - 1].strip() or above[begin - 1][:1] in {b" ", b"\t"}):
        begin -= 1
    lines = [line for line in above[begin:] if line.strip()]
    opened = any(line.rstrip().endswith(b"{") for line in lines)
    return lines if opened and lines and braces.is_code(lines[-1]) else ()


def _after(out: Readings, previous: bytes, above: Sequence[bytes], text: bytes, unit: bytes) -> None:
    """What the nearest line above says."""
    indent = indent_of(previous)
    stripped = previous.strip()
    add(out, indent, 0.55)
    if stripped.startswith(b"/*") and b"*/" not in stripped and text.startswith(b"*"):
        add(out, indent + b" ", 6.0)
    if item := _ITEM.match(stripped):
        add(out, pad_like(indent, width(indent) + item.end()), 0.5)
    opens = bool(_OPENS.match(stripped)) and not _OPTION.match(stripped)
    parts = ((0.9, 0.12, 0.15, 0.15) if not stripped.endswith(b"=") else (0.4, 0.1, 0.1, 0.1)) if opens else ()
    if stripped.endswith(b"\\"):
        parts = (0.3, 0.12, 0.1, 0.12)
        _goes_on(out, previous, above)
    for more, part in zip((unit, b"\t", b"  ", b"    "), parts or (0.05, 0.02, 0.03, 0.03), strict=True):
        add(out, indent + more, part)
    if stripped.startswith(b"help") and text:
        add(out, indent + b"  ", 1.0)
    column = _open_bracket(previous)
    if column is not None:
        add(out, pad_like(indent, column), 0.6)
    if _LEAVES.match(stripped) or (above and not above[-1].strip()):
        shallower = [indent_of(line) for line in above if line.strip() and width(indent_of(line)) < width(indent)]
        if shallower:
            add(out, shallower[-1], 0.35)
            add(out, min(shallower, key=width), 0.1)


def _goes_on(out: Readings, previous: bytes, above: Sequence[bytes]) -> None:
    """Below a line that a backslash continues: where its value or the first argument of its macro stands."""
    before = above[-2] if len(above) > 1 else b""
    found = None if before.endswith(b"\\") else _VALUE.match(previous) or _ARGUMENT.match(previous)
    if found is None:
        return
    column = width(found[0])
    add(out, pad(column), _AT_VALUE)
    for tabs in {column // TAB, -(-column // TAB)}:
        add(out, b"\t" * tabs, _NEAR_VALUE)


@lru_cache(maxsize=2048)
def _open_bracket(line: bytes) -> int | None:
    """The column after the last bracket that the line leaves open with text behind it."""
    stack: list[int] = []
    for at, byte in enumerate(line):
        if byte in b"([{<":
            stack.append(at)
        elif byte in _BRACKETS and stack and line[stack[-1]] == _BRACKETS[byte]:
            stack.pop()
    stack = [at for at in stack if line[at] != 60 or line[at + 1 : at + 2] == b"&"]
    return width(line[: stack[-1] + 1]) if stack and stack[-1] + 1 < len(line.rstrip()) else None


def _own_unit(above: Sequence[bytes]) -> bytes | None:
    """The step that the lines above indent by, where they do."""
    steps: Counter[bytes] = Counter()
    last = b""
    for line in above:
        if not line.strip():
            continue
        start = indent_of(line)
        if start.startswith(last) and len(start) > len(last):
            steps[start[len(last) :]] += 1
        last = start
    most = steps.most_common(1)
    return most[0][0] if most and len(most[0][0]) <= _DEEPEST else None


def _opener(above: Sequence[bytes], text: bytes) -> bytes | None:
    """The indentation of the line that opened what `text` closes."""
    for closes, opens, ends in _CLOSERS:
        if not closes.match(text):
            continue
        depth = 0
        for line in reversed(above):
            stripped = line.strip()
            if ends.match(stripped) and not opens.match(stripped):
                depth += 1
            elif opens.match(stripped):
                if not depth:
                    return indent_of(line)
                depth -= 1
    return None


def _told(above: Sequence[bytes], text: bytes) -> Iterator[tuple[bytes, float]]:
    """The indentations, with weights, that follow from what `text` closes or belongs to."""
    opener, entry, tagged = _opener(above, text), _entry(above, text), _tagged(above)
    if opener is not None:
        yield opener, _CLOSES
    if entry is not None:
        yield entry + b"\t", _AS_ATTRIBUTE
    if tagged is not None:
        yield tagged, _BELOW_TAG if _TAG.match(above[-1]) else _IN_TAG


def _entry(above: Sequence[bytes], text: bytes) -> bytes | None:
    """The indentation of the Kconfig entry that `text` is an attribute of."""
    for line in reversed(above) if _ATTRIBUTE.match(text) else ():
        stripped = line.strip()
        if _HELP.match(stripped):
            return None
        if _ENTRY.match(stripped):
            return indent_of(line)
    return None


def _tagged(above: Sequence[bytes]) -> bytes | None:
    """The indentation of the text of an entry of Documentation/ABI whose tags stand above: as deep as theirs."""
    found = None
    for line in reversed(above):
        if tag := _TAG.match(line):
            if tag[2]:
                return pad_like(tag[1], width(tag[0]) - len(tag[2]))
            found = pad(TAGGED)
    return found


def pad_like(indent: bytes, column: int) -> bytes:
    """Indentation to `column`, with tabs where `indent` has them."""
    return pad(column) if b"\t" in indent else b" " * column


def _same_start(line: bytes, text: bytes) -> bool:
    """Whether two lines begin alike: the same mark, or words of the same kind (`key:`, `- key:`)."""
    mine, theirs = text.split(b" ", 1)[0], line.split(None, 1)[0]
    if mine == theirs:
        return True
    if not mine[:1].isalnum():
        return mine[:1] == theirs[:1] and len(mine) == len(theirs)
    return mine[-1:] == theirs[-1:] and mine[-1:] in b":=,;" and theirs[:1].isalnum()
