"""The staff's pages of what went wrong: failures by cause with what helps, and the alerts that stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import alerts, audit_log, dashboards
from outreach.accounts import Person
from outreach.dashboards import FailureRow
from outreach.domain.deliveries import Stream
from outreach.errors import NotFound, NotNow
from outreach.models import Role
from outreach.outbox.causes import let_go, mark_handled
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.reasons import reason_in
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("/failures")
def failures(request: Request, done: str = "") -> Response:
    """What failed or waits for a person, grouped by its cause."""
    with db_of(request).read() as session:
        rows = dashboards.failures_by_cause(session)
    return inside(request, "staff/failures.html", rows=rows, sample=dashboards.SAMPLE, done=done)


@router.get("/failures/{ref}/{act}")
def check_failures(request: Request, ref: str, act: str) -> Response:
    """What the act does to all mails of one cause, and the form that asks why."""
    return _act_page(request, ref, act, FormState())


@router.post("/failures/{ref}/{act}")
def act_on_failures(request: Request, ref: str, act: str, form: Form, person: Signed) -> Response:
    """Do it to all of them, as one act that is audited once."""
    with db_of(request).read() as session:
        row = dashboards.failure_of(session, ref)
    reason, errors = reason_in(form)
    if form.values.get("n", "") != str(row.n):
        errors["n"] = f"There are {row.n:,} of them now. Look at the number, then say so once more."
    if (word := _word(row, act)) and " ".join(form.values.get("word", "").lower().split()) != word:
        errors["word"] = f"Type the words {word}."
    if errors:
        return _act_page(request, ref, act, form.with_errors(errors, ("n", "reason", "word")), status=422)
    do = {"retry": let_go, "handled": mark_handled}[act]
    with db_of(request).begin() as session:
        do(session, row.cause, most=row.n, reason=reason, actor=person.actor, now=now_of(request))
    response = RedirectResponse(f"/staff/failures?done={act}", 303)
    response.background = bell(request, *Stream) if act == "retry" else None
    return response


def _word(row: FailureRow, act: str) -> str:
    """What must be typed before mails are sent that somebody may have got already."""
    return f"resend {row.n}" if act == "retry" and row.cause.may_double else ""


def _act_page(request: Request, ref: str, act: str, form: FormState, *, status: int = 200) -> Response:
    with db_of(request).read() as session:
        row = dashboards.failure_of(session, ref)
    if act != "handled" and not (act == "retry" and row.cause.can_leave):
        raise NotFound
    word = _word(row, act)
    return inside(request, "staff/failure.html", status=status, form=form, row=row, act=act, word=word)


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
