"""Points in the code at which a test may stop the process dead, so that its end can be tried exactly there.

    OUTREACH_FAULTPOINTS="after_accept:3=kill_group,after_intent=stop"

means: at the third time this process has reached `after_accept`, SIGKILL for its whole process group (a worker and
its pool); at the first time it reaches `after_intent`, SIGSTOP for itself. `kill`, the default, is SIGKILL for this
process alone. Each fires once in a process. Without the variable a point costs one look at an empty mapping.

Only the process's own environment is read, never a file, and only where OUTREACH_ENV is "test"; anywhere else the
points stay off and the settings refuse to be read (`require_test`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NoReturn

from .errors import WrongSetting

VARIABLE = "OUTREACH_FAULTPOINTS"
POINTS = frozenset(
    {
        "before_claim",  # the rows are taken, and nothing of it is committed
        "after_claim",  # committed; nothing is written yet
        "during_render",  # a mail is being written
        "after_intent",  # the attempts are committed; no byte has left
        "after_accept",  # the provider has answered; nobody but this process knows
        "after_erase",  # a person is out of the tables; the copies of their mails still lie in the mailbox folder
        "web_before_commit",  # a form is in the tables, and nothing of it is committed
        "web_after_commit",  # committed; the browser has no answer yet
        "invalidate_mid_chunk",  # a chunk of signatures is ended or taken back, and nothing of it is committed
        "plan_mid_chunk",  # part of a wave's next chunk is in the tables, and nothing of it is committed
    }
)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_group() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


_ACTIONS: Mapping[str, Callable[[], None]] = {"kill": _kill, "kill_group": _kill_group, "stop": _stop}


@dataclass(frozen=True)
class _Armed:
    """What happens at a point, at which time it is reached, and a counter that threads share."""

    action: Callable[[], None]
    at: int
    times: count[int]


def require_test(environ: Mapping[str, str]) -> None:
    """Raise WrongSetting when the points are asked for outside a test, or in words that mean nothing."""
    if text := environ.get(VARIABLE, ""):
        if environ.get("OUTREACH_ENV") != "test":
            _refuse("kills the process on purpose, and OUTREACH_ENV is not “test”.")
        read(text)


def read(text: str) -> dict[str, _Armed]:
    """The points that `text` arms; WrongSetting when it cannot be read."""
    armed: dict[str, _Armed] = {}
    for word in filter(None, text.split(",")):
        where, _, action = word.partition("=")
        point, _, time = where.partition(":")
        if point not in POINTS or (action or "kill") not in _ACTIONS or not (time or "1").isdecimal():
            _refuse(f"“{word[:40]}” is no point with a time and an action.")
        armed[point] = _Armed(_ACTIONS[action or "kill"], int(time or "1"), count(1))
    return armed


def _refuse(problem: str) -> NoReturn:
    raise WrongSetting(problem, where=VARIABLE, advice=f"Only tests set it, as in {VARIABLE}=after_accept:3=kill")


_armed = read(os.environ.get(VARIABLE, "")) if os.environ.get("OUTREACH_ENV") == "test" else {}


def reached(point: str) -> None:
    """Go on, unless a test has armed this point and this is the time."""
    if _armed and (here := _armed.get(point)) is not None and next(here.times) == here.at:
        here.action()
