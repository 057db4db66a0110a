"""The settings as they are read, and the machine they are read on."""

from __future__ import annotations

import difflib
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from packaging.version import Version

from outreach.doctor.findings import Finding, fail, good, warn
from outreach.settings import PREFIX, Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Older ones let templates out of their sandbox, or lack what the tables need.
_FLOORS = {"jinja2": "3.1.6", "celery": "5.7", "sqlalchemy": "2.1"}
_SQLITE_FLOOR = (3, 35)
_LITTLE, _TOO_LITTLE = 2**30, 100 * 2**20


def shown(settings: Settings) -> dict[str, str]:
    """Every setting's name and value; of a secret only whether it is set, of an address with a login only the rest."""
    return {
        PREFIX + field.name.upper(): _shown(field.name, getattr(settings, field.name)) for field in fields(Settings)
    }


def _shown(name: str, value: object) -> str:
    if name in ("secret_key", "sendgrid_api_key"):
        return "(set)" if value else "(not set)"
    if isinstance(value, tuple):
        return f"({len(value)} set)" if value else "(not set)"
    if name.endswith("_url") and value and name != "base_url":
        parts = urlsplit(str(value))
        login = "…@" if parts.username or parts.password else ""
        return f"{parts.scheme}://{login}{parts.netloc.rpartition('@')[2]}{parts.path}"
    return str(value)


def look_at_settings(settings: Settings, *, environ: dict[str, str] | None = None) -> Iterator[Finding]:
    """Names nobody reads, and values that are right in form and wrong in use."""
    yield from _unknown_names({**dotenv_values(), **os.environ} if environ is None else environ)
    yield _base_url(settings)
    yield _postal_address(settings)
    key_file = settings.data_dir / "secret_key"
    if key_file.exists() and stat.S_IMODE(key_file.stat().st_mode) & 0o077:
        yield fail("secret key", f"{key_file} can be read by others.", f"Run: chmod 600 {key_file}")


def _unknown_names(given: dict[str, str] | dict[str, str | None]) -> Iterator[Finding]:
    known = {PREFIX + field.name.upper() for field in fields(Settings)} | {"OUTREACH_TETHERED_TO"}
    for name in sorted(n for n in given if n.startswith(PREFIX) and n not in known):
        near = difflib.get_close_matches(name, known, 1)
        yield warn("settings", f"Nobody reads {name}.", f"Did you mean {near[0]}?" if near else "Remove it.")


def _base_url(settings: Settings) -> Finding:
    parts = urlsplit(settings.base_url)
    if parts.hostname in LOOPBACK:
        if settings.transport == "mailbox":
            return good("base url", f"{settings.base_url}, for use on this machine.")
        advice = "Set OUTREACH_BASE_URL to the address people reach the pages by."
        worst = fail if reaches_the_world(settings) else warn
        return worst("base url", "The links in mails would lead to the reader's own machine.", advice)
    if parts.scheme != "https" and settings.env == "production":
        advice = "Put a proxy with a certificate in front and set OUTREACH_BASE_URL=https://…"
        return fail(
            "base url", f"{settings.base_url} is not https: links with secrets would travel in the clear.", advice
        )
    return good("base url", settings.base_url)


def reaches_the_world(settings: Settings) -> bool:
    """Whether the provider is elsewhere. With one on this machine, a rehearsal maybe, faults are only warnings."""
    if settings.transport == "mailbox":
        return False
    url = settings.smtp_url if settings.transport == "smtp" else settings.sendgrid_host
    return urlsplit(url).hostname not in LOOPBACK


def _postal_address(settings: Settings) -> Finding:
    if settings.postal_address:
        return good("postal address", "Mailings carry one, as the law asks.")
    return warn("postal address", "Mailings would carry none; many laws ask for one.", "Set OUTREACH_POSTAL_ADDRESS.")


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """Versions that matter, and room to write."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield good("python", python) if sys.version_info >= (3, 11) else fail("python", python, "Use 3.11 or newer.")
    for name, floor in _FLOORS.items():
        here = version(name)
        fits = Version(here) >= Version(floor)
        yield good(name, here) if fits else fail(name, f"{here} is older than {floor}.", "Install from the lock file.")
    if settings.is_embedded:
        yield _sqlite_version()
    yield _disk(settings.data_dir)


def _sqlite_version() -> Finding:
    if sqlite3.sqlite_version_info >= _SQLITE_FLOOR:
        return good("sqlite", sqlite3.sqlite_version)
    return fail("sqlite", f"{sqlite3.sqlite_version} is older than 3.35.", "Use a newer Python or PostgreSQL.")


def _disk(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return fail("data folder", f"{folder} cannot be written.", "Name another with OUTREACH_DATA_DIR.")
    free = shutil.disk_usage(folder).free
    seen = f"{free / 2**30:.1f} GB are free in {folder}."
    if free < _TOO_LITTLE:
        return fail("data folder", seen, "Make room: a full disk stops signatures.")
    return warn("data folder", seen, "Make room soon.") if free < _LITTLE else good("data folder", seen)
