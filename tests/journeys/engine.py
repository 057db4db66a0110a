"""A whole engine for a test: Celery workers and beat as processes, a real Redis, a database of the test's own.

    with running(tmp_path, database_url, transport="mailbox") as engine:
        worker = engine.start_worker()
        engine.start_beat()
        …
        engine.until(lambda: engine.states()["queued"] == 0, "all letters left")
        engine.kill(worker)          # SIGKILL, the pool as well

Nothing waits for a length of time: `until` looks until something is so, and shows the processes' logs when it never is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import exists, func, select
from starlette.testclient import TestClient

from outreach import campaigns, feedback, signing, targets, wake
from outreach.domain import pages
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.embedded import broker_url
from outreach.keys import Keys
from outreach.models import Addressing, Database, Delivery, ProviderEvent, Signature, SignatureState, Target
from outreach.settings import Settings
from outreach.web.app import create_app
from tests import servers
from tests.fakes.events import EventKey, rows_for
from tests.fakes.ledger import read_ledger
from tests.fakes.sendgrid import API_KEY

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.txt"))
_PATIENCE = 60.0
_CELERY = ("celery", "-A", "workers.app")
_LINK = re.compile(r"/confirm/([A-Za-z0-9_-]{32})")


class Engine:
    """Settings, database and the processes that a test has started."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, **more: str) -> None:
        self.folder = folder
        given = {
            "DATA_DIR": str(folder / "var"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-test",
            "POSTAL_ADDRESS": "1 Example Street, Springfield",
            "ENV": "test",
            **{name.upper(): value for name, value in more.items()},
        }
        self.environ = {f"OUTREACH_{name}": value for name, value in given.items()}
        self.settings = Settings.from_env(self.environ, dotenv=None)
        self.keys = Keys(self.settings.secret_key)
        self.db = Database(database_url)
        self._processes: dict[subprocess.Popen[bytes], tuple[str, ...]] = {}
        self._ended: set[subprocess.Popen[bytes]] = set()  # by us, or already replaced

    def now(self) -> datetime:
        return datetime.now(UTC)

    # ---- processes -----------------------------------------------------------------------------------------------

    def start_worker(
        self, *, concurrency: int = 2, queues: str = "act,letters,news,chores", clock: str = "", **more: str
    ) -> subprocess.Popen[bytes]:
        """A worker as people start it, at the head of a process group of its own. `more` are settings of it alone.

        `clock` sets its machine's clock apart: "+1h", "-1d".
        """
        words = ["worker", "-Q", queues, "-c", str(concurrency), "-n", f"w{len(self._processes)}@%h"]
        return self._start("worker", *_CELERY, *words, "--without-mingle", "--without-gossip", clock=clock, **more)

    def start_beat(self) -> subprocess.Popen[bytes]:
        return self._start("beat", *_CELERY, "beat")

    def start_web(self, *, clock: str = "", **more: str) -> subprocess.Popen[bytes]:
        """The pages and hooks at the settings' port; returns once they answer or have ended. `clock` as above."""
        process = self._start("web", "outreach", "web", clock=clock, **more)
        servers.await_port(self.settings.port, process)
        return process

    def _start(self, name: str, *words: str, clock: str = "", **more: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"{name}-{len(self._processes)}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
        given = self.environ | {f"OUTREACH_{name.upper()}": value for name, value in more.items()}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                env={**environ, **given, **servers.clock_set_apart(clock), "PYTHONPATH": str(ROOT)},
                cwd=self.folder,  # no .env of a developer lies here
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[process] = (name, *words)
        return process

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """All that were started, in that order; also those that have ended."""
        return list(self._processes)

    def running(self, name: str) -> list[subprocess.Popen[bytes]]:
        """Those of one kind ("worker", "beat", "web") that run and were not told to end."""
        return [
            process
            for process, (kind, *_) in self._processes.items()
            if kind == name and process not in self._ended and process.poll() is None
        ]

    def send_home(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM: it finishes what it has in the air, and nobody starts it again."""
        self._ended.add(process)
        process.terminate()

    def stop(self) -> None:
        """SIGTERM for all; returns once they are gone."""
        running = [process for process in self._processes if process.poll() is None]
        for process in running:
            self.send_home(process)
        for process in running:
            process.wait(60)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL for the process and its whole group: main and pool at once."""
        self._ended.add(process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        for process in reversed(list(self._processes)):
            if process.poll() is None:
                self.kill(process)
        self.db.close()

    # ---- looking -------------------------------------------------------------------------------------------------

    def until(self, true: Callable[[], object], what: str, *, patience: float = _PATIENCE) -> None:
        """Return once `true()` holds."""
        deadline = time.monotonic() + patience
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain: {what}\n{dict(self.states())}\n{self.tails()}")
            time.sleep(0.05)

    def tails(self) -> str:
        """The last lines of what each process wrote."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-15:]) for log in logs)

    def states(self, mail_class: MailClass | None = None) -> Counter[State]:
        """How many deliveries are in which state."""
        query = select(Delivery.state, func.count()).group_by(Delivery.state)
        if mail_class is not None:
            query = query.where(Delivery.mail_class == mail_class)
        with self.db.read() as session:
            return Counter(dict(session.execute(query).all()))

    def at_rest(self, mail_class: MailClass | None = None) -> bool:
        """Whether nothing is on its way any more."""
        states = self.states(mail_class)
        return not any(states[s] for s in (State.QUEUED, State.CLAIMED, State.SENDING))

    def flying(self) -> int:
        """How many are in a worker's hands."""
        states = self.states()
        return states[State.CLAIMED] + states[State.SENDING]

    def refs(self, *states: State) -> set[str]:
        """The opaque ids of the deliveries in these states."""
        with self.db.read() as session:
            return set(session.scalars(select(Delivery.ref).where(Delivery.state.in_(states))))

    def all_applied(self) -> bool:
        """Whether no report waits; what does is applied here, unless a worker has it in its hands."""
        feedback.apply_waiting(self.db, env=self.settings.env, now=self.now())
        with self.db.read() as session:
            return not session.scalar(select(exists().where(ProviderEvent.applied_at.is_(None))))

    # ---- doing ---------------------------------------------------------------------------------------------------

    def ring(self, *streams: Stream) -> bool:
        """The doorbell, as the web process rings it after a commit."""
        return wake.wake(broker_url(self.settings), *streams)

    def at_rest_with_a_supervisor(self) -> bool:
        """The same as `at_rest`; what has ended of itself is started again meanwhile."""
        self.supervise()
        return self.at_rest()

    def supervise(self) -> int:
        """Start again what has ended of itself; how many that were."""
        ended = [p for p in self._processes if p.poll() is not None and p not in self._ended]
        for process in ended:
            self._ended.add(process)
            self._start(*self._processes[process])
        return len(ended)

    def import_examples(self, *, per_hour: int | None = 5000, email: str = "") -> list[str]:
        """Both example campaigns, published; every target with a mailbox and a pace, or that of the settings.

        `email` is a mailbox that all of them share. The petition has two targets, the letter one.
        """
        slugs, now = [], self.now()
        with self.db.begin() as session:
            for path in EXAMPLES:
                text = pages.decode(path.read_bytes(), name=path.name)
                page = pages.read_page(text, name=path.name)
                hash_ = pages.fingerprint(text, name=path.name)
                slug = campaigns.take_page(session, page, source_hash=hash_, now=now, actor="test").campaign.slug
                campaigns.publish(session, slug, now=now, actor="test")
                slugs.append(slug)
            pace = targets.read_pace(per_hour=str(per_hour), per_day="50000", hours="always", days="all")
            for target in session.scalars(select(Target)):
                address = email or f"office{target.id}@example.net"
                targets.set_contact(
                    session, target, email=address, keys=self.keys, settings=self.settings, now=now, actor="test"
                )
                if per_hour is not None:
                    targets.set_pace(session, target, pace, now=now, actor="test")
        return slugs

    def sign(self, slug: str, *forms: signing.SignForm) -> None:
        """Each form as the sign page would take it, one transaction each."""
        for form in forms:
            with self.db.begin() as session:
                signing.sign(session, slug, form, keys=self.keys, settings=self.settings, now=self.now())

    def confirm(self, tokens: Sequence[str]) -> None:
        """The POST of the confirmation page, for each link."""
        for token in tokens:
            with self.db.begin() as session:
                signing.confirm(session, token, keys=self.keys, now=self.now())

    def letters_owed(self) -> set[tuple[str, str]]:
        """What every confirmed signature says to every target of its campaign: (name, target's label)."""
        query = (
            select(Signature.name, Target.office, Target.name)
            .join(Addressing, Addressing.campaign_id == Signature.campaign_id)
            .join(Target, Target.id == Addressing.target_id)
            .where(Signature.state == SignatureState.CONFIRMED)
        )
        with self.db.read() as session:
            return {(name, f"{office} {target}".strip()) for name, office, target in session.execute(query)}


@contextmanager
def running(
    folder: Path, database_url: str, *, redis_url: str | None = None, beat: bool = True, workers: int = 1, **more: str
) -> Iterator[Engine]:
    """An engine with its Redis, beat and workers; all gone at the end. `more` are settings by name."""
    with ExitStack() as stack:
        if redis_url is None:
            redis_url, _ = stack.enter_context(servers.redis_server(folder / "redis"))
        engine = Engine(folder, database_url, redis_url, **more)
        stack.callback(engine.close)
        if beat:
            engine.start_beat()
        for _ in range(workers):
            engine.start_worker()
        yield engine


@dataclass(frozen=True)
class Provider:
    """A fake provider that runs as a process of its own."""

    url: str
    ledger: Path

    def taken(self) -> list[dict[str, Any]]:
        """What it accepted, in order; also while it runs."""
        return read_ledger(self.ledger)

    def counts(self) -> Counter[str]:
        """How often it accepted each delivery."""
        return Counter(record["delivery"] for record in self.taken())

    def control(self, what: str, **asked: Any) -> None:
        """Tell a fake SendGrid how to misbehave from now on."""
        request = urllib.request.Request(f"{self.url}/control/{what}", json.dumps(asked).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


@contextmanager
def provider_process(module: str, folder: Path, *words: str, scheme: str = "http") -> Iterator[Provider]:
    """`python -m tests.fakes.MODULE`, with its ledger in the folder."""
    ledger = folder / f"{module}.jsonl"
    ledger.touch()
    command = [sys.executable, "-m", f"tests.fakes.{module}", "--port", "0", "--ledger", str(ledger), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Provider(f"{scheme}://127.0.0.1:{told['port']}", ledger)
    finally:
        servers.stop(process)
        if process.stdout is not None:
            process.stdout.close()


def sendgrid_settings(provider: Provider, **more: str) -> dict[str, Any]:
    """Settings that send to a fake SendGrid."""
    return {"transport": "sendgrid", "sendgrid_api_key": API_KEY, "sendgrid_host": provider.url, **more}


def report_all(
    engine: Engine,
    key: EventKey,
    taken: list[dict[str, Any]],
    *,
    kinds: Sequence[str] = ("processed", "delivered"),
) -> None:
    """The provider's reports about all it took, doubled and out of order, through the hook; then applied."""
    rows = rows_for(taken, kinds=kinds, doubled=0.3, shuffled=True, seed=1)
    with TestClient(create_app(engine.settings, engine.db), base_url=engine.settings.base_url) as client:
        for begin in range(0, len(rows), 500):
            signed = key.signed(rows[begin : begin + 500], at=time.time())
            answer = client.post("/hooks/sendgrid/events", content=signed.body, headers=signed.headers)
            assert answer.status_code == 200, answer.text
    engine.until(engine.all_applied, "every report is applied")


def confirm_tokens(texts: Sequence[str]) -> list[str]:
    """The secrets of the confirmation links in these mails."""
    return [found[1] for text in texts if (found := _LINK.search(text))]


def crowd(slug_number: int, size: int) -> list[signing.SignForm]:
    """People who do not exist, each with words that nobody else has. Every third has nothing to add."""
    first = ("Ada", "Björn", "Chiara", "Daria", "Élodie", "Farid", "Grace", "Hồ", "Ioana", "Jürgen", "Карина", "李")
    return [
        signing.SignForm(
            name=f"{first[n % len(first)]} Number {slug_number}-{n:04d}",
            email=f"signer{slug_number}x{n}@example.org",
            city="Springfield",
            own_words=""
            if n % 3 == 2
            else f"My own words are ⟦{slug_number}-{n:04d}⟧, and <b>they</b> are {{{{ mine }}}}.",
        )
        for n in range(size)
    ]


def marks(text: str) -> set[str]:
    """Whose own words stand in a text."""
    return set(re.findall("⟦([0-9-]+)⟧", text))
