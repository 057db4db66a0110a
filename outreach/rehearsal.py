"""The main job, rehearsed with people who do not exist: they sign, find the link in their mail, and confirm.

Nothing here takes a short cut: the signatures go through `signing.sign`, the confirmations are mails that a real
worker wrote into the mailbox, and the links in them are opened over HTTP like anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from outreach import campaign_texts, campaigns, signing, targets
from outreach.domain import pages
from outreach.keys import Keys
from outreach.models import Campaign, Database
from outreach.paths import folder
from outreach.settings import Settings
from outreach.signing import SignForm
from outreach.transports.mailbox import StoredMail, mail_names, open_mail

#: One in this many never opens the mail: their letters must not leave.
_SILENT = 25

_FIRST = (
    "Amina", "José", "Nguyễn", "Grace", "Łukasz", "María-José", "Yusuf", "Siobhán", "Chen", "Olena", "Tomás",
    "Fatoumata", "小明", "Zoë", "Dmytro", "Ngozi", "Émile", "Rosa", "İpek", "Kwame",
)  # fmt: skip
_LAST = (
    "Okafor", "García", "Thị Lan", "O’Connor", "Wójcik", "Núñez", "Demir", "Ní Bhriain", "Wei", "Kovalenko", "Silva",
    "Diallo", "王", "Müller", "Petrenko", "Adeyemi", "Lefèvre", "Rossi", "Yıldız", "Mensah",
)  # fmt: skip
_PLACES = ("Springfield", "Río Seco", "Lakeside", "Nový Dvůr", "Bridgeport", "")
_WORDS = (
    "I have lived here for {n} years, and I have never written to an office before.",
    "My neighbours and I talked about this for {n} evenings. We all agree.",
    "{n} of us depend on this every single day. Please do not look away.",
    "Last winter I waited {n} hours. Nobody should have to.",
    "",
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A synthetic person and what they add to the letter. `own_words` is theirs alone."""

    form: SignForm
    confirms: bool


def people(count: int) -> Iterator[Signer]:
    """`count` people with names in several scripts, at addresses reserved for examples."""
    for n in range(count):
        words = _WORDS[n % len(_WORDS)].format(n=n % 58 + 2)
        form = SignForm(
            name=f"{_FIRST[n % len(_FIRST)]} {_LAST[(n // 3) % len(_LAST)]}",
            email=f"signer-{n:04}@example.org",
            city=_PLACES[n % len(_PLACES)],
            own_words=f"{words} (No. {n:04})" if words else "",
            source="rehearsal",
        )
        yield Signer(form, confirms=n % _SILENT != _SILENT - 1)


def open_campaigns(session: Session, settings: Settings, keys: Keys, *, now: datetime) -> list[Campaign]:
    """Import and publish the example campaigns, and give every target a mailbox that is open day and night."""
    opened = []
    for path in sorted(folder("examples").glob("*.txt")):
        text = pages.decode(path.read_bytes(), name=path.name)
        page, source_hash = pages.read_page(text, name=path.name), pages.fingerprint(text, name=path.name)
        campaign = campaigns.take_page(session, page, source_hash=source_hash, now=now, actor="rehearsal").campaign
        _translate(session, campaign, path.name, now=now)
        for target in campaigns.targets_of(session, campaign):
            email = f"office-{target.id}@example.net"
            targets.set_contact(session, target, email=email, keys=keys, settings=settings, now=now, actor="rehearsal")
        campaigns.publish(session, campaign.slug, now=now, actor="rehearsal")
        opened.append(campaign)
    return opened


def _translate(session: Session, campaign: Campaign, name: str, *, now: datetime) -> None:
    """Give a campaign what its example says in other languages: `examples/es/NAME`."""
    for path in sorted(folder("examples").glob(f"*/{name}")):
        page = pages.read_page(pages.decode(path.read_bytes(), name=path.name), name=path.name)
        code = path.parent.name
        campaign_texts.take(session, campaign.slug, page, language=code, now=now, actor="rehearsal")


def sign_all(
    db: Database, opened: list[Campaign], signers: list[Signer], settings: Settings, keys: Keys
) -> Iterator[Signer]:
    """Each person signs one campaign, in a transaction of their own, as from the page."""
    for n, signer in enumerate(signers):
        now = db.now()
        with db.begin() as session:
            signing.sign(session, opened[n % len(opened)].slug, signer.form, keys=keys, settings=settings, now=now)
        yield signer


class Letterbox:
    """The mailbox folder as its readers see it: each new mail once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()

    def new_mails(self) -> Iterator[StoredMail]:
        """Mails that came since the last look."""
        for name in mail_names(self._path):
            if name not in self._seen:
                self._seen.add(name)
                yield open_mail(self._path, name)


_LINK = re.compile(r"https?://\S+/confirm/[A-Za-z0-9_-]+")


def confirmation_link(mail: StoredMail) -> str | None:
    """The link this mail asks its reader to open; None for any other mail."""
    found = _LINK.search(mail.text)
    return found.group() if found else None


class Browser:
    """Opens links on the engine's own pages, over one kept connection."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=30)

    def confirm(self, link: str) -> bool:
        """Look at the page behind the link, then press its button. True when the engine said yes to both."""
        path = urlsplit(link).path
        return self._status("GET", path) == 200 and self._status("POST", path) == 303

    def _status(self, method: str, path: str) -> int:
        self._connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
        with self._connection.getresponse() as response:
            response.read()
            return response.status
