"""Messages to hand to transports, made of plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import Mailbox, Message, Straight

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


def update(number: int, *, name: str = "", **changes: Any) -> Message:
    """A mailing to reader `number`, fit to share a request with its neighbours."""
    name = name or f"Reader {number}"
    values = {"-oe_name-": name, "-oe_stop-": f"https://act.example.org/u/{number:040}"}
    skeleton = ("News for -oe_name-", "Dear -oe_name-,\n\nread on.\n\n-- \nNo more: -oe_stop-\n", "<p>-oe_name-</p>")
    subject, text, html = (_filled(part, values) for part in skeleton)
    made = Message(
        delivery=f"m-{number}",
        attempt=1,
        mail_class=MailClass.MAILING,
        stream=Stream.NEWS,
        sender=Mailbox("Outreach", "news@news.example.org"),
        to=Mailbox(name, f"reader-{number}@example.org"),
        reply_to=Mailbox("Outreach", "help@example.org"),
        subject=subject,
        text=text,
        html=html,
        message_id=f"<m.m-{number}.1@news.example.org>",
        date=datetime(2026, 3, 2, 12, tzinfo=UTC),
        headers=(("List-Unsubscribe", f"<{values['-oe_stop-']}>"),),
        straight=Straight("wave-1", *skeleton, tuple(sorted(values.items()))),
    )
    return replace(made, **changes)


def _filled(text: str, values: dict[str, str]) -> str:
    for tag, value in values.items():
        text = text.replace(tag, value)
    return text
