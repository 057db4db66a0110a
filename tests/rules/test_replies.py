"""What offices answer. Numbers are the field rules', part E."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copy

import pytest
from sqlalchemy import func, select

from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.replies import ReplyKind
from outreach.models import Contact, Database, Delivery, InboundTally, Reply, Supporter
from tests.conftest import make_settings
from tests.fakes.inbound import HOOK, ORIGINAL, SECRET, answer, parsed_form, raw_form
from tests.rules.post import BYTES, Post, Seen, Way, opened
from tests.unit.inbound.letters_back import bounce, complaint

Form = Callable[..., tuple[bytes, dict[str, str]]]
FORMS = pytest.mark.parametrize("form", [raw_form, parsed_form])
PDF = b"%PDF-1.7 a scanned letter"


def written(post: Post, *, email: str = "jane@example.org") -> str:
    """Somebody's letters leave; the alias of the first."""
    post.signer(email)
    post.send()
    letter = post.letters()[0]
    assert letter.reply_to is not None
    return letter.reply_to.address


def comes_in(post: Post, mail: bytes, *to: str, form: Form = raw_form) -> int:
    body, headers = form(mail, *to)
    return post.site.client.post(HOOK, content=body, headers=headers).status_code


def kept(post: Post) -> list[Reply]:
    with post.db.read() as session:
        return list(session.scalars(select(Reply).order_by(Reply.id)))


def whole(post: Post) -> bytes:
    with post.db.read() as session:
        return session.scalars(select(Reply.raw)).one() or b""


def tallied(post: Post) -> dict[str, int]:
    with post.db.read() as session:
        return dict(session.execute(select(InboundTally.kind, InboundTally.count)).all())


def mails(post: Post) -> int:
    with post.db.read() as session:
        return session.scalar(select(func.count()).select_from(Delivery)) or 0


def forwards(post: Post) -> list[Seen]:
    post.send()
    return post.of(MailClass.NOTICE, purpose="reply:")


@FORMS
def test_e1_a_mail_comes_in_whole_or_taken_apart_and_goes_where_the_envelope_says(post: Post, form: Form) -> None:
    alias = written(post)
    mail = answer("Somebody Else <else@example.org>, r-aaaaaaaaaaaaaaaa@replies.example.org", Cc="x@example.org")
    assert comes_in(post, mail, "archive@example.org", alias.upper(), form=form) == 200

    (reply,) = kept(post)
    assert (reply.kind, reply.subject) == (ReplyKind.HUMAN, "Re: A shelter at every stop")
    assert reply.text == "Yes, we will build them.\n\nAlex Rivera"
    assert tallied(post) == {}, "the envelope counts; what stands in To does not"


@FORMS
def test_e2_e5_a_persons_answer_reaches_the_signer_once_from_us_and_tells_neither_address(
    post: Post, form: Form
) -> None:
    alias = written(post, email="jane.private@example.org")
    files = [("scan.pdf", "application/pdf", PDF), ("run.exe", "application/x-msdownload", b"MZ")]
    page = "<p>Yes, we will.</p><script>alert(1)</script><img src='https://track.example/x.gif'>"
    assert comes_in(post, answer(alias, page=page, files=files), alias, form=form) == 200

    (seen,) = forwards(post)
    assert seen.to.address == "jane.private@example.org"
    assert seen.sender.address == post.site.settings.act_from
    assert seen.sender.name == f"{post.letters()[0].to.name} via {post.site.settings.organisation}"
    assert seen.reply_to is not None
    assert seen.reply_to.address == post.site.settings.help_address
    assert "> Yes, we will build them." in seen.text
    assert "Sam Staffer, office.example.net" in seen.text
    assert "run.exe" in seen.text
    for private in ("sam@office", "script", "track.example", alias.partition("@")[0], "a shelter at every stop."):
        assert private not in seen.text + seen.html
    assert dict(seen.headers)["Auto-Submitted"] == "auto-generated"
    assert files_of(seen) == ["1-scan.pdf"]
    with post.db.read() as session:
        letter = session.get_one(Delivery, kept(post)[0].delivery_id)
    assert letter.replied_at == post.site.now

    to_offices = "".join(letter.text + letter.html + str(letter.headers) for letter in post.letters())
    assert "jane.private" not in to_offices
    assert len(forwards(post)) == 1


def files_of(seen: Seen) -> list[str]:
    if seen.payload:
        return [attachment["filename"] for attachment in seen.payload["attachments"]]
    return re.findall(r'filename="([^"]+)"', seen.raw.decode("latin-1"))


MACHINES = {
    "absence": ({"Auto_Submitted": "auto-replied"}, "I am away until Monday.", ReplyKind.AUTO_REPLY),
    "receipt": ({"Auto_Submitted": "auto-generated"}, "We have received your letter.", ReplyKind.ACKNOWLEDGEMENT),
    "list": ({"Precedence": "bulk"}, "Our newsletter.", ReplyKind.AUTO_REPLY),
    "nobody": ({"Return_Path": "<>"}, "Your mail was read.", ReplyKind.AUTO_REPLY),
    "words": ({}, "Thank you for contacting us. Do not reply to this automated message.", ReplyKind.ACKNOWLEDGEMENT),
    "loop": ({"X_OE_Loop": "act.example.org"}, "Hello.", ReplyKind.AUTO_REPLY),
}


