"""A process that carries waves on until there is nothing more to plan: what tests kill.

python -m tests.integration.wave_builder DATABASE_URL DATA_FOLDER CHUNK
"""

from __future__ import annotations

import sys
from pathlib import Path

from outreach import waves
from outreach.models import Database
from tests import factories
from tests.conftest import make_settings


def main(url: str, folder: str, chunk: str) -> None:
    db = Database(url)
    settings = make_settings(Path(folder), url)
    while waves.tick(db, settings=settings, now=factories.NOON, chunk=int(chunk)).more:
        pass
    db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
