"""Planning a wave in a browser, and what the pages of waves say and do."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from outreach import outbox, waves
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import AuditEntry, CampaignState, Database, Mailing, SignatureState, Wave
from tests import factories
from tests.integration.inside import fields, send
from tests.integration.wave_scenes import Scene, agreeing, confirmed, holding_campaign
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

NEW = "/console/campaigns/rents/waves/new"
HOSTILE = '<script>alert("x")</script>{{ 7*7 }}'


def planned(db: Database) -> Wave:
    with db.read() as session:
        return session.scalars(select(Wave).where(~Wave.is_standing).order_by(Wave.id.desc())).first()  # type: ignore[return-value]


def test_without_waves_the_page_says_what_they_are_and_the_next_act(organizer: TestClient) -> None:
    page = organizer.get("/console/waves").text
    assert "No waves yet." in page
    assert "Choose a campaign to plan the first one" in page


def test_the_first_page_says_how_much_each_kind_would_be_now(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign, 3)
        agreeing(session, campaign, 2)
    page = organizer.get(NEW).text
    assert "3 confirmed letters wait for a wave." in page
    assert "2 signers agreed to updates" in page


def test_a_campaign_that_holds_nothing_says_why_no_letter_waits(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents")
    assert "leave by themselves as soon as they are confirmed" in organizer.get(NEW).text


def test_a_wave_of_letters_is_planned_checked_started_and_taken_back(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents", body="I ask you.\n\n{{ signer.own_words }}")
        confirmed(session, campaign, 2, own_words="My roof leaks.")
        confirmed(session, campaign, 1, city="Shelbyville")
    answer = send(organizer, f"{NEW}?kind=letters", NEW, city="", place="springfield", per_hour="30", act="plan")
    wave = planned(scene.db)
    assert answer.headers["location"] == f"/console/waves/{wave.id}?done=planned"
    check = organizer.get(answer.headers["location"]).text
    assert "Everyone who confirmed, in springfield" in check
    assert "Up to 30 an hour" in check
    assert "Send 2 letters" in check
    assert "<h2>Forecast</h2>" in check

    looked = send(organizer, f"/console/waves/{wave.id}", f"/console/waves/{wave.id}/preview")
    assert "My roof leaks." in looked.text
    started = send(organizer, f"/console/waves/{wave.id}", f"/console/waves/{wave.id}/start")
    page = organizer.get(started.headers["location"]).text
    assert "Begins in 60 seconds" in page
    assert planned(scene.db).state is WaveState.STARTING

    undone = send(organizer, f"/console/waves/{wave.id}", f"/console/waves/{wave.id}/undo")
    assert "Taken back. Nothing has left" in organizer.get(undone.headers["location"]).text
    assert planned(scene.db).state is WaveState.DRAFT
    with scene.db.read() as session:
        acts = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "user:1")).all()
    assert [act for act in acts if act.startswith("wave")] == ["wave.plan", "wave.move", "wave.move"]


def test_each_number_that_is_taken_off_is_explained_and_counting_again_loses_nothing_typed(
    organizer: TestClient, scene: Scene
) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        agreeing(session, campaign, 2)
        agreeing(session, campaign, 1, city="Shelbyville")
        factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        factories.signature(session, campaign)
    answer = send(
        organizer, f"{NEW}?kind=mailing", NEW, act="count", place="Springfield", subject="Half a subj", body="\nHalf"
    )
    assert answer.status_code == 200
    said = bare(answer.text)
    assert "People who signed 5 Have not confirmed yet −1 Are not in the chosen audience −1" in said
    assert "Did not agree to “updates”, or took it back −1 Will get it 2" in said
    parts = fields(organizer, f"{NEW}?kind=mailing", NEW)
    assert "count" not in parts.get("act", "")
    assert 'value="Half a subj"' in answer.text
    assert ">\n\nHalf</textarea>" in answer.text
    with scene.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Wave).where(~Wave.is_standing)) == 0


def test_a_mailing_starts_only_after_somebody_saw_its_first_mail(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        agreeing(session, holding_campaign(session, slug="rents"), name="Ada Lovelace")
    send(organizer, f"{NEW}?kind=mailing", NEW, act="plan", subject="News", body="Dear {{ signer.first_name }},")
    path = f"/console/waves/{planned(scene.db).id}"
    before = organizer.get(path).text
    assert "Look at the first mail, then start the wave." in before
    assert f'action="{path}/start"' not in before
    looked = send(organizer, path, f"{path}/preview")
    assert "Dear Ada," in looked.text
    assert "signer" not in looked.text.partition('class="paper"')[2].partition("</article>")[0]
    assert send(organizer, path, f"{path}/start").status_code == 303
    assert planned(scene.db).state is WaveState.STARTING


WRONG = [
    ({"when": "later"}, "start_day", "Give the day on which it should begin"),
    ({"when": "later", "start_day": "2026-03-05"}, "start_time", "Give the time of day, too."),
    ({"when": "later", "start_day": "2026-03-01", "start_time": "09:00"}, "start_day", "has passed"),
    ({"when": "later", "start_day": "5 March", "start_time": "09:00"}, "start_day", "This is no date and time."),
    ({"zone": "Europe/Atlantis"}, "zone", "This is no IANA time zone."),
    ({"by_day": "2026-03-01", "by_time": "17:00"}, "by_day", "is not after the start"),
    ({"by_day": "2026-03-05"}, "by_time", "Give the time of day, too."),
    ({"per_hour": "0"}, "per_hour", "0 is not between 1 and 1,000,000."),
    ({"per_hour": "many"}, "per_hour", "Write a whole number, like 30."),
    ({"opens": "18:00", "closes": "08:00"}, "opens", "they have to begin before they end"),
    ({"opens": "18:00"}, "closes", "Give the hour until which it may leave, too."),
    ({"mon": "", "tue": "", "wed": "", "thu": "", "fri": "", "sat": "", "sun": ""}, "mon", "Choose at least one day"),
    ({"curve": "1,2,3"}, "curve", "A curve has 24 weights"),
    ({"curve": "often"}, "curve", "Write 24 whole numbers"),
    ({"undo": "9999"}, "undo", "9,999 is not between 0 and 3,600."),
    ({"canary": "-5"}, "canary", "Write a whole number"),
    ({"max_late": "0"}, "max_late", "is not between"),
    ({"place": "x" * 101}, "place", "is not one line of at most 100 characters"),
    ({"name": "x" * 101}, "name", "This is not one line of at most 100 characters."),
    ({"subject": " "}, "subject", "Write a subject."),
    ({"body": ""}, "body", "Write what its readers should know."),
    ({"body": "Hello\n{{ target.name }}"}, "body", "target.name"),
    ({"body": "Hello\n{% for x in y %}"}, "body", "In line 2:"),
    ({"subject": "{{ 7*7 }}"}, "subject", "In line 1:"),
]


def test_what_cannot_be_planned_is_said_beside_its_field_and_nothing_typed_is_lost(
    organizer: TestClient, db: Database
) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", hold_for_waves=True)
    empty = fields(organizer, f"{NEW}?kind=mailing", NEW)
    typed = {"source": "Fair “Streets”", "subject": "News <b>", "body": "Dear <all>,\n\nwe won.", "act": "plan"}
    for given, field, said in WRONG:
        answer = organizer.post(NEW, data=empty | typed | given)
        assert answer.status_code == 422, given
        assert f'<a href="#{field}">' in answer.text, given
        assert said in bare(answer.text), given
        assert f'id="{field}-error"' in answer.text, given
        assert f'id="{field}"' in answer.text, given
        assert "Fair “Streets”" in answer.text, given
        if "body" not in given:
            assert "Dear &lt;all&gt;,\n\nwe won.</textarea>" in answer.text, given
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Wave).where(~Wave.is_standing)) == 0
        assert session.scalar(select(func.count()).select_from(Mailing)) == 0


def test_a_changed_plan_replaces_its_draft_and_begins_with_what_was_planned(
    organizer: TestClient, scene: Scene
) -> None:
    with scene.db.begin() as session:
        agreeing(session, holding_campaign(session, slug="rents"))
    typed = {
        "place": "Springfield",
        "subject": "News",
        "body": "Dear {{ signer.first_name }},\n\nwe won.",
        "when": "later",
        "start_day": "2026-11-27",
        "start_time": "09:00",
        "zone": "America/New_York",
        "by_day": "2026-11-30",
        "by_time": "17:30",
        "per_hour": "40",
        "opens": "08:00",
        "closes": "18:00",
        "sat": "",
        "sun": "",
        "canary": "5",
        "undo": "30",
        "max_late": "90",
        "curve": ",".join(["1"] * 24),
        "name": "The vote",
    }
    send(organizer, f"{NEW}?kind=mailing", NEW, act="plan", **typed)
    first = planned(scene.db)
    page = organizer.get(f"/console/waves/{first.id}").text
    assert "Fri 27 Nov 2026, 09:00 in America/New_York" in page
    assert "Fri 27 Nov 2026, 14:00 UTC" in page
    looked = send(organizer, f"/console/waves/{first.id}", f"/console/waves/{first.id}/preview")
    assert "Schedule 1 mail" in looked.text
    like = f"{NEW}?like={first.id}"
    again = fields(organizer, like, NEW)
    assert typed.items() - {("sat", ""), ("sun", "")} <= again.items()
    assert "sat" not in again
    send(organizer, like, NEW, act="plan", per_hour="50")
    second = planned(scene.db)
    with scene.db.read() as session:
        old = session.get_one(Wave, first.id)
    assert (old.state, old.reason) == (WaveState.CANCELLED, f"Changed: it is wave {second.id} now.")
    assert (second.per_hour, second.start_wall, second.days) == (50, "2026-11-27 09:00", "mon,tue,wed,thu,fri")
    assert second.mailing_id == first.mailing_id
    assert organizer.get(like).status_code == 409


def test_the_hour_that_does_not_exist_is_said(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        confirmed(session, holding_campaign(session, slug="rents"))
    when = {"when": "later", "start_day": "2026-03-08", "start_time": "02:30", "zone": "America/New_York"}
    answer = send(organizer, f"{NEW}?kind=letters", NEW, act="plan", **when)
    assert "02:30 does not exist on 2026-03-08" in organizer.get(answer.headers["location"]).text


def test_many_mails_are_sent_only_by_who_types_their_number(
    organizer: TestClient, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outreach.web.waves.MANY", 2)
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign, 3)
    path = f"/console/waves/{scene.plan(campaign)}"
    refused = send(organizer, path, f"{path}/start", count="4")
    assert refused.status_code == 422
    assert "Type the number 3." in refused.text
    assert planned(scene.db).state is WaveState.DRAFT
    assert send(organizer, path, f"{path}/start", count="3").status_code == 303


def test_what_is_in_the_way_of_a_start_is_said_with_what_helps(
    organizer: TestClient, scene: Scene, with_settings
) -> None:  # type: ignore[no-untyped-def]
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        agreeing(session, campaign)
    empty, mailing = scene.plan(campaign), scene.plan(campaign, WaveKind.MAILING)
    assert "It would reach nobody now." in organizer.get(f"/console/waves/{empty}").text
    organizer.app.state.settings = with_settings(postal_address="")  # type: ignore[attr-defined]
    path = f"/console/waves/{mailing}"
    answer = send(organizer, path, f"{path}/start")
    assert answer.status_code == 409
    assert "Whoever runs the engine has to set OUTREACH_POSTAL_ADDRESS." in answer.text


def test_a_wave_is_paused_with_a_reason_resumed_and_cancelled(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign, 3)
    wave_id = scene.started(campaign)
    assert scene.send(1) == 1
    path = f"/console/waves/{wave_id}"
    page = organizer.get(path).text
    assert "1 <span" in page
    assert "of 3 letters taken by the mail provider" in page
    refused = send(organizer, f"{path}/pause")
    assert refused.status_code == 422
    assert "Say why." in refused.text
    send(organizer, f"{path}/pause", reason=HOSTILE)
    page = organizer.get(path).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert scene.send() == 0
    assert organizer.get(f"{path}/pause").status_code == 409
    assert "Resumed." in organizer.get(send(organizer, f"{path}/resume").headers["location"]).text
    assert scene.send(1) == 1
    send(organizer, f"{path}/cancel", reason="We won")
    assert scene.states(wave_id) == {State.ACCEPTED: 2, State.CANCELLED: 1}
    page = organizer.get(path).text
    assert "We won" in page
    assert "/cancel" not in page
    assert organizer.get("/console/waves").text.count(f'href="{path}"') == 1


def test_a_missed_wave_says_why_it_waits_and_can_be_started_again(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign)
    wave_id = scene.plan(campaign)
    path = f"/console/waves/{wave_id}"
    with scene.db.begin() as session:
        wave = session.get_one(Wave, wave_id)
        wave.state, wave.reason = WaveState.NEEDS_ATTENTION, "missed: it should have begun."
    page = organizer.get(path).text
    assert "missed: it should have begun." in page
    assert "Start it again if it may still go, or cancel it." in page
    assert send(organizer, path, f"{path}/start").status_code == 303
    assert planned(scene.db).state is WaveState.STARTING


def test_a_standing_wave_can_be_paused_and_not_cancelled(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        wave_id = factories.standing_wave(session, factories.campaign(session)).id
    page = organizer.get(f"/console/waves/{wave_id}").text
    assert f"/console/waves/{wave_id}/pause" in page
    assert "/cancel" not in page
    assert organizer.get(f"/console/waves/{wave_id}/cancel").status_code == 409


def test_a_second_press_of_start_shows_the_wave_as_it_is(organizer: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign)
    path = f"/console/waves/{scene.plan(campaign)}"
    form = fields(organizer, path, f"{path}/start")
    assert organizer.post(f"{path}/start", data=form).status_code == 303
    again = organizer.post(f"{path}/start", data=form)
    assert again.status_code == 409
    assert "A wave that is starting cannot be started. Below is how the wave is now." in bare(again.text)


@pytest.mark.parametrize(
    "path", ["/console/waves/999", "/console/waves/x", f"/console/waves/{10**30}", f"{NEW}?like=7"]
)
def test_what_is_not_there_is_not_found(organizer: TestClient, db: Database, path: str) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents")
    assert organizer.get(path).status_code == 404


def test_nobody_plans_a_wave_for_a_draft(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", state=CampaignState.DRAFT)
    answer = organizer.get(NEW)
    assert answer.status_code == 409
    assert "Publish it first" in answer.text


def test_lifting_the_brake_of_a_wave_is_done_by_resuming_it(staff: TestClient, scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="rents")
        confirmed(session, campaign)
    wave_id = scene.started(campaign)
    scene.act(waves.pause, wave_id)
    assert f'href="/console/waves/{wave_id}"' in staff.get("/staff").text
    assert staff.get(f"/staff/resume?scope=wave:{wave_id}").status_code == 404
    with scene.db.read() as session:
        assert [brake.scope for brake in outbox.brakes_pulled(session)] == [f"wave:{wave_id}"]
