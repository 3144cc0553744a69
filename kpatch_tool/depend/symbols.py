"""Edges between patches through names: one adds or changes what another uses.

A name counts as new only where no line that was there before has it, as far as the hunks show; names that could be
anything (short members, locals of another function) are left out. An edge that is missing is seen by the compiler; one
that is wrong sends the reader astray.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kpatch_tool.depend import source
from kpatch_tool.depend.model import Edge, EdgeKind
from kpatch_tool.depend.source import CodeLine
from kpatch_tool.depend.textual import joined, shown_path
from kpatch_tool.diff.model import FileDiff, Kind
from kpatch_tool.series.model import Patch, Series

_DEFINE = re.compile(r"^#\s*define\s+(\w+)")
# Those that take a type or a class first have the name behind it.
_DEFINED_BY_MACRO = re.compile(
    r"^(?:static\s+)?(?:(?:DEFINE|DECLARE)_(?:PER_CPU\w*|EVENT)\([^,()]*,\s*"
    r"|(?:(?:DEFINE|DECLARE)_\w+|\w*LIST_HEAD|TRACE_EVENT|EXPORT_TRACEPOINT_SYMBOL\w*)\()(\w+)"
)
_TAG = re.compile(r"^(?:typedef\s+)?(?:struct|union|enum)\s+(\w+)\s*\{")
_TYPEDEF = re.compile(r"^typedef\b.*?\b(\w+)(?:\[[^\]]*\])?;$")
_ENUMERATOR = re.compile(r"^([A-Z][A-Z0-9_]{3,})\s*(?:=.*)?,?$")
_LABEL = re.compile(r"^(\w+):$")
_TAGGED = re.compile(r"\b(?:struct|union|enum)\s+\w+")
_MEMBER = re.compile(r"(?:->|\.)\s*(\w+)")
_CONFIG = re.compile(r"^(?:menu)?config\s+(\w+)$")
_CONFIG_USE = re.compile(r"\bCONFIG_(\w+)|^(?:depends on|select|imply|if)\s+(.*)")
_INCLUDE = re.compile(rb'^#\s*include\s+(?:<([^>]+)>|"([^"]+)")')
_ARCH = re.compile(r"arch/[^/]+/")
_PUBLIC = re.compile(r"(arch/[^/]+/)?include/(?:uapi/)?(.+)")
_OBJECT = re.compile(rb"\b([\w./-]{1,255})\.o\b")

_Changed = list[tuple[FileDiff, list[CodeLine]]]  # the files of a patch, of those with code the lines
Lacking = Callable[[Collection[str]], Collection[str]]  # names -> those that no file of the base has


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that a patch adds: `what` it is in words; `path` restricts it to one file and `function` to one function
    of it, "" where it does not."""

    name: str
    what: str
    path: str = ""
    function: str = ""


@dataclass(frozen=True, slots=True)
class _Added:
    symbol: Symbol
    patch: int
    path: str


def symbol_edges(series: Series, order: tuple[int, ...], lacking: Lacking | None = None) -> tuple[Edge, ...]:
    """The edges of kind symbol, at most one for each pair of patches; `order` is the order the patches build up in.

    With `lacking` also those to later patches whose names a patch uses: the states between do not build. What hunks
    show as new may stand elsewhere, so a name counts that `lacking` gives back: no file of the base has it.
    """
    by_number = {patch.number: patch for patch in series.patches}
    names = _Names(series.total)
    changed: dict[int, _Changed] = {}
    found: dict[tuple[int, int], dict[str, None]] = defaultdict(dict)  # the reasons, each once
    for number in order:
        lines = changed[number] = _with_lines(by_number[number])
        for needs, why in names.used_by(lines):
            if needs != number:
                found[number, needs][why] = None
        names.take(by_number[number], lines)
    early = _early(names, changed) if lacking is not None else []
    absent = lacking({name for *_, name, _ in early}) if lacking is not None and early else ()
    for number, needs, name, why in early:
        if name in absent:
            found[number, needs][why] = None
    return tuple(
        Edge(patch, needs, EdgeKind.SYMBOL, joined(sorted(whys, key=_rank), most=3))
        for (patch, needs), whys in found.items()
    )


def _early(names: _Names, changed: dict[int, _Changed]) -> list[tuple[int, int, str, str]]:
    """(patch, patch needed, name, why) for what patches use that neither they nor those before add; `changed` in the
    order they build up in, `names` after the last."""
    later = set(changed)
    known: set[str] = set()
    uses: list[tuple[int, int, str, str]] = []
    for number, files in changed.items():
        later.discard(number)
        known.update(made.name for file, lines in files for made in _defined(file, lines, Kind.ADDED))
        uses += [(number, *use) for use in names.used_early(files, later) if use[1] not in known]
    return uses


