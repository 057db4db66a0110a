"""Waves: an organizer says who, what and when; the engine plans it, watches it, and stops it when it goes wrong.

drafting.py    a draft, checked in every part, becomes a wave
audiences.py   whom it reaches, and why not the others, number by number
starting.py    start, undo, pause, resume, cancel: the one place that moves a wave
building.py    a started wave becomes deliveries, in chunks that may be killed
watching.py    canary and breaker; missed; finished
ticking.py     the chore that carries all of them on
progress.py    what is shown of a wave
"""

from .audiences import Count
from .drafting import Draft, check, plan, times_said
from .progress import Preview, Progress, audience_counts, listing, preview, progress
from .starting import cancel, find, pause, resume, start, undo
from .ticking import Ticked, stream_of, tick, tidy

__all__ = [
    "Count",
    "Draft",
    "Preview",
    "Progress",
    "Ticked",
    "audience_counts",
    "cancel",
    "check",
    "find",
    "listing",
    "pause",
    "plan",
    "preview",
    "progress",
    "resume",
    "start",
    "stream_of",
    "tick",
    "tidy",
    "times_said",
    "undo",
]
