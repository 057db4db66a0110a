"""What a worker's main process and its pool tell each other, in a few bytes of shared memory.

The main process writes down that its event loop turns, and that it was told to stop. The pool processes read it:
they do the beating in the database (the main process must never have one open when it forks), and they end their
round early when the worker is to stop. They write down how far this machine's clock is from the database's. A pool
process whose main process was killed finishes what it has in the air and goes.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from datetime import UTC, datetime
from typing import Any

from celery import bootsteps

from outreach import tether

#: The loop turned this long ago at most, or it stands still (or looks for its Redis in vain).
STANDSTILL = 15.0
_TURN = 2.0
#: An orphaned pool process gives what it has in the air this long.
_LAST_WORDS = 30.0

#: Further apart than this, in seconds, and the machine's clock says nothing about what is old.
_RIGHT = 2.0

_shared = mmap.mmap(-1, 24)  # anonymous: made once in the main process, seen by every fork of it
_turned = struct.Struct("d")
_apart = struct.Struct("d")

#: Held while a task runs. A pool process runs one at a time.
busy = threading.Lock()


def turn() -> None:
    """The event loop turns."""
    _turned.pack_into(_shared, 0, time.monotonic())


def is_turning() -> bool:
    """Whether the main process's loop turned lately."""
    return bool(time.monotonic() - _turned.unpack_from(_shared, 0)[0] < STANDSTILL)


def compare_clocks(now: datetime) -> None:
    """It is `now` by the database."""
    _apart.pack_into(_shared, 16, (datetime.now(UTC) - now).total_seconds())


def has_right_clock() -> bool:
    """Whether this machine's clock was that of the database when they were last compared."""
    return bool(abs(_apart.unpack_from(_shared, 16)[0]) < _RIGHT)


def tell_to_stop(**_: Any) -> None:
    """The worker was told to stop: its pool finishes what is in the air and claims nothing more."""
    _shared[8] = 1


def goes_on() -> bool:
    """False once this worker was told to stop. Long rounds ask between two batches."""
    return _shared[8] == 0


def leave_with(main: int) -> None:
    """In a pool process: end once the main process is gone, after the task that runs.

    Celery has asked the kernel for a SIGKILL at that moment, which would put every mail in the air in doubt.
    """
    if os.getpid() != main:
        tether.watch(main, _leave)
        tether.let_go()


def _leave() -> None:
    _shared[8] = 1
    busy.acquire(timeout=_LAST_WORDS)
    os._exit(0)


class Turning(bootsteps.StartStopStep):  # type: ignore[misc]
    """Part of the consumer, begun anew with each connection to Redis: its timer only runs while its loop does."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        turn()
        self._timer = consumer.timer.call_repeatedly(_TURN, turn)

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop
