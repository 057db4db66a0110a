"""What one mail is, and what becomes of it. It is never answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.message import Message
from enum import StrEnum
from hashlib import sha256

from sqlalchemy.orm import Session

from outreach import feedback, replies, stopping
from outreach.domain.events import Event, EventKind
from outreach.domain.mails import local_parts, local_parts_in, read_mail
from outreach.errors import NotFound
from outreach.keys import Keys
from outreach.settings import Settings
from outreach.transports.base import masked

from .reports import Report, bounce_in, complaint_in

_LONGEST_REASON = 500
_MOST_ALIASES = 5
_NOBODY = re.compile(r"^\s*<\s*>\s*$")


class Kind(StrEnum):
    """What a mail turned out to be."""

    BOUNCE = "bounce"  #: a report about a mail of ours, taken
    COMPLAINT = "complaint"  #: a reader called a mail of ours spam, taken
    STOP = "stop"  #: a reader wants no more mailings, taken
    REPLY = "reply"  #: a person's answer to a letter, kept and passed on to its signer
    KEPT = "kept"  #: an answer to a letter that is kept and not passed on: a machine's, one too many, or known already
    DROPPED = "dropped"  #: it came to a letter's alias that nobody has, or that takes no more; counted
    IGNORED = "ignored"  #: it came to one of those addresses and says nothing of the kind, or the address is not ours
    OTHER = "other"  #: for people: it came to none of those addresses


def take(
    session: Session, octets: bytes, *, to: Sequence[str] = (), settings: Settings, keys: Keys, now: datetime
) -> Kind:
    """Take one mail, as often as it comes; its effects are written once.

    `to` are the addresses the server took it for; without them its headers tell. Raises Unreadable.
    """
    mail = read_mail(octets)
    ours = local_parts(mail, settings.reply_domain, to=to)
    complaint = complaint_in(mail)
    if complaint is not None:
        paths = ours + local_parts_in(complaint.return_paths, settings.reply_domain)
        taken = _tell(session, mail, paths, complaint.report, Kind.COMPLAINT, settings, keys, now)
        if taken is not Kind.IGNORED:
            return taken
        if not _aliases(ours):
            return Kind.OTHER  # somebody did complain: people should know
    bounces = [local for local in ours if local.startswith("b-")]
    if bounces:
        report = bounce_in(mail) or _without_words(mail)
        return _tell(session, mail, bounces, report, Kind.BOUNCE, settings, keys, now)
    stops = [local for local in ours if local.startswith("u-")]
    if stops:
        return _stop(session, stops, keys, now)
    if aliases := _aliases(ours):
        return _answer(session, mail, octets, aliases, settings, now)
    return Kind.OTHER


def _aliases(ours: Sequence[str]) -> list[str]:
    """Those at which letters are answered, a few of them: nobody writes to more."""
    return [local for local in ours if local.startswith("r-")][:_MOST_ALIASES]


def _answer(
    session: Session, mail: Message, octets: bytes, aliases: Sequence[str], settings: Settings, now: datetime
) -> Kind:
    """Taken for each letter that it answers; the best of what became of it."""
    fates = [replies.take(session, mail, octets, alias, settings=settings, now=now) for alias in aliases]
    if replies.Fate.FORWARDED in fates:
        return Kind.REPLY
    return Kind.DROPPED if set(fates) == {replies.Fate.DROPPED} else Kind.KEPT


def _tell(
    session: Session,
    mail: Message,
    aliases: Sequence[str],
    report: Report | None,
    kind: Kind,
    settings: Settings,
    keys: Keys,
    now: datetime,
) -> Kind:
    """Report it as a provider would, if one of `aliases` is the return address of a mail of ours."""
    about = next((opened for alias in aliases if (opened := keys.open_bounce_alias(alias)) is not None), None)
    if about is None or report is None:
        return Kind.IGNORED
    ref, attempt = about
    event = Event(
        id=_event_id(mail, ref, attempt, report),
        kind=report.kind,
        at=now,
        delivery=ref,
        attempt=attempt,
        env=settings.env,
        reason=masked(report.reason, limit=_LONGEST_REASON),
        cause=report.cause,
    )
    feedback.apply(session, [event], env=settings.env, now=now)
    return kind


def _event_id(mail: Message, ref: str, attempt: int, report: Report) -> str:
    """The same for the same report, whenever and however often it comes."""
    told = (str(mail.get("Message-ID", "")), ref, str(attempt), report.kind, report.reason)
    return "mail-" + sha256("\0".join(told).encode("utf-8", "replace")).hexdigest()


def _without_words(mail: Message) -> Report | None:
    """A bounce of the old kind, written for people only: kept for them, and it changes nothing."""
    is_from_nobody = bool(_NOBODY.match(str(mail.get("Return-Path", "-"))))
    is_automatic = str(mail.get("Auto-Submitted", "no")).strip().lower().startswith("auto-replied")
    if is_from_nobody and not is_automatic:
        return Report(EventKind.UNKNOWN, reason="a bounce that no program can read")
    return None


def _stop(session: Session, aliases: Sequence[str], keys: Keys, now: datetime) -> Kind:
    """Whatever it says: having the address is the right to use it."""
    for alias in aliases:
        try:
            stopping.stop(session, alias.removeprefix("u-"), keys=keys, source="mail", now=now)
        except NotFound:
            continue
        return Kind.STOP
    return Kind.IGNORED
