"""Taking back: the signature, as long as there is something to take back, and the name in public."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import GONE, State
from outreach.domain.sentences import _
from outreach.errors import NotNow
from outreach.keys import Keys
from outreach.models import Signature, SignatureState, Supporter

from . import agreements, links
from .confirm import letter_states, lock_signature

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many letters were called off, and how many had left or may have left."""

    cancelled: int
    too_late: int


def withdraw(session: Session, token: str, *, keys: Keys, now: datetime) -> Withdrawn:
    """Take the signature back and call off every letter that has not left; a second time changes nothing.

    NotFound for a link that was never sent; NotNow for a signature that never counted.
    """
    link = links.find(session, token, links.RECEIPT)
    signature = lock_signature(session, link)
    if signature.state is SignatureState.CONFIRMED:
        signature.state = SignatureState.WITHDRAWN
        signature.withdrawn_at = now
        called_off = outbox.cancel_letters(session, signature.id, reason="withdrawn", now=now, actor="signer")
        links.void_confirms(session, signature, now=now)
        agreements.end(session, signature, source="link", now=now)
        session.flush()
        log.info("withdrawn", signature=signature.id, too_late=called_off.too_late)
    elif signature.state is not SignatureState.WITHDRAWN:
        raise NotNow(_("There is nothing to withdraw."))
    return _outcome(session, signature)


def show_name(session: Session, token: str, *, shown: bool, now: datetime) -> None:
    """Whether the signer's first name may stand in public from now on. Only what was agreed to can be shown again."""
    signature = lock_signature(session, links.find(session, token, links.RECEIPT))
    if signature.state is not SignatureState.CONFIRMED:
        raise NotNow(_("This signature was withdrawn."))
    agreements.answer_anew(session, signature, Purpose.SHOW_NAME, given=shown, source="link", now=now)


def whose(session: Session, token: str) -> tuple[str, int]:
    """Whose page this is: the keyed hash of their address, and the supporter's id."""
    signature = session.get_one(Signature, links.find(session, token, links.RECEIPT).signature_id)
    return session.get_one(Supporter, signature.supporter_id).address_hash, signature.supporter_id


def _outcome(session: Session, signature: Signature) -> Withdrawn:
    states = letter_states(session, signature)
    return Withdrawn(cancelled=states.count(State.CANCELLED), too_late=sum(state in GONE for state in states))
