"""The post beside a browser: a pass of the worker's own loop, the mails it left, and an office that answers one."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from outreach import rehearsal, targets
from outreach.domain.deliveries import Stream
from outreach.keys import Keys
from outreach.models import Target
from outreach.sending import Desk, Hands, send_due
from outreach.transports.mailbox import MailboxTransport, StoredMail, mail_names, open_mail
from tests.browser import Site
from tests.fakes.inbound import HOOK, answer, raw_form

BUS = "keep-the-night-bus-running"
HEAT = "heat-for-every-home-in-lindenport-this-winter"


def open_campaigns(site: Site) -> None:
    """Both examples as a site has them, published and translated; every office has a mailbox with hours."""
    keys, now = Keys(site.settings.secret_key), datetime.now(UTC)
    with site.db.begin() as session:
        rehearsal.open_campaigns(session, site.settings, keys, now=now)


@dataclass(frozen=True)
class PostOffice:
    """The post of one site."""

    site: Site

    def open_day_and_night(self) -> None:
        """From now on every office takes letters at any hour."""
        self._pace(per_hour="500", per_day="5000", hours="always", days="all")

    def keep_office_hours(self) -> None:
        """From now on offices take letters as they do by default."""
        self._pace(per_hour="30", per_day="300", hours="08:00-18:00", days="mon-fri")

    def _pace(self, **given: str) -> None:
        pace = targets.read_pace(**given)
        with self.site.db.begin() as session:
            for target in session.scalars(select(Target)):
                if targets.email_contact(session, target):
                    targets.set_pace(session, target, pace, now=datetime.now(UTC), actor="test")

    def send(self) -> None:
        """Send all that is due now, as a worker does."""
        settings = self.site.settings
        hands = Hands(MailboxTransport(settings.mailbox_dir), width=4)
        desk = Desk(settings, Keys(settings.secret_key))
        for stream in Stream:
            send_due(self.site.db, hands, desk, stream=stream, settings=settings)
        hands.close()

    def mails_to(self, address: str) -> list[StoredMail]:
        """What lies in that mailbox, the newest first."""
        folder = self.site.settings.mailbox_dir
        mails = [open_mail(folder, name) for name in mail_names(folder)]
        return [mail for mail in mails if address in mail.to]

    def answer(self, letter: StoredMail, text: str) -> None:
        """An office's people answer that letter; SendGrid posts it to our hook."""
        alias = letter.reply_to.rpartition("<")[2].rstrip(">")
        mail = answer(alias, text, subject=f"Re: {letter.subject}", sender="Mireille Okonjo <mo@office.example.net>")
        body, headers = raw_form(mail, alias)
        request = urllib.request.Request(self.site.url + HOOK, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answered:
            assert answered.status == 200
