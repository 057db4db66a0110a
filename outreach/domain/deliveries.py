"""A delivery is one mail that must leave, exactly once. Here are its states and the moves it may make.

Two axes, never mixed. `State` is what we know and did. `EventState` is what the provider reported later; it only
ever climbs. Every change of state in the engine goes through `outbox.move`, which refuses what `NEXT` does not list.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class MailClass(StrEnum):
    """What a delivery is. The class decides what may be done about a mail whose fate is unknown."""

    LETTER = "letter"  #: one signature to one target; resent only with proof that it never arrived
    MAILING = "mailing"  #: one wave to one supporter; at most once
    CONFIRMATION = "confirmation"  #: asks a signer to confirm; may repeat, five at most per signature
    NOTICE = "notice"  #: tells a signer about their own act


class Stream(StrEnum):
    """The identity a delivery leaves by: own subdomain, own limits, own brake. Also the name of its queue."""

    ACT = "act"  #: confirmations and receipts: a person is waiting
    LETTERS = "letters"  #: letters to targets
    NEWS = "news"  #: mailing waves to signers


class State(StrEnum):
    """What we know and did about one delivery."""

    HELD = "held"  #: may not leave until somebody or something releases it; the reason says what
    QUEUED = "queued"  #: waits in the outbox until it is due and its lane is open
    CLAIMED = "claimed"  #: a worker holds it until its lease ends; nothing has left
    SENDING = "sending"  #: the attempt is committed; from here on it may have left
    ACCEPTED = "accepted"  #: the provider took it
    REJECTED = "rejected"  #: the provider will never take it
    DEAD = "dead"  #: it cannot be made or handed over, after all tries
    SUPPRESSED = "suppressed"  #: its address must not be written to
    CANCELLED = "cancelled"  #: called off before it left
    IN_DOUBT = "in_doubt"  #: no answer came; it may have left; never resent blindly
    GIVEN_UP = "given_up"  #: called off although it may have left


#: The only moves there are. `IN_DOUBT → QUEUED` is an authorised resend and nothing else.
NEXT: Mapping[State, frozenset[State]] = {
    State.HELD: frozenset({State.QUEUED, State.SUPPRESSED, State.CANCELLED, State.GIVEN_UP, State.ACCEPTED}),
    State.QUEUED: frozenset(
        {State.CLAIMED, State.HELD, State.SUPPRESSED, State.CANCELLED, State.GIVEN_UP, State.ACCEPTED}
    ),
    State.CLAIMED: frozenset(
        {
            State.QUEUED,
            State.SENDING,
            State.HELD,
            State.SUPPRESSED,
            State.CANCELLED,
            State.GIVEN_UP,
            State.DEAD,
            State.ACCEPTED,
        }
    ),
    State.SENDING: frozenset({State.ACCEPTED, State.REJECTED, State.QUEUED, State.DEAD, State.IN_DOUBT}),
    State.IN_DOUBT: frozenset({State.ACCEPTED, State.QUEUED, State.GIVEN_UP, State.SUPPRESSED}),
    State.GIVEN_UP: frozenset({State.ACCEPTED}),  # late evidence: it had left after all
    State.ACCEPTED: frozenset(),
    State.REJECTED: frozenset(),
    State.DEAD: frozenset({State.QUEUED}),  # staff try it again, audited
    State.SUPPRESSED: frozenset(),
    State.CANCELLED: frozenset({State.HELD}),  # the invalidation of its signature is taken back
}

#: States that have not left and can still be called off.
UNSENT = (State.HELD, State.QUEUED, State.CLAIMED)
#: States that have left or may have: nobody can call these back.
GONE = (State.SENDING, State.ACCEPTED, State.IN_DOUBT, State.GIVEN_UP)
#: States in which a delivery rests for good unless evidence or staff move it.
ENDED = (
    State.ACCEPTED,
    State.REJECTED,
    State.DEAD,
    State.SUPPRESSED,
    State.CANCELLED,
    State.GIVEN_UP,
)


class EventState(StrEnum):
    """What the provider reported, in rising order of rank; a report of lower or equal rank changes nothing."""

    PROCESSED = "processed"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    COMPLAINED = "complained"


RANK: Mapping[EventState | None, int] = {
    None: 0,
    EventState.PROCESSED: 1,
    EventState.DEFERRED: 2,
    EventState.DELIVERED: 3,
    EventState.DROPPED: 4,
    EventState.BOUNCED: 5,  # may follow a delivery (asynchronous bounce), never the reverse; a drop is its consequence
    EventState.COMPLAINED: 6,
}


def climbs(current: EventState | None, reported: EventState) -> bool:
    """Whether a report of `reported` outranks what is known."""
    return RANK[reported] > RANK[current]


def called_off(state: State, *, maybe_sent: bool) -> State:
    """Where a delivery goes that must not leave: to `state`, unless it may already have left.

    A report says "not sent" only of an end state without `maybe_sent`, so an in-doubt mail that is called off
    is *given up*, never "cancelled".
    """
    return State.GIVEN_UP if maybe_sent else state


#: A provider may be unavailable this often for one delivery before it is dead.
MAX_ATTEMPTS = 12
#: Confirmations per signature, over its whole life.
MAX_CONFIRMATIONS = 5

_LONGEST_DELAY = timedelta(seconds=4000)


def retry_delay(attempts: int, *, base: timedelta, draw: float | None = None) -> timedelta:
    """How long to wait after the `attempts`-th try failed: full jitter up to base·2ⁿ, 4,000 s at most (Postfix's).

    `draw` in [0, 1) replaces the dice, for tests. Never under a fifth of the ceiling, so that no two tries touch.
    """
    ceiling = min(base * (1 << min(attempts, 16)), _LONGEST_DELAY)
    share = random.random() if draw is None else draw  # noqa: S311 (spreading load, not guarding a secret)
    return ceiling * (0.2 + 0.8 * share)
