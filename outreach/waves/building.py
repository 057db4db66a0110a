"""A started wave becomes deliveries, chunk by chunk in the order of ids, each with its cursor in one transaction.

Killed at any row, the chunk never happened and the next builder begins it anew; two builders wait for each other at
the wave's row; and nothing but the chunk's boundaries ever stands in memory.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from outreach import faultpoints
from outreach.domain.waves import WaveKind
from outreach.models import Mailing, Signature, Wave
from outreach.outbox.releasing import add_mailings, release_letters
from outreach.settings import Settings

from . import audiences, drafting

#: Supporters looked at, or letters released, in one transaction.
CHUNK = 5000


def build_chunk(session: Session, wave: Wave, *, settings: Settings, now: datetime, chunk: int) -> int:
    """Plan the next part of a wave that is locked and sending; how many deliveries that made.

    `planned_at` is set by the chunk that finds nothing more.
    """
    if wave.planned_at is not None:
        return 0
    if wave.kind is WaveKind.MAILING:
        made, passed, is_last = _write_to_readers(session, wave, settings, now, chunk)
    else:
        made, passed, is_last = _let_letters_go(session, wave, settings, now, chunk)
    faultpoints.reached("plan_mid_chunk")
    wave.planned_to = passed
    if is_last:
        wave.planned_at = now
    session.flush()
    return made


def _let_letters_go(
    session: Session, wave: Wave, settings: Settings, now: datetime, chunk: int
) -> tuple[int, int, bool]:
    fits = drafting.reach(session, wave, settings=settings, now=now).fits
    last_id, made = release_letters(session, wave, fits, after_id=wave.planned_to, limit=chunk, due_at=now, now=now)
    return made, last_id, made < chunk


def _write_to_readers(
    session: Session, wave: Wave, settings: Settings, now: datetime, chunk: int
) -> tuple[int, int, bool]:
    # One builder at a time for one text, or two waves of it could both find that somebody does not have it yet.
    session.get_one(Mailing, wave.mailing_id, with_for_update={"key_share": True})
    looked_at, last_id = _next_supporters(session, wave, chunk)
    if looked_at == 0:
        return 0, wave.planned_to, True
    reach = drafting.reach(session, wave, settings=settings, now=now)
    # Nobody in this part has it by this very wave; the wave's own rows need not be looked through.
    reach = replace(reach, same_words=tuple(id_ for id_ in reach.same_words if id_ != wave.id))
    part = Signature.supporter_id.between(wave.planned_to + 1, last_id)
    made = add_mailings(session, wave, audiences.readers(session, reach).where(part), due_at=now, now=now)
    return made, last_id, looked_at < chunk


def _next_supporters(session: Session, wave: Wave, chunk: int) -> tuple[int, int]:
    """How many counted signatures the next chunk looks at, and the last one's id."""
    part = (
        select(Signature.supporter_id)
        .where(
            Signature.campaign_id == wave.campaign_id,
            text("signatures.state IN ('pending', 'confirmed')"),  # as the index says it: it gives the order for free
            Signature.is_counted,
            Signature.supporter_id > wave.planned_to,
        )
        .order_by(Signature.supporter_id)
        .limit(chunk)
        .subquery()
    )
    looked_at, last_id = session.execute(select(func.count(), func.max(part.c.supporter_id))).one()
    return looked_at, last_id or wave.planned_to
