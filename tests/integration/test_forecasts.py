"""Forecasts of what is in the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from outreach import alerts, forecasts
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Attempt, Budget, Campaign, Counter, Database, Delivery, Lane, SignatureState, Target, Wave
from outreach.outbox.enqueue import WAITS_FOR_WAVE
from outreach.settings import Settings
from tests import factories

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)  # the office opens
OFFICE = {"per_hour": 30, "per_day": 300, "hours": "08:00-18:00", "days": "mon-fri"}


def office(session: Session, **pace: Any) -> Target:
    row = factories.target(session, now=MONDAY)
    lane = session.get_one(Lane, row.contacts[0].lane_id)
    for name, value in {**OFFICE, **pace}.items():
        setattr(lane, name, value)
    session.flush()
    return row


def letters(
    session: Session, campaign: Campaign, target: Target, n: int, *, state: State = State.QUEUED, **columns: Any
) -> list[Delivery]:
    signed = [factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=MONDAY) for _ in range(n)]
    return [factories.delivery(session, one, target, state=state, now=MONDAY, **columns) for one in signed]


def test_a_sending_wave_ends_when_its_slowest_mailbox_has_had_its_letters(db: Database) -> None:
    with db.begin() as session:
        quick, slow = office(session), office(session, per_hour=6)
        campaign = factories.campaign(session, targets=[quick, slow], now=MONDAY)
        letters(session, campaign, quick, 10)
        letters(session, campaign, slow, 10)
        wave = factories.standing_wave(session, campaign)
        seen = forecasts.of_wave(session, wave, now=MONDAY)
    assert seen.start == MONDAY
    assert seen.finish_low == MONDAY + timedelta(minutes=90)
    assert seen.finish_high is not None
    assert MONDAY + timedelta(minutes=90) < seen.finish_high < MONDAY + timedelta(hours=4)
    assert (
        seen.words == "20 mails to 2 mailboxes at up to 30 an hour each in office hours end on Monday 2 March, morning."
    )
    assert (seen.needed_per_hour, seen.warning) == (None, "")


def test_a_draft_is_foreseen_from_the_letters_that_wait_for_it(db: Database) -> None:
    with db.begin() as session:
        target = office(session)
        campaign = factories.campaign(session, targets=[target], hold_for_waves=True, now=MONDAY)
        letters(session, campaign, target, 61, state=State.HELD, reason=WAITS_FOR_WAVE, wave_id=None)
        wave = factories.wave(session, campaign, now=MONDAY)
        wave.start_at, wave.by_at, wave.by_wall = MONDAY + timedelta(days=1), MONDAY + timedelta(days=1, hours=1), "x"
        seen = forecasts.of_wave(session, wave, now=MONDAY)
    assert seen.start == MONDAY + timedelta(days=1)
    assert seen.finish_low == MONDAY + timedelta(days=1, hours=2)
    assert seen.needed_per_hour == 61
    assert "To end by Tuesday 3 March 09:00 it needs 61 an hour or the daily bundle." in seen.words


def test_a_paused_wave_says_so_and_when_it_would_end_if_it_were_resumed(db: Database) -> None:
    with db.begin() as session:
        target = office(session)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        letters(session, campaign, target, 2)
        wave = factories.standing_wave(session, campaign)
        wave.state = WaveState.PAUSED
        paused = forecasts.of_wave(session, wave, now=MONDAY)
        wave.state = WaveState.FINISHED
        over = forecasts.of_wave(session, wave, now=MONDAY)
    assert paused.words.startswith("It is paused. Resumed now: 2 mails at 30 an hour in office hours end on Monday")
    assert paused.finish_low == MONDAY + timedelta(minutes=2)
    assert over == forecasts.Forecast(words="This wave is finished.")


def test_what_left_today_counts_against_the_cap_of_the_day_and_is_the_rate(db: Database) -> None:
    with db.begin() as session:
        target = office(session, per_day=5)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        for gone in letters(session, campaign, target, 5, state=State.ACCEPTED):
            session.add(_attempt(gone, ended=MONDAY - timedelta(minutes=30)))
        letters(session, campaign, target, 1)
        wave = factories.standing_wave(session, campaign)
        seen = forecasts.of_wave(session, wave, now=MONDAY)
    assert seen.rate_per_hour == 5.0
    assert seen.finish_low == MONDAY + timedelta(days=1)


def test_other_campaigns_take_turns_and_older_letters_of_ours_go_first(db: Database) -> None:
    with db.begin() as session:
        target = office(session)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        rival = factories.campaign(session, targets=[target], now=MONDAY)
        *_, last = letters(session, campaign, target, 30)
        alone = forecasts.of_letter(session, last, now=MONDAY)
        letters(session, rival, target, 100)
        shared = forecasts.of_letter(session, last, now=MONDAY)
    assert alone.number == 30
    assert alone.expected_low == MONDAY + timedelta(minutes=58)
    assert alone.words == "number 30, expected on Monday 2 March, morning"
    assert shared.number == 59
    assert shared.expected_low is not None
    assert abs(shared.expected_low - MONDAY - timedelta(minutes=116)) <= timedelta(minutes=6)


def test_the_letters_of_a_signature_are_placed_together_and_each_as_if_alone(db: Database) -> None:
    with db.begin() as session:
        targets = [office(session) for _ in range(3)]
        campaign = factories.campaign(session, targets=targets, now=MONDAY)
        for n, target in enumerate(targets):
            letters(session, campaign, target, n)
        signed = factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=MONDAY)
        mine = [factories.delivery(session, signed, target, now=MONDAY) for target in targets]
        mine[2].due_at = MONDAY + timedelta(hours=1)
        shared = factories.delivery(session, signed, office(session), now=MONDAY)
        shared.lane_id = mine[0].lane_id  # two offices with one mailbox
        held = factories.delivery(session, signed, office(session), state=State.HELD, now=MONDAY)
        session.flush()
        together = forecasts.of_letters(session, [*mine, shared, held], now=MONDAY)
        assert together == {one.id: forecasts.of_letter(session, one, now=MONDAY) for one in (*mine, shared, held)}
        assert [together[one.id].number for one in (*mine, shared, held)] == [1, 2, 3, 2, 0]
        with _statements(db) as alone:
            forecasts.of_letters(session, mine[:1], now=MONDAY)
        with _statements(db) as both:
            forecasts.of_letters(session, mine[:2], now=MONDAY)
    assert len(both) == len(alone) + 1


def test_a_letters_day_is_told_in_the_offices_own_zone(db: Database) -> None:
    with db.begin() as session:
        target = office(session, zone="Asia/Tokyo", hours="17:00-18:00")
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        queued = letters(session, campaign, target, 31)
        first, last = (forecasts.of_letter(session, one, now=MONDAY) for one in (queued[0], queued[-1]))
        held = forecasts.of_letter(session, letters(session, campaign, target, 1, state=State.HELD)[0], now=MONDAY)
    assert first.words == "number 1, expected between Monday 2 March and Tuesday 3 March"
    assert last.expected_low == MONDAY + timedelta(days=1)
    assert (held.number, held.words) == (0, "is held")


def test_a_mailing_is_foreseen_from_its_counters_or_from_its_audience(db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, now=MONDAY)
        wave = factories.wave(session, campaign, kind=WaveKind.MAILING, now=MONDAY)
        wave.per_hour, wave.undo_seconds = 600, 60
        draft = forecasts.of_wave(session, wave, now=MONDAY, readers=1200)
        lane = Lane(key=f"wave:{wave.id}", stream=Stream.NEWS, per_hour=600, opens_at=MONDAY)
        session.add(lane)
        session.flush()
        wave.lane_id, wave.planned_at, wave.started_at, wave.state = lane.id, MONDAY, MONDAY, WaveState.SENDING
        session.add(
            Counter(
                campaign_id=campaign.id,
                wave_id=wave.id,
                mail_class=MailClass.MAILING,
                state=State.QUEUED,
                shard=0,
                n=700,
            )
        )
        session.flush()
        sending = forecasts.of_wave(session, wave, now=MONDAY)
    assert draft.start == MONDAY + timedelta(minutes=1)
    assert draft.finish_low is not None
    assert abs(draft.finish_low - MONDAY - timedelta(hours=2)) <= timedelta(minutes=6)
    assert sending.finish_low is not None
    assert abs(sending.finish_low - MONDAY - timedelta(minutes=70)) <= timedelta(minutes=6)


def test_the_streams_budget_holds_a_wave_back(db: Database) -> None:
    with db.begin() as session:
        targets = [office(session) for _ in range(4)]
        campaign = factories.campaign(session, targets=targets, now=MONDAY)
        for target in targets:
            letters(session, campaign, target, 10)
        wave = factories.standing_wave(session, campaign)
        free = forecasts.of_wave(session, wave, now=MONDAY)
        session.add(Budget(key="stream:letters", per_hour=10))
        session.flush()
        held = forecasts.of_wave(session, wave, now=MONDAY)
    assert free.finish_low == MONDAY + timedelta(minutes=18)
    assert held.finish_low is not None
    assert held.finish_low >= MONDAY + timedelta(hours=2)
    assert "at most 10 an hour in all" in held.words


def test_a_mail_domains_budget_holds_its_own_mailboxes_back(db: Database) -> None:
    with db.begin() as session:
        held, free = office(session), office(session)
        session.get_one(Lane, held.contacts[0].lane_id).domain = "city.example.org"
        campaign = factories.campaign(session, targets=[held, free], now=MONDAY)
        for target in (held, free):
            letters(session, campaign, target, 10)
        session.add(Budget(key="domain:city.example.org", per_hour=2))
        session.flush()
        seen = forecasts.of_wave(session, factories.standing_wave(session, campaign), now=MONDAY)
        lane = forecasts.of_lane(session, session.get_one(Lane, free.contacts[0].lane_id), now=MONDAY)
    assert seen.finish_low is not None
    assert seen.finish_low >= MONDAY + timedelta(hours=4)
    assert lane.finish_low == MONDAY + timedelta(minutes=18)


@pytest.mark.parametrize("scope", ["all", "stream:letters", "transport:mailbox", "campaign"])
def test_what_a_brake_holds_has_no_date(db: Database, scope: str) -> None:
    with db.begin() as session:
        target = office(session)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        queued = letters(session, campaign, target, 3)
        factories.brake(session, f"campaign:{campaign.id}" if scope == "campaign" else scope, now=MONDAY)
        wave = forecasts.of_wave(session, factories.standing_wave(session, campaign), now=MONDAY)
        place = forecasts.of_letter(session, queued[0], now=MONDAY)
    assert (wave.start, wave.finish_low, wave.finish_high) == (None, None, None)
    assert wave.words.startswith("Held by a brake: nothing leaves until it is lifted. Lifted now: 3 mails")
    assert place == forecasts.Place(0, None, None, "is held back for now")


def test_letters_to_a_target_that_is_paused_are_told_apart_and_leave_the_end_open(db: Database) -> None:
    with db.begin() as session:
        paused, open_ = office(session), office(session)
        campaign = factories.campaign(session, targets=[paused, open_], now=MONDAY)
        letters(session, campaign, paused, 5)
        letters(session, campaign, open_, 2)
        factories.brake(session, f"target:{paused.id}", now=MONDAY)
        seen = forecasts.of_campaign(session, campaign, now=MONDAY)
        lane = forecasts.of_lane(session, session.get_one(Lane, paused.contacts[0].lane_id), now=MONDAY)
    assert (seen.finish_low, seen.finish_high) == (MONDAY + timedelta(minutes=2), None)
    assert seen.words.startswith("2 mails at 30 an hour in office hours end on Monday 2 March, morning.")
    assert seen.words.endswith("Held by a brake, and not counted: 5.")
    assert lane.words == "Nothing else waits. Held by a brake, and not counted: 5."


def test_a_mailbox_that_cannot_keep_the_promised_wait_is_told_of_once_a_day_and_until_it_can(db: Database) -> None:
    promised = Settings(max_wait_days=5)

    def watch(after: timedelta, lane_id: int = 0, per_day: int = 1) -> list[int]:
        with db.begin() as session:
            if lane_id:
                session.get_one(Lane, lane_id).per_day = per_day
                session.flush()
            return forecasts.watch_promises(session, settings=promised, now=MONDAY + after)

    with db.begin() as session:
        full, fine = office(session, per_hour=1, per_day=1), office(session)
        campaign = factories.campaign(session, targets=[full, fine], now=MONDAY)
        for target in (full, fine):
            letters(session, campaign, target, 8)
        lane_id = full.contacts[0].lane_id or 0
    assert watch(timedelta(0)) == [lane_id]
    with db.begin() as session:
        (alert,) = alerts.standing(session)
        assert alert.message.startswith(f"The last letter that waits for target {full.id} (lane {lane_id}) leaves on")
        alerts.close_alert(session, alert.key, by="user:1", now=MONDAY)
    assert watch(timedelta(hours=1)) == [], "a person has seen it today"
    assert watch(timedelta(days=1, hours=1)) == [lane_id]
    assert watch(timedelta(days=1, hours=2), lane_id, per_day=8) == []
    with db.read() as session:
        assert alerts.standing(session) == []


def test_a_bundled_mailbox_has_all_its_letters_in_one_mail(db: Database) -> None:
    with db.begin() as session:
        target = office(session, per_hour=1)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        letters(session, campaign, target, 20)
        singly = forecasts.of_campaign(session, campaign, now=MONDAY)
        session.get_one(Lane, target.contacts[0].lane_id).bundle = True
        session.flush()
        together = forecasts.of_campaign(session, campaign, now=MONDAY)
    assert singly.finish_low == MONDAY + timedelta(days=1, hours=9)
    assert together.finish_low == MONDAY


def test_a_wait_beyond_the_promise_is_warned_of(db: Database) -> None:
    with db.begin() as session:
        target = office(session, per_hour=1, per_day=1)
        campaign = factories.campaign(session, targets=[target], now=MONDAY)
        letters(session, campaign, target, 8)
        lane = session.get_one(Lane, target.contacts[0].lane_id)
        kept = forecasts.of_lane(session, lane, now=MONDAY)
        broken = forecasts.of_lane(session, lane, now=MONDAY, settings=Settings(max_wait_days=5))
    assert kept.warning == ""
    assert kept.words.startswith("8 mails at 1 a day in office hours end"), "an hour's cap says nothing here"
    assert broken.warning == "The last of them will wait longer than the 5 days that are promised."
    assert broken.words.endswith(broken.warning)


def test_a_hundred_lanes_are_asked_about_in_as_many_statements_as_two(db: Database) -> None:
    asked = []
    for lanes in (2, 20):
        with db.begin() as session:
            targets = [office(session) for _ in range(lanes)]
            campaign = factories.campaign(session, targets=targets, now=MONDAY)
            for target in targets:
                letters(session, campaign, target, 1)
            wave_id = factories.standing_wave(session, campaign).id
        with db.begin() as session, _statements(db) as seen:
            forecasts.of_wave(session, session.get_one(Wave, wave_id), now=MONDAY)
        asked.append(len(seen))
    assert asked[0] == asked[1] <= 11


def _attempt(delivery: Delivery, *, ended: datetime) -> Attempt:
    return Attempt(
        delivery_id=delivery.id,
        number=1,
        lane_id=delivery.lane_id,
        claim_token="x",
        transport="memory",
        started_at=ended,
        ended_at=ended,
        outcome="accepted",
    )


@contextmanager
def _statements(db: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)
