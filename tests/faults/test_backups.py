"""A database that lost its last hour: what can be shown of F16 and F45 of the fault matrix.

The provider has mails that the restored books have not sent yet, or have never heard of. Its reports, applied before
the first worker starts, are proof: what had left does not leave again, and what is unknown is named.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from outreach.audit import audit
from tests.bench import scene
from tests.faults.trial import LETTERS, trial

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_fault_f16_f45_after_a_restore_the_reports_keep_what_had_left_from_leaving_again(
    tmp_path: Path, database_url: str
) -> None:
    file, backup = Path(str(make_url(database_url).database)), tmp_path / "backup.db"
    with trial(tmp_path, database_url) as it:
        with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(backup)) as then:
            now.backup(then)
        scene.fill(it.engine.db, it.engine.keys, letters=10, targets=1, now=it.engine.now(), series="lost")
        worker = it.engine.start_worker()
        it.until_at_rest()
        assert len(it.provider.taken()) == LETTERS + 10
        it.engine.kill(worker)

        it.engine.db.close()
        for left in tmp_path.glob(f"{file.name}-*"):
            left.unlink()
        shutil.copy(backup, file)
        assert it.states() == {"queued": LETTERS}
        it.report()
        assert it.states() == {"accepted": LETTERS}
        it.finish()
        assert set(it.provider.counts().values()) == {1}
        with it.engine.db.read() as session:
            problems = audit(session, it.engine.settings).problems
        assert {p.kind for p in problems} == {"attempt", "unknown"}, "what the books have no attempt of is named"
