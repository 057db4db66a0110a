"""What every factory shares: the secret, the moment, running numbers, and a row that is there at once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from outreach.domain.addresses import address_key
from outreach.keys import Keys

#: The same secret as the `settings` fixture has, so that hashes and links made here open there.
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-test"
KEYS = Keys(SECRET)

#: The moment of the `now` fixture: a working day's noon in UTC.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

numbers = itertools.count(1)
T = TypeVar("T")


def hash_address(address: str, keys: Keys = KEYS) -> str:
    """The keyed hash that supporters, contacts and suppressions are found by."""
    return keys.address_hash(address_key(address))


def added(session: Session, row: T) -> T:
    """The row, written, with its id."""
    session.add(row)
    session.flush()
    return row
