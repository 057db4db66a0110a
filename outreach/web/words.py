"""How the inner pages say what the engine knows: states, reasons, ages. One word per thing, and a sentence for each."""

from __future__ import annotations

from datetime import datetime, timedelta

from outreach.domain.deliveries import EventState, MailClass, State, Stream
from outreach.domain.ladders import Trigger
from outreach.domain.replies import ReplyKind, ShareState
from outreach.domain.suspects import Suspicion
from outreach.models import CampaignState
from outreach.outbox import EVERYTHING, INVALIDATED

#: state → (tag, colour of the tag, what it means)
STATES: dict[State, tuple[str, str, str]] = {
    State.HELD: ("Held", "warn", "May not leave until somebody or something releases it."),
    State.QUEUED: ("Queued", "blue", "Waits until it is due and its mailbox may be written to."),
    State.CLAIMED: ("Claimed", "blue", "In a worker’s hands; nothing has left."),
    State.SENDING: ("Sending", "blue", "Being handed over now."),
    State.ACCEPTED: ("Accepted", "ok", "The mail provider took it."),
    State.REJECTED: ("Rejected", "bad", "The mail provider will never take it."),
    State.DEAD: ("Dead", "bad", "It could not be made or handed over, after all tries."),
    State.SUPPRESSED: ("Suppressed", "", "Its address must not be written to."),
    State.CANCELLED: ("Cancelled", "", "Called off before it left."),
    State.IN_DOUBT: ("In doubt", "bad", "No answer came. It may have left, so it is not sent again by itself."),
    State.GIVEN_UP: ("Given up", "warn", "Called off although it may have left."),
}

#: What the provider reported, in words people know.
REPORTED: dict[EventState, str] = {
    EventState.PROCESSED: "On its way",
    EventState.DEFERRED: "Inbox not accepting messages right now",
    EventState.DELIVERED: "Delivered",
    EventState.BOUNCED: "Bounced",
    EventState.DROPPED: "Not sent by the provider",
    EventState.COMPLAINED: "Marked as spam",
}

STREAMS: dict[Stream, str] = {
    Stream.ACT: "Notices",  # confirmations and receipts
    Stream.LETTERS: "Letters",
    Stream.NEWS: "News",
}

CLASSES: dict[MailClass, str] = {
    MailClass.LETTER: "Letter",
    MailClass.MAILING: "Mailing",
    MailClass.CONFIRMATION: "Confirmation",
    MailClass.NOTICE: "Notice",
}

#: What puts a signer on a step of a ladder, as in "14 days after …".
TRIGGERS: dict[Trigger, str] = {
    Trigger.SIGNED: "signing, if they have not confirmed",
    Trigger.CONFIRMED: "confirming",
    Trigger.LETTER_ACCEPTED: "the mail provider took their letter",
    Trigger.LETTER_DELIVERED: "their letter was delivered",
    Trigger.TARGET_REPLIED: "the office answered",
    Trigger.NOT_SHARED: "confirming, if they have not shared",
}

#: kind of answer → (tag, colour of the tag, what it means)
REPLIES: dict[ReplyKind, tuple[str, str, str]] = {
    ReplyKind.HUMAN: ("Answer", "ok", "A person wrote it."),
    ReplyKind.ACKNOWLEDGEMENT: ("Acknowledgement", "blue", "A machine says that the letter has arrived."),
    ReplyKind.AUTO_REPLY: ("Automatic", "", "A machine wrote it."),
    ReplyKind.BOUNCE: ("Bounce", "warn", "A mail server says that a mail could not be delivered."),
    ReplyKind.COMPLAINT: ("Complaint", "bad", "A mailbox provider passes on that the letter was called spam."),
}

#: Whether an answer stands on the campaign's page.
SHARES: dict[ShareState, str] = {
    ShareState.PRIVATE: "No",
    ShareState.ASKED: "The signer asks for it",
    ShareState.SHOWN: "Yes",
    ShareState.REFUSED: "Refused",
}

