"""The signers of the pictures: each has come as far with one letter as one page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach import signing
from outreach.domain.deliveries import EventState, MailClass
from outreach.keys import Keys, hash_of
from outreach.models import Delivery, Signature, Token
from tests.browser import Site
from tests.journeys.post_office import BUS

WORDS = (
    "I clean the clinic on Harbour Street until one in the morning. Since spring I walk home for an hour, and so do "
    "eleven others on my shift. My daughter waits up for me."
)


@dataclass(frozen=True)
class People:
    """Signs and confirms, at any time, what one browser could not do in one evening."""

    site: Site

    @property
    def keys(self) -> Keys:
        return Keys(self.site.settings.secret_key)

    def sign(
        self, name: str, *, slug: str = BUS, ago: timedelta = timedelta(), suspicion: str = "", **form: object
    ) -> str:
        """The path of the link in the confirmation mail. With a `suspicion` it is looked at before it counts."""
        first = name.split()[0].lower().encode("ascii", "ignore").decode()
        address = f"{first}-{slug[:4]}@example.org"
        typed = signing.SignForm(name, address, own_words=WORDS, city="Lindenport", **form)  # type: ignore[arg-type]
        with self.site.db.begin() as session:
            now = datetime.now(UTC) - ago
            arrival = signing.Arrival(suspicion=suspicion)
            signing.sign(session, slug, typed, keys=self.keys, settings=self.site.settings, now=now, arrival=arrival)
            signature = self._newest(session)
            return signing.confirm_url(self.site.settings, self.keys, signature).removeprefix(self.site.url)

    def confirm(self, name: str, *, ago: timedelta = timedelta(), **form: object) -> str:
        """The path of the page about the letter."""
        return self.confirm_link(self.sign(name, ago=ago, **form), ago=ago)  # type: ignore[arg-type]

    def confirm_link(self, confirm: str, *, ago: timedelta = timedelta()) -> str:
        """The same, for who signed before."""
        token, now = confirm.rpartition("/")[2], datetime.now(UTC) - ago
        with self.site.db.begin() as session:
            return f"/letter/{signing.confirm(session, token, keys=self.keys, now=now).receipt_token}"

    def withdraw(self, letter: str) -> None:
        with self.site.db.begin() as session:
            signing.withdraw(session, letter.rpartition("/")[2], keys=self.keys, now=datetime.now(UTC))

    def report(self, letter: str, event: EventState) -> None:
        """What the provider told us later about their letters."""
        with self.site.db.begin() as session:
            told = {"event_state": event, "event_at": datetime.now(UTC)}
            mine = Delivery.signature_id == self._signed(session, letter).id
            session.execute(update(Delivery).where(mine, Delivery.mail_class == MailClass.LETTER).values(**told))

    def outdate(self, confirm: str) -> None:
        """The letters are no longer those that this link was mailed for."""
        with self.site.db.begin() as session:
            self._link(session, confirm).text_hash = "0" * 64

    def _signed(self, session: Session, letter: str) -> Signature:
        return session.get_one(Signature, self._link(session, letter).signature_id)

    def _link(self, session: Session, path: str) -> Token:
        return session.scalars(select(Token).where(Token.hash == hash_of(path.rpartition("/")[2]))).one()

    def _newest(self, session: Session) -> Signature:
        return session.scalars(select(Signature).order_by(Signature.id.desc())).first()  # type: ignore[return-value]
