"""Offices that answer to nothing but a form on their web site: signers get their text to paste, we deliver nothing."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.errors import BadInput
from outreach.models import Channel, Contact, Target

_LONGEST = 500


def checked_form(text: str) -> str:
    """The address of a web form; "" for "none". BadInput for anything else: signers will follow it."""
    url = text.strip()
    if url.casefold() == "none":
        return ""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("https", "http") and "." in (parts.hostname or "") and parts.username is None
    except ValueError:
        is_web = False
    if not is_web or not url.isprintable() or " " in url or len(url) > _LONGEST:
        raise BadInput(
            f"{url[:60]!r} is not the address of a web page.",
            where="--web-form",
            advice="Example: https://mayor.example.org/contact, or none",
        )
    return url


def set_form(session: Session, target: Target, url: str, *, now: datetime, actor: str) -> None:
    """Where the target's web form is from now on; "" when it has none any more. Letters by mail are not touched."""
    session.execute(select(Target.id).where(Target.id == target.id).with_for_update(key_share=True))
    mine = (Contact.target_id == target.id) & (Contact.channel == Channel.WEBFORM) & Contact.ended_at.is_(None)
    old = session.scalar(select(Contact).where(mine))
    if (old.value if old else "") == url:
        return
    if old is not None:
        old.ended_at = now
        session.flush()
    if url:
        session.add(Contact(target_id=target.id, channel=Channel.WEBFORM, value=url, created_at=now))
    session.flush()
    session.expire(target, ["contacts"])
    subject, told = f"target:{target.id}", ({"form": old.value if old else ""}, {"form": url})
    audit_log.note(session, actor, "target.form", subject, *told, now=now)


def form_of(session: Session, target: Target) -> str:
    """The address of the target's web form, or ""."""
    mine = (Contact.target_id == target.id) & (Contact.channel == Channel.WEBFORM) & Contact.ended_at.is_(None)
    return session.scalar(select(Contact.value).where(mine)) or ""
