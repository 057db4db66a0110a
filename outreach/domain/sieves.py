"""A sieve says what signatures have in common that staff mean to end together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

#: As `reason`: everything that is set aside, whatever for.
ANY = "any"


@dataclass(frozen=True, slots=True)
class Sieve:
    """All that is given must hold. One with nothing given is empty, and ends nothing."""

    reason: str = ""  #: a `Suspicion`, or ANY
    mail_domain: str = ""
    network: str = ""  #: as the signatures keep it: a keyed hash
    since: datetime | None = None  #: signed at or after
    until: datetime | None = None  #: signed before
    name: str = ""  #: "*" stands for anything; case is nothing
    same_words: int = 0  #: own words that at least so many signatures of the campaign share
    refs: tuple[str, ...] = ()  #: chosen one by one

    def __post_init__(self) -> None:
        if self.same_words < 0 or self.same_words == 1:
            raise ValueError("Words that are shared are shared by 2 signatures at least.")
        if self.name and not self.name.strip("* "):
            raise ValueError("That name fits everybody. Write a part of it, as in *spam*.")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("The span ends before it begins.")

    @property
    def is_empty(self) -> bool:
        """Whether it would let everything through."""
        return self == Sieve()

    def as_json(self) -> dict[str, Any]:
        """What is given, for the row of an invalidation."""
        given = {name: value for name, value in asdict(self).items() if value}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The same sieve again; ValueError for what is none."""
        given = dict(value)
        for name in ("since", "until"):
            if name in given:
                given[name] = datetime.fromisoformat(given[name])
        if "refs" in given:
            given["refs"] = tuple(given["refs"])
        return cls(**given)
