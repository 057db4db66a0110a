"""What people decide about all mails that failed for one cause, or wait for a person: each act is audited as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.domain.deliveries import EventState, MailClass, State
from outreach.domain.waves import WaveState
from outreach.models import Delivery, ProviderEvent, Wave

from .books import Books

_RESENT, _RELEASED = (State.DEAD, State.IN_DOUBT), (State.HELD,)
#: What a provider that had taken a mail reports when it did not arrive, or was not wanted.
FAILED = (EventState.BOUNCED, EventState.DROPPED, EventState.COMPLAINED)


@dataclass(frozen=True, slots=True)
class Cause:
    """Mails of one class, in one state, for one reason: the engine's word, or a provider's, which is hostile text.

    Of mails that were accepted it is what the provider reported of them later.
    """

    mail_class: MailClass
    state: State
    reason: str

    @property
    def ref(self) -> str:
        """Its name in addresses of pages."""
        return sha256(f"{self.mail_class} {self.state} {self.reason}".encode()).hexdigest()[:16]

    @property
    def can_leave(self) -> bool:
        """Whether its mails may be sent again, or released."""
        return self.state in (*_RESENT, *_RELEASED)

    @property
    def may_double(self) -> bool:
        """Whether somebody may have got one already."""
        return self.state is State.IN_DOUBT

    def condition(self) -> ColumnElement[bool]:
        """On `Delivery`: those of it that nobody has seen to."""
        mine = (Delivery.mail_class == self.mail_class) & (Delivery.state == self.state)
        if self.state is not State.ACCEPTED:
            return mine & (Delivery.reason == self.reason) & Delivery.handled_at.is_(None)
        told = select(ProviderEvent.delivery_id).where(ProviderEvent.cause == self.reason)
        return mine & Delivery.event_state.in_(FAILED) & Delivery.id.in_(told) & Delivery.handled_at.is_(None)


def let_go(session: Session, cause: Cause, *, most: int, reason: str, actor: str, now: datetime) -> int:
    """Send the `most` oldest of it again, or release them if they are held; how many are queued.

    Left out are mails of a cancelled wave, and letters that have nowhere to go.
    """
    if not cause.can_leave:
        raise ValueError(f"mails that are {cause.state} cannot leave")
    ended = select(Wave.id).where(Wave.state == WaveState.CANCELLED)
    able = Delivery.lane_id.is_not(None) & or_(Delivery.wave_id.is_(None), Delivery.wave_id.not_in(ended))
    ids = _locked(session, cause.condition() & able, most)
    again: dict[str, Any] = {"tries": 0, "doubt_since": None, "handled_at": None, "resends": Delivery.resends + 1}
    values: dict[str, Any] = {} if cause.state in _RELEASED else {"reason": "resend", **again}
    with Books(session, now=now, actor=actor) as books:
        moved = books.move(ids, cause.state, State.QUEUED, due_at=now, **values)
    _note(session, "failures.let_go", cause, len(moved), reason, actor, now)
    return len(moved)


def mark_handled(session: Session, cause: Cause, *, most: int, reason: str, actor: str, now: datetime) -> int:
    """Say that somebody has seen to the `most` oldest: they are told of no more, and nothing else changes. How many."""
    ids = _locked(session, cause.condition(), most)
    seen = update(Delivery).where(Delivery.id.in_(ids)).values(handled_at=now)
    session.execute(seen.execution_options(synchronize_session=False))
    _note(session, "failures.handled", cause, len(ids), reason, actor, now)
    return len(ids)


def _locked(session: Session, those: ColumnElement[bool], most: int) -> Sequence[int]:
    oldest = select(Delivery.id).where(those).order_by(Delivery.id).limit(most)
    return session.scalars(oldest.with_for_update()).all()


def _note(session: Session, action: str, cause: Cause, n: int, reason: str, actor: str, now: datetime) -> None:
    before = {"class": str(cause.mail_class), "state": str(cause.state)}  # a provider's words may name an address
    audit_log.note(session, actor, action, f"cause:{cause.ref}", before, {"n": n, "reason": reason}, now=now)
