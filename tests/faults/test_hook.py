"""The door by which the provider reports: knocked at by forgers, and closed for a while. F36 and F37 of the matrix."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from outreach import feedback
from outreach.domain.deliveries import State, Stream
from outreach.feedback import Verdict
from outreach.feedback.reconciling import WINDOW
from outreach.models import Delivery, ProviderEvent
from tests import servers
from tests.bench import scene
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey, Signed, rows_for
from tests.fakes.webhook import post
from tests.journeys.engine import Engine, provider_process, running, sendgrid_settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

LETTERS = 12


def reports_kept(engine: Engine) -> int:
    with engine.db.read() as session:
        return session.scalar(select(func.count()).select_from(ProviderEvent)) or 0


def forgeries(genuine: Signed) -> dict[str, Signed]:
    stranger = EventKey().signed(json.loads(genuine.body), at=time.time())
    signature = genuine.headers[SIGNATURE_HEADER]
    return {
        "unsigned": Signed(genuine.body, {"Content-Type": "application/json"}),
        "another's key": stranger,
        "one byte changed": Signed(genuine.body.replace(b"delivered", b"delivereD", 1), genuine.headers),
        "written anew": Signed(json.dumps(json.loads(genuine.body)).encode(), genuine.headers),
        "an old moment": Signed(genuine.body, genuine.headers | {TIMESTAMP_HEADER: "1000000000"}),
        "no base64": Signed(genuine.body, genuine.headers | {SIGNATURE_HEADER: "%%%"}),
        "a signature of nothing": Signed(b"", {**genuine.headers, SIGNATURE_HEADER: signature}),
    }


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_fault_f36_f37_a_closed_door_loses_no_report_and_an_open_one_takes_no_forgery(
    tmp_path: Path, database_url: str
) -> None:
    key, port = EventKey.kept(tmp_path / "events.pem"), servers.free_port()
    hook = f"http://127.0.0.1:{port}/hooks/sendgrid/events"
    with ExitStack() as stack:
        words = ("--key", str(tmp_path / "events.pem"), "--webhook", hook)
        provider = stack.enter_context(provider_process("sendgrid", tmp_path, *words))
        more = {"sendgrid_event_keys": key.public, "port": str(port), "provider_timeout": "1", "handovers": "4"}
        settings = sendgrid_settings(provider, **more)
        engine = stack.enter_context(running(tmp_path, database_url, beat=False, workers=1, **settings))
        provider.control("faults", script=["ok", "ok", "hang_after"])
        scene.fill(engine.db, engine.keys, letters=LETTERS, targets=2, now=engine.now())
        engine.ring(Stream.LETTERS)
        engine.until(engine.at_rest, "everything left, and nobody could be told")
        assert engine.states() == {State.ACCEPTED: LETTERS - 1, State.IN_DOUBT: 1}
        assert reports_kept(engine) == 0
        with engine.db.begin() as session:  # two days pass without a word
            long_ago = engine.now() - 2 * WINDOW
            session.execute(update(Delivery).where(Delivery.state == State.IN_DOUBT).values(doubt_since=long_ago))
        left = feedback.reconcile(engine.db, env="test", now=engine.now()).left
        assert [doubt.verdict for doubt in left] == [Verdict.SILENT], "silence says nothing while the door is closed"

        engine.start_web()
        engine.until(lambda: engine.all_applied() and engine.states() == {State.ACCEPTED: LETTERS}, "it asked again")
        known = reports_kept(engine)
        genuine = key.signed(rows_for(provider.taken(), kinds=["delivered", "spamreport"]), at=time.time())
        for what, forged in forgeries(genuine).items():
            assert post(hook, forged) == 403, what
        assert reports_kept(engine) == known
        for malformed in (b"[", b"{}", b"[[[]]]", b'[{"event": 7}]', b"\xff\xfe"):
            signed = Signed(
                malformed, {TIMESTAMP_HEADER: (at := str(int(time.time()))), SIGNATURE_HEADER: key.sign(malformed, at)}
            )
            assert post(hook, signed) == 200, malformed
        assert reports_kept(engine) == known
        assert post(hook, genuine) == 200
        assert reports_kept(engine) > known
