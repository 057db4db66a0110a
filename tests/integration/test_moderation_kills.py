"""Whoever ends signatures by the thousand may be killed at any row, either way: nothing is half ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from outreach import moderation
from outreach.domain.deliveries import State
from outreach.domain.sieves import Sieve
from outreach.models import Database, Delivery, Signature, SignatureState
from tests import factories
from tests.integration.test_moderation import books_balance, states

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
SIGNERS, CHUNK = 60, 10


def run(db: Database, point: str = "") -> int:
    """Carry it on in a process of its own, which dies at `point` if one is given; how it ended."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    environ |= {"OUTREACH_ENV": "test", "OUTREACH_FAULTPOINTS": point, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.integration.invalidator", db.url, str(CHUNK)]
    return subprocess.run(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=120).returncode


def halves(db: Database) -> int:
    """Signatures that are not where their letter is."""
    unlike = (Signature.state == SignatureState.INVALIDATED) != (Delivery.state == State.CANCELLED)
    joined = select(func.count()).select_from(Signature).join(Delivery, Delivery.signature_id == Signature.id)
    with db.read() as session:
        return session.scalar(joined.where(unlike)) or 0


def test_threat_b22_killed_in_the_middle_of_a_chunk_it_goes_on_from_there_both_ways(
    db: Database, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for n in range(SIGNERS):
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, name=f"Bot {n}")
            factories.delivery(session, signature)
        session.execute(update(Signature).values(network="net"))
        id_ = moderation.start(session, campaign.id, Sieve(network="net"), reason="x", now=now, actor="test").id
    for half_way, whole in (
        ({"queued": 40, "cancelled": 20}, {"cancelled": 60}),
        ({"cancelled": 40, "queued": 20}, {"queued": 60}),
    ):
        assert run(db, "invalidate_mid_chunk:3=kill") == -signal.SIGKILL
        assert (states(db), halves(db)) == (half_way, 0)
        assert run(db) == 0
        assert (states(db), halves(db), books_balance(db)) == (whole, 0, True)
        if "cancelled" in whole:
            with db.begin() as session:
                moderation.undo(session, id_, now=now, actor="test")
