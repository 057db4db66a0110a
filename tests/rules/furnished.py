"""One site with something of everything in it, and markup that would act in every field that somebody else fills.

Signers, an office and an organizer fill theirs through the pages and doors that they have; what those refuse, and what
providers and the engine write, is put into the tables by force.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from sqlalchemy import Column, ColumnElement, Enum, String, Table, Text, cast, literal, select, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from outreach import alerts, audit_log, moderation, outbox
from outreach.domain.deliveries import State, Stream
from outreach.domain.events import EventKind
from outreach.domain.sieves import Sieve
from outreach.domain.suspects import Suspicion
from outreach.models import (
    Ask,
    Attempt,
    Base,
    CampaignText,
    Delivery,
    Demand,
    Holiday,
    ProviderEvent,
    ProviderState,
    Reply,
    Role,
    ShareState,
    SignatureState,
)
from tests import factories
from tests.fakes.inbound import HOOK, answer, raw_form
from tests.integration.inside import signed_in
from tests.rules.post import Post, Seen

#: What each field holds: it ends an attribute, an element and a script, and begins an element of its own number.
HOSTILE = "\"'></textarea></title></script><x-{n} onload=alert({n}) style=color:red>"
#: What a name and a place let through: enough to leave an attribute.
QUOTED = 'Jo" onfocus="alert(1)" autofocus x="'

#: Columns that name something to the engine, or hold what only the engine writes: words of its own, hashes, times.
_NAMES = re.compile(
    r".*(hash|_key|key|ref|code|token|zone|language|days|hours|wall|calendar|digest|state|class|kind|role|scope|way)"
    r"|slug|email|address|value|purpose|source|transport|outcome|env|domain|suspect|network|reply_mode|version|id|curve"
    r"|source_hash|password_hash|external_id|link_url"
)
#: Nothing changes a row of these; what they hold of others comes from the pages.
_ONCE_WRITTEN = ("consents", "audit_log", "letter_versions")
#: What an organizer writes; it is there before anybody signs.
_ORGANIZERS = ("campaigns", "campaign_texts", "demands", "asks", "organisations", "targets")


class Elements(HTMLParser):
    """What a browser would make of a page: elements, their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []  #: where each is posted to, and what it is filled in with
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag == "form" and given.get("method") == "post":
            self.forms.append((given.get("action", ""), {}))
        elif self.forms and given.get("name") and tag in ("input", "textarea", "select", "button"):
            is_ours = given.get("type") in ("hidden", "checkbox", "radio", "submit")
            self.forms[-1][1].setdefault(given["name"], given.get("value", "") if is_ours else HOSTILE.format(n=904))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def links(self) -> set[str]:
        """Where it leads, loads from or posts to."""
        names = ("href", "src", "action", "formaction", "data-worker")
        return {attrs[name] for _tag, attrs in self.elements for name in names if attrs.get(name)}

    @property
    def shown(self) -> set[int]:
        """The numbers of the fields whose markup is shown as text."""
        values = [value for _tag, attrs in self.elements for value in attrs.values()]
        return {int(n) for n in re.findall(r"<x-(\d+) ", " ".join([*self.text, *values]))}

    def acts(self, *, is_mail: bool = False) -> list[str]:
        """Everything in it that would run or, but in a mail, style by itself; none of it is ours."""
        barred = ("srcdoc",) if is_mail else ("srcdoc", "style")
        found = [f"<{tag}>" for tag, _attrs in self.elements if tag.startswith("x-") or tag in barred]
        for tag, attrs in self.elements:
            found += [f"<{tag} {name}>" for name in attrs if name.startswith("on") or name in barred]
            if tag == "script" and not re.match(r"/static/|/embed\.js$", attrs.get("src", "")):
                found.append(f"<script {attrs}>")
        return found + [link for link in self.links if re.match(r"\s*(javascript|vbscript|data):", link, re.IGNORECASE)]


@dataclass
class Furnished:
    """The site, somebody of its staff, and which field holds which number."""

    post: Post
    staff: TestClient
    fields: dict[int, str] = field(default_factory=dict)  #: "signatures.name" by number
    mails: list[Seen] = field(default_factory=list)

    def force(self, session: Session, tables: Iterable[Table]) -> None:
        """Put markup into every text of these tables that is somebody's words."""
        for table in tables:
            chosen = [column for column in table.columns if _is_said(column)]
            values: dict[str, ColumnElement[str]] = {}
            for column in chosen:
                mark = literal(self._mark(f"{table.name}.{column.name}"))
                values[column.name] = mark + cast(table.c.id, String) if column.unique else mark
            if values:
                session.execute(update(table).values(values))

    def _mark(self, name: str) -> str:
        number = len(self.fields) + 1
        self.fields[number] = name
        return HOSTILE.format(n=number)

    @property
    def mailed(self) -> set[str]:
        """Paths of ours that stand in mails, in their texts and in their headers."""
        found = [re.findall(re.escape(self._base) + r"(/[^\s\"<>]*)", _written(mail)) for mail in self.mails]
        return {link.rstrip(".,)") for links in found for link in links}

    @property
    def secrets(self) -> dict[str, str]:
        """What is a key in those paths, by where it opens: "confirm", "letter", "u"."""
        parts = [link.split("/") for link in self.mailed if re.match(r"/(confirm|letter|u)/", link)]
        return {part[2]: part[1] for part in parts}

    def path_of(self, link: str, *, on: str) -> str:
        """Where a link on the page `on` leads, or "" if away from us."""
        parts = urlsplit(urljoin(self._base + on, link))
        ours = f"{parts.scheme}://{parts.netloc}" == self._base
        return parts.path + (f"?{parts.query}" if parts.query else "") if ours else ""

    @property
    def _base(self) -> str:
        return self.post.site.settings.base_url


