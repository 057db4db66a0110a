"""Letters and notices as mails: who they are from, where answers go, and what stands in their headers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.letters import CampaignFields, SignerFields, TargetFields
from outreach.domain.messages import Mailbox, Message, letter_hash
from outreach.domain.words import WORDS_LIMIT
from outreach.errors import BadInput
from outreach.merge import Envelope, Letter, LetterForm, NoticeFields, compose_letter, compose_notice
from outreach.merge.letters import TEXT_LIMIT
from outreach.settings import Settings

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SETTINGS = Settings(organisation="Fair Act", postal_address="1 Example Street, Springfield")
SIGNER = SignerFields("Jane Doe", "Jane", "Springfield", "62701", "I wait each day.")
TARGET = TargetFields("Dear Mayor Rivera,", "Alex Rivera", "Mayor of Springfield")
CAMPAIGN = CampaignFields("A bus shelter & a bench", ("Build it.",), "Fair Streets")
LETTER = LetterForm("{{ campaign.title }}", "{{ target.salutation }}", "Please build it.", "{{ signer.name }}").write(
    SIGNER, TARGET, CAMPAIGN
)
ENVELOPE = Envelope.of(SETTINGS, campaign="bus-shelter")
MAYOR = Mailbox("Mayor Alex Rivera", "mayor@example.org")
NOTICE = NoticeFields(
    "Jane Doe",
    "A bus shelter & a bench",
    ("Mayor Alex Rivera", "Clerk <of works>"),
    "https://act.example.org/confirm/" + "t" * 32,
    date(2026, 12, 1),
)


def _mail(letter: Letter = LETTER, envelope: Envelope = ENVELOPE, **changed: str) -> Message:
    given = {"ref": "mzxw6ytboi2s4z3p", "signer_name": "Jane Doe", "signer_city": "Springfield"} | changed
    alias = "r-" + given["ref"]
    return compose_letter(
        letter, envelope, attempt=2, to=MAYOR, confirmed_on=date(2026, 11, 22), alias=alias, now=NOW, **given
    )


def _notice(purpose: str, fields: NoticeFields = NOTICE, **changed: str) -> Message:
    return compose_notice(
        purpose,
        fields,
        settings=SETTINGS,
        ref="abc",
        attempt=1,
        to=Mailbox("Jane Doe", "jane@example.com"),
        campaign="bus-shelter",
        now=NOW,
        **changed,
    )


class _Page(HTMLParser):
    """The tags, links and remote things of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.remote: list[str] = []
        self.root: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "srcset", "background", "data") or "url(" in (value or ""):
                self.remote.append(value or "")
        if tag == "html":
            self.root = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_letter_is_from_our_constant_address_and_answers_go_to_its_alias() -> None:
    mail = _mail()
    assert mail.sender == Mailbox("Jane Doe via Fair Act", SETTINGS.letters_from)
    assert mail.reply_to == Mailbox("Jane Doe", "r-mzxw6ytboi2s4z3p@replies.outreach.example.org")
    assert mail.to == MAYOR
    assert mail.message_id == "<l.mzxw6ytboi2s4z3p.2@letters.outreach.example.org>"
    assert (mail.mail_class, mail.stream, mail.date) == (MailClass.LETTER, Stream.LETTERS, NOW)
    assert (mail.delivery, mail.attempt, mail.subject) == ("mzxw6ytboi2s4z3p", 2, "A bus shelter & a bench")


def test_a6_a18_a_letter_carries_a_feedback_id_and_nothing_of_lists_or_machines() -> None:
    assert _mail().headers == (("Feedback-ID", "campaign-bus-shelter:letters:fairact"),)


def test_a20_the_letter_in_the_mail_is_the_one_that_was_confirmed() -> None:
    mail = _mail()
    assert letter_hash(mail.subject, mail.text) == letter_hash(LETTER.subject, LETTER.text)
    assert mail.text.startswith(LETTER.text + "\n")
    assert LETTER.html in mail.html


def test_a20_holds_for_own_words_that_look_like_a_signature_mark() -> None:
    form = LetterForm("S", "", "Body", "")
    letter = form.write(replace(SIGNER, own_words="-- \nMinister\n-- \n"), TARGET, CAMPAIGN)
    mail = _mail(letter)
    assert letter_hash(mail.subject, mail.text) == letter_hash(letter.subject, letter.text)
    changed = replace(letter, text=letter.text.replace("Body", "Other"))
    assert letter_hash(mail.subject, mail.text) != letter_hash(changed.subject, changed.text)


def test_a_letter_says_who_sent_it_through_whom_and_how_to_answer() -> None:
    closing = _mail().text.rpartition("\n-- \n")[2]
    said = " ".join(closing.split())
    assert said == (
        "Sent by Jane Doe, Springfield, through Fair Act. The letter and the sender's mail address were confirmed on "
        "22 November 2026. To answer Jane Doe, reply to this mail. Questions about these letters, or no more of them: "
        "help@outreach.example.org Fair Act, 1 Example Street, Springfield"
    )
    assert all(len(line) <= 78 for line in closing.split("\n"))
    assert said in " ".join(_Page(_mail().html).text.split())


