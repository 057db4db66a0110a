"""The Celery application. Started as `celery -A workers.app worker -Q act,letters,news,chores` and `… beat`.

Messages are doorbells: what is to be done stands in the database. Hence no result backend, no acknowledgement
kept in Redis (a lost ring costs seconds; kept acks cost three quarters of the throughput), no countdowns, no retries.

Importing this module opens no connection. A pool process is joined to database and transport after the fork, because
no connection may cross one; the main process never has a database open, because the locks of an open SQLite file
must not be inherited.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from celery import Celery, signals
from kombu.entity import Exchange, Queue

from outreach import embedded, heartbeats, logs, migrating, tether, wake
from outreach.errors import OutreachError
from outreach.keys import Keys
from outreach.models import Database
from outreach.sending import Desk, Fallback, Hands
from outreach.settings import Settings
from outreach.transports import make_transport
from workers import alive
from workers.timetable import TIMETABLE

#: In the order a person waits for them.
QUEUES = ("act", "letters", "news", "chores")
#: Connections one process keeps open to a mail server; many servers refuse more than twenty from one address.
_SMTP_CONNECTIONS = 8


def _configuration() -> dict[str, Any]:
    settings = read_settings()
    return {
        "broker_url": embedded.broker_url(settings),
        "broker_transport_options": wake.TRANSPORT_OPTIONS,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in QUEUES],  # type: ignore[no-untyped-call]
        "task_default_queue": "chores",
        "task_create_missing_queues": False,  # a wrong name after -Q stops the worker instead of idling it
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": False,
        "task_time_limit": 120,
        "task_soft_time_limit": 90,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.workers,
        "worker_max_tasks_per_child": 5000,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        # Killing a task in the middle of a provider call would put mails in doubt for nothing.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_soft_shutdown_timeout": 30,
        "beat_schedule": TIMETABLE,
        "beat_scheduler": "celery.beat:Scheduler",  # in memory: a beat that starts has nothing old to catch up with
        "beat_max_loop_interval": 5,
        "timezone": "UTC",
    }


@cache
def read_settings() -> Settings:
    """The settings, read once. A wrong one ends the program with its one line."""
    try:
        return Settings.from_env()
    except OutreachError as error:
        _give_up(error, 2)


def _give_up(error: OutreachError, code: int) -> NoReturn:
    sys.stderr.write(f"outreach: {error}\n")
    raise SystemExit(code)


app = Celery(
    "outreach",
    task_cls="workers.rings:Rung",
    include=[
        "workers.bundles",
        "workers.events",
        "workers.ladders",
        "workers.moderation",
        "workers.people",
        "workers.tasks",
        "workers.waves",
    ],
)
app.add_defaults(_configuration)
app.steps["consumer"].add(alive.Turning)


@dataclass(frozen=True)
class Joined:
    """What one process works with."""

    settings: Settings
    db: Database
    hands: Hands
    desk: Desk
    fallback: Fallback | None


_joined: dict[int, Joined] = {}
_pulse: dict[int, heartbeats.Pulse] = {}
_main = os.getpid()


def _hands(settings: Settings, transport: str) -> Hands:
    """A process's hands. A mail server bears fewer connections from one client than a provider's API."""
    width = min(settings.handovers, _SMTP_CONNECTIONS) if transport == "smtp" else settings.handovers
    return Hands(make_transport(settings, transport), width=width)


def _fallback(settings: Settings) -> Fallback | None:
    if not settings.fallback_transport:
        return None
    hands = _hands(settings, settings.fallback_transport)
    return Fallback(hands, share=settings.fallback_share, per_day=settings.fallback_per_day)


def joined() -> Joined:
    """This process's own connections; made on first use, never inherited."""
    pid = os.getpid()
    if pid not in _joined:
        _joined.clear()
        settings = read_settings()
        _joined[pid] = Joined(
            settings,
            Database(settings.database),
            _hands(settings, settings.transport),
            Desk(settings, Keys(settings.secret_key)),
            _fallback(settings),
        )
    return _joined[pid]


def _set_up_logging(**_: Any) -> None:
    logs.set_up()


def _begin_worker(**_: Any) -> None:
    """In the main process, before it forks: refuse an old database, and let go of it again."""
    global _main
    _main = os.getpid()
    tether.watch_own_parent()
    db = Database(read_settings().database)
    try:
        migrating.require_current(db)
        alive.compare_clocks(db.now())
    except OutreachError as error:
        _give_up(error, 1)
    finally:
        db.close()


def _begin_pool_process(**_: Any) -> None:
    alive.leave_with(_main)
    here = joined()
    # Every pool process beats for the worker as a whole: one row for each worker, fresh while its loop turns.
    pulse = heartbeats.Pulse(
        here.db,
        "worker",
        name=heartbeats.name_of("worker", _main),
        steady=alive.is_turning,
        it_is=alive.compare_clocks,
    )
    _pulse[os.getpid()] = pulse
    pulse.start()


def _end_pool_process(**_: Any) -> None:
    if pulse := _pulse.pop(os.getpid(), None):
        pulse.stop()
    if here := _joined.pop(os.getpid(), None):
        here.hands.close()
        if here.fallback is not None:
            here.fallback.hands.close()
        here.db.close()


def _ringing(**_: Any) -> None:
    alive.turn()


def _begin_beat(**_: Any) -> None:
    tether.watch_own_parent()
    # Its loop turns when it rings, every few seconds; one that hangs on Redis falls silent.
    alive.turn()
    signals.before_task_publish.connect(_ringing)
    pulse = heartbeats.Pulse(Database(read_settings().database), "beat", steady=alive.is_turning)
    _pulse[os.getpid()] = pulse
    pulse.start()


for _signal, _receiver in (
    (signals.setup_logging, _set_up_logging),
    (signals.worker_init, _begin_worker),
    (signals.worker_process_init, _begin_pool_process),
    (signals.worker_process_shutdown, _end_pool_process),
    (signals.worker_shutting_down, alive.tell_to_stop),
    (signals.beat_init, _begin_beat),
):
    _signal.connect(_receiver)
