"""The pages of follow-ups: a campaign's ladders, who waits on them, and how to begin or stop one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import campaigns, dashboards, ladders
from outreach.accounts import Person
from outreach.errors import BadInput, NotFound, NotNow
from outreach.ladders.building import find
from outreach.models import Campaign, Role
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(
    prefix="/console/campaigns/{slug}/follow-ups", include_in_schema=False, route_class=door(Role.ORGANIZER)
)

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("")
def follow_ups(request: Request, slug: str, done: str = "") -> Response:
    """The campaign's ladders with their steps and numbers."""
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
        rows = dashboards.follow_ups(session, campaign)
    return inside(request, "console/follow_ups.html", campaign=campaign, ladders=rows, done=done)


@router.get("/new")
def new(request: Request, slug: str) -> Response:
    """The form of a new ladder."""
    return _new_page(request, slug, FormState())


@router.post("/new")
def build(request: Request, slug: str, form: Form, person: Signed) -> Response:
    """Begin a ladder without steps."""
    try:
        with db_of(request).begin() as session:
            campaign, name = campaigns.find(session, slug), form.values.get("name", "")
            ladders.build(session, campaign, name, now=now_of(request), actor=person.actor)
    except BadInput:
        return _new_page(request, slug, form.with_errors({"name": "Give these follow-ups a name."}), status=422)
    return RedirectResponse(f"/console/campaigns/{slug}/follow-ups?done=built", 303)


def _new_page(request: Request, slug: str, form: FormState, *, status: int = 200) -> Response:
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
    return inside(request, "console/new_ladder.html", status=status, campaign=campaign, form=form)


@router.get("/{number:int}/stop")
def check_stop(request: Request, slug: str, number: int) -> Response:
    """What stopping ends."""
    with db_of(request).read() as session:
        campaign, row = _ladder(session, slug, number)
    if row.stopped_at is not None:
        raise NotNow("This ladder is stopped already. Somebody may have stopped it in the meantime.")
    return inside(request, "console/stop_ladder.html", campaign=campaign, ladder=row)


@router.post("/{number:int}/stop")
def stop(request: Request, slug: str, number: int, person: Signed) -> Response:
    """Nobody climbs this ladder any more; who waits on it gets nothing."""
    with db_of(request).begin() as session:
        _ladder(session, slug, number)
        ladders.stop(session, find(session, number), now=now_of(request), actor=person.actor)
    return RedirectResponse(f"/console/campaigns/{slug}/follow-ups?done=stopped", 303)


def _ladder(session: Session, slug: str, number: int) -> tuple[Campaign, dashboards.LadderRow]:
    campaign = campaigns.find(session, slug)
    for row in dashboards.follow_ups(session, campaign):
        if row.id == number:
            return campaign, row
    raise NotFound
