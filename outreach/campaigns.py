"""Campaigns: taken from a page, published, closed; and the versions of their letter.

A page is taken as a whole or not at all. Words that somebody signed are never edited: a change makes a new version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from outreach import audit_log, merge
from outreach.domain import pages
from outreach.domain.slugs import slug_of
from outreach.errors import NotFound, NotNow
from outreach.languages import SOURCE
from outreach.models import (
    Addressing,
    Ask,
    Campaign,
    CampaignKind,
    CampaignState,
    Demand,
    LetterVersion,
    Organisation,
    Sponsorship,
    Target,
    Wave,
    WaveKind,
    WaveState,
    new_ref,
)

#: Any number, as long as every copy of the engine asks for the same lock.
_IMPORTING = 7_243_002


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a page. `changed` is False when the campaign already was as the page says."""

    campaign: Campaign
    changed: bool


def take_page(
    session: Session,
    page: pages.Page,
    *,
    source_hash: str,
    slug: str | None = None,
    language: str | None = None,
    now: datetime,
    actor: str,
) -> Taken:
    """Make the page's campaign, or bring it up to date. The same file again changes nothing.

    `source_hash` is that of the file's text. `slug` names the campaign to update when its title has changed too.
    `language` is that of page and letter; without one it stays as it is, at first English.
    BadTemplate when the letter cannot be merged, NotFound for an unknown `slug`, NotNow for a closed campaign.
    """
    one_import_at_a_time(session)
    campaign = find(session, slug) if slug else _campaign_of(session, page, source_hash)
    if campaign is not None and campaign.source_hash == source_hash and language in (None, campaign.language):
        return Taken(campaign, changed=False)
    if campaign is not None and campaign.state is CampaignState.CLOSED:
        raise NotNow(
            "The campaign is closed.", where=campaign.slug, advice="Give the page another title to begin a new one."
        )
    before = {"source_hash": campaign.source_hash} if campaign else None
    if campaign is None:
        campaign = Campaign(slug=_free_slug(session, page.title), created_at=now)
        session.add(campaign)
    campaign.language = language or campaign.language or SOURCE
    _fill(session, campaign, page, source_hash)
    letter = pages.draft(page)
    version = new_version(
        session, campaign, letter.subject, letter.header, letter.body, letter.footer, now=now, actor=actor
    )
    _address(session, campaign, version, [_target(session, one, now=now) for one in page.targets])
    after = {"slug": campaign.slug, "source_hash": source_hash, "targets": len(page.targets)}
    audit_log.note(session, actor, "campaign.import", f"campaign:{campaign.id}", before, after, now=now)
    session.flush()
    return Taken(campaign, changed=True)


def check_page(page: pages.Page) -> None:
    """Look hard at the page's letter, before the transaction that takes it: that then need not. BadTemplate."""
    letter = pages.draft(page)
    merge.check_letter(letter.subject, letter.header, letter.body, letter.footer)


