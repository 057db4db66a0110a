"""The doorbell: tell a worker that there is work. Called after the commit; losing a ring costs seconds, not mail.

This is the only module of the engine that knows Celery. It sends task *names*: `workers/` is never imported.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from .domain.deliveries import Stream

log = structlog.get_logger()

#: What may be rung, and the queue whose worker hears it.
QUEUE_OF = {
    "outreach.send": {stream: str(stream) for stream in Stream},
}
#: Tasks that are rung without a word, and their queues.
PLAIN = {"outreach.events": "chores", "outreach.invalidate": "chores", "outreach.plan": "chores"}

#: The same in every process that speaks to the broker; a difference in prefix or acknowledgement loses messages.
TRANSPORT_OPTIONS: dict[str, Any] = {
    "ack_emulation": False,  # messages are hints: no unacked bookkeeping, four times the throughput
    "global_keyprefix": "outreach:",
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}

#: After a ring that Redis did not take, the bell is left alone this long: a Redis that hangs would otherwise hold up
#: every signer for the length of a time-out. The sweep rings for what came in meanwhile.
_PAUSE = 5.0
_away_until: dict[str, float] = {}


@lru_cache(maxsize=4)
def _producer(broker_url: str) -> Celery:
    app = Celery("outreach-doorbell", broker=broker_url, set_as_current=False)
    # Without `max_retries` kombu would try for six seconds before it says that nobody is there.
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        broker_transport_options={
            **TRANSPORT_OPTIONS,
            "socket_connect_timeout": 1,
            "socket_timeout": 1,
            "max_retries": 0,
        },
        broker_connection_retry=False,
        broker_connection_max_retries=0,
    )
    return app


def wake(broker_url: str, *streams: Stream) -> bool:
    """Ring for each stream. False when Redis did not take it; nothing is lost by that."""
    queues = QUEUE_OF["outreach.send"]
    return _ring(broker_url, [("outreach.send", (str(stream),), queues[stream]) for stream in streams])


def ring(broker_url: str, task: str) -> bool:
    """Ring for one of `PLAIN`. False as above."""
    return _ring(broker_url, [(task, (), PLAIN[task])])


def _ring(broker_url: str, rings: Sequence[tuple[str, tuple[str, ...], str]]) -> bool:
    if time.monotonic() < _away_until.get(broker_url, 0.0):
        return False
    try:
        for task, args, queue in rings:
            _producer(broker_url).send_task(task, args=args, queue=queue, retry=False, expires=60)
    except (OperationalError, OSError) as error:
        _away_until[broker_url] = time.monotonic() + _PAUSE
        # Nothing is lost, and whoever typed a command can do nothing about it: the sweep finds the rows.
        log.info("doorbell_unheard", queues=[queue for _, _, queue in rings], error=type(error).__name__)
        return False
    return True
