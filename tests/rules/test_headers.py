"""Headers of every mail. Numbers are the field rules', part A."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from html import unescape
from unittest import mock

import pytest
from sqlalchemy import select, update

from outreach import campaign_settings
from outreach.consents import said_anew
from outreach.domain.deliveries import MailClass, State
from outreach.domain.messages import Mailbox
from outreach.models import Consent, Delivery, LetterVersion, Signature, Supporter
from outreach.stopping import stop_of
from outreach.transports.mime import to_bytes
from tests.rules.post import BYTES, Post, in_bytes
from tests.sites import JANE, bare
from tests.unit.transports.letters import letter

OURS = {
    "letters@letters.outreach.example.org",
    "act@act.outreach.example.org",
    "news@news.outreach.example.org",
}
NAMES = (
    'Jane "JD" Doe, PhD',
    "Doe, Jane",
    "O’Neil-Ünlü; Renée",
    "王小明",
    "Zoë Ångström",
    "Ann 🙂",
    "山田太郎 " * 15 + "via",
    "Ann (the second) \\ Doe",
    "letters@letters.outreach.example.org via",
)


def bulk(post: Post) -> list:  # type: ignore[type-arg]
    """Mailings, and the follow-ups that are news."""
    found = post.of(MailClass.MAILING) + [m for m in post.of(MailClass.NOTICE, purpose="rung:") if "/u/" in m.text]
    assert len(found) == 4, "two readers, a mailing and a follow-up each"
    return found


def test_a1_a2_bulk_mail_names_two_ways_to_stop_once_each_and_promises_one_click(post: Post) -> None:
    post.everything()

    for mail in bulk(post):
        (ways,) = mail.all("List-Unsubscribe")
        page, address = ways.split(", ")
        assert re.fullmatch(r"<https://act\.example\.org/u/[a-z2-7]{40}>", page)
        assert re.fullmatch(r"<mailto:u-[a-z2-7]{40}@replies\.outreach\.example\.org\?subject=unsubscribe>", address)
        assert mail.all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]


@BYTES
def test_a3_the_headers_stay_plain_for_the_longest_address_we_could_have(post: Post) -> None:
    longest = ".".join(["a" * 60] * 4)
    for n in range(2):
        post.signer(f"reader-{n}@example.org", updates="yes")
    post.wave()
    post.site.settings = replace(post.site.settings, base_url=f"https://{longest}", reply_domain=f"{longest}.org")
    post.send()

    mails = post.of(MailClass.MAILING)
    assert len(mails) == 2
    for mail in mails:
        lines = re.findall(rb"(?im)^List-Unsubscribe(?:-Post)?: .*(?:\r\n[ \t].*)*", mail.raw)
        assert len(lines) == 2
        assert all(b"=?" not in line for line in lines)
        assert longest.encode() in lines[0]


def test_a4_readers_have_links_of_their_own_that_tell_nothing_about_them(post: Post) -> None:
    post.everything("Jane Doe", "Bo Li")

    links = [re.findall(r"<([^>]*)>", mail.all("List-Unsubscribe")[0]) for mail in post.of(MailClass.MAILING)]
    assert len({part for pair in links for part in pair}) == 4
    with post.db.read() as session:
        ids = [str(id_) for id_ in session.scalars(select(Supporter.id))]
    for link, _ in links:
        token = link.rpartition("/")[2]
        assert not any(word in link.lower() for word in ("reader", "jane", "example.com", "%", "@"))
        assert token not in ids
    settings, keys = post.site.settings, post.site.keys
    neighbours = [
        stop_of(settings, keys, supporter_ref="a" * 16, campaign_id=n, slug="x").url.rpartition("/")[2][16:]
        for n in (7, 8)
    ]
    assert sum(a != b for a, b in zip(*neighbours, strict=True)) > 10, "campaigns are not counted in the link either"


def test_a5_all_readers_of_a_wave_see_one_list_and_one_feedback_id(post: Post) -> None:
    post.everything()
    first = {(*m.all("List-ID"), *m.all("Feedback-ID")) for m in post.of(MailClass.MAILING)}
    post.site.now += timedelta(days=8)
    post.wave(subject="More news")
    post.send()
    lists = {tuple(m.all("List-ID")) for m in post.of(MailClass.MAILING)}

    ((list_id, feedback_id),) = first
    assert lists == {(list_id,)}
    assert re.fullmatch(r"[\w ]+ <[a-z0-9.-]+>", list_id)
    fields = feedback_id.split(":")
    assert 2 <= len(fields) <= 4
    assert 5 <= len(fields[-1]) <= 15


def test_a6_letters_and_confirmations_are_no_list_mail(post: Post) -> None:
    post.everything()

    mails = post.of(MailClass.LETTER, MailClass.CONFIRMATION)
    assert len(mails) == 4 + 2
    for mail in mails:
        assert [mail.all(name) for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Precedence")] == [
            [],
            [],
            [],
            [],
        ]


def test_a7_every_mail_is_from_one_of_our_three_addresses_whoever_signs(post: Post) -> None:
    post.everything("Jane Doe", "postmaster", "Admin, root", "ceo", "王小明")

    seen = post.seen()
    assert {mail.sender.address for mail in seen} == OURS
    assert {mail.sender.address for mail in post.letters()} == {"letters@letters.outreach.example.org"}


@BYTES
@pytest.mark.parametrize("name", NAMES[:6])
def test_a8_a_letter_is_from_its_signer_via_the_organisation(post: Post, name: str) -> None:
    post.signer(name=name)
    post.send()

    for mail in post.letters():
        assert mail.sender == Mailbox(f"{name} via Fair Streets", "letters@letters.outreach.example.org")
        assert len(mail.all("From")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a8_any_name_at_all_gives_one_address_and_comes_back(name: str) -> None:
    name = name.strip()
    seen = in_bytes(to_bytes(letter(sender=Mailbox(f"{name} via Fair Streets", "letters@letters.example.org"))))
    assert seen.sender == Mailbox(f"{name} via Fair Streets", "letters@letters.example.org")


@BYTES
@pytest.mark.parametrize("name", ["Jane <jane@example.org>", "a@b.example", "x" * 200])
def test_a8_a11_what_could_be_an_address_or_is_no_name_is_refused_at_the_form(post: Post, name: str) -> None:
    answer = post.site.client.post("/c/shelters/sign", data=JANE | {"name": name})
    assert answer.status_code == 422
    assert post.site.count() == 0


HOSTILE = ("\r\nBcc: victim@example.net\r\n", "\nBcc: victim@example.net", "\u2028Bcc: x", "\u202egro.live", "\x85")


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\n", "\0", "\u2028"])
@BYTES
def test_a9_a_line_break_in_a_name_or_city_refuses_the_signature(post: Post, sign: str) -> None:
    for field in ("name", "city"):
        answer = post.site.client.post("/c/shelters/sign", data=JANE | {field: f"Jane{sign}Bcc: victim@example.net"})
        assert answer.status_code == 422
        assert "on one line" in bare(answer.text)
    assert post.site.count() == 0


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a9_what_got_into_the_database_by_force_makes_no_header_and_no_recipient(
    post: Post, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.signer(own_words="I wait.")
    post.signer("bo@example.org", own_words="I walk.")
    with post.db.begin() as session:
        forced = session.scalars(select(Signature).where(Signature.own_words == "I wait.")).one()
        forced.name, forced.city, forced.own_words = f"Jane{hostile}", f"Springfield{hostile}", f"I wait.{hostile}"
        if "\n" in hostile:  # any other sign makes the whole version unfit, so that nothing would leave
            session.execute(update(LetterVersion).values(subject=LetterVersion.subject + hostile))
    # As if this had been confirmed: without it the letters would be held, as they are not what was shown.
    monkeypatch.setattr("outreach.sending.parcels.letter_hash", lambda *_: mock.ANY)

    seen = post.send()

    assert sum("I walk." in mail.text for mail in post.letters()) == 2
    for mail in seen:
        assert mail.to.address.partition("@")[2] in ("example.org", "example.net")
        assert "victim@" not in mail.to.address
        assert {header.lower() for header, _ in mail.headers}.isdisjoint({"bcc", "cc"})
        assert not re.search("[\r\n\0\x85\u2028]", f"{mail.subject}{mail.sender.name}{mail.to.name}")
        assert all(mail.all(name) == [value] for name, value in mail.headers)
        assert not any(person.keys() & {"bcc", "cc"} for person in mail.payload.get("personalizations", ()))


@BYTES
def test_a9_a_hidden_sign_is_taken_out_of_a_name(post: Post) -> None:
    post.signer(name="Jane \u202eeoD", own_words="I \u202ewait.")
    post.send()
    assert {mail.sender.name for mail in post.letters()} == {"Jane eoD via Fair Streets"}
    assert all("\u202e" not in mail.text for mail in post.letters())


@BYTES
def test_a10_a_name_that_holds_an_encoded_word_is_never_decoded(post: Post) -> None:
    for name in ("=?utf-8?q?evil?=", "Jane =?utf-8?b?QmNjOiB4?= Doe"):
        assert post.site.client.post("/c/shelters/sign", data=JANE | {"name": name}).status_code == 422
        made = letter(sender=Mailbox(name, "letters@letters.example.org"), to=Mailbox(name, "mayor@example.com"))
        seen = in_bytes(to_bytes(made))
        assert (seen.sender.name, seen.to.name) == (name, name)
    assert post.site.count() == 0


@BYTES
@pytest.mark.parametrize(
    "name", ["mayor@example.gov", "Jane <x>", "see https://evil.example", "Visit evil.com", "Ｊ＠e.org"]
)
def test_a11_a_name_that_holds_an_address_or_a_link_is_refused_with_a_sentence(post: Post, name: str) -> None:
    answer = post.site.client.post("/c/shelters/sign", data=JANE | {"name": name})
    assert answer.status_code == 422
    assert "A name cannot hold an address or a link." in bare(answer.text)
    assert post.site.count() == 0


def test_a12_answers_to_each_letter_have_an_address_of_their_own(post: Post) -> None:
    for n in range(5):
        post.signer(f"signer-{n}@example.org", name=f"Jane {'abcde'[n]}")
    post.send()

    aliases = [mail.reply_to for mail in post.letters()]
    assert len(aliases) == len(set(aliases)) == 10
    for alias in aliases:
        assert alias is not None
        local, _, domain = alias.address.partition("@")
        assert re.fullmatch(r"[a-z0-9-]{1,64}", local)
        assert domain == "replies.outreach.example.org"
    assert "signer-" not in str([mail.headers for mail in post.letters()])


def test_a13_answers_go_straight_to_a_signer_only_while_the_ledger_says_yes(post: Post) -> None:
    people = {name: f"{name}@example.org" for name in ("agreed", "silent", "regrets", "at-risk")}
    box = r'<input[^>]*name="share_address"[^>]*>'
    assert not re.search(box, post.site.get("/c/shelters"))
    post.signer("before@example.org", name="before", share_address="yes")  # forged: nobody was asked
    with post.db.begin() as session:
        campaign_settings.change(session, "shelters", {"reply_mode": "direct"}, now=post.site.now, actor="test")
    (found,) = re.findall(box, page := post.site.get("/c/shelters"))
    assert "checked" not in found
    for name, address in people.items():
        post.signer(address, name=name, **({} if name == "silent" else {"share_address": "yes"}))
    with post.db.begin() as session:
        consents = session.scalars(select(Consent).where(Consent.purpose == "share_address")).all()
        assert len(consents) == len(people) - 1
        assert all(consent.wording in unescape(page) for consent in consents)
        regrets = session.scalars(select(Supporter).where(Supporter.address == people["regrets"])).one()
        theirs = next(consent for consent in consents if consent.supporter_id == regrets.id)
        session.add(said_anew(theirs, given=False, source="link", at=post.site.now + timedelta(seconds=1)))
        session.execute(update(Signature).where(Signature.name == "at-risk").values(high_risk=True))
    post.send()

    answers: dict[str, set[str]] = defaultdict(set)
    for mail in post.letters():
        assert mail.reply_to is not None
        answers[mail.reply_to.name].add(mail.reply_to.address)
    assert answers.pop("agreed") == {people["agreed"]}
    assert answers.keys() == {"silent", "regrets", "at-risk", "before"}
    for aliases in answers.values():
        assert len(aliases) == 2, "one for each letter"
        assert all(alias.endswith("@replies.outreach.example.org") for alias in aliases)


@BYTES
def test_a14_each_of_the_headers_that_must_be_there_is_there_once(post: Post) -> None:
    seen = post.everything()
    with post.db.begin() as session:  # and once more, as another attempt
        session.execute(update(Delivery).where(Delivery.mail_class == MailClass.LETTER).values(state=State.QUEUED))
    seen = post.send()

    assert len(seen) == 2 * (1 + 1 + 2 + 2 + 1) + 4
    for mail in seen:
        parsed = message_from_bytes(mail.raw)
        for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
            assert len(parsed.get_all(name, [])) == 1, name
    ids = [mail.all("Message-ID")[0] for mail in seen]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"<[a-z0-9.]+@(letters|act|news)\.outreach\.example\.org>", id_) for id_ in ids)


@BYTES
def test_a18_machines_say_that_they_are_machines_and_letters_do_not(post: Post) -> None:
    post.everything()

    for mail in post.of(MailClass.CONFIRMATION, MailClass.NOTICE):
        assert mail.all("Auto-Submitted") == ["auto-generated"]
    assert len(post.letters()) == 4
    assert all(mail.all("Auto-Submitted") == [] for mail in post.letters())