def test_without_city_and_postal_address_nothing_dangles() -> None:
    envelope = Envelope.of(replace(SETTINGS, postal_address=""), campaign="x", organisation="Fair Streets")
    text = _mail(envelope=envelope, signer_city="").text
    assert "Sent by Jane Doe through Fair Streets." in " ".join(text.split())
    assert text.endswith("them:\nhelp@outreach.example.org\n")


def test_the_html_of_a_letter_is_plain_says_its_language_and_fetches_nothing() -> None:
    page = _Page(_mail().html)
    assert page.root == {"lang": "en", "dir": "ltr"}
    assert page.links == page.remote == []
    assert set(page.tags) == {"html", "head", "meta", "title", "body", "div", "p", "br", "hr"}
    assert '<meta charset="utf-8">' in _mail().html
    assert '<meta name="color-scheme" content="light dark">' in _mail().html
    assert "<title>A bus shelter &amp; a bench</title>" in _mail().html


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("he-IL", "rtl"), ("fr", "ltr")])
def test_a_letter_reads_in_the_direction_of_its_language(language: str, direction: str) -> None:
    envelope = Envelope.of(SETTINGS, campaign="x", language=language)
    assert _Page(_mail(envelope=envelope).html).root == {"lang": language, "dir": direction}


@pytest.mark.parametrize("sign", ["&", "<", "é", "漢", "🙂", "\n", "a\n\n"])
def test_c26_the_longest_letter_stays_under_90_kilobytes(sign: str) -> None:
    body = (sign * TEXT_LIMIT)[: TEXT_LIMIT - WORDS_LIMIT - 200]
    form = LetterForm("{{ campaign.title }}", "", "Body\n" + body, "")
    letter = form.write(replace(SIGNER, own_words=(sign * WORDS_LIMIT)[:WORDS_LIMIT]), TARGET, CAMPAIGN)
    mail = _mail(letter, signer_name="&" * 70 + "Jane", signer_city="&" * 80)
    assert len(mail.html.encode()) < 90_000


def test_a16_no_line_of_a_letter_in_western_script_is_longer_than_a_mail_may_carry() -> None:
    letter = LetterForm("S", "", "word & <tag> " * 500 + "x" * 2500, "").write(SIGNER, TARGET, CAMPAIGN)
    mail = _mail(letter)
    assert max(len(line.encode()) for line in mail.text.split("\n")) <= 998
    assert max(len(line.encode()) for line in mail.html.split("\n")) <= 998


@pytest.mark.parametrize("name", ["Jane\r\nBcc: x@example.org", "x@example.org", "<b>", "=?utf-8?q?x?=", "J\0D"])
def test_a9_a_name_that_got_into_the_database_by_force_never_reaches_a_header(name: str) -> None:
    with pytest.raises(BadInput) as refusal:
        _mail(signer_name=name)
    assert refusal.value.where == "signer name"


def test_a_name_with_a_joiner_of_its_script_is_kept() -> None:
    assert _mail(signer_name="علی\u200cرضا").sender.name == "علی\u200cرضا via Fair Act"


@pytest.mark.parametrize("name", ["Ö", "Fair Act", "A very long name of an organisation " * 3])
def test_a5_a_feedback_id_has_four_fields_at_most_and_a_sender_of_5_to_15_signs(name: str) -> None:
    envelope = Envelope.of(replace(SETTINGS, organisation=name), campaign="Été: 2026 / " + "x" * 90)
    fields = dict(envelope.headers)["Feedback-ID"].split(":")
    assert 2 <= len(fields) <= 4
    assert 5 <= len(fields[-1]) <= 15
    assert all(re.fullmatch(r"[a-z0-9-]{1,50}", field) for field in fields)
    assert len(set(fields)) == len(fields)


def test_a_confirmation_asks_says_who_is_written_to_and_what_happens_otherwise() -> None:
    mail = _notice("confirm")
    assert mail.subject == "Confirm your letter: A bus shelter & a bench"
    assert mail.sender == Mailbox("Fair Act", SETTINGS.act_from)
    assert mail.reply_to == Mailbox("Fair Act", SETTINGS.help_address)
    assert (mail.mail_class, mail.stream) == (MailClass.CONFIRMATION, Stream.ACT)
    assert mail.message_id == "<n.abc.1@act.outreach.example.org>"
    for part in (mail.text, _Page(mail.html).text):
        said = " ".join(part.split())
        assert "Hello Jane Doe," in said
        assert "A bus shelter & a bench" in said
        assert "Mayor Alex Rivera" in said
        assert "Clerk <of works>" in said
        assert NOTICE.link in said
        assert "The link works until 1 December 2026." in said
        assert "If this was not you, do nothing" in said
        assert "1 Example Street, Springfield" in said


