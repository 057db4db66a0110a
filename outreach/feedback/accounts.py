"""What a provider says about our account with it: a suspended account takes mails and loses them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.events import EventKind
from outreach.models import Brake, ProviderEvent
from outreach.outbox import pull_brake

#: Only SendGrid reports on accounts.
_SCOPE = "transport:sendgrid"


def heed_account(session: Session, rows: Iterable[ProviderEvent], *, now: datetime) -> None:
    """Stop handing over, and tell people. Only they let go again."""
    for row in rows:
        if row.kind is not EventKind.ACCOUNT:
            continue
        said = row.reason or "no reason given"
        alerts.raise_alert(session, "account:sendgrid", f"SendGrid has changed our account: {said}.", now=now)
        # A brake that people have let go of since then knew of this.
        lifted = select(exists().where(Brake.scope == _SCOPE, Brake.lifted_at > row.at))
        if not session.scalar(lifted) and "reactivat" not in said.casefold():
            pull_brake(session, _SCOPE, actor="provider", reason=f"account: {said}", now=now)
