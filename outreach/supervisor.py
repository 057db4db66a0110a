"""`outreach up`: the whole engine on one machine, as a handful of processes that are kept alive and stopped in order.

    redis      the doorbell, unless OUTREACH_REDIS_URL names one
    worker     claims, merges and hands over; listens to every queue
    act        the same for confirmations and receipts only, so that bulk never delays a person
    beat       rings every few seconds for what is due
    web        pages and hooks

A process that ends is started again, after 0.2 s at first and 5 s at most; one that stands still is ended first
(`stalled.py`). Each is tethered to this one (`tether.py`): whatever happens to the supervisor, nothing is left
behind. Without redis the pages go on: signatures are rows, and leave when it is back.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

from outreach import embedded, heartbeats, migrating, tether
from outreach.errors import NotNow, OutOfReach, OutreachError, WrongSetting
from outreach.models import Database
from outreach.settings import PREFIX, Settings
from outreach.stalled import Watch

_TICK = 0.05
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
#: A process that lived this long starts again without counting earlier deaths.
_STEADY = 10.0
#: Redis that dies this often at once is given empty files: what it holds are only doorbells.
_DEATHS_BEFORE_EMPTY = 3
_LARGEST_LOG = 10_000_000


@dataclass(frozen=True)
class Part:
    """One process of the engine.

    `patience`: seconds it gets between SIGTERM and SIGKILL. `stops`: parts of a lower number are gone before this one
    is told to go.
    """

    name: str
    command: Callable[[], list[str]]
    patience: float
    stops: int = 0


@dataclass
class Child:
    """A part as it runs now."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float = field(default_factory=time.monotonic)

    @property
    def delay(self) -> float:
        return min(_FIRST_DELAY * (1 << min(max(self.deaths - 1, 0), 8)), _LONGEST_DELAY)


def parts(settings: Settings) -> list[Part]:
    """The processes this configuration needs, in the order they start."""
    celery = [sys.executable, "-m", "celery", "-A", "workers.app"]
    # Two workers, because a free child of one worker may not stay free: it takes bulk as soon as there is some.
    # The second one hears `act` only, so somebody who waits for a confirmation never waits for a wave.
    worker = [*celery, "worker", "--without-mingle", "--without-gossip"]  # nothing to tell each other: saves a second
    everything = [*worker, "-n", "all@%h", "-Q", "act,letters,news,chores", "-c", str(settings.workers)]
    act = [*worker, "-n", "act@%h", "-Q", "act", "-c", "1"]
    ours = [
        Part("worker", lambda: everything, 11, stops=1),
        Part("act", lambda: act, 11, stops=1),
        Part("beat", lambda: [*celery, "beat"], 2),
        Part("web", lambda: [sys.executable, "-m", "outreach", "web"], 5),
    ]
    redis = Part("redis", lambda: embedded.prepare(settings), 3, stops=2)
    return ours if settings.redis_url else [redis, *ours]


def environment(settings: Settings) -> dict[str, str]:
    """What a child's environment must be so that it reads these very settings, wherever ours came from.

    Empty values are passed on as well: they say "not set" louder than a `.env` file.
    """
    given = {PREFIX + f.name.upper(): getattr(settings, f.name) for f in fields(settings)}
    rest = {name: value for name, value in os.environ.items() if name not in given}
    return rest | {name: _as_text(value) for name, value in given.items()}


