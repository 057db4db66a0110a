"""Unsubscribe links: nothing is stored of them, and nobody else can make one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from outreach.keys import Keys
from outreach.models import new_ref

KEYS = Keys("a secret of more than thirty-two characters")


@given(st.integers(min_value=1, max_value=2**40))
def test_a4_a_link_says_whose_it_is_and_which_list_to_us_alone(campaign_id: int) -> None:
    ref = new_ref()
    token = KEYS.stop_token(ref, campaign_id)

    assert KEYS.open_stop_token(token) == (ref, campaign_id)
    assert re.fullmatch(r"[a-z2-7]{40}", token)
    assert Keys("another secret of more than thirty-two").open_stop_token(token) is None


def test_a4_the_links_of_two_recipients_differ_throughout() -> None:
    one, other = KEYS.stop_token(new_ref(), 7), KEYS.stop_token(new_ref(), 7)

    assert one[:16] != other[:16]
    assert one[16:] != other[16:]


@given(st.text(max_size=60))
def test_b6_what_we_never_made_opens_nothing(token: str) -> None:
    assert KEYS.open_stop_token(token) is None


def test_b6_a_damaged_link_opens_nothing() -> None:
    token = KEYS.stop_token(new_ref(), 7)

    for at in range(len(token)):
        damaged = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
        assert KEYS.open_stop_token(damaged) is None
    assert KEYS.open_stop_token(token.upper()) is None
