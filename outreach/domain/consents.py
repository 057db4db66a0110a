"""What a signer is asked to agree to, word for word. The page shows these sentences and the ledger keeps them.

A changed sentence is a new wording: the ledger holds the text itself, so what somebody agreed to last year stays
readable without looking up which version was in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

#: The languages the wordings exist in; another one gets the first.
LANGUAGES = ("en",)


class Purpose(StrEnum):
    """What an agreement is for. An import may bring further ones of its own."""

    DELIVER_LETTER = "deliver_letter"  #: given by signing; without it there is no letter
    UPDATES = "updates"  #: mails from the organisation; a box, never ticked beforehand
    SHOW_NAME = "show_name"  #: the name in public, next to the campaign; a box, never ticked beforehand


_WORDINGS = {
    (Purpose.DELIVER_LETTER, "en"): (
        "Once I confirm through the link sent to my address, {organisation} may send my letter in my name by email "
        "to {targets}."
    ),
    (Purpose.UPDATES, "en"): "{organisation} may keep me up to date on this campaign by email, until I say stop.",
    (Purpose.SHOW_NAME, "en"): "{organisation} may show my first name on this campaign’s page, until I say stop.",
}


def wording(purpose: Purpose, *, organisation: str, targets: Sequence[str] = (), language: str = "en") -> str:
    """The exact sentence that is shown for `purpose` and kept when it is agreed to.

    `targets` are the names of those written to, in the campaign's order.
    """
    return _WORDINGS[purpose, wording_language(language)].format(organisation=organisation, targets=in_words(targets))


def wording_language(language: str) -> str:
    """The language `wording` answers in."""
    return language if language in LANGUAGES else LANGUAGES[0]


def in_words(names: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"; beyond five "A, B, C and 7 others"."""
    if not names:
        return "those this campaign writes to"
    if len(names) > 5:
        names = [*names[:3], f"{len(names) - 3} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
