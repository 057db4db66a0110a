"""The provider's reports: late, doubled, shuffled, repeated until they are taken, and some held back to the end."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from tests.fakes.events import EventKey, rows_for
from tests.fakes.webhook import post
from tests.journeys.engine import Provider

_LATEST, _HELD_BACK, _DOUBLED, _BATCH = 15.0, 0.25, 0.3, 100


@dataclass
class _Due:
    at: float
    number: int
    row: dict[str, Any]


class Reporter:
    """A thread that reads the ledger and posts to a webhook. Seeded."""

    def __init__(self, provider: Provider, key: EventKey, url: str, *, seed: int) -> None:
        self._provider, self._key, self._url = provider, key, url
        self._dice = random.Random(seed)
        self._waiting: list[_Due] = []
        self._seen, self._numbers = 0, itertools.count()
        self._over = Event()
        self._thread = Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Stop the thread, and report all that was not reported, in any order; returns once everything was taken."""
        self._over.set()
        self._thread.join()
        self._look()
        rows = [due.row for due in self._waiting]
        self._dice.shuffle(rows)
        deadline = time.monotonic() + 120
        for begin in range(0, len(rows), _BATCH):
            while not self._tell(rows[begin : begin + _BATCH]):
                if time.monotonic() > deadline:
                    raise RuntimeError("nobody takes the reports")
                time.sleep(0.2)

    def _run(self) -> None:
        while not self._over.wait(0.3):
            self._look()
            now = time.monotonic()
            due = [entry for entry in self._waiting if entry.at <= now][:_BATCH]
            if due and self._tell([entry.row for entry in due]):
                told = {entry.number for entry in due}
                self._waiting = [entry for entry in self._waiting if entry.number not in told]

    def _look(self) -> None:
        """New mails in the ledger: their rows wait for a moment by the dice."""
        taken = self._provider.taken()
        for record in taken[self._seen :]:
            rows = rows_for([record], kinds=["processed", "delivered"])
            rows += [row for row in rows if self._dice.random() < _DOUBLED]
            for row in rows:
                held_back = self._dice.random() < _HELD_BACK
                late = float("inf") if held_back else self._dice.uniform(0.0, _LATEST)
                self._waiting.append(_Due(time.monotonic() + late, next(self._numbers), row))
        self._seen = len(taken)

    def _tell(self, rows: list[dict[str, Any]]) -> bool:
        return 200 <= post(self._url, self._key.signed(rows, at=time.time())) < 300
