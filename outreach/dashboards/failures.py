"""What went wrong, by cause: how many mails, which for example, and what helps.

Looks only at rows that failed or wait for a person, by the indexes that hold nothing else, and of each state at the
first ten thousand: a page must not cost more on the day when everything fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import Cause as Told
from outreach.errors import NotFound
from outreach.models import Campaign, Delivery, ProviderEvent
from outreach.outbox.causes import FAILED, Cause
from outreach.outbox.enqueue import NO_CONTACT, WAITS_FOR_WAVE
from outreach.outbox.holding import SIGNER_BOUNCED

from .queue import in_state

#: Rows of one state that are looked at, and causes that are told.
SAMPLE, _MOST = 10_000, 100


class Act(StrEnum):
    """What a person can do about it."""

    RESEND = "resend"
    CONTACT = "contact"  #: give the target another address
    RELEASE = "release"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Mails of one class that failed, or wait for a person, for one reason.

    `reason` is the engine's word, a `domain.events.Cause`, or a provider's words, which are hostile text.
    """

    mail_class: MailClass
    state: State
    reason: str
    n: int
    samples: tuple[str, ...]  #: ids (`ref`) of the oldest and the newest
    act: Act
    advice: str

    @property
    def cause(self) -> Cause:
        """All of these mails, for those who act on them together."""
        return Cause(self.mail_class, self.state, self.reason)


def failures_by_cause(session: Session) -> list[FailureRow]:
    """Every cause, the most frequent first."""
    rows = [*_in_states(session), *_reported(session)]
    return sorted(rows, key=lambda row: (-row.n, row.state, row.reason, row.mail_class))[:_MOST]


def failure_of(session: Session, ref: str) -> FailureRow:
    """The one whose cause is called so; NotFound when none of its mails failed, or all have been seen to."""
    row = next((row for row in failures_by_cause(session) if row.cause.ref == ref), None)
    if row is None:
        raise NotFound(
            "No mail stands under this cause any more.", where=ref[:20], advice="Somebody may have seen to it."
        )
    return row


_RELEASE = "Look at it, then release or cancel it."
_OUR_FAULT = "The address is fine: look at what the provider says about our mails and our domain."
_OF_STATE: Mapping[State, tuple[Act, str]] = {
    State.REJECTED: (
        Act.NOTHING,
        "The provider refuses the mail itself; what it names must be put right for later ones.",
    ),
    State.DEAD: (Act.RESEND, "Nothing has left. Once the reason is gone, send it again."),
    State.IN_DOUBT: (Act.RESEND, "It may have left. `outreach reconcile` says whether it may be sent again."),
    State.HELD: (Act.RELEASE, _RELEASE),
    State.SUPPRESSED: (Act.NOTHING, "Its address must not be written to."),
    State.GIVEN_UP: (Act.NOTHING, "It may have left, and is not sent again."),
}
_OF_HOLD: Mapping[str, tuple[Act, str]] = {
    NO_CONTACT: (Act.CONTACT, "Give the target another address; its letters then leave by themselves."),
    SIGNER_BOUNCED: (Act.RELEASE, "Mail to the signer comes back, so no answer could reach them. " + _RELEASE),
}
_OURS = (Told.REFUSED, Told.NOT_SENDABLE)


def _in_states(session: Session) -> Iterable[FailureRow]:
    campaigns = list(session.scalars(select(Campaign.id)))  # so that an index by campaign and state can be used
    for state, of_state in _OF_STATE.items():
        some = (
            select(Delivery.id, Delivery.mail_class, Delivery.reason)
            .where(in_state(state), Delivery.campaign_id.in_(campaigns), Delivery.reason != WAITS_FOR_WAVE)
            .where(Delivery.handled_at.is_(None))
            .limit(SAMPLE)
            .subquery()
        )
        found = session.execute(
            select(some.c.mail_class, some.c.reason, func.count(), func.min(some.c.id), func.max(some.c.id))
            .group_by(some.c.mail_class, some.c.reason)
            .order_by(func.count().desc())
            .limit(_MOST)
        ).all()
        refs = _refs(session, (id_ for row in found for id_ in row[3:]))
        for mail_class, reason, n, oldest, newest in found:
            act, advice = _OF_HOLD.get(reason, of_state) if state is State.HELD else of_state
            yield FailureRow(mail_class, state, reason, n, _samples(refs, oldest, newest), act, advice)


def _reported(session: Session) -> Iterable[FailureRow]:
    """Mails that the provider took and could not deliver, or that were not wanted."""
    some = (
        select(ProviderEvent.delivery_id, ProviderEvent.cause)
        .where(ProviderEvent.cause.is_not(None), ProviderEvent.delivery_id.is_not(None))
        .distinct()
        .limit(SAMPLE)
        .subquery()
    )
    found = session.execute(
        select(Delivery.mail_class, some.c.cause, func.count(), func.min(Delivery.id), func.max(Delivery.id))
        .join(some, some.c.delivery_id == Delivery.id)
        .where(Delivery.event_state.in_(FAILED), Delivery.state == State.ACCEPTED)
        .where(Delivery.handled_at.is_(None))
        .group_by(Delivery.mail_class, some.c.cause)
    ).all()
    refs = _refs(session, (id_ for row in found for id_ in row[3:]))
    for mail_class, cause, n, oldest, newest in found:
        act, advice = _of_cause(mail_class, cause)
        yield FailureRow(mail_class, State.ACCEPTED, str(cause), n, _samples(refs, oldest, newest), act, advice)


def _of_cause(mail_class: MailClass, cause: Told) -> tuple[Act, str]:
    if cause in _OURS:
        return Act.NOTHING, _OUR_FAULT
    if cause is Told.UNAVAILABLE:
        return Act.NOTHING, "The mailbox was full or away; later mails may arrive."
    if mail_class is MailClass.LETTER:
        return Act.CONTACT, "Give the target another address. What came back is not sent again."
    return Act.NOTHING, "The address is closed; nothing more is written to it."


def _refs(session: Session, ids: Iterable[int]) -> dict[int, str]:
    return dict(session.execute(select(Delivery.id, Delivery.ref).where(Delivery.id.in_(set(ids)))).all())


def _samples(refs: Mapping[int, str], oldest: int, newest: int) -> tuple[str, ...]:
    return tuple(refs[id_] for id_ in dict.fromkeys((oldest, newest)))