def test_e3_e4_what_a_machine_sent_is_told_apart_kept_and_makes_us_send_nothing(post: Post) -> None:
    alias = written(post)
    before = mails(post)
    for name, (headers, text, _) in MACHINES.items():
        mail = answer(alias, text, quoted=False, message_id=f"<{name}@office.example.net>", **headers)
        assert comes_in(post, mail, alias) == 200
    assert comes_in(post, bounce(alias), alias) == 200
    assert comes_in(post, complaint("somebody@example.org"), alias) == 200

    told = [reply.kind for reply in kept(post)]
    assert told == [kind for _, _, kind in MACHINES.values()] + [ReplyKind.BOUNCE, ReplyKind.COMPLAINT]
    assert forwards(post) == []
    assert mails(post) == before
    with post.db.read() as session:
        assert session.scalars(select(Delivery.id).where(Delivery.replied_at.is_not(None))).all() == []


def test_e6_the_same_mail_is_one_answer_however_often_and_however_it_comes(post: Post) -> None:
    alias = written(post)
    mail = answer(alias)
    for form in (raw_form, parsed_form, raw_form):
        assert comes_in(post, mail, alias, form=form) == 200
    assert comes_in(post, b"Received: from elsewhere\n" + mail, alias) == 200
    assert len(kept(post)) == 1
    assert len(forwards(post)) == 1


def test_e7_an_alias_that_nobody_has_or_that_is_over_answers_like_any_other_and_is_counted(post: Post) -> None:
    alias = written(post)
    domain = alias.partition("@")[2]
    assert comes_in(post, answer(alias), f"r-aaaaaaaaaaaaaaaa@{domain}") == 200
    assert comes_in(post, answer(alias), f"r-{'x' * 200}@{domain}") == 200
    post.site.now += timedelta(days=post.site.settings.reply_days + 1)
    assert comes_in(post, answer(alias), alias) == 200

    assert kept(post) == []
    assert tallied(post) == {"unknown_alias": 2, "expired_alias": 1}
    assert forwards(post) == []


def test_e8_the_original_is_split_off_and_the_whole_mail_stays(post: Post) -> None:
    alias = written(post)
    mail = answer(alias, files=[("scan.pdf", "application/pdf", PDF)])
    comes_in(post, mail, alias)
    (reply,) = kept(post)
    assert ORIGINAL.splitlines()[-1] in reply.quoted
    assert "Jane Doe" not in reply.text
    assert whole(post) == mail


def test_e2_more_answers_than_a_letter_may_have_are_kept_first_and_then_dropped(post: Post) -> None:
    alias = written(post)
    settings = post.site.settings
    for n in range(settings.replies_per_day + 2):
        assert comes_in(post, answer(alias, f"Answer {n}.", message_id=f"<{n}@office.example.net>"), alias) == 200
    assert len(kept(post)) == settings.replies_per_day
    assert tallied(post) == {"over_quota": 2}
    assert len(forwards(post)) == settings.forwards_per_letter


def test_e2_an_answer_proves_that_a_letter_in_doubt_had_left(post: Post) -> None:
    alias = written(post)
    ref = post.letters()[0].delivery
    with post.db.begin() as session:
        letter = session.scalars(select(Delivery).where(Delivery.ref == ref)).one()
        letter.state, letter.maybe_sent, letter.accepted_at = State.IN_DOUBT, True, None
        letter.doubt_since = post.site.now
    comes_in(post, answer(alias), alias)
    with post.db.read() as session:
        assert session.get_one(Delivery, letter.id).state is State.ACCEPTED


@BYTES
def test_e4_two_engines_that_write_to_each_other_fall_silent(
    post: Post, tmp_path: Path, sqlite_template: Path, now: datetime, rung: list[Stream]
) -> None:
    """Each has the other's alias for an office, and for a signer."""
    copy(sqlite_template, tmp_path / "other.db")
    given = {"base_url": "https://other.example.org", "mail_domain": "other.example.org", "inbound_secret": SECRET}
    settings = make_settings(tmp_path / "other", f"sqlite:///{tmp_path / 'other.db'}", **given)
    other_db = Database(settings.database)
    with opened(Way.BYTES, other_db, settings, now, rung, tmp_path / "other-mail") as other:
        alias = written(post)
        with other_db.begin() as session:
            session.scalars(select(Contact)).first().value = alias  # type: ignore[union-attr]
        other.signer("bo@example.org")
        other.send()
        (theirs,) = [letter for letter in other.letters() if letter.to.address == alias]
        assert theirs.reply_to is not None
        with post.db.begin() as session:
            session.scalars(select(Supporter)).one().address = theirs.reply_to.address

        rounds = pump(post, other)
        assert rounds[:2] == [1, 1], "their letter is a person's answer to us; what we pass on is no answer to them"
        assert sum(rounds) == 2
        assert [reply.kind for reply in kept(post)] == [ReplyKind.HUMAN]
        assert [reply.kind for reply in kept(other)] == [ReplyKind.AUTO_REPLY]
    other_db.close()


def pump(*engines: Post) -> list[int]:
    """Deliver what each engine mails to the other's aliases, until nothing moves; how many mails each round had."""
    delivered, rounds = set[str](), list[int]()
    for _ in range(10):
        moved = 0
        for engine in engines:
            engine.send()
        for sender, receiver in ((a, b) for a in engines for b in engines if a is not b):
            for seen in sender.seen():
                if seen.to.address.endswith(receiver.site.settings.reply_domain) and seen.delivery not in delivered:
                    delivered.add(seen.delivery)
                    moved += 1
                    assert comes_in(receiver, seen.raw, seen.to.address) == 200
        rounds.append(moved)
    return rounds
