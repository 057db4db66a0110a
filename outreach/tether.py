"""Ties a child to the process that started it: when the parent is gone, however it went, the child ends as well.

Run as a program it is the small step between the two: `python tether.py PARENT COMMAND…` asks the kernel for a
SIGTERM when the parent dies, and then becomes COMMAND. (Asking between fork and exec in Python code is not safe in a
program with threads, and the supervisor has some.) Where the kernel has no such service, `watch` looks every second.

Imports the standard library and nothing of ours: as a program it has to start in milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

#: Tells a tethered child which process it belongs to.
PARENT = "OUTREACH_TETHERED_TO"
_PR_SET_PDEATHSIG = 1


def command(words: list[str]) -> list[str]:
    """The command that runs `words` tethered to this process."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid()), *words]


def hold(parent: int) -> None:
    """Ask for SIGTERM when `parent` ends; end at once if it already has. Survives exec, not fork."""
    _ask_for(signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(0)


def let_go() -> None:
    """Withdraw what was asked of the kernel for this process, by us or by a library. `watch` still works."""
    _ask_for(0)


def _ask_for(sign: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)


def watch(parent: int, orphaned: Callable[[], None], *, every: float = 1.0) -> threading.Event:
    """Call `orphaned` from a thread once this process has another parent; setting the event ends the watch."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(every):
            if os.getppid() != parent:
                orphaned()
                return

    threading.Thread(target=look, name="tether", daemon=True).start()
    return done


def watch_own_parent() -> None:
    """In a child that a supervisor of ours started: end as on SIGTERM when it is gone. Otherwise do nothing."""
    parent = os.environ.get(PARENT, "")
    if parent.isdigit() and os.getppid() == int(parent):
        watch(int(parent), lambda: os.kill(os.getpid(), signal.SIGTERM))


def main(words: list[str]) -> None:
    hold(int(words[0]))
    os.execvpe(words[1], words[1:], {**os.environ, PARENT: words[0]})  # noqa: S606 (the supervisor's own commands)


if __name__ == "__main__":
    main(sys.argv[1:])
