"""The last look at a message before it leaves. Cleaning is done long before; here nothing is repaired, only refused."""

from __future__ import annotations

import re

from outreach.domain.messages import Mailbox, Message

#: Whatever could end a header line for one reader or another, and all other controls.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9-]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,200}@[!-;=?-~]{1,200}>")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]{0,900}[!-~])?")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.[a-z0-9]{1,8}")
_KIND = re.compile(r"(?:text|application|image)/[a-z0-9.+-]{1,60}")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

#: Headers that a transport or its provider writes. Named a second time, a mail would have two of them.
OWN_HEADERS = frozenset(
    """
    from sender to cc bcc reply-to subject date message-id mime-version received return-path dkim-signature
    content-type content-transfer-encoding content-disposition x-sg-id x-sg-eid
    """.split()  # noqa: SIM905 (a list of eighteen strings would be harder to read)
)


def check(message: Message) -> None:
    """Raise ValueError, naming the part but never its content, when the message could become another mail."""
    if not _REF.fullmatch(message.delivery) or message.attempt < 0:
        raise ValueError("the delivery's id or attempt is malformed")
    _check_mailbox("From", message.sender)
    _check_mailbox("To", message.to)
    if message.reply_to is not None:
        _check_mailbox("Reply-To", message.reply_to)
    if not message.subject or _CONTROLS.search(message.subject):
        raise ValueError("the subject is empty or holds a control character")
    if not _MESSAGE_ID.fullmatch(message.message_id):
        raise ValueError("the Message-ID is malformed")
    if message.date.tzinfo is None:
        raise ValueError("the date has no time zone")
    if not message.text.strip() or not message.html.strip():
        raise ValueError("the text or the HTML part is empty")
    if message.headers:
        _check_headers(message.headers)
    for attachment in message.attachments:
        if not _FILE_NAME.fullmatch(attachment.name) or not _KIND.fullmatch(attachment.kind):
            raise ValueError("an attachment's name or type is malformed")


def _check_mailbox(header: str, mailbox: Mailbox) -> None:
    if _CONTROLS.search(mailbox.name):
        raise ValueError(f"the name in {header} holds a control character")
    if len(mailbox.address) > 254 or not _ADDRESS.fullmatch(mailbox.address) or "=?" in mailbox.address:
        raise ValueError(f"the address in {header} is not one plain ASCII address")


def _check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    seen: set[str] = set()
    for name, value in headers:
        key = name.lower()
        if not _HEADER_NAME.fullmatch(name) or key in OWN_HEADERS or key in seen:
            raise ValueError("a header is malformed, reserved or given twice")
        # “=?” would be read as an encoded word, which List-Unsubscribe must never hold.
        if not _HEADER_VALUE.fullmatch(value) or "=?" in value:
            raise ValueError(f"the value of {name} is not one line of plain ASCII")
        seen.add(key)
