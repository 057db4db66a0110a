"""What providers say, and what is left of a person. Numbers are the field rules', parts D and F."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from outreach import feedback, people, signers, suppression, wake, waves
from outreach.domain.deliveries import MailClass, Stream
from outreach.models import Database, Delivery, ProviderEvent, Suppression
from outreach.settings import Settings
from outreach.signers import COLUMNS
from outreach.waves.tallying import tally
from outreach.webhooks import sendgrid as webhook
from tests import factories
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventKey, Signed
from tests.rules.post import JSON, Post
from tests.servers import redis_server
from tests.sites import Site, site_of
from tests.unit.webhooks.test_sendgrid import VECTOR_BODY, VECTOR_KEY, VECTOR_NOW, VECTOR_SIGNATURE, VECTOR_TIMESTAMP

HOOK = "/hooks/sendgrid/events"
GOOD = {SIGNATURE_HEADER: VECTOR_SIGNATURE, TIMESTAMP_HEADER: VECTOR_TIMESTAMP}


def site_that_believes(db: Database, settings: Settings, now: datetime, *keys: str) -> Site:
    return site_of(db, replace(settings, sendgrid_event_keys=keys), now, [])


def test_d1_the_librarys_own_report_is_taken_and_its_forgeries_are_not(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    site = site_that_believes(db, settings, VECTOR_NOW, VECTOR_KEY)
    stranger = EventKey().signed([{"event": "dropped"}], at=VECTOR_NOW.timestamp())
    forged: dict[str, tuple[bytes, dict[str, str]]] = {
        "a changed byte": (VECTOR_BODY.replace(b"hello", b"hallo"), GOOD),
        "a stripped line end": (VECTOR_BODY.rstrip(b"\r\n"), GOOD),
        "another key": (stranger.body, stranger.headers),
        "no signature": (VECTOR_BODY, {TIMESTAMP_HEADER: VECTOR_TIMESTAMP}),
        "no timestamp": (VECTOR_BODY, {SIGNATURE_HEADER: VECTOR_SIGNATURE}),
        "another timestamp": (VECTOR_BODY, GOOD | {TIMESTAMP_HEADER: "1600112503"}),
        "bad base64": (VECTOR_BODY, GOOD | {SIGNATURE_HEADER: "%%%"}),
        "no UTF-8": (b"\xff\xfe\x80", GOOD),
    }
    for what, (body, headers) in forged.items():
        assert site.client.post(HOOK, content=body, headers=headers).status_code == 403, what
    assert site.count(of=ProviderEvent) == 0

    assert site.client.post(HOOK, content=VECTOR_BODY, headers=GOOD).status_code == 200
    assert site.count(of=ProviderEvent) == 1


def test_d11_while_a_key_is_replaced_both_are_believed(
    db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    old, new = EventKey(), EventKey()
    site = site_that_believes(db, settings, now, old.public, new.public)

    def tell(key: EventKey, id_: str, at: Site) -> int:
        report: Signed = key.signed([{"event": "open", "sg_event_id": id_, "timestamp": 1}], at=now.timestamp())
        return at.client.post(HOOK, content=report.body, headers=report.headers).status_code

    assert [tell(old, "e-1", site), tell(new, "e-2", site), tell(EventKey(), "e-3", site)] == [200, 200, 403]
    afterwards = site_that_believes(db, settings, now, new.public)
    assert [tell(old, "e-4", afterwards), tell(new, "e-5", afterwards)] == [403, 200]


@JSON
def test_d9_a_complaint_is_counted_for_its_wave_and_closes_all_mail(post: Post) -> None:
    post.signer("reader@example.org", updates="yes")
    wave_id = post.wave()
    post.send()
    provider = post.provider
    assert provider is not None
    (record,) = [r for r in provider.accepted if r["from"]["email"].startswith("news@")]
    events = webhook.parse(provider.events_for(record, kinds=["spamreport"]).body, post.site.keys)
    with post.db.begin() as session:
        feedback.apply(session, events, env="test", now=post.site.now)

    with post.db.read() as session:
        assert tally(session, waves.find(session, wave_id)).complaints == 1
        closed = [(row.scope, row.reason) for row in session.scalars(select(Suppression))]
    assert closed == [("all", "complained")]


@JSON
def test_f8_an_erased_person_who_is_imported_again_is_mailed_nothing(post: Post) -> None:
    post.signer("reader@example.org", updates="yes")
    with post.db.begin() as session:
        people.erase(
            session, people.find(session, "reader@example.org", keys=post.site.keys), actor="t", now=post.site.now
        )
    post.send()
    before = len(post.seen())
    row = (
        "Jane Doe,Reader@example.org,,,,en,2026-02-01T09:00:00+01:00,updates,Yes to news.,a page,2026-02-01,old system"
    )
    report = signers.import_signers(
        post.db,
        "\n".join([",".join(COLUMNS), row, ""]).encode(),
        "shelters",
        apply=True,
        keys=post.site.keys,
        settings=post.site.settings,
        now=post.site.now,
        actor="t",
    )
    assert (report.rows, report.new) == (1, 0)
    post.send()
    assert len(post.seen()) == before
    with post.db.read() as session:
        assert suppression.is_suppressed(session, factories.hash_address("reader@example.org"))
        assert session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.MAILING)).all() == []


@pytest.mark.servers
def test_f8_redis_never_knew_who_anybody_was(db: Database, settings: Settings, now: datetime, tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as (url, _):
        with db.begin() as session:
            factories.campaign(session, slug="shelters", now=now)
        site = site_of(db, replace(settings, redis_url=url), now, [])
        receipt = site.confirm(site.sign(email="marker.qx7@example.org", name="Jane Qx", own_words="Words qx7."))
        site.get(receipt)
        site.client.get("/u/guess")
        with db.begin() as session:
            reader = factories.supporter(session, "marker.qx7@example.org")
            token = site.keys.stop_token(reader.ref, 1)
        assert site.client.post(f"/u/{token}").status_code == 200
        with redis.Redis.from_url(url) as client:
            kept = {name: client.dump(name) or b"" for name in client.keys("*")}
            told = b" ".join([*kept, *kept.values()]).lower()
    assert any(str(Stream.LETTERS).encode() in name for name in kept), "bells were rung there"
    for private in (b"qx7", b"jane", receipt.rpartition("/")[2].lower().encode(), token.encode()):
        assert private not in told
