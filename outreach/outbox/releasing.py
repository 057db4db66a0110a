"""What a wave gives to the outbox: letters that were held for it, and mailings to signers. In chunks, in id order.

A chunk is a statement or two in the caller's transaction, together with the wave's cursor: killed at any row, nothing
of it happened. Doing a chunk again adds nothing, since a wave and a supporter have one delivery at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, literal_column, null, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import UNSENT, MailClass, State, Stream, called_off
from outreach.models import Counter, Delivery, Signature, Supporter, Wave
from outreach.models.base import UTCDateTime

from .books import Account, Books
from .enqueue import WAITS_FOR_WAVE

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def waiting_letters(campaign_id: int) -> ColumnElement[bool]:
    """Letters of a campaign that wait for a wave and have somewhere to go."""
    return (
        (Delivery.campaign_id == campaign_id)
        & (Delivery.state == State.HELD)
        & (Delivery.mail_class == MailClass.LETTER)
        & (Delivery.reason == WAITS_FOR_WAVE)
        & Delivery.lane_id.is_not(None)
    )


def release_letters(
    session: Session,
    wave: Wave,
    audience: Sequence[ColumnElement[bool]],
    *,
    after_id: int,
    limit: int,
    due_at: datetime,
    now: datetime,
) -> tuple[int, int]:
    """Let the next `limit` letters go that wait for a wave and whose signature fits: (last id, how many).

    Fewer than `limit` says that there are no more. `audience` are conditions on `Signature`. The wave must be locked.
    """
    next_ones = (
        select(Delivery.id)
        .join(Signature, Signature.id == Delivery.signature_id)
        .where(waiting_letters(wave.campaign_id), Delivery.id > after_id, *audience)
        .order_by(Delivery.id)
        .limit(limit)
        .with_for_update(of=Delivery)
    )
    ids = session.scalars(next_ones).all()
    if not ids:
        return after_id, 0
    with Books(session, now=now) as books:
        books.move_into_wave(ids, wave.id, due_at=due_at)
    return ids[-1], len(ids)


def add_mailings(session: Session, wave: Wave, readers: Select[Any], *, due_at: datetime, now: datetime) -> int:
    """One delivery of the wave for each of `readers`, a query that joins `Signature` to `Supporter`; how many are new.

    The wave must be locked and have its lane.
    """
    account = Account(wave.campaign_id, wave.id, MailClass.MAILING)
    columns: dict[str, Any] = {
        "ref": _new_ref(session),
        "class": literal(MailClass.MAILING.value),
        "stream": literal(Stream.NEWS.value),
        "purpose": literal(""),
        "serial": literal(1),
        "state": literal(State.QUEUED.value),
        "reason": literal(""),
        "campaign_id": literal(wave.campaign_id),
        "wave_id": literal(wave.id),
        "signature_id": Signature.id,
        "supporter_id": Supporter.id,
        "lane_id": literal(wave.lane_id),
        "address_hash": Supporter.address_hash,
        "reply_hash": null(),
        "content_hash": literal(""),
        "created_at": literal(now, UTCDateTime()),
        "due_at": literal(due_at, UTCDateTime()),
        **{name: literal(0) for name in ("attempts", "tries", "resends")},
        "maybe_sent": literal(False),
    }
    chosen = readers.with_only_columns(*(column.label(name) for name, column in columns.items()))
    with Books(session, now=now) as books:
        return books.add_chosen(chosen, account, State.QUEUED)


def _new_ref(session: Session) -> ColumnElement[str]:
    """`models.new_ref` for each row, made in the database: 16 characters of 5 random bits each."""
    if session.get_bind().dialect.name == "sqlite":
        letters = [f"substr('{_ALPHABET}', 1 + (random() & 31), 1)" for _ in range(16)]
        return literal_column(" || ".join(letters))
    # Twelve random bytes as base64: of its 64 letters, each two become one of ours. They come from a digest, since a
    # UUID itself has bits that say what it is.
    twelve = "substr(sha256(uuid_send(gen_random_uuid())), 1, 12)"
    return literal_column(f"lower(translate(encode({twelve}, 'base64'), '0189+/', '234567'))")


def call_off_chunk(session: Session, wave_id: int, *, reason: str, limit: int, now: datetime, actor: str) -> int:
    """Call off up to `limit` deliveries of a wave that have not left; how many were."""
    unsent = (Delivery.wave_id == wave_id) & Delivery.state.in_(UNSENT)
    chunk = select(Delivery.id, Delivery.state, Delivery.maybe_sent).where(unsent).order_by(Delivery.id).limit(limit)
    rows = session.execute(chunk.with_for_update()).all()
    with Books(session, now=now, actor=actor) as books:
        for state in UNSENT:
            for maybe_sent in (False, True):
                ids = [row.id for row in rows if row.state is state and row.maybe_sent == maybe_sent]
                books.move(ids, state, called_off(State.CANCELLED, maybe_sent=maybe_sent), reason=reason)
    return len(rows)


def wave_states(session: Session, wave: Wave) -> dict[State, int]:
    """How many deliveries of a wave are in which state, from the counters; every state is named."""
    mine = (Counter.campaign_id == wave.campaign_id) & (Counter.wave_id == wave.id)
    rows = session.execute(select(Counter.state, func.sum(Counter.n)).where(mine).group_by(Counter.state))
    found = {state: int(n) for state, n in rows}
    return {state: found.get(state, 0) for state in State}
