"""The pages behind the links we mail: opening one changes nothing, a button does. Bare numbers are the field rules'."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from outreach import campaigns
from outreach.domain.deliveries import EventState, MailClass, State, Stream
from outreach.models import (
    Campaign,
    Delivery,
    Signature,
    SignatureState,
)
from outreach.web import links
from tests import factories
from tests.sites import Site, bare


def test_b11_threat_b2_looking_at_a_confirmation_changes_nothing_however_often(site: Site) -> None:
    path = site.sign()
    scanner = {"user-agent": ""}
    answers = [site.client.request(method, path, headers=scanner) for method in ("GET", "HEAD") * 10]
    assert {answer.status_code for answer in answers} == {200}
    assert site.count(Signature.state == SignatureState.PENDING) == 1
    assert site.count(Delivery.mail_class == MailClass.LETTER, of=Delivery) == 0
    site.confirm(path)
    assert site.count(Signature.state == SignatureState.CONFIRMED) == 1


def test_b11_the_confirmation_shows_each_letter_word_for_word_and_one_button(site: Site) -> None:
    html = site.get(site.sign())
    assert html.count('class="paper"') == 2
    text = bare(html)
    for who in ("Mayor of Springfield Alex Rivera", "Transit Commissioner Sam Okafor"):
        assert f"To: {who} From: Jane Doe Subject: A shelter at every stop" in text
    assert text.count("I wait in the rain. Yours sincerely, Jane Doe") == 2
    assert html.count("<button") == 1
    assert "Confirm and send my letters" in html
    assert "cookie" not in str(site.client.cookies)


def test_b12_confirming_leads_to_the_receipt_and_a_second_press_to_the_same(site: Site) -> None:
    path = site.sign()
    receipt = site.confirm(path)
    assert site.confirm(path) == receipt
    assert site.rung == [Stream.ACT, *2 * [Stream.ACT, Stream.LETTERS]], "the receipt has its own stream"
    assert site.count(Delivery.mail_class == MailClass.LETTER, of=Delivery) == 2
    assert "You have confirmed already" in site.get(path)
    text = bare(site.get(receipt))
    assert "Thank you, Jane Doe" in text
    assert text.count("Waiting in line") == 2


def test_b12_threat_b13_an_expired_link_says_so_and_confirms_nothing(site: Site) -> None:
    path = site.sign()
    site.now += timedelta(days=7, seconds=1)
    assert "This link has expired" in site.get(path, 410)
    assert site.client.post(path).status_code == 410
    assert site.count(Signature.state == SignatureState.PENDING) == 1


def test_b12_a_link_that_is_used_after_the_campaign_closed_says_so_and_counts_nothing(site: Site) -> None:
    used, unused = site.sign(email="jane@example.org"), site.sign(email="sam@example.org")
    receipt = site.confirm(used)
    with site.db.begin() as session:
        slug = session.scalars(select(Campaign.slug)).one()
        campaigns.close(session, slug, now=site.now, actor="test")

    assert "closed before you confirmed" in bare(site.get(unused, 410))
    assert site.client.post(unused).status_code == 410
    assert site.count(Signature.state == SignatureState.PENDING) == 1
    assert site.count(Delivery.mail_class == MailClass.LETTER, of=Delivery) == 2, "those of who was in time"
    assert site.count((Delivery.state == State.QUEUED) & (Delivery.mail_class == MailClass.LETTER), of=Delivery) == 2
    assert "You have confirmed already" in site.get(used)
    assert site.confirm(used) == receipt


def test_b12_an_old_link_of_a_confirmed_signature_says_where_its_page_is_found(site: Site) -> None:
    path = site.sign()
    site.confirm(path)
    assert "See what became of my letter" in site.get(path)
    site.now += timedelta(days=7, seconds=1)
    html = site.get(path)
    assert "The newest mail from us has a link that always works." in html
    assert "<form" not in html, "a button that only leads back here"
    assert "Jane Doe" not in html


def test_b12_a_link_for_other_words_than_the_newest_says_so(site: Site) -> None:
    old = site.sign()
    site.now += timedelta(minutes=5)
    new = site.sign(own_words="Something else.")
    assert "The letter has changed" in site.get(old, 409)
    assert site.client.post(old).status_code == 409
    assert "Something else." in site.get(new)


def test_threat_b10_a_token_nobody_was_given_and_one_of_another_purpose_answer_alike(site: Site) -> None:
    confirm = site.sign()
    receipt = site.confirm(confirm)
    unknown = [
        site.get("/confirm/nothing", 404),
        site.get("/letter/nothing", 404),
        site.get("/u/nothing", 404),
        site.get("/confirm/" + receipt.rpartition("/")[2], 404),
        site.get("/letter/" + confirm.rpartition("/")[2], 404),
        site.get("/u/" + confirm.rpartition("/")[2], 404),
        site.get("/confirm/" + "x" * 5000, 404),
        site.get("/confirm/%00%F0%9F%92%A9", 404),
        site.client.post("/confirm/nothing").text,
    ]
    assert len(set(unknown)) == 1


def test_threat_b10_a_network_that_guesses_is_made_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "GUESSES_PER_MINUTE", 5)
    path = site.sign()
    statuses = [site.client.get(f"/confirm/guess{n}").status_code for n in range(8)]
    assert statuses == [404] * 5 + [429] * 3
    assert site.client.get(path).status_code == 429


def test_withdrawing_takes_a_page_and_a_button(site: Site) -> None:
    receipt = site.confirm(site.sign())
    html = site.get(receipt)
    assert f'href="{receipt}/withdraw"' in html
    assert "Withdraw my signature" in site.get(receipt + "/withdraw")
    assert site.count(Signature.state == SignatureState.CONFIRMED) == 1, "looking withdraws nothing"
    assert site.client.post(receipt + "/withdraw").headers["location"] == receipt
    text = bare(site.get(receipt))
    assert "You withdrew your signature" in text
    assert text.count("Called off") == 2
    assert site.client.get(receipt + "/withdraw").headers["location"] == receipt
    assert site.client.post(receipt + "/withdraw").status_code == 303


WORDS = (
    (State.ACCEPTED, "", "We handed it to the mail service on Mon 2 Mar 2026, 12:00 UTC"),
    (State.HELD, "no_contact", "We do not have an address for this office yet"),
    (State.HELD, "wave", "when the campaign sends its letters"),
    (State.HELD, "staff", "Nothing is lost"),
    (State.QUEUED, "", "We expect it to leave on"),
    (State.CLAIMED, "", "It is about to leave."),
    (State.SENDING, "", "being handed over"),
    (State.IN_DOUBT, "", "We are checking whether it arrived"),
    (State.REJECTED, "", "could not be delivered"),
    (State.DEAD, "", "could not be delivered"),
    (State.SUPPRESSED, "", "does not take mail from us"),
    (State.CANCELLED, "", "called off before it left"),
    (State.GIVEN_UP, "", "may already have left"),
)


def test_the_receipt_has_words_for_every_state(site: Site) -> None:
    assert {state for state, _, _ in WORDS} == set(State)
    for state, reason, said in WORDS:
        with site.db.begin() as session:
            campaign = session.scalars(select(Campaign)).one()
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
            token = factories.token(session, signature, purpose="receipt", valid_for=None)
            accepted_at = site.now if state is State.ACCEPTED else None
            factories.delivery(session, signature, state=state, reason=reason, accepted_at=accepted_at)
        assert said in bare(site.get(f"/letter/{token}")), state


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        (EventState.DELIVERED, "The office’s mail server took it. Whether somebody has read it"),
        (EventState.BOUNCED, "sent it back"),
        (EventState.DROPPED, "sent it back"),
    ],
)
def test_the_receipt_tells_what_the_far_server_did(site: Site, reported: EventState, said: str) -> None:
    with site.db.begin() as session:
        signature = factories.signature(
            session, session.scalars(select(Campaign)).one(), state=SignatureState.CONFIRMED
        )
        token = factories.token(session, signature, purpose="receipt", valid_for=None)
        factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=site.now, event_state=reported)
    assert said in bare(site.get(f"/letter/{token}"))


def test_a_signature_that_staff_ended_is_not_said_to_have_been_withdrawn(site: Site) -> None:
    link = site.sign()
    receipt = site.confirm(link)
    unused = site.sign(email="another@example.org")
    with site.db.begin() as session:
        for signature in session.scalars(select(Signature)):
            signature.state = SignatureState.INVALIDATED
    for path, status in ((receipt, 200), (unused, 410)):
        said = bare(site.get(path, status))
        assert "This signature is not counted" in said
        assert "withdrew" not in said
        assert site.settings.help_address in said
    assert site.client.post(unused).status_code == 410
