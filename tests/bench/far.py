"""Far sides: the servers that mail is handed to, each with the record of what it took."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outreach.domain.messages import Message
from outreach.transports.mailbox import mail_names
from tests import servers
from tests.bench import reference
from tests.bench.environs import ROOT
from tests.fakes.certificates import contexts
from tests.fakes.ledger import read_ledger
from tests.fakes.sendgrid import API_KEY

TRANSPORTS = ("nothing", "mailbox", "smtp", "sendgrid", "sendgrid-tls")


@dataclass
class Far:
    """The far side: where it is, what it took, what it cost."""

    settings: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    arrived: Callable[[], Counter[str]] = Counter
    reference: Callable[[Sequence[Message], int], float] | None = None
    pid: int = 0


@contextmanager
def far_side(transport: str, folder: Path) -> Iterator[Far]:
    """A server for one way out; "nothing" has none."""
    if transport == "nothing":
        yield Far()
    elif transport == "mailbox":
        mailbox = folder / "mail"
        yield Far(
            {"TRANSPORT": "mailbox", "MAILBOX_DIR": str(mailbox)},
            arrived=lambda: Counter(name.partition(".")[0] for name in mail_names(mailbox)),
        )
    elif transport == "smtp":
        with _fake("smtp_sink", folder) as (port, ledger, pid):
            url = f"smtp://127.0.0.1:{port}"
            yield Far(
                {"TRANSPORT": "smtp", "SMTP_URL": url},
                arrived=lambda: Counter(record["delivery"].split(".")[1] for record in _ours(ledger, "delivery")),
                reference=lambda messages, n: reference.smtp_all(url, messages, n),
                pid=pid,
            )
    else:
        tls = transport == "sendgrid-tls"
        if tls:
            contexts(folder)
        with _fake("sendgrid", folder, *(["--tls", str(folder / "server.pem")] if tls else [])) as (port, ledger, pid):
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            yield Far(
                {"TRANSPORT": "sendgrid", "SENDGRID_API_KEY": API_KEY, "SENDGRID_HOST": url},
                environ={"SSL_CERT_FILE": str(folder / "ca.pem")} if tls else {},
                arrived=lambda: Counter(record["delivery"] for record in _ours(ledger, "delivery")),
                reference=None if tls else lambda messages, n: reference.post_all(url, messages, n),
                pid=pid,
            )


def _ours(ledger: Path, key: str) -> list[dict[str, Any]]:
    return [record for record in read_ledger(ledger) if not record[key].startswith("reference")]


@contextmanager
def _fake(module: str, folder: Path, *words: str) -> Iterator[tuple[int, Path, int]]:
    ledger = folder / "ledger.jsonl"
    ledger.touch()
    command = [sys.executable, "-m", f"tests.fakes.{module}", "--port", "0", "--ledger", str(ledger), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["port"]), ledger, process.pid
    finally:
        servers.stop(process)
