"""Mailings to signers: what they may say, how they say no, and when one request may carry many."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from outreach.domain.letters import CampaignFields, SignerFields
from outreach.domain.messages import Mailbox, Message
from outreach.errors import BadTemplate
from outreach.merge import MailingForm, Stop, check_mailing, compose_mailing
from outreach.transports.mime import to_bytes
from tests.conftest import make_settings

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CAMPAIGN = CampaignFields("A bus shelter for every stop", ("Build them.", "Keep them lit."), "Fair Streets")
SUBJECT = "{{ signer.first_name }}, the council votes on Tuesday"
BODY = """Hello {{ signer.first_name }},

the council votes on “{{ campaign.title }}” on Tuesday. Come along: https://example.org/vote?a=1&b=2.

{% for demand in demands %}
{{ loop.index }}. {{ demand }}
{% endfor %}
"""


def stop(token: str = "a" * 40, base: str = "https://act.example.org") -> Stop:
    return Stop(f"{base}/u/{token}", f"u-{token}@replies.example.org", "Bus shelters <bus-shelters.news.example.org>")


def mail(
    tmp_path: Path, signer: SignerFields, *, subject: str = SUBJECT, body: str = BODY, where: Stop | None = None
) -> Message:
    return compose_mailing(
        MailingForm(subject, body),
        signer,
        CAMPAIGN,
        settings=make_settings(tmp_path, postal_address="1 Main Street, Springfield"),
        ref="abcdefghijklmnop",
        attempt=1,
        to=Mailbox(signer.name, "jane@example.com"),
        label="wave42",
        slug="bus-shelters",
        stop=where or stop(),
        now=NOW,
    )


JANE = SignerFields("Jane Doe", "Jane", "Springfield", "62701")


def test_a1_a2_a_mailing_can_be_stopped_by_page_by_mail_and_by_one_click(tmp_path: Path) -> None:
    parsed = message_from_bytes(to_bytes(mail(tmp_path, JANE)), policy=policy.default)

    assert parsed.get_all("List-Unsubscribe") == [
        f"<https://act.example.org/u/{'a' * 40}>, <mailto:u-{'a' * 40}@replies.example.org?subject=unsubscribe>"
    ]
    assert parsed.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    assert parsed["Precedence"] == "bulk"


def test_a3_the_headers_of_the_longest_address_hold_no_encoded_word(tmp_path: Path) -> None:
    raw = to_bytes(mail(tmp_path, JANE, where=stop(base=f"https://{'very-long-' * 18}name.example.org")))

    lines = re.findall(rb"(?im)^List-Unsubscribe(?:-Post)?:.*(?:\r\n[ \t].*)*", raw)
    assert len(lines) == 2
    assert not any(b"=?" in line for line in lines)


def test_a5_the_list_and_the_feedback_id_are_the_same_for_all_readers(tmp_path: Path) -> None:
    one = dict(mail(tmp_path, JANE).headers)
    other = dict(mail(tmp_path, SignerFields("Bo Li", "Bo"), where=stop("b" * 40)).headers)

    assert one["List-ID"] == other["List-ID"]
    assert one["Feedback-ID"] == other["Feedback-ID"]
    fields = one["Feedback-ID"].split(":")
    assert fields[0] == "wave42"
    assert 2 <= len(fields) <= 4
    assert 5 <= len(fields[-1]) <= 15
    assert len(set(fields)) == len(fields)


def test_a19_both_parts_say_where_we_are_and_how_to_stop(tmp_path: Path) -> None:
    message = mail(tmp_path, JANE)

    for part in (message.text, message.html):
        assert "1 Main Street, Springfield" in part
        assert f"https://act.example.org/u/{'a' * 40}" in part


def test_an_address_the_organizer_wrote_is_a_link_and_one_a_signer_typed_is_not(tmp_path: Path) -> None:
    html = mail(
        tmp_path,
        SignerFields("Jane", "Jane", "https://evil.example.net/"),
        body=BODY + "\nGreetings to {{ signer.city }}",
    ).html

    assert '<a href="https://example.org/vote?a=1&amp;b=2">https://example.org/vote?a=1&amp;b=2</a>.' in html
    assert 'href="https://evil.example.net' not in html


@pytest.mark.parametrize(
    ("body", "straight"),
    [
        (BODY, True),
        ("{% if demands %}Hello{% endif %} {{ signer.city }}", True),
        ("{% if signer.city %}Hello{% endif %}", False),
        ("{{ signer.name | upper }}", False),
    ],
)
def test_a_mailing_is_straight_when_it_asks_nothing_of_its_readers(body: str, straight: bool) -> None:
    assert MailingForm("News", body).is_straight is straight


def test_filling_in_the_tags_of_a_straight_mailing_gives_the_mail_itself(tmp_path: Path) -> None:
    message = mail(tmp_path, SignerFields("Zoë <O’Neil> & Co", "Zoë", "São João", "1"))
    shared = message.straight
    assert shared is not None

    def filled(part: str) -> str:
        for tag, value in shared.values:
            part = part.replace(tag, value)
        return part

    assert filled(shared.subject) == message.subject
    assert " ".join(filled(shared.text).split()) == " ".join(message.text.split())
    assert " ".join(filled(shared.html).split()) == " ".join(message.html.split())


def test_readers_of_one_wave_share_a_key_and_a_name_like_a_tag_goes_alone(tmp_path: Path) -> None:
    one, other = (
        mail(tmp_path, JANE).straight,
        mail(tmp_path, SignerFields("Bo Li", "Bo"), where=stop("b" * 40)).straight,
    )
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert dict(one.values).keys() == dict(other.values).keys()

    assert mail(tmp_path, SignerFields("-oe_stop-", "-oe_stop-")).straight is None


@pytest.mark.parametrize(
    ("subject", "body", "where"),
    [
        ("{{ target.name }}", "Hello", "mailing subject"),
        ("News", "{{ signer.own_words }}", "mailing body"),
        ("News", "\n\n{{ signer.nme }}", "mailing body, line 3"),
        ("News", "", "mailing body"),
        ("News", "{{ ''.__class__ }}", "mailing body, line 1"),
    ],
)
def test_c18_a_field_that_a_mailing_does_not_have_is_named_when_it_is_saved(
    subject: str, body: str, where: str
) -> None:
    with pytest.raises(BadTemplate) as told:
        check_mailing(subject, body)

    assert told.value.where == where
    assert told.value.advice


def test_what_a_signer_typed_is_never_a_template_or_markup(tmp_path: Path) -> None:
    message = mail(
        tmp_path, SignerFields("{{ 7*7 }} <b>", "{{ 7*7 }}", "<script>"), body="{{ signer.name }} {{ signer.city }}"
    )

    assert "{{ 7*7 }} <b> <script>" in message.text
    assert "<script>" not in message.html
    assert "{{ 7*7 }} &lt;b&gt; &lt;script&gt;" in message.html
