"""The staff's pages: the queue as it is now, the brakes, and single deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import alerts, dashboards, outbox, restoring
from outreach.accounts import Person
from outreach.domain.deliveries import UNSENT, State, Stream
from outreach.errors import NotFound, NotNow
from outreach.models import Delivery, ProviderState, Role
from outreach.web import wave_words, words
from outreach.web.bell import bell
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, now_of
from outreach.web.reasons import reason_in
from outreach.web.sessions import door, inside, person_of
from outreach.web.waves import waves_not_over

router = APIRouter(prefix="/staff", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: What staff may pause besides campaigns and targets. A wave is paused on its own page, where its state goes along.
PAUSABLE = ("all", *(f"stream:{stream}" for stream in Stream))


# The queue


@router.get("")
def queue(request: Request, done: str = "") -> Response:
    """The whole page. `live.js` then asks for its moving part only."""
    return inside(request, "staff/queue.html", **_overview(request), done=done)


@router.get("/live")
def live(request: Request) -> Response:
    """The moving part of the queue page."""
    return inside(request, "staff/live.html", **_overview(request))


def _overview(request: Request) -> dict[str, Any]:
    """What moves, seen in one moment: the queue, the alerts that stand, and the waves that are not over."""
    now = now_of(request)
    with db_of(request).read() as session:
        return {
            "overview": dashboards.queue_overview(session, now=now),
            "alerts": alerts.standing(session),
            "waves": waves_not_over(session),
            "said": wave_words,
        }


# The brakes


@router.get("/pause")
def check_pause(request: Request, scope: str = "all") -> Response:
    """What would stand still, and the form that asks why."""
    return _pause_page(request, scope, FormState())


@router.post("/pause")
def pause(request: Request, form: Form, person: Signed) -> Response:
    """Pull the brake. It holds within the hand-overs that are in the air."""
    scope = form.values.get("scope", "")
    reason, errors = reason_in(form)
    if scope == "all" and form.values.get("word", "").strip().lower() != "pause":
        errors["word"] = "Type the word pause."
    if errors:
        return _pause_page(request, scope, form.with_errors(errors, ("reason", "word")), status=422)
    with db_of(request).begin() as session:
        _subject(session, scope)
        outbox.pull_brake(session, scope, actor=person.actor, reason=reason, now=now_of(request))
    return RedirectResponse("/staff?done=paused", 303)


def _pause_page(request: Request, scope: str, form: FormState, *, status: int = 200) -> Response:
    with db_of(request).read() as session:
        what = words.scope(scope, _subject(session, scope))
    moving = _moving(request, scope)
    return inside(request, "staff/pause.html", status=status, form=form, scope=scope, what=what, moving=moving)


def _subject(session: Session, scope: str) -> str:
    """The name of what a scope stops, "" where it needs none; NotFound for what cannot be paused here."""
    if scope in PAUSABLE:
        return ""
    kind, _, which = scope.partition(":")
    if kind == "transport" and session.get(ProviderState, which) is not None:
        return ""
    name = dashboards.name_of(session, scope)
    if name is None:
        raise NotFound
    return name


@router.get("/resume")
def check_resume(request: Request, scope: str = "all") -> Response:
    """Who paused it and why, and how much begins to leave."""
    with db_of(request).read() as session:
        brake = next((b for b in dashboards.brakes_now(session) if b.scope == scope), None)
        lost = restoring.look(session, now=now_of(request)) if scope == outbox.RESTORED else None
    if brake is None:
        raise NotNow("This is not paused. Somebody may have resumed it in the meantime.")
    if brake.wave:
        raise NotFound  # a wave is resumed on its own page, where its state goes with its brake
    return inside(request, "staff/resume.html", brake=brake, lost=lost, moving=_moving(request, scope))


@router.post("/resume")
def resume(request: Request, form: Form, person: Signed) -> Response:
    """Lift the brake and ring the workers."""
    scope = form.values.get("scope", "")
    if scope.startswith("wave:"):
        raise NotFound
    with db_of(request).begin() as session:
        if scope == outbox.RESTORED:
            restoring.accept(session, actor=person.actor, reason="on the staff page", now=now_of(request))
        else:
            outbox.lift_brake(session, scope, actor=person.actor, now=now_of(request))
    response = RedirectResponse("/staff?done=resumed", 303)
    response.background = bell(request, *Stream)
    return response


@router.post("/transports/{name}/try")
def try_transport(request: Request, name: str, person: Signed) -> Response:
    """The next mail tries a way out that is closed, without waiting any longer."""
    with db_of(request).begin() as session:
        outbox.try_now(session, name, actor=person.actor, now=now_of(request))
    response = RedirectResponse("/staff?done=trying", 303)
    response.background = bell(request, *Stream)
    return response


def _moving(request: Request, scope: str) -> int | None:
    """How many mails a brake stops or lets go; None where the books do not tell."""
    kind, _, which = scope.partition(":")
    with db_of(request).read() as session:
        if kind == "stream" or scope in outbox.EVERYTHING:
            rows = dashboards.queue_overview(session, now=now_of(request)).streams
            counts = [row.counts for row in rows if kind != "stream" or row.stream == which]
            return sum(count[State.QUEUED] + count[State.CLAIMED] + count[State.SENDING] for count in counts)
        if kind == "campaign" and which.isdecimal():
            books = dashboards.state_counts(session, campaign_id=int(which))
            return books[State.QUEUED] + books[State.CLAIMED] + books[State.SENDING]
    return None


# Single deliveries


@router.get("/deliveries")
def deliveries(request: Request, state: str = "", stream: str = "", before: str = "") -> Response:
    """A page of the newest deliveries that match."""
    chosen_state = State(state) if state in set(State) else None
    chosen_stream = Stream(stream) if stream in set(Stream) else None
    with db_of(request).read() as session:
        rows, following = dashboards.deliveries_page(
            session,
            state=chosen_state,
            stream=chosen_stream,
            before=int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None,
        )
        counts = dashboards.state_counts(session)
    kept = {name: value for name, value in (("state", chosen_state), ("stream", chosen_stream)) if value}
    return inside(
        request,
        "staff/deliveries.html",
        rows=rows,
        counts=counts,
        state=chosen_state,
        stream=chosen_stream,
        is_first=not before,
        next_page=f"?{urlencode({**kept, 'before': following})}" if following else "",
        first_page=f"?{urlencode(kept)}",
    )


@router.get("/deliveries/{ref}")
def delivery(request: Request, ref: str, done: str = "") -> Response:
    """One delivery, all that happened to it, and what may be done about it now."""
    with db_of(request).read() as session:
        found = dashboards.delivery_page(session, ref)
    acts = [act for act in ACTS.values() if found.row.state in act.possible]
    return inside(request, "staff/delivery.html", delivery=found, row=found.row, acts=acts, done=ACTS.get(done))


@dataclass(frozen=True, slots=True)
class Act:
    """Something staff may do to one delivery."""

    name: str
    button: str
    means: str
    said: str  #: on the page afterwards
    possible: tuple[State, ...]
    do: Callable[[Session, str, str, str, datetime], Delivery]  #: session, ref, reason, actor, now
    asks_why: bool = True
    is_final: bool = False
    needs_word: bool = False
    rings: bool = False


ACTS = {
    act.name: act
    for act in (
        Act(
            "hold",
            "Hold this mail",
            "It stays here until somebody releases it.",
            "The mail is held.",
            (State.QUEUED, State.CLAIMED),
            lambda session, ref, reason, actor, now: outbox.hold(session, ref, reason=reason, actor=actor, now=now),
        ),
        Act(
            "release",
            "Release this mail",
            "It leaves as soon as its mailbox may be written to.",
            "The mail is queued.",
            (State.HELD,),
            lambda session, ref, reason, actor, now: outbox.release(session, ref, actor=actor, now=now),
            asks_why=False,
            rings=True,
        ),
        Act(
            "cancel",
            "Call this mail off",
            "It will not be sent. This cannot be undone.",
            "The mail is called off.",
            (*UNSENT, State.IN_DOUBT),
            lambda session, ref, reason, actor, now: outbox.cancel(session, ref, reason=reason, actor=actor, now=now),
            is_final=True,
        ),
        Act(
            "resend",
            "Send this mail again",
            "It may have arrived already: the target may get two.",
            "The mail is queued once more.",
            (State.IN_DOUBT, State.DEAD),
            lambda session, ref, reason, actor, now: outbox.resend(session, ref, reason=reason, actor=actor, now=now),
            is_final=True,
            needs_word=True,
            rings=True,
        ),
    )
}


@router.get("/deliveries/{ref}/{name}")
def check_act(request: Request, ref: str, name: str) -> Response:
    """What the act means for this delivery, and the form that asks why."""
    return _act_page(request, ref, name, FormState())


@router.post("/deliveries/{ref}/{name}")
def do_act(request: Request, ref: str, name: str, form: Form, person: Signed) -> Response:
    """Do it, audited."""
    act = _act(name)
    reason, errors = reason_in(form) if act.asks_why else ("", {})
    if act.needs_word and form.values.get("word", "").strip().lower() != act.name:
        errors["word"] = f"Type the word {act.name}."
    if errors:
        return _act_page(request, ref, name, form.with_errors(errors, ("reason", "word")), status=422)
    with db_of(request).begin() as session:
        moved = act.do(session, ref, reason, person.actor, now_of(request))
        ref, stream = moved.ref, moved.stream
    response = RedirectResponse(f"/staff/deliveries/{ref}?done={act.name}", 303)
    response.background = bell(request, stream) if act.rings else None
    return response


def _act(name: str) -> Act:
    try:
        return ACTS[name]
    except KeyError:
        raise NotFound from None


def _act_page(request: Request, ref: str, name: str, form: FormState, *, status: int = 200) -> Response:
    act = _act(name)
    with db_of(request).read() as session:
        found = dashboards.delivery_page(session, ref)
    if found.row.state not in act.possible:
        raise NotNow(f"A mail that is {found.row.state.replace('_', ' ')} cannot be acted on like this.")
    return inside(request, "staff/act.html", status=status, form=form, delivery=found, row=found.row, act=act)
