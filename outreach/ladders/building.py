"""Building ladders. A rung never changes: an edit ends it and adds another, so that who waits already is not moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.domain.ladders import Conditions, Trigger
from outreach.domain.sentences import _
from outreach.errors import BadInput, NotFound, NotNow
from outreach.mailings import PURPOSES
from outreach.merge import check_mailing
from outreach.models import Campaign, CampaignState, Ladder, Rung


@dataclass(frozen=True, slots=True)
class NewRung:
    """A rung as an organizer writes it. `at` is "" or a time of day in `zone` ("18:30")."""

    trigger: Trigger
    subject: str
    body: str
    wait: timedelta = timedelta(0)
    at: str = ""
    zone: str = "UTC"
    conditions: Mapping[str, bool] = field(default_factory=dict)
    purpose: str = ""


#: What every published campaign begins with. The receipt after confirming is a notice of its own. These are messages:
#: each signer gets them in their own language.
DEFAULTS = (
    NewRung(
        Trigger.LETTER_ACCEPTED,
        _("Your letter has gone: {{ campaign.title }}"),
        _(
            "Hello {{ signer.first_name }},\n\n"
            "Your letter about “{{ campaign.title }}” has left: the mail service has taken it, to bring it to the "
            "office.\n\n"
            "If they answer, the answer comes to you."
        ),
    ),
    NewRung(
        Trigger.LETTER_ACCEPTED,
        _("Did you get an answer? {{ campaign.title }}"),
        _(
            "Hello {{ signer.first_name }},\n\n"
            "Two weeks ago your letter about “{{ campaign.title }}” left. "
            "Have you heard from the office?\n\n"
            "If they wrote to you, reply to this mail and tell us: other signers will want to know."
        ),
        wait=timedelta(days=14),
        conditions={"not_answered": True},
    ),
)


#: A campaign's own first ladder looks back this far, to what happened while nobody had built it yet.
_LOOK_BACK = timedelta(minutes=10)


def begin(session: Session, *, now: datetime) -> int:
    """Give each published campaign that has no ladder the one every campaign begins with; how many.

    One that was stopped is a ladder too: nobody gets it back.
    """
    bare = (
        select(Campaign)
        .where(Campaign.state == CampaignState.PUBLISHED, ~exists().where(Ladder.campaign_id == Campaign.id))
        .order_by(Campaign.id)
        .with_for_update()
    )
    begun = 0
    for campaign in session.scalars(bare).all():
        if ladders_of(session, campaign):  # another climber was first, while this one waited for the row
            continue
        since = max(campaign.published_at or now, now - _LOOK_BACK)
        build(session, campaign, "After the letter has gone", DEFAULTS, now=since, actor="engine", checked=True)
        begun += 1
    return begun


def build(
    session: Session,
    campaign: Campaign,
    name: str,
    rungs: Sequence[NewRung] = (),
    *,
    now: datetime,
    actor: str,
    checked: bool = False,
) -> Ladder:
    """A new ladder. `checked`: the texts are the engine's own and need no trial."""
    if not name.strip():
        raise BadInput("A ladder needs a name.", where="name")
    ladder = Ladder(campaign_id=campaign.id, name=name.strip()[:80], created_at=now)
    session.add(ladder)
    session.flush()
    for number, rung in enumerate(rungs, 1):
        _add(session, ladder, number, rung, now=now, checked=checked)
    audit_log.note(session, actor, "ladder.build", f"ladder:{ladder.id}", None, {"name": ladder.name}, now=now)
    session.flush()
    return ladder


def find(session: Session, ladder_id: int) -> Ladder:
    """NotFound when there is none."""
    ladder = session.get(Ladder, ladder_id)
    if ladder is None:
        raise NotFound(
            "There is no ladder with this number.", where=str(ladder_id), advice="See `outreach ladder list`."
        )
    return ladder


