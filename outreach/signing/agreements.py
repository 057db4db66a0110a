"""The consent ledger: what a signer agreed to, in the exact words they were shown. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.consents import said, said_anew
from outreach.domain.consents import Purpose, wording
from outreach.domain.sentences import Sentence
from outreach.languages import language
from outreach.models import Consent, Signature

from .forms import Signer
from .letters import CampaignLetters
from .standing import standing_signatures


def asked(letters: CampaignLetters, *, organisation: str, answers_directly: bool = False) -> Mapping[Purpose, Sentence]:
    """The sentence for each purpose: the sign form says it in the signer's language, and so `keep` writes it down.

    `organisation` is the engine's own name, for a campaign without a lead sponsor. Only where the campaign's targets
    answer its signers directly is anybody asked for their address.
    """
    asker = letters.fields.organisation or organisation
    purposes = [purpose for purpose in Purpose if purpose is not Purpose.SHARE_ADDRESS or answers_directly]
    return {purpose: wording(purpose, organisation=asker, targets=letters.labels) for purpose in purposes}


def keep(
    session: Session,
    signature: Signature,
    signer: Signer,
    sentences: Mapping[Purpose, Sentence],
    *,
    now: datetime,
    is_first: bool = False,
) -> None:
    """Write down what this form agreed to, where the ledger does not say so already.

    An unticked box is written down only if it was ticked before: it is a withdrawal then. `is_first` says that
    nothing of this supporter can be in the ledger yet.
    """
    standing = {} if is_first else _standing(session, signature)
    ticked = {
        Purpose.DELIVER_LETTER: True,
        Purpose.UPDATES: signer.updates,
        Purpose.SHOW_NAME: signer.show_name,
        Purpose.SHARE_ADDRESS: signer.share_address,
    }
    for purpose, words in sentences.items():
        last, given, sentence = standing.get(purpose), ticked[purpose], language(signer.language).say(words)
        if given and not (last and last.given and last.wording == sentence):
            session.add(said(signature, purpose, sentence, given=True, source=signer.source, at=now))
        elif not given and last and last.given:
            session.add(said(signature, purpose, last.wording, given=False, source=signer.source, at=now))


def end(session: Session, signature: Signature, *, source: str, now: datetime) -> None:
    """Withdraw everything that was agreed to with this campaign: one new entry each.

    The ledger knows addresses: as long as somebody else of the household stands, what they agreed to stays.
    """
    mine = standing_signatures(session, signature.campaign_id, signature.supporter_id)
    if any(other.id != signature.id for other in mine):
        return
    for purpose, last in _standing(session, signature).items():
        if last.given:
            session.add(said(signature, purpose, last.wording, given=False, source=source, at=now))


def answer_anew(
    session: Session, signature: Signature, purpose: Purpose, *, given: bool, source: str, now: datetime
) -> None:
    """One more answer to what was asked before, the other way or again. Nothing for what was never asked."""
    last = _standing(session, signature).get(purpose)
    if last is not None and last.given != given:
        session.add(said_anew(last, given=given, source=source, at=now))


def given_for(session: Session, signature: Signature) -> frozenset[str]:
    """The purposes this signer's last word on the campaign is yes to."""
    return frozenset(purpose for purpose, last in _standing(session, signature).items() if last.given)


def _standing(session: Session, signature: Signature) -> dict[str, Consent]:
    """The last entry for each purpose of this supporter and campaign."""
    entries: Iterable[Consent] = session.scalars(
        select(Consent)
        .where(Consent.supporter_id == signature.supporter_id, Consent.campaign_id == signature.campaign_id)
        .order_by(Consent.at, Consent.id)
    )
    return {entry.purpose: entry for entry in entries}
