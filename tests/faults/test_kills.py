"""Workers and Redis killed in the middle of it: nothing is lost, nothing comes twice, and what is open is named.

The witness is a fake SendGrid in a process of its own: its ledger says what really arrived, whatever our books say.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from sqlalchemy import select

from outreach.audit import audit
from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import letter_hash
from outreach.models import Delivery
from tests import servers
from tests.bench import scene
from tests.fakes.events import EventKey
from tests.journeys.engine import Engine, Provider, provider_process, report_all, running, sendgrid_settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(280)]

LETTERS, HANDOVERS, POOL = 1000, 8, 2


def settings_for(provider: Provider, folder: Path) -> dict[str, Any]:
    more = {"handovers": str(HANDOVERS), "lease_seconds": "5", "provider_timeout": "1.5", "batch": "100"}
    more |= {"sendgrid_event_keys": EventKey.kept(folder / "events.pem").public}
    return sendgrid_settings(provider, **more)


def await_letters(engine: Engine, provider: Provider, enough: int) -> None:
    engine.until(lambda: len(provider.taken()) >= enough, f"{enough} letters arrive")


def assert_nothing_lost_or_doubled(engine: Engine, provider: Provider, *, most_in_doubt: int) -> None:
    """Our books against the ledger, before and after the provider's reports."""
    counts = provider.counts()
    assert set(counts.values()) == {1}, "the provider took something twice"
    accepted, doubted = engine.refs(State.ACCEPTED), engine.refs(State.IN_DOUBT)
    assert len(accepted) + len(doubted) == LETTERS
    assert accepted <= set(counts) <= accepted | doubted
    assert len(doubted) <= most_in_doubt
    report_all(engine, EventKey.kept(engine.folder / "events.pem"), provider.taken())
    assert engine.refs(State.ACCEPTED) == set(counts)
    assert engine.refs(State.IN_DOUBT) == doubted - set(counts), "what is open now never arrived"
    with engine.db.read() as session:
        assert audit(session, engine.settings).problems == []
        confirmed = dict(session.execute(select(Delivery.ref, Delivery.content_hash)).all())
    for record in provider.taken():
        assert letter_hash(record["subject"], record["text"]) == confirmed[record["delivery"]]


def test_three_killed_workers_lose_nothing_and_send_nothing_twice(tmp_path: Path, database_url: str) -> None:
    words = ("--key", str(tmp_path / "events.pem"), "--faults", "delay=0.015")
    with ExitStack() as stack:
        provider = stack.enter_context(provider_process("sendgrid", tmp_path, *words))
        more = settings_for(provider, tmp_path)
        engine = stack.enter_context(running(tmp_path, database_url, workers=0, **more))
        scene.fill(engine.db, engine.keys, letters=LETTERS, targets=5, now=engine.now())
        for _ in range(3):
            worker = engine.start_worker(concurrency=POOL)
            engine.ring(Stream.LETTERS, Stream.LETTERS)
            await_letters(engine, provider, len(provider.taken()) + LETTERS // 6)
            engine.kill(worker)
            assert not engine.at_rest(), "it was killed in the middle"
        engine.start_worker(concurrency=POOL)
        engine.until(engine.at_rest, "what the dead held was rescued, and the rest left")
        assert_nothing_lost_or_doubled(engine, provider, most_in_doubt=3 * POOL * HANDOVERS)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_redis_that_forgets_all_and_dies_costs_no_letter(tmp_path: Path, database_url: str) -> None:
    words = ("--key", str(tmp_path / "events.pem"), "--faults", "delay=0.015")
    port = servers.free_port()
    with ExitStack() as stack:
        provider = stack.enter_context(provider_process("sendgrid", tmp_path, *words))
        url, process = stack.enter_context(servers.redis_server(tmp_path / "redis", port))
        more = settings_for(provider, tmp_path)
        engine = stack.enter_context(running(tmp_path, database_url, redis_url=url, **more))
        scene.fill(engine.db, engine.keys, letters=LETTERS, targets=5, now=engine.now())
        engine.ring(Stream.LETTERS, Stream.LETTERS)

        await_letters(engine, provider, 200)
        with redis.Redis.from_url(url) as client:
            client.flushall()
        await_letters(engine, provider, 400)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        stack.enter_context(servers.redis_server(tmp_path / "another redis", urlsplit(url).port))
        engine.until(engine.at_rest_with_a_supervisor, "everything left after Redis came back empty")
        # No worker died with letters in the air, so nothing is in doubt.
        assert_nothing_lost_or_doubled(engine, provider, most_in_doubt=0)
