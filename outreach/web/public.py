"""What anybody sees: the campaigns, one campaign, and the form that signs it."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.deliveries import Stream
from outreach.domain.sentences import _
from outreach.errors import BadSignature, NotNow
from outreach.faultpoints import reached
from outreach.languages import language
from outreach.models import Database
from outreach.web import campaign_pages, gate, kept, papers, speaking
from outreach.web.beat import await_the_beat
from outreach.web.bell import bell
from outreach.web.forms import NO_FILES, FormState, posted
from outreach.web.pages import Db, HeldKeys, HeldSettings, Now, page, settings_of
from outreach.web.rates import Rates, rates_of
from outreach.web.sent_cookies import Sent, remember_sent
from outreach.web.sources import FROM, VIA, carried, source_of

router = APIRouter(include_in_schema=False)

#: The form's fields in the order of the page, so that the error summary lists them as a person meets them.
FIELDS = (
    *("subject", "body", "name", "email", "city", "postal_code", "own_words"),
    *("updates", "show_name", "share_address", "high_risk"),
)
#: What goes from page to page until it is signed.
KEPT = (*FIELDS, "subject_shown", "body_shown", "language", VIA, FROM)
#: What is looked at once more before it is signed, beside the letter itself.
_LOOKED_AT = (("name", _("Full name")), ("email", _("Email")), ("city", _("City")), ("postal_code", _("Postal code")))
#: A field that no person sees. What fills it in is no person.
TRAP = "website"

#: Public pages hold nothing personal: a browser may keep them, but asks before it shows them again.
_PUBLIC = {"Cache-Control": "no-cache"}


def counts_of(request: Request) -> kept.Counts:
    return request.app.state.counts  # type: ignore[no-any-return]


Counts = Annotated[kept.Counts, Depends(counts_of)]
Form = Annotated[FormState, Depends(posted)]


@router.get("/")
def campaigns(request: Request, db: Db, counts: Counts) -> Response:
    with db.read() as session:
        found = campaign_pages.listed(session, counts, wished=speaking.wished(request))
    return page(request, "public/campaigns.html", headers=_PUBLIC, campaigns=found)


@router.get("/c/{slug}")
def campaign(request: Request, slug: str, db: Db) -> Response:
    return _campaign(request, slug, db, FormState(carried(request.query_params)))


@router.post("/c/{slug}/change")
def change(request: Request, slug: str, form: Form, db: Db) -> Response:
    """Back to the form with all that was typed. `restore` names a field that is to have the campaign's words again."""
    restored = form.values.get("restore", "")
    return _campaign(request, slug, db, FormState({k: v for k, v in form.values.items() if k != restored}))


@router.post("/c/{slug}/sign")
def sign(
    request: Request,
    slug: str,
    form: Form,
    db: Db,
    rates: Annotated[Rates, Depends(rates_of)],
    settings: HeldSettings,
    keys: HeldKeys,
    now: Now,
) -> Response:
    """Sign, or say what is wrong and keep every value. The answer does not tell whether somebody signed before."""
    if wait := rates.take(request, "sign", per_minute=settings.signs_per_minute):
        return _campaign(request, slug, db, form, status=429, wait=wait)
    begun = time.monotonic()
    typed = sign_form(form.values)
    check_email = speaking.leading_on(request, f"/c/{slug}/check-your-email", typed.language)
    done = RedirectResponse(check_email, 303, background=bell(request, Stream.ACT))
    remember_sent(request, done, Sent(slug, typed.email.strip()[:320], int(now.timestamp())))
    if form.values.get(TRAP):
        await_the_beat(begun)
        return done
    if form.had_files:
        return _campaign(request, slug, db, form.with_errors({"own_words": NO_FILES}), status=422)
    try:
        if form.values.get("check"):
            return _check(request, slug, db, form, typed)
        verdict = gate.judge(request, slug, form.values)
        if verdict.asks:
            return _campaign(request, slug, db, form, status=428)
        with db.begin() as session:
            signing.sign(session, slug, typed, keys=keys, settings=settings, now=now, arrival=verdict.arrival)
            reached("web_before_commit")
        reached("web_after_commit")
    except BadSignature as error:
        return _campaign(request, slug, db, form.with_errors(error.fields, FIELDS), status=422)
    except NotNow:  # closed while the form was open; the page says so
        return _campaign(request, slug, db, form, status=409)
    await_the_beat(begun)
    return done


def _check(request: Request, slug: str, db: Database, form: FormState, asked: signing.SignForm) -> Response:
    """The letters word for word, before they are signed: for who changed them, or reads without scripts."""
    with db.read() as session:
        letters = signing.preview(session, slug, asked)
        shown = read_campaign(request, session, slug, own=asked.language)
    typed = {field: value for field, value in form.values.items() if field in (*KEPT, *gate.CARRIED) and value}
    return page(
        request,
        "public/check.html",
        own_language=asked.language,
        campaign=shown,
        letters=letters,
        typed=typed,
        fields=_LOOKED_AT,
    )


def _campaign(
    request: Request, slug: str, db: Database, form: FormState, *, status: int = 200, wait: int = 0
) -> Response:
    own = form.values.get("language", "")
    with db.read() as session:
        shown = read_campaign(request, session, slug, own=own)
    headers = _PUBLIC if status == 200 else {"Retry-After": str(wait)} if wait else {}
    return page(
        request,
        "public/campaign.html",
        status=status,
        headers=headers,
        own_language=own,
        default_language=shown.language,
        campaign=shown,
        form=form,
        trap=TRAP,
        wait=wait,
        proves=status == 428 or gate.asks_at_first(request) or bool(form.values.get(gate.ASKED)),
        is_asked=status == 428,
    )


def read_campaign(request: Request, session: Session, slug: str, *, own: str = "") -> campaign_pages.CampaignPage:
    """What the pages of this campaign say, `own` being the form's language; NotFound for one that is not published."""
    state, organisation = request.app.state, settings_of(request).organisation
    wished = speaking.wished(request, own=own)
    return campaign_pages.read(session, slug, state.counts, state.names, organisation=organisation, wished=wished)


def sign_form(values: dict[str, str]) -> signing.SignForm:
    """The form as it was filled in. Texts that came back as they were shown are the campaign's own."""
    speaker = language(values.get("language", ""))
    subject, body = (
        papers.own(values.get(field, ""), values.get(f"{field}_shown", ""), values, speaker)
        for field in ("subject", "body")
    )
    return signing.SignForm(
        name=values.get("name", ""),
        email=values.get("email", ""),
        city=values.get("city", ""),
        postal_code=values.get("postal_code", ""),
        own_words=values.get("own_words", ""),
        subject=subject,
        body=body,
        language=speaker.code,
        source=source_of(values),
        updates=values.get("updates") == "yes",
        show_name=values.get("show_name") == "yes",
        share_address=values.get("share_address") == "yes",
        high_risk=values.get("high_risk") == "yes",
    )
