"""Rows for tests, by noun, written straight to the tables.

    with db.begin() as session:
        campaign = factories.campaign(session, targets=2)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)

Every factory takes the session first, fills in what a test does not care about, flushes, and gives the row back.
Nothing here calls a verb of the engine: a factory must not hide what a test is about. So a confirmed signature from
here has no letters yet; `delivery` makes one, or call `outbox.enqueue_letters`.
"""

from .base import KEYS, NOON, SECRET, hash_address
from .campaigns import addressing, campaign, letter_version, organisation_of, standing_wave, targets_of, wave
from .mails import brake, count, delivery, reply, suppression
from .offices import contact, mailbox_lane, stream_lane, target
from .signers import consent, signature, supporter, token
from .staff import user

__all__ = [
    "KEYS",
    "NOON",
    "SECRET",
    "addressing",
    "brake",
    "campaign",
    "consent",
    "contact",
    "count",
    "delivery",
    "hash_address",
    "letter_version",
    "mailbox_lane",
    "organisation_of",
    "reply",
    "signature",
    "standing_wave",
    "stream_lane",
    "supporter",
    "suppression",
    "target",
    "targets_of",
    "token",
    "user",
    "wave",
]