def _as_text(value: object) -> str:
    """A setting as its reader takes it: a list with commas, yes and no as 1 and 0."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


class Supervisor:
    """Starts, watches and stops the parts. `say` gets one plain sentence at a time, for people.

    One thread starts every child and reaps it: the kernel tethers a child to the *thread* that started it.
    """

    def __init__(
        self,
        settings: Settings,
        run: Sequence[Part] | None = None,
        *,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`run`: other parts than all of `parts(settings)`."""
        self.settings = settings
        self._say = say
        self._children = {part.name: Child(part) for part in (parts(settings) if run is None else run)}
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._over = threading.Event()
        self._held = ExitStack()
        self._watch = Watch(settings, lambda: self.pids, say=say)

    @property
    def addresses(self) -> dict[str, str]:
        """Where the pages are: {"campaigns", "console", "staff"}."""
        base = self.settings.base_url
        return {"campaigns": f"{base}/", "console": f"{base}/console", "staff": f"{base}/staff"}

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the parts that run now."""
        return {n: c.process.pid for n, c in self._children.items() if c.process and c.process.poll() is None}

    @property
    def log_folder(self) -> Path:
        return self.settings.data_dir / "log"

    def start(self) -> None:
        """Take the data folder, bring the database up to date, start every part. Returns at once.

        Raises WrongSetting (folder, port), NotNow (another engine has the folder), OutOfReach (database).
        """
        self._held.enter_context(embedded.locked_folder(self.settings))
        try:
            if "web" in self._children:
                _require_free_port(self.settings)
            self.log_folder.mkdir(exist_ok=True)
            db = Database(self.settings.database)
            try:
                migrating.migrate(db)
                self._begun = db.now()
            finally:
                db.close()
            self._thread.start()
            self._watch.start()
        except BaseException:
            self._held.close()
            raise

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return once the pages answer and every worker has said in the database that it hears.

        Raises OutOfReach, naming the parts that are not up, when the time is over.
        """
        deadline = time.monotonic() + timeout
        db = Database(self.settings.database)
        try:
            while missing := self._missing(db):
                if time.monotonic() > deadline:
                    raise OutOfReach(
                        f"Not up after {timeout:g} seconds: {', '.join(missing)}.",
                        where=str(self.log_folder),
                        advice="The logs there say why.",
                    )
                if self._over.wait(0.1):
                    raise NotNow("The engine was stopped while it started.")
        finally:
            db.close()

    def _missing(self, db: Database) -> list[str]:
        with db.read() as session:
            up = {int(h.name.rpartition(":")[2]) for h in heartbeats.alive(session, now=self._begun)}
        pids = self.pids
        tests: dict[str, Callable[[], bool]] = {
            "redis": lambda: embedded.answers(self.settings),
            "web": lambda: serves(self.settings),
        }
        return [n for n in self._children if not (tests[n]() if n in tests else pids.get(n) in up)]

    def stop(self) -> None:
        """Stop beat and web, then the workers, then redis; 20 seconds at the very most. May be called twice."""
        self._over.set()
        self._watch.stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._held.close()

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._over.wait(_TICK):
                now = time.monotonic()
                for child in self._children.values():
                    self._tend(child, now)
        finally:
            for turn in sorted({c.part.stops for c in self._children.values()}):
                self._end([c for c in self._children.values() if c.part.stops == turn])

    def _tend(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.start_at and self._may_start(child):
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        child.deaths = 1 if now - child.started > _STEADY else child.deaths + 1
        self._start_later(child, f"ended ({_how(code)})")
        if child.part.name == "redis" and child.deaths >= _DEATHS_BEFORE_EMPTY:
            self._empty_redis()

    def _may_start(self, child: Child) -> bool:
        """Give redis a moment's start, so that the others find it. Without it they come up all the same."""
        redis = self._children.get("redis")
        if redis is None or child is redis or child.deaths or redis.deaths:
            return True
        return redis.process is not None and (time.monotonic() - redis.started > 3 or embedded.answers(self.settings))

    def _start(self, child: Child) -> None:
        child.started = time.monotonic()
        try:
            command = child.part.command()
            with self._log(child.part.name) as log:
                child.process = subprocess.Popen(  # noqa: S603 (our own commands)
                    tether.command(command),
                    env=environment(self.settings),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C on the terminal is for the supervisor, which stops them in order
                )
        except (OutreachError, OSError) as error:
            child.deaths += 1
            self._start_later(child, f"cannot be started: {error}")

    def _start_later(self, child: Child, what: str) -> None:
        child.process = None
        child.start_at = time.monotonic() + child.delay
        log = self.log_folder / f"{child.part.name}.log"
        self._say(f"{child.part.name} {what}; trying again in {child.delay:.1f} s. Its log: {log}")

    def _empty_redis(self) -> None:
        if aside := embedded.set_aside(self.settings):
            self._say(f"redis cannot start from its files; they now lie in {aside}. No mail is in them.")

    def _log(self, name: str) -> IO[bytes]:
        path = self.log_folder / f"{name}.log"
        if path.exists() and path.stat().st_size > _LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _end(self, group: Sequence[Child]) -> None:
        running = [(c, c.process) for c in group if c.process is not None and c.process.poll() is None]
        for _, process in running:
            process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        for child, process in running:
            try:
                process.wait(max(0.0, told + child.part.patience - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{child.part.name} did not stop in {child.part.patience:g} s and was ended.")
                os.killpg(process.pid, signal.SIGKILL)  # every child leads a group of its own; its pool is in it
                process.wait()


def _how(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name


def serves(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 (compared, not bound)
    connection = HTTPConnection(host, settings.port, timeout=2)  # never by way of a proxy
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _require_free_port(settings: Settings) -> None:
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise WrongSetting(
            f"“{settings.host}” is no address of this machine ({error}).",
            where="OUTREACH_HOST",
            advice="For example OUTREACH_HOST=127.0.0.1",
        ) from None
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise WrongSetting(
                f"Port {settings.port} of {settings.host} cannot be used ({os.strerror(error.errno or 0)}).",
                where="OUTREACH_PORT",
                advice=f"Stop what listens there, or take another: OUTREACH_PORT={settings.port + 1}",
            ) from None
