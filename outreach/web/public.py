"""What anybody sees: the campaigns, one campaign, and the form that signs it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.deliveries import Stream
from outreach.errors import BadSignature, NotNow
from outreach.faultpoints import reached
from outreach.keys import Keys
from outreach.models import Database
from outreach.settings import Settings
from outreach.web import campaign_pages
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, page, settings_of
from outreach.web.rates import Rates, rates_of

#: Seconds. Longer than writing a signature takes on an idle machine.
_BEAT = 0.03
router = APIRouter(include_in_schema=False)

#: The form's fields in the order of the page, so that the error summary lists them as a person meets them.
FIELDS = ("name", "email", "city", "postal_code", "own_words", "updates", "show_name", "share_address")
#: A field that no person sees. What fills it in is no person.
TRAP = "website"

#: Public pages hold nothing personal: a browser may keep them, but asks before it shows them again.
_PUBLIC = {"Cache-Control": "no-cache"}


def counts_of(request: Request) -> campaign_pages.Counts:
    return request.app.state.counts  # type: ignore[no-any-return]


Db = Annotated[Database, Depends(db_of)]
Counts = Annotated[campaign_pages.Counts, Depends(counts_of)]


@router.get("/")
def campaigns(request: Request, db: Db, counts: Counts) -> Response:
    with db.read() as session:
        found = campaign_pages.listed(session, counts)
    return page(request, "public/campaigns.html", headers=_PUBLIC, campaigns=found)


@router.get("/c/{slug}")
def campaign(request: Request, slug: str, db: Db, counts: Counts) -> Response:
    return _campaign(request, slug, db, counts, FormState())


@router.post("/c/{slug}/sign")
def sign(
    request: Request,
    slug: str,
    form: Annotated[FormState, Depends(posted)],
    db: Db,
    counts: Counts,
    rates: Annotated[Rates, Depends(rates_of)],
    settings: Annotated[Settings, Depends(settings_of)],
    keys: Annotated[Keys, Depends(keys_of)],
    now: Annotated[datetime, Depends(now_of)],
) -> Response:
    """Sign, or say what is wrong and keep every value. The answer does not tell whether somebody signed before."""
    if wait := rates.take(request, "sign", per_minute=settings.signs_per_minute):
        return _campaign(request, slug, db, counts, form, status=429, wait=wait)
    begun = time.monotonic()
    done = RedirectResponse(f"/c/{slug}/check-your-email", 303, background=bell(request, Stream.ACT))
    if form.values.get(TRAP):
        return done
    try:
        with db.begin() as session:
            signing.sign(session, slug, _sign_form(form.values), keys=keys, settings=settings, now=now)
            reached("web_before_commit")
        reached("web_after_commit")
    except BadSignature as error:
        return _campaign(request, slug, db, counts, form.with_errors(error.fields, FIELDS), status=422)
    except NotNow:  # closed while the form was open; the page says so
        return _campaign(request, slug, db, counts, form, status=409)
    _await_the_beat(begun)
    return done


def _await_the_beat(begun: float) -> None:
    """Wait for the next multiple of 30 ms since `begun`.

    A new signature takes longer to write than a known one to look up. On a beat, how long the answer takes says
    nothing about who has signed.
    """
    time.sleep(_BEAT - (time.monotonic() - begun) % _BEAT)


@router.get("/c/{slug}/check-your-email")
def check_your_email(request: Request, slug: str, db: Db, counts: Counts) -> Response:
    with db.read() as session:
        shown = campaign_pages.read(session, slug, counts, organisation=settings_of(request).organisation)
    return page(request, "public/check_your_email.html", campaign=shown)


def _campaign(
    request: Request,
    slug: str,
    db: Database,
    counts: campaign_pages.Counts,
    form: FormState,
    *,
    status: int = 200,
    wait: int = 0,
) -> Response:
    with db.read() as session:
        shown = campaign_pages.read(session, slug, counts, organisation=settings_of(request).organisation)
    headers = _PUBLIC if status == 200 else {"Retry-After": str(wait)} if wait else {}
    return page(
        request, "public/campaign.html", status=status, headers=headers, campaign=shown, form=form, trap=TRAP, wait=wait
    )


def _sign_form(values: dict[str, str]) -> signing.SignForm:
    return signing.SignForm(
        name=values.get("name", ""),
        email=values.get("email", ""),
        city=values.get("city", ""),
        postal_code=values.get("postal_code", ""),
        own_words=values.get("own_words", ""),
        updates=values.get("updates") == "yes",
        show_name=values.get("show_name") == "yes",
        share_address=values.get("share_address") == "yes",
    )
