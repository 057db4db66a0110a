"""Pages read as they stand: the two seeds, the examples, mutations of them, and any text at all."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.pages import MAX_BYTES, Page, decode, draft, fingerprint, lines_of, read_page
from outreach.errors import BadPage
from outreach.paths import folder

SEEDS = Path(__file__).resolve().parents[3].parent / "shared" / "seeds"
EXAMPLES = sorted(folder("examples").glob("*.txt"))

PETITION = """\
To: Mayor Jane Doe, Parks Commissioner John Roe

Open the pool

The pool has been shut for three summers. Mayor Doe and Commissioner Roe can open it.

1) Repair the roof before spring

2) Open on weekdays until nine,
so that people who work can swim

These steps were drawn up by “Swim for All,” a coalition of four clubs.

We invite Commissioner Roe to our meeting in May.

Why is this important?

Children should learn to swim. Sign this petition to tell the mayor so.
"""

LETTER = """\

Mend the Bridge

Works Director Ann Lee

The bridge has been closed since the flood. Everybody takes the long way round.

Mend It First: Repair the bridge before the new car park. Learn more & meet the people who need it.

Tell Us When: Publish a date. Learn more.

Sponsored by

To: Works Director Ann Lee
From: [Your Name]

To Works Director Lee,

I cross this river every day. Please:
(1) Mend the bridge.
(2) Tell us when.
"""


def read(text: str) -> Page:
    return read_page(text, name="page.txt")


def roles(page: Page) -> list[str]:
    return [line.role for line in page.lines]


def seed(beginning: str) -> Page:
    found = sorted(SEEDS.glob(f"{beginning}*.txt")) if SEEDS.is_dir() else []
    if not found:
        pytest.skip(f"the seed pages are not here ({SEEDS})")
    return read_page(decode(found[0].read_bytes(), name=found[0].name), name=found[0].name)


def test_the_seed_petition_is_understood_whole() -> None:
    page = seed("000")

    assert page.kind == "petition"
    assert page.letter is None
    assert [(one.office, one.name) for one in page.targets] == [
        ("President", "Joe Biden"),
        ("DHS Secretary", "Alejandro Mayorkas"),
    ]
    assert len(page.demands) == 6
    assert page.demands[0].startswith("Grant Stays of Removal")
    assert "287(g)" in page.demands[2]
    assert page.coalition == "We Are Home"
    assert page.sponsors == ("We Are Home",)
    assert page.why.startswith("Despite the deportation moratorium")
    assert page.call_to_act.startswith("Sign the petition now")
    assert page.call_to_act.endswith("accountable.")
    assert "forum" in page.story
    assert page.unplaced == ()


def test_the_seed_letter_is_understood_whole() -> None:
    page = seed("002")

    assert page.kind == "letter"
    assert [(one.office, one.name) for one in page.targets] == [("DHS Secretary", "Mayorkas")]
    assert page.sponsors == ()
    assert [ask.title for ask in page.asks] == ["Cancel Trump’s Border Policy", "Cancel Trump’s ICE contracts"]
    assert page.asks[0].link_label.endswith("in the U.S.")
    assert page.asks[1].link_label == "Learn more"
    assert page.letter is not None
    assert page.letter.salutation == "To DHS Secretary Mayorkas,"
    assert page.letter.body.startswith("As you know")
    assert page.letter.body.endswith("\n(2) End the 287(g) program he used to create them.")
    assert page.letter.merge_fields == ("signer.name",)
    assert len(page.demands) == 2
    assert page.unplaced == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_understood_whole(path: Path) -> None:
    page = read_page(decode(path.read_bytes(), name=path.name), name=path.name)

    assert page.unplaced == ()
    assert page.sponsors
    assert page.demands
    assert page.call_to_act


def test_a_petition_is_told_apart_line_by_line() -> None:
    page = read(PETITION)

    assert roles(page) == [
        "target",
        "title",
        "opening",
        "demand 1",
        "demand 2",
        "demand 2",
        "coalition",
        "invitation",
        "why",
        "why",
    ]
    assert page.demands[1] == "Open on weekdays until nine, so that people who work can swim"
    assert page.coalition == "Swim for All"
    assert page.call_to_act == "Sign this petition to tell the mayor so."


def test_a_letter_page_is_told_apart_line_by_line() -> None:
    page = read(LETTER)

    assert roles(page) == [
        "title",
        "target",
        "opening",
        "ask 1",
        "ask 2",
        "sponsor",
        "letter to",
        "letter from",
        "salutation",
        "letter",
        "letter demand 1",
        "letter demand 2",
    ]
    assert page.demands == ("Mend the bridge.", "Tell us when.")
    assert page.asks[0].text == "Repair the bridge before the new car park."


@pytest.mark.parametrize("text", [PETITION, LETTER])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: "\n\n \t\n" + text + "\n\n\n",
        lambda text: text.replace("\n", "  \n"),
        lambda text: text.replace("“", '"').replace("”", '"'),
        lambda text: re.sub(r"^\(?(\d)\)", r"(\1)", text, flags=re.M),
        lambda text: re.sub(r"^\(?(\d)\)", r"\1)", text, flags=re.M),
        lambda text: re.sub(r"^\(?(\d)\)", r"\1.", text, flags=re.M),
        lambda text: re.sub("^To:", "TO :", text, flags=re.M),
        lambda text: text.replace("From: [Your Name]", "FROM : [ YOUR NAME ]"),
        lambda text: text.replace("From: [Your Name]", "from: [Name]"),
        lambda text: text.replace("From: [Your Name]\n\n", "From: [Your Name]\n"),
        lambda text: "\n".join("\n".join(textwrap.wrap(line, 60)) for line in text.split("\n")),
    ],
)
def test_spelling_and_layout_do_not_change_what_is_understood(text: str, change: object) -> None:
    plain, page = read(text), read(change(text))  # type: ignore[operator]

    assert (page.kind, page.title, page.targets) == (plain.kind, plain.title, plain.targets)
    assert (page.demands, page.opening, page.why) == (plain.demands, plain.opening, plain.why)
    assert (page.coalition, page.sponsors, page.asks) == (plain.coalition, plain.sponsors, plain.asks)
    assert page.unplaced == ()
    if plain.letter:
        assert page.letter is not None
        assert page.letter.salutation == plain.letter.salutation


@pytest.mark.parametrize(
    "head",
    [
        "Open the pool\n\nTo: Mayor Jane Doe, Parks Commissioner John Roe\n",
        "To: Mayor Jane Doe\nTo: Parks Commissioner John Roe\n\nOpen the pool\n",
        "Open the pool\nTo:\nMayor Jane Doe\nParks Commissioner John Roe\n",
        "To: Mayor Jane Doe,\n  Parks Commissioner John Roe\nOpen the pool\n",
        "Title: Open the pool\n\nMayor Jane Doe and Parks Commissioner John Roe\n",
        "Mayor Jane Doe; Parks Commissioner John Roe\n\nOpen the pool\n",
    ],
)
def test_title_and_targets_are_found_in_either_order(head: str) -> None:
    page = read(f"{head}\nThe pool has been shut for three summers, and nobody says why.\n")

    assert page.title == "Open the pool"
    assert [one.label for one in page.targets] == ["Mayor Jane Doe", "Parks Commissioner John Roe"]
    assert page.opening.startswith("The pool")


def test_a_line_that_cannot_be_placed_is_named_and_kept_in_the_story() -> None:
    page = read(PETITION.replace("Why is", "zorp blah 42\n\n* * *\n\nWhy is"))

    assert [(line.line, line.text) for line in page.unplaced] == [(16, "zorp blah 42"), (18, "* * *")]
    assert "zorp blah 42" in page.story
    assert "zorp" not in draft(page).body


def test_a_page_of_a_few_bare_words_still_says_something() -> None:
    page = read("To: Mayor Jane Doe\n\nFix the road\n\nPlease fix it\nat last\n\n* * *\n")

    assert page.opening == "Please fix it at last"
    assert roles(page) == ["target", "title", "opening", "opening", "unplaced"]
    assert page.story == "* * *"


def test_sponsors_are_read_from_the_line_and_from_the_lines_below() -> None:
    same_line = read(
        LETTER.replace("Sponsored by", "Sponsored by: River Union, Parks and Trails Alliance and Walkers United")
    )
    below = read(LETTER.replace("Sponsored by", "Sponsored by\n\nRiver Union\n- Walkers United\n"))

    assert same_line.sponsors == ("River Union", "Parks and Trails Alliance", "Walkers United")
    assert below.sponsors == ("River Union", "Walkers United")


def test_a_link_of_an_ask_is_kept_apart_from_its_label() -> None:
    page = read(LETTER.replace("Publish a date. Learn more.", "Publish a date.\nLearn more: https://example.org/date."))

    assert (page.asks[1].text, page.asks[1].link_label) == ("Publish a date.", "Learn more")
    assert page.asks[1].link_url == "https://example.org/date"


def test_the_name_in_a_letter_becomes_the_signers_in_every_spelling() -> None:
    page = read(LETTER + "\nI am [YOUR NAME] of [Your City].\n\nSincerely,\n[ your full name ]\n")

    assert page.letter is not None
    assert "I am {{ signer.name }} of {{ signer.city }}." in page.letter.body
    assert page.letter.closing == "Sincerely,\n{{ signer.name }}"
    assert page.letter.merge_fields == ("signer.name", "signer.city")
    assert draft(page).footer == "Sincerely,\n{{ signer.name }}"


def test_a_placeholder_that_nothing_fills_is_reported() -> None:
    page = read(LETTER + "\nI work at [Your Employer].\n")

    assert [line.text for line in page.unplaced] == ["I work at [Your Employer]."]
    assert page.letter is not None
    assert "[Your Employer]" in page.letter.body


def test_template_signs_in_a_page_stay_text() -> None:
    page = read(LETTER.replace("I cross", "{{ 7*7 }} {% raw %} {# x #} {[Your Name]} I cross"))

    assert page.letter is not None
    without_ours = page.letter.body.replace("{{ '{' }}", "").replace("{{ signer.name }}", "")
    assert "{" not in without_ours


def test_one_target_is_greeted_as_the_page_does_and_several_each_by_their_own() -> None:
    one, several = (
        read(LETTER),
        read(LETTER.replace("Works Director Ann Lee\n", "Mayor Jane Doe, Works Director Ann Lee\n", 1)),
    )

    assert draft(one).header == "To Works Director Lee,"
    assert draft(several).header == "{{ target.salutation }},"


def test_a_petitions_letter_holds_opening_demands_and_closing() -> None:
    letter = draft(read(PETITION))

    assert letter.subject == "Open the pool"
    assert letter.header == "{{ target.salutation }},"
    assert "three summers" in letter.body
    assert "\n\n2) Open on weekdays until nine, so that people who work can swim\n\n" in letter.body
    assert "We invite Commissioner Roe" in letter.body
    assert "Sign this petition" not in letter.body
    assert letter.body.index("meeting in May") < letter.body.index("{{ signer.own_words }}")
    assert "{{ signer.name }}" in letter.footer


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n\u00a0\n\u200b\n", "empty"),
        (PETITION.replace("Open the pool\n", ""), "no title"),
        (LETTER.replace("Mend the Bridge\n", ""), "no title"),
        (PETITION.replace("To: Mayor Jane Doe, Parks Commissioner John Roe\n", ""), "no target"),
        (LETTER.replace("To: Works Director Ann Lee\n", "").replace("\nWorks Director Ann Lee\n", ""), "no target"),
        ("To: Mayor Jane Doe\n\nOpen the pool\n", "no text"),
        ("To: Mayor Jane Doe\n\nFix the road\n\n* * *\n", "no text"),
        (LETTER[: LETTER.index("I cross")], "letter has no text"),
        (PETITION.replace("shut", "shut\x07"), "control characters"),
        (f"To: {'Mayor Jane Doe, ' * 200}\n\nOpen the pool\n\nPlease do so at once.", "longer than"),
        (f"To: Mayor {'Jane ' * 40}\n\nOpen the pool\n\nPlease do so at once.", "too long"),
    ],
)
def test_a_page_that_lacks_something_is_refused_in_plain_words(text: str, said: str) -> None:
    with pytest.raises(BadPage, match=said) as caught:
        read(text)
    assert caught.value.where.startswith("page.txt")
    assert caught.value.advice


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"To: Mayor\0", "x.txt"),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.txt"),
        (b"To: Mayor\n\n\x81\x8d", "x.txt:3"),
        ("To: Mayor “Doe”\n".encode() + b"\x93hi\x94", "x.txt:2"),
        (b"x" * (MAX_BYTES + 1), "x.txt"),
        (b"\xff\xfea", "x.txt"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_their_place(raw: bytes, where: str) -> None:
    with pytest.raises(BadPage) as caught:
        decode(raw, name="x.txt")
    assert caught.value.where == where


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_page_may_come_in_any_usual_encoding(encoding: str) -> None:
    assert read(decode(PETITION.encode(encoding), name="x")).coalition == "Swim for All"


def test_a_fingerprint_is_that_of_the_words_and_not_of_the_bytes() -> None:
    same = "\ufeff" + PETITION.replace("\n", " \r\n")

    assert fingerprint(same, name="x") == fingerprint(PETITION, name="x")
    assert fingerprint(PETITION.replace("roof", "door"), name="x") != fingerprint(PETITION, name="x")


_PIECES = st.sampled_from(
    [*PETITION.split("\n"), *LETTER.split("\n"), "zorp", "1)", "(2) ", "To:", "To: x", "From:", "Dear X,", "Learn more"]
)
_TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(st.one_of(_PIECES, st.text(max_size=60)), max_size=25).map("\n".join),
    st.lists(_PIECES, max_size=25).map(lambda lines: PETITION[:60] + "\n" + "\n".join(lines)),
)


@given(_TEXTS)
def test_every_line_of_any_text_is_accounted_for_once_or_the_page_is_refused(text: str) -> None:
    try:
        page = read(text)
    except BadPage:
        return
    expected = [(line.number, line.text) for line in lines_of(text, name="x") if line.text]
    assert [(line.line, line.text) for line in page.lines] == expected
    assert all(line.role for line in page.lines)
    in_letter = f"{page.letter.body}\n{page.letter.closing}".replace("{{ '{' }}", "{") if page.letter else ""
    kept = " ".join(f"{page.story}\n{in_letter}".split())
    for line in page.unplaced:
        assert " ".join(line.text.split()) in kept or "[" in line.text
    draft(page)


@given(
    st.lists(st.sampled_from(["a", "A", "“", "By ", " and ", ", ", "1)", "Coalition ", ":", ".", " "]), max_size=3000)
)
def test_no_text_takes_long_to_read(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        read(f"To: Mayor Jane Doe\n\nA title\n\n{text}")
    except BadPage:
        return
