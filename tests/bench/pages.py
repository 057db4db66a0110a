"""How long a signer's pages take, one after the other on one kept-open connection, and what a page weighs."""

from __future__ import annotations

import gzip
import http.client
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import select

from outreach import signing
from outreach.models import Database, Signature, SignatureState
from tests import factories, servers
from tests.bench.databases import ground
from tests.bench.figures import rounded
from tests.bench.signing import environ_without_limits, form_of
from tests.bench.webs import web_process
from tests.conftest import make_settings

_WARM, _TIMES = 20, 200
_SIGNERS = 1_000


@dataclass(frozen=True, slots=True)
class Pages:
    """Medians in milliseconds by the clock, with one web process. `weight_kb` is the page, compressed, with all that
    it loads but fonts. Signing answers on a beat of 30 ms, so that how long it takes says nothing about who signed.
    """

    database: str
    page_ms: float
    confirm_ms: float
    tracker_ms: float
    sign_ms: float
    weight_kb: float

    def as_json(self) -> dict[str, Any]:
        return rounded(asdict(self), 1)


def look(database: str) -> Pages:
    """Open a campaign with 1,000 signatures, a confirmation and a tracker many times, and sign."""
    with ground(database) as on, servers.redis_server(on.folder / "redis") as (redis, _):
        slug, confirm, tracker = _furnish(on.db)
        with web_process(environ_without_limits(on, redis)) as (port, _):
            line = http.client.HTTPConnection("127.0.0.1", port)
            numbers = iter(range(10_000))
            return Pages(
                database=database,
                page_ms=_median(lambda: _get(line, f"/c/{slug}")),
                confirm_ms=_median(lambda: _get(line, confirm)),
                tracker_ms=_median(lambda: _get(line, tracker)),
                sign_ms=_median(lambda: _sign(line, next(numbers), slug, port)),
                weight_kb=_weight(line, f"/c/{slug}"),
            )


def _furnish(db: Database) -> tuple[str, str, str]:
    """A campaign's name, and the paths of an open confirmation and of a tracker."""
    now, keys = datetime.now(UTC), factories.KEYS
    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(Path(folder))
    with db.begin() as session:
        campaign = factories.campaign(session, targets=2, now=now)
        for _ in range(_SIGNERS):
            factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=now)
    paths = []
    for n in range(2):
        with db.begin() as session:
            form = signing.SignForm("Jane Doe", f"jane-{n}@example.org", own_words="I wait in the rain.")
            signing.sign(session, campaign.slug, form, keys=keys, settings=settings, now=now)
            last = session.scalars(select(Signature).order_by(Signature.id.desc())).first()
            assert last is not None
            paths.append(signing.confirm_url(settings, keys, last).removeprefix(settings.base_url))
    with db.begin() as session:
        done = signing.confirm(session, paths[1].rpartition("/")[2], keys=keys, now=now)
    return campaign.slug, paths[0], f"/letter/{done.receipt_token}"


def _median(once: Callable[[], object]) -> float:
    for _ in range(_WARM):
        once()
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        once()
        took.append(time.perf_counter() - began)
    return median(took) * 1000


def _get(line: http.client.HTTPConnection, path: str) -> bytes:
    line.request("GET", path)
    answer = line.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status)
    return body


def _sign(line: http.client.HTTPConnection, n: int, slug: str, port: int) -> None:
    head, _, body = form_of(n, slug, port).partition(b"\r\n\r\n")
    headers = dict(row.split(": ", 1) for row in head.decode().split("\r\n")[1:])
    line.request("POST", f"/c/{slug}/sign", body, headers)
    answer = line.getresponse()
    answer.read()
    assert answer.status == 303, answer.status


def _weight(line: http.client.HTTPConnection, path: str) -> float:
    """Kilobytes of the page and of each file it names, as they travel."""
    html = _get(line, path)
    parts = re.findall(r'<(?:link rel="stylesheet"|script|img) [^>]*?(?:href|src)="([^"]+)"', html.decode())
    return sum(len(gzip.compress(each)) for each in (html, *(_get(line, part) for part in parts))) / 1000
