"""What a letter is merged from: the fields a template may name, and the plain values they stand for.

Every value is text. A template never meets an object, so there is nothing in it that could be reached into.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class MergeField:
    """A field that letters may name, for the people who write letters."""

    name: str
    about: str
    example: str


#: Every field there is. `demands` is a list to loop over; the others stand for one text each.
MERGE_FIELDS = (
    MergeField("signer.name", "The signer's full name, as they typed it.", "Jane Doe"),
    MergeField("signer.first_name", "The signer's first name.", "Jane"),
    MergeField("signer.city", "The signer's city; empty when they gave none.", "Springfield"),
    MergeField("signer.postal_code", "The signer's postal code; empty when they gave none.", "62701"),
    MergeField(
        "signer.own_words",
        "What the signer added in their own words; empty when they added nothing. Placed before the footer if you "
        "place it nowhere.",
        "My neighbours and I wait for the bus in the rain.",
    ),
    MergeField("target.salutation", "How the letter greets its target.", "Dear Mayor Rivera"),
    MergeField("target.name", "The target's name without the office.", "Alex Rivera"),
    MergeField("target.office", "The target's office.", "Mayor of Springfield"),
    MergeField("campaign.title", "The campaign's title.", "A bus shelter for every stop"),
    MergeField("campaign.organisation", "The organisation behind the campaign.", "Fair Streets"),
    MergeField(
        "demands",
        "The campaign's demands, to loop over: {% for demand in demands %}{{ loop.index }}. {{ demand }} {% endfor %}",
        "Build a shelter at every stop.",
    ),
)
FIELD_NAMES = tuple(field.name for field in MERGE_FIELDS)


@dataclass(frozen=True, slots=True)
class SignerFields:
    """The signer's part of a letter: checked text, see `domain.words`.

    `subject` and `body` take the place of the version's own where they are not ""; whatever they say is text.
    """

    name: str
    first_name: str = ""
    city: str = ""
    postal_code: str = ""
    own_words: str = ""
    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class TargetFields:
    """The target's part of a letter."""

    salutation: str
    name: str
    office: str


@dataclass(frozen=True, slots=True)
class CampaignFields:
    """The campaign's part of a letter."""

    title: str
    demands: tuple[str, ...] = ()
    organisation: str = ""


#: Words that come before a first name without being one.
_TITLES = frozenset({"dr", "fr", "hon", "miss", "mr", "mrs", "ms", "mx", "prof", "rabbi", "rev", "sir", "sr"})


def first_name(name: str) -> str:
    """The first word of a name that is not a title: "Dr. Jane Doe" gives "Jane". A lone title is the name itself."""
    words = name.split()
    for word in words[:-1]:
        if word.rstrip(".").casefold() not in _TITLES:
            return word
    return words[-1] if words else ""


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def date_in_words(day: date) -> str:
    """ "22 November 2026": a date that reads the same on both sides of the Atlantic."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
