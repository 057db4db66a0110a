"""What a signer is mailed of an answer: its words and the files that may go along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.enclosures import Enclosed
from outreach.domain.mails import Unreadable, read_mail
from outreach.merge import AnswerFields
from outreach.models import Delivery, Reply, Target
from outreach.signing import target_label

from .reading import enclosures_of, sender_of

#: A notice's `purpose` begins with it; the reply's id follows.
_PURPOSE = "reply:"


def forwards_of(session: Session, purposes: Iterable[str]) -> Mapping[str, AnswerFields]:
    """By a notice's purpose ("reply:7"), the answer it passes on. Made one by one: a mail may be large."""
    wanted = [int(purpose.removeprefix(_PURPOSE)) for purpose in purposes if purpose.startswith(_PURPOSE)]
    return {f"{_PURPOSE}{id_}": _fields(session, id_) for id_ in wanted}


def _fields(session: Session, reply_id: int) -> AnswerFields:
    reply, target, raw = session.execute(
        select(Reply, Target, Reply.raw)
        .join(Delivery, Delivery.id == Reply.delivery_id)
        .join(Target, Target.id == Delivery.target_id)
        .where(Reply.id == reply_id)
    ).one()
    enclosed, sender = _enclosed(raw)
    return AnswerFields(
        target_label=target_label(target),
        sender=sender,
        received_on=reply.received_at.date(),
        text=reply.text,
        attachments=tuple(enclosed.attachments),
        left_out=tuple(enclosed.left_out),
    )


def _enclosed(raw: bytes | None) -> tuple[Enclosed, str]:
    """The files that may go along, and who says they wrote it: a name and a mail domain, never an address."""
    enclosed = Enclosed()
    if raw is None:
        return enclosed, ""
    try:
        mail = read_mail(raw)
    except Unreadable:
        return enclosed, ""
    for file in enclosures_of(mail):
        enclosed.offer(file.name, file.kind, file.content)
    name, address = sender_of(mail)
    shown = [part for part in (name, address.rpartition("@")[2]) if part and "@" not in part]
    return enclosed, ", ".join(shown)
