"""SendGrid v3, one request per mail.

The library gives host, authorisation and the classes of its answers. Its posting is replaced, since it opens a new
connection and loads every CA for each mail; its `Mail` builder is not used, since it drops addresses, merges custom
arguments and lets line breaks through. What goes out is a plain dict, built and checked here.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from python_http_client import exceptions as answers
from sendgrid import SendGridAPIClient

from outreach.domain.messages import Mailbox, Message
from outreach.settings import Settings
from outreach.transports.base import Ailing, LockedOut, NoAnswer, Receipt, Refused, Unavailable, masked
from outreach.transports.checks import check
from outreach.transports.wire import Answer, NotSent, Unanswered, Wire

_LONGEST_PAUSE = timedelta(minutes=15)
_SHORT_PAUSE = timedelta(seconds=15)
_KEY_PAUSE = timedelta(seconds=60)
_OFF = {"enable": False}
#: Named one by one: what is left out follows the account's settings, and those may be on.
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": _OFF,
    "subscription_tracking": _OFF,
    "ganalytics": _OFF,
}
_SEPARATORS = re.compile(r"[\s,;]+")


class SendGridTransport:
    """Hands mails to SendGrid over kept-alive connections."""

    name = "sendgrid"

    def __init__(
        self,
        api_key: str,
        *,
        host: str = "https://api.sendgrid.com",
        env: str = "production",
        connections: int = 32,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # At DEBUG both loggers would print what must not be in a log: the key, or the whole letter.
        logging.getLogger("python_http_client").setLevel(logging.WARNING)
        logging.getLogger("python_http_client.client").setLevel(logging.WARNING)
        client = SendGridAPIClient(api_key, host=host).client
        self._headers: dict[str, str] = {**client.request_headers, "Content-Type": "application/json"}
        self._wire = Wire(client.host, connections=connections, timeout=timeout, ssl_context=ssl_context)
        self._env = env
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings) -> SendGridTransport:
        return cls(
            settings.sendgrid_api_key,
            host=settings.sendgrid_host,
            env=settings.env,
            connections=settings.handovers,
            timeout=settings.provider_timeout,
        )

    def send(self, message: Message) -> Receipt:
        """Hand over one message; the receipt carries SendGrid's X-Message-Id."""
        try:
            body = json.dumps(payload(message, env=self._env), separators=(",", ":")).encode()
        except ValueError as error:
            raise Refused(str(error)) from None
        try:
            answer = self._wire.post("/v3/mail/send", body, self._headers)
        except NotSent as error:
            raise Unavailable(f"SendGrid cannot be reached: {error}", retry_after=_SHORT_PAUSE, whole=True) from None
        except Unanswered as error:
            raise NoAnswer(f"SendGrid gave no answer: {error}") from None
        if answer.status == 202:
            return Receipt(answer.headers.get("X-Message-Id", "")[:200])
        raise _meaning(answer, now=self._clock())

    def close(self) -> None:
        self._wire.close()


def payload(message: Message, *, env: str) -> dict[str, Any]:
    """The request's body. Raises ValueError when the message is not exactly one mail to one mailbox."""
    check(message)
    personalization: dict[str, Any] = {
        "to": [_mailbox(message.to, separators=False)],
        "custom_args": {"oe_delivery": message.delivery, "oe_attempt": str(message.attempt), "oe_env": env},
    }
    if message.headers:
        personalization["headers"] = dict(message.headers)
    body: dict[str, Any] = {
        "personalizations": [personalization],
        "from": _mailbox(message.sender),
        "subject": message.subject,
        "content": [
            {"type": "text/plain", "value": message.text},
            {"type": "text/html", "value": message.html},
        ],
        "tracking_settings": _NO_TRACKING,
    }
    if message.reply_to is not None:
        body["reply_to"] = _mailbox(message.reply_to)
    return body


def _mailbox(mailbox: Mailbox, *, separators: bool = True) -> dict[str, str]:
    name = mailbox.name if separators else _SEPARATORS.sub(" ", mailbox.name).strip()
    return {"email": mailbox.address, "name": name} if name else {"email": mailbox.address}


def _meaning(answer: Answer, *, now: float) -> Refused | Unavailable | NoAnswer:
    """What an answer other than 202 says about the mail."""
    told = _errors(answer.body)
    detail = f"{answer.status} {told or answer.reason}"
    if answer.status == 200:
        return LockedOut("SendGrid's sandbox mode is on: nothing is sent", retry_after=_KEY_PAUSE)
    if 300 <= answer.status < 400:
        return LockedOut(f"{answer.status}: the host redirects; check SENDGRID_HOST", retry_after=_KEY_PAUSE)
    kind = answers.err_dict.get(answer.status, answers.HTTPError)
    if issubclass(kind, answers.UnauthorizedError | answers.ForbiddenError):
        return LockedOut(f"the provider refuses our key: {detail}", retry_after=_KEY_PAUSE)
    if issubclass(kind, answers.TooManyRequestsError):
        return Unavailable(f"too many requests: {detail}", retry_after=_pause(answer, now=now), whole=True)
    if issubclass(kind, answers.BadRequestsError | answers.PayloadTooLargeError):
        return Refused(detail)
    if 400 <= answer.status < 500:
        if told:
            return Refused(detail)
        # Somebody else answered, such as a proxy or a wrong host: no reason to give up any mail.
        return LockedOut(f"{detail}: not SendGrid's own answer", retry_after=_KEY_PAUSE)
    if issubclass(kind, answers.InternalServerError | answers.ServiceUnavailableError) and told:
        return Ailing(detail)
    # A gateway speaks for a server that may have taken the mail before it fell silent.
    return NoAnswer(f"SendGrid gave no clear answer: {answer.status}")


def _errors(body: bytes) -> str:
    """SendGrid's own words as "field: message; …", or "" when the body is not SendGrid's JSON."""
    try:
        errors = json.loads(body)["errors"]
        told = [(e.get("field"), e.get("message")) for e in errors]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    return masked("; ".join(f"{field}: {words}" if field else str(words) for field, words in told[:3]))


def _pause(answer: Answer, *, now: float) -> timedelta:
    """How long a 429 asks us to wait: until X-RateLimit-Reset (unix seconds), else Retry-After; 1 s to 15 min."""
    try:
        seconds = float(answer.headers["X-RateLimit-Reset"]) - now
    except (KeyError, ValueError):
        seconds = _retry_after(answer.headers.get("Retry-After", ""), now=now)
    if not seconds < _LONGEST_PAUSE.total_seconds():  # also for “nan”
        return _LONGEST_PAUSE
    return timedelta(seconds=max(1.0, seconds))


def _retry_after(value: str, *, now: float) -> float:
    if value.strip().isdecimal() and len(value) < 12:
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return _SHORT_PAUSE.total_seconds()
