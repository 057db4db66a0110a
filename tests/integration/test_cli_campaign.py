"""`outreach campaign …` and `outreach targets …` as people and machines call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outreach.cli import campaign as campaign_cli
from outreach.cli import targets as targets_cli
from outreach.errors import BadInput, NotFound
from outreach.paths import folder

PETITION = (folder("examples") / "heat-for-every-home.txt").read_text()
LETTER = (folder("examples") / "keep-the-night-bus.txt").read_text()


@pytest.fixture(autouse=True)
def _an_engine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("OUTREACH_DATABASE_URL", raising=False)


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was rung for; nobody listens here."""
    heard: list[object] = []
    monkeypatch.setattr(targets_cli, "wake", lambda _url, *streams: heard.extend(streams))
    return heard


def run(*words: str) -> Result:
    return CliRunner().invoke(campaign_cli.app, list(words))


def answer(*words: str) -> Any:
    return json.loads(run(*words, "--json").stdout)


def page(tmp_path: Path, text: str, name: str = "page.txt") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_import_prints_what_it_understood_line_by_line(tmp_path: Path) -> None:
    done = run("import", page(tmp_path, PETITION))

    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "1 target To: Mayor Odalys Ferrer, Housing Commissioner Tobias Renn" in lines
    assert any(line.startswith("7 demand 1 1) Answer every report") for line in lines)
    assert any("outreach campaign publish heat-for-every-home" in line for line in lines)


def test_import_says_plainly_which_lines_it_could_not_place(tmp_path: Path) -> None:
    text = PETITION.replace("Why is this important?", "zorp blah 42\n\nWhy is this important?")
    done = run("import", page(tmp_path, text))

    assert done.exit_code == 0
    assert " ".join(done.stdout.split()).count("unplaced zorp blah 42") == 1
    assert "1 line was not placed" in done.stdout


def test_import_answers_machines_in_the_promised_shape(tmp_path: Path) -> None:
    said = answer("import", page(tmp_path, PETITION), page(tmp_path, LETTER, "letter.txt"))

    assert said["changed"] is True
    petition, letter = said["campaigns"]
    for one in (petition, letter):
        assert one.keys() >= {"slug", "kind", "title", "targets", "opening", "demands", "sponsors", "coalition", "why"}
        assert one.keys() >= {"asks", "call_to_act", "letter", "unplaced"}
        assert one["unplaced"] == []
    assert petition["targets"][0] == {"name": "Odalys Ferrer", "office": "Mayor"}
    assert (petition["kind"], petition["letter"], len(petition["demands"])) == ("petition", None, 5)
    assert letter["kind"] == "letter"
    assert letter["letter"]["salutation"] == "Dear Director Okonjo,"
    assert letter["letter"]["body"].endswith("Sincerely,\n{{ signer.name }}")
    assert letter["letter"]["merge_fields"] == ["signer.name"]
    assert [ask["title"] for ask in letter["asks"]] == ["Bring Back the Night Bus", "Make the Stops Safe"]


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    path = page(tmp_path, PETITION)
    first, second = answer("import", path), answer("import", path)

    assert (first["changed"], second["changed"]) == (True, False)
    assert first["campaigns"][0]["slug"] == second["campaigns"][0]["slug"]


def test_import_with_publish_opens_the_campaign_once(tmp_path: Path) -> None:
    path = page(tmp_path, PETITION)
    answer("import", path)
    published, again = answer("import", path, "--publish"), answer("import", path, "--publish")

    assert published["campaigns"][0]["state"] == "published"
    assert (published["changed"], again["changed"]) == (True, False)


def test_a_bad_file_is_named_and_the_good_ones_are_taken(tmp_path: Path) -> None:
    said = run(
        "import", str(tmp_path / "none.txt"), page(tmp_path, "no title", "bad.txt"), page(tmp_path, PETITION), "--json"
    )

    assert said.exit_code == 1
    told = json.loads(said.stdout)
    assert [one["kind"] for one in told["campaigns"]] == ["petition"]
    assert [error["code"] for error in told["errors"]] == ["bad_page", "bad_page"]
    assert told["error"]["where"].endswith("none.txt")
    assert set(told["error"]) == {"code", "message", "where", "advice"}
    assert len(answer("list")["campaigns"]) == 1


