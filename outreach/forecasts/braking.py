"""What brakes keep from leaving: a forecast promises nothing of it, and says so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from outreach.domain.deliveries import Stream
from outreach.outbox.brakes import in_no_scope, scopes_pulled, stops
from outreach.settings import Settings

#: The sentence of a forecast with nothing to foresee.
NOTHING = "Nothing waits."


@dataclass(frozen=True, slots=True)
class Braked:
    """What is foreseen of may not leave at all (`whole`), or only what meets the conditions of `allowed`."""

    whole: bool
    allowed: tuple[ColumnElement[bool], ...]  #: on `Delivery`
    scopes: frozenset[str]  #: in which nothing leaves

    @classmethod
    def found(
        cls, session: Session, stream: Stream, settings: Settings, *, own: Collection[str] = (), but: str = ""
    ) -> Braked:
        """As the brakes are now, `but` for one. `own` are scopes that hold all of what is asked about."""
        scopes = scopes_pulled(session) - {but}
        # With a second way out, mails leave although the first is stopped.
        transport = "" if settings.fallback_transport else settings.transport
        whole = stops(scopes, stream, transport) or not scopes.isdisjoint(own)
        return cls(whole, tuple(in_no_scope(scopes - set(own))), scopes)


def said(words: str, *, whole: bool, kept: int) -> str:
    """The sentence of a forecast, and what the brakes do to it. `kept`: letters that it leaves out."""
    if whole:
        return f"Held by a brake: nothing leaves until it is lifted. Lifted now: {words}"
    if kept:
        words = "Nothing else waits." if words == NOTHING else words
        return f"{words} Held by a brake, and not counted: {kept:,}."
    return words
