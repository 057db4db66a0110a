"""The doctor tells what is wrong before mail does, and shows no secret while doing so."""

from __future__ import annotations

import json
import os
import smtplib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from outreach import heartbeats
from outreach.cli.doctor import doctor
from outreach.doctor import Finding, Verdict, examine, way_out
from outreach.doctor.machine import look_at_settings, shown
from outreach.doctor.servers import look_at_servers
from outreach.doctor.way_out import look_at_domains, look_at_transport
from outreach.models import Database
from outreach.settings import Settings
from tests.conftest import make_settings
from tests.servers import free_port, redis_server

Names = dict[tuple[str, str], list[str] | None]
KEY = "SG." + "a" * 22 + "." + "b" * 43


def verdicts(findings: list[Finding]) -> dict[str, Verdict]:
    return {f.about: f.verdict for f in findings}


def domains(settings: Settings, names: Names) -> dict[str, Verdict]:
    return verdicts(list(look_at_domains(settings, lambda name, kind: names.get((name, kind), []))))


@pytest.fixture
def sendgrid(tmp_path: Path) -> Settings:
    return make_settings(
        tmp_path,
        transport="sendgrid",
        sendgrid_api_key=KEY,
        mail_domain="fairhomes.test",
        base_url="https://act.fairhomes.test",
    )


WELL_KEPT: Names = {
    (f"{name}.{stream}.fairhomes.test", kind): records
    for stream in ("letters", "act", "news")
    for name, kind, records in (("s1._domainkey", "CNAME", ["s1.domainkey.u1.wl.provider.test."]),)
} | {
    ("letters.fairhomes.test", "TXT"): ["something else", "v=spf1 include:provider.test -all"],
    ("act.fairhomes.test", "TXT"): ["v=spf1 include:provider.test -all"],
    ("news.fairhomes.test", "CNAME"): ["u1.wl.provider.test."],
    ("_dmarc.fairhomes.test", "TXT"): ["v=DMARC1; p=reject"],
    ("replies.fairhomes.test", "MX"): ["10 mx.provider.test."],
}


def test_c20_a_sandbox_that_sends_nothing_is_pointed_out(sendgrid: Settings) -> None:
    assert "sendgrid sandbox" not in verdicts(list(look_at_transport(sendgrid, online=False)))
    found = verdicts(list(look_at_transport(replace(sendgrid, sendgrid_sandbox=True), online=False)))
    assert found["sendgrid sandbox"] is Verdict.WARN


def test_the_way_to_fall_back_on_is_looked_at_too(sendgrid: Settings) -> None:
    way = replace(sendgrid, fallback_transport="smtp", smtp_url=f"smtp://127.0.0.1:{free_port()}")
    assert verdicts(list(look_at_transport(way, online=False)))["smtp"] is Verdict.FAIL


def test_well_kept_domains_pass(sendgrid: Settings) -> None:
    found = domains(sendgrid, WELL_KEPT)

    assert len(found) == 10
    assert set(found.values()) == {Verdict.PASS}


@pytest.mark.parametrize(
    ("name", "kind", "records", "about", "verdict"),
    [
        ("act.fairhomes.test", "TXT", [], "SPF of act.fairhomes.test", Verdict.WARN),
        ("act.fairhomes.test", "TXT", ["v=spf1 -all", "v=spf1 +all"], "SPF of act.fairhomes.test", Verdict.FAIL),
        ("s1._domainkey.act.fairhomes.test", "CNAME", [], "DKIM of act.fairhomes.test", Verdict.FAIL),
        ("_dmarc.fairhomes.test", "TXT", [], "DMARC of news.fairhomes.test", Verdict.WARN),
        ("replies.fairhomes.test", "MX", [], "MX of replies.fairhomes.test", Verdict.WARN),
        ("replies.fairhomes.test", "MX", None, "MX of replies.fairhomes.test", Verdict.WARN),
        ("replies.fairhomes.test", "MX", ["10 mx.sendgrid.net."], "MX of replies.fairhomes.test", Verdict.WARN),
    ],
)
def test_a_record_that_is_missing_or_wrong_is_told(
    sendgrid: Settings, name: str, kind: str, records: list[str] | None, about: str, verdict: Verdict
) -> None:
    assert domains(sendgrid, {**WELL_KEPT, (name, kind): records})[about] is verdict


