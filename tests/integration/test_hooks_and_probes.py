"""What machines ask and report: events, health, metrics. Bare numbers are the field rules'."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from outreach.domain.deliveries import Stream
from outreach.models import (
    Database,
    ProviderEvent,
)
from outreach.settings import Settings
from outreach.web.app import create_app
from tests.conftest import make_settings
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey
from tests.sites import Site, site_of

# What providers report


def reporting_site(db: Database, settings: Settings, now: datetime, rung: list[Stream]) -> tuple[Site, EventKey]:
    key = EventKey()
    return site_of(db, replace(settings, sendgrid_event_keys=(key.public,)), now, rung), key


ROWS = [
    {"event": "delivered", "sg_event_id": "e-1", "timestamp": 1_772_452_800, "oe_delivery": "d-1", "oe_env": "test"}
]


def test_threat_d1_a_signed_report_is_kept_and_a_repeated_one_counts_once(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    site, key = reporting_site(db, settings, now, rung)
    report = key.signed(ROWS, at=now.timestamp())
    for _ in range(2):
        answer = site.client.post("/hooks/sendgrid/events", content=report.body, headers=report.headers)
        assert (answer.status_code, answer.text) == (200, "ok\n")
    assert site.count(of=ProviderEvent) == 1


def test_d1_threat_d1_d3_whatever_is_not_signed_gets_the_same_answer(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    site, key = reporting_site(db, settings, now, rung)
    good = key.signed(ROWS, at=now.timestamp())
    forged: list[tuple[bytes, dict[str, str]]] = [
        (good.body, {}),
        (good.body + b" ", good.headers),
        (good.body, EventKey().signed(ROWS, at=now.timestamp()).headers),
        (good.body, good.headers | {SIGNATURE_HEADER: "%%%"}),
        (good.body, good.headers | {SIGNATURE_HEADER: ""}),
        (good.body, good.headers | {TIMESTAMP_HEADER: "soon"}),
        (b"\xff\xfe", good.headers),
        (b"", {}),
    ]
    answers = {
        (answer.status_code, answer.text)
        for body, headers in forged
        if (answer := site.client.post("/hooks/sendgrid/events", content=body, headers=headers))
    }
    assert {status for status, _ in answers} == {403}
    assert len(answers) == 1
    assert site.count(of=ProviderEvent) == 0


NONSENSE = (b"", b"{}", b"[[[]]]", b"null", b"[1, null, {}]", b"\xff", b"[" * 100_000, b'[{"event":"\\u0000"}]')


def test_threat_d3_signed_nonsense_is_taken_and_forgotten(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    site, key = reporting_site(db, settings, now, rung)
    stamp = str(int(now.timestamp()))
    for body in NONSENSE:
        headers = {SIGNATURE_HEADER: key.sign(body, stamp), TIMESTAMP_HEADER: stamp}
        answer = site.client.post("/hooks/sendgrid/events", content=body, headers=headers)
        assert answer.status_code == 200, body[:20]
    assert site.count(of=ProviderEvent) == 0


def test_threat_d3_a_null_character_in_a_report_harms_nothing(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    site, key = reporting_site(db, settings, now, rung)
    rows = [{**ROWS[0], "sg_event_id": "e\x00", "reason": "a\x00b", "oe_delivery": "d\x00"}, *ROWS]
    report = key.signed(rows, at=now.timestamp())
    assert site.client.post("/hooks/sendgrid/events", content=report.body, headers=report.headers).status_code == 200
    assert site.count(ProviderEvent.id == "e-1", of=ProviderEvent) == 1


def test_threat_d4_more_than_five_megabytes_are_refused(
    db: Database, settings: Settings, now: datetime, rung: list[Stream]
) -> None:
    site, key = reporting_site(db, settings, now, rung)
    assert site.client.post("/hooks/sendgrid/events", content=b" " * (5 * 1024 * 1024 + 1)).status_code == 413
    large = key.signed([*ROWS, {"pad": "x" * 4_000_000}], at=now.timestamp())
    assert site.client.post("/hooks/sendgrid/events", content=large.body, headers=large.headers).status_code == 200


# For machines


def test_health_and_readiness(site: Site) -> None:
    assert site.get("/healthz") == "ok\n"
    ready = site.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert ready.json()["redis"] == "away", "told of, not needed"


def test_readiness_fails_at_another_step_and_says_no_more_than_that(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outreach.migrating.newest", lambda: "9999")
    answer = site.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "database": "needs a migration", "redis": "away"}


def test_metrics_are_read_from_the_books_and_not_through_a_proxy(site: Site) -> None:
    site.confirm(site.sign())
    site.now += timedelta(minutes=5)
    text = site.get("/metrics")
    assert 'outreach_deliveries{class="letter",state="queued"} 2.0' in text
    assert 'outreach_oldest_due_seconds{stream="letters"} 300.0' in text
    assert "outreach_brakes_pulled 0.0" in text
    assert site.client.get("/metrics", headers={"x-forwarded-for": "198.51.100.1"}).status_code == 404


def test_a_database_that_does_not_answer_is_an_apology_with_a_time(tmp_path: Path, now: datetime) -> None:
    folder = tmp_path
    settings = make_settings(folder, f"sqlite:///{folder / 'no' / 'such' / 'folder.db'}")
    away = Database(settings.database)
    client = TestClient(create_app(settings, away), base_url=settings.base_url)
    answer = client.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"
    assert "cannot be reached right now" in answer.text
    assert "folder.db" not in answer.text
    assert client.get("/readyz").json()["database"] == "away"
    assert client.get("/healthz").status_code == 200
    away.close()
