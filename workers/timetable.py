"""When what is rung. Every entry may be rung twice or not at all: two beats are as good as one.

sweep    finds due deliveries whose doorbell was lost, and lanes that have opened again
rescue   frees what dead workers held; a mail that was just being handed over is in doubt
invalidate  ends the signatures that staff said to end, and brings back what they took back
plan     begins waves at their time, makes their deliveries, watches and ends them
foresee  tells of mailboxes that cannot keep the longest wait that is promised
bundles  sends the bundles of offices that get one mail a day
events   applies what providers reported, where the web process rang in vain
reconcile  looks up mails in doubt, and tells people of those that nothing settles
climb    puts signers on the rungs of their ladders, and sends the steps that are due
scrub    ends what has been kept long enough
prune    forgets processes that are long gone
"""

from __future__ import annotations

from typing import Any

#: A ring that nobody heard by then is of no use: the next one is on its way.
_SWEEP_EVERY, _RESCUE_EVERY, _PRUNE_EVERY = 5.0, 15.0, 3600.0
_EVENTS_EVERY, _CLIMB_EVERY = 10.0, 60.0
_BUNDLES_EVERY, _FORESEE_EVERY = 60.0, 3600.0
_RECONCILE_EVERY = 300.0
_PLAN_EVERY, _INVALIDATE_EVERY, _SCRUB_EVERY = 5.0, 10.0, 6 * 3600.0


def _ring(task: str, every: float, queue: str) -> dict[str, Any]:
    return {"task": task, "schedule": every, "options": {"queue": queue, "expires": every, "retry": False}}


TIMETABLE: dict[str, dict[str, Any]] = {
    # The sweep takes milliseconds and somebody may be waiting for what it finds: it never queues behind bulk.
    "sweep": _ring("outreach.sweep", _SWEEP_EVERY, "act"),
    "rescue": _ring("outreach.rescue", _RESCUE_EVERY, "chores"),
    "invalidate": _ring("outreach.invalidate", _INVALIDATE_EVERY, "chores"),
    "plan": _ring("outreach.plan", _PLAN_EVERY, "chores"),
    "foresee": _ring("outreach.foresee", _FORESEE_EVERY, "chores"),
    "bundles": _ring("outreach.bundles", _BUNDLES_EVERY, "letters"),
    "events": _ring("outreach.events", _EVENTS_EVERY, "chores"),
    "reconcile": _ring("outreach.reconcile", _RECONCILE_EVERY, "chores"),
    "climb": _ring("outreach.climb", _CLIMB_EVERY, "chores"),
    "scrub": _ring("outreach.scrub", _SCRUB_EVERY, "chores"),
    "prune": _ring("outreach.prune", _PRUNE_EVERY, "chores"),
}
