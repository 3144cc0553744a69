"""What was done to all lines of a text alike: quoted, indented, doubled, other line ends, no-break spaces for blanks.

A text is changed only where all of it shows the damage; a diff inside a reply or in a commit message stays as it is.
"""

from __future__ import annotations

import quopri
import re

from kpatch_tool.mail.message import Damage

_QUOTED_DIFF = re.compile(rb"^((?:>[ \t]?)+|[ \t]{1,16})(?:diff --git |--- [^\n]*\n\1\+\+\+ )", re.MULTILINE)
_DIFF = re.compile(rb"^(?:diff -|--- [^\n]*\n\+\+\+ )", re.MULTILINE)
_SPACED_HUNK = re.compile(rb"^@@? ?- (\d{1,9}(?:,\d{1,9})?) (\+) ?(\d{1,9}(?:,\d{1,9})?)(?: @@?)?", re.MULTILINE)
_SPACED_GIT = re.compile(rb"^diff -(?: ?- git|- git) ", re.MULTILINE)
_SPACED_NAME = re.compile(rb"^(?:- ?- ?-) (?=a/|/dev/null)", re.MULTILINE)
_SPACED_RULE = re.compile(rb"^(?:- - -|-- -|- --)[ \t]*$", re.MULTILINE)
_NAMES = re.compile(rb"^(?:diff --git a/|\+\+\+ b/|--- a/|(?:rename|copy) (?:from|to) )[^\n]*", re.MULTILINE)
# What programs encode: `=` itself, blanks, controls, what is not ASCII; `=46rom`. `--mode=755` is none of it.
_CODED = re.compile(rb"=(?:3D|20|09|0[AD]|46(?=rom )|[89A-F][0-9A-F])")
# A line's end that was put there, in a long line (RFC 2045, 6.7: 76 characters at most) or behind a blank that ends the
# text's own. C code and device trees have short lines that end in `=`, too.
_SOFT_END = re.compile(rb"^[^\n]{60,}=[ \t]*\n|(?<=[ \t])=[ \t]*\n(?=[ \t]*(?:\n|\Z))", re.MULTILINE)
_SURELY_CODED = re.compile(rb"=(?:3D|20[ \t]*\n)")
_DASHES = rb"(?:-|\xe2\x80[\x93\x94]){1,3}"  # U+2013 and U+2014 for one to three hyphens
_DASHED_GIT = re.compile(rb"^diff %sgit (?=\"?a/)" % _DASHES, re.MULTILINE)
_DASHED_NAME = re.compile(rb"^%s (?=\"?a/|/dev/null[ \t]*$)" % _DASHES, re.MULTILINE)
_DASHED_HUNK = re.compile(rb"^@@ \xe2\x80[\x93\x94](?=\d)", re.MULTILINE)
_DASHED_RULE = re.compile(rb"^(?=-{0,2}\xe2)%s[ \t]*$" % _DASHES, re.MULTILINE)
_DASHED_SIGNATURE = re.compile(rb"^(?:\xe2\x80[\x93\x94]){1,2} ?$(?=\n\d+\.\d)", re.MULTILINE)
_FIELD = re.compile(rb"(?:From|Date|Subject|To|Cc|Message-I[Dd]): ")  # of a mail that another shows
_BLANK = b"\xc2\xa0"  # the no-break space that a mail program put in the place of every blank
_UNBROKEN_GIT = re.compile(rb"^diff\xc2\xa0--git\xc2\xa0", re.MULTILINE)
_MOST_FIELDS = 12
_LEAST_CODES = 3
_SHARE = 0.97  # of the lines that must show a damage
_LEAST = 8  # lines, fewer prove nothing


def reshaped(body: bytes) -> tuple[bytes, tuple[Damage, ...]]:
    """A mail's text with such damage undone, and what was undone."""
    undone: list[Damage] = []
    for undo in (_line_ends, _broken, _decoded, _dashed, _single, _unquoted, _unspaced):
        changed, damage = undo(body)
        if changed != body and damage is not None:
            body = changed
            undone.append(damage)
    return body, tuple(undone)


def _line_ends(body: bytes) -> tuple[bytes, Damage | None]:
    if b"\r" not in body:
        return body, None
    if b"\n" not in body.strip():
        return body.replace(b"\r", b"\n"), Damage.LINE_ENDS
    header = re.search(rb"^diff --git [^\n]*\r$", body, re.MULTILINE)
    return (re.sub(rb"(?<!\r)\r+\n", b"\n", body), Damage.LINE_ENDS) if header else (body, None)


def _broken(body: bytes) -> tuple[bytes, Damage | None]:
    """With blanks for no-break spaces, where the header of the diff has those."""
    if _BLANK not in body or not _UNBROKEN_GIT.search(body) or _DIFF.search(body):
        return body, None
    return body.replace(_BLANK, b" "), Damage.NO_BREAK_SPACES


def _decoded(body: bytes) -> tuple[bytes, Damage | None]:
    """Without quoted-printable, where all of the diff is in it."""
    start = _DIFF.search(body)
    if start is None or b"=" not in body[start.start() :]:
        return body, None
    diff = body[start.start() :]
    soft = len(_SOFT_END.findall(diff))
    coded = len(_CODED.findall(diff)) + soft
    sure = diff.isascii() and (soft or _SURELY_CODED.search(diff))
    if coded < _LEAST_CODES or coded != diff.count(b"=") or not sure:
        return body, None
    return quopri.decodestring(body), Damage.QUOTED_PRINTABLE


