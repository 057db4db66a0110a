"""Thousands of confirmed signatures with their letters in the outbox, made by the verbs that confirming calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.letters import SignerFields, first_name
from outreach.keys import Keys
from outreach.models import Campaign, Database, Signature, SignatureState, Supporter, new_ref
from outreach.signing import CampaignLetters
from tests import factories

#: About 1.2 kB of letter, as campaigns write them.
BODY = """\
{{ signer.own_words }}

I am writing because the homes in our district have become too dear for the people who clean, teach and nurse here.
In ten years rents have risen three times as fast as wages, and a family that loses its flat today will not find
another one within an hour of the school its children go to.

Other cities have shown that it can be done otherwise. They hold on to the houses they own, they build on their own
ground, and they let nobody raise a rent twice in a year. None of it needs a new law; all of it needs somebody who
begins. We ask you to be that person, and to take these steps before the next budget is passed:

{% for demand in demands %}{{ loop.index }}. {{ demand }}
{% endfor %}
I live in {{ signer.city }}, and I will watch what becomes of this. I would be glad to read your answer."""
DEMANDS = (
    "Sell none of the city's houses for the next ten years.",
    "Build a thousand homes on the city's own ground.",
    "Let no rent rise more than once in a year.",
)
_NAMES = ("Ada Lovelace", "Björn Åkerström", "Χαρά Παπαδοπούλου", "Jane Doe", "Nguyễn Thị Hồng", "Ольга Петрова")
_CHUNK = 500


def fill(
    db: Database, keys: Keys, *, letters: int, targets: int = 20, now: datetime, series: str = "", **pace: int | None
) -> None:
    """Campaigns with one target each, and `letters` letters over them. `pace` is that of each mailbox.

    Filling the same database again takes another `series`: the marks of its signers begin with it.
    """
    pace = pace or {"per_hour": 100_000, "per_day": 1_000_000}
    with db.begin() as session:
        made = [_campaign(session, now, keys, pace) for _ in range(targets)]
        for number, campaign in enumerate(made):
            size = letters // targets + (number < letters % targets)
            for chunk in _chunks(f"{series}{number}", size):
                _sign(session, campaign, chunk, keys, now)


def _campaign(session: Session, now: datetime, keys: Keys, pace: dict[str, Any]) -> Campaign:
    target = factories.target(session, now=now, keys=keys, **pace)
    return factories.campaign(session, targets=[target], demands=DEMANDS, body=BODY, now=now)


def _chunks(series: str, size: int) -> Iterator[list[SignerFields]]:
    for begin in range(0, size, _CHUNK):
        yield [_signer(f"{series}-{n}") for n in range(begin, min(begin + _CHUNK, size))]


def _signer(mark: str) -> SignerFields:
    name = f"{_NAMES[sum(mark.encode()) % len(_NAMES)]} {mark}"
    return SignerFields(
        name, first_name(name), "Springfield", "12345", f"These words are of {mark} and of nobody else."
    )


def _sign(session: Session, campaign: Campaign, signers: list[SignerFields], keys: Keys, now: datetime) -> None:
    people = session.scalars(
        insert(Supporter).returning(Supporter.id, sort_by_parameter_order=True),
        [_person(signer.name.rpartition(" ")[2], keys, now) for signer in signers],
    ).all()
    rows = [
        {
            "ref": new_ref(),
            "campaign_id": campaign.id,
            "supporter_id": person,
            "state": SignatureState.CONFIRMED,
            "name": signer.name,
            "city": signer.city,
            "postal_code": signer.postal_code,
            "own_words": signer.own_words,
            "evidence": "link",
            "created_at": now,
            "confirmed_at": now,
        }
        for person, signer in zip(people, signers, strict=True)
    ]
    signatures = session.scalars(insert(Signature).returning(Signature, sort_by_parameter_order=True), rows).all()
    letters = CampaignLetters.load(session, campaign)
    asked = [
        (signature, {shown.target_id: shown.content_hash for shown in letters.write(signer)})
        for signature, signer in zip(signatures, signers, strict=True)
    ]
    outbox.enqueue_letters_of(session, asked, keys=keys, now=now)


def _person(mark: str, keys: Keys, now: datetime) -> dict[str, object]:
    address = f"signer{mark}@example.org"
    return {
        "ref": new_ref(),
        "address": address,
        "address_key": address,
        "address_hash": factories.hash_address(address, keys),
        "created_at": now,
    }
