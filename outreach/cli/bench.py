"""`outreach bench …`: how fast the engine is on this machine. The servers it is measured against are the tests' own,
so it runs in a checkout: `./run bench engine`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import NotNow

app = typer.Typer(help="How fast the engine is on this machine; in a checkout.", no_args_is_help=True)


class Kind(StrEnum):
    """The databases to measure on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


Letters = Annotated[int, typer.Option(min=100, max=1_000_000, help="How many letters leave in each run.")]
Base = Annotated[Kind, typer.Option("--database", help="Where the outbox lies.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")]
Celery = Annotated[bool, typer.Option("--celery", help="With a real Celery worker instead of the bare sending loop.")]
Rows = Annotated[int, typer.Option(min=1_000, max=10_000_000, help="How many rows to measure with.")]
Events = Annotated[int, typer.Option(min=200, max=1_000_000, help="How many reports come.")]
Profile = Annotated[str, typer.Option(metavar="FILE", help="Write cProfile's figures of each worker to FILE.0, FILE.1")]


def register(top: typer.Typer) -> None:
    """Add the noun to the top of the command line."""
    top.add_typer(app, name="bench")


def _bench(name: str) -> Any:
    """A module of `tests.bench`."""
    try:
        return importlib.import_module(f"tests.bench.{name}")
    except ModuleNotFoundError as error:
        raise NotNow(
            f"Benchmarks need the tests' servers, and {error.name} is not here.",
            where="bench",
            advice="Run them in a checkout: ./run bench engine",
        ) from None


@app.command()
def engine(letters: Letters = 10_000, as_json: Json = False) -> None:
    """Every way out on SQLite and PostgreSQL, each beside a bare client in the same minute."""
    report = _bench("report")
    runs = report.engine(letters, told=lambda run: None if as_json else base.err.print(_line(report, run)))
    _tell(report, runs, report.as_json(runs), as_json)


def _through(transport: str) -> Callable[..., None]:
    """A command that measures one way out to a server of the tests."""

    def measure(
        letters: Letters = 10_000,
        database: Base = Kind.POSTGRESQL,
        workers: Workers = 2,
        celery: Celery = False,
        profile: Profile = "",
        as_json: Json = False,
    ) -> None:
        _one(transport, letters, database, workers, celery, profile, as_json)

    return measure


app.command("sendgrid", help="One request per letter to a fake SendGrid.")(_through("sendgrid"))
app.command("smtp", help="One mail per letter to an SMTP server that keeps everything.")(_through("smtp"))


@app.command()
def mailbox(
    letters: Letters = 10_000, database: Base = Kind.SQLITE, workers: Workers = 2, as_json: Json = False
) -> None:
    """One file per letter, each on disk before it counts."""
    _one("mailbox", letters, database, workers, False, "", as_json)


@app.command()
def claim(
    letters: Letters = 10_000,
    database: Base = Kind.POSTGRESQL,
    workers: Workers = 2,
    profile: Profile = "",
    as_json: Json = False,
) -> None:
    """Claimed, written, intended and settled, with nothing handed over."""
    _one("nothing", letters, database, workers, False, profile, as_json)


@app.command()
def mailing(
    letters: Letters = 10_000,
    database: Base = Kind.POSTGRESQL,
    workers: Workers = 2,
    profile: Profile = "",
    as_json: Json = False,
) -> None:
    """One mailing to so many signers, up to 500 of them in a request to a fake SendGrid."""
    report = _bench("report")
    run = report.mailing(letters, str(database), processes=workers, profile=profile)
    _tell(report, [run], run.as_json(), as_json)


@app.command()
def plan(rows: Rows = 100_000, database: Base = Kind.POSTGRESQL, as_json: Json = False) -> None:
    """A mailing to so many signers becomes deliveries, beside a bare INSERT … SELECT of as many rows."""
    _tell_figures(_bench("plans").build(rows, str(database)).as_json(), as_json)


@app.command()
def events(events: Events = 20_000, database: Base = Kind.POSTGRESQL, as_json: Json = False) -> None:
    """Signed reports, a hundred in a request, to a real web process; and the time until they are applied."""
    _tell_figures(_bench("events").report(events, str(database)).as_json(), as_json)


@app.command()
def dashboards(rows: Rows = 100_000, database: Base = Kind.POSTGRESQL, as_json: Json = False) -> None:
    """The staff's pages over so many mails, beside a GROUP BY over all of them."""
    _tell_figures(_bench("dashboards").look(rows, str(database)).as_json(), as_json)


@app.command()
def sign(
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long people sign.")] = 30,
    database: Base = Kind.POSTGRESQL,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Web processes.")] = 2,
    rate: Annotated[float, typer.Option(min=0, help="Forms a second that arrive; 0 is as fast as they are taken.")] = 0,
    hands: Annotated[int, typer.Option(min=1, max=1000, help="Connections that are kept open.")] = 24,
    as_json: Json = False,
) -> None:
    """People sign one campaign on the real page; every signature and its mail is looked for afterwards."""
    ran = _bench("signing").sign(seconds, str(database), processes=processes, rate=rate, hands=hands)
    _tell_figures(ran.as_json(), as_json)


@app.command()
def pages(database: Base = Kind.POSTGRESQL, as_json: Json = False) -> None:
    """How long a signer's pages take with one web process, and what the page that signs weighs."""
    _tell_figures(_bench("pages").look(str(database)).as_json(), as_json)


def _one(transport: str, letters: int, database: Kind, workers: int, celery: bool, profile: str, as_json: bool) -> None:
    report = _bench("report")
    run = report.one(transport, letters, str(database), celery=celery, processes=workers, profile=profile)
    _tell(report, [run], run.as_json(), as_json)


def _line(report: Any, run: Any) -> str:
    head, row = report.as_table([run])
    return ", ".join(f"{name} {value}" for name, value in zip(head, row, strict=True))


def _tell(report: Any, runs: Sequence[Any], answer: dict[str, Any], as_json: bool) -> None:
    """Show the runs; exit 1 when a letter was lost or doubled, since speed means nothing then."""
    if as_json:
        base.emit(answer)
    else:
        for line in _aligned(report.as_table(runs)):
            base.out.print(line)
    if any(run.lost or run.doubled for run in runs):
        raise typer.Exit(1)


def _tell_figures(figures: dict[str, Any], as_json: bool) -> None:
    """Show one run's figures, each with its name; exit 1 when something was lost, doubled or refused."""
    if as_json:
        base.emit(figures)
    else:
        for name, value in figures.items():
            base.out.print(f"{name:<20} {value:,}" if isinstance(value, int | float) else f"{name:<20} {value}")
    if any(figures.get(name) for name in ("lost", "doubled", "errors")):
        raise typer.Exit(1)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words, numbers = row[:3], row[3:]
        yield "  ".join([*map(str.ljust, words, widths), *map(str.rjust, numbers, widths[3:])])
