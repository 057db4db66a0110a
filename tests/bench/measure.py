"""One run: a fresh database full of mails, a far server, two workers, and the far server's ledger as the witness."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from outreach import waves
from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.keys import Keys
from outreach.models import Database, Delivery
from outreach.sending import Desk
from outreach.settings import Settings
from tests import servers
from tests.bench import crowd, scene
from tests.bench.crews import send_plainly, send_with_celery
from tests.bench.databases import ground_at, name_of, settle_down
from tests.bench.environs import environ_of
from tests.bench.far import Far, far_side
from tests.bench.figures import rounded
from tests.bench.machine import cpu_of

#: What a bare client sends over and over: as many mails as one request to SendGrid may carry.
_SAMPLE = 500


@dataclass
class Run:
    """What one run came to. CPU is that of the workers, per 1,000 letters; memory is the largest process's peak."""

    transport: str
    database: str
    workers: str  #: "plain" or "celery"
    letters: int
    letters_per_s: float
    reference_per_s: float | None
    cpu_per_1k: float
    far_cpu_per_1k: float
    rss_mb: float
    lost: int
    doubled: int
    states: dict[str, int] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.letters_per_s / self.reference_per_s if self.reference_per_s else None

    def as_json(self) -> dict[str, Any]:
        return rounded(vars(self) | {"ratio": self.ratio}, 3)


def run(
    transport: str,
    place: str,
    letters: int,
    *,
    stream: Stream = Stream.LETTERS,
    celery: bool = False,
    processes: int = 2,
    handovers: int | None = None,
    profile: str = "",
) -> Run:
    """Send `letters` mails and count what arrived. `place` is "sqlite", or a PostgreSQL server's address.

    By the stream of letters each is a mail of its own; by that of news they are one mailing to as many signers.
    """
    with ExitStack() as stack:
        on = stack.enter_context(ground_at(place))
        db, far = on.db, stack.enter_context(far_side(transport, on.folder))
        given = {**far.settings, "WORKERS": str(processes)} | ({"HANDOVERS": str(handovers)} if handovers else {})
        if celery:
            given["redis"] = stack.enter_context(servers.redis_server(on.folder / "redis"))[0]
        environ = {**environ_of(on.folder, on.url, **given), **far.environ}
        settings = Settings.from_env(environ, dotenv=None)
        _fill(db, settings, stream, letters)
        settle_down(db)
        per_s = far.reference(_some(db, settings), letters) if far.reference else None
        before = cpu_of(far.pid)
        if celery:
            cost = send_with_celery(environ, settings, db, stream=stream, letters=letters, processes=processes)
        else:
            nothing = transport == "nothing"
            cost = send_plainly(environ, stream=stream, processes=processes, into_nothing=nothing, profile=profile)
        run_ = Run(
            transport=transport,
            database=name_of(place),
            workers="celery" if celery else "plain",
            letters=letters,
            letters_per_s=letters / cost.seconds,
            reference_per_s=per_s,
            cpu_per_1k=cost.cpu_s / letters * 1000,
            far_cpu_per_1k=(cpu_of(far.pid) - before) / letters * 1000,
            rss_mb=cost.rss_mb,
            lost=0,
            doubled=0,
        )
        return _witnessed(run_, db, far)


def _witnessed(run_: Run, db: Database, far: Far) -> Run:
    """The books held against what the far side took."""
    with db.read() as session:
        states = dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all())
        accepted = set(session.scalars(select(Delivery.ref).where(Delivery.state == State.ACCEPTED)))
    arrived = far.arrived()
    there = accepted if run_.transport == "nothing" else accepted & set(arrived)
    run_.states = {str(state): n for state, n in states.items()}
    run_.lost = run_.letters - len(there)
    run_.doubled = sum(1 for ref in accepted if arrived[ref] > 1)
    return run_


def _fill(db: Database, settings: Settings, stream: Stream, letters: int) -> None:
    now = datetime.now(UTC)
    if stream is Stream.LETTERS:
        scene.fill(db, Keys(settings.secret_key), letters=letters, now=now)
        return
    slug, _ = crowd.gather(db, people=letters, willing=True, now=now)
    settle_down(db)
    crowd.start_mailing(db, slug, settings=settings, now=now)
    while waves.tick(db, settings=settings, now=datetime.now(UTC)).more:
        pass


def _some(db: Database, settings: Settings) -> list[Message]:
    now = datetime.now(UTC)
    with db.read() as session:
        ids = session.scalars(select(Delivery.id).limit(_SAMPLE)).all()
        return [parcel.write(now) for parcel in Desk(settings, Keys(settings.secret_key)).make_up(session, ids)]
