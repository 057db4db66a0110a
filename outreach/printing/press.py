"""A PDF of a template and its values, made in a process that can do no harm and takes no longer than it may.

Values are data: the template reads them from JSON and prints them as text, so nothing that a signer typed is ever
read as the template's own language. Nothing touches the disk: all goes through pipes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from outreach.errors import OutOfReach
from outreach.paths import folder

log = structlog.get_logger()

#: Seconds by the clock that a paper may take; it takes a fifth of one.
WALL_SECONDS = 20
#: Papers made at once, and how long one waits for its turn.
_PRESSES, _PATIENCE = 2, 3.0
_free = threading.BoundedSemaphore(_PRESSES)

_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from outreach.printing.child import main; main()"


def print_pdf(template: str, values: Mapping[str, Any]) -> bytes:
    """`templates/{template}` with `values`, as a tagged PDF.

    `values["note"]` is printed only where a sign cannot be drawn with the fonts of this machine. OutOfReach when it
    takes too long or too many are being made.
    """
    if not _free.acquire(timeout=_PATIENCE):
        raise OutOfReach("Too many papers are being printed.", where=template, advice="Try again in a minute.")
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and our own words)
            [sys.executable, "-I", "-c", _START, _ROOT],
            input=json.dumps({"source": _source(template), "values": dict(values)}).encode(),
            capture_output=True,
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.error("paper_not_printed", template=template, error="timeout")
        raise OutOfReach("Printing took too long.", where=template, advice="Try again in a minute.") from None
    finally:
        _free.release()
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        # Its own words may quote what was printed: they stay out of the log.
        log.error("paper_not_printed", template=template, error=f"exit {done.returncode}")
        raise OutOfReach("This paper could not be printed.", where=template)
    return done.stdout


@cache
def _source(template: str) -> str:
    return (folder("templates") / template).read_text("utf-8")
