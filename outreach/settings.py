"""Every setting, read from the environment once, at start. A wrong value stops the program with one line."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

from . import faultpoints
from .errors import WrongSetting

PREFIX = "OUTREACH_"
T = TypeVar("T")

#: Values people copy from examples. None of them guards anything.
_SAMPLES = ("changeme", "change-me", "secret", "password", "example", "default")


@dataclass(frozen=True)
class Settings:
    """What the engine runs with. Secrets never show in `repr`. Make one with `Settings.from_env()`."""

    data_dir: Path = Path("var")
    database_url: str = field(default="", repr=False)  #: "" means SQLite in `data_dir`
    redis_url: str = field(default="", repr=False)  #: "" means the embedded server in `data_dir`
    secret_key: str = field(default="", repr=False)
    base_url: str = "http://127.0.0.1:8000"
    env: str = "production"  #: goes along as `oe_env`, so that two engines on one account do not mix

    transport: str = "mailbox"
    sendgrid_api_key: str = field(default="", repr=False)
    sendgrid_host: str = "https://api.sendgrid.com"
    sendgrid_event_keys: tuple[str, ...] = ()
    sendgrid_inbound_keys: tuple[str, ...] = ()  #: of the signed Inbound Parse webhook
    inbound_secret: str = field(default="", repr=False)  #: in the path of the inbound webhook, or its password
    sendgrid_logs: bool = False  #: whether its log may be asked about mails in doubt
    sendgrid_sandbox: bool = False  #: SendGrid looks at every mail and sends none; they end as "simulated"
    smtp_url: str = field(default="", repr=False)
    smtp_verp: bool = True  #: each mail by SMTP has a return address of its own at `reply_domain`, for its bounces
    mailbox_dir: Path = Path("var/mail")
    fallback_transport: str = ""  #: by which mail leaves while the first way out is closed; "" is none
    fallback_share: int = 0  #: of 100 batches, how many leave by it even so, to keep its reputation warm
    fallback_per_day: int = 0  #: mails a day (UTC) it may carry; 0 is no limit

    organisation: str = "Outreach"
    mail_domain: str = "outreach.example.org"
    letters_from: str = "letters@letters.outreach.example.org"
    act_from: str = "act@act.outreach.example.org"
    news_from: str = "news@news.outreach.example.org"
    reply_domain: str = "replies.outreach.example.org"
    help_address: str = "help@outreach.example.org"
    postal_address: str = ""
    exit_url: str = "https://www.wikipedia.org"  #: where "Leave this page quickly" leads

    mailbox_per_hour: int = 30
    mailbox_per_day: int = 300
    bundle_over: int = 0  #: a mailbox for which more letters wait gets one bundle a day instead; 0 is never
    max_wait_days: int = 30  #: a letter that would wait longer for its mailbox is worth a warning
    office_hours: str = "08:00-18:00"
    office_days: str = "mon-fri"
    zone: str = "UTC"
    undo_seconds: int = 60
    canary: int = 20  #: mails of a planned wave that go first; 0 is all at once
    mails_per_week: int = 3  #: mailings and follow-ups to one signer, over all campaigns
    reminders: int = 2  #: follow-ups about one signature that waits to be confirmed

    reply_days: int = 180  #: how long after a letter left its answers are taken
    replies_per_day: int = 10  #: answers to one letter that are kept within a day; more are dropped and counted
    forwards_per_letter: int = 5  #: answers to one letter that are mailed to its signer

    keep_unconfirmed_days: int = 7
    keep_risky_days: int = 7  #: the words of a signer at risk, where no report says that the letter was delivered
    keep_words_days: int = 28  #: own words, after all letters of the signature have left
    keep_closed_days: int = 183  #: signers' names, after the campaign was closed
    keep_reports_days: int = 90
    keep_networks_days: int = 30  #: the keyed hash of the network a sign form came from
    keep_replies_days: int = 365  #: answers, with the mails they came in

    handovers: int = 64  #: mails one worker process has in the air at once
    batch: int = 500  #: deliveries claimed at once
    lease_seconds: int = 120
    provider_timeout: float = 10.0
    retry_base_seconds: float = 30.0
    workers: int = 2  #: worker processes under `outreach up`
    host: str = "127.0.0.1"
    port: int = 8000
    web_processes: int = 1  #: that serve the pages side by side
    trusted_hops: int = 0  #: proxies of ours in front of the web process
    hsts: str = "subdomains"  #: for how much of us browsers insist on https: "subdomains" too, the "host" alone, "off"
    signs_per_minute: int = 30  #: sign forms taken per minute from one network address; a third without proof of work
    campaign_signs_per_minute: int = (
        3000  #: to one campaign, unless it says otherwise, before they must prove themselves
    )
    domain_signs_per_minute: int = 20  #: from addresses of one mail domain, before they must prove themselves
    proof_of_work: str = "auto"  #: "on": from every sign form; "auto": only over these limits; "off"
    confirmations_per_day: int = 3  #: confirmation mails to one address a day, over all campaigns

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
        """Read `OUTREACH_…`; raise WrongSetting naming the setting, what is wrong and an example."""
        given: dict[str, str] = {}
        if dotenv is not None and dotenv.is_file():
            given.update({k: v for k, v in dotenv_values(dotenv).items() if v is not None})
        given.update(os.environ if environ is None else environ)
        faultpoints.require_test(given)
        # An empty value is no value: that is how a compose file or a shell says "as if it were not there".
        return _read({k[len(PREFIX) :]: v for k, v in given.items() if k.startswith(PREFIX) and v != ""})

    @property
    def database(self) -> str:
        """The database's address; SQLite in the data folder unless one is set."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'outreach.db').resolve()}"

    @property
    def uses_sendgrid(self) -> bool:
        """Whether mail leaves by SendGrid, always or at times."""
        return "sendgrid" in (self.transport, self.fallback_transport)

    @property
    def asks_log(self) -> bool:
        """Whether SendGrid's log is asked about mails in doubt."""
        return self.sendgrid_logs and bool(self.sendgrid_api_key)

    @property
    def takes_posted_mail(self) -> bool:
        """Whether anybody can prove that they may post mails to us."""
        return bool(self.inbound_secret or self.sendgrid_inbound_keys)

    @property
    def is_embedded(self) -> bool:
        """Whether this is the one-machine shape that needs no servers of its own."""
        return self.database.startswith("sqlite")


