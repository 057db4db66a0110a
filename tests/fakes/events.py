"""What SendGrid reports afterwards: signed arrays of events, doubled and out of order when asked."""

from __future__ import annotations

import json
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_EXTRAS: dict[str, dict[str, str]] = {
    "processed": {},
    "deferred": {"response": "451 4.3.0 try later", "attempt": "1"},
    "delivered": {"response": "250 OK", "tls": "1"},
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"},
    "blocked": {"type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 refused by policy"},
    "dropped": {"reason": "Bounced Address"},
    "spamreport": {},
    "unsubscribe": {},
    "open": {"useragent": "reader", "sg_content_type": "html"},
}


@dataclass(frozen=True)
class Signed:
    """One webhook request: raw body and headers."""

    body: bytes
    headers: dict[str, str]


class EventKey:
    """A P-256 key as SendGrid has one per webhook."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._private = private or ec.generate_private_key(ec.SECP256R1())

    @classmethod
    def kept(cls, path: Path) -> EventKey:
        """The key in a file, made on first use, so that a restarted fake signs as before."""
        if path.exists():
            private = serialization.load_pem_private_key(path.read_bytes(), None)
            assert isinstance(private, ec.EllipticCurvePrivateKey)
            return cls(private)
        key = cls()
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path.write_bytes(key._private.private_bytes(*pem))
        return key

    @property
    def public(self) -> str:
        """Base64 of the DER SubjectPublicKeyInfo, as the settings want it."""
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return b64encode(self._private.public_key().public_bytes(*form)).decode()

    def sign(self, body: bytes, timestamp: str) -> str:
        return b64encode(self._private.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()

    def signed(self, rows: Sequence[dict[str, Any]], *, at: float) -> Signed:
        body = json.dumps(rows, separators=(",", ":")).encode() + b"\r\n"
        timestamp = str(int(at))
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: self.sign(body, timestamp),
            TIMESTAMP_HEADER: timestamp,
        }
        return Signed(body, headers)


def event(record: dict[str, Any], kind: str, *, at: float) -> dict[str, Any]:
    """One event about an accepted mail. The same mail, kind and moment give the same `sg_event_id`."""
    stamp = int(at)
    digest = sha256(f"{record['message_id']} {record['number']} {kind} {stamp}".encode()).digest()
    return {
        "email": record["to"],
        "timestamp": stamp,
        "event": "bounce" if kind == "blocked" else kind,
        "sg_event_id": urlsafe_b64encode(digest).decode().rstrip("="),
        "sg_message_id": f"{record['message_id']}.recvd-85abf8d92c-x-1-65E30000-{record['number']}.0",
        "smtp-id": f"<{record['message_id']}@geopod-ismtpd-1>",
        **record["custom_args"],
        **_EXTRAS.get(kind, {}),
    }


def story(record: dict[str, Any], rates: dict[str, float], dice: random.Random) -> list[str]:
    """What becomes of one mail, in order. `rates` gives the share that is dropped, bounced, blocked or deferred."""
    if dice.random() < rates.get("dropped", 0):
        return ["dropped"]
    told = ["processed"]
    if dice.random() < rates.get("deferred", 0):
        told.append("deferred")
    draw = dice.random()
    if draw < rates.get("bounce", 0):
        return [*told, "bounce"]
    if draw < rates.get("bounce", 0) + rates.get("blocked", 0):
        return [*told, "blocked"]
    told.append("delivered")
    if dice.random() < rates.get("spamreport", 0):
        told.append("spamreport")
    return told


def rows_for(
    records: Iterable[dict[str, Any]],
    *,
    kinds: Sequence[str] | None = None,
    rates: dict[str, float] | None = None,
    doubled: float = 0.0,
    shuffled: bool = False,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The events of these mails: `kinds` for each, or a seeded story by `rates`."""
    dice = random.Random(seed)
    rows = []
    for record in records:
        for step, kind in enumerate(kinds or story(record, rates or {}, dice)):
            row = event(record, kind, at=record["at"] + step)
            rows += [row, row] if dice.random() < doubled else [row]
    if shuffled:
        dice.shuffle(rows)
    return rows
