"""What is shown of a wave: its numbers and its forecast, whom it reaches and why, and how its first mail reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from outreach import forecasts
from outreach.domain.audiences import Audience
from outreach.domain.deliveries import State
from outreach.domain.messages import Mailbox
from outreach.domain.waves import OVER, WaveKind
from outreach.errors import NotNow
from outreach.keys import Keys
from outreach.mailings import signer_fields as reader_fields
from outreach.merge import MailingForm, compose_mailing
from outreach.models import Campaign, Delivery, LetterVersion, Mailing, Signature, Supporter, Target, Wave
from outreach.outbox.releasing import waiting_letters, wave_states
from outreach.settings import Settings
from outreach.signing.letters import campaign_fields, signer_fields, write_version
from outreach.stopping import stop_of

from . import audiences, drafting, starting

#: The ref of no supporter, for the links in a preview.
_NOBODYS = "preview2preview2"


@dataclass(frozen=True, slots=True)
class Progress:
    """A wave now. `states` names every state; the forecast's times are None when there is nothing to foresee."""

    id: int
    state: str
    kind: str
    name: str
    campaign: str
    audience: str
    total: int
    states: Mapping[str, int]
    rate_per_hour: float  #: what left within the last hour
    start: datetime | None
    finish_low: datetime | None
    finish_high: datetime | None
    needed_per_hour: int | None
    words: str
    reason: str
    phase: str
    go_at: datetime | None
    planned: bool

    def as_dict(self) -> dict[str, Any]:
        """The shape machines get."""
        return {
            "id": self.id,
            "state": self.state,
            "kind": self.kind,
            "name": self.name,
            "campaign": self.campaign,
            "audience": self.audience,
            "total": self.total,
            "states": dict(self.states),
            "rate_per_hour": self.rate_per_hour,
            "forecast": {
                "start": self.start,
                "finish_low": self.finish_low,
                "finish_high": self.finish_high,
                "needed_per_hour": self.needed_per_hour,
                "words": self.words,
            },
            "reason": self.reason,
            "phase": self.phase,
            "go_at": self.go_at,
            "planned": self.planned,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """The first mail of a wave, as its reader would get it. `to` is a name, never an address."""

    to: str
    subject: str
    text: str


def progress(
    session: Session,
    wave: Wave,
    *,
    counts: Sequence[audiences.Count] = (),
    settings: Settings | None = None,
    now: datetime,
) -> Progress:
    """How far a wave is, and what is foreseen of it.

    `counts` are its `audience_counts`: of a wave that has not begun they say how many there would be.
    """
    settings = settings or Settings()
    states = wave_states(session, wave)
    total = sum(states.values())
    if counts and wave.started_at is None:
        total = counts[-1].n
        if wave.kind is WaveKind.LETTERS:  # their deliveries are there, held until then
            states[State.HELD] = total
    seen = forecasts.of_wave(
        session,
        wave,
        settings=settings,
        audience=drafting.reach(session, wave, settings=settings, now=now).fits,
        readers=counts[-1].n if counts else None,
        now=now,
    )
    return Progress(
        id=wave.id,
        state=str(wave.state),
        kind=str(wave.kind),
        name=wave.name,
        campaign=session.get_one(Campaign, wave.campaign_id).slug,
        audience=Audience.from_json(wave.audience or {}).words(),
        total=total,
        states={str(state): n for state, n in states.items()},
        rate_per_hour=seen.rate_per_hour,
        start=seen.start or wave.go_at or wave.start_at,
        finish_low=seen.finish_low,
        finish_high=seen.finish_high,
        needed_per_hour=seen.needed_per_hour,
        words=seen.words,
        reason=wave.reason,
        phase=str(wave.phase),
        go_at=wave.go_at,
        planned=wave.planned_at is not None,
    )


def listing(session: Session, campaign: Campaign | None = None) -> list[Wave]:
    """All waves, the newest first; those that are not over before the others."""
    waves: Select[tuple[Wave]] = select(Wave)
    if campaign is not None:
        waves = waves.where(Wave.campaign_id == campaign.id)
    return list(session.scalars(waves.order_by(Wave.state.in_(OVER), Wave.id.desc())))


def audience_counts(
    session: Session, asked: Wave | drafting.Draft, *, settings: Settings, now: datetime
) -> list[audiences.Count]:
    """Who signed, minus everyone it will not reach and why, is who will get it. The first number and the last frame
    those that are taken off."""
    return audiences.count(session, drafting.reach(session, asked, settings=settings, now=now))


def preview(session: Session, wave_id: int, *, settings: Settings, keys: Keys, now: datetime) -> Preview:
    """Write the first mail as it would leave, and note that somebody looked. NotNow when it would reach nobody."""
    wave = starting.locked(session, wave_id)
    reach = drafting.reach(session, wave, settings=settings, now=now)
    if wave.kind is WaveKind.MAILING:
        written = _first_mailing(session, wave, reach, settings, keys)
    else:
        written = _first_letter(session, wave, reach)
    wave.previewed_at = now
    session.flush()
    return written


def _first_mailing(session: Session, wave: Wave, reach: audiences.Reach, settings: Settings, keys: Keys) -> Preview:
    first = audiences.readers(session, reach).with_only_columns(Signature).order_by(Supporter.id)
    signature = session.scalar(first.limit(1))
    if signature is None:
        raise _nobody(wave)
    campaign = session.get_one(Campaign, wave.campaign_id)
    mailing = session.get_one(Mailing, wave.mailing_id)
    message = compose_mailing(
        MailingForm(mailing.subject, mailing.body),
        reader_fields(signature),
        campaign_fields(session, campaign),
        settings=settings,
        ref="preview",
        attempt=0,
        to=Mailbox(signature.name, "preview@example.org"),
        label=f"wave{wave.id}",
        slug=campaign.slug,
        # Nobody's link: whoever looks at it must not stop the mails of the person it was written for.
        stop=stop_of(settings, keys, supporter_ref=_NOBODYS, campaign_id=campaign.id, slug=campaign.slug),
        now=reach.now,
        language=mailing.language,
    )
    return Preview(signature.name, message.subject, message.text)


def _first_letter(session: Session, wave: Wave, reach: audiences.Reach) -> Preview:
    fits = waiting_letters(wave.campaign_id) | ((Delivery.wave_id == wave.id) & (Delivery.state != State.CANCELLED))
    first = (
        select(Signature, Target, LetterVersion)
        .select_from(Delivery)
        .join(Signature, Signature.id == Delivery.signature_id)
        .join(Target, Target.id == Delivery.target_id)
        .join(LetterVersion, LetterVersion.id == Delivery.version_id)
        .where(fits, *reach.fits)
        .order_by(Delivery.id)
        .limit(1)
    )
    row = session.execute(first).first()
    if row is None:
        raise _nobody(wave)
    signature, target, version = row
    campaign = session.get_one(Campaign, wave.campaign_id)
    shown = write_version(version, target, signer_fields(signature), campaign_fields(session, campaign))
    return Preview(shown.target_label, shown.subject, shown.text)


def _nobody(wave: Wave) -> NotNow:
    return NotNow("It would reach nobody.", where=f"wave {wave.id}", advice=f"See why: outreach wave status {wave.id}")
