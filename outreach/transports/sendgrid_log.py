"""SendGrid's own log of the mails it took: asked about one mail that got no answer.

It says what is there, never what is not: a mail it does not show may have been taken all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from outreach.errors import OutOfReach
from outreach.settings import Settings

#: A mail is looked for in the log from so long before its hand-over began until so long after.
_BEFORE, _AFTER = timedelta(minutes=5), timedelta(minutes=30)
#: So many mails to one address in that time are opened to see which delivery they are.
_MOST = 30


@dataclass(frozen=True, slots=True)
class Logged:
    """A mail in the log. `attempt` is the one that brought it there."""

    message_id: str
    attempt: int | None


class SendGridLog:
    """Asks the log. Holds connections; close it."""

    transport = "sendgrid"
    at_once = 20

    def __init__(self, api_key: str, *, host: str = "https://api.sendgrid.com", timeout: float = 10.0) -> None:
        self._host = host.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._pool = PoolManager(retries=False, timeout=Timeout(connect=min(5.0, timeout), read=timeout))

    @classmethod
    def from_settings(cls, settings: Settings) -> SendGridLog:
        return cls(settings.sendgrid_api_key, host=settings.sendgrid_host, timeout=settings.provider_timeout)

    def find(self, delivery: str, *, to: str, at: datetime) -> Logged | None:
        """The mail of this delivery, handed over about `at` to address `to`; None when the log does not show it.

        Raises OutOfReach when the log cannot be asked.
        """
        for summary in self._search(to, at):
            message_id = str(summary.get("sg_message_id", ""))
            told = self._ask("GET", f"/v3/logs/{quote(message_id, safe='')}").get("custom_args")
            if isinstance(told, dict) and told.get("oe_delivery") == delivery:
                attempt = str(told.get("oe_attempt", ""))
                return Logged(message_id, int(attempt) if attempt.isdecimal() and len(attempt) < 10 else None)
        return None

    def _search(self, to: str, at: datetime) -> list[dict[str, Any]]:
        if '"' in to or "\\" in to:  # would end the quoted word in the query
            return []
        query = (
            f'to_email = "{to}" AND sg_message_id_created_at >= TIMESTAMP "{_stamp(at - _BEFORE)}" '
            f'AND sg_message_id_created_at <= TIMESTAMP "{_stamp(at + _AFTER)}"'
        )
        found = self._ask("POST", "/v3/logs", {"query": query, "limit": _MOST}).get("messages")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._pool.request(
                method,
                self._host + path,
                body=json.dumps(body).encode() if body is not None else None,
                headers=self._headers,
                redirect=False,
            )
            told = json.loads(answer.data) if answer.status == 200 else {}
        except (HTTPError, ValueError) as error:
            raise self._away(type(error).__name__) from None
        if answer.status not in (200, 404) or not isinstance(told, dict):
            raise self._away(str(answer.status))
        return told

    def _away(self, why: str) -> OutOfReach:
        host = urlsplit(self._host).hostname or self._host
        return OutOfReach(
            f"SendGrid's log cannot be asked ({why}).", where=host, advice="The key needs the right to read email logs."
        )

    def close(self) -> None:
        self._pool.clear()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
