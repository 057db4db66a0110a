"""Ladders: when a signer gets which follow-up, and when none."""

from __future__ import annotations

from enum import StrEnum


class Trigger(StrEnum):
    """What puts a signer on a rung."""

    SIGNED = "signed"
    CONFIRMED = "confirmed"
    LETTER_ACCEPTED = "letter_accepted"
    LETTER_DELIVERED = "letter_delivered"
    TARGET_REPLIED = "target_replied"
    NOT_SHARED = "not_shared"  #: confirmed, and not shared since


class StepState(StrEnum):
    """Where a signer is on a rung."""

    WAITING = "waiting"
    SENT = "sent"  #: its notice is in the outbox or beyond
    SKIPPED = "skipped"  #: the reason says why
