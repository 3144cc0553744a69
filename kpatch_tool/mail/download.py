"""HTTP for sources of mail: bounded in time and size, careful with redirects, errors in one line.

liblore and plain URLs both go through `BoundedSession`; `bounded` keeps an eye on the clock from outside, since a
server that sends a byte now and then, or a resolver that hangs, never meets a socket's time limit.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from kpatch_tool import __version__
from kpatch_tool.errors import InputError, KptError, MachineError
from kpatch_tool.system import magic

if TYPE_CHECKING:
    from requests.models import PreparedRequest, Response

LARGEST = 256 << 20  # bytes of one answer
LARGEST_UNPACKED = 1 << 30
_BLOCK = 1 << 16
_MOST_REDIRECTS = 8
_CONNECT = 10.0  # seconds
_CHALLENGE = re.compile(rb"not a bot|anubis|Just a moment\.\.\.|captcha|cf-chl", re.IGNORECASE)
_DOWNLOAD = "save the thread's mbox with a browser (lore: .../t.mbox.gz) and import the file"

_Result = TypeVar("_Result")


class BoundedSession(requests.Session):
    """A session whose answers are read at once, up to LARGEST bytes and until `deadline` (time.monotonic()).

    Raises InputError for an answer that is too large, MachineError for one that is not what it should be. `last` is the
    body of the last answer as it came.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline
        self.max_redirects = _MOST_REDIRECTS
        self.headers["User-Agent"] = f"kpt/{__version__}"
        self.last = b""

    def send(self, request: PreparedRequest, **kwargs: object) -> Response:
        left = max(0.1, self.deadline - time.monotonic())
        kwargs["timeout"] = (min(_CONNECT, left), left)
        kwargs["stream"] = True
        try:
            response = super().send(request, **kwargs)
        except (UnicodeError, urllib3.exceptions.LocationParseError) as error:  # a host's name that is none
            raise requests.exceptions.InvalidURL(str(error)) from error
        if not isinstance(response.raw, io.BytesIO):
            self.last = self._read(response)
            response.raw = io.BytesIO(self.last)
        return response

    def get_redirect_target(self, resp: Response) -> str | None:
        """Where an answer redirects to. Raises MachineError where a browser would warn."""
        try:
            target = super().get_redirect_target(resp)
            if target:
                _check_redirect(resp.url, urljoin(resp.url, target))
        except ValueError as error:
            raise MachineError("the server redirects to what is no address", where=resp.url, todo=_DOWNLOAD) from error
        return target

    def _read(self, response: Response) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := response.raw.read(_BLOCK, decode_content=True):
                size += len(piece)
                pieces.append(piece)
                if size > LARGEST:
                    raise InputError(f"larger than {LARGEST >> 20} MB", where=response.url, todo="is this a thread?")
                if time.monotonic() > self.deadline:
                    raise requests.Timeout("the answer takes too long")
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(str(error)) from error
        finally:
            response.raw.close()
        data = b"".join(pieces)
        if response.status_code == requests.codes.ok and response.request.method != "HEAD":
            _check_packed(data, response)
        return data


def _check_redirect(old: str, new: str) -> None:
    was, to = urlsplit(old), urlsplit(new)
    if to.scheme not in (was.scheme, "https"):
        raise MachineError(f"the server redirects from {was.scheme} to {to.scheme}", where=old, todo=_DOWNLOAD)
    if to.hostname != was.hostname and _is_private(to.hostname or "") and not _is_private(was.hostname or ""):
        raise MachineError("the server redirects to an address of a private network", where=old, todo=_DOWNLOAD)


