"""The staff's pages of limits over many mailboxes, and of holidays."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import holidays, outbox
from outreach.models import AuditEntry, Budget, Database
from tests.integration.inside import fields, send, token
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

PAGE = "/staff/budgets"
NEW = f"{PAGE}/new"
CURVE = ",".join(["1"] * 23 + ["2"])


def limits(db: Database, key: str = "stream:letters") -> Any:
    with db.read() as session:
        row = session.get(Budget, key)
        return row and (row.per_hour, row.per_day, row.hours, row.days, row.zone, row.curve)


def audited(db: Database) -> list[tuple[str, str, str]]:
    with db.read() as session:
        rows = session.execute(select(AuditEntry.actor, AuditEntry.action, AuditEntry.subject).order_by(AuditEntry.id))
        return [tuple(row) for row in rows if not row.action.startswith("user.")]


def test_a_limit_is_set_listed_changed_and_dropped(staff: TestClient, db: Database) -> None:
    assert "No limits: only the pace of mailboxes holds." in staff.get(PAGE).text
    answer = send(staff, NEW, key=" stream:letters ", per_hour="600", hours="08:00-18:00", days="mon-fri", curve=CURVE)
    assert answer.status_code == 303
    page = bare(staff.get(answer.headers["location"]).text)
    assert "stream:letters up to 600 an hour, 08:00-18:00, mon-fri, UTC; busier and quieter hours" in page
    assert limits(db) == (600, None, "08:00-18:00", "mon-fri", "UTC", [1] * 23 + [2])

    change = f"{PAGE}/stream%3Aletters/change"
    shown = fields(staff, change, change)
    assert (shown["per_hour"], shown["hours"], shown["curve"]) == ("600", "08:00-18:00", CURVE)
    send(staff, change, per_hour="", per_day="5000", hours="", days="", curve="", zone="Europe/Berlin")
    assert limits(db) == (None, 5000, "always", "all", "Europe/Berlin", None)

    drop = f"{PAGE}/stream%3Aletters/drop"
    assert "It is up to 5,000 a day, at any hour." in staff.get(drop).text
    assert send(staff, drop).status_code == 303
    assert limits(db) is None
    assert audited(db) == [("user:1", f"budget.{act}", "budget:stream:letters") for act in ("set", "set", "drop")]


def test_every_wrong_field_is_said_at_once_and_nothing_typed_is_lost(staff: TestClient, db: Database) -> None:
    wrong = {"per_hour": "-1", "per_day": "x", "hours": "18-8", "days": "<b>", "zone": "Nowhere", "curve": "1,2"}
    answer = send(staff, NEW, key="stream:letters", **wrong)
    assert answer.status_code == 422
    for name, typed in wrong.items():
        assert f'id="{name}-error"' in answer.text
        assert f'value="{typed.replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text
    assert audited(db) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"key": "everything", "per_hour": "5"}, "Write stream:letters, domain:example.gov or wave:7."),
        ({"key": "", "per_hour": "5"}, "Write stream:letters, domain:example.gov or wave:7."),
        ({"key": "stream:news"}, "Say at least one thing that limits it"),
        ({"key": "stream:act", "per_hour": "5"}, "There is a limit for this already."),
    ],
)
def test_what_limits_nothing_or_would_loosen_another_is_refused(
    staff: TestClient, db: Database, typed: dict[str, str], said: str
) -> None:
    with db.begin() as session:
        outbox.set_budget(session, "stream:act", per_hour=1)
    answer = send(staff, NEW, **typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert limits(db, "stream:act") == (1, None, None, "all", "UTC", None)
    assert audited(db) == []


def test_a_limit_that_is_gone_is_neither_changed_nor_dropped(staff: TestClient, db: Database) -> None:
    for act in ("change", "drop"):
        path = f"{PAGE}/stream:letters/{act}"
        assert staff.get(path).status_code == 404
        assert staff.post(path, data={"per_hour": "5", "form_token": token(staff)}).status_code == 404
    assert limits(db) is None


# Holidays

DAYS = "/staff/holidays"


def kept(db: Database) -> list[tuple[str, date, str]]:
    with db.read() as session:
        return [(row.calendar, row.day, row.name) for row in holidays.listing(session)]


def test_pasted_days_are_taken_into_a_calendar(staff: TestClient, db: Database) -> None:
    assert f'href="{DAYS}"' in staff.get(PAGE).text
    assert "No days yet." in staff.get(DAYS).text
    answer = send(staff, DAYS, calendar="US", days="2026-12-25 <b>Christmas</b> Day\r\n\r\n2026-07-04")
    page = staff.get(answer.headers["location"]).text
    assert "Calendar us: 2 days Day Name Sat 4 Jul 2026 – Fri 25 Dec 2026" in bare(page)
    assert "<b>Christmas" not in page
    send(staff, DAYS, calendar="us", days="2026-11-26 Thanksgiving", replace="yes")
    assert kept(db) == [("us", date(2026, 11, 26), "Thanksgiving")]
    assert audited(db) == [("user:1", "holidays.import", "calendar:us")] * 2


def test_when_one_line_cannot_be_read_none_is_taken_and_all_is_kept_on_the_page(
    staff: TestClient, db: Database
) -> None:
    answer = send(staff, DAYS, calendar="no such!", days="2026-12-25 Christmas\nsome day", replace="yes")
    assert answer.status_code == 422
    assert "In line 2: " in answer.text
    assert 'id="calendar-error"' in answer.text
    assert 'value="no such!"' in answer.text
    assert "2026-12-25 Christmas\nsome day</textarea>" in answer.text
    assert 'value="yes" checked' in answer.text
    assert 'id="days-error"' in send(staff, DAYS, calendar="us", days="").text
    assert kept(db) == []
