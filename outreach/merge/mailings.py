"""Mailings: what an organizer writes to many signers at once, and the steps of a ladder.

A mailing may name the signer and the campaign, nothing else. One that uses no conditions on its readers is *straight*:
its mails differ in plain values only, and a provider that can carries hundreds of them in one request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes, select_autoescape
from markupsafe import Markup

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import CampaignFields, SignerFields
from outreach.domain.messages import Mailbox, Message, Straight
from outreach.domain.words import short_line, wrap
from outreach.errors import BadTemplate
from outreach.languages import direction
from outreach.languages import language as language_of
from outreach.paths import folder

from .envelopes import feedback_id
from .grammar import ENVIRONMENT, fields_in, parse
from .letters import Letter, written_out

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
_STOP_TAG = "-oe_stop-"
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
        written = written_out(self._subject, self._body, values, what="mailing", limit=TEXT_LIMIT)
        return replace(written, html=self._linked(written.html))

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
    frame = Frame.of(settings, campaign, language)
    text, html = frame.around("mail", written, stop_url=stop.url)
    return Message(
        delivery=ref,
        attempt=attempt,
        mail_class=MailClass.MAILING,
        stream=Stream.NEWS,
        sender=Mailbox(frame.organisation, settings.news_from),
        to=to,
        reply_to=Mailbox(frame.organisation, settings.help_address),
        subject=written.subject,
        text=text,
        html=html,
        message_id=f"<m.{ref}.{attempt}@{settings.news_from.rpartition('@')[2]}>",
        date=now,
        headers=_headers(settings, label, slug, stop),
        straight=_straight(form, signer, campaign, frame, label, stop) if form.is_straight else None,
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around all that an organizer writes to signers: who writes, why, where, and how to say no.

    It speaks its readers' `language`, or English where we do not; what it stands around is in `words_language`.
    """

    organisation: str
    campaign: str
    postal_address: str
    help_address: str
    language: str
    words_language: str

    @classmethod
    def of(cls, settings: Settings, campaign: CampaignFields, language: str, words_language: str = "") -> Frame:
        """The frame of a campaign's mails; the words in it are in `language` too, unless said otherwise."""
        organisation = short_line(campaign.organisation or settings.organisation, 60)
        words = words_language or language
        return cls(organisation, campaign.title, settings.postal_address, settings.help_address, language, words)

    def around(self, kind: str, written: Letter, *, stop_url: str, link: str = "") -> tuple[str, str]:
        """(text, html) of a "mail" or a "step"; `link` is the signer's own page."""
        values = {
            **{name: getattr(self, name) for name in self.__slots__},
            "words_direction": direction(self.words_language),
            "subject": written.subject,
            "stop_url": stop_url,
            "link": link,
        }
        closing = wrap(_template(f"{kind}.txt", self.language).render(values).strip())
        # The body is ours: escaped by `as_html`, with links of the organizer's only.
        html = _template(f"{kind}.html", self.language).render(values, body=Markup(written.html))  # noqa: S704
        return f"{written.text}\n\n-- \n{closing}\n", html


def _straight(
    form: MailingForm, signer: SignerFields, campaign: CampaignFields, frame: Frame, label: str, stop: Stop
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
    # In HTML a value must be escaped, in text it must not: two tags for one field.
    escaped = {_html_tag(tag): escape(value, quote=True) for tag, value in values.items()}
    tagged = tuple(sorted({**values, **escaped, _STOP_TAG: stop.url}.items()))
    return Straight(*_shared(form, campaign, frame, label), tagged)


@lru_cache(maxsize=64)
def _shared(form: MailingForm, campaign: CampaignFields, frame: Frame, label: str) -> tuple[str, str, str, str]:
    """(key, subject, text, html) of a straight mailing: the same for all its readers, so it is made once."""
    skeleton = form.skeleton(campaign)
    text, html = frame.around("mail", skeleton, stop_url=_STOP_TAG)
    for tag in map(_tag, SIGNER_FIELDS):
        html = html.replace(tag, _html_tag(tag))
    return sha256("\0".join((label, skeleton.subject, text, html)).encode()).hexdigest(), skeleton.subject, text, html


def _html_tag(tag: str) -> str:
    return tag[:-1] + "_html-"


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


def _template(name: str, language: str) -> Template:
    """One of the frames that stand around what organizers write, speaking a language of ours."""
    return _environment(language_of(language).code).get_template(name)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates") / "mailings"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    language_of(language).install(environment)
    return environment
