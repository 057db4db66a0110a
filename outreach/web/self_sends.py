"""Sending a letter from one's own mail: without signing, and nothing is kept; or instead of ours, which is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.own_mail import Way
from outreach.errors import BadSignature
from outreach.models import Database
from outreach.web.campaign_pages import Heading
from outreach.web.forms import FormState, posted
from outreach.web.links import Guarded
from outreach.web.pages import Db, Now, page

router = APIRouter(include_in_schema=False)

#: The form's fields in the order of the page.
FIELDS = ("name", "city", "postal_code", "own_words")

Form = Annotated[FormState, Depends(posted)]


@router.get("/c/{slug}/send")
def ask(request: Request, slug: str, db: Db) -> Response:
    """Who writes, and in which words. No address: we send nothing."""
    return _page(request, slug, db, FormState())


@router.post("/c/{slug}/send")
def write(request: Request, slug: str, form: Form, db: Db) -> Response:
    """The letters, ready to be sent by whoever wrote them. Nothing of it is kept or counted."""
    name, city, postal_code, own_words = (form.values.get(field, "") for field in FIELDS)
    typed = signing.SignForm(name=name, email="", city=city, postal_code=postal_code, own_words=own_words)
    try:
        with db.read() as session:
            letters = signing.own_letters(session, slug, typed)
    except BadSignature as error:
        return _page(request, slug, db, form.with_errors(error.fields, FIELDS), status=422)
    return _page(request, slug, db, form, letters=letters)


@router.post("/letter/{token}/sent/{target_id:int}", dependencies=[Guarded])
def sent(request: Request, token: str, target_id: int, form: Form, db: Db, now: Now) -> Response:
    """Note it, and call off ours to this target if it has not left."""
    told = form.values.get("way", "")
    way = Way(told) if told in set(Way) else Way.COPY
    with db.begin() as session:
        signing.self_sent(session, token, target_id, way, now=now)
    return RedirectResponse(f"/letter/{token}?done=sent", 303)


def _page(
    request: Request,
    slug: str,
    db: Database,
    form: FormState,
    *,
    letters: Sequence[signing.OwnLetter] = (),
    status: int = 200,
) -> Response:
    with db.read() as session:
        row = signing.self_send_campaign(session, slug)
        campaign = Heading(row.slug, row.title, row.language, row.high_risk)
    return page(
        request,
        "public/send.html",
        status=status,
        default_language=campaign.language,
        campaign=campaign,
        form=form,
        letters=letters,
    )
