"""A message to hand to transports, made of plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import Mailbox, Message

LETTER = Message(
    delivery="d-1",
    attempt=1,
    mail_class=MailClass.LETTER,
    stream=Stream.LETTERS,
    sender=Mailbox("Jane Doe via Outreach", "letters@letters.example.org"),
    to=Mailbox("The Secretary", "secretary@example.com"),
    reply_to=Mailbox("Jane Doe", "r-mzxw6ytboi2s4z3p@replies.example.org"),
    subject="Please keep families together",
    text="Dear Secretary,\n\nplease act.\n\n-- \nSent for Jane Doe\n",
    html="<p>Dear Secretary,</p>\n<p>please act.</p>\n",
    message_id="<d-1.1@letters.example.org>",
    date=datetime(2026, 3, 2, 12, tzinfo=UTC),
    headers=(("Feedback-ID", "c1:letters:outreach"),),
)


def letter(**changes: Any) -> Message:
    """A letter with some of its parts changed."""
    return replace(LETTER, **changes)
