"""Redis forgets, dies, stands still, is full, or hangs on a bad line: F9 to F13 of the fault matrix.

Redis holds doorbells only. Whatever becomes of it, letters are late at worst: none is in doubt, because no worker
dies with letters in the air. A worker that ends of itself is started again, as every supervisor does.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from starlette.testclient import TestClient

from outreach import wake
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.embedded import broker_url
from outreach.web.app import create_app
from tests import servers
from tests.bench import scene
from tests.fakes.tcp_proxy import tcp_proxy
from tests.faults.trial import Trial, trial
from tests.journeys.engine import crowd

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

LETTERS = 160
SLOW = "delay=0.03"
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def all_left(it: Trial) -> None:
    """With a beat and a supervisor and nobody else, the rest leaves."""
    it.engine.until(it.engine.at_rest_with_a_supervisor, "everything left")
    it.judge(most_in_doubt=0)


@on_postgres
def test_fault_f9_f10_a_redis_that_forgets_all_and_comes_back_empty_costs_no_letter(
    tmp_path: Path, database_url: str
) -> None:
    with ExitStack() as stack:
        url, process = stack.enter_context(servers.redis_server(tmp_path / "redis"))
        it = stack.enter_context(
            trial(tmp_path, database_url, letters=LETTERS, faults=SLOW, redis_url=url, beats=1, workers=1)
        )
        it.ring()
        it.await_letters(LETTERS // 5)
        with redis.Redis.from_url(url) as client:
            client.flushall()
        it.await_letters(LETTERS * 2 // 5)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert not it.engine.at_rest(), "it died in the middle"
        stack.enter_context(servers.redis_server(tmp_path / "another redis", urlsplit(url).port))
        all_left(it)


@on_sqlite
def test_fault_f11_a_redis_that_stands_still_delays_letters_and_no_signer(tmp_path: Path, database_url: str) -> None:
    with ExitStack() as stack:
        url, process = stack.enter_context(servers.redis_server(tmp_path / "redis"))
        more = {"signs_per_minute": "1000", "act_from": "act@act.outreach.example.org"}
        it = stack.enter_context(
            trial(tmp_path, database_url, letters=LETTERS, faults=SLOW, redis_url=url, beats=1, workers=1, **more)
        )
        slug = it.engine.import_examples()[0]
        app = create_app(it.engine.settings, it.engine.db)
        client = stack.enter_context(TestClient(app, base_url=it.engine.settings.base_url, follow_redirects=False))
        it.ring()
        it.await_letters(LETTERS // 5)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            for form in crowd(0, 4):
                filled = {"name": form.name, "email": form.email, "own_words": form.own_words}
                assert client.post(f"/c/{slug}/sign", data=filled).status_code == 303
        finally:
            os.kill(process.pid, signal.SIGCONT)
        it.engine.until(it.engine.at_rest_with_a_supervisor, "letters and confirmations left")
        assert it.engine.states(MailClass.LETTER) == {State.ACCEPTED: LETTERS}
        assert it.engine.states(MailClass.CONFIRMATION) == {State.ACCEPTED: 4}
        assert set(it.provider.counts().values()) == {1}


@on_postgres
def test_fault_f12_a_full_redis_hears_no_bell_and_letters_leave_once_it_has_room(
    tmp_path: Path, database_url: str
) -> None:
    with ExitStack() as stack:
        url, _ = stack.enter_context(servers.redis_server(tmp_path / "redis"))
        it = stack.enter_context(trial(tmp_path, database_url, letters=LETTERS, faults=SLOW, redis_url=url, beats=1))
        with redis.Redis.from_url(url) as client:
            client.config_set("maxmemory", 1)
            assert not wake.wake(broker_url(it.engine.settings), Stream.LETTERS), "it says so, and raises nothing"
            it.engine.start_worker()
            assert it.provider.taken() == []
            client.config_set("maxmemory", 0)
        all_left(it)


@on_sqlite
def test_fault_f13_ten_resets_on_the_way_to_redis_leave_a_worker_that_hears(tmp_path: Path, database_url: str) -> None:
    with ExitStack() as stack:
        url, _ = stack.enter_context(servers.redis_server(tmp_path / "redis"))
        line = stack.enter_context(tcp_proxy(int(urlsplit(url).port or 0)))
        far = f"redis://127.0.0.1:{line.port}/0"
        it = stack.enter_context(
            trial(tmp_path, database_url, letters=LETTERS, faults=SLOW, redis_url=far, beats=1, workers=1)
        )
        it.ring()
        it.await_letters(10)
        for _ in range(10):
            before = line.connections
            assert line.cut(), "somebody is connected"
            it.engine.until(lambda n=before: line.connections > n, "somebody connects again")
        scene.fill(it.engine.db, it.engine.keys, letters=40, targets=2, now=it.engine.now(), series="late")
        it.letters += 40
        all_left(it)
