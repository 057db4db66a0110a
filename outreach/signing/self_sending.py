"""A signer says they sent a letter themselves: it counts as nothing we delivered, and stops ours to that target."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.deliveries import UNSENT
from outreach.domain.own_mail import Way
from outreach.domain.sentences import _
from outreach.errors import NotFound, NotNow
from outreach.models import SelfSend, SignatureState
from outreach.outbox.enqueue import SELF_SENT

from . import links
from .confirm import lock_signature


def self_sent(session: Session, token: str, target_id: int, way: Way, *, now: datetime) -> bool:
    """Note that the signer sent their letter to this target. Whether ours was stopped; False when it had left.

    A second time changes nothing. NotFound for a target the signature does not write to; NotNow once it is withdrawn.
    """
    signature = lock_signature(session, links.find(session, token, links.RECEIPT))
    if signature.state is not SignatureState.CONFIRMED:
        raise NotNow(_("This signature was withdrawn."))
    letters = outbox.lock_letters(session, signature.id)
    letter = next((each for each in letters if each.target_id == target_id), None)
    if letter is None:
        raise NotFound
    if session.get(SelfSend, (signature.id, target_id)) is None:
        session.add(SelfSend(signature_id=signature.id, target_id=target_id, way=way, at=now))
    if letter.state in UNSENT:
        outbox.cancel(session, letter.ref, reason=SELF_SENT, actor="signer", now=now)
        return not letter.maybe_sent
    return False
