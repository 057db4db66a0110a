"""No means no, and yes is written down. Numbers are the field rules', part B."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from outreach import ladders
from outreach.domain.deliveries import MailClass, Stream
from outreach.domain.ladders import Trigger
from outreach.ladders import NewRung, climb
from outreach.models import Consent, Delivery, Suppression
from tests import factories
from tests.integration.acts import everything
from tests.integration.test_reports import statements
from tests.rules.post import JSON, Post, Seen
from tests.sites import JANE, bare

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def page_of(mail: Seen) -> str:
    """The path behind a mail's List-Unsubscribe."""
    (ways,) = mail.all("List-Unsubscribe")
    return ways[1 : ways.index(">")].removeprefix("https://act.example.org")


@JSON
def test_b1_b3_b4_b5_the_page_of_a_mail_that_left_stops_by_post_and_by_nothing_else(post: Post) -> None:
    post.signer(updates="yes")
    post.wave()
    post.send(Stream.NEWS)
    (mail,) = post.of(MailClass.MAILING)
    before = everything(post.db)

    for method in ("GET", "HEAD") * 100:
        assert post.site.client.request(method, page_of(mail)).status_code == 200
    assert everything(post.db) == before
    assert post.site.count(of=Suppression) == 0

    for _ in range(3):
        answer = post.site.client.post(page_of(mail), data=ONE_CLICK)
        assert (answer.status_code, answer.headers.get("location"), answer.headers.get("set-cookie")) == (
            200,
            None,
            None,
        )
    assert post.site.count(of=Suppression) == 1
    assert post.site.count(Consent.purpose == "updates", of=Consent) == 2, "a yes and one no"


@JSON
def test_b6_a_link_of_nobody_costs_what_a_damaged_one_costs_and_tells_no_more(post: Post) -> None:
    post.signer(updates="yes")
    token = page_of_first(post).removeprefix("/u/")
    wrong = ["a" * 40, "guess", token[:-1], token[:-1] + ("2" if token[-1] != "2" else "3"), token[:16] + "a" * 24]
    answers, asked = set(), set()
    for path in (f"/u/{one}" for one in wrong):
        for method in ("GET", "POST"):
            with statements(post.db) as said:
                answer = post.site.client.request(method, path)
            asked.add(len(said))
            answers.add((answer.status_code, bare(answer.text)))
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1
    assert asked == {0}, "as much work for each"
    assert "@example.org" not in answers.pop()[1].replace("help@outreach.example.org", "")
    assert post.site.count(of=Suppression) == 0


def page_of_first(post: Post) -> str:
    post.wave()
    post.send(Stream.NEWS)
    return page_of(post.of(MailClass.MAILING)[0])


@JSON
def test_b9_of_a_wave_that_runs_nothing_more_reaches_who_said_no_though_it_was_planned(post: Post) -> None:
    for n in range(12):
        post.signer(f"reader-{n}@example.org", name=f"Reader {'abcdefghijkl'[n]}", updates="yes")
    post.wave()
    provider = post.provider
    assert provider is not None
    with post.db.read() as session:
        assert session.scalar(select(func.count()).where(Delivery.mail_class == MailClass.MAILING)) == 12
    post.send(Stream.NEWS, goes_on=lambda: not post.of(MailClass.MAILING))
    first = post.of(MailClass.MAILING)
    assert 0 < len(first) < 12
    late = next(n for n in range(12) if f"reader-{n}@example.org" not in {mail.to.address for mail in first})
    with post.db.read() as session:
        reader = factories.supporter(session, f"reader-{late}@example.org")
        token = post.site.keys.stop_token(reader.ref, post.campaign.id)
    post.site.client.post(f"/u/{token}", data=ONE_CLICK)

    post.send(Stream.NEWS)

    reached = [mail.to.address for mail in post.of(MailClass.MAILING)]
    assert sorted(reached) == sorted(f"reader-{n}@example.org" for n in range(12) if n != late)


@JSON
@pytest.mark.parametrize(("much", "leaves"), [("news", True), ("list", True), ("all", False)])
def test_b10_mail_about_ones_own_letter_still_comes_unless_all_mail_was_meant(
    post: Post, much: str, leaves: bool
) -> None:
    post.signer(updates="yes")
    post.wave()
    post.send(Stream.NEWS)
    assert post.of(MailClass.NOTICE) == []
    post.site.client.post(page_of(post.of(MailClass.MAILING)[0]), data={"much": much})

    post.follow_up()
    post.send(Stream.ACT)

    purposes = [len(post.of(MailClass.NOTICE, purpose=purpose)) for purpose in ("receipt", "rung:")]
    assert purposes == ([1, 1] if leaves else [0, 0])


