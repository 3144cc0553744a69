"""What happened to the text of a page, judged by the text: copies of one archive's pages differ in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kpatch_tool.mail.archives.reading import diff_start
from kpatch_tool.mail.message import Damage

_KEPT = re.compile(rb"^[ \t]+\S|\S[ \t]{2,}\S|\S\t", re.MULTILINE)
_FIRST_HUNK = re.compile(rb"^@@ -\d", re.MULTILINE)
_KEPT_LINE = re.compile(rb"^(?: \S|[ +-]?(?:\t|  ))", re.MULTILINE)
_KEPT_SHARE = 0.1  # of the lines of the diffs: a stray line of an archive's own must not count for all
_OLD_LINES = re.compile(rb"^@@ -\d+(?:,[1-9]\d*)? \+\d+(?:,\d+)? @@", re.MULTILINE)
_SIGNED = re.compile(rb"^(?:Signed-off-by|Subject|From):|^---$", re.MULTILINE)
_HIDDEN = re.compile(
    rb"\[email(?: |\xc2\xa0)protected\]|\[EMAIL PROTECTED\]|[\w+-]@(?:x{3,}|\.\.\.[\w.]|\[hidden\])|[\w-]\.\.\.@\w"
)
_AT = re.compile(rb"[\w+-] at [\w-]+\.\w")


def observed(bodies: Sequence[bytes], usual: frozenset[Damage], *, lost: bool = True) -> frozenset[Damage]:
    """The damage of a page's messages: `usual` (what the archive does as a rule) corrected by the text.

    `bodies` are the texts of all messages. With `lost` False (a patch that nobody says was on a page) white space only
    counts as lost when blank lines are gone too.
    """
    damage = set(usual)
    diffs = [body for body in bodies if _OLD_LINES.search(body)]
    kept = any(_KEPT.search(body) for body in bodies)
    if kept and _kept_share(bodies) >= _KEPT_SHARE:
        damage.discard(Damage.SQUEEZED)
    hunks = [body for body in bodies if _FIRST_HUNK.search(body)]
    dropped = bool(hunks) and not any(b"\n\n" in body.strip(b"\n") for body in bodies)
    if not dropped:
        damage.discard(Damage.BLANK_LINES_DROPPED)
    elif not kept and any(_text_before(body) for body in hunks):
        damage.add(Damage.BLANK_LINES_DROPPED)
    if diffs and not kept and (lost or Damage.BLANK_LINES_DROPPED in damage):
        damage.add(Damage.SQUEEZED)
    if any(_HIDDEN.search(body) for body in bodies):
        damage.add(Damage.ADDRESSES_HIDDEN)
    elif not any(_AT.search(body) for body in bodies):
        damage.discard(Damage.ADDRESSES_HIDDEN)
    return frozenset(damage)


def _kept_share(bodies: Sequence[bytes]) -> float:
    """Which part of the lines of the diffs begins with blanks that squeezing takes away; 1 where there are no diffs."""
    hunks = [body[hunk.start() :] for body in bodies if (hunk := _FIRST_HUNK.search(body))]
    lines = sum(text.count(b"\n") for text in hunks)
    return sum(len(_KEPT_LINE.findall(text)) for text in hunks) / lines if lines else 1.0


def _text_before(body: bytes) -> bool:
    """Whether a description stands above the diff: that and what follows it are parted by a blank line in any mail."""
    start = diff_start(body)
    above = body[:start].strip() if start < len(body) else b""
    return above.count(b"\n") >= 2 and _SIGNED.search(above) is not None
