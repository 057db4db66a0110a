"""The fake refuses what SendGrid refuses: else the tests that lean on it would prove nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outreach.transports.sendgrid import SendGridTransport, payload
from tests.fakes.faults import Faults
from tests.fakes.ledger import Ledger, read_ledger
from tests.fakes.rules import Invalid, validate
from tests.fakes.sendgrid import API_KEY, fake_sendgrid
from tests.unit.transports.letters import letter

Change = Callable[[dict[str, Any]], Any]


def body(people: int = 1) -> dict[str, Any]:
    whole = payload(letter(), env="test")
    person = whole["personalizations"][0]
    whole["personalizations"] = [
        {**copy.deepcopy(person), "to": [{"email": f"signer{n}@example.com"}]} for n in range(people)
    ]
    return copy.deepcopy(whole)


def test_what_we_send_is_valid() -> None:
    validate(body())
    validate(body(people=1000))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda b: b.pop("from"), "from"),
        (lambda b: b.pop("personalizations"), "personalizations"),
        (lambda b: b["personalizations"].clear(), "personalizations"),
        (lambda b: b.pop("subject"), "subject"),
        (lambda b: b.update(subject=""), "subject"),
        (lambda b: b.pop("content"), "content"),
        (lambda b: b["content"].reverse(), "content"),
        (lambda b: b["content"][1].update(value=""), "content.1.value"),
        (lambda b: b.update(surprise=1), "surprise"),
        (lambda b: b["from"].update(email="jörg@example.org"), "from.email"),
        (lambda b: b.update(reply_to_list=[{"email": "a@example.org"}]), "reply_to_list"),
        (lambda b: b["personalizations"][3]["to"][0].update(email="nobody"), "personalizations.3.to.0.email"),
        (lambda b: b["personalizations"][3].pop("to"), "personalizations.3.to"),
        (lambda b: b["personalizations"][3]["to"][0].update(email="SIGNER1@example.com"), "personalizations.3.to"),
        (lambda b: b["personalizations"][3]["to"][0].update(name="Doe, Jane"), "personalizations.3.to.0.name"),
        (lambda b: b["personalizations"][3].update(reply_to={"email": "a@example.org"}), "personalizations.3.reply_to"),
        (lambda b: b["personalizations"][3]["headers"].update({"Reply-To": "x"}), "personalizations.3.headers"),
        (lambda b: b["personalizations"][3]["headers"].update({"X-A": "a\r\nBcc: b"}), "personalizations.3.headers"),
        (lambda b: b["personalizations"][3]["custom_args"].update(x="y" * 10_000), "personalizations.3.custom_args"),
        (lambda b: b["personalizations"][3]["custom_args"].update(x=1), None),
        (lambda b: b["personalizations"][3]["headers"].update({"X-A": 1}), None),
        (lambda b: b.update(headers={"To": "x"}), "headers"),
        (lambda b: b.update(categories=["a", "a"]), "categories"),
        (
            lambda b: b["tracking_settings"]["open_tracking"].update(enable="no"),
            "tracking_settings.open_tracking.enable",
        ),
    ],
)
def test_what_sendgrid_would_not_take_is_named(change: Change, field: str | None) -> None:
    whole = body(people=5)
    change(whole)

    with pytest.raises(Invalid) as caught:
        validate(whole)

    assert caught.value.field == field


def test_more_than_a_thousand_are_too_many() -> None:
    with pytest.raises(Invalid) as caught:
        validate(body(people=1001))

    assert caught.value.field == "personalizations"


def test_the_same_seed_gives_the_same_faults() -> None:
    first, second, third = (Faults("429=0.2,hang_after=0.1", seed=seed) for seed in (1, 1, 2))
    drawn = [[faults.next() for _ in range(500)] for faults in (first, second, third)]

    assert drawn[0] == drawn[1] != drawn[2]
    assert 60 < drawn[0].count("429") < 140
    assert 20 < drawn[0].count("hang_after") < 80


def test_a_fault_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such fault: 4290"):
        Faults("4290=0.1")


def test_the_ledger_outlives_its_server(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    for n in range(2):
        with fake_sendgrid(ledger=path) as provider:
            transport = SendGridTransport(API_KEY, host=provider.url)
            transport.send(letter(delivery=f"d-{n}"))
            transport.close()

    assert [record["delivery"] for record in read_ledger(path)] == ["d-0", "d-1"]
    assert [record["delivery"] for record in Ledger(path).records] == ["d-0", "d-1"]


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "accepted.jsonl"
    path.write_text('{"delivery": "d-1"}\n{"deliv')

    assert read_ledger(path) == [{"delivery": "d-1"}]
