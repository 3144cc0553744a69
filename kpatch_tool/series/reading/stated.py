"""What mails say of a series' base and of what goes first, in fixed lines and in sentences.

Sources of the forms: git's format-patch (BASE TREE INFORMATION: base-commit, prerequisite-patch-id), b4's contributor
documentation (prep, "Working with series dependencies": change-id, prerequisite-change-id: ID:vN,
prerequisite-message-id), QEMU's submitting-a-patch (Based-on: <message-id>), Gerrit (Change-Id: I..., Depends-On:).
All patterns are bounded: the text is anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from kpatch_tool.series.model import Series


class Form(StrEnum):
    """What a `value` is."""

    BASE = "base-commit"  # a commit id, or a revision ("v6.1-rc3", "kvm/next", "next-20221110")
    PATCH_ID = "patch-id"  # as `git patch-id --stable` gives it
    CHANGE_ID = "change-id"  # of a series (b4) or a patch (Gerrit)
    MESSAGE_ID = "message-id"  # of any mail of a series, without <>
    URL = "url"  # an address that names no message
    TITLE = "title"  # the subject of a patch or cover letter
    INVALID = "invalid"  # nothing that can be looked up


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement of patch `patch` (0: the cover letter). `revision` is the one asked for, if any; `words` what the
    mail says, `exact` whether in one of the fixed lines (else in a sentence)."""

    patch: int
    form: Form
    value: str
    words: str
    revision: int | None = None
    exact: bool = True


_LONGEST_LINE = 1_000
_LONGEST_TEXT = 100_000
_MOST = 200  # statements of one series; more are somebody's jest

