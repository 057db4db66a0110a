"""What makes a signature suspect: how its form arrived, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach.domain.suspects import HOUSEHOLD_LIMIT, Suspicion, first_of
from outreach.models import Contact, Signature, Supporter

from .letters import CampaignLetters


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a form came to us, as the door saw it: from which network (a keyed hash), and what is odd about that."""

    network: str = ""
    suspicion: str = ""


def of_new(
    session: Session,
    letters: CampaignLetters,
    supporter: Supporter,
    name: str,
    *,
    arrival: Arrival,
    standing: Sequence[Signature],
) -> str:
    """Why a new signature is set aside, or "". `standing` are those of the same address."""
    crowd = Suspicion.HOUSEHOLD if len(standing) >= HOUSEHOLD_LIMIT else ""
    return first_of([of_likeness(session, letters, supporter, name), arrival.suspicion, crowd])


def of_likeness(session: Session, letters: CampaignLetters, supporter: Supporter, name: str) -> str:
    """Whether the signer gives the name or the address of somebody they write to.

    The address alone, never its domain: a university's own students write to its president.
    """
    if letters.are_to_somebody_like(name):
        return Suspicion.LOOKS_LIKE_TARGET
    ids = [one.target_id for one in letters.addressed]
    is_contact = exists().where(Contact.address_hash == supporter.address_hash, Contact.target_id.in_(ids))
    return Suspicion.LOOKS_LIKE_TARGET if session.scalar(select(is_contact)) else ""
