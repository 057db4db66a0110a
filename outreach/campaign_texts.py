"""A campaign's page in further languages, taken from a plain text file like the page itself.

Only the page: the letter to the target stays in the campaign's own language, word for word what is delivered. A text
says all that the page says, or it is not shown, so that no reader meets half a page in another language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log, campaigns
from outreach.domain import pages
from outreach.errors import BadInput, BadPage, NotFound
from outreach.languages import language as language_of
from outreach.languages import languages, spoken
from outreach.models import Ask, Campaign, CampaignText

#: The parts of a page that are prose, and what a person calls them.
_PROSE = {"opening": "opening", "story": "story", "why": "“Why is this important?” part"}


@dataclass(frozen=True, slots=True)
class Words:
    """What a campaign's page says, all of it in `language`. Asks are {"title", "text", "link_label", "link_url"}."""

    language: str
    title: str
    opening: str
    story: str
    why: str
    coalition: str
    call_to_act: str
    demands: tuple[str, ...]
    asks: tuple[dict[str, str], ...]


def take(session: Session, slug: str, page: pages.Page, *, language: str, now: datetime, actor: str) -> bool:
    """Give the campaign this page in `language`; whether anything changed.

    BadInput for a language that we do not speak or that is the campaign's own, BadPage for a page that lacks a part
    the campaign's has, NotFound for an unknown campaign.
    """
    campaign = campaigns.locked(session, slug)
    code = _new_language(campaign, language)
    _require_whole(campaign, page)
    words = {
        "title": page.title,
        **{part: getattr(page, part) for part in _PROSE},
        "coalition": page.coalition,
        "call_to_act": page.call_to_act,
        "demands": list(page.demands) if _has_own_demands(campaign) else [],
        "asks": [{"title": ask.title, "text": ask.text, "link_label": ask.link_label} for ask in page.asks],
    }
    text = find(session, campaign, code)
    if text is not None and all(getattr(text, part) == said for part, said in words.items()):
        return False
    if text is None:
        text = CampaignText(campaign_id=campaign.id, language=code)
        session.add(text)
    for part, said in words.items():
        setattr(text, part, said)
    audit_log.note(session, actor, "campaign.text", f"campaign:{campaign.id}", None, {"language": code}, now=now)
    session.flush()
    return True


def remove(session: Session, slug: str, *, language: str, now: datetime, actor: str) -> None:
    """Take the text of that language away; NotFound when there is none."""
    campaign = campaigns.locked(session, slug)
    text = find(session, campaign, language)
    if text is None:
        raise NotFound("The campaign has no text in this language.", where=f"{slug}: {language[:20]}")
    session.delete(text)
    after = {"language": language}
    audit_log.note(session, actor, "campaign.text_removed", f"campaign:{campaign.id}", None, after, now=now)


def find(session: Session, campaign: Campaign, language: str) -> CampaignText | None:
    """The campaign's text in that language, whole or not."""
    return session.scalar(
        select(CampaignText).where(CampaignText.campaign_id == campaign.id, CampaignText.language == language)
    )


def listing(session: Session, campaign: Campaign) -> list[tuple[CampaignText, bool]]:
    """The campaign's texts, and whether each says all that its page says now: only then it is shown."""
    texts = session.scalars(
        select(CampaignText).where(CampaignText.campaign_id == campaign.id).order_by(CampaignText.language)
    )
    return [(text, is_whole(campaign, text)) for text in texts]


def words_of(campaign: Campaign, text: CampaignText | None) -> Words:
    """The campaign's page as the text says it; in its own language without one, and where it is not whole."""
    own = _own(campaign)
    if text is None or not is_whole(campaign, text):
        return own
    return Words(
        language=text.language,
        title=text.title,
        opening=text.opening,
        story=text.story,
        why=text.why,
        coalition=text.coalition or own.coalition,
        call_to_act=text.call_to_act,
        demands=tuple(text.demands) or own.demands,
        asks=tuple({**ask, **said} for ask, said in zip(own.asks, text.asks, strict=True)),
    )


def titles(session: Session, campaign_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """What these campaigns are called in further languages: by campaign, then by language."""
    known = select(CampaignText.campaign_id, CampaignText.language, CampaignText.title)
    found: dict[int, dict[str, str]] = {}
    for campaign_id, language, title in session.execute(known.where(CampaignText.campaign_id.in_(tuple(campaign_ids)))):
        found.setdefault(campaign_id, {})[language] = title
    return found


def title_of(session: Session, campaign: Campaign, language: str) -> str:
    """What the campaign is called in that language, if it has a text in it, else in its own."""
    return titles(session, [campaign.id]).get(campaign.id, {}).get(language, campaign.title)


def is_whole(campaign: Campaign, text: CampaignText) -> bool:
    """Whether the text has every part that the campaign's page has now."""
    return (
        all(getattr(text, part) or not getattr(campaign, part) for part in _PROSE)
        and len(text.asks) == len(campaign.asks)
        and len(text.demands) == (len(campaign.demands) if _has_own_demands(campaign) else 0)
    )


def _own(campaign: Campaign) -> Words:
    return Words(
        language=campaign.language,
        title=campaign.title,
        opening=campaign.opening,
        story=campaign.story,
        why=campaign.why,
        coalition=campaign.coalition,
        call_to_act=campaign.call_to_act,
        demands=tuple(demand.text for demand in campaign.demands),
        asks=tuple(map(_ask, campaign.asks)),
    )


def _ask(ask: Ask) -> dict[str, str]:
    return {"title": ask.title, "text": ask.text, "link_label": ask.link_label, "link_url": ask.link_url}


def _has_own_demands(campaign: Campaign) -> bool:
    """Whether the page itself shows the demands. Where it has asks, the demands are those of the letter."""
    return bool(campaign.demands) and not campaign.asks


def _new_language(campaign: Campaign, language: str) -> str:
    code = spoken(language)
    if not code or code != language.lower():
        known = ", ".join(each.code for each in languages())
        raise BadInput("The pages do not speak this language.", where=language[:20], advice=f"There are: {known}.")
    if code == language_of(campaign.language).code:
        raise BadInput(
            "This is the campaign's own language.",
            where=language,
            advice=f"Change the page itself: outreach campaign import FILE --slug {campaign.slug}",
        )
    return code


def _require_whole(campaign: Campaign, page: pages.Page) -> None:
    for part, name in _PROSE.items():
        if getattr(campaign, part) and not getattr(page, part):
            raise BadPage(f"The page has no {name}; the campaign's page has one.", advice="Translate all of it.")
    numbers = {"asks": (len(page.asks), len(campaign.asks))}
    if _has_own_demands(campaign):
        numbers["demands"] = (len(page.demands), len(campaign.demands))
    for what, (given, wanted) in numbers.items():
        if given != wanted:
            raise BadPage(
                f"The page has {given} {what}, the campaign's page {wanted}.",
                advice="Translate each of them, in the same order.",
            )
