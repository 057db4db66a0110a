"""What the public pages show of a campaign: read in one go, handed to the template as plain values."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from outreach.domain.consents import Purpose
from outreach.domain.letters import SignerFields
from outreach.domain.sentences import ngettext
from outreach.errors import BadTemplate, NotFound
from outreach.models import (
    Addressing,
    Campaign,
    CampaignKind,
    CampaignState,
    Signature,
    SignatureState,
    Sponsorship,
    Target,
)
from outreach.signing import CampaignLetters, target_label
from outreach.signing.agreements import asked
from outreach.web.pages import reflow

log = structlog.get_logger()

#: A count on a page may be this old. The counting query then runs at most so often, however many people look.
COUNT_SECONDS = 5.0

#: Where the signer's own things will stand, and the form field that fills the place while they type.
SLOTS = {
    "[Your Name]": "name",
    "[Your first name]": "",
    "[Your city]": "city",
    "[Your postal code]": "postal_code",
    "[Your own words]": "own_words",
}
_PLACEHOLDERS = SignerFields(*SLOTS)
_SLOT = re.compile("(" + "|".join(map(re.escape, SLOTS)) + ")")


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
class Part:
    """A stretch of a letter. `mirrors` names the form field it stands for; None for the campaign's own words."""

    text: str
    mirrors: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter as it is shown before it has a signer."""

    to: str
    subject: str
    parts: tuple[Part, ...]


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
    language: str
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
    paper: Paper | None
    agreements: Mapping[Purpose, str]  #: the exact sentences the consent ledger will keep

    @property
    def is_petition(self) -> bool:
        return self.kind is CampaignKind.PETITION


class Counts:
    """How many confirmed signatures a campaign has, asked of the database every few seconds at most."""

    def __init__(self, seconds: float = COUNT_SECONDS) -> None:
        self._seconds = seconds
        self._known: dict[int, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def of(self, session: Session, campaign_ids: list[int]) -> dict[int, int]:
        """Counts by campaign."""
        now = time.monotonic()
        with self._lock:
            stale = [i for i in campaign_ids if i not in self._known or self._known[i][0] + self._seconds < now]
        if stale:
            fresh = dict.fromkeys(stale, 0) | _count(session, stale)
            with self._lock:
                self._known.update({i: (now, n) for i, n in fresh.items()})
        with self._lock:
            return {i: self._known[i][1] for i in campaign_ids}


def _count(session: Session, campaign_ids: list[int]) -> dict[int, int]:
    counted = (
        select(Signature.campaign_id, func.count())
        .where(Signature.campaign_id.in_(campaign_ids), Signature.state == SignatureState.CONFIRMED)
        .group_by(Signature.campaign_id)
    )
    return {campaign: int(n) for campaign, n in session.execute(counted)}


def listed(session: Session, counts: Counts) -> list[Listed]:
    """Published campaigns first, closed ones after; the newest of each first. Drafts are nobody's business."""
    rows = session.scalars(
        select(Campaign)
        .where(Campaign.state != CampaignState.DRAFT)
        .order_by((Campaign.state == CampaignState.CLOSED), Campaign.published_at.desc(), Campaign.id.desc())
        .limit(200)
    ).all()
    numbers = counts.of(session, [row.id for row in rows])
    addressed_to = _addressed_to(session, [row.id for row in rows])
    return [
        Listed(
            slug=row.slug,
            title=row.title,
            language=row.language,
            kind=row.kind,
            addressed_to=addressed_to.get(row.id, ()),
            is_open=row.state is CampaignState.PUBLISHED,
            signatures=numbers[row.id],
        )
        for row in rows
    ]


def read(session: Session, slug: str, counts: Counts, *, organisation: str) -> CampaignPage:
    """The page of a published or closed campaign; NotFound for drafts too. `organisation` is the engine's own name."""
    row = session.scalar(
        select(Campaign)
        .where(Campaign.slug == slug, Campaign.state != CampaignState.DRAFT)
        .options(
            selectinload(Campaign.demands),
            selectinload(Campaign.asks),
            selectinload(Campaign.sponsorships).selectinload(Sponsorship.organisation),
        )
    )
    if row is None:
        raise NotFound("There is no such campaign.", where=slug)
    sponsors = {one.organisation.name: one.role for one in row.sponsorships}
    letters = CampaignLetters.load(session, row)
    return CampaignPage(
        slug=row.slug,
        title=row.title,
        kind=row.kind,
        language=row.language,
        is_open=row.state is CampaignState.PUBLISHED,
        targets=tuple(letters.labels),
        opening=row.opening,
        story=row.story,
        why=row.why,
        coalition=row.coalition,
        # Most pages say it within their story already; then once is enough.
        call_to_act="" if row.call_to_act in row.opening + row.story + row.why else row.call_to_act,
        demands=tuple(demand.text for demand in row.demands),
        asks=tuple(AskShown(a.title, a.text, a.link_label, _web_only(a.link_url)) for a in row.asks),
        lead=next((name for name, role in sponsors.items() if role == "lead"), ""),
        co_sponsors=tuple(name for name, role in sponsors.items() if role != "lead"),
        signatures=counts.of(session, [row.id])[row.id],
        paper=_paper(letters),
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
    among: dict[int, int] = {}
    for campaign_id, all_of_them, target in rows:
        names.setdefault(campaign_id, []).append(target_label(target))
        among[campaign_id] = all_of_them
    return {campaign_id: first_of(found, among[campaign_id]) for campaign_id, found in names.items()}


def first_of(names: list[str], among: int) -> tuple[str, ...]:
    """The names, and how many others there are: to be listed as "A, B and 3 others"."""
    others = among - len(names)
    return (*names, ngettext("%(num)s other", "%(num)s others", others)) if others else tuple(names)


def _paper(letters: CampaignLetters) -> Paper | None:
    """The letter to the first target, with places for what is the signer's."""
    if not letters.addressed:
        return None
    first = letters.addressed[0]
    try:
        letter = first.form.write(_PLACEHOLDERS, first.fields, letters.fields)
    except BadTemplate:
        log.warning("letter_not_shown", version=first.version_id)
        return None
    return Paper(first.label, letter.subject, parts(reflow(letter.text)))


def parts(text: str) -> tuple[Part, ...]:
    """A letter's text, parted where something of the signer's will stand."""
    return tuple(Part(piece, SLOTS.get(piece)) for piece in _SLOT.split(text) if piece)


def _web_only(url: str) -> str:
    """A link's address, or "" for what is no web address: `javascript:` is one too many."""
    return url if re.match(r"https?://", url) else ""
