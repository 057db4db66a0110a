"""Notices: mails to a signer about their own act. One folder of three templates each, ours and trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import first_name
from outreach.domain.messages import Mailbox, Message
from outreach.domain.words import short_line, wrap
from outreach.languages import language as language_of
from outreach.paths import folder

from .envelopes import feedback_id

if TYPE_CHECKING:
    from outreach.settings import Settings

#: Every notice, and what kind of delivery it is.
NOTICES = {"confirm": MailClass.CONFIRMATION, "receipt": MailClass.NOTICE}


@dataclass(frozen=True, slots=True)
class NoticeFields:
    """What a notice speaks of. `targets` are labels ("Mayor Alex Rivera"); `link` is the signer's own.

    Of a `discreet` one, nothing that shows before it is opened tells what it is about.
    """

    signer_name: str
    campaign_title: str
    targets: tuple[str, ...]
    link: str
    expires_on: date | None = None
    discreet: bool = False


def compose_notice(
    purpose: str,
    fields: NoticeFields,
    *,
    settings: Settings,
    ref: str,
    attempt: int,
    to: Mailbox,
    campaign: str,
    now: datetime,
    language: str = "en",
    unsubscribe_url: str = "",
    unsubscribe_mail: str = "",
) -> Message:
    """The notice `purpose` ("confirm", "receipt") as the mail of delivery `ref`; `campaign` is a slug.

    It speaks the signer's `language`, or English where we do not.

    With `unsubscribe_url` (and the address `unsubscribe_mail`) it carries List-Unsubscribe; a confirmation never does.
    """
    values = _values(fields, settings, unsubscribe_url)
    subject, text, html = (template.render(values) for template in templates_of(purpose, language_of(language).code))
    headers = [
        ("Feedback-ID", feedback_id(settings, "" if fields.discreet else campaign, Stream.ACT)),
        ("Auto-Submitted", "auto-generated"),
    ]
    if unsubscribe_url and purpose != "confirm":
        headers += _unsubscribe(settings, unsubscribe_url, unsubscribe_mail)
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=NOTICES[purpose],
        stream=Stream.ACT,
        sender=Mailbox(settings.organisation, settings.act_from),
        to=to,
        reply_to=Mailbox(settings.organisation, settings.help_address),
        subject=short_line(subject),
        text=wrap(text.strip()) + "\n",
        html=html,
        message_id=f"<n.{ref}.{attempt}@{settings.act_from.rpartition('@')[2]}>",
        date=now,
        headers=tuple(headers),
    )


def _values(fields: NoticeFields, settings: Settings, unsubscribe_url: str) -> dict[str, object]:
    return {
        "name": fields.signer_name,
        "first_name": first_name(fields.signer_name),
        "campaign": fields.campaign_title,
        "targets": fields.targets,
        "link": fields.link,
        "expires_on": fields.expires_on,
        "discreet": fields.discreet,
        "organisation": settings.organisation,
        "postal_address": settings.postal_address,
        "help_address": settings.help_address,
        "unsubscribe_url": unsubscribe_url,
    }


def _unsubscribe(settings: Settings, url: str, mail: str) -> list[tuple[str, str]]:
    ways = [f"<{url}>"] + ([f"<mailto:{mail}?subject=unsubscribe>"] if mail else [])
    domain = settings.act_from.rpartition("@")[2]
    headers = [("List-Unsubscribe", ", ".join(ways)), ("List-ID", f"Receipts <receipts.{domain}>")]
    if url.startswith("https://"):  # one click is defined for https only (RFC 8058)
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return headers


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates") / "notices"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    language_of(language).install(environment)
    return environment


@cache
def templates_of(purpose: str, language: str) -> tuple[Template, Template, Template]:
    """Subject, text and page of a notice, speaking the language of that code."""
    load = _environment(language).get_template
    return load(f"{purpose}/subject.txt"), load(f"{purpose}/body.txt"), load(f"{purpose}/body.html")
