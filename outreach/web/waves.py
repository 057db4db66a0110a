"""The pages of waves: what there is, how one goes, and the acts that move it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import dashboards, waves
from outreach.accounts import Person
from outreach.domain.deliveries import State
from outreach.domain.waves import NEXT, OVER, WaveState
from outreach.errors import NotFound, NotNow
from outreach.models import Campaign, Mailing, Role, Wave
from outreach.settings import Settings
from outreach.waves import Count, Preview, Progress
from outreach.web import wave_words
from outreach.web.bell import chore
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.web.reasons import reason_in
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/console/waves", include_in_schema=False, route_class=door(Role.ORGANIZER))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: Waves on one page; those that are not over come first.
MOST = 100
#: Above so many mails, whoever starts a wave types their number.
MANY = 1000
#: States of deliveries that may still leave, or may have.
_OPEN = (State.HELD, State.QUEUED, State.CLAIMED, State.SENDING, State.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Line:
    """One wave in a list."""

    wave: Wave
    campaign: str  #: its title
    total: int
    settled: int
    forecast: str = ""


def settled(states: Mapping[str, int]) -> int:
    """How many of a wave's mails are done, one way or the other."""
    return sum(states.values()) - sum(states[state] for state in _OPEN)


def waves_not_over(session: Session) -> list[Line]:
    """Those that staff should see, without a forecast: for a page that looks every few seconds.

    A standing wave is one of them only when it stands still.
    """
    found = [wave for wave in waves.listing(session)[:MOST] if wave.state not in OVER]
    shown = [wave for wave in found if not (wave.is_standing and wave.state is WaveState.SENDING)]
    return [_line(session, wave) for wave in shown]


def _line(session: Session, wave: Wave, forecast: str = "") -> Line:
    """A wave with the numbers that its counters say."""
    states = dashboards.state_counts(session, campaign_id=wave.campaign_id, wave_id=wave.id)
    done = settled({str(state): n for state, n in states.items()})
    return Line(wave, _title(session, wave), sum(states.values()), done, forecast)


def _forecast(session: Session, wave: Wave, settings: Settings, now: datetime) -> str:
    """What is foreseen of a wave that is on its way; nothing of one that is over, or nobody has started."""
    if wave.state in (*OVER, WaveState.DRAFT):
        return ""
    return waves.progress(session, wave, settings=settings, now=now).words


def _title(session: Session, wave: Wave) -> str:
    return session.get_one(Campaign, wave.campaign_id).title