def _with_lines(patch: Patch) -> _Changed:
    return [(file, source.code_lines(file) if source.is_code(file.path) else []) for file in patch.files]


def _rank(why: str) -> int:
    """Calls and types tell more than a label."""
    return 0 if "()" in why.split(",", 1)[0] else 1


class _Names:
    """The names that the patches so far added, and those that were there before."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._added: dict[str, list[_Added]] = defaultdict(list)
        self._changed: dict[str, tuple[int, str]] = {}  # functions with other parameters: patch, path
        self._dropped: dict[str, tuple[int, str]] = {}  # names of which a patch took out uses
        self._old: set[str] = set()
        self._old_local: set[tuple[str, str, str]] = set()  # path, function, name
        self._headers: dict[str, dict[str, int]] = {}  # as included -> its architecture's directory or "" -> patch
        self._created: dict[str, int] = {}

    def used_by(self, files: _Changed) -> Iterator[tuple[int, str]]:
        """(patch needed, why) for the added lines of a patch."""
        for file, lines in files:
            yield from self._files_used(file)
            if not lines:
                yield from self._config_used(file)
            for line in lines:
                if line.kind is Kind.ADDED:
                    yield from self._line_uses(file, line)
        yield from self._removed_definitions(files)

    def _line_uses(self, file: FileDiff, line: CodeLine) -> Iterator[tuple[int, str]]:
        for added in self._meant(file, line):
            yield added.patch, self._said(added, line)
        for name in dict.fromkeys(line.names()):
            changed = self._changed.get(name)
            if (
                changed is not None
                and f"{name}(" in line.code
                and line.head != name
                and _reaches(changed[1], file.path)
            ):
                patch, path = changed
                yield patch, f"calls {name}(), whose parameters {patch}/{self._total} changes in {shown_path(path)}"

    def _meant(self, file: FileDiff, line: CodeLine) -> Iterator[_Added]:
        """What patches added that a line of a file names."""
        members = set(_MEMBER.findall(line.code))
        for name in dict.fromkeys(line.names()):
            for added in self._added.get(name, ()):
                if _reaches(added.path, file.path) and _means(added.symbol, file.path, line, name in members):
                    yield added

    def used_early(self, files: _Changed, later: Collection[int]) -> Iterator[tuple[int, str, str]]:
        """(patch needed, name, why) for the added lines of a patch that use what one of the patches `later` adds for a
        whole file or more. Options are left out: what they select is built without them, too."""
        for file, lines in files:
            for line in lines:
                for added in self._meant(file, line) if line.kind is Kind.ADDED else ():
                    symbol = added.symbol
                    if added.patch in later and not symbol.function and symbol.what != "option":
                        yield added.patch, symbol.name, f"{self._said(added, line)}, and nothing before has"

    def _said(self, added: _Added, line: CodeLine | None = None) -> str:
        symbol, path = added.symbol, shown_path(added.path)
        function = symbol.what == "function"
        name = f"{symbol.name}()" if function else f"`{symbol.name}`"
        place = f"{symbol.function}() in {path}" if symbol.function else path
        word = "uses"
        if function and line is not None and f"{symbol.name}(" in line.code:
            word = "declares" if line.head == symbol.name else "calls"
        return f"{word} {name}, which {added.patch}/{self._total} adds to {place}"

    def _removed_definitions(self, files: _Changed) -> Iterator[tuple[int, str]]:
        """A definition can only go when its users have gone, unless it goes where they reach it, too."""
        moved = {made.name for file, lines in files for made in _defined(file, lines, Kind.ADDED) if not made.path}
        for file, lines in files:
            kept = moved.union(*(line.names() for line in lines if line.kind is Kind.ADDED))
            for symbol in _defined(file, lines, Kind.REMOVED):
                patch, path = self._dropped.get(symbol.name, (0, ""))
                lasting = symbol.function or symbol.what == "member" or symbol.name in kept
                if patch and not lasting and _reaches(path, file.path) and _reaches(file.path, path):
                    yield patch, f"removes `{symbol.name}`, whose last uses shown {patch}/{self._total} takes out"

    def _files_used(self, file: FileDiff) -> Iterator[tuple[int, str]]:
        """Headers that another patch creates, objects of sources that another patch creates."""
        here = PurePosixPath(file.path)
        for hunk in file.hunks:
            for line in hunk.lines:
                if line.kind is not Kind.ADDED:
                    continue
                include = _INCLUDE.match(line.text)
                if include:
                    name = (include[1] or include[2]).decode("utf-8", "replace")
                    beside = posixpath.normpath(str(here.parent / name)) if include[2] else ""
                    patch = self._header(name, file.path) or self._created.get(beside)
                    if patch is not None:
                        yield patch, f"includes {shown_path(name)}, which {patch}/{self._total} creates"
                elif here.name in ("Makefile", "Kbuild"):
                    for stem in _OBJECT.findall(line.text):
                        path = str(here.parent / f"{stem.decode()}.c")
                        if path in self._created:
                            patch = self._created[path]
                            yield patch, f"builds {shown_path(path)}, which {patch}/{self._total} creates"

    def _header(self, name: str, path: str) -> int | None:
        """Which patch creates the header that `path` includes as <name>: a common one, or one of its architecture."""
        own = _ARCH.match(path)
        found = (patch for of, patch in self._headers.get(name, {}).items() if not of or own is None or own[0] == of)
        return next(found, None)

    def _config_used(self, file: FileDiff) -> Iterator[tuple[int, str]]:
        for name in _config_names(file, Kind.ADDED):
            for added in self._added.get(f"CONFIG_{name}", ()):
                yield added.patch, self._said(added)

    def take(self, patch: Patch, files: _Changed) -> None:
        """Learn what `patch` adds. Names in its old lines were there before."""
        for file, lines in files:
            self._learn_old(file, lines)
        moved_away = {
            (symbol.name, symbol.what)
            for file, lines in files
            for symbol in _defined(file, lines, Kind.REMOVED)
            if not symbol.function
        }
        for file, lines in files:
            for symbol in _defined(file, lines, Kind.ADDED):
                if self._is_new(symbol, file, moved_away):
                    self._added[symbol.name].append(_Added(symbol, patch.number, file.path))
            for name in _changed_heads(lines):
                self._changed[name] = (patch.number, file.path)
            for symbol in _configs(file):
                self._added[symbol.name].append(_Added(symbol, patch.number, file.path))
            if file.old_path is None:
                self._created[file.path] = patch.number
                if public := _PUBLIC.match(file.path):
                    self._headers.setdefault(public[2], {})[public[1] or ""] = patch.number
        self._learn_dropped(patch.number, files)

    def _learn_old(self, file: FileDiff, lines: list[CodeLine]) -> None:
        for line in lines:
            if line.kind is not Kind.ADDED:
                self._old.update(line.names())
                self._old_local.update((file.path, line.scope.name, name) for name in line.names())

    def _learn_dropped(self, number: int, files: _Changed) -> None:
        balance: Counter[str] = Counter()
        where: dict[str, str] = {}
        for file, lines in files:
            for line in lines:
                if line.kind is not Kind.CONTEXT:
                    for name in line.names():
                        balance[name] += 1 if line.kind is Kind.ADDED else -1
                        where[name] = file.path
        for name, count in balance.items():
            if count < 0 and len(name) >= 5:
                self._dropped[name] = (number, where[name])

    def _is_new(self, symbol: Symbol, file: FileDiff, moved_away: set[tuple[str, str]]) -> bool:
        if symbol.function:
            if any(added.symbol == symbol for added in self._added[symbol.name]):
                return False
            return (file.path, symbol.function, symbol.name) not in self._old_local
        for added in self._added[symbol.name]:
            same_reach = added.symbol.path in ("", symbol.path) and _reaches(added.path, file.path)
            if same_reach and not added.symbol.function:
                return False
        if (symbol.name, symbol.what) in moved_away:
            return False
        return symbol.name not in self._old and _is_distinct(symbol)


def _reaches(defined: str, used: str) -> bool:
    """Whether a name of the file `defined` can be meant in `used`: architectures and tools/ have their own."""
    region = _region(defined)
    return region in ("", _region(used))


def _region(path: str) -> str:
    parts = path.split("/")
    if parts[0] == "arch" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in ("tools", "scripts", "Documentation", "samples") else ""


def _means(symbol: Symbol, path: str, line: CodeLine, is_member: bool) -> bool:
    """Whether the symbol's name in `line` of `path` is that symbol; `is_member`: it stands after `->` or `.`."""
    if symbol.path and symbol.path != path:
        return False
    if symbol.what == "label" and f"goto {symbol.name}" not in line.code:
        return False
    if symbol.function:
        if symbol.function != line.scope.name or line.head or is_member:
            return False
        return symbol.name in source.IDENTIFIER.findall(_TAGGED.sub(" ", line.code))
    return (symbol.what == "member") == is_member


