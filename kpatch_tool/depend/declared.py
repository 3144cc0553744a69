"""Edges and needs that messages declare: "depends on patch 2", Fixes:, reverts, base-commit:, prerequisites.

Sources of the forms: Documentation/process/submitting-patches.rst and stable-kernel-rules.rst of the kernel; those of
series/reading/stated.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from kpatch_tool.depend import source
from kpatch_tool.depend.model import Edge, EdgeKind, External
from kpatch_tool.depend.textual import shown_path
from kpatch_tool.diff import names
from kpatch_tool.diff.model import Kind
from kpatch_tool.series.model import Patch, Series
from kpatch_tool.series.reading.stated import Form, Stated, statements

_VERB = (
    r"(?:depends?\s+on|needs?|requires?|relies\s+on|builds?\s+on|based\s+on|on\s+top\s+of|prerequisites?:|depends-on:|introduced\s+(?:in|by)"
    r"|added\s+(?:in|by))"
)
_TOTAL = r"(?:/|\sof\s)"
_NUMBER = rf"#?\d{{1,9}}(?:{_TOTAL}\d{{1,9}})?"
_NUMBERED = re.compile(  # "patch 2", "patches 1, 2 and #4", "patches 1-3/7", "patch 2 of 7", "2/7"
    rf"{_VERB}\s(?:the\s)?(?:patch(?:es)?\s({_NUMBER}(?:(?:-|\sto\s|,\s|,?\sand\s){_NUMBER}){{0,20}})"
    r"|(\d{1,9}/\d{1,9})\b)",
    re.I,
)
_FROM_TO = re.compile(rf"#?(\d+)(?:{_TOTAL}(\d+))?(?:(?:-|\sto\s)#?(\d+)(?:{_TOTAL}(\d+))?)?", re.I)
_ELSEWHERE = re.compile(  # what follows the number of a patch of another series
    r"\s(?:of|in|from)\s(?:another|(?:an?|the|my|our)\s(?:other|different|separate|earlier|previous)|h(?:is|er)|their"
    r"|[\w.-]{2,30}'s?)\s(?:\w+\s){0,2}(?:patch\s?)?se",
    re.I,
)
_OF_SOMETHING = re.compile(r"\sof\s(?!th(?:e|is)\s(?:\w+\s){0,3}(?:patch\s?)?se)", re.I)  # 1/2 "of the memory"
_PREVIOUS = re.compile(_VERB + r"\sthe\s(?:previous|preceding)\spatch\b", re.I)
_LONGEST_DENIAL = 30
_NOT = re.compile(r"(?:\bnot|n't|\bno longer|\bnever)\s(?:\w+\s)?$", re.I)
_REVERT = re.compile(r'This reverts commit ([0-9a-f]{7,40})(?:\s\(("?))?', re.I)
_TITLE_ENDS = {'"': re.compile(r'"\)'), "": re.compile(r", \d{4}-\d\d-\d\d\)")}  # by the quote it begins with
_LONGEST_TITLE = 300
_REVERT_SUBJECT = re.compile(r'^((?:[\w/,: ]*: )?)(Revert|Reapply) "(.+)"$')
# The title of a long line may go on in the next one.
_FIXES = re.compile(r'^Fixes:\s*([0-9a-f]{7,40})\s*\(["\'](.+?(?:\n(?!\S+:).+?)?)["\']\)', re.I | re.M)
_STABLE = re.compile(r"^Cc:.*stable@.*#[^:\n]*:\s*([0-9a-f]{7,40})\b:?\s*(.*)$", re.I | re.M)
_LATER = re.compile(r"\b(?:later|following|next|subsequent|upcoming|coming)\s+patch(?:es)?\b", re.I)
_FEW = 2
_LONGEST_LINE = 1_000
_LONGEST_TEXT = 100_000
_CALL = re.compile(r"\b([A-Za-z_]\w{4,})\(\)")
_MEANINGS = {
    Form.BASE: "the series was made on this commit",
    Form.PATCH_ID: "a patch with this patch id goes first",
    Form.CHANGE_ID: "the series with this change-id goes first",
    Form.MESSAGE_ID: "the series with this mail goes first",
    Form.URL: "what lies there goes first",
    Form.TITLE: "the series of that title goes first",
    Form.INVALID: "this names nothing",
}


@dataclass(frozen=True, slots=True)
class Touched:
    """A function whose body a patch changes, and where."""

    function: str
    path: str


@dataclass(frozen=True, slots=True)
class _Reverted:
    """What a patch reverts: the commit's id, "" where no text names it, and what titles it may have."""

    commit: str
    titles: tuple[str, ...]


