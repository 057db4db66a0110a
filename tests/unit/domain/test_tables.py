"""Tables as people save them."""

from __future__ import annotations

import pytest

from outreach.domain.tables import rows_of
from outreach.errors import BadRows


def rows(text: str, limit: int = 100) -> list[tuple[int, list[str]]]:
    return list(rows_of(text, name="f.csv", limit=limit))


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cells_are_parted_by_what_parts_the_first_row(sign: str, end: str) -> None:
    assert rows(end.join([sign.join(["a", "b"]), sign.join(["1,2;3" if sign == "\t" else "1", "2"])])) == [
        (1, ["a", "b"]),
        (2, ["1,2;3" if sign == "\t" else "1", "2"]),
    ]


def test_blank_rows_are_passed_over_and_a_row_is_named_by_the_line_it_begins_on() -> None:
    assert rows('\n;\n\na;b\n"1\n2";3\n;;\n4;5') == [(4, ["a", "b"]), (5, ["1\n2", "3"]), (8, ["4", "5"])]


def test_a_file_without_rows_has_none() -> None:
    assert rows("") == rows("\n \n,,\n") == []


def test_more_rows_than_the_limit_are_refused() -> None:
    assert len(rows("a\n" + "1\n" * 3, limit=3)) == 4
    with pytest.raises(BadRows, match="more than 3 rows"):
        rows("a\n" + "1\n" * 4, limit=3)


@pytest.mark.parametrize("text", ['a\n"b', 'a\n"b"c\n', "a\n" + "x" * 200_000])
def test_what_is_no_csv_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(BadRows, match="cannot be read as CSV") as caught:
        rows(text)
    assert caught.value.where == "f.csv:2"
