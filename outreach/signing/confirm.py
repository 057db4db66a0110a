"""Confirming: a page that only shows, and one POST that makes a signature count.

Mail scanners open every link, so looking changes nothing. What is confirmed is exactly what was shown: the letters
are written again at that moment, and if their hash is not the link's, nothing is confirmed and nothing leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.campaign_texts import title_of
from outreach.domain.deliveries import MailClass, State
from outreach.errors import BadTemplate, NotNow, TextChanged
from outreach.keys import Keys
from outreach.models import Campaign, CampaignState, Delivery, Signature, SignatureState, Token

from . import agreements, links
from .letters import CampaignLetters, Shown, seal_words, signer_fields, text_hash
from .sharing import issue_share

log = structlog.get_logger()

#: What to do about a link that no longer opens.
SIGN_AGAIN = "Sign again; you will get a new link."


class LinkState(StrEnum):
    """What a confirmation link can still do."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    CHANGED = "changed"  #: the letter, or the signer's own words, are no longer those it was sent for
    WITHDRAWN = "withdrawn"
    INVALIDATED = "invalidated"  #: staff found that the signature is nobody's
    CLOSED = "closed"  #: the campaign closed before the link was used


@dataclass(frozen=True, slots=True)
class Pending:
    """What the confirmation page shows. `letters` is empty unless the link is open or was used."""

    state: LinkState
    campaign_slug: str
    campaign_title: str
    signer_name: str
    letters: tuple[Shown, ...]
    agreed: frozenset[str]  #: the purposes ticked on the form, see domain.consents.Purpose
    expires_at: datetime | None
    language: str  #: the signer's
    letter_language: str
    is_high_risk: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What became of a confirmation. `again`: it had been confirmed before; nothing new was made."""

    campaign_slug: str
    campaign_title: str
    queued: int
    held: int
    again: bool
    receipt_token: str


def look(session: Session, token: str, *, keys: Keys, now: datetime) -> Pending:
    """What the link stands for, without changing anything. NotFound for a link that was never sent."""
    link = links.find(session, token, links.CONFIRM)
    signature = session.get_one(Signature, link.signature_id)
    campaign = session.get_one(Campaign, signature.campaign_id)
    letters = _letters_now(session, campaign, signature)
    state = _state(link, campaign, signature, letters, now)
    shows = state in (LinkState.OPEN, LinkState.CONFIRMED) and not _is_spent(link, now)
    return Pending(
        state,
        campaign.slug,
        title_of(session, campaign, signature.language),
        signature.name if shows else "",
        tuple(letters or ()) if shows else (),
        agreements.given_for(session, signature) if shows else frozenset(),
        link.expires_at,
        language=signature.language,
        letter_language=campaign.language,
        is_high_risk=signature.high_risk,
    )


def confirm(session: Session, token: str, *, keys: Keys, now: datetime) -> Confirmed:
    """Confirm the signature and put its letters into the outbox; a second time changes nothing.

    TextChanged when what would leave is no longer what the link was sent for; NotNow when the link is over, the
    campaign closed or the signature withdrawn; NotFound for a link that was never sent.
    """
    link = links.find(session, token, links.CONFIRM)
    signature = lock_signature(session, link)
    campaign = session.get_one(Campaign, signature.campaign_id)
    if signature.state is SignatureState.CONFIRMED:
        return _again(session, link, signature, campaign, keys=keys, now=now)
    seal_words(session, campaign, now=now)
    letters = _letters_now(session, campaign, signature)
    _refuse_unless_open(_state(link, campaign, signature, letters, now), campaign)
    link.used_at = now
    links.void_confirms(session, signature, now=now, but=link.hash)
    done = make_count(
        session,
        signature,
        {letter.target_id: letter.content_hash for letter in letters or ()},
        evidence="link",
        keys=keys,
        now=now,
    )
    outbox.enqueue_notice(session, signature, links.RECEIPT, mail_class=MailClass.NOTICE, now=now)
    secret = links.issue_receipt(session, signature, keys=keys, now=now)
    issue_share(session, signature, now=now)
    session.flush()
    log.info("confirmed", signature=signature.id, campaign=campaign.id, queued=done.queued, held=done.held)
    return Confirmed(campaign.slug, campaign.title, done.queued, done.held, again=False, receipt_token=secret)


def _again(
    session: Session, link: Token, signature: Signature, campaign: Campaign, *, keys: Keys, now: datetime
) -> Confirmed:
    if _is_spent(link, now):  # an old mail must not open the signature's own page for ever
        raise NotNow("This link has expired; the signature itself is confirmed.", where=campaign.slug)
    states = letter_states(session, signature)
    held = states.count(State.HELD)
    secret = links.receipt_secret(keys, signature)
    return Confirmed(campaign.slug, campaign.title, len(states) - held, held, again=True, receipt_token=secret)


def make_count(
    session: Session,
    signature: Signature,
    content_hashes: dict[int, str],
    *,
    evidence: str,
    keys: Keys,
    now: datetime,
) -> outbox.Queued:
    """The signature is confirmed now, and its letters are in the outbox: both or neither."""
    signature.state = SignatureState.CONFIRMED
    signature.confirmed_at = now
    signature.evidence = evidence
    session.flush()
    return outbox.enqueue_letters(session, signature, content_hashes, keys=keys, now=now)


def lock_signature(session: Session, link: Token) -> Signature:
    """The link's signature and the link itself as they are now, held against others until the transaction ends."""
    signature = session.scalars(
        select(Signature)
        .where(Signature.id == link.signature_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    session.refresh(link)  # whoever held the lock before may have used it
    return signature


def letter_states(session: Session, signature: Signature) -> list[State]:
    """The state of each of the signature's letters."""
    mine = (Delivery.signature_id == signature.id) & (Delivery.mail_class == MailClass.LETTER)
    return list(session.scalars(select(Delivery.state).where(mine)))


def _letters_now(session: Session, campaign: Campaign, signature: Signature) -> list[Shown] | None:
    """The letters as they would leave now; None when one can no longer be written at all."""
    try:
        return CampaignLetters.load(session, campaign).write(signer_fields(signature))
    except BadTemplate:
        log.warning("letter_cannot_be_written", campaign=campaign.id)
        return None


def _state(
    link: Token, campaign: Campaign, signature: Signature, letters: list[Shown] | None, now: datetime
) -> LinkState:
    if signature.state is SignatureState.CONFIRMED:
        return LinkState.CONFIRMED
    if signature.state is SignatureState.INVALIDATED:
        return LinkState.INVALIDATED
    if signature.state is not SignatureState.PENDING:
        return LinkState.WITHDRAWN
    if campaign.state is CampaignState.CLOSED:
        return LinkState.CLOSED
    if link.voided_at is not None:
        return LinkState.CHANGED
    if _is_over(link, now):
        return LinkState.EXPIRED
    if letters is None or not link.text_hash == signature.text_hash == text_hash(letters):
        return LinkState.CHANGED
    return LinkState.OPEN


def _is_over(link: Token, now: datetime) -> bool:
    return link.expires_at is not None and link.expires_at < now


def _is_spent(link: Token, now: datetime) -> bool:
    """Over, or sent for words that were replaced since."""
    return link.voided_at is not None or _is_over(link, now)


def _refuse_unless_open(state: LinkState, campaign: Campaign) -> None:
    if state is LinkState.EXPIRED:
        raise NotNow("This link has expired: it opens for seven days.", where=campaign.slug, advice=SIGN_AGAIN)
    if state is LinkState.CHANGED:
        raise TextChanged(where=campaign.slug, advice=SIGN_AGAIN)
    if state is LinkState.CLOSED:
        raise NotNow("This campaign closed before the signature was confirmed; it does not count.", where=campaign.slug)
    if state is LinkState.WITHDRAWN:
        raise NotNow("This signature was withdrawn.", where=campaign.slug, advice=SIGN_AGAIN)
    if state is LinkState.INVALIDATED:
        raise NotNow("This signature is not counted.", where=campaign.slug)