def one_import_at_a_time(session: Session) -> None:
    """Wait until every other import has ended: this one then finds the campaigns and targets that those made."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time as it is
        session.execute(select(func.pg_advisory_xact_lock(_IMPORTING)))


def _campaign_of(session: Session, page: pages.Page, source_hash: str) -> Campaign | None:
    """The campaign this page was taken for before: the same file, or the same title and at least some of its sense."""
    same_file = select(Campaign).where(Campaign.source_hash == source_hash).order_by(Campaign.id).limit(1)
    if found := session.scalar(same_file):
        return found
    named_so = select(Campaign).where(Campaign.title == page.title).order_by(Campaign.id)
    return next((one for one in session.scalars(named_so) if _is_about(session, one, page)), None)


def _is_about(session: Session, campaign: Campaign, page: pages.Page) -> bool:
    keys = {target_key(one.office, one.name) for one in page.targets}
    shares_target = any(target.key in keys for target in targets_of(session, campaign))
    demands = tuple(demand.text for demand in campaign.demands)
    return shares_target or (bool(demands) and demands == page.demands) or campaign.opening == page.opening != ""


def _free_slug(session: Session, title: str) -> str:
    stem = slug_of(title)
    taken = set(session.scalars(select(Campaign.slug).where(Campaign.slug.startswith(stem[:25], autoescape=True))))
    return slug_of(title, taken=taken)


def _fill(session: Session, campaign: Campaign, page: pages.Page, source_hash: str) -> None:
    campaign.kind = CampaignKind(page.kind)
    campaign.title = page.title
    campaign.opening = page.opening
    campaign.story = page.story
    campaign.why = page.why
    campaign.coalition = page.coalition
    campaign.call_to_act = page.call_to_act
    campaign.source_hash = source_hash
    links = {ask.title: ask.link_url for ask in campaign.asks}  # an organizer's; a plain text file knows no address
    # The old rows go first: the new ones take their numbers.
    campaign.demands, campaign.asks, campaign.sponsorships = [], [], []
    session.flush()
    campaign.demands = [Demand(number=n, text=text) for n, text in enumerate(page.demands, 1)]
    campaign.asks = [
        Ask(
            position=n,
            title=ask.title,
            text=ask.text,
            link_label=ask.link_label,
            link_url=ask.link_url or links.get(ask.title, ""),
        )
        for n, ask in enumerate(page.asks, 1)
    ]
    campaign.sponsorships = [
        Sponsorship(organisation=_organisation(session, name), position=n, role="co" if n else "lead")
        for n, name in enumerate(page.sponsors)
    ]
    session.flush()


def _organisation(session: Session, name: str) -> Organisation:
    found = session.scalar(select(Organisation).where(Organisation.name == name))
    if found is None:
        found = Organisation(name=name)
        session.add(found)
        session.flush()
    return found


def target_key(office: str, name: str) -> str:
    """What tells targets apart: office and name, without case and spacing."""
    return "|".join(" ".join(part.casefold().split()) for part in (office, name))


def _target(session: Session, one: pages.Addressee, *, now: datetime) -> Target:
    key = target_key(one.office, one.name)
    found = session.scalar(select(Target).where(Target.key == key))
    if found is None:
        found = Target(
            ref=new_ref(), key=key, name=one.name, office=one.office, salutation=one.salutation, created_at=now
        )
        session.add(found)
        session.flush()
    return found


def _address(session: Session, campaign: Campaign, version: LetterVersion, targets: Sequence[Target]) -> None:
    """Write to exactly these targets, in this order. Letters on their way to others are not called back."""
    kept = {target.id for target in targets}
    session.execute(delete(Addressing).where(Addressing.campaign_id == campaign.id, Addressing.target_id.not_in(kept)))
    standing = {
        row.target_id: row for row in session.scalars(select(Addressing).where(Addressing.campaign_id == campaign.id))
    }
    for position, target in enumerate(targets):
        row = standing.get(target.id)
        if row is None:
            row = Addressing(campaign_id=campaign.id, target_id=target.id)
            session.add(row)
        row.version_id, row.position = version.id, position
    session.flush()


def new_version(
    session: Session,
    campaign: Campaign,
    subject: str,
    header: str,
    body: str,
    footer: str,
    *,
    now: datetime,
    actor: str,
) -> LetterVersion:
    """Give the campaign's letter these words, for all its targets; the version that has them.

    The words that stand are replaced in place while nobody has signed them, else a version with the next number is
    made. The same words again change nothing. BadTemplate when they cannot be merged.
    """
    words = {"subject": subject, "header": header, "body": body, "footer": footer}
    version = _last_version(session, campaign, to_change=True)
    if version is not None and all(getattr(version, part) == text for part, text in words.items()):
        return version
    merge.check_letter(subject, header, body, footer)
    if version is None or version.signed_at is not None:
        number = version.number + 1 if version else 1
        version = LetterVersion(campaign_id=campaign.id, number=number, created_at=now, **words)
        session.add(version)
    else:
        for part, text in words.items():
            setattr(version, part, text)
    session.flush()
    for row in session.scalars(select(Addressing).where(Addressing.campaign_id == campaign.id)):
        row.version_id = version.id
    session.flush()
    after = {"version": version.number}
    audit_log.note(session, actor, "letter.change", f"campaign:{campaign.id}", None, after, now=now)
    return version


def _last_version(session: Session, campaign: Campaign, *, to_change: bool = False) -> LetterVersion | None:
    versions = select(LetterVersion).where(LetterVersion.campaign_id == campaign.id)
    last = versions.order_by(LetterVersion.number.desc()).limit(1)
    # Locked, so that nobody signs the words while they are replaced.
    return session.scalar(last.with_for_update().execution_options(populate_existing=True) if to_change else last)


def letter_of(session: Session, campaign: Campaign) -> LetterVersion:
    """The words the campaign's letter has now; NotFound when it has none."""
    version = _last_version(session, campaign)
    if version is None:
        raise NotFound("The campaign has no letter yet.", where=campaign.slug)
    return version


