"""Where a person appears. A table that is added to the model and knows people must be added here; a test sees to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, or_, select
from sqlalchemy.orm import Session

from outreach.domain.addresses import address_key
from outreach.keys import Keys
from outreach.models import (
    Anomaly,
    Attempt,
    Base,
    Consent,
    Delivery,
    LogEntry,
    ProviderEvent,
    Reply,
    SelfSend,
    ShareLink,
    Signature,
    Step,
    Supporter,
    Suppression,
    Token,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant: by address, whether or not there is a supporter (a suppression may be all that is left)."""

    address_hash: str
    supporter_id: int | None


def find(session: Session, address: str, *, keys: Keys) -> Person:
    """The person with this address. Somebody nobody knows is a person without records."""
    hash_ = keys.address_hash(address_key(address))
    return Person(hash_, session.scalar(select(Supporter.id).where(Supporter.address_hash == hash_)))


def signatures_of(person: Person) -> Select[int]:
    """The ids of everything this person signed."""
    return select(Signature.id).where(Signature.supporter_id == person.supporter_id)


def deliveries_of(person: Person) -> Select[int]:
    """The ids of everything that was or will be sent for or to this person."""
    return select(Delivery.id).where(
        or_(Delivery.supporter_id == person.supporter_id, Delivery.signature_id.in_(signatures_of(person)))
    )


def conditions(person: Person) -> Mapping[type[Base], ColumnElement[bool]]:
    """For each table that knows people, which of its rows are about this one."""
    letters = deliveries_of(person)
    return {
        Supporter: Supporter.id == person.supporter_id,
        Signature: Signature.supporter_id == person.supporter_id,
        Consent: Consent.supporter_id == person.supporter_id,
        Token: or_(Token.supporter_id == person.supporter_id, Token.signature_id.in_(signatures_of(person))),
        Delivery: Delivery.id.in_(letters),
        Attempt: Attempt.delivery_id.in_(letters),
        LogEntry: LogEntry.delivery_id.in_(letters),
        ProviderEvent: or_(ProviderEvent.delivery_id.in_(letters), ProviderEvent.address_hash == person.address_hash),
        Anomaly: Anomaly.delivery_id.in_(letters),
        Step: Step.signature_id.in_(signatures_of(person)),
        Reply: Reply.signature_id.in_(signatures_of(person)),
        SelfSend: SelfSend.signature_id.in_(signatures_of(person)),
        ShareLink: ShareLink.signature_id.in_(signatures_of(person)),
        Suppression: Suppression.address_hash == person.address_hash,
    }


def export(session: Session, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row about this person, by table, as plain JSON values. Tables without any are there and empty."""
    return {
        model.__tablename__: [_plain(row) for row in _rows(session, model, condition)]
        for model, condition in conditions(person).items()
    }


def _rows(session: Session, model: type[Base], condition: ColumnElement[bool]) -> Any:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 (a model is one table here)
    return session.execute(select(table).where(condition).order_by(*table.primary_key.columns)).mappings()


def _plain(row: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):  # a mail as it came in
        return value.decode("utf-8", "replace")
    return value.value if isinstance(value, Enum) else value
