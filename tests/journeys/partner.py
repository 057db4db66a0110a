"""A partner's site, on an origin of its own, that shows our form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_STYLE = (
    ":root { color-scheme: light dark } "
    "body { font: 17px/1.5 sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }"
)


@contextmanager
def partner(ours: str, slug: str) -> Iterator[str]:
    """A page that holds our tag for that campaign; its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tag = f'<script src="{ours}/embed.js" data-campaign="{slug}" data-from="tenants" async></script>'
            head = '<meta name="viewport" content="width=device-width"><title>Tenants</title>'
            words = "<h1>Tenants’ Union</h1><p>Many of our members work at night. Sign with them:</p>"
            body = f'<!doctype html><html lang="en">{head}<style>{_STYLE}</style>{words}{tag}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
