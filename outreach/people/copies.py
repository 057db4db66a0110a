"""Copies of mails in the mailbox folder, and the end of those of an erased person."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Collection
from email import message_from_bytes
from email.message import Message as Parsed
from email.policy import compat32

from outreach.merge import table_without

#: Stands in a bundle's copy where its readable part named people.
_EMPTIED = (
    "Somebody whose letter was in this mail has been erased. This copy is kept without its readable part; the table "
    "has the letters of the others, word for word.\n"
)


def bundle_without(raw: bytes, refs: Collection[str]) -> bytes:
    """A bundle's copy without the letters of these deliveries; ValueError when it is no bundle."""
    mail = message_from_bytes(raw)
    tables = 0
    for part in mail.walk():
        content = part.get_payload(decode=True)
        if part.get_filename() and isinstance(content, bytes):
            _fill(part, table_without(content, refs))
            tables += 1
        elif part.get_content_type() == "text/plain":
            _fill(part, _EMPTIED.encode())
        elif part.get_content_type() == "text/html":
            _fill(part, f"<p>{_EMPTIED}</p>".encode())
    if not tables:
        raise ValueError("a mail without a table of letters")
    return mail.as_bytes(policy=compat32.clone(linesep="\r\n"))


def _fill(part: Parsed, content: bytes) -> None:
    del part["Content-Transfer-Encoding"]
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(encodebytes(content).decode())
