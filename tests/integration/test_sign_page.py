"""The page that signs, state by state: the letter as paper, the look before signing, and text that is never lost."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from outreach.domain.deliveries import MailClass
from outreach.languages import language
from outreach.models import (
    Campaign,
    CampaignState,
    Channel,
    Contact,
    ContactState,
    Delivery,
    Signature,
    SignatureState,
    Target,
)
from outreach.web.kept import Names
from outreach.web.papers import SLOTS
from tests import factories
from tests.integration.inside import _Forms
from tests.sites import JANE, Site, bare

LETTER = "/c/shelters"
CHECK = "/c/shelters/check-your-email"


@pytest.fixture
def open_site(site: Site) -> Site:
    """The campaign lets its signers rewrite subject and body."""
    site.set(edit_subject=True, edit_body=True)
    return site


def shown(html: str, action: str = f"{LETTER}/sign") -> dict[str, str]:
    """The fields of the sign form as a browser sends them: those on the paper belong to it by name."""
    parser = _Forms()
    parser.feed(html)
    fields = dict(parser.forms[action])
    for name in ("subject", "subject_shown", "body_shown"):
        if found := re.search(rf'name="{name}"[^>]* value="([^"]*)"', html):
            fields[name] = unescape(found[1])
    if found := re.search(r'name="body"[^>]*>\n(.*?)</textarea>', html, re.DOTALL):
        fields["body"] = unescape(found[1])
    return fields


def signature(site: Site) -> Signature:
    with site.db.read() as session:
        return session.scalars(select(Signature).order_by(Signature.id.desc())).first()  # type: ignore[return-value]


# The paper


def test_what_may_be_rewritten_is_a_field_and_the_rest_is_locked(open_site: Site) -> None:
    html = open_site.get(LETTER)
    fields = shown(html)
    assert "[Your own words]" not in fields["body"]
    assert html.index("Dear") < html.index('id="body"') < html.index("[Your own words]")
    assert html.count('class="locked"') == 2
    open_site.set(edit_subject=False, edit_body=False)
    html = open_site.get(LETTER)
    assert 'id="body"' not in html
    assert 'id="subject"' not in html
    assert 'class="locked"' not in html


def test_a_letter_that_came_back_as_it_was_shown_is_the_campaigns_own(open_site: Site) -> None:
    fields = shown(open_site.get(LETTER)) | JANE | {"check": ""}
    assert open_site.client.post(f"{LETTER}/sign", data=fields).status_code == 303
    assert (signature(open_site).own_subject, signature(open_site).own_body) == ("", "")


def test_places_that_were_left_in_a_rewritten_letter_are_filled(open_site: Site) -> None:
    fields = shown(open_site.get(f"{LETTER}?lang=es")) | JANE | {"check": "", "subject": "Mi autobús"}
    assert fields["language"] == "es"
    place = language("es").say(SLOTS["[Your Name]"][0])
    fields["body"] = f"Soy {place}. {{{{ 7*7 }}}}"
    assert open_site.client.post(f"{LETTER}/sign", data=fields).status_code == 303
    signed = signature(open_site)
    assert (signed.own_subject, signed.own_body, signed.language) == ("Mi autobús", "Soy Jane Doe. {{ 7*7 }}", "es")


# Check before signing


def test_a_changed_letter_is_looked_at_before_it_is_signed_and_nothing_is_lost_on_the_way(open_site: Site) -> None:
    typed = JANE | {"check": "yes", "body": "I wrote <b>all</b> of this.\r\n\r\nTwice.", "updates": "yes"}
    answer = open_site.client.post(f"{LETTER}/sign", data=typed)
    assert (answer.status_code, open_site.count()) == (200, 0)
    assert answer.text.count("I wrote &lt;b&gt;all&lt;/b&gt; of this.\n\nTwice.\n\nI wait in the rain.") == 2

    kept = shown(answer.text)
    assert "check" not in kept
    back = open_site.client.post(f"{LETTER}/change", data=kept)
    assert back.status_code == 200
    again = shown(back.text)
    assert {name: again[name] for name in JANE} == JANE
    assert again["body"] == "I wrote <b>all</b> of this.\n\nTwice."
    assert again["updates"] == "yes"

    assert open_site.client.post(f"{LETTER}/sign", data=kept).status_code == 303
    assert signature(open_site).own_body == "I wrote <b>all</b> of this.\n\nTwice."


def test_the_look_before_signing_says_what_is_wrong_too(open_site: Site) -> None:
    answer = open_site.client.post(f"{LETTER}/sign", data=JANE | {"check": "yes", "email": "no", "subject": "x" * 151})
    assert answer.status_code == 422
    summary = answer.text[answer.text.index("error-summary") :]
    assert summary.index('href="#subject"') < summary.index('href="#email"')


def test_without_scripts_the_original_can_be_restored(open_site: Site) -> None:
    original = shown(open_site.get(LETTER))["body"]
    typed = JANE | {"body": "Mine.", "subject": "Mine too", "restore": "body"}
    fields = shown(open_site.client.post(f"{LETTER}/change", data=typed).text)
    assert (fields["body"], fields["subject"], fields["name"]) == (original, "Mine too", "Jane Doe")


# Nothing is lost


def test_a_letter_that_is_far_too_long_comes_back_to_be_shortened(open_site: Site) -> None:
    long = "Ein Satz über Busse. " * 6_000
    answer = open_site.client.post(f"{LETTER}/sign", data=JANE | {"body": long})
    assert answer.status_code == 422
    assert long.strip() in unescape(answer.text)
    assert 'href="#body"' in answer.text


def test_whoever_comes_too_late_gets_their_words_back(open_site: Site) -> None:
    open_site.set(state=CampaignState.CLOSED)
    answer = open_site.client.post(f"{LETTER}/sign", data=JANE | {"body": "My letter."})
    assert answer.status_code == 409
    assert "It was not sent." in answer.text
    assert "My letter." in answer.text
    assert "I wait in the rain." in answer.text


def test_a_page_of_yesterday_can_be_posted_today(open_site: Site) -> None:
    """No form holds a session: whatever was open when the server came back is still good."""
    fields = shown(open_site.get(LETTER)) | JANE | {"check": ""}
    open_site.client.cookies.clear()
    assert open_site.client.post(f"{LETTER}/sign", data=fields).status_code == 303


def test_a_postal_code_is_asked_for_where_the_campaign_needs_one(site: Site) -> None:
    site.set(needs_postal_code=True)
    answer = site.client.post(f"{LETTER}/sign", data=JANE | {"email": "no"})
    assert answer.status_code == 422
    assert re.findall(r'<li><a href="#(\w+)"', answer.text) == ["email", "postal_code"]
    assert site.client.post(f"{LETTER}/sign", data=JANE | {"postal_code": "62701"}).status_code == 303


# Check your email


def mails(site: Site) -> int:
    return site.count(Delivery.mail_class == MailClass.CONFIRMATION, of=Delivery)


def test_the_mail_can_be_asked_for_again_after_a_minute(site: Site) -> None:
    site.sign()
    assert "You can ask for it again in 60 seconds" in bare(site.get(CHECK))
    site.client.post(f"{CHECK}/again")
    assert mails(site) == 1
    site.now += timedelta(seconds=61)
    answer = site.client.post(f"{CHECK}/again")
    assert answer.headers["location"] == f"{CHECK}?again=yes"
    assert mails(site) == 2
    html = bare(site.get(f"{CHECK}?again=yes"))
    assert "If a letter waits under this address" in html
    assert "60 seconds" in html
    site.now += timedelta(hours=2)
    assert "jane@example.org" not in site.get(CHECK)


def test_b14_asking_again_tells_nobody_who_signed(site: Site) -> None:
    receipt = site.sign()
    site.confirm(receipt)
    answers = set()
    for address in ("jane@example.org", "nobody@example.org"):
        site.client.post(f"{LETTER}/sign", data=JANE | {"email": address, "website": "robot"})
        site.now += timedelta(seconds=61)
        answer = site.client.post(f"{CHECK}/again")
        answers.add((answer.status_code, answer.headers["location"], bare(site.get(CHECK)).replace(address, "")))
    assert len(answers) == 1
    assert mails(site) == 1


def test_a_cookie_that_we_did_not_seal_says_nothing(site: Site) -> None:
    site.client.cookies.set("outreach-sent", "gAAAAA" + "x" * 80)
    assert "We have written to you." in site.get(CHECK)
    assert site.client.post(f"{CHECK}/again").headers["location"] == CHECK


# Names


def test_only_who_agreed_is_named_and_at_high_risk_by_an_initial(site: Site) -> None:
    with site.db.begin() as session:
        campaign = session.scalars(select(Campaign)).one()
        for name, says_yes, state in (
            ("Ana Ortiz", True, SignatureState.CONFIRMED),
            ("Bo Reyes", False, SignatureState.CONFIRMED),
            ("Cleo Diaz", True, SignatureState.PENDING),
        ):
            signed = factories.signature(session, campaign, name=name, city="Market Town", state=state)
            factories.consent(session, signed.supporter, campaign=campaign, purpose="show_name", given=says_yes)
    html = site.get(LETTER)
    assert re.findall(r'<li dir="auto">([^<]+)</li>', html) == ["Ana, Market Town"]
    assert "Ortiz" not in html
    site.set(high_risk=True)
    site.client.app.state.names = Names()  # type: ignore[attr-defined]
    assert re.findall(r'<li dir="auto">([^<]+)</li>', site.get(LETTER)) == ["A., Market Town"]
    assert "data-draft" not in site.get(LETTER)


@pytest.mark.parametrize("path", ["/privacy", "/accessibility", "/contact"])
def test_every_page_leads_to_privacy_accessibility_and_contact(site: Site, path: str) -> None:
    assert f'href="{path}"' in site.get(LETTER)
    assert "help@outreach.example.org" in site.get(path)


# Offices that wait


def test_the_form_says_whose_letters_would_have_to_wait_and_why(site: Site) -> None:
    assert "delay" not in site.get(LETTER)
    with site.db.begin() as session:
        mayor, council = session.scalars(select(Target).order_by(Target.id))
        mayor.contacts[0].state = ContactState.FAILING
        council.contacts[0].ended_at = site.now
    html = bare(site.get(LETTER))
    assert "The inbox of Mayor of Springfield Alex Rivera takes no mail at the moment." in html
    assert "We have no address for Transit Commissioner Sam Okafor yet." in html
    with site.db.begin() as session:
        form = Contact(
            target_id=council.id, channel=Channel.WEBFORM, value="https://example.gov/w", created_at=site.now
        )
        session.add(form)
    assert "Transit Commissioner Sam Okafor takes web forms only" in bare(site.get(LETTER))
