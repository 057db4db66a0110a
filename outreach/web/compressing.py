"""Compresses what anybody may read: the public pages and the files they are made of.

Pages that hold a secret are left as they are: how well they compress would tell something about it.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = ("/c/", "/static/", "/privacy", "/accessibility", "/contact")
#: Compressed already.
_DENSE = (".woff2", ".ico")
_SMALLEST = 600


class Compressor:
    """An ASGI layer inside the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.compressed = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.compressed if _may_be_compressed(scope) else self.app
        await app(scope, receive, send)


def _may_be_compressed(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path: str = scope["path"]
    return path == "/" or (path.startswith(_OPEN) and not path.endswith(_DENSE))
