"""What providers report: kept as it comes, applied once, in any order, however late.

A report is evidence. It settles a mail that was in doubt, raises `event_state` and never lowers it, closes addresses
that bounced or complained, and sets aside the contact of an office that mail does not reach. A report that
contradicts the books is kept as an anomaly for people to see.

keeping.py      each report once, by the provider's id
applying.py     what reports make of deliveries and attempts
finding.py      which delivery a report is about
signers.py      what a report says about a signer's address
stopping.py     what a reader said through the provider: stop, or go on
offices.py      what a report says about a target's mailbox
refusals.py     when receivers refuse our mails, and no address is at fault
accounts.py     what a provider says about our account
unknown.py      mails that the provider has and the books do not know
logs.py         the logs of what providers took, the mailbox folder among them
reconciling.py  mails in doubt: what the reports and the provider's own log say, and what is left to people
"""

from .applying import Applied, apply, apply_waiting
from .keeping import keep
from .logs import provider_logs
from .reconciling import Doubt, Reconciled, Verdict, doubts, reconcile
from .unknown import UNKNOWN

__all__ = [
    "UNKNOWN",
    "Applied",
    "Doubt",
    "Reconciled",
    "Verdict",
    "apply",
    "apply_waiting",
    "doubts",
    "keep",
    "provider_logs",
    "reconcile",
]
