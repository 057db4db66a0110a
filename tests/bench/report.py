"""Several runs, side by side: what `./run bench …` shows and what machines read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outreach.domain.deliveries import Stream
from tests.bench.databases import databases
from tests.bench.far import TRANSPORTS
from tests.bench.measure import Run, run

DATABASES = ("sqlite", "postgresql")

_HEAD = (
    *("way out", "database", "workers", "letters/s", "bare client/s", "ratio"),
    *("CPU s/1000", "far CPU s/1000", "MB", "lost", "doubled"),
)


def engine(letters: int, wanted: Sequence[str] = DATABASES, *, told: Callable[[Run], None]) -> list[Run]:
    """Every way out on every database with two plain workers, and SendGrid once with real Celery workers."""
    runs = []
    with databases(wanted) as places:
        for place in places.values():
            for transport in TRANSPORTS:
                runs.append(run(transport, place, letters))
                told(runs[-1])
            runs.append(run("sendgrid", place, letters, celery=True))
            told(runs[-1])
    return runs


def one(
    transport: str, letters: int, database: str, *, celery: bool = False, processes: int = 2, profile: str = ""
) -> Run:
    """One way out on one database."""
    with databases([database]) as places:
        return run(transport, places[database], letters, celery=celery, processes=processes, profile=profile)


def mailing(letters: int, database: str, *, processes: int = 2, profile: str = "") -> Run:
    """One mailing to so many signers, who share requests to a fake SendGrid."""
    with databases([database]) as places:
        place = places[database]
        return run("sendgrid", place, letters, stream=Stream.NEWS, processes=processes, profile=profile)


def as_table(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """A head and a row for each run, as text."""
    return [_HEAD, *(_row(run) for run in runs)]


def _row(run: Run) -> tuple[str, ...]:
    reference = f"{run.reference_per_s:,.0f}" if run.reference_per_s else "–"
    ratio = f"{run.ratio:.2f}" if run.ratio else "–"
    costs = (f"{run.cpu_per_1k:.2f}", f"{run.far_cpu_per_1k:.2f}", f"{run.rss_mb:.0f}")
    witness = (str(run.lost), str(run.doubled))
    return (
        *(run.transport, run.database, run.workers, f"{run.letters_per_s:,.0f}", reference, ratio),
        *costs,
        *witness,
    )


def as_json(runs: Sequence[Run]) -> dict[str, Any]:
    """For machines: every run, and whether each letter of each run arrived exactly once."""
    return {"runs": [run.as_json() for run in runs], "clean": not any(run.lost or run.doubled for run in runs)}