#: Why mails that came in were not kept.
DROPPED: dict[str, str] = {
    "unknown_alias": "The letter’s address does not exist",
    "expired_alias": "The letter’s address is over",
    "never_left": "The letter has never left",
    "over_quota": "Too many answers to one letter in a day",
    "erased_signer": "The signer was erased",
    "unreadable": "It could not be read",
    "not_ours": "It came to none of our addresses",
}

#: campaign state → (tag, colour)
CAMPAIGNS: dict[CampaignState, tuple[str, str]] = {
    CampaignState.DRAFT: ("Draft", ""),
    CampaignState.PUBLISHED: ("Published", "ok"),
    CampaignState.CLOSED: ("Closed", "warn"),
}

#: Why a signature is set aside.
SUSPICIONS: dict[Suspicion, str] = {
    Suspicion.NETWORK: "Many from one network, without proof",
    Suspicion.BURST: "A burst on the campaign, without proof",
    Suspicion.MAIL_DOMAIN: "Many addresses of one mail domain, without proof",
    Suspicion.HOUSEHOLD: "Many names at one address",
    Suspicion.LOOKS_LIKE_TARGET: "Looks like somebody written to",
}

#: The engine's own words for why something moved.
_REASONS = {
    "suspect": "Its signature is set aside until staff have looked",
    "no_contact": "The target has no email contact",
    "wave": "Waits for a wave",
    "staff": "No reason given",
    "text_changed": "The letter is no longer the one that was confirmed",
    "withdrawn": "The signer withdrew",
    "self_sent": "The signer sent it from their own mail",
    "changing": "The signer is changing it",
    "suppressed": "The address must not be written to",
    "resend": "Sent again by decision",
    "proved": "The provider’s reports prove it",
    "signer_bounced": "Mail to the signer comes back",
    # Causes, as the provider's reports are sorted.
    "bad_address": "The address does not exist",
    "unavailable": "The mailbox is full or away",
    "refused": "The receiver refuses our mail",
    "complained": "Its reader marked it as spam",
    "bounced_before": "An earlier mail to the address came back, so the provider did not try",
    "complained_before": "Its reader marked an earlier mail as spam, so the provider did not try",
    "unsubscribed_before": "Its reader said stop to the provider, so it did not try",
    "not_sendable": "The provider dropped it for a fault of ours",
}


def reason(text: str) -> str:
    """The engine's own reasons as sentences; what a person or a provider wrote stays as it is."""
    if text.startswith(f"{INVALIDATED}:"):
        return "Its signature was ended by staff"
    return _REASONS.get(text, text)


def scope(name: str, subject: str = "") -> str:
    """What a brake stops: "everything", "letters", "campaign 7"; with its name if that is known: "letters to …"."""
    kind, _, which = name.partition(":")
    if kind == "stream" and which in set(Stream):
        return STREAMS[Stream(which)].lower()
    if kind == "transport":
        return f"what leaves by {which}"
    if subject:
        return f"letters to {subject}" if kind == "target" else f"“{subject}”"
    return "everything" if name in EVERYTHING else f"{kind} {which}"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, or how long until: "8 seconds", "20 minutes", "3 hours", "2 days"; "–" for never."""
    if since is None:
        return "–"
    span = abs(now - since)
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= 2 * length:
            return f"{span // length:,} {unit}s"
    seconds = int(span.total_seconds())
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def clock(at: datetime) -> str:
    """ "12:04"; for a page whose head names the zone."""
    return at.strftime("%H:%M")


def pace(per_hour: int | None, per_day: int | None, hours: str, days: str, zone: str) -> str:
    """How a mailbox is written to: "up to 30 an hour and 300 a day, 08:00-18:00, mon-fri, UTC"."""
    caps = [f"{cap:,} {unit}" for cap, unit in ((per_hour, "an hour"), (per_day, "a day")) if cap is not None]
    often = "up to " + " and ".join(caps) if caps else "as fast as they come"
    when = [part for part, always in ((hours, "always"), (days, "all")) if part != always]
    return ", ".join([often, *when, zone] if when else [often, "at any hour"])
