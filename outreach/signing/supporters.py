"""Supporters by their address key: found, or made once however many ask at the same moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from outreach.keys import Keys
from outreach.models import Supporter, insert_into, new_ref


def find_or_make(session: Session, address: str, key: str, *, keys: Keys, now: datetime) -> tuple[Supporter, bool]:
    """The one supporter of that address key, locked until the transaction ends, and whether this made it.

    Two forms with one address that come at the same moment go one after the other from here on: so the caps hold,
    and one signature stands. Nothing can be known yet of a supporter who was made just now.
    """
    making = insert_into(session, Supporter).values(_row(key, address, keys=keys, now=now)).on_conflict_do_nothing()
    made = session.scalar(making.returning(Supporter))
    return (made, True) if made else (session.scalars(_locked().where(Supporter.address_key == key)).one(), False)


def find_or_make_all(
    session: Session, addresses: Mapping[str, str], *, keys: Keys, now: datetime
) -> dict[str, Supporter]:
    """The same for many: address key → address in, address key → supporter out."""
    if not addresses:
        return {}
    # In one order for all, so that nobody waits in a ring.
    rows = [_row(key, address, keys=keys, now=now) for key, address in sorted(addresses.items())]
    session.execute(insert_into(session, Supporter.__table__).on_conflict_do_nothing(), rows)
    # Its statement comes after the insert: it sees what another transaction, waited for there, has made.
    found = session.scalars(_locked().where(Supporter.address_key.in_(addresses)).order_by(Supporter.address_key))
    return {supporter.address_key: supporter for supporter in found}


def _row(key: str, address: str, *, keys: Keys, now: datetime) -> dict[str, Any]:
    return {
        "ref": new_ref(),
        "address": address,
        "address_key": key,
        "address_hash": keys.address_hash(key),
        "created_at": now,
    }


def _locked() -> Select[Supporter]:
    # FOR NO KEY UPDATE: rows that merely point at the supporter (a letter, a consent) do not wait for it.
    return select(Supporter).with_for_update(key_share=True)
