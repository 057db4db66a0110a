"""What a signer is asked to agree to, word for word. The page shows these sentences and the ledger keeps them.

A changed sentence is a new wording: the ledger holds the text itself, so what somebody agreed to last year stays
readable without looking up which version was in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .sentences import Sentence, _, ngettext

#: So many of those written to are named one by one.
_NAMED = 5


class Purpose(StrEnum):
    """What an agreement is for. An import may bring further ones of its own."""

    DELIVER_LETTER = "deliver_letter"  #: given by signing; without it there is no letter
    UPDATES = "updates"  #: mails from the organisation; a box, never ticked beforehand
    SHOW_NAME = "show_name"  #: the name in public, next to the campaign; a box, never ticked beforehand
    SHARE_ADDRESS = "share_address"  #: the address to those written to; a box, asked only where they answer directly


def wording(purpose: Purpose, *, organisation: str, targets: Sequence[str] = ()) -> Sentence:
    """The exact sentence that is shown for `purpose` and kept when it is agreed to.

    `targets` are the names of those written to, in the campaign's order.
    """
    if purpose is Purpose.DELIVER_LETTER:
        return _(
            "Once I confirm through the link sent to my address, %(organisation)s may send my letter in my name by "
            "email to %(targets)s.",
            organisation=organisation,
            targets=few(targets),
        )
    if purpose is Purpose.UPDATES:
        return _(
            "%(organisation)s may keep me up to date on this campaign by email, until I say stop.",
            organisation=organisation,
        )
    if purpose is Purpose.SHARE_ADDRESS:
        return _(
            "%(organisation)s may give my email address to %(targets)s with my letter, so that they can answer me "
            "directly.",
            organisation=organisation,
            targets=few(targets),
        )
    return _(
        "%(organisation)s may show my first name and city on this campaign’s page, until I say stop.",
        organisation=organisation,
    )


def few(names: Sequence[str]) -> tuple[str, ...]:
    """`names` to be listed in a sentence: all of up to five, else three and how many others."""
    if not names:
        return (_("those this campaign writes to"),)
    return with_others(names if len(names) <= _NAMED else names[:3], len(names))


def with_others(names: Sequence[str], among: int) -> tuple[str, ...]:
    """The names, and how many others there are `among` all: to be listed as "A, B and 3 others"."""
    others = among - len(names)
    return (*names, ngettext("%(num)s other", "%(num)s others", others)) if others else tuple(names)
