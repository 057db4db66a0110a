"""The environment of a process that is measured: settings of a run's own, and none of the caller's."""

from __future__ import annotations

import os
from pathlib import Path

from tests import factories

ROOT = Path(__file__).parents[2]
#: Where no Redis is: for processes that nobody rings for.
_NOWHERE = "redis://127.0.0.1:1/0"


def environ_of(folder: Path, database_url: str, *, redis: str = _NOWHERE, **more: str) -> dict[str, str]:
    """For an engine on this database that keeps its files in `folder`. `more` are settings, by their names."""
    given = {
        "DATA_DIR": str(folder / "var"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis,
        "SECRET_KEY": factories.SECRET,
        "POSTAL_ADDRESS": "1 Example Street, Springfield",
        "ENV": "bench",
        **more,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    return {**inherited, **{f"OUTREACH_{name}": value for name, value in given.items()}, "PYTHONPATH": str(ROOT)}
