"""`outreach wave …`: the options and the JSON that machines hold on to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outreach import waves
from outreach.cli.app import app
from outreach.domain.deliveries import State
from outreach.errors import OutreachError
from outreach.models import Campaign, Database
from outreach.settings import Settings
from tests import factories
from tests.integration.wave_scenes import Scene, agreeing, confirmed, holding_campaign

KEYS = {"id", "state", "total", "states", "rate_per_hour", "forecast", "reason"}


@pytest.fixture
def scene(db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    given = {"DATABASE_URL": db.url, "DATA_DIR": str(tmp_path / "var"), "SECRET_KEY": factories.SECRET}
    given |= {"POSTAL_ADDRESS": settings.postal_address, "REDIS_URL": "redis://127.0.0.1:1/0"}
    for name, value in given.items():
        monkeypatch.setenv(f"OUTREACH_{name}", value)
    monkeypatch.chdir(tmp_path)
    return Scene(db, settings, datetime.now(UTC))


def ask(*words: str) -> dict[str, Any]:
    """One command with --json; its answer."""
    result = CliRunner().invoke(app, ["wave", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*words: str) -> OutreachError:
    result = CliRunner().invoke(app, ["wave", *words])
    assert isinstance(result.exception, OutreachError), result.output
    return result.exception


def campaign_of(scene: Scene, letters: int = 3) -> Campaign:
    with scene.db.begin() as session:
        campaign = holding_campaign(session, slug="fair-rents", now=scene.now)
        confirmed(session, campaign, letters, now=scene.now)
        agreeing(session, campaign, 2, now=scene.now)
    return campaign


def test_a_wave_is_planned_started_watched_paused_resumed_and_cancelled(scene: Scene) -> None:
    campaign_of(scene)
    planned = ask("plan", "--campaign", "fair-rents", "--kind", "letters", "--start", "now", "--per-hour", "30",
                  "--undo", "0", "--canary", "0")  # fmt: skip
    assert set(planned) >= KEYS
    assert (planned["state"], planned["total"]) == ("draft", 3)
    assert planned["forecast"]["start"] <= planned["forecast"]["finish_low"] <= planned["forecast"]["finish_high"]
    number = str(planned["id"])
    started = ask("start", number)
    assert started["state"] == "starting"
    scene.now = datetime.now(UTC) + timedelta(seconds=1)
    scene.tick()
    status = ask("status", number)
    assert set(status) >= KEYS
    assert (status["state"], status["total"], status["states"]["queued"]) == ("sending", 3, 3)
    assert set(status["states"]) == {str(state) for state in State}
    assert set(status["forecast"]) >= {"start", "finish_low", "finish_high"}
    assert set(ask("forecast", number)) >= KEYS
    paused = ask("pause", number, "--reason", "a storm")
    assert (paused["state"], paused["reason"]) == ("paused", "a storm")
    assert ask("resume", number)["state"] == "sending"
    cancelled = ask("cancel", number)
    assert (cancelled["state"], cancelled["states"]["cancelled"]) == ("cancelled", 3)
    assert [wave["state"] for wave in ask("list", "--campaign", "fair-rents")["waves"]] == ["sending", "cancelled"]


def test_a_time_the_clocks_jump_over_is_moved_and_said(scene: Scene) -> None:
    campaign_of(scene)
    planned = ask("plan", "--campaign", "fair-rents", "--kind", "letters", "--start", "2031-03-30 02:30",
                  "--zone", "Europe/Berlin", "--by", "2031-03-31 17:00")  # fmt: skip
    assert planned["forecast"]["start"] == "2031-03-30T01:00:00+00:00"
    assert "does not exist" in planned["notes"][0]
    assert ask("start", str(planned["id"]))["state"] == "scheduled"
    assert ask("undo", str(planned["id"]))["state"] == "draft"


def test_planning_a_mailing_shows_its_first_mail_and_that_is_the_look_it_needs(scene: Scene, tmp_path: Path) -> None:
    campaign_of(scene)
    body = tmp_path / "body.txt"
    body.write_text("Dear {{ signer.first_name }},\n\nwe won.")
    planned = ask("plan", "--campaign", "fair-rents", "--kind", "mailing", "--subject", "We won", "--body-file",
                  str(body), "--undo", "0")  # fmt: skip
    assert "Dear Jane," in planned["preview"]["text"]
    counts = {line["label"]: line["n"] for line in planned["counts"] if line["n"]}
    assert counts == {"signed": 5, "no_consent": 3, "will_get_it": 2}
    assert "Dear Jane," in ask("preview", str(planned["id"]))["text"]
    assert ask("start", str(planned["id"]))["state"] == "starting"


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--own-words", "maybe"], "own-words"),
        (["--curve", "1,b"], "curve"),
        (["--start", "soon"], "start"),
        (["--subject", "x"], "body"),
        (["--body-file", "/nowhere/at/all"], "/nowhere"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_is_wrong(scene: Scene, words: list[str], where: str) -> None:
    campaign_of(scene)
    error = refused("plan", "--campaign", "fair-rents", "--kind", "letters", *words)
    assert error.where.startswith(where)
    assert error.advice


def test_people_are_told_in_sentences(scene: Scene) -> None:
    campaign_of(scene)
    plan = CliRunner().invoke(app, ["wave", "plan", "--campaign", "fair-rents", "--kind", "letters", "--undo", "60"])
    assert "=         3  letters will leave" in plan.stdout
    number = plan.stdout.split()[1]
    started = CliRunner().invoke(app, ["wave", "start", number])
    assert f"outreach wave undo {number}" in started.stdout
    with scene.db.begin() as session:
        waves.pause(session, int(number), reason="a storm", now=scene.now, actor="test")
    assert "a storm" in CliRunner().invoke(app, ["wave", "status", number]).stdout
    assert refused("start", number).advice == f"Resume it (outreach wave resume {number}) or cancel it."
    assert refused("status", "999").code == "not_found"
