"""Targets: how they are reached, and how much their mailbox bears.

Nothing about a contact is guessed: an imported target has none until an organizer gives it one, and its letters are
held until then. A changed address is a new contact; the old one is ended and kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from outreach import audit_log, holidays, outbox
from outreach.domain.addresses import address_key
from outreach.domain.deliveries import Stream
from outreach.domain.pacing import OfficeHours
from outreach.errors import BadInput, NotFound, NotNow
from outreach.keys import Keys
from outreach.models import Addressing, Campaign, Channel, Contact, ContactState, Lane, Target, insert_into
from outreach.settings import Settings

_HIGHEST_CAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Reached:
    """A target with its current email contact and lane, and the campaigns that write to it."""

    target: Target
    contact: Contact | None
    campaigns: tuple[str, ...] = ()  #: slugs

    @property
    def is_usable(self) -> bool:
        """Whether letters to it can leave."""
        return self.contact is not None and self.contact.state is ContactState.OK

    @property
    def held_because(self) -> str:
        """Why its letters are held, and what to do; "" when they are not."""
        advice = f"outreach targets set {self.target.id} --email ADDRESS"
        if self.contact is None:
            return f"no contact – {advice}"
        return "" if self.is_usable else f"{self.contact.value} is {self.contact.state} – {advice}"


def find(session: Session, id_or_ref: str) -> Target:
    """A target by its number or its ref; NotFound when there is none."""
    wanted = id_or_ref.strip()
    by_number = re.fullmatch(r"\d{1,18}", wanted, re.ASCII)
    found = session.get(Target, int(wanted)) if by_number else None
    found = found or session.scalar(select(Target).where(Target.ref == wanted.lower()))
    if found is None:
        raise NotFound("There is no such target.", where=wanted[:40], advice="`outreach targets list` shows them all.")
    return found


def listing(session: Session, campaign: Campaign | None = None) -> list[Reached]:
    """Every target, or those of one campaign in its order."""
    chosen = select(Target).order_by(Target.id)
    if campaign is not None:
        joined = select(Target).join(Addressing, Addressing.target_id == Target.id)
        chosen = joined.where(Addressing.campaign_id == campaign.id).order_by(Addressing.position)
    found = list(session.scalars(chosen))
    contacts = {
        contact.target_id: contact
        for contact in session.scalars(
            select(Contact)
            .where(Contact.channel == Channel.EMAIL, Contact.ended_at.is_(None))
            .options(joinedload(Contact.lane))
        )
    }
    slugs: dict[int, list[str]] = {}
    written_by = select(Addressing.target_id, Campaign.slug).join(Campaign, Campaign.id == Addressing.campaign_id)
    for target_id, slug in session.execute(written_by.order_by(Campaign.id)):
        slugs.setdefault(target_id, []).append(slug)
    return [Reached(target, contacts.get(target.id), tuple(slugs.get(target.id, ()))) for target in found]


def reach(session: Session, target: Target) -> Reached:
    """One target with its contact and campaigns."""
    written_by = select(Campaign.slug).join(Addressing, Addressing.campaign_id == Campaign.id)
    slugs = session.scalars(written_by.where(Addressing.target_id == target.id).order_by(Campaign.id))
    return Reached(target, email_contact(session, target), tuple(slugs))


def email_contact(session: Session, target: Target) -> Contact | None:
    """The target's current email contact, whatever its state."""
    return session.scalar(
        select(Contact).where(
            Contact.target_id == target.id, Contact.channel == Channel.EMAIL, Contact.ended_at.is_(None)
        )
    )


