"""Threads from lore.kernel.org and other public-inbox servers, through liblore; other URLs as files.

liblore knows the server's habits (which list a message is in, mirrors, git's [lore] configuration); what it must not
do here is wait or read without bounds, or speak up by itself. See `download`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from kpatch_tool.errors import InputError, MachineError
from kpatch_tool.mail import addresses
from kpatch_tool.mail.addresses import LORE, File, Mail
from kpatch_tool.mail.read import Received, SourceFile, read_files
from kpatch_tool.system import process

SECONDS = 120.0
_CACHED = 600  # seconds for which a thread is not asked for again
_FORGOTTEN = 86400


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches what a source names. `cache` is a directory of kpt's own, `origin` the public-inbox server asked for
    bare message ids, `seconds` the time one source may take."""

    cache: Path
    origin: str = LORE
    seconds: float = SECONDS

    def __call__(self, source: str) -> Received | None:
        """What `source` names on the network, read; None when it names nothing there.

        Raises InputError (no such message, not mail) and MachineError (no network, ...).
        """
        wanted = addresses.parse(source)
        if wanted is None:
            return None
        from kpatch_tool.mail.download import bounded  # requests takes 100 ms to load

        if isinstance(wanted, File):
            return bounded(lambda: self._file(wanted), self.seconds + 1, wanted.url)
        inbox = wanted.inbox or self.origin
        return bounded(lambda: self._mail(wanted, inbox), self.seconds + 1, f"{inbox}/{wanted.message_id}")

    def _file(self, wanted: File) -> Received:
        from kpatch_tool.mail import download

        data = download.fetch(wanted.url, time.monotonic() + self.seconds)
        name = urlsplit(wanted.url).path.rstrip("/").split("/")[-1] or "page"
        received = read_files([SourceFile(name, data)], where=wanted.url)
        return _from(received, wanted.url)

    def _mail(self, wanted: Mail, inbox: str) -> Received:
        import liblore
        import requests

        from kpatch_tool.mail import download

        where = f"{inbox}/{wanted.message_id}/"
        logger = logging.getLogger("liblore")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False  # what it warns of comes back as an error
        _tidy(self.cache)
        with download.BoundedSession(time.monotonic() + self.seconds) as session:
            try:
                node = liblore.LoreNode.from_git_config(inbox, cache_dir=str(self.cache), cache_ttl=_CACHED)
                if node.user_agent_plus:  # how a site's own machines are told apart (git's lore.useragentplus)
                    session.headers["User-Agent"] = f"{session.headers['User-Agent']!s}+{node.user_agent_plus}"
                node.set_requests_session(session)
                if wanted.whole_thread:
                    data = node.get_mbox_by_msgid(wanted.message_id)
                else:
                    data = node.get_message_by_msgid(wanted.message_id)
            except liblore.RemoteError as error:
                if error.status_code is not None:
                    download.check_status(error.status_code, where, missing="no such message")
                raise download.explained(error, where) from error
            except liblore.LibloreError as error:
                raise MachineError(f"liblore: {_one_line(error)}", where=where) from error
            except requests.RequestException as error:
                raise download.explained(error, where) from error
        if not data.strip():
            raise InputError(f"no such message on {urlsplit(inbox).netloc}", where=where)
        name = re.sub(r"[^\w.@+-]", "_", wanted.message_id) + (".mbox" if wanted.whole_thread else ".eml")
        return _from(read_files([SourceFile(name, data)], where=where), where)


def _tidy(cache: Path) -> None:
    """Make the cache's directory, and forget what was kept there long ago."""
    cache.mkdir(parents=True, exist_ok=True)
    for path in cache.glob("*.lore.*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _FORGOTTEN:
                path.unlink()


def _from(received: Received, origin: str) -> Received:
    return replace(received, origins=(origin,))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def configured_origin(kpt_toml: Path) -> str:
    """The public-inbox server for bare message ids: `[mail] lore` of kpt.toml, else b4.midmask of git's configuration,
    else lore.kernel.org. Raises InputError when kpt.toml cannot be read or names no URL."""
    try:
        table = tomllib.loads(kpt_toml.read_text("utf-8")).get("mail", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"cannot be read: {_one_line(error)}", where=str(kpt_toml), todo="correct the file") from error
    chosen = table.get("lore") if isinstance(table, dict) else None
    if chosen is None:
        asked = process.run(["git", "config", "--get", "b4.midmask"], timeout=10)
        mask = asked.stdout.decode("utf-8", "replace").strip()
        chosen = mask.removesuffix("/").removesuffix("/%s") if mask.endswith(("/%s", "/%s/")) else LORE
    if not isinstance(chosen, str) or not _is_address(chosen):
        raise InputError(f"[mail] lore is no URL: {chosen!r}", where=str(kpt_toml), todo=f'lore = "{LORE}"')
    return chosen.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and parts.port != 0
    except ValueError:  # brackets that do not fit, a port that is none
        return False
