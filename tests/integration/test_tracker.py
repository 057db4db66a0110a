"""The signer's own page: thank you, what became of each letter, and the acts on it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from outreach import audit, outbox
from outreach.domain.deliveries import EventState, MailClass, State, Stream
from outreach.keys import hash_of
from outreach.models import (
    AuditEntry,
    Channel,
    Consent,
    Contact,
    Delivery,
    Lane,
    SelfSend,
    ShareLink,
    Signature,
    SignatureState,
    Supporter,
    Token,
)
from tests import factories
from tests.sites import Site, bare

LETTERS = Delivery.mail_class == MailClass.LETTER


def confirmed(site: Site, **form: str) -> str:
    """Jane has signed and confirmed; the path of her page."""
    return site.confirm(site.sign(**form))


def shown(site: Site, path: str) -> str:
    return bare(site.get(path))


def letters(site: Site) -> list[Delivery]:
    with site.db.read() as session:
        return list(session.scalars(select(Delivery).where(LETTERS).order_by(Delivery.id)))


def alter(site: Site, **columns: object) -> None:
    """Jane's first letter, as something else has left it."""
    with site.db.begin() as session:
        letter = session.scalars(select(Delivery).where(LETTERS).order_by(Delivery.id)).first()
        for name, value in columns.items():
            setattr(letter, name, value)


def test_the_thank_you_says_the_reference_and_the_day_each_letter_is_expected(site: Site) -> None:
    with site.db.begin() as session:
        for lane in session.scalars(select(Lane).where(Lane.key.startswith("mailbox:"))):
            lane.per_hour, lane.hours, lane.days, lane.zone = 30, "09:00-17:00", "mon-fri", "America/New_York"
        campaign = site.campaign(session)
        for _ in range(3):
            factories.delivery(session, factories.signature(session, campaign, state=SignatureState.CONFIRMED))
    site.now = datetime.fromisoformat("2026-03-06T22:00+00:00")  # Friday, after the offices closed

    text = shown(site, confirmed(site))

    assert "Thank you, Jane Doe" in text
    assert "You are one of 4 people who have." in text
    assert "It is number 4 in line for this office." in text
    assert "in line for this office. We expect" in text
    assert text.count("We expect it to leave on Monday, 9 March 2026, in the morning.") == 2
    with site.db.read() as session:
        reference = session.scalars(select(Signature.ref).order_by(Signature.id.desc())).first()
    assert f"Reference {reference}" in text


def test_for_an_hour_the_page_thanks_first_and_later_begins_with_the_letters(site: Site) -> None:
    path = confirmed(site)
    text = shown(site, path)
    assert text.index("Ask one person to sign too") < text.index("What happens next")
    site.now += timedelta(hours=2)
    text = shown(site, path)
    assert text.index("Your letters") < text.index("Ask one person to sign too")
    assert "What happens next" not in text


def test_an_answer_is_told_of_and_that_it_was_forwarded(site: Site) -> None:
    path = confirmed(site)
    alter(site, state=State.ACCEPTED, accepted_at=site.now, event_state=EventState.DELIVERED, replied_at=site.now)
    text = shown(site, path)
    assert "Answered" in text
    assert "The office answered on Mon 2 Mar 2026, 12:00 UTC" in text
    assert "We forwarded" not in text
    with site.db.begin() as session:
        letter = session.scalars(select(Delivery).where(LETTERS).order_by(Delivery.id)).first()
        assert letter is not None
        signature = session.scalars(select(Signature)).one()
        mail = factories.delivery(session, signature, mail_class=MailClass.NOTICE, purpose="reply")
        factories.reply(session, letter, now=site.now, forward_id=mail.id)
    assert "We forwarded the answer to your mailbox." in shown(site, path)


def test_a_bounced_letter_says_what_is_done_about_it(site: Site) -> None:
    path = confirmed(site)
    alter(site, state=State.ACCEPTED, accepted_at=site.now, event_state=EventState.BOUNCED, event_at=site.now)
    text = shown(site, path)
    assert "Not delivered" in text
    assert "We told the campaign, who will look for an address that works." in text


# ---- the change of name and words ------------------------------------------------------------------------------------

NEW = {"name": "Jane Q. Doe", "own_words": "Rain, every day."}


def check(site: Site, path: str, **changes: str) -> str:
    """Press “Look at it”; the page that shows the letters."""
    answer = site.client.post(f"{path}/change/check", data=NEW | changes)
    assert answer.status_code == 200, answer.text
    return answer.text


def hash_in(html: str) -> str:
    return html.partition('name="text" value="')[2].partition('"')[0]


