"""The two ways into a database: one writes, the other sees one moment and cannot."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from outreach import outbox
from outreach.errors import OutOfReach
from outreach.models import Brake, Database


def test_reading_sees_one_moment_whatever_is_committed_meanwhile(db: Database, now: datetime) -> None:
    brakes = select(func.count()).select_from(Brake)
    with db.read() as session:
        assert session.execute(brakes).scalar_one() == 0
        with db.begin() as writing:
            outbox.pull_brake(writing, "all", actor="test", reason="meanwhile", now=now)
        assert session.execute(brakes).scalar_one() == 0
    with db.read() as session:
        assert session.execute(brakes).scalar_one() == 1


def test_reading_cannot_write(db: Database, now: datetime) -> None:
    with pytest.raises((DBAPIError, OutOfReach)), db.read() as session:
        outbox.pull_brake(session, "all", actor="test", reason="never", now=now)
