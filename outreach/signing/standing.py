"""Whose signature a form is: one that stands already, or a new one, of a new signer or of the same household."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.suspects import folded
from outreach.models import STANDING, Campaign, Signature


def standing_signatures(session: Session, campaign_id: int, supporter_id: int) -> Sequence[Signature]:
    """The supporter's pending and confirmed signatures there, locked, the oldest first. Several are a household's."""
    mine = (Signature.campaign_id == campaign_id) & (Signature.supporter_id == supporter_id)
    chosen = select(Signature).where(mine, Signature.state.in_(STANDING)).order_by(Signature.id)
    return session.scalars(chosen.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def household_key(campaign: Campaign, name: str) -> str:
    """What parts those who share an address: their names, where the campaign lets them."""
    return folded(name) if campaign.households else ""


def own_among(standing: Sequence[Signature], campaign: Campaign, name: str) -> Signature | None:
    """The signature that whoever gives this name has among them."""
    if not campaign.households:
        return standing[0] if standing else None
    key = folded(name)
    return next((each for each in standing if key in (each.household_key, folded(each.name))), None)