def checked_address(text: str) -> str:
    """An address that mail can be sent to, its domain in ASCII. BadInput says what is wrong with any other."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise BadInput(
            f"This is no mail address: {error}", where="--email", advice="Example: mayor@example.org"
        ) from None
    return found.ascii_email or found.normalized


def set_contact(
    session: Session, target: Target, *, email: str, keys: Keys, settings: Settings, now: datetime, actor: str
) -> Contact:
    """Write to the target at `email` from now on; its held and unsent letters go there.

    The same address again changes nothing, unless it was failing: then it is tried anew. A mailbox shared with
    another target is one lane with one pace. BadInput for what is no address.
    """
    address = checked_address(email)
    session.execute(select(Target.id).where(Target.id == target.id).with_for_update(key_share=True))
    old = email_contact(session, target)
    if old is not None and old.value == address and old.state is ContactState.OK:
        return old
    if old is not None:
        old.ended_at = now
        session.flush()
    address_hash = keys.address_hash(address_key(address))
    contact = Contact(
        target_id=target.id,
        channel=Channel.EMAIL,
        value=address,
        address_hash=address_hash,
        lane=_lane(session, target, address, address_hash, settings, now=now),
        created_at=now,
    )
    session.add(contact)
    session.flush()
    session.expire(target, ["contacts"])
    outbox.contact_changed(session, target.id, now=now, actor=actor)
    # The audit log outlives the address: it names rows, not people.
    before = {"contact": old.id} if old else None
    audit_log.note(session, actor, "target.contact", f"target:{target.id}", before, {"contact": contact.id}, now=now)
    return contact


def _lane(
    session: Session, target: Target, address: str, address_hash: str, settings: Settings, *, now: datetime
) -> Lane:
    key = f"mailbox:{address_hash}"
    session.execute(
        insert_into(session, Lane)
        .values(
            key=key,
            stream=Stream.LETTERS,
            per_hour=settings.mailbox_per_hour,
            per_day=settings.mailbox_per_day,
            hours=settings.office_hours,
            days=settings.office_days,
            zone=target.zone if target.zone != "UTC" else settings.zone,
            opens_at=now,
        )
        .on_conflict_do_nothing()
    )
    found = session.scalars(select(Lane).where(Lane.key == key)).one()
    found.domain = outbox.domain_of(address)
    session.flush()
    return found


def read_pace(
    *,
    per_hour: str | None = None,
    per_day: str | None = None,
    hours: str | None = None,
    days: str | None = None,
    zone: str | None = None,
    calendar: str | None = None,
    curve: str | None = None,
    bundle: str | None = None,
) -> dict[str, Any]:
    """Limits as people type them, as the columns of a lane. None leaves a limit as it is; "none" lifts it.

    BadInput, with the option's name as `where`, for what cannot be read.
    """
    changes: dict[str, Any] = {}
    for column, cap in (("per_hour", per_hour), ("per_day", per_day)):
        if cap is not None:
            changes[column] = _cap(cap, "--" + column.replace("_", "-"))
    if hours is not None:
        changes["hours"] = _hours(hours)
    if days is not None:
        changes["days"] = _days(days)
    if zone is not None:
        changes["zone"] = _zone(zone)
    if calendar is not None:
        changes["calendar"] = "" if calendar.strip().casefold() == "none" else holidays.checked_calendar(calendar)
    if curve is not None:
        changes["curve"] = _curve(curve)
    if bundle is not None:
        changes["bundle"] = _on_or_off(bundle, "--bundle")
    return changes


def _cap(text: str, option: str) -> int | None:
    text = text.strip().casefold()
    if text == "none":
        return None
    if not re.fullmatch(r"\d{1,7}", text, re.ASCII) or not 1 <= int(text) <= _HIGHEST_CAP:
        raise BadInput(
            f"{text[:20]!r} is no number from 1 to {_HIGHEST_CAP:,}.",
            where=option,
            advice=f"Write {option} 30, or {option} none to lift the cap.",
        )
    return int(text)


def _hours(text: str) -> str:
    text = text.strip().casefold().replace("–", "-").replace(" ", "")
    if text != "always" and not re.fullmatch(
        r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)", text, re.ASCII
    ):
        raise BadInput(f"{text[:20]!r} is no span of hours.", where="--hours", advice="Write 08:00-18:00, or always.")
    try:
        OfficeHours.parse(text, "all", "UTC")
    except ValueError as error:
        raise BadInput(f"{error}.", where="--hours", advice="Write 08:00-18:00, or always.") from None
    return text


def _days(text: str) -> str:
    text = text.strip().casefold().replace(" ", "")
    try:
        OfficeHours.parse("always", text, "UTC")
    except ValueError:
        raise BadInput(
            f"{text[:20]!r} names no weekdays.", where="--days", advice="Write mon-fri, all, or mon,wed."
        ) from None
    return text


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text.strip()).key
    except (KeyError, ValueError, OSError):
        raise BadInput(
            f"{text[:40]!r} is no IANA time zone.", where="--zone", advice="Write America/New_York, for example."
        ) from None


def _on_or_off(text: str, option: str) -> bool:
    if text.strip().casefold() not in ("on", "off"):
        raise BadInput(f"{text[:20]!r} is neither on nor off.", where=option, advice=f"Write {option} on.")
    return text.strip().casefold() == "on"


def _curve(text: str) -> list[int] | None:
    if text.strip().casefold() in ("none", "flat"):
        return None
    weights = [part.strip() for part in text.split(",")]
    if (
        len(weights) != 24
        or not all(re.fullmatch(r"\d{1,4}", w, re.ASCII) for w in weights)
        or not any(map(int, weights))
    ):
        raise BadInput(
            f"{text[:40]!r} is not a weight for each of the 24 hours.",
            where="--curve",
            advice="Write 24 whole numbers with commas, from midnight on; 0 closes an hour. Or write flat.",
        )
    return [int(weight) for weight in weights]


def set_pace(session: Session, target: Target, changes: Mapping[str, Any], *, now: datetime, actor: str) -> Lane:
    """Change the limits of the target's mailbox, for everybody who is reached by it; see `read_pace`.

    NotNow for a target without an email contact; BadInput for a calendar without any day.
    """
    contact = email_contact(session, target)
    lane = contact.lane if contact else None
    if lane is None:
        raise NotNow(
            "The target has no mailbox to set a pace for.",
            where=f"target {target.id}",
            advice=f"Give it one: outreach targets set {target.id} --email ADDRESS",
        )
    before: dict[str, Any] = {name: getattr(lane, name) for name in changes}
    if before == dict(changes):
        return lane
    if changes.get("calendar") and not holidays.listing(session, changes["calendar"]):
        raise BadInput(
            "There is no day in this calendar.",
            where="--holidays",
            advice=f"Import its days first: outreach holidays import FILE --calendar {changes['calendar']}",
        )
    for name, value in changes.items():
        setattr(lane, name, value)
    if "zone" in changes:
        target.zone = lane.zone
    lane.opens_at = now  # the next claim looks at the new limits, whatever the old ones had put off
    session.flush()
    audit_log.note(session, actor, "target.pace", f"lane:{lane.id}", before, dict(changes), now=now)
    return lane


def sharing(session: Session, lane: Lane) -> int:
    """How many targets are reached by this mailbox."""
    return session.scalar(select(func.count()).where(Contact.lane_id == lane.id, Contact.ended_at.is_(None))) or 0
