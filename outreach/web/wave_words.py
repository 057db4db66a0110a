"""How the pages say what the engine knows of waves: states, plans, and what to do about a wave that stands still."""

from __future__ import annotations

from datetime import datetime

from outreach.domain.audiences import Audience
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Wave
from outreach.web import words

#: state → (tag, colour of the tag, what it means)
WAVES: dict[WaveState, tuple[str, str, str]] = {
    WaveState.DRAFT: ("Draft", "", "Nothing leaves before somebody starts it."),
    WaveState.SCHEDULED: ("Scheduled", "blue", "It begins by itself at its time."),
    WaveState.STARTING: ("Starting", "blue", "It begins when the time to take it back is over."),
    WaveState.SENDING: ("Sending", "blue", "Its mails leave, each as soon as its pace allows."),
    WaveState.PAUSED: ("Paused", "warn", "Nothing of it leaves until somebody resumes it."),
    WaveState.NEEDS_ATTENTION: ("Needs attention", "bad", "It cannot end by itself: a person has to decide."),
    WaveState.FINISHED: ("Finished", "ok", "All of it is done."),
    WaveState.CANCELLED: ("Cancelled", "", "Called off. What had not left was cancelled."),
}

#: kind → (what it is, one mail of it)
KINDS: dict[WaveKind, tuple[str, str]] = {
    WaveKind.LETTERS: ("Letters to targets", "letter"),
    WaveKind.MAILING: ("Mailing to signers", "mail"),
}

DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


def title(wave: Wave) -> str:
    """ "Wave 7: News before the vote"; a campaign's standing wave is called so."""
    if wave.is_standing:
        return f"Standing wave {wave.id}"
    return f"Wave {wave.id}: {wave.name}" if wave.name else f"Wave {wave.id}"


def audience(wave: Wave) -> str:
    """Whom it was planned for: "Everyone who confirmed in Springfield"."""
    return _begun(Audience.from_json(wave.audience or {}).words())


def wall(text: str, zone: str) -> str:
    """ "Fri 27 Nov 2026, 09:00 in America/New_York", from a wall time as waves keep it."""
    return f"{datetime.fromisoformat(text):%a %-d %b %Y, %H:%M} in {zone}"


def pace(wave: Wave) -> str:
    """How fast and in which hours: "Up to 30 an hour, 08:00-18:00, mon-fri, UTC"."""
    said = _begun(words.pace(wave.per_hour, None, wave.hours or "always", wave.days, wave.zone))
    return f"{said}, more in busy hours and less in others" if wave.curve else said


def what_to_do(wave: Wave) -> str:
    """What helps a wave that needs attention."""
    if wave.started_at is None:
        return "Start it again if it may still go, or cancel it."
    return (
        "Staff settle what is in doubt by sending it again or calling it off, and release what is held."
        " Then the wave ends by itself. Cancelling it calls off what has not left."
    )


def _begun(text: str) -> str:
    """As the beginning of a sentence; names further on stay as they are."""
    return text[:1].upper() + text[1:]
