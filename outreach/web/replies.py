"""What offices answered, for organizers and staff: read, passed on after all, put on the campaign's page or not."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import audit_log, campaigns, replies
from outreach.accounts import Person
from outreach.domain.deliveries import Stream
from outreach.domain.replies import ReplyKind
from outreach.errors import BadInput, NotFound
from outreach.models import Campaign, Reply, Role
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

#: Two doors: organizers read and decide about their campaigns' answers; whole mails are for staff.
console = APIRouter(
    prefix="/console/campaigns/{slug}/replies", include_in_schema=False, route_class=door(Role.ORGANIZER)
)
staff = APIRouter(prefix="/staff/replies", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]


@console.get("")
def overview(request: Request, slug: str, kind: str = "", done: str = "") -> Response:
    """The campaign's answers, of one kind or all."""
    chosen = ReplyKind(kind) if kind in set(ReplyKind) else None
    with db_of(request).read() as session:
        campaign = campaigns.find(session, slug)
        return inside(
            request,
            "console/replies.html",
            campaign=campaign,
            rows=replies.campaign_replies(session, campaign_id=campaign.id, kind=chosen),
            counts=replies.kinds_of(session, campaign.id),
            dropped=replies.dropped_lately(session, now=now_of(request)),
            chosen=chosen,
            done=done,
        )


@console.get("/{ref}")
def show(request: Request, slug: str, ref: str, done: str = "") -> Response:
    """One answer, its original folded, and what may be done about it."""
    return _page(request, slug, ref, FormState(), done=done)


@console.post("/{ref}/approve")
def approve(request: Request, slug: str, ref: str, form: Form, person: Signed) -> Response:
    """Show the excerpt on the campaign's page."""
    try:
        with db_of(request).begin() as session:
            reply = _own(session, slug, ref)[1]
            excerpt = form.values.get("excerpt", "")
            replies.approve(session, reply, excerpt, actor=person.actor, now=now_of(request))
    except BadInput as error:
        return _page(request, slug, ref, form.with_errors({"excerpt": str(error.message)}), status=422)
    return _back(slug, ref, "shown")


@console.post("/{ref}/refuse")
def refuse(request: Request, slug: str, ref: str, form: Form, person: Signed) -> Response:
    """Do not show it, or no longer."""
    try:
        with db_of(request).begin() as session:
            reply = _own(session, slug, ref)[1]
            replies.refuse(session, reply, form.values.get("reason", ""), actor=person.actor, now=now_of(request))
    except BadInput as error:
        return _page(request, slug, ref, form.with_errors({"reason": error.message}), status=422)
    return _back(slug, ref, "refused")


@console.post("/{ref}/pass-on")
def pass_on(request: Request, slug: str, ref: str, person: Signed) -> Response:
    """A person wrote it after all: mail it to the signer."""
    now = now_of(request)
    with db_of(request).begin() as session:
        reply = _own(session, slug, ref)[1]
        replies.pass_on(session, reply, settings=settings_of(request), now=now)
        audit_log.note(session, person.actor, "reply.pass_on", f"reply:{ref}", now=now)
    response = _back(slug, ref, "passed")
    response.background = bell(request, Stream.ACT)
    return response


@staff.get("/{ref}/mail")
def whole_mail(request: Request, ref: str) -> Response:
    """The mail as it came, as a file of plain text: nothing in it acts in a browser."""
    with db_of(request).read() as session:
        raw = replies.find(session, ref).raw
    if raw is None:
        raise NotFound("The whole mail is not kept any more.")
    return Response(
        raw,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="answer-{ref}.txt"'},
    )


def _own(session: Session, slug: str, ref: str) -> tuple[Campaign, Reply]:
    campaign, reply = campaigns.find(session, slug), replies.find(session, ref)
    if reply.campaign_id != campaign.id:
        raise NotFound
    return campaign, reply


def _page(request: Request, slug: str, ref: str, form: FormState, *, status: int = 200, done: str = "") -> Response:
    with db_of(request).read() as session:
        campaign, _ = _own(session, slug, ref)
        row = replies.row_of(session, ref)
    form.values.setdefault("excerpt", row.share_text or row.text)
    return inside(request, "console/reply.html", status=status, campaign=campaign, row=row, form=form, done=done)


def _back(slug: str, ref: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"/console/campaigns/{slug}/replies/{ref}?done={done}", 303)


router = APIRouter()
router.include_router(console)
router.include_router(staff)