@router.get("")
def overview(request: Request) -> Response:
    """All waves, those that are not over first."""
    settings, now = settings_of(request), now_of(request)
    with db_of(request).read() as session:
        found = waves.listing(session)
        lines = [_line(session, wave, _forecast(session, wave, settings, now)) for wave in found[:MOST]]
    return inside(request, "console/waves/list.html", lines=lines, is_cut=len(found) > MOST, said=wave_words)


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the page of one wave says."""

    wave: Wave
    campaign: Campaign
    mailing: Mailing | None
    progress: Progress
    counts: list[Count]  #: whom it would reach; only before it has begun
    notes: list[str]
    acts: tuple[Act, ...]

    @property
    def reaches(self) -> int:
        """How many mails it would be now."""
        return self.counts[-1].n if self.counts else 0

    @property
    def settled(self) -> int:
        return settled(self.progress.states)


@router.get("/{number:int}")
def one(request: Request, number: int, done: str = "") -> Response:
    """A wave: before its start what it would do, afterwards what became of it."""
    return _page(request, number, FormState(), done=done)


def _page(
    request: Request,
    number: int,
    form: FormState,
    *,
    status: int = 200,
    preview: Preview | None = None,
    in_the_way: NotNow | None = None,
    done: str = "",
) -> Response:
    shown = _read(request, number)
    return inside(
        request,
        "console/waves/wave.html",
        status=status,
        shown=shown,
        wave=shown.wave,
        form=form,
        preview=preview,
        in_the_way=_in_the_way(in_the_way) if in_the_way else "",
        done=_SAID.get(done, ""),
        many=MANY,
        said=wave_words,
    )


def _read(request: Request, number: int) -> Shown:
    now = now_of(request)
    with db_of(request).read() as session:
        wave = _find(session, number)
        is_open = wave.started_at is None and wave.state not in OVER and not wave.is_standing
        counts = waves.audience_counts(session, wave, settings=settings_of(request), now=now) if is_open else []
        return Shown(
            wave=wave,
            campaign=session.get_one(Campaign, wave.campaign_id),
            mailing=session.get(Mailing, wave.mailing_id) if wave.mailing_id else None,
            progress=waves.progress(session, wave, counts=counts, settings=settings_of(request), now=now),
            counts=counts,
            notes=waves.times_said(wave),
            acts=tuple(act for act in ACTS.values() if act.is_possible(wave)),
        )


def _find(session: Session, number: int) -> Wave:
    if number >= 1 << 53:  # larger than any that was given out
        raise NotFound
    return waves.find(session, number)


def _in_the_way(error: NotNow) -> str:
    """Why an act was refused, with what helps; what the error itself advises is for the command line."""
    helps = {
        "OUTREACH_POSTAL_ADDRESS": "Whoever runs the engine has to set OUTREACH_POSTAL_ADDRESS.",
    }.get(error.where, "Below is how the wave is now.")
    return f"{error.message} {helps}"


# Looking and starting


@router.post("/{number:int}/preview")
def look(request: Request, number: int) -> Response:
    """The first mail as its reader would get it. A mailing starts only after somebody looked at it."""
    try:
        with db_of(request).begin() as session:
            _find(session, number)
            preview = waves.preview(
                session, number, settings=settings_of(request), keys=keys_of(request), now=now_of(request)
            )
    except NotNow as error:
        return _page(request, number, FormState(), status=409, in_the_way=error)
    return _page(request, number, FormState(), preview=preview)


@router.post("/{number:int}/start")
def start(request: Request, number: int, form: Form, person: Signed) -> Response:
    """Start it: after the time to take it back, or at its own time if that is later."""
    reaches = _read(request, number).reaches
    typed = form.values.get("count", "").strip().replace(",", "").replace(".", "").replace(" ", "")
    if reaches > MANY and typed != str(reaches):
        return _page(request, number, form.with_errors({"count": f"Type the number {reaches:,}."}), status=422)

    def verb(session: Session, settings: Settings, now: datetime) -> Wave:
        at_once = bool(form.values.get("at_once"))
        return waves.start(session, number, settings=settings, now=now, actor=person.actor, at_once=at_once)

    return _moved(request, number, verb, done="started")


@router.post("/{number:int}/undo")
def undo(request: Request, number: int, person: Signed) -> Response:
    """Take back a start while nothing has left."""

    def verb(session: Session, settings: Settings, now: datetime) -> Wave:
        return waves.undo(session, number, now=now, actor=person.actor)

    return _moved(request, number, verb, done="undone")


def _moved(
    request: Request, number: int, verb: Callable[[Session, Settings, datetime], Wave], *, done: str
) -> Response:
    """Do it, and show the wave; when it cannot be done, show the wave as it is and why not."""
    try:
        with db_of(request).begin() as session:
            _find(session, number)
            verb(session, settings_of(request), now_of(request))
    except NotNow as error:
        return _page(request, number, FormState(), status=409, in_the_way=error)
    response = RedirectResponse(f"/console/waves/{number}?done={done}", 303)
    response.background = chore(request, "outreach.plan")
    return response


# The brakes of a wave


@dataclass(frozen=True, slots=True)
class Act:
    """Something an organizer may do to a wave that has been started, after a page that says what it means."""

    name: str
    button: str
    means: str
    said: str  #: on the wave's page afterwards
    is_possible: Callable[[Wave], bool]
    do: Callable[[Session, Wave, str, str, datetime], Any]  #: session, wave, reason, actor, now
    asks_why: bool = True
    is_final: bool = False


def _can_pause(wave: Wave) -> bool:
    missed = wave.state is WaveState.NEEDS_ATTENTION and wave.started_at is None
    return WaveState.PAUSED in NEXT[wave.state] and not missed


ACTS = {
    act.name: act
    for act in (
        Act(
            "pause",
            "Pause this wave",
            "Nothing more of it leaves until somebody resumes it. What is with the mail provider already cannot be"
            " called back.",
            "Paused. What is with the mail provider already cannot be called back; nothing else of it leaves.",
            _can_pause,
            lambda session, wave, reason, actor, now: waves.pause(
                session, wave.id, reason=reason, now=now, actor=actor
            ),
        ),
        Act(
            "resume",
            "Resume this wave",
            "Its mails leave again, each as soon as its pace allows. What it was paused for is not counted against it"
            " once more; what comes from now on is.",
            "Resumed. Its mails leave again.",
            lambda wave: wave.state is WaveState.PAUSED,
            lambda session, wave, reason, actor, now: waves.resume(session, wave.id, now=now, actor=actor),
            asks_why=False,
        ),
        Act(
            "cancel",
            "Cancel this wave",
            "What has not left will not be sent by this wave. This cannot be undone; another wave can be planned.",
            "Cancelled. What had not left is called off.",
            lambda wave: wave.state not in OVER and not wave.is_standing,
            lambda session, wave, reason, actor, now: waves.cancel(
                session, wave.id, reason=reason, now=now, actor=actor
            ),
            is_final=True,
        ),
    )
}

#: What the page says after an act, by what the address says was done.
_SAID = {
    "planned": "Planned. Look at it once more; nothing leaves before you start it.",
    "started": "Started.",
    "undone": "Taken back. Nothing has left; the wave is a draft again.",
    **{name: act.said for name, act in ACTS.items()},
}


@router.get("/{number:int}/{name}")
def check_act(request: Request, number: int, name: str) -> Response:
    """What an act means for this wave, and the form that does it."""
    return _act_page(request, number, _act(name), FormState())


@router.post("/{number:int}/{name}")
def do_act(request: Request, number: int, name: str, form: Form, person: Signed) -> Response:
    """Do it, audited."""
    act = _act(name)
    reason, errors = reason_in(form) if act.asks_why else ("", {})
    if errors:
        return _act_page(request, number, act, form.with_errors(errors), status=422)

    def verb(session: Session, settings: Settings, now: datetime) -> Wave:
        wave = _find(session, number)
        act.do(session, wave, reason, person.actor, now)
        return wave

    return _moved(request, number, verb, done=act.name)


def _act(name: str) -> Act:
    try:
        return ACTS[name]
    except KeyError:
        raise NotFound from None


def _act_page(request: Request, number: int, act: Act, form: FormState, *, status: int = 200) -> Response:
    shown = _read(request, number)
    if act not in shown.acts:
        raise NotNow(f"A wave that is {shown.wave.state.replace('_', ' ')} cannot be acted on like this.")
    return inside(
        request,
        "console/waves/act.html",
        status=status,
        form=form,
        shown=shown,
        wave=shown.wave,
        act=act,
        said=wave_words,
    )
