"""The search for the bad rows of a refused request, with a provider that is a function."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.transports.base import Ailing, NoAnswer, NotOffered, Outcome, Receipt, Refused, Unavailable
from outreach.transports.isolating import Objection, isolate, most_requests

OPAQUE = Objection(Refused("400 Bad Request"))


class Provider:
    """Takes a request whole, unless it holds a bad row."""

    def __init__(self, bad: set[int], *, names: bool = False, most: int = 10_000) -> None:
        self.bad, self.names, self.most = bad, names, most
        self.requests: list[list[int]] = []
        self.taken: list[int] = []
        self.answers: dict[int, Outcome] = {}  #: by the number of the request, from 1

    def __call__(self, rows: Sequence[int]) -> Outcome | Objection:
        self.requests.append(list(rows))
        if answer := self.answers.get(len(self.requests)):
            return answer
        if len(rows) > self.most:
            return Objection(Refused("413 too large"), is_size=True)
        found = {place: Refused(f"400 row {row}") for place, row in enumerate(rows) if row in self.bad}
        if found:
            return Objection(Refused("400 Bad Request"), found if self.names else {})
        self.taken += rows
        return Receipt(f"r{len(self.requests)}")


@given(st.data(), st.integers(1, 1000))
def test_c6_an_opaque_refusal_is_halved_until_the_bad_row_is_found(data: st.DataObject, count: int) -> None:
    bad = data.draw(st.integers(0, count - 1))
    provider = Provider({bad})

    outcomes = isolate(count, provider)

    assert isinstance(outcomes[bad], Refused)
    assert sorted(provider.taken) == [row for row in range(count) if row != bad]
    assert all(isinstance(outcome, Receipt) for row, outcome in enumerate(outcomes) if row != bad)
    assert len(provider.requests) <= 2 * log2(count) + 2


@given(st.sets(st.integers(0, 99)), st.booleans())
def test_whatever_is_bad_no_good_row_is_refused_and_none_is_taken_twice(bad: set[int], names: bool) -> None:
    provider = Provider(bad, names=names)

    outcomes = isolate(100, provider)

    assert len(provider.taken) == len(set(provider.taken))
    for row, outcome in enumerate(outcomes):
        assert isinstance(outcome, Receipt) == (row in provider.taken)
        assert not isinstance(outcome, Refused) or row in bad
    assert len(provider.requests) <= most_requests(100)
    if names or len(bad) < 2:
        assert not any(isinstance(outcome, Unavailable) for outcome in outcomes)


def test_c5_rows_that_are_named_cost_one_more_request() -> None:
    provider = Provider({3, 7}, names=True)

    outcomes = isolate(10, provider)

    assert [str(outcomes[row]) for row in (3, 7)] == ["400 row 3", "400 row 7"]
    assert provider.requests == [list(range(10)), [0, 1, 2, 4, 5, 6, 8, 9]]


def test_a_request_whose_rows_are_all_named_is_not_offered_again() -> None:
    provider = Provider({0, 1}, names=True)
    assert [type(outcome) for outcome in isolate(2, provider)] == [Refused, Refused]
    assert len(provider.requests) == 1


def test_a_row_that_was_named_wrongly_does_not_send_the_search_in_circles() -> None:
    def odd(rows: Sequence[int]) -> Outcome | Objection:
        return Receipt() if 2 not in rows else Objection(Refused("400"), {17: Refused("400")})

    outcomes = isolate(4, odd)
    assert [isinstance(outcome, Refused) for outcome in outcomes] == [False, False, True, False]


def test_c9_too_large_a_request_is_halved_and_too_large_a_mail_refused() -> None:
    provider = Provider(set(), most=30)
    outcomes = isolate(100, provider)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert sorted(provider.taken) == list(range(100))

    assert [type(outcome) for outcome in isolate(1, Provider(set(), most=0))] == [Refused]


def test_when_many_rows_are_bad_what_is_left_waits_for_its_next_try() -> None:
    provider = Provider(set(range(500)))

    outcomes = isolate(500, provider)

    assert len(provider.requests) == most_requests(500)
    waiting = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert waiting
    assert not any(outcome.whole or isinstance(outcome, NotOffered) for outcome in waiting), "the try counts"
    assert any(isinstance(outcome, Refused) for outcome in outcomes), "each try finds some"


@pytest.mark.parametrize(
    "answer", [NoAnswer("timeout"), Unavailable("429", whole=True), Ailing("503")], ids=["silent", "closed", "ill"]
)
def test_a_provider_in_trouble_ends_the_search_and_the_rest_is_not_offered(answer: Outcome) -> None:
    provider = Provider({9})
    provider.answers[2] = answer

    outcomes = isolate(10, provider)

    assert len(provider.requests) == 2
    assert outcomes[:5] == [answer] * 5
    assert [type(outcome) for outcome in outcomes[5:]] == [NotOffered] * 5


def test_when_time_is_up_nothing_more_is_offered() -> None:
    provider = Provider({9})

    outcomes = isolate(10, provider, may_go_on=lambda: len(provider.requests) < 2)

    assert provider.requests == [list(range(10)), [0, 1, 2, 3, 4]]
    assert [type(outcome) for outcome in outcomes[5:]] == [NotOffered] * 5
