"""Answers as staff, organizers and the command line see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from outreach.cli.app import app
from outreach.cli.base import Engine
from outreach.domain.replies import ReplyKind
from outreach.errors import NotFound
from outreach.inbound import Kind
from outreach.models import Database, Delivery, Reply
from outreach.settings import Settings
from tests import factories
from tests.fakes.inbound import answer
from tests.integration.answers import kept

pytestmark = pytest.mark.usefixtures("rung")


def test_e8_staff_see_the_answer_with_its_original_folded_and_get_the_whole_mail_as_plain_text(
    db: Database, alias: str, letter: Delivery, take: Callable[..., Kind], staff: TestClient, organizer: TestClient
) -> None:
    octets = answer(alias, "<script>alert(1)</script>\n\nYes.", files=[("run.exe", "application/x-dosexec", b"MZ")])
    take(octets, alias)
    (reply,) = kept(db)
    html = staff.get(f"/console/campaigns/rents/replies/{reply.ref}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    folded = html[html.index("<details>") : html.index("</details>")]
    assert "a shelter at every stop." in folded
    assert "a shelter at every stop." not in html.replace(folded, "")
    assert "run.exe" in html

    mail = staff.get(f"/staff/replies/{reply.ref}/mail")
    assert mail.content == octets
    assert mail.headers["content-type"] == "text/plain; charset=utf-8"
    assert mail.headers["content-disposition"].startswith("attachment;")
    assert mail.headers["x-content-type-options"] == "nosniff"
    assert organizer.get(f"/staff/replies/{reply.ref}/mail").status_code == 403
    with db.begin() as session:
        session.get_one(Reply, reply.id).raw = None
    assert staff.get(f"/staff/replies/{reply.ref}/mail").status_code == 404


def test_the_list_of_answers_has_a_page_for_each_kind_and_says_when_there_are_none(
    db: Database, letter: Delivery, organizer: TestClient
) -> None:
    base = "/console/campaigns/rents/replies"
    assert "No answers yet." in organizer.get(base).text
    with db.begin() as session:
        factories.reply(session, letter, text="A person’s.")
        factories.reply(session, letter, kind=ReplyKind.AUTO_REPLY, text="A machine’s.")
    assert "A person’s." in organizer.get(base).text
    only = organizer.get(f"{base}?kind=auto_reply").text
    assert "A machine’s." in only
    assert "A person’s." not in only
    assert "No answers of this kind." in organizer.get(f"{base}?kind=bounce").text
    assert organizer.get(f"{base}?kind=nonsense").status_code == 200


def test_the_command_lists_and_shows_answers_for_people_and_machines(
    db: Database, settings: Settings, letter: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.begin() as session:
        reply = factories.reply(session, letter, text="Yes, we will.")
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database)
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    run = CliRunner().invoke

    listed = json.loads(run(app, ["replies", "list", "--campaign", "rents", "--json"]).stdout)
    assert (listed["id"], listed["kind"], listed["campaign"]) == (reply.ref, "human", "rents")
    assert "text" not in listed
    assert json.loads(run(app, ["replies", "show", reply.ref, "--json"]).stdout)["text"] == "Yes, we will."
    assert "Yes, we will." in run(app, ["replies", "show", reply.ref]).stdout
    assert run(app, ["replies", "list", "--kind", "bounce"]).stdout == "No answers.\n"
    assert isinstance(run(app, ["replies", "show", "nosuch"]).exception, NotFound)


def test_a_mail_server_hands_over_an_answer_and_learns_nothing_about_which_aliases_there_are(
    db: Database, settings: Settings, now: datetime, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "now", lambda _self: now)
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database)
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    nobodys = f"r-aaaaaaaaaaaaaaaa@{settings.reply_domain}"
    for to, said in ((alias, "answers passed on: 1"), (alias, "answers kept: 1"), (nobodys, "dropped: 1")):
        ran = CliRunner().invoke(app, ["inbound", "--to", to], input=answer(alias).decode())
        assert (ran.exit_code, ran.stdout.strip()) == (0, said), ran.stderr
