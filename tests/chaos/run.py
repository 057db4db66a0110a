"""One run: an engine under fire for some minutes, then peace, all reports, and the audit.

    tally = run(minutes=3, seed=1, told=print)

A real PostgreSQL and a real Redis, three workers, two beats, the web process that takes reports, and a fake SendGrid
that misbehaves. Letters come in all the while. The dice of nemesis, provider and reports hang on one seed; when
processes run is up to the machine, so the same seed gives the same acts and not the same run.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import IntegrityError, OperationalError

from outreach.audit import Problem, audit
from outreach.domain.deliveries import MailClass, State
from outreach.errors import OutOfReach
from outreach.migrating import migrate
from outreach.models import Database, LogEntry
from tests import servers
from tests.bench import scene
from tests.chaos.auditor import copies_in, judge, read_books
from tests.chaos.nemesis import KILLS, RESTARTS, Place, Redis, strike
from tests.chaos.reporter import Reporter
from tests.fakes.events import EventKey
from tests.journeys.engine import Engine, Provider, provider_process, sendgrid_settings

WORKERS, CONCURRENCY, BEATS = 3, 2, 2
#: About one hand-over in twenty has an unclear end.
FAULTS = (
    "429=0.001,500=0.004,503=0.002,reset=0.008,close=0.004,hang=0.001,502=0.003,504=0.002"
    ",reset_after=0.01,close_after=0.008,hang_after=0.003,502_after=0.004,504_after=0.003,delay=0.02"
)
_SETTINGS = {
    "handovers": "8",
    "batch": "40",
    "lease_seconds": "5",
    "provider_timeout": "1.5",
    "retry_base_seconds": "0.5",
}
#: Letters that come in at once, and the seconds between two acts and between two lots of letters.
_LOT, _ACTS_EVERY, _LOTS_EVERY = 40, (1.0, 5.0), (0.5, 2.0)
_PEACE = 300.0  #: seconds that the engine has to come to rest


@dataclass
class Tally:
    """What came of it. `in_doubt` counts every letter that ever was; the last is what only a person can settle."""

    letters: int
    kills: int
    restarts: int
    lost: int
    doubled: int
    wrong_content: int
    phantom: int
    in_doubt: int
    in_doubt_after_events: int

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.wrong_content or self.phantom)

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def run(*, minutes: float, seed: int, told: Callable[[str], None]) -> Tally:
    """Run it, and say by `told` what happens, one line each. Raises AssertionError when it never comes to rest."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-chaos-")))
        place, provider, key = _set_up(stack, folder, seed)
        engine = place.engine
        reporter = Reporter(provider, key, f"{engine.settings.base_url}/hooks/sendgrid/events", seed=seed)
        first = _ask(engine, "first")
        engine.until(provider.taken, "the first letters leave")
        committed = first + _under_fire(place, dice, until=time.monotonic() + minutes * 60, told=told)
        told(f"peace after {sum(place.done.values())} acts; {committed} letters were asked for")
        place.wake(all_of_them=True)
        engine.until(lambda: _letters_rest(engine), "every letter left that can leave", patience=_PEACE)
        reporter.finish()
        engine.until(engine.all_applied, "every report is applied", patience=_PEACE)
        # Notices to signers follow their letters; what still moves cannot be counted.
        engine.stop()
        return _tally(place, provider, committed, told)


def _set_up(stack: ExitStack, folder: Path, seed: int) -> tuple[Place, Provider, EventKey]:
    cluster = stack.enter_context(servers.postgres_cluster(durable=True))
    redis = Redis(folder)
    stack.callback(redis.close)
    key = EventKey.kept(folder / "events.pem")
    words = ("--key", str(folder / "events.pem"), "--seed", str(seed), "--faults", FAULTS)
    provider = stack.enter_context(provider_process("sendgrid", folder, *words))
    provider.control("faults", rates=FAULTS, reset_seconds=2)
    more = {**_SETTINGS, "sendgrid_event_keys": key.public, "port": str(servers.free_port())}
    engine = Engine(folder, _database(cluster.url), redis.url, **sendgrid_settings(provider, **more))
    stack.callback(engine.close)
    for _ in range(BEATS):
        engine.start_beat()
    for _ in range(WORKERS):
        engine.start_worker(concurrency=CONCURRENCY)
    engine.start_web()
    return Place(engine, cluster, redis, CONCURRENCY), provider, key


def _database(server: str) -> str:
    with psycopg.connect(make_url(server).set(drivername="postgresql").render_as_string(False), autocommit=True) as c:
        c.execute("CREATE DATABASE chaos")
    url = make_url(server).set(database="chaos").render_as_string(hide_password=False)
    db = Database(url)
    migrate(db)
    db.close()
    return url


def _under_fire(place: Place, dice: random.Random, *, until: float, told: Callable[[str], None]) -> int:
    """Letters come in and things go wrong, until the time is over; how many letters are surely committed."""
    committed, lot = 0, 0
    next_act, next_lot = time.monotonic() + 5, 0.0
    began = time.monotonic()
    while (now := time.monotonic()) < until:
        place.wake()
        place.engine.supervise()
        if now >= next_lot:
            lot, next_lot = lot + 1, now + dice.uniform(*_LOTS_EVERY)
            committed += _ask(place.engine, f"lot{lot}x")
        if now >= next_act:
            next_act = now + dice.uniform(*_ACTS_EVERY)
            if name := strike(place, dice):
                told(f"{now - began:6.1f} s  {name.replace('_', ' ')}")
        time.sleep(0.05)
    return committed


def _ask(engine: Engine, series: str) -> int:
    """A lot of letters, as people sign: again until the database says that they are there."""
    while True:
        try:
            scene.fill(engine.db, engine.keys, letters=_LOT, targets=2, now=engine.now(), series=series)
        except IntegrityError:
            return _LOT  # the commit before went through, and only its answer was lost
        except (OutOfReach, OperationalError):
            time.sleep(0.2)
        else:
            return _LOT


def _letters_rest(engine: Engine) -> bool:
    engine.supervise()
    return engine.at_rest(MailClass.LETTER)


def _tally(place: Place, provider: Provider, committed: int, told: Callable[[str], None]) -> Tally:
    with place.engine.db.read() as session:
        verdict = judge(read_books(session), copies_in(provider.taken()))
        problems = audit(session, place.engine.settings).problems
        doubted = select(func.count(LogEntry.delivery_id.distinct())).where(LogEntry.to_state == State.IN_DOUBT)
        ever_in_doubt = session.execute(doubted).scalar_one()
    for name in ("lost", "doubled", "wrong_content", "phantom", "in_doubt_arrived"):
        for ref in sorted(getattr(verdict, name))[:20]:
            told(f"{name}: {ref}")
    for problem in problems[:20]:
        told(f"audit: {problem.kind} {problem.delivery} {problem.detail}")
    return Tally(
        letters=verdict.letters,
        kills=sum(place.done[name] for name in KILLS),
        restarts=sum(place.done[name] for name in RESTARTS),
        # A report that settled nothing, and books that do not balance, are losses as well.
        lost=len(verdict.lost | verdict.in_doubt_arrived) + max(0, committed - verdict.letters) + _unbalanced(problems),
        doubled=len(verdict.doubled),
        wrong_content=len(verdict.wrong_content),
        phantom=len(verdict.phantom),
        in_doubt=ever_in_doubt,
        in_doubt_after_events=len(verdict.in_doubt),
    )


def _unbalanced(problems: list[Problem]) -> int:
    """What the engine's own audit found that the auditor does not look at."""
    return sum(1 for problem in problems if problem.kind in ("counter", "log", "attempt"))
