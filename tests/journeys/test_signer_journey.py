"""A signer's whole way, each step as a person takes it: from reading to the answer, and back out of a second letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from outreach import campaign_settings, languages, translating
from tests.browser import PHONE, Site, Visitor, barriers, press, sideways, tab_to
from tests.journeys.post_office import BUS, HEAT, PostOffice, open_campaigns

pytestmark = pytest.mark.browser

JANE = "jane@example.org"
OWN = "I clean the clinic until one in the morning. Then I walk home for an hour, and so do eleven others on my shift."


@pytest.fixture(autouse=True)
def post(site: Site) -> PostOffice:
    """The two examples are open for signers, and the letter may be rewritten."""
    open_campaigns(site)
    with site.db.begin() as session:
        campaign_settings.change(session, BUS, {"edit_body": True}, now=datetime.now(UTC), actor="test")
    post = PostOffice(site)
    post.open_day_and_night()
    return post


def follow_the_mail(page: Page, site: Site, subject: str, link: str) -> None:
    """Open that mail in the mailbox and follow its link to our pages."""
    page.goto(f"{site.url}/dev/mail?q={JANE}")
    page.get_by_role("link", name=subject).first.click()
    page.locator(".banner").get_by_role("link", name=link).click()


def test_on_a_phone_a_letter_is_rewritten_sent_and_answered_and_a_second_one_withdrawn(
    site: Site, visit: Visitor, post: PostOffice
) -> None:
    page = visit("/", size=PHONE).page
    page.get_by_role("link", name="Keep the Night Bus Running").click()
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill(JANE)
    page.get_by_label(re.compile("Your own words")).fill(OWN)
    letter = page.get_by_label("The letter’s text, which you may rewrite")
    letter.fill(letter.input_value().replace("unlit road", "unlit road, in the rain"))
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your letter")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_text(f"We have written to {JANE}")).to_be_visible()

    post.send()
    assert [mail.subject for mail in post.mails_to("office")] == [], "nothing leaves unconfirmed"
    follow_the_mail(page, site, "Confirm your letter: Keep the Night Bus Running", "/confirm/")
    expect(page.locator(".letter-text")).to_contain_text("unlit road, in the rain")
    page.get_by_role("button", name="Confirm and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Doe")
    expect(page.get_by_text("Waiting in line")).to_be_visible()
    assert page.get_by_label("Your link").input_value().startswith(f"{site.url}/s/")
    tracker = page.url

    post.send()
    (sent,) = post.mails_to("office")
    assert OWN in " ".join(sent.text.split())
    assert JANE not in sent.text
    page.reload()
    expect(page.get_by_text("Handed over")).to_be_visible()

    post.answer(sent, "Dear Jane Doe,\n\nthe line returns in March.\n\nMireille Okonjo")
    post.send()
    follow_the_mail(page, site, "Transit Director Mireille Okonjo answered your letter", "/letter/")
    assert page.url == tracker
    expect(page.get_by_text("Answered", exact=True)).to_be_visible()
    expect(page.locator(".answer-text")).to_contain_text("the line returns in March.")
    page.get_by_role("button", name="Show this answer on the campaign’s page").click()
    expect(page.get_by_text("The campaign looks at it first.")).to_be_visible()

    page.goto(f"{site.url}/c/{HEAT}")
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill(JANE)
    page.get_by_role("button", name="Sign and send my letter").click()
    post.send()
    follow_the_mail(page, site, "Confirm your letter: Heat for every home", "/confirm/")
    page.get_by_role("button", name="Confirm and send my letters").click()
    page.get_by_role("link", name="Withdraw").click()
    page.get_by_role("button", name="Withdraw my signature").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You withdrew your signature")
    post.send()
    assert len(post.mails_to("office")) == 1


def test_in_spanish_and_without_scripts_every_page_and_mail_speaks_it(
    site: Site, visit: Visitor, post: PostOffice
) -> None:
    page = visit("/", scripts=False).page
    page.get_by_role("link", name="Español").click()
    page.get_by_role("link", name="Que el autobús nocturno siga circulando").click()
    page.get_by_label("Nombre completo").fill("José Núñez")
    page.get_by_label("Correo electrónico", exact=True).fill(JANE)
    page.locator("#own_words").fill("Salgo a la una de la madrugada y vuelvo a casa a pie.")
    page.locator("#sign-form").get_by_role("button", name=re.compile("Firmar y enviar")).click()
    page.get_by_role("button", name=re.compile("Firmar y enviar")).click()
    expect(page.locator(".address")).to_have_text(JANE)
    assert page.locator("html").get_attribute("lang") == "es"

    post.send()
    follow_the_mail(page, site, "Confirme su carta", "/confirm/")
    page.get_by_role("button", name=re.compile("^Confirmar y enviar")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("José Núñez")
    post.send()
    page.reload()
    (sent,) = post.mails_to("office")
    assert "vuelvo a casa a pie" in sent.text
    assert "Dear Director Okonjo" in sent.text, "the letter stays in the campaign's own language"
    post.answer(sent, "Querido José: en marzo vuelve.")
    post.send()
    page.reload()
    expect(page.locator(".answer-text")).to_contain_text("en marzo vuelve")
    assert page.locator("html").get_attribute("lang") == "es"


def test_by_keys_alone_a_letter_is_signed_confirmed_and_withdrawn(site: Site, visit: Visitor, post: PostOffice) -> None:
    page = visit("/").page
    press(page, "Heat for every home in Lindenport this winter", "Enter")
    page.wait_for_url(f"**/{HEAT}")
    tab_to(page, "Full name")
    page.keyboard.type("Jane Doe")
    tab_to(page, "Email")
    page.keyboard.type(JANE)
    press(page, "may show my first name", "Space")
    expect(page.locator("#show_name")).to_be_checked()
    press(page, "Sign and send my letter", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
    post.send()
    (mail,) = post.mails_to(JANE)
    page.goto(re.search(r"http\S+/confirm/\S+", mail.text)[0])  # type: ignore[index]
    press(page, "Confirm and send my letters", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Doe")
    press(page, "Read the letter", "Enter")
    expect(page.locator("details[open] .letter-text")).to_be_visible()
    press(page, "Withdraw my signature", "Enter")
    page.wait_for_url("**/withdraw")
    press(page, "Withdraw my signature", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You withdrew your signature")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_back_button_and_a_restarted_server_keep_what_was_typed(
    site: Site, visit: Visitor, *, scripts: bool
) -> None:
    visited = visit(f"/c/{BUS}", scripts=scripts)
    page = visited.page
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill(JANE)
    page.get_by_label(re.compile("Your own words")).fill(OWN)
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your letter")
    page.go_back()
    expect(page.get_by_label(re.compile("Your own words"))).to_have_value(OWN)

    site.server.stop()
    page.get_by_role("button", name="Sign and send my letter").click()
    page.wait_for_url("chrome-error://**")
    site.server.start()
    page.go_back()
    expect(page.get_by_label(re.compile("Your own words"))).to_have_value(OWN)
    page.get_by_role("button", name="Sign and send my letter").click()
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_text(f"We have written to {JANE}")).to_be_visible()


@pytest.fixture
def right_to_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that is read from right to left. What its file lacks is said in English."""
    for module in (languages, translating):
        monkeypatch.setattr(module, "LOCALE", tmp_path)
    caches = (languages.languages, languages._speakers)
    translating.update("ar")
    for cached in caches:
        cached.cache_clear()
    yield "ar"
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def test_nothing_is_scrolled_sideways_enlarged_or_from_right_to_left(
    site: Site, visit: Visitor, right_to_left: str
) -> None:
    page = visit(f"/c/{BUS}", size={"width": 640, "height": 450}).page  # a desk's window at 200 %
    for path in ("/", f"/c/{BUS}", f"/c/{HEAT}", f"/c/{BUS}/check-your-email", "/privacy"):
        for language in ("en", right_to_left):
            page.goto(f"{site.url}{path}?lang={language}")
            assert (path, sideways(page)) == (path, 0)
            page.evaluate("document.documentElement.style.fontSize = '212.5%'")  # the text alone at 200 %
            assert (path, sideways(page)) == (path, 0)
    page.goto(f"{site.url}/c/{BUS}?lang={right_to_left}")
    assert page.locator("html").get_attribute("dir") == "rtl"
    page.set_viewport_size({"width": 320, "height": 800})
    assert sideways(page) == 0
    assert barriers(page) == []
    brand, ways = (page.locator(part).bounding_box() for part in (".brand", ".ways"))
    assert brand is not None
    assert ways is not None
    assert brand["x"] > ways["x"], "the page begins at the right"


def test_on_paper_stands_the_letter_and_no_form(visit: Visitor) -> None:
    page = visit(f"/c/{BUS}").page
    page.get_by_label("Full name").fill("Jane Doe")
    page.emulate_media(media="print")
    expect(page.locator(".envelope .slot")).to_have_text("Jane Doe")
    expect(page.locator(".sign-side")).to_be_hidden()
    expect(page.get_by_role("button", name="Restore the original")).to_be_hidden()
    expect(page.locator(".skip")).to_be_hidden()
