"""Ring the workers after the answer has gone out, so that a Redis that is away holds up nobody."""

from __future__ import annotations

from fastapi import Request
from starlette.background import BackgroundTask

from outreach import wake
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.web.pages import settings_of


def bell(request: Request, *streams: Stream) -> BackgroundTask:
    """For an answer's `background`: it rings for each stream once the answer is out."""
    return BackgroundTask(wake.wake, broker_url(settings_of(request)), *streams)


def chore(request: Request, task: str) -> BackgroundTask:
    """The same for one of the workers' chores, as `wake.PLAIN` names them."""
    return BackgroundTask(wake.ring, broker_url(settings_of(request)), task)
