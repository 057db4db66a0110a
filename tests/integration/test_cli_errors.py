"""What every command does alike: answers and errors for machines, tables that `cut` can read, files that are named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outreach.cli import app as command_line
from outreach.cli import campaign, suppressions, targets
from outreach.errors import BadRows
from outreach.paths import folder


@pytest.fixture(autouse=True)
def _an_engine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("OUTREACH_DATABASE_URL", raising=False)
    monkeypatch.setattr("outreach.wake.wake", lambda *_: True)


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """Run the whole command line, as the console script does; what it exits with."""
    monkeypatch.setattr(sys, "argv", ["outreach", *words])
    with pytest.raises(SystemExit) as over:
        command_line.main()
    return over.value.code


@pytest.mark.parametrize(
    ("words", "said", "helped_by"),
    [
        (["nonsense"], "No such command 'nonsense'.", "outreach --help"),
        (["campaign", "show"], "Missing argument 'SLUG'.", "outreach campaign show --help"),
        (["deliveries", "list", "--limit", "0"], "--limit", "outreach deliveries list --help"),
        (["deliveries", "list", "--state", "lost"], "'lost' is not one of 'held'", "outreach deliveries list --help"),
        (["targets", "set", "1"], "Say what to set", "outreach targets set --help"),
    ],
)
def test_wrong_usage_is_json_too_when_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str, helped_by: str
) -> None:
    assert call(monkeypatch, *words, "--json") == 2
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    assert answer["code"] == "wrong_usage"
    assert said in answer["message"]
    assert helped_by in answer["advice"]


def test_wrong_usage_is_said_to_people_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "campaign", "show") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Missing argument 'SLUG'." in told.err


def test_an_answer_that_is_no_exits_alike_for_people_and_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "campaign", "show", "nowhere") == 1
    assert call(monkeypatch, "campaign", "show", "nowhere", "--json") == 1
    assert call(monkeypatch, "campaign", "import", "nowhere.txt", "--json") == 1
    assert call(monkeypatch, "campaign", "list", "--json") == 0
    assert capsys.readouterr().err.startswith("outreach: nowhere: There is no campaign")


def test_lists_part_their_cells_by_tabs_so_that_cut_can_read_them() -> None:
    page = str(folder("examples") / "heat-for-every-home.txt")
    slug = json.loads(CliRunner().invoke(campaign.app, ["import", page, "--json"]).stdout)["campaigns"][0]["slug"]

    listed = CliRunner().invoke(campaign.app, ["list"]).stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == [slug]
    reached = CliRunner().invoke(targets.app, ["list"]).stdout.splitlines()
    assert [line.split("\t")[:2] for line in reached] == [
        ["1", "Mayor Odalys Ferrer"],
        ["2", "Housing Commissioner Tobias Renn"],
    ]


def test_a_file_that_is_too_large_is_refused_and_never_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppressions, "BYTES_LIMIT", 30)
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("one@example.org\ntwo@example.org\n")

    refused = CliRunner().invoke(suppressions.app, ["import", str(addresses)]).exception

    assert isinstance(refused, BadRows)
    assert refused.where == str(addresses)
    assert "30 bytes" in refused.message
    assert json.loads(CliRunner().invoke(suppressions.app, ["list", "--json"]).stdout) == {"suppressions": []}


def test_lifting_what_is_not_there_names_the_address_and_the_scope() -> None:
    words = ["remove", "ana@example.org", "--reason", "she asked", "--scope", "news"]
    refused = CliRunner().invoke(suppressions.app, words).exception
    assert str(refused) == (
        "ADDRESS: It is not suppressed in the scope news. See `outreach suppressions list`; --scope names another one."
    )
