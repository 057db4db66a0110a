"""`outreach up`, `init` and `web`: starting the engine, whole or in parts."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from types import FrameType

import typer
import uvicorn

from outreach import heartbeats, logs, migrating, tether
from outreach.cli import base
from outreach.cli.base import Json
from outreach.errors import OutOfReach
from outreach.models import Database
from outreach.settings import Settings
from outreach.supervisor import Supervisor


def register(app: typer.Typer) -> None:
    """Add the commands to the top of the command line."""
    app.command()(up)
    app.command()(init)
    app.command()(web)


def up(as_json: Json = False) -> None:
    """Start the engine on this machine and keep it running until Ctrl-C."""
    logs.set_up()
    settings = Settings.from_env()
    over = _stop_signals()
    supervisor = Supervisor(settings, say=lambda line: base.err.print(line, markup=False))
    supervisor.start()
    try:
        _await_ready(supervisor, over)
        _tell(supervisor, as_json=as_json)
        while not over.wait(1.0):  # a wait without end would not let the signal handlers run everywhere
            pass
        base.err.print("Stopping. Mails in the air are finished first.")
    finally:
        supervisor.stop()


def _stop_signals() -> threading.Event:
    over = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, tell)
    return over


def _await_ready(supervisor: Supervisor, over: threading.Event) -> None:
    """Wait until all is up. What is late is said and not fatal: without redis the pages still take signatures."""
    for _ in range(30):
        if over.is_set():
            return
        try:
            supervisor.wait_ready(1.0)
            return
        except OutOfReach as error:
            late = error
    base.err.print(str(late), markup=False)


def _tell(supervisor: Supervisor, *, as_json: bool) -> None:
    if as_json:
        base.emit({"addresses": supervisor.addresses, "pid": os.getpid(), "logs": str(supervisor.log_folder)})
        return
    pages = supervisor.addresses
    base.out.print(f"The engine is up.\n  Campaigns   {pages['campaigns']}", markup=False)
    base.out.print(f"  Organizers  {pages['console']}\n  Staff       {pages['staff']}", markup=False)
    if supervisor.settings.transport == "mailbox":
        base.out.print(
            f"  Mail is written to {supervisor.settings.mailbox_dir}; none leaves this machine.", markup=False
        )
    base.out.print(f"  Logs are in {supervisor.log_folder}. Ctrl-C stops everything.", markup=False)


def init(as_json: Json = False) -> None:
    """Bring the database to the step this version needs. Harmless when it is there already."""
    settings = Settings.from_env()
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    db = Database(settings.database)
    try:
        before = migrating.current(db)
        migrating.migrate(db)
        step = migrating.newest()
    finally:
        db.close()
    if as_json:
        base.emit({"from": before, "step": step, "changed": before != step})
    else:
        base.out.print(f"The database is at step {step}" + (", as it was." if before == step else "."))


def web() -> None:
    """Serve the pages and hooks at OUTREACH_HOST and OUTREACH_PORT, with OUTREACH_WEB_PROCESSES processes."""
    logs.set_up(process="web")
    tether.watch_own_parent()
    with base.engine() as engine:
        settings = engine.settings
        pulse = heartbeats.Pulse(engine.db, "web")
        pulse.start()
        # By name: the doors stand side by side and do not import each other.
        pages = importlib.import_module("outreach.web.app")
        # Several processes make their application themselves, after the start of each.
        is_one = settings.web_processes == 1
        uvicorn.run(
            pages.create_app(settings) if is_one else "outreach.web.app:from_environment",
            factory=not is_one,
            workers=settings.web_processes,
            host=settings.host,
            port=settings.port,
            log_config=None,  # logs.py has set it up
            **pages.SERVER,
        )
        pulse.stop()
