"""The web process killed before and after the commit: F43 of the fault matrix, and F44 over a real connection.

An answer is never given for what is not in the tables. Who got none presses again, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from outreach import signing
from outreach.audit import audit
from outreach.domain.deliveries import MailClass
from outreach.models import Signature, SignatureState
from tests import servers
from tests.journeys.engine import Engine

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

FORM = {"name": "Ada Lovelace", "email": "ada@example.org", "own_words": "Please do."}


@pytest.fixture
def engine(tmp_path: Path, database_url: str) -> Iterator[Engine]:
    """An engine without workers; its pages are started by the test."""
    nobody = f"redis://127.0.0.1:{servers.free_port()}/0"
    engine = Engine(tmp_path, database_url, nobody, port=str(servers.free_port()))
    yield engine
    engine.close()


def press(engine: Engine, path: str, form: dict[str, str]) -> int:
    """The status of the answer; 0 when there was none."""
    connection = HTTPConnection("127.0.0.1", engine.settings.port, timeout=30)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urlencode(form), headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def signatures(engine: Engine) -> list[SignatureState]:
    with engine.db.read() as session:
        return list(session.scalars(select(Signature.state)))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f43_f44_whoever_gets_no_answer_presses_again_and_signs_and_confirms_once(engine: Engine) -> None:
    slug = engine.import_examples()[0]
    sign = f"/c/{slug}/sign"

    engine.start_web(faultpoints="web_before_commit=kill")
    assert press(engine, sign, FORM) == 0
    assert signatures(engine) == []

    engine.start_web(faultpoints="web_after_commit=kill")
    assert press(engine, sign, FORM) == 0
    assert signatures(engine) == [SignatureState.PENDING]

    engine.start_web(faultpoints="web_before_commit:3=kill")
    assert press(engine, sign, FORM) == 303
    assert press(engine, sign, FORM) == 303
    assert signatures(engine) == [SignatureState.PENDING]
    assert engine.states(MailClass.CONFIRMATION).total() == 1

    confirm = _confirm_path(engine)
    assert press(engine, confirm, {}) == 0
    assert signatures(engine) == [SignatureState.PENDING]
    assert engine.states(MailClass.LETTER).total() == 0

    engine.start_web(faultpoints="web_after_commit=kill")
    assert press(engine, confirm, {}) == 0
    assert signatures(engine) == [SignatureState.CONFIRMED]
    letters = engine.states(MailClass.LETTER).total()
    assert letters == len(engine.letters_owed())

    engine.start_web()
    assert press(engine, confirm, {}) == 303
    assert engine.states(MailClass.LETTER).total() == letters
    with engine.db.read() as session:
        assert audit(session, engine.settings).problems == []


def _confirm_path(engine: Engine) -> str:
    with engine.db.read() as session:
        signature = session.scalars(select(Signature)).one()
        return f"/confirm/{signing.confirm_url(engine.settings, engine.keys, signature).rpartition('/')[2]}"
