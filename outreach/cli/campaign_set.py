"""`outreach campaign set SLUG …`: what signers may change, and what is asked of them."""

from __future__ import annotations

from typing import Annotated

import typer

from outreach import campaign_settings
from outreach.campaign_settings import SWITCHES
from outreach.cli import base
from outreach.cli.base import Json


def _switch(name: str) -> typer.models.OptionInfo:
    option = "--" + name.replace("_", "-")
    return typer.Option(option, metavar="on|off", help=SWITCHES[name])  # type: ignore[no-any-return]


def set_(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="The campaign's short name.")],
    edit_subject: Annotated[str | None, _switch("edit_subject")] = None,
    edit_body: Annotated[str | None, _switch("edit_body")] = None,
    self_send: Annotated[str | None, _switch("self_send")] = None,
    high_risk: Annotated[str | None, _switch("high_risk")] = None,
    households: Annotated[str | None, _switch("households")] = None,
    needs_postal_code: Annotated[str | None, _switch("needs_postal_code")] = None,
    reply_mode: Annotated[
        str | None, typer.Option("--reply-mode", metavar="alias|direct", help="Whom an office's answer goes to.")
    ] = None,
    signs_per_minute: Annotated[
        str | None,
        typer.Option("--signs-per-minute", metavar="N|none", help="More in a burst are set aside to be looked at."),
    ] = None,
    embed_origins: Annotated[
        str | None,
        typer.Option("--embed-origins", metavar="https://…,…|none", help="Sites that may show the page in a frame."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what a campaign lets its signers do. What was signed before stays as it was signed."""
    given = {
        "edit_subject": edit_subject,
        "edit_body": edit_body,
        "self_send": self_send,
        "high_risk": high_risk,
        "households": households,
        "needs_postal_code": needs_postal_code,
        "reply_mode": reply_mode,
        "signs_per_minute": signs_per_minute,
        "embed_origins": embed_origins,
    }
    changes = {name: campaign_settings.read(name, text) for name, text in given.items() if text is not None}
    if not changes:
        raise typer.BadParameter("Say what to set: --edit-body, --self-send, --high-risk, or one of the others.")
    with base.engine() as engine, engine.db.begin() as session:
        campaign = campaign_settings.change(session, slug, changes, now=engine.now(), actor="cli")
        settings = campaign_settings.settings_of(campaign)
    if as_json:
        base.emit({"slug": slug, **settings})
        return
    for name, value in settings.items():
        base.row(name, _in_words(value))


def link(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="The campaign's short name.")],
    number: Annotated[int, typer.Argument(metavar="ASK", help="Which of the page's asks, from 1.")],
    url: Annotated[str, typer.Argument(metavar="URL|none", help="Where its “learn more” leads.")],
    as_json: Json = False,
) -> None:
    """Say where an ask's “learn more” leads; the page as plain text cannot."""
    with base.engine() as engine, engine.db.begin() as session:
        ask = campaign_settings.link_ask(session, slug, number, url, now=engine.now(), actor="cli")
        shown = {"slug": slug, "ask": number, "title": ask.title, "link_url": ask.link_url}
    if as_json:
        base.emit(shown)
    else:
        base.row(str(number), ask.title, ask.link_url or "leads nowhere")


def _in_words(value: bool | int | str | list[str] | None) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(value) or "none"
    return "the default" if value is None else str(value)
