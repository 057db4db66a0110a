"""What the far side really took, held against what the books say of it. The books are never asked about themselves.

`judge` is a function of two values: the deliveries as the database has them, and the copies as the provider's ledger
has them. It knows nothing of how they came about, so it judges any engine, also a bad one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.domain.messages import letter_hash
from outreach.models import Delivery

#: States in which the books say that no copy has left.
_NOT_SENT = frozenset({State.HELD, State.QUEUED, State.CLAIMED, State.REJECTED, State.DEAD})
_NOT_SENT |= {State.SUPPRESSED, State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the books say of one delivery."""

    state: State
    maybe_sent: bool = False
    resends: int = 0
    content_hash: str = ""
    is_letter: bool = True  #: of the others only doubles count: their text is made when they leave


@dataclass(frozen=True, slots=True)
class Copy:
    """One mail the far side took: of which delivery, and the hash of what it says."""

    delivery: str
    content_hash: str


@dataclass(frozen=True)
class Verdict:
    """Opaque ids of deliveries, by what is wrong with them; and those whose fate is honestly open."""

    letters: int
    lost: frozenset[str]  #: said to have left but never arrived, or ended nowhere
    doubled: frozenset[str]  #: more copies than one and the resends that somebody authorised
    wrong_content: frozenset[str]  #: a copy is not what its signer confirmed
    phantom: frozenset[str]  #: a copy arrived, and the books say that none can have left, or know nothing of it
    in_doubt: frozenset[str]
    in_doubt_arrived: frozenset[str]  #: those of `in_doubt` that arrived

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; doubt is not wrong."""
        return not (self.lost or self.doubled or self.wrong_content or self.phantom)

    def counts(self) -> dict[str, int]:
        """How many of each, for people and machines."""
        names = ("lost", "doubled", "wrong_content", "phantom", "in_doubt", "in_doubt_arrived")
        return {"letters": self.letters, **{name: len(getattr(self, name)) for name in names}}


def judge(
    books: Mapping[str, Entry],
    copies: Iterable[Copy],
    *,
    may_end: Collection[State] = (State.ACCEPTED, State.IN_DOUBT),
) -> Verdict:
    """Compare. `may_end`: the states a delivery may be in now; one that is in another counts as lost."""
    copies = list(copies)
    letters = {ref: entry for ref, entry in books.items() if entry.is_letter}
    arrived = Counter(copy.delivery for copy in copies)
    in_doubt = frozenset(ref for ref, entry in letters.items() if entry.state is State.IN_DOUBT)
    lost = {ref for ref, entry in letters.items() if entry.state is State.ACCEPTED and ref not in arrived}
    return Verdict(
        letters=len(letters),
        lost=frozenset(lost | {ref for ref, entry in letters.items() if entry.state not in may_end}),
        doubled=frozenset(ref for ref, n in arrived.items() if ref in books and n > 1 + books[ref].resends),
        wrong_content=frozenset(
            copy.delivery
            for copy in copies
            if copy.delivery in letters and letters[copy.delivery].content_hash != copy.content_hash
        ),
        phantom=frozenset(ref for ref in arrived if ref not in books or _denies(books[ref])),
        in_doubt=in_doubt,
        in_doubt_arrived=in_doubt & arrived.keys(),
    )


def _denies(entry: Entry) -> bool:
    return entry.state in _NOT_SENT and not entry.maybe_sent


def read_books(session: Session) -> dict[str, Entry]:
    """Every delivery by its opaque id."""
    is_letter = (Delivery.mail_class == MailClass.LETTER).label("is_letter")
    query = select(
        Delivery.ref, Delivery.state, Delivery.maybe_sent, Delivery.resends, Delivery.content_hash, is_letter
    )
    return {row.ref: Entry(*row[1:]) for row in session.execute(query)}


def copies_in(ledger: Iterable[Mapping[str, Any]]) -> list[Copy]:
    """The copies in a fake SendGrid's ledger."""
    return [Copy(record["delivery"], letter_hash(record["subject"], record["text"])) for record in ledger]
