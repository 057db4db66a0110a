"""Whether somebody agreed: the last word in the consent ledger, as a condition for queries and as rows.

The ledger is append-only, so what stands is the latest entry: about the campaign itself, or about everything of the
organisation that leads it, or about everything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from outreach.languages import language
from outreach.models import Consent, Signature, Sponsorship


def agreed(supporter_id: Any, campaign_id: Any, purpose: Any) -> ColumnElement[bool]:
    """Whether the supporter's last word on `purpose` is yes. Each argument is a value or a column; never NULL."""
    lead = (
        select(Sponsorship.organisation_id)
        .where(Sponsorship.campaign_id == campaign_id, Sponsorship.role == "lead")
        .correlate_except(Sponsorship)
        .scalar_subquery()
    )
    wide = or_(Consent.organisation_id.is_(None), Consent.organisation_id == lead)
    last = (
        select(Consent.given)
        .where(
            Consent.supporter_id == supporter_id,
            Consent.purpose == purpose,
            or_(Consent.campaign_id == campaign_id, and_(Consent.campaign_id.is_(None), wide)),
        )
        .order_by(Consent.at.desc(), Consent.id.desc())
        .limit(1)
        .correlate_except(Consent)
        .scalar_subquery()
    )
    return func.coalesce(last, false())


def last_words(session: Session, supporter_id: int, purpose: str) -> dict[int | None, Consent]:
    """A supporter's last entry for `purpose`, by campaign."""
    entries = session.scalars(
        select(Consent)
        .where(Consent.supporter_id == supporter_id, Consent.purpose == purpose)
        .order_by(Consent.at, Consent.id)
    )
    return {entry.campaign_id: entry for entry in entries}


def said(signature: Signature, purpose: str, sentence: str, *, given: bool, source: str, at: datetime) -> Consent:
    """A new entry of this signer about this campaign. `sentence` is what they were shown, in their language."""
    speaker = language(signature.language)
    return Consent(
        supporter_id=signature.supporter_id,
        campaign_id=signature.campaign_id,
        purpose=purpose,
        given=given,
        wording=speaker.say(sentence),
        language=speaker.code,
        source=source,
        at=at,
    )


def said_anew(last: Consent, *, given: bool, source: str, at: datetime) -> Consent:
    """A new entry that answers the same wording as `last`, the other way or again."""
    return Consent(
        supporter_id=last.supporter_id,
        campaign_id=last.campaign_id,
        organisation_id=last.organisation_id,
        purpose=last.purpose,
        given=given,
        wording=last.wording,
        language=last.language,
        source=source,
        at=at,
    )
