"""What became of a wave so far, in numbers: from the counters, and from the few reports that are bad news."""

from __future__ import annotations

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import EventState, State
from outreach.domain.events import EventKind
from outreach.domain.waves import Tally
from outreach.models import Delivery, ProviderEvent, Wave
from outreach.outbox.releasing import wave_states

#: Handed over, with whatever answer.
LEFT = (State.SENDING, State.ACCEPTED, State.REJECTED, State.DEAD, State.IN_DOUBT, State.GIVEN_UP)


def tally(session: Session, wave: Wave) -> Tally:
    """The wave's numbers now. Reports are counted while a phase waits for them, and later only when they are bad."""
    states = wave_states(session, wave)
    return Tally(
        left=sum(states[state] for state in LEFT),
        accepted=states[State.ACCEPTED],
        reported=_reported(session, wave) if wave.phase_limit is not None else 0,
        hard_bounces=_hard_bounces(session, wave),
        complaints=_with_event(session, wave, EventState.COMPLAINED),
        failed=states[State.REJECTED] + states[State.DEAD],
    )


def _reported(session: Session, wave: Wave) -> int:
    told = select(func.count()).where(
        Delivery.wave_id == wave.id, Delivery.state == State.ACCEPTED, Delivery.event_state.is_not(None)
    )
    return session.execute(told).scalar_one()


def _with_event(session: Session, wave: Wave, event_state: EventState) -> int:
    mine = select(func.count()).where(Delivery.wave_id == wave.id, Delivery.event_state == event_state)
    return session.execute(mine).scalar_one()


def _hard_bounces(session: Session, wave: Wave) -> int:
    """Addresses that are bad for good; a full mailbox or a blocked sender is another matter."""
    hard = exists().where(
        ProviderEvent.delivery_id == Delivery.id, ProviderEvent.kind == EventKind.BOUNCED, ProviderEvent.hard
    )
    bounced = select(func.count()).where(Delivery.wave_id == wave.id, Delivery.event_state == EventState.BOUNCED, hard)
    return session.execute(bounced).scalar_one()
