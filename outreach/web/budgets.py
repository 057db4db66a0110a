"""The staff's pages of limits over many mailboxes: of a stream, a mail domain or a wave."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import audit_log, outbox, targets
from outreach.accounts import Person
from outreach.errors import BadInput, NotFound
from outreach.models import Budget, Role
from outreach.web import wave_forms
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/budgets", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: The limits of a budget, in the order of the page: what an empty field means, and what helps who typed it wrong.
LIMITS = {
    "per_hour": ("none", "Write a number like 600, or leave it empty."),
    "per_day": ("none", "Write a number like 5000, or leave it empty."),
    "hours": ("always", "Write hours like 08:00-18:00, or leave it empty."),
    "days": ("all", "Write days like mon-fri or mon,wed, or leave it empty."),
    "zone": ("UTC", "Write a name like America/New_York."),
    "curve": ("flat", "Write 24 whole numbers with commas between them, not all 0, or leave it empty."),
}
ORDER = ("key", *LIMITS)


@router.get("")
def budgets(request: Request, done: str = "") -> Response:
    """All limits there are."""
    with db_of(request).read() as session:
        rows = outbox.budgets_set(session)
    return inside(request, "staff/budgets.html", rows=rows, done=done)


@router.get("/new")
def new(request: Request) -> Response:
    """The form of a new limit."""
    return _page(request, FormState({"zone": "UTC"}), change=False)


@router.post("/new")
def add(request: Request, form: Form, person: Signed) -> Response:
    """Limit something from the next claim on."""
    return _set(request, form, person, change=False)


@router.get("/{key}/change")
def change(request: Request, key: str) -> Response:
    """The form with a limit as it is."""
    with db_of(request).read() as session:
        return _page(request, _filled(_find(session, key)), change=True)


@router.post("/{key}/change")
def do_change(request: Request, key: str, form: Form, person: Signed) -> Response:
    """Put what the form says in the place of the limit."""
    return _set(request, FormState({**form.values, "key": key}), person, change=True)


@router.get("/{key}/drop")
def check_drop(request: Request, key: str) -> Response:
    """What the limit is that would go."""
    with db_of(request).read() as session:
        row = _find(session, key)
    return inside(request, "staff/drop_budget.html", row=row)


@router.post("/{key}/drop")
def drop(request: Request, key: str, person: Signed) -> Response:
    """Let go of a limit. Mailboxes keep their own."""
    with db_of(request).begin() as session:
        before = limits_of(_find(session, key))
        outbox.drop_budget(session, key)
        audit_log.note(session, person.actor, "budget.drop", f"budget:{key}", before, now=now_of(request))
    return RedirectResponse("/staff/budgets?done=dropped", 303)


def limits_of(row: Budget) -> dict[str, Any]:
    """What a budget allows, as plain values."""
    return {name: getattr(row, name) for name in LIMITS}


def limits_in(form: FormState) -> tuple[dict[str, Any], dict[str, str]]:
    """The limits that the form asks for, and what is wrong with it, by field."""
    limits, errors = dict[str, Any](), dict[str, str]()
    for name, (empty, helps) in LIMITS.items():
        try:
            limits |= targets.read_pace(**{name: form.values.get(name, "").strip() or empty})
        except BadInput:
            errors[name] = helps
    without = {name: limits.get(name) for name in LIMITS if name != "zone"}
    if not errors and without == {"per_hour": None, "per_day": None, "hours": "always", "days": "all", "curve": None}:
        errors["per_hour"] = "Say at least one thing that limits it, such as how many an hour."
    return limits, errors


def _set(request: Request, form: FormState, person: Person, *, change: bool) -> Response:
    key = form.values.get("key", "").strip()
    limits, errors = limits_in(form)
    with db_of(request).begin() as session:
        before = next((limits_of(row) for row in outbox.budgets_set(session) if row.key == key), None)
        if change and before is None:
            raise NotFound
        if before is not None and not change:
            errors["key"] = "There is a limit for this already. Change that one, from the list of limits."
        if not errors:
            try:
                outbox.set_budget(session, key, **limits)
            except BadInput:
                errors["key"] = "Write stream:letters, domain:example.gov or wave:7."
            else:
                actor, now = person.actor, now_of(request)
                audit_log.note(session, actor, "budget.set", f"budget:{key}", before, limits, now=now)
    if errors:
        return _page(request, form.with_errors(errors, ORDER), change=change, status=422)
    return RedirectResponse("/staff/budgets?done=set", 303)


def _find(session: Session, key: str) -> Budget:
    row = session.get(Budget, key)
    if row is None:
        raise NotFound
    return row


def _filled(row: Budget) -> FormState:
    values = {
        "key": row.key,
        "per_hour": str(row.per_hour or ""),
        "per_day": str(row.per_day or ""),
        "hours": "" if row.hours in (None, "always") else row.hours,
        "days": "" if row.days == "all" else row.days,
        "zone": row.zone,
        "curve": ",".join(map(str, row.curve or ())),
    }
    return FormState(values)


def _page(request: Request, form: FormState, *, change: bool, status: int = 200) -> Response:
    zones = wave_forms.zones()
    return inside(request, "staff/budget.html", status=status, form=form, change=change, zones=zones)
