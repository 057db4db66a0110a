"""An answer on the campaign's page: its signer asks for it, an organizer decides, and either can take it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.consents import agreed, said
from outreach.domain.letters import first_name
from outreach.domain.replies import ReplyKind, ShareState
from outreach.domain.sentences import _
from outreach.domain.words import clean_words
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import Delivery, Reply, Signature, SignatureState, Target
from outreach.signing import target_label
from outreach.signing.links import RECEIPT
from outreach.signing.links import find as find_link

#: What the ledger keeps of the wish, as the button says it.
_PURPOSE = "share_reply"
_WORDING = _("Show this answer on the campaign’s page")

_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer on a campaign's page. `signer` is a first name, or "" without the consent to show it."""

    target_label: str
    text: str
    received_at: datetime
    signer: str


def ask_to_share(session: Session, token: str, ref: str, *, now: datetime) -> None:
    """The signer wants the answer shown. A second time changes nothing.

    NotFound for a link or an answer that is not theirs; NotNow for one that no person wrote.
    """
    reply, signature = _own(session, token, ref)
    if reply.kind is not ReplyKind.HUMAN or signature.state is not SignatureState.CONFIRMED:
        raise NotNow(_("This answer cannot be shared."))
    if reply.share_state is ShareState.PRIVATE:
        reply.share_state = ShareState.ASKED
        session.add(said(signature, _PURPOSE, _WORDING, given=True, source="link", at=now))


def keep_private(session: Session, token: str, ref: str, *, now: datetime) -> None:
    """The signer does not want it shown, or no longer: it is off the page at once."""
    reply, signature = _own(session, token, ref)
    if reply.share_state in (ShareState.ASKED, ShareState.SHOWN):
        reply.share_state, reply.share_text = ShareState.PRIVATE, ""
        session.add(said(signature, _PURPOSE, _WORDING, given=False, source="link", at=now))


def approve(session: Session, reply: Reply, excerpt: str, *, actor: str, now: datetime) -> None:
    """Show `excerpt` on the campaign's page. BadInput for none or too long a one; NotNow when nobody asks for it."""
    try:
        text = clean_words(excerpt)
    except ValueError as error:
        raise BadInput(str(error).replace("Your own words", "The excerpt"), where="excerpt") from None
    if not text:
        raise BadInput("Leave the words that the page is to show.", where="excerpt")
    _decide(session, reply, ShareState.SHOWN, text, {}, actor=actor, now=now)


def refuse(session: Session, reply: Reply, reason: str, *, actor: str, now: datetime) -> None:
    """Do not show it, or no longer. `reason` goes to the audit log. NotNow when nobody asks for it."""
    if not reason.strip():
        raise BadInput("Say why. It is kept in the audit log.", where="reason")
    _decide(session, reply, ShareState.REFUSED, "", {"reason": reason.strip()[:200]}, actor=actor, now=now)


def wall(session: Session, campaign_id: int, *, limit: int = _MOST_SHOWN) -> tuple[Shown, ...]:
    """The answers that the campaign's page shows, the newest first."""
    rows = session.execute(
        select(Reply, Signature, Target, agreed(Signature.supporter_id, Reply.campaign_id, "show_name").label("named"))
        .join(Signature, Signature.id == Reply.signature_id)
        .join(Delivery, Delivery.id == Reply.delivery_id)
        .join(Target, Target.id == Delivery.target_id)
        .where(
            Reply.campaign_id == campaign_id,
            Reply.share_state == ShareState.SHOWN,
            Reply.share_text != "",
            Signature.is_counted,
        )
        .order_by(Reply.received_at.desc(), Reply.id.desc())
        .limit(limit)
    )
    return tuple(
        Shown(
            target_label(row.Target),
            row.Reply.share_text,
            row.Reply.received_at,
            first_name(row.Signature.name) if row.named and not row.Signature.high_risk else "",
        )
        for row in rows
    )


def _own(session: Session, token: str, ref: str) -> tuple[Reply, Signature]:
    link = find_link(session, token, RECEIPT)
    mine = select(Reply).where(Reply.ref == ref, Reply.signature_id == link.signature_id).with_for_update()
    reply = session.scalar(mine)
    if reply is None:
        raise NotFound(_("There is no such answer."))
    return reply, session.get_one(Signature, reply.signature_id)


def _decide(
    session: Session, reply: Reply, state: ShareState, text: str, told: dict[str, str], *, actor: str, now: datetime
) -> None:
    session.refresh(reply, with_for_update=True)
    if reply.share_state is ShareState.PRIVATE:
        raise NotNow("The signer does not want this answer shown.")
    before = {"share": reply.share_state}
    reply.share_state, reply.share_text = state, text
    reply.decided_by, reply.decided_at = actor, now
    verb = "reply.show" if state is ShareState.SHOWN else "reply.refuse"
    audit_log.note(session, actor, verb, f"reply:{reply.ref}", before, {"share": state, **told}, now=now)