def test_changing_shows_exactly_the_new_letters_and_confirms_them_by_a_post(site: Site) -> None:
    path = confirmed(site)
    before = letters(site)
    assert site.client.post(f"{path}/change").headers["location"] == f"{path}/change"
    assert "I wait in the rain." in site.get(f"{path}/change")
    html = check(site, path)
    assert bare(html).count("Rain, every day. Yours sincerely, Jane Q. Doe") == 2
    assert [letter.content_hash for letter in letters(site)] == [letter.content_hash for letter in before]

    done = site.client.post(f"{path}/change/confirm", data=NEW | {"text": hash_in(html)})

    assert done.headers["location"] == f"{path}?done=changed"
    text = shown(site, done.headers["location"])
    assert "Your letter is changed." in text
    assert text.count("Rain, every day. Yours sincerely, Jane Q. Doe") == 2
    assert "I wait in the rain." not in text
    after = letters(site)
    assert not {letter.content_hash for letter in after} & {letter.content_hash for letter in before}
    assert [(letter.state, letter.due_at) for letter in after] == [(letter.state, letter.due_at) for letter in before]
    assert site.rung[-1] is Stream.LETTERS
    with site.db.read() as session:
        signature = session.scalars(select(Signature)).one()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "signature.change")).one()
        assert (entry.actor, entry.after) == ("signer", {"text_hash": signature.text_hash})
        proof = session.scalars(select(Token).where(Token.text_hash == signature.text_hash)).all()
        assert [token.purpose for token in proof if token.used_at == site.now] == ["confirm"]
        assert audit.audit(session, site.settings).balanced


def test_what_is_confirmed_must_be_what_was_shown(site: Site) -> None:
    path = confirmed(site)
    text = hash_in(check(site, path))
    other = NEW | {"own_words": "Something that was never shown.", "text": text}
    answer = site.client.post(f"{path}/change/confirm", data=other)
    assert answer.status_code == 409
    assert "Something that was never shown." in answer.text, "it is shown now, to be confirmed or not"
    assert site.count(Signature.own_words == "I wait in the rain.") == 1


def test_letters_wait_while_they_are_changed_and_keep_their_places_in_line(site: Site) -> None:
    path = confirmed(site)
    due = [letter.due_at for letter in letters(site)]
    site.now += timedelta(minutes=5)
    site.client.post(f"{path}/change")
    assert {letter.due_at for letter in letters(site)} == {site.now + timedelta(minutes=30)}
    with site.db.begin() as session:
        taken = outbox.claim(
            session, Stream.LETTERS, transport="memory", now=site.now, limit=9, lease=timedelta(minutes=1)
        )
    assert taken is None
    assert site.client.post(f"{path}/change/keep").headers["location"] == f"{path}?done=kept"
    assert [letter.due_at for letter in letters(site)] == due


def test_who_goes_away_while_changing_has_the_letter_sent_as_it_was(site: Site) -> None:
    path = confirmed(site)
    site.client.post(f"{path}/change")
    site.now += timedelta(minutes=31)
    with site.db.begin() as session:
        taken = outbox.claim(
            session, Stream.LETTERS, transport="memory", now=site.now, limit=9, lease=timedelta(minutes=1)
        )
        assert taken is not None
        assert len(taken.ids) == 2


def test_a_letter_that_left_or_may_have_left_is_not_changed(site: Site) -> None:
    path = confirmed(site)
    text = hash_in(check(site, path))
    alter(site, state=State.ACCEPTED, accepted_at=site.now)
    assert "Change my letter" not in site.get(path)
    for act in ("", "/check", "/confirm", "/keep"):
        answer = site.client.post(f"{path}/change{act}", data=NEW | {"text": text})
        assert answer.status_code == 409, act
        assert "it cannot be changed any more" in answer.text
    assert site.client.get(f"{path}/change").status_code == 409
    assert site.count(Signature.name == "Jane Doe") == 1


def test_wrong_values_come_back_with_their_sentences_and_nothing_lost(site: Site) -> None:
    path = confirmed(site)
    answer = site.client.post(f"{path}/change/check", data={"name": "x@example.org", "own_words": "Kept as typed."})
    assert answer.status_code == 422
    assert "A name cannot hold an address or a link." in answer.text
    assert "Kept as typed." in answer.text


def test_threat_b5_nobody_changes_their_name_into_that_of_the_office_they_write_to(site: Site) -> None:
    answer = site.client.post(f"{confirmed(site)}/change/check", data=NEW | {"name": "Alex Rivera"})
    assert answer.status_code == 422
    assert "the name of somebody you write to" in answer.text


