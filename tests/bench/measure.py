"""One run: a fresh database full of letters, a far server, two workers, and the far server's ledger as the witness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, make_url, select

from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.embedded import broker_url
from outreach.keys import Keys
from outreach.migrating import migrate
from outreach.models import Database, Delivery
from outreach.sending import Desk
from outreach.settings import Settings
from outreach.transports.mailbox import mail_names
from outreach.wake import wake
from tests import factories, servers
from tests.bench import reference, scene
from tests.fakes.certificates import contexts
from tests.fakes.ledger import read_ledger
from tests.fakes.sendgrid import API_KEY

ROOT = Path(__file__).parents[2]
TRANSPORTS = ("nothing", "mailbox", "smtp", "sendgrid", "sendgrid-tls")
DATABASES = ("sqlite", "postgresql")
_TICKS = os.sysconf("SC_CLK_TCK")


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
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(self).items()}
        return {**rounded, "ratio": round(self.ratio, 3) if self.ratio else None}


@dataclass
class Far:
    """The far side: where it is, what it took, what it cost."""

    settings: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    arrived: Callable[[], Counter[str]] = Counter
    reference: Callable[[Sequence[Message], int], float] | None = None
    pid: int = 0


def run(
    transport: str,
    database: str,
    letters: int,
    *,
    celery: bool = False,
    processes: int = 2,
    handovers: int | None = None,
    profile: str = "",
) -> Run:
    """Send `letters` letters and count what arrived. `database` is "sqlite", or a PostgreSQL server's address."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-bench-")))
        far = stack.enter_context(_far_side(transport, folder))
        url = _fresh_database(database, folder)
        redis = stack.enter_context(servers.redis_server(folder / "redis"))[0] if celery else "redis://127.0.0.1:1/0"
        environ = _environ(folder, url, redis, far, handovers, processes)
        settings = Settings.from_env(environ, dotenv=None)
        db = Database(url)
        stack.callback(db.close)
        keys = Keys(settings.secret_key)
        scene.fill(db, keys, letters=letters, now=datetime.now(UTC))
        _settle_down(db)
        per_s = far.reference(_some(db, settings, keys), letters) if far.reference else None
        before = _cpu(far.pid)
        send = _with_celery if celery else _with_plain_workers
        seconds, cpu, rss = send(environ, settings, db, letters, processes, transport, profile)
        far_cpu = _cpu(far.pid) - before
        return _result(db, transport, database, celery, letters, seconds, per_s, cpu, far_cpu, rss, far)


def _result(
    db: Database,
    transport: str,
    database: str,
    celery: bool,
    letters: int,
    seconds: float,
    per_s: float | None,
    cpu: float,
    far_cpu: float,
    rss: float,
    far: Far,
) -> Run:
    with db.read() as session:
        states = Counter(dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()))
        accepted = set(session.scalars(select(Delivery.ref).where(Delivery.state == State.ACCEPTED)))
    arrived = far.arrived()
    witnessed = transport != "nothing"
    return Run(
        transport=transport,
        database="sqlite" if database == "sqlite" else "postgresql",
        workers="celery" if celery else "plain",
        letters=letters,
        letters_per_s=letters / seconds,
        reference_per_s=per_s,
        cpu_per_1k=cpu / letters * 1000,
        far_cpu_per_1k=far_cpu / letters * 1000,
        rss_mb=rss,
        lost=letters - len(accepted & set(arrived) if witnessed else accepted),
        doubled=sum(1 for ref in accepted if arrived[ref] > 1),
        states={str(state): n for state, n in states.items()},
    )


