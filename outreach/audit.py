"""Proof that the books balance, and that they say what really happened.

Three looks, each able to find what the others miss:

* the rows are counted anew and compared with the counters that every page is made from;
* each delivery's state is compared with its attempts and its log;
* the ledger is compared with the other side: the mails that lie in the mailbox folder, or the reports the provider
  sent. A mail is compared word for word with what its signer confirmed.

Read-only, in one transaction: it may run while the engine sends, and sees one moment.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import STATES
from outreach.domain.messages import letter_hash
from outreach.merge import letters_in
from outreach.models import Attempt, Brake, Bundle, Campaign, Counter, Delivery, LogEntry, ProviderEvent, Supporter
from outreach.outbox import RESTORED
from outreach.settings import Settings
from outreach.transports.mailbox import StoredMail, read_mailbox

#: A provider that reports at all has reported on a mail after this long.
_REPORTED_WITHIN = timedelta(hours=1)
#: States in which the books say that no copy has left.
_NOT_SENT = frozenset(
    {State.HELD, State.QUEUED, State.CLAIMED, State.REJECTED, State.DEAD, State.SUPPRESSED, State.CANCELLED}
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is off. `delivery` is its opaque id, or "" when it is about a sum."""

    delivery: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The deliveries of one campaign or wave, by state."""

    id: int
    name: str
    total: int
    states: dict[str, int]


@dataclass
class Evidence:
    """What the other side says. `source` is "mailbox", "events" or "none"."""

    source: str
    seen: int = 0
    missing: int = 0
    doubled: int = 0
    unknown: int = 0
    wrong_content: int = 0


@dataclass
class Audit:
    """The whole answer."""

    total: int
    states: dict[str, int]
    campaigns: list[Sum]
    waves: list[Sum]
    transport: Evidence
    problems: list[Problem] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether nothing at all is off."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the ledger says of one delivery."""

    ref: str
    mail_class: MailClass
    state: State
    maybe_sent: bool
    resends: int
    content_hash: str
    accepted_at: datetime | None
    erased: bool  #: its person was erased, and the mail's file with them


def audit(session: Session, settings: Settings, *, campaign_id: int | None = None) -> Audit:
    """Check everything, or one campaign. `session` must see one moment (`Database.read()`)."""
    counted = _recount(session, campaign_id)
    result = Audit(
        total=sum(counted.values()),
        states=_states(counted.items()),
        campaigns=_campaign_sums(session, counted),
        waves=_sums(counted, 1, {}),
        transport=Evidence("none"),
    )
    result.problems += _counters_that_differ(session, counted, campaign_id)
    ledger = dict(_ledger(session, campaign_id))
    result.problems += _moves_that_do_not_fit(session, ledger, campaign_id)
    if settings.transport == "mailbox":
        mails = read_mailbox(settings.mailbox_dir)
        _compare_with_mailbox(result, ledger, _bundles(session), mails, whole=campaign_id is None)
    else:
        _compare_with_reports(session, result, ledger, whole=campaign_id is None)
    return result


# ---- sums ------------------------------------------------------------------------------------------------------

_Key = tuple[int, int, MailClass, State]


def _recount(session: Session, campaign_id: int | None) -> dict[_Key, int]:
    wave = func.coalesce(Delivery.wave_id, 0)
    query = select(Delivery.campaign_id, wave, Delivery.mail_class, Delivery.state, func.count()).group_by(
        Delivery.campaign_id, wave, Delivery.mail_class, Delivery.state
    )
    if campaign_id is not None:
        query = query.where(Delivery.campaign_id == campaign_id)
    return {(c, w, k, s): n for c, w, k, s, n in session.execute(query)}


def _counters_that_differ(session: Session, counted: dict[_Key, int], campaign_id: int | None) -> Iterator[Problem]:
    query = select(
        Counter.campaign_id, Counter.wave_id, Counter.mail_class, Counter.state, func.sum(Counter.n)
    ).group_by(Counter.campaign_id, Counter.wave_id, Counter.mail_class, Counter.state)
    if campaign_id is not None:
        query = query.where(Counter.campaign_id == campaign_id)
    kept = {(c, w, k, s): int(n) for c, w, k, s, n in session.execute(query)}
    for key in sorted(counted.keys() | kept.keys()):
        rows, counter = counted.get(key, 0), kept.get(key, 0)
        if rows != counter:
            campaign, wave, kind, state = key
            where = f"campaign {campaign}, wave {wave or 'none'}, {kind}, {state}"
            yield Problem("", "counter", f"{where}: {rows} rows, but the counter says {counter}")


