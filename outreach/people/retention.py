"""What has been kept long enough. A run does exactly what its dry run listed: both look with the same eyes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.domain.deliveries import UNSENT, EventState, MailClass, State
from outreach.models import (
    Campaign,
    CampaignState,
    Delivery,
    ProviderEvent,
    Reply,
    Signature,
    SignatureState,
    Supporter,
    Token,
)
from outreach.settings import Settings

from .erasing import BLANK, WORDS, anonymise
from .portions import portions
from .records import Person


@dataclass(frozen=True, slots=True)
class Overdue:
    """Rows that one rule says have been kept long enough."""

    rule: str
    words: str
    ids: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """`days` names the setting; `due(before)` selects the ids; `act(session, ids, now)` ends them."""

    name: str
    words: str
    days: str
    due: Callable[[datetime], Select[Any]]
    act: Callable[[Session, Sequence[Any], datetime], None]


def overdue(session: Session, settings: Settings, *, now: datetime) -> list[Overdue]:
    """What is to be ended now, rule by rule; a rule with nothing to do is there with no ids."""
    return [
        Overdue(
            rule.name,
            rule.words.format(days=getattr(settings, rule.days)),
            tuple(session.scalars(rule.due(now - timedelta(days=getattr(settings, rule.days))))),
        )
        for rule in RULES
    ]


def apply(session: Session, found: Sequence[Overdue], *, actor: str, now: datetime) -> None:
    """End what `overdue` found, in the same transaction. Counts of signatures and letters do not change."""
    by_name: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
    for rows in found:
        if rows.ids:
            for some in portions(rows.ids):
                by_name[rows.rule].act(session, some, now)
            audit_log.note(
                session, actor, "retention.apply", f"rule:{rows.rule}", None, {"rows": len(rows.ids)}, now=now
            )


# --- the rules --------------------------------------------------------------------------------------------------------


def _never_confirmed(before: datetime) -> Select[Any]:
    asked_again = exists().where(Token.signature_id == Signature.id, Token.created_at >= before)
    return (
        select(Signature.id)
        .where(Signature.state == SignatureState.PENDING, Signature.created_at < before, ~asked_again, ~_is_blank())
        .order_by(Signature.id)
    )


def _end_unconfirmed(session: Session, ids: Sequence[Any], now: datetime) -> None:
    session.execute(
        update(Signature)
        .where(Signature.id.in_(ids))
        .values(**BLANK, state=SignatureState.INVALIDATED)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(Token).where(Token.signature_id.in_(ids)).execution_options(synchronize_session=False))
    _anonymise_the_lonely(session, ids, now)


def _words_gone(before: datetime) -> Select[Any]:
    letters = Delivery.signature_id == Signature.id, Delivery.mail_class == MailClass.LETTER
    left = exists().where(*letters, Delivery.accepted_at < before)
    open_ = exists().where(
        *letters,
        or_(
            Delivery.state.in_([*UNSENT, State.SENDING, State.IN_DOUBT]),
            (Delivery.state == State.ACCEPTED) & (Delivery.accepted_at >= before),
        ),
    )
    return select(Signature.id).where(_has_words(), left, ~open_).order_by(Signature.id)


def _blank_words(session: Session, ids: Sequence[Any], now: datetime) -> None:
    session.execute(
        update(Signature)
        .where(Signature.id.in_(ids))
        .values(dict.fromkeys(WORDS, ""))
        .execution_options(synchronize_session=False)
    )


def _safe_to_shred(before: datetime) -> Select[Any]:
    """Signatures at risk whose every letter was delivered, left before then unreported, or will never leave."""
    letters = Delivery.signature_id == Signature.id, Delivery.mail_class == MailClass.LETTER
    is_delivered = (Delivery.state == State.ACCEPTED) & (Delivery.event_state == EventState.DELIVERED)
    has_left = (Delivery.state == State.ACCEPTED) & (Delivery.accepted_at < before)
    needs_its_words = or_(
        Delivery.state.in_([*UNSENT, State.SENDING, State.IN_DOUBT]),
        (Delivery.state == State.ACCEPTED) & ~func.coalesce(is_delivered | has_left, False),
    )
    return (
        select(Signature.id)
        .where(
            Signature.high_risk,
            Signature.shredded_at.is_(None),
            Signature.state == SignatureState.CONFIRMED,
            exists().where(*letters, Delivery.state == State.ACCEPTED),
            ~exists().where(*letters, needs_its_words),
        )
        .order_by(Signature.id)
    )


def _shred(session: Session, ids: Sequence[Any], now: datetime) -> None:
    """The words, and what answers quote of them. Each letter's hash stays: the books balance by it."""
    session.execute(
        update(Signature)
        .where(Signature.id.in_(ids))
        .values(**dict.fromkeys(WORDS, ""), shredded_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Reply)
        .where(Reply.signature_id.in_(ids))
        .values(raw=None, quoted="")
        .execution_options(synchronize_session=False)
    )


