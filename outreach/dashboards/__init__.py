"""What staff and organizers see. Reads only: frozen rows out, one query per panel.

Numbers of deliveries come from the counters that every move adjusts, never from counting deliveries: a page that
looks every three seconds must cost the same with ten mails and with ten million.

queue.py       the outbox as it is now: counts, ages, rates, providers, processes, brakes
campaigns.py   what organizers ask about their campaigns
deliveries.py  single deliveries: lists by page, and one with all that happened to it
failures.py    what went wrong, by cause, and what helps
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
from .failures import Act, FailureRow, failures_by_cause
from .queue import (
    HeldReason,
    Overview,
    ProcessRow,
    ProviderRow,
    PulledBrake,
    Rate,
    StreamRow,
    brakes_now,
    queue_overview,
    state_counts,
)

__all__ = [
    "Act",
    "AttemptRow",
    "CampaignRow",
    "DeliveryPage",
    "DeliveryRow",
    "FailureRow",
    "HeldReason",
    "LetterRow",
    "LogRow",
    "Overview",
    "ProcessRow",
    "ProviderRow",
    "PulledBrake",
    "Rate",
    "ReportRow",
    "StreamRow",
    "TargetRow",
    "brakes_now",
    "campaigns_overview",
    "deliveries_page",
    "delivery_page",
    "every_delivery",
    "failures_by_cause",
    "queue_overview",
    "recent_letters",
    "state_counts",
    "targets_of",
]
