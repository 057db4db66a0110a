"""What a test of the provider's reports needs: mails that were accepted, and SendGrid's own signed words about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import feedback
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.feedback import Applied
from outreach.models import (
    Attempt,
    Campaign,
    Contact,
    Database,
    Delivery,
    ProviderEvent,
    SignatureState,
    Supporter,
    WaveKind,
    WaveState,
)
from outreach.settings import Settings
from tests import factories
from tests.fakes.events import event
from tests.fakes.sendgrid import FakeSendGrid
from tests.sites import Site, site_of


@dataclass
class Reports:
    """The hook of a site, and a SendGrid that signs what it posts there."""

    site: Site
    provider: FakeSendGrid
    env: str = "test"
    posted: list[dict[str, Any]] = field(default_factory=list)

    def post(self, rows: Sequence[dict[str, Any]]) -> int:
        """POST one signed array; the answer's status."""
        signed = self.provider.key.signed(rows, at=self.site.now.timestamp())
        self.posted += rows
        return self.site.client.post("/hooks/sendgrid/events", content=signed.body, headers=signed.headers).status_code

    def apply(self) -> Applied:
        """What the worker does when the bell rings."""
        return feedback.apply_waiting(self.site.db, env=self.env, now=self.site.now)

    def tell(self, *rows: dict[str, Any]) -> Applied:
        """Post and apply."""
        assert self.post(rows) == 200
        return self.apply()

    def about(self, ref: str, kind: str, *, after: float = 0.0, **fields: Any) -> dict[str, Any]:
        """One row about a delivery, `after` seconds from now."""
        with self.site.db.read() as session:
            d = session.scalars(select(Delivery).where(Delivery.ref == ref)).one()
            record = {
                "to": _address(session, d),
                "message_id": f"Fk{ref}",
                "number": d.attempts,
                "custom_args": {"oe_delivery": ref, "oe_attempt": str(d.attempts), "oe_env": self.env},
            }
        return event(record, kind, at=self.site.now.timestamp() + after) | fields


def _address(session: Session, d: Delivery) -> str:
    if d.mail_class is MailClass.LETTER:
        return session.scalar(select(Contact.value).where(Contact.id == d.contact_id)) or ""
    return session.scalar(select(Supporter.address).where(Supporter.id == d.supporter_id)) or ""


def reports_of(db: Database, settings: Settings, now: datetime) -> Reports:
    """A site that believes a fresh SendGrid."""
    provider = FakeSendGrid()
    return Reports(site_of(db, replace(settings, sendgrid_event_keys=(provider.key.public,)), now, []), provider)


def sent(session: Session, delivery: Delivery, *, outcome: str | None = "accepted", number: int = 1) -> Delivery:
    """The delivery with the attempt that handed it over."""
    now = delivery.created_at
    delivery.attempts = number
    if delivery.state is State.ACCEPTED:
        delivery.accepted_at = now
    if delivery.state is State.IN_DOUBT:
        delivery.doubt_since, delivery.maybe_sent = now, True
    session.add(
        Attempt(
            delivery_id=delivery.id,
            number=number,
            lane_id=delivery.lane_id,
            claim_token="t",
            transport="sendgrid",
            started_at=now,
            ended_at=None if outcome is None else now,
            outcome=outcome,
        )
    )
    session.flush()
    return delivery


def letter(session: Session, campaign: Campaign, *, by: str | None = None, state: State = State.ACCEPTED) -> Delivery:
    """A confirmed signer's letter to the campaign's first target; handed over unless it waits."""
    signature = factories.signature(session, campaign, by=by, state=SignatureState.CONFIRMED)
    made = factories.delivery(session, signature, state=state, supporter_id=signature.supporter_id)
    return made if state in (State.QUEUED, State.HELD, State.CLAIMED) else sent(session, made)


def notice(session: Session, campaign: Campaign, *, by: str | None = None, purpose: str = "confirm") -> Delivery:
    """A confirmation or other notice that a signer was sent."""
    signature = factories.signature(session, campaign, by=by)
    mail_class = MailClass.CONFIRMATION if purpose == "confirm" else MailClass.NOTICE
    made = factories.delivery(session, signature, state=State.ACCEPTED, mail_class=mail_class, purpose=purpose)
    return sent(session, made)


def mailing(session: Session, campaign: Campaign, *, by: str, state: State = State.ACCEPTED) -> Delivery:
    """A mailing to somebody who agreed to them."""
    signature = factories.signature(session, campaign, by=by, state=SignatureState.CONFIRMED)
    made = factories.delivery(
        session,
        signature,
        state=state,
        mail_class=MailClass.MAILING,
        stream=Stream.NEWS,
        lane_id=factories.stream_lane(session, Stream.NEWS).id,
        wave_id=factories.wave(session, campaign, kind=WaveKind.MAILING, state=WaveState.SENDING).id,
    )
    made.signature_id = None
    session.flush()
    person = session.get_one(Supporter, signature.supporter_id)
    factories.consent(session, person, campaign=campaign, purpose="updates")
    return sent(session, made) if state is State.ACCEPTED else made


def kept(db: Database, *conditions: Any) -> list[ProviderEvent]:
    """The reports that were written down."""
    with db.read() as session:
        return list(session.scalars(select(ProviderEvent).where(*conditions).order_by(ProviderEvent.id)))
