"""Signing in and out: by password, by a link that works once, and never for somebody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import accounts
from outreach.models import Database, Role, User
from outreach.settings import Settings
from outreach.web import sessions, sign_in
from tests import factories
from tests.integration.inside import browser, cookie, fields, send, signed_in

PASSWORD = "a kettle of herons"


def make_user(db: Database, now: datetime, role: Role = Role.STAFF) -> User:
    with db.begin() as session:
        return accounts.add(
            session, "ana@example.org", name="Ana Ortiz", role=role, password=PASSWORD, now=now, actor="cli"
        )


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


def test_sign_in_itself_needs_the_token_of_its_form(settings: Settings, db: Database, now: datetime) -> None:
    make_user(db, now)
    client = browser(settings, db, now)
    form = {"email": "ana@example.org", "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 403
    form["form_token"] = fields(browser(settings, db, now), "/sign-in", "/sign-in")["form_token"]
    assert client.post("/sign-in", data=form).status_code == 403  # another browser's


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
