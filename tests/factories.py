"""Rows for tests, by noun, written straight to the tables.

    with db.begin() as session:
        campaign = factories.campaign(session, targets=2)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)

Every factory takes the session first, fills in what a test does not care about, flushes, and gives the row back.
Nothing here calls a verb of the engine: a factory must not hide what a test is about. So a confirmed signature from
here has no letters yet; `delivery` makes one, or call `outbox.enqueue_letters`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.domain.addresses import address_key
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.keys import Keys, hash_of
from outreach.models import (
    Addressing,
    Brake,
    Campaign,
    CampaignKind,
    CampaignState,
    Channel,
    Consent,
    Contact,
    ContactState,
    Counter,
    Delivery,
    Demand,
    Lane,
    LetterVersion,
    LogEntry,
    Organisation,
    Reply,
    ReplyKind,
    Role,
    Signature,
    SignatureState,
    Sponsorship,
    Supporter,
    Suppression,
    Target,
    Token,
    User,
    Wave,
    WaveKind,
    WaveState,
    new_ref,
)

#: The same secret as the `settings` fixture has, so that hashes and links made here open there.
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-test"
KEYS = Keys(SECRET)

#: The moment of the `now` fixture: a working day's noon in UTC.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

_numbers = itertools.count(1)
T = TypeVar("T")


def hash_address(address: str, keys: Keys = KEYS) -> str:
    """The keyed hash that supporters, contacts and suppressions are found by."""
    return keys.address_hash(address_key(address))


def stream_lane(session: Session, stream: Stream, *, now: datetime = NOON) -> Lane:
    """The one lane of a stream, without caps."""
    key = f"stream:{stream.value}"
    found = session.scalar(select(Lane).where(Lane.key == key))
    return found or _added(session, Lane(key=key, stream=stream, opens_at=now))


def mailbox_lane(
    session: Session,
    address: str,
    *,
    per_hour: int | None = None,
    per_day: int | None = None,
    hours: str | None = None,
    days: str = "all",
    zone: str = "UTC",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Lane:
    """The lane of a target's mailbox, found again for the same address; uncapped unless the test says otherwise."""
    key = f"mailbox:{hash_address(address, keys)}"
    if found := session.scalar(select(Lane).where(Lane.key == key)):
        return found
    lane = Lane(
        key=key,
        stream=Stream.LETTERS,
        per_hour=per_hour,
        per_day=per_day,
        hours=hours,
        days=days,
        zone=zone,
        opens_at=now,
    )
    return _added(session, lane)


def contact(
    session: Session,
    target: Target,
    *,
    email: str | None = None,
    state: ContactState = ContactState.OK,
    lane: Lane | None = None,
    now: datetime = NOON,
    keys: Keys = KEYS,
    **pace: Any,
) -> Contact:
    """A target's current email contact and its lane. `pace` goes to `mailbox_lane`."""
    email = email or f"office{next(_numbers)}@example.net"
    row = Contact(
        target_id=target.id,
        channel=Channel.EMAIL,
        value=email,
        address_hash=hash_address(email, keys),
        lane_id=(lane or mailbox_lane(session, email, now=now, keys=keys, **pace)).id,
        state=state,
        created_at=now,
    )
    _added(session, row)
    session.expire(target, ["contacts"])
    return row


def target(
    session: Session,
    *,
    name: str | None = None,
    office: str = "Secretary",
    email: str | None = "",
    zone: str = "UTC",
    now: datetime = NOON,
    **pace: Any,
) -> Target:
    """A target with an email contact of its own; `email=None` leaves it without any."""
    n = next(_numbers)
    name = name or f"Alex Moreno {n}"
    row = Target(
        ref=new_ref(),
        key=f"{office}|{name}".casefold(),
        name=name,
        office=office,
        salutation=f"Dear {office} {name.split()[-1]}",
        zone=zone,
        created_at=now,
    )
    _added(session, row)
    if email is not None:
        contact(session, row, email=email or f"office{n}@example.net", now=now, **pace)
    return row


