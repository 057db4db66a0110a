"""Merge fields and the small words around a letter."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import pytest

from outreach.domain.letters import (
    FIELD_NAMES,
    MERGE_FIELDS,
    CampaignFields,
    SignerFields,
    TargetFields,
    date_in_words,
    first_name,
)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Jane Doe", "Jane"),
        ("Dr. Jane Doe", "Jane"),
        ("Prof. Dr. Ann Lee", "Ann"),
        ("Jane", "Jane"),
        ("Dr. Doe", "Doe"),
        ("王小明", "王小明"),
        ("", ""),
    ],
)
def test_a_first_name_is_the_first_word_that_is_no_title(name: str, first: str) -> None:
    assert first_name(name) == first


def test_a_date_reads_the_same_everywhere() -> None:
    assert date_in_words(date(2026, 11, 22)) == "22 November 2026"
    assert [date_in_words(date(2026, month, 1)).split()[1][:3] for month in (1, 5, 12)] == ["Jan", "May", "Dec"]


def test_every_merge_field_stands_for_a_value_and_has_a_sentence_and_an_example() -> None:
    owners = {"signer": SignerFields, "target": TargetFields, "campaign": CampaignFields}
    known = {f"{owner}.{field.name}" for owner, kind in owners.items() for field in fields(kind)}
    # A subject and a body of the signer's own take the place of the version's: no template names them.
    known = (known - {"campaign.demands", "signer.subject", "signer.body"}) | {"demands"}
    assert set(FIELD_NAMES) == known
    assert all(field.about and field.example for field in MERGE_FIELDS)
