"""What signers are asked to agree to, word for word."""

from __future__ import annotations

import pytest

from outreach.domain.consents import Purpose, wording
from outreach.languages import language


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
    assert wording(Purpose.DELIVER_LETTER, organisation="X", targets=names).endswith(f" by email to {words}.")


@pytest.mark.parametrize("purpose", Purpose)
def test_every_wording_names_who_is_agreed_with_and_takes_names_literally(purpose: Purpose) -> None:
    sentence = wording(purpose, organisation="Fair {Homes}", targets=["The {Office}"])
    assert "Fair {Homes}" in sentence
    assert sentence.endswith(".")


def test_a_wording_is_agreed_to_in_the_language_it_is_said_in() -> None:
    sentence = wording(Purpose.DELIVER_LETTER, organisation="Vecinos", targets=list("ABCDEF"))

    assert language("es").say(sentence).endswith("por correo electrónico a A, B, C y otras 3 personas.")
    assert language("ro").say(sentence) == sentence
