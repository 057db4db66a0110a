"""Only SendGrid is believed, and nothing it may send breaks the reading of the rest."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.events import Cause, Event, EventKind
from outreach.keys import Keys
from outreach.webhooks import sendgrid
from outreach.webhooks.sendgrid import verify
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey, Signed, rows_for

#: The sendgrid library's own test vector.
VECTOR_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dA"
    "fSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
VECTOR_SIGNATURE = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
VECTOR_TIMESTAMP = "1600112502"
VECTOR_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
VECTOR_NOW = datetime.fromtimestamp(1600112502, UTC)

KEY = EventKey()
KEYS = Keys("0123456789abcdefghijklmnopqrstuvwxyz-test")
RECORD: dict[str, Any] = {
    "to": "secretary@example.com",
    "message_id": "abc",
    "number": 0,
    "at": 1_772_452_800.0,
    "custom_args": {"oe_delivery": "d-1", "oe_attempt": "2", "oe_env": "test"},
}
NOW = datetime.fromtimestamp(1_772_452_800, UTC)


def parse(body: bytes) -> list[Event]:
    return sendgrid.parse(body, KEYS)


def signed(rows: list[dict[str, Any]], at: datetime = NOW) -> Signed:
    return KEY.signed(rows, at=at.timestamp())


def believed(request: Signed, keys: tuple[str, ...] = (KEY.public,), now: datetime = NOW) -> bool:
    return verify(request.body, request.headers[SIGNATURE_HEADER], request.headers[TIMESTAMP_HEADER], keys, now=now)


def test_d1_the_librarys_own_vector_is_believed() -> None:
    assert verify(VECTOR_BODY, VECTOR_SIGNATURE, VECTOR_TIMESTAMP, [VECTOR_KEY], now=VECTOR_NOW)


@pytest.mark.parametrize(
    ("body", "signature", "timestamp"),
    [
        (VECTOR_BODY.strip(), VECTOR_SIGNATURE, VECTOR_TIMESTAMP),
        (VECTOR_BODY.replace(b"hello", b"hallo"), VECTOR_SIGNATURE, VECTOR_TIMESTAMP),
        (b"\xff\xfe", VECTOR_SIGNATURE, VECTOR_TIMESTAMP),
        (b"", VECTOR_SIGNATURE, VECTOR_TIMESTAMP),
        (VECTOR_BODY, VECTOR_SIGNATURE, "1600112503"),
        (VECTOR_BODY, VECTOR_SIGNATURE, None),
        (VECTOR_BODY, VECTOR_SIGNATURE, ""),
        (VECTOR_BODY, VECTOR_SIGNATURE, "-1600112502"),
        (VECTOR_BODY, VECTOR_SIGNATURE, "1600112502.0"),
        (VECTOR_BODY, VECTOR_SIGNATURE, "١٦٠٠١١٢٥٠٢"),
        (VECTOR_BODY, VECTOR_SIGNATURE, "9" * 12),
        (VECTOR_BODY, VECTOR_SIGNATURE, "9" * 400),
        (VECTOR_BODY, None, VECTOR_TIMESTAMP),
        (VECTOR_BODY, "", VECTOR_TIMESTAMP),
        (VECTOR_BODY, "not base64!", VECTOR_TIMESTAMP),
        (VECTOR_BODY, "ünïcode", VECTOR_TIMESTAMP),
        (VECTOR_BODY, "AAAA", VECTOR_TIMESTAMP),
        (VECTOR_BODY, VECTOR_SIGNATURE + "AAAA", VECTOR_TIMESTAMP),
    ],
)
def test_d1_anything_else_is_not_believed(body: bytes, signature: str | None, timestamp: str | None) -> None:
    assert not verify(body, signature, timestamp, [VECTOR_KEY], now=VECTOR_NOW)


def test_d2_without_a_key_nothing_is_believed() -> None:
    assert not believed(signed([]), keys=())


def test_d11_two_keys_are_believed_while_one_replaces_the_other() -> None:
    other = EventKey()

    assert believed(signed([]), keys=(other.public, KEY.public))
    assert believed(signed([]), keys=(KEY.public, other.public))
    assert not believed(signed([]), keys=(other.public,))


def test_a_key_that_is_none_harms_nothing() -> None:
    strange = rsa.generate_private_key(65537, 2048).public_key()
    as_text = b64encode(strange.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    assert believed(signed([]), keys=("", "AAAA", "not base64", "ü", as_text, KEY.public))
    assert not believed(signed([]), keys=("", "AAAA", "not base64", "ü", as_text))


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(hours=25), True),
        (timedelta(hours=25, seconds=1), False),
        (-timedelta(minutes=5), True),
        (-timedelta(minutes=5, seconds=1), False),
    ],
)
def test_a_report_may_be_a_day_late_but_not_older(age: timedelta, expected: bool) -> None:
    assert believed(signed([], at=NOW - age)) is expected


def test_an_equivalent_signature_is_the_same_report() -> None:
    """ECDSA signatures are malleable, so nothing may be told apart by them; events are, by their id."""
    request = signed([])
    r, s = decode_dss_signature(b64decode(request.headers[SIGNATURE_HEADER]))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = b64encode(encode_dss_signature(r, order - s)).decode()

    assert verify(request.body, twin, request.headers[TIMESTAMP_HEADER], [KEY.public], now=NOW)


@given(st.binary(), st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()), st.lists(st.text()))
def test_no_input_raises(body: bytes, signature: str | None, timestamp: str | None, keys: list[str]) -> None:
    assert not verify(body, signature, timestamp, keys, now=NOW)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("processed", EventKind.PROCESSED),
        ("deferred", EventKind.DEFERRED),
        ("delivered", EventKind.DELIVERED),
        ("bounce", EventKind.BOUNCED),
        ("blocked", EventKind.BLOCKED),
        ("dropped", EventKind.DROPPED),
        ("spamreport", EventKind.COMPLAINED),
        ("unsubscribe", EventKind.UNSUBSCRIBED),
        ("group_unsubscribe", EventKind.UNSUBSCRIBED),
        ("open", EventKind.OPENED),
        ("click", EventKind.CLICKED),
        ("group_resubscribe", EventKind.RESUBSCRIBED),
        ("account_status_change", EventKind.ACCOUNT),
        ("something_new", EventKind.UNKNOWN),
    ],
)
def test_each_kind_in_our_words(kind: str, expected: EventKind) -> None:
    (event,) = parse(signed(rows_for([RECORD], kinds=[kind])).body)

    assert event.kind is expected
    assert (event.delivery, event.attempt, event.env) == ("d-1", 2, "test")
    assert event.at == NOW


def test_a_bounce_tells_why() -> None:
    (event,) = parse(signed(rows_for([RECORD], kinds=["bounce"])).body)

    assert event.reason == "550 5.1.1 no such user"


def test_the_status_is_told_when_the_reason_does_not_hold_it() -> None:
    row = {"event": "bounce", "timestamp": 1, "status": "5.2.2", "reason": "mailbox full"}

    assert parse(json.dumps([row]).encode())[0].reason == "5.2.2 mailbox full"


@pytest.mark.parametrize(
    ("row", "kind", "cause"),
    [
        ({"type": "bounce", "status": "5.1.1"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "status": "5.1.2"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "status": "5.2.1"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "reason": "550 5.1.1 no such user"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "bounce_classification": "Invalid Address"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "status": "5.0.0"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce"}, EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ({"type": "bounce", "status": "5.2.2"}, EventKind.BOUNCED, Cause.UNAVAILABLE),
        ({"type": "bounce", "status": "4.2.2"}, EventKind.BOUNCED, Cause.UNAVAILABLE),
        ({"type": "bounce", "status": "5.4.4"}, EventKind.BOUNCED, Cause.UNAVAILABLE),
        ({"type": "bounce", "bounce_classification": "Mailbox Unavailable"}, EventKind.BOUNCED, Cause.UNAVAILABLE),
        ({"type": "bounce", "status": "5.7.1"}, EventKind.BLOCKED, Cause.REFUSED),
        ({"type": "bounce", "status": "5.7.26"}, EventKind.BLOCKED, Cause.REFUSED),
        ({"type": "bounce", "status": "5.1.8"}, EventKind.BLOCKED, Cause.REFUSED),
        (
            {"type": "bounce", "status": "5.1.1", "bounce_classification": "Reputation"},
            EventKind.BLOCKED,
            Cause.REFUSED,
        ),
        ({"type": "blocked", "status": "5.1.1"}, EventKind.BLOCKED, Cause.REFUSED),
        ({"type": "blocked"}, EventKind.BLOCKED, Cause.REFUSED),
    ],
)
def test_d8_whose_trouble_a_bounce_is(row: dict[str, str], kind: EventKind, cause: Cause) -> None:
    (event,) = parse(json.dumps([{"event": "bounce", "timestamp": 1, **row}]).encode())

    assert (event.kind, event.cause) == (kind, cause)
    assert event.is_hard is (cause is Cause.BAD_ADDRESS)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Bounced Address", Cause.BOUNCED_BEFORE),
        ("Unsubscribed Address", Cause.UNSUBSCRIBED_BEFORE),
        ("Spam Reporting Address", Cause.COMPLAINED_BEFORE),
        ("Invalid", Cause.BAD_ADDRESS),
        ("Invalid SMTPAPI header", Cause.NOT_SENDABLE),
        ("Spam Content", Cause.NOT_SENDABLE),
        ("Recipient List over Package Quota", Cause.NOT_SENDABLE),
        ("Expired", Cause.NOT_SENDABLE),
        ("something new", Cause.NOT_SENDABLE),
    ],
)
def test_why_a_mail_was_dropped(reason: str, cause: Cause) -> None:
    (event,) = parse(json.dumps([{"event": "dropped", "timestamp": 1, "reason": reason, "email": ""}]).encode())

    assert (event.kind, event.cause) == (EventKind.DROPPED, cause)
    assert event.address_hash is None


def test_nothing_personal_is_kept_of_a_row() -> None:
    row = {
        "email": "Jane.Doe@Example.org",
        "event": "click",
        "timestamp": 1,
        "ip": "192.0.2.7",
        "useragent": "reader",
        "url": "https://act.example.org/letter/secret",
        "smtp-id": "<abc@geopod-ismtpd-1>",
        "sg_message_id": "abc.recvd-1-2.0",
        "reason": "550 <jane.doe@example.org>: gone, says postmaster@example.net",
        "url_offset": {"index": 0, "type": "html", "email": "jane.doe@example.org"},
        "new_field": ["x", {"y": {"z": {}}}],
        "odd": float("nan"),
    }

    (event,) = parse(json.dumps([row]).encode())

    assert event.address_hash == KEYS.address_hash("jane.doe@example.org")
    assert event.reason == "550 <…>: gone, says …"
    assert event.raw == {
        "event": "click",
        "timestamp": 1,
        "smtp-id": "<abc@geopod-ismtpd-1>",
        "sg_message_id": "abc.recvd-1-2.0",
        "reason": "550 <…>: gone, says …",
        "url_offset": {"index": 0, "type": "html"},
        "new_field": ["x", {"y": "…"}],
        "odd": "…",
    }
    assert sendgrid.message_id(event.raw) == "abc"
    assert "jane" not in str(event).lower()


def test_bytes_that_are_no_utf8_spoil_one_word_and_no_event() -> None:
    body = b'[{"event":"bounce","timestamp":1,"reason":"bo\xeete pleine"},{"event":"open","timestamp":1}]'

    assert [event.kind for event in parse(body)] == [EventKind.BOUNCED, EventKind.OPENED]


def test_hostile_words_are_capped_and_hold_no_controls() -> None:
    row = {"event": "bounce", "timestamp": 1, "reason": "<script>\0\n\ud800" + "x" * 5000}

    reason = parse(json.dumps([row]).encode())[0].reason

    assert reason.startswith("<script>")
    assert len(reason) <= 500
    assert reason.isprintable()
    assert reason.encode()


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        "bounce",
        [],
        {},
        {"event": "bounce"},
        {"event": None, "timestamp": 1},
        {"event": "bounce", "timestamp": "soon"},
        {"event": "bounce", "timestamp": 1e300},
        {"event": "bounce", "timestamp": True},
        {"event": "bounce", "timestamp": None},
        {"event": {"x": 1}, "timestamp": 1},
    ],
)
def test_one_malformed_row_does_not_lose_the_others(row: Any) -> None:
    good = rows_for([RECORD], kinds=["delivered", "open"])

    events = parse(json.dumps([good[0], row, good[1]]).encode())

    assert [event.kind for event in events] == [EventKind.DELIVERED, EventKind.OPENED]


def test_a_row_nested_too_deeply_does_not_lose_the_others() -> None:
    deep = b'{"event":"open","timestamp":1,"x":' + b"[" * 900 + b"]" * 900 + b"}"
    good = json.dumps(rows_for([RECORD], kinds=["delivered"])).encode()

    events = parse(b"[" + deep + b"," + good[1:])

    assert events[-1].kind is EventKind.DELIVERED


@pytest.mark.parametrize("odd", [None, 7, "", "x" * 200, "a\nb", [], "\0"])
def test_a_row_without_a_usable_id_gets_one_that_stays(odd: Any) -> None:
    row = {"event": "bounce", "timestamp": 1, "sg_event_id": odd, "reason": "x"}
    again = dict(reversed(row.items()))
    other = {**row, "reason": "y"}

    ids = [event.id for event in parse(json.dumps([row, again, other]).encode())]

    assert ids[0] == ids[1] != ids[2]
    assert 0 < len(ids[0]) <= 100


@pytest.mark.parametrize(
    ("given", "expected"), [("3", 3), (3, 3), ("x", None), (True, None), (-1, None), ("9" * 30, None), ("٣", None)]
)
def test_an_attempt_is_a_small_number_or_nothing(given: Any, expected: int | None) -> None:
    row = {"event": "processed", "timestamp": 1, "oe_attempt": given, "oe_delivery": ["d-1"]}

    (event,) = parse(json.dumps([row]).encode())

    assert event.attempt == expected
    assert event.delivery is None


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"7", b"[", b"\xff", b'"x"', b"[" * 100_000])
def test_what_is_no_array_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own words differ)
        parse(body)


def test_doubled_and_shuffled_reports_are_the_same_set() -> None:
    records = [{**RECORD, "number": n} for n in range(50)]
    plain = parse(signed(rows_for(records, seed=1)).body)
    wild = parse(signed(rows_for(records, seed=1, doubled=0.5, shuffled=True)).body)

    assert len(wild) > len(plain)
    assert {event.id for event in wild} == {event.id for event in plain}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
rows = st.lists(
    json_values
    | st.fixed_dictionaries(
        {"event": json_values | st.just("bounce"), "timestamp": json_values | st.just(1)},
        optional={"sg_event_id": json_values, "oe_delivery": json_values, "reason": json_values, "status": json_values},
    )
)


@given(rows)
def test_no_array_raises_and_every_event_can_be_stored(rows: list[Any]) -> None:
    for event in parse(json.dumps(rows).encode()):
        assert event.id.isprintable()
        assert "\0" not in event.reason
        (event.id + event.reason + (event.delivery or "") + (event.env or "")).encode()
        assert b"\\u0000" not in json.dumps(event.raw, allow_nan=False).encode()
