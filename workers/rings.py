"""How a worker takes a ring: one that is too old is thrown away, unless this machine cannot tell what is old."""

from __future__ import annotations

from celery import Task
from celery.worker.request import Request

from workers import alive


class Ring(Request):  # type: ignore[misc]
    """Rings carry the hour at which they are worth nothing any more, and Celery asks the machine's own clock."""

    def maybe_expire(self) -> bool:
        return bool(alive.has_right_clock() and super().maybe_expire())


class Rung(Task):  # type: ignore[misc]
    """What is rung for."""

    Request = Ring
