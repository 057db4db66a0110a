"""A worker killed or stopped at one chosen line: F1 to F5, F7, F38 and F40 of the fault matrix.

What must be so differs from line to line. Before the attempt is committed nothing can have left, and nothing is in
doubt; afterwards it may have, and then it is in doubt until the provider's reports settle it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from outreach import suppression
from outreach.domain.deliveries import State
from outreach.models import Delivery
from tests.faults.trial import HANDOVERS, LETTERS, Trial, let_go, trial, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@on_postgres
def test_fault_f1_f2_f5_who_dies_before_the_attempt_is_committed_leaves_no_doubt(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        for point in ("before_claim", "after_claim", "during_render:3"):
            it.engine.start_worker(concurrency=1, faultpoints=f"{point}=kill_group")
        until(lambda: len(it.ended()) == 3, it, "each dies at its point")
        assert it.provider.taken() == []
        assert set(it.engine.states()) <= {State.QUEUED, State.CLAIMED}
        it.finish()
        assert len(it.provider.taken()) == LETTERS
        it.judge(most_in_doubt=0)


@on_postgres
def test_fault_f3_who_dies_before_the_first_byte_leaves_a_round_in_doubt_that_never_left(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints="after_intent:2=kill_group")
        it.ring()
        it.await_end(worker)
        assert it.engine.states()[State.SENDING] == HANDOVERS
        assert len(it.provider.taken()) == HANDOVERS, "only the round before"
        it.finish()
        before = it.judge(most_in_doubt=HANDOVERS)
        assert len(before.in_doubt) == HANDOVERS
        assert not before.in_doubt_arrived


@on_sqlite
def test_c12_fault_f4_who_dies_with_the_answers_leaves_doubt_that_the_reports_settle(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints=f"after_accept:{2 * HANDOVERS}=kill_group")
        it.ring()
        it.await_end(worker)
        assert len(it.provider.taken()) == 2 * HANDOVERS
        it.finish()
        before = it.judge(most_in_doubt=HANDOVERS)
        assert len(before.in_doubt_arrived) == HANDOVERS
        assert it.states() == {"accepted": LETTERS}


@on_postgres
def test_fault_f7_who_stood_still_past_its_lease_begins_nothing_it_no_longer_holds(
    tmp_path: Path, database_url: str
) -> None:
    """Stopped between claim and attempt: the mails are another's by then, and fencing keeps it from touching them."""
    with trial(tmp_path, database_url) as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints="after_claim=stop")
        it.ring()
        stopped = it.await_stopped(worker)
        it.finish()
        assert len(it.provider.taken()) == LETTERS
        let_go(*stopped)
        _await_its_end(it)
        assert it.states() == {"accepted": LETTERS}
        it.judge(most_in_doubt=0)


@on_sqlite
def test_fault_f7_who_stood_still_after_the_attempt_offers_nothing_when_too_little_of_the_lease_is_left(
    tmp_path: Path, database_url: str
) -> None:
    """Stopped between attempt and first byte, and let go again after its lease: what it held never leaves twice."""
    with trial(tmp_path, database_url) as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints="after_intent=stop")
        it.ring()
        stopped = it.await_stopped(worker)
        it.finish()
        assert it.states() == {"accepted": LETTERS - HANDOVERS, "in_doubt": HANDOVERS}
        let_go(*stopped)
        _await_its_end(it)
        before = it.judge(most_in_doubt=HANDOVERS)
        assert not before.in_doubt_arrived, "it saw that its time was over"


@on_postgres
def test_fault_f38_a_report_that_comes_before_we_wrote_down_the_answer_is_kept(
    tmp_path: Path, database_url: str
) -> None:
    with trial(tmp_path, database_url) as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints="after_accept:2=stop")
        it.ring()
        stopped = it.await_stopped(worker)
        it.engine.until(lambda: len(it.provider.taken()) == HANDOVERS, "the whole round arrived")
        it.report()
        assert it.engine.states()[State.ACCEPTED] == HANDOVERS, "a report is proof"
        let_go(*stopped)
        it.finish(start=False)
        assert it.states() == {"accepted": LETTERS}
        it.judge(most_in_doubt=0)


@pytest.mark.parametrize(
    ("point", "late"), [("after_claim", 0), ("after_intent", HANDOVERS)], ids=["claimed", "intended"]
)
@on_sqlite
def test_fault_f40_a_no_counts_from_its_commit_on_but_for_what_is_in_the_air(
    tmp_path: Path, database_url: str, point: str, late: int
) -> None:
    """Every office's address is suppressed while a worker stands between two steps."""
    with trial(tmp_path, database_url, lease_seconds="60") as it:
        worker = it.engine.start_worker(concurrency=1, faultpoints=f"{point}=stop")
        it.ring()
        stopped = it.await_stopped(worker)
        with it.engine.db.begin() as session:
            hashes = session.scalars(select(Delivery.address_hash).distinct()).all()
            for address_hash in filter(None, hashes):
                suppression.suppress(session, address_hash, reason="test", now=it.engine.now())
        let_go(*stopped)
        it.finish(start=False)
        assert len(it.provider.taken()) == late
        assert it.states() == {"suppressed": LETTERS - late} | ({"accepted": late} if late else {})
        it.judge(most_in_doubt=0, may_end=(State.ACCEPTED, State.SUPPRESSED))


def _await_its_end(it: Trial) -> None:
    """Return once the first worker, let go again, has worked off what it held."""
    log = it.engine.folder / "worker-0.log"
    it.engine.until(lambda: "batch_sent" in log.read_text(), "the one let go went on to the end")