# ---- sharing ---------------------------------------------------------------------------------------------------------

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def code_of(site: Site) -> str:
    with site.db.read() as session:
        return session.scalars(select(ShareLink.code)).one()


def test_a_signers_short_link_counts_visits_and_signatures_and_keeps_nothing_else(site: Site) -> None:
    path = confirmed(site)
    code = code_of(site)
    assert f"{site.settings.base_url}/s/{code}" in site.get(path)
    for _ in range(3):
        answer = site.client.get(f"/s/{code}", headers=BROWSER)
        assert answer.headers["location"] == f"/c/shelters?via={code}"
    assert not answer.cookies
    site.visits.write()
    confirmed(site, email="sam@example.org", name="Sam Poe", via=code)
    text = shown(site, path)
    assert "Your link was opened 3 times. One person signed by it." in text
    with site.db.read() as session:
        assert session.scalars(select(Signature.source).order_by(Signature.id)).all() == ["web", f"share:{code}"]
        assert session.scalars(select(Signature.shared_at).order_by(Signature.id)).all() == [site.now, None]


def test_programs_that_look_behind_a_link_are_no_visitors(site: Site) -> None:
    confirmed(site)
    code = code_of(site)
    for headers in ({"user-agent": "WhatsApp/2.23"}, {"user-agent": ""}, BROWSER | {"sec-purpose": "prefetch"}):
        assert site.client.get(f"/s/{code}", headers=headers).status_code == 303
    site.visits.write()
    with site.db.read() as session:
        assert session.scalars(select(ShareLink.visits)).one() == 0


def test_a_code_that_was_never_given_is_like_any_unknown_address(site: Site) -> None:
    unknown = site.get("/letter/nothing", 404)
    for code in ("aaaaaaaaaa", "x", "A" * 500):
        assert site.get(f"/s/{code}", 404) == unknown


# ---- the name, the data, the end -------------------------------------------------------------------------------------


def test_hiding_the_name_is_one_more_line_in_the_ledger_and_can_be_undone(site: Site) -> None:
    path = confirmed(site, show_name="yes")
    assert "May be shown" in site.get(path)
    hidden = site.client.post(f"{path}/name", data={"shown": "no"}).headers["location"]
    assert "Is not shown" in site.get(hidden)
    site.now += timedelta(minutes=1)
    site.client.post(f"{path}/name", data={"shown": "yes"})
    assert "May be shown" in site.get(path)
    with site.db.read() as session:
        said = session.scalars(select(Consent.given).where(Consent.purpose == "show_name").order_by(Consent.id))
        assert said.all() == [True, False, True]


def test_a_name_that_was_never_agreed_to_cannot_be_shown_from_here(site: Site) -> None:
    path = confirmed(site)
    site.client.post(f"{path}/name", data={"shown": "yes"})
    assert "Is not shown" in site.get(path)


def test_f7_the_signers_data_come_as_a_file_with_everything_and_nobody_elses(site: Site) -> None:
    confirmed(site, email="sam@example.org", name="Sam Poe")
    answer = site.client.get(f"{confirmed(site)}/data.json")
    assert answer.headers["content-disposition"].startswith("attachment")
    data = answer.json()
    assert data["supporters"][0]["address"] == "jane@example.org"
    assert [row["own_words"] for row in data["signatures"]] == ["I wait in the rain."]
    assert "Sam Poe" not in answer.text


def test_f8_erasing_takes_a_typed_word_and_says_what_remains(site: Site) -> None:
    path = confirmed(site)
    alter(site, state=State.ACCEPTED, accepted_at=site.now)
    text = shown(site, f"{path}/erase")
    assert "One letter has left. The office keeps it" in text
    assert site.client.post(f"{path}/erase", data={"word": "yes"}).status_code == 422
    assert site.count(Signature.name == "Jane Doe") == 1

    done = site.client.post(f"{path}/erase", data={"word": " Erase "})

    assert "You are erased" in site.get(done.headers["location"])
    assert site.get(path, 404)
    assert site.count(Signature.name == "") == 1
    assert site.count(Supporter.erased_at.is_not(None), of=Supporter) == 1
    assert [letter.state for letter in letters(site)] == [State.ACCEPTED, State.CANCELLED]


# ---- sent by the signer ----------------------------------------------------------------------------------------------