def _written(mail: Seen) -> str:
    return " ".join([mail.text, mail.html, *(value for _name, value in mail.headers)])


def _is_said(column: Column[object]) -> bool:
    is_text = isinstance(column.type, (String, Text)) and not isinstance(column.type, Enum)
    return is_text and not column.primary_key and not column.foreign_keys and not _NAMES.fullmatch(column.name)


def furnish(post: Post) -> Furnished:
    """Everything that can happen, once: signers, waves, follow-ups, answers, trouble, and those who look after it."""
    site = post.site
    made = Furnished(post, signed_in(site.settings, post.db, site.now, Role.STAFF))
    tables = Base.metadata.tables
    with post.db.begin() as session:
        campaign = site.campaign(session)
        campaign.edit_subject = campaign.edit_body = campaign.self_send = True
        campaign.demands = [Demand(number=1, text="")]
        campaign.asks = [Ask(position=1, title="", text="", link_url="javascript:alert(1)")]
        session.add(CampaignText(campaign_id=campaign.id, language="es"))
        session.flush()
        made.force(session, [tables[name] for name in _ORGANIZERS])
        session.refresh(campaign)
        post.campaign = campaign
    _sign(post)
    _answer(post)
    site.sign(email="late@example.org")
    made.mails = post.send()
    with post.db.begin() as session:
        _trouble(post, session)
        made.force(session, [table for name, table in tables.items() if name not in _ORGANIZERS + _ONCE_WRITTEN])
        said = {"reason": made._mark("audit_log.after")}
        audit_log.note(session, "user:1", "brake.pull", "all", after=said, now=site.now)
    return made


def _sign(post: Post) -> None:
    """Two signers with words of their own, and every mail that comes of it."""
    for n in range(2):
        words = HOSTILE.format(n=900) + " {{ 7*7 }} =?utf-8?q?x?="
        form = {"name": QUOTED + "AB"[n], "city": QUOTED, "postal_code": QUOTED[:20], "own_words": words}
        post.signer(f"reader-{n}@example.org", updates="yes", show_name="yes", subject=words[:60], **form)
    post.follow_up()
    post.follow_up("updates")
    post.wave(subject="News <x-901 onload=alert(901)>")
    post.send()


def _answer(post: Post) -> None:
    """The office answers both letters with markup, and one answer is to be shown to all."""
    for mail in post.letters():
        assert mail.reply_to
        to = mail.reply_to.address
        octets = answer(
            to, HOSTILE.format(n=902), subject="Re: <x-903 onload=1>", message_id=f"<{mail.delivery}@example.net>"
        )
        body, headers = raw_form(octets, to)
        assert post.site.client.post(HOOK, content=body, headers=headers).status_code == 200
    with post.db.begin() as session:
        session.execute(update(Reply).values(share_state=ShareState.SHOWN))


def _trouble(post: Post, session: Session) -> None:
    """What staff are shown: stops, alerts, doubts, suspects and what was ended."""
    now, campaign = post.site.now, post.site.campaign(session)
    for state in (State.HELD, State.IN_DOUBT, State.REJECTED, State.DEAD, State.CANCELLED):
        doubt: dict[str, Any] = {"doubt_since": now} if state is State.IN_DOUBT else {}
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        factories.delivery(session, signature, state=state, reason="staff", **doubt)
    lane = factories.stream_lane(session, Stream.LETTERS).id
    for id_ in session.scalars(select(Delivery.id)):
        times = {"at": now, "received_at": now, "applied_at": now}
        session.add(ProviderEvent(id=f"e{id_}", delivery_id=id_, kind=EventKind.BOUNCED, reason="x", **times))
        tried = {"lane_id": lane, "claim_token": "x", "transport": "sendgrid", "started_at": now, "ended_at": now}
        session.add(Attempt(delivery_id=id_, number=9, detail="x", **tried))
    for _ in range(2):
        suspect = factories.signature(session, campaign)
        suspect.suspect = Suspicion.BURST
    session.flush()
    factories.wave(session, campaign, name="x")
    factories.brake(session, "stream:news")
    outbox.set_budget(session, "stream:letters", per_hour=600)
    alerts.raise_alert(session, "contact:1", "x", now=now)
    session.add(Holiday(calendar="x", day=now.date() + timedelta(days=9), name="x"))
    session.add(ProviderState(transport="sendgrid", closed_until=now + timedelta(hours=1), reason="x", changed_at=now))
    moderation.start(session, campaign.id, Sieve(refs=(suspect.ref,)), reason="x", now=now, actor="user:1")