def _states(counted: Iterable[tuple[_Key, int]]) -> dict[str, int]:
    states = {str(state): 0 for state in State}
    for (_, _, _, state), n in counted:
        states[state] += n
    return states


def _sums(counted: dict[_Key, int], part: int, names: dict[int, str]) -> list[Sum]:
    groups: dict[int, list[tuple[_Key, int]]] = defaultdict(list)
    for key, n in counted.items():
        groups[int(key[part])].append((key, n))
    groups.pop(0, None)  # no wave
    return [
        Sum(id_, names.get(id_, f"{id_}"), sum(n for _, n in group), _states(group))
        for id_, group in sorted(groups.items())
    ]


def _campaign_sums(session: Session, counted: dict[_Key, int]) -> list[Sum]:
    names = dict(session.execute(select(Campaign.id, Campaign.slug)).all())
    return _sums(counted, 0, names)


# ---- each delivery against its own history ------------------------------------------------------------------------


def _ledger(session: Session, campaign_id: int | None) -> Iterator[tuple[int, _Entry]]:
    query = select(
        Delivery.id,
        Delivery.ref,
        Delivery.mail_class,
        Delivery.state,
        Delivery.maybe_sent,
        Delivery.resends,
        Delivery.content_hash,
        Delivery.accepted_at,
        Supporter.erased_at.is_not(None),
    ).outerjoin(Supporter, Supporter.id == Delivery.supporter_id)
    if campaign_id is not None:
        query = query.where(Delivery.campaign_id == campaign_id)
    for row in session.execute(query.execution_options(yield_per=5000)):
        yield row.id, _Entry(*row[1:])


def _moves_that_do_not_fit(session: Session, ledger: dict[int, _Entry], campaign_id: int | None) -> Iterator[Problem]:
    attempted = _ids(session, select(Attempt.delivery_id).distinct(), Attempt.delivery_id, campaign_id)
    latest = select(func.max(LogEntry.id)).group_by(LogEntry.delivery_id)
    if campaign_id is not None:
        latest = latest.join(Delivery, Delivery.id == LogEntry.delivery_id).where(Delivery.campaign_id == campaign_id)
    logged = dict(session.execute(select(LogEntry.delivery_id, LogEntry.to_state).where(LogEntry.id.in_(latest))).all())
    for id_, entry in ledger.items():
        if logged.get(id_) != entry.state:
            yield Problem(entry.ref, "log", f"it is {entry.state}, but its log ends with {logged.get(id_, 'nothing')}")
        if entry.state in (State.ACCEPTED, State.SENDING, State.IN_DOUBT) and id_ not in attempted:
            yield Problem(entry.ref, "attempt", f"it is {entry.state} without an attempt")


def _ids(session: Session, query: Any, column: Any, campaign_id: int | None) -> set[int]:
    if campaign_id is not None:
        query = query.join(Delivery, Delivery.id == column).where(Delivery.campaign_id == campaign_id)
    return set(session.scalars(query))


# ---- the ledger against the other side ------------------------------------------------------------------------------


def _bundles(session: Session) -> dict[str, frozenset[str]]:
    """The letters that went in each bundle: the refs of their deliveries, by the bundle's ref."""
    letters: dict[str, set[str]] = defaultdict(set)
    rows = (
        select(Bundle.ref, Delivery.ref)
        .join(Attempt, Attempt.bundle_id == Bundle.id)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
    )
    for bundle, letter in session.execute(rows):
        letters[bundle].add(letter)
    return {bundle: frozenset(refs) for bundle, refs in letters.items()}


def _compare_with_mailbox(
    result: Audit,
    ledger: dict[int, _Entry],
    bundles: dict[str, frozenset[str]],
    mails: Iterable[StoredMail],
    *,
    whole: bool,
) -> None:
    by_ref = {entry.ref: entry for entry in ledger.values()}
    evidence = result.transport = Evidence("mailbox")
    copies: Tally[str] = Tally()
    for mail in mails:
        entry = by_ref.get(mail.delivery)
        if mail.delivery in bundles:
            copies.update(_open_bundle(result, by_ref, mail, bundles[mail.delivery], whole=whole))
            continue
        if entry is None:
            if whole:
                evidence.unknown += 1
                result.problems.append(Problem(mail.delivery, "unknown", f"{mail.name} belongs to no delivery"))
            continue
        copies[entry.ref] += 1
        if entry.content_hash and letter_hash(mail.subject, mail.text) != entry.content_hash:
            evidence.wrong_content += 1
            result.problems.append(Problem(entry.ref, "wrong_content", f"{mail.name} is not what its signer confirmed"))
    evidence.seen = len(copies)
    _compare_copies(result, by_ref, copies)
    for entry in by_ref.values():
        if entry.state is State.ACCEPTED and entry.ref not in copies and not entry.erased:
            evidence.missing += 1
            result.problems.append(Problem(entry.ref, "missing", "accepted, but no mail of it lies in the mailbox"))


