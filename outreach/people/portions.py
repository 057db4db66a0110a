"""Long lists a part at a time: one statement takes 65,535 values on PostgreSQL, and half of that on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST = 10_000


def portions(rows: Sequence[T], size: int = MOST) -> Iterator[Sequence[T]]:
    """The same rows in the same order, at most `size` at a time."""
    return (rows[begin : begin + size] for begin in range(0, len(rows), size))
