"""Whether somebody agreed: the last word in the consent ledger, as a condition for queries.

The ledger is append-only, so what stands is the latest entry: about the campaign itself, or about everything of the
organisation that leads it, or about everything.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select

from outreach.models import Consent, Sponsorship


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
