"""Ways out. One small contract (`base.py`), one file each; `make_transport` picks the one that is set."""

from __future__ import annotations

from outreach.settings import Settings
from outreach.transports.base import Transport


def make_transport(settings: Settings) -> Transport:
    """The way out that the settings name. Opens no connection yet; make one per process, after any fork."""
    if settings.transport == "sendgrid":  # imported here, as the library takes its time
        from outreach.transports.sendgrid import SendGridTransport

        return SendGridTransport.from_settings(settings)
    if settings.transport == "smtp":
        from outreach.transports.smtp import SmtpTransport

        return SmtpTransport.from_settings(settings)
    from outreach.transports.mailbox import MailboxTransport

    return MailboxTransport(settings.mailbox_dir)
