"""The pages that add, change and end the steps of follow-ups."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import ladders
from outreach.domain.ladders import StepState, Trigger
from outreach.merge import checking
from outreach.models import AuditEntry, Database, Ladder, Rung, SignatureState, Step
from tests import factories
from tests.integration.inside import fields, send, token
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

PAGE = "/console/campaigns/rents/follow-ups"
WORDS = {"subject": "News of {{ campaign.title }}", "body": "Hello {{ signer.first_name }},\n\nthere is news.\n"}


@pytest.fixture
def ladder(db: Database, now: datetime) -> int:
    """A ladder of one step, for which a signer waits."""
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        built = ladders.build(
            session, campaign, "After the letter", ladders.DEFAULTS[1:], now=now, actor="test", checked=True
        )
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        session.add(Step(rung_id=built.rungs[0].id, signature_id=signature.id, due_at=now, created_at=now))
        return built.id


def rungs(db: Database) -> list[Rung]:
    with db.read() as session:
        return list(session.scalars(select(Rung).order_by(Rung.id)))


def acts(db: Database) -> list[str]:
    with db.read() as session:
        found = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "user:1").order_by(AuditEntry.id))
        return [act for act in found if act.startswith("rung")]


def test_a_step_is_added_with_all_that_was_typed(organizer: TestClient, db: Database, ladder: int) -> None:
    path = f"{PAGE}/{ladder}/steps/new"
    assert f'href="{path}"' in organizer.get(PAGE).text
    typed = {"trigger": "confirmed", "wait": "36", "unit": "hours", "at": "18:30", "zone": "Europe/Berlin"}
    answer = send(organizer, path, **typed, **WORDS, purpose="updates", not_shared="yes")
    assert answer.status_code == 303
    page = bare(organizer.get(answer.headers["location"]).text)
    assert "The step is added." in page
    assert "1 day after confirming, then at 18:30 Europe/Berlin who agreed to updates, unless they shared" in page
    added = rungs(db)[-1]
    assert (added.number, added.trigger, added.wait_seconds, added.at_wall) == (2, Trigger.CONFIRMED, 129_600, "18:30")
    assert (added.zone, added.purpose, added.conditions) == ("Europe/Berlin", "updates", {"not_shared": True})
    assert (added.subject, added.body) == (WORDS["subject"], WORDS["body"])
    assert acts(db) == ["rung.add"]


def test_no_transaction_is_open_while_a_new_text_is_tried_out(
    organizer: TestClient, db: Database, ladder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers, try_out = list[int](), checking._answer

    def watched(parts: tuple[str, ...]) -> bytes:
        writers.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return try_out(parts)

    monkeypatch.setattr(checking, "_answer", watched)
    checking.check_mailing.cache_clear()
    path = f"{PAGE}/{ladder}/steps/new"
    typed = {"trigger": "confirmed", "wait": "1", "unit": "days", **WORDS}
    send(organizer, path, **typed)
    send(organizer, f"{PAGE}/{ladder}/steps/{rungs(db)[0].id}/change", **{**typed, "subject": "Another subject"})
    assert len(rungs(db)) == 3
    assert writers == [0, 0]


def test_a_form_that_is_posted_twice_adds_one_step(organizer: TestClient, db: Database, ladder: int) -> None:
    path = f"{PAGE}/{ladder}/steps/new"
    form = {**fields(organizer, path, path), **WORDS, "trigger": "confirmed", "unit": "days"}
    assert organizer.post(path, data=form).status_code == 303
    again = organizer.post(path, data=form)
    assert again.status_code == 422
    assert "Another step was added since this page was opened." in again.text
    assert "there is news." in again.text
    assert len(rungs(db)) == 2


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("trigger", "birthday", "Choose what the step comes after."),
        ("wait", "soon", "Write a whole number, like 14."),
        ("wait", "366", "A step waits for a year at most."),
        ("unit", "moons", "Choose days, hours or minutes."),
        ("at", "25:00", "Write a time of day like 18:30"),
        ("zone", "Nowhere/Land", "is no time zone."),
        ("purpose", "spam", "is nothing signers agree to."),
        ("subject", "", "Write a subject."),
        ("subject", "{{ target.name }}", "has no meaning in a mailing"),
        ("body", "", "Write what its readers should know."),
        ("body", "Hello\n{{ signer.<b>", "In line 2: "),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    organizer: TestClient, db: Database, ladder: int, name: str, typed: str, said: str
) -> None:
    step = rungs(db)[0].id
    for path in (f"{PAGE}/{ladder}/steps/new", f"{PAGE}/{ladder}/steps/{step}/change"):
        filled = {"trigger": "confirmed", "wait": "3", "unit": "days", "not_shared": "yes", **WORDS, name: typed}
        answer = send(organizer, path, **filled)
        assert answer.status_code == 422
        assert f'id="{name}-error"' in answer.text
        assert said in answer.text
        assert "signer.<b>" not in answer.text
        kept = {"wait", "subject", "body"} - {name}
        assert all(filled[each].split("\n")[0] in answer.text for each in kept)
        assert 'name="not_shared" type="checkbox" value="yes" checked' in answer.text
    assert len(rungs(db)) == 1
    assert acts(db) == []


def test_a_changed_step_takes_the_place_of_the_old_one_which_who_waits_still_gets(
    organizer: TestClient, db: Database, now: datetime, ladder: int
) -> None:
    old = rungs(db)[0]
    path = f"{PAGE}/{ladder}/steps/{old.id}/change"
    page = organizer.get(path).text
    assert "1 signer waits for it already, and will get it as it was." in page
    shown = fields(organizer, path, path)
    assert (shown["wait"], shown["subject"], shown["body"], shown["not_answered"]) == (
        "14",
        old.subject,
        old.body,
        "yes",
    )
    assert '<option value="days" selected>' in page
    assert '<option value="letter_accepted" selected>' in page
    form = {**shown, "trigger": "letter_accepted", "unit": "days", "wait": "7"}
    answer = organizer.post(path, data=form)
    assert "The step is changed." in organizer.get(answer.headers["location"]).text
    ended, added = rungs(db)
    assert ended.ended_at == now
    assert (added.number, added.wait_seconds, added.subject, added.body) == (1, 7 * 86_400, old.subject, old.body)
    assert added.conditions == {"not_answered": True}
    with db.read() as session:
        assert session.execute(select(Step.rung_id, Step.state)).one() == (old.id, StepState.WAITING)
    assert organizer.post(path, data=form).status_code == 409
    assert len(rungs(db)) == 2
    assert acts(db) == ["rung.end", "rung.edit"]


def test_a_step_is_ended_by_a_page_that_says_who_still_gets_it(
    organizer: TestClient, db: Database, now: datetime, ladder: int
) -> None:
    path = f"{PAGE}/{ladder}/steps/{rungs(db)[0].id}/end"
    assert "1 signer waits for it already, and will still get it." in organizer.get(path).text
    answer = send(organizer, path)
    page = organizer.get(answer.headers["location"]).text
    assert "The step has ended." in page
    assert path not in page
    assert rungs(db)[0].ended_at == now
    assert organizer.get(path).status_code == 409
    assert acts(db) == ["rung.end"]


def test_a_wait_of_odd_seconds_stays_what_it_is(organizer: TestClient, db: Database, ladder: int) -> None:
    step = rungs(db)[0].id
    with db.begin() as session:
        session.get_one(Rung, step).wait_seconds = 61
    page = organizer.get(f"{PAGE}/{ladder}/steps/{step}/change").text
    assert 'value="61"' in page
    assert '<option value="seconds" selected>' in page
    assert "seconds" not in organizer.get(f"{PAGE}/{ladder}/steps/new").text


def test_steps_are_reached_through_their_own_ladder_and_campaign_while_it_goes_on(
    organizer: TestClient, db: Database, now: datetime, ladder: int
) -> None:
    step = rungs(db)[0].id
    with db.begin() as session:
        other = factories.campaign(session, slug="other")
        second = ladders.build(session, other, "Another", now=now, actor="test").id
    form = {"form_token": token(organizer), "trigger": "confirmed", "wait": "1", "unit": "days", **WORDS}
    for wrong in (
        f"/console/campaigns/other/follow-ups/{ladder}/steps/new",
        f"/console/campaigns/other/follow-ups/{ladder}/steps/{step}/change",
        f"/console/campaigns/other/follow-ups/{second}/steps/{step}/end",
        f"{PAGE}/{ladder}/steps/{step + 1}/end",
        f"{PAGE}/{10**30}/steps/{10**30}/end",
        f"{PAGE}/{10**30}/steps/new",
    ):
        assert organizer.get(wrong).status_code == 404, wrong
        assert organizer.post(wrong, data=form).status_code == 404, wrong
    with db.begin() as session:
        session.get_one(Ladder, ladder).stopped_at = now
    for act in ("new", f"{step}/change", f"{step}/end"):
        path = f"{PAGE}/{ladder}/steps/{act}"
        assert organizer.get(path).status_code == 409
        assert organizer.post(path, data=form).status_code == 409
        assert path not in organizer.get(PAGE).text
    assert acts(db) == []
