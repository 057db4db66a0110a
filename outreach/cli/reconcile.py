"""`outreach reconcile`: mails in doubt, looked up, and what may be done about those that stay so."""

from __future__ import annotations

import sys

import typer

from outreach import feedback
from outreach.cli import base
from outreach.cli.base import Json
from outreach.feedback import Doubt, Reconciled, Verdict

_ADVICE = {
    Verdict.WAIT: "a report may still come; wait until {until}",
    Verdict.SILENT: "no report came, but reports were missing altogether: ask its reader, then resend or cancel it",
    Verdict.MAY_RESEND: "no report came although all others did: outreach deliveries resend {ref}",
    Verdict.ONCE: "a mailing is sent at most once: outreach deliveries cancel {ref}",
}


def register(app: typer.Typer) -> None:
    """Add the command to the top of the command line."""
    app.command("reconcile")(reconcile)


def reconcile(as_json: Json = False) -> None:
    """Look up the mails in doubt, in the reports and in the provider's log, and say what may be done about the rest."""
    with base.engine() as engine:
        result = reconciled(engine)
    if as_json:
        base.emit(
            {
                "by_report": result.by_report,
                "by_log": result.by_log,
                "left": [as_dict(doubt) for doubt in result.left],
            }
        )
        return
    for doubt in result.left:
        sys.stdout.write(f"{doubt.ref}\t{doubt.mail_class}\t{advice(doubt)}\n")
    settled = result.by_report + result.by_log
    base.out.print(f"{settled:,} settled, {len(result.left):,} in doubt.")


def reconciled(engine: base.Engine) -> Reconciled:
    """The verb, with the logs that the settings allow to ask."""
    settings = engine.settings
    with feedback.provider_logs(settings) as logs:
        return feedback.reconcile(engine.db, env=settings.env, now=engine.now(), logs=logs)


def advice(doubt: Doubt) -> str:
    """What a person may do."""
    return _ADVICE[doubt.verdict].format(ref=doubt.ref, until=f"{doubt.until:%Y-%m-%d %H:%M} UTC")


def as_dict(doubt: Doubt) -> dict[str, object]:
    """The shape machines get."""
    return {
        "id": doubt.ref,
        "class": str(doubt.mail_class),
        "since": doubt.since,
        "until": doubt.until,
        "attempt": doubt.attempt,
        "verdict": str(doubt.verdict),
        "advice": advice(doubt),
    }
