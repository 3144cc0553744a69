"""One mail, as every source of mail hands it on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Damage(StrEnum):
    """What an archive or mail program did to the text of a message (shared by all lines of its body)."""

    SQUEEZED = "squeezed"  # leading/trailing blanks removed, runs of blanks and tabs became one blank
    BLANK_LINES_DROPPED = "blank-lines-dropped"
    BLANK_LINES_DOUBLED = "blank-lines-doubled"  # an empty line after every line
    ADDRESSES_HIDDEN = "addresses-hidden"
    REWRAPPED = "rewrapped"  # lines broken by a mail program (format=flowed or not)
    NO_BREAK_SPACES = "no-break-spaces"  # blanks that a mail program turned into U+00A0 and its like
    INVISIBLE = "invisible-characters"  # soft hyphens, zero-width characters put in
    TYPESET = "typeset"  # quotes, dashes and dots of typesetting in the place of ASCII
    CHARSET = "charset"  # the diff is in another charset than the files
    REPLACED = "characters-replaced"  # U+FFFD or `?` in the place of letters
    QUOTED_PRINTABLE = "quoted-printable"  # =3D and its like left in the text
    HTML_ENTITIES = "html-entities"  # &lt; and its like left in the text
    TABS_TO_BLANKS = "tabs-to-blanks"
    FIRST_COLUMN_LOST = "first-column-lost"  # the leading blank of context lines removed
    HYPHENS_SPACED = "hyphens-spaced"  # a blank put after every hyphen (GroupWise)
    QUOTED = "quoted"  # `> ` before every line
    INDENTED = "indented"  # blanks before every line
    LINE_ENDS = "line-ends"  # carriage returns put in, or in the place of newlines
    COUNTS_WRONG = "counts-wrong"  # the numbers in @@ were changed by hand
    TRUNCATED = "truncated"  # the end of the mail is missing


@dataclass(frozen=True, slots=True)
class Address:
    """A person. `email` is empty where an archive hid it; `shown` is what it left to see ("jane@xxxxxxxxxxx")."""

    name: str
    email: str
    shown: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One mail with its transfer encoding undone.

    Ids are without <>, and empty where a page does not show them.
    """

    subject: str
    author: Address
    date: datetime | None  # None when unreadable; UTC where a page names no zone
    body: bytes  # the bytes of the text, with LF line ends, in `charset`
    charset: str
    origin: str  # the place in the source, for messages: "page.txt, message 3"
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    damage: frozenset[Damage] = frozenset()
    flowed: bool = False  # what the mail declares about its lines (RFC 3676),
    delsp: bool = False  # and so this
    archive: str = ""  # whose page showed it; empty for mail
    commit: str = ""  # the id in the `From ID ...` line of a file that git format-patch wrote
    sealed: str = ""  # what of the mail cannot be read
