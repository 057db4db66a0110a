"""Who a wave is for: a choice among the confirmed signers of its campaign. Plain values; the database answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from outreach.errors import BadInput

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Audience:
    """Everyone who confirmed, or those of them that fit every part that is given.

    `place` with a digit in it is the beginning of a postal code, else a city; `source` is what a signature came by.
    """

    place: str = ""
    language: str = ""
    source: str = ""
    own_words: bool | None = None  #: True: only those who added some; False: only those who did not
    since_last_wave: bool = False  #: only those who confirmed after the campaign's last wave of this kind began

    def __post_init__(self) -> None:
        for name in ("place", "language", "source"):
            value = getattr(self, name)
            if len(value) > _LONGEST or any(ord(c) < 32 for c in value):
                raise BadInput(f"The {name} is not one line of at most {_LONGEST} characters.", where=name)

    @property
    def is_everyone(self) -> bool:
        """Whether nobody who confirmed is left out."""
        return self == Audience()

    @property
    def is_postal(self) -> bool:
        """Whether `place` is the beginning of a postal code."""
        return any(c.isdigit() for c in self.place)

    def to_json(self) -> dict[str, Any]:
        """Only the parts that are given."""
        everyone = asdict(Audience())
        return {name: value for name, value in asdict(self).items() if value != everyone[name]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Audience:
        """From what `to_json` gave; BadInput for parts that it does not know."""
        unknown = sorted(set(value) - set(cls.__dataclass_fields__))
        if unknown:
            raise BadInput(f"An audience has no “{unknown[0]}”.", where="audience")
        return cls(**value)

    def words(self) -> str:
        """The choice as people say it: "everyone who confirmed in Springfield, with own words"."""
        parts = []
        if self.place:
            parts.append(f"with a postal code from {self.place}" if self.is_postal else f"in {self.place}")
        if self.language:
            parts.append(f"who read “{self.language}”")
        if self.source:
            parts.append(f"who came by “{self.source}”")
        if self.own_words is not None:
            parts.append("with own words" if self.own_words else "without own words")
        if self.since_last_wave:
            parts.append("since the last wave")
        return ", ".join(["everyone who confirmed", *parts])