def ladders_of(session: Session, campaign: Campaign) -> list[Ladder]:
    """The campaign's ladders, those that were stopped included."""
    return list(session.scalars(select(Ladder).where(Ladder.campaign_id == campaign.id).order_by(Ladder.id)))


def check(new: NewRung) -> None:
    """Look hard at a rung before the transaction that adds it. BadInput or BadTemplate."""
    _check_times(new)
    check_mailing(new.subject, new.body)


def add_rung(session: Session, ladder: Ladder, rung: NewRung, *, now: datetime, actor: str) -> Rung:
    """One more rung at the end. It is for what happens from now on: nobody is written to for what is past.

    `check` it before the transaction: the trial of a new text takes a fifth of a second.
    """
    if ladder.stopped_at is not None:
        raise NotNow("This ladder was stopped.", where=str(ladder.id), advice="Build a new one.")
    number = 1 + max((r.number for r in ladder.rungs), default=0)
    added = _add(session, ladder, number, rung, now=now)
    audit_log.note(session, actor, "rung.add", f"rung:{added.id}", None, {"ladder": ladder.id}, now=now)
    return added


def edit_rung(session: Session, rung: Rung, change: NewRung, *, now: datetime, actor: str) -> Rung:
    """End this rung and put `change` in its place. Who waits on the old one still gets the old one."""
    end_rung(session, rung, now=now, actor=actor)
    added = _add(session, rung.ladder, rung.number, change, now=now)
    audit_log.note(session, actor, "rung.edit", f"rung:{added.id}", {"rung": rung.id}, {"rung": added.id}, now=now)
    return added


def end_rung(session: Session, rung: Rung, *, now: datetime, actor: str) -> None:
    """Nobody is put on this rung any more."""
    if rung.ended_at is not None:
        raise NotNow("This rung has ended already.", where=str(rung.id))
    rung.ended_at = now
    audit_log.note(session, actor, "rung.end", f"rung:{rung.id}", now=now)
    session.flush()


def stop(session: Session, ladder: Ladder, *, now: datetime, actor: str) -> None:
    """Nobody climbs this ladder any more; who waits on it gets nothing."""
    if ladder.stopped_at is None:
        ladder.stopped_at = now
        audit_log.note(session, actor, "ladder.stop", f"ladder:{ladder.id}", now=now)
        session.flush()


def _add(session: Session, ladder: Ladder, number: int, new: NewRung, *, now: datetime, checked: bool = False) -> Rung:
    if not checked:
        check(new)
    rung = Rung(
        ladder_id=ladder.id,
        number=number,
        trigger=new.trigger,
        wait_seconds=int(new.wait.total_seconds()),
        at_wall=new.at,
        zone=new.zone,
        conditions=dict(new.conditions),
        purpose=new.purpose,
        subject=new.subject,
        body=new.body,
        created_at=now,
    )
    session.add(rung)
    session.flush()
    session.expire(ladder, ["rungs"])
    return rung


def _check_times(new: NewRung) -> None:
    if not timedelta(0) <= new.wait <= timedelta(days=365):
        raise BadInput("A step waits between nothing and a year.", where="wait", advice="For example 14 days.")
    try:
        if new.at:
            time.fromisoformat(new.at)
    except ValueError:
        raise BadInput(f"“{new.at}” is no time of day.", where="at", advice="For example 18:30.") from None
    try:
        ZoneInfo(new.zone)
    except (KeyError, ValueError, OSError):
        raise BadInput(f"“{new.zone}” is no time zone.", where="zone", advice="For example America/New_York.") from None
    try:
        Conditions.from_json(dict(new.conditions))
    except ValueError as error:
        raise BadInput(f"{error}.", where="conditions") from None
    if new.purpose and new.purpose not in PURPOSES:
        raise BadInput(
            f"“{new.purpose}” is nothing signers agree to.", where="purpose", advice=f"Use {PURPOSES[0]}, or none."
        )
