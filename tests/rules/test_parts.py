"""What stands in a mail, and what may not. Numbers are the field rules', parts A and C."""

from __future__ import annotations

import re
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import select

from outreach import campaigns, targets
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.messages import letter_hash
from outreach.errors import BadTemplate
from outreach.merge import check_letter
from outreach.models import Contact, Delivery, Signature, Supporter
from outreach.signing import look
from tests import factories
from tests.rules.post import BYTES, SMTP, Post
from tests.sites import JANE, bare

LITERAL = "{{7*7}} [unsubscribe] <%asm_group_unsubscribe_raw_url%> -name- %tag% -oe_stop- {% x %} ${HOME}"
MARKUP = '<script>alert("x")</script> <img src=x onerror=alert(1)> Fish & chips <b>now</b> &amp; later'


class Page(HTMLParser):
    """The text of a page, its links with their words, its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", set[str](), dict[str, str]()
        self._link: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self._link = dict(attrs).get("href")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._link is not None:
            self.links[self._link] = self.links.get(self._link, "") + data


def squashed(text: str) -> str:
    return "".join(text.split())


def test_a15_every_mail_has_a_plain_part_and_then_a_page_that_says_the_same(post: Post) -> None:
    seen = post.everything()

    own = {mail.delivery for mail in post.letters()}
    assert len(own) == 4
    for mail in seen:
        if mail.raw:
            parsed = message_from_bytes(mail.raw)
            assert parsed.get_content_type() == "multipart/alternative"
            kinds = [part.get_content_type() for part in parsed.get_payload()]  # type: ignore[union-attr]
        else:
            kinds = [part["type"] for part in mail.payload["content"]]
        assert kinds == ["text/plain", "text/html"]
        assert mail.text.strip()
        assert mail.html.strip()
    for mail in post.letters():
        said = mail.text.partition("\n-- \n")[0]
        assert "I ask you to keep rents within reach." in said
        assert "I wait in the rain." in said
        assert squashed(said) in squashed(Page(mail.html).text)


LONG = ("word " * 399, "x" * 2000, "山" * 2000, ("é" * 70 + "\n") * 28, ". " + "a" * 78 + "\n.\nFrom me\n")


@BYTES
@pytest.mark.parametrize("words", LONG, ids=["words", "one word", "CJK", "accents", "dots"])
def test_a16_no_line_is_longer_than_mail_allows_or_than_is_easily_read(post: Post, words: str) -> None:
    post.signer(own_words=words, name="山田太郎 " * 12, city="Ö" * 80, updates="yes")
    post.wave(subject="News " * 29)
    seen = post.send()

    assert {mail.delivery for mail in post.letters()} < {mail.delivery for mail in seen}
    for mail in seen:
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        parsed = message_from_bytes(mail.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        plain = parsed.get_body(("plain",))
        assert plain is not None
        octets = plain.as_bytes().partition(b"\n\n")[2]
        encoded = plain["Content-Transfer-Encoding"] in ("quoted-printable", "base64")
        assert encoded or max(map(len, octets.splitlines())) <= 78


@SMTP
def test_a17_an_international_domain_travels_in_ascii_from_the_form_to_the_envelope(post: Post) -> None:
    with post.db.begin() as session:
        (target, _) = factories.targets_of(session, post.campaign)
        way = {"keys": factories.KEYS, "settings": post.site.settings, "now": post.site.now, "actor": "test"}
        targets.set_contact(session, target, email="Mayor@rathaus.münchen.example", **way)
    post.signer("Jane@bücher.example.org")
    post.send(Stream.ACT, Stream.LETTERS)

    assert post.sink is not None
    envelopes = {address for record in post.sink.accepted for address in record["to"]}
    written = {mail.to.address for mail in post.seen()}
    assert {"Jane@xn--bcher-kva.example.org", "Mayor@rathaus.xn--mnchen-3ya.example"} <= envelopes
    assert written == envelopes
    assert all(mail.raw.isascii() for mail in post.seen())
    with post.db.read() as session:
        kept = [*session.scalars(select(Supporter.address)), *session.scalars(select(Contact.value))]
    assert all(address.isascii() for address in kept)


def test_a17_an_international_domain_travels_in_ascii_to_the_provider_too(post: Post) -> None:
    post.signer("Jane@bücher.example.org")
    seen = post.send(Stream.ACT)
    assert {mail.to.address for mail in seen} == {"Jane@xn--bcher-kva.example.org"}


@BYTES
def test_a17_an_address_that_few_servers_can_write_to_is_refused_with_a_sentence(post: Post) -> None:
    answer = post.site.client.post("/c/shelters/sign", data=JANE | {"email": "jörg@example.org"})
    assert answer.status_code == 422
    sentence = re.search(r'<a href="#email">([^<]+)</a>', answer.text)
    assert sentence is not None
    assert sentence[1].endswith(".")
    assert post.site.count() == 0


def test_a19_both_parts_of_a_mailing_say_where_we_are_and_how_to_stop(post: Post) -> None:
    post.signer(updates="yes")
    post.wave()
    post.send()

    (mail,) = post.of(MailClass.MAILING)
    link = re.findall(r"<([^>]*)>", mail.all("List-Unsubscribe")[0])[0]
    page = Page(mail.html)
    for part in (mail.text, page.text):
        assert "1 Example Street, Springfield" in part
    assert link in mail.text
    assert page.links[link].strip(), "a link that nobody sees is none"
    assert not re.search(r"display:\s*none|font-size:\s*0|visibility", mail.html)


def test_a20_the_letter_that_leaves_is_the_one_its_signer_confirmed(post: Post) -> None:
    path = post.site.sign(own_words="Zoë waits 🙂\n\n-- \nby the road.")
    with post.db.read() as session:
        shown = look(session, path.rpartition("/")[2], keys=post.site.keys, now=post.site.now).letters
    page = bare(post.site.get(path))
    post.site.confirm(path)
    post.send()

    mails = {mail.delivery: mail for mail in post.letters()}
    with post.db.read() as session:
        rows = session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.LETTER)).all()
        confirmed = session.scalars(select(Signature)).one()
    assert confirmed.text_hash
    assert {row.content_hash for row in rows} == {letter.content_hash for letter in shown}
    for row in rows:
        mail = mails[row.ref]
        assert letter_hash(mail.subject, mail.text) == row.content_hash
        assert letter_hash(mail.subject, mail.text.replace("Zoë", "Zoe")) != row.content_hash
        assert all(line in page for line in mail.text.partition("\n-- \n")[0].split("\n"))


@SMTP
def test_a21_we_sign_nothing_that_could_fail_so_that_the_mail_server_may(post: Post) -> None:
    post.everything()
    assert len(post.seen()) == 14
    assert all(mail.all("DKIM-Signature") == [] for mail in post.seen())


# What signers type


def test_c24_what_looks_like_a_tag_arrives_as_it_was_typed(post: Post) -> None:
    post.signer(own_words=LITERAL)
    post.send()

    assert len(post.letters()) == 2
    for mail in post.letters():
        assert squashed(LITERAL) in squashed(mail.text)
        assert squashed(LITERAL) in squashed(Page(mail.html).text)
        assert "49" not in mail.text
        assert not any("substitutions" in person for person in mail.payload.get("personalizations", ()))
        assert "asm" not in mail.payload


@BYTES
def test_c25_markup_in_a_letter_is_shown_and_never_obeyed(post: Post) -> None:
    post.signer(own_words=MARKUP)
    post.send()

    for mail in post.letters():
        page = Page(mail.html)
        assert squashed(MARKUP) in squashed(page.text)
        assert page.tags.isdisjoint({"script", "img", "b"})
        assert "<script" not in mail.html


_heard: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """What Python is about to do, while somebody listens. A hook cannot be taken out again."""
    if _heard and (event == "open" or event.startswith(("socket.", "subprocess.", "os.system"))):
        _heard[-1].append(f"{event} {arguments[0] if arguments else ''}")


sys.addaudithook(_hear)


@BYTES
def test_c27_writing_a_letter_opens_no_file_and_no_connection(post: Post) -> None:
    from outreach.sending import Desk

    remote = '<link rel="stylesheet" href="https://example.org/x.css"><img src="file:///etc/passwd"> @import url(x)'
    with post.db.begin() as session:
        campaign = session.merge(post.campaign)
        last = campaigns.letter_of(session, campaign)
        words = (last.subject, last.header, last.body + f"\n\n{remote}", last.footer)
        campaigns.new_version(session, campaign, *words, now=post.site.now, actor="test")
    post.signer(own_words=remote)
    with post.db.read() as session:
        ids = session.scalars(select(Delivery.id).where(Delivery.mail_class == MailClass.LETTER)).all()
        parcels = Desk(post.site.settings, post.site.keys).make_up(session, ids)
    _heard.append([])
    try:
        mails = [parcel.write(post.site.now) for parcel in parcels]
        opened = _heard.pop()
    finally:
        _heard.clear()

    assert len(mails) == 2
    assert opened == []
    assert all(Page(mail.html).tags.isdisjoint({"link", "img", "style"}) for mail in mails)


@pytest.mark.parametrize("tag", ["{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% extends 'x' %}"])
def test_c27_a_template_that_reads_another_is_refused(tag: str) -> None:
    with pytest.raises(BadTemplate):
        check_letter("S", "", f"Hello {tag}", "")
