"""What an erased person leaves outside the database: written down with the erasure, removed after it, however often it
takes. A file that cannot be deleted now, or a provider that does not answer, is tried again by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from outreach import alerts
from outreach.domain.deliveries import State
from outreach.errors import NotFound, OutOfReach
from outreach.models import Attempt, Bundle, Database, Delivery, Leftover, insert_into
from outreach.settings import Settings
from outreach.transports.mailbox import mail_names, open_mail, replace_mail
from outreach.transports.sendgrid import SendGridTransport

from .copies import bundle_without
from .portions import portions

log = structlog.get_logger()

MAIL, RECIPIENT = "mail", "recipient"
_ALERT = "leftovers"
#: Recipients in one erase job; SendGrid takes 5,000.
_MOST_RECIPIENTS = 1_000
#: The copies of this delivery are still to be removed. There may be more of them than one statement takes values.
_OF_DELIVERY = and_(Leftover.kind == MAIL, Leftover.key == Delivery.ref)


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a run came to: files deleted or rewritten, recipients erased at SendGrid, and what is left for the next."""

    files: int = 0
    recipients: int = 0
    left: int = 0


def note(session: Session, kind: str, keys: Iterable[str], *, now: datetime) -> None:
    """Write down what is to be removed, in the transaction of the erasure. What is known already stays as it is."""
    rows = [{"kind": kind, "key": key, "asked_at": now, "tries": 0} for key in keys]
    if rows:
        session.execute(insert_into(session, Leftover).on_conflict_do_nothing(), rows)


def are_left(session: Session) -> int:
    """How many things of erased people are still to be removed."""
    return session.scalar(select(func.count()).select_from(Leftover)) or 0


def clear(db: Database, settings: Settings, *, now: datetime) -> Cleared:
    """Remove what can be removed now. No transaction is open meanwhile; twice at once does no harm."""
    with db.read() as session:
        mails = _waiting(session, MAIL)
        # What is in the air writes its file later than this run would look.
        flying = select(Delivery.ref).join(Leftover, _OF_DELIVERY).where(Delivery.state == State.SENDING)
        in_the_air = frozenset(session.scalars(flying))
        bundles = _bundles(session)
        recipients = _waiting(session, RECIPIENT)
    ready = {id_: ref for id_, ref in mails.items() if ref not in in_the_air}
    gone, files = _clear_mails(settings.mailbox_dir, ready, bundles)
    erased = _clear_recipients(settings, recipients)
    left = len(mails) + len(recipients) - len(gone) - len(erased)
    tried = {*ready, *recipients} - {*gone, *erased}
    with db.begin() as session:
        for some in portions([*gone, *erased]):
            session.execute(delete(Leftover).where(Leftover.id.in_(some)))
        for some in portions(sorted(tried)):
            session.execute(update(Leftover).where(Leftover.id.in_(some)).values(tries=Leftover.tries + 1))
        if tried:
            words = f"Traces of erased people that could not be removed: {len(tried)}. We try again every six hours."
            alerts.raise_alert(session, _ALERT, words, now=now)
        elif not left:
            alerts.close_alert(session, _ALERT, now=now)
    return Cleared(files, len(erased), left)


def _waiting(session: Session, kind: str) -> dict[int, str]:
    rows = select(Leftover.id, Leftover.key).where(Leftover.kind == kind).order_by(Leftover.id)
    return dict(session.execute(rows).all())


def _bundles(session: Session) -> dict[str, list[str]]:
    """The refs of the bundles that hold each letter whose copies are still to be removed."""
    found: dict[str, list[str]] = {}
    rows = session.execute(
        select(Delivery.ref, Bundle.ref)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .join(Bundle, Bundle.id == Attempt.bundle_id)
        .join(Leftover, _OF_DELIVERY)
    )
    for letter, bundle in rows:
        found.setdefault(letter, []).append(bundle)
    return found


def _clear_mails(folder: Path, mails: Mapping[int, str], bundles: Mapping[str, Sequence[str]]) -> tuple[list[int], int]:
    """Which leftovers are gone now, and how many files that took."""
    names: dict[str, list[str]] = {}
    for name in mail_names(folder) if mails else ():
        names.setdefault(name.partition(".")[0], []).append(name)
    gone, files = list[int](), 0
    for id_, ref in mails.items():
        try:
            for name in names.get(ref, ()):
                (folder / name).unlink(missing_ok=True)
                files += 1
            for name in (name for bundle in bundles.get(ref, ()) for name in names.get(bundle, ())):
                with suppress(NotFound):  # deleted in between
                    replace_mail(folder, name, bundle_without(open_mail(folder, name).raw, [ref]))
                    files += 1
        except (OSError, LookupError, ValueError) as error:
            log.error("mail_not_removed", delivery=ref, error=type(error).__name__)
        else:
            gone.append(id_)
    return gone, files


def _clear_recipients(settings: Settings, recipients: Mapping[int, str]) -> list[int]:
    """Which leftovers SendGrid has taken a job for."""
    if not recipients or not settings.uses_sendgrid:
        return []
    with closing(SendGridTransport.from_settings(settings)) as sendgrid:
        return _erased(recipients, sendgrid.erase_recipients)


def _erased(recipients: Mapping[int, str], erase: Callable[[Sequence[str]], None]) -> list[int]:
    done = list[int]()
    for some in portions(list(recipients), _MOST_RECIPIENTS):
        try:
            erase([recipients[id_] for id_ in some])
        except OutOfReach as error:
            log.error("recipients_not_erased", recipients=len(some), error=error.message)
            break
        done += some
    return done
