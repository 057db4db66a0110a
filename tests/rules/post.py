"""Everything the engine mails, made by its own verbs and looked at where it left: in a file, or at the provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from outreach import ladders
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.ladders import Trigger
from outreach.domain.messages import Mailbox
from outreach.domain.waves import WaveKind
from outreach.ladders import NewRung, climb
from outreach.models import Campaign, CampaignKind, Database, Delivery, Signature
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport
from outreach.transports.sendgrid import SendGridTransport
from outreach.transports.smtp import Server, SmtpTransport
from tests import factories
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid, substituted
from tests.fakes.smtp_sink import SmtpSink, smtp_sink
from tests.integration.wave_scenes import Scene
from tests.sites import Site, site_of


class Way(StrEnum):
    """How mail leaves: as bytes into a folder, or as JSON to SendGrid."""

    BYTES = "bytes"
    JSON = "json"


#: For tests that need one of them, or an SMTP server and its envelopes.
BYTES = pytest.mark.parametrize("post", [Way.BYTES], indirect=True)
JSON = pytest.mark.parametrize("post", [Way.JSON], indirect=True)
SMTP = pytest.mark.parametrize("post", ["smtp"], indirect=True)

NEWS_BODY = "Hello {{ signer.first_name }},\n\nthe council votes on “{{ campaign.title }}” on Tuesday. It is our day."
STEP_BODY = "Hello {{ signer.first_name }},\n\nyour letter is with them now. Thank you for writing it."


@dataclass(frozen=True)
class Seen:
    """One mail as it left. `raw` is empty for JSON, `payload` (its request) for bytes."""

    delivery: str
    sender: Mailbox
    to: Mailbox
    reply_to: Mailbox | None
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes = b""
    payload: dict[str, Any] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        """Each value of that header."""
        return [value for header, value in self.headers if header.lower() == name.lower()]


@dataclass
class Post:
    """One campaign, those who sign it, and what they and its target are mailed."""

    site: Site
    scene: Scene
    campaign: Campaign
    hands: Hands
    folder: Path
    provider: FakeSendGrid | None = None
    sink: SmtpSink | None = None

    @property
    def db(self) -> Database:
        return self.site.db

    def signer(self, email: str = "jane@example.org", **form: str) -> str:
        """Somebody signs and presses the button in the mail; the path of their receipt."""
        return self.site.confirm(self.site.sign(email=email, **form))

    def wave(self, **given: Any) -> int:
        """A mailing to all who agreed, planned and begun; its mails are in the outbox."""
        self.scene.now = self.site.now
        return self.scene.started(self.campaign, WaveKind.MAILING, **({"subject": "News", "body": NEWS_BODY} | given))

    def follow_up(self, purpose: str = "", trigger: Trigger = Trigger.CONFIRMED) -> None:
        """A step to everybody who confirmed, about their own letter or, with a purpose, as news."""
        rung = NewRung(trigger, "Thank you, {{ signer.name }}", STEP_BODY, purpose=purpose)
        with self.db.begin() as session:
            campaign = session.merge(self.campaign)
            ladders.build(session, campaign, purpose or "own", [rung], now=campaign.created_at, actor="test")
        climb(self.db, mails_per_week=99, now=self.site.now)

    def send(self, *streams: Stream, goes_on: Callable[[], bool] = lambda: True) -> list[Seen]:
        """Send what is due; all that ever left."""
        desk = Desk(self.site.settings, self.site.keys)
        for stream in streams or tuple(Stream):
            # A stretch ends after ten seconds; on a busy machine a few mails may take longer.
            while send_due(self.db, self.hands, desk, stream=stream, settings=self.site.settings, goes_on=goes_on) > 0:
                pass
        return self.seen()

    def everything(self, *people: str) -> list[Seen]:
        """One mail of each kind to each of these: confirmation, receipt, letters, follow-ups, mailing."""
        for n, name in enumerate(people or ("Jane Doe", "Bo Li")):
            self.signer(f"reader-{n}@example.org", name=name, updates="yes")
        self.follow_up()
        self.follow_up("updates")
        self.wave()
        return self.send()

    def seen(self) -> list[Seen]:
        if self.provider:
            return [seen for payload in self.provider.payloads for seen in in_json(payload)]
        if self.sink:
            return [in_bytes(record["data"].encode("latin-1")) for record in self.sink.accepted]
        return [in_bytes(path.read_bytes(), path.name) for path in sorted(self.folder.glob("*.eml"))]

    def letters(self) -> list[Seen]:
        return self.of(MailClass.LETTER)

    def of(self, *classes: MailClass, purpose: str = "") -> list[Seen]:
        """What left of these classes, in no order that means anything."""
        wanted = select(Delivery.ref).where(Delivery.mail_class.in_(classes), Delivery.purpose.startswith(purpose))
        with self.db.read() as session:
            refs = set(session.scalars(wanted))
        return [seen for seen in self.seen() if seen.delivery in refs]

    def signature(self, name: str = "") -> Signature:
        with self.db.read() as session:
            newest = select(Signature).order_by(Signature.id.desc())
            return session.scalars(newest.where(Signature.name == name) if name else newest).first()  # type: ignore[return-value]


@contextmanager
def opened(
    way: str, db: Database, settings: Settings, now: datetime, rung: list[Stream], folder: Path
) -> Iterator[Post]:
    site = site_of(db, settings, now, rung)
    with db.begin() as session:
        offices = [factories.target(session, name=name, office="Mayor") for name in ("Alex Rivera", "Sam Okafor")]
        campaign = factories.campaign(
            session, slug="shelters", kind=CampaignKind.PETITION, targets=offices, organisation="Fair Streets", now=now
        )
    scene = Scene(db, settings, now)
    if way == Way.JSON:
        with fake_sendgrid() as provider:
            transport = SendGridTransport(API_KEY, host=provider.url, env="test", timeout=1)
            hands = Hands(transport, width=4)
            yield Post(site, scene, campaign, hands, folder, provider=provider)
            hands.close()
    elif way == "smtp":
        with smtp_sink() as sink:
            hands = Hands(SmtpTransport(Server.from_url(sink.url), timeout=5), width=1)
            yield Post(site, scene, campaign, hands, folder, sink=sink)
            hands.close()
    else:
        hands = Hands(MailboxTransport(folder), width=4)
        yield Post(site, scene, campaign, hands, folder)
        hands.close()


def in_bytes(raw: bytes, name: str = "") -> Seen:
    """A mail's bytes, read as the standards say and no other way."""
    mail = message_from_bytes(raw)
    assert mail.defects == []
    parts = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}

    def words(kind: str) -> str:
        octets = parts[kind].get_payload(decode=True)
        assert isinstance(octets, bytes)
        return octets.decode(parts[kind].get_content_charset() or "us-ascii").replace("\r\n", "\n")

    headers = tuple((header, re.sub(r"\r?\n", "", str(value))) for header, value in mail.items())
    answers = [value for header, value in headers if header == "Reply-To"]
    message_id = re.fullmatch(r"<\w+\.([^.@]+)\.\d+@.*>", str(mail["Message-ID"]))
    return Seen(
        delivery=name.partition(".")[0] or (message_id[1] if message_id else ""),
        sender=_mailbox(str(mail["From"])),
        to=_mailbox(str(mail["To"])),
        reply_to=_mailbox(answers[0]) if answers else None,
        subject=str(make_header(decode_header(str(mail["Subject"])))),
        text=words("text/plain"),
        html=words("text/html"),
        headers=headers,
        raw=raw,
    )


def in_json(payload: dict[str, Any]) -> Iterator[Seen]:
    """Each mail of a request, with its own values in the places of the tags."""
    parts = {part["type"]: part["value"] for part in payload["content"]}
    answers = payload.get("reply_to")
    for person in payload["personalizations"]:
        values = person.get("substitutions", {})
        assert len(person["to"]) == 1
        yield Seen(
            delivery=person["custom_args"]["oe_delivery"],
            sender=_named(payload["from"]),
            to=_named(person["to"][0]),
            reply_to=_named(answers) if answers else None,
            subject=substituted(person.get("subject") or payload["subject"], values),
            text=substituted(parts["text/plain"], values),
            html=substituted(parts["text/html"], values),
            headers=tuple({**payload.get("headers", {}), **person.get("headers", {})}.items()),
            payload=payload,
        )


def _named(mailbox: dict[str, str]) -> Mailbox:
    return Mailbox(mailbox.get("name", ""), mailbox["email"])


def _mailbox(value: str) -> Mailbox:
    """The one mailbox of a header, its name as a reader of RFC 2047 sees it."""
    ((name, address),) = getaddresses([re.sub(r"\r?\n", "", value)])
    return Mailbox(str(make_header(decode_header(name))), address)
