"""A letter version written out: deterministic, wrapped, with the signer's words as data and nothing more."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.letters import CampaignFields, SignerFields, TargetFields
from outreach.domain.messages import SIGNATURE_MARK
from outreach.domain.words import WIDTH, clean_words
from outreach.errors import BadTemplate
from outreach.merge import LetterForm
from outreach.merge.letters import TEXT_LIMIT

SIGNER = SignerFields("Jane Doe", "Jane", "Springfield", "62701", "I wait each day.")
TARGET = TargetFields("Dear Mayor Rivera,", "Alex Rivera", "Mayor of Springfield")
CAMPAIGN = CampaignFields("A bus shelter for every stop", ("Build it.", "Light it."), "Fair Streets")

SUBJECT = "{{ campaign.title }}"
HEADER = "{{ target.salutation }}"
BODY = "I write about {{ campaign.title }}.\n{% for d in demands %}\n{{ loop.index }}. {{ d }}\n{% endfor %}\n"
FOOTER = "Yours sincerely,\n{{ signer.name }}{% if signer.city %}, {{ signer.city }}{% endif %}"
FORM = LetterForm(SUBJECT, HEADER, BODY, FOOTER)


class _Seen(HTMLParser):
    """What a reader of HTML sees, and the tags it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes = 0
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += len(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def _squashed(text: str) -> str:
    return "".join(text.split())


def test_header_body_own_words_and_footer_stand_one_blank_line_apart() -> None:
    letter = FORM.write(SIGNER, TARGET, CAMPAIGN)
    assert letter.subject == "A bus shelter for every stop"
    assert letter.text == (
        "Dear Mayor Rivera,\n\n"
        "I write about A bus shelter for every stop.\n1. Build it.\n2. Light it.\n\n"
        "I wait each day.\n\n"
        "Yours sincerely,\nJane Doe, Springfield"
    )
    assert letter.html == (
        "<p>Dear Mayor Rivera,</p>\n"
        "<p>I write about A bus shelter for every stop.<br>\n1. Build it.<br>\n2. Light it.</p>\n"
        "<p>I wait each day.</p>\n"
        "<p>Yours sincerely,<br>\nJane Doe, Springfield</p>"
    )


def test_a_signer_without_own_words_or_city_leaves_no_gap() -> None:
    letter = FORM.write(SignerFields("Jane Doe"), TARGET, CAMPAIGN)
    assert "2. Light it.\n\nYours sincerely,\nJane Doe" in letter.text
    assert letter.text.endswith("Jane Doe")


def test_own_words_stand_where_the_template_places_them() -> None:
    form = LetterForm(SUBJECT, "", "First.\n\n{{ signer.own_words }}\n\nLast.", "")
    assert form.write(SIGNER, TARGET, CAMPAIGN).text == "First.\n\nI wait each day.\n\nLast."


def test_own_words_that_are_only_asked_about_are_still_placed() -> None:
    form = LetterForm(SUBJECT, "", "First.{% if signer.own_words %} I add:{% endif %}", "End.")
    assert form.write(SIGNER, TARGET, CAMPAIGN).text == "First. I add:\n\nI wait each day.\n\nEnd."


def test_own_words_may_not_be_part_of_the_subject() -> None:
    with pytest.raises(BadTemplate, match="own words") as refusal:
        LetterForm("About {{ signer.own_words }}", "", "Body", "")
    assert refusal.value.where == "letter subject"


@pytest.mark.parametrize(
    "words",
    [
        "{{7*7}}",
        "{{ signer.name }}",
        "{% for x in y %}{{ x }}{% endfor %}",
        "[unsubscribe]",
        "<%asm_group_unsubscribe_raw_url%>",
        "-name-",
        "%tag%",
        "((x))",
        "${HOME} $x",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "Fish & chips <b>now</b> &amp; later",
        '<a href="https://example.org">click</a> https://example.org',
    ],
)
def test_c24_c25_what_a_signer_types_arrives_literally_in_both_parts(words: str) -> None:
    signer = replace(SIGNER, own_words=words, city=words)
    letter = FORM.write(signer, TARGET, CAMPAIGN)
    seen = _Seen(letter.html)
    assert words in letter.text
    assert words in seen.text
    assert (seen.tags, seen.attributes) == ({"p", "br"}, 0)
    assert "49" not in letter.text


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=800))
def test_any_own_words_arrive_whole_and_never_as_markup(typed: str) -> None:
    words = clean_words(typed)
    letter = FORM.write(replace(SIGNER, own_words=words), TARGET, CAMPAIGN)
    seen = _Seen(letter.html)
    assert _squashed(words) in _squashed(letter.text)
    assert _squashed(letter.text) == _squashed(seen.text)
    assert seen.tags <= {"p", "br"}
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in letter.text.split("\n"))


