"""What a reader said through the provider: no more news, or go on. The later word counts, whichever comes first.

It is written down twice, as our own pages do: a suppression, which is looked at before each hand-over, and an entry
in the consent ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach.consents import last_words, said_anew
from outreach.domain.consents import Purpose
from outreach.domain.events import EventKind
from outreach.models import Consent, Delivery, ProviderEvent, Supporter, Suppression
from outreach.suppression import lift, suppress

SOURCE = "provider"
_WORDS = (EventKind.UNSUBSCRIBED, EventKind.RESUBSCRIBED)


def heed(session: Session, supporter: Supporter, row: ProviderEvent, about: Delivery | None, *, now: datetime) -> None:
    """Do what the reader said, unless they have said something else since."""
    standing = last_words(session, supporter.id, Purpose.UPDATES)
    if _said_since(session, supporter, row):
        return
    if row.kind is EventKind.RESUBSCRIBED:
        _go_on(session, supporter, standing.values(), row)
    else:
        _stop(session, supporter, standing, row, about, now)
    session.flush()


def _stop(
    session: Session,
    supporter: Supporter,
    standing: dict[int | None, Consent],
    row: ProviderEvent,
    about: Delivery | None,
    now: datetime,
) -> None:
    if not any(last.given and last.at > row.at for last in standing.values()):  # no yes was said since
        suppress(session, supporter.address_hash, scope="news", reason="unsubscribed", note=SOURCE, now=now)
    for last in standing.values():
        if last.given and last.at <= row.at:
            session.add(said_anew(last, given=False, source=SOURCE, at=row.at))
    if about is not None and about.campaign_id not in standing:  # a no to something we have no yes for
        session.add(
            Consent(
                supporter_id=supporter.id,
                campaign_id=about.campaign_id,
                purpose=Purpose.UPDATES,
                given=False,
                wording="",
                source=SOURCE,
                at=row.at,
            )
        )


def _go_on(session: Session, supporter: Supporter, standing: Iterable[Consent], row: ProviderEvent) -> None:
    """Take back what was said through the provider, and nothing that was said to us."""
    by_provider = select(Suppression.id).where(
        Suppression.address_hash == supporter.address_hash, Suppression.scope == "news", Suppression.note == SOURCE
    )
    if session.scalar(by_provider) is not None:
        lift(session, supporter.address_hash, scope="news")
    for last in standing:
        if not last.given and last.source == SOURCE and last.wording:
            session.add(said_anew(last, given=True, source=SOURCE, at=row.at))


def _said_since(session: Session, supporter: Supporter, row: ProviderEvent) -> bool:
    """Whether a report of a later word has been applied before this one."""
    later = exists().where(
        ProviderEvent.delivery_id == Delivery.id,
        Delivery.supporter_id == supporter.id,
        ProviderEvent.kind.in_(_WORDS),
        ProviderEvent.at > row.at,
        ProviderEvent.applied_at.is_not(None),
    )
    return bool(session.scalar(select(later)))
