"""SendGrid's email log, as much of it as is asked: one address in a span of time, then one mail with its arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

_QUERY = re.compile(
    r'to_email = "([^"]+)" AND sg_message_id_created_at >= TIMESTAMP "([^"]+)" '
    r'AND sg_message_id_created_at <= TIMESTAMP "([^"]+)"'
)


def respond(method: str, path: str, body: bytes, records: Iterable[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Status and JSON of `POST /v3/logs` or `GET /v3/logs/{sg_message_id}`."""
    if method == "POST" and path == "/v3/logs":
        return _filter(body, records)
    wanted = unquote(path.removeprefix("/v3/logs/"))
    found = next((record for record in records if message_id(record) == wanted), None)
    if method != "GET" or found is None:
        return 404, {"errors": [{"message": "message not found"}]}
    return 200, {**_summary(found), "custom_args": found["custom_args"], "events": []}


def _filter(body: bytes, records: Iterable[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    asked = json.loads(body)
    query = _QUERY.fullmatch(asked.get("query", ""))
    if query is None or not 1 <= asked.get("limit", 10) <= 1000:
        return 400, {"errors": [{"message": "invalid query"}]}
    to, begin, end = query.groups()
    span = datetime.fromisoformat(begin).timestamp(), datetime.fromisoformat(end).timestamp()
    found = [record for record in records if record["to"] == to and span[0] <= record["at"] <= span[1]]
    return 200, {"messages": [_summary(record) for record in found[: asked.get("limit", 10)]]}


def message_id(record: dict[str, Any]) -> str:
    """The long form of the id, one for each mail of a request."""
    return f"{record['message_id']}.recvd-85abf8d92c-x-1-65E30000-{record['number']}.0"


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "sg_message_id": message_id(record),
        "from_email": record["from"]["email"],
        "to_email": record["to"],
        "subject": record["subject"],
        "status": "processed",
        "sg_message_id_created_at": datetime.fromtimestamp(record["at"], UTC).isoformat(),
    }
