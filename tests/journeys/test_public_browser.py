"""A signer in a real browser: read, get it wrong, sign, confirm, follow, withdraw; by thumb, keyboard and night."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from outreach import signing, stopping
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import Mailbox, Message
from outreach.keys import Keys
from outreach.models import Ask, Campaign, CampaignKind, CampaignState, Signature, SignatureState
from outreach.transports.mailbox import MailboxTransport
from tests import factories
from tests.browser import PHONE, Site, Visitor, shut_out

pytestmark = pytest.mark.browser

DEMANDS = ("Build a shelter with a bench at every stop.", "Keep the fare where it is until the work is done.")


@pytest.fixture(autouse=True)
def campaigns(site: Site) -> None:
    now = datetime.now(UTC)
    with site.db.begin() as session:
        campaign = factories.campaign(
            session,
            slug="shelters",
            title="A bus shelter for every stop, before the winter comes",
            kind=CampaignKind.PETITION,
            targets=[
                factories.target(session, name="Alex Rivera", office="Mayor of Springfield"),
                factories.target(session, name="Sam Okafor", office="Transit Commissioner"),
            ],
            demands=DEMANDS,
            subject="A shelter at every stop",
            now=now,
        )
        campaign.why = "Those who cannot drive depend on it."
        campaign.asks = [Ask(position=1, title="Come and see", text="Wait with us.", link_label="Learn more")]
        campaign.asks[0].link_url = "https://example.org/more"
        for _ in range(12):
            factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        night_bus = factories.campaign(session, slug="night-bus", kind=CampaignKind.LETTER)
        night_bus.edit_subject = night_bus.edit_body = True
        named = factories.signature(session, night_bus, state=SignatureState.CONFIRMED)
        factories.consent(session, named.supporter, campaign=night_bus, purpose="show_name")
        factories.campaign(session, slug="won", title="Open the library on Sundays", state=CampaignState.CLOSED)


def confirm_path(site: Site, email: str = "jane@example.org", *, ago: timedelta = timedelta()) -> str:
    """Sign beside the browser; the path of the link in the mail."""
    form = signing.SignForm("Jane Doe", email, own_words="I wait in the rain.\n\nTwice a day.", updates=True)
    keys = Keys(site.settings.secret_key)
    with site.db.begin() as session:
        signing.sign(session, "shelters", form, keys=keys, settings=site.settings, now=datetime.now(UTC) - ago)
        signature = session.scalars(select(Signature).order_by(Signature.id.desc())).first()
        assert signature is not None
        return signing.confirm_url(site.settings, keys, signature).removeprefix(site.url)


def receipt_path(site: Site, email: str, *, withdrawn: bool = False) -> str:
    token = confirm_path(site, email).rpartition("/")[2]
    keys, now = Keys(site.settings.secret_key), datetime.now(UTC)
    with site.db.begin() as session:
        receipt = signing.confirm(session, token, keys=keys, now=now).receipt_token
        if withdrawn:
            signing.withdraw(session, receipt, keys=keys, now=now)
    return f"/letter/{receipt}"


def store_mail(site: Site, html: str = "<p style='color:#333'>Hello Jane</p>") -> str:
    """One mail in the mailbox; the path it is read at."""
    message = Message(
        delivery="abc",
        attempt=1,
        mail_class=MailClass.CONFIRMATION,
        stream=Stream.ACT,
        sender=Mailbox("Fair Streets", "act@act.example.org"),
        to=Mailbox("Jane Doe", "jane@example.org"),
        reply_to=None,
        subject="Confirm your letter",
        text=f"Hello Jane,\n\nopen {site.url}/confirm/abc to confirm.\n",
        html=html,
        message_id="<abc@act.example.org>",
        date=datetime.now(UTC),
    )
    name = MailboxTransport(site.settings.mailbox_dir).send(message).provider_id
    return f"/dev/mail/{name}"


def test_from_reading_to_withdrawing(site: Site, visit: Visitor) -> None:
    page = visit("/", size=PHONE).page
    page.get_by_role("link", name=re.compile("A bus shelter")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A bus shelter for every stop, before the winter comes")
    page.get_by_role("link", name="Sign this petition").click()

    # The letter fills in while they type, as text and never as markup.
    page.get_by_label("Full name").fill("Jane <b>Doe</b>")
    expect(page.locator(".envelope .slot")).to_have_text("Jane <b>Doe</b>")
    page.get_by_label("Email", exact=True).fill("jane at example")
    page.get_by_label(re.compile("Your own words")).fill("I wait in the rain.\n\nTwice a day.")
    page.get_by_role("button", name="Sign and send my letter").click()

    # Wrong: the summary has the focus and leads to the field; nothing typed is lost.
    expect(page).to_have_title(re.compile("^Error: "))
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(page.get_by_label(re.compile("Your own words"))).to_have_value("I wait in the rain.\n\nTwice a day.")
    summary.get_by_role("link").last.click()
    expect(page.get_by_label("Email", exact=True)).to_be_focused()

    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill("jane@example.org")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your letters")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")

    page.goto(site.url + confirm_path(site))
    expect(page.locator(".letter-text").first).to_contain_text("Twice a day.")
    page.get_by_role("button", name="Confirm and send my letters").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Doe")
    assert "/letter/" in page.url
    page.get_by_text("Read the letter").first.click()
    expect(page.locator("details[open] .letter-text")).to_contain_text("I wait in the rain.")

    page.get_by_role("link", name="Withdraw").click()
    page.get_by_role("button", name="Withdraw my signature").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You withdrew your signature")
    expect(page.get_by_text("Called off", exact=True)).to_have_count(2)


def test_without_scripts_everything_works(site: Site, visit: Visitor) -> None:
    page = visit("/c/shelters", scripts=False).page
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill("jane@example.org")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your letters")
    page.get_by_role("button", name="Change Email").click()
    expect(page.get_by_label("Email", exact=True)).to_have_value("jane@example.org")
    page.get_by_role("button", name="Sign and send my letter").click()
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
    page.goto(site.url + confirm_path(site))
    page.get_by_role("button", name=re.compile("Confirm and send")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Doe")


def test_a_letter_is_rewritten_on_its_paper_and_a_closed_tab_loses_nothing(site: Site, visit: Visitor) -> None:
    page = visit("/c/night-bus", size=PHONE).page
    letter = page.get_by_label("The letter’s text, which you may rewrite")
    original = letter.input_value()
    restore = page.get_by_role("button", name="Restore the original")
    expect(restore).to_be_hidden()
    letter.fill("Word " * 1600)
    expect(page.locator("[data-left-of=body]")).to_have_text("Characters left: 2,000")
    restore.click()
    expect(letter).to_have_value(original)

    letter.fill(original + "\n\nI drive it, and I know who waits: nurses and bakers, each night the same faces.")
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label(re.compile("Your own words")).fill("Please come and see it for yourself one night.")
    expect(page.get_by_text("This is a letter of your own.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Full name")).to_have_value("Jane Doe")
    expect(page.locator(".paper .slot").last).to_have_text("Jane Doe")
    expect(letter).to_have_value(re.compile("each night the same faces"))

    page.get_by_label("Email", exact=True).fill("jane@example.com")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.locator(".letter-text")).to_contain_text("each night the same faces")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_text("We have written to jane@example.com")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("link", name="Change the address").click()
    expect(page.get_by_label("Email", exact=True)).to_have_value("jane@example.com")
    expect(letter).to_have_value(re.compile("each night the same faces"))


def test_a_letter_as_it_stands_is_signed_at_once_and_at_high_risk_nothing_stays_behind(
    site: Site, visit: Visitor
) -> None:
    page = visit("/c/night-bus").page
    page.get_by_label("Full name").fill("Jane Doe")
    assert page.evaluate("localStorage.length") == 1
    page.get_by_label(re.compile("It could harm me")).check()
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    with site.db.begin() as session:
        session.scalars(select(Campaign).where(Campaign.slug == "night-bus")).one().high_risk = True
    page = visit("/c/night-bus").page
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill("jane@example.org")
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")


def test_the_form_can_be_filled_by_keyboard_alone(site: Site, visit: Visitor) -> None:
    page = visit("/c/shelters").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    order = focused_through(page, until="Sign and send my letter")
    fields = [
        name for name in order if name in {"name", "email", "city", "postal_code", "own_words", "updates", "show_name"}
    ]
    assert fields == ["name", "email", "city", "postal_code", "own_words", "updates", "show_name"]
    assert "website" not in order, "what only robots see is not reached by the tab key"


def focused_through(page: Page, *, until: str) -> list[str]:
    """Press Tab until the button with that name has the focus; the names or texts passed, in their order."""
    passed = []
    for _ in range(40):
        page.keyboard.press("Tab")
        where = page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", where
        passed.append(where)
        if where == until:
            return passed
    raise AssertionError(f"{until!r} is not reached: {passed}")


def test_threat_b11_a_token_never_leaves_with_a_referrer(site: Site, visit: Visitor) -> None:
    path = confirm_path(site)
    seen: list[str] = []
    page = visit("/").page
    page.on("request", lambda request: seen.append(request.headers.get("referer", "")))
    page.goto(site.url + path)
    page.get_by_role("link", name=re.compile("go back to the form")).click()
    page.wait_for_url("**/c/shelters")
    assert not [referrer for referrer in seen if path in referrer]


def test_threat_b16_the_pages_cannot_be_framed(site: Site, visit: Visitor) -> None:
    visited = visit("/")
    page = visited.page
    evil = f"<iframe src='{site.url}/c/shelters'></iframe><iframe src='data:text/html,harmless'></iframe>"
    page.route(f"{site.url}/evil", lambda route: route.fulfill(body=evil, content_type="text/html"))
    with page.expect_response(f"{site.url}/c/shelters"):
        page.goto(f"{site.url}/evil", wait_until="load")
    refused, harmless = page.frames[1:]
    assert "harmless" in harmless.content()
    assert "shelter" not in refused.content()
    visited.complaints.clear()  # the refusal is what was wanted


def test_threat_a16_a_mail_is_read_in_a_frame_that_can_do_nothing(site: Site, visit: Visitor) -> None:
    path = store_mail(
        site, "<p>Hello Jane</p><img src='https://evil.example/x.png'><form action='/u/x'><button>Go</button></form>"
    )
    visited = visit(path)
    page = visited.page
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Hello Jane")).to_be_visible()
    assert page.locator("iframe").get_attribute("sandbox") == ""
    answer = page.request.get(f"{site.url}{path}/html")
    assert "sandbox; default-src 'none'" in answer.headers["content-security-policy"]
    # The picture was not asked for: the frame's policy refused it, and said so.
    assert visited.foreign == []
    assert visited.complaints
    assert all("evil.example" in complaint for complaint in visited.complaints)
    visited.complaints.clear()
    expect(page.get_by_role("link", name=f"{site.url}/confirm/abc")).to_be_visible()
    for tab, word in (("Text", "Hello Jane,"), ("Source", "MIME-Version: 1.0"), ("Headers", "Message-ID")):
        page.get_by_role("link", name=tab, exact=True).click()
        expect(page.get_by_text(word).first).to_be_visible()


def test_the_mailbox_can_be_searched(site: Site, visit: Visitor) -> None:
    store_mail(site)
    page = visit("/dev/mail").page
    page.get_by_role("searchbox").fill("JANE@example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("searchbox").fill("nothing like it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No mail holds")).to_be_visible()


def stop_paths(site: Site) -> Iterator[str]:
    """The page behind "stop these mails": for somebody who has not, and for one who has, of each kind."""
    keys, now = Keys(site.settings.secret_key), datetime.now(UTC)
    for much in (None, *stopping.Much):
        with site.db.begin() as session:
            campaign = session.scalars(select(Campaign).where(Campaign.slug == "shelters")).one()
            token = keys.stop_token(factories.supporter(session).ref, campaign.id)
            if much:
                stopping.stop(session, token, keys=keys, much=much, source="link", now=now)
        yield f"/u/{token}"


def every_page(site: Site) -> Iterator[str]:
    """The path of each public page and of each of its states."""
    yield from ("/", "/c/shelters", "/c/night-bus", "/c/won", "/c/shelters/check-your-email", "/nowhere")
    yield from ("/privacy", "/accessibility", "/contact")
    yield confirm_path(site, "open@example.org")
    yield confirm_path(site, "late@example.org", ago=timedelta(days=8))
    receipt = receipt_path(site, "follows@example.org")
    yield from (receipt, f"{receipt}/withdraw", receipt_path(site, "gone@example.org", withdrawn=True))
    yield from stop_paths(site)
    mail = store_mail(site)
    yield from ("/dev/mail", "/dev/mail?q=nothing", mail, f"{mail}?view=text", f"{mail}?view=headers")


def test_no_page_keeps_anybody_out(site: Site, visit: Visitor) -> None:
    page = visit("/").page
    for path in every_page(site):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert (answer.status == 404) == (path == "/nowhere"), path
        assert (path, shut_out(page)) == (path, [])
    page.goto(site.url + "/c/night-bus")
    page.get_by_label("Subject:").fill("")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert shut_out(page) == []
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill("jane@example.org")
    page.get_by_label("Subject:").fill("Our night bus")
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your letter")
    assert shut_out(page) == []
    page.get_by_role("button", name="Sign and send my letter").click()
    expect(page.get_by_text("We have written to jane@example.org")).to_be_visible()
    assert shut_out(page) == []
