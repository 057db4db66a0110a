"""A provider that refuses, breaks off, hangs and lies, and a rude mail server: F20 to F29 and F42 of the fault matrix.

Every outcome is of one of three kinds: surely not taken (it leaves later, once), surely never (said so), or unknown
(in doubt until the reports tell). The ledger of the far side is the witness.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select, update

from outreach.audit import audit
from outreach.domain.deliveries import State, Stream
from outreach.models import Attempt, Delivery, ProviderState
from tests.bench import scene
from tests.faults.trial import LETTERS, Trial, trial
from tests.journeys.engine import provider_process, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

#: What leaves a mail in doubt, and whether it arrived.
UNCLEAR = {
    "502": False,
    "504": False,
    "502_after": True,
    "504_after": True,
    "hang": False,
    "hang_after": True,
    "reset": False,
    "reset_after": True,
    "close": False,
    "close_after": True,
}


def is_closed(it: Trial) -> bool:
    with it.engine.db.read() as session:
        closed = select(ProviderState).where(ProviderState.closed_until > it.engine.now())
        return session.scalar(closed) is not None


def let_the_pause_end(it: Trial) -> None:
    """The moment has come that the provider named."""
    with it.engine.db.begin() as session:
        session.execute(update(ProviderState).values(closed_until=it.engine.now()))
        session.execute(update(Delivery).where(Delivery.state == State.QUEUED).values(due_at=it.engine.now()))


@on_sqlite
def test_fault_f20_who_asks_for_a_pause_gets_it_and_then_everything_once(tmp_path: Path, database_url: str) -> None:
    with trial(tmp_path, database_url) as it:
        it.provider.control("faults", script=["ok"] * 8 + ["429"], reset_seconds=4)
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.engine.until(lambda: is_closed(it) and not it.engine.flying(), "the door is closed")
        with it.engine.db.read() as session:
            opens_at = session.scalars(select(ProviderState.closed_until)).one()
        assert opens_at is not None
        early = len(it.provider.taken())
        assert early < LETTERS
        it.until_at_rest()
        assert all(record["at"] >= opens_at.timestamp() for record in it.provider.taken()[early:])
        assert it.states() == {"accepted": LETTERS}
        it.judge(most_in_doubt=0)


@on_sqlite
def test_fault_f21_what_the_provider_says_it_did_not_take_leaves_later_and_once(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        it.provider.control("faults", script=["ok", "500", "ok", "503"] * 3)
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.until_at_rest()
        assert it.states() == {"accepted": LETTERS}
        with it.engine.db.read() as session:
            assert session.scalars(select(Attempt.outcome)).all().count("unavailable") == 6
        it.judge(most_in_doubt=0)


@on_postgres
def test_fault_f22_f23_f24_without_a_clear_answer_nothing_is_sent_again_and_the_reports_settle_it(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        # One a round at most, so that no round looks as if the provider hung.
        it.provider.control("faults", script=[w for fault in UNCLEAR for w in (fault, *["ok"] * 7)])
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.until_at_rest()
        before = it.judge(most_in_doubt=len(UNCLEAR))
        assert len(before.in_doubt) == len(UNCLEAR)
        assert len(before.in_doubt_arrived) == sum(UNCLEAR.values())


@on_sqlite
def test_fault_f25_f28_what_the_provider_will_never_take_ends_alone_and_is_not_tried_again(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        it.provider.control("faults", script=["ok", "400", "ok", "413", "ok", "400_opaque"])
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.until_at_rest()
        assert it.states() == {"accepted": LETTERS - 3, "rejected": 3}
        with it.engine.db.read() as session:
            tried = session.scalars(select(Delivery.attempts).where(Delivery.state == State.REJECTED)).all()
        assert tried == [1, 1, 1]
        it.judge(most_in_doubt=0, may_end=(State.ACCEPTED, State.REJECTED))


@on_postgres
def test_fault_f26_what_is_taken_and_later_dropped_is_accepted_and_says_so(tmp_path: Path, database_url: str) -> None:
    with trial(tmp_path, database_url, letters=20) as it:
        it.finish()
        it.report(kinds=["dropped"])
        with it.engine.db.read() as session:
            assert set(session.scalars(select(Delivery.event_state))) == {"dropped"}
            assert audit(session, it.engine.settings).problems == []
        assert it.states() == {"accepted": 20}


@on_sqlite
def test_fault_f27_a_refused_key_stops_the_stream_and_uses_up_no_tries(tmp_path: Path, database_url: str) -> None:
    with trial(tmp_path, database_url) as it:
        it.provider.control("faults", rates="401=1")
        it.engine.start_worker(concurrency=1)
        it.ring()
        it.engine.until(lambda: is_closed(it) and not it.engine.flying(), "the door is closed")
        it.ring()
        it.ring()
        assert it.states() == {"queued": LETTERS}
        with it.engine.db.read() as session:
            assert set(session.scalars(select(Delivery.tries))) == {0}
            assert session.scalars(select(Attempt.outcome)).all().count("unavailable") <= 4, "one round found out"
        it.provider.control("faults", rates="")
        let_the_pause_end(it)
        it.until_at_rest()
        assert it.states() == {"accepted": LETTERS}
        it.judge(most_in_doubt=0)


@on_sqlite
def test_fault_f29_a_provider_whose_name_is_nobodys_gets_everything_once_it_is_right(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        lost = it.engine.start_worker(concurrency=1, sendgrid_host="http://nobody.invalid")
        it.ring()
        it.engine.until(lambda: is_closed(it) and not it.engine.flying(), "the door is closed")
        assert it.states() == {"queued": LETTERS}
        it.engine.kill(lost)
        let_the_pause_end(it)
        it.finish()
        assert it.states() == {"accepted": LETTERS}
        it.judge(most_in_doubt=0)


@on_sqlite
def test_fault_f42_a_mail_server_that_hangs_up_after_the_final_dot_leaves_doubt_and_no_second_copy(
    tmp_path: Path, database_url: str
) -> None:
    rude = "drop_after=0.05,drop=0.05,drop_data=0.05,450=0.05,421=0.03"
    with ExitStack() as stack:
        sink = stack.enter_context(provider_process("smtp_sink", tmp_path, "--faults", rude, scheme="smtp"))
        more = {"transport": "smtp", "smtp_url": sink.url, "handovers": "4", "retry_base_seconds": "0.1"}
        engine = stack.enter_context(running(tmp_path, database_url, beat=True, workers=1, **more))
        scene.fill(engine.db, engine.keys, letters=LETTERS, targets=4, now=engine.now())
        engine.ring(Stream.LETTERS)
        engine.until(engine.at_rest, "everything left that can leave")
        copies = Counter(record["delivery"].split(".")[1] for record in sink.taken())
        accepted, doubted = engine.refs(State.ACCEPTED), engine.refs(State.IN_DOUBT)
        assert len(accepted) + len(doubted) == LETTERS
        assert set(copies.values()) == {1}
        assert accepted <= set(copies) <= accepted | doubted
        assert doubted & set(copies), "on some the server hung up after it had taken them"
        with engine.db.read() as session:
            assert audit(session, engine.settings).problems == []
