"""Letters that wait because something is wrong with their signer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from outreach.domain.deliveries import UNSENT, MailClass, State
from outreach.models import Delivery, Signature

from .books import Books
from .enqueue import NO_CONTACT, WAITS_FOR_WAVE

#: The signer's own address takes no mail, so nobody could answer the letter; staff decide.
SIGNER_BOUNCED = "signer_bounced"


def hold_letters_of(books: Books, supporter_id: int, *, confirmed_before: datetime) -> int:
    """Hold what has not left of a signer whose mail came back, for staff to look at; how many were stopped.

    Letters that were confirmed later than the mail that came back are not held: the signer has read a mail since.
    """
    session = books.session
    signed = select(Signature.id).where(
        Signature.supporter_id == supporter_id, Signature.confirmed_at <= confirmed_before
    )
    mine = Delivery.signature_id.in_(signed) & (Delivery.mail_class == MailClass.LETTER)
    # Locked first: a worker that claims or gives back meanwhile would slip past the statements below.
    waiting = select(Delivery.id).where(mine & Delivery.state.in_(UNSENT))
    session.execute(waiting.order_by(Delivery.id).with_for_update())
    stopped = 0
    for state in (State.CLAIMED, State.QUEUED):
        stopped += len(books.move_where(mine & (Delivery.state == state), state, State.HELD, reason=SIGNER_BOUNCED))
    # What waits for a contact or a wave waits for staff as well, or that contact or wave would let it go.
    others = mine & (Delivery.state == State.HELD) & Delivery.reason.in_([NO_CONTACT, WAITS_FOR_WAVE])
    change = update(Delivery).where(others).values(reason=SIGNER_BOUNCED)
    session.execute(change.execution_options(synchronize_session=False))
    return stopped
