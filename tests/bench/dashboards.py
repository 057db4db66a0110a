"""The staff's pages over very many mails, beside what they do without: `GROUP BY wave, state` over all rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import text

from outreach import waves
from outreach.models import Database, Role
from outreach.settings import Settings
from tests.bench import crowd
from tests.bench.databases import databases, fresh_database, name_of, settle_down
from tests.bench.environs import environ_of
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
        told = {f"{name}_p95_ms": round(ms, 2) for name, ms in self.pages.items()}
        ratio = round(self.group_by_ms / self.pages["queue_page"], 2)
        return {"database": self.database, "rows": self.rows, **told, "group_by_ms": round(self.group_by_ms, 2)} | {
            "ratio": ratio
        }


def look(rows: int, database: str) -> Looked:
    """Open every page forty times over a mailing to `rows` readers that is under way."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-bench-")))
        place = stack.enter_context(databases([database]))[database]
        url = fresh_database(place, folder)
        settings = Settings.from_env(environ_of(folder, url), dotenv=None)
        db = Database(url)
        stack.callback(db.close)
        _fill(db, settings, rows)
        settle_down(db)
        client = signed_in(settings, db, lambda: datetime.now(UTC), Role.STAFF)
        pages = {name: _p95(partial(_open, client, path)) for name, path in PAGES.items()}
        return Looked(name_of(place), rows, pages, median(_times(lambda: _count(db), 3)))


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
