"""The letters of a campaign for somebody who sends them from their own mail, without signing: nothing of it is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.own_mail import Compose, composes
from outreach.errors import NotFound
from outreach.models import Campaign, Channel, Contact, ContactState

from .forms import SignForm, check
from .letters import CampaignLetters
from .sign import open_campaign, within, write

#: Stands in for an address where none is asked for: we send nothing.
_NO_ADDRESS = "nobody@example.org"


@dataclass(frozen=True, slots=True)
class OwnLetter:
    """One letter to be sent by whoever wrote it. One of `address` and `form_url` is given, or neither is known."""

    target_id: int
    target_label: str
    subject: str
    text: str
    address: str
    form_url: str

    @property
    def composes(self) -> tuple[Compose, ...]:
        """Links that open it in their own mail."""
        return composes(self.address, self.subject, self.text) if self.address else ()


def self_send_campaign(session: Session, slug: str) -> Campaign:
    """The campaign, if it lets people send its letters themselves; NotFound else, NotNow once it is closed."""
    campaign = open_campaign(session, slug)
    if not campaign.self_send:
        raise NotFound(where=slug)
    return campaign


def own_letters(session: Session, slug: str, form: SignForm) -> list[OwnLetter]:
    """The letters that the form would send, for somebody to send themselves. BadSignature names every wrong field."""
    campaign = self_send_campaign(session, slug)
    letters = CampaignLetters.load(session, campaign)
    written = write(letters, within(campaign, letters, check(replace(form, email=_NO_ADDRESS))))
    reached = ways_to_reach(session, (letter.target_id for letter in written))
    return [
        OwnLetter(
            letter.target_id,
            letter.target_label,
            letter.subject,
            letter.text,
            reached.get(letter.target_id, {}).get(Channel.EMAIL, ""),
            reached.get(letter.target_id, {}).get(Channel.WEBFORM, ""),
        )
        for letter in written
    ]


def ways_to_reach(session: Session, target_ids: Iterable[int]) -> Mapping[int, Mapping[Channel, str]]:
    """By target: its ways to be reached that work, and where each leads."""
    contacts = session.scalars(
        select(Contact).where(
            Contact.target_id.in_(list(target_ids)), Contact.ended_at.is_(None), Contact.state == ContactState.OK
        )
    )
    found: dict[int, dict[Channel, str]] = defaultdict(dict)
    for contact in contacts:
        found[contact.target_id][contact.channel] = contact.value
    return found
