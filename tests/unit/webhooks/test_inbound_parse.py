"""The form in which SendGrid posts a mail that it has taken apart."""

from __future__ import annotations

from outreach.domain.mails import read_mail
from outreach.replies.reading import enclosures_of, words_of
from outreach.webhooks.inbound_parse import parse
from tests.fakes.inbound import answer, parsed_form


def test_a_mail_taken_apart_is_put_together_as_it_was() -> None:
    files = [("scan.pdf", "application/pdf", b"%PDF-1.7"), ("a “b”.txt", "text/plain", b"plain")]
    whole = answer("r-x@replies.example.org", "Sí, lo haremos.", files=files, Auto_Submitted="no")
    body, headers = parsed_form(whole, "r-x@replies.example.org")
    posted = parse(body, headers["Content-Type"])
    mine, theirs = read_mail(posted.mail), read_mail(whole)
    assert posted.to == ("r-x@replies.example.org",)
    assert words_of(mine) == words_of(theirs)
    assert mine["Message-ID"] == theirs["Message-ID"]
    assert [(f.kind, f.content) for f in enclosures_of(mine)] == [(f.kind, f.content) for f in enclosures_of(theirs)]
