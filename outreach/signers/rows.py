"""From the bytes of a CSV file to checked rows. A file that is no such table is refused as a whole; a bad row alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from outreach.domain.tables import rows_of
from outreach.domain.words import WORDS_LIMIT, clean_words, one_line
from outreach.errors import BadRows, BadSignature
from outreach.signing import SignForm, check
from outreach.signing.forms import Signer

COLUMNS = (
    "name",
    "email",
    "city",
    "postal_code",
    "own_words",
    "language",
    "confirmed_at",
    "consent_purpose",
    "consent_text",
    "consent_source",
    "consent_date",
    "source",
)
REQUIRED = ("name", "email")
_CONSENT = ("consent_purpose", "consent_text", "consent_source", "consent_date")

BYTES_LIMIT = 20_000_000
ROWS_LIMIT = 100_000
FIELD_LIMIT = 10_000  #: bytes of one field

_PURPOSE = re.compile(r"[a-z][a-z0-9_]{1,39}(:[a-z0-9_-]{1,20})?")


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be taken, by the line it begins on, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """A consent that came with the row, complete."""

    purpose: str
    wording: str
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One row that can be taken."""

    line: int
    signer: Signer
    confirmed_at: datetime | None
    agreed: Agreed | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The file as a table of text. `notes` are what its owner should know before anything is taken."""

    columns: Sequence[str]
    lines: Sequence[tuple[int, list[str]]]
    notes: tuple[str, ...]


def read(content: bytes, name: str) -> Sheet:
    """The file as a table; BadRows names what is wrong with it as a whole."""
    text, notes = _decoded(content, name)
    rows = rows_of(text, name=name, limit=ROWS_LIMIT)
    line, head = next(rows, (1, []))
    columns = _columns(head, f"{name}:{line}")
    lines = list(rows)
    if extra := [column for column in columns if column not in COLUMNS]:
        notes.append(f"Columns that are not used: {', '.join(column[:40] or '(no name)' for column in extra)}.")
    if absent := [column for column in COLUMNS if column not in columns]:
        notes.append(f"Columns that are missing and taken as empty: {', '.join(absent)}.")
    return Sheet(columns, lines, tuple(notes))


def checked(sheet: Sheet, *, now: datetime) -> Iterator[Row | Problem]:
    """Each row of the table, clean, or why it cannot be taken."""
    for line, cells in sheet.lines:
        try:
            yield _row(line, sheet.columns, cells, now)
        except BadSignature as error:
            yield Problem(line, " ".join(f"{field}: {sentence}" for field, sentence in error.fields.items()))
        except ValueError as error:
            yield Problem(line, str(error))


def _decoded(content: bytes, name: str) -> tuple[str, list[str]]:
    if len(content) > BYTES_LIMIT:
        raise BadRows(f"The file is larger than {BYTES_LIMIT // 1_000_000} MB.", where=name, advice="Split it.")
    if b"\0" in content:
        raise BadRows("This is no text file.", where=name, advice="Save it as “CSV UTF-8”.")
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRows(
            "The file is neither UTF-8 nor Windows-1252 text.", where=f"{name}:{line}", advice="Save it as “CSV UTF-8”."
        ) from None
    return text, ["The file is not UTF-8; it was read as Windows-1252. Look at a name with an accent before --apply."]


def _columns(cells: list[str], where: str) -> list[str]:
    columns = ["_".join(cell.strip().casefold().split()) for cell in cells]
    if missing := [column for column in REQUIRED if column not in columns]:
        raise BadRows(
            f"The first line does not name the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)}.",
            where=where,
            advice=f"It should read: {','.join(COLUMNS)}",
        )
    if twice := [column for column, n in Counter(columns).items() if n > 1 and column in COLUMNS]:
        raise BadRows(f"The first line names {twice[0]} twice.", where=where)
    return columns


def _row(line: int, columns: Sequence[str], cells: list[str], now: datetime) -> Row:
    if len(cells) != len(columns):
        raise ValueError(f"The row has {len(cells)} fields, the first line has {len(columns)}.")
    for column, cell in zip(columns, cells, strict=True):
        if len(cell) > FIELD_LIMIT or (len(cell) * 4 > FIELD_LIMIT and len(cell.encode()) > FIELD_LIMIT):
            raise ValueError(f"{column[:40]}: This is longer than {FIELD_LIMIT:,} bytes.")
    given = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if column in COLUMNS}
    signer = check(
        SignForm(
            given["name"],
            given["email"],
            city=given.get("city", ""),
            postal_code=given.get("postal_code", ""),
            own_words=given.get("own_words", ""),
            language=given.get("language", "") or "en",
            source=given.get("source", "") or "import",
        )
    )
    confirmed_at = _time("confirmed_at", given["confirmed_at"], now) if given.get("confirmed_at") else None
    return Row(line, signer, confirmed_at, _agreed(given, now))


def _agreed(given: dict[str, str], now: datetime) -> Agreed | None:
    """The row's consent; None unless purpose, wording, source and date are all there: it proves nothing then."""
    if not all(given.get(column) for column in _CONSENT):
        return None
    if not _PURPOSE.fullmatch(given["consent_purpose"]):
        raise ValueError("consent_purpose: This is no purpose, like “updates” or “deliver_letter”.")
    try:
        wording = clean_words(given["consent_text"])
    except ValueError:
        raise ValueError(f"consent_text: This can have at most {WORDS_LIMIT:,} characters.") from None
    return Agreed(
        given["consent_purpose"],
        wording,
        one_line(given["consent_source"], what="The consent's source"),
        _time("consent_date", given["consent_date"], now),
    )


def _time(column: str, text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{column}: This is no time, like 2026-03-01 or 2026-03-01T12:00:00+01:00.") from None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{column}: This is no time of ours.") from None
    if moment > now:
        raise ValueError(f"{column}: This lies in the future. A time without a zone is read as UTC.")
    return moment
