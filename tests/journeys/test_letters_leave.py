"""From the sign form to the far server, with real processes: every letter leaves once, with its signer's own words.

The engine is `celery worker` and `celery beat` as people start them, a real Redis, SQLite and PostgreSQL. Signers sign
and confirm through the verbs the pages call, with the links that came in their mails.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import SMTP
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from outreach.audit import audit
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.transports.mailbox import read_mailbox
from tests.fakes.events import EventKey
from tests.journeys.engine import (
    Engine,
    confirm_tokens,
    crowd,
    marks,
    provider_process,
    report_all,
    running,
    sendgrid_settings,
)
from tests.servers import free_port

pytestmark = [pytest.mark.servers, pytest.mark.timeout(280)]

SIGNERS = 300
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def sign_all(engine: Engine) -> None:
    """Half of the crowd signs the one campaign, half the other; their confirmation mails leave."""
    for number, slug in enumerate(engine.import_examples()):
        engine.sign(slug, *crowd(number, SIGNERS // 2))
        engine.ring(Stream.ACT)
    engine.until(lambda: engine.states(MailClass.CONFIRMATION)[State.ACCEPTED] == SIGNERS, "all were asked to confirm")


def confirm_all(engine: Engine, texts: Iterable[str]) -> None:
    tokens = confirm_tokens(list(texts))
    assert len(set(tokens)) == SIGNERS
    engine.confirm(tokens)
    engine.ring(Stream.LETTERS, Stream.ACT)


def assert_own_words_only(engine: Engine, letters: Iterable[tuple[str, str, str]]) -> None:
    """Of (signer, addressee, text): each owed letter is there once, with its signer's own words and nobody else's."""
    seen: Counter[tuple[str, str]] = Counter()
    for signer, addressee, text in letters:
        seen[signer, addressee] += 1
        number = signer.rpartition(" ")[2]
        assert marks(text) == ({number} if int(number[-4:]) % 3 != 2 else set()), signer
        assert signer in text
        assert "Number " + number in text
        assert set(re.findall(r"Number (\d-\d{4})", text)) == {number}
    assert set(seen) == engine.letters_owed()
    assert set(seen.values()) == {1}


def test_three_hundred_people_sign_and_every_letter_lies_in_the_mailbox_once(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url) as engine:
        sign_all(engine)
        folder = engine.settings.mailbox_dir
        confirm_all(engine, (mail.text for mail in read_mailbox(folder)))
        engine.until(engine.at_rest, "every letter and receipt left")

        assert engine.states() == {State.ACCEPTED: SIGNERS * 2 + len(engine.letters_owed())}
        letters = [mail for mail in read_mailbox(folder) if " via " in mail.sender]
        assert_own_words_only(engine, ((_signer(mail.sender), _addressee(mail.to), mail.text) for mail in letters))
        assert all(marks(mail.html) == marks(mail.text) for mail in letters)
        with engine.db.read() as session:
            books = audit(session, engine.settings)
        assert books.problems == []
        assert (books.transport.seen, books.transport.missing, books.transport.doubled) == (books.total, 0, 0)


def _signer(sender: str) -> str:
    # A long name in two scripts is half encoded, half quoted; the quotes are not part of it.
    return sender.partition(" via ")[0].replace('"', "")


def _addressee(to: str) -> str:
    return to.partition("<")[0].strip().strip('"')


#: What befalls the letters, one after the other, in between many that fare well.
CALAMITIES = (
    *(["429"] + ["500"] * 4 + ["503"] * 3),
    *(["hang_after"] * 3 + ["reset_after"] * 4 + ["close_after"] * 2 + ["502_after"] * 2 + ["500_after"] * 2),
    *(["hang"] + ["reset"] * 3 + ["504"] * 2 + ["502"] + ["429"]),
)


@on_postgres
def test_a_provider_that_fails_in_every_way_gets_each_letter_at_most_once(tmp_path: Path, database_url: str) -> None:
    key = EventKey.kept(tmp_path / "events.pem")
    with provider_process("sendgrid", tmp_path, "--key", str(tmp_path / "events.pem")) as provider:
        more = {"sendgrid_event_keys": key.public, "provider_timeout": "1", "lease_seconds": "6"}
        more |= {"retry_base_seconds": "0.2", "handovers": "16"}
        with running(tmp_path, database_url, **sendgrid_settings(provider, **more)) as engine:
            sign_all(engine)
            script = [name for calamity in CALAMITIES for name in (*["ok"] * 12, calamity)]
            provider.control("faults", script=script, reset_seconds=1)
            confirm_all(engine, (record["text"] for record in provider.taken()))
            engine.until(engine.at_rest, "everything left or is in doubt")

            taken = provider.counts()
            assert set(taken.values()) == {1}, "the provider took something twice"
            accepted, doubted = engine.refs(State.ACCEPTED), engine.refs(State.IN_DOUBT)
            assert accepted <= set(taken)
            assert engine.states() == {State.ACCEPTED: len(accepted), State.IN_DOUBT: len(doubted)}
            assert len(accepted) + len(doubted) == SIGNERS * 2 + len(engine.letters_owed())
            ambiguous = [name for name in CALAMITIES if name not in ("429", "500", "503")]
            # "500_after" is SendGrid's gateway, or so it looks: an HTML page. All of these may have been taken.
            assert len(doubted) == len(ambiguous)
            assert len(doubted & set(taken)) == sum(name.endswith("_after") for name in ambiguous)

            report_all(engine, key, provider.taken())
            assert engine.refs(State.ACCEPTED) == set(taken)
            assert engine.refs(State.IN_DOUBT) == doubted - set(taken)
            assert_own_words_only_but(engine, provider.taken(), missing=doubted - set(taken))
            with engine.db.read() as session:
                books = audit(session, engine.settings)
            assert books.problems == []
            assert books.transport.seen == len(taken)


def assert_own_words_only_but(engine: Engine, taken: list[dict[str, Any]], *, missing: set[str]) -> None:
    letters = [record for record in taken if " via " in record["from"]["name"]]
    owed = engine.letters_owed()
    seen = {(_signer(record["from"]["name"]), record["to_name"]) for record in letters}
    assert seen <= owed
    assert len(seen) == len(letters) >= len(owed) - len(missing)
    for record in letters:
        number = _signer(record["from"]["name"]).rpartition(" ")[2]
        assert marks(record["text"]) <= {number}


class Keeper:
    """What a real SMTP server hands on: envelope and bytes."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Mail]] = []
        self._lock = Lock()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        with self._lock:
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=SMTP)))
        return "250 OK"


@on_sqlite
def test_the_same_letters_leave_through_a_real_mail_server(tmp_path: Path, database_url: str) -> None:
    keeper, port = Keeper(), free_port()
    server = Controller(keeper, hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"smtp://127.0.0.1:{port}"
        with running(tmp_path, database_url, transport="smtp", smtp_url=url, handovers="8") as engine:
            sign_all(engine)
            confirm_all(engine, (_text(mail) for _, mail in keeper.mails))
            engine.until(engine.at_rest, "every letter and receipt left")

            assert engine.states() == {State.ACCEPTED: len(keeper.mails)}
            letters = [mail for _, mail in keeper.mails if " via " in str(mail["From"])]
            shown = ((_signer(str(m["From"])), _addressee(str(m["To"])), _text(m)) for m in letters)
            assert_own_words_only(engine, shown)
            ids = Counter(str(mail["Message-ID"]) for _, mail in keeper.mails)
            assert set(ids.values()) == {1}
            with engine.db.read() as session:
                assert audit(session, engine.settings).problems == []
    finally:
        server.stop()


def _text(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())
