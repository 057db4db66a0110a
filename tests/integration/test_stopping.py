"""No means no: one click, the page with its choices, the way back. Numbers are the field rules'."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from outreach import stopping
from outreach.domain.consents import Purpose
from outreach.models import Campaign, Consent, Sponsorship, Supporter, Suppression
from tests import factories
from tests.sites import Site, bare


@pytest.fixture
def link(site: Site) -> str:
    """The path a reader of the campaign's mailings would find in one; they had asked for updates."""
    with site.db.begin() as session:
        campaign = session.scalars(select(Campaign)).one()
        reader = factories.supporter(session, "reader@example.org")
        session.add(
            Consent(
                supporter_id=reader.id,
                campaign_id=campaign.id,
                purpose=Purpose.UPDATES,
                given=True,
                wording="Fair Streets may keep me up to date.",
                source="web",
                at=site.now,
            )
        )
        return f"/u/{site.keys.stop_token(reader.ref, campaign.id)}"


def closed(site: Site) -> list[str]:
    with site.db.read() as session:
        return sorted(session.scalars(select(Suppression.scope).where(Suppression.reason == stopping.REASON)))


def ledger(site: Site) -> list[tuple[bool, str]]:
    """What the reader said about updates, in order."""
    with site.db.read() as session:
        reader = session.scalars(select(Supporter).where(Supporter.address == "reader@example.org")).one()
        entries = session.scalars(select(Consent).where(Consent.supporter_id == reader.id).order_by(Consent.id))
        return [(entry.given, entry.source) for entry in entries]


def test_b4_opening_the_link_stops_nothing_however_often(site: Site, link: str) -> None:
    for method in ("GET", "HEAD") * 50:
        assert site.client.request(method, link, headers={"user-agent": ""}).status_code == 200

    assert closed(site) == []
    assert "Stop these mails" in site.get(link)


ONE_CLICK: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"data": {"List-Unsubscribe": "One-Click"}}, {}),
    ({"files": {"List-Unsubscribe": (None, "One-Click")}}, {}),
    ({}, {}),
    ({"content": b"List-Unsubscribe=One-Click"}, {}),
    ({"content": b"--x\r\nnot a form"}, {"content-type": "multipart/form-data; boundary=x"}),
    ({"content": b"\xff\xfe"}, {"content-type": "application/octet-stream"}),
    ({"data": {"List-Unsubscribe": "One-Click"}}, {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}),
]


@pytest.mark.parametrize(("body", "headers"), ONE_CLICK)
def test_b1_b2_b3_one_click_in_any_shape_stops_every_mailing(
    site: Site, link: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = site.client.post(link, headers=headers, **body)

    assert answer.status_code == 200
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert closed(site) == ["news"]
    assert "You get no more updates" in bare(answer.text)


def test_b5_b16_saying_no_again_adds_nothing_to_the_ledger(site: Site, link: str) -> None:
    for _ in range(3):
        assert site.client.post(link).status_code == 200

    assert closed(site) == ["news"]
    assert ledger(site) == [(True, "web"), (False, "link")]


@pytest.mark.parametrize("damage", [lambda t: t[:-1], lambda t: t[:-1] + "2", lambda t: "a" * 40, lambda t: "é" * 40])
def test_b6_a_damaged_link_is_like_any_address_that_does_not_exist(site: Site, link: str, damage: Any) -> None:
    nowhere = site.client.post("/u/guess", data={"email": "reader@example.org"})
    token = damage(link.removeprefix("/u/"))
    answers = [site.client.post(f"/u/{token}"), site.client.get(f"/u/{token}")]

    assert {answer.status_code for answer in answers} == {404} == {nowhere.status_code}
    assert {bare(answer.text) for answer in answers} == {bare(nowhere.text)}
    assert "reader@" not in answers[0].text
    assert closed(site) == []


def test_b7_a_link_of_last_year_still_works(site: Site, link: str) -> None:
    site.now += timedelta(days=400)

    assert site.client.post(link).status_code == 200
    assert closed(site) == ["news"]


@pytest.mark.parametrize(
    ("much", "scope"), [("list", "list:"), ("organisation", "org:"), ("news", "news"), ("all", "all")]
)
def test_a_reader_chooses_how_much_and_takes_it_back(site: Site, link: str, much: str, scope: str) -> None:
    with site.db.begin() as session:
        campaign, organisation = session.scalars(select(Campaign)).one(), factories.organisation_of(session)
        if not session.scalars(select(Sponsorship)).all():
            session.add(Sponsorship(campaign_id=campaign.id, organisation_id=organisation.id, role="lead"))

    page = site.client.post(link, data={"much": much}).text
    assert "Done." in bare(page)
    assert [s.startswith(scope) for s in closed(site)] == [True]
    assert ledger(site)[-1] == (False, "link")

    assert "Taken back" in bare(site.client.post(f"{link}/undo").text)
    assert closed(site) == []
    assert ledger(site)[-1] == (True, "link")


def test_taking_it_back_reopens_no_address_that_bounced(site: Site, link: str) -> None:
    with site.db.begin() as session:
        reader = session.scalars(select(Supporter).where(Supporter.address == "reader@example.org")).one()
        session.add(Suppression(address_hash=reader.address_hash, scope="all", reason="bounced", at=site.now))

    site.client.post(link)
    site.client.post(f"{link}/undo")

    with site.db.read() as session:
        assert session.scalars(select(Suppression.reason)).all() == ["bounced"]


def test_b8_a_mail_to_the_address_in_the_header_stops_as_the_page_does(site: Site, link: str) -> None:
    token = link.removeprefix("/u/")
    with site.db.begin() as session:
        stopping.stop(session, token, keys=site.keys, source="mail", now=site.now)

    assert closed(site) == ["news"]
    assert ledger(site)[-1] == (False, "mail")
