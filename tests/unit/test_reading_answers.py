"""Whatever comes in as a mail is read, or called unreadable; nothing else."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.automatic import kind_of
from outreach.domain.mails import Unreadable, read_mail
from outreach.replies.reading import enclosures_of, sender_of, signs_of, words_of
from outreach.webhooks.inbound_parse import parse
from tests.fakes.inbound import BOUNDARY, answer, parsed_form, raw_form

MAIL = answer("r-x@example.org", files=[("a “b”.pdf", "application/pdf", b"%PDF")], page="<p>x</p><blockquote>y")
FORMS = [form(MAIL, "r-x@example.org")[0] for form in (raw_form, parsed_form)]
ODD = st.sampled_from(
    [
        *(b"=?utf-8?q?=FF?=", b"=?x\xff?q?y?=", b"\0", b"\r\n\r\n", b"--", b"&#x110000;", b"boundary=", b'charset="'),
        *(b"filename*=x'y'%ff", b"Content-Type: message/rfc822\n\n", b"Content-Transfer-Encoding: uuencode\n"),
        *(b"Content-Type: text/plain; charset=idna\n", b"Content-Type: text/plain; charset*=x\0y''z\n"),
    ]
)
CUTS = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 30), st.one_of(ODD, st.binary(max_size=6))), max_size=8)


def cut(octets: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The octets with pieces taken out and others put in."""
    for place, length, new in cuts:
        octets = octets[:place] + new + octets[place + length :]
    return octets


@given(CUTS)
def test_a_damaged_mail_is_read_as_text_that_a_database_takes(cuts: list[tuple[int, int, bytes]]) -> None:
    with suppress(Unreadable):
        mail = read_mail(cut(MAIL, cuts))
        words, signs = words_of(mail), signs_of(mail)
        kind_of(signs, words.subject, words.written)
        told = [words.subject, words.written, words.quoted, *sender_of(mail)]
        told += [file.name for file in enclosures_of(mail)]
        assert all("\0" not in text for text in told)
        "".join(told).encode()  # no lone surrogate


@given(st.sampled_from(FORMS), CUTS)
def test_a_damaged_form_holds_a_mail_or_none(form: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    with suppress(ValueError):
        assert parse(cut(form, cuts), f"multipart/form-data; boundary={BOUNDARY}").mail
