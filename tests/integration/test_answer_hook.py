"""The hook that answers are posted to, on both databases: who may post, and what is no mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from outreach import replies
from outreach.models import Database, Delivery
from outreach.settings import Settings
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey
from tests.fakes.inbound import HOOK, SECRET, answer, raw_form
from tests.integration.answers import kept, tallied
from tests.integration.inside import browser

pytestmark = pytest.mark.usefixtures("rung")


def client(settings: Settings, db: Database, now: datetime, **guards: object) -> TestClient:
    return browser(replace(settings, **({"inbound_secret": SECRET} | guards)), db, now)  # type: ignore[arg-type]


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
