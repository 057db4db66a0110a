"""Settings are read once, at start; a wrong one is one line that names it, says why, and shows a right one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from outreach import settings as settings_module
from outreach.errors import WrongSetting
from outreach.settings import PREFIX, Settings

KEY = "0123456789abcdefghijklmnopqrstuvwxyz-test"


def read(**given: str) -> Settings:
    return Settings.from_env({PREFIX + k: v for k, v in {"SECRET_KEY": KEY, **given}.items()}, dotenv=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/outreach"),
        ("REDIS_URL", "cache:6379"),
        ("REDIS_URL", "redis://localhost:port"),
        ("SECRET_KEY", "changeme-changeme-changeme-changeme-changeme"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("BASE_URL", "act.here.test"),
        ("TRANSPORT", "pigeon"),
        ("SENDGRID_EVENT_KEYS", "not a key"),
        ("SMTP_URL", "mx.here.test"),
        ("MAIL_DOMAIN", "no domain"),
        ("LETTERS_FROM", "Letters <letters@example.org>"),
        ("LETTERS_FROM", "letters@example.org\nBcc: someone@example.org"),
        ("ORGANISATION", "Two\nlines"),
        ("MAILBOX_PER_HOUR", "-3"),
        ("MAILBOX_PER_HOUR", "many"),
        ("OFFICE_HOURS", "18:00-08:00"),
        ("OFFICE_HOURS", "8-18"),
        ("OFFICE_DAYS", "weekdays"),
        ("ZONE", "Springfield"),
        ("ZONE", "../../etc/passwd"),
        ("PROVIDER_TIMEOUT", "nan"),
        ("PORT", "80000"),
        ("WORKERS", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_an_example(name: str, value: str) -> None:
    with pytest.raises(WrongSetting) as told:
        read(**{name: value})

    assert told.value.where == PREFIX + name
    assert told.value.advice.startswith(f"For example {PREFIX}{name}=")
    assert "\n" not in str(told.value)
    assert value not in str(told.value), "the value may be a secret"


def test_everything_has_a_default_that_works() -> None:
    settings = read()

    assert settings.is_embedded
    assert settings.transport == "mailbox"
    assert settings.database.startswith("sqlite:////")


def test_an_empty_value_is_no_value() -> None:
    assert read(REDIS_URL="", BATCH="") == read()


@pytest.mark.parametrize(
    ("transport", "missing"), [("sendgrid", "OUTREACH_SENDGRID_API_KEY"), ("smtp", "OUTREACH_SMTP_URL")]
)
def test_c21_a_way_out_that_lacks_its_key_does_not_start(transport: str, missing: str) -> None:
    with pytest.raises(WrongSetting) as told:
        read(TRANSPORT=transport)

    assert told.value.where == missing


def test_plain_postgres_addresses_get_the_driver_that_is_installed() -> None:
    assert read(DATABASE_URL="postgres://u@h/d").database == "postgresql+psycopg://u@h/d"
    assert read(DATABASE_URL="postgresql://u@h/d").database == "postgresql+psycopg://u@h/d"


def test_the_streams_live_on_subdomains_of_the_mail_domain_unless_named() -> None:
    settings = read(MAIL_DOMAIN="fair.example.org", NEWS_FROM="hello@news.example.com")

    assert settings.letters_from == "letters@letters.fair.example.org"
    assert settings.reply_domain == "replies.fair.example.org"
    assert settings.news_from == "hello@news.example.com"


def test_links_lead_to_the_port_that_is_served_unless_an_address_is_given() -> None:
    assert read(PORT="8123").base_url == "http://127.0.0.1:8123"
    assert read(PORT="8123", BASE_URL="https://act.example.org/").base_url == "https://act.example.org"


def test_a_server_database_needs_a_secret_key_of_its_own() -> None:
    with pytest.raises(WrongSetting) as told:
        Settings.from_env({PREFIX + "DATABASE_URL": "postgresql://u@h/d"}, dotenv=None)

    assert told.value.where == "OUTREACH_SECRET_KEY"


def test_on_one_machine_the_secret_key_is_made_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    environ = {PREFIX + "DATA_DIR": str(tmp_path / "var")}

    first = Settings.from_env(environ, dotenv=None)
    again = Settings.from_env(environ, dotenv=None)

    assert first.secret_key == again.secret_key
    assert len(first.secret_key) >= 64
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"OUTREACH_BATCH=10\nOUTREACH_WORKERS=3\nOUTREACH_SECRET_KEY={KEY}\n")

    settings = Settings.from_env({PREFIX + "BATCH": "20"}, dotenv=file)

    assert (settings.batch, settings.workers) == (20, 3)


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = read(
        DATABASE_URL="postgresql://u:hidden-1@h/d",
        REDIS_URL="redis://:hidden-2@h",
        SENDGRID_API_KEY="SG.hidden-3",
        SMTP_URL="smtp://u:hidden-4@h",
    )

    assert "hidden" not in repr(settings)
    assert KEY not in repr(settings)


def test_a_lease_must_outlast_the_provider() -> None:
    with pytest.raises(WrongSetting) as told:
        read(LEASE_SECONDS="10", PROVIDER_TIMEOUT="10")

    assert told.value.where == "OUTREACH_LEASE_SECONDS"


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (
            {"TRANSPORT": "smtp", "SMTP_URL": "smtp://m.example.org", "FALLBACK_TRANSPORT": "sendgrid"},
            "SENDGRID_API_KEY",
        ),
        ({"TRANSPORT": "sendgrid", "SENDGRID_API_KEY": "SG.x", "FALLBACK_TRANSPORT": "smtp"}, "SMTP_URL"),
        ({"TRANSPORT": "sendgrid", "SENDGRID_API_KEY": "SG.x", "FALLBACK_TRANSPORT": "sendgrid"}, "FALLBACK_TRANSPORT"),
        ({"FALLBACK_TRANSPORT": "mailbox"}, "FALLBACK_TRANSPORT"),
        ({"SENDGRID_SANDBOX": "yes"}, "SENDGRID_SANDBOX"),
    ],
)
def test_c21_a_way_to_fall_back_on_that_could_not_carry_anything_does_not_start(
    given: dict[str, str], where: str
) -> None:
    with pytest.raises(WrongSetting) as told:
        read(**given)
    assert told.value.where == f"OUTREACH_{where}"


def test_the_operating_page_names_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    assert [name for name in settings_module._READERS if f"`{name}`" not in page] == []
