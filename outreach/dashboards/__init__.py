"""What staff and organizers see. Reads only: frozen rows out, one query per panel.

Numbers of deliveries come from the counters that every move adjusts, never from counting deliveries: a page that
looks every three seconds must cost the same with ten mails and with ten million.

queue.py       the outbox as it is now: counts, ages, rates, providers, processes, brakes
campaigns.py   what organizers ask about their campaigns
deliveries.py  single deliveries: lists by page, and one with all that happened to it
failures.py    what went wrong, by cause, and what helps
lanes.py       what waits for which mailbox, and at which pace it leaves
ladders.py     follow-ups, and how many signers stand where on them
"""

from .campaigns import CampaignRow, LetterRow, TargetRow, campaigns_overview, recent_letters, targets_of
from .deliveries import (
    AttemptRow,
    DeliveryPage,
    DeliveryRow,
    LogRow,
    ReportRow,
    deliveries_page,
    delivery_page,
    every_delivery,
)
from .failures import SAMPLE, Act, FailureRow, failure_of, failures_by_cause
from .ladders import LadderRow, RungRow, follow_ups
from .lanes import MOST_LANES, CampaignWaiting, LaneRow, campaigns_waiting, lanes_waiting
from .queue import (
    HeldReason,
    Overview,
    ProcessRow,
    ProviderRow,
    PulledBrake,
    Rate,
    StreamRow,
    brakes_now,
    name_of,
    providers_now,
    queue_overview,
    state_counts,
)

__all__ = [
    "MOST_LANES",
    "SAMPLE",
    "Act",
    "AttemptRow",
    "CampaignRow",
    "CampaignWaiting",
    "DeliveryPage",
    "DeliveryRow",
    "FailureRow",
    "HeldReason",
    "LadderRow",
    "LaneRow",
    "LetterRow",
    "LogRow",
    "Overview",
    "ProcessRow",
    "ProviderRow",
    "PulledBrake",
    "Rate",
    "ReportRow",
    "RungRow",
    "StreamRow",
    "TargetRow",
    "brakes_now",
    "campaigns_overview",
    "campaigns_waiting",
    "deliveries_page",
    "delivery_page",
    "every_delivery",
    "failure_of",
    "failures_by_cause",
    "follow_ups",
    "lanes_waiting",
    "name_of",
    "providers_now",
    "queue_overview",
    "recent_letters",
    "state_counts",
    "targets_of",
]
