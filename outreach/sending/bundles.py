"""Sending bundles: claim an office's letters, write them into one mail, hand it over, and settle each letter.

What is written of each letter is what would have been written by itself, and is held against what its signer confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.deliveries import Stream
from outreach.domain.letters import SignerFields, first_name
from outreach.domain.messages import Mailbox, Message
from outreach.faultpoints import reached
from outreach.merge import Enclosed, Letter, Part, compose_bundle, how_many_fit, letter_in
from outreach.models import Database, Delivery, Signature
from outreach.outbox import Answer, Books, BundleClaim, Going
from outreach.settings import Settings
from outreach.transports.base import Unavailable

from .hands import Hands
from .parcels import Desk, Letterhead
from .rounds import PATIENCE, set_aside, while_the_database_is_away
from .ways import Fallback, Way, way_now
from .writing import Round, write_round

log = structlog.get_logger()

#: Bytes of a bundle as it travels. SendGrid takes 30 MB; many offices take no more than 20. What is too much for one
#: mail follows in another, the same day.
MOST_BYTES = 15_000_000
_BLANKS = SignerFields("[name]", "[first name]", "[place]", "[postal code]")


def send_bundles(
    db: Database,
    hands: Hands,
    desk: Desk,
    *,
    settings: Settings,
    fallback: Fallback | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Send each office's bundle that should leave now, until none is left or `goes_on` says no.

    What may leave while the way out of `hands` is closed goes by `fallback`, if there is one, unless it may have left
    before. Returns how many letters were accepted.
    """
    accepted, lease = 0, timedelta(seconds=settings.lease_seconds)
    while goes_on():
        way = way_now(db, hands, fallback, stream=Stream.LETTERS)
        with db.begin() as session:
            claimed = outbox.claim_bundle(
                session,
                transport=way.name,
                now=db.now(),
                lease=lease,
                over=settings.bundle_over,
                only_fresh=way.is_fallback,
            )
        if claimed is None:
            break
        reached("after_claim")
        accepted += _send(db, way, desk, claimed, settings=settings)
    return accepted


@dataclass(frozen=True)
class _Sheets:
    """The letters of a bundle by delivery, as far as they can be written, and what becomes of the others."""

    enclosed: dict[int, Enclosed]
    round: Round
    too_much: list[int]
    head: Letterhead | None
    to: Mailbox | None


def _send(db: Database, way: Way, desk: Desk, claimed: BundleClaim, *, settings: Settings) -> int:
    with db.read() as session:
        sheets = _write(session, desk, claimed, now=db.now())
    deadline = time.monotonic() + settings.lease_seconds - settings.provider_timeout * 1.5
    going, message = _intend(db, way, claimed, sheets, settings=settings)
    if message is None:
        return 0
    reached("after_intent")
    (answer,) = way.hands.hand_over([(going[0], message)], deadline=deadline)
    answers = [Answer(letter, answer.outcome) for letter in going]

    def settle() -> int:
        now, retry_base = db.now(), timedelta(seconds=settings.retry_base_seconds)
        with db.begin() as session, Books(session, now=now) as books:
            settled = outbox.settle(
                session,
                claimed.held,
                answers,
                transport=way.name,
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
    enclosed: dict[int, Enclosed] = {}
    for row in sorted(rows, key=lambda r: (r.due_at, r.id)):
        if row.version_id not in heads:
            heads[row.version_id] = desk.letterhead(session, row.id)
        enclosed[row.id] = _enclosed(row, round_.mails[row.id], heads[row.version_id])
    fit = how_many_fit(list(enclosed.values()), MOST_BYTES)
    too_much = list(enclosed)[fit:]
    to = next((message.to for message in round_.mails.values()), None)
    return _Sheets(dict(list(enclosed.items())[:fit]), round_, too_much, next(iter(heads.values()), None), to)


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


def _enclosed(row: Any, message: Message, head: Letterhead) -> Enclosed:
    letter = letter_in(message, head.envelope)
    return Enclosed(
        ref=row.ref,
        name=row.name,
        place=row.city,
        postal_code=row.postal_code,
        confirmed_on=(row.confirmed_at or row.created_at).date(),
        own_words=row.own_words,
        reply_to=message.reply_to.address if message.reply_to else "",
        letter=letter,
        common=_left_open(head, bool(row.city), bool(row.postal_code)) if _is_common(row, letter, head) else None,
    )


def _is_common(row: Any, letter: Letter, head: Letterhead) -> bool:
    """Whether the letter says nothing but what the campaign says over its signer's name."""
    if row.own_words:
        return False
    signer = SignerFields(row.name, first_name(row.name), row.city, row.postal_code, "")
    plain = head.form.write(signer, head.target, head.campaign)
    return (plain.subject, plain.text) == (letter.subject, letter.text)


@lru_cache(maxsize=64)
def _left_open(head: Letterhead, has_city: bool, has_code: bool) -> Letter:
    """A letter with blanks for what was its signer's; where signers gave nothing, it says what it says then."""
    city, code = _BLANKS.city if has_city else "", _BLANKS.postal_code if has_code else ""
    return head.form.write(SignerFields(_BLANKS.name, _BLANKS.first_name, city, code, ""), head.target, head.campaign)


def _intend(
    db: Database, way: Way, claimed: BundleClaim, sheets: _Sheets, *, settings: Settings
) -> tuple[Sequence[Going], Message | None]:
    """Commit the attempts, and write the mail of those letters that may still go; no mail when there is none."""
    now = db.now()
    with db.begin() as session, Books(session, now=now) as books:
        for parcel, error in sheets.round.unwritten:
            set_aside(books, claimed.held, parcel, error)
        outbox.release_claim(books, claimed.held, sheets.too_much)
        ids = list(sheets.enclosed)
        if way.per_day and not outbox.spend_allowance(session, way.name, 1, per_day=way.per_day, now=now):
            outbox.release_claim(books, claimed.held, ids, reason="no allowance left")
            ids = []
        ref, going = outbox.intend_bundle(
            session,
            claimed,
            ids,
            transport=way.name,
            now=now,
            lease=timedelta(seconds=settings.lease_seconds),
            books=books,
        )
        if not going or sheets.head is None or sheets.to is None:
            if claimed.held.strikes:
                outbox.leave_ajar(session, way.name, strikes=claimed.held.strikes, now=now)
            return [], None
        head, still = sheets.head, {letter.delivery_id for letter in going}
        message = compose_bundle(
            [one for id_, one in sheets.enclosed.items() if id_ in still],
            head.envelope,
            ref=ref,
            to=sheets.to,
            reply_to=Mailbox(head.envelope.organisation, settings.help_address),
            salutation=head.target.salutation,
            campaign=head.campaign.title,
            now=now,
            part=Part(claimed.part, goes_on=bool(sheets.too_much)),
        )
    return going, message
