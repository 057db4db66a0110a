"""The outbox: the only place that moves a mail which has not left, and that writes down why.

enqueue.py    rows for letters and notices, held or queued
bundles.py    all letters of one office as one mail a day
claiming.py   claim, intend, settle, release, rescue: what workers do
setting_aside.py  what staff decide about whole chunks of signatures: set free, end, take back
desk.py       hold, release, cancel, resend, call off: what people do
rewriting.py  letters whose signer changes them before they leave
causes.py     the same for all mails that failed for one cause
brakes.py     stop everything in a scope
budgets.py    what several lanes together may send
places.py     how many may leave a lane now, or a wave, and how campaigns share a mailbox
doors.py      whether a provider takes mail from us now, and who tries it again
allowance.py  what a way out may carry a day while receivers do not know it
books.py      the one function that changes a state, with its log and counters
"""

from .allowance import allowance_left, spend_allowance
from .books import Books, due_streams
from .brakes import EVERYTHING, RESTORED, brakes_pulled, lift_brake, pull_brake
from .budgets import budgets_set, domain_of, drop_budget, set_budget
from .bundles import BundleClaim, bundled_letters, claim_bundle, intend_bundle, keep_together
from .claiming import Claim, Going, claim, intend, release_claim
from .desk import CalledOff, cancel, cancel_letters, hold, release, resend, resolve_doubts
from .doors import is_open, leave_ajar, try_now
from .enqueue import (
    Queued,
    contact_changed,
    enqueue_letters,
    enqueue_letters_of,
    enqueue_notice,
    enqueue_notices,
    follow_contact,
    stream_lane,
)
from .rewriting import TEXT_CHANGED, lock_letters, pause_letters, resume_letters, rewrite_letters
from .setting_aside import INVALIDATED, call_off_all, release_suspects, take_back
from .settling import Answer, Settled, accept_evidence, bury, rescue, settle

__all__ = [
    "EVERYTHING",
    "INVALIDATED",
    "RESTORED",
    "TEXT_CHANGED",
    "Answer",
    "Books",
    "BundleClaim",
    "CalledOff",
    "Claim",
    "Going",
    "Queued",
    "Settled",
    "accept_evidence",
    "allowance_left",
    "brakes_pulled",
    "budgets_set",
    "bundled_letters",
    "bury",
    "call_off_all",
    "cancel",
    "cancel_letters",
    "claim",
    "claim_bundle",
    "contact_changed",
    "domain_of",
    "drop_budget",
    "due_streams",
    "enqueue_letters",
    "enqueue_letters_of",
    "enqueue_notice",
    "enqueue_notices",
    "follow_contact",
    "hold",
    "intend",
    "intend_bundle",
    "is_open",
    "keep_together",
    "leave_ajar",
    "lift_brake",
    "lock_letters",
    "pause_letters",
    "pull_brake",
    "release",
    "release_claim",
    "release_suspects",
    "rescue",
    "resend",
    "resolve_doubts",
    "resume_letters",
    "rewrite_letters",
    "set_budget",
    "settle",
    "spend_allowance",
    "stream_lane",
    "take_back",
    "try_now",
]