def _came_long_ago(before: datetime) -> Select[Any]:
    return select(Signature.id).where(Signature.network != "", Signature.created_at < before).order_by(Signature.id)


def _forget_networks(session: Session, ids: Sequence[Any], now: datetime) -> None:
    session.execute(
        update(Signature).where(Signature.id.in_(ids)).values(network="").execution_options(synchronize_session=False)
    )


def _closed_long_ago(before: datetime) -> Select[Any]:
    closed = select(Campaign.id).where(Campaign.state == CampaignState.CLOSED, Campaign.closed_at < before)
    waiting = exists().where(Delivery.signature_id == Signature.id, Delivery.state.in_(UNSENT))
    return select(Signature.id).where(Signature.campaign_id.in_(closed), ~_is_blank(), ~waiting).order_by(Signature.id)


def _blank_signatures(session: Session, ids: Sequence[Any], now: datetime) -> None:
    session.execute(
        update(Signature).where(Signature.id.in_(ids)).values(**BLANK).execution_options(synchronize_session=False)
    )
    _anonymise_the_lonely(session, ids, now)


def _told_long_ago(before: datetime) -> Select[Any]:
    says = or_(ProviderEvent.raw.is_not(None), ProviderEvent.reason != "")
    return (
        select(ProviderEvent.id)
        .where(ProviderEvent.received_at < before, ProviderEvent.applied_at.is_not(None), says)
        .order_by(ProviderEvent.id)
    )


def _blank_reports(session: Session, ids: Sequence[Any], now: datetime) -> None:
    session.execute(
        update(ProviderEvent)
        .where(ProviderEvent.id.in_(ids))
        .values(raw=None, reason="", address_hash=None)
        .execution_options(synchronize_session=False)
    )


def _answered_long_ago(before: datetime) -> Select[Any]:
    says = or_(Reply.raw.is_not(None), Reply.text != "", Reply.quoted != "", Reply.subject != "")
    return select(Reply.id).where(Reply.received_at < before, says).order_by(Reply.id)


def _blank_replies(session: Session, ids: Sequence[Any], now: datetime) -> None:
    """What the campaign's page shows of an answer stays: it was chosen to be read."""
    session.execute(
        update(Reply)
        .where(Reply.id.in_(ids))
        .values(raw=None, text="", quoted="", subject="")
        .execution_options(synchronize_session=False)
    )


def _is_blank() -> Any:
    return (Signature.name == "") & ~_has_words()


def _has_words() -> Any:
    return or_(*(getattr(Signature, column) != "" for column in WORDS))


def _anonymise_the_lonely(session: Session, signature_ids: Sequence[Any], now: datetime) -> None:
    """Supporters of whom nothing but blank signatures is left are nobody any more."""
    people = select(Signature.supporter_id).where(Signature.id.in_(signature_ids))
    known = exists().where(Signature.supporter_id == Supporter.id, ~_is_blank())
    lonely = session.execute(
        select(Supporter.id, Supporter.address_hash).where(
            Supporter.id.in_(people), Supporter.erased_at.is_(None), ~known
        )
    ).all()
    for supporter_id, address_hash in lonely:
        anonymise(session, Person(address_hash, supporter_id), actor="engine", now=now, reason="retention")


RULES = (
    Rule(
        "unconfirmed",
        "signatures that nobody confirmed in {days} days",
        "keep_unconfirmed_days",
        _never_confirmed,
        _end_unconfirmed,
    ),
    Rule(
        "at_risk",
        "words of signers at risk whose letters were delivered, or left {days} days ago",
        "keep_risky_days",
        _safe_to_shred,
        _shred,
    ),
    Rule("own_words", "own words of letters that left {days} days ago", "keep_words_days", _words_gone, _blank_words),
    Rule(
        "closed",
        "names and places of signers of campaigns closed {days} days ago",
        "keep_closed_days",
        _closed_long_ago,
        _blank_signatures,
    ),
    Rule(
        "networks",
        "which network signatures of {days} days ago came from",
        "keep_networks_days",
        _came_long_ago,
        _forget_networks,
    ),
    Rule(
        "reports",
        "provider reports of {days} days ago, as they came",
        "keep_reports_days",
        _told_long_ago,
        _blank_reports,
    ),
    Rule(
        "replies",
        "offices’ answers of {days} days ago, with the mails they came in",
        "keep_replies_days",
        _answered_long_ago,
        _blank_replies,
    ),
)
