"""A site as it looks on a busy Monday: two campaigns that many signed, one that is over, letters in every state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import alerts, heartbeats, ladders, stopping, target_forms, waves
from outreach.domain.deliveries import EventState, State
from outreach.domain.replies import ShareState
from outreach.domain.suspects import Suspicion
from outreach.domain.waves import WaveKind, WaveState
from outreach.migrating import migrate
from outreach.models import (
    Ask,
    Campaign,
    CampaignKind,
    CampaignState,
    Database,
    Delivery,
    Reply,
    Signature,
    SignatureState,
    Target,
)
from tests import factories
from tests.browser import Site, serving
from tests.integration.wave_scenes import crowd
from tests.journeys.post_office import BUS, HEAT, PostOffice, open_campaigns
from tests.screens.people import People

ANSWER = (
    "Dear Ms. Okafor,\n\nthank you for writing, and for saying what the walk home is like. The council has asked me to "
    "bring line 12 back with the March timetable, every thirty minutes until two.\n\nThe lights at the stops will take "
    "until summer.\n\nMireille Okonjo\nTransit Director"
)
#: Who agreed to be named, and where they live.
_NAMED = (
    ("Fatoumata Diallo", "Lindenport"),
    ("Nguyễn Thị Lan", "Harbour Hill"),
    ("Łukasz Wójcik", "Lindenport"),
    ("Siobhán Ní Bhriain", "Eastmarket"),
    ("Tomás Silva", "Millbrook"),
)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Town:
    """A furnished site, and the paths of what was made for a picture, by its name."""

    site: Site
    post: PostOffice
    people: People
    paths: dict[str, str]

    def invite(self, origin: str) -> None:
        """That site may show the letter in a frame."""
        with self.site.db.begin() as session:
            session.scalars(select(Campaign).where(Campaign.slug == BUS)).one().embed_origins = [origin]


@contextmanager
def furnished(folder: Path) -> Iterator[Town]:
    """The site in `folder`, served."""
    db = Database(f"sqlite:///{folder / 'site.db'}")
    migrate(db)
    db.close()
    with serving(folder, organisation="Lindenport Together") as site:
        town = Town(site, PostOffice(site), People(site), {})
        open_campaigns(site)
        _arrange(site)
        _letters_that_left(town)
        _letters_that_wait(town)
        _confirmations(town)
        with site.db.begin() as session:
            _behind_the_door(session, town)
        yield town


def _arrange(site: Site) -> None:
    now = datetime.now(UTC)
    with site.db.begin() as session:
        bus, heat = (session.scalars(select(Campaign).where(Campaign.slug == slug)).one() for slug in (BUS, HEAT))
        bus.edit_subject = bus.edit_body = bus.self_send = True
        for ask in session.scalars(select(Ask).where(Ask.campaign_id == bus.id)):
            ask.link_url = "https://line12.example.org/"
        renn = session.scalars(select(Target).where(Target.name.contains("Renn"))).one()
        renn.contacts[0].ended_at = now
        session.flush()
        target_forms.set_form(session, renn, "https://housing.lindenport.example/contact", now=now, actor="test")
        crowd(session, heat, 4302, now=now - 3 * _DAY)
        crowd(session, bus, 1271, now=now - 3 * _DAY)
        library = factories.campaign(
            session,
            slug="open-the-library-on-sundays",
            title="Open the Library on Sundays",
            kind=CampaignKind.PETITION,
            state=CampaignState.CLOSED,
            organisation="Friends of the Library",
            demands=["Open the Harbour Street library on Sundays from noon to six."],
            targets=factories.targets_of(session, heat)[:1],
            subject="Sundays at the library",
            now=now - 90 * _DAY,
        )
        library.opening, library.story = "The library is the one warm room that asks nothing of anybody.", ""
        crowd(session, library, 862, now=now - 60 * _DAY)
        for name, city in _NAMED:
            for campaign in (bus, heat):
                signed = factories.signature(
                    session, campaign, state=SignatureState.CONFIRMED, name=name, city=city, now=now - _DAY
                )
                factories.consent(session, signed.supporter, campaign=campaign, purpose="show_name", now=now - _DAY)


def _letters_that_left(town: Town) -> None:
    people, paths = town.people, town.paths
    town.post.open_day_and_night()
    for state, name in (
        ("tracker-handed-over", "Grace Lefèvre"),
        ("tracker-delivered", "Rosa Mensah"),
        ("tracker-not-delivered", "Chen Wei"),
        ("tracker-answered", "Amina Okafor"),
    ):
        paths[state] = people.confirm(name, ago=2 * _DAY, show_name=True)
    town.post.send()
    people.report(paths["tracker-delivered"], EventState.DELIVERED)
    people.report(paths["tracker-not-delivered"], EventState.BOUNCED)
    (letter,) = (mail for mail in town.post.mails_to("office") if "Amina" in mail.sender)
    town.post.answer(letter, ANSWER)
    town.post.send()
    with town.site.db.begin() as session:
        reply = session.scalars(select(Reply)).one()
        reply.share_state, reply.share_text = ShareState.SHOWN, ANSWER.partition("\n\n")[2].rpartition("\n\n")[0]


def _letters_that_wait(town: Town) -> None:
    people, paths = town.people, town.paths
    town.post.keep_office_hours()
    for n in range(4):
        people.confirm(f"Neighbour{n} Kovalenko", ago=_DAY)
    paths["thank-you"] = people.confirm("Amara Adeyemi")
    paths["thank-you-spanish"] = people.confirm("José Núñez", language="es")
    paths["tracker-waiting"] = people.confirm("Yusuf Demir", ago=_DAY, show_name=True)
    paths["tracker-web-form"] = people.confirm("Zoë Müller", slug=HEAT, ago=_DAY)
    paths["tracker-looked-at"] = people.confirm("Olena Petrenko", ago=_DAY, suspicion=Suspicion.BURST)
    paths["withdrawn"] = people.confirm("Ngozi Rossi", ago=_DAY)
    people.withdraw(paths["withdrawn"])
    for act in ("withdraw", "erase"):
        paths[act] = f"{paths['tracker-waiting']}/{act}"


def _confirmations(town: Town) -> None:
    people, paths = town.people, town.paths
    paths["confirm"] = people.sign("Émile Silva", updates=True)
    paths["confirm-expired"] = people.sign("İpek Yıldız", ago=8 * _DAY)
    paths["confirm-changed"] = people.sign("Kwame Mensah")
    people.outdate(paths["confirm-changed"])
    paths["confirm-used"] = people.sign("Dmytro Kovalenko")
    people.confirm_link(paths["confirm-used"])
    town.post.send()
    with town.site.db.begin() as session:
        signed = session.scalars(select(Signature).where(Signature.name == "Yusuf Demir")).one()
        paths["unsubscribe"] = f"/u/{people.keys.stop_token(signed.supporter.ref, signed.campaign_id)}"
        paths["unsubscribed"] = f"/u/{people.keys.stop_token(factories.supporter(session).ref, signed.campaign_id)}"
        stopping.stop(
            session,
            paths["unsubscribed"].removeprefix("/u/"),
            keys=people.keys,
            much=stopping.Much.NEWS,
            source="link",
            now=datetime.now(UTC),
        )


def _behind_the_door(session: Session, town: Town) -> None:
    """Waves, follow-ups, failures and processes, for the console and the staff's pages."""
    now = datetime.now(UTC)
    bus, heat = (session.scalars(select(Campaign).where(Campaign.slug == slug)).one() for slug in (BUS, HEAT))
    factories.campaign(session, slug="trees", title="A tree for every street", state=CampaignState.DRAFT, now=now)
    ladders.build(session, bus, "After the letter has gone", ladders.DEFAULTS, now=now, actor="test", checked=True)
    draft = waves.Draft(
        HEAT,
        WaveKind.MAILING,
        name="Come to the open evening",
        subject="Thursday at the library",
        body="Dear {{ signer.first_name }},\n\nCommissioner Renn has said that he will come. Will you?",
    )
    town.paths["wave"] = (
        f"/console/waves/{waves.plan(session, draft, settings=town.site.settings, now=now, actor='Ana').id}"
    )
    paused = factories.wave(session, heat, state=WaveState.PAUSED, name="The first thousand", now=now - _DAY)
    paused.started_at, paused.reason = now - _DAY, "1 in doubt: it may have left."
    mayor = factories.targets_of(session, heat)[0]
    for state, reason in ((State.DEAD, "the inbox is full"), (State.REJECTED, "the provider refused the address")):
        signed = factories.signature(session, heat, state=SignatureState.CONFIRMED, name="Tomás Silva", now=now)
        factories.delivery(session, signed, mayor, state=state, reason=reason, now=now, maybe_sent=state is State.DEAD)
    signed = factories.signature(session, heat, state=SignatureState.CONFIRMED, name="Rosa Mensah", now=now)
    doubt = factories.delivery(session, signed, mayor, state=State.IN_DOUBT, doubt_since=now, maybe_sent=True, now=now)
    town.paths["delivery"] = f"/staff/deliveries/{doubt.ref}"
    alerts.raise_alert(session, "wave:2", "Wave 2 was paused: 12 of 210 mails came back for good.", now=now)
    heartbeats.beat(session, "worker:north:4711", kind="worker", in_flight=12, now=now)
    heartbeats.beat(session, "beat:north:4712", kind="beat", now=now)
    answer = session.scalars(select(Reply)).one()
    town.paths["reply"] = f"/console/campaigns/{BUS}/replies/{answer.ref}"
    letter = session.scalars(select(Delivery).where(Delivery.id == answer.delivery_id)).one()
    factories.reply(session, letter, text="When exactly in March?\n\nMireille Okonjo", now=now)
