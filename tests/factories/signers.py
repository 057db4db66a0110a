"""People who sign, what they agreed to, and the links they were sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.addresses import address_key
from outreach.keys import Keys, hash_of
from outreach.models import Campaign, Consent, Signature, SignatureState, Supporter, Token, new_ref

from .base import KEYS, NOON, added, numbers


def supporter(session: Session, address: str | None = None, *, now: datetime = NOON, keys: Keys = KEYS) -> Supporter:
    """The person with that address, made if not there; a fresh person when no address is given."""
    address = address or f"signer{next(numbers)}@example.org"
    key = address_key(address)
    found = session.scalar(select(Supporter).where(Supporter.address_key == key))
    row = Supporter(
        ref=new_ref(), address=address, address_key=key, address_hash=keys.address_hash(key), created_at=now
    )
    return found or added(session, row)


def signature(
    session: Session,
    campaign: Campaign,
    *,
    by: Supporter | str | None = None,
    state: SignatureState = SignatureState.PENDING,
    name: str = "Jane Doe",
    own_words: str = "",
    own_subject: str = "",
    own_body: str = "",
    city: str = "Springfield",
    postal_code: str = "12345",
    text_hash: str = "",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Signature:
    """A signature with its `deliver_letter` consent. `by` is a supporter or an address."""
    person = by if isinstance(by, Supporter) else supporter(session, by, now=now, keys=keys)
    was_confirmed = state in (SignatureState.CONFIRMED, SignatureState.WITHDRAWN)
    row = Signature(
        ref=new_ref(),
        campaign_id=campaign.id,
        supporter_id=person.id,
        state=state,
        name=name,
        city=city,
        postal_code=postal_code,
        own_words=own_words,
        own_subject=own_subject,
        own_body=own_body,
        text_hash=text_hash,
        source="web",
        evidence="link" if was_confirmed else "",
        created_at=now,
        confirmed_at=now if was_confirmed else None,
        withdrawn_at=now if state is SignatureState.WITHDRAWN else None,
    )
    added(session, row)
    consent(session, person, campaign=campaign, now=now)
    return row


def consent(
    session: Session,
    supporter: Supporter,
    *,
    campaign: Campaign | None = None,
    purpose: str = "deliver_letter",
    given: bool = True,
    wording: str = "Send my letter.",
    source: str = "web",
    now: datetime = NOON,
) -> Consent:
    """One entry of the consent ledger."""
    row = Consent(
        supporter_id=supporter.id,
        campaign_id=campaign.id if campaign else None,
        purpose=purpose,
        given=given,
        wording=wording,
        source=source,
        at=now,
    )
    return added(session, row)


def token(
    session: Session,
    signature: Signature,
    *,
    purpose: str = "confirm",
    secret: str | None = None,
    valid_for: timedelta | None = timedelta(days=7),
    now: datetime = NOON,
) -> str:
    """A link that was sent for the signature; gives back its secret."""
    secret = secret or KEYS.token(purpose, f"test:{next(numbers)}")
    row = Token(
        hash=hash_of(secret),
        purpose=purpose,
        signature_id=signature.id,
        text_hash=signature.text_hash,
        created_at=now,
        expires_at=now + valid_for if valid_for is not None else None,
    )
    added(session, row)
    return secret
