"""Which mails share a request to SendGrid, and what stands in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from outreach.domain.messages import Attachment, Mailbox, Message, Straight
from outreach.transports import personalizations
from outreach.transports.personalizations import Row, chunks, request, row
from tests.unit.transports.letters import letter, update


def rows(*messages: Message) -> list[Row]:
    made = [row(number, message, env="test") for number, message in enumerate(messages)]
    assert None not in made
    return [one for one in made if one is not None]


def requests(*messages: Message) -> list[dict[str, Any]]:
    return [request(chunk) for chunk in chunks(rows(*messages))]


def valued(message: Message, **values: str) -> Message:
    """The same with other values: names are tags without their dashes."""
    straight = message.straight
    assert straight is not None
    tagged = dict(straight.values) | {f"-{name}-": value for name, value in values.items()}
    return replace(message, straight=replace(straight, values=tuple(sorted(tagged.items()))))


def test_the_request_is_exactly_this() -> None:
    (body,) = requests(update(1), update(2))

    assert body == {
        "personalizations": [
            {
                "to": [{"email": f"reader-{n}@example.org", "name": f"Reader {n}"}],
                "custom_args": {"oe_delivery": f"m-{n}", "oe_attempt": "1", "oe_env": "test"},
                "headers": {"List-Unsubscribe": f"<https://act.example.org/u/{n:040}>"},
                "substitutions": {"-oe_name-": f"Reader {n}", "-oe_stop-": f"https://act.example.org/u/{n:040}"},
            }
            for n in (1, 2)
        ],
        "from": {"email": "news@news.example.org", "name": "Outreach"},
        "reply_to": {"email": "help@example.org", "name": "Outreach"},
        "subject": "News for -oe_name-",
        "content": [
            {"type": "text/plain", "value": "Dear -oe_name-,\n\nread on.\n\n-- \nNo more: -oe_stop-\n"},
            {"type": "text/html", "value": "<p>-oe_name-</p>"},
        ],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }


def test_c1_a_request_has_at_most_500_rows_of_one_recipient_and_no_address_twice() -> None:
    crowd = [update(n) for n in range(1100)]
    twins = [update(n, to=Mailbox("", f"READER-{n}@example.org")) for n in range(20)]

    bodies = requests(*crowd[:300], *twins, *crowd[300:])

    sent = [[person["to"] for person in body["personalizations"]] for body in bodies]
    assert all(len(to) == 1 for people in sent for to in people)
    assert all(len(people) <= 500 for people in sent)
    for people in sent:
        addresses = [to[0]["email"].lower() for to in people]
        assert len(addresses) == len(set(addresses))
    assert sum(map(len, sent)) == 1120
    assert len(bodies) == 3, "the twins wait for the next request, and nobody else for them"


def test_c2_every_value_is_a_string_and_what_goes_along_are_ids_only() -> None:
    (body,) = requests(*(update(n) for n in range(50)))
    for person in body["personalizations"]:
        for part in ("custom_args", "headers", "substitutions"):
            assert all(type(value) is str for value in person[part].values())
        assert sorted(person["custom_args"]) == ["oe_attempt", "oe_delivery", "oe_env"]
        assert len(json.dumps(person["custom_args"]).encode()) <= 10_000


def test_c3_a_recipients_name_holds_no_commas_and_semicolons() -> None:
    (body,) = requests(update(1, name="Doe, Jane; PhD"))
    assert body["personalizations"][0]["to"][0]["name"] == "Doe Jane PhD"
    assert body["personalizations"][0]["substitutions"]["-oe_name-"] == "Doe, Jane; PhD"


def test_c4_tracking_is_switched_off_in_shared_requests_too() -> None:
    (body,) = requests(update(1))
    assert {setting["enable"] for setting in body["tracking_settings"].values()} == {False}


@pytest.mark.parametrize(
    "message",
    [
        letter(),
        update(1, name="my name is -oe_stop- indeed"),
        valued(update(1), oe_city="-oe_city-"),
        valued(update(1), oe_words="word " * 1900),
        valued(update(1), oe_words="ü" * 4751),
        update(1, attachments=(Attachment("letter.txt", "text/plain", b"a file of its own"),)),
    ],
    ids=["not straight", "a tag in a value", "its own tag in a value", "long", "long in UTF-8", "with a file"],
)
def test_what_could_come_out_wrong_in_company_goes_by_itself(message: Message) -> None:
    assert row(0, message, env="test") is None


def test_a_malformed_message_is_no_row() -> None:
    with pytest.raises(ValueError, match="control character"):
        row(0, update(1, name="Jane\r\nBcc: all@example.org"), env="test")


def test_a_request_stays_under_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personalizations, "MOST_BYTES", 20_000)
    bodies = requests(*(update(n) for n in range(200)))
    assert len(bodies) > 2
    assert all(len(json.dumps(body, separators=(",", ":"))) <= 20_000 for body in bodies)
    assert sum(len(body["personalizations"]) for body in bodies) == 200


def test_only_what_is_the_same_in_all_its_mails_is_shared() -> None:
    other = Straight("wave-1", "Another subject", "-oe_name- -oe_stop-", "<p>-oe_name-</p>", update(1).straight.values)  # type: ignore[union-attr]
    mails = [
        update(1),
        update(2, straight=other),
        update(3, sender=Mailbox("Another", "news@news.example.org")),
        update(4, reply_to=None),
        valued(update(5), oe_city="Springfield"),
        update(6),
    ]
    told = [[person["to"][0]["email"] for person in body["personalizations"]] for body in requests(*mails)]
    assert told[0] == ["reader-1@example.org", "reader-6@example.org"]
    assert len(told) == 5
