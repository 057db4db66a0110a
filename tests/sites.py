"""The pages on a database of either kind, with a client, a clock that a test may turn, and a bell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from outreach import signing, wake
from outreach.domain.deliveries import Stream
from outreach.keys import Keys
from outreach.models import Ask, Campaign, CampaignKind, Database, Signature
from outreach.settings import Settings
from outreach.web.app import create_app
from outreach.web.visits import Visits
from tests import factories

DEMANDS = ("Build a shelter at every stop.", "Keep the fare where it is.")
JANE = {"name": "Jane Doe", "email": "jane@example.org", "city": "Springfield", "own_words": "I wait in the rain."}


@dataclass
class Site:
    """A client, what it works on, and a clock that a test may turn."""

    client: TestClient
    db: Database
    settings: Settings
    keys: Keys
    now: datetime
    rung: list[Stream]

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def sign(self, slug: str = "shelters", **form: str) -> str:
        """Sign, and give back the confirmation link's path as the mail would name it."""
        answer = self.client.post(f"/c/{slug}/sign", data=JANE | form)
        assert answer.status_code == 303, answer.text
        with self.db.read() as session:
            signature = session.scalars(select(Signature).order_by(Signature.id.desc())).first()
            assert signature is not None
            return signing.confirm_url(self.settings, self.keys, signature).removeprefix(self.settings.base_url)

    def confirm(self, path: str) -> str:
        """Press the button; the path of the receipt."""
        answer = self.client.post(path)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def campaign(self, session: Session) -> Campaign:
        """The site's one campaign."""
        return session.scalars(select(Campaign)).one()

    def set(self, **columns: object) -> None:
        """Change the campaign's settings."""
        with self.db.begin() as session:
            for name, value in columns.items():
                setattr(self.campaign(session), name, value)

    @property
    def visits(self) -> Visits:
        """What waits to be counted of visits to short links."""
        return self.client.app.state.visits  # type: ignore[attr-defined,no-any-return]

    def count(self, *conditions: object, of: type = Signature) -> int:
        with self.db.read() as session:
            return session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0  # type: ignore[arg-type]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The bell's rings. A ring is a hint for another process; none listens here."""
    heard: list[Stream] = []

    def hear(_url: str, *streams: Stream) -> bool:
        heard.extend(streams)
        return True

    monkeypatch.setattr(wake, "wake", hear)
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    return heard


def site_of(db: Database, settings: Settings, now: datetime, rung: list[Stream]) -> Site:
    made = Site(None, db, settings, Keys(settings.secret_key), now, rung)  # type: ignore[arg-type]
    app = create_app(settings, db, now=lambda: made.now)
    app.state.counts._seconds = -1  # a test sees each signature at once
    app.state.visits._every = 0  # … and says when visits are written
    made.client = TestClient(app, base_url=settings.base_url, follow_redirects=False)
    return made


@pytest.fixture
def site(db: Database, settings: Settings, now: datetime, rung: list[Stream]) -> Site:
    with db.begin() as session:
        mayor = factories.target(session, name="Alex Rivera", office="Mayor of Springfield")
        council = factories.target(session, name="Sam Okafor", office="Transit Commissioner")
        campaign = factories.campaign(
            session,
            slug="shelters",
            title="A bus shelter for every stop",
            kind=CampaignKind.PETITION,
            targets=[mayor, council],
            demands=DEMANDS,
            organisation="Fair Streets",
            subject="A shelter at every stop",
        )
        campaign.why = "Those who cannot drive depend on it."
        campaign.asks = [Ask(position=1, title="Come and see", text="Wait with us.", link_label="Learn more")]
    return site_of(db, settings, now, rung)


def bare(html: str) -> str:
    """What a person reads: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
