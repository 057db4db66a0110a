"""The staff's pages of suspects: signatures that are set aside, clearing or ending them, and what was ended."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from outreach import moderation
from outreach.accounts import Person
from outreach.dashboards.queue import names_of
from outreach.domain.deliveries import Stream
from outreach.domain.sieves import Sieve
from outreach.errors import NotFound
from outreach.models import Campaign, Role, Signature
from outreach.web.bell import bell, chore
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/suspects", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: Rows of a page; each is a field of its form, which has fifty at most.
ROWS = 25
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
    return begun(request, made[0] if len(made) == 1 else None)


def begun(request: Request, invalidation: int | None) -> Response:
    """To its page, and ring for who carries it out. None: there are several."""
    where = "?done=ending" if invalidation is None else f"/invalidations/{invalidation}"
    return RedirectResponse(f"/staff/suspects{where}", 303, background=chore(request, "outreach.invalidate"))


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
    return begun(request, invalidation)


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
