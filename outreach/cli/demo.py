"""`outreach demo`: the main job from end to end, on this machine, with people who do not exist.

It starts the engine as `outreach up` does (web, two workers, beat, a real Redis, SQLite), imports both example
campaigns, lets 300 people sign and confirm, and watches their letters leave. The closing table is read back from the
mailbox and must say the same as the books.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import accounts, audit, dashboards, logs, rehearsal
from outreach.cli import base
from outreach.cli.base import Json
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.embedded import broker_url, locked_folder
from outreach.errors import NotNow, OutOfReach
from outreach.keys import Keys
from outreach.models import Campaign, Database, Delivery, Role, Signature
from outreach.settings import Settings
from outreach.supervisor import Supervisor
from outreach.transports.mailbox import read_mailbox
from outreach.wake import wake

_LONGEST = 150.0  #: seconds without any progress after which the demo says that something is wrong
_MARK = "this folder belongs to outreach demo; each demo empties it\n"


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command("demo")(demo)


@dataclass
class Show:
    """One demo: its engine and what it counts."""

    settings: Settings
    db: Database
    keys: Keys
    progress: Progress
    began: float

    def step(self, what: str, total: int) -> TaskID:
        return self.progress.add_task(what, total=total)


def demo(
    signers: Annotated[int, typer.Option(min=2, max=5000, help="How many people sign.")] = 300, as_json: Json = False
) -> None:
    """Run the whole job with synthetic people, and prove that the books balance."""
    logs.set_up(level=logging.WARNING)  # what goes well, the bars say
    began = time.monotonic()
    settings = _settings_of_its_own()
    supervisor = Supervisor(settings, say=lambda line: base.err.print(line, markup=False))
    if not as_json:
        base.err.print("Starting the engine: web, workers, beat, Redis, SQLite. Nothing leaves this machine.")
    supervisor.start()
    db = Database(settings.database)
    try:
        supervisor.wait_ready(60)
        with _progress(as_json) as progress:
            show = Show(settings, db, Keys(settings.secret_key), progress, began)
            _run(show, list(rehearsal.people(signers)))
        answer = _result(show)
        _tell(show, answer, as_json)
        if os.environ.get("KEEP"):
            _keep(show, supervisor)
    finally:
        db.close()
        supervisor.stop()
    if not answer["balanced"]:
        raise typer.Exit(1)


def _settings_of_its_own() -> Settings:
    """The embedded shape in a folder of its own, whatever the settings for use are. Children inherit them."""
    home = Path(os.environ.get("OUTREACH_DATA_DIR") or "var") / "demo"
    _empty(home)
    port = _free_port(int(os.environ.get("OUTREACH_PORT") or 8000))
    given = {
        "DATA_DIR": str(home),
        "MAILBOX_DIR": str(home / "mail"),
        "DATABASE_URL": f"sqlite:///{(home / 'outreach.db').resolve()}",
        "REDIS_URL": "",
        "TRANSPORT": "mailbox",
        "ENV": "demo",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "BASE_URL": f"http://127.0.0.1:{port}",
        # A real office gets 30 letters an hour in its office hours; nobody would wait for that here.
        "MAILBOX_PER_HOUR": "100000",
        "MAILBOX_PER_DAY": "1000000",
        "OFFICE_HOURS": "always",
        "OFFICE_DAYS": "all",
        "POSTAL_ADDRESS": "1 Example Street, Springfield",
    }
    os.environ.update({f"OUTREACH_{name}": value for name, value in given.items()})
    return Settings.from_env()


def _empty(home: Path) -> None:
    mark = home / ".demo"
    if home.exists() and any(home.iterdir()):
        if not mark.exists():
            raise NotNow(
                "This folder is not a demo's; it will not be emptied.",
                where=str(home),
                advice="Choose another place: OUTREACH_DATA_DIR=./elsewhere",
            )
        _require_unused(home)
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    mark.write_text(_MARK)


def _require_unused(home: Path) -> None:
    """Another demo may still keep its pages up."""
    with locked_folder(Settings(data_dir=home)):
        pass


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _progress(as_json: bool) -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=base.err,
        disable=as_json,
    )


def _run(show: Show, signers: list[rehearsal.Signer]) -> None:
    now = show.db.now()
    with show.db.begin() as session:
        opened = rehearsal.open_campaigns(session, show.settings, show.keys, now=now)
    signing = show.step("People sign", len(signers))
    for n, _ in enumerate(rehearsal.sign_all(show.db, opened, signers, show.settings, show.keys)):
        show.progress.advance(signing)
        if n % 25 == 0:
            wake(broker_url(show.settings), Stream.ACT)
    wake(broker_url(show.settings), Stream.ACT)
    _confirm_and_wait(show, signers)


def _confirm_and_wait(show: Show, signers: list[rehearsal.Signer]) -> None:
    """Everybody who opens their mail follows the link in it; then wait until all that was queued has left."""
    willing = {s.form.email for s in signers if s.confirms}
    box, browser = rehearsal.Letterbox(show.settings.mailbox_dir), rehearsal.Browser(show.settings.base_url)
    bar = show.step("They confirm by mail", len(willing))
    letters = show.step("Letters leave", 1)
    last = time.monotonic()
    while willing:
        for mail in box.new_mails():
            link = rehearsal.confirmation_link(mail)
            reader = next((address for address in willing if address in mail.to), None) if link else None
            if link and reader and browser.confirm(link):
                willing.discard(reader)
                show.progress.advance(bar)
                last = time.monotonic()
        _watch_letters(show, letters)
        _still_moving(show, last, "confirmations")
        time.sleep(0.05)
    last, gone = time.monotonic(), -1
    while _waiting(show):
        time.sleep(0.1)
        before, gone = gone, _watch_letters(show, letters)
        last = last if gone == before else time.monotonic()
        _still_moving(show, last, "letters")
    _watch_letters(show, letters)


def _watch_letters(show: Show, bar: TaskID) -> int:
    """Move the bar of the letters; how many have left."""
    with show.db.read() as session:
        states = dashboards.state_counts(session, mail_class=MailClass.LETTER)
    gone = states.get(State.ACCEPTED, 0)
    show.progress.update(bar, completed=gone, total=sum(states.values()) or 1)
    return gone


def _waiting(show: Show) -> bool:
    """Whether receipts are still on their way; the books are closed when nothing moves."""
    with show.db.read() as session:
        states = dashboards.state_counts(session)
    return any(states.get(state, 0) for state in (State.QUEUED, State.CLAIMED, State.SENDING))


def _still_moving(show: Show, last: float, what: str) -> None:
    if time.monotonic() - last > _LONGEST:
        raise OutOfReach(
            f"No {what} have moved for {_LONGEST:g} seconds.",
            where=str(show.settings.data_dir / "log"),
            advice="The logs there say why.",
        )


def _result(show: Show) -> dict[str, Any]:
    """The closing numbers: once from the books, once from the mails that lie in the mailbox."""
    with show.db.read() as session:
        books = audit.audit(session, show.settings)
        confirmed = dict(
            session.execute(
                select(Signature.campaign_id, func.count()).where(Signature.is_counted).group_by(Signature.campaign_id)
            ).all()
        )
        ledger = {
            s.id: dashboards.state_counts(session, campaign_id=s.id, mail_class=MailClass.LETTER)
            for s in books.campaigns
        }
        found = _letters_in_mailbox(session, show.settings)
    rows: list[dict[str, Any]] = [
        {
            "slug": s.name,
            "signatures": confirmed.get(s.id, 0),
            "letters": sum(ledger[s.id].values()),
            "accepted": ledger[s.id].get(State.ACCEPTED, 0),
            "mailbox": found[s.name],
        }
        for s in books.campaigns
    ]
    sums = {key: sum(row[key] for row in rows) for key in ("signatures", "letters", "accepted", "mailbox")}
    equal = all(row["letters"] == row["accepted"] == row["mailbox"] for row in rows) and sums["letters"] > 0
    return {
        "campaigns": len(rows),
        **sums,
        "seconds": round(time.monotonic() - show.began, 1),
        "balanced": books.balanced and equal,
        "rows": rows,
        "problems": [f"{p.kind}: {p.delivery} {p.detail}" for p in books.problems],
    }


def _letters_in_mailbox(session: Session, settings: Settings) -> Counter[str]:
    """How many mails to targets lie in the mailbox, for each campaign's slug. Every file counts."""
    campaign_of = dict(
        session.execute(
            select(Delivery.ref, Campaign.slug).join(Campaign).where(Delivery.mail_class == MailClass.LETTER)
        ).all()
    )
    return Counter(
        campaign_of.get(mail.delivery, "")
        for mail in read_mailbox(settings.mailbox_dir)
        if settings.letters_from in mail.sender
    )


