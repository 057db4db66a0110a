"""A wave that is under way: canary, ramp, and the breaker that stops it with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from outreach import alerts, outbox, waves
from outreach.domain.deliveries import EventState, State, Stream
from outreach.domain.events import EventKind
from outreach.domain.waves import Phase, WaveKind, WaveState
from outreach.models import Alert, Campaign, Database, Delivery, Minute, ProviderEvent, ProviderState
from outreach.settings import Settings
from outreach.transports.base import Receipt
from tests import factories
from tests.fakes.events import EventKey
from tests.integration.wave_scenes import REFUSED, Scene, confirmed, crowd, holding_campaign

MAILING = WaveKind.MAILING


@pytest.fixture
def scene(db: Database, settings: Settings, now: datetime) -> Scene:
    return Scene(db, settings, now, stream=Stream.NEWS)


@pytest.fixture
def reporting(scene: Scene, with_settings, tmp_path) -> Scene:  # type: ignore[no-untyped-def]
    """By a provider that reports."""
    key = EventKey.kept(tmp_path / "events.pem").public
    scene.settings = with_settings(transport="sendgrid", sendgrid_api_key="SG.x", sendgrid_event_keys=key)
    return scene


def campaign_with(scene: Scene, n: int) -> Campaign:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        crowd(session, campaign, n)
    return campaign


def report(scene: Scene, n: int, state: EventState = EventState.DELIVERED, *, hard: bool = True) -> None:
    """The provider reports on `n` accepted mails that it has not reported on yet."""
    kind = {EventState.BOUNCED: EventKind.BOUNCED, EventState.COMPLAINED: EventKind.COMPLAINED}
    with scene.db.begin() as session:
        silent = select(Delivery).where(Delivery.state == State.ACCEPTED, Delivery.event_state.is_(None))
        for delivery in session.scalars(silent.order_by(Delivery.id).limit(n)):
            delivery.event_state = state
            session.add(
                ProviderEvent(
                    id=f"event-{delivery.id}",
                    delivery_id=delivery.id,
                    kind=kind.get(state, EventKind.DELIVERED),
                    at=scene.now,
                    received_at=scene.now,
                    hard=hard,
                )
            )


def phase(scene: Scene, wave_id: int) -> tuple[Phase, int | None]:
    wave = scene.wave(wave_id)
    return wave.phase, wave.phase_limit


def test_the_canary_goes_first_and_the_rest_waits_for_what_is_reported_about_it(reporting: Scene) -> None:
    scene = reporting
    wave_id = scene.started(campaign_with(scene, 400), MAILING, canary=20)
    assert scene.send() == 20
    scene.tick()
    assert phase(scene, wave_id) == (Phase.CANARY, 20)
    assert scene.send() == 0
    report(scene, 15)
    scene.tick()
    assert scene.send() == 0, "three quarters are not enough"
    report(scene, 1)
    assert scene.tick().streams == {Stream.NEWS}
    assert phase(scene, wave_id) == (Phase.RAMP, 200)
    assert scene.send() == 180
    scene.tick()
    assert scene.send() == 0
    report(scene, 180)
    scene.tick()
    assert phase(scene, wave_id) == (Phase.FULL, None)
    assert scene.send() == 200


def test_a_provider_that_stays_silent_is_waited_for_a_quarter_of_an_hour(reporting: Scene) -> None:
    scene = reporting
    wave_id = scene.started(campaign_with(scene, 30), MAILING, canary=10)
    scene.send()
    scene.tick()
    scene.tick(timedelta(minutes=14, seconds=59))
    assert phase(scene, wave_id)[0] is Phase.CANARY
    scene.tick(timedelta(seconds=1))
    assert phase(scene, wave_id)[0] is Phase.RAMP


def test_a_way_out_that_reports_nothing_is_judged_by_its_answers_alone(scene: Scene) -> None:
    wave_id = scene.started(campaign_with(scene, 60), MAILING, canary=5)
    for expected in (5, 45, 10):
        assert scene.send() == expected
        scene.tick()
    assert scene.state(wave_id) is WaveState.FINISHED


def test_c19_hard_bounces_of_the_canary_pause_the_wave_and_tell_people(reporting: Scene) -> None:
    scene = reporting
    wave_id = scene.started(campaign_with(scene, 60), MAILING, canary=20)
    scene.send()
    report(scene, 2, EventState.BOUNCED)
    report(scene, 5, EventState.BOUNCED, hard=False)  # full mailboxes
    scene.tick()
    assert scene.state(wave_id) is WaveState.SENDING
    report(scene, 1, EventState.BOUNCED)
    scene.tick()
    wave = scene.wave(wave_id)
    assert wave.state is WaveState.PAUSED
    assert "3 of 20 mails came back" in wave.reason
    assert scene.send() == 0
    with scene.db.read() as session:
        assert [brake.scope for brake in outbox.brakes_pulled(session)] == [f"wave:{wave_id}"]
        assert [alert.key for alert in alerts.standing(session)] == [f"wave:{wave_id}"]


@pytest.mark.parametrize(
    ("n", "state", "stays", "stops"),
    [(250, EventState.BOUNCED, 5, 6), (250, EventState.COMPLAINED, 0, 1)],
)
def test_c19_a_full_wave_pauses_on_two_percent_hard_bounces_or_one_complaint_in_a_thousand(
    scene: Scene, n: int, state: EventState, stays: int, stops: int
) -> None:
    wave_id = scene.started(campaign_with(scene, n + 5), MAILING)
    scene.send(n)
    report(scene, stays, state)
    scene.tick()
    assert scene.state(wave_id) is WaveState.SENDING
    report(scene, stops - stays, state)
    scene.tick()
    assert scene.state(wave_id) is WaveState.PAUSED


def test_c19_a_person_who_resumes_a_stopped_wave_is_not_overruled_by_what_they_saw(scene: Scene) -> None:
    wave_id = scene.started(campaign_with(scene, 600), MAILING)
    scene.send(300)
    report(scene, 10, EventState.BOUNCED)
    scene.tick()
    assert scene.state(wave_id) is WaveState.PAUSED
    scene.act(waves.resume, wave_id)
    scene.tick()
    scene.send(200)
    report(scene, 4, EventState.BOUNCED)
    scene.tick()
    assert scene.state(wave_id) is WaveState.SENDING
    report(scene, 1, EventState.BOUNCED)
    scene.tick()
    assert scene.state(wave_id) is WaveState.PAUSED, "what comes anew counts"
    with scene.db.read() as session:
        opened = session.scalars(select(Alert).where(Alert.key == f"wave:{wave_id}")).all()
    assert [alert.closed_at is None for alert in opened] == [False, True]


def test_fault_f39_a_wave_whose_mails_fail_is_paused_before_all_of_them_have(scene: Scene) -> None:
    wave_id = scene.started(campaign_with(scene, 100), MAILING)
    scene.send(18)
    scene.send(1, REFUSED)
    scene.tick()
    assert scene.state(wave_id) is WaveState.SENDING
    scene.send(1, REFUSED)
    scene.tick()
    wave = scene.wave(wave_id)
    assert wave.state is WaveState.PAUSED
    assert "2 of 20 mails failed" in wave.reason


def test_a_provider_that_is_dead_for_a_quarter_of_an_hour_pauses_its_waves(scene: Scene) -> None:
    wave_id = scene.started(campaign_with(scene, 5), MAILING)
    with scene.db.begin() as session:
        door = ProviderState(transport="mailbox", strikes=6, reason="401", changed_at=scene.now, closed_until=scene.now)
        session.add(door)
        alerts.raise_alert(session, "transport:mailbox", "Nothing leaves.", now=scene.now)
    scene.tick(timedelta(minutes=15))
    assert scene.state(wave_id) is WaveState.SENDING
    scene.tick(timedelta(minutes=1))
    wave = scene.wave(wave_id)
    assert wave.state is WaveState.PAUSED
    assert "401" in wave.reason


def test_a_dead_provider_pauses_nothing_while_another_takes_the_mail(scene: Scene) -> None:
    wave_id = scene.started(campaign_with(scene, 5), MAILING)
    with scene.db.begin() as session:
        session.add(ProviderState(transport="mailbox", strikes=6, reason="401", changed_at=scene.now))
        alerts.raise_alert(session, "transport:mailbox", "Nothing leaves.", now=scene.now)
        minute = scene.now + timedelta(minutes=15)
        session.add(Minute(minute=minute, stream=Stream.NEWS, outcome="accepted", shard=0, n=1))
    scene.tick(timedelta(minutes=16))
    assert scene.state(wave_id) is WaveState.SENDING


def test_the_standing_wave_has_no_canary(scene: Scene) -> None:
    scene.stream = Stream.LETTERS
    with scene.db.begin() as session:
        campaign = factories.campaign(session)
        confirmed(session, campaign, 40)
    assert scene.send(outcome=Receipt()) == 40
