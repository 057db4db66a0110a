"""Any order, any number of copies, any portions: the same reports end in the same place (field rules D4, fault F35)."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import wake
from outreach.domain.deliveries import State
from outreach.models import Anomaly, Attempt, Campaign, Consent, Contact, Database, Delivery, Suppression
from outreach.settings import Settings
from tests import factories
from tests.integration.reports import Reports, letter, mailing, notice, reports_of

DAY = 86_400.0
FULL = {"status": "5.2.2", "reason": "full"}
#: Who is told what about which of their mails: (mail, kind, seconds from now, further fields).
STORY: list[tuple[str, str, float, dict[str, Any]]] = [
    ("letter", "processed", 1, {}),
    ("letter", "deferred", 2, {}),
    ("letter", "delivered", 3, {}),
    ("letter", "open", 4, {}),
    ("returned", "delivered", 3, {}),
    ("returned", "bounce", 9, {}),
    ("doubted", "processed", 5, {}),
    ("called_off", "processed", 6, {}),
    ("called_off", "delivered", 7, {}),
    ("full-1", "bounce", 0, FULL),
    ("full-2", "bounce", 5 * DAY, FULL),
    ("full-3", "bounce", 9 * DAY, FULL),
    ("ill-1", "bounce", 0, FULL),
    ("ill-2", "delivered", 4 * DAY, {}),
    ("ill-3", "bounce", 5 * DAY, FULL),
    ("ill-4", "bounce", 9 * DAY, FULL),
    ("angry", "delivered", 3, {}),
    ("angry", "bounce", 5, {}),
    ("angry", "spamreport", 8, {}),
    ("angry", "dropped", 9, {"reason": "Bounced Address"}),
    ("torn", "bounce", 5, {}),
    ("torn", "dropped", 9, {"reason": "Bounced Address"}),
    ("back", "group_unsubscribe", 60, {}),
    ("back", "group_resubscribe", 120, {}),
    ("gone", "group_unsubscribe", 60, {}),
    ("gone", "group_resubscribe", 120, {}),
    ("gone", "unsubscribe", 180, {}),
    ("twice", "delivered", 3, {}),
    ("twice", "delivered", 4, {}),
    ("twice", "something_new", 5, {}),
]


class Scene:
    """One person for each word of the story, with the mails that it tells of."""

    def __init__(self, session: Session, number: int) -> None:
        self.campaign: Campaign = factories.campaign(session)
        self.number = number
        self.mails: dict[str, Delivery] = {}
        for name in sorted({mail for mail, *_ in STORY}):
            self.mails[name] = self._mail(session, name)
        self.waiting = letter(session, self.campaign, state=State.QUEUED).id

    def _mail(self, session: Session, name: str) -> Delivery:
        address = f"{name.partition('-')[0]}{self.number}@example.org"
        if name in ("letter", "returned"):
            return letter(session, self.campaign)
        if name in ("doubted", "called_off"):
            return letter(session, self.campaign, state=State.IN_DOUBT if name == "doubted" else State.CANCELLED)
        if name in ("back", "gone"):
            return mailing(session, factories.campaign(session), by=address)
        return notice(session, factories.campaign(session), by=address)

    def ends(self, db: Database) -> dict[str, Any]:
        """Where everything stands."""
        with db.read() as session:
            return {
                "mails": {name: self._mail_ends(session, mail.id) for name, mail in self.mails.items()},
                "waiting": session.get_one(Delivery, self.waiting).state,
                "contacts": list(
                    session.scalars(
                        select(Contact.state)
                        .join(Delivery, Delivery.contact_id == Contact.id)
                        .where(Delivery.id.in_([mail.id for mail in self.mails.values()]))
                    )
                ),
            }

    def _mail_ends(self, session: Session, id_: int) -> tuple[Any, ...]:
        mail = session.get_one(Delivery, id_)
        outcomes = session.scalars(select(Attempt.outcome).where(Attempt.delivery_id == id_)).all()
        anomalies = session.scalars(select(Anomaly.kind).where(Anomaly.delivery_id == id_)).all()
        closed = select(Suppression.scope, Suppression.reason).where(Suppression.address_hash == mail.address_hash)
        last_word = (
            select(Consent.given)
            .where(Consent.supporter_id == mail.supporter_id, Consent.purpose == "updates")
            .order_by(Consent.at.desc())
            .limit(1)
        )
        return (
            mail.state,
            mail.event_state,
            mail.event_at,
            tuple(outcomes),
            tuple(anomalies),
            sorted(tuple(row) for row in session.execute(closed)),
            session.scalar(last_word),
        )


def told(reports: Reports, scene: Scene) -> list[dict[str, Any]]:
    return [reports.about(scene.mails[mail].ref, kind, after=after, **fields) for mail, kind, after, fields in STORY]


def test_d4_fault_f35_every_order_ends_in_the_same_place(
    db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "ring", lambda _url, _task: True)
    reports = reports_of(db, settings, now)
    with db.begin() as session:
        scenes = [Scene(session, number) for number in range(12)]
    reports.tell(*told(reports, scenes[0]))
    expected = scenes[0].ends(db)

    for number, scene in enumerate(scenes[1:], 1):
        dice = random.Random(number)
        rows = [row for row in told(reports, scene) for _ in range(dice.choice((1, 1, 2, 46)))]
        dice.shuffle(rows)
        while rows:
            size = dice.randint(1, 40)
            portion, rows = rows[:size], rows[size:]
            assert reports.post(portion) == 200
            if dice.random() < 0.5:
                reports.apply()
        reports.apply()
        assert scene.ends(db) == expected, f"order {number}"

    assert expected["mails"]["back"][-2:] == ([], True), "the story tells what it is meant to tell"
    assert expected["mails"]["gone"][-2:] == ([("news", "unsubscribed")], False)
    assert [expected["mails"][mail][-2] for mail in ("full-1", "ill-1", "angry")] == [
        [("all", "unreachable")],
        [],
        [("all", "complained")],
    ]
    assert expected["waiting"] is State.HELD
