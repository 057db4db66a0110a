"""One claim, worked off in rounds.

A round is as many mails as may be in the air at once. Its attempts are committed together with the answers of the
round before, so a round costs one transaction; between two transactions the mails are handed over and no
transaction is open. What a killed worker leaves in doubt is one round at most.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.models import Database
from outreach.outbox import Answer, Books, Claim, bury, claim, intend, release_claim, settle
from outreach.settings import Settings

from .hands import Hands
from .parcels import CannotWrite, Desk, NoLongerConfirmed, Parcel

log = structlog.get_logger()

#: A task works this long at a stretch, then rings for itself again: short enough to stop a worker politely.
_STRETCH = 10.0


def send_due(db: Database, hands: Hands, desk: Desk, *, stream: Stream, settings: Settings) -> int:
    """Send what is due in `stream` until nothing is, or ten seconds have passed. Returns how many were accepted.

    A negative number says that nothing at all was due or allowed.
    """
    begun, accepted, found = time.monotonic(), 0, False
    while time.monotonic() - begun < _STRETCH:
        batch = _send_batch(db, hands, desk, stream=stream, settings=settings)
        if batch is None:
            break
        found = True
        accepted += batch
    return accepted if found else -1


def _send_batch(db: Database, hands: Hands, desk: Desk, *, stream: Stream, settings: Settings) -> int | None:
    lease = timedelta(seconds=settings.lease_seconds)
    transport = hands.transport.name
    with db.begin() as session:
        held = claim(session, stream, transport=transport, now=db.now(), limit=settings.batch, lease=lease)
    if held is None:
        return None
    with db.read() as session:
        parcels = desk.make_up(session, held.ids)
    accepted = _work_off(db, hands, held, parcels, settings=settings)
    log.info("batch_sent", stream=str(stream), claimed=len(held.ids), accepted=accepted)
    return accepted


def _work_off(db: Database, hands: Hands, held: Claim, parcels: Sequence[Parcel], *, settings: Settings) -> int:
    lease = timedelta(seconds=settings.lease_seconds)
    retry_base = timedelta(seconds=settings.retry_base_seconds)
    transport = hands.transport.name
    rest, answers, accepted = list(parcels), list[Answer](), 0
    while rest or answers:
        round_, rest = rest[: settings.handovers], rest[settings.handovers :]
        now = db.now()
        mails, unwritten = _write(round_, now)
        # From here the lease runs; a hand-over that begins later than this cannot be answered within it.
        deadline = time.monotonic() + settings.lease_seconds - settings.provider_timeout * 1.5
        with db.begin() as session, Books(session, now=now) as books:
            settled = settle(session, held, answers, transport=transport, now=now, retry_base=retry_base, books=books)
            accepted += len(settled.accepted)
            for parcel, error in unwritten:
                _set_aside(books, held, parcel, error)
            if settled.closed:
                release_claim(books, held, [*mails, *(p.delivery_id for p in rest)], reason="the provider is away")
                going, rest = [], []
            else:
                going = intend(session, held, list(mails), transport=transport, now=now, lease=lease, books=books)
        answers = hands.hand_over([(g, mails[g.delivery_id]) for g in going], deadline=deadline) if going else []
    return accepted


def _write(parcels: Sequence[Parcel], now: datetime) -> tuple[dict[int, Message], list[tuple[Parcel, CannotWrite]]]:
    """The round's mails by delivery, and the parcels that cannot be written, with the reason."""
    mails: dict[int, Message] = {}
    unwritten: list[tuple[Parcel, CannotWrite]] = []
    for parcel in parcels:
        try:
            mails[parcel.delivery_id] = parcel.write(now)
        except CannotWrite as error:
            unwritten.append((parcel, error))
        except Exception as error:
            # One row nobody foresaw must not keep the others from leaving.
            log.error("cannot_write", delivery=parcel.delivery_id, error=type(error).__name__)
            unwritten.append((parcel, CannotWrite(f"writing it failed: {type(error).__name__}")))
    return mails, unwritten


def _set_aside(books: Books, held: Claim, parcel: Parcel, error: CannotWrite) -> None:
    """Hold what its signer has to confirm anew; bury what cannot be written at all."""
    if isinstance(error, NoLongerConfirmed):
        books.move([parcel.delivery_id], State.CLAIMED, State.HELD, token=held.token, reason=str(error))
    else:
        bury(books, held, parcel.delivery_id, str(error), maybe_sent=parcel.maybe_sent)
