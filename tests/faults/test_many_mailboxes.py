"""Two beats, four workers, twenty thousand letters to twenty mailboxes: each once, and every window kept.

Sixteen mailboxes bear everything at once. Four have a cap that the rest of their letters would break, so what the
provider saw of them shows whether four workers that claim at once keep one window together. Then those caps are
raised: that holds at the next claim, and everything arrives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from outreach import targets
from outreach.audit import audit
from outreach.domain.deliveries import MailClass, State
from outreach.domain.pacing import trickle
from outreach.models import Contact, Database, Delivery, Lane, Target
from tests.bench import scene
from tests.journeys.engine import Engine, Provider, provider_process, running, sendgrid_settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

LETTERS, MAILBOXES = 20_000, 20
WIDE, NARROW = 200_000, 1_200  #: letters an hour
NARROW_ONES = 4
#: No mail is on the wire for longer than this, so the provider's clock and ours may differ by as much.
SLACK = 10.0


def arrivals(provider: Provider) -> Mapping[str, Sequence[float]]:
    """When the provider took a mail, by mailbox, in order."""
    seen = defaultdict(list)
    for record in provider.taken():
        seen[record["to"]].append(record["at"])
    return {mailbox: sorted(times) for mailbox, times in seen.items()}


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most that arrived within any window of so many seconds."""
    return max((n - bisect_left(times, at - seconds) + 1 for n, at in enumerate(times)), default=0)


def narrow_mailboxes(db: Database) -> list[str]:
    with db.begin() as session:
        rows = session.execute(select(Lane, Contact.value).join(Contact, Contact.lane_id == Lane.id).order_by(Lane.id))
        chosen = rows.all()[:NARROW_ONES]
        for lane, _ in chosen:
            lane.per_hour = NARROW
        return [address for _, address in chosen]


def has_taken(db: Database) -> Mapping[str, int]:
    """How many letters each mailbox has taken, as the books say."""
    taken = (
        select(Contact.value, func.count())
        .select_from(Delivery)
        .join(Contact, Contact.id == Delivery.contact_id)
        .where(Delivery.state == State.ACCEPTED, Delivery.mail_class == MailClass.LETTER)
        .group_by(Contact.value)
    )
    with db.read() as session:
        return dict(session.execute(taken).all())


def of_letters(db: Database, copies: Mapping[str, int]) -> Mapping[str, int]:
    """The letters among the mails that were taken: whose letter has left for a while is told so meanwhile."""
    with db.read() as session:
        letters = set(session.scalars(select(Delivery.ref).where(Delivery.mail_class == MailClass.LETTER)))
    return {ref: n for ref, n in copies.items() if ref in letters}


def widen(engine: Engine) -> None:
    """As somebody does in mid-wave: from the next claim on these mailboxes bear more."""
    with engine.db.begin() as session:
        pace = targets.read_pace(per_hour=str(WIDE), per_day="1000000", hours="always", days="all")
        for target in session.scalars(select(Target)):
            targets.set_pace(session, target, pace, now=engine.now(), actor="test")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_c13_c14_four_workers_and_two_beats_send_each_once_and_keep_every_window(
    tmp_path: Path, database_url: str
) -> None:
    with (
        provider_process("sendgrid", tmp_path) as provider,
        running(tmp_path, database_url, beat=False, workers=0, **sendgrid_settings(provider)) as engine,
    ):
        scene.fill(
            engine.db,
            engine.keys,
            letters=LETTERS,
            targets=MAILBOXES,
            now=engine.now(),
            per_hour=WIDE,
            per_day=1_000_000,
        )
        narrow = narrow_mailboxes(engine.db)
        for _ in range(2):
            engine.start_beat()
        for _ in range(4):
            engine.start_worker(concurrency=1)

        def the_wide_ones_are_through() -> bool:
            taken = has_taken(engine.db)
            wide = [n for mailbox, n in taken.items() if mailbox not in narrow]
            return len(taken) == MAILBOXES and sum(wide) == LETTERS // MAILBOXES * (MAILBOXES - NARROW_ONES)

        engine.until(the_wide_ones_are_through, "all of the wide ones, and the first of each narrow one", patience=300)
        engine.until(lambda: engine.flying() == 0, "nothing is in the air")
        times = arrivals(provider)
        together, span = trickle(NARROW)
        for mailbox in narrow:
            assert 0 < most_in(times[mailbox], 3600) <= NARROW
            assert most_in(times[mailbox], span.total_seconds() - SLACK) <= together

        widen(engine)
        engine.until(engine.at_rest, "everything left", patience=300)
        copies = of_letters(engine.db, provider.counts())
        assert len(copies) == LETTERS
        assert Counter(copies.values()) == {1: LETTERS}
        assert max(most_in(when, 3600) for when in arrivals(provider).values()) <= WIDE
        with engine.db.read() as session:
            assert audit(session, engine.settings).balanced
