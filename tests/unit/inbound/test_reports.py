"""Bounces and complaints read as what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.events import Cause, Event, EventKind
from outreach.domain.mails import LARGEST, Unreadable, local_parts, read_mail
from outreach.inbound.reports import Report, bounce_in, complaint_in
from tests.unit.inbound.letters_back import bounce, complaint, plain


def told(octets: bytes) -> Report:
    report = bounce_in(read_mail(octets))
    assert report is not None
    return report


@pytest.mark.parametrize(
    ("status", "said", "kind", "cause"),
    [
        ("5.1.1", "smtp; 550 5.1.1 no such user", EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ("5.1.2", "smtp; Host not found", EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ("5.2.1", "smtp; 550 disabled", EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ("5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound", EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", EventKind.BOUNCED, Cause.UNAVAILABLE),
        ("4.4.7", "smtp; delivery time expired", EventKind.BOUNCED, Cause.UNAVAILABLE),
        ("5.7.1", "smtp; 550 5.7.1 refused by policy", EventKind.BLOCKED, Cause.REFUSED),
        ("5.7.26", "smtp; 550-5.7.26 not authenticated", EventKind.BLOCKED, Cause.REFUSED),
        ("5.0.0", "smtp; 550 5.1.1 unknown", EventKind.BOUNCED, Cause.BAD_ADDRESS),
        ("5.0.0", "smtp; 550 no", EventKind.BOUNCED, Cause.UNAVAILABLE),
        ("", "", EventKind.BOUNCED, Cause.UNAVAILABLE),
    ],
)
def test_a_failure_closes_an_address_only_when_its_status_says_so(
    status: str, said: str, kind: EventKind, cause: Cause
) -> None:
    report = told(bounce(status=status, said=said))
    assert (report.kind, report.cause) == (kind, cause)
    event = Event("e", report.kind, datetime(2026, 3, 2, tzinfo=UTC), cause=report.cause)
    assert event.is_hard == (cause is Cause.BAD_ADDRESS)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("delayed", EventKind.DEFERRED),
        ("delivered", EventKind.DELIVERED),
        ("relayed", EventKind.PROCESSED),
        ("Failed (still trying)", EventKind.BOUNCED),
    ],
)
def test_what_did_not_fail_is_told_as_what_it_is(action: str, kind: EventKind) -> None:
    assert told(bounce(action=action, status="4.4.1")).kind is kind


def test_the_reason_begins_with_the_code_and_drops_the_kind_of_server() -> None:
    assert told(bounce(status="5.1.1", said="smtp; 550 no such user")).reason == "5.1.1 550 no such user"
    assert told(bounce(status="5.1.1", said="smtp; 550 5.1.1 no such user")).reason == "550 5.1.1 no such user"


def test_the_worst_of_several_recipients_counts() -> None:
    block = b"Final-Recipient: rfc822; a@example.net\nAction: delayed\nStatus: 4.4.1\n\n"
    octets = bounce().replace(b"Final-Recipient: rfc822; jane", block + b"Final-Recipient: rfc822; jane")
    assert told(octets).kind is EventKind.BOUNCED


def test_a_mail_that_is_no_report_says_nothing() -> None:
    assert bounce_in(read_mail(plain("b-x@replies.example.org"))) is None
    assert complaint_in(read_mail(bounce())) is None
    assert bounce_in(read_mail(complaint())) is None


@pytest.mark.parametrize(
    ("feedback", "kind"),
    [("abuse", EventKind.COMPLAINED), ("Fraud", EventKind.COMPLAINED), ("opt-out", EventKind.UNSUBSCRIBED)],
)
def test_a_complaint_names_the_return_address_of_its_mail(feedback: str, kind: EventKind) -> None:
    found = complaint_in(read_mail(complaint("b-x@replies.example.org", feedback=feedback)))
    assert found is not None
    assert found.report.kind is kind
    assert found.return_paths == ("<b-x@replies.example.org>",)


def test_a_complaint_may_name_it_in_the_mail_it_quotes() -> None:
    found = complaint_in(read_mail(complaint(return_path="b-y@replies.example.org")))
    assert found is not None
    assert found.return_paths == ("<b-y@replies.example.org>",)


def test_a_complaint_that_is_taken_back_is_none() -> None:
    assert complaint_in(read_mail(complaint("b-x@replies.example.org", feedback="not-spam"))) is None


def test_e1_what_the_server_knows_counts_and_the_headers_only_where_it_says_nothing() -> None:
    mail = message_from_bytes(
        plain("b-two@Replies.example.org, other@example.org", Delivered_To="B-One@replies.example.org")
    )
    assert local_parts(mail, "replies.example.org", to=["<b-zero@replies.example.org>"]) == ["b-zero"]
    assert local_parts(mail, "replies.example.org") == ["b-one", "b-two"]
    assert local_parts(mail, "elsewhere.example.org") == []


@pytest.mark.parametrize("octets", [b"", b"  \n", b"x" * (LARGEST + 1)])
def test_what_is_no_mail_is_unreadable(octets: bytes) -> None:
    with pytest.raises(Unreadable):
        read_mail(octets)


@given(st.binary(min_size=1, max_size=300), st.integers(0, 2000))
def test_no_bytes_break_the_reading(junk: bytes, at: int) -> None:
    for whole in (bounce(), complaint("b-x@replies.example.org")):
        octets = whole[:at] + junk + whole[at:]
        try:
            mail = read_mail(octets)
        except Unreadable:
            continue
        bounce_in(mail)
        complaint_in(mail)
        local_parts(mail, "replies.example.org")


def test_parts_within_parts_without_end_are_looked_into_only_so_deep() -> None:
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(500))
    try:
        mail = read_mail(nested)
    except Unreadable:
        return
    assert bounce_in(mail) is None
