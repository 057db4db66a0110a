"""Ending many signatures together, and taking it back as a whole. Both go on in chunks that a worker carries out.

A chunk is one transaction: the signatures and all their mails, or nothing. There is no cursor to lose, as the next
chunk is what the sieve still finds; killed at any row, another worker goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from outreach import audit_log, faultpoints, outbox
from outreach.domain.deliveries import GONE, MailClass
from outreach.domain.sieves import Sieve
from outreach.errors import NotFound, NotNow
from outreach.models import STANDING, Delivery, Invalidation, Signature, SignatureState, Supporter

from .sieving import SignatureRow, fitting, listed, preview, rows

#: Signatures ended or taken back in one transaction.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an invalidation is. `ended` are those that are invalid by it now; undoing brings it down to `stay`."""

    id: int
    campaign_id: int
    sieve: dict[str, object]
    reason: str
    total: int
    ended: int
    gone: int  #: letters of those that had left before, or may have
    stay: int  #: that undoing does not bring back: erased, or signed again since
    made_by: str
    made_at: datetime
    done_at: datetime | None
    undone_by: str
    undone_at: datetime | None

    @property
    def is_under_way(self) -> bool:
        """Whether a worker still has something to do."""
        return self.undone_at is None if self.undone_by else self.done_at is None


def start(session: Session, campaign_id: int, sieve: Sieve, *, reason: str, now: datetime, actor: str) -> Invalidation:
    """Write down what is to be ended; `carry_on` ends it. NotNow when the sieve finds nothing; BadInput when empty."""
    found = preview(session, campaign_id, sieve)
    if not found.total:
        raise NotNow("Nothing fits any more.", advice="Look at the preview once more.")
    invalidation = Invalidation(
        campaign_id=campaign_id,
        sieve=sieve.as_json() | {"up_to": found.up_to},
        reason=reason,
        total=found.total,
        made_by=actor,
        made_at=now,
    )
    session.add(invalidation)
    session.flush()
    # What the sieve looks for may be a name, and the log is for ever.
    after = {"sieve": sorted(invalidation.sieve), "reason": reason, "total": found.total}
    audit_log.note(session, actor, "signatures.invalidate", _name(invalidation.id), None, after, now=now)
    return invalidation


def undo(session: Session, invalidation_id: int, *, now: datetime, actor: str) -> Invalidation:
    """Take it back, finished or not; `carry_on` does it. NotNow when that was asked for before."""
    invalidation = session.get(Invalidation, invalidation_id, with_for_update=True, populate_existing=True)
    if invalidation is None:
        raise NotFound("There is no such invalidation.", where=_name(invalidation_id))
    if invalidation.undone_by:
        raise NotNow("This has been taken back already.", where=_name(invalidation_id))
    invalidation.undone_by = actor
    session.flush()
    audit_log.note(session, actor, "signatures.undo", _name(invalidation_id), None, None, now=now)
    return invalidation


def unfinished() -> ColumnElement[bool]:
    """Invalidations that a worker still has something to do for."""
    ending = and_(Invalidation.undone_by == "", Invalidation.done_at.is_(None))
    return or_(ending, and_(Invalidation.undone_by != "", Invalidation.undone_at.is_(None)))


def end_chunk(session: Session, invalidation: Invalidation, *, now: datetime, chunk: int = CHUNK) -> int:
    """End the next signatures that fit; how many. The chunk that finds none is the last."""
    given = dict(invalidation.sieve)
    up_to = given.pop("up_to")
    found = fitting(invalidation.campaign_id, Sieve.from_json(given), up_to=up_to, invalidation_id=invalidation.id)
    chosen = select(Signature.id).where(*found).order_by(Signature.id).limit(chunk)
    ids = session.scalars(chosen.with_for_update(key_share=True)).all()
    if not ids:
        invalidation.done_at = now
        return 0
    _set(session, Signature.id.in_(ids), state=SignatureState.INVALIDATED, invalidation_id=invalidation.id)
    outbox.call_off_all(session, ids, now=now, actor=invalidation.made_by)
    faultpoints.reached("invalidate_mid_chunk")
    return len(ids)


