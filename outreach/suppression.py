"""Who must not be written to, and since when. Addresses are known here by their keyed hash only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.models import Sponsorship, Suppression, insert_into


def suppress(
    session: Session, address_hash: str, *, scope: str = "all", reason: str, note: str = "", now: datetime
) -> bool:
    """Write nothing more to this address in `scope`; False when that held already.

    "all" is every mail and "campaign:7" every mail of one campaign. Of the mailings alone, "news" is all of them,
    "org:3" those of one organisation and "list:7" those of one campaign.
    """
    added = session.execute(
        insert_into(session, Suppression)
        .values(address_hash=address_hash, scope=scope, reason=reason, note=note[:200], at=now)
        .on_conflict_do_nothing()
        .returning(Suppression.id)
    ).first()
    return added is not None


def lift(session: Session, address_hash: str, *, scope: str = "all") -> bool:
    """Allow writing again. False when nothing was suppressed there."""
    gone = session.execute(
        delete(Suppression)
        .where(Suppression.address_hash == address_hash, Suppression.scope == scope)
        .returning(Suppression.id)
    ).all()
    return bool(gone)


def is_suppressed(session: Session, address_hash: str, *, scopes: Sequence[str] = ("all",)) -> bool:
    """Whether any of `scopes` is closed for this address."""
    return address_hash in suppressed_among(session, [address_hash], scopes=scopes)


def suppressed_among(
    session: Session, address_hashes: Collection[str], *, scopes: Sequence[str] = ("all",)
) -> frozenset[str]:
    """Which of these addresses must not be written to in any of `scopes`."""
    if not address_hashes:
        return frozenset()
    found = select(Suppression.address_hash).where(
        Suppression.address_hash.in_(address_hashes), Suppression.scope.in_(scopes)
    )
    return frozenset(session.scalars(found))


def scopes_of(session: Session, stream: Stream, campaign_ids: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """For each campaign, the scopes that close an address to its mails in `stream`."""
    scopes = {id_: {"all", f"campaign:{id_}"} for id_ in campaign_ids}
    if stream is Stream.NEWS:
        leads = select(Sponsorship.campaign_id, Sponsorship.organisation_id).where(
            Sponsorship.role == "lead", Sponsorship.campaign_id.in_(list(scopes))
        )
        for id_, mine in scopes.items():
            mine |= {"news", f"list:{id_}"}
        for id_, organisation_id in session.execute(leads):
            scopes[id_].add(f"org:{organisation_id}")
    return {id_: frozenset(mine) for id_, mine in scopes.items()}


def scopes_closed(
    session: Session, address_hashes: Collection[str], *, scopes: Collection[str]
) -> frozenset[tuple[str, str]]:
    """(address hash, scope) for each of these that is closed."""
    if not address_hashes:
        return frozenset()
    found = select(Suppression.address_hash, Suppression.scope).where(
        Suppression.address_hash.in_(address_hashes), Suppression.scope.in_(scopes)
    )
    return frozenset((address, scope) for address, scope in session.execute(found))
