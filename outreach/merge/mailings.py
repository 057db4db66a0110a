"""Mailings: what an organizer writes to many signers at once, and the steps of a ladder.

A mailing may name the signer and the campaign, nothing else. One that uses no conditions on its readers is *straight*:
its mails differ in plain values only, and a provider that can carries hundreds of them in one request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes, select_autoescape
from jinja2.exceptions import TemplateError
from markupsafe import Markup

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import CampaignFields, SignerFields
from outreach.domain.messages import Mailbox, Message, Straight
from outreach.domain.words import short_line, wrap, wrapped_lines
from outreach.errors import BadTemplate
from outreach.paths import folder

from .envelopes import direction, feedback_id
from .grammar import ENVIRONMENT, fields_in, parse
from .letters import Letter, as_html, tidy

if TYPE_CHECKING:
    from outreach.settings import Settings

PARTS = ("mailing subject", "mailing body")
#: Characters of a finished mailing.
TEXT_LIMIT = 20_000

#: What a mailing may name: its readers are signers, and no letter of theirs is being written.
SIGNER_FIELDS = ("signer.name", "signer.first_name", "signer.city", "signer.postal_code")
CAMPAIGN_FIELDS = ("campaign.title", "campaign.organisation", "demands")
#: Stands in a straight mailing where a value goes. Nothing that signers may type looks like it.
_TAG = re.compile(r"-oe_[a-z_]+-")
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


@dataclass(frozen=True, slots=True)
class Stop:
    """How a reader says no: the page, the mail address, and the list as receivers know it."""

    url: str
    address: str
    list_id: str


class MailingForm:
    """One mailing, ready to be written out. Make it once and keep it; threads may share it.

    Raises BadTemplate, naming part and line, for what a mailing may not hold.
    """

    def __init__(self, subject: str, body: str) -> None:
        trees = [parse(part, source) for part, source in zip(PARTS, (subject, body), strict=True)]
        for part, tree in zip(PARTS, trees, strict=True):
            for field in sorted(fields_in(tree) - {*SIGNER_FIELDS, *CAMPAIGN_FIELDS}):
                raise BadTemplate(
                    f"“{field}” has no meaning in a mailing: it goes to signers, and no target is written to.",
                    where=part,
                    advice=f"A mailing may use {', '.join((*SIGNER_FIELDS, *CAMPAIGN_FIELDS))}.",
                )
        if not trees[1].body:
            raise BadTemplate("The mailing has no text.", where=PARTS[1], advice="Write what its readers should know.")
        self.is_straight = all(_is_straight(tree) for tree in trees)
        self._links = _links_in(body)
        self._subject, self._body = (ENVIRONMENT.from_string(tree) for tree in trees)

    def write(self, signer: SignerFields, campaign: CampaignFields) -> Letter:
        """The mailing to one signer. BadTemplate if it comes out empty or too long."""
        return self._write(
            {
                "signer_name": signer.name,
                "signer_first_name": signer.first_name,
                "signer_city": signer.city,
                "signer_postal_code": signer.postal_code,
            },
            campaign,
        )

    def skeleton(self, campaign: CampaignFields) -> Letter:
        """A straight mailing with a tag wherever a signer's value goes."""
        return self._write({_flat(field): _tag(field) for field in SIGNER_FIELDS}, campaign)

    def _write(self, signer: Mapping[str, str], campaign: CampaignFields) -> Letter:
        values: dict[str, str | tuple[str, ...]] = {
            **signer,
            "campaign_title": campaign.title,
            "campaign_organisation": campaign.organisation,
            "demands": campaign.demands,
        }
        try:
            subject = short_line(self._subject.render(values))
            text = tidy(self._body.render(values))
        except (TemplateError, TypeError, ValueError) as error:
            raise BadTemplate(f"This mailing cannot be written: {error}", where="mailing") from error
        if not subject:
            raise BadTemplate("The subject comes out empty.", where=PARTS[0])
        if not text:
            raise BadTemplate("The mailing comes out empty.", where=PARTS[1])
        if len(text) > TEXT_LIMIT:
            raise BadTemplate(
                f"The mailing comes out at {len(text):,} characters; it can have {TEXT_LIMIT:,}.", where=PARTS[1]
            )
        lines = wrapped_lines(text)
        return Letter(subject, "\n".join(lines), self._linked(as_html(lines)))

    def _linked(self, html: str) -> str:
        """Addresses that the organizer wrote become links; whatever a signer typed stays text."""
        if self._links is None:
            return html
        return self._links.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', html)


