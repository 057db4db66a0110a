"""What every mail of a campaign shares, read anew for each batch: its words, who it is from, whom answers go to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from outreach import campaign_texts
from outreach.domain.letters import CampaignFields
from outreach.merge import Envelope
from outreach.models import Campaign, Delivery, Organisation, Sponsorship
from outreach.settings import Settings


@dataclass(frozen=True)
class CampaignWords:
    """What is the same on all mails of one campaign."""

    slug: str
    language: str
    titles: Mapping[str, str]  #: in further languages
    fields: CampaignFields
    envelope: Envelope
    answers_directly: bool

    def title_in(self, language: str) -> str:
        """What the campaign is called in that language, or else in its own."""
        return self.titles.get(language, self.fields.title)


def campaign_words(
    session: Session, settings: Settings, ids: Sequence[int], noticed: Collection[int] = ()
) -> Mapping[int, CampaignWords]:
    """By campaign, the words of these deliveries. Only notices name it in their reader's language: those `noticed`."""
    campaigns = session.scalars(
        select(Campaign)
        .where(Campaign.id.in_(select(Delivery.campaign_id).where(Delivery.id.in_(ids)).distinct()))
        .options(selectinload(Campaign.demands))
    ).all()
    leads = dict(
        session.execute(
            select(Sponsorship.campaign_id, Organisation.name)
            .join(Organisation)
            .where(Sponsorship.role == "lead", Sponsorship.campaign_id.in_([c.id for c in campaigns]))
        ).all()
    )
    titles = campaign_texts.titles(session, noticed) if noticed else {}
    return {c.id: _words(settings, c, leads.get(c.id, ""), titles.get(c.id, {})) for c in campaigns}


def _words(settings: Settings, campaign: Campaign, lead: str, titles: Mapping[str, str]) -> CampaignWords:
    organisation = lead or settings.organisation
    # The letter's own fields are those its signer was shown: without a lead sponsor, no name stands in for it.
    fields = CampaignFields(campaign.title, tuple(d.text for d in campaign.demands), lead)
    envelope = Envelope.of(settings, campaign=campaign.slug, organisation=organisation, language=campaign.language)
    return CampaignWords(campaign.slug, campaign.language, titles, fields, envelope, campaign.answers_directly)
