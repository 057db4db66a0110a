"""The letters of one campaign: the same fields, from the same rows, wherever a letter is shown or hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass
from outreach.domain.letters import CampaignFields, SignerFields, TargetFields, first_name
from outreach.domain.messages import letter_hash
from outreach.domain.suspects import looks_like
from outreach.merge import LetterForm
from outreach.models import (
    Addressing,
    Campaign,
    Delivery,
    LetterVersion,
    Organisation,
    Signature,
    Sponsorship,
    Target,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One letter as its signer is shown it."""

    target_id: int
    target_label: str
    subject: str
    text: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A target with the form of its letter."""

    target_id: int
    version_id: int
    label: str
    fields: TargetFields
    form: LetterForm


@dataclass(frozen=True)
class CampaignLetters:
    """A campaign's targets and the words for each, loaded and compiled once, written out for any signer."""

    fields: CampaignFields
    addressed: Sequence[_Addressed]

    @classmethod
    def load(cls, session: Session, campaign: Campaign) -> CampaignLetters:
        """As the campaign stands now, in the order of its targets."""
        rows = session.execute(
            select(Target, LetterVersion)
            .join(Addressing, Addressing.target_id == Target.id)
            .join(LetterVersion, LetterVersion.id == Addressing.version_id)
            .where(Addressing.campaign_id == campaign.id)
            .order_by(Addressing.position, Addressing.id)
        )
        return cls(campaign_fields(session, campaign), [_addressed(target, version) for target, version in rows])

    @classmethod
    def signed(cls, session: Session, campaign: Campaign, signature: Signature) -> CampaignLetters:
        """As one signature has them: each by the version it was confirmed in."""
        rows = session.execute(
            select(Target, LetterVersion)
            .join(Delivery, Delivery.target_id == Target.id)
            .join(LetterVersion, LetterVersion.id == Delivery.version_id)
            .where(Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.LETTER)
            .order_by(Delivery.id)
        )
        return cls(campaign_fields(session, campaign), [_addressed(target, version) for target, version in rows])

    @property
    def labels(self) -> list[str]:
        """Who is written to, in words."""
        return [one.label for one in self.addressed]

    def write(self, signer: SignerFields) -> list[Shown]:
        """The letter to each target over this signer's name. BadTemplate if one cannot be written."""
        return [_shown(one, signer, self.fields) for one in self.addressed]

    def are_to_somebody_like(self, name: str) -> bool:
        """Whether one of those written to has this name."""
        fields = [one.fields for one in self.addressed]
        return any(looks_like(name, target=f.name, office=f.office, salutation=f.salutation) for f in fields)

    def open_part(self, signer: SignerFields) -> str:
        """What this signer may put their own in the place of; "" where each target is told something else."""
        parts = {one.form.open_part(signer, one.fields, self.fields) for one in self.addressed}
        return parts.pop() if len(parts) == 1 else ""


def seal_words(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """From now on nobody edits the versions in use: a change makes a new one.

    Held until the transaction ends, so that letters that are read after this are still those that are queued.
    """
    in_use = select(Addressing.version_id).where(Addressing.campaign_id == campaign.id)
    versions = session.execute(
        select(LetterVersion.id, LetterVersion.signed_at)
        .where(LetterVersion.id.in_(in_use))
        .order_by(LetterVersion.id)
        .with_for_update(read=True, key_share=True)  # signers do not wait for each other, only for an editor
    ).all()
    if unsigned := [id_ for id_, signed_at in versions if signed_at is None]:
        session.execute(
            update(LetterVersion)
            .where(LetterVersion.id.in_(unsigned), LetterVersion.signed_at.is_(None))
            .values(signed_at=now)
        )


def campaign_fields(session: Session, campaign: Campaign) -> CampaignFields:
    """The campaign's part of its letters: nothing of it depends on settings, which may change between two mails."""
    lead = session.scalar(
        select(Organisation.name)
        .join(Sponsorship)
        .where(Sponsorship.campaign_id == campaign.id, Sponsorship.role == "lead")
    )
    return CampaignFields(campaign.title, tuple(demand.text for demand in campaign.demands), lead or "")


def signer_fields(signature: Signature) -> SignerFields:
    """The signer's part of their letters."""
    return SignerFields(
        signature.name,
        first_name(signature.name),
        signature.city,
        signature.postal_code,
        signature.own_words,
        signature.own_subject,
        signature.own_body,
    )


def write_version(version: LetterVersion, target: Target, signer: SignerFields, campaign: CampaignFields) -> Shown:
    """One letter by a given version, whatever the campaign uses now."""
    return _shown(_addressed(target, version), signer, campaign)


def text_hash(letters: Iterable[Shown]) -> str:
    """SHA-256 (hex) over all letters of a signature: what its confirmation link is bound to."""
    pairs = sorted((letter.target_id, letter.content_hash) for letter in letters)
    return hashlib.sha256("".join(f"{id_} {hash_}\n" for id_, hash_ in pairs).encode()).hexdigest()


def target_label(target: Target) -> str:
    """A target in words: its office and who holds it."""
    return f"{target.office} {target.name}".strip()


def _addressed(target: Target, version: LetterVersion) -> _Addressed:
    return _Addressed(
        target.id,
        version.id,
        target_label(target),
        TargetFields(target.salutation, target.name, target.office),
        _form(version.subject, version.header, version.body, version.footer),
    )


def _shown(one: _Addressed, signer: SignerFields, campaign: CampaignFields) -> Shown:
    letter = one.form.write(signer, one.fields, campaign)
    return Shown(one.target_id, one.label, letter.subject, letter.text, letter_hash(letter.subject, letter.text))


@lru_cache(maxsize=256)
def _form(subject: str, header: str, body: str, footer: str) -> LetterForm:
    """Compiled forms by their very words, so that a version edited before anybody signed is never mixed up."""
    return LetterForm(subject, header, body, footer)
