"""What is handed over, when, and how often. Numbers are the field rules', part C."""

from __future__ import annotations

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from outreach import audit, feedback, outbox
from outreach.cli.app import app
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.models import Delivery, SignatureState
from outreach.sending import Desk, Hands, send_due
from outreach.transports.sendgrid import SendGridTransport
from outreach.webhooks import sendgrid as webhook
from tests import factories
from tests.fakes.sendgrid import API_KEY, FakeSendGrid
from tests.rules.post import JSON, Post


def provider_of(post: Post) -> FakeSendGrid:
    assert post.provider is not None
    return post.provider


def states(post: Post) -> Counter[State]:
    with post.db.read() as session:
        found = select(Delivery.state).where(Delivery.mail_class == MailClass.LETTER)
        return Counter(session.scalars(found))


@JSON
def test_c2_c3_c4_every_request_holds_strings_ids_and_no_tracking(post: Post) -> None:
    with post.db.begin() as session:
        (target, _) = factories.targets_of(session, post.campaign)
        target.name = "Rivera, Alex; MP"
    post.signer(name="Doe, Jane; PhD", updates="yes")
    post.everything("Bo Li")

    classes = {mail.delivery for mail in post.of(*MailClass)}
    assert len(classes) >= 12
    for payload in provider_of(post).payloads:
        for person in payload["personalizations"]:
            for part in ("custom_args", "headers", "substitutions"):
                assert all(type(value) is str for value in person.get(part, {}).values())
            assert sorted(person["custom_args"]) == ["oe_attempt", "oe_delivery", "oe_env"]
            assert len(json.dumps(person["custom_args"]).encode()) <= 10_000
            assert not any("@" in value or " " in value for value in person["custom_args"].values())
            assert not set(",;") & set(person["to"][0].get("name", ""))
        assert len(payload.get("custom_args", {})) == 0
        tracking = payload["tracking_settings"]
        assert {
            name: tracking[name]["enable"] for name in ("click_tracking", "open_tracking", "subscription_tracking")
        } == {
            "click_tracking": False,
            "open_tracking": False,
            "subscription_tracking": False,
        }
        assert tracking["click_tracking"]["enable_text"] is False


@JSON
@pytest.mark.parametrize("fault", ["502", "502_after", "hang_after"])
def test_c10_a_letter_without_an_answer_is_in_doubt_and_settled_by_a_report(post: Post, fault: str) -> None:
    post.signer()
    provider = provider_of(post)
    post.send(Stream.ACT)
    before = provider.requests
    provider.faults.script(fault, fault)
    post.send(Stream.LETTERS)
    assert states(post) == {State.IN_DOUBT: 2}
    assert provider.requests == before + 2

    post.site.now += timedelta(hours=1)
    post.send(Stream.LETTERS)
    assert provider.requests == before + 2, "no second request"

    letters = [record for record in provider.accepted if record["from"]["email"].startswith("letters@")]
    assert len(letters) == (2 if "after" in fault else 0)
    if letters:
        events = webhook.parse(provider.events_for(*letters, kinds=["processed"]).body, post.site.keys)
        with post.db.begin() as session:
            feedback.apply(session, events, env="test", now=post.site.now)
        assert states(post) == {State.ACCEPTED: 2}


@JSON
def test_c13_two_workers_told_the_same_at_once_send_each_letter_once(post: Post) -> None:
    for n in range(10):
        post.signer(f"signer-{n}@example.org")
    settings, start = post.site.settings, Barrier(2)
    provider = provider_of(post)

    def work(_: int) -> int:
        hands = Hands(SendGridTransport(API_KEY, host=provider.url, env="test", timeout=5), width=2)
        try:
            start.wait(20)
            return send_due(post.db, hands, Desk(settings, post.site.keys), stream=Stream.LETTERS, settings=settings)
        finally:
            hands.close()

    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(work, range(2)))

    assert sum(max(n, 0) for n in sent) == 20
    assert set(Counter(record["delivery"] for record in provider.accepted).values()) == {1}
    assert len(provider.accepted) == 20
    with post.db.read() as session:
        problems = audit.audit(session, replace(settings, transport="sendgrid")).problems
    assert problems == []


