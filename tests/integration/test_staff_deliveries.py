"""Single deliveries on the staff's pages: lists, one mail's story, and what may be done about it."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.events import EventKind
from outreach.models import AuditEntry, Database, Delivery, ProviderEvent
from tests import factories
from tests.integration.inside import make_letter, send, token

pytestmark = pytest.mark.usefixtures("rung")


def test_deliveries_are_listed_filtered_and_paged(staff: TestClient, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for _ in range(53):
            factories.delivery(session, factories.signature(session, campaign))
        factories.delivery(session, factories.signature(session, campaign), mail_class=MailClass.CONFIRMATION)
    seen: list[str] = []
    path = "/staff/deliveries?state=queued&stream=letters"
    while path:
        page = staff.get(path).text
        seen += re.findall(r'href="/staff/deliveries/([a-z0-9]{16})"', page)
        older = re.search(r'href="(/staff/deliveries\?[^"]*before=[^"]*)"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 53
    assert "No deliveries match." in staff.get("/staff/deliveries?state=dead").text


@pytest.mark.parametrize("query", ["state=%27%3B--", "stream=x", "before=-1", "before=9e99", "before=" + "9" * 40])
def test_nonsense_in_the_address_is_passed_over(staff: TestClient, query: str) -> None:
    assert staff.get(f"/staff/deliveries?{query}").status_code == 200


def test_d13_what_providers_say_is_text_and_never_markup(staff: TestClient, db: Database, now: datetime) -> None:
    letter = make_letter(db, state=State.REJECTED, reason="550 <script>alert(1)</script>")
    with db.begin() as session:
        session.add(
            ProviderEvent(
                id="e",
                delivery_id=letter.id,
                kind=EventKind.BOUNCED,
                at=now,
                received_at=now,
                reason='<img src=x onerror="alert(2)">',
            )
        )
    for path in (f"/staff/deliveries/{letter.ref}", "/staff/deliveries"):
        page = staff.get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page
    assert "550 &lt;script&gt;" in staff.get(f"/staff/deliveries/{letter.ref}").text


def test_a_signers_address_is_not_on_the_page(staff: TestClient, db: Database) -> None:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), by="jane.doe@example.org")
        ref = factories.delivery(session, signature, mail_class=MailClass.CONFIRMATION, purpose="confirm").ref
    page = staff.get(f"/staff/deliveries/{ref}").text
    assert "j…@example.org" in page
    assert "jane" not in page


def test_holding_releasing_and_calling_off(staff: TestClient, db: Database, rung: list[Stream]) -> None:
    ref = make_letter(db).ref
    page = f"/staff/deliveries/{ref}"
    send(staff, f"{page}/hold", reason="asked by the office")
    assert "asked by the office" in staff.get(page).text
    assert rung == []
    answer = send(staff, f"{page}/release")
    assert answer.headers["location"] == f"{page}?done=release"
    assert "The mail is queued." in staff.get(answer.headers["location"]).text
    assert rung == [Stream.LETTERS]
    send(staff, f"{page}/cancel", reason="the signer asked")
    with db.read() as session:
        assert session.scalars(select(Delivery.state)).one() is State.CANCELLED
        audited = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "user:1")).all()
    assert [a for a in audited if a.startswith("delivery")] == ["delivery.hold", "delivery.release", "delivery.cancel"]


def test_sending_again_needs_the_word_and_says_that_two_may_arrive(
    staff: TestClient, db: Database, now: datetime
) -> None:
    ref = make_letter(db, state=State.IN_DOUBT, doubt_since=now, maybe_sent=True).ref
    page = f"/staff/deliveries/{ref}/resend"
    assert "the target may get two" in staff.get(page).text
    assert send(staff, page, reason="nothing arrived", word="").status_code == 422
    assert send(staff, page, reason="", word="resend").status_code == 422
    with db.read() as session:
        assert session.scalars(select(Delivery.state)).one() is State.IN_DOUBT
    assert send(staff, page, reason="nothing arrived", word="resend").status_code == 303
    with db.read() as session:
        assert session.scalars(select(Delivery.state)).one() is State.QUEUED


@pytest.mark.parametrize(
    ("state", "act"), [(State.ACCEPTED, "resend"), (State.ACCEPTED, "cancel"), (State.HELD, "hold")]
)
def test_an_act_that_does_not_fit_is_neither_offered_nor_done(
    staff: TestClient, db: Database, state: State, act: str
) -> None:
    ref = make_letter(db, state=state).ref
    page = f"/staff/deliveries/{ref}"
    assert f"{page}/{act}" not in staff.get(page).text
    assert staff.get(f"{page}/{act}").status_code == 409
    form = {"reason": "x", "word": act, "form_token": token(staff)}
    assert staff.post(f"{page}/{act}", data=form).status_code == 409
    with db.read() as session:
        assert session.scalars(select(Delivery.state)).one() is state


@pytest.mark.parametrize("path", ["/staff/deliveries/none", "/staff/deliveries/none/hold", "/staff/deliveries/x/burn"])
def test_what_is_not_there_is_not_found(staff: TestClient, path: str) -> None:
    assert staff.get(path).status_code == 404
