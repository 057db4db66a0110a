"""Real workers on a real Redis: what is rung for leaves, what is not rung for leaves as well, and nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select

from outreach import embedded, heartbeats, outbox, supervisor
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.keys import Keys
from outreach.models import Campaign, Database, Delivery, Heartbeat
from outreach.settings import Settings
from outreach.supervisor import Supervisor, environment
from outreach.wake import wake
from tests import factories
from tests.conftest import make_settings
from tests.fakes.sendgrid import API_KEY, fake_sendgrid
from tests.servers import free_port
from workers import alive

PATIENCE = 120.0


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


class Outbox:
    """Puts confirmations into the outbox and looks for them in the mailbox."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db, self.settings = db, settings
        self.wanted: set[str] = set()
        with db.begin() as session:
            self._campaign_id = factories.campaign(session).id

    def put(self) -> str:
        now = self.db.now()
        with self.db.begin() as session:
            campaign = session.get_one(Campaign, self._campaign_id)
            signature = factories.signature(session, campaign, now=now, keys=Keys(self.settings.secret_key))
            id_ = outbox.enqueue_notice(
                session, signature, "confirm", mail_class=MailClass.CONFIRMATION, now=now - timedelta(seconds=1)
            )
            ref = session.get_one(Delivery, id_).ref
        self.wanted.add(ref)
        return ref

    def ring(self) -> bool:
        return wake(embedded.broker_url(self.settings), Stream.ACT)

    def mailed(self) -> list[str]:
        return [path.name.split(".")[0] for path in self.settings.mailbox_dir.glob("*.eml")]

    def arrives(self, ref: str, when: str) -> None:
        until(lambda: ref in self.mailed(), f"a mail arrives {when}")

    def states(self) -> list[State]:
        with self.db.read() as session:
            return list(session.scalars(select(Delivery.state)))


@pytest.fixture
def engine(db: Database, with_settings: Callable[..., Settings]) -> Iterator[Supervisor]:
    """Redis, one worker and beat, without pages."""
    settings = with_settings(workers="2", port=str(free_port()), lease_seconds="30")
    run = [part for part in supervisor.parts(settings) if part.name in ("redis", "worker", "beat")]
    engine = Supervisor(settings, run)
    engine.start()
    try:
        engine.wait_ready(PATIENCE)
        yield engine
    finally:
        engine.stop()


@pytest.mark.servers
def test_every_mail_leaves_once_whatever_becomes_of_doorbell_redis_worker_and_beat(
    engine: Supervisor, db: Database
) -> None:
    post = Outbox(db, engine.settings)

    ref = post.put()
    assert post.ring()
    post.arrives(ref, "after a ring")

    post.arrives(post.put(), "without a ring, as the sweep finds it")

    with embedded.connect(engine.settings) as client:
        client.flushall()
    ref = post.put()
    assert post.ring()
    post.arrives(ref, "after Redis lost everything")

    os.kill(engine.pids["redis"], signal.SIGKILL)
    post.arrives(post.put(), "after Redis was killed")

    os.kill(engine.pids["worker"], signal.SIGKILL)
    post.arrives(post.put(), "after the worker was killed")

    second = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "workers.app", "beat"],
        env=environment(engine.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _beats_of(db, "beat") >= 2, "a second beat runs")
        post.arrives(post.put(), "with two beats")
    finally:
        second.terminate()
        second.wait(PATIENCE)

    until(lambda: set(post.states()) == {State.ACCEPTED}, "the books say so")
    assert sorted(post.mailed()) == sorted(post.wanted)


def _beats_of(db: Database, kind: str) -> int:
    with db.read() as session:
        return len(heartbeats.alive(session, kind=kind, now=db.now()))


@pytest.mark.servers
def test_a_worker_told_to_stop_finishes_its_mails_and_leaves_no_doubt(engine: Supervisor, db: Database) -> None:
    post = Outbox(db, engine.settings)
    for _ in range(200):
        post.put()
    post.ring()
    until(lambda: post.mailed(), "the first mail has left")

    engine.stop()

    assert set(post.states()) <= {State.ACCEPTED, State.QUEUED}
    assert len(post.mailed()) == post.states().count(State.ACCEPTED)