def declared_edges(series: Series) -> Iterator[Edge]:
    """What the messages say about other patches of the series."""
    numbers = {patch.number for patch in series.patches}
    touching = cache(partial(_touching, series))
    titled = _titled(series)
    for patch in series.patches:
        text = _text(patch)
        for needs, words in _named(text, patch.number, series.total):
            if needs in numbers and needs != patch.number:
                yield Edge(patch.number, needs, EdgeKind.DECLARED, f'its message says "{words}"')
        for needs in _by_title(titled, [title for _, title in _FIXES.findall(text)]):
            if needs != patch.number:
                yield Edge(patch.number, needs, EdgeKind.DECLARED, f"its Fixes: line names {needs}/{series.total}")
        yield from _built_on(series, patch, touching)


def _named(text: str, number: int, total: int) -> Iterator[tuple[int, str]]:
    """The patches that the message of patch `number` says it needs, and its words."""
    text = " ".join(text.split())
    for match in _NUMBERED.finditer(text):
        if _is_meant(match):
            for given in _given(match[1] or match[2], total):
                yield given, _words(match[0])
    for match in _PREVIOUS.finditer(text):
        if _is_meant(match):
            yield number - 1, _words(match[0])


def _is_meant(match: re.Match[str]) -> bool:
    """Whether what names patches is neither denied, "does not depend on", nor said of another series."""
    text, at, end = match.string, match.start(), match.end()
    if _NOT.search(text, max(0, at - _LONGEST_DENIAL), at) or _ELSEWHERE.match(text, end):
        return False
    fraction = match.re is _NUMBERED and match[2] is not None
    return not (fraction and _OF_SOMETHING.match(text, end))


def _given(listed: str, total: int) -> Iterator[int]:
    """The numbers of "1, 2 and 4", "1-3" or "2/7"; none of a series of another total."""
    parts = _FROM_TO.findall(listed)
    if all(int(counted) == total for _, of, _, last_of in parts for counted in (of, last_of) if counted):
        for first, _, last, _ in parts:
            yield from range(int(first), min(int(last or first), total) + 1)


_Touching = Mapping[str, Sequence[tuple[int, str]]]


def _touching(series: Series) -> _Touching:
    """Every function -> the patches that change lines of it, each with the path."""
    found: dict[str, list[tuple[int, str]]] = {}
    for patch in series.patches:
        for touched in touched_functions(patch):
            found.setdefault(touched.function, []).append((patch.number, touched.path))
    return found


def _built_on(series: Series, patch: Patch, touching: Callable[[], _Touching]) -> Iterator[Edge]:
    """The message names `function()`, an earlier patch changes its body, and this one does not."""
    own = {name for file in patch.files for line in source.code_lines(file) for name in (line.scope.name, line.head)}
    for name in dict.fromkeys(_CALL.findall(_text(patch))):
        if name in own or f"define {name}(".encode() in patch.diff:
            continue
        found = [(number, path) for number, path in touching().get(name, ()) if number < patch.number]
        # A function that many patches have in common (one for each architecture) ties none of them together.
        if 0 < len(found) <= _FEW:
            number, path = found[-1]
            why = f"its message builds on {name}(), which {number}/{series.total} changes in {shown_path(path)}"
            yield Edge(patch.number, number, EdgeKind.DECLARED, why)


_Titled = Mapping[str, Sequence[int]]


def _titled(series: Series) -> _Titled:
    """Every title -> the patches that have it."""
    found: dict[str, list[int]] = {}
    for patch in series.patches:
        found.setdefault(_squeezed(patch.subject), []).append(patch.number)
    return found


def _by_title(titled: _Titled, titles: Iterable[str]) -> Iterator[int]:
    for title in dict.fromkeys(map(_squeezed, titles)):
        yield from titled.get(title, ())


def _squeezed(title: str) -> str:
    return " ".join(title.split())


def revert_edges(series: Series) -> Iterator[Edge]:
    """Patches that rely on what a revert brings back: they call a function whose body it restores. A revert of a patch
    of the series needs that patch."""
    titled = _titled(series)
    for patch in series.patches:
        reverted = _reverted(patch)
        if not reverted:
            continue
        for needs in dict.fromkeys(number for one in reverted for number in _inside(one, patch, titled)):
            yield Edge(patch.number, needs, EdgeKind.REVERT, f"it reverts {needs}/{series.total}")
        commit = _commits([one.commit[:12] for one in reverted if one.commit])
        back = {touched.function: touched for touched in touched_functions(patch)}
        for later in series.patches if back else ():
            if later.number > patch.number:
                yield from _relying(series, patch, back, later, commit)


def _commits(ids: Sequence[str]) -> str:
    more = ", ..." if len(ids) > _FEW else ""
    return f"{'commits' if ids[1:] else 'commit'} {', '.join(ids[:_FEW])}{more}" if ids else "a commit"


