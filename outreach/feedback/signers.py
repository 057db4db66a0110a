"""What reports say about a signer's address.

A dead address or one whose reader called a mail spam is closed to every mail. A full mailbox is not, until it was
full three times within a month. A refusal for policy or reputation says something about us, and closes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass
from outreach.domain.events import Cause, EventKind
from outreach.models import Delivery, ProviderEvent, Supporter, Suppression
from outreach.outbox import Books
from outreach.outbox.holding import hold_letters_of
from outreach.suppression import lift, suppress

from .stopping import heed

#: Why an address is closed to every mail, the weakest first: a stronger reason takes the place of a weaker one.
_UNREACHABLE, _BOUNCED, _COMPLAINED = "unreachable", "bounced", "complained"
_REASONS = (_UNREACHABLE, _BOUNCED, _COMPLAINED)
#: So many soft bounces within so long, without a delivery among them, and the address counts as dead.
_SOFT, _WITHIN = 3, timedelta(days=30)
_STOP = (EventKind.UNSUBSCRIBED, EventKind.RESUBSCRIBED)


def mind_signers(books: Books, told: Iterable[tuple[ProviderEvent, Delivery | None]]) -> None:
    """Close, open or leave each signer's address, as these reports (oldest first) say."""
    about = [(row, delivery, whose) for row, delivery in told if (whose := _whose(row, delivery)) is not None]
    if not about:
        return
    session, now = books.session, books.now
    telling = {whose for row, _, whose in about if row.kind is not EventKind.PROCESSED}
    found = session.scalars(select(Supporter).where(Supporter.address_hash.in_(telling)))
    supporters = {supporter.address_hash: supporter for supporter in found}
    unreachable = _unreachable(session, telling)
    for row, delivery, whose in sorted(about, key=lambda a: (a[2], a[0].at, a[0].id)):
        supporter = supporters.get(whose)
        reason = _closes(row)
        if reason:
            _close(session, whose, reason, now)
        if supporter is None:
            continue
        if reason == _BOUNCED:
            hold_letters_of(books, supporter.id, confirmed_before=row.at)
        elif row.kind in _STOP or row.cause is Cause.UNSUBSCRIBED_BEFORE:
            heed(session, supporter, row, delivery, now=now)
        elif _is_soft(row) or (row.kind is EventKind.DELIVERED and whose in unreachable):
            _weigh(session, supporter, now)


def _whose(row: ProviderEvent, delivery: Delivery | None) -> str | None:
    """The keyed hash of the signer's address the report may be about."""
    if delivery is not None:
        return None if delivery.mail_class is MailClass.LETTER else delivery.address_hash
    return row.address_hash if not row.ref and row.kind is EventKind.BOUNCED and row.hard else None


def _closes(row: ProviderEvent) -> str:
    if row.kind is EventKind.COMPLAINED or row.cause is Cause.COMPLAINED_BEFORE:
        return _COMPLAINED
    return _BOUNCED if row.kind in (EventKind.BOUNCED, EventKind.DROPPED) and row.hard else ""


def _is_soft(row: ProviderEvent) -> bool:
    return row.kind is EventKind.BOUNCED and not row.hard


def _close(session: Session, address_hash: str, reason: str, now: datetime) -> None:
    if not suppress(session, address_hash, reason=reason, now=now):
        weaker = _REASONS[: _REASONS.index(reason)]
        session.execute(
            update(Suppression)
            .where(Suppression.address_hash == address_hash, Suppression.scope == "all", Suppression.reason.in_(weaker))
            .values(reason=reason)
        )


def _unreachable(session: Session, address_hashes: set[str]) -> frozenset[str]:
    found = select(Suppression.address_hash).where(
        Suppression.address_hash.in_(address_hashes), Suppression.scope == "all", Suppression.reason == _UNREACHABLE
    )
    return frozenset(session.scalars(found))


def _weigh(session: Session, supporter: Supporter, now: datetime) -> None:
    """Close an address that was full too often; open it again when a late report says that mail did arrive."""
    reports = session.execute(
        select(ProviderEvent.kind, ProviderEvent.hard, ProviderEvent.at)
        .join(Delivery, Delivery.id == ProviderEvent.delivery_id)
        .where(
            Delivery.supporter_id == supporter.id,
            Delivery.mail_class != MailClass.LETTER,
            ProviderEvent.kind.in_([EventKind.BOUNCED, EventKind.DELIVERED]),
        )
        .order_by(ProviderEvent.at)
    ).all()
    soft = [at for kind, hard, at in reports if kind is EventKind.BOUNCED and not hard]
    if worn_out(soft, [at for kind, _, at in reports if kind is EventKind.DELIVERED]):
        suppress(session, supporter.address_hash, reason=_UNREACHABLE, now=now)
    elif supporter.address_hash in _unreachable(session, {supporter.address_hash}):
        lift(session, supporter.address_hash)


def worn_out(soft: Sequence[datetime], delivered: Sequence[datetime]) -> bool:
    """Whether three soft bounces in a row (`soft` ascending) came within 30 days, with no delivery between them."""
    return any(
        last - first <= _WITHIN and not any(first < at <= last for at in delivered)
        for first, last in zip(soft, soft[_SOFT - 1 :], strict=False)
    )
