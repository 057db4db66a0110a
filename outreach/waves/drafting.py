"""A draft becomes a wave: every part is read and checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log, campaigns, mailings, merge
from outreach.domain.audiences import Audience
from outreach.domain.pacing import OfficeHours
from outreach.domain.wall_times import WallTime
from outreach.domain.waves import WaveKind, WaveState
from outreach.errors import BadInput, NotNow
from outreach.models import Campaign, CampaignState, Mailing, Wave
from outreach.settings import Settings

from . import audiences

NOW = "now"
#: Chores come round every few seconds; what is late by less than a minute is not late.
_LEAST_LATENESS = 60


@dataclass(frozen=True, slots=True)
class Draft:
    """What an organizer asks for. None takes the engine's setting. `start` and `by` are wall times in `zone`."""

    campaign: str  #: its slug
    kind: WaveKind
    audience: Audience = field(default_factory=Audience)
    name: str = ""
    start: str = NOW
    by: str = ""
    zone: str = ""
    per_hour: int | None = None
    hours: str = "always"
    days: str = "all"
    curve: Sequence[int] | None = None  #: 24 weights
    undo_seconds: int | None = None
    max_late_seconds: int = 3600
    canary: int | None = None
    subject: str = ""
    body: str = ""
    purpose: str = "updates"
    language: str = "en"


def check(draft: Draft) -> None:
    """Look hard at what a mailing says, before the transaction that plans it. BadTemplate names part and line."""
    if draft.kind is WaveKind.MAILING and draft.subject.strip() and draft.body.strip():
        merge.check_mailing(draft.subject, draft.body)


def plan(session: Session, draft: Draft, *, settings: Settings, now: datetime, actor: str) -> Wave:
    """Write the draft down as a wave; nothing leaves before it is started. BadInput names what cannot be taken.

    `check` it before the transaction: the trial of a new text takes a fifth of a second.
    """
    campaign = campaigns.find(session, draft.campaign)
    if campaign.state is CampaignState.DRAFT:
        raise NotNow(
            "The campaign is not published yet.",
            where=campaign.slug,
            advice=f"Publish it first: outreach campaign publish {campaign.slug} --hold-for-waves",
        )
    zone = _zone(draft.zone or settings.zone)
    start = None if draft.start.strip().lower() in ("", NOW) else _wall("start", draft.start, zone)
    by = _wall("by", draft.by, zone) if draft.by.strip() else None
    _check_times(start, by, now)
    _check_pace(draft, zone)
    wave = Wave(
        campaign_id=campaign.id,
        kind=draft.kind,
        state=WaveState.DRAFT,
        name=_line("name", draft.name),
        created_at=now,
        created_by=actor,
        audience=draft.audience.to_json(),
        start_wall=start.text if start else "",
        by_wall=by.text if by else "",
        zone=zone,
        start_at=start.at if start else None,
        by_at=by.at if by else None,
        per_hour=_whole("per-hour", draft.per_hour, 1, 1_000_000),
        hours=None if draft.hours == "always" else draft.hours,
        days=draft.days,
        curve=list(draft.curve) if draft.curve is not None else None,
        undo_seconds=_whole("undo", draft.undo_seconds, 0, 3600, settings.undo_seconds),
        max_late_seconds=_whole("max-late", draft.max_late_seconds, _LEAST_LATENESS, 30 * 86_400),
        canary=_whole("canary", draft.canary, 0, 100_000, settings.canary),
        mailing_id=_mailing(session, campaign, draft, now=now, actor=actor),
    )
    session.add(wave)
    session.flush()
    after = {"campaign": campaign.id, "kind": str(wave.kind), "audience": wave.audience, "start": wave.start_wall}
    audit_log.note(session, actor, "wave.plan", f"wave:{wave.id}", None, after, now=now)
    return wave


def times_said(wave: Wave) -> list[str]:
    """What an organizer should know about the wave's times: an hour that does not exist, or that comes twice."""
    told = [WallTime.read(text, wave.zone).said for text in (wave.start_wall, wave.by_wall) if text]
    return [sentence for sentence in told if sentence]


def reach(session: Session, asked: Wave | Draft, *, settings: Settings, now: datetime) -> audiences.Reach:
    """Whom a wave, or a draft of one, would reach now."""
    if isinstance(asked, Draft):
        campaign = campaigns.find(session, asked.campaign)
        same = _same_mailing(session, campaign, asked)
        return _reach(session, campaign.id, asked.kind, asked.audience, same, asked.purpose, settings, now)
    mailing = session.get(Mailing, asked.mailing_id) if asked.mailing_id else None
    return _reach(
        session,
        asked.campaign_id,
        asked.kind,
        Audience.from_json(asked.audience),
        mailing,
        mailing.purpose if mailing else "",
        settings,
        now,
        wave=asked,
    )


