"""The organizers' pages: honest numbers, words as text, and the few acts that change something."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import dashboards
from outreach.domain.deliveries import State, Stream
from outreach.models import AuditEntry, Campaign, CampaignState, Contact, Database, Delivery
from outreach.models import SignatureState as Signed
from tests import factories
from tests.integration.inside import send, token

HOSTILE = '<script>alert("x")</script>{{ 7*7 }}'


pytestmark = pytest.mark.usefixtures("rung")


def test_without_campaigns_the_page_says_what_they_are_and_the_next_act(organizer: TestClient) -> None:
    page = organizer.get("/console").text
    assert "No campaigns yet." in page
    assert "outreach campaign import FILE" in page


def test_campaigns_are_listed_with_their_numbers(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", title="Keep rents within reach")
        signature = factories.signature(session, campaign, state=Signed.CONFIRMED)
        factories.signature(session, campaign)
        letter = factories.delivery(session, signature)
        factories.count(session, letter, 12_482)
    page = organizer.get("/console").text
    assert '<a href="/console/campaigns/rents">Keep rents within reach</a>' in page
    assert 'data-label="Letters waiting">12,483<' in page
    assert 'data-label="Signed">1<' in page
    assert 'data-label="To confirm">1<' in page


def test_a_campaign_shows_targets_letters_and_words(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        silent = factories.target(session, name="Cleo Diaz", email=None)
        reached = factories.target(session, name="Bo Reyes", email="bo@example.net", per_hour=30, per_day=1200)
        campaign = factories.campaign(session, slug="rents", targets=[silent, reached], subject="Cap rents now")
        signature = factories.signature(session, campaign, state=Signed.CONFIRMED, name="Jane Doe")
        factories.delivery(session, signature, silent, state=State.HELD, reason="no_contact")
        factories.delivery(session, signature, reached, state=State.ACCEPTED)
    page = organizer.get("/console/campaigns/rents").text
    assert "Held: no contact" in page
    assert "Give it an address" in page
    assert "Email: bo@example.net" in page
    assert "up to 30 an hour and 1,200 a day" in page
    assert "Cap rents now" in page
    assert "{{ signer.own_words }}" in page
    assert page.count("Jane Doe") == 2
    assert "/staff/deliveries/" not in page  # organizers have no business there


def test_no_signers_address_is_on_any_page(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        signature = factories.signature(session, campaign, by="jane.doe@example.org", state=Signed.CONFIRMED)
        factories.delivery(session, signature)
    for path in ("/console", "/console/campaigns/rents", "/console/campaigns/rents/close"):
        assert "jane.doe" not in organizer.get(path).text


def test_what_people_wrote_is_text_and_never_markup_or_template(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        target = factories.target(session, name=HOSTILE, office=HOSTILE)
        campaign = factories.campaign(
            session, slug="rents", title=HOSTILE, targets=[target], demands=[HOSTILE], body=HOSTILE, subject=HOSTILE
        )
        campaign.opening = campaign.story = campaign.why = campaign.coalition = HOSTILE
        signature = factories.signature(session, campaign, state=Signed.CONFIRMED, name=HOSTILE)
        factories.delivery(session, signature, reason=HOSTILE)
        draft = factories.campaign(session, slug="draft", title=HOSTILE, targets=[target], state=CampaignState.DRAFT)
        paths = [
            "/console",
            "/console/campaigns/rents",
            "/console/campaigns/rents/close",
            f"/console/campaigns/{draft.slug}/publish",
            f"/console/campaigns/rents/targets/{target.ref}",
        ]
    for path in paths:
        page = organizer.get(path).text
        assert "<script>alert" not in page, path
        assert "&lt;script&gt;" in page, path
        assert "49" not in page.replace("{{ 7*7 }}", ""), path


def test_publishing_and_closing_go_by_a_page_that_says_what_follows(
    organizer: TestClient, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        silent = factories.target(session, name="Cleo Diaz", email=None)
        factories.campaign(session, slug="rents", state=CampaignState.DRAFT, targets=[silent])
    check = organizer.get("/console/campaigns/rents/publish").text
    assert "Each confirmed signature becomes 1 letter:" in check
    assert "Held: no contact" in check
    answer = send(organizer, "/console/campaigns/rents/publish")
    assert answer.headers["location"] == "/console/campaigns/rents?done=published"
    assert "People can sign now." in organizer.get(answer.headers["location"]).text
    assert state_of(db) is CampaignState.PUBLISHED
    assert send(organizer, "/console/campaigns/rents/close").status_code == 303
    assert state_of(db) is CampaignState.CLOSED
    with db.read() as session:
        acts = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "user:1")).all()
    assert [act for act in acts if act.startswith("campaign")] == ["campaign.publish", "campaign.close"]


def state_of(db: Database) -> CampaignState:
    with db.read() as session:
        return session.scalars(select(Campaign.state)).one()


def test_letters_can_be_held_for_waves_at_publishing(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", state=CampaignState.DRAFT)
    send(organizer, "/console/campaigns/rents/publish", hold_for_waves="yes")
    with db.read() as session:
        assert session.scalars(select(Campaign.hold_for_waves)).one()


@pytest.mark.parametrize(
    ("state", "act"),
    [(CampaignState.PUBLISHED, "publish"), (CampaignState.CLOSED, "close"), (CampaignState.DRAFT, "close")],
)
def test_an_act_that_does_not_fit_is_not_offered(
    organizer: TestClient, db: Database, state: CampaignState, act: str
) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", state=state)
    assert f"/console/campaigns/rents/{act}" not in organizer.get("/console/campaigns/rents").text
    assert organizer.get(f"/console/campaigns/rents/{act}").status_code == 409


def test_an_address_for_a_target_lets_its_held_letters_go(
    organizer: TestClient, db: Database, rung: list[Stream]
) -> None:
    with db.begin() as session:
        silent = factories.target(session, name="Cleo Diaz", email=None)
        campaign = factories.campaign(session, slug="rents", targets=[silent])
        signature = factories.signature(session, campaign, state=Signed.CONFIRMED)
        factories.delivery(session, signature, silent, state=State.HELD, reason="no_contact")
        page = f"/console/campaigns/rents/targets/{silent.ref}"
    assert send(organizer, page, email=" Cleo@Example.net ").status_code == 303
    with db.read() as session:
        assert session.scalars(select(Contact.value)).one().lower() == "cleo@example.net"
        assert session.scalars(select(Delivery.state)).one() is State.QUEUED
        books = dashboards.state_counts(session)
    assert {state: n for state, n in books.items() if n} == {State.QUEUED: 1}
    assert rung == [Stream.LETTERS]


@pytest.mark.parametrize("email", ["", "cleo", "cleo@", "a@example.net\r\nBcc: b@example.net", "a@b@c", "x" * 5000])
def test_what_is_no_address_comes_back_with_a_sentence(organizer: TestClient, db: Database, email: str) -> None:
    with db.begin() as session:
        silent = factories.target(session, name="Cleo Diaz", email=None)
        factories.campaign(session, slug="rents", targets=[silent])
        page = f"/console/campaigns/rents/targets/{silent.ref}"
    answer = send(organizer, page, email=email)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text
    assert "Enter an email address in the right form" in answer.text
    with db.read() as session:
        assert session.scalars(select(Contact)).all() == []


def test_a_target_is_changed_only_through_a_campaign_that_writes_to_it(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents")
        other = factories.target(session, email=None)
    path = f"/console/campaigns/rents/targets/{other.ref}"
    assert organizer.get(path).status_code == 404
    form = {"email": "a@example.net", "form_token": token(organizer)}
    assert organizer.post(path, data=form).status_code == 404


@pytest.mark.parametrize("path", ["", "/publish", "/close", "/targets/x"])
def test_an_unknown_campaign_is_not_found(organizer: TestClient, path: str) -> None:
    assert organizer.get(f"/console/campaigns/no-such{path}").status_code == 404
