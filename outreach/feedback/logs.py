"""The logs of what providers took, as far as the settings allow to ask them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from outreach.settings import Settings
from outreach.transports.mailbox import MailboxLog
from outreach.transports.sendgrid_log import SendGridLog

from .reconciling import ProviderLog


@contextmanager
def provider_logs(settings: Settings) -> Iterator[list[ProviderLog]]:
    """The mailbox folder, which is its own log, and SendGrid's where it may be asked."""
    with ExitStack() as stack:
        logs: list[ProviderLog] = []
        if "mailbox" in (settings.transport, settings.fallback_transport):
            logs.append(MailboxLog(settings.mailbox_dir))
        if settings.asks_log:
            logs.append(stack.enter_context(closing(SendGridLog.from_settings(settings))))
        yield logs
