"""Whom a wave reaches: every number is explained, what is counted is what is planned, and nobody gets it twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from outreach import waves
from outreach.domain.audiences import Audience
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import Campaign, Consent, Database, Delivery, Lane, SignatureState, Supporter, Suppression
from outreach.settings import Settings
from tests import factories
from tests.integration.wave_scenes import REFUSED, Scene, agreeing, confirmed, crowd, holding_campaign

MAILING = WaveKind.MAILING


@pytest.fixture
def scene(db: Database, settings: Settings, now: datetime) -> Scene:
    return Scene(db, settings, now, stream=Stream.NEWS)


def counts(scene: Scene, campaign: Campaign, kind: WaveKind = MAILING, **given: object) -> dict[str, int]:
    """The sum of a draft, checked to be one; lines of nought are left out."""
    draft = waves.Draft(campaign.slug, kind, **{"subject": "s", "body": "b"} | given)  # type: ignore[arg-type]
    with scene.db.read() as session:
        lines = waves.audience_counts(session, draft, settings=scene.settings, now=scene.now)
    first, *taken_off, last = lines
    assert first.n - sum(line.n for line in taken_off) == last.n
    assert all(line.words for line in lines)
    return {line.label: line.n for line in lines if line.n}


def readers(scene: Scene, wave_id: int) -> set[int]:
    with scene.db.read() as session:
        return set(session.scalars(select(Delivery.supporter_id).where(Delivery.wave_id == wave_id)))  # type: ignore[arg-type]


def test_every_reason_not_to_write_has_its_number_and_the_rest_is_planned(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        good = agreeing(session, campaign, 4)
        factories.signature(session, campaign)
        factories.signature(session, campaign, state=SignatureState.WITHDRAWN)
        erased, stopped, bounced, elsewhere, unasked, regretful = agreeing(session, campaign, 6)
        session.get_one(Supporter, erased.supporter_id).erased_at = scene.now
        for one, scope in ((stopped, f"list:{campaign.id}"), (bounced, "all"), (elsewhere, "campaign:999")):
            session.add(Suppression(address_hash=one.supporter.address_hash, scope=scope, reason="staff", at=scene.now))
        factories.signature(session, campaign, state=SignatureState.CONFIRMED)  # never agreed to updates
        later = scene.now + timedelta(seconds=1)
        factories.consent(session, regretful.supporter, campaign=campaign, purpose="updates", given=False, now=later)
    assert counts(scene, campaign) == {
        "signed": 13,
        "unconfirmed": 1,
        "withdrawn": 2,
        "suppressed": 2,
        "no_consent": 2,
        "will_get_it": 6,
    }
    wave_id = scene.started(campaign, MAILING)
    assert readers(scene, wave_id) == {one.supporter_id for one in (*good, elsewhere, unasked)}


def test_the_last_word_of_the_ledger_counts_also_one_for_the_whole_organisation(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        back_again, all_over, of_others = agreeing(session, campaign, 3)
        for seconds, given in ((1, False), (2, True)):
            at = scene.now + timedelta(seconds=seconds)
            factories.consent(session, back_again.supporter, campaign=campaign, purpose="updates", given=given, now=at)
        for one, organisation in ((all_over, "Fair Homes Union"), (of_others, "Another Union")):
            session.add(
                Consent(
                    supporter_id=one.supporter_id,
                    organisation_id=factories.organisation_of(session, organisation).id,
                    purpose="updates",
                    given=False,
                    wording="No more.",
                    source="link",
                    at=scene.now + timedelta(seconds=3),
                )
            )
    assert counts(scene, campaign) == {"signed": 3, "no_consent": 1, "will_get_it": 2}
    wave_id = scene.started(campaign, MAILING)
    assert readers(scene, wave_id) == {back_again.supporter_id, of_others.supporter_id}


def test_a_mailing_that_is_planned_twice_or_reissued_sends_nobody_twice(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign, 5)
    first = scene.started(campaign, MAILING)
    scene.send(2, REFUSED)
    scene.send(1)
    with scene.db.begin() as session:
        agreeing(session, campaign, 2)
    assert counts(scene, campaign) == {"signed": 7, "will_get_it": 7}, "other words"
    second = scene.started(campaign, MAILING)  # the same words
    # Those whom the provider refused have not got it.
    assert len(readers(scene, second)) == 2 + 2
    assert len(readers(scene, first)) == 5
    other_words = scene.plan(campaign, MAILING, body="Something else.")
    assert scene.wave(second).mailing_id == scene.wave(first).mailing_id != scene.wave(other_words).mailing_id


def test_planning_again_from_the_first_row_adds_nobody(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign, 5)
    wave_id = scene.started(campaign, MAILING)
    with scene.db.begin() as session:
        wave = waves.find(session, wave_id)
        wave.planned_to, wave.planned_at = 0, None
    scene.tick()
    assert scene.states(wave_id) == {State.QUEUED: 5}


def test_nobody_gets_more_mailings_and_follow_ups_in_a_week_than_the_setting_says(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        often, once, long_ago, own_act = agreeing(session, campaign, 4)
        act = {"mail_class": MailClass.NOTICE, "state": State.ACCEPTED}
        for n in range(3):
            at = scene.now - timedelta(days=n)
            factories.delivery(session, often, purpose="step", serial=n, accepted_at=at, **act)
            factories.delivery(session, own_act, purpose="receipt", serial=n, accepted_at=at, **act)
            before = scene.now - timedelta(days=7, seconds=1)
            factories.delivery(session, long_ago, purpose="step", serial=n, accepted_at=before, **act)
        factories.delivery(session, once, purpose="step", accepted_at=scene.now, **act)
    assert counts(scene, campaign) == {"signed": 4, "over_cap": 1, "will_get_it": 3}
    waves_before = [scene.started(campaign, MAILING, body=f"{n}") for n in range(2)]
    assert len(readers(scene, waves_before[1])) == 3
    # `once` has one follow-up and two mailings on their way now.
    assert counts(scene, campaign)["over_cap"] == 2


@pytest.mark.parametrize(
    ("audience", "names"),
    [
        (Audience(), "ABCD"),
        (Audience(place="springfield"), "AB"),
        (Audience(place="Zürich"), "C"),
        (Audience(place="zÜRICH"), "C"),
        (Audience(place="80"), "CD"),
        (Audience(place="8001 a"), "C"),
        (Audience(language="de"), "C"),
        (Audience(source="tenants"), "B"),
        (Audience(own_words=True), "A"),
        (Audience(own_words=False), "BCD"),
        (Audience(place="Springfield", own_words=False), "B"),
        (Audience(place="%"), ""),
    ],
)
def test_an_audience_is_chosen_by_place_language_source_and_own_words(
    scene: Scene, audience: Audience, names: str
) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        rows = {
            "A": {"city": "Springfield", "postal_code": "12345", "own_words": "Mine."},
            "B": {"city": "SPRINGFIELD", "postal_code": "12346"},
            "C": {"city": "zÜrIch", "postal_code": "8001 AB"},
            "D": {"city": "Basel", "postal_code": "80-3"},
        }
        people = {name: agreeing(session, campaign, name=name, **given)[0] for name, given in rows.items()}
        people["B"].source = "tenants"
        people["C"].language = "de"
    expected = {"signed": 4, "not_chosen": 4 - len(names), "will_get_it": len(names)}
    assert counts(scene, campaign, audience=audience) == {label: n for label, n in expected.items() if n}
    if names:
        wave_id = scene.started(campaign, MAILING, audience=audience)
        assert readers(scene, wave_id) == {people[name].supporter_id for name in names}


def test_since_the_last_wave_means_who_confirmed_after_it_began(scene: Scene) -> None:
    since = Audience(since_last_wave=True)
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        agreeing(session, campaign, 3)
    assert counts(scene, campaign, audience=since)["will_get_it"] == 3, "there was none yet"
    scene.started(campaign, MAILING, body="one")
    scene.now += timedelta(hours=1)
    with scene.db.begin() as session:
        late = agreeing(session, campaign, 2, now=scene.now)
    assert counts(scene, campaign, audience=since) == {"signed": 5, "not_chosen": 3, "will_get_it": 2}
    wave_id = scene.started(campaign, MAILING, body="two", audience=since)
    assert readers(scene, wave_id) == {one.supporter_id for one in late}


def test_letters_are_explained_number_by_number(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, targets=2)
        confirmed(session, campaign, 3)
    scene.started(campaign, WaveKind.LETTERS)
    with scene.db.begin() as session:
        confirmed(session, campaign, 4, own_words="Mine.")
        (odd,) = confirmed(session, campaign, 1)
        odd.state = SignatureState.WITHDRAWN
        factories.signature(session, campaign)
        confirmed(session, campaign, 1, city="Elsewhere")
        held = session.scalars(select(Delivery).where(Delivery.reason == "wave").order_by(Delivery.id)).first()
        assert held
        held.reason = "staff"
    assert counts(scene, campaign, WaveKind.LETTERS, audience=Audience(place="Springfield"), subject="", body="") == {
        "signed": 2 * (3 + 4 + 1 + 1 + 1),
        "unconfirmed": 2,
        "withdrawn": 2,
        "not_chosen": 2,
        "held": 1,
        "already_sent": 6,
        "will_get_it": 7,
    }


def test_letters_to_a_target_without_an_address_stay_and_are_counted(scene: Scene) -> None:
    with scene.db.begin() as session:
        nobody = factories.target(session, email=None)
        campaign = factories.campaign(session, targets=[nobody, factories.target(session)], hold_for_waves=True)
        confirmed(session, campaign, 2)
    got = counts(scene, campaign, WaveKind.LETTERS, subject="", body="")
    assert got == {"signed": 4, "no_contact": 2, "will_get_it": 2}
    wave_id = scene.started(campaign, WaveKind.LETTERS)
    assert scene.states(wave_id) == {State.QUEUED: 2}


def test_b9_who_takes_consent_back_gets_nothing_more_of_a_running_wave(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        regretful, _ = agreeing(session, campaign, 2)
    wave_id = scene.started(campaign, MAILING)
    with scene.db.begin() as session:
        later = scene.now + timedelta(seconds=1)
        factories.consent(session, regretful.supporter, campaign=campaign, purpose="updates", given=False, now=later)
    assert scene.send() == 1
    with scene.db.read() as session:
        theirs = session.scalars(select(Delivery).where(Delivery.supporter_id == regretful.supporter_id)).one()
    assert (theirs.state, theirs.reason) == (State.SUPPRESSED, "no_consent")
    scene.tick()
    assert scene.state(wave_id) is WaveState.FINISHED


def test_mailings_get_refs_like_all_others_and_none_twice(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        crowd(session, campaign, 200)
    wave_id = scene.started(campaign, MAILING)
    with scene.db.read() as session:
        rows = session.scalars(select(Delivery).where(Delivery.wave_id == wave_id)).all()
        lane = session.get_one(Lane, rows[0].lane_id)
    assert len({row.ref for row in rows}) == 200
    assert all(len(row.ref) == 16 and set(row.ref) <= set("abcdefghijklmnopqrstuvwxyz234567") for row in rows)
    letters = "".join(row.ref for row in rows)
    assert all(50 <= letters.count(c) <= 150 for c in "abcdefghijklmnopqrstuvwxyz234567"), "100 each, give or take"
    assert lane.key == f"wave:{wave_id}"
    assert {(row.mail_class, row.stream, row.attempts, row.maybe_sent) for row in rows} == {
        (MailClass.MAILING, Stream.NEWS, 0, False)
    }
