"""Whether the time of an answer tells who has signed: `python -m tests.bench.alike`.

Forms for new, waiting, confirmed and suppressed addresses, shuffled, and how far apart the distributions of their times
are: Kolmogorov and Smirnov's distance to that of the new ones, beside what chance alone stays below 99 times in 100.
Run it on a machine that does nothing else: once writing takes longer than a beat, it tells.
"""

from __future__ import annotations

import random
import tempfile
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest.mock import patch

import structlog
from starlette.testclient import TestClient

from outreach import wake
from outreach.models import Database, SignatureState
from outreach.web.app import create_app
from tests import factories
from tests.bench.databases import databases, fresh_database, name_of
from tests.conftest import make_settings
from tests.sites import JANE

_EACH = 200
_KINDS = ("new", "waiting", "confirmed", "suppressed")
#: By these, chance stays below the distance of two samples of `_EACH` 99 times in 100.
_CHANCE = 1.628 * (2 / _EACH) ** 0.5
_NO_LIMITS = {
    "signs_per_minute": "1000000",
    "domain_signs_per_minute": "1000000",
    "campaign_signs_per_minute": "1000000",
    "proof_of_work": "off",
}


@dataclass(frozen=True, slots=True)
class Alike:
    """Medians in milliseconds, and each kind's distance from the new ones, 0 to 1."""

    database: str
    medians: dict[str, float]
    distances: dict[str, float]

    def __str__(self) -> str:
        times = ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in self.medians.items())
        apart = ", ".join(f"{kind} {far:.3f}" for kind, far in self.distances.items())
        return f"{self.database}: {times}; apart from new: {apart} (by chance up to {_CHANCE:.3f})"


def measure(place: str) -> Alike:
    """Sign for every kind of address, in an order that tells nothing."""
    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(Path(folder), fresh_database(place, Path(folder)), **_NO_LIMITS)
        db = Database(settings.database)
        client = TestClient(create_app(settings, db), base_url=settings.base_url, follow_redirects=False)
        asked = [(kind, n) for kind in _KINDS for n in range(_EACH)]
        random.shuffle(asked)
        times: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        with patch.object(wake, "wake"):  # it rings when the answer is out; this client would wait for it
            _prepare(db, client)
            for kind, n in asked:
                times[kind].append(_sign(client, f"{kind}{n}@example.org"))
        db.close()
    distances = {kind: distance(times["new"], times[kind]) for kind in _KINDS[1:]}
    return Alike(name_of(place), {kind: median(times[kind]) for kind in _KINDS}, distances)


def _prepare(db: Database, client: TestClient) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="alike")
        for n in range(_EACH):
            by = f"confirmed{n}@example.org"
            factories.signature(session, campaign, by=by, state=SignatureState.CONFIRMED)
            factories.suppression(session, f"suppressed{n}@example.org")
    for n in range(_EACH):
        _sign(client, f"waiting{n}@example.org")


def _sign(client: TestClient, email: str) -> float:
    """Milliseconds that the answer took."""
    begun = time.perf_counter()
    answer = client.post("/c/alike/sign", data=JANE | {"email": email})
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != 303:
        raise SystemExit(f"The form was answered with {answer.status_code}.")
    return took


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference between the shares of both that are below any value."""
    a, b = sorted(one), sorted(other)
    return max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in (*a, *b))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with databases(("sqlite", "postgresql")) as places:
        for place in places.values():
            print(measure(place))