_FIELD = re.compile(
    r"^[ \t]{0,8}(base-commit|prerequisite-base-commit|prerequisite-patch-id|prerequisite-change-id|"
    r"prerequisite-message-id|based-on|depends-on|dependencies|dependency)[ \t]{0,8}:[ \t]*(.*)$",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"^[ \t]{0,8}change-id[ \t]{0,8}:[ \t]*(\S{4,250})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_HEX = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_WHOLE_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.IGNORECASE)
_CHANGE_VALUE = re.compile(r"([A-Za-z0-9][\w.+-]{3,240})(?::v?(\d{1,4}))?")
_GERRIT = re.compile(r"I[0-9a-f]{8,40}")
_BRACKETED = re.compile(r"<([^\s<>@]{1,200}@[^\s<>@]{1,200})>")
_URL = re.compile(r"https?://[^\s<>\"']{3,500}")
_BARE_ID = re.compile(r"(?<![\w<@/.+-])([\w.+%=$!-]{6,200}@[A-Za-z0-9][\w.-]{1,200})(?![\w@])")
_REVISION = re.compile(r"v\d{1,2}\.\d{1,3}(?:\.\d{1,4})?(?:-rc\d{1,2})?(?![\w.-]*\w)")
_NEXT = re.compile(r"(?:linux-next|next)[ -]\(?(20\d\d-?[01]\d-?[0-3]\d)\b", re.IGNORECASE)
_BRANCH = re.compile(
    r"\b((?:kvm|kvm-x86|kvmarm|kvm-riscv|tip|net|net-next|bpf|bpf-next|mm|vfs|akpm-mm|tj|arm64|powerpc|s390|riscv|block|"
    r"linux-block|rcu|driver-core|usb|tty|drm|drm-misc|drm-intel|sound|media|scsi|char-misc|linus|torvalds|origin|"
    r"upstream|stable|soc|pm|linux-pm|iommu|vfio|crypto|rdma|nvme|perf|hid|staging|ath|wireless|wireless-next)"
    r"/[a-z0-9][\w./-]{1,60}\w)"
)
_NAMED_BRANCH = re.compile(
    r"\b(linux-next|net-next|bpf-next|mm-(?:un)?stable|mm-everything|kvm-x86|tip|mainline)\b(?![/\w-])", re.IGNORECASE
)
_COMMIT = re.compile(r"\b(?:commit|sha1?|at|head)[ \t]+([0-9a-f]{8,40})\b", re.IGNORECASE)
_LONG_COMMIT = re.compile(r"(?<![\w-])([0-9a-f]{12,40})(?![\w-])")
_TITLE = re.compile(r"""["\u201c'](\[(?:RFC|PATCH|RESEND)[^\]\n]{0,60}\][^"\u201d\n]{4,200})["\u201d']""")
_BARE_TITLE = re.compile(r"(\[(?:RFC |RESEND )?PATCH[^\]\n]{0,60}\][^<>\n\"]{4,150})")
_TITLE_TAG = re.compile(r"^(?:\[[^\]]{0,80}\]\s{0,4}){1,4}")
_TITLE_REVISION = re.compile(r"^\[[^\]]{0,60}\bv(\d{1,3})\b", re.IGNORECASE)
_PATCH_NUMBER = re.compile(r"(?:patch(?:es)?\s+)?#?\d{1,3}(?:/\d{1,3})?\.?", re.IGNORECASE)
_NOTHING = re.compile(r"(?:none|n/?a|-|no)?\.?", re.IGNORECASE)

_PREREQUISITE_VERB = (
    r"depends?(?:\s+(?:up)?on|\s*:)|dependent\s+(?:up)?on|dependency\s+on|dependenc(?:y|ies)\s*:|requires?|needs|"
    r"prerequisites?(?:\s+(?:is|are|series|patch|patches))?\s*:?|goes\s+on\s+top\s+of|should\s+be\s+applied\s+after"
)
_BASE_VERB = (
    r"(?:based|rebased)\s+(?:off\s+of|off|on\s+top\s+of|on|onto|upon|against|to)|on\s+top\s+of|"
    r"appl(?:y|ies|ied)\s+(?:cleanly\s+)?(?:on\s+top\s+of|on|to|onto|over|against|after)|"
    r"(?:is|are|made|done|generated|diffed|built|builds?|prepared|created|tested)\s+(?:up)?(?:against|on\s+top\s+of)|"
    r"patch(?:es|set)?\s+(?:is\s+|are\s+)?against|\bagainst"
)
_VERB = re.compile(rf"\b(?:(?P<need>{_PREREQUISITE_VERB})|(?P<base>{_BASE_VERB}))(?=[\s:<\[(])", re.IGNORECASE)
_END = re.compile(r"[.!?](?=\s|$)|\n[ \t]*\n|;\s")
_ITEM = re.compile(r"\n[ \t]{0,8}(?:[-*+o]|\d{1,2}[.)])[ \t]")  # the next one of a list
_COMPARED = re.compile(r"\b(?:range-?diff|interdiff)\s{1,3}$", re.IGNORECASE)  # "Range-diff against v3:"
_REFERENCE = re.compile(r"\[(\d{1,2})\]")
_FOOTNOTE = re.compile(r"^[ \t]{0,8}\[(\d{1,2})\][ \t:.-]{0,4}(?:\n[ \t]{0,8})?(.{3,500})$", re.MULTILINE)
_REACH = 300  # characters after a verb in which what it speaks of is looked for
_LORE_HOSTS = (
    "lore.kernel.org",
    "lkml.kernel.org",
    "patchew.org",
    "marc.info",
    "public-inbox.org",
    "inbox.",
    "patchwork",
)


def statements(series: Series) -> tuple[Stated, ...]:
    """What the cover letter, the notes and the messages of `series` state, each once, in that order.

    Sentences are read in the cover letter, below `---`, and in the message of a single patch or of the first patch of a
    series without a cover letter: in other commit messages they speak of the code.
    """
    found: dict[tuple[Form, str], Stated] = {}
    for number, text, tells in _texts(series):
        for one in (*_fields(number, text), *(_sentences(number, text) if tells else ())):
            key = (one.form, one.value.lower())
            if key not in found and len(found) < _MOST:
                found[key] = one
    whole = {one.value for one in found.values() if one.form is Form.MESSAGE_ID}
    own = own_ids(series)
    return tuple(
        one
        for one in found.values()
        if not (one.form is Form.MESSAGE_ID and one.value in own)
        and not (one.form is Form.INVALID and any(value in one.words for value in whole))
    )


def own_ids(series: Series) -> frozenset[str]:
    """The message-ids of the series itself."""
    cover = series.cover.message_id if series.cover else ""
    return frozenset(filter(None, (cover, *(patch.message_id for patch in series.patches))))


def change_ids(series: Series) -> frozenset[str]:
    """The change-ids that the series has: b4's of the whole, Gerrit's of its patches."""
    return frozenset(value for _, text, _ in _texts(series) for value in _CHANGE.findall(text))


def _texts(series: Series) -> Iterator[tuple[int, str, bool]]:
    """The number of a mail (0: the cover letter), a text of it without quotations, whether sentences in it count."""
    if series.cover:
        yield 0, _bounded(series.cover.body), True
    for patch in series.patches:
        alone = series.total == 1 or (series.cover is None and patch is series.patches[0])
        yield patch.number, _bounded(patch.message), alone
        yield patch.number, _bounded(f"{patch.note}\n{_tail(patch.diff)}"), True


def _bounded(text: str) -> str:
    lines = text[:_LONGEST_TEXT].split("\n")
    return "\n".join(line[:_LONGEST_LINE] for line in lines if not line.startswith((">", " >", "|")))


def _tail(diff: bytes) -> str:
    """What a damaged mail has below its last hunk, where format-patch puts base-commit:."""
    end = diff[-20_000:].decode("utf-8", "replace").split("\n")
    return "\n".join(line for line in end[-60:] if _FIELD.match(line) or _CHANGE.match(line))


def _fields(number: int, text: str) -> Iterator[Stated]:
    lines = text.split("\n")
    for at, line in enumerate(lines):
        match = _FIELD.match(line)
        if match is None:
            continue
        key, value = match[1].lower(), match[2].strip()
        read = _READERS[key]
        given = [value] if value else _below(lines[at + 1 :])
        for one in given:
            words = f"{match[1]}: {one}"
            found = list(read(one))
            if (
                not found
                and not key.startswith("dependenc")
                and not _PATCH_NUMBER.fullmatch(one)
                and not _NOTHING.fullmatch(one)
            ):
                found = [(Form.INVALID, one[:200], None)]
            for form, known, revision in found:
                yield Stated(number, form, known, words, revision)


def _below(lines: list[str]) -> Iterator[str]:
    """The values under a key without one: indented, listed, or just on the next lines, up to a blank line."""
    for line in lines[:20]:
        bare = line.strip().lstrip("*-").strip()
        if not bare or not (_URL.search(bare) or _BRACKETED.search(bare) or _HEX.match(bare)):
            return
        yield bare


def _first(value: str) -> str:
    """The first word."""
    return next(iter(value.split(maxsplit=1)), "")


_Found = Iterator[tuple[Form, str, int | None]]


def _base(value: str) -> _Found:
    word = _first(value).strip("`'\",;()")
    if _HEX.fullmatch(word):
        yield Form.BASE, word.lower(), None
    else:
        yield from _revisions(value)
        if re.fullmatch(r"[A-Za-z][\w.-]{0,60}/[\w./-]{1,80}|v\d[\w.-]{1,30}|next-\d{8}", word):
            yield Form.BASE, word, None


def _patch_id(value: str) -> _Found:
    word = _first(value)
    if _WHOLE_ID.fullmatch(word):
        yield Form.PATCH_ID, word.lower(), None


def _change_id(value: str) -> _Found:
    match = _CHANGE_VALUE.fullmatch(_first(value)) if value.strip() else None
    if match:
        yield Form.CHANGE_ID, match[1], int(match[2]) if match[2] else None


def _message_id(value: str) -> _Found:
    for match in _BRACKETED.finditer(value):
        yield Form.MESSAGE_ID, match[1], None
    if not _BRACKETED.search(value):
        yield from ((Form.MESSAGE_ID, match[1], None) for match in _BARE_ID.finditer(value))


def _anything(value: str) -> _Found:
    """The value of Based-on: and Depends-on:, which people fill in as they like."""
    named = list(_objects(value))
    if not named:
        named = list(_message_id(value))
    word = _first(value)
    if not named and _GERRIT.fullmatch(word):
        named = [(Form.CHANGE_ID, word, None)]
    if not named and _HEX.fullmatch(word):
        named = [(Form.BASE, word.lower(), None)]
    if not named and re.fullmatch(r"20\d{6}-[\w.+-]{6,200}(?::v\d{1,4})?", word):
        named = list(_change_id(word))
    if not named:
        named = [*_revisions(value), *((Form.TITLE, _title(found), _asked(found)) for found in _bare_titles(value))][:1]
    yield from named


_READERS: dict[str, Callable[[str], _Found]] = {
    "base-commit": _base,
    "prerequisite-base-commit": _base,
    "prerequisite-patch-id": _patch_id,
    "prerequisite-change-id": _change_id,
    "prerequisite-message-id": _message_id,
    "based-on": _anything,
    "depends-on": _anything,
    "dependencies": _anything,
    "dependency": _anything,
}


def _objects(text: str) -> _Found:
    """Messages that `text` names: <message-id>, addresses of archives, quoted subjects."""
    for match in _BRACKETED.finditer(text):
        yield Form.MESSAGE_ID, match[1], None
    for match in _URL.finditer(text):
        address = match[0].rstrip(".,;:)]>")
        known = message_of(address)
        yield (Form.MESSAGE_ID, known, None) if known else (Form.URL, address, None)
    for match in _TITLE.finditer(text):
        yield Form.TITLE, _title(match[1]), _asked(match[1])


def message_of(address: str) -> str:
    """The message-id in the address of an archive's page, "" where it holds none."""
    host, _, path = address.partition("://")[2].partition("/")
    if not any(known in host for known in _LORE_HOSTS):
        return ""
    parts = [unquote(part) for part in re.split(r"[/?#=]", path)]
    return next((part.strip("<>") for part in reversed(parts) if "@" in part.strip("@")), "")


def _revisions(text: str) -> _Found:
    """Commits, tags and branches that `text` names."""
    found = [(match.start(), match[1].lower()) for match in _COMMIT.finditer(text)]
    found += [(match.start(), match[1]) for match in _LONG_COMMIT.finditer(text) if not match[1].isdigit()]
    found += [(match.start(), match[0]) for match in _REVISION.finditer(text)]
    dated = [(match.start(), f"next-{match[1].replace('-', '')}") for match in _NEXT.finditer(text)]
    found += dated + [(match.start(), match[1]) for match in _BRANCH.finditer(text)]
    if not dated:
        found += [(match.start(), match[1]) for match in _NAMED_BRANCH.finditer(text)]
    for _, value in sorted(dict.fromkeys(found)):
        yield Form.BASE, value, None


def _bare_titles(text: str) -> list[str]:
    return [match[1] for match in _BARE_TITLE.finditer(text)]


def _title(text: str) -> str:
    return " ".join(_TITLE_TAG.sub("", text).split())


def _asked(text: str) -> int | None:
    match = _TITLE_REVISION.match(text)
    return int(match[1]) if match else None


def _sentences(number: int, text: str) -> Iterator[Stated]:
    """What sentences name after words like "depends on" and "on top of"; [1] stands for its footnote."""
    notes = {match[1]: match[2] for match in _FOOTNOTE.finditer(text)}
    plain = "\n".join("" if _FIELD.match(line) else line for line in text.split("\n"))
    done = 0
    for verb in _VERB.finditer(plain):
        if verb.start() < done or _COMPARED.search(plain, max(0, verb.start() - 20), verb.start()):
            continue
        rest = plain[verb.end() : verb.end() + _REACH]
        end = _sentence_end(rest)
        said = rest[:end]
        words = " ".join((verb[0] + said).split())
        said += "".join(f" {notes[ref]}" for ref in _REFERENCE.findall(said) if ref in notes)
        found = list(_objects(said))
        if not found:
            found = [*_revisions(said)][:3]
            if verb["need"] and not _COMMIT.search(said):
                found = []
        if found:
            done = verb.end() + end
        for form, value, revision in found:
            yield Stated(number, form, value, words, revision, exact=False)


def _sentence_end(text: str) -> int:
    """Where a sentence ends: at its stop, a blank line, the next item of a list, or after an address that stands on the
    next line."""
    item = _ITEM.search(text)
    if item and not text[: item.start()].rstrip().endswith(":"):
        text = text[: item.start()]
    match = _END.search(text)
    end = match.start() if match else len(text)
    if match and match[0].startswith("\n") and text[:end].rstrip().endswith(":"):
        after = text[match.end() :]
        line = after.partition("\n")[0]
        if _URL.search(line) or _BRACKETED.search(line):
            return match.end() + len(line)
    return end
