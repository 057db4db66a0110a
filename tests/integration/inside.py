"""A browser without a screen, for the pages behind the door: it keeps cookies and can fill in the forms it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from outreach import accounts
from outreach.models import Database, Delivery, Role, SignatureState, User
from outreach.settings import Settings
from outreach.web.app import create_app
from tests import factories

Clock = Callable[[], datetime]


def browser(settings: Settings, db: Database, now: datetime | Clock, **more: str) -> TestClient:
    """A client of the whole application; it follows no redirect by itself. `now` is a moment, or asked each time."""
    clock = now if callable(now) else lambda: now
    return TestClient(
        create_app(settings, db, now=clock), base_url=settings.base_url, follow_redirects=False, headers=more
    )


def signed_in(
    settings: Settings, db: Database, now: datetime | Clock, role: Role, *, name: str = "Ana Ortiz"
) -> TestClient:
    """A browser in which somebody of that role is signed in."""
    client = browser(settings, db, now)
    at = now() if callable(now) else now
    with db.begin() as session:
        user = factories.user(session, role=role, name=name)
        client.cookies.set(cookie(settings), accounts._start(session, user, how="test", replacing="", now=at))
    return client


@pytest.fixture
def staff(settings: Settings, db: Database, now: datetime) -> TestClient:
    return signed_in(settings, db, now, Role.STAFF)


@pytest.fixture
def organizer(settings: Settings, db: Database, now: datetime) -> TestClient:
    return signed_in(settings, db, now, Role.ORGANIZER)


def cookie(settings: Settings) -> str:
    return "__Host-outreach" if settings.base_url.startswith("https") else "outreach"


def user_of(db: Database, email: str) -> User:
    with db.begin() as session:
        return accounts.find(session, email)


def make_letter(db: Database, **columns: object) -> Delivery:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), state=SignatureState.CONFIRMED)
        return factories.delivery(session, signature, **columns)  # type: ignore[arg-type]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._here: dict[str, str] | None = None
        self._writing = ""  #: the textarea that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._here = self.forms.setdefault(given.get("action") or "", {})
        elif tag == "input" and self._here is not None:
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self._here[given.get("name") or ""] = given.get("value") or ""
        elif tag == "textarea" and self._here is not None:
            self._writing = given.get("name") or ""
            self._here[self._writing] = ""

    def handle_data(self, data: str) -> None:
        if self._writing and self._here is not None:
            self._here[self._writing] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._here = None
        elif tag == "textarea" and self._here is not None:
            # The first line end after the tag is the page's own.
            self._here[self._writing] = self._here[self._writing].removeprefix("\n")
            self._writing = ""


def fields(client: TestClient, page: str, action: str) -> dict[str, str]:
    """The fields of the form on `page` that posts to `action`, as the page filled them in."""
    answer = client.get(page)
    assert answer.status_code < 500, answer.text
    parser = _Forms()
    parser.feed(answer.text)
    assert action in parser.forms, f"{page} ({answer.status_code}) has no form for {action}: {sorted(parser.forms)}"
    return parser.forms[action]


def send(client: TestClient, page: str, action: str = "", **filled: str):  # type: ignore[no-untyped-def]
    """Open `page`, fill in its form and post it, as a browser does; gives the answer to the POST."""
    action = action or page.partition("?")[0]
    return client.post(action, data={**fields(client, page, action), **filled})


def token(client: TestClient, page: str = "/console") -> str:
    """The session's form token."""
    found = re.search(r'name="form_token" value="([^"]+)"', client.get(page).text)
    assert found
    return found[1]