def letter_version(
    session: Session,
    campaign: Campaign,
    *,
    subject: str = "Homes people can afford",
    header: str = "{{ target.salutation }},",
    body: str = "I ask you to keep rents within reach.\n\n{{ signer.own_words }}",
    footer: str = "Yours sincerely,\n{{ signer.name }}",
    signed_at: datetime | None = None,
    now: datetime = NOON,
) -> LetterVersion:
    """The campaign's next version of its letter. No target is moved to it."""
    highest = session.scalar(
        select(func.coalesce(func.max(LetterVersion.number), 0)).where(LetterVersion.campaign_id == campaign.id)
    )
    row = LetterVersion(
        campaign_id=campaign.id,
        number=(highest or 0) + 1,
        subject=subject,
        header=header,
        body=body,
        footer=footer,
        created_at=now,
        signed_at=signed_at,
    )
    return _added(session, row)


def addressing(session: Session, campaign: Campaign, target: Target, version: LetterVersion) -> Addressing:
    """The campaign writes to the target with that version."""
    position = session.scalar(select(func.count()).where(Addressing.campaign_id == campaign.id)) or 0
    row = Addressing(campaign_id=campaign.id, target_id=target.id, version_id=version.id, position=position)
    return _added(session, row)


def campaign(
    session: Session,
    *,
    slug: str | None = None,
    title: str | None = None,
    kind: CampaignKind = CampaignKind.LETTER,
    state: CampaignState = CampaignState.PUBLISHED,
    targets: int | Sequence[Target] = 1,
    demands: Sequence[str] = (),
    organisation: str = "Fair Homes Union",
    hold_for_waves: bool = False,
    now: datetime = NOON,
    **letter: str,
) -> Campaign:
    """A campaign with its lead sponsor, one letter version, its targets and, once published, its standing wave.

    `targets`: how many to make, each with an email contact of its own, or those to take.
    `letter`: `subject`, `header`, `body`, `footer` of the version.
    """
    n = next(_numbers)
    row = Campaign(
        slug=slug or f"campaign-{n}",
        kind=kind,
        state=state,
        title=title or f"Keep rents within reach {n}",
        opening="Rents have outrun wages for ten years.",
        story="Rents have outrun wages for ten years.",
        hold_for_waves=hold_for_waves,
        created_at=now,
        published_at=None if state is CampaignState.DRAFT else now,
        closed_at=now if state is CampaignState.CLOSED else None,
    )
    row.demands = [Demand(number=i, text=text) for i, text in enumerate(demands, 1)]
    _added(session, row)
    _added(
        session, Sponsorship(campaign_id=row.id, organisation_id=organisation_of(session, organisation).id, role="lead")
    )
    version = letter_version(session, row, now=now, **letter)  # type: ignore[arg-type]
    chosen = [target(session, now=now) for _ in range(targets)] if isinstance(targets, int) else targets
    for one in chosen:
        addressing(session, row, one, version)
    if state is not CampaignState.DRAFT:
        standing_wave(session, row, now=now)
    session.expire(row, ["sponsorships"])
    return row


def organisation_of(session: Session, name: str = "Fair Homes Union") -> Organisation:
    """The organisation of that name, made if it is not there."""
    found = session.scalar(select(Organisation).where(Organisation.name == name))
    return found or _added(session, Organisation(name=name))


def standing_wave(session: Session, campaign: Campaign, *, now: datetime = NOON) -> Wave:
    """The wave that confirmed letters leave by."""
    found = session.scalar(select(Wave).where(Wave.campaign_id == campaign.id, Wave.is_standing))
    return found or wave(session, campaign, is_standing=True, state=WaveState.SENDING, now=now)


def wave(
    session: Session,
    campaign: Campaign,
    *,
    kind: WaveKind = WaveKind.LETTERS,
    state: WaveState = WaveState.DRAFT,
    is_standing: bool = False,
    name: str = "",
    now: datetime = NOON,
) -> Wave:
    """A wave of the campaign."""
    row = Wave(
        campaign_id=campaign.id,
        kind=kind,
        state=state,
        is_standing=is_standing,
        name=name,
        created_at=now,
    )
    return _added(session, row)


