"""Whom a wave reaches, and why it does not reach the others: one list of exclusions, in order, for both questions.

Counting puts everyone who signed under the first exclusion that fits them; planning takes those whom none fits. So
what is shown before the start is what is planned after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, not_, or_, select, text, true
from sqlalchemy.orm import Session, aliased

from outreach.consents import agreed
from outreach.domain.audiences import Audience
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.waves import WaveKind, WaveState
from outreach.models import (
    Addressing,
    Delivery,
    Signature,
    SignatureState,
    Supporter,
    Suppression,
    Wave,
)
from outreach.outbox.enqueue import NO_CONTACT
from outreach.outbox.releasing import waiting_letters
from outreach.suppression import scopes_of

WEEK = timedelta(days=7)
#: Notices about one's own signature, which never count as "another mail this week".
_OWN_ACT = ("confirm", "receipt")
#: A mailing that ended so has not reached its reader, unless it may have left before.
_NEVER_LEFT = (State.CANCELLED, State.SUPPRESSED, State.REJECTED, State.DEAD)
_ON_THE_WAY = (State.HELD, State.QUEUED, State.CLAIMED, State.SENDING, State.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Count:
    """One line of the sum. `words` explain the number; all but the first and the last are taken off."""

    label: str
    n: int
    words: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What decides whom a wave reaches, at one moment."""

    campaign_id: int
    kind: WaveKind
    audience: Audience
    since: datetime | None  #: when the wave before this one began, if that matters
    same_words: tuple[int, ...]  #: the waves that say the same, whose readers have it already
    purpose: str
    per_week: int
    now: datetime

    @property
    def fits(self) -> list[ColumnElement[bool]]:
        """The audience as conditions on `Signature`."""
        asked = self.audience
        conditions: list[ColumnElement[bool]] = []
        if asked.place and asked.is_postal:
            written = func.upper(func.replace(Signature.postal_code, " ", ""))
            conditions.append(written.startswith(asked.place.upper().replace(" ", ""), autoescape=True))
        elif asked.place:
            conditions.append(func.lower(Signature.city) == asked.place.lower())
        if asked.language:
            conditions.append(Signature.language == asked.language)
        if asked.source:
            conditions.append(Signature.source == asked.source)
        if asked.own_words is not None:
            wrote = (Signature.own_words != "") | (Signature.own_body != "")
            conditions.append(wrote if asked.own_words else ~wrote)
        if self.since is not None:
            conditions.append(func.coalesce(Signature.confirmed_at > self.since, false()))
        return conditions


@dataclass(frozen=True, slots=True)
class _Exclusion:
    label: str
    words: str
    condition: ColumnElement[bool]


def last_began(
    session: Session, campaign_id: int, kind: WaveKind, *, before: datetime, but: int = 0
) -> datetime | None:
    """When the campaign's last wave of this kind began."""
    return session.scalar(
        select(func.max(Wave.started_at)).where(
            Wave.campaign_id == campaign_id,
            Wave.kind == kind,
            Wave.id != but,
            ~Wave.is_standing,
            Wave.state != WaveState.CANCELLED,
            Wave.started_at < before,
        )
    )


def count(session: Session, reach: Reach) -> list[Count]:
    """Who signed, minus each exclusion, is who will get it."""
    return _count_readers(session, reach) if reach.kind is WaveKind.MAILING else _count_letters(session, reach)


def reaches_anybody(session: Session, reach: Reach) -> bool:
    """Whether there is anyone at all."""
    if reach.kind is WaveKind.MAILING:
        return session.execute(readers(session, reach).limit(1)).first() is not None
    waiting = select(Delivery.id).join(Signature, Signature.id == Delivery.signature_id)
    fitting = waiting.where(waiting_letters(reach.campaign_id), *reach.fits)
    return session.execute(fitting.limit(1)).first() is not None


# ---- mailings to signers ---------------------------------------------------------------------------------------------


def readers(session: Session, reach: Reach) -> Select[Any]:
    """The signatures, joined to their supporters, of everyone who will get the mailing."""
    wanted = select(Signature.id).join(Supporter, Supporter.id == Signature.supporter_id)
    return wanted.where(
        Signature.campaign_id == reach.campaign_id,
        Signature.is_counted,  # of a household several: its address gets one mail all the same
        *(not_(exclusion.condition) for exclusion in _exclusions_of_readers(session, reach)[3:]),
        Supporter.erased_at.is_(None),
    )


def _count_readers(session: Session, reach: Reach) -> list[Count]:
    other = aliased(Signature)
    # One for each supporter: the newest that counts, or the newest at all.
    is_newest = ~exists().where(
        other.campaign_id == Signature.campaign_id,
        other.supporter_id == Signature.supporter_id,
        or_(
            and_(other.is_counted, or_(not_(Signature.is_counted), other.id > Signature.id)),
            and_(not_(other.is_counted), not_(Signature.is_counted), other.id > Signature.id),
        ),
    )
    everyone = select(Signature.id).join(Supporter, Supporter.id == Signature.supporter_id)
    return _sum(
        session,
        everyone.where(Signature.campaign_id == reach.campaign_id, is_newest),
        _exclusions_of_readers(session, reach),
        Count("signed", 0, "people who signed"),
        Count("will_get_it", 0, "will get it"),
    )


