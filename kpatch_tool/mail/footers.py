"""What mailing lists, companies and git put below a mail and above it. Tables: a new footer is a new row."""

from __future__ import annotations

import re

_DASHES = r"-{1,3}[ ]?\r?\n"
_RULE = r"[_-]{20,}[ ]?\r?\n"
# Each matches at the beginning of a line; nothing of the author's follows a footer.
FOOTERS = {
    "git's signature": r"--[ ]?\r?\n\d+\.\d",
    "an empty signature": r"--[ ]?\r?\n(?=\s*\Z)",
    "majordomo": _DASHES + r"To unsubscribe(?: from this list)?[:,] send ",
    "majordomo, indented": r"-\r?\nTo unsubscribe",
    "Debian": _DASHES + r"To UNSUBSCRIBE, email to ",
    "mailman": _RULE + r"[^\n]{1,100}(?:mailing list|Mailingliste)\b",
    "mailman 3": _RULE + r"[^\n]{1,100} -- [^\n]{1,100}@[^\n]{1,100}\r?\nTo unsubscribe send an email",
    "dm-devel, ltp": _DASHES + r"(?:[\w.-]{1,60} mailing list\r?\n|Mailing list info: )",
    "SourceForge": r"-{60,}\r?\n(?:(?!_{20}|--[ ]?\r?\n)[^\n]{0,200}\n){0,14}_{40,}\r?\n[^\n]{1,100} mailing list",
    "groups.io": r"(?:-=){6,}-?\r?\nGroups\.io Links:",
    "Google Groups": _DASHES + r"You received this message because you are subscribed to the Google Groups",
    "Yahoo groups": r"(?:-{20}|To unsubscribe from this group)[^\n]*\n[^\n]*yahoogroups\.com",
    "a company's notice": r"(?:[-*_#/ ]{3,}\r?\n)?(?:IMPORTANT NOTICE: The contents of this e?-?mail|"
    r"This e?-?mail message is for the sole use of the intended recipient|"
    r"(?:#/\*{4,})?本邮件及其附件)",
}
# What companies put above a mail that came from elsewhere: a paragraph of its own.
BANNERS = {
    "from outside": r"[\[* ]{0,4}(?:caution|external|warning)\b"
    r"(?=[^\n]{0,300}\b(?:(?:originat\w+|sent|received|comes?|came|is) (?:from )?(?:(?:the )?outside|an external)|"
    r"external e-?mail|(?:click\w*|open\w*) (?:on )?(?:any )?(?:links?|attachments?))\b)"
    r"[^\n]{0,60}\b(?:e-?mail|message)\b[^\n]{0,300}\n(?:[^\s][^\n]{0,200}\n){0,3}",
    "how secret": r"\[(?:AMD Official Use Only[^\]\n]{0,80}|Public|External)\]\n",
}
_BANNER = re.compile((r"\s*+(?:(?:" + "|".join(BANNERS.values()) + r")\s*\n)+\s*").encode(), re.IGNORECASE)
_ANY = re.compile("|".join(f"(?:{row})" for row in FOOTERS.values()).encode())
_MAY_START = re.compile(rb"^(?=[-_*#/TI]|\xe6\x9c\xac)", re.MULTILINE)


def footer_start(text: bytes, after: int = 0) -> int:
    """The offset at which the first footer of `text` behind `after` begins, the length of `text` without one."""
    for line in _MAY_START.finditer(text, after):
        if starts_footer(text, line.start()):
            return line.start()
    return len(text)


def starts_footer(text: bytes, at: int) -> bool:
    """Whether a footer begins at `at`, the start of a line."""
    return _ANY.match(text, at) is not None


def without_footer(text: bytes) -> bytes:
    """`text` up to its first footer."""
    return text[: footer_start(text)]


def banner_end(text: bytes, at: int = 0) -> int:
    """Where the text that begins at `at` goes on behind a company's banner; `at` without one."""
    found = _BANNER.match(text, at)
    return found.end() if found else at
