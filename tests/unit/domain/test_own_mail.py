"""Links that open a letter in the signer's own mail."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from outreach.domain.own_mail import Way, composes

TEXT = "Dear Mayor,\n\n100 % rain & no roof? Café.\n\nJane + Joe"


def test_each_program_gets_address_subject_and_text_back_as_they_were() -> None:
    for one in composes("mayor@example.org", "Roofs & rain", TEXT):
        assert one.has_text
        told = parse_qs(urlsplit(one.url).query, strict_parsing=True)
        assert told["body"] == [TEXT.replace("\n", "\r\n")]
        assert told[{Way.GMAIL: "su"}.get(one.way, "subject")] == ["Roofs & rain"]
        assert "mayor@example.org" in one.url


def test_nothing_in_an_address_or_a_text_becomes_another_field() -> None:
    for one in composes("a?cc=b@example.org", "x&bcc=c@example.org", "y&to=d@example.org\r\nBcc: e@example.org"):
        told = parse_qs(urlsplit(one.url).query, strict_parsing=True)
        assert set(told) <= {"subject", "su", "body", "to", "view", "fs"}
        assert not {"cc", "bcc"} & set(told)


def test_a_text_that_a_program_would_cut_is_left_out_whole() -> None:
    found = {one.way: one for one in composes("mayor@example.org", "Rain", "Rain falls. " * 200)}
    assert [found[way].has_text for way in (Way.MAIL_APP, Way.GMAIL, Way.OUTLOOK)] == [False, True, False]
    assert found[Way.MAIL_APP].url == "mailto:mayor@example.org?subject=Rain"
    assert all(len(one.url) < 8_000 for one in found.values())
