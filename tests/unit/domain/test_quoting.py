"""Answers as mail programs write them: what is new, and what is the original below."""

from __future__ import annotations

import pytest

from outreach.domain.quoting import part

LETTER = "> Dear Mayor Rivera,\n>\n> build a shelter at every stop.\n>\n> Jane Doe"

GMAIL = f"Yes, we will.\n\nAlex\n\nOn Mon, 2 Mar 2026 at 12:05, Jane via Fair <letters@example.org> wrote:\n\n{LETTER}"
GMAIL_BROKEN = (
    "Yes, we will.\n\nAlex\n\nOn Mon, 2 Mar 2026 at 12:05, Jane Doe via Fair Streets <\n"
    f"letters@letters.example.org> wrote:\n\n{LETTER}"
)
GMAIL_ES = f"Sí, lo haremos.\n\nEl lun, 2 mar 2026 a las 12:05, Jane Doe (<letters@example.org>) escribió:\n\n{LETTER}"
APPLE = f"Yes, we will.\n\n> On 2 Mar 2026, at 12:05, Jane Doe <letters@example.org> wrote:\n> \n{LETTER}"
APPLE_ES = f"Sí.\n\n> El 2 mar 2026, a las 12:05, Jane Doe <letters@example.org> escribió:\n> \n{LETTER}"
OUTLOOK = (
    "Yes, we will.\n\nAlex Rivera\nMayor\n\n________________________________\n"
    "From: Jane Doe via Fair Streets <letters@example.org>\nSent: Monday, March 2, 2026 12:05 PM\n"
    "To: Office of the Mayor <office@example.net>\nSubject: A shelter at every stop\n\nDear Mayor Rivera,\n\nbuild it."
)
OUTLOOK_OLD = (
    "Yes, we will.\n\n-----Original Message-----\nFrom: Jane Doe\nSent: Monday, March 2, 2026\n"
    "To: Mayor\nSubject: A shelter\n\nDear Mayor Rivera,"
)
OUTLOOK_ES = (
    "Sí, lo haremos.\n\nDe: Jane Doe <letters@example.org>\nEnviado el: lunes, 2 de marzo de 2026 12:05\n"
    "Para: Alcaldía\nAsunto: Un refugio en cada parada\n\nEstimado alcalde:"
)
OUTLOOK_ES_OLD = "Sí, lo haremos.\n\n-----Mensaje original-----\nDe: Jane Doe\nEnviado: lunes\n\nEstimado alcalde:"
FRENCH = f"Oui.\n\nLe lun. 2 mars 2026 à 12:05, Jane Doe <letters@example.org> a écrit :\n\n{LETTER}"
GERMAN = f"Ja.\n\nAm Mo., 2. März 2026 um 12:05 Uhr schrieb Jane Doe <letters@example.org>:\n\n{LETTER}"
BARE = f"Yes, we will.\n\n{LETTER}\n"


@pytest.mark.parametrize(
    ("text", "written", "begins"),
    [
        (GMAIL, "Yes, we will.\n\nAlex", "On Mon"),
        (GMAIL_BROKEN, "Yes, we will.\n\nAlex", "On Mon"),
        (GMAIL_ES, "Sí, lo haremos.", "El lun"),
        (APPLE, "Yes, we will.", "> On 2 Mar"),
        (APPLE_ES, "Sí.", "> El 2 mar"),
        (OUTLOOK, "Yes, we will.\n\nAlex Rivera\nMayor", "____"),
        (OUTLOOK_OLD, "Yes, we will.", "-----Original"),
        (OUTLOOK_ES, "Sí, lo haremos.", "De: Jane"),
        (OUTLOOK_ES_OLD, "Sí, lo haremos.", "-----Mensaje"),
        (FRENCH, "Oui.", "Le lun."),
        (GERMAN, "Ja.", "Am Mo."),
        (BARE, "Yes, we will.", "> Dear"),
    ],
)  # fmt: skip
def test_e8_the_original_is_split_off_in_the_shapes_of_every_mail_program(text: str, written: str, begins: str) -> None:
    parted = part(text)
    assert parted.written == written
    assert parted.quoted.startswith(begins)
    assert text.strip() == f"{text[: text.index(parted.quoted)]}{parted.quoted}".strip(), "nothing is lost"


def test_an_answer_below_the_original_is_found_there() -> None:
    parted = part(f"On Mon, 2 Mar 2026 at 12:05, Jane Doe wrote:\n{LETTER}\n\nYes, we will.\nAlex")
    assert parted.written == "Yes, we will.\nAlex"
    assert parted.quoted.endswith("> Jane Doe")


@pytest.mark.parametrize(
    "text",
    [
        "On Monday, Jane Doe wrote:\n> A shelter?\n\nYes.\n\n> At every stop?\n\nAt most of them.",
        "> A shelter?\n\nYes.\n\n> At every stop?\n\nAt most of them.",
        "> A shelter?\nYes.",
    ],
)
def test_answers_between_the_lines_of_the_original_stay_with_it(text: str) -> None:
    assert part(text).written == text
    assert part(text).quoted == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "On Tuesday the council wrote to us: it says yes.",
        "On this I agree.\n\nWhat the paper wrote:\nnothing.",
        "From: the bottom of my heart, thank you.\n\nAlex",
        "De: todo corazón, gracias.",
        "Yes.\n\n--\nAlex Rivera\nMayor",
        f"On Mon, 2 Mar 2026, Jane wrote:\n{LETTER}",  # nothing but the original: better shown than hidden
        LETTER,
    ],
)
def test_words_that_only_look_like_an_introduction_stay(text: str) -> None:
    assert part(text).written == text.strip()
    assert part(text).quoted == ""


def test_a_long_text_of_beginnings_is_parted_in_time_that_grows_with_it() -> None:
    """Counted in work, not in seconds: what is looked at is bounded."""
    text = "On " + "x " * 200_000 + "\n" + "On a\n" * 20_000
    assert part(text).written == text.strip()
