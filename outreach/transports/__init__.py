"""Ways out. One small contract (`base.py`), one file each; `make_transport` picks the one that is set."""

from __future__ import annotations

from outreach.settings import Settings
from outreach.transports.base import Transport


def make_transport(settings: Settings, name: str = "") -> Transport:
    """The way out called `name`, the settings' own by default. Opens no connection; make it after any fork."""
    name = name or settings.transport
    if name == "sendgrid":  # imported here, as the library takes its time
        from outreach.transports.sendgrid import SendGridTransport

        return SendGridTransport.from_settings(settings)
    if name == "smtp":
        from outreach.transports.smtp import SmtpTransport

        return SmtpTransport.from_settings(settings)
    from outreach.transports.mailbox import MailboxTransport

    return MailboxTransport(settings.mailbox_dir)
