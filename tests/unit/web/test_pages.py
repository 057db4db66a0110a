"""The small words and shapes that pages are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from outreach.domain.consents import with_others
from outreach.domain.words import wrap
from outreach.languages import SOURCE, language
from outreach.web.forms import FormState, one_newline
from outreach.web.pages import (
    STATIC,
    environment,
    iso,
    moment,
    named,
    paragraphs,
    plural,
    reflow,
    second,
    static,
)
from outreach.web.papers import Part, parts
from tests.conftest import make_settings


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12), max_size=60))
def test_a_wrapped_paragraph_comes_back_whole(words: list[str]) -> None:
    text = " ".join(words)
    assert reflow(wrap(text)) == text


def test_lines_that_were_never_wrapped_stay_apart() -> None:
    letter = "Dear Mayor Rivera,\n\nPlease build it.\n\nYours sincerely,\nJane Doe\nSpringfield"
    assert reflow(wrap(letter)) == letter


def test_a_list_keeps_one_line_per_item() -> None:
    items = "1. " + "build a shelter " * 8 + "\n2. keep the fare"
    assert reflow(wrap(items)) == items.replace(" \n", "\n")


def test_paragraphs_part_at_blank_lines_only() -> None:
    assert paragraphs("a\nb\n\n\n\nc\n") == [["a", "b"], ["c"]]
    assert paragraphs("  \n\n") == []


def test_numbers_and_times_read_like_in_a_letter() -> None:
    at = datetime(2026, 3, 2, 14, 5, tzinfo=timezone(timedelta(hours=2)))
    assert [plural(1, "mail"), plural(1200, "mail"), plural(2, "person", "people")] == [
        "1 mail",
        "1,200 mails",
        "2 people",
    ]
    assert moment(at) == "Mon 2 Mar 2026, 12:05 UTC"
    assert iso(at.astimezone(UTC)) == "2026-03-02T12:05:00Z"


def test_the_address_of_a_static_file_changes_with_the_file() -> None:
    path, _, hash_ = static("outreach.css").partition("?v=")
    assert path == "/static/outreach.css"
    assert len(hash_) == 10


def test_a_name_that_is_not_there_is_an_error_and_markup_is_text(tmp_path: Path) -> None:
    env = environment(make_settings(tmp_path))
    with pytest.raises(UndefinedError):
        env.from_string("{{ nobody }}").render()
    assert env.from_string("{{ x }}").render(x="<script>") == "&lt;script&gt;"


def test_the_stylesheet_and_script_ask_nobody_for_anything() -> None:
    for file in STATIC.glob("*.*"):
        text = file.read_bytes()
        assert not re.search(rb"//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]", text), file.name
        assert b"@import" not in text, file.name


def test_a_letter_is_parted_where_the_signers_things_will_stand() -> None:
    assert parts("Yours,\n[Your Name], [Your own words]") == (
        Part("Yours,\n"),
        Part("[Your Name]", "name"),
        Part(", "),
        Part("[Your own words]", "own_words"),
    )


@pytest.mark.parametrize(
    ("first", "among", "said"),
    [
        (["A"], 1, "A"),
        (["A", "B"], 2, "A and B"),
        (["A", "B"], 3, "A, B and 1 other"),
        (["A", "B"], 535, "A, B and 533 others"),
    ],
)
def test_who_is_asked_in_a_few_words(first: list[str], among: int, said: str) -> None:
    assert language(SOURCE).listed(with_others(first, among)) == said


def test_line_ends_become_one_kind() -> None:
    assert one_newline("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_errors_stand_in_the_order_of_the_page() -> None:
    form = FormState({"name": ""}).with_errors({"zip": "z", "email": "e", "name": "n"}, ("name", "email"))
    assert list(form.errors) == ["name", "email", "zip"]
    assert form.values == {"name": ""}


@pytest.mark.parametrize(
    ("header", "name", "address"),
    [
        (
            '"Transit Director Mireille Okonjo" <office@example.net>',
            "Transit Director Mireille Okonjo",
            "office@example.net",
        ),
        ('"Vera" Müller "via Riders of Line 12" <a@example.org>', "Vera Müller via Riders of Line 12", "a@example.org"),
        (r'"Pat \"O\" Brien" <pat@example.org>', 'Pat "O" Brien', "pat@example.org"),
        ("<pat@example.org>", "", "pat@example.org"),
        ("pat@example.org", "", "pat@example.org"),
        ("", "", ""),
    ],
)
def test_a_mails_header_is_shown_without_the_marks_that_parsers_need(header: str, name: str, address: str) -> None:
    assert named(header) == (name, address)


def test_where_order_matters_times_have_seconds() -> None:
    assert second(datetime(2026, 3, 2, 12, 5, 7, tzinfo=UTC)) == "Mon 2 Mar 2026, 12:05:07 UTC"
