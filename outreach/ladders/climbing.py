"""The chore: put signers on rungs for what happened, and send the steps that are due.

Both halves work in small transactions and may be killed, repeated or run twice at once: a signer is on a rung at most
once (a unique constraint), and the notice of a step is one delivery at most (another one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from outreach.consents import agreed
from outreach.domain.deliveries import EventState, MailClass, State
from outreach.domain.ladders import PASSING, Conditions, Signer, StepState, Trigger, Wait, why_not
from outreach.models import Database, Delivery, Ladder, Rung, Signature, SignatureState, Step, insert_into
from outreach.outbox import enqueue_notices

from .building import begin

#: Signers put on a rung, or steps looked at, in one transaction.
CHUNK = 500
#: A transaction that was slow to commit is still seen: what happened this long before the last look is looked at again.
_OVERLAP = timedelta(hours=1)
#: A step that may be sent some other day waits for it; after so many days it is not sent any more.
_LATER, _TOO_LATE = timedelta(days=1), timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Caps:
    """How many mails one signer may get by ladders."""

    mails_per_week: int
    reminders: int


@dataclass(slots=True)
class Climbed:
    """What one run came to."""

    begun: int = 0  #: signers put on a rung
    sent: int = 0  #: notices put into the outbox
    skipped: int = 0


def purpose_of(rung_id: int) -> str:
    """The purpose of a step's delivery, by which it is unique for its signer."""
    return f"rung:{rung_id}"


def climb(db: Database, *, mails_per_week: int, reminders: int = 2, now: datetime) -> Climbed:
    """Put signers on rungs and send what is due, in transactions of their own.

    `reminders`: mails at most about a signature that waits to be confirmed, on all rungs together.
    """
    done = Climbed()
    with db.begin() as session:
        begin(session, now=now)
    with db.read() as session:
        active = select(Rung.id).join(Ladder).where(Rung.ended_at.is_(None), Ladder.stopped_at.is_(None))
        rungs = session.scalars(active.order_by(Rung.id)).all()
    for rung_id in rungs:
        done.begun += _begin(db, rung_id, now=now)
    while True:
        with db.begin() as session:
            looked = _send_due(session, done, Caps(mails_per_week, reminders), now=now)
        if looked < CHUNK:
            return done


# --- who gets on ----------------------------------------------------------------------------------------------------


def _begin(db: Database, rung_id: int, *, now: datetime) -> int:
    begun = 0
    while True:
        with db.begin() as session:
            rung = session.get_one(Rung, rung_id, with_for_update=True)
            since = max(rung.created_at, (rung.climbed_at or rung.created_at) - _OVERLAP)
            found = session.execute(_triggered(rung, since).limit(CHUNK)).all()
            begun += _put_on(session, rung, found, now=now)
            if len(found) < CHUNK:
                rung.climbed_at = now
                return begun


def _triggered(rung: Rung, since: datetime) -> Select[Any]:
    """(signature id, when) of those that the trigger happened to and that are not on the rung yet."""
    campaign = select(Ladder.campaign_id).where(Ladder.id == rung.ladder_id).scalar_subquery()
    not_yet = ~exists().where(Step.rung_id == rung.id, Step.signature_id == Signature.id)
    match rung.trigger:
        case Trigger.SIGNED:
            when: Any = Signature.created_at
            not_yet &= _was_asked()  # whom we could not ask is not reminded either: the form may be a stranger's tool
        case Trigger.CONFIRMED | Trigger.NOT_SHARED:
            when = Signature.confirmed_at
        case _:
            return _by_letter(rung, since, campaign, not_yet)
    return select(Signature.id, when).where(Signature.campaign_id == campaign, when >= since, not_yet).order_by(when)


def _was_asked() -> Any:
    return exists().where(Delivery.signature_id == Signature.id, Delivery.mail_class == MailClass.CONFIRMATION)


def _by_letter(rung: Rung, since: datetime, campaign: Any, not_yet: Any) -> Select[Any]:
    when: Any = {
        Trigger.LETTER_ACCEPTED: Delivery.accepted_at,
        Trigger.LETTER_DELIVERED: Delivery.event_at,
        Trigger.TARGET_REPLIED: Delivery.replied_at,
    }[rung.trigger]
    letters = (
        select(Signature.id, func.min(when))
        .join(Signature, Signature.id == Delivery.signature_id)
        .where(
            Delivery.campaign_id == campaign,
            Delivery.mail_class == MailClass.LETTER,
            Delivery.state == State.ACCEPTED,
            when >= since,
            not_yet,
        )
        .group_by(Signature.id)
        .order_by(Signature.id)
    )
    return (
        letters.where(Delivery.event_state == EventState.DELIVERED)
        if rung.trigger is Trigger.LETTER_DELIVERED
        else letters
    )


def _put_on(session: Session, rung: Rung, found: Sequence[Any], *, now: datetime) -> int:
    if not found:
        return 0
    at = time.fromisoformat(rung.at_wall) if rung.at_wall else None
    wait = Wait(rung.wait_seconds, at, rung.zone)
    rows = [
        {
            "rung_id": rung.id,
            "signature_id": signature_id,
            "state": StepState.WAITING,
            "due_at": wait.due(when),
            "reason": "",
            "created_at": now,
        }
        for signature_id, when in found
    ]
    return len(session.scalars(insert_into(session, Step).on_conflict_do_nothing().returning(Step.id), rows).all())


