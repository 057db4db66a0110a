"""What an organizer decides about a campaign beside its words: what signers may change, and what is asked of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import update
from sqlalchemy.orm import Session

from outreach import audit_log, campaigns
from outreach.errors import BadInput, NotFound
from outreach.models import Ask, Campaign, Signature

#: What is on or off, as columns of a campaign, and what it means when it is on.
SWITCHES = {
    "edit_subject": "Signers may write a subject of their own.",
    "edit_body": "Signers may rewrite the open part of the letter; what stands before and after it stays.",
    "self_send": "Signers may send the letter from their own mail app instead.",
    "high_risk": "Being named may harm signers: show and keep as little of them as can be.",
    "households": "People of one household may sign with one address.",
    "needs_postal_code": "A postal code has to be given.",
}
#: Every setting, in the order of the page.
SETTINGS = (*SWITCHES, "reply_mode", "signs_per_minute", "embed_origins")

REPLY_MODES = ("alias", "direct")
_MOST_SIGNS = 100_000
_MOST_ORIGINS = 20
_LONGEST_ADDRESS = 1000
_WEB_ADDRESS = re.compile(r"https?://[a-z0-9][a-z0-9.-]*[a-z0-9](:\d{1,5})?([/?#][^\s<>\"]*)?", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def read(name: str, text: str) -> Any:
    """A setting as people type it, as the value of its column. BadInput, with the option as `where`, if it is none.

    Switches are "on" or "off", the burst limit a number or "none", origins parted by spaces or commas or "none".
    """
    text = text.strip()
    if name in SWITCHES:
        return _switch(name, text.casefold())
    return {"reply_mode": _reply_mode, "signs_per_minute": _signs_per_minute, "embed_origins": _origins}[name](text)


def change(session: Session, slug: str, changes: Mapping[str, Any], *, now: datetime, actor: str) -> Campaign:
    """Give the campaign these settings, see `read`. What was signed before stays as it was signed, except that a
    campaign that becomes one of high risk takes those who signed it before under its care too, for good.

    NotFound for an unknown campaign; BadInput for settings that contradict each other.
    """
    campaign = campaigns.locked(session, slug)
    before = {name: value for name, value in settings_of(campaign).items() if name in changes}
    if before == dict(changes):
        return campaign
    for name, value in changes.items():
        setattr(campaign, name, value)
    if campaign.high_risk and campaign.reply_mode == "direct":
        raise BadInput(
            "Where being named may harm, no office learns a signer's address.",
            where=_option("reply_mode"),
            advice="Keep --reply-mode alias, or --high-risk off.",
        )
    if campaign.high_risk:
        careless = update(Signature).where(Signature.campaign_id == campaign.id, Signature.high_risk.is_(False))
        session.execute(careless.values(high_risk=True, network=""))
    session.flush()
    audit_log.note(session, actor, "campaign.set", f"campaign:{campaign.id}", before, dict(changes), now=now)
    return campaign


def link_ask(session: Session, slug: str, number: int, url: str, *, now: datetime, actor: str) -> Ask:
    """Let the "learn more" of the page's ask `number` (from 1) lead to a web address; "" or "none" is nowhere.

    NotFound for an unknown campaign or ask; BadInput for what is no web address.
    """
    campaign = campaigns.locked(session, slug)
    if not 1 <= number <= len(campaign.asks):
        raise NotFound("The campaign has no ask of that number.", where=f"{slug}, ask {number}")
    ask, address = campaign.asks[number - 1], _web_address(url)
    if ask.link_url != address:
        before, ask.link_url = ask.link_url, address
        session.flush()
        subject, said = f"campaign:{campaign.id}", {"ask": number, "link": address}
        audit_log.note(session, actor, "campaign.link", subject, {"ask": number, "link": before}, said, now=now)
    return ask


def settings_of(campaign: Campaign) -> dict[str, Any]:
    """The campaign's settings by name."""
    return {name: getattr(campaign, name) for name in SETTINGS}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _switch(name: str, text: str) -> bool:
    if text not in ("on", "off"):
        option = _option(name)
        raise BadInput(f"{text[:20]!r} is neither on nor off.", where=option, advice=f"Write {option} on.")
    return text == "on"


def _reply_mode(text: str) -> str:
    if text not in REPLY_MODES:
        option = _option("reply_mode")
        raise BadInput(
            f"{text[:20]!r} is neither alias nor direct.",
            where=option,
            advice="alias keeps a signer's address from the office; direct gives it where they agree.",
        )
    return text


def _signs_per_minute(text: str) -> int | None:
    if text.casefold() in ("", "none"):
        return None
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not 1 <= int(text) <= _MOST_SIGNS:
        raise BadInput(
            f"{text[:20]!r} is no number from 1 to {_MOST_SIGNS:,}.",
            where=_option("signs_per_minute"),
            advice="Write a number, or none for the default.",
        )
    return int(text)


def _origins(text: str) -> list[str]:
    """Origins in normal form, each once, in order: whole sites over https, as a browser tells a frame's parent."""
    if text.casefold() == "none":
        return []
    found = list(dict.fromkeys(_origin(part) for part in re.split(r"[\s,]+", text) if part))
    if len(found) > _MOST_ORIGINS:
        raise BadInput(f"These are {len(found)} sites; {_MOST_ORIGINS} may be listed.", where=_option("embed_origins"))
    return found


def _web_address(text: str) -> str:
    text = text.strip()
    if text.casefold() in ("", "none"):
        return ""
    if not _WEB_ADDRESS.fullmatch(text) or len(text) > _LONGEST_ADDRESS:
        raise BadInput(
            f"{text[:60]!r} is no web address.", where="link", advice="Write it like https://example.org/more."
        )
    return text


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # a port that is none, or half a bracket
        parts, host, port = urlsplit(""), "", None
    is_whole = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username is not None)
    if parts.scheme != "https" or not _HOST.fullmatch(host) or ".." in host or not is_whole:
        raise BadInput(
            f"{text[:60]!r} is not the address of a site.",
            where=_option("embed_origins"),
            advice="Write it like https://partner.example.org, without a path.",
        )
    return f"https://{host}" + (f":{port}" if port not in (None, 443) else "")