def _is_distinct(symbol: Symbol) -> bool:
    """Whether the name alone tells what is meant, anywhere in a kernel."""
    if symbol.what in ("member", "variable"):
        return len(symbol.name) >= 7 or (len(symbol.name) >= 5 and "_" in symbol.name)
    return len(symbol.name) >= 4


def _defined(file: FileDiff, lines: list[CodeLine], kind: Kind) -> Iterator[Symbol]:
    """What the lines of `kind` define."""
    header = file.path.endswith(".h")
    for at, line in enumerate(lines):
        if line.head:
            yield from _defined_by_head(file, lines, at, kind)
        elif line.kind is kind and line.code:
            yield from _defined_in(line, file.path, header=header)


def _defined_by_head(file: FileDiff, lines: list[CodeLine], at: int, kind: Kind) -> Iterator[Symbol]:
    """The function, where its head is of `kind`, and the parameters that only one side has."""
    line = lines[at]
    if line.kind is kind:
        private = line.code.startswith("static") or (at > 0 and lines[at - 1].code.startswith("static"))
        yield Symbol(line.head, "function", file.path if private and not file.path.endswith(".h") else "")
    if not line.prototype:
        this, that = (line.after, line.before) if kind is Kind.ADDED else (line.before, line.after)
        for name in source.parameter_names(this or ""):
            if name not in source.parameter_names(that or ""):
                yield Symbol(name, "parameter", file.path, line.head)