def _tell(show: Show, answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        base.emit({key: value for key, value in answer.items() if key != "rows"})
        return
    table = Table(title="What the books say, and what lies in the mailbox", title_justify="left")
    for heading in ("campaign", "confirmed", "letters", "accepted", "in the mailbox"):
        table.add_column(heading, justify="left" if heading == "campaign" else "right", overflow="fold")
    for row in answer["rows"]:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    sums = (f"{answer[key]:,}" for key in ("signatures", "letters", "accepted", "mailbox"))
    table.add_row("all", *sums, style="bold")
    base.out.print(table)
    for problem in answer["problems"]:
        base.out.print(f"  {problem}", markup=False)
    verdict = "The books balance" if answer["balanced"] else "The books do NOT balance"
    base.out.print(
        f"{verdict}, after {answer['seconds']} seconds. The mails: {show.settings.mailbox_dir}", markup=False
    )


def _keep(show: Show, supervisor: Supervisor) -> None:
    """Leave the pages up until Ctrl-C, with a way in."""
    with show.db.begin() as session:
        now = show.db.now()
        user = accounts.add(session, "staff@example.org", name="Demo staff", role=Role.STAFF, now=now, actor="demo")
        link = accounts.sign_in_link(session, user, keys=show.keys, settings=show.settings, now=now)
    pages = supervisor.addresses
    base.out.print("\nThe pages stay up until Ctrl-C:")
    for what, address in (
        ("Campaigns", pages["campaigns"]),
        ("Mailbox", f"{show.settings.base_url}/dev/mail"),
        ("Sign in, once", link),
        ("then organizers", pages["console"]),
        ("and staff", pages["staff"]),
    ):
        base.out.print(f"  {what:<16}{address}", markup=False)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        base.err.print("Stopping.")
