"""What an answer to a letter can be, and what may become of it."""

from __future__ import annotations

from enum import StrEnum


class ReplyKind(StrEnum):
    """Who or what answered. Only what a person wrote is forwarded to the signer."""

    HUMAN = "human"
    ACKNOWLEDGEMENT = "acknowledgement"  #: a machine's "we have received your letter"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class ShareState(StrEnum):
    """Whether an answer stands on the campaign's page."""

    PRIVATE = "private"
    ASKED = "asked"  #: its signer wants it shown; staff have not decided
    SHOWN = "shown"
    REFUSED = "refused"