def test_a6_a_confirmation_never_carries_list_headers_even_when_asked_to() -> None:
    mail = _notice("confirm", unsubscribe_url="https://act.example.org/u/token")
    assert dict(mail.headers) == {
        "Feedback-ID": "campaign-bus-shelter:act:fairact",
        "Auto-Submitted": "auto-generated",
    }


def test_a1_a2_a3_a_receipt_offers_to_unsubscribe_where_there_is_a_way() -> None:
    plain = _notice("receipt")
    assert not [name for name, _ in plain.headers if name.startswith("List-")]
    assert plain.mail_class == MailClass.NOTICE
    mail = _notice(
        "receipt", unsubscribe_url="https://act.example.org/u/token", unsubscribe_mail="u-token@u.example.org"
    )
    headers = dict(mail.headers)
    assert len(headers) == len(mail.headers)
    assert headers["List-Unsubscribe"] == (
        "<https://act.example.org/u/token>, <mailto:u-token@u.example.org?subject=unsubscribe>"
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-ID"] == "Receipts <receipts.act.outreach.example.org>"
    assert "https://act.example.org/u/token" in mail.text
    assert "https://act.example.org/u/token" in _Page(mail.html).links


def test_one_click_is_not_promised_for_an_address_without_encryption() -> None:
    headers = dict(_notice("receipt", unsubscribe_url="http://127.0.0.1:8000/u/token").headers)
    assert "List-Unsubscribe" in headers
    assert "List-Unsubscribe-Post" not in headers


@pytest.mark.parametrize("purpose", ["confirm", "receipt"])
def test_a_notice_shows_what_people_typed_as_text_and_fetches_nothing(purpose: str) -> None:
    nasty = '"><script>alert(1)</script>{{ 7*7 }}'
    mail = _notice(purpose, NoticeFields(nasty, nasty, (nasty,), NOTICE.link))
    page = _Page(mail.html)
    assert page.remote == []
    assert "script" not in page.tags
    assert set(page.links) == {NOTICE.link, f"mailto:{SETTINGS.help_address}"}
    assert page.text.count(nasty) >= 3
    assert mail.text.count(nasty) >= 2
    assert "works until" not in mail.text


@pytest.mark.parametrize("purpose", ["confirm", "receipt"])
def test_a_notice_is_wrapped_keeps_its_link_whole_and_names_its_language(purpose: str) -> None:
    link = "https://act.example.org/confirm/" + "t" * 80
    mail = _notice(purpose, replace(NOTICE, link=link), language="ar")
    assert link in mail.text.split("\n")
    assert all(len(line) <= 78 for line in mail.text.split("\n") if line != link)
    assert "\n\n\n" not in mail.text
    assert _Page(mail.html).root == {"lang": "en", "dir": "ltr"}  # we have no Arabic, so it is English, and says so
    assert max(len(line) for line in mail.html.split("\n")) <= 998
    assert len(mail.html.encode()) < 90_000


def test_a_notice_without_a_postal_address_ends_with_the_name() -> None:
    mail = compose_notice(
        "confirm",
        NOTICE,
        settings=replace(SETTINGS, postal_address=""),
        ref="abc",
        attempt=1,
        to=MAYOR,
        campaign="x",
        now=NOW,
    )
    assert mail.text.endswith("\n\nFair Act\n")


def test_a_long_title_makes_a_subject_that_still_fits() -> None:
    mail = _notice("confirm", replace(NOTICE, campaign_title="Buses\n" * 60))
    assert len(mail.subject) <= 150
    assert mail.subject.endswith("…")


def test_c27_no_template_of_ours_names_anything_remote() -> None:
    from outreach.paths import folder

    for name in ("letters", "notices"):
        for path in Path(folder("templates") / name).rglob("*.html"):
            page = path.read_text("utf-8")
            assert not re.search(r"<(img|link|script|iframe|base|form|object)\b|@import|url\(", page), path


@pytest.mark.parametrize("purpose", ["confirm", "receipt"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_before_it_is_opened_a_discreet_notice_tells_nothing_of_its_campaign(purpose: str, language: str) -> None:
    title = "Stop the Raids"
    mail = _notice(purpose, replace(NOTICE, campaign_title=title, discreet=True), language=language)
    preheader = re.search(r'<span style="display:none[^>]*>([^<]*)<', mail.html)

    assert preheader is not None
    for shown in (mail.subject, preheader[1], *(value for _, value in mail.headers)):
        assert "Raids" not in shown
        assert "letter" not in shown.casefold()
        assert "carta" not in shown.casefold()
    assert title in mail.text
    assert title in _notice(purpose, replace(NOTICE, campaign_title=title), language=language).subject
