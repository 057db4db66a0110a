"""A machine whose clock is an hour or a day off: F30 of the fault matrix.

Everything acts at the database's time. On SQLite there is one machine and one clock, which is the database's as well.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from outreach import signing
from outreach.domain.deliveries import State
from outreach.models import Delivery, Signature, SignatureState, Token
from tests import servers
from tests.bench import scene
from tests.faults.test_web import FORM, press
from tests.faults.trial import LETTERS, Trial, trial
from tests.journeys.engine import Engine

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def due_in(it: Trial, wait: timedelta, *conditions: object) -> None:
    with it.engine.db.begin() as session:
        waiting = update(Delivery).where(Delivery.state == State.QUEUED, *conditions)  # type: ignore[arg-type]
        session.execute(waiting.values(due_at=it.engine.db.now() + wait))


@pytest.mark.parametrize("clocks", [("+1h", "+1d"), ("-1h", "-1d")], ids=["ahead", "behind"])
@on_postgres
def test_fault_f30_workers_whose_clocks_are_off_send_nothing_early_and_nothing_late(
    tmp_path: Path, database_url: str, clocks: tuple[str, str]
) -> None:
    """Only beat rings, so its rings must count for workers to whom they look long outdated."""
    with trial(tmp_path, database_url, letters=LETTERS // 2) as it:
        due_in(it, timedelta(minutes=30), Delivery.id % 2 == 0)
        for clock in clocks:
            it.engine.start_worker(concurrency=1, clock=clock)
        it.engine.start_beat()
        it.await_letters(LETTERS // 4)
        scene.fill(it.engine.db, it.engine.keys, letters=4, targets=1, now=it.engine.db.now(), series="late")
        it.letters += 4
        it.await_letters(LETTERS // 4 + 4)
        it.engine.until(lambda: not it.engine.flying(), "it has looked again, and settled")
        assert it.states() == {"accepted": LETTERS // 4 + 4, "queued": LETTERS // 4}, "half an hour is not over"

        due_in(it, timedelta(0))
        it.engine.until(it.engine.at_rest, "now they are due")
        it.judge(most_in_doubt=0)


@on_postgres
def test_fault_f30_links_open_and_expire_by_the_databases_time(tmp_path: Path, database_url: str) -> None:
    nobody = f"redis://127.0.0.1:{servers.free_port()}/0"
    engine = Engine(tmp_path, database_url, nobody, port=str(servers.free_port()))
    try:
        slug = engine.import_examples()[0]
        ahead = engine.start_web(clock="+8d")
        assert press(engine, f"/c/{slug}/sign", FORM) == 303
        with engine.db.read() as session:
            signature = session.scalars(select(Signature)).one()
            expires_at = session.scalars(select(Token.expires_at)).one()
            assert expires_at is not None
            assert abs(expires_at - engine.db.now() - timedelta(days=7)) < timedelta(minutes=5)
        confirm = f"/confirm/{signing.confirm_url(engine.settings, engine.keys, signature).rpartition('/')[2]}"
        engine.kill(ahead)

        behind = engine.start_web(clock="-8d")
        with engine.db.begin() as session:
            session.execute(update(Token).values(expires_at=engine.db.now() - timedelta(minutes=1)))
        assert press(engine, confirm, {}) == 410
        assert _state(engine) is SignatureState.PENDING
        engine.kill(behind)

        engine.start_web(clock="+8d")
        with engine.db.begin() as session:
            session.execute(update(Token).values(expires_at=expires_at))
        assert press(engine, confirm, {}) == 303
        assert _state(engine) is SignatureState.CONFIRMED
    finally:
        engine.close()


def _state(engine: Engine) -> SignatureState:
    with engine.db.read() as session:
        return session.scalars(select(Signature.state)).one()
