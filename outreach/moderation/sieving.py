"""What a sieve finds: the same conditions for the preview and for every chunk of the invalidation itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from outreach.domain.deliveries import GONE, UNSENT, MailClass
from outreach.domain.sieves import ANY, Sieve
from outreach.errors import BadInput
from outreach.models import STANDING, Campaign, Delivery, Signature, SignatureState, Supporter

#: How many of what is found are shown.
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """A signature as staff see it in a list."""

    ref: str
    campaign_slug: str
    name: str
    mail_domain: str
    city: str
    own_words: str
    state: SignatureState
    suspect: str
    network: str  #: a keyed hash
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What an invalidation would end. `up_to` is the last signature there is: none that comes later is touched."""

    total: int
    confirmed: int
    suspects: int
    unsent: int  #: mails that would be called off
    gone: int  #: letters that left, or may have
    sample: tuple[SignatureRow, ...]
    up_to: int


def preview(session: Session, campaign_id: int, sieve: Sieve) -> Preview:
    """What the sieve finds now; BadInput when it is empty. Changes nothing."""
    if sieve.is_empty:
        raise BadInput("It would end every signature of the campaign. Say what the false ones have in common.")
    up_to = session.scalar(select(func.coalesce(func.max(Signature.id), 0))) or 0
    found = fitting(campaign_id, sieve, up_to=up_to)
    total, confirmed, suspects = session.execute(
        select(
            func.count(),
            func.count(Signature.confirmed_at),
            func.count().filter(Signature.suspect != ""),
        ).where(*found)
    ).one()
    mine = Delivery.signature_id.in_(select(Signature.id).where(*found))
    unsent = select(func.count()).where(mine, Delivery.state.in_(UNSENT))
    gone = select(func.count()).where(mine, Delivery.mail_class == MailClass.LETTER, Delivery.state.in_(GONE))
    return Preview(
        total,
        confirmed,
        suspects,
        session.scalar(unsent) or 0,
        session.scalar(gone) or 0,
        tuple(rows(session, listed().where(*found).order_by(Signature.id.desc()).limit(SAMPLE))),
        up_to,
    )


def fitting(
    campaign_id: int, sieve: Sieve, *, up_to: int, invalidation_id: int | None = None
) -> list[ColumnElement[bool]]:
    """Conditions on `Signature`: standing ones that the sieve finds. `invalidation_id` is the one under way."""
    conditions = [
        Signature.campaign_id == campaign_id,
        Signature.state.in_(STANDING),
        Signature.id <= up_to,
    ]
    if sieve.reason:
        conditions.append(Signature.suspect != "" if sieve.reason == ANY else Signature.suspect == sieve.reason)
    if sieve.mail_domain:
        at = Supporter.address_key.endswith(f"@{sieve.mail_domain.lower().lstrip('@')}", autoescape=True)
        conditions.append(Signature.supporter_id.in_(select(Supporter.id).where(at)))
    if sieve.network:
        conditions.append(Signature.network == sieve.network)
    if sieve.since:
        conditions.append(Signature.created_at >= sieve.since)
    if sieve.until:
        conditions.append(Signature.created_at < sieve.until)
    if sieve.name:
        conditions.append(func.lower(Signature.name).like(_pattern(sieve.name), escape="\\"))
    if sieve.same_words:
        conditions.append(Signature.own_words.in_(_shared_words(campaign_id, sieve.same_words, invalidation_id)))
    if sieve.refs:
        conditions.append(Signature.ref.in_(sieve.refs))
    return conditions


def _pattern(name: str) -> str:
    for sign in "\\%_":
        name = name.replace(sign, f"\\{sign}")
    return name.lower().replace("*", "%")


def _shared_words(campaign_id: int, at_least: int, invalidation_id: int | None) -> Select[str]:
    """Own words of so many signatures. Those that this invalidation has ended already still count among them."""
    twin = aliased(Signature)
    return (
        select(twin.own_words)
        .where(
            twin.campaign_id == campaign_id,
            twin.own_words != "",
            or_(twin.state.in_(STANDING), twin.invalidation_id == invalidation_id),
        )
        .group_by(twin.own_words)
        .having(func.count() >= at_least)
    )


def listed() -> Select[Signature, str, str]:
    """Signatures with what `rows` needs of their campaign and signer."""
    return (
        select(Signature, Campaign.slug, Supporter.address)
        .join(Campaign, Campaign.id == Signature.campaign_id)
        .join(Supporter, Supporter.id == Signature.supporter_id)
    )


def rows(session: Session, chosen: Select[Signature, str, str]) -> Sequence[SignatureRow]:
    """The rows of a `listed` query."""
    return [
        SignatureRow(
            signature.ref,
            slug,
            signature.name,
            address.rpartition("@")[2],
            signature.city,
            signature.own_words,
            signature.state,
            signature.suspect,
            signature.network,
            signature.created_at,
        )
        for signature, slug, address in session.execute(chosen)
    ]
