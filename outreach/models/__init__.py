"""The tables, one file per noun."""

from .base import Base, Database, new_ref
from .campaigns import Ask, Campaign, CampaignKind, CampaignState, Demand, Organisation, Sponsorship
from .deliveries import Attempt, Counter, Delivery, LogEntry, Minute
from .events import Anomaly, ProviderEvent
from .letters import Addressing, LetterVersion
from .signatures import Consent, Signature, SignatureState, Supporter, Token
from .staff import AuditEntry, Heartbeat, Role, SignedIn, User
from .suppressions import Suppression
from .targets import Channel, Contact, ContactState, Lane, Target
from .waves import Brake, ProviderState, Wave, WaveKind, WaveState

__all__ = [
    "Addressing",
    "Anomaly",
    "Ask",
    "Attempt",
    "AuditEntry",
    "Base",
    "Brake",
    "Campaign",
    "CampaignKind",
    "CampaignState",
    "Channel",
    "Consent",
    "Contact",
    "ContactState",
    "Counter",
    "Database",
    "Delivery",
    "Demand",
    "Heartbeat",
    "Lane",
    "LetterVersion",
    "LogEntry",
    "Minute",
    "Organisation",
    "ProviderEvent",
    "ProviderState",
    "Role",
    "Signature",
    "SignatureState",
    "SignedIn",
    "Sponsorship",
    "Supporter",
    "Suppression",
    "Target",
    "Token",
    "User",
    "Wave",
    "WaveKind",
    "WaveState",
    "new_ref",
]