@JSON
@pytest.mark.parametrize(
    "begin", [datetime(2026, 3, 7, 5, tzinfo=UTC), datetime(2026, 10, 31, 5, tzinfo=UTC)], ids=["forward", "back"]
)
def test_c14_c15_the_cap_and_the_offices_hours_hold_when_its_clock_is_changed(post: Post, begin: datetime) -> None:
    zone, provider = ZoneInfo("America/New_York"), provider_of(post)
    with post.db.begin() as session:
        target = factories.target(session, email=None, now=begin)
        factories.contact(session, target, per_hour=15, hours="01:30-04:00", zone=zone.key, now=begin)
        for campaign in [factories.campaign(session, targets=[target], now=begin) for _ in range(2)]:
            for _ in range(50):
                signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=begin)
                factories.delivery(session, signature, target, now=begin)
    left: list[datetime] = []
    for n in range(200):  # five hours of each of two nights, every three minutes
        post.site.now = begin + timedelta(days=n // 100, minutes=3 * (n % 100))
        before = len(provider.accepted)
        send_all_as_they_are(post)
        left += [post.site.now] * (len(provider.accepted) - before)

    assert len(left) >= 40
    local = [at.astimezone(zone) for at in left]
    assert all("01:30" <= f"{at:%H:%M}" < "04:00" for at in local)
    assert {at.date() for at in local} == {(begin + timedelta(days=n)).date() for n in range(2)}
    assert all(sum(1 for at in left if first <= at <= first + timedelta(hours=1)) <= 15 for first in left)


def send_all_as_they_are(post: Post) -> None:
    """Letters whose words nobody signed: what this is about is when they leave."""
    with mock.patch("outreach.sending.parcels.letter_hash", return_value=mock.ANY):
        post.send(Stream.LETTERS)


@JSON
@pytest.mark.parametrize("what", ["letter", "target", "campaign", "stream", "all"])
def test_c16_c17_what_is_stopped_does_not_leave_and_goes_on_once_it_may(post: Post, what: str) -> None:
    post.signer()
    with post.db.begin() as session:
        row = session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.LETTER)).first()
        assert row is not None
        scope = {"target": f"target:{row.target_id}", "campaign": f"campaign:{row.campaign_id}"}.get(
            what, "stream:letters" if what == "stream" else "all"
        )
        if what == "letter":
            outbox.hold(session, row.ref, reason="staff", actor="user:1", now=post.site.now)
        else:
            outbox.pull_brake(session, scope, actor="user:1", reason="wait", now=post.site.now)
        stopped = {row.ref}
        if what not in ("letter", "target"):
            stopped = set(session.scalars(select(Delivery.ref).where(Delivery.mail_class == MailClass.LETTER)))
    post.send()
    assert stopped.isdisjoint(mail.delivery for mail in post.seen())
    assert len(post.letters()) == 2 - len(stopped)

    with post.db.begin() as session:
        if what == "letter":
            outbox.release(session, row.ref, actor="user:1", now=post.site.now)
        else:
            outbox.lift_brake(session, scope, actor="user:1", now=post.site.now)
    post.send()
    assert Counter(mail.delivery for mail in post.letters()).total() == 2


@JSON
def test_c22_neither_the_key_nor_anybodys_address_is_in_a_log(
    post: Post,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is logged, before any net takes something out; and no handler whose stream an earlier test has closed.
    monkeypatch.setattr(logging.getLogger(), "handlers", [caplog.handler])
    provider = provider_of(post)
    with caplog.at_level(logging.DEBUG):
        provider.faults.script("502", "503", "401")
        post.everything("Jane Doe", "Bo Li")
        for _ in range(3):
            post.site.now += timedelta(minutes=20)
            post.send()
    told = caplog.text + "".join(capfd.readouterr())
    assert "mayor" not in told.lower().replace("mayor of", "")
    for private in (API_KEY, "reader-", "@example.org", "@example.net", "Jane", "wait in the rain"):
        assert private not in told, private


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"OUTREACH_TRANSPORT": "sendgrid"}, "OUTREACH_SENDGRID_API_KEY"),
        ({"OUTREACH_TRANSPORT": "smtp"}, "OUTREACH_SMTP_URL"),
        ({"OUTREACH_TRANSPORT": "pigeon"}, "OUTREACH_TRANSPORT"),
    ],
)
def test_c21_a_way_out_that_is_not_set_up_fails_and_says_what_is_missing(
    given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(app, ["deliveries", "list"])
    assert answer.exit_code != 0
    assert named in str(answer.exception) + answer.output
