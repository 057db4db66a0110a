"""What stands around every page: whose host, how large a body, who may post, and which headers the answer carries.

`Guard` is the outermost layer, so an answer without these headers does not exist: error pages have them too.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outreach.settings import Settings
from outreach.web.errors import error_page

log = structlog.get_logger()

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
_FEATURES = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
}

#: Pages whose address is a secret or whose reader is staff: no other page may learn where somebody came from.
_NO_REFERRER = ("/confirm/", "/letter/", "/u/", "/s/", "/console", "/staff", "/sign-", "/dev/")
#: Asked by machines on the inside, under whatever name they know us; these answers contain no link.
_PROBES = ("/healthz", "/readyz", "/metrics")
#: Posted by other machines on purpose: a signature or an unguessable token is the proof there, not the origin. Of the
#: pages behind a mailed link it is the one click of mail programs (RFC 8058) alone.
_POSTED_FROM_OUTSIDE = re.compile(r"/hooks/.*|/u/[^/]+")
#: A Host header: a name or an address, and a port. Whatever else stands there is no host of ours.
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?", re.IGNORECASE)

_YEAR = 365 * 24 * 3600
#: What `Strict-Transport-Security` says, by the setting HSTS.
_STAYS_SECURE = {"subdomains": f"max-age={_YEAR}; includeSubDomains", "host": f"max-age={_YEAR}", "off": ""}

_KB = 1024
#: Where whole mails come in, of up to 30 MB, from servers that do not offer them again once we say no.
_MAILS = "/hooks/sendgrid/inbound"
_LARGEST = (
    (_MAILS, 32 * _KB * _KB),
    ("/hooks/", 5 * _KB * _KB),
    ("/c/", 512 * _KB),  # a letter that is far too long comes back to be shortened: nothing of it is lost
    ("/letter/", 512 * _KB),  # there as well
    ("/console/", 1 * _KB * _KB),
    ("/staff/", 1 * _KB * _KB),
)
LARGEST_FORM = 64 * _KB
READ_SECONDS, READ_MAIL_SECONDS = 10.0, 60.0


def content_policy(**more: str) -> str:
    """The Content-Security-Policy of a page; `frame_src="'self'"` adds or replaces a directive."""
    policy = {**_POLICY, **{name.replace("_", "-"): value for name, value in more.items()}}
    return "; ".join(f"{name} {value}".strip() for name, value in policy.items())


class TurnedAway(Exception):
    """The request goes no further; the answer is the error page of this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Gone(Exception):
    """The client hung up in the middle. Half a form is no form."""


class Guard:
    """An ASGI layer around the whole application."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        base = urlsplit(settings.base_url)
        self.is_https = base.scheme == "https"
        self.stays_secure = _STAYS_SECURE[settings.hsts] if self.is_https else ""
        self.takes_mails = settings.takes_posted_mail
        own = (base.hostname or "").lower()
        loopback = {"127.0.0.1", "localhost", "[::1]"}
        own = f"[{own}]" if ":" in own else own
        self.hosts = {own} | (loopback if settings.is_embedded or own in loopback else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send, is_https=self.is_https, stays_secure=self.stays_secure)
        # A HEAD is a GET whose body is not sent; the pages need not know it.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        request = Request(inner)
        try:
            self._check(request)
            body = await _whole_body(request, receive)
            await self.app(inner, _replay(body, receive), answer.send)
        except Gone:
            pass
        except TurnedAway as no:
            await error_page(request, no.status)(inner, receive, answer.send)
        except Exception as error:  # the last net: the person gets a page, the log gets no personal data
            log.error("request_failed", route=_route(inner), error=type(error).__name__, frames=_frames(error))
            if answer.begun:
                raise
            await error_page(request, 500)(inner, receive, answer.send)
        finally:
            answer.note(inner)

    def _check(self, request: Request) -> None:
        path = request.scope["path"]
        if not path.startswith("/"):
            raise TurnedAway(400)
        if path not in _PROBES and _host_of(request) not in self.hosts:
            raise TurnedAway(400)
        if path.startswith(_MAILS) and not self.takes_mails:
            raise TurnedAway(403)  # nobody may post there, so nothing large is read
        is_safe = request.method in ("GET", "OPTIONS")
        if not is_safe and not _POSTED_FROM_OUTSIDE.fullmatch(path) and not is_from_own_page(request):
            raise TurnedAway(403)


def is_from_own_page(request: Request) -> bool:
    """Whether a browser says that one of our own pages posted this; a client that says nothing is believed.

    Under `no-referrer` browsers post `Origin: null` even to the same site, so null alone proves nothing. Then it is
    the token in the path, or the form token of a session, that keeps strangers out.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin == "null" or origin.partition("://")[2].lower() == request.headers.get("host", "").lower()


def _host_of(request: Request) -> str:
    """The host that is asked for, without its port; "" when none can be told."""
    hosts = request.headers.getlist("host")
    said = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return said[1].lower() if said else ""


async def _whole_body(request: Request, receive: Receive) -> bytes:
    """The body, read before anything else happens; TurnedAway when it is too large (413) or too slow (408), or Gone."""
    if request.method == "GET":
        return b""
    path = request.scope["path"]
    largest = next((size for start, size in _LARGEST if path.startswith(start)), LARGEST_FORM)
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told[:20]) > largest:
        raise TurnedAway(413)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_MAIL_SECONDS if path.startswith(_MAILS) else READ_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > largest:
                    raise TurnedAway(413)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise TurnedAway(408) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Answer:
    """Adds the headers as the answer passes, and keeps what the access log wants to know."""

    def __init__(self, scope: Scope, send: Send, *, is_https: bool, stays_secure: str) -> None:
        self._send = send
        self._is_https = is_https
        self._stays_secure = stays_secure
        self._is_head = scope["method"] == "HEAD"
        self._method: str = scope["method"]
        self._path: str = scope["path"]
        self._start = time.perf_counter()
        self._status = 0

    @property
    def begun(self) -> bool:
        return self._status != 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._add_headers(MutableHeaders(scope=message))
        elif message["type"] == "http.response.body" and self._is_head:
            message = {**message, "body": b""}
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", content_policy(**self._upgrade()))
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Referrer-Policy", "no-referrer" if self._path.startswith(_NO_REFERRER) else "same-origin")
        if self._stays_secure:
            headers.setdefault("Strict-Transport-Security", self._stays_secure)

    def _upgrade(self) -> dict[str, str]:
        # On plain http there is nothing to upgrade to: the page would lose its own stylesheet.
        return {"upgrade_insecure_requests": ""} if self._is_https else {}

    def note(self, scope: Scope) -> None:
        # The route's pattern, never the path: paths carry tokens, query strings carry whatever people append.
        took = round((time.perf_counter() - self._start) * 1000, 1)
        is_noise = self._path in _PROBES or self._path.startswith("/static/")
        write = log.debug if is_noise else log.info
        write("request", method=self._method, route=_route(scope), status=self._status, ms=took)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "-"))


def _frames(error: BaseException) -> list[str]:
    """Where it happened, without the message: messages of database errors quote the values of the row."""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
