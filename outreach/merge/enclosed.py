"""The letters in a bundle, and the table that holds each of them word for word."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from .letters import Letter

TABLE = "letters.csv"
_COLUMNS = ("name", "place", "postal_code", "confirmed_on", "own_words", "reply_to", "subject", "letter", "id")
#: What spreadsheets take for a formula, and the sign that keeps them from it.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "'")
#: Bytes that a mail has without any letter in it, and that the text and the page put around each letter.
_REST, _AROUND = 20_000, 400


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

    @property
    def weight(self) -> int:
        """Bytes that it adds to a mail, at most: in the text, in the page and in the table."""
        said = f"{self.name}{self.place}"
        shown = (said, said)
        if self.common is None:
            text = f"{said}{self.letter.subject}\n{self.letter.text}"
            shown = (text, f"{said}{self.letter.subject}{self.letter.html}")
        return _AROUND + sum(map(_travelling, shown)) + len(_row(self).encode()) * 7 // 5  # the table as base64


def how_many_fit(letters: Sequence[Enclosed], limit: int) -> int:
    """How many of these letters, from the first, make a mail of at most `limit` bytes; at least one."""
    size = _REST
    for n, one in enumerate(letters):
        size += one.weight
        if size > limit and n:
            return n
    return len(letters)


def _travelling(text: str) -> int:
    """Bytes of a text as quoted-printable or as JSON, whichever a way out takes, at most."""
    octets = text.encode()
    longer = len(octets) - len(octets.translate(None, bytes(range(128, 256)))) + sum(map(text.count, '="\\\n'))
    return (len(octets) + 2 * longer) * 21 // 20  # and the breaks of long lines


def table_of(letters: Sequence[Enclosed]) -> bytes:
    """All of them as CSV, as spreadsheet programs read it."""
    rows = (_line(_COLUMNS), *map(_row, letters))
    return ("\ufeff" + "".join(rows)).encode()  # by the mark at its beginning, they know that it is UTF-8


def _row(one: Enclosed) -> str:
    row = (one.name, one.place, one.postal_code, one.confirmed_on.isoformat(), one.own_words, one.reply_to)
    return _line([_cell(value) for value in (*row, one.letter.subject, one.letter.text, one.ref)])


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue()


def _cell(value: str) -> str:
    """A value that no spreadsheet takes for a formula; `_value` gives it back."""
    return f"'{value}" if value.startswith(_RISKY) else value


def _value(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def table_without(table: bytes, refs: Collection[str]) -> bytes:
    """The table without the letters of these deliveries. ValueError if it is no table."""
    letters_in(table)
    header, *rows = csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""))
    kept = [row for row in rows if _value(row[-1]) not in refs]
    return ("\ufeff" + "".join(map(_line, (header, *kept)))).encode()


def letters_in(table: bytes) -> dict[str, tuple[str, str]]:
    """The subject and text of every letter in a bundle's table, by its delivery's ref. ValueError if it is no table."""
    rows = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""))
    if rows.fieldnames is None or list(rows.fieldnames) != list(_COLUMNS):
        raise ValueError("this is no table of letters")
    return {_value(row["id"]): (_value(row["subject"]), _value(row["letter"])) for row in rows}
