"""Mails of signatures that staff set free, end, or take back: whole chunks of signatures at once.

What an invalidation calls off remembers in its reason what it was, so that it can come back as it was. What had left,
or may have left, stays where it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import UNSENT, MailClass, State, called_off
from outreach.domain.waves import WaveState
from outreach.models import Campaign, Delivery, Wave

from .books import Books
from .enqueue import NO_CONTACT, SUSPECT, WAITS_FOR_WAVE, place_of, usable_contacts

#: The reason of what an invalidation called off, before what it was: "invalidated:queued", "invalidated:wave".
INVALIDATED = "invalidated"
_QUEUED = "queued"
#: What the engine itself held them for. It looks anew; what staff or a bounce held stays held.
_ENGINES_OWN = (_QUEUED, NO_CONTACT, WAITS_FOR_WAVE)
_ROW = (Delivery.id, Delivery.state, Delivery.reason, Delivery.maybe_sent)


def release_suspects(session: Session, signature_ids: Sequence[int], *, now: datetime, actor: str) -> int:
    """Let the letters go that were held because of their signer; how many are queued now."""
    held = (Delivery.state == State.HELD) & (Delivery.reason == SUSPECT)
    ids = [row.id for row in _locked(session, signature_ids, held)]
    with Books(session, now=now, actor=actor) as books:
        return _let_go(books, ids)


def call_off_all(session: Session, signature_ids: Sequence[int], *, now: datetime, actor: str) -> int:
    """Call off everything of these signatures that has not left; how many mails were."""
    alike: dict[tuple[State, str, bool], list[int]] = defaultdict(list)
    for row in _locked(session, signature_ids, Delivery.state.in_(UNSENT)):
        was = row.reason if row.state is State.HELD else _QUEUED
        alike[row.state, was, row.maybe_sent].append(row.id)
    with Books(session, now=now, actor=actor) as books:
        for (state, was, maybe_sent), ids in sorted(alike.items()):
            end = called_off(State.CANCELLED, maybe_sent=maybe_sent)
            books.move(ids, state, end, reason=f"{INVALIDATED}:{was}")
    return sum(map(len, alike.values()))


def take_back(session: Session, signature_ids: Sequence[int], *, now: datetime, actor: str) -> int:
    """Bring back what `call_off_all` called off, held or queued as it was; how many mails came back.

    What belongs to a wave that was cancelled meanwhile stays called off.
    """
    over = select(Wave.id).where(Wave.state == WaveState.CANCELLED)
    called = (Delivery.state == State.CANCELLED) & Delivery.reason.startswith(f"{INVALIDATED}:")
    alive = or_(Delivery.wave_id.is_(None), Delivery.wave_id.not_in(over))
    alike: dict[str, list[int]] = defaultdict(list)
    for row in _locked(session, signature_ids, called & alive):
        alike[row.reason.removeprefix(f"{INVALIDATED}:")].append(row.id)
    with Books(session, now=now, actor=actor) as books:
        for was, ids in sorted(alike.items()):
            books.move(ids, State.CANCELLED, State.HELD, reason="" if was == _QUEUED else was)
        _let_go(books, [id_ for was in _ENGINES_OWN for id_ in alike[was]])
    return sum(map(len, alike.values()))


def _locked(session: Session, signature_ids: Sequence[int], condition: ColumnElement[bool]) -> Sequence[Any]:
    """Locked first: a worker that claims or gives back meanwhile would slip past what follows."""
    mine = Delivery.signature_id.in_(signature_ids) & condition
    return session.execute(select(*_ROW).where(mine).order_by(Delivery.id).with_for_update()).all()


def _let_go(books: Books, ids: Sequence[int]) -> int:
    """Queue held mails, or say what else they wait for; how many are queued."""
    rows = books.session.execute(
        select(Delivery.id, Delivery.mail_class, Delivery.target_id, Delivery.wave_id, Campaign.hold_for_waves)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(Delivery.id.in_(ids))
    ).all()
    others = [row.id for row in rows if row.mail_class is not MailClass.LETTER]
    queued = len(books.move(others, State.HELD, State.QUEUED))
    by_target: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for row in rows:
        if row.mail_class is MailClass.LETTER:
            by_target[row.target_id, row.hold_for_waves and row.wave_id is None].append(row.id)
    contacts = usable_contacts(books.session, {target_id: None for target_id, _ in by_target})
    for (target_id, waits), alike in sorted(by_target.items()):
        contact = contacts.get(target_id)
        if contact is None or waits:
            _wait(books.session, alike, WAITS_FOR_WAVE if contact else NO_CONTACT, **place_of(contact))
        else:
            queued += len(books.move(alike, State.HELD, State.QUEUED, **place_of(contact)))
    return queued


def _wait(session: Session, ids: Sequence[int], reason: str, **place: Any) -> None:
    change = update(Delivery).where(Delivery.id.in_(ids), Delivery.state == State.HELD).values(reason=reason, **place)
    session.execute(change.execution_options(synchronize_session=False))
