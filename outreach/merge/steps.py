"""The mail of one step of a ladder: an organizer's words to a signer, with the way to their own letter below."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import CampaignFields, SignerFields
from outreach.domain.messages import Mailbox, Message
from outreach.domain.words import short_line, wrap

from .envelopes import direction, feedback_id
from .mailings import MailingForm, Stop, stop_headers, template

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
) -> Message:
    """`form` as the mail of delivery `ref`; `link` is the signer's own page.

    With `stop` it is news that its reader agreed to and can say no to; without, it is about their own letter.
    """
    written = form.write(signer, campaign)
    organisation = short_line(campaign.organisation or settings.organisation, 60)
    values = {
        "subject": written.subject,
        "campaign": campaign.title,
        "link": link,
        "stop_url": stop.url if stop else "",
        "organisation": organisation,
        "postal_address": settings.postal_address,
        "help_address": settings.help_address,
        "language": language,
        "direction": direction(language),
    }
    closing = wrap(template("step.txt").render(values).strip())
    headers = [("Feedback-ID", feedback_id(settings, slug, Stream.ACT)), ("Auto-Submitted", "auto-generated")]
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.NOTICE,
        stream=Stream.ACT,
        sender=Mailbox(organisation, settings.act_from),
        to=to,
        reply_to=Mailbox(organisation, settings.help_address),
        subject=written.subject,
        text=f"{written.text}\n\n-- \n{closing}\n",
        # The body is ours: escaped by `as_html`, with links of the organizer's only.
        html=template("step.html").render(values, body=Markup(written.html)),  # noqa: S704
        message_id=f"<s.{ref}.{attempt}@{settings.act_from.rpartition('@')[2]}>",
        date=now,
        headers=tuple(headers + (stop_headers(stop) if stop else [])),
    )
