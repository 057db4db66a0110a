"""One kept-alive HTTP pool that can say whether a request had left whole when it failed.

That is the question everything hangs on: a request whose last byte never reached the socket cannot have been acted
upon and may be offered again; one that left whole and got no answer may have been.
"""

from __future__ import annotations

import ssl
import threading
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError

CONNECT_TIMEOUT = 5.0
#: A connection that idled longer is not used again: load balancers close theirs after a while, mid-request if unlucky.
IDLE_SECONDS = 4.0
_LARGEST_ANSWER = 65_536


class NotSent(Exception):
    """The request did not leave whole, so nothing can have been done about it."""


class Unanswered(Exception):
    """The request left whole and no answer came."""


class _Sending(threading.local):
    body = b""
    left_whole = False


_sending = _Sending()


class _Watched:
    """Gives head and body to the socket in one write, and notes when that write begins.

    Two writes are two packets, and wake the far server twice.
    """

    _used_at = 0.0
    _head = b""

    @property
    def is_connected(self) -> bool:
        return monotonic() - self._used_at < IDLE_SECONDS and bool(super().is_connected)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if not (isinstance(data, bytes) and data.endswith(_sending.body)):
            _sending.left_whole = False
            if self.sock is None:  # type: ignore[attr-defined]
                self.connect()  # type: ignore[attr-defined]  # now, while failing still means that nothing has left
            self._head = data
            return
        data, self._head = self._head + data, b""
        # Noted before the write: whatever interrupts it from outside must find the cautious answer.
        _sending.left_whole = True
        self._used_at = monotonic()
        try:
            super().send(data)  # type: ignore[misc]
        except OSError:
            _sending.left_whole = False  # the kernel did not take all of it
            raise


class _Plain(_Watched, HTTPConnection):
    pass


class _Tls(_Watched, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class Answer:
    """A status, headers that can be asked in any case, and at most 64 KiB of body."""

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(self, response: BaseHTTPResponse) -> None:
        self.status = response.status
        self.reason = response.reason or ""
        self.headers = response.headers
        self.body = _read(response)


class Wire:
    """Kept-alive connections to one host, for many threads. Nothing that may have left is sent again."""

    def __init__(
        self, url: str, *, connections: int, timeout: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        self._path = parts.path.rstrip("/")
        self._patience = timeout
        options: dict[str, Any] = {
            "port": parts.port,
            "maxsize": connections,
            "block": True,
            "retries": False,
            "timeout": Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
        }
        host = parts.hostname or ""
        self._pool: HTTPConnectionPool
        if parts.scheme == "https":  # one context for all: loading the CA store takes 20 ms
            self._pool = _TlsPool(host, ssl_context=ssl_context or ssl.create_default_context(), **options)
        else:
            self._pool = _PlainPool(host, **options)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send once. Raises NotSent or Unanswered; any status is an answer."""
        try:
            return self._post(path, body, headers)
        except ProtocolError as error:
            if _sending.left_whole:
                raise Unanswered(_words(error)) from None
        except HTTPError as error:
            raise (Unanswered if _sending.left_whole else NotSent)(_words(error)) from None
        # A kept connection broke before the request had left it; a new one may do.
        try:
            return self._post(path, body, headers)
        except HTTPError as error:
            raise (Unanswered if _sending.left_whole else NotSent)(_words(error)) from None

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        _sending.body, _sending.left_whole = body, False
        response = self._pool.urlopen(
            "POST",
            self._path + path,
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
            pool_timeout=max(1, round(self._patience)),
        )
        return Answer(response)

    def close(self) -> None:
        self._pool.close()


def _read(response: BaseHTTPResponse) -> bytes:
    """The body as far as it came. The status is the answer, so a broken body changes nothing."""
    try:
        body = response.read(_LARGEST_ANSWER)
        if response.length_remaining:  # too much of it: not worth keeping the connection for
            response.close()
    except HTTPError:
        response.close()
        return b""
    response.release_conn()
    return body


def _words(error: HTTPError) -> str:
    """What went wrong, without the addresses and objects urllib3 puts into its messages."""
    cause = error.args[-1] if error.args and isinstance(error.args[-1], BaseException) else None
    return type(error).__name__ + (f" ({type(cause).__name__})" if cause else "")
