"""Bundles as mails: how much fits into one, and what their table keeps."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from outreach.domain.messages import Mailbox
from outreach.merge import Enclosed, Letter, compose_bundle, how_many_fit, letters_in, table_without
from outreach.merge.bundles import _count
from outreach.merge.enclosed import table_of
from outreach.merge.envelopes import Envelope
from outreach.merge.letters import as_html
from outreach.transports.mime import to_bytes
from outreach.transports.sendgrid import payload
from tests.conftest import make_settings
from tests.unit.transports.letters import letter

WORDS = {
    "plain": "I wait for the bus in the rain. " * 60,
    "chinese": "我們等公車，等了很久。" * 180,
    "quotes": '"' * 2_000,
    "signs": "&<>=\\" * 400,
    "emoji": "🚌🌧️" * 500,
    "lines": "a\n" * 1_000,
}


def enclosed(n: int, words: str, *, common: bool = False) -> Enclosed:
    said = Letter("About the bus", words, as_html(words.split("\n")))
    return Enclosed(
        f"ref{n}",
        f"Jane Doe {n}",
        "São João",
        "1",
        date(2026, 3, 2),
        words,
        f"a{n}@example.org",
        said,
        said if common else None,
    )


@pytest.fixture
def envelope(tmp_path: Path) -> Envelope:
    return Envelope.of(make_settings(tmp_path), campaign="bus")


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("common", [False, True])
def test_a_mail_is_never_larger_than_its_letters_were_taken_for(kind: str, common: bool, envelope: Envelope) -> None:
    letters = [enclosed(n, WORDS[kind], common=common) for n in range(40)]
    mail = compose_bundle(
        letters,
        envelope,
        ref="b1",
        to=Mailbox("Mayor", "mayor@example.gov"),
        reply_to=Mailbox("Us", "us@example.org"),
        salutation="Dear Mayor",
        campaign="A bus for all",
        now=letter().date,
    )
    limit = 30_000 + sum(one.weight for one in letters)
    assert len(to_bytes(mail)) <= limit
    assert len(json.dumps(payload(mail, env="test"), separators=(",", ":")).encode()) <= limit


def test_what_fits_is_counted_from_the_first_and_one_always_goes() -> None:
    letters = [enclosed(n, "Short.") for n in range(10)]
    assert how_many_fit(letters, 10_000_000) == 10
    assert how_many_fit(letters, 20_000 + 3 * letters[0].weight) == 3
    assert how_many_fit(letters, 1) == 1


def test_a_letter_taken_out_of_the_table_leaves_the_others_as_they_were() -> None:
    table = table_of([enclosed(n, f"=SUM({n})\n'quoted'") for n in range(3)])
    rest = table_without(table, ["ref1"])
    assert letters_in(rest) == {ref: said for ref, said in letters_in(table).items() if ref != "ref1"}
    assert b"Jane Doe 1" not in rest
    with pytest.raises(ValueError, match="no table"):
        table_without(b"a,b\r\n", ["ref1"])


def test_numbers_stand_with_the_right_word() -> None:
    assert [_count(n, "person") for n in (1, 2, 3_000)] == ["1 person", "2 people", "3,000 people"]
    assert [_count(n, "letter", more=True) for n in (1, 20)] == ["1 more letter", "20 more letters"]
