"""What the lines of a hunk say as source text: code without comments and strings, and the function they stand in.

A few regular expressions over kernel style, not a C parser: a hunk shows a handful of lines of a function. Text from
archive pages has no indentation, so nothing here needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kpatch_tool.diff.model import FileDiff, Hunk, Kind

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
# A declaration cannot start with these.
_STATEMENT = frozenset(
    [
        "if",
        "else",
        "for",
        "while",
        "do",
        "switch",
        "case",
        "default",
        "return",
        "goto",
        "break",
        "continue",
        "sizeof",
        "typeof",
        "asm",
    ]
)
_TAGGED = ("struct", "union", "enum")
_STORAGE = frozenset({"static", "extern", "inline", "const"})
KEYWORDS = frozenset(
    [
        *_STATEMENT,
        *_TAGGED,
        *_STORAGE,
        "typedef",
        "volatile",
        "register",
        "unsigned",
        "signed",
        "int",
        "long",
        "short",
        "char",
        "void",
        "float",
        "double",
        "bool",
        "auto",
    ]
)
_C_LIKE = frozenset({".c", ".h", ".S", ".lds", ".cc", ".cpp", ".hpp", ".y", ".l"})
_NOISE = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/|//.*|^#\s*include\b.*')
_AGGREGATE = re.compile(r"^(?:typedef\s+|static\s+|const\s+)*(struct|union|enum)\s+(\w+)\s*\{")
_HEAD = re.compile(r"^(?P<type>[A-Za-z_][\w\s*]*?[\s*])?(?P<name>\w+)\s*\((?P<rest>.*)$")
_PASTED = re.compile(r"^\w+\((\w+)\)\s*\(")  # FNAME(sync_page)(...)
_PASTED_HEAD = re.compile(r"\b[A-Z_]+\(\w+\)\s*\(")
_SYSTEM_CALL = re.compile(r"^(?:COMPAT_)?SYSCALL_DEFINE\d\((\w+)")
_TYPE_ONLY = re.compile(r"^(?!else\b|do\b|return\b)[A-Za-z_][\w\s*]*$")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a line stands: in the body or head of function `name`, in struct or union or enum `name`, or (name "") at
    the top level (`what` is "file" for a line that declares variables there) or where it is not known."""

    name: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of a hunk: `code` has no comments and strings.

    `head` names the function whose definition or (`prototype`) declaration starts here; `before` and `after` are its
    parameters as they read before and after the patch, None where the hunk does not show them.
    """

    kind: Kind
    code: str
    scope: Scope
    head: str = ""
    prototype: bool = False
    before: str | None = None
    after: str | None = None

    def names(self) -> list[str]:
        """The identifiers in it, keywords left out."""
        return [name for name in IDENTIFIER.findall(self.code) if name not in KEYWORDS]


def is_code(path: str) -> bool:
    """Whether the file `path` is C, a header or assembly."""
    return PurePosixPath(path).suffix in _C_LIKE


def code_lines(file: FileDiff) -> list[CodeLine]:
    """All lines of the hunks of `file`, in order, the @@ sections as context lines before theirs."""
    return [line for hunk in file.hunks for line in _hunk_lines(hunk)]


def _hunk_lines(hunk: Hunk) -> Iterator[CodeLine]:
    scope = Scope()
    section = hunk.section[:_LONGEST_LINE].decode("utf-8", "replace").strip()
    if section:
        code = _NOISE.sub(" ", section).strip()
        scope = _entered(code, function_head(code)) or scope
        yield CodeLine(Kind.CONTEXT, code, scope)
    rows = _stripped(hunk)
    # Pages have no indentation, but a blank behind a sign where there was some.
    shown = any(row.indented for row in [row for row in rows if row.kind is Kind.CONTEXT] or rows)
    after_type = False
    for at, row in enumerate(rows):
        head = "" if row.indented else function_head(row.code, after_type=after_type)
        after_type = not row.indented and bool(_TYPE_ONLY.match(row.code))
        if head:
            before, after = _signature(rows, at, Kind.ADDED), _signature(rows, at, Kind.REMOVED)
            prototype = any(found is not None and found.prototype for found in (before, after))
            if not prototype:
                scope = Scope(head, "function")
            texts = [found.parameters if found is not None else None for found in (before, after)]
            inside = Scope() if prototype else scope
            yield CodeLine(row.kind, row.code, inside, head, prototype, *texts)
            continue
        if not row.indented and (shown or not scope.what) and _is_declaration(row.code):
            scope = Scope()  # the @@ section is a function above
            yield CodeLine(row.kind, row.code, Scope(what="file"))
            continue
        entered = None if row.indented else _entered(row.code, "")
        scope = entered or scope
        yield CodeLine(row.kind, row.code, scope)
        if not row.indented and row.code.startswith("}") and (row.code != "}" or scope.what in _TAGGED):
            scope = Scope()


@dataclass(frozen=True, slots=True)
class _Row:
    kind: Kind
    code: str
    indented: bool


@dataclass(frozen=True, slots=True)
class _Signature:
    parameters: str
    prototype: bool


_LONGEST_HEAD = 24  # lines
_LONGEST_LINE = 500  # bytes that are looked at: the patterns above take longer than linear time on hostile text


def _entered(code: str, head: str) -> Scope | None:
    """The scope that a line opens."""
    if head:
        return Scope(head, "function")
    match = _AGGREGATE.match(code)
    return Scope(match[2], match[1]) if match else None


def _stripped(hunk: Hunk) -> list[_Row]:
    """The lines without comments and strings."""
    rows = []
    inside = False
    for line in hunk.lines:
        raw = line.text[:_LONGEST_LINE].decode("utf-8", "replace")
        text = raw.strip()
        if inside:
            _, found, text = text.partition("*/")
            inside = not found
        elif text in ("*", "*/") or text.startswith(("* ", "*\t")):
            text = ""  # a comment that began above the hunk
        code = _NOISE.sub(" ", text)
        before, opened, _ = code.partition("/*")
        inside = inside or bool(opened)
        rows.append(_Row(line.kind, before.strip(), raw[:1] in (" ", "\t")))
    return rows


def _signature(rows: list[_Row], at: int, without: Kind) -> _Signature | None:
    """The parameters of the head at `rows[at]`, as it reads without the lines of kind `without`."""
    if rows[at].kind is without:
        return None
    code = rows[at].code
    text = re.split(r"\)\s*\(", code, maxsplit=1)[1] if _PASTED_HEAD.search(code) else code.partition("(")[2]
    for row in rows[at + 1 : at + _LONGEST_HEAD]:
        if ")" in text or "{" in text or ";" in text:
            break
        if row.kind is not without:
            text += " " + row.code
    end = _closing(text)
    if end < 0:
        return None
    return _Signature(" ".join(text[:end].split()), text.rstrip().endswith(";"))


def function_head(code: str, *, after_type: bool = False) -> str:
    """The name of the function whose definition `code` (one line, unindented) starts, "" where it starts none.

    `after_type` says that the line before holds nothing but a type ("static bool"). A prototype looks the same.
    """
    match = _HEAD.match(code)
    if match is None or match["name"] in KEYWORDS:
        return ""
    words = IDENTIFIER.findall(match["type"] or "")
    # `static DEFINE_MUTEX(name);` has a storage class and no type.
    if (words and words[0] in _STATEMENT) or (_STORAGE.issuperset(words) and not after_type):
        return _system_call(code)
    pasted = _PASTED.match(code[match.start("name") :])
    return pasted[1] if pasted else match["name"]


def _system_call(code: str) -> str:
    match = _SYSTEM_CALL.match(code)
    return f"sys_{match[1]}" if match else ""


_DECLARATION = re.compile(
    r"^(?P<type>(?:(?:static|extern|const|volatile|register|unsigned|signed|__\w+)\s+)*"
    r"(?:(?:struct|union|enum)\s+\w+|(?:unsigned|signed|long|short)(?:\s+(?:int|long|char))*|\w+)"
    r"(?:\s+(?:const|__\w+))*)(?P<sep>[\s*]+)(?P<names>\w+(?:\[[^\]]*\])*\s*(?:[=,;:].*|$))"
)


def declared_names(code: str) -> list[str]:
    """The variables or members that `code` declares ("struct x *a, b = f(c);" gives a and b)."""
    match = _DECLARATION.match(code)
    if match is None or not code.endswith((";", "=", ",", "= {")):
        return []
    words = IDENTIFIER.findall(match["type"])
    if not words or words[0] in _STATEMENT | {"typedef"} or words[-1] in _TAGGED:  # none: a row of numbers
        return []
    found = []
    for part in split_arguments(match["names"].rstrip(";")):
        name = IDENTIFIER.match(part.split("=")[0].strip(" *\t"))
        if name and name[0] not in KEYWORDS:
            found.append(name[0])
    return found


def _is_declaration(code: str) -> bool:
    """Whether `code` declares variables, and not one of several parameters."""
    return not code.endswith(",") and bool(declared_names(code))


def split_arguments(text: str) -> list[str]:
    """`text` cut at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _closing(text: str) -> int:
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return at
    return -1


def parameter_names(text: str) -> list[str]:
    """The names in a parameter list: "struct kvm *kvm, u64 *sptep" gives kvm and sptep."""
    found = []
    for part in split_arguments(text):
        words = IDENTIFIER.findall(part.partition("[")[0])
        if len(words) > 1 and words[-1] not in KEYWORDS:
            found.append(words[-1])
    return found
