"""The SQL that a block of a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from outreach.models import Database


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """Every statement of the block in this process, reading and writing, as the database gets it."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, words: str, *_more: object) -> None:
        said.append(words)

    engines = (db.engine, db._reading)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
