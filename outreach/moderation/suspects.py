"""Signatures that are set aside: looked through, and cleared one by one. To end them see `invalidating.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import audit_log, outbox
from outreach.errors import NotFound, NotNow
from outreach.keys import Keys
from outreach.models import STANDING, Signature, SignatureState
from outreach.settings import Settings
from outreach.signing import asking

from .sieving import SignatureRow, listed, rows


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many signatures count now or may be confirmed, how many letters were let go, and who was asked."""

    signatures: int
    letters: int
    asked: int  #: to confirm, as nobody had written to them


def suspects(
    session: Session, *, campaign_id: int | None = None, reason: str = "", before: str = "", limit: int = 50
) -> list[SignatureRow]:
    """Signatures that wait for staff, the newest first. `before` is the ref of the last one on the page before."""
    chosen = listed().where(Signature.suspect != "", Signature.state.in_(STANDING))
    if campaign_id is not None:
        chosen = chosen.where(Signature.campaign_id == campaign_id)
    if reason:
        chosen = chosen.where(Signature.suspect == reason)
    if before:
        chosen = chosen.where(Signature.id < select(Signature.id).where(Signature.ref == before).scalar_subquery())
    return list(rows(session, chosen.order_by(Signature.id.desc()).limit(limit)))


def reasons(session: Session) -> dict[str, int]:
    """How many wait for which reason, the most frequent first."""
    n = func.count()
    counted = select(Signature.suspect, n).where(Signature.suspect != "", Signature.state.in_(STANDING))
    return dict(session.execute(counted.group_by(Signature.suspect).order_by(n.desc(), Signature.suspect)).all())


def clear(
    session: Session, refs: Sequence[str], *, keys: Keys, settings: Settings, now: datetime, actor: str
) -> Cleared:
    """Count them after all: letters that were held for it go, and who was never asked to confirm is asked now.

    NotFound for a ref that nobody has; NotNow for a signature that is not set aside.
    """
    found = _locked(session, refs)
    for ref in refs:
        if ref not in found:
            raise NotFound("There is no such signature.", where=ref[:40], advice="See `outreach signatures suspects`.")
        if not found[ref].suspect or found[ref].state not in STANDING:
            raise NotNow("This signature is not set aside.", where=ref)
    asked = 0
    for signature in found.values():
        before = {"suspect": signature.suspect}
        signature.suspect = ""
        session.flush()
        if signature.state is SignatureState.PENDING:
            asked += asking.ask_if_never_asked(session, signature, keys=keys, settings=settings, now=now)
        audit_log.note(
            session, actor, "signature.clear", f"signature:{signature.ref}", before, {"suspect": ""}, now=now
        )
    letters = outbox.release_suspects(session, [signature.id for signature in found.values()], now=now, actor=actor)
    return Cleared(len(found), letters, asked)


def _locked(session: Session, refs: Sequence[str]) -> dict[str, Signature]:
    mine = select(Signature).where(Signature.ref.in_(refs)).order_by(Signature.id).with_for_update(key_share=True)
    found = session.scalars(mine.execution_options(populate_existing=True))
    return {signature.ref: signature for signature in found}
