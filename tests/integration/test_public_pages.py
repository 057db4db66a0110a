"""What anybody reads and sends, over real databases. Bare numbers are the field rules'."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from outreach.domain.deliveries import Stream
from outreach.models import (
    Ask,
    Campaign,
    CampaignState,
    Consent,
    Database,
    Delivery,
    Signature,
    SignatureState,
)
from outreach.settings import Settings
from outreach.web.public import TRAP
from tests import factories
from tests.sites import DEMANDS, JANE, Site, bare, site_of

# Reading


def test_without_campaigns_the_front_page_says_so(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    assert "There are no campaigns to sign yet" in site_of(db, settings, now, rung).get("/")


def test_the_front_page_lists_published_campaigns_with_counts_and_no_drafts(site: Site) -> None:
    with site.db.begin() as session:
        factories.campaign(session, title="Still being written", state=CampaignState.DRAFT)
        factories.campaign(session, title="Long won", state=CampaignState.CLOSED)
    receipt = site.confirm(site.sign())
    html = bare(site.get("/"))
    assert receipt.startswith("/letter/")
    assert "A bus shelter for every stop 1 person has signed" in html
    assert "Petition to Mayor of Springfield Alex Rivera and Transit Commissioner Sam Okafor" in html
    assert "Long won Closed" in html
    assert "Still being written" not in html


def test_a_campaign_shows_who_is_asked_what_is_asked_and_the_letter(site: Site) -> None:
    html = site.get("/c/shelters")
    assert "Petition to Mayor of Springfield Alex Rivera and Transit Commissioner Sam Okafor" in bare(html)
    assert tuple(re.findall(r'<li id="demand-\d">.*<p>([^<]+)</p>', html)) == DEMANDS
    assert '<a class="demand-number" href="#demand-2"' in html
    assert "Those who cannot drive depend on it." in html
    assert '<span class="slot" data-mirrors="name">[Your Name]</span>' in html
    assert "Sign and send my letter" in html
    assert "<strong>Fair Streets</strong>" in html


def test_b15_the_boxes_are_not_ticked_beforehand_and_say_what_the_ledger_will_keep(site: Site) -> None:
    html = site.get("/c/shelters")
    assert "checked" not in html
    site.sign(updates="yes")
    with site.db.read() as session:
        wordings = {row.purpose: row.wording for row in session.scalars(select(Consent))}
    assert wordings.keys() == {"deliver_letter", "updates"}
    assert all(wording in bare(html) for wording in wordings.values())


def test_an_ask_is_a_link_only_when_somebody_gave_a_web_address(site: Site) -> None:
    assert re.search(r"<a [^>]*>Learn more", site.get("/c/shelters")) is None
    with site.db.begin() as session:
        session.scalars(select(Ask)).one().link_url = "https://example.org/more"
    assert re.search(r'<a class="more" href="https://example.org/more"[^>]*>Learn more', site.get("/c/shelters"))


def test_threat_a9_a_link_that_is_a_script_is_no_link(site: Site) -> None:
    with site.db.begin() as session:
        session.scalars(select(Ask)).one().link_url = "javascript:alert(1)"
    assert "javascript:" not in site.get("/c/shelters")


def test_threat_c13_a_draft_is_nobodys_business(site: Site) -> None:
    with site.db.begin() as session:
        factories.campaign(session, slug="draft", state=CampaignState.DRAFT)
    assert site.get("/c/draft", 404) == site.get("/c/no-such-campaign", 404)
    assert site.client.post("/c/draft/sign", data=JANE).status_code == 404


def test_a_closed_campaign_can_be_read_and_not_signed(site: Site) -> None:
    with site.db.begin() as session:
        session.scalars(select(Campaign)).one().state = CampaignState.CLOSED
    assert "Signing has ended" in site.get("/c/shelters")
    answer = site.client.post("/c/shelters/sign", data=JANE)
    assert answer.status_code == 409
    assert "Signing has ended" in answer.text
    assert site.count() == 0


# Signing


def test_signing_leads_to_check_your_email_and_rings_after_the_commit(site: Site) -> None:
    answer = site.client.post("/c/shelters/sign", data=JANE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/shelters/check-your-email")
    assert site.count(Signature.state == SignatureState.PENDING) == 1
    assert site.rung == [Stream.ACT]
    html = site.get("/c/shelters/check-your-email")
    assert "We have written to jane@example.org" in bare(html)
    assert "jane" not in answer.headers["set-cookie"]
    site.client.cookies.clear()
    assert "jane" not in site.get("/c/shelters/check-your-email")


def test_wrong_fields_come_back_with_their_sentences_and_every_value(site: Site) -> None:
    form = {"name": "", "email": "not an address", "city": "Spring", "own_words": "one\r\n\r\ntwo", "updates": "yes"}
    answer = site.client.post("/c/shelters/sign", data=form)
    html = answer.text
    assert answer.status_code == 422
    assert "<title>Error: " in html
    assert html.index('class="error-summary"') < html.index("<h1>")
    for field in ("name", "email"):
        sentence = re.search(rf'<a href="#{field}">([^<]+)</a>', html)
        assert sentence is not None
        assert html.count(sentence[1]) == 2, "the same words beside the field"
        assert f'id="{field}-error"' in html
        assert re.search(rf'id="{field}"[^>]* aria-invalid="true"', html)
    assert 'value="not an address"' in html
    assert 'value="Spring"' in html
    assert "\none\n\ntwo</textarea>" in html
    assert re.search(r'name="updates"[^>]* checked', html)
    assert not re.search(r'name="show_name"[^>]* checked', html)
    assert site.count() == 0
    assert site.rung == []


def test_threat_a11_line_ends_from_a_browser_reach_the_letter_as_one_kind(site: Site) -> None:
    site.sign(own_words="one\r\n\r\ntwo")
    with site.db.read() as session:
        assert session.scalars(select(Signature.own_words)).one() == "one\n\ntwo"


def test_fault_f44_a_second_submit_changes_nothing(site: Site) -> None:
    answers = [site.client.post("/c/shelters/sign", data=JANE) for _ in range(3)]
    assert {(a.status_code, a.headers["location"]) for a in answers} == {(303, "/c/shelters/check-your-email")}
    assert site.count() == 1
    assert site.count(of=Delivery) == 1


def test_b14_threat_b5_the_answer_does_not_tell_whether_somebody_signed_before(site: Site) -> None:
    site.confirm(site.sign(email="confirmed@example.org"))
    site.sign(email="pending@example.org")
    with site.db.begin() as session:
        factories.suppression(session, "suppressed@example.org")
    answers = set()
    for who in ("confirmed", "pending", "suppressed", "new"):
        answer = site.client.post("/c/shelters/sign", data=JANE | {"email": f"{who}@example.org"})
        answer.headers["set-cookie"] = answer.headers["set-cookie"].partition("=")[0]  # the rest is sealed
        answers.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
    assert len(answers) == 1


def test_the_hidden_field_catches_robots_without_telling_them(site: Site) -> None:
    answer = site.client.post("/c/shelters/sign", data=JANE | {TRAP: "https://spam.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/shelters/check-your-email")
    assert site.count() == 0


def test_threat_a7_what_a_signer_types_is_never_markup(site: Site) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    refused = site.client.post("/c/shelters/sign", data=JANE | {"name": hostile, "city": hostile})
    assert refused.status_code == 422
    assert "<img" not in refused.text
    path = site.sign(own_words=f"{hostile} {{{{ 7*7 }}}} {{% x %}}")
    html = site.get(path)
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt; {{ 7*7 }} {% x %}" in html


HOSTILE = ("\x00", "x" * 50_000, "a\u202eb\x00", "=?UTF-8?Q?=0D=0ABcc:_x?=", "a@" * 9000, "\ud7ff\ufffe")


def test_threat_b19_no_value_is_too_odd_to_be_answered(site: Site) -> None:
    site = site_of(site.db, replace(site.settings, signs_per_minute=1000, proof_of_work="off"), site.now, site.rung)
    for field in ("name", "email", "city", "postal_code", "own_words", "updates"):
        for value in HOSTILE:
            answer = site.client.post("/c/shelters/sign", data=JANE | {field: value})
            assert answer.status_code in (303, 422), (field, value[:20])


def test_too_many_from_one_network_wait_and_keep_what_they_typed(
    db: Database, site: Site, now: datetime, rung: list[Stream]
) -> None:
    strict = site_of(db, replace(site.settings, signs_per_minute=2, proof_of_work="off"), now, rung)
    for n in range(2):
        strict.sign(email=f"signer{n}@example.org")
    answer = strict.client.post("/c/shelters/sign", data=JANE)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "from your network" in answer.text
    assert 'value="jane@example.org"' in answer.text
    # B8: another address in a header we do not trust is the same network.
    spoofed = strict.client.post("/c/shelters/sign", data=JANE, headers={"x-forwarded-for": "198.51.100.9"})
    assert spoofed.status_code == 429
