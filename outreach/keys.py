"""Everything that is derived from the secret key: one sub-key per purpose, so that no token opens two doors."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32decode, b32encode, urlsafe_b64encode


class Keys:
    """Sub-keys of one secret. Nothing here shows in `repr`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return "Keys(…)"

    def _mac(self, purpose: str, subject: str) -> bytes:
        sub_key = hmac.digest(self._secret, f"outreach/{purpose}".encode(), "sha256")
        return hmac.digest(sub_key, subject.encode(), "sha256")

    def address_hash(self, address_key: str) -> str:
        """The keyed hash of a normalised address: finds it again, and tells nobody without the key what it is."""
        return self._mac("address", address_key).hex()

    def token(self, purpose: str, subject: str) -> str:
        """The secret of a link, 192 bits, URL-safe, 32 characters. Made anew when the mail is written: never stored."""
        return urlsafe_b64encode(self._mac(f"token/{purpose}", subject)[:24]).decode()

    def alias(self, delivery_ref: str) -> str:
        """The local part a target's reply goes to: "r-" and 16 lower-case letters and digits, as gateways fold case."""
        return "r-" + b32encode(self._mac("alias", delivery_ref)[:10]).decode().lower()

    def bounce_alias(self, delivery_ref: str, attempt: int) -> str:
        """The local part to which the bounces of one attempt go: "b-", which mail it was, and a seal."""
        seal = b32encode(self._mac("bounce", f"{delivery_ref}:{attempt}")[:10]).decode().lower()
        return f"b-{delivery_ref}-{attempt}-{seal}"

    def open_bounce_alias(self, local_part: str) -> tuple[str, int] | None:
        """The delivery's ref and the attempt of a bounce alias; None for one we never made."""
        kind, _, rest = local_part.lower().partition("-")
        ref, _, numbered = rest.partition("-")
        attempt = numbered.partition("-")[0]
        if kind != "b" or not local_part.isascii() or not attempt.isdecimal() or len(attempt) > 9:
            return None
        made = self.bounce_alias(ref, int(attempt))
        return (ref, int(attempt)) if hmac.compare_digest(made, local_part.lower()) else None

    def stop_token(self, supporter_ref: str, campaign_id: int) -> str:
        """The secret of an unsubscribe link: whose it is and which campaign's list, 40 lower-case letters and digits.

        Nothing is stored of it and it never expires. It stands in a mail address too, and gateways fold case.
        """
        mask = self._mac("stop/list", supporter_ref)
        listed = bytes(a ^ b for a, b in zip(campaign_id.to_bytes(6, "big"), mask, strict=False))
        seal = self._mac("stop", f"{supporter_ref}:{campaign_id}")[:9]
        return supporter_ref + b32encode(listed + seal).decode().lower()

    def open_stop_token(self, token: str) -> tuple[str, int] | None:
        """The supporter's ref and the campaign's id of an unsubscribe link; None for one we never made."""
        if len(token) != 40 or not token.isascii():
            return None
        ref, rest = token[:16], token[16:]
        try:
            listed = b32decode(rest.upper())
        except ValueError:
            return None
        mask = self._mac("stop/list", ref)
        campaign_id = int.from_bytes(bytes(a ^ b for a, b in zip(listed[:6], mask, strict=False)), "big")
        return (ref, campaign_id) if hmac.compare_digest(self.stop_token(ref, campaign_id), token) else None

    def sub_key(self, purpose: str) -> str:
        """A signing key for a library that wants one (itsdangerous)."""
        return self._mac("sub", purpose).hex()


def hash_of(secret: str) -> str:
    """What is stored of a token or session: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
