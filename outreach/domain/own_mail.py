"""A letter as links that open it in the signer's own mail: addresses with everything in them, as each program reads it.

Programs cut or refuse long addresses. A text that does not fit is left out, and the signer copies and pastes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote


class Way(StrEnum):
    """How a signer says they sent a letter themselves."""

    MAIL_APP = "mailto"
    GMAIL = "gmail"
    OUTLOOK = "outlook"
    COPY = "copy"
    FORM = "form"  #: into the office's web form


#: Characters of a whole address that each program is known to take.
_LONGEST = {Way.MAIL_APP: 2_000, Way.GMAIL: 8_000, Way.OUTLOOK: 2_000}


@dataclass(frozen=True, slots=True)
class Compose:
    """A link that opens a new mail. `has_text`: the letter is in it; else it is to be pasted."""

    way: Way
    url: str
    has_text: bool


def composes(address: str, subject: str, text: str) -> tuple[Compose, ...]:
    """The links for one letter: the computer's own mail program, Gmail, Outlook."""
    return tuple(_compose(way, address, subject, text) for way in _LONGEST)


def _compose(way: Way, address: str, subject: str, text: str) -> Compose:
    whole = _url(way, address, subject, text)
    if len(whole) <= _LONGEST[way]:
        return Compose(way, whole, has_text=True)
    return Compose(way, _url(way, address, subject, ""), has_text=False)


def _url(way: Way, address: str, subject: str, text: str) -> str:
    # mailto wants CRLF between lines (RFC 6068); the others take it too. Spaces as %20: a "+" would be read as one.
    to, about = quote(address, safe="@"), quote(subject, safe="")
    body = f"&body={quote(text.replace(chr(10), chr(13) + chr(10)), safe='')}" if text else ""
    if way is Way.GMAIL:
        return f"https://mail.google.com/mail/?view=cm&fs=1&to={to}&su={about}{body}"
    if way is Way.OUTLOOK:
        return f"https://outlook.office.com/mail/deeplink/compose?to={to}&subject={about}{body}"
    return f"mailto:{to}?subject={about}{body}"