def _defined_in(line: CodeLine, path: str, *, header: bool) -> Iterator[Symbol]:
    code, scope = line.code, line.scope
    here = "" if header else path
    simple = (
        (_DEFINE, "macro", here),
        (_TAG, "type", here),
        (_TYPEDEF, "type", here),
        (_DEFINED_BY_MACRO, "variable", here if code.startswith("static") else ""),
    )
    for pattern, what, reach in simple:
        match = pattern.match(code)
        if match:
            yield Symbol(match[1], what, reach)
            return
    if scope.what == "function":
        label = _LABEL.match(code)
        if label and label[1] != "default":
            yield Symbol(label[1], "label", path, scope.name)
        for name in source.declared_names(code):
            yield Symbol(name, "variable", path, scope.name)
    elif scope.what == "enum":
        match = _ENUMERATOR.match(code)
        if match:
            yield Symbol(match[1], "constant", here)
    elif scope.what in ("struct", "union"):
        for name in source.declared_names(code):
            yield Symbol(name, "member")
    elif scope.what == "file":
        for name in source.declared_names(code):
            yield Symbol(name, "variable", here if code.startswith("static") else "")


def _changed_heads(lines: list[CodeLine]) -> Iterator[str]:
    """Functions shown before and after whose number or types of parameters differ."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for line in lines:
        if line.head:
            if line.before is not None:
                before.setdefault(line.head, line.before)
            if line.after is not None:
                after.setdefault(line.head, line.after)
    for name, text in before.items():
        if name in after and _types(text) != _types(after[name]):
            yield name


def _types(parameters: str) -> list[str]:
    """Each parameter without its name."""
    return ["".join(re.sub(r"(?<=[\s*])\w+$", "", part).split()) for part in source.split_arguments(parameters)]


def _configs(file: FileDiff) -> Iterator[Symbol]:
    if not PurePosixPath(file.path).name.startswith("Kconfig"):
        return
    for hunk in file.hunks:
        texts = {kind: {line.text.strip() for line in hunk.lines if line.kind is kind} for kind in Kind}
        for text in sorted(texts[Kind.ADDED] - texts[Kind.REMOVED]):
            match = _CONFIG.match(text.decode("utf-8", "replace"))
            if match:
                yield Symbol(f"CONFIG_{match[1]}", "option")


def _config_names(file: FileDiff, kind: Kind) -> Iterator[str]:
    """The configuration options that lines of a Makefile or Kconfig name."""
    name = PurePosixPath(file.path).name
    if not name.startswith(("Kconfig", "Makefile", "Kbuild")):
        return
    for hunk in file.hunks:
        for line in hunk.lines:
            if line.kind is kind:
                text = line.text.decode("utf-8", "replace").strip()
                for with_prefix, expression in _CONFIG_USE.findall(text):
                    yield from [with_prefix] if with_prefix else re.findall(r"[A-Z][A-Z0-9_]{2,}", expression)
