"""The tables, one file per noun."""

from outreach.domain.replies import ReplyKind, ShareState
from outreach.domain.waves import Phase, WaveKind, WaveState

from .base import Base, Database, insert_into, new_ref
from .campaigns import (
    Ask,
    Campaign,
    CampaignKind,
    CampaignState,
    CampaignText,
    Demand,
    Organisation,
    ShareLink,
    Sponsorship,
)
from .deliveries import Attempt, Bundle, Counter, Delivery, LogEntry, Minute
from .events import Anomaly, ProviderEvent
from .ladders import Ladder, Rung, Step
from .leftovers import Leftover
from .letters import Addressing, LetterVersion
from .replies import InboundTally, Reply
from .signatures import STANDING, Consent, Invalidation, SelfSend, Signature, SignatureState, Supporter, Token
from .staff import AuditEntry, Heartbeat, Role, SignedIn, User
from .suppressions import Suppression
from .targets import Channel, Contact, ContactState, Lane, Target
from .waves import Alert, Brake, Budget, Holiday, Mailing, ProviderState, Wave

__all__ = [
    "STANDING",
    "Addressing",
    "Alert",
    "Anomaly",
    "Ask",
    "Attempt",
    "AuditEntry",
    "Base",
    "Brake",
    "Budget",
    "Bundle",
    "Campaign",
    "CampaignKind",
    "CampaignState",
    "CampaignText",
    "Channel",
    "Consent",
    "Contact",
    "ContactState",
    "Counter",
    "Database",
    "Delivery",
    "Demand",
    "Heartbeat",
    "Holiday",
    "InboundTally",
    "Invalidation",
    "Ladder",
    "Lane",
    "Leftover",
    "LetterVersion",
    "LogEntry",
    "Mailing",
    "Minute",
    "Organisation",
    "Phase",
    "ProviderEvent",
    "ProviderState",
    "Reply",
    "ReplyKind",
    "Role",
    "Rung",
    "SelfSend",
    "ShareLink",
    "ShareState",
    "Signature",
    "SignatureState",
    "SignedIn",
    "Sponsorship",
    "Step",
    "Supporter",
    "Suppression",
    "Target",
    "Token",
    "User",
    "Wave",
    "WaveKind",
    "WaveState",
    "insert_into",
    "new_ref",
]
