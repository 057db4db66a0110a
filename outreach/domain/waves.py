"""A wave is a planned release of deliveries. Here are its states and the moves it may make."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class WaveKind(StrEnum):
    """Whom a wave writes to."""

    LETTERS = "letters"  #: letters to targets that were held for it
    MAILING = "mailing"  #: mails to signers


class WaveState(StrEnum):
    """Where a wave is."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"  #: begins by itself at its time
    STARTING = "starting"  #: begins when the undo window is over
    SENDING = "sending"
    PAUSED = "paused"
    NEEDS_ATTENTION = "needs_attention"  #: a person has to decide; the reason says what
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """How much of a wave may go before it is looked at again."""

    CANARY = "canary"  #: the first few
    RAMP = "ramp"
    FULL = "full"


#: The only moves there are.
NEXT: Mapping[WaveState, frozenset[WaveState]] = {
    WaveState.DRAFT: frozenset({WaveState.SCHEDULED, WaveState.STARTING, WaveState.CANCELLED}),
    WaveState.SCHEDULED: frozenset(
        {WaveState.STARTING, WaveState.SENDING, WaveState.DRAFT, WaveState.NEEDS_ATTENTION, WaveState.CANCELLED}
    ),
    WaveState.STARTING: frozenset({WaveState.SENDING, WaveState.DRAFT, WaveState.PAUSED, WaveState.CANCELLED}),
    WaveState.SENDING: frozenset(
        {WaveState.PAUSED, WaveState.NEEDS_ATTENTION, WaveState.FINISHED, WaveState.CANCELLED}
    ),
    WaveState.PAUSED: frozenset({WaveState.SENDING, WaveState.CANCELLED}),
    WaveState.NEEDS_ATTENTION: frozenset(
        {WaveState.STARTING, WaveState.SENDING, WaveState.PAUSED, WaveState.FINISHED, WaveState.CANCELLED}
    ),
    WaveState.FINISHED: frozenset(),
    WaveState.CANCELLED: frozenset(),
}

#: States in which a wave is over.
OVER = (WaveState.FINISHED, WaveState.CANCELLED)
