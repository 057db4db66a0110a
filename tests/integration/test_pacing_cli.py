"""`outreach holidays`, `budgets`, `transports` and the pace of `targets` as people and machines call them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outreach.cli import budgets as budgets_cli
from outreach.cli import campaign as campaign_cli
from outreach.cli import holidays as holidays_cli
from outreach.cli import targets as targets_cli
from outreach.cli import transports as transports_cli
from outreach.cli.base import engine
from outreach.errors import BadInput, BadRows, NotFound, NotNow
from outreach.models import ProviderState
from outreach.paths import folder


@pytest.fixture(autouse=True)
def _an_engine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("OUTREACH_DATABASE_URL", raising=False)
    monkeypatch.setattr(targets_cli, "wake", lambda _url, *_streams: None)


def run(cli: Any, *words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words))


def answer(cli: Any, *words: str) -> Any:
    return json.loads(run(cli, *words, "--json").stdout)


def test_holidays_are_taken_listed_and_kept_by_an_office(tmp_path: Path) -> None:
    days, page = tmp_path / "us.txt", tmp_path / "page.txt"
    days.write_text("2026-12-25 Christmas Day\n2026-07-04 Independence Day\n")
    page.write_text((folder("examples") / "keep-the-night-bus.txt").read_text())
    assert answer(holidays_cli, "import", str(days), "--calendar", "US") == {
        "calendar": "us",
        "days": 2,
        "forgotten": 0,
    }
    listed = answer(holidays_cli, "list")["holidays"]
    assert [row["day"] for row in listed] == ["2026-07-04", "2026-12-25"]
    run(campaign_cli, "import", str(page))
    words = ("--email", "bus@example.org", "--holidays", "us", "--curve", ",".join(["1"] * 24), "--bundle", "on")
    shown = answer(targets_cli, "set", "1", *words)
    assert (shown["holidays"], shown["curve"], shown["bundle"]) == ("us", [1] * 24, True)
    shown = answer(targets_cli, "set", "1", "--holidays", "none", "--curve", "flat", "--bundle", "off")
    assert (shown["holidays"], shown["curve"], shown["bundle"]) == (None, None, False)
    assert isinstance(run(targets_cli, "set", "1", "--curve", "1,2").exception, BadInput)
    assert isinstance(run(targets_cli, "set", "1", "--bundle", "maybe").exception, BadInput)
    days.write_text("2026-12-25 Christmas Day\nsome day\n")
    assert isinstance(run(holidays_cli, "import", str(days), "--calendar", "us").exception, BadRows)


def test_budgets_are_set_changed_listed_and_dropped() -> None:
    answer(budgets_cli, "set", "stream:letters", "--per-hour", "6000")
    changed = answer(budgets_cli, "set", "stream:letters", "--hours", "08:00-18:00", "--zone", "Europe/Berlin")
    assert (changed["per_hour"], changed["hours"], changed["zone"]) == (6000, "08:00-18:00", "Europe/Berlin")
    assert [row["key"] for row in answer(budgets_cli, "list")["budgets"]] == ["stream:letters"]
    assert "6000 per hour, any per day" in run(budgets_cli, "list").stdout
    assert answer(budgets_cli, "drop", "stream:letters")["dropped"]
    assert isinstance(run(budgets_cli, "drop", "stream:letters").exception, NotFound)
    assert isinstance(run(budgets_cli, "set", "everything", "--per-hour", "5").exception, BadInput)
    assert run(budgets_cli, "set", "stream:letters").exit_code == 2


def test_a_way_out_that_is_closed_is_shown_and_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(transports_cli.wake, "wake", lambda _url, *streams: rung.extend(streams))
    assert answer(transports_cli, "list") == {"transports": []}
    with engine() as here, here.db.begin() as session:
        now = here.now()
        until = now + timedelta(minutes=10)
        session.add(ProviderState(transport="smtp", closed_until=until, reason="away", strikes=2, changed_at=now))
    assert "smtp\tclosed until" in run(transports_cli, "list").stdout
    assert answer(transports_cli, "try", "smtp") == {"transport": "smtp", "tried": True}
    assert len(rung) == 3, "every stream may try it"
    assert run(transports_cli, "list").stdout == "smtp\topen\n"
    assert isinstance(run(transports_cli, "try", "smtp").exception, NotNow)
