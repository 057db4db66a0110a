"""How an answer comes to stand on the campaign's page: its signer and an organizer both want it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import replies
from outreach.domain.deliveries import State
from outreach.domain.replies import ReplyKind, ShareState
from outreach.errors import BadInput, NotNow
from outreach.inbound import Kind
from outreach.models import Consent, Database, Delivery, Signature, SignatureState
from outreach.settings import Settings
from tests import factories
from tests.fakes.inbound import answer
from tests.integration.answers import kept
from tests.integration.inside import browser, send
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")


def wall(db: Database, letter: Delivery) -> tuple[replies.Shown, ...]:
    with db.read() as session:
        return replies.wall(session, letter.campaign_id)


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
    assert kept(db)[0].share_state is ShareState.ASKED
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


def test_the_ledger_keeps_the_wish_in_the_words_of_the_signers_own_page(
    db: Database, settings: Settings, now: datetime, letter: Delivery
) -> None:
    with db.begin() as session:
        reply = factories.reply(session, letter)
        session.get_one(Signature, letter.signature_id).language = "es"
    signer = browser(settings, db, now)
    signer.post(f"/letter/receipt-of-jane/replies/{reply.ref}/share")
    with db.read() as session:
        entry = session.scalars(select(Consent).where(Consent.purpose == "share_reply")).one()
    assert entry.language == "es"
    assert entry.wording == "Mostrar esta respuesta en la página de la campaña"


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


def test_a_bad_excerpt_says_what_is_wrong_in_words_of_the_page(db: Database, letter: Delivery, now: datetime) -> None:
    with db.begin() as session:
        reply = factories.reply(session, letter, share_state=ShareState.ASKED)
        with pytest.raises(BadInput, match="The excerpt can have at most"):
            replies.approve(session, reply, "x" * 3000, actor="t", now=now)