def _open_bundle(
    result: Audit, by_ref: dict[str, _Entry], mail: StoredMail, letters: frozenset[str], *, whole: bool
) -> Iterator[str]:
    """The letters that lie in a bundle, each compared with what its signer confirmed."""
    found = bundled_letters(mail)
    missing = {ref for ref in letters - found.keys() if ref not in by_ref or not by_ref[ref].erased}
    if (missing or found.keys() - letters) and (whole or letters & by_ref.keys()):
        result.transport.wrong_content += 1
        words = f"{mail.name} holds {len(found)} letters, {len(letters)} went in it"
        result.problems.append(Problem(mail.delivery, "wrong_content", words))
    for ref in found.keys() & by_ref.keys():
        if letter_hash(*found[ref]) != by_ref[ref].content_hash:
            result.transport.wrong_content += 1
            words = f"what lies in {mail.name} is not what its signer confirmed"
            result.problems.append(Problem(ref, "wrong_content", words))
        yield ref


def bundled_letters(mail: StoredMail) -> dict[str, tuple[str, str]]:
    """Subject and text of each letter in a bundle, by its delivery's ref; none when it has no table of them."""
    for part in message_from_bytes(mail.raw).walk():
        content = part.get_payload(decode=True) if part.get_filename() else None
        if isinstance(content, bytes):
            try:
                return letters_in(content)
            except ValueError:
                break
    return {}


def _compare_copies(result: Audit, by_ref: dict[str, _Entry], copies: Tally[str]) -> None:
    for ref, n in sorted(copies.items()):
        entry = by_ref[ref]
        if n > 1 + entry.resends:
            result.transport.doubled += 1
            result.problems.append(Problem(ref, "doubled", f"{n} copies, {entry.resends} authorised resends"))
        if entry.state in _NOT_SENT and not entry.maybe_sent:
            result.problems.append(Problem(ref, "phantom", f"the books say {entry.state}, yet a mail of it left"))


def _compare_with_reports(session: Session, result: Audit, ledger: dict[int, _Entry], *, whole: bool) -> None:
    """Against the provider's reports. Without any, nothing is claimed: `source` stays "none"."""
    # One that waits to be applied, or is another engine's, names no delivery yet: it is not unknown.
    # What was lost before the books were accepted after a restore is known to be lost.
    epoch = session.scalar(select(func.max(Brake.lifted_at)).where(Brake.scope == RESTORED))
    is_news = ProviderEvent.at > epoch if epoch else literal(True)
    reports = select(ProviderEvent.delivery_id, ProviderEvent.attempt, ProviderEvent.ref, is_news).where(
        ProviderEvent.kind.in_(list(STATES)), ProviderEvent.applied_at.is_not(None)
    )
    attempts: dict[int, set[int | str]] = defaultdict(set)
    unknown: dict[tuple[str, int | None], bool] = {}
    bundles, ids = _bundles(session), {entry.ref: id_ for id_, entry in ledger.items()}
    for id_, attempt, ref, is_new in session.execute(reports.distinct()):
        if id_ is None:
            if ref:  # a bounce that came by mail names nothing at all
                unknown[ref, attempt] = is_new and unknown.get((ref, attempt), True)
        elif ref in bundles:
            for letter in bundles[ref] & ids.keys():
                attempts[ids[letter]].add(ref)
        elif id_ in ledger:
            attempts[id_] |= {attempt} if attempt else set()
    if not attempts and not unknown:
        return
    evidence = result.transport = Evidence("events", seen=len(attempts))
    if whole and unknown:
        evidence.unknown = len(unknown)
        if new := sum(unknown.values()):
            result.problems.append(Problem("", "unknown", f"{new} reports about mails that are not in the books"))
    _compare_copies(
        result, {e.ref: e for e in ledger.values()}, Tally({ledger[i].ref: len(a) or 1 for i, a in attempts.items()})
    )
    newest = session.scalar(select(func.max(ProviderEvent.received_at)))
    for id_, entry in ledger.items():
        if entry.state is not State.ACCEPTED or id_ in attempts or entry.accepted_at is None or newest is None:
            continue
        if entry.accepted_at < newest - _REPORTED_WITHIN:
            evidence.missing += 1
            result.problems.append(Problem(entry.ref, "missing", "accepted, but the provider never reported on it"))