def find(session: Session, slug: str) -> Campaign:
    """The campaign of that slug; NotFound when there is none."""
    found = session.scalar(select(Campaign).where(Campaign.slug == slug))
    if found is None:
        raise NotFound(
            "There is no campaign of that name.", where=slug[:80], advice="`outreach campaign list` names them all."
        )
    return found


def locked(session: Session, slug: str) -> Campaign:
    """The same, and nobody else opens or closes it until the transaction ends."""
    campaign = find(session, slug)
    session.refresh(campaign, with_for_update={"key_share": True})
    return campaign


def listing(session: Session) -> list[Campaign]:
    """Every campaign, the newest first."""
    return list(session.scalars(select(Campaign).order_by(Campaign.created_at.desc(), Campaign.id.desc())))


def targets_of(session: Session, campaign: Campaign) -> list[Target]:
    """Whom the campaign writes to, in its order."""
    chosen = select(Target).join(Addressing, Addressing.target_id == Target.id)
    return list(session.scalars(chosen.where(Addressing.campaign_id == campaign.id).order_by(Addressing.position)))


def publish(session: Session, slug: str, *, hold_for_waves: bool = False, now: datetime, actor: str) -> Campaign:
    """Open the campaign to signers. Its confirmed letters leave by its standing wave, or wait for planned ones.

    Publishing again changes nothing, except that `hold_for_waves` may still be asked for: later letters then wait.
    NotNow for a campaign that is closed or has no target or no letter.
    """
    campaign = locked(session, slug)
    if campaign.state is CampaignState.CLOSED:
        raise NotNow("The campaign is closed.", where=slug, advice="Import its page under another title to begin anew.")
    is_published = campaign.state is CampaignState.PUBLISHED
    if is_published and (campaign.hold_for_waves or not hold_for_waves):
        return campaign
    if _last_version(session, campaign) is None or not targets_of(session, campaign):
        raise NotNow(
            "The campaign has no letter or no target.", where=slug, advice="Import its page again, with a “To:” line."
        )
    before = {"state": campaign.state.value, "hold_for_waves": bool(campaign.hold_for_waves)}
    campaign.state = CampaignState.PUBLISHED
    campaign.published_at = campaign.published_at or now
    campaign.hold_for_waves = hold_for_waves
    if not hold_for_waves:
        _open_standing_wave(session, campaign, now=now)
    after = {"state": campaign.state.value, "hold_for_waves": hold_for_waves}
    audit_log.note(session, actor, "campaign.publish", f"campaign:{campaign.id}", before, after, now=now)
    session.flush()
    return campaign


def _open_standing_wave(session: Session, campaign: Campaign, *, now: datetime) -> None:
    waves = select(func.count()).where(Wave.campaign_id == campaign.id, Wave.is_standing)
    if session.scalar(waves):
        return
    session.add(
        Wave(
            campaign_id=campaign.id,
            kind=WaveKind.LETTERS,
            state=WaveState.SENDING,
            is_standing=True,
            name="Confirmed letters, as they come",
            created_at=now,
        )
    )


def close(session: Session, slug: str, *, now: datetime, actor: str) -> Campaign:
    """Take no more signatures. Letters that were confirmed still leave. Closing again changes nothing."""
    campaign = locked(session, slug)
    if campaign.state is CampaignState.CLOSED:
        return campaign
    before = {"state": campaign.state.value}
    campaign.state = CampaignState.CLOSED
    campaign.closed_at = now
    audit_log.note(session, actor, "campaign.close", f"campaign:{campaign.id}", before, {"state": "closed"}, now=now)
    session.flush()
    return campaign
