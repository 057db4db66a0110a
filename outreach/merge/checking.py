"""A hard look at a new letter: what it says is allowed, and it can be written for all kinds of people.

The list of what is allowed (`grammar.py`) already leaves nothing that could do harm. The trial that follows runs in
a process of its own, with little memory, little time and no secrets, in case the list has a hole.
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

TRIAL_SECONDS = 3
_REPORT_LIMIT = 8_000

#: The folder that `outreach` is imported from; the trial's process knows no other paths.
_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from outreach.merge.child import main; main()"


@lru_cache(maxsize=16)
def check_letter(subject: str, header: str, body: str, footer: str) -> None:
    """Raise BadTemplate, naming part and line, unless every letter from these four parts can be written.

    Takes a fifth of a second, the first time: whoever is about to write looks before the transaction, not inside it.
    """
    LetterForm(subject, header, body, footer)
    _try_out((subject, header, body, footer))


def check_mailing(subject: str, body: str) -> None:
    """The same for a mailing to signers."""
    MailingForm(subject, body)
    _try_out((subject, body))


def _try_out(parts: tuple[str, ...]) -> None:
    """Write it for the sample people, in a process that can do no harm."""
    with TemporaryFile() as report:
        try:
            done = subprocess.run(  # noqa: S603 (our own interpreter and our own words)
                [sys.executable, "-I", "-c", _START, _ROOT],
                input=json.dumps(parts).encode(),
                stdout=report,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                timeout=TRIAL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _too_much() from None
        report.seek(0)
        answer = report.read(_REPORT_LIMIT)
    if done.returncode != 0 or not answer:
        raise _too_much()
    trouble = json.loads(answer)
    if trouble:
        raise BadTemplate(trouble["message"], where=trouble["where"], advice=trouble["advice"])


def _too_much() -> BadTemplate:
    return BadTemplate(
        "Writing this letter takes more time or memory than any letter should.",
        where=PARTS[2],
        advice="Use fewer merge fields and shorter texts.",
    )
