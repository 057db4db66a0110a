"""What travels is what was meant: the same names, subject and text, and no header more."""

from __future__ import annotations

import re
import unicodedata
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outreach.domain.messages import Attachment, Mailbox, Message
from outreach.transports.mime import to_bytes
from tests.unit.transports.letters import letter

HEADERS = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Feedback-ID", "MIME-Version", "Content-Type"]

#: What is left of user text after cleaning: no controls, no format or private characters, spaces single and inside.
clean_characters = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
words = st.one_of(st.text(clean_characters, min_size=1, max_size=30), st.text("aä\"\\,;:<>@=?_()[].山😀'", min_size=1))
lines = st.lists(words, min_size=1, max_size=30).map(" ".join).map(lambda s: unicodedata.normalize("NFC", s))
bodies = st.lists(st.one_of(lines, st.just(""), st.just("."), st.just("From me "), st.just("=20")), min_size=1).map(
    lambda rows: "x\n" + "\n".join(rows)
)


#: Two encoded words side by side. Before 3.13.3 the new parser puts a space between them; the old one does not.
CUT = re.compile(r"\?=\s+=\?")


def raw_header(message: Message, header: str) -> str:
    return str(message_from_bytes(to_bytes(message))[header])


def display_name(raw: str) -> str:
    """The name as a reader of RFC 2047 sees it."""
    return str(make_header(decode_header(parseaddr(re.sub(r"\r?\n", "", raw))[0])))


def parsed(message: Message) -> EmailMessage:
    mail = message_from_bytes(to_bytes(message), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


@given(name=lines, subject=lines, text=bodies)
@example(name='Doe, "Jane" <x@y> via Org', subject="=?utf-8?q?Bcc=3A_evil?=", text="x\n.\n..\nFrom here\n=0D=0A\n")
@example(name="=?utf-8?q?evil=0D=0ABcc:x@y?=", subject="a" * 400, text="x" * 3000)
@example(name="山" * 200, subject="😀 " * 60 + "!", text="山" * 900 + "\n")
@example(name="a" * 200, subject="Zoë: " + "word " * 40 + "!", text="x \n\t\nends with a space ")
def test_names_subject_and_text_come_back_as_they_were(name: str, subject: str, text: str) -> None:
    message = letter(
        sender=Mailbox(name, "letters@letters.example.org"),
        to=Mailbox(name, "secretary@example.com"),
        reply_to=Mailbox(name, "r-1@replies.example.org"),
        subject=subject,
        text=text,
        html=f"<p>{text}</p>",
    )

    mail = parsed(message)

    assert sorted(mail.keys()) == sorted(HEADERS)
    for header, address in (
        ("From", "letters@letters.example.org"),
        ("To", "secretary@example.com"),
        ("Reply-To", "r-1@replies.example.org"),
    ):
        assert [a.addr_spec for a in mail[header].addresses] == [address]
        raw = raw_header(message, header)
        assert display_name(raw) == name
        if not CUT.search(raw):
            assert mail[header].addresses[0].display_name == name
    assert mail["Subject"] == subject
    assert part(mail, "plain") == text
    assert part(mail, "html") == f"<p>{text}</p>"


@pytest.mark.parametrize(
    "name",
    [
        "Александра Константинопольская via Outreach",
        "山田太郎 山田花子 山田一郎 山田次郎 via Outreach",
        "Zoë " * 40 + "via X",
    ],
)
def test_a_long_name_is_cut_between_its_words(name: str) -> None:
    mail = parsed(letter(sender=Mailbox(name, "letters@letters.example.org")))

    shown = " ".join(mail["From"].addresses[0].display_name.split())
    assert shown == name


@given(name=lines, subject=lines, text=bodies)
@example(name="ä" * 200, subject="ä" * 300, text="ä" * 2000)
def test_no_line_is_longer_than_mail_allows(name: str, subject: str, text: str) -> None:
    octets = to_bytes(letter(sender=Mailbox(name, "a@example.org"), subject=subject, text=text, html=text * 3))

    head, _, body = octets.partition(b"\r\n\r\n")

    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[^ ]*\?=", head))
    assert octets.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    assert b"=?" not in body or "=?" in text


def test_the_plain_part_comes_first() -> None:
    mail = parsed(letter())

    assert mail.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]


def test_short_ascii_travels_as_it_stands() -> None:
    octets = to_bytes(letter(text="Dear Sir,\nplease act.\n"))

    assert b'charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\nDear Sir,\r\nplease act.\r\n' in octets


def test_a_long_line_travels_as_quoted_printable() -> None:
    octets = to_bytes(letter(text="word " * 40))

    assert b"quoted-printable" in octets


