"""Strange mails to an alias: kept, passed on, and nothing breaks; which of their files go along."""

from __future__ import annotations

from collections.abc import Callable
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from sqlalchemy import select

from outreach import replies
from outreach.inbound import Kind
from outreach.models import Database, Reply
from outreach.settings import Settings
from tests.fakes.inbound import answer
from tests.integration.answers import kept, notices

pytestmark = pytest.mark.usefixtures("rung")


def pgp() -> bytes:
    mail = MIMEMultipart("encrypted", protocol="application/pgp-encrypted")
    mail["From"], mail["Subject"], mail["Message-ID"] = "sam@office.example.net", "...", "<pgp@office.example.net>"
    mail.attach(MIMEApplication(b"Version: 1", "pgp-encrypted", lambda part: None))
    mail.attach(MIMEApplication(b"-----BEGIN PGP MESSAGE-----", "octet-stream", name="encrypted.asc"))
    return mail.as_bytes()


def deep(levels: int) -> bytes:
    mail: MIMEMultipart | MIMEText = MIMEText("Down here.")
    for _ in range(levels):
        outer = MIMEMultipart()
        outer.attach(mail)
        mail = outer
    mail["From"], mail["Subject"] = "sam@office.example.net", "Re: deep"
    return mail.as_bytes()


HEAD = b"From: sam@office.example.net\nSubject: Re: x\nMIME-Version: 1.0\n"
STRANGE: dict[str, tuple[bytes, str]] = {
    "a page only": (answer("x", "", quoted=False, page="<p>Yes,</p><p>we <b>will</b>.</p>"), "Yes,\n\nwe will."),
    "a charset nobody knows": (HEAD + b"Content-Type: text/plain; charset=x-klingon\n\nYes.", "Yes."),
    "a charset that is a lie": (HEAD + b"Content-Type: text/plain; charset=utf-8\n\nS\xed, s\xed.", "Sí, sí."),
    "latin-1": (HEAD + b"Content-Type: text/plain; charset=iso-8859-1\n\nS\xed.", "Sí."),
    "utf-16": (HEAD + b"Content-Type: text/plain; charset=utf-16\n\n" + "Sí.".encode("utf-16"), "Sí."),
    "no type at all": (b"From: a@office.example.net\n\nYes.", "Yes."),
    "a broken encoding": (HEAD + b"Content-Transfer-Encoding: base64\nContent-Type: text/plain\n\n%%%", ""),
    "zeros and reversals": (HEAD + "\nYes\0 \u202eon.".encode(), "Yes on."),
    "a boundary that never comes": (HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nYes.\n", "Yes."),
    "a charset with a zero": (HEAD + b'Content-Type: text/plain; charset="x\0y"\n\nS\xed.', "Sí."),
    "a charset in pieces with a zero": (HEAD + b"Content-Type: text/plain; charset*=x\0y''z\n\nYes.", "Yes."),
    "a charset in pieces": (HEAD + b"Content-Type: text/plain; charset*=utf-8''x%00y\n\nS\xed.", "Sí."),
    "a charset of domain names": (HEAD + b"Content-Type: text/plain; charset=idna\n\nS\xed.", "Sí."),
    "a subject in no charset": (b"From: a@office.example.net\nSubject: =?utf-8\xff\xff?q?x?=\n\nYes.", "Yes."),
    "no boundary": (HEAD + b"Content-Type: multipart/mixed\n\nYes.\n", "Yes."),
    "an encrypted mail": (pgp(), ""),
    "a mail of one program only": (
        answer("x", "", quoted=False, page=" ", files=[("winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22")]),
        "",
    ),
    "parts in parts": (deep(30), "Down here."),
    "too many parts in parts": (deep(90), "Down here."),
}


@pytest.mark.parametrize("what", STRANGE)
def test_e5_a_strange_mail_is_kept_passed_on_and_breaks_nothing(
    db: Database, settings: Settings, alias: str, take: Callable[..., Kind], what: str
) -> None:
    octets, text = STRANGE[what]
    assert take(octets, alias) is Kind.REPLY
    (reply,) = kept(db)
    assert reply.text == text
    with db.read() as session:
        forwarded = replies.forwards_of(session, notices(db))
        assert session.scalars(select(Reply.raw)).one() == octets
    (fields,) = forwarded.values()
    assert fields.text == text
    assert fields.attachments == ()


def test_e5_files_go_along_by_what_they_are_and_not_by_what_they_say(
    db: Database, alias: str, take: Callable[..., Kind]
) -> None:
    files = [
        ("../../Rivera’s scan.PDF", "application/pdf", b"%PDF-1.7"),
        ("lies.pdf", "application/pdf", b"MZ\x90"),
        ("page.html", "text/html", b"<script>"),
        ("notes.txt", "text/plain", b"plain"),
        ("large.png", "image/png", b"\x89PNG\r\n\x1a\n" + b"\0" * 6_000_000),
        ("picture.png", "image/png", b"\x89PNG\r\n\x1a\n"),
        ("invite.ics", "text/calendar", b"BEGIN:VCALENDAR"),
    ]
    take(answer(alias, files=files), alias)
    with db.read() as session:
        (fields,) = replies.forwards_of(session, notices(db)).values()
    assert [file.name for file in fields.attachments] == ["1-Rivera-s-scan.pdf", "2-notes.txt", "3-picture.png"]
    assert fields.left_out == ("lies.pdf", "page.html", "large.png", "invite.ics")
