"""The one environment that makes pages: escaping everywhere, and an undefined name is an error, never a blank."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from outreach.domain.words import WIDTH
from outreach.keys import Keys
from outreach.models import Database
from outreach.paths import folder
from outreach.settings import Settings

STATIC = Path(__file__).resolve().parent / "static"


def settings_of(request: Request) -> Settings:
    """The settings this application was made with. Also a dependency, as the three below."""
    return request.app.state.settings  # type: ignore[no-any-return]


def db_of(request: Request) -> Database:
    return request.app.state.db  # type: ignore[no-any-return]


def keys_of(request: Request) -> Keys:
    return request.app.state.keys  # type: ignore[no-any-return]


def now_of(request: Request) -> datetime:
    """The moment this request acts at. Doors read the clock; verbs are given the time."""
    return request.app.state.now()  # type: ignore[no-any-return]


def environment(settings: Settings) -> Environment:
    """The page environment. Letters that organizers write are never rendered here (`merge.py` has its own)."""
    env = Environment(
        loader=FileSystemLoader(folder("templates") / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        organisation=settings.organisation,
        postal_address=settings.postal_address,
        help_address=settings.help_address,
        base_url=settings.base_url,
        test_mode=settings.transport == "mailbox",
        static=static,
    )
    env.filters.update(
        number=number,
        paragraphs=paragraphs,
        reflow=reflow,
        named=named,
        moment=moment,
        second=second,
        day=day,
        iso=iso,
        plural=plural,
    )
    return env


def page(
    request: Request,
    name: str,
    /,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
    **context: Any,
) -> Response:
    """An answer made of `templates/pages/{name}`. It is `no-store` unless `headers` say otherwise."""
    html = request.app.state.pages.get_template(name).render(request=request, **context)
    return HTMLResponse(html, status, dict(headers or {}), background=background)


@lru_cache(maxsize=64)
def static(name: str) -> str:
    """The path of a static file, with its own hash in it: it may be cached for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


def number(n: int) -> str:
    """12483 → "12,483"."""
    return f"{n:,}"


def plural(n: int, one: str, many: str = "") -> str:
    """ "1 signature", "12,483 signatures"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def paragraphs(text: str) -> list[list[str]]:
    """A text as paragraphs of lines: blank lines part paragraphs."""
    parts = (part.strip("\n").split("\n") for part in text.replace("\r\n", "\n").split("\n\n"))
    return [[line for line in lines if line.strip()] for lines in parts if any(line.strip() for line in lines)]


def reflow(text: str) -> str:
    """A text that was wrapped for mail, with its paragraphs whole again: a phone breaks lines where *it* needs to.

    A line was wrapped when the next one's first word would not have fitted.
    """
    lines: list[str] = []
    room = WIDTH + 1
    for line in text.split("\n"):
        words = line.split(" ")
        first = next((word for word in words if word), "")
        if lines and lines[-1] and first and room < len(first) + 1:
            lines[-1] += " " + line.lstrip(" ")
        else:
            lines.append(line)
        room = WIDTH - len(line)
    return "\n".join(lines)


def named(header: str) -> tuple[str, str]:
    """The name in an address header of a mail, without the quotation marks that parsers need, and the address."""
    name, _, address = header.rpartition("<")
    return re.sub(r'\\(.)|"', r"\1", name).strip(), address.removesuffix(">")


def moment(at: datetime) -> str:
    """ "Mon 2 Mar 2026, 12:05 UTC"."""
    return at.astimezone(UTC).strftime("%a %-d %b %Y, %H:%M UTC")


def second(at: datetime) -> str:
    """ "Mon 2 Mar 2026, 12:05:07 UTC"; where the order of things matters."""
    return at.astimezone(UTC).strftime("%a %-d %b %Y, %H:%M:%S UTC")


def day(at: datetime) -> str:
    """ "2 March 2026"."""
    return at.astimezone(UTC).strftime("%-d %B %Y")


def iso(at: datetime) -> str:
    """For the `datetime` attribute of `<time>`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
