"""Waves on both databases: planned, started, sent, paused, cancelled, missed and finished."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from outreach import alerts, outbox, waves
from outreach.audit import audit
from outreach.domain.deliveries import State, Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.errors import BadInput, NotNow
from outreach.models import AuditEntry, Brake, Budget, CampaignState, Delivery, Lane, Wave
from outreach.transports.base import Unavailable
from tests import factories
from tests.integration.wave_scenes import NO_ANSWER, Scene, agreeing, confirmed, holding_campaign

MINUTE = timedelta(minutes=1)


def assert_balanced(scene: Scene) -> None:
    with scene.db.read() as session:
        assert [p for p in audit(session, scene.settings).problems if p.kind in ("counter", "log")] == []


# ---- letters that wait for a wave --------------------------------------------------------------------------------


def test_held_letters_leave_by_the_wave_that_is_started_and_then_it_is_finished(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, targets=2)
        confirmed(session, campaign, 3)
    assert scene.send() == 0, "they wait for a wave"
    wave_id = scene.started(campaign)
    assert scene.states(wave_id) == {State.QUEUED: 6}
    assert scene.send() == 6
    scene.tick()
    wave = scene.wave(wave_id)
    assert (wave.state, wave.finished_at) == (WaveState.FINISHED, scene.now)
    assert_balanced(scene)


def test_nothing_leaves_before_the_undo_window_is_over_and_within_it_all_can_be_taken_back(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 2)
    wave_id = scene.plan(campaign, undo_seconds=60)
    scene.start(wave_id)
    assert scene.state(wave_id) is WaveState.STARTING
    scene.tick(59 * timedelta(seconds=1))
    assert scene.send() == 0
    scene.act(waves.undo, wave_id)
    scene.tick(timedelta(hours=1))
    assert scene.state(wave_id) is WaveState.DRAFT
    assert scene.send() == 0
    scene.start(wave_id)
    scene.tick(timedelta(seconds=60))
    assert scene.send() == 2


def test_a_wave_for_later_begins_by_itself_at_its_time(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.plan(campaign, start="2026-03-02 14:00", zone="Europe/London")  # it is noon there
    scene.start(wave_id)
    assert scene.state(wave_id) is WaveState.SCHEDULED
    scene.tick(119 * MINUTE)
    assert scene.send() == 0
    scene.tick(MINUTE)
    assert scene.send() == 1


@pytest.mark.parametrize("start", ["now", "2026-03-02 14:00"])
def test_fault_f32_a_wave_whose_time_passed_while_nobody_was_there_waits_for_a_person(scene: Scene, start: str) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.plan(campaign, start=start, zone="UTC", max_late_seconds=3600)
    scene.start(wave_id)
    scene.tick(timedelta(hours=3, seconds=1))
    wave = scene.wave(wave_id)
    assert wave.state is WaveState.NEEDS_ATTENTION
    assert "missed" in wave.reason
    assert scene.send() == 0
    with scene.db.read() as session:
        assert [alert.key for alert in alerts.standing(session)] == [f"wave:{wave_id}"]
    scene.start(wave_id)  # a person decides
    scene.tick()
    assert scene.send() == 1
    with scene.db.read() as session:
        assert alerts.standing(session) == []


def test_c16_a_pause_stops_what_is_claimed_already_and_resuming_loses_and_doubles_nothing(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 5)
    wave_id = scene.started(campaign)
    assert scene.send(2) == 2
    with scene.db.begin() as session:
        held = outbox.claim(
            session, Stream.LETTERS, transport="memory", now=scene.now, limit=2, lease=timedelta(minutes=2)
        )
    assert held is not None
    scene.act(waves.pause, wave_id, reason="the minister resigned")
    with scene.db.begin() as session, outbox.Books(session, now=scene.now) as books:
        lease = timedelta(minutes=2)
        assert not outbox.intend(session, held, held.ids, transport="memory", now=scene.now, lease=lease, books=books)
    assert scene.send() == 0
    assert scene.wave(wave_id).reason == "the minister resigned"
    scene.act(waves.resume, wave_id)
    assert scene.send() == 3
    assert scene.states(wave_id) == {State.ACCEPTED: 5}
    assert_balanced(scene)


def test_c16_a_cancelled_wave_leaves_its_rows_cancelled_with_the_reason_and_lets_its_brake_go(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 6)
    wave_id = scene.started(campaign)
    scene.send(2)
    scene.act(waves.cancel, wave_id, reason="we won")
    assert scene.send() == 0
    assert scene.states(wave_id) == {State.ACCEPTED: 2, State.CANCELLED: 4}
    with scene.db.read() as session:
        reasons = session.scalars(select(Delivery.reason).where(Delivery.state == State.CANCELLED))
        assert set(reasons) == {"we won"}
        assert session.scalar(select(func.count()).where(Brake.lifted_at.is_(None))) == 0
    assert scene.wave(wave_id).state is WaveState.CANCELLED
    assert_balanced(scene)


def test_fault_f41_a_large_cancelled_wave_is_braked_at_once_and_tidied_up_in_chunks(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves.starting, "CHUNK", 2)
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 5)
    wave_id = scene.started(campaign)
    scene.act(waves.cancel, wave_id)
    assert scene.states(wave_id) == {State.CANCELLED: 2, State.QUEUED: 3}
    assert scene.send() == 0
    scene.tick()
    assert scene.states(wave_id) == {State.CANCELLED: 5}
    with scene.db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_a_letter_in_the_air_while_its_wave_is_cancelled_does_not_leave_again(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.started(campaign)
    with scene.db.begin() as session:
        held = outbox.claim(
            session, Stream.LETTERS, transport="memory", now=scene.now, limit=1, lease=timedelta(minutes=2)
        )
    assert held is not None
    with scene.db.begin() as session, outbox.Books(session, now=scene.now) as books:
        going = outbox.intend(
            session, held, held.ids, transport="memory", now=scene.now, lease=timedelta(minutes=2), books=books
        )
    scene.act(waves.cancel, wave_id)
    with scene.db.begin() as session, outbox.Books(session, now=scene.now) as books:
        away = outbox.Answer(going[0], Unavailable("busy", whole=False))
        outbox.settle(
            session, held, [away], transport="memory", now=scene.now, retry_base=timedelta(seconds=1), books=books
        )
    scene.now += timedelta(hours=1)
    assert scene.send() == 0
    scene.tick()
    assert scene.states(wave_id) == {State.CANCELLED: 1}


def test_doubts_that_are_left_need_attention_and_their_settling_finishes_the_wave(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 3)
    wave_id = scene.started(campaign)
    scene.send(1)
    scene.send(2, NO_ANSWER)
    scene.tick()
    wave = scene.wave(wave_id)
    assert wave.state is WaveState.NEEDS_ATTENTION
    assert "2 in doubt" in wave.reason
    with scene.db.begin() as session, outbox.Books(session, now=scene.now) as books:
        doubts = session.scalars(select(Delivery.id).where(Delivery.state == State.IN_DOUBT)).all()
        outbox.accept_evidence(session, books, doubts, scene.now)
    scene.tick()
    assert scene.state(wave_id) is WaveState.FINISHED
    with scene.db.read() as session:
        assert alerts.standing(session) == []


def test_a_second_wave_releases_only_what_came_since_and_never_a_letter_twice(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign, 2)
    first = scene.started(campaign)
    with pytest.raises(NotNow, match="reach nobody"):
        scene.start(scene.plan(campaign))
    with scene.db.begin() as session:
        confirmed(session, campaign, 3)
    second = scene.started(campaign)
    assert (scene.states(first)[State.QUEUED], scene.states(second)[State.QUEUED]) == (2, 3)
    assert scene.send() == 5
    assert_balanced(scene)


def test_a_letter_that_lost_its_contact_on_the_way_goes_on_by_the_same_wave(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
        (target,) = factories.targets_of(session, campaign)
    wave_id = scene.started(campaign)
    with scene.db.begin() as session:
        contact = session.merge(target).contacts[0]
        contact.ended_at = scene.now
        session.flush()
        outbox.contact_changed(session, target.id, now=scene.now, actor="test")
    scene.tick()
    assert scene.state(wave_id) is WaveState.NEEDS_ATTENTION
    with scene.db.begin() as session:
        factories.contact(session, session.merge(target))
        outbox.contact_changed(session, target.id, now=scene.now, actor="test")
    scene.tick()
    assert scene.state(wave_id) is WaveState.SENDING
    assert scene.send() == 1


def test_the_pace_of_a_letter_wave_is_a_budget_that_goes_with_it(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.started(campaign, per_hour=60, hours="08:00-18:00", days="mon-fri", zone="Europe/Paris")
    with scene.db.read() as session:
        budget = session.get_one(Budget, f"wave:{wave_id}")
        assert (budget.per_hour, budget.hours, budget.days, budget.zone) == (
            60, "08:00-18:00", "mon-fri", "Europe/Paris",
        )  # fmt: skip
    scene.send()
    scene.tick()
    with scene.db.read() as session:
        assert session.get(Budget, f"wave:{wave_id}") is None


def test_the_standing_wave_of_a_campaign_can_be_paused_and_never_ends_by_itself(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = factories.campaign(session)
        confirmed(session, campaign)
        standing = factories.standing_wave(session, campaign)
    assert scene.send() == 1
    scene.tick()
    assert scene.state(standing.id) is WaveState.SENDING
    scene.act(waves.pause, standing.id)
    assert scene.state(standing.id) is WaveState.PAUSED
    with pytest.raises(NotNow, match="standing"):
        scene.act(waves.cancel, standing.id)


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-03-02 11:00", "zone": "UTC"}, "start"),
        ({"zone": "Europe/Atlantis"}, "zone"),
        ({"start": "2026-03-05 09:00", "by": "2026-03-04 17:00", "zone": "UTC"}, "by"),
        ({"by": "2026-03-01 17:00"}, "by"),
        ({"per_hour": 0}, "per-hour"),
        ({"hours": "18:00-08:00"}, "hours"),
        ({"days": "mon-fry"}, "days"),
        ({"curve": [1, 2, 3]}, "curve"),
        ({"curve": [0] * 24}, "curve"),
        ({"undo_seconds": -1}, "undo"),
        ({"max_late_seconds": 1}, "max-late"),
        ({"canary": -5}, "canary"),
        ({"name": "a\nb"}, "name"),
        ({"subject": "Hello"}, "body"),
        ({"kind": WaveKind.MAILING, "subject": "", "body": "x"}, "subject"),
        ({"kind": WaveKind.MAILING, "subject": "x", "body": " "}, "body"),
        ({"kind": WaveKind.MAILING, "subject": "x", "body": "{{ target.name }}"}, "mailing body"),
    ],
)
def test_c18_a_draft_that_cannot_be_is_refused_where_it_is_wrong(scene: Scene, given: dict, where: str) -> None:  # type: ignore[type-arg]
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
    with pytest.raises(BadInput) as caught:
        scene.plan(campaign, **given)
    assert caught.value.where.startswith(where)
    with scene.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Wave).where(~Wave.is_standing)) == 0


def test_a_wave_of_a_campaign_that_is_not_published_is_refused(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = factories.campaign(session, state=CampaignState.DRAFT)
    with pytest.raises(NotNow, match="not published"):
        scene.plan(campaign)


def test_c18_a_wave_that_reaches_nobody_does_not_start(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        factories.signature(session, campaign)  # never confirmed
    for kind in WaveKind:
        wave_id = scene.plan(campaign, kind)
        with pytest.raises(NotNow, match="reach nobody"):
            scene.start(wave_id)
        assert scene.state(wave_id) is WaveState.DRAFT


def test_c18_a_mailing_that_nobody_looked_at_does_not_start_and_looking_lets_it(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign, name="Ada Lovelace")
    wave_id = scene.plan(campaign, WaveKind.MAILING, looked_at=False)
    with pytest.raises(NotNow, match="looked at"):
        scene.start(wave_id)
    with scene.db.begin() as session:
        seen = waves.preview(session, wave_id, settings=scene.settings, keys=factories.KEYS, now=scene.now)
    assert "Dear Ada," in seen.text
    assert campaign.title in seen.subject
    scene.start(wave_id)


def test_a19_a_mailing_without_a_postal_address_to_name_does_not_start(scene: Scene, with_settings) -> None:  # type: ignore[no-untyped-def]
    scene.settings = with_settings(postal_address="")
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign)
    wave_id = scene.plan(campaign, WaveKind.MAILING)
    with pytest.raises(NotNow, match="postal address") as caught:
        scene.start(wave_id)
    assert caught.value.where == "OUTREACH_POSTAL_ADDRESS"


def test_every_move_is_made_by_the_table_and_written_down(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.plan(campaign)
    for verb in (waves.pause, waves.resume, waves.undo):
        with pytest.raises(NotNow):
            scene.act(verb, wave_id)
    scene.start(wave_id)
    with pytest.raises(NotNow):
        scene.start(wave_id)
    scene.tick()
    scene.act(waves.pause, wave_id)
    scene.act(waves.resume, wave_id)
    scene.act(waves.cancel, wave_id)
    for verb in (waves.pause, waves.resume, waves.undo, waves.cancel):
        with pytest.raises(NotNow):
            scene.act(verb, wave_id)
    with scene.db.read() as session:
        moves = session.scalars(
            select(AuditEntry).where(AuditEntry.subject == f"wave:{wave_id}", AuditEntry.action == "wave.move")
        )
        told = [(entry.before["state"], entry.after["state"]) for entry in moves if entry.before and entry.after]
    assert told == [
        ("draft", "starting"),
        ("starting", "sending"),
        ("sending", "paused"),
        ("paused", "sending"),
        ("sending", "cancelled"),
    ]


def test_a_wave_paused_in_its_undo_window_begins_when_it_is_resumed(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.plan(campaign, undo_seconds=60)
    scene.start(wave_id)
    scene.act(waves.pause, wave_id)
    scene.tick(timedelta(hours=2))
    assert scene.send() == 0
    scene.act(waves.resume, wave_id)
    scene.tick()
    assert scene.send() == 1


def test_a_wave_whose_brake_staff_let_go_stays_paused_until_it_is_resumed(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.started(campaign)
    scene.act(waves.pause, wave_id)
    with scene.db.begin() as session:
        outbox.lift_brake(session, f"wave:{wave_id}", actor="test", now=scene.now)
    assert scene.send() == 0
    scene.act(waves.resume, wave_id)
    assert scene.send() == 1


def test_nothing_of_a_cancelled_wave_is_sent_again(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        confirmed(session, campaign)
    wave_id = scene.started(campaign)
    scene.send(1, NO_ANSWER)
    scene.act(waves.cancel, wave_id)
    with scene.db.begin() as session:
        ref = session.scalars(select(Delivery.ref).where(Delivery.wave_id == wave_id)).one()
        with pytest.raises(NotNow, match="cancelled"):
            outbox.resend(session, ref, actor="test", now=scene.now)


def test_a_mailing_has_a_lane_of_its_own_with_its_pace(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign, 5)
    wave_id = scene.started(campaign, WaveKind.MAILING, per_hour=60, hours="09:00-17:00", zone="UTC")
    with scene.db.read() as session:
        lane = session.scalars(select(Lane).where(Lane.key == f"wave:{wave_id}")).one()
    assert (lane.stream, lane.per_hour, lane.hours) == (Stream.NEWS, 60, "09:00-17:00")
    assert scene.states(wave_id) == {State.QUEUED: 5}
    scene.now = scene.now.replace(hour=20)
    assert scene.send(stream=Stream.NEWS) == 0
