"""The staff's pages of what went wrong: failures by cause with what helps, and the alerts that stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import alerts, audit_log, dashboards
from outreach.accounts import Person
from outreach.errors import NotNow
from outreach.models import Role
from outreach.web.pages import db_of, now_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff", include_in_schema=False, route_class=door(Role.STAFF))

Signed = Annotated[Person, Depends(person_of)]


@router.get("/failures")
def failures(request: Request) -> Response:
    """What failed or waits for a person, grouped by its cause."""
    with db_of(request).read() as session:
        rows = dashboards.failures_by_cause(session)
    return inside(request, "staff/failures.html", rows=rows, sample=dashboards.SAMPLE)


@router.get("/alerts")
def standing(request: Request, done: str = "") -> Response:
    """What a person should know, until somebody or something ends it."""
    with db_of(request).read() as session:
        found = alerts.standing(session)
    return inside(request, "staff/alerts.html", alerts=found, done=done)


@router.post("/alerts/{number:int}/close")
def close(request: Request, number: int, person: Signed) -> Response:
    """A person has seen to it. What is still wrong raises it anew."""
    with db_of(request).begin() as session:
        alert = next((one for one in alerts.standing(session) if one.id == number), None)
        if alert is None:
            raise NotNow("This alert is closed already. Somebody, or the engine, was faster.")
        now = now_of(request)
        alerts.close_alert(session, alert.key, by=person.actor, now=now)
        audit_log.note(session, person.actor, "alert.close", f"alert:{number}", {"key": alert.key}, now=now)
    return RedirectResponse("/staff/alerts?done=closed", 303)
