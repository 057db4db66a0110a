"""A letter as a mail: who it is from, where answers go, and the lines that say who sent it.

The From address is always ours and never changes: a signer stands in the display name and receives the answers. What
is the same for every letter of a campaign is worked out once, in the `Envelope`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import date_in_words
from outreach.domain.messages import SIGNATURE_MARK, Mailbox, Message
from outreach.domain.words import clean_name, short_line, wrapped_lines
from outreach.errors import BadInput
from outreach.languages import direction
from outreach.paths import folder

from .letters import Letter, as_html

if TYPE_CHECKING:
    from outreach.settings import Settings

#: Characters of an organisation's name in "Jane Doe via …".
_NAME_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same on every letter of one campaign. Make it once per batch with `Envelope.of`."""

    organisation: str
    from_address: str
    domain: str  #: of `from_address`, for Message-IDs
    reply_domain: str
    closing: str  #: the last lines under a letter: who to ask, and where we are
    headers: tuple[tuple[str, str], ...]
    frame: tuple[str, str, str, str]  #: HTML around subject, letter and sender

    @classmethod
    def of(cls, settings: Settings, *, campaign: str, organisation: str = "", language: str = "en") -> Envelope:
        """The envelope of `campaign` (its slug). `organisation` is who letters go "via"; the settings' by default."""
        name = short_line(organisation or settings.organisation, _NAME_LIMIT)
        place = f"\n{name}, {settings.postal_address}" if settings.postal_address else ""
        return cls(
            organisation=name,
            from_address=settings.letters_from,
            domain=settings.letters_from.rpartition("@")[2],
            reply_domain=settings.reply_domain,
            closing=f"Questions about these letters, or no more of them: {settings.help_address}{place}",
            headers=(("Feedback-ID", feedback_id(settings, campaign, Stream.LETTERS)),),
            frame=_frame(language),
        )


def compose_letter(
    letter: Letter,
    envelope: Envelope,
    *,
    ref: str,
    attempt: int,
    to: Mailbox,
    signer_name: str,
    confirmed_on: date,
    alias: str,
    now: datetime,
    signer_city: str = "",
    signer_address: str = "",
) -> Message:
    """`letter` as the mail of delivery `ref`. Answers go to `alias`, a local part at the reply domain.

    With `signer_address`, which is given only for who agreed to it, they go straight to the signer instead.

    `letter_hash` of the message is that of the letter: what is added stands below the signature mark.
    """
    name = header_name(signer_name)
    who = f"{name}, {signer_city}," if signer_city else name
    sender = (
        f"Sent by {who} through {envelope.organisation}. The letter and the sender's mail address were confirmed on "
        f"{date_in_words(confirmed_on)}. To answer {name}, reply to this mail.\n{envelope.closing}"
    )
    lines = wrapped_lines(sender)
    before, between, after, end = envelope.frame
    html = f"{before}{escape(letter.subject, quote=False)}{between}{letter.html}{after}{as_html(lines)}{end}"
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.LETTER,
        stream=Stream.LETTERS,
        sender=Mailbox(f"{name} via {envelope.organisation}", envelope.from_address),
        to=to,
        reply_to=Mailbox(name, signer_address or f"{alias}@{envelope.reply_domain}"),
        subject=letter.subject,
        text="\n".join((letter.text, SIGNATURE_MARK + lines[0], *lines[1:], "")),
        html=html,
        message_id=f"<l.{ref}.{attempt}@{envelope.domain}>",
        date=now,
        headers=envelope.headers,
    )


def letter_in(message: Message, envelope: Envelope) -> Letter:
    """The letter that `compose_letter` put into a mail."""
    _, between, after, _ = envelope.frame
    text = message.text.rpartition(SIGNATURE_MARK)[0].rstrip("\n")
    return Letter(message.subject, text, message.html.partition(between)[2].rpartition(after)[0])


def header_name(name: str) -> str:
    """`name`, certain to be fit for a header. BadInput when it is not, however it got into the database."""
    if name.isprintable() and not any(sign in name for sign in "@<>") and "=?" not in name:
        return name
    try:
        return clean_name(name)
    except ValueError as error:
        raise BadInput(str(error), where="signer name") from None


def feedback_id(settings: Settings, campaign: str, stream: Stream) -> str:
    """`Feedback-ID`: campaign, stream and sender, the same for every recipient."""
    label = re.sub(r"[^a-z0-9-]+", "-", campaign.lower()).strip("-")[:40] or "all"
    sender = re.sub(r"[^a-z0-9]", "", settings.organisation.lower())[:15]
    if len(sender) < 5:
        sender = "oe" + sha256(settings.mail_domain.encode()).hexdigest()[:10]
    return f"campaign-{label}:{stream}:{sender}"


@cache
def _frame(language: str) -> tuple[str, str, str, str]:
    page = (folder("templates") / "letters" / "letter.html").read_text("utf-8")
    page = page.replace("{{ language }}", escape(language)).replace("{{ direction }}", direction(language))
    before, between, after, end = re.split(r"\{\{ (?:subject|letter|sender) \}\}", page)
    return before, between, after, end
