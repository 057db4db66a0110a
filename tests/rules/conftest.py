"""The field rules, each shown whole: on both databases, as bytes of a mail and as JSON to the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from outreach.domain.deliveries import Stream
from outreach.models import Database
from outreach.settings import Settings
from tests.fakes.inbound import SECRET
from tests.rules.post import Post, Way, opened
from tests.sites import rung

__all__ = ["post", "rung"]


@pytest.fixture(params=list(Way))
def post(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    db: Database,
    with_settings: Callable[..., Settings],
    now: datetime,
    rung: list[Stream],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Post]:
    """An engine with one campaign, whose clock stands still until a test turns it. `Way` says how mail leaves."""
    settings = with_settings(
        base_url="https://act.example.org",
        organisation="Fair Streets",
        batch="5",
        inbound_secret=SECRET,
        signs_per_minute="600",
    )
    with opened(request.param, db, settings, now, rung, tmp_path / "mail") as made:
        monkeypatch.setattr(Database, "now", lambda _db: made.site.now)
        yield made
