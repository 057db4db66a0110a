"""Answers on both databases: who may post them, what strange mails do, how one comes to stand on a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from typer.testing import CliRunner

from outreach import inbound, people, replies
from outreach.cli.app import app
from outreach.cli.base import Engine
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.mails import read_mail
from outreach.domain.replies import ReplyKind, ShareState
from outreach.errors import BadInput, NotFound, NotNow
from outreach.inbound import Kind
from outreach.keys import hash_of
from outreach.models import Consent, Database, Delivery, InboundTally, Reply, Signature, SignatureState
from outreach.replies.reading import enclosures_of, words_of
from outreach.settings import Settings
from outreach.webhooks.inbound_parse import parse
from tests import factories
from tests.factories import KEYS
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey
from tests.fakes.inbound import HOOK, SECRET, answer, parsed_form, raw_form
from tests.integration.inside import browser, send
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")


@pytest.fixture
def letter(db: Database, now: datetime) -> Delivery:
    """Jane's letter, which left an hour ago."""
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", targets=1)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        delivery = factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=now - timedelta(hours=1))
        delivery.reply_hash = hash_of(KEYS.alias(delivery.ref))
        factories.token(session, signature, purpose="receipt", secret="receipt-of-jane", valid_for=None)
        return delivery


@pytest.fixture
def alias(letter: Delivery, settings: Settings) -> str:
    return f"{KEYS.alias(letter.ref)}@{settings.reply_domain}"


@pytest.fixture
def take(db: Database, settings: Settings, now: datetime) -> Callable[..., Kind]:
    def take(octets: bytes, *to: str) -> Kind:
        with db.begin() as session:
            return inbound.take(session, octets, to=to, settings=settings, keys=KEYS, now=now)

    return take


def client(settings: Settings, db: Database, now: datetime, **guards: object) -> TestClient:
    return browser(replace(settings, **({"inbound_secret": SECRET} | guards)), db, now)  # type: ignore[arg-type]


def kept(db: Database) -> list[Reply]:
    with db.read() as session:
        return list(session.scalars(select(Reply).order_by(Reply.id)))


def tallied(db: Database) -> dict[str, int]:
    with db.read() as session:
        return dict(session.execute(select(InboundTally.kind, InboundTally.count)).all())


def notices(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Delivery.purpose).where(Delivery.mail_class == MailClass.NOTICE)))


# Who may post


def test_every_proof_that_is_set_up_must_be_there(
    db: Database, settings: Settings, now: datetime, alias: str, letter: Delivery
) -> None:
    body, headers = raw_form(answer(alias), alias)
    key, stranger = EventKey(), EventKey()
    bare = "/hooks/sendgrid/inbound"
    stamp = str(int(now.timestamp()))
    signed = {**headers, TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: key.sign(body, stamp)}
    forged = {**signed, SIGNATURE_HEADER: stranger.sign(body, stamp)}
    with_key = {"sendgrid_inbound_keys": (key.public,)}
    cases: list[tuple[dict[str, object], str, dict[str, str], tuple[str, str] | None, int]] = [
        ({"inbound_secret": ""}, bare, headers, None, 403),
        ({}, bare, headers, None, 403),
        ({}, f"{bare}/{SECRET}x", headers, None, 403),
        ({}, f"{bare}/ünicode", headers, None, 403),
        ({}, bare, headers, ("sendgrid", "wrong"), 403),
        ({}, bare, {**headers, "Authorization": "Basic %%%"}, None, 403),
        ({}, HOOK, headers, None, 200),
        ({}, bare, headers, ("sendgrid", SECRET), 200),
        (with_key, HOOK, headers, None, 403),
        (with_key, HOOK, forged, None, 403),
        (with_key, bare, signed, None, 403),
        (with_key, HOOK, signed, None, 200),
        ({"inbound_secret": "", **with_key}, bare, signed, None, 200),
    ]
    for guards, path, given, auth, expected in cases:
        posted = client(settings, db, now, **guards).post(path, content=body, headers=given, auth=auth)
        assert posted.status_code == expected, (guards, path)
    assert len(kept(db)) == 1