def test_who_sends_a_letter_themselves_has_ours_to_that_office_called_off_and_nothing_counted(site: Site) -> None:
    site.set(self_send=True)
    path = confirmed(site)
    first, _second = letters(site)
    html = site.get(path)
    assert html.count("I have sent it: do not send yours") == 2
    assert 'href="mailto:' in html
    assert 'rel="noopener noreferrer"' in html
    for _ in range(2):
        done = site.client.post(f"{path}/sent/{first.target_id}", data={"way": "gmail"})
    text = shown(site, done.headers["location"])
    assert "Sent by you" in text
    assert "So we do not send ours." in text
    assert [letter.state for letter in letters(site)] == [State.CANCELLED, State.QUEUED]
    with site.db.read() as session:
        assert [(row.target_id, row.way) for row in session.scalars(select(SelfSend))] == [(first.target_id, "gmail")]
        told = audit.audit(session, site.settings)
        assert told.balanced
        assert told.states["accepted"] == 0
    assert site.client.post(f"{path}/sent/99999").status_code == 404


def test_who_sent_a_letter_themselves_and_signs_again_has_none_of_ours_sent_to_that_office(site: Site) -> None:
    site.set(self_send=True)
    path = confirmed(site)
    site.client.post(f"{path}/sent/{letters(site)[0].target_id}", data={"way": "copy"})
    site.client.post(f"{path}/withdraw")
    site.now += timedelta(minutes=5)
    confirmed(site)
    assert [letter.state for letter in letters(site)] == [State.CANCELLED, State.CANCELLED, State.QUEUED]
    assert letters(site)[2].target_id == letters(site)[1].target_id


def test_a_letter_that_had_left_stays_and_the_page_says_so(site: Site) -> None:
    site.set(self_send=True)
    path = confirmed(site)
    alter(site, state=State.ACCEPTED, accepted_at=site.now)
    site.client.post(f"{path}/sent/{letters(site)[0].target_id}", data={"way": "copy"})
    assert "Ours had left already." in shown(site, path)
    assert letters(site)[0].state is State.ACCEPTED


def test_whoever_does_not_want_to_sign_may_send_it_and_nothing_of_that_is_kept(site: Site) -> None:
    assert site.client.get("/c/shelters/send").status_code == 404, "not unless the campaign allows it"
    assert "/c/shelters/send" not in site.get("/c/shelters")
    site.set(self_send=True)
    assert 'href="/c/shelters/send"' in site.get("/c/shelters")
    assert site.client.post("/c/shelters/send", data={"name": "x@example.org"}).status_code == 422
    words = "<b>Rain</b> & more."
    answer = site.client.post("/c/shelters/send", data={"name": "Jane Doe", "own_words": words})
    assert answer.status_code == 200
    assert answer.text.count("Open in Gmail") == 2
    assert answer.text.count("&lt;b&gt;Rain&lt;/b&gt; &amp; more.") == 3, "two letters, and the form"
    assert site.count() == site.count(of=Delivery) == site.count(of=SelfSend) == site.count(of=Supporter) == 0


def test_no_address_is_shown_where_the_campaign_does_not_let_signers_send(site: Site) -> None:
    html = site.get(confirmed(site))
    assert "I have sent it" not in html
    with site.db.read() as session:
        for contact in session.scalars(select(Contact)):
            assert contact.value not in html


def test_an_office_that_takes_web_forms_only_gets_its_text_to_paste(site: Site) -> None:
    with site.db.begin() as session:
        contact = session.scalars(select(Contact).order_by(Contact.id)).first()
        assert contact is not None
        contact.channel, contact.value = Channel.WEBFORM, "https://mayor.example.org/contact"
    path = confirmed(site)
    html = site.get(path)
    assert "This office takes web forms only" in html
    assert '<a class="button quiet-button" href="https://mayor.example.org/contact" rel="noopener noreferrer"' in html
    assert html.count("<textarea") == 1
    site.client.post(f"{path}/sent/{contact.target_id}", data={"way": "form"})
    assert [letter.state for letter in letters(site)] == [State.CANCELLED, State.QUEUED]


def test_threat_b12_what_a_signer_typed_is_text_on_every_one_of_these_pages(site: Site) -> None:
    site.set(self_send=True)
    words = "</textarea><script>alert(1)</script><img src=x onerror=alert(1)>"
    path = confirmed(site, own_words=words)
    for html in (site.get(path), site.get(f"{path}/change"), check(site, path, own_words=words)):
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "&lt;script&gt;alert(1)" in html


def test_pages_of_a_letter_are_never_kept_and_tell_nobody_where_the_reader_came_from(site: Site) -> None:
    path = confirmed(site)
    for page in (path, f"{path}/change", f"{path}/erase", f"{path}/data.json"):
        headers = site.client.get(page).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
    with site.db.read() as session:
        assert session.get(Token, hash_of(path.rpartition("/")[2])) is not None