def test_the_same_fields_give_the_same_letter_from_any_form_of_the_version() -> None:
    again = LetterForm(SUBJECT, HEADER, BODY, FOOTER)
    assert FORM.write(SIGNER, TARGET, CAMPAIGN) == again.write(SIGNER, TARGET, CAMPAIGN)


def test_a_signature_mark_in_own_words_is_only_a_line() -> None:
    letter = FORM.write(replace(SIGNER, own_words="Look:\n-- \nMinister"), TARGET, CAMPAIGN)
    assert SIGNATURE_MARK not in letter.text
    assert "Look:\n--\nMinister" in letter.text


@pytest.mark.parametrize("name", ["Jane\r\nBcc: x", "Jane\u2028Doe", "Jane\u202eDoe", "=?utf-8?q?x?=", "J" * 300])
def test_a_subject_is_one_short_line_whatever_is_merged_into_it(name: str) -> None:
    form = LetterForm("A letter from {{ signer.name }}", "", "Body", "")
    subject = form.write(SignerFields(name), TARGET, CAMPAIGN).subject
    assert len(subject) <= 150
    assert subject.isprintable()
    assert "=?" not in subject


def test_a_letter_that_comes_out_empty_or_without_subject_is_refused() -> None:
    with pytest.raises(BadTemplate, match="no body"):
        LetterForm(SUBJECT, "", "", "")
    with pytest.raises(BadTemplate, match="comes out empty"):
        LetterForm(SUBJECT, "", "{{ signer.city }}", "").write(SignerFields("Jane"), TARGET, CAMPAIGN)
    with pytest.raises(BadTemplate, match="subject comes out empty"):
        LetterForm("{{ signer.city }}", "", "Body", "").write(SignerFields("Jane"), TARGET, CAMPAIGN)


def test_a_letter_that_comes_out_too_long_is_refused_with_both_numbers() -> None:
    body = "x" * (TEXT_LIMIT - 1)
    assert len(LetterForm(SUBJECT, "", body + "y", "").write(SignerFields("J"), TARGET, CAMPAIGN).text) > TEXT_LIMIT - 1
    with pytest.raises(BadTemplate, match=f"comes out at {TEXT_LIMIT + 1:,} characters; it can have {TEXT_LIMIT:,}"):
        LetterForm(SUBJECT, "", body + "yz", "").write(SignerFields("J"), TARGET, CAMPAIGN)


def test_a_template_in_other_normal_form_gives_the_same_letter() -> None:
    composed, decomposed = (LetterForm(SUBJECT, "", f"Caf{e}", "") for e in ("é", "e\u0301"))
    assert composed.write(SIGNER, TARGET, CAMPAIGN) == decomposed.write(SIGNER, TARGET, CAMPAIGN)


def test_windows_line_ends_and_tabs_in_a_template_do_not_reach_the_letter() -> None:
    letter = LetterForm(SUBJECT, "", "One\r\n\tTwo   \r\n\r\n\r\n\r\nThree", "").write(SIGNER, TARGET, CAMPAIGN)
    assert letter.text.startswith("One\n    Two\n\nThree\n\n")


@pytest.mark.parametrize(
    "body", [BODY, BODY + "\n{{ signer.own_words }}"], ids=["placed nowhere", "placed in the body"]
)
def test_a_letter_that_its_signer_rewrote_keeps_header_own_words_and_footer(body: str) -> None:
    own = replace(SIGNER, subject="Our shelter", body="It rains.\n\n{{ signer.name }} & <b>{% raw %}</b>")
    letter = LetterForm(SUBJECT, HEADER, body, FOOTER).write(own, TARGET, CAMPAIGN)
    assert letter.subject == "Our shelter"
    assert letter.text == (
        "Dear Mayor Rivera,\n\n"
        "It rains.\n\n{{ signer.name }} & <b>{% raw %}</b>\n\n"
        "I wait each day.\n\n"
        "Yours sincerely,\nJane Doe, Springfield"
    )
    assert "&lt;b&gt;{% raw %}&lt;/b&gt;" in letter.html


def test_the_open_part_is_what_stands_between_header_and_footer() -> None:
    assert (
        FORM.open_part(SIGNER, TARGET, CAMPAIGN)
        == "I write about A bus shelter for every stop.\n1. Build it.\n2. Light it."
    )