# --- what is due ----------------------------------------------------------------------------------------------------


def _send_due(session: Session, done: Climbed, caps: Caps, *, now: datetime) -> int:
    due = (
        select(Step)
        .where(Step.state == StepState.WAITING, Step.due_at <= now)
        .order_by(Step.due_at, Step.id)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    steps = session.scalars(due).all()
    if not steps:
        return 0
    rungs = {rung.id: rung for rung in session.scalars(select(Rung).where(Rung.id.in_({s.rung_id for s in steps})))}
    stopped = set(session.scalars(select(Ladder.id).where(Ladder.stopped_at.is_not(None))))
    signers = _signers(session, steps, now=now)
    going: dict[int, list[tuple[Step, Signature]]] = {}
    written = Counter[int]()  # in this transaction, by supporter
    reminded = Counter[int]()  # by signature
    for step in steps:
        rung, (signature, signer) = rungs[step.rung_id], signers[step.id]
        left = replace(
            caps,
            mails_per_week=caps.mails_per_week - written[signature.supporter_id],
            reminders=caps.reminders - reminded[signature.id],
        )
        no = "stopped" if rung.ladder_id in stopped else _why_not(rung, signer, left)
        if no in PASSING and now < step.created_at + timedelta(seconds=rung.wait_seconds) + _TOO_LATE:
            step.due_at = now + _LATER
        elif no:
            step.state, step.reason = StepState.SKIPPED, no
            done.skipped += 1
        else:
            written[signature.supporter_id] += 1
            reminded[signature.id] += rung.trigger is Trigger.SIGNED
            going.setdefault(rung.id, []).append((step, signature))
    for rung_id, pairs in going.items():
        _enqueue(session, rung_id, pairs, now=now)
        done.sent += len(pairs)
    session.flush()
    return len(steps)


def _why_not(rung: Rung, signer: Signer, left: Caps) -> str:
    return why_not(
        rung.trigger,
        Conditions.from_json(rung.conditions),
        signer,
        # Mail about the signer's own letter is no news and is not rationed by the week.
        mails_per_week=left.mails_per_week if rung.purpose else signer.mails_this_week + 1,
        reminders=left.reminders,
    )


def _signers(session: Session, steps: Sequence[Step], *, now: datetime) -> dict[int, tuple[Signature, Signer]]:
    """By step: the signature, and what the rung's conditions look at."""
    answered = exists().where(
        Delivery.signature_id == Signature.id,
        Delivery.mail_class == MailClass.LETTER,
        Delivery.replied_at.is_not(None),
    )
    rows = session.execute(
        select(
            Step.id,
            Signature,
            answered,
            or_(Rung.purpose == "", agreed(Signature.supporter_id, Signature.campaign_id, Rung.purpose)),
            mails_since(Signature.supporter_id, now - timedelta(days=7)),
            _reminders(),
        )
        .join(Rung, Rung.id == Step.rung_id)
        .join(Signature, Signature.id == Step.signature_id)
        .where(Step.id.in_([step.id for step in steps]))
    )
    return {
        step_id: (
            signature,
            Signer(
                is_confirmed=signature.state is SignatureState.CONFIRMED,
                is_suspect=bool(signature.suspect),
                is_withdrawn=signature.state in (SignatureState.WITHDRAWN, SignatureState.INVALIDATED),
                has_shared=signature.shared_at is not None,
                was_answered=was_answered,
                agreed=bool(consented),
                mails_this_week=mails,
                reminders=reminders,
            ),
        )
        for step_id, signature, was_answered, consented, mails, reminders in rows
    }


def _reminders() -> Any:
    """How many steps of rungs for those who only signed a signature has had; for queries."""
    sent, about = aliased(Step), aliased(Rung)
    return (
        select(func.count())
        .select_from(sent)
        .join(about, about.id == sent.rung_id)
        .where(sent.signature_id == Signature.id, sent.state == StepState.SENT, about.trigger == Trigger.SIGNED)
        .correlate(Signature)
        .scalar_subquery()
    )


def mails_since(supporter_id: Any, since: datetime) -> Any:
    """How many mailings and ladder mails a supporter was sent, or is about to be, since then; for queries."""
    return (
        select(func.count())
        .select_from(Delivery)
        .where(
            Delivery.supporter_id == supporter_id,
            or_(
                Delivery.mail_class == MailClass.MAILING,
                (Delivery.mail_class == MailClass.NOTICE) & Delivery.purpose.like("rung:%"),
            ),
            Delivery.created_at > since,
            Delivery.state.not_in([State.CANCELLED, State.SUPPRESSED, State.REJECTED, State.DEAD]),
        )
        .correlate_except(Delivery)
        .scalar_subquery()
    )


def _enqueue(session: Session, rung_id: int, pairs: Sequence[tuple[Step, Signature]], *, now: datetime) -> None:
    purpose = purpose_of(rung_id)
    signatures = [signature for _, signature in pairs]
    enqueue_notices(session, signatures, purpose, mail_class=MailClass.NOTICE, now=now)
    made = dict(
        session.execute(
            select(Delivery.signature_id, Delivery.id).where(
                Delivery.signature_id.in_([s.id for s in signatures]), Delivery.purpose == purpose
            )
        ).all()
    )
    for step, signature in pairs:
        step.state, step.delivery_id = StepState.SENT, made[signature.id]
