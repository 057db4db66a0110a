"""What the public pages show of a campaign: read in one go, handed to the template as plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, selectinload

from outreach import campaign_texts, replies
from outreach.domain.consents import Purpose, with_others
from outreach.errors import NotFound
from outreach.models import (
    Addressing,
    Campaign,
    CampaignKind,
    CampaignState,
    Sponsorship,
    Target,
)
from outreach.signing import CampaignLetters, target_label
from outreach.signing.agreements import asked
from outreach.web.delays import Delay, delays
from outreach.web.kept import Counts, Names
from outreach.web.papers import Paper, paper_of


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the front page."""

    slug: str
    title: str
    language: str
    kind: CampaignKind
    addressed_to: tuple[str, ...]  #: to be listed in a sentence
    is_open: bool
    signatures: int


@dataclass(frozen=True, slots=True)
class Heading:
    """What the smaller pages about a campaign say of it."""

    slug: str
    title: str
    language: str  #: of the title
    is_high_risk: bool


@dataclass(frozen=True, slots=True)
class AskShown:
    title: str
    text: str
    link_label: str
    link_url: str


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Everything `/c/SLUG` says."""

    slug: str
    title: str
    kind: CampaignKind
    language: str  #: of the words on the page
    languages: tuple[str, ...]  #: in which its words can be read
    letter_language: str
    is_open: bool
    targets: tuple[str, ...]
    opening: str
    story: str
    why: str
    coalition: str
    call_to_act: str
    demands: tuple[str, ...]
    asks: tuple[AskShown, ...]
    lead: str
    co_sponsors: tuple[str, ...]
    signatures: int
    wall: tuple[replies.Shown, ...]  #: what offices answered, where signer and organizer want it shown
    names: tuple[str, ...]  #: of the newest signers who agreed to be named: "Jane, Springfield"
    paper: Paper | None
    delays: tuple[Delay, ...]  #: whose letters would have to wait
    edit_subject: bool
    embed_origins: tuple[str, ...]
    needs_postal_code: bool
    is_high_risk: bool
    may_self_send: bool  #: whoever wants to may send the letter from their own mail instead
    agreements: Mapping[Purpose, str]  #: the exact sentences the consent ledger will keep

    @property
    def is_petition(self) -> bool:
        return self.kind is CampaignKind.PETITION

    @property
    def next_stop(self) -> int:
        return next_stop(self.signatures)


def next_stop(signatures: int) -> int:
    """The round number that comes after so many signatures: 100, 150, 250, 500, 1,000, 1,500 …"""
    if signatures < 100:
        return 100
    unit = int(10 ** (len(str(signatures)) - 1))
    return next(stop for stop in (unit * 3 // 2, unit * 5 // 2, unit * 5, unit * 10) if stop > signatures)


def listed(session: Session, counts: Counts, *, wished: str = "") -> list[Listed]:
    """Published campaigns first, closed ones after; the newest of each first. Drafts are nobody's business.

    Each is called what it is called in the `wished` language, if it has a text in it.
    """
    rows = session.scalars(
        select(Campaign)
        .where(Campaign.state != CampaignState.DRAFT)
        .order_by((Campaign.state == CampaignState.CLOSED), Campaign.published_at.desc(), Campaign.id.desc())
        .limit(200)
    ).all()
    numbers = counts.of(session, [row.id for row in rows])
    addressed_to = _addressed_to(session, [row.id for row in rows])
    titles = campaign_texts.titles(session, [row.id for row in rows])
    return [
        Listed(
            slug=row.slug,
            title=titles.get(row.id, {}).get(wished, row.title),
            language=wished if wished in titles.get(row.id, {}) else row.language,
            kind=row.kind,
            addressed_to=addressed_to.get(row.id, ()),
            is_open=row.state is CampaignState.PUBLISHED,
            signatures=numbers[row.id],
        )
        for row in rows
    ]


def heading(session: Session, slug: str, *, wished: str = "") -> Heading:
    """That of a published or closed campaign, in the `wished` language if it has one; NotFound for drafts too."""
    row = session.scalar(_known(slug))
    if row is None:
        raise NotFound("There is no such campaign.", where=slug)
    words = campaign_texts.words_of(row, campaign_texts.find(session, row, wished) if wished else None)
    return Heading(row.slug, words.title, words.language, row.high_risk)


def _known(slug: str) -> Select[Campaign]:
    return select(Campaign).where(Campaign.slug == slug, Campaign.state != CampaignState.DRAFT)


def read(
    session: Session, slug: str, counts: Counts, names: Names, *, organisation: str, wished: str = ""
) -> CampaignPage:
    """The page of a published or closed campaign; NotFound for drafts too.

    `organisation` is the engine's own name, `wished` the language its reader wishes for.
    """
    row = session.scalar(
        _known(slug).options(
            selectinload(Campaign.demands),
            selectinload(Campaign.asks),
            selectinload(Campaign.sponsorships).selectinload(Sponsorship.organisation),
        )
    )
    if row is None:
        raise NotFound("There is no such campaign.", where=slug)
    sponsors = {one.organisation.name: one.role for one in row.sponsorships}
    letters = CampaignLetters.load(session, row)
    texts = {text.language: text for text, is_whole in campaign_texts.listing(session, row) if is_whole}
    words = campaign_texts.words_of(row, texts.get(wished))
    return CampaignPage(
        slug=row.slug,
        title=words.title,
        kind=row.kind,
        language=words.language,
        languages=(row.language, *texts),
        letter_language=row.language,
        is_open=row.state is CampaignState.PUBLISHED,
        targets=tuple(letters.labels),
        opening=words.opening,
        story=words.story,
        why=words.why,
        coalition=words.coalition,
        # Most pages say it within their story already; then once is enough.
        call_to_act="" if words.call_to_act in words.opening + words.story + words.why else words.call_to_act,
        demands=words.demands,
        asks=tuple(AskShown(**ask | {"link_url": _web_only(ask["link_url"])}) for ask in words.asks),
        lead=next((name for name, role in sponsors.items() if role == "lead"), ""),
        co_sponsors=tuple(name for name, role in sponsors.items() if role != "lead"),
        signatures=counts.of(session, [row.id])[row.id],
        wall=replies.wall(session, row.id),
        names=names.of(session, [row.id])[row.id],
        paper=paper_of(letters, may_rewrite=row.edit_body),
        delays=delays(session, row.id) if row.state is CampaignState.PUBLISHED else (),
        edit_subject=row.edit_subject,
        embed_origins=tuple(row.embed_origins),
        needs_postal_code=row.needs_postal_code,
        is_high_risk=row.high_risk,
        may_self_send=row.self_send,
        agreements=asked(letters, organisation=organisation, answers_directly=row.answers_directly),
    )


def _addressed_to(session: Session, campaign_ids: list[int]) -> dict[int, tuple[str, ...]]:
    """Who each campaign writes to, in a few words: the first two by name, the others by number."""
    position = func.row_number().over(
        partition_by=Addressing.campaign_id, order_by=(Addressing.position, Addressing.id)
    )
    among = func.count().over(partition_by=Addressing.campaign_id)
    ranked = (
        select(Addressing.campaign_id, Addressing.target_id, position.label("position"), among.label("among"))
        .where(Addressing.campaign_id.in_(campaign_ids))
        .subquery()
    )
    rows = session.execute(
        select(ranked.c.campaign_id, ranked.c.among, Target)
        .join(Target, Target.id == ranked.c.target_id)
        .where(ranked.c.position <= 2)
        .order_by(ranked.c.campaign_id, ranked.c.position)
    ).all()
    names: dict[int, list[str]] = {}
    for campaign_id, _number, target in rows:
        names.setdefault(campaign_id, []).append(target_label(target))
    return {campaign_id: with_others(names[campaign_id], number) for campaign_id, number, _target in rows}


def _web_only(url: str) -> str:
    """A link's address, or "" for what is no web address: `javascript:` is one too many."""
    return url if re.match(r"https?://", url) else ""
