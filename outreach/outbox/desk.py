"""What people decide about single deliveries: hold, release, cancel, resend. Each act is audited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import UNSENT, MailClass, State, called_off
from outreach.domain.waves import WaveState
from outreach.errors import NotFound, NotNow
from outreach.models import AuditEntry, Delivery, Wave

from .books import Books

#: How long a mail stays in doubt before the engine may settle it without evidence. Providers repeat their reports
#: for 24 hours; a letter waits for longer than that, and then for a person.
CONFIRMATION_DOUBT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CalledOff:
    """How many letters were stopped, and how many had left or may have left."""

    cancelled: int
    too_late: int


def find(session: Session, ref: str) -> Delivery:
    """The delivery with this opaque id (or number); NotFound."""
    by_number = Delivery.id == int(ref) if ref.isdigit() and len(ref) < 16 else Delivery.ref == ref
    delivery = session.scalar(select(Delivery).where(by_number))
    if delivery is None:
        raise NotFound("There is no delivery with this id.", where=ref[:40], advice="See `outreach deliveries list`.")
    return delivery


def _locked(session: Session, ref: str) -> Delivery:
    """The same, and no worker moves it until the transaction ends."""
    delivery = find(session, ref)
    session.refresh(delivery, with_for_update=True)
    return delivery


def hold(session: Session, ref: str, *, reason: str, actor: str, now: datetime) -> Delivery:
    """Keep one delivery from leaving until it is released."""
    delivery = _locked(session, ref)
    with Books(session, now=now, actor=actor) as books:
        for state in (State.QUEUED, State.CLAIMED):
            if books.move([delivery.id], state, State.HELD, reason=reason or "staff"):
                return _noted(session, delivery, "delivery.hold", actor, now, reason)
    raise _not_now(delivery, "held")


def release(session: Session, ref: str, *, actor: str, now: datetime) -> Delivery:
    """Let a held delivery go; NotNow when it is not held or still has nowhere to go."""
    delivery = _locked(session, ref)
    if delivery.state is State.HELD and delivery.lane_id is None:
        raise NotNow(
            "Its target has no email contact.",
            where=delivery.ref,
            advice=f"Give it one: outreach targets set {delivery.target_id} --email ADDRESS",
        )
    with Books(session, now=now, actor=actor) as books:
        if books.move([delivery.id], State.HELD, State.QUEUED, due_at=now):
            return _noted(session, delivery, "delivery.release", actor, now)
    raise _not_now(delivery, "released")


def cancel(session: Session, ref: str, *, reason: str, actor: str, now: datetime) -> Delivery:
    """Call one delivery off for good. One that may already have left is *given up*, never "cancelled"."""
    delivery = _locked(session, ref)
    with Books(session, now=now, actor=actor) as books:
        end = called_off(State.CANCELLED, maybe_sent=delivery.maybe_sent)
        for state in UNSENT:
            if books.move([delivery.id], state, end, reason=reason or "staff"):
                return _noted(session, delivery, "delivery.cancel", actor, now, reason)
        if books.move([delivery.id], State.IN_DOUBT, State.GIVEN_UP, reason=reason or "staff"):
            return _noted(session, delivery, "delivery.cancel", actor, now, reason)
    raise _not_now(delivery, "cancelled")


def resend(session: Session, ref: str, *, actor: str, now: datetime, reason: str = "") -> Delivery:
    """Authorise one more hand-over of a delivery that is in doubt or dead. The reader may get it twice."""
    delivery = _locked(session, ref)
    wave = session.get(Wave, delivery.wave_id) if delivery.wave_id else None
    if wave is not None and wave.state is WaveState.CANCELLED:
        raise NotNow("Its wave was cancelled: nothing of it leaves any more.", where=delivery.ref)
    with Books(session, now=now, actor=actor) as books:
        for state in (State.IN_DOUBT, State.DEAD):
            if books.move(
                [delivery.id],
                state,
                State.QUEUED,
                reason="resend",
                due_at=now,
                tries=0,
                doubt_since=None,
                handled_at=None,
                resends=Delivery.resends + 1,
            ):
                return _noted(session, delivery, "delivery.resend", actor, now, reason)
    raise _not_now(delivery, "sent again")


def _noted(session: Session, delivery: Delivery, action: str, actor: str, now: datetime, reason: str = "") -> Delivery:
    session.add(
        AuditEntry(
            at=now,
            actor=actor,
            action=action,
            subject=f"delivery:{delivery.ref}",
            before={"state": str(delivery.state)},
            after={"reason": reason},
        )
    )
    session.flush()
    session.refresh(delivery)
    return delivery


def _not_now(delivery: Delivery, act: str) -> NotNow:
    return NotNow(f"A delivery that is {delivery.state.replace('_', ' ')} cannot be {act}.", where=delivery.ref)


def cancel_letters(session: Session, signature_id: int, *, reason: str, now: datetime, actor: str) -> CalledOff:
    """Call off everything of one signature that has not left, its confirmations and notices included.

    `too_late` counts letters that left or may have left.
    """
    mine = Delivery.signature_id == signature_id
    # Locked first: a worker that gives one back meanwhile would slip past the statements below.
    session.execute(select(Delivery.id).where(mine).order_by(Delivery.id).with_for_update())
    cancelled = 0
    with Books(session, now=now, actor=actor) as books:
        for state in UNSENT:
            for maybe_sent in (False, True):
                moved = books.move_where(
                    mine & (Delivery.state == state) & (Delivery.maybe_sent == maybe_sent),
                    state,
                    called_off(State.CANCELLED, maybe_sent=maybe_sent),
                    reason=reason,
                )
                cancelled += 0 if maybe_sent else len(moved)
    gone = session.scalars(
        select(Delivery.id).where(
            mine,
            Delivery.mail_class == MailClass.LETTER,
            Delivery.state.in_([State.SENDING, State.ACCEPTED, State.IN_DOUBT, State.GIVEN_UP]),
        )
    ).all()
    return CalledOff(cancelled=cancelled, too_late=len(gone))


def resolve_doubts(session: Session, *, now: datetime) -> int:
    """Settle what the policy of its class allows to settle without evidence; returns how many.

    A confirmation is asked for once more after a quarter of an hour: a signer who waits in vain is worse than one
    who gets it twice. Letters and mailings wait for the provider's report or for staff.
    """
    due = (
        (Delivery.state == State.IN_DOUBT)
        & (Delivery.mail_class == MailClass.CONFIRMATION)
        & (Delivery.doubt_since <= now - CONFIRMATION_DOUBT)
    )
    with Books(session, now=now) as books:
        again = books.move_where(
            due & (Delivery.resends == 0),
            State.IN_DOUBT,
            State.QUEUED,
            reason="asked again after no answer",
            due_at=now,
            doubt_since=None,
            resends=1,
        )
        books.move_where(due & (Delivery.resends > 0), State.IN_DOUBT, State.GIVEN_UP, reason="no answer twice")
    return len(again)
