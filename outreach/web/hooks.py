"""What the two doors share that SendGrid posts to: the bytes as they came, whether it signed them, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response

from outreach.webhooks import sendgrid


async def raw_body(request: Request) -> bytes:
    """The body, byte for byte."""
    return await request.body()


def is_signed(request: Request, body: bytes, public_keys: Sequence[str], *, now: datetime) -> bool:
    """Whether SendGrid signed exactly these bytes, lately, with one of the keys."""
    signature = request.headers.get(sendgrid.SIGNATURE_HEADER)
    timestamp = request.headers.get(sendgrid.TIMESTAMP_HEADER)
    return sendgrid.verify(body, signature, timestamp, public_keys, now=now)


def taken(background: BackgroundTask | None = None) -> Response:
    """It need not come again."""
    return PlainTextResponse("ok\n", background=background)


def come_again() -> Response:
    """It could not be written down: SendGrid offers it again."""
    return PlainTextResponse("not written down; send it again\n", 503, {"Retry-After": "60"})
