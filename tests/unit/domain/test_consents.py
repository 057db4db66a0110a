"""What signers are asked to agree to, word for word."""

from __future__ import annotations

import pytest

from outreach.domain.consents import Purpose, in_words, wording, wording_language


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "those this campaign writes to"),
        (["A"], "A"),
        (["A", "B"], "A and B"),
        (["A", "B", "C"], "A, B and C"),
        (list("ABCDE"), "A, B, C, D and E"),
        (list("ABCDEF"), "A, B, C and 3 others"),
    ],
)
def test_names_are_joined_as_people_would(names: list[str], words: str) -> None:
    assert in_words(names) == words


@pytest.mark.parametrize("purpose", Purpose)
def test_every_wording_names_who_is_agreed_with_and_takes_names_literally(purpose: Purpose) -> None:
    sentence = wording(purpose, organisation="Fair {Homes}", targets=["The {Office}"])
    assert "Fair {Homes}" in sentence
    assert sentence.endswith(".")


def test_a_language_without_wordings_gets_the_first_and_says_so() -> None:
    assert wording_language("ro") == "en"
    assert wording(Purpose.UPDATES, organisation="X", language="ro") == wording(Purpose.UPDATES, organisation="X")
