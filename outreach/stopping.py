"""How a reader says no to mailings, takes it back, and says how much: the page, the one click and the mail alike.

A no is two things, written together: a suppression, which the engine looks at before each hand-over, and a new entry
in the consent ledger for whatever had been agreed to. Neither says no to mails about a letter the reader signed,
unless they ask for that too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.campaign_texts import title_of
from outreach.consents import last_words, said_anew
from outreach.domain.consents import Purpose
from outreach.errors import NotFound
from outreach.keys import Keys
from outreach.merge import Stop
from outreach.models import Campaign, Consent, Organisation, Signature, Sponsorship, Supporter, Suppression
from outreach.settings import Settings
from outreach.suppression import lift, suppress

REASON = "unsubscribed"


class Much(StrEnum):
    """How much a reader says no to."""

    LIST = "list"  #: mailings about this campaign
    ORGANISATION = "organisation"  #: mailings of the organisation that leads it
    NEWS = "news"  #: every mailing; what one click means
    ALL = "all"  #: every mail, those about their own letters too


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose link it is, and about which list."""

    supporter: Supporter
    campaign: Campaign
    organisation: Organisation | None  #: the campaign's lead
    campaign_title: str  #: in the language they signed in
    language: str = ""
    is_high_risk: bool = False

    def scope(self, much: Much) -> str:
        """The suppression's scope. Without a lead organisation its mailings are all there are."""
        return {
            Much.LIST: f"list:{self.campaign.id}",
            Much.ORGANISATION: f"org:{self.organisation.id}" if self.organisation else "news",
            Much.NEWS: "news",
            Much.ALL: "all",
        }[much]


def stop_of(settings: Settings, keys: Keys, *, supporter_ref: str, campaign_id: int, slug: str) -> Stop:
    """How one reader of one campaign's mailings says no; for the mail's headers and its last lines."""
    token = keys.stop_token(supporter_ref, campaign_id)
    domain = settings.news_from.rpartition("@")[2]
    return Stop(
        url=f"{settings.base_url}/u/{token}",
        address=f"u-{token}@{settings.reply_domain}",
        list_id=f"Updates <{slug[:60]}.{domain}>",
    )


def reader_of(session: Session, token: str, *, keys: Keys) -> Reader:
    """Whose link this is. It never expires: no must stay possible. NotFound says nothing about why."""
    opened = keys.open_stop_token(token)
    supporter = session.scalar(select(Supporter).where(Supporter.ref == opened[0])) if opened else None
    campaign = session.get(Campaign, opened[1]) if opened else None
    if supporter is None or campaign is None:
        raise NotFound("This link leads nowhere.", advice="Open it from the mail again, whole.")
    lead = (
        select(Organisation).join(Sponsorship).where(Sponsorship.campaign_id == campaign.id, Sponsorship.role == "lead")
    )
    signed = (
        select(Signature)
        .where(Signature.supporter_id == supporter.id, Signature.campaign_id == campaign.id)
        .order_by(Signature.id.desc())
        .limit(1)
    )
    organisation, signature = session.scalar(lead), session.scalar(signed)
    if signature is None:
        return Reader(supporter, campaign, organisation, campaign.title)
    title = title_of(session, campaign, signature.language)
    return Reader(supporter, campaign, organisation, title, signature.language, signature.high_risk)


def stopped(session: Session, reader: Reader) -> list[Much]:
    """What this reader has said no to, the widest first."""
    scopes = set(
        session.scalars(
            select(Suppression.scope).where(
                Suppression.address_hash == reader.supporter.address_hash, Suppression.reason == REASON
            )
        )
    )
    return [much for much in reversed(Much) if reader.scope(much) in scopes]


def stop(session: Session, token: str, *, keys: Keys, much: Much = Much.NEWS, source: str, now: datetime) -> Reader:
    """Say no. Saying it again changes nothing. `source`: "link", "mail"."""
    reader = reader_of(session, token, keys=keys)
    suppress(session, reader.supporter.address_hash, scope=reader.scope(much), reason=REASON, now=now)
    for last in _standing(session, reader, much):
        if last.given:
            session.add(said_anew(last, given=False, source=source, at=now))
    session.flush()
    return reader


def take_back(session: Session, token: str, *, keys: Keys, source: str, now: datetime) -> Reader:
    """Undo every no of this reader that this link could have said. One said by a bounce or complaint stays."""
    reader = reader_of(session, token, keys=keys)
    for much in stopped(session, reader):
        lift(session, reader.supporter.address_hash, scope=reader.scope(much))
        for last in _standing(session, reader, much):
            if not last.given and last.source in ("link", "mail"):
                session.add(said_anew(last, given=True, source=source, at=now))
        session.flush()
    return reader


def much_of(value: str) -> Much:
    """What a form says. Anything that is no choice of ours is one click, as mail programs press it."""
    return Much(value) if value in list(Much) else Much.NEWS


def _standing(session: Session, reader: Reader, much: Much) -> Sequence[Consent]:
    """The last entry about mailings for each campaign within reach of this no."""
    words = last_words(session, reader.supporter.id, Purpose.UPDATES)
    if much is Much.LIST:
        return [entry for campaign_id, entry in words.items() if campaign_id == reader.campaign.id]
    if much is Much.ORGANISATION and reader.organisation is not None:
        led = session.scalars(
            select(Sponsorship.campaign_id).where(
                Sponsorship.organisation_id == reader.organisation.id, Sponsorship.role == "lead"
            )
        ).all()
        return [entry for campaign_id, entry in words.items() if campaign_id in led]
    return list(words.values())
