"""A mail as it is handed to a transport: complete, checked, and knowing nothing of where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from .deliveries import MailClass, Stream

#: Stands between the letter and the lines we add about who sent it. Only ours comes after the last one.
SIGNATURE_MARK = "\n-- \n"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address. Both are clean: no control characters, address in ASCII."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Straight:
    """How a mail differs from its neighbours in plain values only, so that one request can carry hundreds of them.

    Messages with one `key` share these texts. A tag such as "-oe_name-" stands in them wherever a value goes; no
    value holds any tag. `values` has the same tags for all of them.
    """

    key: str
    subject: str
    text: str
    html: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along. `name` is plain ASCII without a path, `kind` a type such as "text/csv"."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one mailbox.

    `text` and `html` use "\\n" line ends; `text` is wrapped at 72 columns. `headers` are those beyond From, To,
    Reply-To, Subject, Date, Message-ID and the MIME ones; their values are ASCII and need no folding.
    """

    delivery: str  #: our opaque id of the delivery, the same for every attempt
    attempt: int
    mail_class: MailClass
    stream: Stream
    sender: Mailbox
    to: Mailbox
    reply_to: Mailbox | None
    subject: str
    text: str
    html: str
    message_id: str  #: with its angle brackets
    date: datetime
    headers: tuple[tuple[str, str], ...] = ()
    straight: Straight | None = None
    attachments: tuple[Attachment, ...] = ()


def letter_hash(subject: str, text: str) -> str:
    """SHA-256 (hex) of a letter as its signer saw it: its subject and its text up to the signature mark."""
    words = text.rpartition(SIGNATURE_MARK)[0] or text
    return hashlib.sha256(f"{subject}\n\n{words.rstrip()}\n".encode()).hexdigest()
