"""Letters whose signer changes them before they leave.

While they are being changed they are not due, so that the old words do not leave behind the signer's back; if the
signer goes away, they come due by themselves. What a worker has in its hands is taken back: the mail it has written
already is under a claim that no longer holds, so it cannot be handed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.models import Delivery, LogEntry

from .books import Books

#: The reason of a letter that was held because its words are no longer those its signer confirmed.
TEXT_CHANGED = "text_changed"
_ACTOR = "signer"
_CHANGING = "changing"


def lock_letters(session: Session, signature_id: int) -> Sequence[Delivery]:
    """The signature's letters as they are now; no worker moves them until the transaction ends."""
    mine = (Delivery.signature_id == signature_id) & (Delivery.mail_class == MailClass.LETTER)
    rows = select(Delivery).where(mine).order_by(Delivery.id).with_for_update()
    return session.scalars(rows.execution_options(populate_existing=True)).all()


def pause_letters(session: Session, letters: Sequence[Delivery], *, until: datetime, now: datetime) -> None:
    """Let none of these leave before `until`. They must be locked."""
    _take_back(session, letters, now)
    waiting = _those(letters) & (Delivery.state == State.QUEUED) & (Delivery.due_at < until)
    _alter(session, waiting, due_at=until)


def resume_letters(session: Session, letters: Sequence[Delivery], *, now: datetime) -> None:
    """Give these back their places in line: they are due since they were queued. They must be locked."""
    for id_, since in _queued_since(session, letters).items():
        _alter(session, (Delivery.id == id_) & (Delivery.state == State.QUEUED), due_at=min(since, now))


def rewrite_letters(
    session: Session, letters: Sequence[Delivery], content_hashes: Mapping[int, str], *, now: datetime
) -> None:
    """From now on these letters say what `content_hashes` (by delivery) stands for, and nothing else may leave.

    One that was held because its words had changed is let go: its signer has confirmed what it says now. They must be
    locked, and none of them may have left.
    """
    _take_back(session, letters, now)
    for id_, content_hash in content_hashes.items():
        _alter(session, Delivery.id == id_, content_hash=content_hash)
    with Books(session, now=now, actor=_ACTOR) as books:
        confirmed = _those(letters) & (Delivery.state == State.HELD) & (Delivery.reason == TEXT_CHANGED)
        books.move_where(confirmed & Delivery.lane_id.is_not(None), State.HELD, State.QUEUED)
    resume_letters(session, letters, now=now)


def _take_back(session: Session, letters: Sequence[Delivery], now: datetime) -> None:
    with Books(session, now=now, actor=_ACTOR) as books:
        books.move([letter.id for letter in letters], State.CLAIMED, State.QUEUED, reason=_CHANGING)


def _queued_since(session: Session, letters: Sequence[Delivery]) -> dict[int, datetime]:
    """By letter: when it was queued last, by anybody but a signer who was changing it."""
    ids = [letter.id for letter in letters]
    rows = session.execute(
        select(LogEntry.delivery_id, func.max(LogEntry.at))
        .where(LogEntry.delivery_id.in_(ids), LogEntry.to_state == State.QUEUED, LogEntry.reason != _CHANGING)
        .group_by(LogEntry.delivery_id)
    )
    return dict(rows.all())


def _those(letters: Sequence[Delivery]) -> ColumnElement[bool]:
    return Delivery.id.in_([letter.id for letter in letters])


def _alter(session: Session, condition: ColumnElement[bool], **values: Any) -> None:
    session.execute(update(Delivery).where(condition).values(**values).execution_options(synchronize_session=False))
