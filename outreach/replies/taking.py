"""An answer is kept once, linked to its letter, and passed on if a person wrote it.

What cannot be kept is dropped without a word to its sender: an alias that nobody has must look like any other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.message import Message
from enum import StrEnum
from hashlib import sha256

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import outbox
from outreach.domain.automatic import kind_of
from outreach.domain.deliveries import GONE, MailClass, State
from outreach.domain.replies import ReplyKind
from outreach.errors import NotNow
from outreach.keys import hash_of
from outreach.models import Delivery, Reply, Signature, Supporter, insert_into, new_ref
from outreach.settings import Settings

from .reading import signs_of, words_of
from .tallying import tally

log = structlog.get_logger()


class Fate(StrEnum):
    """What became of a mail that came to an alias."""

    FORWARDED = "forwarded"  #: a person's answer, kept and passed on to the signer
    KEPT = "kept"  #: kept for staff; nobody is written to
    KNOWN = "known"  #: it came before
    DROPPED = "dropped"  #: nothing is kept but a count


def take(session: Session, mail: Message, octets: bytes, alias: str, *, settings: Settings, now: datetime) -> Fate:
    """Take the mail `octets`, read as `mail`, that came to `alias` (its local part). As often as it comes, once."""
    letter = session.scalar(select(Delivery).where(Delivery.reply_hash == hash_of(alias)).with_for_update())
    reason = "unknown_alias" if letter is None else _why_dropped(session, letter, settings, now)
    if letter is None or reason:
        tally(session, reason, now=now)
        return Fate.DROPPED
    reply = _keep(session, letter, mail, octets, now)
    if reply is None:
        return Fate.KNOWN
    if letter.state is State.IN_DOUBT:  # whoever answers has it
        with outbox.Books(session, now=now) as books:
            outbox.accept_evidence(session, books, [letter.id], now)
    log.info("reply_taken", reply=reply.id, delivery=letter.id, kind=reply.kind)
    if reply.kind is not ReplyKind.HUMAN:
        return Fate.KEPT
    letter.replied_at = letter.replied_at or now
    return Fate.FORWARDED if _forward(session, reply, settings, now) else Fate.KEPT


def pass_on(session: Session, reply: Reply, *, settings: Settings, now: datetime) -> None:
    """A person looked: what was taken for a machine's is somebody's answer. Its signer gets it after all.

    NotNow when the signer has it already, or when this letter's answers were forwarded as often as may be.
    """
    letter = session.get_one(Delivery, reply.delivery_id, with_for_update=True)
    session.refresh(reply)
    if reply.forward_id is not None:
        raise NotNow("The signer has this answer already.")
    if reply.kind not in (ReplyKind.HUMAN, ReplyKind.ACKNOWLEDGEMENT, ReplyKind.AUTO_REPLY):
        raise NotNow("This is a mail server’s report, and no answer.")
    reply.kind = ReplyKind.HUMAN
    letter.replied_at = letter.replied_at or reply.received_at
    if not _forward(session, reply, settings, now):
        raise NotNow("This letter’s answers were forwarded as often as may be (OUTREACH_FORWARDS_PER_LETTER).")


def _why_dropped(session: Session, letter: Delivery, settings: Settings, now: datetime) -> str:
    """The kind it is tallied as, or "" for an answer to be kept."""
    left_at = letter.accepted_at or letter.doubt_since or letter.created_at
    if letter.state not in GONE and not letter.maybe_sent:  # nobody can have its alias
        return "never_left"
    if left_at + timedelta(days=settings.reply_days) < now:
        return "expired_alias"
    if session.scalar(select(Supporter.erased_at).where(Supporter.id == letter.supporter_id)) is not None:
        return "erased_signer"
    today = select(func.count()).where(Reply.delivery_id == letter.id, Reply.received_at > now - timedelta(days=1))
    return "over_quota" if (session.scalar(today) or 0) >= settings.replies_per_day else ""


def _keep(session: Session, letter: Delivery, mail: Message, octets: bytes, now: datetime) -> Reply | None:
    """The new row, or None when this mail was taken before."""
    assert letter.signature_id is not None  # noqa: S101 (every letter has one; the table says so)
    signature = session.get_one(Signature, letter.signature_id)
    words = words_of(mail)
    # The original below the answer is the letter itself, which is not kept where being named may harm.
    rest = {"quoted": "", "raw": None} if signature.high_risk else {"quoted": words.quoted, "raw": octets}
    added = session.scalar(
        insert_into(session, Reply)
        .values(
            ref=new_ref(),
            digest=_digest(letter, mail, octets),
            delivery_id=letter.id,
            signature_id=signature.id,
            campaign_id=letter.campaign_id,
            kind=kind_of(signs_of(mail), words.subject, words.written),
            subject=words.subject,
            text=words.written,
            received_at=now,
            share_state="private",
            share_text="",
            decided_by="",
            **rest,
        )
        .on_conflict_do_nothing(index_elements=["digest"])
        .returning(Reply.id)
    )
    return session.get_one(Reply, added) if added is not None else None


def _digest(letter: Delivery, mail: Message, octets: bytes) -> str:
    """The same for the same mail, whether it comes whole or taken apart, and by whatever way."""
    told = str(mail.get("Message-ID", "")).strip().encode("utf-8", "replace")
    return sha256(b"\0".join((letter.ref.encode(), told or sha256(octets).digest()))).hexdigest()


def _forward(session: Session, reply: Reply, settings: Settings, now: datetime) -> bool:
    """Put a notice of it into the outbox, unless the letter's forwards are used up."""
    used = select(func.count()).where(Reply.delivery_id == reply.delivery_id, Reply.forward_id.is_not(None))
    if (session.scalar(used) or 0) >= settings.forwards_per_letter:
        return False
    signature = session.get_one(Signature, reply.signature_id)
    purpose = f"reply:{reply.id}"
    reply.forward_id = outbox.enqueue_notice(session, signature, purpose, mail_class=MailClass.NOTICE, now=now)
    session.flush()
    return reply.forward_id is not None