@pytest.mark.servers
def test_a_killed_worker_still_writes_down_the_answers_of_what_it_had_in_the_air(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    with fake_sendgrid(faults="delay=2") as provider:
        more = {"transport": "sendgrid", "sendgrid_api_key": API_KEY, "sendgrid_host": provider.url, "workers": "1"}
        settings = with_settings(**more, port=str(free_port()))
        run = [part for part in supervisor.parts(settings) if part.name in ("redis", "worker")]
        engine = Supervisor(settings, run)
        engine.start()
        try:
            engine.wait_ready(PATIENCE)
            post = Outbox(db, settings)
            for _ in range(5):
                post.put()
            post.ring()
            until(lambda: provider.requests, "the provider is offered a mail")

            os.kill(engine.pids["worker"], signal.SIGKILL)

            until(lambda: State.SENDING not in post.states(), "every answer is written down")
            assert State.IN_DOUBT not in post.states()
            assert State.ACCEPTED in post.states()
        finally:
            engine.stop()


def celery(*words: str, env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "celery", "-A", "workers.app", *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_wrong_setting_stops_worker_and_beat_with_one_line(tmp_path: Path) -> None:
    env = environment(make_settings(tmp_path)) | {"OUTREACH_ZONE": "Springfield"}

    for words in (["worker", "-Q", "act"], ["beat"]):
        ended = celery(*words, env=env, folder=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.splitlines()[-1].startswith("outreach: OUTREACH_ZONE: is not an IANA time zone.")
        assert "Traceback" not in ended.stderr


def test_a_worker_refuses_a_database_at_another_step(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    settings.data_dir.mkdir()  # with nothing in it: `outreach init` was never run

    ended = celery("worker", "-Q", "act", env=environment(settings), folder=tmp_path)

    assert ended.returncode == 1
    assert "Run `outreach init`." in ended.stderr


def test_a_queue_nobody_knows_stops_the_worker(tmp_path: Path) -> None:
    ended = celery("worker", "-Q", "act,lettres", env=environment(make_settings(tmp_path)), folder=tmp_path)

    assert ended.returncode != 0
    assert "lettres" in ended.stdout + ended.stderr


def test_importing_the_workers_opens_no_connection(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, f"postgresql://u@127.0.0.1:{free_port()}/x", redis_url="redis://127.0.0.1:1")
    look = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import workers.tasks, workers.app as w\n"
        "assert w.app.conf.broker_url == 'redis://127.0.0.1:1'\n"
        "assert not w._joined\n"
    )

    subprocess.run([sys.executable, "-W", "error", "-c", look], env=environment(settings), cwd=tmp_path, check=True)
    assert not (tmp_path / "var").exists()


# --- heartbeats -----------------------------------------------------------------------------------------------------


def test_a_beat_is_one_row_that_keeps_when_it_began(db: Database) -> None:
    begun = db.now()
    later = begun + timedelta(seconds=20)
    for now in (begun, later):
        with db.begin() as session:
            heartbeats.beat(session, "worker:here:1", kind="worker", in_flight=3, now=now)

    with db.read() as session:
        (row,) = session.scalars(select(Heartbeat))
        assert (row.started_at, row.seen_at, row.in_flight) == (begun, later, 3)
        assert heartbeats.alive(session, kind="worker", now=later + heartbeats.FRESH / 2) == [row]
        assert heartbeats.alive(session, kind="beat", now=later) == []
        assert heartbeats.alive(session, now=later + heartbeats.FRESH) == []


def test_processes_that_are_long_gone_are_forgotten(db: Database) -> None:
    now = db.now()
    with db.begin() as session:
        heartbeats.beat(session, "worker:here:1", kind="worker", now=now - timedelta(days=2))
        heartbeats.beat(session, "worker:here:2", kind="worker", now=now)
        assert heartbeats.forget(session, before=now - timedelta(days=1)) == 1


def test_a_process_that_stands_still_falls_silent(db: Database) -> None:
    asked, steady = Event(), Event()

    def is_steady() -> bool:
        asked.set()
        return steady.is_set()

    pulse = heartbeats.Pulse(db, "worker", name="worker:here:1", steady=is_steady, every=timedelta(milliseconds=10))
    pulse.start()
    try:
        assert asked.wait(PATIENCE)
        assert _beats_of(db, "worker") == 0
        steady.set()
        until(lambda: _beats_of(db, "worker") == 1, "it beats once it goes on")
    finally:
        pulse.stop()


def test_the_loop_counts_as_turning_only_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    alive.turn()
    assert alive.is_turning()

    later = time.monotonic() + alive.STANDSTILL
    monkeypatch.setattr(alive.time, "monotonic", lambda: later)

    assert not alive.is_turning()


def test_the_health_check_of_a_container_asks_the_database(settings: Settings, db: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "outreach.heartbeats", "worker"]
    check = lambda: subprocess.run(command, env=environment(settings), cwd=tmp_path, capture_output=True)  # noqa: E731

    assert check().returncode == 1
    with db.begin() as session:
        heartbeats.beat(session, heartbeats.name_of("worker"), kind="worker", now=db.now())
    assert check().returncode == 0
