"""The doorbell: tell a worker that there is work. Called after the commit; losing a ring costs seconds, not mail.

This is the only module of the engine that knows Celery. It sends task *names*: `workers/` is never imported.
"""

from __future__ import annotations

from functools import lru_cache

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from .domain.deliveries import Stream

log = structlog.get_logger()

#: What may be rung, and the queue whose worker hears it.
QUEUE_OF = {
    "outreach.send": {stream: str(stream) for stream in Stream},
}

#: Publishing must never hold up a signer: give up at once when Redis is away. The sweep finds the rows.
TRANSPORT_OPTIONS = {
    "ack_emulation": False,  # messages are hints: no unacked bookkeeping, four times the throughput
    "global_keyprefix": "outreach:",
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}


@lru_cache(maxsize=4)
def _producer(broker_url: str) -> Celery:
    app = Celery("outreach-doorbell", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        broker_transport_options={**TRANSPORT_OPTIONS, "socket_connect_timeout": 1, "socket_timeout": 2},
        broker_connection_retry=False,
        broker_connection_max_retries=0,
    )
    return app


def wake(broker_url: str, *streams: Stream) -> bool:
    """Ring for each stream. False when Redis did not take it; nothing is lost by that."""
    try:
        for stream in streams:
            _producer(broker_url).send_task(
                "outreach.send", args=(str(stream),), queue=QUEUE_OF["outreach.send"][stream], retry=False, expires=60
            )
    except (OperationalError, OSError) as error:
        log.warning("doorbell_unheard", streams=[str(s) for s in streams], error=type(error).__name__)
        return False
    return True
