"""Signing in, and the staff's pages: who may see and do what, and what the queue page says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import accounts, heartbeats, outbox
from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import EventKind
from outreach.models import AuditEntry, Brake, Database, Delivery, ProviderEvent, Role, SignatureState, User
from outreach.settings import Settings
from outreach.web import sessions, sign_in
from outreach.web.app import create_app
from tests import factories
from tests.integration.inside import browser, cookie, fields, send, signed_in, token

PASSWORD = "a kettle of herons"


@pytest.fixture(autouse=True)
def quiet_bell(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Nobody answers the doorbell here; what was rung is kept."""
    rung: list[object] = []
    monkeypatch.setattr("outreach.wake.wake", lambda url, *streams: rung.extend(streams))
    return rung


@pytest.fixture
def staff(settings: Settings, db: Database, now: datetime) -> TestClient:
    return signed_in(settings, db, now, Role.STAFF)


def make_user(db: Database, now: datetime, role: Role = Role.STAFF) -> User:
    with db.begin() as session:
        return accounts.add(
            session, "ana@example.org", name="Ana Ortiz", role=role, password=PASSWORD, now=now, actor="cli"
        )


def make_letter(db: Database, **columns: object) -> Delivery:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), state=SignatureState.CONFIRMED)
        return factories.delivery(session, signature, **columns)  # type: ignore[arg-type]


# Signing in


def test_the_right_password_leads_to_the_page_that_was_asked_for(
    settings: Settings, db: Database, now: datetime
) -> None:
    make_user(db, now)
    client = browser(settings, db, now)
    answer = client.get("/staff/deliveries?state=held")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=/staff/deliveries%3Fstate%3Dheld",
    )
    answer = send(client, answer.headers["location"], "/sign-in", email="ana@example.org", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/deliveries?state=held")
    assert client.get(answer.headers["location"]).status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    with_settings: Callable[..., Settings], db: Database, now: datetime
) -> None:
    make_user(db, now)
    for base_url, name, secure in (
        ("https://act.example.org", "__Host-outreach", True),
        ("http://127.0.0.1:8000", "outreach", False),
    ):
        client = browser(with_settings(base_url=base_url), db, now)
        answer = send(client, "/sign-in", email="ana@example.org", password=PASSWORD)
        (set_cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith(name + "=")]
        parts = {part.strip().lower() for part in set_cookie.split(";")}
        assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= parts
        assert ("secure" in parts) is secure
        assert not any(part.startswith("domain") for part in parts)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    settings: Settings, db: Database, now: datetime
) -> None:
    make_user(db, now)
    pages = []
    for email in ("ana@example.org", "bob@example.org"):
        client = browser(settings, db, now)
        answer = send(client, "/sign-in", email=email, password="wrong wrong wrong")
        assert answer.status_code == 422
        assert cookie(settings) not in client.cookies
        pages.append(re.sub(r'name="form_token" value="[^"]+"', "", answer.text).replace(email, ""))
    assert pages[0] == pages[1]
    assert "The email address or the password is wrong." in pages[0]


def test_a_wrong_password_is_not_shown_again(settings: Settings, db: Database, now: datetime) -> None:
    answer = send(browser(settings, db, now), "/sign-in", email="ana@example.org", password="secret wrong words")
    assert "secret wrong words" not in answer.text
    assert 'value="ana@example.org"' in answer.text
    assert "<title>Error: " in answer.text


def test_parallel_tries_cannot_beat_the_limit(
    settings: Settings, db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user(db, now)
    weighed = []
    monkeypatch.setattr(accounts, "_fits", lambda *_: weighed.append(1) or False)
    client = browser(settings, db, now)
    form = fields(client, "/sign-in", "/sign-in") | {"email": "ana@example.org", "password": "x" * 12}
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: client.post("/sign-in", data=form).status_code, range(60)))
    assert len(weighed) == statuses.count(422) == sign_in.PER_ACCOUNT
    assert statuses.count(429) == 60 - sign_in.PER_ACCOUNT