@pytest.mark.parametrize("break_", ["\r", "\n", "\r\n", "\0", "\x85", "\u2028", "\u2029", "\x0b", "\x7f"])
@pytest.mark.parametrize("where", ["sender", "to", "reply_to", "subject", "header", "message_id", "address"])
def test_a_control_character_in_a_header_is_refused(where: str, break_: str) -> None:
    hostile = f"Jane{break_}Bcc: victim@example.net"
    changes = {
        "subject": {"subject": hostile},
        "header": {"headers": (("X-Thing", hostile),)},
        "message_id": {"message_id": f"<a{break_}@example.org>"},
        "address": {"to": Mailbox("", f"a{break_}@example.org")},
    }.get(where, {where: Mailbox(hostile, "jane@example.org")})

    with pytest.raises(ValueError, match=r"control|malformed|plain"):
        to_bytes(letter(**changes))


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "a@",
        "@example.org",
        "a@example.org,b@example.org",
        "a@example.org>",
        "<a@example.org",
        "jörg@example.org",
        "a@exämple.org",
        "a@b@example.org",
        '"a"@example.org',
        "a..b@example.org",
        "=?q?=@example.org",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not one plain ASCII address"):
        to_bytes(letter(to=Mailbox("Jane", address)))


@pytest.mark.parametrize(
    "headers",
    [
        (("Bcc", "victim@example.net"),),
        (("From", "x@example.org"),),
        (("X-A", "1"), ("x-a", "2")),
        (("X A", "1"),),
        (("X-A:", "1"),),
        (("X-A", ""),),
        (("X-A", "é"),),
        (("X-A", "=?utf-8?q?x?="),),
        (("X-A", "a" * 990),),
    ],
)
def test_a_header_that_would_not_be_exactly_that_header_is_refused(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match=r"header|value of"):
        to_bytes(letter(headers=headers))


def test_empty_parts_are_refused() -> None:
    for changes in ({"text": " \n"}, {"html": ""}, {"subject": ""}):
        with pytest.raises(ValueError, match="empty"):
            to_bytes(letter(**changes))


def test_unsubscribe_headers_stay_in_one_piece() -> None:
    url = "https://act.example.org/u/" + "m" * 400
    value = f"<{url}>, <mailto:u-{'m' * 100}@u.example.org?subject=unsubscribe>"
    headers = (("List-Unsubscribe", value), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))

    octets = to_bytes(letter(headers=headers))

    assert f"\r\nList-Unsubscribe: {value}\r\n".encode() in octets
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in octets
    assert octets.count(b"\nList-Unsubscribe:") == 1


def test_the_boundary_is_in_no_part_even_when_a_signer_knows_it() -> None:
    first = to_bytes(letter())
    known = re.search(rb'boundary="([^"]+)"', first)
    assert known is not None
    hostile = f"--{known[1].decode()}--\nBcc: x\n"

    octets = to_bytes(letter(text=hostile))

    fresh = re.search(rb'boundary="([^"]+)"', octets)
    assert fresh is not None
    assert fresh[1] != known[1]
    assert octets.count(fresh[1]) == 4
    assert part(parsed(letter(text=hostile)), "plain") == hostile


def test_the_same_message_gives_the_same_bytes() -> None:
    assert to_bytes(letter()) == to_bytes(letter())


@pytest.mark.parametrize(
    "smuggled", ["\n.\nMAIL FROM:<x>", "\r.\rMAIL", "\r\n.\r\nMAIL", "\n.\r\nMAIL", "\r\n.\nMAIL", "\r.\r\nMAIL"]
)
def test_every_line_end_is_crlf_whatever_was_smuggled_in(smuggled: str) -> None:
    octets = to_bytes(letter(text="Dear" + smuggled, html="<p>" + smuggled))

    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)


def test_without_a_reply_to_there_is_none() -> None:
    assert "Reply-To" not in parsed(letter(reply_to=None))


def test_an_attachment_goes_along_byte_for_byte_beside_the_letter() -> None:
    table = Attachment("letters.csv", "text/csv", 'name,words\r\nÉva,"a\r\nb"\r\n'.encode() * 40)
    mail = parsed(letter(attachments=(table,)))
    assert mail.get_content_type() == "multipart/mixed"
    body, file = mail.iter_parts()
    assert body.get_content_type() == "multipart/alternative"
    assert (file.get_filename(), file.get_content_type()) == ("letters.csv", "text/csv")
    assert file.get_payload(decode=True) == table.content
    assert part(mail, "plain") == part(parsed(letter()), "plain")


@pytest.mark.parametrize(
    ("name", "kind"), [("../x.csv", "text/csv"), ('a".csv', "text/csv"), ("a.csv", "text/csv\r\nX: y")]
)
def test_an_attachment_whose_name_could_become_a_header_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match="attachment"):
        to_bytes(letter(attachments=(Attachment(name, kind, b"x"),)))
