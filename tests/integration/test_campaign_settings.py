"""What an organizer decides about a campaign beside its words: on the command line and in the console."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from outreach import campaign_settings, campaigns
from outreach.campaign_settings import SETTINGS, SWITCHES, read
from outreach.cli import campaign as campaign_cli
from outreach.domain import pages
from outreach.errors import BadInput
from outreach.models import AuditEntry, Campaign, Database
from tests import factories
from tests.integration.inside import fields, send

PAGE = "/console/campaigns/rents/settings"


@pytest.fixture
def rents(db: Database) -> Campaign:
    with db.begin() as session:
        return factories.campaign(session, slug="rents")


def settings_now(db: Database) -> dict[str, object]:
    with db.read() as session:
        return campaign_settings.settings_of(session.scalars(select(Campaign)).one())


def test_the_console_form_changes_every_setting_and_leaves_its_trace(
    organizer: TestClient, db: Database, rents: Campaign
) -> None:
    wanted = dict.fromkeys(SWITCHES, "yes")
    answer = send(
        organizer, PAGE, **wanted, signs_per_minute="90", embed_origins="https://Partner.example.org/\nhttps://b.example:8443"
    )  # fmt: skip

    assert answer.headers["location"] == "/console/campaigns/rents?done=settings"
    assert settings_now(db) == {
        **dict.fromkeys(SWITCHES, True),
        "reply_mode": "alias",
        "signs_per_minute": 90,
        "embed_origins": ["https://partner.example.org", "https://b.example:8443"],
    }
    with db.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign.set"))
    assert (entry.before["edit_body"], entry.after["edit_body"]) == (False, True)
    shown = fields(organizer, PAGE, PAGE)
    assert (shown["edit_body"], shown["signs_per_minute"]) == ("yes", "90")
    assert send(organizer, PAGE).status_code == 303
    with db.read() as session:  # the same again is no change
        assert len(session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign.set")).all()) == 1


def test_what_cannot_be_is_said_beside_its_field_and_changes_nothing(
    organizer: TestClient, db: Database, rents: Campaign
) -> None:
    answer = send(organizer, PAGE, signs_per_minute="many", embed_origins="http://partner.example.org/page")
    assert answer.status_code == 422
    assert "is no number from 1 to" in answer.text
    assert "is not the address of a site" in answer.text
    assert "http://partner.example.org/page</textarea>" in answer.text

    answer = send(organizer, PAGE, high_risk="yes", reply_mode="direct")
    assert answer.status_code == 422
    assert "no office learns a signer’s address" in answer.text.replace("&#39;", "’")
    assert settings_now(db)["high_risk"] is False


@pytest.mark.parametrize(
    "text", ["https://*.example.org", "https://a.example/x", "//a.example", "https://u:p@a.example", "https://a..b",
             "javascript:alert(1)", "https://a.example; script-src *", "https://a.example:99999", "https://[::1"]
)  # fmt: skip
def test_only_whole_sites_over_https_may_frame_a_page(text: str) -> None:
    with pytest.raises(BadInput):
        read("embed_origins", text)


def test_the_command_line_sets_what_it_is_told_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("OUTREACH_DATABASE_URL", raising=False)
    page = tmp_path / "page.txt"
    page.write_text((Path(__file__).parents[2] / "examples" / "keep-the-night-bus.txt").read_text())

    def run(*words: str) -> dict[str, object]:
        return json.loads(CliRunner().invoke(campaign_cli.app, [*words, "--json"]).stdout)  # type: ignore[no-any-return]

    slug = str(run("import", str(page))["campaigns"][0]["slug"])  # type: ignore[index]
    done = run("set", slug, "--edit-body", "on", "--signs-per-minute", "none")
    assert done == {"slug": slug, **run("show", slug)["settings"]}  # type: ignore[dict-item]
    assert [name for name in SETTINGS if done[name] is True] == ["edit_body"]
    assert "edit_body\ton" in CliRunner().invoke(campaign_cli.app, ["set", slug, "--edit-body", "on"]).stdout
    assert CliRunner().invoke(campaign_cli.app, ["set", slug]).exit_code == 2
    refused = CliRunner().invoke(campaign_cli.app, ["set", slug, "--high-risk", "perhaps"]).exception
    assert isinstance(refused, BadInput)
    assert refused.where == "--high-risk"


def test_an_organizer_says_where_an_ask_leads_and_a_new_import_keeps_it(
    organizer: TestClient, db: Database, now: datetime
) -> None:
    text = (Path(__file__).parents[2] / "examples" / "keep-the-night-bus.txt").read_text()
    slug = imported(db, text, now)
    settings, links = f"/console/campaigns/{slug}/settings", f"/console/campaigns/{slug}/links"

    answer = send(organizer, settings, links, **{"link-1": "https://example.org/line?no=12", "link-2": "javascript:x"})
    assert answer.status_code == 422
    assert "is no web address" in answer.text
    assert 'value="javascript:x"' in answer.text
    assert send(organizer, settings, links, **{"link-1": "https://example.org/line?no=12"}).status_code == 303
    assert imported(db, text.replace("seven days a week", "on every day"), now) == slug
    assert fields(organizer, settings, links)["link-1"] == "https://example.org/line?no=12"
    assert 'href="https://example.org/line?no=12"' in organizer.get(f"/c/{slug}").text


def imported(db: Database, text: str, now: datetime) -> str:
    """Take the page and publish it; the campaign's slug."""
    with db.begin() as session:
        page, hash_ = pages.read_page(text, name="page"), pages.fingerprint(text, name="page")
        slug = campaigns.take_page(session, page, source_hash=hash_, now=now, actor="test").campaign.slug
        campaigns.publish(session, slug, now=now, actor="test")
        return slug
