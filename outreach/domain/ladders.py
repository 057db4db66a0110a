"""Ladders: when a signer gets which follow-up, and when none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from .hours import first_instant


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


@dataclass(frozen=True, slots=True)
class Wait:
    """How long after its trigger a step is due: a while, and then on to the next such time of a day."""

    seconds: int = 0
    at: time | None = None
    zone: str = "UTC"

    def due(self, since: datetime) -> datetime:
        """When a step is due whose trigger happened at `since` (aware)."""
        earliest = since + timedelta(seconds=self.seconds)
        if self.at is None:
            return earliest
        zone = ZoneInfo(self.zone)
        today = earliest.astimezone(zone).date()
        moment = first_instant(today, self.at, zone)
        return moment if moment >= earliest else first_instant(today + timedelta(days=1), self.at, zone)


@dataclass(frozen=True, slots=True)
class Signer:
    """What a rung's conditions look at, as it is when the step is due."""

    is_confirmed: bool
    is_withdrawn: bool
    is_suspect: bool
    has_shared: bool
    was_answered: bool
    agreed: bool  #: to the rung's purpose; True for mail about their own letter
    mails_this_week: int
    reminders: int = 0  #: sent already to this signature, which was never confirmed


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold, besides the trigger, for a step to be sent. Each is dropped unless it is asked for."""

    not_shared: bool = False
    not_answered: bool = False

    @classmethod
    def from_json(cls, value: dict[str, bool]) -> Conditions:
        """As a rung keeps them; ValueError for a condition that does not exist."""
        if unknown := sorted(set(value) - {"not_shared", "not_answered"}):
            raise ValueError(f"“{unknown[0]}” is no condition; there are not_shared and not_answered")
        return cls(**value)


#: Too many mails this week; not looked at by staff yet.
PASSING = ("week", "suspect")


def why_not(trigger: Trigger, conditions: Conditions, signer: Signer, *, mails_per_week: int, reminders: int) -> str:
    """Why a due step is not sent: a word for its row, or "" when it is. Those in `PASSING` may pass; others stay."""
    if signer.is_withdrawn:
        return "withdrawn"
    if signer.is_suspect:
        return "suspect"
    if trigger is not Trigger.SIGNED and not signer.is_confirmed:
        return "not confirmed"
    if trigger is Trigger.SIGNED and signer.is_confirmed:
        return "confirmed meanwhile"
    if trigger is Trigger.SIGNED and signer.reminders >= reminders:
        return "reminded enough"
    if signer.has_shared and (trigger is Trigger.NOT_SHARED or conditions.not_shared):
        return "shared meanwhile"
    if signer.was_answered and conditions.not_answered:
        return "answered meanwhile"
    if not signer.agreed:
        return "no consent"
    if signer.mails_this_week >= mails_per_week:
        return "week"
    return ""
