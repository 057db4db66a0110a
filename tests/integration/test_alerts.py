"""Alerts: said once, until it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from outreach import alerts
from outreach.models import Database

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_one_thing_that_is_wrong_is_one_alert(db: Database) -> None:
    with db.begin() as session:
        assert alerts.raise_alert(session, "wave:3", "Wave 3 was paused.", now=NOW)
        assert not alerts.raise_alert(session, "wave:3", "Wave 3 was paused again.", now=NOW + timedelta(minutes=1))

        assert [(a.key, a.message) for a in alerts.standing(session)] == [("wave:3", "Wave 3 was paused.")]


def test_what_is_over_may_be_wrong_again(db: Database) -> None:
    with db.begin() as session:
        alerts.raise_alert(session, "wave:3", "Wave 3 was paused.", now=NOW)

        assert alerts.close_alert(session, "wave:3", by="cli", now=NOW)
        assert not alerts.close_alert(session, "wave:3", now=NOW)
        assert alerts.standing(session) == []
        assert alerts.raise_alert(session, "wave:3", "Wave 3 was paused.", now=NOW)