def test_without_name_servers_nothing_is_called_wrong(sendgrid: Settings) -> None:
    found = list(look_at_domains(sendgrid, lambda _name, _kind: None))

    assert {f.verdict for f in found} == {Verdict.WARN}
    assert {f.seen for f in found} == {"Could not be looked up."}


def test_sending_as_an_example_domain_fails_and_a_rehearsal_only_warns(tmp_path: Path) -> None:
    real = make_settings(tmp_path, transport="smtp", smtp_url="smtp://mail.fairhomes.test")
    rehearsal = make_settings(tmp_path, transport="smtp", smtp_url="smtp://127.0.0.1:2525")

    assert domains(real, {}) == {"sender domains": Verdict.FAIL}
    assert domains(rehearsal, {}) == {"sender domains": Verdict.WARN}


def test_the_mailbox_needs_no_names(tmp_path: Path) -> None:
    assert domains(make_settings(tmp_path), {}) == {}


def test_a_mailbox_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    settings = make_settings(tmp_path, mailbox_dir=str(tmp_path / "mail"))

    assert verdicts(list(look_at_transport(settings, online=False))) == {"mailbox": Verdict.FAIL}


def test_an_smtp_server_that_is_away_fails_and_its_password_is_not_shown(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, transport="smtp", smtp_url=f"smtp://u:hidden@127.0.0.1:{free_port()}")

    (finding,) = look_at_transport(settings, online=False)

    assert finding.verdict is Verdict.FAIL
    assert "hidden" not in f"{finding}{shown(settings)}"


def test_a_password_in_the_clear_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        ehlo = starttls = lambda self, **_: (250, b"")
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

    monkeypatch.setattr(smtplib, "SMTP", lambda *_, **__: Server())
    for query, verdict in (("", Verdict.FAIL), ("?starttls=1", Verdict.PASS)):
        settings = make_settings(tmp_path, transport="smtp", smtp_url=f"smtp://u:pw@mail.fairhomes.test{query}")
        assert verdicts(list(look_at_transport(settings, online=False))) == {"smtp": verdict}


@pytest.mark.parametrize(
    ("status", "scopes", "verdict"),
    [(200, ["mail.send"], Verdict.PASS), (200, ["stats.read"], Verdict.FAIL), (401, [], Verdict.FAIL)],
)
def test_online_the_provider_is_asked_whether_the_key_may_send(
    sendgrid: Settings, monkeypatch: pytest.MonkeyPatch, status: int, scopes: list[str], verdict: Verdict
) -> None:
    asked = []

    class Pool:
        __init__ = lambda self, **_: None  # noqa: E731
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

        def request(self, method: str, url: str, headers: dict[str, str]) -> SimpleNamespace:
            asked.append((method, url, headers["Authorization"]))
            return SimpleNamespace(status=status, json=lambda: {"scopes": scopes})

    monkeypatch.setattr(way_out.urllib3, "PoolManager", Pool)

    found = list(look_at_transport(sendgrid, online=True))

    assert found[0].verdict is verdict
    assert asked == [("GET", "https://api.sendgrid.com/v3/scopes", f"Bearer {KEY}")]
    assert KEY not in str(found)


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"base_url": "http://act.fairhomes.test", "env": "production"}, Verdict.FAIL),
        ({"base_url": "http://act.fairhomes.test", "env": "staging"}, Verdict.PASS),
        ({"base_url": "https://act.fairhomes.test", "env": "production"}, Verdict.PASS),
        ({"transport": "smtp", "smtp_url": "smtp://mail.fairhomes.test"}, Verdict.FAIL),
        ({}, Verdict.PASS),
    ],
)
def test_links_in_mails_must_lead_somewhere_safe(tmp_path: Path, more: dict[str, str], verdict: Verdict) -> None:
    found = verdicts(list(look_at_settings(make_settings(tmp_path, **more), environ={})))

    assert found["base url"] is verdict


