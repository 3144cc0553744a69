"""What a person pastes for a thread on the network: a URL of a public-inbox server, a message id, another page's URL.

Pure: nothing is fetched here. The forms of public-inbox's URLs are those of its WWW.pm and of lore.kernel.org.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kpatch_tool.errors import InputError

LORE = "https://lore.kernel.org/all"

_PREFIX = re.compile(r"(?:msgid|message-id|mid|id):\s*", re.IGNORECASE)
_ID = re.compile(r"<?([^\s<>@]{1,250}@[^\s<>@/]{1,250})>?")
_URL = re.compile(r"<?(https?://[^\s<>]+)>?", re.IGNORECASE)
_SCHEME = re.compile(r"<?[a-z][a-z+.-]{1,12}://", re.IGNORECASE)
# What may follow a message id in a path: a thread (flat, nested, mbox, feed), a mail.
_VIEWS = frozenset({"", "T", "t", "t.mbox.gz", "t.atom", "raw", "R", "s"})
_ONE_MAIL = frozenset({"raw"})
# Hosts that redirect to wherever the message is; the server of kpt.toml is asked instead.
_REDIRECTORS = frozenset({"lkml.kernel.org", "patch.msgid.link", "msgid.link", "patch.msgid.kernel.org"})
# Archives whose paths hold an @ and that are no public-inbox.
_OTHERS = ("mail-archive.com", "marc.info", "openwall.net", "linuxlists.cc", "groups.google.com", "spinics.net",
           "patchew.org", "patchwork.")  # fmt: skip
# Pages that have the mail itself beside them: host, path, what to add.
_MAIL_BESIDE = (
    (re.compile(r"(?:^|\.)patchwork\."), re.compile(r"/(?:patch|cover|series)/[^/]+/?$"), "mbox/"),
    (re.compile(r"(?:^|\.)patchew\.org$"), re.compile(r"/[^/]+/[^/]*@[^/]+/?$"), "mbox"),
    (re.compile(r"(?:^|\.)git(?:hub|lab)\.com$"), re.compile(r"/(?:commit|pull|merge_requests)/[0-9a-f]+$"), ".patch"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail or its thread on a public-inbox server. `inbox` is the server's URL with the list ("" where the server
    of kpt.toml is to be asked), `message_id` is without <>; `whole_thread` is False where only that mail was meant."""

    message_id: str
    inbox: str = ""
    whole_thread: bool = True


@dataclass(frozen=True, slots=True)
class File:
    """Any other URL: what it gives is read as a file would be."""

    url: str


def parse(source: str) -> Mail | File | None:
    """What `source` asks for; None when it is neither a URL nor a message id. Raises InputError for a broken URL."""
    source = source.strip()
    if _SCHEME.match(source):
        url = _URL.fullmatch(source)
        try:
            return _of_url(url[1] if url else "")
        except ValueError as error:
            raise InputError("not a URL that kpt can fetch", where=source, todo="give one of http or https") from error
    bare = _PREFIX.sub("", source, count=1)
    found = _ID.fullmatch(bare)
    if found is None or "@{" in bare:  # a reflog of git
        return None
    return Mail(found[1])


def _of_url(url: str) -> Mail | File:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if not host or parts.port == 0:  # a port that is no number raises ValueError itself
        raise ValueError("no host")
    segments = [unquote(segment) for segment in parts.path.split("/")]
    place = _id_place(segments)
    if place and not host.startswith(_OTHERS) and not host.endswith(_OTHERS):
        view = segments[place + 1] if place + 1 < len(segments) else ""
        message_id = segments[place].strip("<>")
        if host in _REDIRECTORS or segments[1:place] == ["r"]:
            return Mail(message_id, whole_thread=view not in _ONE_MAIL)
        path = "/".join(parts.path.split("/")[:place])
        return Mail(message_id, f"{parts.scheme}://{parts.netloc}{path}", view not in _ONE_MAIL)
    for known_host, path_form, addition in _MAIL_BESIDE:
        if known_host.search(host) and path_form.search(parts.path):
            path = parts.path if addition.startswith(".") else parts.path.rstrip("/") + "/"
            return File(f"{parts.scheme}://{parts.netloc}{path}{addition}")
    return File(url.partition("#")[0])


def _id_place(segments: list[str]) -> int:
    """Which segment of a path is a message id that a view or nothing follows; 0 for none."""
    for place in range(len(segments) - 1, 0, -1):
        if _ID.fullmatch(segments[place]) and set(segments[place + 1 :]) <= _VIEWS and len(segments) - place <= 3:
            return place
    return 0
