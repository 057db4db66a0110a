"""Finding the bad rows of a request that was refused for them, in few requests, offering no good row twice.

A request is taken whole or not at all. When it is refused for some of its rows, those it names are refused and the
rest is offered again. When it names none, its halves are offered: with one bad row among n that takes at most
2·log2(n) + 2 requests in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from outreach.transports.base import NoAnswer, NotOffered, Outcome, Receipt, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Objection:
    """Nothing of a request was taken, because of some of its rows.

    `rows`: the refusal of each that it names by its place in the request, from 0; empty when it names none.
    `is_size`: there was too much of it.
    """

    refusal: Refused
    rows: Mapping[int, Refused] = field(default_factory=dict)
    is_size: bool = False


#: Why a mail was not offered at all.
NOT_NOW = "the provider is away, or too little of the lease was left"

#: Offers the rows with these numbers in one request.
Offer = Callable[[Sequence[int]], Outcome | Objection]


def isolate(count: int, offer: Offer, *, may_go_on: Callable[[], bool] = lambda: True) -> list[Outcome]:
    """Offer rows 0 to `count` - 1, together as far as that goes; their outcomes.

    Stops making requests when `may_go_on` says no, when the provider closes or falls silent, and when many rows are
    bad: what is left then waits for its next try, which the bad rows that were found do not share.
    """
    search = _Search(count, offer, may_go_on)
    search.offer(list(range(count)))
    return [search.outcomes[number] for number in range(count)]


def most_requests(count: int) -> int:
    """How many requests one search may make: enough for two or three bad rows among `count`."""
    return 4 * count.bit_length() + 8


class _Search:
    def __init__(self, count: int, offer: Offer, may_go_on: Callable[[], bool]) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._offer = offer
        self._may_go_on = may_go_on
        self._left = most_requests(count)
        self._end: Outcome | None = None  #: what becomes of the rows that are not offered any more

    def offer(self, rows: list[int]) -> bool:
        """Offer these rows until each has its outcome; whether all of them were taken."""
        told = self._ask(rows)
        if not isinstance(told, Objection):
            self._set(rows, told)
            return isinstance(told, Receipt)
        named = {row: told.rows[place] for place, row in enumerate(rows) if place in told.rows}
        self.outcomes.update(named)
        if len(rows) == 1:
            self._set(rows, told.refusal)
        elif named:
            if rest := [row for row in rows if row not in named]:
                self.offer(rest)
        else:
            self._halve(rows, is_size=told.is_size)
        return False

    def _halve(self, rows: list[int], *, is_size: bool) -> None:
        """Rows among which one or more are bad."""
        middle = len(rows) // 2
        left, right = rows[:middle], rows[middle:]
        # When all of the left half was taken, the bad row is in the right: no need to ask. A single row is always
        # asked about, as the fault may have been in the company it had.
        if self.offer(left) and len(right) > 1 and not is_size:
            self._halve(right, is_size=False)
        else:
            self.offer(right)

    def _ask(self, rows: list[int]) -> Outcome | Objection:
        if self._end is not None:
            return self._end
        if not self._may_go_on():
            self._end = NotOffered(NOT_NOW)
            return self._end
        if self._left == 0:
            self._end = Unavailable("the provider objects to several mails and does not say which")
            return self._end
        self._left -= 1
        told = self._offer(rows)
        if isinstance(told, NoAnswer | Unavailable):
            self._end = NotOffered(NOT_NOW)
        return told

    def _set(self, rows: list[int], outcome: Outcome) -> None:
        self.outcomes.update(dict.fromkeys(rows, outcome))
