"""SendGrid's event webhook: is it really SendGrid, and what does it say.

Own verifier, because the library's takes only text (a body that is not UTF-8 could not be checked at all), raises on
malformed input, and never looks at the timestamp's age.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from outreach.domain.events import Event, EventKind

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

#: SendGrid retries for 24 hours and does not say whether it signs anew. A replay within that time is harmless, since
#: an event counts once.
_OLDEST = timedelta(hours=25)
_NEWEST = timedelta(minutes=5)
_LONGEST_REASON = 500
_LONGEST_ID = 100

_KINDS = {
    "processed": EventKind.PROCESSED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "cancel_drop": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}


def verify(body: bytes, signature: str | None, timestamp: str | None, keys: Sequence[str], *, now: datetime) -> bool:
    """Whether one of our provider's keys signed exactly these bytes, not too long ago. Never raises.

    `keys` are base64 of DER public keys, several while one replaces another. Without a key nothing is believed.
    """
    if not signature or not timestamp or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    age = now - datetime.fromtimestamp(int(timestamp), UTC) if int(timestamp) < 1 << 36 else _OLDEST * 2
    if not -_NEWEST <= age <= _OLDEST:
        return False
    try:
        signed = b64decode(signature, validate=True)
    except ValueError:
        return False
    return any(_has_signed(key, signed, timestamp.encode() + body) for key in keys)


def _has_signed(key: str, signature: bytes, message: bytes) -> bool:
    public = _public_key(key)
    if public is None:
        return False
    try:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=16)
def _public_key(key: str) -> ec.EllipticCurvePublicKey | None:
    try:
        public = load_der_public_key(b64decode(key, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, ec.EllipticCurvePublicKey) else None


def parse(body: bytes) -> list[Event]:
    """Every event that can be read; a row that cannot is left out and harms no other.

    Raises ValueError when the body is not a JSON array.
    """
    try:
        rows = json.loads(body)
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    if not isinstance(rows, list):
        raise ValueError("the body is not a JSON array")
    return [event for row in rows if (event := _event(row)) is not None]


def _event(row: Any) -> Event | None:
    """A row in our words, or None for one without a kind or a moment."""
    if not isinstance(row, dict) or not isinstance(row.get("event"), str):
        return None
    at, id_ = _moment(row.get("timestamp")), _id(row)
    if at is None or not id_:
        return None
    kind = _KINDS.get(row["event"], EventKind.UNKNOWN)
    if kind is EventKind.BOUNCED and row.get("type") == "blocked":
        kind = EventKind.BLOCKED
    return Event(
        id=id_,
        kind=kind,
        at=at,
        delivery=_text(row.get("oe_delivery"), _LONGEST_ID) or None,
        attempt=_number(row.get("oe_attempt")),
        env=_text(row.get("oe_env"), _LONGEST_ID) or None,
        reason=_reason(row),
    )


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _id(row: dict[str, Any]) -> str:
    """The provider's id, or one made of the whole row, so that the same row told again is the same event."""
    given = row.get("sg_event_id")
    if isinstance(given, str) and 0 < len(given) <= _LONGEST_ID and given.isascii() and given.isprintable():
        return given
    try:
        return "row-" + sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
    except RecursionError:  # read, but too deep to be written: nothing SendGrid would send
        return ""


def _reason(row: dict[str, Any]) -> str:
    """Why, in the far server's words: its code first, then what it said."""
    said = _text(row.get("reason") or row.get("response"), _LONGEST_REASON)
    status = _text(row.get("status"), 20)
    return f"{status} {said}".strip()[:_LONGEST_REASON] if status and status not in said else said


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _text(value: Any, limit: int) -> str:
    """One line of printable characters; neither NUL nor a lone surrogate, which a database would not take."""
    if not isinstance(value, str):
        return ""
    return "".join([c if c.isprintable() else " " for c in value[:limit]]).strip()
