"""A hard look at a new letter: what it says is allowed, and it can be written for all kinds of people.

The list of what is allowed (`grammar.py`) already leaves nothing that could do harm. The trial that follows runs in
a process of its own, with little memory, little processor time and no secrets, in case the list has a hole.

A trial takes a fifth of a second. What passed is remembered for a while, so whoever is about to write looks before
the transaction, and finds it known inside.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile

from outreach.errors import BadTemplate

from .letters import PARTS, LetterForm
from .mailings import MailingForm

#: What a trial may take is processor time (`child.CPU_SECONDS`). By the clock it may take this long, twice: a trial
#: that needs it stands still, or the machine is too busy for any.
WALL_SECONDS = 20
_TRIES = 2
_REPORT_LIMIT = 8_000

#: The folder that `outreach` is imported from; the trial's process knows no other paths.
_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from outreach.merge.child import main; main()"


@lru_cache(maxsize=16)
def check_letter(subject: str, header: str, body: str, footer: str) -> None:
    """Raise BadTemplate, naming part and line, unless every letter from these four parts can be written."""
    LetterForm(subject, header, body, footer)
    _try_out((subject, header, body, footer))


@lru_cache(maxsize=16)
def check_mailing(subject: str, body: str) -> None:
    """The same for a mailing to signers."""
    MailingForm(subject, body)
    _try_out((subject, body))


def _try_out(parts: tuple[str, ...]) -> None:
    """Write it for the sample people, in a process that can do no harm."""
    for _ in range(_TRIES):
        try:
            answer = _answer(parts)
            break
        except subprocess.TimeoutExpired:
            continue
    else:
        raise BadTemplate(
            f"Trying this out was not done after {WALL_SECONDS} seconds, twice.",
            where=PARTS[2],
            advice="The machine may be very busy: try again in a minute. If it is refused again, make it simpler.",
        )
    if not answer:
        raise BadTemplate(
            "Writing this letter takes more time or memory than any letter should.",
            where=PARTS[2],
            advice="Use fewer merge fields and shorter texts.",
        )
    if trouble := json.loads(answer):
        raise BadTemplate(trouble["message"], where=trouble["where"], advice=trouble["advice"])


def _answer(parts: tuple[str, ...]) -> bytes:
    """What the trial's process says, as JSON; nothing when it came to a bad end. TimeoutExpired by the clock."""
    with TemporaryFile() as report:
        done = subprocess.run(  # noqa: S603 (our own interpreter and our own words)
            [sys.executable, "-I", "-c", _START, _ROOT],
            input=json.dumps(parts).encode(),
            stdout=report,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            timeout=WALL_SECONDS,
            check=False,
        )
        report.seek(0)
        return report.read(_REPORT_LIMIT) if done.returncode == 0 else b""