def _is_private(host: str) -> bool:
    """Whether a host is this machine or in a private network, however its name or number is written."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # nobody's, or only a proxy knows it
    return not all(map(_is_global, {str(row[4][0]) for row in found}))


def _is_global(number: str) -> bool:
    address = ipaddress.ip_address(number)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global


def _check_packed(data: bytes, response: Response) -> None:
    """Raise when an answer that should be gzip is something else, is cut short, or unpacks to too much."""
    if not urlsplit(response.url).path.endswith(".gz"):
        return
    host = urlsplit(response.url).netloc
    if not data.startswith(magic.GZIP):
        what = "a check for robots" if _CHALLENGE.search(data) else "a page"
        raise MachineError(f"{host} answered with {what} instead of mail", where=response.url, todo=_DOWNLOAD)
    size = 0
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            while data and not unpacker.eof:
                size += len(unpacker.decompress(data, 1 << 24))
                data = unpacker.unconsumed_tail
                if size > LARGEST_UNPACKED:
                    raise InputError("the answer is too large unpacked", where=response.url, todo="is this a thread?")
        except zlib.error as error:
            raise MachineError("the answer is damaged", where=response.url, todo="try again") from error
        if not unpacker.eof:
            raise MachineError("the answer was cut short", where=response.url, todo="try again")
        data = unpacker.unused_data.lstrip(b"\0")


def fetch(url: str, deadline: float) -> bytes:
    """What is at `url`. Raises InputError (no such page, too large) or MachineError (no network, ...)."""
    with BoundedSession(deadline) as session:
        try:
            response = session.get(url)
        except requests.RequestException as error:
            raise explained(error, url) from error
        check_status(response.status_code, url)
        return response.content


def check_status(status: int, where: str, *, missing: str = "no such page") -> None:
    """Raise the error of an HTTP status that is none of success."""
    host = urlsplit(where).netloc
    if status in (404, 410):
        raise InputError(f"{missing} on {host}", where=where, todo="check the address or the message id")
    if status in (401, 403, 429):
        raise MachineError(f"{host} does not let kpt in (HTTP {status})", where=where, todo=_DOWNLOAD)
    if status >= 400:
        raise MachineError(f"{host} answers with an error (HTTP {status})", where=where, todo="try again later")


@dataclass(frozen=True, slots=True)
class _Reason:
    """A way in which a request fails: told by a kind of error in the chain or by words of their texts."""

    kinds: tuple[type[BaseException], ...]
    words: re.Pattern[str]
    what: str
    todo: str
    error: type[KptError] = MachineError


_REASONS = (
    _Reason(
        (requests.exceptions.ProxyError,),
        re.compile("Tunnel connection failed"),
        "the proxy does not let kpt through to {host}",
        "see https_proxy in the environment",
    ),
    _Reason(
        (requests.exceptions.SSLError,),
        re.compile("CERTIFICATE_VERIFY_FAILED"),
        "the certificate of {host} is not trusted ({why})",
        "see the machine's clock and certificates, or REQUESTS_CA_BUNDLE for a proxy's own",
    ),
    _Reason(
        (socket.gaierror, urllib3.exceptions.NameResolutionError),
        re.compile("Name or service not known|name resolution"),
        "no address for {host}: no network, or no such server",
        "see the network, or " + _DOWNLOAD,
    ),
    _Reason(
        (requests.Timeout, TimeoutError),
        re.compile("timed out"),
        "{host} did not answer in time",
        "try again, or with a longer --timeout",
    ),
    _Reason(
        (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
            UnicodeError,
        ),
        re.compile("(?!)"),
        "not a URL that can be fetched",
        "check it",
        InputError,
    ),
    _Reason(
        (requests.exceptions.TooManyRedirects,),
        re.compile("(?!)"),
        "{host} redirects without end",
        _DOWNLOAD,
    ),
    _Reason(
        (ConnectionRefusedError,),
        re.compile("refused|unreachable|No route"),
        "{host} cannot be reached",
        "see the network, or " + _DOWNLOAD,
    ),
)
_WHY_UNTRUSTED = re.compile(r"certificate verify failed: ([^(\]']+)")


def explained(error: BaseException, where: str) -> KptError:
    """A failed request in one line: what is wrong, and what to do."""
    chain = _causes(error)
    if own := next((one for one in chain if isinstance(one, KptError)), None):
        return own
    host = urlsplit(where).hostname or where
    text = " ".join(str(one) for one in chain)
    why = _WHY_UNTRUSTED.search(text)
    for reason in _REASONS:
        if any(isinstance(one, reason.kinds) for one in chain) or reason.words.search(text):
            what = reason.what.format(host=host, why=why[1].strip() if why else "TLS failed")
            return reason.error(what, where=where, todo=reason.todo)
    return MachineError(f"the connection to {host} broke off", where=where, todo="try again")


def _too_slow(host: str, where: str) -> MachineError:
    return MachineError(f"{host} did not answer in time", where=where, todo="try again, or with a longer --timeout")


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    pending = [error]
    while pending and len(found) < 30:
        one = pending.pop()
        if one is None or one in found:
            continue
        found.append(one)
        pending += [one.__cause__, one.__context__, getattr(one, "reason", None)]
        pending += [argument for argument in one.args if isinstance(argument, BaseException)]
        pending = [each for each in pending if each is None or isinstance(each, BaseException)]
    return found


def bounded(work: Callable[[], _Result], seconds: float, where: str) -> _Result:
    """The result of `work`, run beside this thread; MachineError when it takes longer than `seconds`."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed on below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise _too_slow(urlsplit(where).hostname or where, where)
    return results[0]
