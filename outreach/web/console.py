"""The organizers' pages: their campaigns, whom they write to, with which words, and what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import campaigns, dashboards, forecasts, targets
from outreach.accounts import Person
from outreach.domain.deliveries import Stream
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import CampaignState, Role
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/console", include_in_schema=False, route_class=door(Role.ORGANIZER))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("")
def overview(request: Request) -> Response:
    """All campaigns with their numbers."""
    with db_of(request).read() as session:
        rows = dashboards.campaigns_overview(session)
    return inside(request, "console/campaigns.html", rows=rows)


@router.get("/campaigns/{slug}")
def campaign(request: Request, slug: str, done: str = "") -> Response:
    """One campaign: numbers, targets, words, newest letters."""
    with db_of(request).read() as session:
        row = _row(session, slug)
        found = campaigns.find(session, slug)
        try:
            letter = campaigns.letter_of(session, found)
        except NotFound:
            letter = None
        return inside(
            request,
            "console/campaign.html",
            row=row,
            campaign=found,
            letter=letter,
            foreseen=forecasts.of_campaign(session, found, now=now_of(request), settings=settings_of(request)),
            targets=dashboards.targets_of(session, row.id),
            letters=dashboards.recent_letters(session, row.id),
            done=done,
        )


@router.get("/campaigns/{slug}/publish")
def check_publish(request: Request, slug: str) -> Response:
    """What publishing starts, before it starts."""
    return _check(request, slug, "publish", CampaignState.DRAFT)


@router.post("/campaigns/{slug}/publish")
def publish(request: Request, slug: str, form: Form, person: Signed) -> Response:
    """Open the campaign to signers."""
    hold = bool(form.values.get("hold_for_waves"))
    with db_of(request).begin() as session:
        campaigns.publish(session, slug, hold_for_waves=hold, now=now_of(request), actor=person.actor)
    return RedirectResponse(f"/console/campaigns/{slug}?done=published", 303)


@router.get("/campaigns/{slug}/close")
def check_close(request: Request, slug: str) -> Response:
    """What closing ends and what goes on."""
    return _check(request, slug, "close", CampaignState.PUBLISHED)


@router.post("/campaigns/{slug}/close")
def close(request: Request, slug: str, person: Signed) -> Response:
    """Take no more signatures."""
    with db_of(request).begin() as session:
        campaigns.close(session, slug, now=now_of(request), actor=person.actor)
    return RedirectResponse(f"/console/campaigns/{slug}?done=closed", 303)


def _check(request: Request, slug: str, act: str, needed: CampaignState) -> Response:
    with db_of(request).read() as session:
        row = _row(session, slug)
        reached = dashboards.targets_of(session, row.id)
    if row.state is not needed:
        raise NotNow(f"The campaign is {row.state}. Somebody may have changed it in the meantime.")
    return inside(request, f"console/{act}.html", row=row, targets=reached)


@router.get("/campaigns/{slug}/targets/{ref}")
def target(request: Request, slug: str, ref: str) -> Response:
    """Where a target is written to, and the form that changes it."""
    with db_of(request).read() as session:
        row, reached = _target(session, slug, ref)
    return inside(request, "console/target.html", row=row, target=reached, form=FormState({"email": reached.address}))


@router.post("/campaigns/{slug}/targets/{ref}")
def set_contact(request: Request, slug: str, ref: str, form: Form, person: Signed) -> Response:
    """Write to the target at this address from now on."""
    with db_of(request).read() as session:
        row, reached = _target(session, slug, ref)
    try:
        with db_of(request).begin() as session:
            targets.set_contact(
                session,
                targets.find(session, ref),
                email=form.values.get("email", "")[:321],
                keys=keys_of(request),
                settings=settings_of(request),
                now=now_of(request),
                actor=person.actor,
            )
    except BadInput:
        said = "Enter an email address in the right form, like office@example.org."
        return inside(
            request,
            "console/target.html",
            status=422,
            row=row,
            target=reached,
            form=form.with_errors({"email": said}),
        )
    response = RedirectResponse(f"/console/campaigns/{slug}?done=contact", 303)
    response.background = bell(request, Stream.LETTERS)
    return response


def _row(session: Session, slug: str) -> dashboards.CampaignRow:
    rows = dashboards.campaigns_overview(session, slug=slug)
    if not rows:
        raise NotFound
    return rows[0]


def _target(session: Session, slug: str, ref: str) -> tuple[dashboards.CampaignRow, dashboards.TargetRow]:
    row = _row(session, slug)
    for reached in dashboards.targets_of(session, row.id):
        if reached.ref == ref:
            return row, reached
    raise NotFound
