"""Who may see what: every page behind the door, asked by everybody, with and without its form's token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import accounts, ladders, moderation, outbox
from outreach.domain.deliveries import MailClass, State
from outreach.domain.sieves import Sieve
from outreach.models import (
    AuditEntry,
    Brake,
    Budget,
    Campaign,
    CampaignState,
    Contact,
    Database,
    Delivery,
    Holiday,
    Invalidation,
    Ladder,
    Reply,
    Role,
    Rung,
    ShareState,
    Signature,
    SignatureState,
    Wave,
    WaveState,
)
from outreach.outbox.causes import Cause
from outreach.settings import Settings
from outreach.web.app import create_app
from tests import factories
from tests.integration.inside import browser, signed_in, token

pytestmark = pytest.mark.usefixtures("rung")


def routes_of(router: object) -> Iterator[APIRoute]:
    """Every route of an application or router, those of the routers it includes among them."""
    for route in getattr(router, "routes", ()):
        if isinstance(route, APIRoute):
            yield route
        yield from routes_of(getattr(route, "original_router", None))


def inner_routes(settings: Settings, db: Database) -> list[tuple[str, str]]:
    """Every (method, path) behind the door, found in the application itself, so that no new one is forgotten."""
    inner = [
        route
        for route in routes_of(create_app(settings, db))
        if route.path.startswith(("/staff", "/console", "/sign-out"))
    ]
    return sorted((method, route.path) for route in inner for method in route.methods)


def test_the_matrix_knows_the_pages(settings: Settings, db: Database) -> None:
    routes = inner_routes(settings, db)
    assert {("GET", "/staff"), ("POST", "/staff/pause"), ("GET", "/console"), ("POST", "/sign-out")} <= set(routes)
    assert len(routes) >= 20


def expected(method: str, path: str, who: str) -> set[int]:
    if who == "anonymous":
        return {303}
    if who == "organizer" and path.startswith("/staff"):
        return {403}
    return {403} if method == "POST" else {200}


def acts_of(pattern: str) -> list[str]:
    """The acts that a path may name."""
    if "{act}" in pattern:
        return ["retry", "handled"]
    if "{name}" not in pattern:
        return [""]
    return ["pause", "resume", "cancel"] if "/waves/" in pattern else ["hold", "release", "cancel", "resend"]


@pytest.mark.parametrize("who", ["anonymous", "organizer", "staff"])
def test_every_page_asks_who_is_there_and_every_form_for_its_token(
    settings: Settings, db: Database, now: datetime, who: str
) -> None:
    with db.begin() as session:
        draft = factories.campaign(session, slug="draft", state=CampaignState.DRAFT)
        campaign = factories.campaign(session, slug="rents")
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        ref_of = {
            "hold": factories.delivery(session, signature).ref,
            "release": factories.delivery(session, factories.signature(session, campaign), state=State.HELD).ref,
            "resend": factories.delivery(
                session, factories.signature(session, campaign), state=State.IN_DOUBT, doubt_since=now
            ).ref,
        }
        target = factories.targets_of(session, campaign)[0].ref
        letter = factories.delivery(session, factories.signature(session, campaign), state=State.ACCEPTED)
        replied = factories.reply(session, letter, share_state=ShareState.ASKED).ref
        sending = factories.wave(session, campaign, state=WaveState.SENDING).id
        paused = factories.wave(session, campaign, state=WaveState.PAUSED).id
        outbox.set_budget(session, "stream:letters", per_hour=600)
        built = ladders.build(session, campaign, "After", ladders.DEFAULTS, now=now, actor="test", checked=True)
        ladder, step = built.id, built.rungs[0].id
        ended = moderation.start(session, campaign.id, Sieve(name="j*"), reason="a test", now=now, actor="test").id
        outbox.pull_brake(session, "all", actor="cli", reason="a test", now=now)
        del draft
    role = {"organizer": Role.ORGANIZER, "staff": Role.STAFF}.get(who)
    client = signed_in(settings, db, now, role) if role else browser(settings, db, now)

    def rows() -> list[object]:
        with db.read() as session:
            return [
                session.execute(select(*table.__table__.columns).order_by(*table.__table__.primary_key)).all()
                for table in (
                    Brake,
                    Delivery,
                    AuditEntry,
                    Wave,
                    Ladder,
                    Rung,
                    Budget,
                    Holiday,
                    Invalidation,
                    Signature,
                    Campaign,
                    Contact,
                    Reply,
                    accounts.SignedIn,
                )
            ]

    def number_in(pattern: str, act: str) -> str:
        return str(ladder if "follow-ups" in pattern else paused if act == "resume" else sending)

    def ref_in(pattern: str, act: str) -> str:
        if "replies" in pattern:
            return replied
        if "failures" in pattern:
            return Cause(MailClass.LETTER, State.IN_DOUBT, "").ref
        return target if "targets" in pattern else ref_of.get(act, ref_of["hold"])

    before = rows()
    for method, pattern in inner_routes(settings, db):
        for act in acts_of(pattern):
            path = (
                pattern.replace("{name}", act)
                .replace("{act}", act)
                .replace("{number:int}", number_in(pattern, act))
                .replace("{step:int}", str(step))
                .replace("{invalidation:int}", str(ended))
                .replace("{key}", "stream:letters")
                .replace("{slug}", "draft" if "publish" in pattern else "rents")
                .replace("{ref}", ref_in(pattern, act))
            )
            form = {"scope": "all", "reason": "x", "word": "pause"} if method == "POST" else None
            for forged in ({}, {"form_token": ""}, {"form_token": "A" * 32}) if form else ({},):
                answer = client.request(method, path, data={**form, **forged} if form else None)
                assert answer.status_code in expected(method, pattern, who), (method, path, who)
    assert rows() == before  # neither looking nor forging changes anything


def test_a_token_of_another_session_is_refused(settings: Settings, db: Database, now: datetime) -> None:
    one, other = signed_in(settings, db, now, Role.STAFF), signed_in(settings, db, now, Role.STAFF, name="Bo")
    assert token(one) != token(other)
    form = {"scope": "stream:news", "reason": "x", "form_token": token(other)}
    assert one.post("/staff/pause", data=form).status_code == 403
    assert one.post("/staff/pause", data=form | {"form_token": token(one)}).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example.net"},
    ],
)
def test_a_post_from_another_site_is_refused_even_with_the_token(staff: TestClient, headers: dict[str, str]) -> None:
    form = {"scope": "stream:news", "reason": "x", "form_token": token(staff)}
    assert staff.post("/staff/pause", data=form, headers=headers).status_code == 403


def test_inner_pages_are_not_kept_and_tell_nobody_where_one_was(staff: TestClient) -> None:
    for path in ("/staff", "/console", "/staff/deliveries"):
        headers = staff.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
