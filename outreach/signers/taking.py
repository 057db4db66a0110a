"""From checked rows to signatures, a few hundred in one transaction. Tried only, it is done and rolled back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit_log, outbox
from outreach.domain.addresses import address_key
from outreach.domain.deliveries import MailClass
from outreach.errors import BadTemplate
from outreach.keys import Keys
from outreach.models import Campaign, Consent, Database, Signature, SignatureState, Supporter, new_ref
from outreach.settings import Settings
from outreach.signing import CampaignLetters, links, text_hash
from outreach.signing.letters import seal_words
from outreach.signing.sign import confirmations_today, open_campaign
from outreach.signing.supporters import find_or_make_all
from outreach.suppression import suppressed_among

from .rows import Agreed, Problem, Row, checked, read

log = structlog.get_logger()

#: Rows of one transaction: long enough to be quick, short enough that signers never wait for it.
CHUNK = 200
T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """What became of a file, or would. Every row is new, already here, suppressed or invalid."""

    applied: bool
    rows: int = 0
    new: int = 0
    already: int = 0
    suppressed: int = 0
    invalid: int = 0
    queued_letters: int = 0
    held_letters: int = 0
    confirmations: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row with what its signature needs."""

    row: Row
    key: str  #: of the address
    text_hash: str
    content_hashes: dict[int, str]


def import_signers(
    db: Database,
    content: bytes,
    slug: str,
    *,
    name: str = "file",
    apply: bool,
    keys: Keys,
    settings: Settings,
    now: datetime,
    actor: str,
) -> Report:
    """Take the file's signers into the campaign, or with `apply=False` say what that would do.

    BadRows for a file that is no such table; NotFound and NotNow for a campaign that cannot be signed. Each chunk is
    a transaction of its own: what was taken before a failure stays, and the same file again goes on from there.
    """
    with db.read() as session:
        open_campaign(session, slug)
    sheet = read(content, name)
    report = Report(applied=apply, notes=list(sheet.notes))
    seen: set[str] = set()
    for rows in _chunks(checked(sheet, now=now), CHUNK):
        with db.begin() as session, session.begin_nested() as attempt:
            _take(session, slug, rows, seen, report, keys=keys, settings=settings, now=now)
            if not apply:
                attempt.rollback()
    if apply:
        with db.begin() as session:
            _note(session, slug, report, now=now, actor=actor)
    return report


def _take(
    session: Session,
    slug: str,
    rows: Sequence[Row | Problem],
    seen: set[str],
    report: Report,
    *,
    keys: Keys,
    settings: Settings,
    now: datetime,
) -> None:
    """One chunk: sort out the rows, then make signatures of those that are new."""
    campaign = open_campaign(session, slug)
    letters = CampaignLetters.load(session, campaign)
    report.rows += len(rows)
    ready = [one for row in rows if (one := _ready(row, letters, report))]
    welcome = _not_suppressed(session, campaign, ready, report, keys)
    supporters = find_or_make_all(session, {one.key: one.row.signer.email for one in welcome}, keys=keys, now=now)
    here = set(
        session.scalars(
            select(Signature.supporter_id).where(
                Signature.campaign_id == campaign.id,
                Signature.supporter_id.in_([supporter.id for supporter in supporters.values()]),
            )
        )
    )
    new = []
    for one in welcome:
        if one.key in seen or supporters[one.key].id in here:
            report.already += 1
        else:
            new.append((one, _signature(campaign, supporters[one.key], one, now)))
        seen.add(one.key)
    if not new:
        return
    report.new += len(new)
    session.add_all(signature for _, signature in new)
    session.flush()
    seal_words(session, campaign, now=now)
    session.add_all(_consent(signature, one.row.agreed) for one, signature in new if one.row.agreed)
    _queue_letters(session, [(one, s) for one, s in new if one.row.confirmed_at], report, keys=keys, now=now)
    waiting = [signature for one, signature in new if not one.row.confirmed_at]
    _ask_to_confirm(session, waiting, report, keys=keys, settings=settings, now=now)


