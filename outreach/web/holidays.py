"""The staff's page of public holidays: the days of each calendar, and a text with more of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import holidays
from outreach.accounts import Person
from outreach.errors import BadInput, BadRows
from outreach.models import Role
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/holidays", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("")
def listing(request: Request, done: str = "") -> Response:
    """All days that are kept, and the form that takes more."""
    return _page(request, FormState(), done=done)


@router.post("")
def take(request: Request, form: Form, person: Signed) -> Response:
    """Take the days into a calendar: all lines or, when one cannot be read, none."""
    errors, calendar, days = dict[str, str](), "", {}
    try:
        calendar = holidays.checked_calendar(form.values.get("calendar", ""))
    except BadInput:
        errors["calendar"] = "Write letters, digits and hyphens, such as us or de-by."
    try:
        days = holidays.read_days(form.values.get("days", ""))
    except BadRows as error:
        place = f"In {error.where}: " if error.where else ""
        errors["days"] = f"{place}{error.message} Write a line for each day, like 2026-12-25 Christmas Day."
    if errors:
        return _page(request, form.with_errors(errors, ("calendar", "days")), status=422)
    replace = bool(form.values.get("replace"))
    with db_of(request).begin() as session:
        holidays.take_days(session, calendar, days, replace=replace, now=now_of(request), actor=person.actor)
    return RedirectResponse("/staff/holidays?done=taken", 303)


def _page(request: Request, form: FormState, *, status: int = 200, done: str = "") -> Response:
    with db_of(request).read() as session:
        rows = holidays.listing(session)
    return inside(request, "staff/holidays.html", status=status, form=form, rows=rows, done=done)