def targets_of(session: Session, campaign: Campaign) -> list[Target]:
    """The campaign's targets, in its order."""
    chosen = select(Target).join(Addressing, Addressing.target_id == Target.id)
    return list(session.scalars(chosen.where(Addressing.campaign_id == campaign.id).order_by(Addressing.position)))


def supporter(session: Session, address: str | None = None, *, now: datetime = NOON, keys: Keys = KEYS) -> Supporter:
    """The person with that address, made if not there; a fresh person when no address is given."""
    address = address or f"signer{next(_numbers)}@example.org"
    key = address_key(address)
    found = session.scalar(select(Supporter).where(Supporter.address_key == key))
    row = Supporter(
        ref=new_ref(), address=address, address_key=key, address_hash=keys.address_hash(key), created_at=now
    )
    return found or _added(session, row)


def signature(
    session: Session,
    campaign: Campaign,
    *,
    by: Supporter | str | None = None,
    state: SignatureState = SignatureState.PENDING,
    name: str = "Jane Doe",
    own_words: str = "",
    own_subject: str = "",
    own_body: str = "",
    city: str = "Springfield",
    postal_code: str = "12345",
    text_hash: str = "",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Signature:
    """A signature with its `deliver_letter` consent. `by` is a supporter or an address."""
    person = by if isinstance(by, Supporter) else supporter(session, by, now=now, keys=keys)
    was_confirmed = state in (SignatureState.CONFIRMED, SignatureState.WITHDRAWN)
    row = Signature(
        ref=new_ref(),
        campaign_id=campaign.id,
        supporter_id=person.id,
        state=state,
        name=name,
        city=city,
        postal_code=postal_code,
        own_words=own_words,
        own_subject=own_subject,
        own_body=own_body,
        text_hash=text_hash,
        source="web",
        evidence="link" if was_confirmed else "",
        created_at=now,
        confirmed_at=now if was_confirmed else None,
        withdrawn_at=now if state is SignatureState.WITHDRAWN else None,
    )
    _added(session, row)
    consent(session, person, campaign=campaign, now=now)
    return row


def consent(
    session: Session,
    supporter: Supporter,
    *,
    campaign: Campaign | None = None,
    purpose: str = "deliver_letter",
    given: bool = True,
    wording: str = "Send my letter.",
    source: str = "web",
    now: datetime = NOON,
) -> Consent:
    """One entry of the consent ledger."""
    row = Consent(
        supporter_id=supporter.id,
        campaign_id=campaign.id if campaign else None,
        purpose=purpose,
        given=given,
        wording=wording,
        source=source,
        at=now,
    )
    return _added(session, row)


def token(
    session: Session,
    signature: Signature,
    *,
    purpose: str = "confirm",
    secret: str | None = None,
    valid_for: timedelta | None = timedelta(days=7),
    now: datetime = NOON,
) -> str:
    """A link that was sent for the signature; gives back its secret."""
    secret = secret or KEYS.token(purpose, f"test:{next(_numbers)}")
    row = Token(
        hash=hash_of(secret),
        purpose=purpose,
        signature_id=signature.id,
        text_hash=signature.text_hash,
        created_at=now,
        expires_at=now + valid_for if valid_for is not None else None,
    )
    _added(session, row)
    return secret


def delivery(
    session: Session,
    signature: Signature,
    target: Target | None = None,
    *,
    state: State = State.QUEUED,
    mail_class: MailClass = MailClass.LETTER,
    purpose: str = "",
    serial: int = 1,
    reason: str = "",
    now: datetime = NOON,
    **columns: Any,
) -> Delivery:
    """One delivery in any state, its log entry and its counter, so that the books balance.

    A letter goes to `target`, or the campaign's first one; a confirmation or notice to the signer by the act lane.
    """
    if mail_class is MailClass.LETTER:
        columns = _letter_columns(session, signature, target, now) | columns
    else:
        columns = {
            "stream": Stream.ACT,
            "supporter_id": signature.supporter_id,
            "lane_id": stream_lane(session, Stream.ACT, now=now).id,
            "address_hash": session.get_one(Supporter, signature.supporter_id).address_hash,
        } | columns
    if state in (State.CLAIMED, State.SENDING):
        columns = {"claim_token": new_ref(), "claimed_until": now + timedelta(minutes=2)} | columns
    row = Delivery(
        ref=new_ref(),
        mail_class=mail_class,
        purpose=purpose,
        serial=serial,
        state=state,
        reason=reason,
        campaign_id=signature.campaign_id,
        signature_id=signature.id,
        **({"created_at": now, "due_at": now} | columns),
    )
    _added(session, row)
    session.add(LogEntry(delivery_id=row.id, at=now, from_state=None, to_state=state, reason=reason, actor="test"))
    count(session, row)
    return row


def _letter_columns(session: Session, signature: Signature, target: Target | None, now: datetime) -> dict[str, Any]:
    campaign = session.get_one(Campaign, signature.campaign_id)
    target = target or targets_of(session, campaign)[0]
    version_id = session.scalar(
        select(Addressing.version_id).where(
            Addressing.campaign_id == signature.campaign_id, Addressing.target_id == target.id
        )
    )
    reached = session.scalar(
        select(Contact).where(
            Contact.target_id == target.id, Contact.channel == Channel.EMAIL, Contact.ended_at.is_(None)
        )
    )
    return {
        "stream": Stream.LETTERS,
        "supporter_id": signature.supporter_id,
        "wave_id": None if campaign.hold_for_waves else standing_wave(session, campaign, now=now).id,
        "target_id": target.id,
        "version_id": version_id,
        "contact_id": reached.id if reached else None,
        "lane_id": reached.lane_id if reached else None,
        "address_hash": reached.address_hash if reached else None,
        "content_hash": sha256(f"{signature.ref}:{target.id}".encode()).hexdigest(),
    }


def reply(session: Session, letter: Delivery, *, now: datetime = NOON, **columns: Any) -> Reply:
    """A person's answer to a letter, which nobody was told of."""
    given = {"kind": ReplyKind.HUMAN, "subject": "Re: a letter", "text": "Yes, we will.", "raw": b"Subject: x\n\nYes."}
    row = Reply(
        ref=new_ref(),
        digest=new_ref(),
        delivery_id=letter.id,
        signature_id=letter.signature_id,
        campaign_id=letter.campaign_id,
        received_at=now,
        **(given | columns),
    )
    return _added(session, row)


def count(session: Session, delivery: Delivery, n: int = 1) -> None:
    """Adjust the counter of the delivery's campaign, wave, class and state."""
    key = (delivery.campaign_id, delivery.wave_id or 0, delivery.mail_class, delivery.state, 0)
    row = session.get(Counter, key)
    if row is None:
        row = Counter(campaign_id=key[0], wave_id=key[1], mail_class=key[2], state=key[3], shard=0, n=0)
        session.add(row)
    row.n += n
    session.flush()


def suppression(
    session: Session,
    address: str,
    *,
    scope: str = "all",
    reason: str = "staff",
    now: datetime = NOON,
    keys: Keys = KEYS,
) -> Suppression:
    """An address that must not be written to."""
    return _added(session, Suppression(address_hash=hash_address(address, keys), scope=scope, reason=reason, at=now))


def brake(session: Session, scope: str = "all", *, reason: str = "a test", now: datetime = NOON) -> Brake:
    """A pulled brake."""
    return _added(session, Brake(scope=scope, reason=reason, pulled_by="test", pulled_at=now))


def user(
    session: Session,
    *,
    email: str | None = None,
    name: str = "Sam Organizer",
    role: Role = Role.ORGANIZER,
    password_hash: str = "",
    now: datetime = NOON,
) -> User:
    """Somebody who may sign in."""
    email = email or f"user{next(_numbers)}@example.com"
    return _added(session, User(email=email, name=name, role=role, password_hash=password_hash, created_at=now))


def _added(session: Session, row: T) -> T:
    session.add(row)
    session.flush()
    return row
