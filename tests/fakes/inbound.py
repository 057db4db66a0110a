"""Mails that offices send to a letter's alias, and the forms in which SendGrid posts them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage, Message

SECRET = "inbound-secret-of-the-tests-0123456789"
HOOK = f"/hooks/sendgrid/inbound/{SECRET}"
BOUNDARY = "xYzZY"

ORIGINAL = "> Dear Mayor Rivera,\n> a shelter at every stop.\n> Jane Doe"


def answer(
    to: str,
    text: str = "Yes, we will build them.\n\nAlex Rivera",
    *,
    quoted: bool = True,
    subject: str = "Re: A shelter at every stop",
    sender: str = "Sam Staffer <sam@office.example.net>",
    message_id: str = "<a1@office.example.net>",
    files: Sequence[tuple[str, str, bytes]] = (),
    page: str = "",
    **headers: str,
) -> bytes:
    """A mail as an office's program writes it. `files`: (name, type, content); `headers`: underscores for dashes."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Message-ID"], mail["Date"] = message_id, "Tue, 03 Mar 2026 09:00:00 +0000"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    if quoted:
        text += f"\n\nOn Mon, 2 Mar 2026 at 12:05, Jane Doe via Fair Streets <letters@example.org> wrote:\n{ORIGINAL}"
    if text.strip() or not page:
        mail.set_content(text)
        if page:
            mail.add_alternative(page, subtype="html")
    else:
        mail.set_content(page, subtype="html")
    for name, kind, content in files:
        main, _, sub = kind.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


def raw_form(mail: bytes, *to: str, field: str = "email") -> tuple[bytes, dict[str, str]]:
    """The form with "send raw" on; the headers to post it with."""
    return _form([(field, "", mail), ("envelope", "", _envelope(to)), ("dkim", "", b"none"), ("SPF", "", b"pass")])


def parsed_form(octets: bytes, *to: str) -> tuple[bytes, dict[str, str]]:
    """The form with "send raw" off: the mail taken apart."""
    mail = message_from_bytes(octets)
    parts = [part for part in mail.walk() if not part.is_multipart()]
    texts = {part.get_content_subtype(): part for part in parts if part.get_content_disposition() != "attachment"}
    files = [part for part in parts if part.get_content_disposition() == "attachment"]
    head = "\n".join(f"{name}: {value}" for name, value in mail.items()).encode()
    fields = [("headers", "", head), ("envelope", "", _envelope(to))]
    fields += [(name.lower(), "", str(mail[name]).encode()) for name in ("From", "To", "Subject")]
    charsets = {"text": "utf-8"}
    for subtype, name in (("plain", "text"), ("html", "html")):
        if subtype in texts:
            fields.append((name, "", _octets(texts[subtype])))
            charsets[name] = texts[subtype].get_content_charset() or "us-ascii"
    info = {}
    for number, part in enumerate(files, 1):
        fields.append((f"attachment{number}", part.get_filename() or "file", _octets(part)))
        info[f"attachment{number}"] = {"filename": part.get_filename(), "type": part.get_content_type()}
    fields += [("attachments", "", str(len(files)).encode()), ("attachment-info", "", json.dumps(info).encode())]
    return _form([*fields, ("charsets", "", json.dumps(charsets).encode())])


def _octets(part: Message) -> bytes:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def _envelope(to: Sequence[str]) -> bytes:
    return json.dumps({"to": list(to), "from": "sam@office.example.net"}).encode()


def _form(parts: Sequence[tuple[str, str, bytes]]) -> tuple[bytes, dict[str, str]]:
    lines = []
    for name, file_name, content in parts:
        more = f'; filename="{file_name}"\r\nContent-Type: application/octet-stream' if file_name else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    body = b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