def _exclusions_of_readers(session: Session, reach: Reach) -> list[_Exclusion]:
    scopes = scopes_of(session, Stream.NEWS, [reach.campaign_id])[reach.campaign_id]
    suppressed = select(Suppression.address_hash).where(Suppression.scope.in_(scopes))
    return [
        _Exclusion("unconfirmed", "have not confirmed yet", Signature.state == SignatureState.PENDING),
        _Exclusion(
            "withdrawn",
            "withdrew, or were erased",
            or_(Signature.state != SignatureState.CONFIRMED, Supporter.erased_at.is_not(None)),
        ),
        _Exclusion("suspect", "are set aside until staff have looked at them", Signature.suspect != ""),
        _Exclusion("not_chosen", "are not in the chosen audience", not_(and_(true(), *reach.fits))),
        _Exclusion(
            "suppressed", "said stop, or their address bounced or complained", Supporter.address_hash.in_(suppressed)
        ),
        _Exclusion(
            "no_consent",
            f"did not agree to “{reach.purpose}”, or took it back",
            not_(agreed(Supporter.id, reach.campaign_id, reach.purpose)),
        ),
        _Exclusion("already_sent", "have this mailing already, or it is on its way to them", _has_it(reach)),
        _Exclusion(
            "over_cap",
            f"had {reach.per_week} mailings or follow-ups within the last 7 days",
            _mails_this_week(reach) >= reach.per_week,
        ),
    ]


def _has_it(reach: Reach) -> ColumnElement[bool]:
    """The same words, by this wave or another one: a wave that is planned twice reaches nobody twice."""
    if not reach.same_words:
        return false()
    return exists().where(
        # Waves by number, and the class as the unique index says it: a planner that has no statistics yet, as in a
        # new installation's first large wave, finds its way by that index alone.
        Delivery.wave_id.in_(reach.same_words),
        Delivery.supporter_id == Supporter.id,
        text("deliveries.class = 'mailing'"),
        or_(Delivery.state.not_in(_NEVER_LEFT), Delivery.maybe_sent),
    )


def _mails_this_week(reach: Reach) -> ColumnElement[int]:
    counted = select(func.count(Delivery.id)).where(
        Delivery.supporter_id == Supporter.id,
        or_(
            Delivery.mail_class == MailClass.MAILING,
            and_(Delivery.mail_class == MailClass.NOTICE, Delivery.purpose.not_in(_OWN_ACT)),
        ),
        or_(Delivery.accepted_at >= reach.now - WEEK, Delivery.state.in_(_ON_THE_WAY)),
    )
    return counted.correlate(Supporter).scalar_subquery()


# ---- letters to targets ----------------------------------------------------------------------------------------------


def _count_letters(session: Session, reach: Reach) -> list[Count]:
    letters = select(Delivery.id).join(Signature, Signature.id == Delivery.signature_id)
    mine = letters.where(Delivery.campaign_id == reach.campaign_id, Delivery.mail_class == MailClass.LETTER)
    counted = _sum(
        session,
        mine,
        _exclusions_of_letters(reach),
        Count("signed", 0, "letters of everyone who signed"),
        Count("will_get_it", 0, "letters will leave"),
    )
    unconfirmed = _unconfirmed_letters(session, reach)
    signed = counted[0]
    return [
        Count(signed.label, signed.n + unconfirmed, signed.words),
        Count("unconfirmed", unconfirmed, "have a signer who has not confirmed yet"),
        *counted[1:],
    ]


def _unconfirmed_letters(session: Session, reach: Reach) -> int:
    """Those whose signers have yet to confirm: no rows so far, one for each target."""
    pending = select(func.count()).where(
        Signature.campaign_id == reach.campaign_id,
        Signature.state == SignatureState.PENDING,
        Signature.suspect == "",
    )
    targets = select(func.count()).where(Addressing.campaign_id == reach.campaign_id)
    return (session.scalar(pending) or 0) * (session.scalar(targets) or 0)


def _exclusions_of_letters(reach: Reach) -> list[_Exclusion]:
    held = Delivery.state == State.HELD
    return [
        _Exclusion("withdrawn", "have a signer who withdrew", Signature.state != SignatureState.CONFIRMED),
        _Exclusion("not_chosen", "are not in the chosen audience", not_(and_(true(), *reach.fits))),
        _Exclusion("no_contact", "have a target without a working address", held & (Delivery.reason == NO_CONTACT)),
        _Exclusion("held", "are held by staff", and_(held, not_(waiting_letters(reach.campaign_id)))),
        _Exclusion("already_sent", "were released before: they left, are on their way, or were called off", not_(held)),
    ]


# ---- the sum ---------------------------------------------------------------------------------------------------------


def _sum(
    session: Session, rows: Select[Any], exclusions: Sequence[_Exclusion], first: Count, last: Count
) -> list[Count]:
    """Put each row under the first exclusion that fits it, and count."""
    fate = case(*((exclusion.condition, exclusion.label) for exclusion in exclusions), else_=last.label)
    fates = rows.with_only_columns(fate.label("fate")).subquery()
    query = select(fates.c.fate, func.count()).group_by(fates.c.fate)
    found: dict[str, int] = dict(session.execute(query).all())
    return [
        Count(first.label, sum(found.values()), first.words),
        *(Count(one.label, found.get(one.label, 0), one.words) for one in exclusions),
        Count(last.label, found.get(last.label, 0), last.words),
    ]
