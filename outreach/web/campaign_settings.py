"""The organizers' page of a campaign's settings: what signers may change, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import campaign_settings, campaigns
from outreach.accounts import Person
from outreach.campaign_settings import SETTINGS, SWITCHES
from outreach.errors import BadInput
from outreach.models import Campaign, Role
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/console/campaigns", include_in_schema=False, route_class=door(Role.ORGANIZER))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@router.get("/{slug}/settings")
def settings(request: Request, slug: str) -> Response:
    """The settings as they are."""
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
        return _page(request, campaign, _filled(campaign))


@router.post("/{slug}/settings")
def change(request: Request, slug: str, form: Form, person: Signed) -> Response:
    """Let signers do what the form says, from the next signature on."""
    changes, errors = _changes_in(form)
    if not errors:
        try:
            with db_of(request).begin() as session:
                campaign_settings.change(session, slug, changes, now=now_of(request), actor=person.actor)
            return RedirectResponse(f"/console/campaigns/{slug}?done=settings", 303)
        except BadInput as error:
            errors = {"reply_mode": error.message}
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
        return _page(request, campaign, form.with_errors(errors, SETTINGS), status=422)


@router.post("/{slug}/links")
def link(request: Request, slug: str, form: Form, person: Signed) -> Response:
    """Let the page's asks lead where the form says: all of them, or none."""
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
        shown, numbers = _filled(campaign), [ask.position for ask in campaign.asks]
    number = 0
    try:
        with db_of(request).begin() as session:
            for number in numbers:
                url, now = form.values.get(f"link-{number}", ""), now_of(request)
                campaign_settings.link_ask(session, slug, number, url, now=now, actor=person.actor)
    except BadInput as error:
        wrong = {f"link-{number}": f"{error.message} {error.advice}"}
        return _page(request, campaign, FormState(shown.values | form.values, wrong), status=422)
    return RedirectResponse(f"/console/campaigns/{slug}?done=settings", 303)


def _changes_in(form: FormState) -> tuple[dict[str, Any], dict[str, str]]:
    """Every setting as the form has it, and a sentence for each that cannot be read. A box left empty is off."""
    changes, errors = dict[str, Any](), dict[str, str]()
    for name in SETTINGS:
        text = form.values.get(name, "")
        try:
            changes[name] = campaign_settings.read(name, ("on" if text else "off") if name in SWITCHES else text)
        except BadInput as error:
            errors[name] = f"{error.message} {error.advice}".strip()
    return changes, errors


def _filled(campaign: Campaign) -> FormState:
    settings = campaign_settings.settings_of(campaign)
    typed = {name: "yes" for name in SWITCHES if settings[name]}
    return FormState(
        {
            **typed,
            "reply_mode": settings["reply_mode"],
            "signs_per_minute": str(settings["signs_per_minute"] or ""),
            "embed_origins": "\n".join(settings["embed_origins"]),
            **{f"link-{ask.position}": ask.link_url for ask in campaign.asks},
        }
    )


def _page(request: Request, campaign: Campaign, form: FormState, *, status: int = 200) -> Response:
    return inside(request, "console/settings.html", status=status, campaign=campaign, form=form, switches=SWITCHES)
