"""Changing a letter until it leaves: name and words, confirmed anew in exactly the form they will have.

The page's secret proves whose letter it is, as the confirmation link did. So the POST on the page that shows the new
letters, naming their hash, is their confirmation. Once any letter of the signature has left, or may have, none can be
changed any more: all of them say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from outreach import audit_log, outbox
from outreach.domain.deliveries import GONE, UNSENT, MailClass, State
from outreach.domain.sentences import _
from outreach.errors import BadSignature, NotNow, TextChanged
from outreach.keys import Keys
from outreach.models import Campaign, Delivery, Signature, SignatureState, Supporter

from . import links
from .confirm import lock_signature
from .forms import Signer, SignForm, check
from .letters import CampaignLetters, Shown, signer_fields, text_hash
from .sign import within, write

log = structlog.get_logger()

#: How long letters wait for a signer who is changing them.
PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Changing:
    """What the page for changes shows: the form as it stands, or the new letters to be confirmed."""

    form: SignForm
    edit_subject: bool
    edit_body: bool
    waits_until: datetime | None  #: until when the letters do not leave; None if they may leave at any time
    letters: tuple[Shown, ...] = ()
    text_hash: str = ""

    @property
    def is_high_risk(self) -> bool:
        """Whether being named may harm the signer."""
        return self.form.high_risk


def can_change(signature: Signature, letters: Sequence[Delivery]) -> bool:
    """Whether none of this signature's letters has left, and one still can."""
    has_left = any(letter.state in GONE or letter.maybe_sent for letter in letters)
    can_leave = any(letter.state in UNSENT for letter in letters)
    return signature.state is SignatureState.CONFIRMED and can_leave and not has_left


def begin_change(session: Session, token: str, *, now: datetime) -> None:
    """Keep the letters from leaving for half an hour. NotNow when one has left."""
    _signature, letters = _locked(session, token)
    outbox.pause_letters(session, letters, until=now + PATIENCE, now=now)


def end_change(session: Session, token: str, *, now: datetime) -> None:
    """Let the letters go as they are. NotNow when one has left meanwhile: then there is nothing to let go."""
    _signature, letters = _locked(session, token)
    outbox.resume_letters(session, letters, now=now)


def changing(session: Session, token: str, *, now: datetime) -> Changing:
    """The letter as it stands, to be changed; changes nothing. NotNow when one has left."""
    signature = session.get_one(Signature, links.find(session, token, links.RECEIPT).signature_id)
    letters = session.scalars(_letters_of(signature)).all()
    _refuse_unless_here(signature, letters)
    words = _words_of(session, signature)
    return _shown(session, words, signature, _form_of(session, signature), letters, now)


def propose(session: Session, token: str, form: SignForm, *, now: datetime) -> Changing:
    """The letters as they would leave with the name and words of `form`; they wait meanwhile.

    Of the form only the name and the texts are looked at. BadSignature names every wrong field; NotNow when a letter
    has left.
    """
    signature, letters = _locked(session, token)
    words = _words_of(session, signature)
    _signer, written = _written(session, words, signature, form, letters)
    outbox.pause_letters(session, letters, until=now + PATIENCE, now=now)
    shown = tuple(written.values())
    asked = replace(form, language=signature.language, high_risk=signature.high_risk)
    page = _shown(session, words, signature, asked, letters, now)
    return replace(page, waits_until=now + PATIENCE, letters=shown, text_hash=text_hash(shown))


def change(session: Session, token: str, form: SignForm, confirmed: str, *, keys: Keys, now: datetime) -> None:
    """Let the letters say this from now on. `confirmed` is the hash of the letters that were shown.

    TextChanged when they would not be those any more; BadSignature; NotNow when a letter has left.
    """
    signature, letters = _locked(session, token)
    signer, written = _written(session, _words_of(session, signature), signature, form, letters)
    if text_hash(written.values()) != confirmed:
        raise TextChanged(where=signature.ref)
    before = signature.text_hash
    for column, value in signer.columns.items():
        setattr(signature, column, value)
    signature.text_hash = confirmed
    links.confirmed_here(session, signature, keys=keys, now=now)
    outbox.rewrite_letters(session, letters, {id_: one.content_hash for id_, one in written.items()}, now=now)
    subject, hashes = f"signature:{signature.ref}", ({"text_hash": before}, {"text_hash": confirmed})
    audit_log.note(session, "signer", "signature.change", subject, *hashes, now=now)
    session.flush()
    log.info("letter_changed", signature=signature.id)


def _locked(session: Session, token: str) -> tuple[Signature, Sequence[Delivery]]:
    """The link's signature and its letters, held against workers until the transaction ends."""
    signature = lock_signature(session, links.find(session, token, links.RECEIPT))
    letters = outbox.lock_letters(session, signature.id)
    _refuse_unless_here(signature, letters)
    return signature, letters


def _refuse_unless_here(signature: Signature, letters: Sequence[Delivery]) -> None:
    if not can_change(signature, letters):
        raise NotNow(_("Your letter has left, or is leaving: it cannot be changed any more."), where=signature.ref)


def _letters_of(signature: Signature) -> Select[Delivery]:
    return select(Delivery).where(Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.LETTER)


def _form_of(session: Session, signature: Signature) -> SignForm:
    supporter = session.get_one(Supporter, signature.supporter_id)
    return SignForm(
        name=signature.name,
        email=supporter.address,
        city=signature.city,
        postal_code=signature.postal_code,
        own_words=signature.own_words,
        subject=signature.own_subject,
        body=signature.own_body,
        language=signature.language,
        high_risk=signature.high_risk,
    )


def _words_of(session: Session, signature: Signature) -> CampaignLetters:
    return CampaignLetters.signed(session, session.get_one(Campaign, signature.campaign_id), signature)


def _written(
    session: Session, words: CampaignLetters, signature: Signature, form: SignForm, letters: Sequence[Delivery]
) -> tuple[Signer, dict[int, Shown]]:
    """Who signs now, and by delivery what each letter would say."""
    campaign = session.get_one(Campaign, signature.campaign_id)
    typed = replace(
        _form_of(session, signature), name=form.name, own_words=form.own_words, subject=form.subject, body=form.body
    )
    signer = within(campaign, words, check(typed))
    if signer.name != signature.name and words.are_to_somebody_like(signer.name):
        raise BadSignature({"name": _("This is the name of somebody you write to. Write to us if it is yours too.")})
    shown = {one.target_id: one for one in write(words, signer)}
    return signer, {letter.id: shown[letter.target_id] for letter in letters if letter.target_id in shown}


def _shown(
    session: Session,
    words: CampaignLetters,
    signature: Signature,
    form: SignForm,
    letters: Sequence[Delivery],
    now: datetime,
) -> Changing:
    campaign = session.get_one(Campaign, signature.campaign_id)
    open_part = words.open_part(replace(signer_fields(signature), own_words="", body=""))
    due = [letter.due_at for letter in letters if letter.state is State.QUEUED]
    waits = bool(due) and min(due) > now and not any(letter.state is State.CLAIMED for letter in letters)
    return Changing(
        replace(form, body=form.body or open_part),
        campaign.edit_subject,
        campaign.edit_body and bool(open_part),
        min(due) if waits else None,
    )