def undo_chunk(session: Session, invalidation: Invalidation, *, now: datetime, chunk: int = CHUNK) -> int:
    """Bring the next signatures back to what they were, with what had not left; how many."""
    mine = _restorable(invalidation.id)
    people = select(Signature.supporter_id).where(mine).order_by(Signature.id).limit(chunk)
    # The signers first, as whoever signs again locks them: nobody gets a second standing signature meanwhile.
    locked = select(Supporter.id).where(Supporter.id.in_(people)).order_by(Supporter.address_key)
    supporters = session.scalars(locked.with_for_update(key_share=True)).all()
    chosen = select(Signature.id).where(mine, Signature.supporter_id.in_(supporters)).order_by(Signature.id)
    ids = session.scalars(chosen.with_for_update(key_share=True)).all()
    if not ids:
        invalidation.undone_at = now
        return 0
    was = case((Signature.confirmed_at.is_(None), SignatureState.PENDING.value), else_=SignatureState.CONFIRMED.value)
    _set(session, Signature.id.in_(ids), state=was, invalidation_id=None)
    outbox.take_back(session, ids, now=now, actor=invalidation.undone_by)
    faultpoints.reached("invalidate_mid_chunk")
    return len(ids)


def progress(session: Session, invalidation_id: int) -> Progress:
    """How far it is; NotFound."""
    row = session.get(Invalidation, invalidation_id)
    if row is None:
        raise NotFound("There is no such invalidation.", where=_name(invalidation_id))
    return _progress(session, row)


def latest(session: Session, *, limit: int = 10) -> list[Progress]:
    """The newest invalidations."""
    newest = session.scalars(select(Invalidation).order_by(Invalidation.id.desc()).limit(limit))
    return [_progress(session, row) for row in newest]


def letters_gone(session: Session, invalidation_id: int, *, limit: int = 50) -> list[str]:
    """The refs of letters that had left, or may have, before their signature was ended."""
    chosen = select(Delivery.ref).where(_gone(invalidation_id)).order_by(Delivery.id).limit(limit)
    return list(session.scalars(chosen))


def sample(session: Session, invalidation_id: int, *, limit: int = 10) -> list[SignatureRow]:
    """Some of the signatures it ended."""
    mine = Signature.invalidation_id == invalidation_id
    return list(rows(session, listed().where(mine).order_by(Signature.id.desc()).limit(limit)))


def _progress(session: Session, row: Invalidation) -> Progress:
    ended = select(func.count()).where(Signature.invalidation_id == row.id)
    back = select(func.count()).where(_restorable(row.id))
    n = session.scalar(ended) or 0
    return Progress(
        row.id,
        row.campaign_id,
        {name: value for name, value in row.sieve.items() if name != "up_to"},
        row.reason,
        row.total,
        n,
        session.scalar(select(func.count()).where(_gone(row.id))) or 0,
        n - (session.scalar(back) or 0),
        row.made_by,
        row.made_at,
        row.done_at,
        row.undone_by,
        row.undone_at,
    )


def _restorable(invalidation_id: int) -> ColumnElement[bool]:
    """Ended by it, still somebody's, and that somebody has not signed again since."""
    again = aliased(Signature)
    return and_(
        Signature.invalidation_id == invalidation_id,
        Signature.state == SignatureState.INVALIDATED,
        Signature.name != "",
        ~exists().where(
            again.campaign_id == Signature.campaign_id,
            again.supporter_id == Signature.supporter_id,
            again.household_key == Signature.household_key,
            again.state.in_(STANDING),
        ),
    )


def _gone(invalidation_id: int) -> ColumnElement[bool]:
    mine = select(Signature.id).where(Signature.invalidation_id == invalidation_id)
    return and_(Delivery.signature_id.in_(mine), Delivery.mail_class == MailClass.LETTER, Delivery.state.in_(GONE))


def _set(session: Session, condition: ColumnElement[bool], **values: object) -> None:
    session.execute(update(Signature).where(condition).values(**values).execution_options(synchronize_session=False))


def _name(invalidation_id: int) -> str:
    return f"invalidation:{invalidation_id}"
