"""A process that carries invalidations on until there is nothing more to do: what tests kill.

python -m tests.integration.invalidator DATABASE_URL CHUNK
"""

from __future__ import annotations

import sys

from outreach import moderation
from outreach.models import Database
from tests import factories


def main(url: str, chunk: str) -> None:
    db = Database(url)
    while moderation.carry_on(db, now=factories.NOON, chunk=int(chunk)).more:
        pass
    db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