def _links_in(source: str) -> re.Pattern[str] | None:
    """The addresses that stand in a mailing's own words, as its HTML shows them; the longest first."""
    links = sorted({escape(link, quote=False) for link in _LINK.findall(source)}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, links))) if links else None


def _flat(field: str) -> str:
    return field.replace(".", "_")


def _tag(field: str) -> str:
    return f"-oe_{_flat(field)}-"


def _is_straight(tree: nodes.Template) -> bool:
    """Whether a part writes the signer's fields as they are, and asks nothing of them."""
    signer = {_flat(field) for field in SIGNER_FIELDS}
    plain = {
        id(piece) for output in tree.body if isinstance(output, nodes.Output) for piece in output.nodes
    }  # not inside of a condition, a loop or a filter
    return all(name.name not in signer or id(name) in plain for name in tree.find_all(nodes.Name))


def compose_mailing(
    form: MailingForm,
    signer: SignerFields,
    campaign: CampaignFields,
    *,
    settings: Settings,
    ref: str,
    attempt: int,
    to: Mailbox,
    label: str,
    slug: str,
    stop: Stop,
    now: datetime,
    language: str = "en",
) -> Message:
    """`form` as the mail of delivery `ref`. `label` names the wave ("wave42") the same for all its readers."""
    written = form.write(signer, campaign)
    organisation = short_line(campaign.organisation or settings.organisation, 60)
    frame = _Frame(settings, organisation, campaign.title, language)
    text, html = frame.around(written, stop.url)
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.MAILING,
        stream=Stream.NEWS,
        sender=Mailbox(organisation, settings.news_from),
        to=to,
        reply_to=Mailbox(organisation, settings.help_address),
        subject=written.subject,
        text=text,
        html=html,
        message_id=f"<m.{ref}.{attempt}@{settings.news_from.rpartition('@')[2]}>",
        date=now,
        headers=_headers(settings, label, slug, stop),
        straight=_straight(form, signer, campaign, frame, label, stop) if form.is_straight else None,
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around every mailing: who writes, why, where, and how to say no (field-rules 2.2, A19)."""

    settings: Settings
    organisation: str
    campaign: str
    language: str

    def around(self, written: Letter, stop_url: str) -> tuple[str, str]:
        """(text, html)."""
        values = {
            "subject": written.subject,
            "stop_url": stop_url,
            "organisation": self.organisation,
            "campaign": self.campaign,
            "postal_address": self.settings.postal_address,
            "language": self.language,
            "direction": direction(self.language),
        }
        closing = wrap(template("closing.txt").render(values).strip())
        # The body is ours: escaped by `as_html`, with links of the organizer's only.
        return f"{written.text}\n\n-- \n{closing}\n", template("mail.html").render(values, body=Markup(written.html))  # noqa: S704


def _straight(
    form: MailingForm, signer: SignerFields, campaign: CampaignFields, frame: _Frame, label: str, stop: Stop
) -> Straight | None:
    values = dict(
        zip(
            map(_tag, SIGNER_FIELDS),
            (signer.name, signer.first_name, signer.city, signer.postal_code),
            strict=True,
        )
    )
    if any(_TAG.search(value) for value in values.values()):
        return None  # a name that looks like a tag goes by itself, as it is
    skeleton = form.skeleton(campaign)
    text, html = frame.around(skeleton, "-oe_stop-")
    # In HTML a value must be escaped, in text it must not: two tags for one field.
    for tag in values:
        html = html.replace(tag, tag[:-1] + "_html-")
    escaped = {tag[:-1] + "_html-": escape(value, quote=True) for tag, value in values.items()}
    tagged = tuple(sorted({**values, **escaped, "-oe_stop-": stop.url}.items()))
    key = sha256("\0".join((label, skeleton.subject, text, html)).encode()).hexdigest()
    return Straight(key, skeleton.subject, text, html, tagged)


def _headers(settings: Settings, label: str, slug: str, stop: Stop) -> tuple[tuple[str, str], ...]:
    feedback = ("Feedback-ID", f"{label}:{feedback_id(settings, slug, Stream.NEWS)}")
    return (feedback, *stop_headers(stop), ("Precedence", "bulk"))


def stop_headers(stop: Stop) -> list[tuple[str, str]]:
    """What lets a mail program offer to unsubscribe (RFC 2369, 2919, 8058)."""
    ways = [f"<{stop.url}>"] + ([f"<mailto:{stop.address}?subject=unsubscribe>"] if stop.address else [])
    return [
        ("List-Unsubscribe", ", ".join(ways)),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-ID", stop.list_id),
    ]


def template(name: str) -> Template:
    """One of the frames that stand around what organizers write."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(folder("templates") / "mailings"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
