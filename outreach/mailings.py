"""Mailings: what a wave says to signers. Looked at hard when it is saved, never changed afterwards."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.domain.consents import Purpose
from outreach.domain.letters import SignerFields, first_name
from outreach.errors import BadInput
from outreach.merge import check_mailing
from outreach.models import Campaign, Mailing, Signature

#: The purposes a mailing may have: each is something a signer can have agreed to and can stop.
PURPOSES = (Purpose.UPDATES,)


def write(
    session: Session,
    campaign: Campaign,
    subject: str,
    body: str,
    *,
    purpose: str = Purpose.UPDATES,
    language: str = "en",
    now: datetime,
    actor: str,
) -> Mailing:
    """Keep a mailing. BadTemplate names part and line of what it may not hold; BadInput an unknown purpose."""
    if purpose not in PURPOSES:
        raise BadInput(f"“{purpose}” is nothing signers agree to.", where="purpose", advice=f"Use {PURPOSES[0]}.")
    check_mailing(subject, body)
    mailing = Mailing(
        campaign_id=campaign.id,
        subject=subject,
        body=body,
        purpose=purpose,
        language=language,
        created_at=now,
        created_by=actor,
    )
    session.add(mailing)
    session.flush()
    audit_log.note(session, actor, "mailing.write", f"mailing:{mailing.id}", None, {"purpose": purpose}, now=now)
    return mailing


def signer_fields(signature: Signature) -> SignerFields:
    """A signer as a mailing may name them. Their own words are for their letter alone."""
    return SignerFields(signature.name, first_name(signature.name), signature.city, signature.postal_code)
