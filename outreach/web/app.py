"""Joins the pages into one application.

Serve it with `uvicorn.Config(create_app(settings), **SERVER)`: addresses of proxies are our own business
(`rates.network_of`), and nobody needs to know which server this is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from outreach import logs, tether
from outreach.clock import DatabaseClock
from outreach.keys import Keys
from outreach.models import Database
from outreach.settings import Settings
from outreach.web import (
    about,
    answers,
    budgets,
    campaign_settings,
    changes,
    check_email,
    console,
    dev_mail,
    embed,
    errors,
    events,
    follow_ups,
    health,
    holidays,
    inbound,
    lanes,
    leaving,
    links,
    paper_receipts,
    people,
    proofs,
    public,
    replies,
    retention,
    rungs,
    self_sends,
    sharing,
    sieves,
    sign_in,
    staff,
    stopping,
    suspects,
    tracker,
    troubles,
    wave_plans,
    waves,
)
from outreach.web.compressing import Compressor
from outreach.web.gate import Bursts
from outreach.web.guards import Guard
from outreach.web.kept import Counts, Names
from outreach.web.pages import STATIC, Pages
from outreach.web.proofs import Proofs
from outreach.web.rates import Rates
from outreach.web.visits import Visits

#: How the server must be run. An open stream must not keep it from stopping.
SERVER: dict[str, Any] = {
    "proxy_headers": False,
    "server_header": False,
    "access_log": False,
    "timeout_graceful_shutdown": 3,
}

ROOMS = (
    public,
    about,
    proofs,
    check_email,
    links,
    tracker,
    changes,
    leaving,
    paper_receipts,
    self_sends,
    answers,
    sharing,
    stopping,
    sign_in,
    console,
    campaign_settings,
    waves,
    wave_plans,
    follow_ups,
    rungs,
    replies,
    staff,
    lanes,
    troubles,
    people,
    suspects,
    sieves,
    retention,
    budgets,
    holidays,
    dev_mail,
    embed,
    events,
    inbound,
    health,
)


def create_app(settings: Settings, db: Database | None = None, *, now: Callable[[], datetime] | None = None) -> FastAPI:
    """The whole site. Without `db` it opens its own database and closes it at the end; call it after any fork.

    It acts at the database's time unless it is given another.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.rates.close()
        app.state.visits.write()
        if db is None:
            app.state.db.close()

    app = FastAPI(title=settings.organisation, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings = settings
    app.state.db = db or Database(settings.database, pool_size=10)
    app.state.keys = Keys(settings.secret_key)
    app.state.rates = Rates(settings, app.state.keys)
    app.state.proofs = Proofs(app.state.keys, app.state.rates)
    app.state.bursts = Bursts(settings)
    app.state.pages = Pages(settings)
    app.state.counts, app.state.names = Counts(), Names()
    app.state.visits = Visits(app.state.db, lambda: app.state.now())
    app.state.now = now or DatabaseClock(app.state.db)
    app.add_middleware(Compressor)
    app.add_middleware(Guard, settings=settings)
    errors.install(app)
    app.mount("/static", Static(directory=STATIC), name="static")
    app.add_api_route("/favicon.ico", favicon)
    for room in ROOMS:
        app.include_router(room.router)
    return app


def from_environment() -> FastAPI:
    """For `uvicorn --factory outreach.web.app:from_environment`, and for each of several web processes."""
    if multiprocessing.parent_process() is not None:
        logs.set_up(process="web")
        tether.watch(os.getppid(), lambda: os.kill(os.getpid(), signal.SIGTERM))
    return create_app(Settings.from_env())


class Static(StaticFiles):
    """Static files; under an address that names their hash they never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        for_ever = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if for_ever else "no-cache"
        return response


def favicon() -> FileResponse:
    """Browsers ask for it without being told to."""
    return FileResponse(STATIC / "favicon.ico", headers={"Cache-Control": "public, max-age=86400"})
