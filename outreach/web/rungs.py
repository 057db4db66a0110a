"""The pages that add, change and end the steps of a campaign's follow-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import campaigns, dashboards, ladders
from outreach.accounts import Person
from outreach.dashboards import LadderRow
from outreach.domain.ladders import StepState
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import Campaign, Ladder, Role, Rung
from outreach.web import rung_forms, wave_forms
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(
    prefix="/console/campaigns/{slug}/follow-ups/{number:int}/steps",
    include_in_schema=False,
    route_class=door(Role.ORGANIZER),
)

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

_TWICE = (
    "Another step was added since this page was opened. Look at it first; then add this one, if it is still needed."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: its campaign, its ladder and, unless it is new, the rung and who waits on it."""

    campaign: Campaign
    ladder: LadderRow
    rung: Rung | None = None
    waiting: int = 0

    @property
    def last(self) -> str:
        """The newest rung's number: a form that is posted twice finds another one."""
        return str(max((row.rung.id for row in self.ladder.rungs), default=0))


@router.get("/new")
def new(request: Request, slug: str, number: int) -> Response:
    """The form of a new step."""
    return _page(request, slug, number, None, rung_forms.empty(settings_of(request).zone))


@router.post("/new")
def add(request: Request, slug: str, number: int, form: Form, person: Signed) -> Response:
    """One more step at the end, for what happens from now on."""
    made, errors = rung_forms.rung(form)
    if made is None:
        return _page(request, slug, number, None, form.with_errors(errors, rung_forms.ORDER), status=422)
    try:
        ladders.check(made)
        with db_of(request).begin() as session:
            ladder = session.get(Ladder, number if number < 1 << 53 else 0, with_for_update=True)
            place = _place(session, slug, number, None)
            if ladder is None:
                raise NotFound
            if form.values.get("last") != place.last:
                raise BadInput(_TWICE, where="subject")
            ladders.add_rung(session, ladder, made, now=now_of(request), actor=person.actor)
    except BadInput as error:
        wrong = form.with_errors(rung_forms.errors_of(error), rung_forms.ORDER)
        return _page(request, slug, number, None, wrong, status=422)
    return RedirectResponse(f"/console/campaigns/{slug}/follow-ups?done=added", 303)


@router.get("/{step:int}/change")
def change(request: Request, slug: str, number: int, step: int) -> Response:
    """The form with a step as it is."""
    return _page(request, slug, number, step, None)


@router.post("/{step:int}/change")
def do_change(request: Request, slug: str, number: int, step: int, form: Form, person: Signed) -> Response:
    """Put the changed step in the place of this one. Who waits on this one still gets it."""
    made, errors = rung_forms.rung(form)
    if made is None:
        return _page(request, slug, number, step, form.with_errors(errors, rung_forms.ORDER), status=422)
    try:
        ladders.check(made)
        with db_of(request).begin() as session:
            rung = _locked(session, slug, number, step)
            ladders.edit_rung(session, rung, made, now=now_of(request), actor=person.actor)
    except BadInput as error:
        wrong = form.with_errors(rung_forms.errors_of(error), rung_forms.ORDER)
        return _page(request, slug, number, step, wrong, status=422)
    return RedirectResponse(f"/console/campaigns/{slug}/follow-ups?done=changed", 303)


@router.get("/{step:int}/end")
def check_end(request: Request, slug: str, number: int, step: int) -> Response:
    """What ending a step means."""
    with db_of(request).read() as session:
        place = _place(session, slug, number, step)
        return inside(request, "console/end_rung.html", place=place)


@router.post("/{step:int}/end")
def end(request: Request, slug: str, number: int, step: int, person: Signed) -> Response:
    """Nobody is put on this step any more; who waits on it still gets its mail."""
    with db_of(request).begin() as session:
        ladders.end_rung(session, _locked(session, slug, number, step), now=now_of(request), actor=person.actor)
    return RedirectResponse(f"/console/campaigns/{slug}/follow-ups?done=ended", 303)


def _place(session: Session, slug: str, number: int, step: int | None) -> Place:
    """NotFound for what is not there, NotNow for what is over."""
    campaign = campaigns.find(session, slug)
    ladder = next((row for row in dashboards.follow_ups(session, campaign) if row.id == number), None)
    if ladder is None:
        raise NotFound
    row = next((row for row in ladder.rungs if row.rung.id == step), None)
    if step is not None and row is None:
        raise NotFound
    if ladder.stopped_at is not None:
        raise NotNow("These follow-ups are stopped. Somebody may have stopped them in the meantime.")
    if row is None:
        return Place(campaign, ladder)
    if row.rung.ended_at is not None:
        raise NotNow("This step has ended already. Somebody may have changed or ended it in the meantime.")
    return Place(campaign, ladder, row.rung, row.counts[StepState.WAITING])


def _locked(session: Session, slug: str, number: int, step: int) -> Rung:
    """The rung, which nobody else changes until the transaction ends."""
    session.get(Rung, step if step < 1 << 53 else 0, with_for_update=True)
    rung = _place(session, slug, number, step).rung
    if rung is None:
        raise NotFound
    return rung


def _page(
    request: Request, slug: str, number: int, step: int | None, form: FormState | None, *, status: int = 200
) -> Response:
    with db_of(request).read() as session:
        place = _place(session, slug, number, step)
        form = form or (rung_forms.filled(place.rung) if place.rung else FormState())
        some_seconds = form.values.get("unit") == "seconds"
        return inside(
            request,
            "console/rung.html",
            status=status,
            place=place,
            form=form,
            zones=wave_forms.zones(),
            units=[(unit, unit) for unit in rung_forms.UNITS if unit != "seconds" or some_seconds],
        )