def _environ(folder: Path, url: str, redis: str, far: Far, handovers: int | None, processes: int) -> dict[str, str]:
    given = {
        "DATA_DIR": str(folder / "var"),
        "DATABASE_URL": url,
        "REDIS_URL": redis,
        "SECRET_KEY": factories.SECRET,
        "POSTAL_ADDRESS": "1 Example Street, Springfield",
        "ENV": "bench",
        **({"HANDOVERS": str(handovers)} if handovers else {}),
        "WORKERS": str(processes),
        **far.settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    mine = {f"OUTREACH_{name}": value for name, value in given.items()}
    return {**inherited, **mine, **far.environ, "PYTHONPATH": str(ROOT)}


# ---- databases ---------------------------------------------------------------------------------------------------


def _fresh_database(database: str, folder: Path) -> str:
    if database == "sqlite":
        url = f"sqlite:///{folder / 'outreach.db'}"
    else:
        name = f"bench_{time.monotonic_ns()}"
        server = make_url(database)
        with psycopg.connect(server.set(drivername="postgresql").render_as_string(False), autocommit=True) as c:
            c.execute(f'CREATE DATABASE "{name}"')
        url = server.set(database=name).render_as_string(hide_password=False)
    db = Database(url)
    migrate(db)
    db.close()
    return url


def _settle_down(db: Database) -> None:
    """What a database does by itself after a bulk load, done before the clock starts."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _some(db: Database, settings: Settings, keys: Keys, n: int = 200) -> list[Message]:
    now = datetime.now(UTC)
    with db.read() as session:
        ids = session.scalars(select(Delivery.id).limit(n)).all()
        return [parcel.write(now) for parcel in Desk(settings, keys).make_up(session, ids)]


# ---- far sides ---------------------------------------------------------------------------------------------------


@contextmanager
def _far_side(transport: str, folder: Path) -> Iterator[Far]:
    if transport == "nothing":
        yield Far()
    elif transport == "mailbox":
        mailbox = folder / "mail"
        yield Far(
            {"TRANSPORT": "mailbox", "MAILBOX_DIR": str(mailbox)},
            arrived=lambda: Counter(name.partition(".")[0] for name in mail_names(mailbox)),
        )
    elif transport == "smtp":
        with _fake("smtp_sink", folder) as (port, ledger, pid):
            url = f"smtp://127.0.0.1:{port}"
            yield Far(
                {"TRANSPORT": "smtp", "SMTP_URL": url},
                arrived=lambda: Counter(record["delivery"].split(".")[1] for record in _ours(ledger, "delivery")),
                reference=lambda messages, n: reference.smtp_all(url, messages, n),
                pid=pid,
            )
    else:
        tls = transport == "sendgrid-tls"
        if tls:
            contexts(folder)
        with _fake("sendgrid", folder, *(["--tls", str(folder / "server.pem")] if tls else [])) as (port, ledger, pid):
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            yield Far(
                {"TRANSPORT": "sendgrid", "SENDGRID_API_KEY": API_KEY, "SENDGRID_HOST": url},
                environ={"SSL_CERT_FILE": str(folder / "ca.pem")} if tls else {},
                arrived=lambda: Counter(record["delivery"] for record in _ours(ledger, "delivery")),
                reference=None if tls else lambda messages, n: reference.post_all(url, messages, n),
                pid=pid,
            )


def _ours(ledger: Path, key: str) -> list[dict[str, Any]]:
    return [record for record in read_ledger(ledger) if not record[key].startswith("reference")]


@contextmanager
def _fake(module: str, folder: Path, *words: str) -> Iterator[tuple[int, Path, int]]:
    ledger = folder / "ledger.jsonl"
    ledger.touch()
    command = [sys.executable, "-m", f"tests.fakes.{module}", "--port", "0", "--ledger", str(ledger), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["port"]), ledger, process.pid
    finally:
        servers.stop(process)


# ---- workers -----------------------------------------------------------------------------------------------------


def _with_plain_workers(
    environ: dict[str, str],
    _settings: Settings,
    _db: Database,
    _letters: int,
    processes: int,
    transport: str,
    profile: str,
) -> tuple[float, float, float]:
    """Seconds from the first start to the last end, CPU seconds of all, peak memory of the largest."""
    words = ["--transport", "nothing"] if transport == "nothing" else []
    command = [sys.executable, "-m", "tests.bench.worker", *words]
    started = [
        subprocess.Popen(
            [*command, *(["--profile", f"{profile}.{n}"] if profile else [])],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "a worker did not start"
        told = [json.loads(process.communicate()[0]) for process in _all_told(started)]
    finally:
        for process in started:
            process.kill()
            process.wait()
    seconds = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return seconds, sum(one["cpu_s"] for one in told), max(one["rss_mb"] for one in told)


def _all_told(started: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """All begin before any is waited for."""
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def _with_celery(
    environ: dict[str, str],
    settings: Settings,
    db: Database,
    letters: int,
    processes: int,
    _transport: str,
    _profile: str,
) -> tuple[float, float, float]:
    """The same with a real Celery worker, whose pool is warm when the bell rings."""
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", "letters", "-c", str(processes)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = subprocess.Popen(
        [*command, "--without-mingle", "--without-gossip"],
        env=environ,
        cwd=settings.data_dir.parent,
        start_new_session=True,
        **quiet,  # type: ignore[call-overload]
    )
    try:
        _await_heartbeat(db)
        pids = [worker.pid, *_children(worker.pid)]
        cpu, began = sum(map(_cpu, pids)), time.monotonic()
        wake(broker_url(settings), *[Stream.LETTERS] * processes)
        while _accepted(db) < letters:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        return seconds, sum(map(_cpu, pids)) - cpu, max(map(_peak_mb, pids))
    finally:
        servers.stop(worker, patience=30)


def _await_heartbeat(db: Database) -> None:
    from outreach import heartbeats

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with db.read() as session:
            if heartbeats.alive(session, kind="worker", now=datetime.now(UTC)):
                return
        time.sleep(0.05)
    raise RuntimeError("the Celery worker did not come up")


def _accepted(db: Database) -> int:
    with db.read() as session:
        return session.execute(select(func.count()).where(Delivery.state == State.ACCEPTED)).scalar_one()


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu(pid: int) -> float:
    """Seconds a process has computed."""
    if not pid:
        return 0.0
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / _TICKS


def _peak_mb(pid: int) -> float:
    line = next(s for s in Path(f"/proc/{pid}/status").read_text().splitlines() if s.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
