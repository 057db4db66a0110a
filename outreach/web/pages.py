"""What makes pages, in each language: escaping everywhere, and an undefined name is an error, never a blank."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from outreach.domain.consents import few
from outreach.domain.words import WIDTH
from outreach.keys import Keys
from outreach.languages import SOURCE, Language, language
from outreach.models import Database
from outreach.paths import folder
from outreach.settings import Settings
from outreach.web import speaking

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


#: The same, as the arguments of a view.
Db = Annotated[Database, Depends(db_of)]
HeldKeys = Annotated[Keys, Depends(keys_of)]
HeldSettings = Annotated[Settings, Depends(settings_of)]
Now = Annotated[datetime, Depends(now_of)]


class Pages:
    """The page environments, one for each language, made when it is first spoken."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environments: dict[str, Environment] = {}

    def template(self, name: str, speaker: Language) -> Template:
        """`templates/pages/{name}`, speaking that language."""
        if speaker.code not in self._environments:
            self._environments[speaker.code] = environment(self._settings, speaker)
        return self._environments[speaker.code].get_template(name)


def environment(settings: Settings, speaker: Language | None = None) -> Environment:
    """The page environment of a language. Letters that organizers write are never rendered here (`merge` has its own).

    Without `speaker` it speaks English.
    """
    env = Environment(
        loader=FileSystemLoader(folder("templates") / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    (speaker or language(SOURCE)).install(env)
    env.globals.update(
        organisation=settings.organisation,
        postal_address=settings.postal_address,
        help_address=settings.help_address,
        base_url=settings.base_url,
        test_mode=settings.transport == "mailbox",
        static=static,
        exit_url=settings.exit_url,
        risky_days=settings.keep_risky_days,
        few=few,
    )
    env.filters.update(
        paragraphs=paragraphs,
        reflow=reflow,
        named=named,
        second=second,
        iso=iso,
        plural=plural,
    )
    if env.globals["lang"] == SOURCE:
        env.filters["moment"] = moment  # months of three letters, as in the tables of staff
    return env


def page(
    request: Request,
    name: str,
    /,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
    own_language: str = "",
    default_language: str = "",
    **context: Any,
) -> Response:
    """An answer made of `templates/pages/{name}`. It is `no-store` unless `headers` say otherwise.

    What it shows of a campaign or a signer at risk says so by `is_high_risk`; then there is a way to leave at once.

    `own_language` is that of the signature it is about, `default_language` that of the campaign; the reader's own
    choice comes first (see `speaking`).
    """
    speaker = speaking.language_of(request, own=own_language, default=default_language)
    pages: Pages = request.app.state.pages
    at_risk = any(getattr(shown, "is_high_risk", False) for shown in context.values())
    around = {"request": request, "ways": speaking.ways(request, speaker), "has_exit": at_risk}
    html = pages.template(name, speaker).render(around | context)
    response = HTMLResponse(html, status, dict(headers or {}), background=background)
    if not speaking.is_inner(request):
        response.headers["Vary"] = speaking.VARY
        response.headers["Content-Language"] = speaker.code
        speaking.remember(request, response)
    return response


@lru_cache(maxsize=64)
def static(name: str) -> str:
    """The path of a static file, with its own hash in it: it may be cached for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


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


def iso(at: datetime) -> str:
    """For the `datetime` attribute of `<time>`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
