"""Who a page is addressed to, in the ways people write it."""

from __future__ import annotations

import pytest

from outreach.domain.pages import Addressee, read_addressees
from outreach.domain.pages.addressees import are_offices


def pairs(text: str) -> list[tuple[str, str]]:
    return [(one.office, one.name) for one in read_addressees(text)]


@pytest.mark.parametrize(
    ("text", "office", "name"),
    [
        ("DHS Secretary Mayorkas", "DHS Secretary", "Mayorkas"),
        ("Vice President Kamala Harris", "Vice President", "Kamala Harris"),
        ("Secretary of State Antony Blinken", "Secretary of State", "Antony Blinken"),
        ("Secretary of Health and Human Services Jane Doe", "Secretary of Health and Human Services", "Jane Doe"),
        ("Health and Human Services Secretary Jane Doe", "Health and Human Services Secretary", "Jane Doe"),
        ("Mayor of New York City Eric Adams", "Mayor of New York City", "Eric Adams"),
        ("Mayor of Springfield", "Mayor of Springfield", ""),
        ("Jane Doe, Mayor of Springfield", "Mayor of Springfield", "Jane Doe"),
        ("Mayor Jane Doe of Springfield", "Mayor of Springfield", "Jane Doe"),
        ("Rep. Jane Doe (D-IL)", "Rep. (D-IL)", "Jane Doe"),
        ("Sheriff John Roe, Green County", "Green County Sheriff", "John Roe"),
        ("President and CEO Jane Doe", "President and CEO", "Jane Doe"),
        ("Attorney General Ann van der Berg", "Attorney General", "Ann van der Berg"),
        ("Governor Jim Justice", "Governor", "Jim Justice"),
        ("Springfield City Council", "Springfield City Council", ""),
        ("the Department of Housing and Urban Development", "Department of Housing and Urban Development", ""),
        ("Martin Luther King, Jr.", "", "Martin Luther King, Jr."),
    ],
)
def test_office_and_name_are_told_apart(text: str, office: str, name: str) -> None:
    assert pairs(text) == [(office, name)]


@pytest.mark.parametrize(
    "text",
    [
        "President Joe Biden, DHS Secretary Alejandro Mayorkas",
        "President Joe Biden and DHS Secretary Alejandro Mayorkas",
        "President Joe Biden; DHS Secretary Alejandro Mayorkas",
        "President Joe Biden & DHS Secretary Alejandro Mayorkas",
        "President Joe Biden, and DHS Secretary Alejandro Mayorkas,",
        "  President  Joe Biden ,DHS Secretary Alejandro Mayorkas ",
        "Joe Biden, President; Alejandro Mayorkas, DHS Secretary",
    ],
)
def test_two_targets_are_found_however_they_are_joined(text: str) -> None:
    assert pairs(text) == [("President", "Joe Biden"), ("DHS Secretary", "Alejandro Mayorkas")]


def test_a_plural_office_goes_to_each_name_after_it() -> None:
    assert pairs("Senators Jane Doe, Ann Roe, and John Poe, Mayor Lee") == [
        ("Senator", "Jane Doe"),
        ("Senator", "Ann Roe"),
        ("Senator", "John Poe"),
        ("Mayor", "Lee"),
    ]


def test_an_office_and_a_body_joined_by_and_are_two_targets() -> None:
    assert pairs("Mayor Jane Doe and the City Council") == [("Mayor", "Jane Doe"), ("City Council", "")]


def test_a_target_named_twice_is_one() -> None:
    assert pairs("Mayor Jane Doe, Mayor Jane Doe") == [("Mayor", "Jane Doe")]


@pytest.mark.parametrize(
    ("one", "salutation"),
    [
        (Addressee("Joe Biden", "President"), "Dear President Biden"),
        (Addressee("Jane Doe, Jr.", "Mayor of Springfield"), "Dear Mayor Doe"),
        (Addressee("", "Springfield City Council"), "Dear Springfield City Council"),
        (Addressee("Jane Doe", ""), "Dear Jane Doe"),
    ],
)
def test_each_target_is_greeted_by_office_and_last_name(one: Addressee, salutation: str) -> None:
    assert one.salutation == salutation


@pytest.mark.parametrize(
    "text",
    [
        "Save the library on Main Street",
        "President Biden, Stop Deportations",
        "Mayor Doe should open the pool.",
        "Biden & Mayorkas: Stop Deportations Now!",
    ],
)
def test_a_title_is_no_list_of_offices(text: str) -> None:
    assert not are_offices(text)