def test_a_misspelt_setting_is_found_and_its_right_name_offered(tmp_path: Path) -> None:
    found = list(look_at_settings(make_settings(tmp_path), environ={"OUTREACH_BASE_ULR": "x", "HOME": "/"}))

    assert [f.advice for f in found if f.about == "settings"] == ["Did you mean OUTREACH_BASE_URL?"]


def test_no_secret_is_among_the_values_shown(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path,
        database_url="postgresql://u:hidden@db.example.org/outreach",
        redis_url="redis://:hidden@cache.example.org/1",
        smtp_url="smtps://u:hidden@mail.example.org",
        sendgrid_api_key="SG.hidden",
    )

    values = shown(settings)

    assert "hidden" not in str(values)
    assert settings.secret_key not in str(values)
    assert values["OUTREACH_REDIS_URL"] == "redis://…@cache.example.org/1"
    assert values["OUTREACH_BATCH"] == "500"


@pytest.mark.servers
def test_a_running_engine_passes(with_settings: Callable[..., Settings], db: Database, tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as (url, _):
        settings, now = with_settings(redis_url=url), db.now()
        with db.begin() as session:
            heartbeats.beat(session, "worker:here:1", kind="worker", now=now)
            heartbeats.beat(session, "beat:here:2", kind="beat", now=now)
        found = verdicts(list(look_at_servers(settings)))

    database = found.pop("database")
    assert set(found.values()) == {Verdict.PASS}
    # The tests' own PostgreSQL runs without fsync, which is exactly what the doctor is there to find.
    assert database is (Verdict.PASS if db.is_sqlite else Verdict.FAIL)


def test_a_worker_that_was_not_seen_lately_is_not_called_alive(settings: Settings, db: Database) -> None:
    with db.begin() as session:
        heartbeats.beat(session, "worker:here:1", kind="worker", now=db.now() - timedelta(minutes=5))

    assert verdicts(list(look_at_servers(settings)))["processes"] is Verdict.WARN


def test_a_database_at_another_step_fails(settings: Settings, db: Database) -> None:
    with db.begin() as session:
        session.execute(text("DELETE FROM alembic_version"))

    (finding,) = [f for f in look_at_servers(settings) if f.about == "migrations"]

    assert finding.verdict is Verdict.FAIL
    assert "outreach init" in finding.advice


def test_servers_that_are_away_are_each_one_line(tmp_path: Path) -> None:
    port = free_port()
    settings = make_settings(
        tmp_path, f"postgresql://u:hidden@127.0.0.1:{port}/x", redis_url=f"redis://:hidden@127.0.0.1:{port}"
    )

    found = list(look_at_servers(settings))

    assert [f.verdict for f in found] == [Verdict.FAIL, Verdict.FAIL]
    assert "hidden" not in str(found)


@pytest.mark.parametrize("transport", ["mailbox", "smtp"])
def test_the_command_answers_machines_and_exits_with_1_when_something_fails(
    tmp_path: Path, transport: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in os.environ if n.startswith("OUTREACH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_TRANSPORT", transport)
    monkeypatch.setenv("OUTREACH_SMTP_URL", f"smtp://127.0.0.1:{free_port()}")

    import typer

    with pytest.raises(typer.Exit) as ended:
        doctor(as_json=True)

    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is (transport == "mailbox")
    assert ended.value.exit_code == (0 if answer["ok"] else 1)
    assert {"about", "verdict", "seen", "advice"} <= set(answer["findings"][0])
    assert answer["settings"]["OUTREACH_TRANSPORT"] == transport


def test_it_looks_at_everything_without_changing_anything(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    examine(settings)

    assert not (settings.data_dir / "outreach.db").exists()
