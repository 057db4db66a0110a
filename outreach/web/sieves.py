"""The staff's form that says what false signatures have in common, shows what fits, and ends exactly that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from outreach import campaigns, moderation
from outreach.accounts import Person
from outreach.domain.sieves import ANY, Sieve
from outreach.domain.suspects import Suspicion
from outreach.errors import BadInput, NotFound
from outreach.models import Campaign, Role
from outreach.web import words
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.reasons import reason_in
from outreach.web.sessions import door, inside, person_of
from outreach.web.suspects import begun

router = APIRouter(prefix="/staff/suspects/sieve", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: Whoever ends more than that types how many.
_MANY = 1000
FIELDS = ("campaign", "suspicion", "domain", "network", "since", "until", "name", "same_words", "reason", "word")


@router.get("")
def sieve(request: Request) -> Response:
    """The form that says what they have in common."""
    return _page(request, FormState())


@router.post("")
def sift(request: Request, form: Form, person: Signed) -> Response:
    """Show what fits, or end exactly that. If something else fits by now, show it once more and end nothing."""
    errors: dict[str, str] = {}
    asked = _sieve_in(form, errors)
    with db_of(request).read() as session:
        campaign_id = _campaign_in(session, form, errors)
        found = _found(session, campaign_id, asked, errors)
    if found is None or form.values.get("step") != "end":
        return _page(request, form.with_errors(errors, FIELDS), found=found, status=422 if errors else 200)
    why, wrong = reason_in(form)
    if found.total > _MANY and form.values.get("word", "").strip().replace(",", "") != str(found.total):
        wrong["word"] = f"Type the number {found.total}."
    is_same = form.values.get("total") == str(found.total)
    if wrong or not is_same:
        changed = not is_same and not wrong
        return _page(
            request, form.with_errors(wrong, FIELDS), found=found, changed=changed, status=409 if changed else 422
        )
    with db_of(request).begin() as session:
        made = moderation.start(session, campaign_id, asked, reason=why, now=now_of(request), actor=person.actor)
        id_ = made.id
    return begun(request, id_)


def _found(session: Session, campaign_id: int, asked: Sieve, errors: dict[str, str]) -> moderation.Preview | None:
    if errors:
        return None
    try:
        return moderation.preview(session, campaign_id, asked)
    except BadInput as error:
        errors["suspicion"] = error.message
        return None


def _page(
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