def _dashed(body: bytes) -> tuple[bytes, Damage | None]:
    """With the hyphens of a diff's header, and of its removed lines, of which a typesetter made dashes."""
    start = _DASHED_GIT.search(body)
    if start is None or _DIFF.search(body):
        return body, None
    head, diff = body[: start.start()], body[start.start() :]
    single = _DASHED_HUNK.search(diff)
    for pattern, text in ((_DASHED_GIT, b"diff --git "), (_DASHED_NAME, b"--- "), (_DASHED_HUNK, b"@@ -")):
        diff = pattern.sub(text, diff)
    diff = _DASHED_SIGNATURE.sub(b"-- ", diff)
    if single:  # every hyphen became a dash, the first column's too
        diff = re.sub(rb"^\xe2\x80\x93", b"-", diff, flags=re.MULTILINE)
    elif start[0] == b"diff \xe2\x80\x93git ":  # two became one dash; so did one between blanks, if none is left there
        diff = re.sub(rb"\xe2\x80\x93" if b" - " in body else rb"(?<! )\xe2\x80\x93|\xe2\x80\x93(?! )", b"--", diff)
    rules = list(_DASHED_RULE.finditer(head))
    if rules:  # the last one, above the diffstat
        head = head[: rules[-1].start()] + b"---" + head[rules[-1].end() :]
    return head + diff, Damage.TYPESET


def _single(body: bytes) -> tuple[bytes, Damage | None]:
    """Without the empty line after every line."""
    lines = body.split(b"\n")
    start = _DIFF.search(body)
    if len(lines) < 2 * _LEAST or start is None:
        return body, None
    first = body.count(b"\n", 0, start.start())
    below = lines[first:]
    odd = below[1::2]
    even = below[0::2]
    blank = sum(1 for line in odd if not line.strip())
    full = sum(1 for line in even if line.strip())
    if len(odd) < _LEAST or blank < _SHARE * len(odd) or full < 0.4 * len(even):
        return body, None
    above = lines[:first]
    if sum(1 for line in above[1::2] if not line.strip()) >= _SHARE * len(above[1::2]):
        above = above[0::2]
    elif sum(1 for line in above[0::2] if not line.strip()) >= _SHARE * len(above[0::2]):
        above = above[1::2]
    kept = [line for at, line in enumerate(below) if at % 2 == 0 or line.strip()]
    return b"\n".join([*above, *kept]).rstrip(b"\n") + b"\n", Damage.BLANK_LINES_DOUBLED


def _unquoted(body: bytes) -> tuple[bytes, Damage | None]:
    """Without what stands before every line of the diff."""
    found = _QUOTED_DIFF.search(body)
    if found is None or _DIFF.search(body):
        return body, None
    prefix = found[1]
    bare = prefix.rstrip(b" \t")
    head, text = body[: found.start()], body[found.start() :]
    end = re.search(rb"^(?:%s)?-- ?$" % re.escape(prefix), text, re.MULTILINE)
    part, rest = (text[: end.start()], text[end.start() :]) if end else (text, b"")
    if rest.startswith(prefix):  # the signature is the shown mail's, what may follow at the margin is not
        rest = b"\n".join(_without(line, prefix) for line in rest.split(b"\n"))
    lines = part.split(b"\n")
    told = [line for line in lines if line.strip()]
    if sum(1 for line in told if line.startswith(prefix) or line.rstrip() == bare) < _SHARE * len(told):
        return body, None
    above = head.split(b"\n")
    also = [line for line in above if line.strip()]
    if sum(1 for line in also if line.startswith(prefix) or line.rstrip() == bare) >= _SHARE * len(also):
        head = b"\n".join(_without(line, prefix) for line in above)
    elif (at := _forwarded_at(above, prefix)) is not None:
        head = b"\n".join([*above[:at], *(_without(line, prefix) for line in above[at:])])
    elif not bare:  # an example in a letter
        return body, None
    body = head + b"\n".join(_without(line, prefix) for line in lines) + rest
    return body, Damage.QUOTED if bare else Damage.INDENTED


def _forwarded_at(lines: list[bytes], prefix: bytes) -> int | None:
    """Where a mail begins that is quoted or indented with its header, and nothing else follows; None where none
    does."""
    for at, line in enumerate(lines):
        if not _FIELD.match(line.removeprefix(prefix)) or not line.startswith(prefix):
            continue
        below = [one for one in lines[at:] if one.strip()]
        fields = [one for one in below[:_MOST_FIELDS] if _FIELD.match(one.removeprefix(prefix))]
        bare = prefix.rstrip()
        return at if len(fields) > 1 and all(one.startswith(prefix) or one.rstrip() == bare for one in below) else None
    return None


def _without(line: bytes, prefix: bytes) -> bytes:
    if line.startswith(prefix):
        return line[len(prefix) :]
    return b"" if line.rstrip() == prefix.rstrip() else line


def _unspaced(body: bytes) -> tuple[bytes, Damage | None]:
    """With the header lines of a diff to whose hyphens a gateway added blanks as git writes them."""
    if not _SPACED_GIT.search(body):
        return body, None
    body = _SPACED_GIT.sub(b"diff --git ", body)
    body = _NAMES.sub(lambda match: re.sub(rb"(?<=[^ ]-) (?=\S)", b"", match[0]), body)
    body = _SPACED_NAME.sub(b"--- ", body)
    body = _SPACED_RULE.sub(b"---", body)
    body = re.sub(rb"(?m)^((?:[A-Z][a-z]+- )(?:[a-z]+- )*[a-z]+: )", lambda match: match[1].replace(b"- ", b"-"), body)
    return _SPACED_HUNK.sub(rb"@@ -\1 \2\3 @@", body), Damage.HYPHENS_SPACED