def test_what_is_no_mail_is_answered_counted_and_breaks_nothing(
    db: Database, settings: Settings, now: datetime, alias: str
) -> None:
    site, form = client(settings, db, now), "multipart/form-data; boundary=xYzZY"
    whole, headers = raw_form(answer(alias), alias)
    broken = [
        (b"", form),
        (b"not a form", "text/plain"),
        (b"not a form", form),
        (whole[:-40], "multipart/form-data"),
        (raw_form(b"", alias)[0], form),
        (b"--xYzZY\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xYzZY--\r\n", form),
    ]
    for body, kind in broken:
        assert site.post(HOOK, content=body, headers={"Content-Type": kind}).status_code == 200, body[:40]
    assert kept(db) == []
    assert tallied(db) == {"unreadable": len(broken)}
    assert site.get(HOOK).status_code == 405
    odd = raw_form(answer(alias))[0].replace(b'{"to": []', b'{"to": 7')
    assert site.post(HOOK, content=odd, headers=headers).status_code == 200, "the mail's own To is all there is"
    assert len(kept(db)) == 1


def test_a_database_that_is_away_makes_the_mail_come_again(
    db: Database, settings: Settings, now: datetime, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = client(settings, db, now)
    body, headers = raw_form(answer(alias), alias)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("select", {}, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr(replies, "take", away)
        assert site.post(HOOK, content=body, headers=headers).status_code == 503
    assert site.post(HOOK, content=body, headers=headers).status_code == 200
    assert len(kept(db)) == 1


# Strange mails


def pgp() -> bytes:
    mail = MIMEMultipart("encrypted", protocol="application/pgp-encrypted")
    mail["From"], mail["Subject"], mail["Message-ID"] = "sam@office.example.net", "...", "<pgp@office.example.net>"
    mail.attach(MIMEApplication(b"Version: 1", "pgp-encrypted", lambda part: None))
    mail.attach(MIMEApplication(b"-----BEGIN PGP MESSAGE-----", "octet-stream", name="encrypted.asc"))
    return mail.as_bytes()


def deep(levels: int) -> bytes:
    mail: MIMEMultipart | MIMEText = MIMEText("Down here.")
    for _ in range(levels):
        outer = MIMEMultipart()
        outer.attach(mail)
        mail = outer
    mail["From"], mail["Subject"] = "sam@office.example.net", "Re: deep"
    return mail.as_bytes()


HEAD = b"From: sam@office.example.net\nSubject: Re: x\nMIME-Version: 1.0\n"
STRANGE: dict[str, tuple[bytes, str]] = {
    "a page only": (answer("x", "", quoted=False, page="<p>Yes,</p><p>we <b>will</b>.</p>"), "Yes,\n\nwe will."),
    "a charset nobody knows": (HEAD + b"Content-Type: text/plain; charset=x-klingon\n\nYes.", "Yes."),
    "a charset that is a lie": (HEAD + b"Content-Type: text/plain; charset=utf-8\n\nS\xed, s\xed.", "Sí, sí."),
    "latin-1": (HEAD + b"Content-Type: text/plain; charset=iso-8859-1\n\nS\xed.", "Sí."),
    "utf-16": (HEAD + b"Content-Type: text/plain; charset=utf-16\n\n" + "Sí.".encode("utf-16"), "Sí."),
    "no type at all": (b"From: a@office.example.net\n\nYes.", "Yes."),
    "a broken encoding": (HEAD + b"Content-Transfer-Encoding: base64\nContent-Type: text/plain\n\n%%%", ""),
    "zeros and reversals": (HEAD + "\nYes\0 \u202eon.".encode(), "Yes on."),
    "a boundary that never comes": (HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nYes.\n", "Yes."),
    "a charset with a zero": (HEAD + b'Content-Type: text/plain; charset="x\0y"\n\nS\xed.', "Sí."),
    "a charset in pieces with a zero": (HEAD + b"Content-Type: text/plain; charset*=x\0y''z\n\nYes.", "Yes."),
    "a charset in pieces": (HEAD + b"Content-Type: text/plain; charset*=utf-8''x%00y\n\nS\xed.", "Sí."),
    "a charset of domain names": (HEAD + b"Content-Type: text/plain; charset=idna\n\nS\xed.", "Sí."),
    "a subject in no charset": (b"From: a@office.example.net\nSubject: =?utf-8\xff\xff?q?x?=\n\nYes.", "Yes."),
    "no boundary": (HEAD + b"Content-Type: multipart/mixed\n\nYes.\n", "Yes."),
    "an encrypted mail": (pgp(), ""),
    "a mail of one program only": (
        answer("x", "", quoted=False, page=" ", files=[("winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22")]),
        "",
    ),
    "parts in parts": (deep(30), "Down here."),
    "too many parts in parts": (deep(90), "Down here."),
}


@pytest.mark.parametrize("what", STRANGE)
def test_e5_a_strange_mail_is_kept_passed_on_and_breaks_nothing(
    db: Database, settings: Settings, alias: str, take: Callable[..., Kind], what: str
) -> None:
    octets, text = STRANGE[what]
    assert take(octets, alias) is Kind.REPLY
    (reply,) = kept(db)
    assert reply.text == text
    with db.read() as session:
        forwarded = replies.forwards_of(session, notices(db))
        assert session.scalars(select(Reply.raw)).one() == octets
    (fields,) = forwarded.values()
    assert fields.text == text
    assert fields.attachments == ()


def test_a_mail_of_twenty_megabytes_is_taken_by_the_hook(
    db: Database, settings: Settings, now: datetime, alias: str
) -> None:
    large = answer(alias, files=[("film.mp4", "video/mp4", b"\0" * 15_000_000)])
    assert len(large) > 20_000_000
    body, headers = raw_form(large, alias)
    assert client(settings, db, now).post(HOOK, content=body, headers=headers).status_code == 200
    (reply,) = kept(db)
    with db.read() as session:
        (fields,) = replies.forwards_of(session, [f"reply:{reply.id}"]).values()
    assert (fields.attachments, fields.left_out) == ((), ("film.mp4",))


def test_e5_files_go_along_by_what_they_are_and_not_by_what_they_say(
    db: Database, alias: str, take: Callable[..., Kind]
) -> None:
    files = [
        ("../../Rivera’s scan.PDF", "application/pdf", b"%PDF-1.7"),
        ("lies.pdf", "application/pdf", b"MZ\x90"),
        ("page.html", "text/html", b"<script>"),
        ("notes.txt", "text/plain", b"plain"),
        ("large.png", "image/png", b"\x89PNG\r\n\x1a\n" + b"\0" * 6_000_000),
        ("picture.png", "image/png", b"\x89PNG\r\n\x1a\n"),
        ("invite.ics", "text/calendar", b"BEGIN:VCALENDAR"),
    ]
    take(answer(alias, files=files), alias)
    with db.read() as session:
        (fields,) = replies.forwards_of(session, notices(db)).values()
    assert [file.name for file in fields.attachments] == ["1-Rivera-s-scan.pdf", "2-notes.txt", "3-picture.png"]
    assert fields.left_out == ("lies.pdf", "page.html", "large.png", "invite.ics")


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


# Whose it is


def test_an_answer_to_a_letter_that_never_left_or_to_an_erased_signer_is_dropped(
    db: Database, settings: Settings, now: datetime, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        session.get_one(Delivery, letter.id).state = State.QUEUED
    assert take(answer(alias), alias) is Kind.DROPPED
    with db.begin() as session:
        session.get_one(Delivery, letter.id).state = State.ACCEPTED
        who = people.Person(factories.hash_address("nobody@example.org"), letter.supporter_id)
        people.erase(session, who, actor="test", now=now)
    assert take(answer(alias), alias) is Kind.DROPPED
    assert tallied(db) == {"never_left": 1, "erased_signer": 1}
    assert kept(db) == []


def test_where_being_named_may_harm_the_letter_is_not_kept_below_its_answer(
    db: Database, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        session.get_one(Signature, letter.signature_id).high_risk = True
    take(answer(alias), alias)
    with db.read() as session:
        assert session.execute(select(Reply.text, Reply.quoted, Reply.raw)).one() == (
            "Yes, we will build them.\n\nAlex Rivera",
            "",
            None,
        )


def test_one_mail_to_two_letters_is_an_answer_to_both(
    db: Database, settings: Settings, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        other = factories.signature(session, session.merge(factories.campaign(session)), state=SignatureState.CONFIRMED)
        second = factories.delivery(session, other, state=State.ACCEPTED, accepted_at=letter.accepted_at)
        second.reply_hash = hash_of(KEYS.alias(second.ref))
    both = f"{alias}, {KEYS.alias(second.ref)}@{settings.reply_domain}"
    assert take(answer(both)) is Kind.REPLY
    assert {reply.delivery_id for reply in kept(db)} == {letter.id, second.id}
    assert len(notices(db)) == 2


def test_what_was_taken_for_a_machines_can_be_passed_on_once(
    db: Database, settings: Settings, now: datetime, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    assert take(answer(alias, "Yes.", Precedence="bulk"), alias) is Kind.KEPT
    assert notices(db) == []
    for expected in (None, NotNow):
        with db.begin() as session:
            (reply,) = session.scalars(select(Reply))
            if expected:
                with pytest.raises(expected):
                    replies.pass_on(session, reply, settings=settings, now=now)
            else:
                replies.pass_on(session, reply, settings=settings, now=now)
    assert len(notices(db)) == 1
    with db.read() as session:
        assert session.get_one(Delivery, letter.id).replied_at == now


# On the campaign's page


def state_of(db: Database) -> ShareState:
    return kept(db)[0].share_state


def test_an_answer_stands_on_the_page_once_its_signer_and_an_organizer_want_it(
    db: Database,
    settings: Settings,
    now: datetime,
    letter: Delivery,
    alias: str,
    take: Callable[..., Kind],
    organizer: TestClient,
) -> None:
    take(answer(alias), alias)
    (reply,) = kept(db)
    signer, page = browser(settings, db, now), f"/console/campaigns/rents/replies/{reply.ref}"
    assert organizer.get(page).text.count("Show it on the campaign’s page") == 0, "nobody asked"
    with db.begin() as session, pytest.raises(NotNow):
        replies.approve(session, replies.find(session, reply.ref), "Yes.", actor="t", now=now)

    for _ in range(2):
        posted = signer.post(f"/letter/receipt-of-jane/replies/{reply.ref}/share")
        assert posted.headers["location"] == "/letter/receipt-of-jane#answers"
    assert state_of(db) is ShareState.ASKED
    assert "The campaign looks at it first." in signer.get("/letter/receipt-of-jane").text
    assert wall(db, letter) == ()

    assert send(organizer, page, f"{page}/approve", excerpt=" ").status_code == 422
    assert send(organizer, page, f"{page}/approve", excerpt="Yes, we will build them.").status_code == 303
    assert [(shown.text, shown.signer) for shown in wall(db, letter)] == [("Yes, we will build them.", "")]
    with db.begin() as session:
        signature = session.get_one(Signature, letter.signature_id)
        factories.consent(session, signature.supporter, purpose="show_name")
    assert [shown.signer for shown in wall(db, letter)] == ["Jane"]
    assert "This answer stands on the campaign’s page." in signer.get("/letter/receipt-of-jane").text
    said = bare(signer.get("/c/rents").text)
    assert "What they answered Yes, we will build them." in said
    assert "to Jane, 2 March 2026" in said

    signer.post(f"/letter/receipt-of-jane/replies/{reply.ref}/keep-private")
    assert wall(db, letter) == ()
    with db.read() as session:
        said = session.scalars(select(Consent).where(Consent.purpose == "share_reply").order_by(Consent.id)).all()
    assert [entry.given for entry in said] == [True, False]


def wall(db: Database, letter: Delivery) -> tuple[replies.Shown, ...]:
    with db.read() as session:
        return replies.wall(session, letter.campaign_id)


def test_an_organizer_may_refuse_with_a_reason_and_a_withdrawn_signer_is_off_the_page(
    db: Database, now: datetime, letter: Delivery, organizer: TestClient
) -> None:
    with db.begin() as session:
        shown = factories.reply(session, letter, share_state=ShareState.SHOWN, share_text="Yes.")
        asked = factories.reply(session, letter, share_state=ShareState.ASKED)
    page = f"/console/campaigns/rents/replies/{asked.ref}"
    assert send(organizer, page, f"{page}/refuse", reason="").status_code == 422
    assert send(organizer, page, f"{page}/refuse", reason="It names a clerk.").status_code == 303
    assert len(wall(db, letter)) == 1
    with db.begin() as session:
        session.get_one(Signature, letter.signature_id).state = SignatureState.WITHDRAWN
    assert wall(db, letter) == ()
    assert shown.ref != asked.ref


def test_nobody_shares_what_is_not_theirs_or_what_a_machine_wrote(
    db: Database, settings: Settings, now: datetime, letter: Delivery
) -> None:
    with db.begin() as session:
        machines = factories.reply(session, letter, kind=ReplyKind.ACKNOWLEDGEMENT)
        stranger = factories.signature(session, factories.campaign(session), state=SignatureState.CONFIRMED)
        theirs = factories.reply(session, factories.delivery(session, stranger, state=State.ACCEPTED))
    site = browser(settings, db, now)
    assert site.post(f"/letter/receipt-of-jane/replies/{theirs.ref}/share").status_code == 404
    assert site.post(f"/letter/receipt-of-jane/replies/{machines.ref}/share").status_code == 409
    assert site.post(f"/letter/no-such-link/replies/{machines.ref}/share").status_code == 404
    assert site.get(f"/letter/receipt-of-jane/replies/{machines.ref}/share").status_code == 405
    assert {reply.share_state for reply in kept(db)} == {ShareState.PRIVATE}


# Behind the door


def test_e8_staff_see_the_answer_with_its_original_folded_and_get_the_whole_mail_as_plain_text(
    db: Database, alias: str, letter: Delivery, take: Callable[..., Kind], staff: TestClient, organizer: TestClient
) -> None:
    octets = answer(alias, "<script>alert(1)</script>\n\nYes.", files=[("run.exe", "application/x-dosexec", b"MZ")])
    take(octets, alias)
    (reply,) = kept(db)
    html = staff.get(f"/console/campaigns/rents/replies/{reply.ref}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    folded = html[html.index("<details>") : html.index("</details>")]
    assert "a shelter at every stop." in folded
    assert "a shelter at every stop." not in html.replace(folded, "")
    assert "run.exe" in html

    mail = staff.get(f"/staff/replies/{reply.ref}/mail")
    assert mail.content == octets
    assert mail.headers["content-type"] == "text/plain; charset=utf-8"
    assert mail.headers["content-disposition"].startswith("attachment;")
    assert mail.headers["x-content-type-options"] == "nosniff"
    assert organizer.get(f"/staff/replies/{reply.ref}/mail").status_code == 403
    with db.begin() as session:
        session.get_one(Reply, reply.id).raw = None
    assert staff.get(f"/staff/replies/{reply.ref}/mail").status_code == 404


def test_the_list_of_answers_has_a_page_for_each_kind_and_says_when_there_are_none(
    db: Database, letter: Delivery, organizer: TestClient
) -> None:
    base = "/console/campaigns/rents/replies"
    assert "No answers yet." in organizer.get(base).text
    with db.begin() as session:
        factories.reply(session, letter, text="A person’s.")
        factories.reply(session, letter, kind=ReplyKind.AUTO_REPLY, text="A machine’s.")
    assert "A person’s." in organizer.get(base).text
    only = organizer.get(f"{base}?kind=auto_reply").text
    assert "A machine’s." in only
    assert "A person’s." not in only
    assert "No answers of this kind." in organizer.get(f"{base}?kind=bounce").text
    assert organizer.get(f"{base}?kind=nonsense").status_code == 200


def test_the_command_lists_and_shows_answers_for_people_and_machines(
    db: Database, settings: Settings, letter: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.begin() as session:
        reply = factories.reply(session, letter, text="Yes, we will.")
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database)
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    run = CliRunner().invoke

    listed = json.loads(run(app, ["replies", "list", "--campaign", "rents", "--json"]).stdout)
    assert (listed["id"], listed["kind"], listed["campaign"]) == (reply.ref, "human", "rents")
    assert "text" not in listed
    assert json.loads(run(app, ["replies", "show", reply.ref, "--json"]).stdout)["text"] == "Yes, we will."
    assert "Yes, we will." in run(app, ["replies", "show", reply.ref]).stdout
    assert run(app, ["replies", "list", "--kind", "bounce"]).stdout == "No answers.\n"
    assert isinstance(run(app, ["replies", "show", "nosuch"]).exception, NotFound)


def test_a_mail_server_hands_over_an_answer_and_learns_nothing_about_which_aliases_there_are(
    db: Database, settings: Settings, now: datetime, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "now", lambda _self: now)
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database)
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    nobodys = f"r-aaaaaaaaaaaaaaaa@{settings.reply_domain}"
    for to, said in ((alias, "answers passed on: 1"), (alias, "answers kept: 1"), (nobodys, "dropped: 1")):
        ran = CliRunner().invoke(app, ["inbound", "--to", to], input=answer(alias).decode())
        assert (ran.exit_code, ran.stdout.strip()) == (0, said), ran.stderr


def test_a_bad_excerpt_says_what_is_wrong_in_words_of_the_page(db: Database, letter: Delivery, now: datetime) -> None:
    with db.begin() as session:
        reply = factories.reply(session, letter, share_state=ShareState.ASKED)
        with pytest.raises(BadInput, match="The excerpt can have at most"):
            replies.approve(session, reply, "x" * 3000, actor="t", now=now)


def test_the_stream_of_a_forward_is_that_of_notices(db: Database, alias: str, take: Callable[..., Kind]) -> None:
    take(answer(alias), alias)
    with db.read() as session:
        forward = session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.NOTICE)).one()
    assert (forward.stream, forward.state) == (Stream.ACT, State.QUEUED)
