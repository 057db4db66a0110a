"""Signing: one transaction writes the signature, its confirmation mail and the hash of the link in it.

The answer is the same for a new signer, one who waits, one who confirmed long ago and one who must not be written
to: whoever fills in the form with somebody else's address learns nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.addresses import address_key
from outreach.domain.deliveries import MailClass
from outreach.domain.sentences import _
from outreach.domain.suspects import UNMAILED
from outreach.errors import BadSignature, BadTemplate, NotFound, NotNow
from outreach.keys import Keys
from outreach.models import (
    Campaign,
    CampaignState,
    Delivery,
    Signature,
    SignatureState,
    Supporter,
    new_ref,
)
from outreach.settings import Settings
from outreach.suppression import is_suppressed

from . import agreements, doubts, links
from .doubts import Arrival
from .forms import Signer, SignForm, check
from .letters import CampaignLetters, Shown, seal_words, text_hash
from .risk import careful
from .standing import household_key, own_among, standing_signatures
from .supporters import find_or_make

log = structlog.get_logger()

_DAY = timedelta(hours=24)
#: Whoever presses the button twice wants one mail.
_BETWEEN_MAILS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """The answer to every sign form that could be read. Nothing in it depends on who signed before."""

    campaign_slug: str
    campaign_title: str
    address: str  #: as typed, for "we sent a link to …"


def sign(
    session: Session,
    slug: str,
    form: SignForm,
    *,
    keys: Keys,
    settings: Settings,
    now: datetime,
    arrival: Arrival = Arrival(),  # noqa: B008 (frozen)
) -> Signed:
    """Take a signature, pending until its link is used; set aside if something about it or its `arrival` is suspect.

    BadSignature names every wrong field; NotFound and NotNow say that the campaign cannot be signed. A signer who
    already waits gets the changed words taken over and a new link, as often as one address may be written to.
    """
    campaign = open_campaign(session, slug)
    letters = CampaignLetters.load(session, campaign)
    signer = within(campaign, letters, check(form, needs_postal_code=campaign.needs_postal_code))
    hash_ = text_hash(write(letters, signer))
    answer = Signed(campaign.slug, campaign.title, form.email.strip())
    key = address_key(signer.email)
    if is_suppressed(session, keys.address_hash(key), scopes=("all", f"campaign:{campaign.id}")):
        log.info("sign_form_set_aside", campaign=campaign.id)
        return answer
    supporter, is_new = find_or_make(session, signer.email, key, keys=keys, now=now)
    standing = [] if is_new else standing_signatures(session, campaign.id, supporter.id)
    signature = own_among(standing, campaign, signer.name)
    if signature is not None and signature.state is SignatureState.CONFIRMED:
        return answer
    sentences = agreements.asked(
        letters, organisation=settings.organisation, answers_directly=campaign.answers_directly
    )
    today = 0 if is_new else confirmations_today(session, [supporter.id], now)[supporter.id]
    has_room = today < settings.confirmations_per_day and arrival.suspicion not in UNMAILED
    given = {**signer.columns, "text_hash": hash_}
    is_first = signature is None
    if signature is None:
        seen = {
            "household_key": household_key(campaign, signer.name),
            "network": "" if signer.high_risk else arrival.network,
            "suspect": doubts.of_new(session, letters, supporter, signer.name, arrival=arrival, standing=standing),
        }
        signature = _new(session, campaign, supporter, signer.source, given | seen, now)
    elif _has_all(signature, given) and just_written_to(session, signature, now):
        agreements.keep(session, signature, signer, sentences, now=now)  # a box needs no new mail
        return answer
    elif not has_room:
        # The last link that was mailed stays open for the words it was mailed with. Taking other words now would
        # leave the signer with a dead link and no mail to replace it.
        return answer
    if has_room and not _ask(session, signature, is_first=is_first, now=now):
        return answer
    if signature.name != signer.name:
        signature.suspect = signature.suspect or doubts.of_likeness(session, letters, supporter, signer.name)
    for column, value in given.items():
        setattr(signature, column, value)
    seal_words(session, campaign, now=now)
    agreements.keep(session, signature, signer, sentences, is_first=is_new, now=now)
    links.issue_confirm(session, signature, keys=keys, is_first=is_first, now=now)
    session.flush()
    log.info("signed", campaign=campaign.id, signature=signature.id, asked=has_room)
    return answer


def preview(session: Session, slug: str, form: SignForm) -> list[Shown]:
    """The letters that the form would send, word for word, without signing. Raises what `sign` would raise."""
    campaign = open_campaign(session, slug)
    letters = CampaignLetters.load(session, campaign)
    return write(letters, within(campaign, letters, check(form, needs_postal_code=campaign.needs_postal_code)))


def open_campaign(session: Session, slug: str) -> Campaign:
    """The published campaign of that name; NotFound for a draft, NotNow once it is closed."""
    campaign = session.scalar(select(Campaign).where(Campaign.slug == slug))
    if campaign is None or campaign.state is CampaignState.DRAFT:
        raise NotFound(_("There is no such campaign."), where=slug)
    if campaign.state is CampaignState.CLOSED:
        raise NotNow(_("This campaign has closed; it takes no more signatures."), where=slug)
    return campaign


def confirmations_today(session: Session, supporter_ids: Sequence[int], now: datetime) -> Counter[int]:
    """Confirmation mails of the last 24 hours to each of these supporters, over all campaigns."""
    # By way of the signatures: they have an index on the supporter, deliveries one on the signature.
    rows = session.execute(
        select(Signature.supporter_id, func.count())
        .join(Delivery, Delivery.signature_id == Signature.id)
        .where(
            Signature.supporter_id.in_(supporter_ids),
            Delivery.mail_class == MailClass.CONFIRMATION,
            Delivery.created_at > now - _DAY,
        )
        .group_by(Signature.supporter_id)
    )
    return Counter(dict(rows.all()))


def within(campaign: Campaign, letters: CampaignLetters, signer: Signer) -> Signer:
    """The form without what this campaign does not let its signers write."""
    subject = signer.subject if campaign.edit_subject else ""
    body = signer.body if campaign.edit_body else ""
    as_it_is = letters.open_part(replace(signer.fields, own_words="")) if body else ""
    if as_it_is in ("", body):  # nothing is open, or nothing was changed
        body = ""
    return careful(campaign, replace(signer, subject=subject, body=body))


def write(letters: CampaignLetters, signer: Signer) -> list[Shown]:
    """The letters over this signer's name; BadSignature when their own words make one too long."""
    try:
        return letters.write(signer.fields)
    except BadTemplate:
        if not (signer.own_words or signer.body):
            raise
        field = "body" if signer.body else "own_words"
        raise BadSignature({field: _("With these words the letter becomes too long. Shorten them.")}) from None


def _new(
    session: Session,
    campaign: Campaign,
    supporter: Supporter,
    source: str,
    given: Mapping[str, str | bool],
    now: datetime,
) -> Signature:
    signature = Signature(
        ref=new_ref(),
        campaign_id=campaign.id,
        supporter_id=supporter.id,
        state=SignatureState.PENDING,
        source=source,
        created_at=now,
        **given,
    )
    session.add(signature)
    session.flush()
    return signature


def _has_all(signature: Signature, given: Mapping[str, str | bool]) -> bool:
    return all(getattr(signature, column) == value for column, value in given.items())


def _ask(session: Session, signature: Signature, *, is_first: bool, now: datetime) -> bool:
    """Queue a confirmation mail. False when the signature has had all it may have."""
    asking = outbox.enqueue_notice(
        session, signature, links.CONFIRM, mail_class=MailClass.CONFIRMATION, is_first=is_first, now=now
    )
    return asking is not None


def just_written_to(session: Session, signature: Signature, now: datetime) -> bool:
    """Whether its confirmation was mailed within the last minute."""
    last = session.scalar(
        select(func.max(Delivery.created_at)).where(
            Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.CONFIRMATION
        )
    )
    return last is not None and last > now - _BETWEEN_MAILS
