"""The audit log: who did what to what, when. Rows are only ever added; the database refuses anything else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from outreach.models import AuditEntry


def note(
    session: Session,
    actor: str,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Write down one act, in the transaction that does it.

    `actor` is "user:4", "cli" or "engine"; `action` "noun.verb"; `subject` "noun:id". `before` and `after` hold plain
    JSON values: ids, numbers, states and reasons, never a signer's words, a password or the secret of a link.
    """
    session.add(
        AuditEntry(
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )
