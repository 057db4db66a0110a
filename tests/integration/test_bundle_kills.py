"""A process that is killed while it sends a bundle: doubt for all of it, never a second copy, and what settles it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from outreach import audit, feedback, outbox
from outreach.domain.deliveries import State, Stream
from outreach.models import Attempt, Database, Delivery
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport, mail_names
from tests.bench.environs import environ_of
from tests.integration.test_bundles import office, send
from tests.integration.test_reconciling import in_doubt
from tests.unit.transports.letters import letter

_SEND = """
from outreach.models import Database
from outreach.sending import Desk, Hands, send_bundles
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport
from tests import factories
settings = Settings.from_env()
hands = Hands(MailboxTransport(settings.mailbox_dir), width=1)
send_bundles(Database(settings.database), hands, Desk(settings, factories.KEYS), settings=settings)
"""


def killed_at(point: str, settings: Settings) -> None:
    """Send what is due in a process of its own, which dies at a faultpoint."""
    environ = environ_of(settings.data_dir.parent, settings.database, ENV="test", FAULTPOINTS=f"{point}=kill")
    done = subprocess.run([sys.executable, "-c", _SEND], env=environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def rescued(db: Database, settings: Settings) -> dict[State, int]:
    """What the letters come to once the lease is over, the folder was looked at, and all that may be sent was."""
    later = db.now() + 2 * feedback.reconciling.WINDOW
    with db.begin() as session:
        outbox.rescue(session, now=later)
    with feedback.provider_logs(settings) as logs:
        feedback.reconcile(db, env="test", now=later, logs=logs)
    send(db, settings, MailboxTransport(settings.mailbox_dir))
    with db.read() as session:
        assert audit.audit(session, settings).problems == []
        letters = select(Delivery.state, func.count()).where(Delivery.stream == Stream.LETTERS)
        return dict(session.execute(letters.group_by(Delivery.state)).all())


@pytest.mark.parametrize(
    ("point", "copies", "ends"),
    [
        ("after_claim", 1, State.ACCEPTED),  # nothing had left: it is sent
        ("after_intent", 0, State.IN_DOUBT),  # nobody can know: it waits for staff
        ("after_accept", 1, State.ACCEPTED),  # the folder knows
    ],
)
def test_fault_f4_a_kill_leaves_one_bundle_or_doubt_for_all_of_it(
    db: Database, settings: Settings, point: str, copies: int, ends: State
) -> None:
    office(db, settings, "", "", "Mine.")
    killed_at(point, settings)
    assert rescued(db, settings) == {ends: 3}
    assert len(mail_names(settings.mailbox_dir)) == copies
    with db.read() as session:
        told = set(session.scalars(select(Attempt.outcome)))
        assert told == {"unknown" if ends is State.IN_DOUBT else "accepted"}


def test_a_single_letter_that_lies_in_the_folder_is_settled_by_it(db: Database, settings: Settings) -> None:
    """The name of its file says which attempt brought it there."""
    with db.begin() as session:
        lies, lost = in_doubt(session), in_doubt(session)
        for attempt in session.scalars(select(Attempt)):
            attempt.transport = "mailbox"
    MailboxTransport(settings.mailbox_dir).send(replace(letter(), delivery=lies, attempt=1))
    with feedback.provider_logs(settings) as logs:
        done = feedback.reconcile(db, env="test", now=db.now(), logs=logs)
    assert (done.by_log, [doubt.ref for doubt in done.left]) == (1, [lost])
