"""No order of signing, confirming, clearing, ending, taking back and withdrawing miscounts. On both databases."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from outreach import moderation, signing
from outreach.domain.deliveries import MailClass, State
from outreach.domain.sieves import Sieve
from outreach.domain.suspects import Suspicion
from outreach.errors import NotNow
from outreach.models import STANDING, Database, Delivery, Signature
from outreach.settings import Settings
from outreach.signing import Arrival, SignForm
from tests import factories
from tests.factories import KEYS
from tests.integration.test_moderation import books_balance

#: Every play begins with one who signed and confirmed; what ends and brings back comes up often.
BEGINNING = [("sign", "ann"), ("confirm", "ann")]
ACTS = [
    *2 * [("end all", ""), ("take back", "")],
    *[(act, who) for act in ("sign", "sign as suspect", "confirm", "clear") for who in ("ann", "bob")],
    ("withdraw", "ann"),
]
STEPS = st.lists(st.sampled_from(ACTS), min_size=4, max_size=14)
_slugs = itertools.count(1)


@dataclass
class Known:
    """What a signature should be. `was`: before it was ended; `by`: what ended it."""

    who: str
    suspect: bool
    state: str = "pending"
    was: str = ""
    by: int = 0

    @property
    def stands(self) -> bool:
        return self.state in ("pending", "confirmed")

    @property
    def counts(self) -> bool:
        return self.state == "confirmed" and not self.suspect

    @property
    def letter(self) -> State | None:
        if self.state == "pending" or (self.was == "pending" and self.state == "invalidated"):
            return None
        if not self.stands:
            return State.CANCELLED
        return State.HELD if self.suspect else State.QUEUED


class Play:
    """One campaign, done by the engine and by the simplest thing that could be meant."""

    def __init__(self, db: Database, settings: Settings, now: datetime) -> None:
        self.db, self.now = db, now
        self.settings = replace(settings, confirmations_per_day=100)
        self.slug = f"play-{next(_slugs)}"
        self.known: list[Known] = []
        self.ended: list[int] = []
        with db.begin() as session:
            self.campaign = factories.campaign(session, slug=self.slug).id

    def standing(self, who: str) -> Known | None:
        return next((each for each in self.known if each.who == who and each.stands), None)

    def rows(self) -> list[Signature]:
        with self.db.read() as session:
            mine = select(Signature).where(Signature.campaign_id == self.campaign).order_by(Signature.id)
            return list(session.scalars(mine))

    def do(self, act: str, who: str) -> None:
        self.now += timedelta(hours=1)
        match act:
            case "sign" | "sign as suspect":
                self.sign(who, act != "sign")
            case "end all":
                self.end_all()
            case "take back":
                self.take_back()
            case _:
                found = self.standing(who)
                row = self.rows()[self.known.index(found)] if found else None
                if found and row:
                    self.act(act, found, row)

    def sign(self, who: str, suspect: bool) -> None:
        form = SignForm(f"{who.title()} Doe", f"{who}@example.org")
        arrival = Arrival("net", Suspicion.BURST if suspect else "")
        with self.db.begin() as session:
            signing.sign(session, self.slug, form, keys=KEYS, settings=self.settings, now=self.now, arrival=arrival)
        if self.standing(who) is None:
            self.known.append(Known(who, suspect))

    def act(self, act: str, found: Known, row: Signature) -> None:
        with suppress(NotNow), self.db.begin() as session:
            if act == "confirm":
                secret = signing.confirm_url(self.settings, KEYS, row).rpartition("/")[2]
                signing.confirm(session, secret, keys=KEYS, now=self.now)
                found.state = "confirmed"
            elif act == "withdraw" and found.state == "confirmed":
                signing.withdraw(session, signing.links.receipt_secret(KEYS, row), keys=KEYS, now=self.now)
                found.state = "withdrawn"
            elif act == "clear":
                given = {"keys": KEYS, "settings": self.settings, "now": self.now, "actor": "test"}
                moderation.clear(session, [row.ref], **given)  # type: ignore[arg-type]
                found.suspect = False

    def end_all(self) -> None:
        standing = [each for each in self.known if each.stands]
        with suppress(NotNow), self.db.begin() as session:
            given = {"reason": "all", "now": self.now, "actor": "test"}
            self.ended.append(moderation.start(session, self.campaign, Sieve(name="*doe"), **given).id)  # type: ignore[arg-type]
            for each in standing:
                each.was, each.state, each.by = each.state, "invalidated", self.ended[-1]
        moderation.carry_on(self.db, now=self.now, chunk=1)

    def take_back(self) -> None:
        if not self.ended:
            return
        id_ = self.ended.pop()
        with self.db.begin() as session:
            moderation.undo(session, id_, now=self.now, actor="test")
        moderation.carry_on(self.db, now=self.now, chunk=1)
        for each in self.known:
            if each.by == id_ and each.state == "invalidated" and self.standing(each.who) is None:
                each.state = each.was

    def check(self) -> None:
        rows = self.rows()
        assert [(row.state, bool(row.suspect)) for row in rows] == [(each.state, each.suspect) for each in self.known]
        assert [row.is_counted for row in rows] == [each.counts for each in self.known]
        standing = Counter(row.supporter_id for row in rows if row.state in STANDING)
        assert all(n == 1 for n in standing.values())
        with self.db.read() as session:
            letters = dict(
                session.execute(
                    select(Delivery.signature_id, Delivery.state).where(
                        Delivery.campaign_id == self.campaign, Delivery.mail_class == MailClass.LETTER
                    )
                ).all()
            )
        assert [letters.get(row.id) for row in rows] == [each.letter for each in self.known]
        assert books_balance(self.db)


@given(steps=STEPS)
@example(steps=[("end all", ""), ("sign", "ann"), ("confirm", "ann"), ("take back", "")])
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_acts_miscounts(
    db: Database, settings: Settings, now: datetime, steps: list[tuple[str, str]]
) -> None:
    play = Play(db, settings, now)
    for act, who in BEGINNING + steps:
        play.do(act, who)
        play.check()
