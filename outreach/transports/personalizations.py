"""One SendGrid request for hundreds of mails: which may share it, and what stands in it.

They share texts with tags in them, and each brings the values that SendGrid puts in their places. Whatever SendGrid
might trip over is kept out beforehand, because one bad row has a whole request refused.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outreach.domain.messages import Mailbox, Message, Straight
from outreach.transports.checks import check

#: Rows in one request. SendGrid takes 1,000; half of that loses less when an answer gets lost.
MOST_ROWS = 500
#: Bytes of a request, of one row's substitutions and of its custom arguments. SendGrid's limits are 30 MB and 10,000.
MOST_BYTES = 20_000_000
MOST_VALUES = 9_500

#: Named one by one: what is left out follows the account's settings, and those may be on.
_OFF = {"enable": False}
NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": _OFF,
    "subscription_tracking": _OFF,
    "ganalytics": _OFF,
}
_SEPARATORS = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One mail of a shared request. `number` is its place in the list that was asked to be sent."""

    number: int
    message: Message
    body: dict[str, Any]
    size: int  #: bytes as JSON


def personalization(message: Message, *, env: str) -> dict[str, Any]:
    """What a request says about one mail: to whom, which of ours it is, and the headers it alone has."""
    person: dict[str, Any] = {
        "to": [mailbox(message.to, separators=False)],
        "custom_args": {"oe_delivery": message.delivery, "oe_attempt": str(message.attempt), "oe_env": env},
    }
    if message.headers:
        person["headers"] = dict(message.headers)
    return person


def row(number: int, message: Message, *, env: str) -> Row | None:
    """A straight mail as a row; None when it must go by itself. ValueError when it must not go at all."""
    check(message)
    straight = message.straight
    if straight is None or message.attachments or not _may_share(straight):
        return None
    person = personalization(message, env=env)
    if straight.values:
        person["substitutions"] = dict(straight.values)
    if _bytes_of(person["custom_args"]) > MOST_VALUES:
        return None
    return Row(number, message, person, len(json.dumps(person, separators=(",", ":"))) + 1)


def _may_share(straight: Straight) -> bool:
    """Whether SendGrid puts these values in the places they are meant for, and nowhere else.

    It scans what it has put in for tags again, so none may stand in a value.
    """
    tags = [tag for tag, _ in straight.values]
    return (
        _bytes_of(straight.values) <= MOST_VALUES
        and len(set(tags)) == len(tags)
        and not any(tag in value for tag in tags for _, value in straight.values)
    )


def _bytes_of(values: dict[str, str] | Sequence[tuple[str, str]]) -> int:
    pairs = values.items() if isinstance(values, dict) else values
    return sum(len(name.encode()) + len(value.encode()) for name, value in pairs)


def chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cut rows into requests: what is the same in all their mails is equal, no address comes twice, none is too big."""
    waiting = list(rows)
    while waiting:
        chunk: list[Row] = []
        passed: list[Row] = []
        addresses: set[str] = set()
        size = _shared_size(waiting[0])
        for row in waiting:
            address = row.message.to.address.lower()
            fits = len(chunk) < MOST_ROWS and size + row.size <= MOST_BYTES
            if chunk and (not fits or address in addresses or _shared(row) != _shared(chunk[0])):
                passed.append(row)
                continue
            chunk.append(row)
            addresses.add(address)
            size += row.size
        yield chunk
        waiting = passed


def request(rows: Sequence[Row]) -> dict[str, Any]:
    """The body of one request for these rows."""
    message = rows[0].message
    assert message.straight is not None  # noqa: S101 (only straight mails become rows)
    straight = message.straight
    body = shared(message, straight.subject, straight.text, straight.html)
    return {"personalizations": [row.body for row in rows], **body}


def shared(message: Message, subject: str, text: str, html: str) -> dict[str, Any]:
    """What a request says about all its mails."""
    body: dict[str, Any] = {
        "from": mailbox(message.sender),
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
        "tracking_settings": NO_TRACKING,
    }
    if message.reply_to is not None:
        body["reply_to"] = mailbox(message.reply_to)
    if message.attachments:
        body["attachments"] = [
            {"content": b64encode(a.content).decode(), "type": a.kind, "filename": a.name, "disposition": "attachment"}
            for a in message.attachments
        ]
    return body


def mailbox(mailbox: Mailbox, *, separators: bool = True) -> dict[str, str]:
    """A name and an address; SendGrid takes no commas and semicolons in a recipient's name."""
    name = mailbox.name if separators else _SEPARATORS.sub(" ", mailbox.name).strip()
    return {"email": mailbox.address, "name": name} if name else {"email": mailbox.address}


def _shared(row: Row) -> tuple[object, ...]:
    message = row.message
    straight = message.straight
    assert straight is not None  # noqa: S101 (see `request`)
    tags = tuple(tag for tag, _ in straight.values)
    return (straight.key, message.sender, message.reply_to, straight.subject, straight.text, straight.html, tags)


def _shared_size(row: Row) -> int:
    straight = row.message.straight
    assert straight is not None  # noqa: S101 (see `request`)
    texts = json.dumps((straight.subject, straight.text, straight.html))
    return len(texts) + 1_000  # addresses, settings and the names of it all
