"""A signer's own short link, and how many came and signed by it.

A visit is one more on a number and nothing else: neither who came, nor when, nor from where is kept. Visits are
gathered by the web process and written a few seconds later, so that a link which a whole town opens is no hot row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.orm import Session

from outreach.errors import NotFound
from outreach.models import Campaign, CampaignState, ShareLink, Signature, new_ref

_CODE_LENGTH = 10
_CODE = re.compile(rf"[a-z2-7]{{{_CODE_LENGTH}}}")
_SOURCE = "share:"


@dataclass(frozen=True, slots=True)
class Shares:
    """What came of one link. `signatures` are those that count."""

    code: str
    visits: int
    signatures: int


def issue_share(session: Session, signature: Signature, *, now: datetime) -> None:
    """Give the signature its short link, if it has none."""
    if session.scalar(select(ShareLink.code).where(ShareLink.signature_id == signature.id)) is None:
        code = new_ref()[:_CODE_LENGTH]
        session.add(ShareLink(code=code, campaign_id=signature.campaign_id, signature_id=signature.id, created_at=now))


def shares(session: Session, link: ShareLink) -> Shares:
    """How often the link was opened, and how many signed who came by it."""
    # The second condition says nothing new; it is what the index is for.
    mine = (Signature.source == source_of(link.code)) & (Signature.source != literal_column("'web'"))
    signed = select(func.count()).select_from(Signature).where(mine, Signature.is_counted)
    return Shares(link.code, link.visits, session.scalar(signed) or 0)


def shared_campaign(session: Session, code: str) -> str:
    """The slug of the campaign a code leads to; NotFound for one that was never given, or a draft's."""
    slug = None
    if is_code(code):
        slug = session.scalar(
            select(Campaign.slug)
            .join(ShareLink, ShareLink.campaign_id == Campaign.id)
            .where(ShareLink.code == code, Campaign.state != CampaignState.DRAFT)
        )
    if slug is None:
        raise NotFound
    return slug


def count_visits(session: Session, visits: Mapping[str, int], *, now: datetime) -> None:
    """Add visits by code. A link that somebody opened has been shared."""
    for code, n in sorted(visits.items()):  # one order for all processes, so that nobody waits in a ring
        change = update(ShareLink).where(ShareLink.code == code).values(visits=ShareLink.visits + n)
        owner = session.scalar(change.returning(ShareLink.signature_id))
        session.execute(
            update(Signature).where(Signature.id == owner, Signature.shared_at.is_(None)).values(shared_at=now)
        )


def source_of(code: str) -> str:
    """The source of a signature that came by this code; "web" for what is no code."""
    return f"{_SOURCE}{code}" if is_code(code) else "web"


def is_code(text: str) -> bool:
    """Whether this has the shape of a share link's code."""
    return _CODE.fullmatch(text) is not None