@pytest.mark.parametrize("raw", [b"", b"\0\1\2", b"\x81\x8d", b"x" * 1_000_001, b"\n\n \n"])
def test_a_file_that_is_no_page_changes_nothing_and_shows_no_traceback(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "page.txt").write_bytes(raw)
    done = run("import", str(tmp_path / "page.txt"))

    assert done.exit_code == 1
    assert done.stderr.startswith(f"outreach: {tmp_path / 'page.txt'}")
    assert done.stderr.count("\n") == 1
    assert answer("list") == {"campaigns": []}


def test_a_letter_that_cannot_be_merged_is_refused_whole(tmp_path: Path) -> None:
    text = PETITION.replace("We ask them to take these steps now.", "We ask them to act now. " * 900)
    done = run("import", page(tmp_path, text, "long.txt"))

    assert done.exit_code == 1
    assert "long.txt" in done.stderr
    assert answer("list") == {"campaigns": []}


def test_show_says_for_each_target_whether_letters_can_leave(tmp_path: Path, rings: list[object]) -> None:
    slug = answer("import", page(tmp_path, PETITION))["campaigns"][0]["slug"]
    done = CliRunner().invoke(targets_cli.app, ["set", "1", "--email", "mayor@example.org", "--per-hour", "none"])
    assert done.exit_code == 0

    shown = run("show", slug).stdout
    assert "by email to mayor@example.org" in shown
    assert "held: no contact – outreach targets set 2 --email ADDRESS" in shown
    assert [one["usable"] for one in answer("show", slug)["targets"]] == [True, False]
    assert rings == ["letters"]


def test_a_campaign_is_published_listed_and_closed(tmp_path: Path) -> None:
    slug = answer("import", page(tmp_path, LETTER))["campaigns"][0]["slug"]

    published = answer("publish", slug, "--hold-for-waves")
    assert (published["state"], published["hold_for_waves"]) == ("published", True)
    assert published["url"].endswith(f"/c/{slug}")
    assert answer("close", slug)["state"] == "closed"
    assert [one["state"] for one in answer("list")["campaigns"]] == ["closed"]
    assert isinstance(run("show", "nothing").exception, NotFound)


def test_targets_answer_machines_with_contact_and_pace(tmp_path: Path, rings: list[object]) -> None:
    answer("import", page(tmp_path, LETTER))
    words = [
        "set",
        "1",
        "--email",
        "okonjo@example.org",
        "--hours",
        "always",
        "--days",
        "all",
        "--per-day",
        "7",
        "--json",
    ]
    done = json.loads(CliRunner().invoke(targets_cli.app, words).stdout)

    assert (done["email"], done["per_day"], done["hours"], done["days"]) == ("okonjo@example.org", 7, "always", "all")
    listed = json.loads(CliRunner().invoke(targets_cli.app, ["list", "--json"]).stdout)["targets"]
    assert listed[0]["campaigns"] == ["keep-the-night-bus-running"]
    assert listed[0]["per_hour"] == 30
    assert isinstance(CliRunner().invoke(targets_cli.app, ["set", "1", "--zone", "Nowhere"]).exception, BadInput)
    assert CliRunner().invoke(targets_cli.app, ["set", "1"]).exit_code == 2


def test_targets_from_a_file_are_dry_until_they_are_applied(tmp_path: Path) -> None:
    path = page(tmp_path, "name,office,email\nJane Doe,Mayor,mayor@example.org\n", "targets.csv")

    def take(*words: str) -> tuple[int, Any]:
        done = CliRunner().invoke(targets_cli.app, ["import", *words, "--json"])
        return done.exit_code, json.loads(done.stdout)

    code, dry = take(path)
    assert (code, dry["applied"], dry["rows"][0]["action"]) == (0, False, "add")
    assert take(path, "--apply")[1]["applied"] is True
    assert take(path)[1]["rows"][0]["action"] == "unchanged"
    bad = page(tmp_path, "name,office,email\nAnn Lee,Judge,ann@example.org\nX,Y,nope\n", "bad.csv")
    code, told = take(bad, "--apply")
    assert (code, told["applied"], told["bad"]) == (1, False, 1)
    listed = json.loads(CliRunner().invoke(targets_cli.app, ["list", "--json"]).stdout)["targets"]
    assert [one["name"] for one in listed] == ["Jane Doe"]