def _reach(
    session: Session,
    campaign_id: int,
    kind: WaveKind,
    audience: Audience,
    mailing: Mailing | None,
    purpose: str,
    settings: Settings,
    now: datetime,
    *,
    wave: Wave | None = None,
) -> audiences.Reach:
    since = None
    if audience.since_last_wave:
        before = (wave.started_at if wave else None) or now
        since = audiences.last_began(session, campaign_id, kind, before=before, but=wave.id if wave else 0)
    same_words = select(Wave.id).where(Wave.mailing_id == mailing.id).order_by(Wave.id) if mailing else None
    return audiences.Reach(
        campaign_id,
        kind,
        audience,
        since,
        tuple(session.scalars(same_words)) if same_words is not None else (),
        purpose,
        settings.mails_per_week,
        now,
    )


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise BadInput("This is no IANA time zone.", where="zone", advice="For example America/New_York.") from None


def _wall(where: str, text: str, zone: str) -> WallTime:
    try:
        return WallTime.read(text, zone)
    except ValueError:
        advice = 'Write it as "2026-11-27 09:00"' + (", or now." if where == "start" else ".")
        raise BadInput("This is no date and time.", where=where, advice=advice) from None


def _check_times(start: WallTime | None, by: WallTime | None, now: datetime) -> None:
    if start is not None and start.at < now:
        raise BadInput(
            f"{start.text} in {start.zone} has passed.", where="start", advice="Give a time to come, or now."
        )
    if by is not None and by.at <= (start.at if start else now):
        raise BadInput(
            f"{by.text} in {by.zone} is not after the start.", where="by", advice="Give a later end, or none."
        )


def _check_pace(draft: Draft, zone: str) -> None:
    try:
        OfficeHours.parse(draft.hours, draft.days, zone)
    except ValueError:
        where = "hours" if _is_readable("always", draft.days, zone) else "days"
        advice = "Write 08:00-18:00 or always." if where == "hours" else "Write mon-fri, all, or mon,wed."
        raise BadInput(f"“{getattr(draft, where)}” cannot be read.", where=where, advice=advice) from None
    curve = draft.curve
    if curve is not None and (len(curve) != 24 or any(w < 0 or w > 1000 for w in curve) or not any(curve)):
        raise BadInput(
            "A curve has 24 weights, one for each hour of the day, not all of them 0.",
            where="curve",
            advice="For example 0,0,0,0,0,0,0,0,1,2,3,3,2,2,3,3,2,1,0,0,0,0,0,0",
        )


def _is_readable(hours: str, days: str, zone: str) -> bool:
    try:
        OfficeHours.parse(hours, days, zone)
    except ValueError:
        return False
    return True


def _whole(where: str, value: int | None, low: int, high: int, default: int | None = None) -> int | None:
    if value is None:
        return default
    if not low <= value <= high:
        raise BadInput(f"{value:,} is not between {low:,} and {high:,}.", where=where)
    return value


def _line(where: str, text: str) -> str:
    if len(text) > 100 or any(ord(c) < 32 for c in text):
        raise BadInput("This is not one line of at most 100 characters.", where=where)
    return text.strip()


def _mailing(session: Session, campaign: Campaign, draft: Draft, *, now: datetime, actor: str) -> int | None:
    """What a mailing wave says; the same words again are the same mailing, so that nobody gets them twice."""
    if draft.kind is WaveKind.LETTERS:
        if draft.subject or draft.body:
            raise BadInput(
                "Letters say what their signers confirmed.", where="body", advice="Leave out subject and body."
            )
        return None
    for where in ("subject", "body"):
        if not getattr(draft, where).strip():
            raise BadInput("A mailing needs it.", where=where, advice="Give --subject and --body-file.")
    if same := _same_mailing(session, campaign, draft):
        return same.id
    written = mailings.write(
        session,
        campaign,
        draft.subject,
        draft.body,
        purpose=draft.purpose,
        language=draft.language,
        now=now,
        actor=actor,
    )
    return written.id


def _same_mailing(session: Session, campaign: Campaign, draft: Draft) -> Mailing | None:
    return session.scalar(
        select(Mailing)
        .where(
            Mailing.campaign_id == campaign.id,
            Mailing.subject == draft.subject,
            Mailing.body == draft.body,
            Mailing.purpose == draft.purpose,
        )
        .order_by(Mailing.id)
        .limit(1)
    )
