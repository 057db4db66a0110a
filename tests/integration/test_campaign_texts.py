"""A campaign's page in further languages: taken whole, shown to who reads them, and no longer once it is not whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from outreach import campaign_texts, campaigns, rehearsal
from outreach.domain import pages
from outreach.domain.deliveries import MailClass
from outreach.errors import BadInput, BadPage, NotFound
from outreach.keys import Keys
from outreach.models import Campaign, CampaignText, Database, Delivery
from outreach.sending.parcels import Desk
from outreach.settings import Settings
from tests.sites import Site, bare

HOME = Path(__file__).resolve().parents[2] / "examples"
BUS, FILE = "keep-the-night-bus-running", "keep-the-night-bus.txt"
SPANISH = (HOME / "es" / FILE).read_text()


@pytest.fixture
def examples(db: Database, settings: Settings, now: datetime) -> Database:
    """Both example campaigns, published as the demo does it, one of them with its Spanish text."""
    with db.begin() as session:
        rehearsal.open_campaigns(session, settings, Keys(settings.secret_key), now=now)
    return db


def take(db: Database, text: str, now: datetime, *, language: str = "es") -> bool:
    with db.begin() as session:
        page = pages.read_page(text, name="es.txt")
        return campaign_texts.take(session, BUS, page, language=language, now=now, actor="test")


def test_every_line_of_the_spanish_example_is_placed() -> None:
    page = pages.read_page(SPANISH, name="es.txt")

    assert not page.unplaced
    assert [ask.link_label for ask in page.asks] == [
        "Más información sobre la línea y las personas que la usan",
        "Más información",
    ]
    assert page.sponsors == ("Riders of Line 12", "Lindenport Night Workers’ Union")


def test_the_demo_brings_the_page_in_spanish_and_the_same_file_changes_nothing(
    examples: Database, now: datetime
) -> None:
    with examples.read() as session:
        (text,) = session.scalars(select(CampaignText))
        campaign = campaigns.find(session, BUS)
        words = campaign_texts.words_of(campaign, campaign_texts.find(session, campaign, "es"))

    assert text.title == words.title == "Que el autobús nocturno siga circulando"
    assert [ask["title"] for ask in words.asks] == ["Que vuelva el autobús nocturno", "Paradas seguras"]
    assert not take(examples, SPANISH, now)
    assert take(examples, SPANISH.replace("Nada más.", "Eso es todo."), now)


def test_a_text_that_lacks_a_part_is_refused_and_one_that_came_to_lack_it_is_not_shown(
    examples: Database, now: datetime
) -> None:
    without_ask = "\n".join(line for line in SPANISH.split("\n") if not line.startswith("Paradas seguras"))
    with pytest.raises(BadPage, match="1 asks, the campaign's page 2"):
        take(examples, without_ask, now)

    with examples.begin() as session:
        campaigns.find(session, BUS).why = "Because people walk home in the dark."
    with examples.read() as session:
        campaign = campaigns.find(session, BUS)
        assert campaign_texts.words_of(campaign, campaign_texts.find(session, campaign, "es")).language == "en"
        assert [shown for _, shown in campaign_texts.listing(session, campaign)] == [False]


@pytest.mark.parametrize(("language", "said"), [("en", "own language"), ("tlh", "do not speak"), ("es-MX", "do not")])
def test_a_language_we_do_not_speak_or_the_campaigns_own_is_refused(
    examples: Database, now: datetime, language: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        take(examples, SPANISH, now, language=language)


def test_a_text_can_be_taken_away(examples: Database, now: datetime) -> None:
    with examples.begin() as session:
        campaign_texts.remove(session, BUS, language="es", now=now, actor="test")
    with examples.begin() as session, pytest.raises(NotFound):
        campaign_texts.remove(session, BUS, language="es", now=now, actor="test")


def test_the_page_shows_the_text_of_its_readers_language_and_says_what_language_the_letter_is_in(
    site: Site, now: datetime
) -> None:
    with site.db.begin() as session:
        rehearsal.open_campaigns(session, site.settings, site.keys, now=now)
        heat = session.scalars(
            select(Campaign.slug).where(Campaign.slug != BUS, Campaign.slug.startswith("heat"))
        ).one()

    spanish, english = site.get(f"/c/{BUS}?lang=es"), site.get(f"/c/{BUS}?lang=en")
    assert '<html lang="es" dir="ltr">' in spanish
    assert "Que el autobús nocturno siga circulando" in bare(spanish)
    assert "Su carta se envía en inglés." in bare(spanish)
    assert "Keep the Night Bus Running" in bare(english)
    assert "Your letter goes out in English." not in bare(english)
    untranslated = site.get(f"/c/{heat}?lang=es")
    assert 'lang="en"' in untranslated.partition("<main")[2]
    assert "Heat for every home" in bare(untranslated)


def test_mails_and_the_signers_own_pages_name_the_campaign_in_the_signers_language(site: Site, now: datetime) -> None:
    with site.db.begin() as session:
        rehearsal.open_campaigns(session, site.settings, site.keys, now=now)
    title = "Que el autobús nocturno siga circulando"
    confirm = site.sign(BUS, language="es")
    with site.db.read() as session:
        mail_id = session.scalars(select(Delivery.id).where(Delivery.mail_class == MailClass.CONFIRMATION)).one()
        (parcel,) = Desk(site.settings, site.keys).make_up(session, [mail_id])
        assert parcel.write(now).subject == f"Confirme su carta: {title}"
    assert f"Usted firmó “{title}”." in bare(site.get(site.confirm(confirm)))


def test_a_page_may_be_spanish_itself_and_then_speaks_it_to_who_asks_for_nothing(site: Site, now: datetime) -> None:
    page = pages.read_page(SPANISH, name="es.txt")
    with site.db.begin() as session:
        taken = [
            campaigns.take_page(session, page, source_hash="x", language=code, now=now, actor="test").changed
            for code in ("es", None, "es", "en", "es")
        ]
        slug = session.scalars(select(Campaign.slug).where(Campaign.title == page.title)).one()
        campaigns.publish(session, slug, now=now, actor="test")

    assert taken == [True, False, False, True, True]
    assert '<html lang="es"' in site.get(f"/c/{slug}")
    assert '<h2 lang="es" dir="ltr">' in site.get("/?lang=en")
