"""Sending bundles: claim an office's letters, write them into one mail, hand it over, and settle each letter.

What is written of each letter is what would have been written by itself, and is held against what its signer confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.letters import SignerFields
from outreach.domain.messages import SIGNATURE_MARK, Mailbox, Message
from outreach.merge import Enclosed, Letter, compose_bundle
from outreach.models import Database, Delivery, Signature
from outreach.outbox import Answer, Books, BundleClaim, Going
from outreach.settings import Settings
from outreach.transports.base import Unavailable

from .hands import Hands
from .parcels import Desk, Letterhead
from .rounds import PATIENCE, set_aside, while_the_database_is_away
from .writing import Round, write_round

log = structlog.get_logger()

#: Characters of all letters in one bundle. With its table such a mail has some twelve megabytes, which offices take.
MOST_TEXT = 4_000_000
#: What stands in a shared letter where each signer's own was.
_BLANKS = SignerFields("[name]", "[first name]", "[place]", "[postal code]")


def send_bundles(
    db: Database, hands: Hands, desk: Desk, *, settings: Settings, goes_on: Callable[[], bool] = lambda: True
) -> int:
    """Hand over the bundles that are due, one office after the other; how many letters were accepted."""
    accepted, lease = 0, timedelta(seconds=settings.lease_seconds)
    while goes_on():
        with db.begin() as session:
            claimed = outbox.claim_bundle(
                session, transport=hands.transport.name, now=db.now(), lease=lease, over=settings.bundle_over
            )
        if claimed is None:
            break
        accepted += _send(db, hands, desk, claimed, settings=settings)
    return accepted


@dataclass(frozen=True)
class _Sheets:
    """The letters of a bundle by delivery, as far as they can be written, and what becomes of the others."""

    enclosed: dict[int, Enclosed]
    round: Round
    too_much: list[int]
    envelope: Letterhead | None
    to: Mailbox | None


def _send(db: Database, hands: Hands, desk: Desk, claimed: BundleClaim, *, settings: Settings) -> int:
    with db.read() as session:
        sheets = _write(session, desk, claimed, now=db.now())
    deadline = time.monotonic() + settings.lease_seconds - settings.provider_timeout * 1.5
    going, message = _intend(db, hands, claimed, sheets, settings=settings)
    if message is None:
        return 0
    (answer,) = hands.hand_over([(going[0], message)], deadline=deadline)
    answers = [Answer(letter, answer.outcome) for letter in going]

    def settle() -> int:
        now, retry_base = db.now(), timedelta(seconds=settings.retry_base_seconds)
        with db.begin() as session, Books(session, now=now) as books:
            settled = outbox.settle(
                session,
                claimed.held,
                answers,
                transport=hands.transport.name,
                now=now,
                retry_base=retry_base,
                books=books,
            )
            if isinstance(answer.outcome, Unavailable):
                outbox.keep_together(session, going)
        return len(settled.accepted)

    accepted = while_the_database_is_away(settle, PATIENCE)
    log.info("bundle_sent", bundle=message.delivery, letters=len(going), accepted=accepted)
    return accepted


def _write(session: Session, desk: Desk, claimed: BundleClaim, *, now: datetime) -> _Sheets:
    parcels = desk.make_up(session, claimed.held.ids)
    round_ = write_round(parcels, now, width=len(parcels), largest=1)
    rows = session.execute(_SIGNERS.where(Delivery.id.in_(list(round_.mails)))).all()
    heads: dict[int, Letterhead] = {}
    common: dict[tuple[Any, ...], Letter] = {}
    enclosed, too_much, size = dict[int, Enclosed](), list[int](), 0
    for row in sorted(rows, key=lambda r: (r.due_at, r.id)):
        message = round_.mails[row.id]
        letter = Letter(message.subject, message.text.rpartition(SIGNATURE_MARK)[0].rstrip("\n"), "")
        size += len(letter.text)
        if size > MOST_TEXT and enclosed:
            too_much.append(row.id)
            continue
        if row.version_id not in heads:
            heads[row.version_id] = desk.letterhead(session, row.id)
        kind = (row.version_id, bool(row.city), bool(row.postal_code))
        if not row.own_words and kind not in common:
            common[kind] = _left_open(heads[row.version_id], has_city=kind[1], has_code=kind[2])
        enclosed[row.id] = Enclosed(
            ref=row.ref,
            name=row.name,
            place=row.city,
            postal_code=row.postal_code,
            confirmed_on=(row.confirmed_at or row.created_at).date(),
            own_words=row.own_words,
            reply_to=message.reply_to.address if message.reply_to else "",
            letter=letter,
            common=None if row.own_words else common[kind],
        )
    to = next((message.to for message in round_.mails.values()), None)
    return _Sheets(enclosed, round_, too_much, next(iter(heads.values()), None), to)


_SIGNERS = select(
    Delivery.id,
    Delivery.ref,
    Delivery.due_at,
    Delivery.version_id,
    Signature.name,
    Signature.city,
    Signature.postal_code,
    Signature.own_words,
    Signature.confirmed_at,
    Signature.created_at,
).join(Signature, Signature.id == Delivery.signature_id)


def _left_open(head: Letterhead, *, has_city: bool, has_code: bool) -> Letter:
    """A letter with blanks for what was its signer's; where signers gave nothing, it says what it says then."""
    city, code = _BLANKS.city if has_city else "", _BLANKS.postal_code if has_code else ""
    return head.form.write(SignerFields(_BLANKS.name, _BLANKS.first_name, city, code, ""), head.target, head.campaign)


def _intend(
    db: Database, hands: Hands, claimed: BundleClaim, sheets: _Sheets, *, settings: Settings
) -> tuple[Sequence[Going], Message | None]:
    """Commit the attempts, and write the mail of those letters that may still go; no mail when there is none."""
    now, transport = db.now(), hands.transport.name
    with db.begin() as session, Books(session, now=now) as books:
        for parcel, error in sheets.round.unwritten:
            set_aside(books, claimed.held, parcel, error)
        outbox.release_claim(books, claimed.held, sheets.too_much)
        ref, going = outbox.intend_bundle(
            session,
            claimed,
            list(sheets.enclosed),
            transport=transport,
            now=now,
            lease=timedelta(seconds=settings.lease_seconds),
            books=books,
        )
        if not going or sheets.envelope is None or sheets.to is None:
            if claimed.held.strikes:
                outbox.leave_ajar(session, transport, strikes=claimed.held.strikes, now=now)
            return [], None
        head = sheets.envelope
        message = compose_bundle(
            [sheets.enclosed[g.delivery_id] for g in sorted(going, key=lambda g: g.delivery_id)],
            head.envelope,
            ref=ref,
            to=sheets.to,
            reply_to=Mailbox(head.envelope.organisation, settings.help_address),
            salutation=head.target.salutation,
            now=now,
        )
    return going, message
