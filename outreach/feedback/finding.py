"""Which delivery a report is about: the one it names, or the only one it can be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.models import Attempt, Contact, Delivery, ProviderEvent, Supporter
from outreach.outbox import bundled_letters

#: A bounce that comes by mail names nothing of ours. It is about a mail of the days before it, and of no other.
_ABOUT = timedelta(days=5)
#: The provider's clock and ours.
_SKEW = timedelta(minutes=5)


class About(NamedTuple):
    """A delivery that a report is about, and which of its attempts."""

    delivery: Delivery
    attempt: int | None


def deliveries_of(session: Session, rows: Sequence[ProviderEvent]) -> dict[str, list[About]]:
    """What each report is about, by the report's id: one delivery, every letter of a bundle, or nothing we know.

    Locked in one order, so that two batches about the same mails wait for each other instead of for ever.
    """
    guessed = {row.id: id_ for row in rows if not row.ref and (id_ := _only_one(session, row)) is not None}
    refs = {row.ref for row in rows if row.ref}
    bundles = bundled_letters(session, sorted(refs))
    by_number = {*guessed.values(), *(letter.delivery_id for letters in bundles.values() for letter in letters)}
    found = session.scalars(
        select(Delivery)
        .where(Delivery.ref.in_(refs) | Delivery.id.in_(by_number))
        .order_by(Delivery.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    by_ref, by_id = {d.ref: d for d in found}, {d.id: d for d in found}
    about: dict[str, list[About]] = {}
    for row in rows:
        delivery = by_ref.get(row.ref) or by_id.get(guessed.get(row.id, 0))
        if delivery is not None:
            about[row.id] = [About(delivery, row.attempt)]
        elif row.ref in bundles:
            about[row.id] = [About(by_id[letter.delivery_id], letter.attempt) for letter in bundles[row.ref]]
    return about


def _only_one(session: Session, row: ProviderEvent) -> int | None:
    """The one mail that left for the report's address in the days before it; None when there were more, or none."""
    if row.address_hash is None:
        return None
    after, before = row.at - _ABOUT, row.at + _SKEW
    to_signers = (
        select(Delivery.id)
        .join(Supporter, Supporter.id == Delivery.supporter_id)
        .where(
            Supporter.address_hash == row.address_hash,
            Delivery.mail_class != MailClass.LETTER,
            Delivery.state == State.ACCEPTED,
            Delivery.accepted_at.between(after, before),
        )
    )
    lanes = select(Contact.lane_id).where(Contact.address_hash == row.address_hash)
    to_offices = (
        select(Delivery.id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(
            Attempt.lane_id.in_(lanes),
            Attempt.ended_at.between(after, before),
            Delivery.state == State.ACCEPTED,
            Delivery.mail_class == MailClass.LETTER,
        )
        .distinct()
    )
    found = [*session.scalars(to_signers.limit(2)), *session.scalars(to_offices.limit(2))]
    return found[0] if len(found) == 1 else None
