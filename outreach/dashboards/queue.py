"""The outbox as it is now. Every query here looks at counters or takes the first row of an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from outreach.domain.deliveries import MailClass, State, Stream
from outreach.heartbeats import alive
from outreach.models import Brake, Campaign, Counter, Delivery, Minute, ProviderState, Target, User
from outreach.outbox import EVERYTHING

#: Which stream a class of mail leaves by; counters know the class only.
STREAM_OF: Mapping[MailClass, Stream] = {
    MailClass.LETTER: Stream.LETTERS,
    MailClass.MAILING: Stream.NEWS,
    MailClass.CONFIRMATION: Stream.ACT,
    MailClass.NOTICE: Stream.ACT,
}
#: Held letters looked at for their reasons; beyond that the page says "of the first 10,000".
HELD_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Mails accepted since a full minute. Whole minutes are counted, so the numbers are exact, not estimates."""

    since: datetime
    accepted: int


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream: its books, what waits longest, and how fast it goes."""

    stream: Stream
    counts: Mapping[State, int]
    oldest_due: datetime | None  #: since when the longest-waiting due mail could have left
    minute: Rate  #: since the minute before this one
    five_minutes: Rate
    hour: Rate
    oldest_doubt: datetime | None
    is_paused: bool  #: by its own brake or the one for everything

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class HeldReason:
    """How many of the held mails wait for what. `reason` is the engine's word ("no_contact") or a person's."""

    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class ProviderRow:
    transport: str
    closed_until: datetime | None  #: None: open
    reason: str
    strikes: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process that was alive within the last half minute."""

    name: str
    kind: str
    version: str
    started_at: datetime
    seen_at: datetime
    in_flight: int


@dataclass(frozen=True, slots=True)
class PulledBrake:
    """A brake that holds now. `by` is a person's name where one pulled it."""

    scope: str
    reason: str
    by: str
    since: datetime
    subject: str = ""  #: the campaign's title, or the target's name

    @property
    def stops_everything(self) -> bool:
        return self.scope in EVERYTHING

    @property
    def wave(self) -> str:
        """The number of the wave that it stops; "" for what is no wave. A wave's brake goes with its state."""
        kind, _, number = self.scope.partition(":")
        return number if kind == "wave" else ""


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the queue page shows, seen in one moment."""

    at: datetime
    streams: tuple[StreamRow, ...]
    held: tuple[HeldReason, ...]
    held_sampled: bool  #: there are more held mails than were looked at
    providers: tuple[ProviderRow, ...]
    processes: tuple[ProcessRow, ...]
    brakes: tuple[PulledBrake, ...]

    @property
    def counts(self) -> dict[State, int]:
        """All streams together."""
        return {state: sum(row.counts[state] for row in self.streams) for state in State}

    @property
    def oldest_due(self) -> datetime | None:
        return min((row.oldest_due for row in self.streams if row.oldest_due), default=None)

    @property
    def oldest_doubt(self) -> datetime | None:
        return min((row.oldest_doubt for row in self.streams if row.oldest_doubt), default=None)

    @property
    def everything_paused(self) -> PulledBrake | None:
        return next((brake for brake in self.brakes if brake.stops_everything), None)

    def alive(self, kind: str) -> int:
        """How many processes of a kind ("worker", "beat", "web") are alive."""
        return sum(1 for process in self.processes if process.kind == kind)


def queue_overview(session: Session, *, now: datetime) -> Overview:
    """The queue page's numbers. Call it in a `Database.read()` block, so that they all tell of one moment."""
    brakes = brakes_now(session)
    scopes = {brake.scope for brake in brakes}
    counts, rates = _counts_by_stream(session), _rates(session, now)
    streams = tuple(
        StreamRow(
            stream=stream,
            counts=counts[stream],
            oldest_due=_first(session, stream, State.QUEUED, Delivery.due_at, Delivery.due_at <= now),
            minute=rates[stream][0],
            five_minutes=rates[stream][1],
            hour=rates[stream][2],
            oldest_doubt=_first(session, stream, State.IN_DOUBT, Delivery.doubt_since)
            if counts[stream][State.IN_DOUBT]
            else None,
            is_paused=bool({*EVERYTHING, f"stream:{stream}"} & scopes),
        )
        for stream in Stream
    )
    return Overview(
        at=now,
        streams=streams,
        held=_held(session),
        held_sampled=sum(row.counts[State.HELD] for row in streams) > HELD_SAMPLE,
        providers=providers_now(session, now=now),
        processes=_processes(session, now),
        brakes=brakes,
    )


def state_counts(
    session: Session,
    campaign_id: int | None = None,
    wave_id: int | None = None,
    mail_class: MailClass | None = None,
) -> dict[State, int]:
    """How many deliveries are in each state, over all or those of a campaign, wave (0: none) and class."""
    chosen = select(Counter.state, func.sum(Counter.n)).group_by(Counter.state)
    if campaign_id is not None:
        chosen = chosen.where(Counter.campaign_id == campaign_id)
    if wave_id is not None:
        chosen = chosen.where(Counter.wave_id == wave_id)
    if mail_class is not None:
        chosen = chosen.where(Counter.mail_class == mail_class)
    found = {state: int(n) for state, n in session.execute(chosen)}
    return {state: found.get(state, 0) for state in State}


