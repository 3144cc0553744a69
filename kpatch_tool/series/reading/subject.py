"""What a subject says about a patch: `[RFC PATCH v2 3/7] mm: fix` and the many ways people write that."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

# What mail programs put before an answer and before a forwarded mail, by language.
_REPLY_WORDS = (
    "re", "aw", "antw", "antwort", "rép", "vá", "ответ", "отв", "на", "απ",
    "回复", "回覆", "答复", "答覆", "返信", "회신",
)  # fmt: skip
_FORWARD_WORDS = ("fwd?", "doorst", "转发", "轉寄", "転送", "전달")
# Those that may as well be the name of a part of the kernel ("ping: fix the lookup") count before a tag or one of those
# above.
_REPLY_OR_NAME = ("sv", "vs", "vastaus", "res", "rif", "odp", "ynt", "atb", "ping", "reply")
_FORWARD_OR_NAME = ("wg", "tr", "rv")
_COUNT = r"\s?(?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：]\s*"
_SURE = "|".join((*_REPLY_WORDS, *_FORWARD_WORDS))
_ANY = "|".join((_SURE, *_REPLY_OR_NAME, *_FORWARD_OR_NAME))
_TAG_FOLLOWS = (
    rf"(?=(?:(?:{_ANY}){_COUNT}|\*{{2,}}[\w -]{{2,20}}\*{{2,}}\s*){{0,8}}"
    rf"(?:\[|(?:{_SURE}){_COUNT}))"
)
_VERDICTS = r"(?:ack|nac?k|applied|cmt)(?:/(?:ack|nac?k|applied|cmt))?:\s*(?=\[)"  # in the place of Re:, as Ubuntu's
_REPLY = re.compile(
    rf"(?:{'|'.join(_REPLY_WORDS)}){_COUNT}|(?:{'|'.join(_REPLY_OR_NAME)}){_COUNT}{_TAG_FOLLOWS}|{_VERDICTS}",
    re.IGNORECASE,
)
_MUTT_FORWARD = re.compile(r"\[[^\s\[\]@]{1,64}@[^\s\[\]@]{1,255}: (.*)\]")  # its forward_format (muttrc(5))
_FORWARD = re.compile(
    rf"(?:{'|'.join(_FORWARD_WORDS)})\s*[:：]\s*|(?:{'|'.join(_FORWARD_OR_NAME)}){_COUNT}{_TAG_FOLLOWS}", re.IGNORECASE
)
# What filters put before the subject of a mail that they suspect or that came from outside, `b4 ty` before that of a
# series of which not all patches were taken, and people who write the header by hand.
_WARNING = re.compile(
    r"(?:\*{2,}\s?[\w -]{2,20}\s?\*{2,}|\{[\w -]{2,20}\?\}|\(?(?:spam|junk|ext|external)\)?\s?:|subject:|\(subset\))"
    r"\s*(?=\[|re:)",
    re.IGNORECASE,
)
# Tags that were typed by hand, and what they were to be; the first that fits is mended.
_MISTYPED = tuple(
    (re.compile(pattern, re.IGNORECASE), mended)
    for pattern, mended in (
        (r"(?=(?:(?:RFC|RESEND) )*PATCH[^\[\]]{0,40}\])", "["),  # "PATCH v2 1/2] x"
        (r"\{(?=[^\[\]{}]{0,40}\bPATCH\b[^\[\]{}]{0,40}[\]}])", "["),  # "{PATCH 1/2] x"
        (r"(\[[^\[\]{}]{0,40}\bPATCH\b[^\[\]{}]{0,40})[\[}](?![^\[\]]{0,80}\])", r"\1]"),  # "[PATCH 1/2} x"
        (r"(\[[^\[\]]{0,40}\bPATCH\b[^\[\]]{0,40}\d/\d{1,4}):?(?=\s)(?![^\[\]]{0,80}\])", r"\1]"),  # "[PATCH 1/2 x"
        (r"PATCH \[([^\[\]]{0,40}\d/\d{1,4})\]", r"[PATCH \1]"),  # "PATCH [v2 1/2] x"
        (r"\[(?=\[[^\[\]]{0,40}\bPATCH\b[^\[\]]{0,40}\](?![^\[\]]{0,80}\]))", ""),  # "[[PATCH 1/2] x"
        (r"\[([^\[\]{}]{1,40})\}(?=\s?\[[^\[\]]{0,40}\bPATCH\b)", r"[\1]"),  # "[CFT}[PATCH 1/2] x"
        (r"(RESEN[DT]|REPOST|RFC|RFT):?\s?\[(?=[^\[\]]{0,40}\bPATCH\b[^\[\]]{0,40}\])", r"[\1 "),  # "Resend: [PATCH] x"
    )
)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]\s*")
# "[list] [[PATCH v2 net] 1/4]": a whole tag given to git as its prefix.
_NESTED = re.compile(r"((?:\[[^\[\]]*\]\s*)*)\[([^\[\]]{0,80})\[([^\[\]]{1,80})\]([^\[\]]{0,80})\]")
# "3/7", "3 of 7", "3a/7" and "5.5/36" (a patch between two others); "[PATCH1/2]" and "[PATCH_v2_1/2]" as well.
_NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9./])|(?<=patch))(\d{1,4})(\.\d{1,2}|[a-d])?\s*(?:/|of)\s*(\d{1,4})(?![A-Za-z0-9./])",
    re.IGNORECASE,
)
# "[PATCH v3 04/13 fix]", "[PATCH 11/17 SQUASH]": a change of that patch, which goes on top of it.
_ON_TOP = re.compile(
    r"\d\s*(?:/|of)\s*\d{1,4}[\s,:]{1,3}((?:fix(?:up)?|squash|fold|incremental|delta)\d?)\b", re.IGNORECASE
)
# What may introduce patches without being 0/N: a request to pull, and one of several sets ("[PATCHSET 1/2]").
_PULL = re.compile(r"(?:\[[^\[\]]{0,80}\]\s{0,2}){0,3}\[(?:git )?pull\b", re.IGNORECASE)
_SET = re.compile(r"\bpatch\s?set\b", re.IGNORECASE)
LETTERS = frozenset({"pull", "set"})
_REPLACES = re.compile(r"\breplacement\b", re.IGNORECASE)
REPLACEMENT = "replacement"  # "[PATCH 3/7 replacement]": takes the place of that patch, whatever its title is
# Outside of the tag: "[PATCH] 3/7 x", "[PATCH] (3/7) x", "[PATCH] x (3/7)".
_BARE_NUMBER = re.compile(rf"\(?{_NUMBER.pattern}\)?\s*[:\]-]?\s+", re.IGNORECASE)
_LAST_NUMBER = re.compile(rf"[(\[]\s?{_NUMBER.pattern}\s?[)\]]$", re.IGNORECASE)
_NOT_COUNTED = r"(?!\s?\d{1,4}\s*(?:/|of))"  # "[PATCH, new version 3/7]" is patch 3
_REVISION = re.compile(
    rf"(?<![A-Za-z0-9])(?:patch|patchset|rfc|rft|series)?[\s-]{{0,3}}v(?:\.|\.?\s{_NOT_COUNTED})?"
    r"(\d{1,3})(\.\d{1,3}|[A-Da-d])?(?![A-Za-z0-9])|"
    rf"(?<![A-Za-z0-9])(?:take|try|version|ver\.?|rev){_NOT_COUNTED}\s?#?(\d{{1,2}})(?![\w.])|"
    r"(?<![A-Za-z0-9])(\d)(?:nd|rd|th) (?:take|try|version)\b",
    re.IGNORECASE,
)
# What stands before and behind a kernel's version ("[PATCH stable v5.4]", "[PATCH for v5.9]", "[PATCH v6.1.y]").
_FOR_A_KERNEL = re.compile(r"\b(?:stable|for|backport)[\s,]{0,3}$", re.IGNORECASE)
_KERNELS = re.compile(r"\.y\b|-stable\b|-rc\d", re.IGNORECASE)
_LONGTERM = frozenset({"4.4", "4.9", "5.4", "6.1", "6.6"})  # kernels of one digit: "[PATCH v5.4] x"
# At the end of a title only what is set apart counts: "cgroup v2" and "GIC v3" are names of things.
_TRAILING = re.compile(
    r"(?:,\s*|\s*[\[(]\s*|\s-+\s*)(?:patch\s*)?(?:v|take |try |ver |version )#?(\d{1,3})\s*[\])]?\s*$", re.IGNORECASE
)
# At its beginning, too: "[PATCH] (v2) x", "[PATCH] v2: x".
_LEADING = re.compile(r"\(\s?v(\d{1,2})\s?\)\s|v(\d{1,2})(?:\s?:|\s-|-\s)", re.IGNORECASE)
_WORDS = re.compile(r"patch|\brf[ct]\b|\brepost\b|resend", re.IGNORECASE)
_RESENT = re.compile(r"resen[dt]|repost", re.IGNORECASE)
_RFC = re.compile(r"\brf[ct](?:v\d+)?\b", re.IGNORECASE)
# What maintainers' scripts send about a patch: mm-commits (with the names akpm's scripts give what became of it), tip,
# the stable queue, testing robots. One whose tags say PATCH is a patch ("[GIT PULL][PATCH 0/4]", "[Updated PATCH]").
_NOTICE = re.compile(
    r"[-+] \S+\.patch (?:added|removed)|incoming\b|patch \".{1,200}\" (?:has been )?added to|FAILED: patch \"|"
    r"applied \".{1,200}\" to the .{1,80} tree\b|"
    r"(?!(?:\[[^\[\]]{0,80}\]\s{0,2}){0,3}\[[^\[\]]{0,80}\bpatch)(?:"
    r"\[(?:to-be-|folded-|alternative-)*(?:merged|updated|withdrawn|nacked|obsolete|dropped|failures)\b|"
    r"\[(?:tip: ?|syzbot|bug report\]|linus:|linux-next:|regression\b|(?:git )?pull\b(?![^\]]{0,40}\d/\d)))",
    re.IGNORECASE,
)
_LONGEST = 1 << 14  # characters of a subject that are read: its prefixes are cut off one by one
_LONGEST_TAG = 200  # characters inside brackets that are read
_WAS = re.compile(
    r"[(\[,;\s-]\s{0,3}was\s{0,3}:?\s{1,3}(?=re:|\[)", re.IGNORECASE
)  # "x, was Re: y", "x (was: [PATCH] y)"
_GIT_TRASH = re.compile(r"^(?:\s|:|re:|\[[^\]]*\])+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tag:
    """A subject taken apart.

    `title` is what git am makes the commit's subject; `revision`, `number` and `total` are None where the subject does
    not say. `minor` is what follows the revision ("1" of v2.1, "A" of v13A); `between` what follows the number (".5" of
    5.5/36, "a" of 3a/7, "fix" of 3/7 fix) of a patch that does not replace the one of that number, REPLACEMENT, or one
    of LETTERS where the mail may introduce patches. `patch` is True when it is marked as a patch (a word or a number in
    brackets), `notice` for a maintainer's script telling about one. `titled`: the revision stands in the title alone.
    """

    title: str
    revision: int | None = None
    number: int | None = None
    total: int | None = None
    patch: bool = False
    reply: bool = False
    forward: bool = False
    resend: bool = False
    notice: bool = False
    rfc: bool = False
    minor: str = ""
    between: str = ""
    titled: bool = False


def parse(subject: str) -> Tag:
    """Take a subject (decoded, white space squeezed) apart. Any text gives a Tag."""
    subject = subject[:_LONGEST].strip()
    rest, reply, forward = _prefixes(subject)
    rest = _mended(rest)
    if _NOTICE.match(rest):
        pull = "pull" if _PULL.match(rest) else ""
        return Tag(title(subject), reply=reply, forward=forward, notice=True, between=pull)
    tags, rest, answered = _tags(rest)
    inside = " ".join(tags)[:_LONGEST_TAG]
    number = _NUMBER.search(inside)
    bare = None if number else _BARE_NUMBER.match(rest)
    revision, minor = _revision(inside)
    marked = bool(number or revision is not None or _WORDS.search(inside))
    titled = revision_of_title(rest) if revision is None and marked else None
    counted = number or ((bare or _last_number(rest[-_LONGEST_TAG:])) if marked else None)
    if counted and counted[2] and not int(counted[1]):
        counted = None  # "[PATCH 0.5/3]" comes before the first, and is no cover letter
    return Tag(
        title=title(subject),
        revision=revision if titled is None else titled,
        number=int(counted[1]) if counted else None,
        total=int(counted[3]) if counted else None,
        patch=marked,
        reply=reply or answered,
        forward=forward,
        resend=_RESENT.search(inside) is not None,
        rfc=_RFC.search(inside) is not None,
        minor=minor,
        between=_between(counted, inside) if counted else "",
        titled=titled is not None,
    )


def _between(number: re.Match[str], inside: str) -> str:
    """What a number in the tags (`inside`) is beside that of a patch: see Tag."""
    if number[2]:
        return number[2].lower()
    on_top = _ON_TOP.search(inside)
    if on_top:
        return on_top[1].lower()
    if _REPLACES.search(inside):
        return REPLACEMENT
    return "set" if _SET.search(inside) and int(number[1]) else ""


def former(subject: str) -> Tag | None:
    """What the subject was that a reply has given up ("x (was: Re: [PATCH 1/2] y)"); None where it does not say."""
    found = _WAS.search(subject[:_LONGEST])
    if found is None:
        return None
    closing = {"(": ")", "[": "]"}.get(found[0][0], "")
    return replace(parse(subject[found.end() : _LONGEST].strip().removesuffix(closing)), reply=True)


def _tags(text: str) -> tuple[list[str], str, bool]:
    """The texts in the brackets at the start, what follows, and whether a "Re:" stands behind the tag of a list."""
    tags: list[str] = []
    answered = False
    while True:
        if found := _BRACKETS.match(text):
            tags.append(found[1])
        elif (found := _REPLY.match(text)) and tags and not any(_WORDS.search(tag) for tag in tags):
            answered = True
        else:
            return tags, text, answered
        text = text[found.end() :]


def _last_number(text: str) -> re.Match[str] | None:
    """The number at the end of a title; (16/9) is none."""
    found = _LAST_NUMBER.search(text)
    return found if found and int(found[1]) <= int(found[3]) else None


def _revision(inside: str) -> tuple[int | None, str]:
    """The revision a tag names and what follows its number; kernel versions ("stable v5.10") are none."""
    found = list(_REVISION.finditer(inside))
    if any(one[2] and _is_a_kernel(one) for one in found):  # "[PATCH v5.15-v6.1 v2]"
        found = [one for one in found if not one[2]]
    if not found:
        return None, ""
    best = next((one for one in found if not one[2]), found[0])
    return int(best[1] or best[3] or best[4]), (best[2] or "").lstrip(".").upper()


def revision_of_title(rest: str) -> int | None:
    """The revision that what follows the tags names: "x (v2)". It may be that of one patch of a series alone."""
    if leading := _LEADING.match(rest):
        return int(leading[1] or leading[2])
    trailing = _TRAILING.search(rest[-_LONGEST_TAG:])
    return int(trailing[1]) if trailing else None


def _is_a_kernel(version: re.Match[str]) -> bool:
    """Whether "v5.9" is a kernel's version, as "v5.15" always is, and "v5.4" without a number is."""
    inside, minor = version.string, version[2].removeprefix(".")
    if f"{version[1]}.{minor}" in _LONGTERM and not _NUMBER.search(inside):
        return True
    named = _FOR_A_KERNEL.search(inside[: version.start()]) or _KERNELS.match(inside, version.end())
    return len(minor) > 1 or named is not None


