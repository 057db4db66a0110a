"""The mail of one step of a ladder: an organizer's words to a signer, with the way to their own letter below."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import CampaignFields, SignerFields
from outreach.domain.messages import Mailbox, Message
from outreach.domain.sentences import _
from outreach.languages import language as language_of

from .envelopes import feedback_id
from .mailings import Frame, MailingForm, Stop, stop_headers

if TYPE_CHECKING:
    from outreach.settings import Settings


def compose_step(
    form: MailingForm,
    signer: SignerFields,
    campaign: CampaignFields,
    *,
    settings: Settings,
    ref: str,
    attempt: int,
    to: Mailbox,
    slug: str,
    link: str,
    stop: Stop | None,
    now: datetime,
    language: str = "en",
    words_language: str = "",
    discreet: bool = False,
) -> Message:
    """`form` as the mail of delivery `ref`; `link` is the signer's own page.

    Around the organizer's words, which are in `words_language`, it speaks the signer's `language`.

    A `discreet` one has a subject that tells nothing.

    With `stop` it is news that its reader agreed to and can say no to; without, it is about their own letter.
    """
    written = form.write(signer, campaign)
    if discreet:
        written = replace(written, subject=language_of(language).say(_("About your letter")))
    frame = Frame.of(settings, campaign, language, words_language)
    text, html = frame.around("step", written, stop_url=stop.url if stop else "", link=link)
    about = feedback_id(settings, "" if discreet else slug, Stream.ACT)
    headers = [("Feedback-ID", about), ("Auto-Submitted", "auto-generated")]
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.NOTICE,
        stream=Stream.ACT,
        sender=Mailbox(frame.organisation, settings.act_from),
        to=to,
        reply_to=Mailbox(frame.organisation, settings.help_address),
        subject=written.subject,
        text=text,
        html=html,
        message_id=f"<s.{ref}.{attempt}@{settings.act_from.rpartition('@')[2]}>",
        date=now,
        headers=tuple(headers + (stop_headers(stop) if stop else [])),
    )
