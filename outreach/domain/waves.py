"""A wave is a planned release of deliveries: its states, the moves it may make, and when it stops by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    WaveState.STARTING: frozenset(
        {WaveState.SENDING, WaveState.DRAFT, WaveState.PAUSED, WaveState.NEEDS_ATTENTION, WaveState.CANCELLED}
    ),
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


#: A rate says nothing before so many mails: a share of the few is mostly chance.
_ENOUGH_ACCEPTED, _ENOUGH_LEFT = 200, 20
#: In the first phases, as many bounces may be bad luck.
_BAD_LUCK = 2
#: The ramp is so many times the canary.
RAMP = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a wave's mails so far."""

    left: int = 0  #: handed over, with whatever answer; one that may have left counts
    accepted: int = 0
    reported: int = 0  #: of the accepted, those the provider has reported on
    hard_bounces: int = 0
    complaints: int = 0
    failed: int = 0  #: rejected, or dead

    def since(self, before: Mapping[str, int]) -> Tally:
        """What has come since `before`, a tally as JSON."""
        return Tally(**{name: n - before.get(name, 0) for name, n in asdict(self).items()})

    def as_json(self) -> dict[str, int]:
        """To be kept beside the wave."""
        return asdict(self)

    def verdict(self, phase: Phase) -> str:
        """Why a wave with this tally must stop, as a sentence; "" while it may go on."""
        enough = self.accepted >= _ENOUGH_ACCEPTED
        if (enough or phase is not Phase.FULL) and self.hard_bounces > max(_BAD_LUCK, self.accepted / 50):
            return f"{self.hard_bounces:,} of {self.accepted:,} mails came back for good; the limit is 2 %."
        if enough and self.complaints * 1000 >= self.accepted:
            return f"{self.complaints:,} of {self.accepted:,} readers complained; the limit is 0.1 %."
        if self.left >= _ENOUGH_LEFT and self.failed * 20 > self.left:
            return f"{self.failed:,} of {self.left:,} mails failed; the limit is 5 %."
        return ""


def next_phase(phase: Phase, canary: int) -> tuple[Phase, int | None]:
    """The phase that follows and how many mails it lets go in all; None is no limit."""
    return (Phase.RAMP, canary * RAMP) if phase is Phase.CANARY else (Phase.FULL, None)
