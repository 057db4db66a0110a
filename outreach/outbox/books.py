"""The books: every change of a delivery's state, with its log entry and its counters, in one transaction.

`Books.move` is the only code in the engine that writes `deliveries.state`. Moves are gathered and the log and the
counters are written once, when the block ends, so that a round of fifty mails costs a handful of statements.
"""

from __future__ import annotations

import os
import threading
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

from sqlalchemy import Select, Table, and_, exists, insert, literal, select, update
from sqlalchemy.orm import Session

from outreach.domain.deliveries import NEXT, MailClass, State, Stream
from outreach.models import Counter, Delivery, Lane, LogEntry, Minute, insert_into
from outreach.models.base import UTCDateTime

#: Rows per counter. Two workers that settle at once touch different rows, unless they share a shard by chance.
_SHARDS = 16
_HOLDS_CLAIM = (State.CLAIMED, State.SENDING)
_DELIVERIES = cast("Table", Delivery.__table__)
_LOG = cast("Table", LogEntry.__table__)


class Account(NamedTuple):
    """Whose books a delivery is in."""

    campaign_id: int
    wave_id: int  #: 0: no wave
    mail_class: MailClass


class Books:
    """One transaction's entries. Use as a context manager inside `Database.begin()`."""

    def __init__(self, session: Session, *, now: datetime, actor: str = "engine") -> None:
        self.session = session
        self.now = now
        self.actor = actor
        self._log: list[dict[str, Any]] = []
        self._tally: Tally[tuple[Account, State]] = Tally()
        self._minutes: Tally[tuple[Stream, str]] = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self._write()

    def move(
        self,
        ids: Sequence[int],
        current: State,
        to: State,
        *,
        reason: str = "",
        token: str | None = None,
        live: bool = False,
        **values: Any,
    ) -> list[int]:
        """Move those of `ids` that are in state `current` (and held under claim `token`, if one is given; and with
        `live`, only while the lease of that claim lasts).

        Returns the ids that moved; the others are in another state or another worker's hands, and stay as they are.
        """
        if to not in NEXT[current]:
            raise ValueError(f"a delivery cannot go from {current} to {to}")
        if not ids:
            return []
        conditions = [Delivery.id.in_(ids), Delivery.state == current]
        if token is not None:
            conditions.append(Delivery.claim_token == token)
        if live:
            conditions.append(Delivery.claimed_until > self.now)
        return self.move_where(and_(*conditions), current, to, reason=reason, **values)

    def move_where(self, condition: Any, current: State, to: State, *, reason: str = "", **values: Any) -> list[int]:
        """The same for all rows that meet `condition`, which must include the current state."""
        if to not in NEXT[current]:
            raise ValueError(f"a delivery cannot go from {current} to {to}")
        if to not in _HOLDS_CLAIM:
            values |= {"claim_token": None, "claimed_until": None}
        change = (
            update(Delivery)
            .where(condition)
            .values(state=to, reason=reason, **values)
            .returning(Delivery.id, Delivery.campaign_id, Delivery.wave_id, Delivery.mail_class)
            .execution_options(synchronize_session=False)
        )
        moved = self.session.execute(change).all()
        for id_, campaign_id, wave_id, mail_class in moved:
            account = Account(campaign_id, wave_id or 0, mail_class)
            self._tally[account, current] -= 1
            self._tally[account, to] += 1
            self._note(id_, current, to, reason)
        return [row[0] for row in moved]

    def add(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Insert new deliveries; rows that exist already (by any unique constraint) are passed over.

        Returns the ids of the rows that are new.
        """
        if not rows:
            return []
        statement = (
            insert_into(self.session, _DELIVERIES)
            .on_conflict_do_nothing()
            .returning(
                Delivery.id,
                Delivery.state,
                Delivery.reason,
                Delivery.campaign_id,
                Delivery.wave_id,
                Delivery.mail_class,
            )
        )
        added = self.session.execute(statement, [_columns(row) for row in rows]).all()
        for id_, state, reason, campaign_id, wave_id, mail_class in added:
            self._tally[Account(campaign_id, wave_id or 0, mail_class), state] += 1
            self._note(id_, None, state, reason)
        return [row[0] for row in added]

    def move_into_wave(self, ids: Sequence[int], wave_id: int, **values: Any) -> list[int]:
        """held → queued, and from now on in the books of that wave. The rows must be locked by the caller."""
        held = Delivery.id.in_(ids) & (Delivery.state == State.HELD)
        was_in = dict(self.session.execute(select(Delivery.id, Delivery.wave_id).where(held)).all())
        change = (
            update(Delivery)
            .where(held)
            .values(state=State.QUEUED, reason="", wave_id=wave_id, **values)
            .returning(Delivery.id, Delivery.campaign_id, Delivery.mail_class)
            .execution_options(synchronize_session=False)
        )
        moved = self.session.execute(change).all()
        for id_, campaign_id, mail_class in moved:
            self._tally[Account(campaign_id, was_in[id_] or 0, mail_class), State.HELD] -= 1
            self._tally[Account(campaign_id, wave_id, mail_class), State.QUEUED] += 1
            self._note(id_, State.HELD, State.QUEUED, "")
        return [row[0] for row in moved]

    def add_chosen(self, chosen: Select[Any], account: Account, state: State) -> int:
        """Insert the rows that a query chooses, inside the database; those that exist already are passed over.

        The query's columns are named as a delivery's, and its rows all belong to `account` and are in `state`. The
        wave must be locked by the caller, so that nobody else adds to it meanwhile. Returns how many are new.
        """
        names = [column.name for column in chosen.selected_columns]
        statement = insert_into(self.session, _DELIVERIES).from_select(names, chosen).on_conflict_do_nothing()
        ids = self.session.scalars(statement.returning(_DELIVERIES.c.id)).all()
        if not ids:
            return 0
        # The sum keeps a planner without statistics from walking through the whole wave's index for each chunk.
        new = _DELIVERIES.c.id.between(min(ids), max(ids)) & (_DELIVERIES.c.wave_id + 0 == account.wave_id)
        at = literal(self.now, UTCDateTime())
        entry = select(_DELIVERIES.c.id, at, literal(state.value), literal(""), literal(self.actor)).where(new)
        self.session.execute(insert(LogEntry).from_select(["delivery_id", "at", "to_state", "reason", "actor"], entry))
        self._tally[account, state] += len(ids)
        return len(ids)

    def count_attempt(self, stream: Stream, outcome: str, n: int = 1) -> None:
        """Note `n` attempts that ended now, for the rates on the queue page."""
        self._minutes[stream, outcome] += n

    def _note(self, id_: int, current: State | None, to: State, reason: str) -> None:
        self._log.append(
            {
                "delivery_id": id_,
                "at": self.now,
                "from_state": current,
                "to_state": to,
                "reason": reason,
                "actor": self.actor,
            }
        )

    def _write(self) -> None:
        if self._log:
            self.session.execute(insert(_LOG), self._log)  # by the bare table: the class looks at each row again
        shard = _shard()
        # Sorted, so that two workers that share a shard take the rows in one order and never wait in a ring.
        counts = [
            {**account._asdict(), "state": state, "shard": shard, "n": n}
            for (account, state), n in sorted(self._tally.items())
            if n
        ]
        minute = self.now.replace(second=0, microsecond=0)
        minutes = [
            {"minute": minute, "stream": stream, "outcome": outcome, "shard": shard, "n": n}
            for (stream, outcome), n in sorted(self._minutes.items())
        ]
        _add_up(self.session, Counter, counts)
        _add_up(self.session, Minute, minutes)


def _shard() -> int:
    """This thread's own: the signers that one web process serves at once do not wait for each other's row."""
    return (os.getpid() + threading.get_native_id()) % _SHARDS


#: The names of `Delivery`'s attributes whose columns are called otherwise.
_COLUMN = {"mail_class": "class"}


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_COLUMN.get(name, name): value for name, value in row.items()}


def _add_up(session: Session, table: type[Counter] | type[Minute], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = cast("Table", table.__table__)
    statement = insert_into(session, columns)
    adding = {"n": columns.c.n + statement.excluded.n}
    session.execute(
        statement.on_conflict_do_update(index_elements=list(columns.primary_key), set_=adding),
        [_columns(row) for row in rows],
    )


def due_streams(session: Session, now: datetime) -> list[Stream]:
    """The streams that have something due in a lane that may be open. Cheap: one look into an index for each."""
    return [
        stream
        for stream in Stream
        if session.execute(
            select(
                exists().where(
                    Lane.stream == stream,
                    Lane.opens_at <= now,
                    Lane.bundle.is_(False),
                    exists().where(Delivery.lane_id == Lane.id, Delivery.state == State.QUEUED, Delivery.due_at <= now),
                )
            )
        ).scalar_one()
    ]
