"""A bad line: whatever connects is passed on to another loopback port, until somebody cuts it.

with tcp_proxy(port) as line: …  line.port, line.cut()
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from threading import Lock, Thread


class Line:
    """One listening port in front of another."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        Thread(target=self._accept, name="tcp-proxy", daemon=True).start()

    def cut(self) -> int:
        """Reset every connection there is, on both sides; how many sockets that were. New ones are welcome."""
        with self._lock:
            cut, self._open = self._open, []
        for end in cut:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with RST
                end.shutdown(socket.SHUT_RD)  # wakes the thread that waits for it
        return len(cut)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
        except OSError:
            near.close()
            return
        ends = {near: far, far: near}
        with self._lock:
            self._open += ends
        with near, far, contextlib.suppress(OSError):
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    octets = end.recv(65536)
                    if not octets:
                        return
                    ends[end].sendall(octets)


@contextlib.contextmanager
def tcp_proxy(to: int) -> Iterator[Line]:
    """A line to the loopback port `to`."""
    line = Line(to)
    try:
        yield line
    finally:
        line.close()