def brakes_now(session: Session) -> tuple[PulledBrake, ...]:
    """The brakes that hold now, the one for everything first, then oldest first."""
    brakes = session.scalars(select(Brake).where(Brake.lifted_at.is_(None)).order_by(Brake.pulled_at)).all()
    names = names_of(session, (brake.pulled_by for brake in brakes))
    pulled = [
        PulledBrake(b.scope, b.reason, names[b.pulled_by], b.pulled_at, name_of(session, b.scope) or "") for b in brakes
    ]
    return tuple(sorted(pulled, key=lambda brake: not brake.stops_everything))


def name_of(session: Session, scope: str) -> str | None:
    """What a brake's scope is called: a campaign's title, a target's name, a way out; None when there is none such."""
    kind, _, which = scope.partition(":")
    if not (which.isascii() and which.isdecimal() and len(which) < 16):
        return None
    if kind == "campaign":
        return session.scalar(select(Campaign.title).where(Campaign.id == int(which)))
    if kind == "target":
        row = session.execute(select(Target.office, Target.name).where(Target.id == int(which))).first()
        return f"{row.office} {row.name}".strip() if row else None
    return None


#: Actors of the audit log who are nobody's account.
_NO_PEOPLE = {"cli": "the command line", "engine": "the engine", "provider": "the provider’s reports"}


def names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """The audit log's actors in words: "user:4" is a person's name, "cli" the command line."""
    asked = set(actors)
    ids = [int(a.removeprefix("user:")) for a in asked if a.startswith("user:") and a[5:].isdecimal()]
    people = session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    known = _NO_PEOPLE | {f"user:{id_}": name for id_, name in people}
    return {actor: known.get(actor, actor) for actor in asked}


def in_state(state: State) -> ColumnElement[bool]:
    """The state written into the statement: a partial index is used only when its condition stands there."""
    return Delivery.state == literal(state, Delivery.state.type, literal_execute=True)


def _counts_by_stream(session: Session) -> dict[Stream, dict[State, int]]:
    counts = {stream: dict.fromkeys(State, 0) for stream in Stream}
    rows = session.execute(
        select(Counter.mail_class, Counter.state, func.sum(Counter.n)).group_by(Counter.mail_class, Counter.state)
    )
    for mail_class, state, n in rows:
        counts[STREAM_OF[mail_class]][state] += int(n)
    return counts


def _rates(session: Session, now: datetime) -> dict[Stream, tuple[Rate, Rate, Rate]]:
    this_minute = now.replace(second=0, microsecond=0)
    since = [this_minute - timedelta(minutes=minutes) for minutes in (1, 5, 60)]
    accepted = {stream: [0, 0, 0] for stream in Stream}
    rows = session.execute(
        select(Minute.stream, Minute.minute, func.sum(Minute.n))
        .where(Minute.minute >= since[-1], Minute.outcome == "accepted")
        .group_by(Minute.stream, Minute.minute)
    )
    for stream, minute, n in rows:
        for i, begin in enumerate(since):
            accepted[stream][i] += int(n) if minute >= begin else 0
    return {
        stream: (Rate(since[0], n[0]), Rate(since[1], n[1]), Rate(since[2], n[2])) for stream, n in accepted.items()
    }


def _first(
    session: Session, stream: Stream, state: State, column: InstrumentedAttribute[Any], *more: ColumnElement[bool]
) -> datetime | None:
    """The earliest time in a column among a stream's deliveries in a state: the first entry of a partial index."""
    earliest = select(column).where(Delivery.stream == stream, in_state(state), *more).order_by(column).limit(1)
    return session.scalar(earliest)


def _held(session: Session) -> tuple[HeldReason, ...]:
    some = select(Delivery.reason).where(in_state(State.HELD)).limit(HELD_SAMPLE).subquery()
    rows = session.execute(select(some.c.reason, func.count().label("n")).group_by(some.c.reason))
    return tuple(sorted((HeldReason(reason, n) for reason, n in rows), key=lambda held: (-held.n, held.reason)))


def providers_now(session: Session, *, now: datetime) -> tuple[ProviderRow, ...]:
    """The ways out that have closed before, and until when they are closed."""
    rows = session.scalars(select(ProviderState).order_by(ProviderState.transport))
    return tuple(
        ProviderRow(
            row.transport,
            row.closed_until if row.closed_until and row.closed_until > now else None,
            row.reason,
            row.strikes,
            row.changed_at,
        )
        for row in rows
    )


def _processes(session: Session, now: datetime) -> tuple[ProcessRow, ...]:
    return tuple(
        ProcessRow(h.name, h.kind, h.version, h.started_at, h.seen_at, h.in_flight) for h in alive(session, now=now)
    )
