"""Return addresses: each says which attempt it was made for, and nobody else can make one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from outreach.keys import Keys
from outreach.models import new_ref

KEYS = Keys("a secret of more than thirty-two characters")


@given(st.integers(1, 10_000))
def test_an_alias_says_which_attempt_it_was_made_for(attempt: int) -> None:
    ref = new_ref()
    alias = KEYS.bounce_alias(ref, attempt)

    assert KEYS.open_bounce_alias(alias) == (ref, attempt)
    assert KEYS.open_bounce_alias(alias.upper()) == (ref, attempt), "gateways fold case"
    assert re.fullmatch(r"[a-z0-9-]{1,64}", alias)
    assert Keys("another secret of more than thirty-two").open_bounce_alias(alias) is None


def test_an_alias_of_one_attempt_is_none_of_another() -> None:
    ref = new_ref()
    forged = KEYS.bounce_alias(ref, 1).replace("-1-", "-2-")
    assert KEYS.open_bounce_alias(forged) is None
    assert KEYS.open_bounce_alias("r" + KEYS.bounce_alias(ref, 1)[1:]) is None


@given(st.text(max_size=60) | st.from_regex(r"b-[a-z2-7]{1,20}-[0-9]{1,12}-.{0,20}", fullmatch=True))
def test_what_we_never_made_opens_nothing(local_part: str) -> None:
    assert KEYS.open_bounce_alias(local_part) is None
