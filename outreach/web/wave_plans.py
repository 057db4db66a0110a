"""Planning a wave: first which kind, then who, what and when on one page. Checking is the wave's own page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import campaigns, waves
from outreach.accounts import Person
from outreach.domain.waves import WaveKind, WaveState
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import Campaign, CampaignState, Mailing, Role, Wave
from outreach.waves import Count, Draft
from outreach.web import wave_forms, wave_words
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/console/campaigns/{slug}/waves", include_in_schema=False, route_class=door(Role.ORGANIZER))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("/new")
def new(request: Request, slug: str, kind: str = "", like: str = "") -> Response:
    """Which kind; then the form, empty or with what a draft (`like`) was planned with."""
    with db_of(request).read() as session:
        campaign = _published(session, slug)
        if like:
            wave, mailing = _draft(session, campaign, like)
            form = wave_forms.filled(wave, mailing)
            form.values["like"] = str(wave.id)
            return _page(request, campaign, wave.kind, form)
        if kind in set(WaveKind):
            return _page(request, campaign, WaveKind(kind), wave_forms.empty(settings_of(request)))
        reached = {each: _counts(request, session, Draft(slug, each))[-1].n for each in WaveKind}
    return inside(request, "console/waves/kind.html", campaign=campaign, reached=reached, said=wave_words)


@router.post("/new")
def plan(request: Request, slug: str, form: Form, person: Signed) -> Response:
    """Count whom it would reach, or write the wave down. Nothing leaves before it is started."""
    kind = form.values.get("kind", "")
    if kind not in set(WaveKind):
        raise NotFound
    with db_of(request).read() as session:
        campaign = _published(session, slug)
    if form.values.get("act") == "count":
        return _page(request, campaign, WaveKind(kind), form)
    draft, errors = wave_forms.draft(form, slug=slug, kind=WaveKind(kind), language=campaign.language)
    if draft is None:
        return _page(request, campaign, WaveKind(kind), form.with_errors(errors, wave_forms.ORDER), status=422)
    now = now_of(request)
    try:
        waves.check(draft)
        with db_of(request).begin() as session:
            wave = waves.plan(session, draft, settings=settings_of(request), now=now, actor=person.actor)
            if like := form.values.get("like"):
                old, _ = _draft(session, campaign, like)
                waves.cancel(session, old.id, reason=f"Changed: it is wave {wave.id} now.", now=now, actor=person.actor)
    except BadInput as error:
        wrong = form.with_errors(wave_forms.errors_of(error), wave_forms.ORDER)
        return _page(request, campaign, WaveKind(kind), wrong, status=422)
    return RedirectResponse(f"/console/waves/{wave.id}?done=planned", 303)


def _page(request: Request, campaign: Campaign, kind: WaveKind, form: FormState, *, status: int = 200) -> Response:
    """The form, and how many the audience that stands in it would reach at this moment."""
    try:
        asked = Draft(
            campaign.slug,
            kind,
            audience=wave_forms.audience(form),
            subject=form.values.get("subject", "").strip(),
            body=form.values.get("body", ""),
        )
    except BadInput as error:
        form = form.with_errors(form.errors | {error.where: error.message}, wave_forms.ORDER)
        status, counts = 422, []
    else:
        with db_of(request).read() as session:
            counts = _counts(request, session, asked)
    return inside(
        request,
        "console/waves/new.html",
        status=status,
        campaign=campaign,
        kind=kind,
        form=form,
        counts=counts,
        zones=wave_forms.zones(),
        rare_open=any(name in form.errors for name in wave_forms.RARE),
        said=wave_words,
    )


def _counts(request: Request, session: Session, draft: Draft) -> list[Count]:
    return waves.audience_counts(session, draft, settings=settings_of(request), now=now_of(request))


def _published(session: Session, slug: str) -> Campaign:
    campaign = campaigns.find(session, slug)
    if campaign.state is CampaignState.DRAFT:
        raise NotNow("The campaign is not published yet, so nobody has signed. Publish it first, then plan its waves.")
    return campaign


def _draft(session: Session, campaign: Campaign, number: str) -> tuple[Wave, Mailing | None]:
    """A wave of the campaign that may still be planned anew."""
    wave = session.get(Wave, int(number)) if number.isascii() and number.isdecimal() and len(number) < 16 else None
    if wave is None or wave.campaign_id != campaign.id:
        raise NotFound
    if wave.state is not WaveState.DRAFT:
        raise NotNow(f"Wave {wave.id} is no draft any more, so its plan does not change. Plan another wave.")
    return wave, session.get(Mailing, wave.mailing_id) if wave.mailing_id else None
