"""Tables as office programs save them: text with commas, semicolons or tabs between the cells of a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from outreach.errors import BadRows


def rows_of(text: str, *, name: str, limit: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the line it begins on; the first one names the columns.

    BadRows, by the file's `name` and the line, for what is no CSV and for more than `limit` rows below the first.
    """
    delimiter = max(",;\t", key=text.lstrip("\r\n").partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    count = ended = 0
    try:
        for cells in reader:
            begins, ended = ended + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if count > limit:
                raise BadRows(f"The file has more than {limit:,} rows.", where=name, advice="Split it.")
            yield begins, cells
            count += 1
    except csv.Error as error:
        raise BadRows(f"This cannot be read as CSV: {error}.", where=f"{name}:{reader.line_num}") from None