def _wrong(name: str, problem: str, example: str) -> WrongSetting:
    return WrongSetting(problem, where=PREFIX + name, advice=f"For example {PREFIX}{name}={example}")


def _whole(low: int, high: int, example: str) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not re.fullmatch(r"-?\d{1,9}", text.strip()):
            raise _wrong(name, "is not a whole number.", example)
        if not low <= int(text) <= high:
            raise _wrong(name, f"must be between {low} and {high}.", example)
        return int(text)

    return read


def _number(low: float, high: float, example: str) -> Callable[[str, str], float]:
    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise _wrong(name, "is not a number.", example) from None
        if not low <= value <= high:
            raise _wrong(name, f"must be between {low:g} and {high:g}.", example)
        return value

    return read


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise _wrong(name, f"must be one of {', '.join(choices)}.", choices[0])
        return text

    return read


def _switch(name: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise _wrong(name, "must be 0 or 1.", "1")
    return text == "1"


def _url(*schemes: str, example: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        try:
            parts = urlsplit(text)
            port = parts.port  # raises ValueError when it is no port
        except ValueError:
            raise _wrong(name, "is not an address that can be read.", example) from None
        if parts.scheme not in schemes:
            raise _wrong(name, f"must begin with {' or '.join(s + '://' for s in schemes)}.", example)
        if not parts.hostname and not parts.path.strip("/"):
            raise _wrong(name, "names no host.", example)
        del port
        return text.rstrip("/") if parts.scheme in ("http", "https") else text

    return read


def _database(name: str, text: str) -> str:
    example = "postgresql+psycopg://outreach:…@localhost/outreach"
    if text.startswith("postgres://"):
        text = "postgresql://" + text[len("postgres://") :]
    if text.startswith("postgresql://"):
        text = "postgresql+psycopg://" + text[len("postgresql://") :]
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise _wrong(name, "must begin with sqlite:/// or postgresql://.", example)
    return text


def _address(name: str, text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}@([a-z0-9-]+\.)+[a-z0-9-]{2,}", text):
        raise _wrong(name, "is not a plain mail address.", "letters@letters.example.org")
    return text


def _domain(name: str, text: str) -> str:
    if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]{2,}", text):
        raise _wrong(name, "is not a domain name.", "example.org")
    return text


def _zone(name: str, text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise _wrong(name, "is not an IANA time zone.", "America/New_York") from None
    return text


def _hours(name: str, text: str) -> str:
    ok = re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)", text)
    if text != "always" and (not ok or text[:5] >= text[6:]):
        raise _wrong(name, "is not a span of hours within a day, nor “always”.", "08:00-18:00")
    return text


def _secret(name: str, text: str) -> str:
    if len(text) < 32 or any(text.lower().startswith(s) for s in _SAMPLES) or len(set(text)) < 8:
        raise _wrong(name, "must be at least 32 random characters.", "$(openssl rand -hex 32)")
    return text


def _path_secret(name: str, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{24,200}", text):
        raise _wrong(name, "must be 24 or more letters and digits: it stands in an address.", "$(openssl rand -hex 24)")
    return text


def _path(name: str, text: str) -> Path:
    if not text.strip():
        raise _wrong(name, "is empty.", "./var")
    return Path(text)


def _text(limit: int) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if len(text) > limit or any(ord(c) < 32 for c in text):
            raise _wrong(name, f"must be one line of at most {limit} characters.", "“Fair Homes Union”")
        return text.strip()

    return read


def _keys(name: str, text: str) -> tuple[str, ...]:
    keys = tuple(k.strip() for k in text.split(",") if k.strip())
    if any(not re.fullmatch(r"[A-Za-z0-9+/]{80,}={0,2}", k) for k in keys):
        raise _wrong(name, "must be base64 public keys, separated by commas.", "MFkwEwYHKoZIzj0CAQYI…")
    return keys


_READERS: dict[str, Callable[[str, str], Any]] = {
    "DATA_DIR": _path,
    "DATABASE_URL": _database,
    "REDIS_URL": _url("redis", "rediss", "unix", example="redis://localhost:6379/0"),
    "SECRET_KEY": _secret,
    "BASE_URL": _url("http", "https", example="https://act.example.org"),
    "ENV": _text(40),
    "TRANSPORT": _one_of("mailbox", "sendgrid", "smtp"),
    "SENDGRID_API_KEY": _text(200),
    "SENDGRID_HOST": _url("https", "http", example="https://api.eu.sendgrid.com"),
    "SENDGRID_EVENT_KEYS": _keys,
    "SENDGRID_INBOUND_KEYS": _keys,
    "INBOUND_SECRET": _path_secret,
    "SENDGRID_LOGS": _switch,
    "SENDGRID_SANDBOX": _switch,
    "SMTP_VERP": _switch,
    "SMTP_URL": _url("smtp", "smtps", example="smtp://user:pass@mail.example.org:587?starttls=1"),
    "MAILBOX_DIR": _path,
    "FALLBACK_TRANSPORT": _one_of("smtp", "sendgrid"),  # a folder is no way to an office
    "FALLBACK_SHARE": _whole(0, 100, "5"),
    "FALLBACK_PER_DAY": _whole(0, 10_000_000, "500"),
    "ORGANISATION": _text(60),
    "MAIL_DOMAIN": _domain,
    "LETTERS_FROM": _address,
    "ACT_FROM": _address,
    "NEWS_FROM": _address,
    "REPLY_DOMAIN": _domain,
    "HELP_ADDRESS": _address,
    "EXIT_URL": _url("https", example="https://www.wikipedia.org"),
    "POSTAL_ADDRESS": _text(200),
    "MAILBOX_PER_HOUR": _whole(1, 100_000, "30"),
    "MAILBOX_PER_DAY": _whole(1, 1_000_000, "300"),
    "BUNDLE_OVER": _whole(0, 1_000_000, "1000"),
    "MAX_WAIT_DAYS": _whole(1, 3650, "30"),
    "OFFICE_HOURS": _hours,
    "OFFICE_DAYS": _one_of("mon-fri", "all"),
    "ZONE": _zone,
    "UNDO_SECONDS": _whole(0, 600, "60"),
    "CANARY": _whole(0, 1000, "20"),
    "MAILS_PER_WEEK": _whole(1, 100, "3"),
    "REMINDERS": _whole(0, 10, "2"),
    "REPLY_DAYS": _whole(1, 3650, "180"),
    "REPLIES_PER_DAY": _whole(1, 1000, "10"),
    "FORWARDS_PER_LETTER": _whole(0, 1000, "5"),
    "KEEP_UNCONFIRMED_DAYS": _whole(7, 3650, "7"),
    "KEEP_RISKY_DAYS": _whole(0, 3650, "7"),
    "KEEP_WORDS_DAYS": _whole(1, 3650, "28"),
    "KEEP_CLOSED_DAYS": _whole(1, 3650, "183"),
    "KEEP_REPORTS_DAYS": _whole(1, 3650, "90"),
    "KEEP_NETWORKS_DAYS": _whole(1, 3650, "30"),
    "KEEP_REPLIES_DAYS": _whole(1, 3650, "365"),
    "HANDOVERS": _whole(1, 256, "64"),
    "BATCH": _whole(1, 2000, "500"),
    "LEASE_SECONDS": _whole(5, 3600, "120"),
    "PROVIDER_TIMEOUT": _number(0.2, 60, "10"),
    "RETRY_BASE_SECONDS": _number(0.1, 3600, "30"),
    "WORKERS": _whole(1, 64, "2"),
    "HOST": _text(100),
    "PORT": _whole(1, 65535, "8000"),
    "WEB_PROCESSES": _whole(1, 64, "2"),
    "TRUSTED_HOPS": _whole(0, 5, "1"),
    "HSTS": _one_of("subdomains", "host", "off"),
    "SIGNS_PER_MINUTE": _whole(1, 1_000_000, "30"),
    "CAMPAIGN_SIGNS_PER_MINUTE": _whole(1, 1_000_000, "3000"),
    "DOMAIN_SIGNS_PER_MINUTE": _whole(1, 1_000_000, "20"),
    "PROOF_OF_WORK": _one_of("auto", "on", "off"),
    "CONFIRMATIONS_PER_DAY": _whole(1, 100, "3"),
}


def _read(given: dict[str, str]) -> Settings:
    values = {name.lower(): read(name, given[name]) for name, read in _READERS.items() if name in given}
    if "mail_domain" in values:  # the streams live on subdomains of it unless they are named one by one
        domain = values["mail_domain"]
        for name in ("letters", "act", "news"):
            values.setdefault(f"{name}_from", f"{name}@{name}.{domain}")
        values.setdefault("reply_domain", f"replies.{domain}")
        values.setdefault("help_address", f"help@{domain}")
    if "data_dir" in values:
        values.setdefault("mailbox_dir", values["data_dir"] / "mail")
    if "port" in values:  # links in mails must lead to where the pages are
        values.setdefault("base_url", f"http://127.0.0.1:{values['port']}")
    settings = Settings(**values)
    ways = (("TRANSPORT", settings.transport), ("FALLBACK_TRANSPORT", settings.fallback_transport))
    for name, way in ways:
        if way == "sendgrid" and not settings.sendgrid_api_key:
            raise _wrong("SENDGRID_API_KEY", f"is missing, and {PREFIX}{name} is sendgrid.", "SG.…")
        if way == "smtp" and not settings.smtp_url:
            raise _wrong(
                "SMTP_URL", f"is missing, and {PREFIX}{name} is smtp.", "smtp://mail.example.org:587?starttls=1"
            )
    if settings.fallback_transport == settings.transport:
        raise _wrong("FALLBACK_TRANSPORT", f"is {PREFIX}TRANSPORT itself.", "smtp")
    if settings.lease_seconds < settings.provider_timeout * 2:
        raise _wrong("LEASE_SECONDS", "must be at least twice OUTREACH_PROVIDER_TIMEOUT.", "120")
    if not settings.secret_key:
        if not settings.is_embedded:
            raise _wrong("SECRET_KEY", "is missing; every process needs the same one.", "$(openssl rand -hex 32)")
        settings = _with_kept_secret(settings)
    return settings


def _with_kept_secret(settings: Settings) -> Settings:
    """On one machine nobody should have to invent a key: make it once and keep it in the data folder."""
    from dataclasses import replace

    path = settings.data_dir / "secret_key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_hex(32))
        key = path.read_text().strip()
    except OSError as error:
        raise _wrong("DATA_DIR", f"cannot be written ({error.strerror}).", "./var") from None
    if len(key) < 32:
        raise WrongSetting(f"{path} is damaged.", where=PREFIX + "SECRET_KEY", advice="Delete it to get a new one.")
    return replace(settings, secret_key=key)
