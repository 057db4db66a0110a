"""`outreach user …` and `outreach deliveries …` as people and machines call them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outreach import accounts
from outreach.cli import deliveries, user
from outreach.domain.deliveries import MailClass, State
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import Database, SignatureState
from outreach.settings import Settings
from tests import factories

PASSWORD = "a kettle of herons"


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    monkeypatch.setattr("outreach.wake.wake", lambda *_: True)


def run(app: Any, *words: str, given: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=given, env={"COLUMNS": "200"})


def answer(app: Any, *words: str, given: str = "") -> Any:
    result = run(app, *words, "--json", given=given)
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def error(app: Any, *words: str, given: str = "") -> BaseException | None:
    return run(app, *words, given=given).exception


def add(*more: str, given: str = "") -> Any:
    return answer(user.app, "add", "ana@example.org", "--name", "Ana Ortiz", "--role", "staff", *more, given=given)


def test_a_user_is_added_with_a_password_from_stdin(db: Database, now: datetime) -> None:
    shown = add("--password-stdin", given=f"{PASSWORD}\n")
    assert (shown["email"], shown["role"], shown["has_password"]) == ("ana@example.org", "staff", True)
    assert accounts.sign_in(db, "ana@example.org", PASSWORD, now=now)


def test_a_link_is_printed_once_and_signs_in(db: Database, settings: Settings) -> None:
    shown = add("--link")
    assert shown["link"].startswith(f"{settings.base_url}/sign-in/")
    assert shown["has_password"] is False
    again = answer(user.app, "link", "ana@example.org")
    assert again["link"] != shown["link"]
    assert "link" not in json.dumps(answer(user.app, "list"))


def test_users_are_listed_disabled_and_given_passwords(db: Database, now: datetime) -> None:
    add("--password-stdin", given=f"{PASSWORD}\n")
    assert answer(user.app, "passwd", "ana@example.org", "--password-stdin", given="another kettle of fish\n")
    assert accounts.sign_in(db, "ana@example.org", PASSWORD, now=now) is None
    assert accounts.sign_in(db, "ana@example.org", "another kettle of fish", now=now)
    assert answer(user.app, "disable", "ana@example.org")["changed"] is True
    assert answer(user.app, "disable", "ana@example.org")["changed"] is False
    (listed,) = answer(user.app, "list")["users"]
    assert listed["disabled"] is True
    assert "disabled" in run(user.app, "list").stdout


@pytest.mark.parametrize(
    ("words", "given", "kind"),
    [
        (("add", "ana", "--name", "Ana", "--role", "staff"), "", BadInput),
        (("add", "a@example.org", "--name", "Ana", "--role", "staff", "--password-stdin"), "short\n", BadInput),
        (("disable", "nobody@example.org"), "", NotFound),
        (("passwd", "nobody@example.org"), "", BadInput),  # no terminal to ask on
    ],
)
def test_what_cannot_be_done_is_said(db: Database, words: tuple[str, ...], given: str, kind: type[Exception]) -> None:
    assert isinstance(error(user.app, *words, given=given), kind)


def test_no_command_shows_a_password_or_its_hash(db: Database) -> None:
    add("--password-stdin", given=f"{PASSWORD}\n")
    shown = run(user.app, "list").stdout + run(user.app, "list", "--json").stdout
    assert "argon2" not in shown
    assert PASSWORD not in shown


def make_letter(db: Database, **columns: Any) -> str:
    with db.begin() as session:
        campaign = factories.campaign(session)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        return factories.delivery(session, signature, **columns).ref


def test_deliveries_are_one_object_a_line(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        letter = factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=now)
        factories.delivery(session, signature, mail_class=MailClass.CONFIRMATION, purpose="confirm")
    make_letter(db)
    lines = [json.loads(line) for line in run(deliveries.app, "list", "--json").stdout.splitlines()]
    assert len(lines) == 3
    assert lines[0] == {
        "id": letter.ref,
        "class": "letter",
        "state": "accepted",
        "event_state": None,
        "maybe_sent": False,
        "campaign": "rents",
        "wave": letter.wave_id,
        "target": letter.target_id,
        "signature": signature.ref,
        "attempts": 0,
        "due_at": "2026-03-02T12:00:00+00:00",
        "accepted_at": "2026-03-02T12:00:00+00:00",
        "provider_id": "",
        "reason": "",
    }
    rents = run(deliveries.app, "list", "--json", "--campaign", "rents", "--state", "queued").stdout.splitlines()
    assert [json.loads(line)["class"] for line in rents] == ["confirmation"]
    assert len(run(deliveries.app, "list", "--json", "--limit", "2").stdout.splitlines()) == 2


def test_people_get_lines_and_a_word_when_there_are_none(db: Database) -> None:
    assert run(deliveries.app, "list").stdout == "No deliveries yet.\n"
    ref = make_letter(db)
    assert run(deliveries.app, "list").stdout.startswith(f"{ref}\tletter\tqueued\t")
    assert run(deliveries.app, "list", "--state", "dead").stdout == "No deliveries match.\n"
    assert isinstance(error(deliveries.app, "list", "--campaign", "nothing"), NotFound)


def test_a_delivery_is_shown_with_what_happened(db: Database) -> None:
    ref = make_letter(db)
    answer(deliveries.app, "hold", ref, "--reason", "asked by the office [b]")
    shown = answer(deliveries.app, "show", ref)
    assert [move["to"] for move in shown["log"]] == ["queued", "held"]
    assert shown["log"][-1]["by"] == "the command line"
    assert "asked by the office [b]" in run(deliveries.app, "show", ref).stdout


def test_deliveries_are_held_released_called_off_and_sent_again(db: Database, now: datetime) -> None:
    ref = make_letter(db)
    assert answer(deliveries.app, "hold", ref)["state"] == "held"
    assert answer(deliveries.app, "release", ref)["state"] == "queued"
    assert answer(deliveries.app, "cancel", ref, "--reason", "the signer asked")["state"] == "cancelled"
    assert isinstance(error(deliveries.app, "resend", ref), NotNow)
    doubt = make_letter(db, state=State.IN_DOUBT, doubt_since=now, maybe_sent=True)
    assert answer(deliveries.app, "resend", doubt)["state"] == "queued"
    assert "may arrive twice" in run(deliveries.app, "resend", make_letter(db, state=State.DEAD)).stdout


@pytest.mark.parametrize("command", ["show", "hold", "release", "cancel", "resend"])
def test_an_unknown_id_is_not_found(db: Database, command: str) -> None:
    assert isinstance(error(deliveries.app, command, "nosuchdelivery12"), NotFound)
