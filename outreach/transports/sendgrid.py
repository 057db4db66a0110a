"""SendGrid v3: one request per mail, or one for hundreds of mails that differ in plain values only.

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
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from python_http_client import exceptions as answers
from sendgrid import SendGridAPIClient

from outreach.domain.messages import Message
from outreach.errors import OutOfReach
from outreach.settings import Settings
from outreach.transports.base import (
    Ailing,
    LockedOut,
    NoAnswer,
    NotOffered,
    Outcome,
    Receipt,
    Refused,
    Simulated,
    Unavailable,
    masked,
)
from outreach.transports.checks import check
from outreach.transports.isolating import NOT_NOW, Objection, isolate
from outreach.transports.personalizations import MOST_ROWS, Row, chunks, personalization, request, row, shared
from outreach.transports.wire import Answer, NotSent, Unanswered, Wire

_LONGEST_PAUSE = timedelta(minutes=15)
_SHORT_PAUSE = timedelta(seconds=15)
_KEY_PAUSE = timedelta(seconds=60)
_OF_A_ROW = re.compile(r"personalizations(?:\.|\[)(\d{1,4})\b")


class SendGridTransport:
    """Hands mails to SendGrid over kept-alive connections. With `sandbox` it has them looked at and sends none."""

    name = "sendgrid"
    largest = MOST_ROWS

    def __init__(
        self,
        api_key: str,
        *,
        host: str = "https://api.sendgrid.com",
        env: str = "production",
        sandbox: bool = False,
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
        self._sandbox = sandbox
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings) -> SendGridTransport:
        return cls(
            settings.sendgrid_api_key,
            host=settings.sendgrid_host,
            env=settings.env,
            sandbox=settings.sendgrid_sandbox,
            connections=settings.handovers,
            timeout=settings.provider_timeout,
        )

    def send(self, message: Message) -> Receipt:
        """Hand over one message; the receipt carries SendGrid's X-Message-Id."""
        try:
            body = payload(message, env=self._env)
        except ValueError as error:
            raise Refused(str(error)) from None
        answer = self._post(body)
        outcome = answer if isinstance(answer, Unavailable | NoAnswer) else self._outcome(answer)
        if isinstance(outcome, Receipt):
            return outcome
        raise outcome

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[Outcome]:
        """Hand over straight messages, as few requests as there can be; one bad row does not cost the others."""
        outcomes: dict[int, Outcome] = {}

        def may_go_on() -> bool:
            closed = any(isinstance(o, NoAnswer) or (isinstance(o, Unavailable) and o.whole) for o in outcomes.values())
            return not closed and time.monotonic() <= deadline

        rows: list[Row] = []
        for number, message in enumerate(messages):
            try:
                made = row(number, message, env=self._env)
            except ValueError as error:
                outcomes[number] = Refused(str(error))
                continue
            if made is not None:
                rows.append(made)
            else:
                outcomes[number] = self._by_itself(message) if may_go_on() else NotOffered(NOT_NOW)
        for chunk in chunks(rows):
            told = isolate(len(chunk), partial(self._offer, chunk), may_go_on=may_go_on)
            outcomes.update((row.number, outcome) for row, outcome in zip(chunk, told, strict=True))
        return [outcomes[number] for number in range(len(messages))]

    def erase_recipients(self, addresses: Sequence[str]) -> None:
        """Have SendGrid erase what it keeps about these recipients, at most 5,000; OutOfReach when it takes no job."""
        octets = json.dumps({"email_addresses": list(addresses)}).encode()
        try:
            answer = self._wire.post("/v3/recipients/erasejob", octets, self._headers)
        except (NotSent, Unanswered) as error:
            raise OutOfReach(f"SendGrid took no erase job ({error}).", where="SENDGRID_HOST") from None
        if answer.status != 202:
            raise OutOfReach(
                f"SendGrid took no erase job ({answer.status} {_errors(answer.body) or answer.reason}).",
                where="SENDGRID_API_KEY",
                advice="The key needs full access, or the right to erase recipients.",
            )

    def _by_itself(self, message: Message) -> Outcome:
        try:
            return self.send(message)
        except (Refused, Simulated, Unavailable, NoAnswer) as error:
            return error

    def _offer(self, chunk: Sequence[Row], places: Sequence[int]) -> Outcome | Objection:
        """One request for the rows at these places of a chunk."""
        answer = self._post(request([chunk[place] for place in places]))
        if isinstance(answer, Unavailable | NoAnswer):
            return answer
        outcome = self._outcome(answer)
        if not isinstance(outcome, Refused) or answer.status not in (400, 413):
            return outcome
        told = _told(answer.body)
        named = {
            int(found[1]): Refused(masked(f"{answer.status} {field[found.end() :].lstrip('.]')}: {words}"))
            for field, words in told
            if (found := _OF_A_ROW.match(field))
        }
        if not named and any(field and not field.startswith("personalizations") for field, _ in told):
            return outcome  # about what they all share: it would be the same for each
        return Objection(outcome, named, is_size=answer.status == 413)

    def _post(self, body: dict[str, Any]) -> Answer | Unavailable | NoAnswer:
        if self._sandbox:
            body["mail_settings"] = {"sandbox_mode": {"enable": True}}
        octets = json.dumps(body, separators=(",", ":")).encode()
        try:
            return self._wire.post("/v3/mail/send", octets, self._headers)
        except NotSent as error:
            return Unavailable(f"SendGrid cannot be reached: {error}", retry_after=_SHORT_PAUSE, whole=True)
        except Unanswered as error:
            return NoAnswer(f"SendGrid gave no answer: {error}")

    def _outcome(self, answer: Answer) -> Outcome:
        if answer.status == 202:
            return Receipt(answer.headers.get("X-Message-Id", "")[:200])
        if answer.status == 200 and self._sandbox:
            return Simulated("SendGrid's sandbox would have taken it")
        return _meaning(answer, now=self._clock())

    def close(self) -> None:
        self._wire.close()


def payload(message: Message, *, env: str) -> dict[str, Any]:
    """The request's body. Raises ValueError when the message is not exactly one mail to one mailbox."""
    check(message)
    person = personalization(message, env=env)
    return {"personalizations": [person], **shared(message, message.subject, message.text, message.html)}


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
    return masked("; ".join(f"{field}: {words}" if field else words for field, words in _told(body)[:3]))


def _told(body: bytes) -> list[tuple[str, str]]:
    """Each error's field and message; none when the body is not SendGrid's JSON."""
    try:
        return [(str(error.get("field") or ""), str(error.get("message"))) for error in json.loads(body)["errors"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _pause(answer: Answer, *, now: float) -> timedelta:
    """How long a 429 asks us to wait: until X-RateLimit-Reset (unix seconds), else Retry-After; 1 s to 15 min."""
    with suppress(KeyError, ValueError, OverflowError):  # by the provider's own clock, if it tells: ours may be wrong
        now = parsedate_to_datetime(answer.headers["Date"]).timestamp()
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
