"""Answers on a beat: how long one takes says nothing about what was found in the database."""

from __future__ import annotations

import time

#: Seconds. Longer than writing a signature takes on an idle machine.
BEAT = 0.03


def await_the_beat(begun: float) -> None:
    """Wait for the next multiple of `BEAT` since `begun` (`time.monotonic()` as the work began).

    A new signature takes longer to write than a known one to look up. On a beat, both take as long.
    """
    time.sleep(BEAT - (time.monotonic() - begun) % BEAT)
