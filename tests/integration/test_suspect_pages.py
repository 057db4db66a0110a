"""The staff's pages of suspects, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import moderation
from outreach.domain.deliveries import State
from outreach.models import Database, Delivery, Invalidation, Signature, SignatureState
from tests import factories
from tests.integration.inside import send
from tests.integration.test_moderation import counted
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

PAGE = "/staff/suspects"
SIEVE = f"{PAGE}/sieve"


@pytest.fixture
def refs(db: Database) -> list[str]:
    """Three suspects whose letters are held, and one signature that counts."""
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        found = []
        for n in range(3):
            signature = factories.signature(
                session, campaign, state=SignatureState.CONFIRMED, name=f"Bot {n}", own_words="Same <b>words</b>."
            )
            signature.suspect, signature.network = "burst", "abc"
            factories.delivery(session, signature, state=State.HELD, reason="suspect")
            found.append(signature.ref)
        factories.signature(session, campaign, state=SignatureState.CONFIRMED)
    return found


def test_staff_see_who_is_set_aside_and_why_and_count_them_after_all(
    staff: TestClient, db: Database, refs: list[str]
) -> None:
    html = staff.get(PAGE).text
    assert "A burst on the campaign, without proof: 3" in bare(html)
    assert "Same &lt;b&gt;words&lt;/b&gt;." in html
    assert send(staff, PAGE).status_code == 422, "nothing is ticked"
    answer = send(staff, PAGE, act="clear", **{f"chosen:{refs[0]}": "yes"})
    assert answer.headers["location"] == f"{PAGE}?done=cleared"
    assert counted(db) == 2
    with db.read() as session:
        assert sorted(session.scalars(select(Delivery.state))) == [State.HELD, State.HELD, State.QUEUED]


def test_staff_end_those_chosen_and_take_it_back(
    staff: TestClient, db: Database, now: datetime, refs: list[str]
) -> None:
    answer = send(staff, PAGE, act="end", **{f"chosen:{ref}": "yes" for ref in refs[:2]})
    where = answer.headers["location"]
    assert "0 of 2 ended" in bare(staff.get(where).text)
    moderation.carry_on(db, now=now)
    assert "2 of 2 ended . Done" in bare(staff.get(where).text).replace("ended.", "ended .").replace(
        "ended  .", "ended ."
    )
    assert send(staff, where, f"{where}/undo").status_code == 303
    moderation.carry_on(db, now=now)
    assert "2 of 2 taken back" in bare(staff.get(f"{where}/live").text)
    with db.read() as session:
        assert [s.suspect for s in session.scalars(select(Signature).order_by(Signature.id))][:3] == ["burst"] * 3


def test_a_sieve_shows_what_fits_before_it_ends_exactly_that(
    staff: TestClient, db: Database, now: datetime, refs: list[str]
) -> None:
    asked = {"campaign": "rents", "name": "bot*", "network": "abc"}
    shown = send(staff, SIEVE, **asked, step="look")
    assert shown.status_code == 200
    assert "3 signatures fit" in bare(shown.text)
    assert "3 mails not sent yet would be called off" in bare(shown.text)
    assert send(staff, SIEVE, **asked, step="end", total="3").status_code == 422, "nobody said why"
    assert send(staff, SIEVE, **asked, step="end", total="2", reason="bots").status_code == 409, "something else fits"
    answer = send(staff, SIEVE, **asked, step="end", total="3", reason="bots")
    assert answer.status_code == 303
    moderation.carry_on(db, now=now)
    with db.read() as session:
        made = session.scalars(select(Invalidation)).one()
        assert (made.reason, made.total, made.made_by) == ("bots", 3, "user:1")
        assert session.scalars(select(Signature.state).where(Signature.ref.in_(refs))).all() == ["invalidated"] * 3
    assert "bots" in staff.get(PAGE).text


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"campaign": "", "name": "x*"}, "campaign"),
        ({"campaign": "rents"}, "suspicion"),
        ({"campaign": "rents", "name": "*"}, "name"),
        ({"campaign": "rents", "since": "yesterday"}, "since"),
        ({"campaign": "rents", "same_words": "1"}, "name"),
        ({"campaign": "rents", "same_words": "many"}, "same_words"),
    ],
)
def test_a_sieve_that_says_nothing_useful_is_told_so_beside_the_field(
    staff: TestClient, refs: list[str], asked: dict[str, str], field: str
) -> None:
    answer = send(staff, SIEVE, **asked, step="look")
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