def _ready(row: Row | Problem, letters: CampaignLetters, report: Report) -> _Ready | None:
    """The row with its letters written; None for one that cannot be taken, which the report then names."""
    if isinstance(row, Row):
        try:
            shown = letters.write(row.signer.fields)
        except BadTemplate as error:
            row = Problem(row.line, f"own_words: {error.message}")
        else:
            hashes = {letter.target_id: letter.content_hash for letter in shown}
            return _Ready(row, address_key(row.signer.email), text_hash(shown), hashes)
    report.invalid += 1
    report.problems.append(row)
    return None


def _not_suppressed(
    session: Session, campaign: Campaign, ready: Sequence[_Ready], report: Report, keys: Keys
) -> list[_Ready]:
    hashes = {one.key: keys.address_hash(one.key) for one in ready}
    closed = suppressed_among(session, hashes.values(), scopes=("all", f"campaign:{campaign.id}"))
    welcome = [one for one in ready if hashes[one.key] not in closed]
    report.suppressed += len(ready) - len(welcome)
    return welcome


def _signature(campaign: Campaign, supporter: Supporter, one: _Ready, now: datetime) -> Signature:
    signer, confirmed_at = one.row.signer, one.row.confirmed_at
    return Signature(
        ref=new_ref(),
        campaign_id=campaign.id,
        supporter_id=supporter.id,
        state=SignatureState.CONFIRMED if confirmed_at else SignatureState.PENDING,
        **{**signer.columns, "high_risk": campaign.high_risk},
        text_hash=one.text_hash,
        source=signer.source,
        evidence=f"imported {now:%Y-%m-%d} as confirmed by {signer.source}" if confirmed_at else "",
        created_at=now,
        confirmed_at=confirmed_at,
    )


def _consent(signature: Signature, agreed: Agreed) -> Consent:
    return Consent(
        supporter_id=signature.supporter_id,
        campaign_id=signature.campaign_id,
        purpose=agreed.purpose,
        given=True,
        wording=agreed.wording,
        language=signature.language,
        source=f"import: {agreed.source}",
        at=agreed.at,
    )


def _queue_letters(
    session: Session, confirmed: Sequence[tuple[_Ready, Signature]], report: Report, *, keys: Keys, now: datetime
) -> None:
    session.add_all(links.receipt_link(signature, keys=keys, now=now) for _, signature in confirmed)
    asked = [(signature, one.content_hashes) for one, signature in confirmed]
    done = outbox.enqueue_letters_of(session, asked, keys=keys, now=now)
    report.queued_letters += done.queued
    report.held_letters += done.held


def _ask_to_confirm(
    session: Session,
    waiting: Sequence[Signature],
    report: Report,
    *,
    keys: Keys,
    settings: Settings,
    now: datetime,
) -> None:
    """A link for each, and its mail: unless the address had its share of such mails today."""
    had = confirmations_today(session, [signature.supporter_id for signature in waiting], now)
    session.add_all(links.confirm_link(signature, keys=keys, now=now) for signature in waiting)
    asked = [signature for signature in waiting if had[signature.supporter_id] < settings.confirmations_per_day]
    report.confirmations += len(
        outbox.enqueue_notices(session, asked, links.CONFIRM, mail_class=MailClass.CONFIRMATION, now=now)
    )


def _note(session: Session, slug: str, report: Report, *, now: datetime, actor: str) -> None:
    campaign_id = session.scalar(select(Campaign.id).where(Campaign.slug == slug))
    counts = {name: value for name, value in asdict(report).items() if name not in ("applied", "problems", "notes")}
    audit_log.note(session, actor, "signers.import", f"campaign:{campaign_id}", None, counts, now=now)
    log.info("signers_imported", campaign=campaign_id, **counts)


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk
