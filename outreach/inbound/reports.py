"""Bounces and complaints, as the reports of mail servers (RFC 3464) and mailbox providers (RFC 5965) tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

from outreach.domain.events import Cause, EventKind, cause_of_status
from outreach.domain.mails import inner_parts, parts_of

_LONGEST_REASON = 500
#: What became of a mail, the worst first.
_ACTIONS = {
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.PROCESSED,
    "expanded": EventKind.PROCESSED,
}
#: Kinds of feedback that say "I do not want this", and the one that says "take me off".
_COMPLAINTS = {"abuse": EventKind.COMPLAINED, "fraud": EventKind.COMPLAINED, "opt-out": EventKind.UNSUBSCRIBED}


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says about the one mail it is about."""

    kind: EventKind
    cause: Cause | None = None
    reason: str = ""  #: a far server's words, with its code first; may hold addresses


def bounce_in(mail: Message) -> Report | None:
    """What a delivery status notification says; None for a mail that is none."""
    for part in parts_of(mail):
        if part.get_content_type() == "message/delivery-status":
            reports = [report for block in inner_parts(part) if (report := _of_recipient(block)) is not None]
            return _worst(reports)
    return None


def _worst(reports: Iterable[Report]) -> Report | None:
    """Our mails have one recipient each; should a report have more blocks, the worst of them counts."""
    order = [EventKind.BOUNCED, EventKind.BLOCKED, *_ACTIONS.values()]
    return min(reports, key=lambda report: order.index(report.kind), default=None)


def _of_recipient(block: Message) -> Report | None:
    action = _word(block, "Action").lower()
    kind = _ACTIONS.get(action.partition(" ")[0])
    if kind is None:
        return None
    status, said = _word(block, "Status").partition(" ")[0], _word(block, "Diagnostic-Code")
    said = said.partition(";")[2].strip() or said  # "smtp; 550 5.1.1 no such user"
    reason = (said if status in said else f"{status} {said}").strip()
    if kind is not EventKind.BOUNCED:
        return Report(kind, reason=reason)
    # A failure that names no reason closes no address: only a reason that it is bad does.
    cause = cause_of_status(status) or cause_of_status(said) or Cause.UNAVAILABLE
    return Report(EventKind.BLOCKED if cause is Cause.REFUSED else kind, cause, reason)


def _word(block: Message, name: str) -> str:
    value = " ".join(str(block.get(name, "")).split())
    return "".join([c for c in value if c.isprintable()])[:_LONGEST_REASON]


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint, and the values in which it names the return address of the mail it is about."""

    report: Report
    return_paths: tuple[str, ...]


def complaint_in(mail: Message) -> Complaint | None:
    """What a feedback report says; None for a mail that is none, or that takes a complaint back."""
    parts = list(parts_of(mail))
    fields = next((part for part in parts if part.get_content_type() == "message/feedback-report"), None)
    if fields is None:
        return None
    block = next(iter(inner_parts(fields)), fields)
    kind = _COMPLAINTS.get(_word(block, "Feedback-Type").lower())
    if kind is None:
        return None
    paths = [_word(block, "Original-Mail-From")]
    paths += [_word(part, "Return-Path") for part in parts[1:]] + [_quoted_return_path(part) for part in parts]
    return Complaint(Report(kind, reason="complaint"), tuple(path for path in paths if path))


def _quoted_return_path(part: Message) -> str:
    """Of headers that are quoted as text."""
    if part.get_content_type() != "text/rfc822-headers":
        return ""
    payload = part.get_payload(decode=True)
    lines = payload.decode("ascii", "replace").splitlines() if isinstance(payload, bytes) else []
    return next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("return-path:")), "")
