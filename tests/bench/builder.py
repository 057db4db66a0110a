"""One process that turns a started wave into deliveries and says what it cost, as JSON.

Says "ready" once it is joined to its database, and begins when it is told "go".
"""

from __future__ import annotations

import json
import sys
import time

import structlog

from outreach import waves
from outreach.models import Database
from outreach.settings import Settings
from tests.bench.machine import peak_mb


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    settings = Settings.from_env(dotenv=None)
    db = Database(settings.database)
    looks: list[float] = []

    def goes_on() -> bool:
        looks.append(time.monotonic())
        return True

    db.now()
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu = time.monotonic(), time.process_time()
    while waves.tick(db, settings=settings, now=db.now(), goes_on=goes_on).more:
        pass
    ended = time.monotonic()
    # It is asked before the wave begins, before its first chunk, and then after each one but the last.
    first = [*looks, ended][2]
    cpu_s = time.process_time() - cpu
    told = {"seconds": ended - began, "first_s": first - began, "cpu_s": cpu_s, "rss_mb": peak_mb()}
    print(json.dumps(told), flush=True)
    db.close()


if __name__ == "__main__":
    main()
