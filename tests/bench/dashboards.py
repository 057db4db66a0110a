"""The staff's pages over very many mails, beside what they do without: `GROUP BY wave, state` over all rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median, quantiles
from typing import Any

from sqlalchemy import text

from outreach import waves
from outreach.models import Database, Role
from outreach.settings import Settings
from tests.bench import crowd
from tests.bench.databases import ground, settle_down
from tests.bench.environs import environ_of
from tests.bench.figures import rounded
from tests.integration.inside import signed_in

PAGES = {
    "queue_page": "/staff",
    "live": "/staff/live",
    "deliveries_page": "/staff/deliveries",
    "in_doubt_page": "/staff/deliveries?state=in_doubt",
    "failures_page": "/staff/failures",
    "lanes_page": "/staff/lanes",
    "waves_page": "/console/waves",
}
_LOOKS = 40
#: What becomes of the mails, in parts of a hundred; the rest is queued. A hundredth of them is in doubt.
_STATES = {"accepted": 80, "dead": 2, "rejected": 2, "in_doubt": 1}


@dataclass(frozen=True, slots=True)
class Looked:
    """Of each page the 95th percentile, in milliseconds; of the bare count its median."""

    database: str
    rows: int
    pages: dict[str, float]
    group_by_ms: float

    def as_json(self) -> dict[str, Any]:
        """`ratio` is how many times faster the queue page is than counting."""
        told: dict[str, Any] = {"database": self.database, "rows": self.rows}
        told |= {f"{name}_p95_ms": ms for name, ms in self.pages.items()}
        ratio = self.group_by_ms / self.pages["queue_page"]
        return rounded(told | {"group_by_ms": self.group_by_ms, "ratio": ratio}, 2)


def look(rows: int, database: str) -> Looked:
    """Open every page forty times over a mailing to `rows` readers that is under way."""
    with ground(database) as on:
        settings = Settings.from_env(environ_of(on.folder, on.url), dotenv=None)
        _fill(on.db, settings, rows)
        settle_down(on.db)
        client = signed_in(settings, on.db, lambda: datetime.now(UTC), Role.STAFF)
        pages = {name: _p95(partial(_open, client, path)) for name, path in PAGES.items()}
        return Looked(database, rows, pages, median(_times(lambda: _count(on.db), 3)))


def _open(client: Any, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")


def _count(db: Database) -> None:
    with db.read() as session:
        session.execute(text("SELECT wave_id, state, count(*) FROM deliveries GROUP BY wave_id, state")).all()


def _p95(act: Callable[[], None]) -> float:
    act()  # nothing is cold any more
    return quantiles(_times(act, _LOOKS), n=20)[-1]


def _times(act: Callable[[], None], n: int) -> list[float]:
    """Milliseconds."""
    found = []
    for _ in range(n):
        began = time.perf_counter()
        act()
        found.append((time.perf_counter() - began) * 1000)
    return found


def _fill(db: Database, settings: Settings, rows: int) -> None:
    now = datetime.now(UTC)
    slug, _ = crowd.gather(db, people=rows, willing=True, now=now)
    crowd.start_mailing(db, slug, settings=settings, now=now)
    while waves.tick(db, settings=settings, now=datetime.now(UTC)).more:
        pass
    with db.begin() as session:
        upto = 0
        for state, share in _STATES.items():
            told = {
                "accepted": "accepted_at = created_at",
                "in_doubt": "doubt_since = created_at, reason = 'no answer'",
            }
            values = told.get(state, f"reason = 'a reason to be {state}'")
            those = f"id % 100 >= {upto} AND id % 100 < {upto + share}"
            session.execute(text(f"UPDATE deliveries SET state = '{state}', {values} WHERE {those}"))
            upto += share
        session.execute(text("DELETE FROM counters"))
        session.execute(
            text(
                "INSERT INTO counters (campaign_id, wave_id, class, state, shard, n)"
                " SELECT campaign_id, wave_id, class, state, 0, count(*) FROM deliveries"
                " GROUP BY campaign_id, wave_id, class, state"
            )
        )