@JSON
def test_b13_no_letter_of_anybody_leaves_before_that_person_pressed_the_button(post: Post) -> None:
    paths = {}
    for n in range(6):
        paths[n] = post.site.sign(email=f"signer-{n}@example.org", own_words=f"Words of {n}.")
        post.site.get(paths[n])
    post.send()
    assert {mail.sender.address.partition("@")[0] for mail in post.seen()} == {"act"}
    assert post.site.count(Delivery.mail_class == MailClass.LETTER, of=Delivery) == 0

    for n in (1, 4):
        post.site.confirm(paths[n])
    post.send()

    assert sorted(re.findall(r"Words of (\d)", " ".join(mail.text for mail in post.letters()))) == ["1", "1", "4", "4"]


@JSON
def test_b14_the_same_mailbox_in_another_spelling_sends_no_second_letter_and_learns_nothing(post: Post) -> None:
    post.site.confirm(post.site.sign(email="jane.doe@gmail.com"))
    answers = set()
    for email in ("JANE.DOE@gmail.com", "janedoe@gmail.com", "jane.doe+x@googlemail.com", "new@example.org"):
        post.site.now += timedelta(minutes=2)
        answer = post.site.client.post("/c/shelters/sign", data=JANE | {"email": email})
        answers.add((answer.status_code, answer.headers["location"], answer.content))
    post.send()

    assert len(answers) == 1
    assert post.site.count() == 2
    assert len(post.letters()) == 2, "one for each target"
    assert [mail.to.address for mail in post.of(MailClass.CONFIRMATION)].count("jane.doe@gmail.com") == 1


@JSON
def test_b15_who_did_not_tick_the_box_is_in_no_wave_and_no_news(post: Post) -> None:
    boxes = re.findall(r"<input[^>]*checkbox[^>]*>", post.site.get("/c/shelters"))
    assert boxes
    assert not any("checked" in box for box in boxes)
    post.signer("silent@example.org")
    post.signer("keen@example.org", updates="yes")

    for n in range(3):
        post.wave(subject=f"News {n}")
        post.follow_up("updates")
        post.send()
        post.site.now += timedelta(days=8)

    news = post.of(MailClass.MAILING) + [m for m in post.of(MailClass.NOTICE) if m.all("List-Unsubscribe")]
    assert {mail.to.address for mail in news} == {"keen@example.org"}
    assert len(news) > 3


def test_b16_the_ledger_says_what_was_agreed_to_in_which_words_when_and_where(post: Post) -> None:
    post.signer(updates="yes")
    said_at = post.site.now
    shown = bare(post.site.get("/c/shelters"))
    post.site.now += timedelta(days=1)
    page = page_of_first(post)
    post.site.client.post(page, data=ONE_CLICK)

    with post.db.read() as session:
        rows = session.scalars(select(Consent).where(Consent.purpose == "updates").order_by(Consent.id)).all()
    assert [(r.given, r.source, r.at) for r in rows] == [(True, "web", said_at), (False, "link", post.site.now)]
    assert {r.language for r in rows} == {"en"}
    assert len({r.wording for r in rows}) == 1
    assert rows[0].wording in shown


@JSON
def test_b17_an_address_gets_three_confirmations_a_day_and_two_reminders(post: Post) -> None:
    with post.db.begin() as session:
        slugs = ["shelters", *(factories.campaign(session, now=post.site.now).slug for _ in range(4))]
        rungs = [NewRung(Trigger.SIGNED, f"Reminder {n}", "Please look.", wait=timedelta(days=n)) for n in range(1, 5)]
        ladders.build(session, session.merge(post.campaign), "Reminders", rungs, now=post.site.now, actor="test")
    for slug in slugs:
        post.site.client.post(f"/c/{slug}/sign", data=JANE)
        post.site.now += timedelta(minutes=5)
    post.send()
    assert len(post.of(MailClass.CONFIRMATION)) == 3

    post.site.now += timedelta(hours=23, minutes=30)
    assert len(post.of(MailClass.CONFIRMATION)) == 3
    post.site.now += timedelta(hours=1)
    post.site.client.post(f"/c/{slugs[-1]}/sign", data=JANE)
    post.send()
    assert len(post.of(MailClass.CONFIRMATION)) == 4

    for _ in range(8):
        post.site.now += timedelta(days=1)
        climb(post.db, mails_per_week=99, reminders=2, now=post.site.now)
        post.send()
    assert len(post.of(MailClass.NOTICE, purpose="rung:")) == 2


def test_b17_both_numbers_can_be_set(with_settings: Any) -> None:
    settings = with_settings(confirmations_per_day="1", reminders="0")
    assert (settings.confirmations_per_day, settings.reminders) == (1, 0)
    assert (with_settings().confirmations_per_day, with_settings().reminders) == (3, 2)
