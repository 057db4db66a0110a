"""The staff's page of what has been kept long enough: listed rule by rule, and ended exactly as it is listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import people
from outreach.accounts import Person
from outreach.models import Role
from outreach.people import Overdue
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/retention", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("")
def overdue(request: Request, done: str = "") -> Response:
    """What is overdue at this moment."""
    return _page(request, done=done)


@router.post("")
def apply(request: Request, form: Form, person: Signed) -> Response:
    """End what was listed. If that is not what is overdue any more, list it anew and end nothing."""
    now, listed_at = now_of(request), _moment(form.values.get("listed_at", ""))
    if listed_at is None or listed_at > now:
        return _page(request, status=409, changed=True)
    with db_of(request).begin() as session:
        # As of the moment of the list: what became due since then waits for the next look.
        found = people.overdue(session, settings_of(request), now=listed_at)
        is_same = fingerprint(found) == form.values.get("listed", "")
        if is_same:
            people.apply(session, found, actor=person.actor, now=now)
    return RedirectResponse("/staff/retention?done=ended", 303) if is_same else _page(request, status=409, changed=True)


def fingerprint(found: Sequence[Overdue]) -> str:
    """What a list holds, in few characters: two lists with the same rows have the same."""
    return hashlib.sha256(json.dumps([(rows.rule, sorted(rows.ids)) for rows in found]).encode()).hexdigest()


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _page(request: Request, *, status: int = 200, changed: bool = False, done: str = "") -> Response:
    now = now_of(request)
    with db_of(request).read() as session:
        found = people.overdue(session, settings_of(request), now=now)
    return inside(
        request,
        "staff/retention.html",
        status=status,
        found=found,
        total=sum(len(rows.ids) for rows in found),
        listed_at=now.isoformat(),
        listed=fingerprint(found),
        changed=changed,
        done=done,
    )
