"""Posting events to a webhook, now or all the time, and again until they are taken."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.events import EventKey, Signed, rows_for
from tests.fakes.ledger import Ledger


def post(url: str, signed: Signed) -> int:
    """The status of one POST; 0 when nobody answered. No redirect is followed."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("POST", parts.path or "/", signed.body, signed.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


class Reporter:
    """Reports each mail some moments after it was taken. Doubled and shuffled by `rates`, seeded."""

    def __init__(self, ledger: Ledger, key: EventKey, url: str, rates: dict[str, float], seed: int) -> None:
        self._ledger = ledger
        self._key = key
        self._url = url
        self._rates = rates
        self._seed = seed

    def start(self) -> None:
        Thread(target=self._run, name="reporter", daemon=True).start()

    def _run(self) -> None:
        told = 0
        while True:
            time.sleep(0.2)
            batch = self._ledger.records[told : told + 200]
            if batch and self._tell(batch, told):
                told += len(batch)

    def _tell(self, records: list[dict[str, Any]], told: int) -> bool:
        rows = rows_for(
            records,
            rates=self._rates,
            doubled=self._rates.get("doubled", 0.0),
            shuffled=bool(self._rates.get("shuffled")),
            seed=self._seed + told,
        )
        return 200 <= post(self._url, self._key.signed(rows, at=time.time())) < 300
