"""Accounts and sessions: who gets in, for how long, and what throws them out."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from outreach import accounts
from outreach.errors import BadInput, NotFound, NotNow
from outreach.keys import Keys, hash_of
from outreach.models import AuditEntry, Database, Role, SignedIn, Token, User
from outreach.settings import Settings

PASSWORD = "a kettle of herons"
KEYS = Keys("0123456789abcdefghijklmnopqrstuvwxyz-test")


def make_user(db: Database, now: datetime, role: Role = Role.STAFF, password: str = PASSWORD) -> User:
    with db.begin() as session:
        return accounts.add(
            session, "Ana@Example.org", name="Ana Ortiz", role=role, password=password, now=now, actor="cli"
        )


def signed_in(db: Database, now: datetime, **more: str) -> str:
    secret = accounts.sign_in(db, "ana@example.org", PASSWORD, now=now, **more)
    assert secret is not None
    return secret


def who(db: Database, secret: str, now: datetime) -> accounts.Person | None:
    with db.read() as session:
        return accounts.who(session, secret, now=now)


def link_for(db: Database, user: User, settings: Settings, now: datetime) -> str:
    with db.begin() as session:
        url = accounts.sign_in_link(session, user, keys=KEYS, settings=settings, now=now)
    return url.removeprefix(settings.base_url + "/sign-in/")


def test_the_right_password_signs_in_and_says_who(db: Database, now: datetime) -> None:
    user = make_user(db, now)
    person = who(db, signed_in(db, now), now)
    assert person is not None
    assert (person.user_id, person.email, person.role) == (user.id, "ana@example.org", Role.STAFF)


def test_neither_password_nor_session_secret_is_stored(db: Database, now: datetime) -> None:
    make_user(db, now)
    secret = signed_in(db, now)
    with db.read() as session:
        assert session.scalars(select(SignedIn.hash)).all() == [hash_of(secret)]
        stored = session.scalars(select(User.password_hash)).one()
        written = [f"{e.before}{e.after}" for e in session.scalars(select(AuditEntry))]
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert secret not in "".join(written)


@pytest.mark.parametrize(
    ("email", "password"),
    [("ana@example.org", "a kettle of heron"), ("bo@example.org", PASSWORD), ("", ""), ("x" * 10_000, "y" * 10_000)],
)
def test_anything_else_does_not(db: Database, now: datetime, email: str, password: str) -> None:
    make_user(db, now)
    assert accounts.sign_in(db, email, password, now=now) is None


@pytest.mark.usefixtures("heavy_passwords")
def test_an_unknown_address_is_weighed_like_a_known_one(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[str] = []
    make_user(db, now)
    monkeypatch.setattr(accounts, "_fits", lambda password_hash, password: weighed.append(password_hash) or False)
    for email in ("ana@example.org", "nobody@example.org"):
        accounts.sign_in(db, email, "wrong wrong wrong", now=now)
    assert len(weighed) == 2
    assert all(h.startswith("$argon2id$v=19$m=65536,t=3,p=1$") for h in weighed)


def test_an_account_without_a_password_cannot_sign_in_with_an_empty_one(db: Database, now: datetime) -> None:
    make_user(db, now, password="")
    assert accounts.sign_in(db, "ana@example.org", "", now=now) is None


@pytest.mark.parametrize("password", ["eleven char", "x" * 12, "ab" * 20, "long" * 33])
def test_weak_or_endless_passwords_are_refused(db: Database, now: datetime, password: str) -> None:
    with pytest.raises(BadInput):
        make_user(db, now, password=password)


def test_a_password_typed_on_another_keyboard_still_fits(db: Database, now: datetime) -> None:
    make_user(db, now, password="un café très serré")
    assert accounts.sign_in(db, "ana@example.org", "un cafe\u0301 tre\u0300s serre\u0301", now=now)


@pytest.mark.parametrize(
    "email", ["", "ana", "ana@", "ana@example.org\r\nBcc: x@example.org", "x" * 400 + "@example.org"]
)
def test_only_a_mail_address_gets_an_account(db: Database, now: datetime, email: str) -> None:
    with pytest.raises(BadInput), db.begin() as session:
        accounts.add(session, email, name="Ana", role=Role.STAFF, now=now, actor="cli")


def test_an_address_has_one_account(db: Database, now: datetime) -> None:
    make_user(db, now)
    with pytest.raises(NotNow):
        make_user(db, now)
    with pytest.raises(NotFound), db.read() as session:
        accounts.find(session, "bo@example.org")


@pytest.mark.parametrize(
    ("role", "idle", "absolute"),
    [
        (Role.STAFF, timedelta(hours=2), timedelta(hours=12)),
        (Role.ORGANIZER, timedelta(hours=12), timedelta(days=7)),
    ],
)
def test_a_session_ends_when_idle_and_in_any_case(
    db: Database, now: datetime, role: Role, idle: timedelta, absolute: timedelta
) -> None:
    make_user(db, now, role)
    secret = signed_in(db, now)
    assert who(db, secret, now + idle) is not None
    assert who(db, secret, now + idle + timedelta(seconds=1)) is None

    at = now
    while at + idle < now + absolute:  # busy all the time
        at += idle
        with db.begin() as session:
            person = accounts.who(session, secret, now=at)
            assert person is not None
            accounts.saw(session, person, now=at)
    assert who(db, secret, now + absolute) is None


def test_signing_in_again_gives_a_fresh_secret_and_ends_the_old_session(db: Database, now: datetime) -> None:
    make_user(db, now)
    old = signed_in(db, now)
    new = signed_in(db, now, replacing=old)
    assert new != old
    assert who(db, old, now) is None
    assert who(db, new, now) is not None


def test_a_planted_secret_never_becomes_a_session(db: Database, now: datetime) -> None:
    make_user(db, now)
    signed_in(db, now, replacing="planted-by-somebody-else")
    assert who(db, "planted-by-somebody-else", now) is None


def test_signing_out_ends_one_session_and_everywhere_ends_all(db: Database, now: datetime) -> None:
    user = make_user(db, now)
    one, two, three = (signed_in(db, now) for _ in range(3))
    with db.begin() as session:
        accounts.sign_out(session, hash_of(one))
    assert who(db, one, now) is None
    assert who(db, two, now) is not None
    with db.begin() as session:
        assert accounts.sign_out_everywhere(session, user.id, now=now, actor="user:1") == 2
    assert who(db, two, now) is None
    assert who(db, three, now) is None


@pytest.mark.parametrize("act", ["disable", "passwd"])
def test_disabling_or_a_new_password_ends_every_session_and_link(
    db: Database, settings: Settings, now: datetime, act: str
) -> None:
    user = make_user(db, now)
    secret, link = signed_in(db, now), link_for(db, user, settings, now)
    with db.begin() as session:
        user = accounts.find(session, "ana@example.org")
        if act == "disable":
            accounts.disable(session, user, now=now, actor="cli")
        else:
            accounts.set_password(session, user, "another kettle of fish", now=now, actor="cli")
    assert who(db, secret, now) is None
    assert accounts.sign_in(db, "ana@example.org", PASSWORD, now=now) is None
    with db.begin() as session:
        assert accounts.sign_in_by_link(session, link, now=now) is None


def test_a_session_of_an_older_epoch_is_nobody(db: Database, now: datetime) -> None:
    user = make_user(db, now)
    secret = signed_in(db, now)
    with db.begin() as session:
        session.get_one(User, user.id).epoch += 1  # the row of the session survived, say from a backup
    assert who(db, secret, now) is None


def test_a_password_changed_while_it_was_weighed_does_not_sign_in(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user(db, now)

    def change_meanwhile(password_hash: str, password: str) -> bool:
        with db.begin() as session:
            user = accounts.find(session, "ana@example.org")
            accounts.set_password(session, user, "another kettle of fish", now=now, actor="cli")
        return True

    monkeypatch.setattr(accounts, "_fits", change_meanwhile)
    assert accounts.sign_in(db, "ana@example.org", PASSWORD, now=now) is None


def test_a_link_signs_in_once(db: Database, settings: Settings, now: datetime) -> None:
    link = link_for(db, make_user(db, now, password=""), settings, now)
    for _ in range(3):  # a scanner looks, as often as it likes
        with db.read() as session:
            assert accounts.link_is_good(session, link, now=now)
    with db.begin() as session:
        secret = accounts.sign_in_by_link(session, link, now=now)
    assert secret is not None
    assert who(db, secret, now) is not None
    with db.begin() as session:
        assert accounts.sign_in_by_link(session, link, now=now) is None
        assert not accounts.link_is_good(session, link, now=now)


def test_a_link_signs_in_once_even_when_followed_at_the_same_moment(
    db: Database, settings: Settings, now: datetime
) -> None:
    link = link_for(db, make_user(db, now), settings, now)
    secrets: list[str | None] = []
    gate = threading.Barrier(8)

    def follow() -> None:
        gate.wait()
        with db.begin() as session:
            secrets.append(accounts.sign_in_by_link(session, link, now=now))

    threads = [threading.Thread(target=follow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 8
    assert sum(s is not None for s in secrets) == 1


def test_a_link_is_over_after_an_hour_and_opens_no_other_door(db: Database, settings: Settings, now: datetime) -> None:
    user = make_user(db, now)
    link = link_for(db, user, settings, now)
    with db.begin() as session:
        assert accounts.sign_in_by_link(session, link, now=now + timedelta(hours=1)) is None
        session.add(Token(hash=hash_of("other"), purpose="receipt", user_id=user.id, created_at=now))
    with db.begin() as session:
        assert accounts.sign_in_by_link(session, "other", now=now) is None


def test_links_are_random_and_stored_as_hashes_only(db: Database, settings: Settings, now: datetime) -> None:
    user = make_user(db, now)
    links = {link_for(db, user, settings, now) for _ in range(3)}
    assert len(links) == 3
    with db.read() as session:
        assert set(session.scalars(select(Token.hash))) == {hash_of(link) for link in links}


def test_every_act_on_an_account_is_in_the_audit_log(db: Database, settings: Settings, now: datetime) -> None:
    user = make_user(db, now)
    signed_in(db, now)
    link = link_for(db, user, settings, now)
    with db.begin() as session:
        accounts.sign_in_by_link(session, link, now=now)
        user = accounts.find(session, "ana@example.org")
        accounts.set_password(session, user, "another kettle of fish", now=now, actor="cli")
        accounts.disable(session, user, now=now, actor="cli")
        assert not accounts.disable(session, user, now=now, actor="cli")
    with db.read() as session:
        actions = session.execute(select(AuditEntry.action, func.count()).group_by(AuditEntry.action)).all()
    assert dict(actions) == {
        "user.add": 1,
        "user.sign_in": 2,
        "user.passwd": 1,
        "user.disable": 1,
    }