def title(subject: str) -> str:
    """The subject without Re: and [tags], as git's mailinfo cleans it (cleanup_subject), which knows no tag inside a
    tag."""
    return " ".join(_GIT_TRASH.sub("", _mended(_prefixes(subject[:_LONGEST])[0])).split())


def _mended(text: str) -> str:
    """A subject whose tags have both brackets, and none inside another."""
    if found := _NESTED.match(text):
        before, *inner = found.groups()
        return f"{before}[{' '.join(inner)}]{text[found.end() :]}"
    for pattern, mended in _MISTYPED:
        if found := pattern.match(text):
            return found.expand(mended) + text[found.end() :]
    return text


def _prefixes(subject: str) -> tuple[str, bool, bool]:
    """The subject without its Re:, its Fwd: and what filters put there, and whether it had the first two."""
    reply = forward = False
    while True:
        if found := _REPLY.match(subject):
            reply = True
        elif found := _FORWARD.match(subject):
            forward = True
        elif found := _MUTT_FORWARD.fullmatch(subject):
            return found[1], reply, True
        elif not (found := _WARNING.match(subject)):
            return subject, reply, forward
        subject = subject[found.end() :]


def same_title(a: str, b: str) -> bool:
    """Whether two titles name the same thing: case, punctuation and a cut end (mail programs shorten) aside."""
    one, other = plain(a), plain(b)
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) > 24 and longer.startswith(shorter))


def plain(text: str) -> str:
    """The letters and digits of a title, in lower case, without a version at its beginning or end."""
    text = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    end = len(text) - _LONGEST_TAG if len(text) > _LONGEST_TAG else 0
    return re.sub(r"[\W_]+", "", f"{text[:end]}{_TRAILING.sub('', text[end:])}".lower())
