"""One worker process without Celery: the sending loop until the outbox is empty, then what it cost, as JSON.

Says "ready" once it is joined to its database, and begins when it is told "go". `--transport nothing` takes every
mail at once: what remains is claiming, writing and settling.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import structlog
from sqlalchemy import exists, select

from outreach.domain.deliveries import State, Stream
from outreach.domain.messages import Message
from outreach.keys import Keys
from outreach.models import Database, Delivery
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports import make_transport
from outreach.transports.base import Receipt
from tests.bench.machine import peak_mb

_WAITING = select(exists().where(Delivery.state.in_([State.QUEUED, State.CLAIMED, State.SENDING])))
#: Another worker holds the lanes, or has the last letters in the air.
_BREATH = 0.005


class Nothing:
    """Takes every message and does nothing with it."""

    name = "nothing"

    def send(self, message: Message) -> Receipt:
        return Receipt(message.delivery)

    def close(self) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", default="")
    parser.add_argument("--stream", type=Stream, default=Stream.LETTERS)
    parser.add_argument("--profile", default="", help="write cProfile's figures of the loop to this file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    settings = Settings.from_env(dotenv=None)
    db = Database(settings.database)
    transport = Nothing() if options.transport == "nothing" else make_transport(settings)
    hands, desk = Hands(transport, width=settings.handovers), Desk(settings, Keys(settings.secret_key))
    db.now()
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu = time.monotonic(), time.process_time()
    if options.profile:
        import cProfile

        profile = cProfile.Profile()
        accepted = profile.runcall(_work, db, hands, desk, settings, options.stream)
        profile.dump_stats(options.profile)
    else:
        accepted = _work(db, hands, desk, settings, options.stream)
    ended = time.monotonic()
    told = {"began": began, "ended": ended, "cpu_s": time.process_time() - cpu, "accepted": accepted}
    told["rss_mb"] = peak_mb()
    print(json.dumps(told), flush=True)
    hands.close()
    db.close()


def _work(db: Database, hands: Hands, desk: Desk, settings: Settings, stream: Stream) -> int:
    accepted = 0
    while True:
        sent = send_due(db, hands, desk, stream=stream, settings=settings)
        accepted += max(sent, 0)
        if sent < 0:
            with db.read() as session:
                if not session.execute(_WAITING).scalar_one():
                    return accepted
            time.sleep(_BREATH)


if __name__ == "__main__":
    main()