def _relying(series: Series, revert: Patch, back: Mapping[str, Touched], later: Patch, commit: str) -> Iterator[Edge]:
    own = {touched.function for touched in touched_functions(later)}
    for name, path in _calls(later):
        if name in back and name not in own:
            label = f"{revert.number}/{series.total}"
            body = f"{label} changes its body in {shown_path(back[name].path)} as it reverts {commit}"
            why = f"adds calls of {name}() to {shown_path(path)}; {body}"
            said = _sentence(_text(revert))
            said = f', and says: "{said}"' if said else ""
            yield Edge(later.number, revert.number, EdgeKind.REVERT, why + said)
            return


def _calls(patch: Patch) -> Iterator[tuple[str, str]]:
    for file in patch.files:
        if source.is_code(file.path):
            for line in source.code_lines(file):
                if line.kind is Kind.ADDED and not line.head:
                    for name in line.names():
                        if f"{name}(" in line.code:
                            yield name, file.path


def touched_functions(patch: Patch) -> list[Touched]:
    """The functions of which `patch` changes lines."""
    found = {}
    for file in patch.files:
        if source.is_code(file.path):
            for line in source.code_lines(file):
                if line.kind is not Kind.CONTEXT and line.code and line.scope.what == "function":
                    found[line.scope.name] = Touched(line.scope.name, file.path)
    return list(found.values())


def externals(series: Series) -> Iterator[External]:
    """What the series needs from outside, `present` not yet known."""
    titled = _titled(series)
    for patch in series.patches:
        for one in _reverted(patch):
            if one.commit and not any(_inside(one, patch, titled)):
                why = f"the commit that {patch.number}/{series.total} reverts must be in the base"
                yield External(patch.number, EdgeKind.REVERT, one.commit, None, why)
        for commit, title in _STABLE.findall(_text(patch)):
            why = f'{patch.number}/{series.total} names it as needed before it: "{_words(title)}"'
            yield External(patch.number, EdgeKind.DECLARED, commit, None, why)
    for stated in statements(series):
        yield stated_external(stated, series.total)


def stated_external(stated: Stated, total: int) -> External:
    """What a message states of the base or of what goes first, as an External that nothing is known of yet."""
    who = "the cover letter" if stated.patch == 0 else f"{stated.patch}/{total}"
    meaning = _MEANINGS[stated.form]
    says = "says so" if stated.exact else f'says: "{_words(stated.words)}"'
    if stated.form is Form.INVALID:
        says = f'says "{_words(stated.words)}"'
    return External(stated.patch, stated.form, stated.value, None, f"{meaning} ({who} {says})")


def _reverted(patch: Patch) -> tuple[_Reverted, ...]:
    """What `patch` reverts, by its title and its text. The title's is the one whose title the text quotes; where it
    quotes none, the first without a title."""
    found: dict[str, tuple[str, ...]] = {}
    for match in _REVERT.finditer(_text(patch)):
        found[match[1]] = found.get(match[1]) or _quoted(match)
    own = _reverted_titles(patch.subject)
    if own and not any(_squeezed(title) in own for titles in found.values() for title in titles):
        first = next((commit for commit, titles in found.items() if not titles), next(iter(found), ""))
        found[first] = (*found.get(first, ()), *own)
    return tuple(_Reverted(commit, titles) for commit, titles in found.items())


def _quoted(match: re.Match[str]) -> tuple[str, ...]:
    """The title behind the id of a reverted commit, if any: ("X"), or (X, 2014-05-06) of `git revert --reference`."""
    if match[2] is None:
        return ()
    title, *rest = _TITLE_ENDS[match[2]].split(match.string[match.end() : match.end() + _LONGEST_TITLE], maxsplit=1)
    return (title,) if rest else ()


def _reverted_titles(subject: str) -> tuple[str, ...]:
    """The titles that what `subject` reverts may have: `Reapply "X"` is git's revert of `Revert "X"`."""
    match = _REVERT_SUBJECT.match(_squeezed(subject))
    if match is None:
        return ()
    prefix, word, title = match.groups()
    return (title,) if word == "Revert" else tuple(dict.fromkeys((f'Revert "{title}"', f'{prefix}Revert "{title}"')))


def _inside(one: _Reverted, patch: Patch, titled: _Titled) -> Iterator[int]:
    """The patches of the series that `patch` reverts: earlier ones, as a later one of that title does it anew."""
    return (number for number in _by_title(titled, one.titles) if number < patch.number)


def _text(patch: Patch) -> str:
    return _bounded(f"{patch.message}\n{patch.note}")


def _bounded(text: str) -> str:
    """The start of a text, overlong lines cut: patterns take longer than linear time on hostile text."""
    return "\n".join(line[:_LONGEST_LINE] for line in text[:_LONGEST_TEXT].split("\n"))


def _sentence(message: str) -> str:
    """The sentence that speaks of later patches, if there is one."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", message):
        if _LATER.search(sentence):
            return _words(sentence)
    return ""


def _words(text: str, most: int = 120) -> str:
    words = names.show(" ".join(text.split()).encode("utf-8", "surrogateescape"))
    return words if len(words) <= most else words[: most - 3] + "..."
