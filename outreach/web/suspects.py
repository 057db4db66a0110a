"""The staff's pages of suspects: signatures that are set aside, what false ones have in common, and ending those."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import campaigns, moderation, wake
from outreach.accounts import Person
from outreach.dashboards.queue import names_of
from outreach.domain.deliveries import Stream
from outreach.domain.sieves import ANY, Sieve
from outreach.domain.suspects import Suspicion
from outreach.embedded import broker_url
from outreach.errors import BadInput, NotFound
from outreach.models import Campaign, Role, Signature
from outreach.web import words
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.web.reasons import reason_in
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/suspects", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: Rows of a page; each is a field of its form, which has fifty at most.
ROWS = 25
#: Whoever ends more than that types how many.
_MANY = 1000
FIELDS = ("campaign", "suspicion", "domain", "network", "since", "until", "name", "same_words", "reason", "word")
_CHOSEN = "chosen:"


# One by one


@router.get("")
def suspects(request: Request, reason: str = "", before: str = "", done: str = "") -> Response:
    """Those that wait, the newest first, and what was ended lately."""
    return _list_page(request, reason=reason, before=before, done=done)


@router.post("")
def decide(request: Request, form: Form, person: Signed) -> Response:
    """Clear the chosen ones, or end them."""
    refs = [name.removeprefix(_CHOSEN) for name in form.values if name.startswith(_CHOSEN)]
    if not refs:
        return _list_page(request, status=422, reason=form.values.get("suspicion", ""), none_chosen=True)
    if form.values.get("act") == "end":
        return _end_chosen(request, refs, person)
    with db_of(request).begin() as session:
        moderation.clear(
            session, refs, keys=keys_of(request), settings=settings_of(request), now=now_of(request), actor=person.actor
        )
    ring = bell(request, Stream.ACT, Stream.LETTERS)
    return RedirectResponse("/staff/suspects?done=cleared", 303, background=ring)


def _end_chosen(request: Request, refs: list[str], person: Person) -> Response:
    """A page holds several campaigns, an invalidation one: those chosen make one for each."""
    with db_of(request).begin() as session:
        mine = select(Signature.campaign_id).where(Signature.ref.in_(refs)).distinct().order_by(Signature.campaign_id)
        made = [
            moderation.start(
                session,
                campaign_id,
                Sieve(refs=tuple(refs)),
                reason="Chosen one by one.",
                now=now_of(request),
                actor=person.actor,
            ).id
            for campaign_id in session.scalars(mine).all()
        ]
    if not made:
        raise NotFound
    return _begun(request, made[0] if len(made) == 1 else None)


def _begun(request: Request, invalidation: int | None) -> Response:
    """To its page, and ring for who carries it out."""
    wake.ring(broker_url(settings_of(request)), "outreach.invalidate")
    where = "?done=ending" if invalidation is None else f"/invalidations/{invalidation}"
    return RedirectResponse(f"/staff/suspects{where}", 303)


def _list_page(
    request: Request,
    *,
    status: int = 200,
    reason: str = "",
    before: str = "",
    done: str = "",
    none_chosen: bool = False,
) -> Response:
    with db_of(request).read() as session:
        rows = moderation.suspects(session, reason=reason, before=before, limit=ROWS + 1)
        reasons = moderation.reasons(session)
        latest = moderation.latest(session)
    return inside(
        request,
        "staff/suspects.html",
        status=status,
        rows=rows[:ROWS],
        following=rows[ROWS - 1].ref if len(rows) > ROWS else "",
        reasons=reasons,
        chosen=reason,
        latest=latest,
        done=done,
        none_chosen=none_chosen,
        prefix=_CHOSEN,
    )


# By what they have in common


@router.get("/sieve")
def sieve(request: Request) -> Response:
    """The form that says what they have in common."""
    return _sieve_page(request, FormState())


@router.post("/sieve")
def sift(request: Request, form: Form, person: Signed) -> Response:
    """Show what fits, or end exactly that. If something else fits by now, show it once more and end nothing."""
    errors: dict[str, str] = {}
    asked = _sieve_in(form, errors)
    with db_of(request).read() as session:
        campaign_id = _campaign_in(session, form, errors)
        found = _found(session, campaign_id, asked, errors)
    if found is None or form.values.get("step") != "end":
        return _sieve_page(request, form.with_errors(errors, FIELDS), found=found, status=422 if errors else 200)
    why, wrong = reason_in(form)
    if found.total > _MANY and form.values.get("word", "").strip().replace(",", "") != str(found.total):
        wrong["word"] = f"Type the number {found.total}."
    is_same = form.values.get("total") == str(found.total)
    if wrong or not is_same:
        changed = not is_same and not wrong
        return _sieve_page(
            request, form.with_errors(wrong, FIELDS), found=found, changed=changed, status=409 if changed else 422
        )
    with db_of(request).begin() as session:
        made = moderation.start(session, campaign_id, asked, reason=why, now=now_of(request), actor=person.actor)
        id_ = made.id
    return _begun(request, id_)


def _found(session: Session, campaign_id: int, asked: Sieve, errors: dict[str, str]) -> moderation.Preview | None:
    if errors:
        return None
    try:
        return moderation.preview(session, campaign_id, asked)
    except BadInput as error:
        errors["suspicion"] = error.message
        return None


def _sieve_page(
    request: Request,
    form: FormState,
    *,
    found: moderation.Preview | None = None,
    changed: bool = False,
    status: int = 200,
) -> Response:
    with db_of(request).read() as session:
        slugs = list(session.scalars(select(Campaign.slug).order_by(Campaign.id.desc()).limit(200)))
    return inside(
        request,
        "staff/sieve.html",
        status=status,
        form=form,
        found=found,
        changed=changed,
        campaigns=[("", "Choose one"), *((slug, slug) for slug in slugs)],
        suspicions=[("", "Set aside or not"), (ANY, "For whatever reason"), *words.SUSPICIONS.items()],
        asks_number=found is not None and found.total > _MANY,
    )


def _campaign_in(session: Session, form: FormState, errors: dict[str, str]) -> int:
    try:
        return campaigns.find(session, form.values.get("campaign", "")).id
    except NotFound:
        errors["campaign"] = "Choose a campaign."
        return 0


def _sieve_in(form: FormState, errors: dict[str, str]) -> Sieve:
    def said(name: str) -> str:
        return form.values.get(name, "").strip()

    def moment(name: str) -> datetime | None:
        try:
            return datetime.strptime(said(name), "%Y-%m-%d %H:%M").replace(tzinfo=UTC) if said(name) else None
        except ValueError:
            errors[name] = "Write a day and a time in UTC, like 2026-03-02 09:00."
            return None

    same_words = said("same_words")
    if same_words and not (same_words.isascii() and same_words.isdecimal() and len(same_words) < 7):
        errors["same_words"] = "Write a whole number, like 5."
        same_words = ""
    reason = said("suspicion") if said("suspicion") in {ANY, *Suspicion} else ""
    try:
        return Sieve(
            reason=reason,
            mail_domain=said("domain"),
            network=said("network"),
            since=moment("since"),
            until=moment("until"),
            name=said("name"),
            same_words=int(same_words or 0),
        )
    except ValueError as error:
        errors["name"] = str(error)
        return Sieve()


# What was ended


@router.get("/invalidations/{invalidation:int}")
def invalidation(request: Request, invalidation: int) -> Response:
    """How far it is, what it ended, and the way back."""
    return inside(request, "staff/invalidation.html", **_invalidation(request, invalidation))


@router.get("/invalidations/{invalidation:int}/live")
def live(request: Request, invalidation: int) -> Response:
    """The moving part of that page."""
    return inside(request, "staff/invalidation_live.html", **_invalidation(request, invalidation))


@router.post("/invalidations/{invalidation:int}/undo")
def undo(request: Request, invalidation: int, person: Signed) -> Response:
    """Take it back as a whole."""
    with db_of(request).begin() as session:
        moderation.undo(session, invalidation, now=now_of(request), actor=person.actor)
    return _begun(request, invalidation)


def _invalidation(request: Request, id_: int) -> dict[str, Any]:
    with db_of(request).read() as session:
        progress = moderation.progress(session, id_)
        return {
            "progress": progress,
            "names": names_of(session, [progress.made_by, progress.undone_by]),
            "campaign": session.get_one(Campaign, progress.campaign_id),
            "sample": moderation.sample(session, id_),
            "gone": moderation.letters_gone(session, id_),
        }