def test_one_network_cannot_try_many_accounts(settings: Settings, db: Database, now: datetime) -> None:
    client = browser(settings, db, now)
    form = fields(client, "/sign-in", "/sign-in")
    answers = [
        client.post("/sign-in", data=form | {"email": f"user{n}@example.org", "password": "x"}) for n in range(12)
    ]
    assert [a.status_code for a in answers] == [422] * sign_in.PER_NETWORK + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Too many tries." in answers[-1].text


def test_a_secret_planted_before_signing_in_is_never_the_session(
    settings: Settings, db: Database, now: datetime
) -> None:
    make_user(db, now)
    client = browser(settings, db, now)
    client.cookies.set(cookie(settings), "planted-by-somebody-else")
    send(client, "/sign-in", email="ana@example.org", password=PASSWORD)
    stranger = browser(settings, db, now)
    stranger.cookies.set(cookie(settings), "planted-by-somebody-else")
    assert stranger.get("/staff").status_code == 303


@pytest.mark.parametrize(
    "wish",
    [
        "https://evil.example.net/",
        "//evil.example.net/staff",
        "/\\evil.example.net",
        "\\/\\/evil.example.net",
        "/staff/../../evil",
        "/staff//evil.example.net",
        "/staff/%2e%2e/",
        "/staff?next=//evil.example.net",
        "/staff#@evil.example.net",
        "/staff\r\nSet-Cookie: a=b",
        "/staff\n",
        "/staff\x00",
        " /staff",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "staff",
        "",
        "/",
        "/c/rents",
        "/staffing",
        "/stafF",
        "http:/staff",
        "http:///staff",
        "/staff;evil",
        "/staff@evil.example.net",
        "/staff:80",
        "/console/../staff/",
        "/console/<script>",
        "/staff/" + "a" * 400,
        "／staff",
        "/sign-in?next=/staff",
    ],
)
def test_the_next_page_is_one_of_ours_or_home(
    settings: Settings, db: Database, now: datetime, wish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_fits", lambda *_: True)
    make_user(db, now)
    client = browser(settings, db, now)
    answer = send(client, "/sign-in", email="ana@example.org", password=PASSWORD, next=wish)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    assert client.get("/sign-in", params={"next": wish}).headers["location"] == "/staff"


@pytest.mark.parametrize(
    "wish", ["/staff", "/console", "/staff/deliveries?state=in_doubt&stream=act", "/console/campaigns/rents-2"]
)
def test_our_own_pages_are_allowed_next(wish: str) -> None:
    assert sessions.allowed_next(wish) == wish


def test_an_organizer_is_not_led_to_a_page_of_the_staff(settings: Settings, db: Database, now: datetime) -> None:
    make_user(db, now, Role.ORGANIZER)
    answer = send(
        browser(settings, db, now), "/sign-in", email="ana@example.org", password=PASSWORD, next="/staff/deliveries"
    )
    assert answer.headers["location"] == "/console"


def test_a_link_shows_a_button_and_signs_in_by_post_once(settings: Settings, db: Database, now: datetime) -> None:
    user = make_user(db, now)
    with db.begin() as session:
        url = accounts.sign_in_link(session, user, keys=factories.KEYS, settings=settings, now=now)
    path = url.removeprefix(settings.base_url)
    client = browser(settings, db, now)
    for _ in range(3):  # scanners look
        assert browser(settings, db, now).get(path).status_code == 200
    answer = send(client, path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    assert client.get("/staff").status_code == 200
    other = browser(settings, db, now)
    assert other.get(path).status_code == 410
    nonce = fields(other, "/sign-in", "/sign-in")["form_token"]
    assert other.post(path, data={"form_token": nonce}).status_code == 410
    assert other.get("/staff").status_code == 303


def test_a_link_cannot_be_followed_for_somebody_by_another_site(
    settings: Settings, db: Database, now: datetime
) -> None:
    user = make_user(db, now)
    with db.begin() as session:
        url = accounts.sign_in_link(session, user, keys=factories.KEYS, settings=settings, now=now)
    path = url.removeprefix(settings.base_url)
    victim = browser(settings, db, now)
    assert victim.post(path, data={"form_token": "x"}).status_code == 403
    assert cookie(settings) not in victim.cookies
    assert browser(settings, db, now).get(path).status_code == 200  # and it still works for whom it is for


def test_signing_out_ends_the_session_and_everywhere_ends_all(
    settings: Settings, db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_fits", lambda *_: True)
    make_user(db, now)
    one, two, three = (browser(settings, db, now) for _ in range(3))
    for client in (one, two, three):
        send(client, "/sign-in", email="ana@example.org", password=PASSWORD)
    secret = one.cookies[cookie(settings)]
    assert send(one, "/staff", "/sign-out").headers["location"] == "/sign-in"
    one.cookies.set(cookie(settings), secret)  # a thief who kept it
    assert one.get("/staff").status_code == 303
    assert two.get("/staff").status_code == 200
    send(two, "/staff", "/sign-out-everywhere")
    assert three.get("/staff").status_code == 303


def test_a_page_that_refreshes_itself_does_not_keep_a_session_alive(
    settings: Settings, db: Database, now: datetime
) -> None:
    at = now
    client = signed_in(settings, db, lambda: at, Role.STAFF)
    for _ in range(3):
        at += timedelta(minutes=55)
        last = client.get("/staff/live?live=1").status_code
    assert last == 303
    at = now
    client = signed_in(settings, db, lambda: at, Role.STAFF)
    for _ in range(3):
        at += timedelta(minutes=55)
        last = client.get("/staff").status_code
    assert last == 200


def test_a_disabled_user_is_out_at_the_next_click(staff: TestClient, db: Database, now: datetime) -> None:
    assert staff.get("/staff").status_code == 200
    with db.begin() as session:
        accounts.disable(session, session.scalars(select(User)).one(), now=now, actor="cli")
    assert staff.get("/staff").status_code == 303


# Who may see what


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


@pytest.mark.parametrize("who", ["anonymous", "organizer", "staff"])
def test_every_page_asks_who_is_there_and_every_form_for_its_token(
    settings: Settings, db: Database, now: datetime, who: str
) -> None:
    with db.begin() as session:
        draft = factories.campaign(session, slug="draft", state=factories.CampaignState.DRAFT)
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
        outbox.pull_brake(session, "all", actor="cli", reason="a test", now=now)
        del draft
    role = {"organizer": Role.ORGANIZER, "staff": Role.STAFF}.get(who)
    client = signed_in(settings, db, now, role) if role else browser(settings, db, now)

    def rows() -> list[object]:
        with db.read() as session:
            return [
                session.execute(select(*table.__table__.columns).order_by(*table.__table__.primary_key)).all()
                for table in (Brake, Delivery, AuditEntry, factories.Campaign, factories.Contact, accounts.SignedIn)
            ]

    before = rows()
    for method, pattern in inner_routes(settings, db):
        acts = ["hold", "release", "cancel", "resend"] if "{name}" in pattern else [""]
        for act in acts:
            path = (
                pattern.replace("{name}", act)
                .replace("{slug}", "draft" if "publish" in pattern else "rents")
                .replace("{ref}", target if "targets" in pattern else ref_of.get(act, ref_of["hold"]))
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


def test_sign_in_itself_needs_the_token_of_its_form(settings: Settings, db: Database, now: datetime) -> None:
    make_user(db, now)
    client = browser(settings, db, now)
    form = {"email": "ana@example.org", "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 403
    form["form_token"] = fields(browser(settings, db, now), "/sign-in", "/sign-in")["form_token"]
    assert client.post("/sign-in", data=form).status_code == 403  # another browser's


def test_inner_pages_are_not_kept_and_tell_nobody_where_one_was(staff: TestClient) -> None:
    for path in ("/staff", "/console", "/staff/deliveries"):
        headers = staff.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


# The queue and the brakes


def test_the_queue_page_says_what_is_there(staff: TestClient, db: Database, now: datetime) -> None:
    make_letter(db, due_at=now - timedelta(minutes=20))
    make_letter(db, state=State.HELD, reason="no_contact")
    make_letter(db, state=State.IN_DOUBT, doubt_since=now - timedelta(hours=3), maybe_sent=True)
    with db.begin() as session:
        heartbeats.beat(session, "worker:host:1", kind="worker", now=now)
    page = staff.get("/staff").text
    assert "the oldest due mail for 20 minutes" in page
    assert "in doubt; the oldest for 3 hours" in page
    assert "The target has no email contact" in page
    assert "worker:host:1" in page
    assert "No worker is alive" not in page
    assert "No timetable is alive" in page
    assert '<noscript><meta http-equiv="refresh"' in page


def test_the_queue_page_says_when_nobody_works(staff: TestClient) -> None:
    assert "No worker is alive" in staff.get("/staff").text


def test_pausing_everything_needs_the_word_and_a_reason(staff: TestClient, db: Database) -> None:
    answer = send(staff, "/staff/pause?scope=all", reason="", word="stop")
    assert answer.status_code == 422
    assert "Say why." in answer.text
    assert "Type the word pause." in answer.text
    with db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_pause_and_resume_are_shown_everywhere_and_written_down(
    staff: TestClient, settings: Settings, db: Database, now: datetime, quiet_bell: list[object]
) -> None:
    organizer = signed_in(settings, db, now, Role.ORGANIZER, name="Bo Reyes")
    assert "Everything is paused" not in organizer.get("/console").text
    answer = send(staff, "/staff/pause?scope=all", reason="<b>A typo</b> in the letter", word=" Pause ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff?done=paused")
    for client, path in ((staff, "/staff"), (staff, "/staff/deliveries"), (staff, "/console"), (organizer, "/console")):
        page = client.get(path).text
        assert "Everything is paused." in page
        assert "Ana Ortiz paused it" in page
        assert "&lt;b&gt;A typo&lt;/b&gt; in the letter" in page
    assert "Staff can resume it." in organizer.get("/console").text
    assert quiet_bell == []

    assert send(staff, "/staff/resume?scope=all").headers["location"] == "/staff?done=resumed"
    assert "Everything is paused." not in staff.get("/console").text
    assert [str(stream) for stream in quiet_bell] == ["act", "letters", "news"]
    with db.read() as session:
        acts = session.execute(select(AuditEntry.action, AuditEntry.actor).where(AuditEntry.action.like("brake%")))
        assert [tuple(act) for act in acts] == [("brake.pull", "user:1"), ("brake.lift", "user:1")]


def test_one_stream_can_be_paused(staff: TestClient, db: Database) -> None:
    send(staff, "/staff/pause?scope=stream:news", reason="wrong list")
    with db.read() as session:
        assert [b.scope for b in outbox.brakes_pulled(session)] == ["stream:news"]
    page = staff.get("/staff").text
    assert "/staff/pause?scope=stream:news" not in page
    assert "/staff/resume?scope=stream%3Anews" in page
    assert "Everything is paused." not in page


@pytest.mark.parametrize("scope", ["", "everything", "stream:x", "target:1'--", "all\n"])
def test_only_known_scopes_can_be_paused(staff: TestClient, db: Database, scope: str) -> None:
    assert staff.get("/staff/pause", params={"scope": scope}).status_code == 404
    form = {"scope": scope, "reason": "x", "word": "pause", "form_token": token(staff)}
    assert staff.post("/staff/pause", data=form).status_code == 404
    with db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_resuming_what_is_not_paused_says_so(staff: TestClient) -> None:
    assert staff.get("/staff/resume?scope=all").status_code == 409
    assert staff.post("/staff/resume", data={"scope": "all", "form_token": token(staff)}).status_code == 409


# Single deliveries


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


def test_what_providers_say_is_text_and_never_markup(staff: TestClient, db: Database, now: datetime) -> None:
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


def test_holding_releasing_and_calling_off(staff: TestClient, db: Database, quiet_bell: list[object]) -> None:
    ref = make_letter(db).ref
    page = f"/staff/deliveries/{ref}"
    send(staff, f"{page}/hold", reason="asked by the office")
    assert "asked by the office" in staff.get(page).text
    assert quiet_bell == []
    answer = send(staff, f"{page}/release")
    assert answer.headers["location"] == f"{page}?done=release"
    assert "The mail is queued." in staff.get(answer.headers["location"]).text
    assert [str(stream) for stream in quiet_bell] == ["letters"]
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
