"""Pace, brake and a Redis that is not there: what must stop stops, and leaves again when it may."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from outreach import outbox, signing
from outreach.audit import audit
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.models import Attempt, Lane, Signature
from outreach.web.app import create_app
from tests import servers
from tests.bench import scene
from tests.journeys.engine import Engine, crowd, provider_process, running, sendgrid_settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(280)]

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def confirm_paths(engine: Engine) -> list[str]:
    """The links in the confirmation mails, made anew instead of read."""
    with engine.db.read() as session:
        signatures = session.scalars(select(Signature)).all()
        return [f"/confirm/{_secret(engine, signature)}" for signature in signatures]


def _secret(engine: Engine, signature: Signature) -> str:
    return signing.confirm_url(engine.settings, engine.keys, signature).rpartition("/")[2]


@on_postgres
def test_two_workers_and_two_campaigns_share_one_mailbox_and_its_thirty_in_five_minutes(
    tmp_path: Path, database_url: str
) -> None:
    more: dict[str, Any] = {"mailbox_per_hour": "360", "office_hours": "always", "office_days": "all"}
    with running(tmp_path, database_url, workers=2, **more) as engine:
        petition, letter = engine.import_examples(per_hour=None, email="city-hall@example.net")
        engine.sign(petition, *crowd(0, 25))  # to two targets
        engine.sign(letter, *crowd(1, 50))
        engine.confirm([path.rpartition("/")[2] for path in confirm_paths(engine)])
        for _ in range(4):
            engine.ring(Stream.LETTERS)

        def is_shut() -> bool:
            states = engine.states(MailClass.LETTER)
            flying = states[State.CLAIMED] + states[State.SENDING]
            return not flying and states[State.ACCEPTED] > 0 and _opens_at(engine) > engine.now() + timedelta(minutes=1)

        engine.until(is_shut, "the mailbox has had its share")
        # The bell rings again; somebody who signs afterwards gets mail, so both workers have heard it by then.
        engine.ring(Stream.LETTERS, Stream.LETTERS)
        engine.sign(letter, *crowd(2, 4))
        engine.ring(Stream.ACT)
        engine.until(lambda: engine.states(MailClass.CONFIRMATION)[State.ACCEPTED] == 79, "confirmations do not wait")
        assert engine.states(MailClass.LETTER) == {State.ACCEPTED: 30, State.QUEUED: 70}
        with engine.db.read() as session:
            oldest = session.scalar(select(func.min(Attempt.ended_at)).where(Attempt.lane_id == _lane(session).id))
            assert oldest is not None
            # A portion may leave six seconds before its turn, as it is found up to a sweep late.
            assert _lane(session).opens_at > oldest + timedelta(minutes=5, seconds=-6), "no five minutes may hold 31"
            assert audit(session, engine.settings).problems == []


def _lane(session: Session) -> Lane:
    return session.scalars(select(Lane).where(Lane.key.startswith("mailbox:"))).one()


def _opens_at(engine: Engine) -> datetime:
    with engine.db.read() as session:
        return _lane(session).opens_at


@on_sqlite
def test_a_brake_stops_everything_within_one_round_and_lets_go_without_doubles(
    tmp_path: Path, database_url: str
) -> None:
    letters, handovers, pool = 400, 4, 2
    with provider_process("sendgrid", tmp_path, "--faults", "delay=0.05") as provider:
        more = sendgrid_settings(provider, handovers=str(handovers))
        with running(tmp_path, database_url, **more) as engine:
            scene.fill(engine.db, engine.keys, letters=letters, targets=4, now=engine.now())
            engine.ring(Stream.LETTERS, Stream.LETTERS)
            engine.until(lambda: len(provider.taken()) >= letters // 8, "letters leave")

            with engine.db.begin() as session:
                outbox.pull_brake(session, "all", actor="test", reason="stop", now=engine.now())
            at_the_brake = len(provider.taken())
            engine.until(lambda: not engine.flying(), "what was in the air has landed")
            stopped_at = len(provider.taken())
            assert stopped_at <= at_the_brake + handovers * pool
            assert engine.states() == {State.ACCEPTED: stopped_at, State.QUEUED: letters - stopped_at}
            with engine.db.begin() as session:
                lease = timedelta(seconds=5)
                held = outbox.claim(
                    session, Stream.LETTERS, transport="sendgrid", now=engine.now(), limit=10, lease=lease
                )
                assert held is None, "nobody gets anything to send"
            assert len(provider.taken()) == stopped_at

            with engine.db.begin() as session:
                outbox.lift_brake(session, "all", actor="test", now=engine.now())
            engine.ring(Stream.LETTERS)
            engine.until(engine.at_rest, "the rest left")
            assert engine.states() == {State.ACCEPTED: letters}
            assert set(provider.counts().values()) == {1}
            assert len(provider.counts()) == letters


@on_sqlite
def test_fault_f9_f11_without_redis_people_sign_and_confirm_and_their_letters_leave_when_it_comes(
    tmp_path: Path, database_url: str
) -> None:
    port = servers.free_port()
    with ExitStack() as stack:
        more: dict[str, Any] = {"redis_url": f"redis://127.0.0.1:{port}/0", "signs_per_minute": "1000"}
        engine = stack.enter_context(running(tmp_path, database_url, **more))
        slug = engine.import_examples()[0]
        app = create_app(engine.settings, engine.db)
        client = stack.enter_context(TestClient(app, base_url=engine.settings.base_url, follow_redirects=False))
        for form in crowd(0, 10):
            filled = {"name": form.name, "email": form.email, "own_words": form.own_words}
            assert client.post(f"/c/{slug}/sign", data=filled).status_code == 303
        for path in confirm_paths(engine):
            assert client.post(path).status_code in (200, 303)
        letters = len(engine.letters_owed())
        assert letters == 20
        assert engine.states() == {State.QUEUED: 10 + 10 + letters}, "no worker can have heard of them"

        stack.enter_context(servers.redis_server(tmp_path / "redis", port))
        engine.until(engine.at_rest_with_a_supervisor, "everything left once Redis was there")
        assert engine.states() == {State.ACCEPTED: 10 + 10 + letters}
        with engine.db.read() as session:
            assert audit(session, engine.settings).problems == []
