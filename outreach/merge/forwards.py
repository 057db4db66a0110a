"""An office's answer on its way to the signer: our own mail, in which the answer stands quoted as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from outreach.domain.automatic import LOOP_HEADER
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import Attachment, Mailbox, Message
from outreach.domain.words import short_line, wrapped_lines
from outreach.languages import language as language_of

from .envelopes import feedback_id
from .notices import templates_of

if TYPE_CHECKING:
    from outreach.settings import Settings

#: Characters of an answer that the mail quotes; the signer's own page has all of it.
_LONGEST_QUOTE = 20_000
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class AnswerFields:
    """An answer as it is passed on. `sender` is who says they wrote it, never an address; "" when it is not known."""

    target_label: str
    sender: str
    received_on: date
    text: str
    attachments: tuple[Attachment, ...] = ()
    left_out: tuple[str, ...] = ()  #: names of files that do not go along


def compose_forward(
    answer: AnswerFields,
    *,
    settings: Settings,
    ref: str,
    attempt: int,
    to: Mailbox,
    campaign: str,
    campaign_title: str,
    link: str,
    now: datetime,
    language: str = "en",
    discreet: bool = False,
) -> Message:
    """The answer as the mail of delivery `ref`; `campaign` is a slug, `link` the signer's own page.

    It is from us and answers to it come to us, so neither side learns the other's address. Of a `discreet` one,
    nothing that shows before it is opened tells what it is about.
    """
    values = {
        "answer": answer,
        "quote": answer.text[:_LONGEST_QUOTE].strip(),
        "is_cut": len(answer.text) > _LONGEST_QUOTE,
        "name": to.name,
        "campaign": campaign_title,
        "discreet": discreet,
        "link": link,
        "organisation": settings.organisation,
        "postal_address": settings.postal_address,
        "help_address": settings.help_address,
    }
    subject, text, html = (template.render(values) for template in templates_of("reply", language_of(language).code))
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.NOTICE,
        stream=Stream.ACT,
        sender=Mailbox(
            settings.organisation if discreet else _sender_name(answer.target_label, settings.organisation),
            settings.act_from,
        ),
        to=to,
        reply_to=Mailbox(settings.organisation, settings.help_address),
        subject=short_line(subject),
        text=_with_quote(text, str(values["quote"])),
        html=html,
        message_id=f"<r.{ref}.{attempt}@{settings.act_from.rpartition('@')[2]}>",
        date=now,
        headers=(
            ("Feedback-ID", feedback_id(settings, "" if discreet else campaign, Stream.ACT)),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            (LOOP_HEADER, settings.act_from.rpartition("@")[2]),
        ),
        attachments=answer.attachments,
    )


#: Where the templates leave room for the quotation: wrapping must not join its lines.
_ROOM = "\N{SYMBOL FOR UNIT SEPARATOR}"


def _with_quote(text: str, quote: str) -> str:
    before, _, after = text.partition(_ROOM)
    quoted = [f"> {piece}".rstrip() for lines in wrapped_lines(quote) for piece in lines.split("\n")] if quote else []
    return "\n".join([*wrapped_lines(before.strip()), "", *quoted, "", *wrapped_lines(after.strip()), ""])


def _sender_name(target_label: str, organisation: str) -> str:
    """ "Mayor Alex Rivera via Fair Streets", without what a reader could take for an address."""
    return short_line(f"{target_label} via {organisation}".translate(str.maketrans("@<>", "   ")), _LONGEST_NAME)
