"""SendGrid's event webhook: is it really SendGrid, and what does it say.

Own verifier, because the library's takes only text (a body that is not UTF-8 could not be checked at all), raises on
malformed input, and never looks at the timestamp's age.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from outreach.domain.addresses import address_key
from outreach.domain.events import Cause, Event, EventKind, cause_of_status
from outreach.keys import Keys

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
    "group_resubscribe": EventKind.RESUBSCRIBED,
    "account_status_change": EventKind.ACCOUNT,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}
#: `bounce_classification`, in lower case. Its other values say nothing.
_CLASSES = {
    "invalid address": Cause.BAD_ADDRESS,
    "mailbox unavailable": Cause.UNAVAILABLE,
    "technical": Cause.UNAVAILABLE,
    "technical failure": Cause.UNAVAILABLE,
    "content": Cause.REFUSED,
    "frequency or volume too high": Cause.REFUSED,
    "reputation": Cause.REFUSED,
}
#: Why a mail was dropped, in lower case; every other reason is a fault of ours.
_DROPS = {
    "bounced address": Cause.BOUNCED_BEFORE,
    "invalid": Cause.BAD_ADDRESS,
    "spam reporting address": Cause.COMPLAINED_BEFORE,
    "unsubscribed address": Cause.UNSUBSCRIBED_BEFORE,
}

#: Not kept of a row: who it is about, where they were, what they read with, and links, which open doors of ours.
_PERSONAL = frozenset({"email", "ip", "url", "useragent"})
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")
_MOST_FIELDS, _DEEPEST = 50, 2


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


def parse(body: bytes, keys: Keys) -> list[Event]:
    """Every event that can be read; a row that cannot is left out and harms no other.

    Addresses come out as their keyed hash. Raises ValueError when the body is not a JSON array.
    """
    try:
        rows = json.loads(body.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    if not isinstance(rows, list):
        raise ValueError("the body is not a JSON array")
    return [event for row in rows if (event := _event(row, keys)) is not None]


def _event(row: Any, keys: Keys) -> Event | None:
    """A row in our words, or None for one without a kind or a moment."""
    if not isinstance(row, dict) or not isinstance(row.get("event"), str):
        return None
    at, id_ = _moment(row.get("timestamp")), _id(row)
    if at is None or not id_:
        return None
    kind, reason = _KINDS.get(row["event"], EventKind.UNKNOWN), _reason(row)
    cause = _cause(kind, row, reason)
    if kind is EventKind.BOUNCED and cause is Cause.REFUSED:
        kind = EventKind.BLOCKED
    return Event(
        id=id_,
        kind=kind,
        at=at,
        delivery=_text(row.get("oe_delivery"), _LONGEST_ID) or None,
        attempt=_number(row.get("oe_attempt")),
        env=_text(row.get("oe_env"), _LONGEST_ID) or None,
        reason=_text(row.get("type"), _LONGEST_REASON) if kind is EventKind.ACCOUNT else reason,
        cause=cause,
        address_hash=_address_hash(row.get("email"), keys),
        raw=_kept(row),
    )


def _cause(kind: EventKind, row: dict[str, Any], reason: str) -> Cause | None:
    """Whose trouble it is. When in doubt it is ours: an address is closed only for its own faults."""
    if kind is EventKind.COMPLAINED:
        return Cause.COMPLAINED
    if kind is EventKind.DROPPED:
        return _DROPS.get(reason.casefold(), Cause.NOT_SENDABLE)
    if kind is not EventKind.BOUNCED:
        return None
    by_status = cause_of_status(_text(row.get("status"), 20)) or cause_of_status(reason)
    by_class = _CLASSES.get(_text(row.get("bounce_classification"), 100).casefold())
    if row.get("type") == "blocked" or Cause.REFUSED in (by_status, by_class):
        return Cause.REFUSED
    return by_status or by_class or Cause.BAD_ADDRESS


def _address_hash(address: Any, keys: Keys) -> str | None:
    address = _text(address, 320)
    return keys.address_hash(address_key(address)) if "@" in address else None


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    """The row as it came, small and flat, without anything personal."""
    fields = [(name, value) for name, value in row.items() if name.casefold() not in _PERSONAL]
    return {_text(name, _LONGEST_ID): _plain(value, name) for name, value in fields[:_MOST_FIELDS]}


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _text(value, _LONGEST_REASON) if name == "smtp-id" else _words(value)
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1 << 53):
        return value
    if isinstance(value, list) and depth < _DEEPEST:
        return [_plain(part, name, depth + 1) for part in value[:_MOST_FIELDS]]
    if isinstance(value, dict) and depth < _DEEPEST:
        return {
            _text(key, _LONGEST_ID): _plain(part, key, depth + 1)
            for key, part in list(value.items())[:_MOST_FIELDS]
            if key.casefold() not in _PERSONAL
        }
    return "…"


def message_id(raw: Mapping[str, Any] | None) -> str:
    """The id that SendGrid answered with when it took the mail: what stands before the first dot."""
    given = (raw or {}).get("sg_message_id")
    return given.partition(".")[0][:200] if isinstance(given, str) else ""


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
    said = _words(row.get("reason") or row.get("response"))
    status = _text(row.get("status"), 20)
    return f"{status} {said}".strip()[:_LONGEST_REASON] if status and status not in said else said


def _words(value: Any) -> str:
    """A far server's words: they often repeat the address, which is not ours to keep in two places."""
    return _ADDRESS.sub("…", _text(value, _LONGEST_REASON))


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _text(value: Any, limit: int) -> str:
    """One line of printable characters; neither NUL nor a lone surrogate, which a database would not take."""
    if not isinstance(value, str):
        return ""
    return "".join([c if c.isprintable() else " " for c in value[:limit]]).strip()
