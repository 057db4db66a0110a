"""A bundle as a mail: all letters that wait for one office, in one mail with a table of them.

The text says what a person wants to read: how many wrote, the letter that many of them sent, their names and places,
and in full what others wrote in their own words. The table beside it holds each letter word for word, under the id that
the books know it by; whoever checks the books reads it back from there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import SIGNATURE_MARK, Attachment, Mailbox, Message
from outreach.domain.words import short_line, wrapped_lines

from .envelopes import Envelope
from .letters import Letter, as_html

TABLE = "letters.csv"
_COLUMNS = ("name", "place", "postal_code", "confirmed_on", "own_words", "reply_to", "subject", "letter", "id")
#: What spreadsheets take for a formula, and the sign that keeps them from it.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "'")
_RULE = "=" * 72


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One letter in a bundle, as its signer confirmed it."""

    ref: str  #: its delivery
    name: str
    place: str
    postal_code: str
    confirmed_on: date
    own_words: str
    reply_to: str  #: an answer sent here reaches the signer
    letter: Letter
    common: Letter | None  #: what it shares with others, its signer's fields left open; None: in its own words


def compose_bundle(
    letters: Sequence[Enclosed],
    envelope: Envelope,
    *,
    ref: str,
    to: Mailbox,
    reply_to: Mailbox,
    salutation: str,
    now: datetime,
) -> Message:
    """All these letters as one mail from the organisation. `ref` is the bundle's own id."""
    title = f"{_letters(len(letters))}: {letters[0].letter.subject}"
    lines = wrapped_lines("\n\n".join(_paragraphs(letters, envelope, salutation)))
    closing = wrapped_lines(f"Sent by {envelope.organisation} for the people above.\n{envelope.closing}")
    before, between, after, end = envelope.frame
    html = f"{before}{escape(title, quote=False)}{between}{as_html(lines)}{after}{as_html(closing)}{end}"
    return Message(
        delivery=ref,
        attempt=1,
        mail_class=MailClass.LETTER,
        stream=Stream.LETTERS,
        sender=Mailbox(envelope.organisation, envelope.from_address),
        to=to,
        reply_to=reply_to,
        subject=short_line(title),
        text="\n".join([*lines, SIGNATURE_MARK + closing[0], *closing[1:], ""]),
        html=html,
        message_id=f"<b.{ref}.1@{envelope.domain}>",
        date=now,
        headers=envelope.headers,
        attachments=(Attachment(TABLE, "text/csv", _table(letters)),),
    )


def _paragraphs(letters: Sequence[Enclosed], envelope: Envelope, salutation: str) -> list[str]:
    said = "person has" if len(letters) == 1 else "people have each"
    found = [
        f"{salutation},",
        f"{len(letters):,} {said} sent you a letter through {envelope.organisation}. You get them in one mail a day. "
        f"Each was confirmed by mail by the person who sent it. The table {TABLE} has every letter word for word, and "
        "beside it the address at which an answer reaches its sender.",
    ]
    shared: dict[Letter, list[Enclosed]] = {}
    for one in letters:
        if one.common is not None:
            shared.setdefault(one.common, []).append(one)
    for letter, senders in shared.items():
        names = "\n".join(f"{_who(one)}" for one in senders)
        found += [f"{_people(len(senders))} sent this letter:", _RULE, letter.subject, letter.text, _RULE]
        found += ["It was sent by:", names]
    own = [one for one in letters if one.common is None]
    if own:
        found.append(f"{_people(len(own))} wrote in their own words:")
    for number, one in enumerate(own, 1):
        found += [_RULE, f"{number:,} of {len(own):,}: {_who(one)}", one.letter.subject, one.letter.text]
    return found


def _letters(n: int) -> str:
    return "1 letter" if n == 1 else f"{n:,} letters"


def _people(n: int) -> str:
    return "1 person" if n == 1 else f"{n:,} people"


def _who(one: Enclosed) -> str:
    return f"{one.name}, {one.place}" if one.place else one.name


# ---- the table ------------------------------------------------------------------------------------------------------


def _table(letters: Sequence[Enclosed]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    for one in letters:
        row = (one.name, one.place, one.postal_code, one.confirmed_on.isoformat(), one.own_words, one.reply_to)
        writer.writerow([_cell(value) for value in (*row, one.letter.subject, one.letter.text, one.ref)])
    return ("\ufeff" + text.getvalue()).encode()  # by the mark at its beginning, spreadsheets know that it is UTF-8


def _cell(value: str) -> str:
    """A value that no spreadsheet takes for a formula; `_value` gives it back."""
    return f"'{value}" if value.startswith(_RISKY) else value


def _value(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def letters_in(table: bytes) -> dict[str, tuple[str, str]]:
    """The subject and text of every letter in a bundle's table, by its delivery's ref. ValueError if it is no table."""
    rows = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""))
    if rows.fieldnames is None or list(rows.fieldnames) != list(_COLUMNS):
        raise ValueError("this is no table of letters")
    return {_value(row["id"]): (_value(row["subject"]), _value(row["letter"])) for row in rows}
