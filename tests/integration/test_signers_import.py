"""Signers and suppressions from files, on both databases and through the command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select
from typer.testing import CliRunner

from outreach import signers, signing
from outreach.cli import app, base
from outreach.domain.deliveries import MailClass, State
from outreach.domain.messages import letter_hash
from outreach.errors import BadRows, NotNow
from outreach.models import (
    AuditEntry,
    Campaign,
    CampaignState,
    Consent,
    Counter,
    Database,
    Delivery,
    LetterVersion,
    LogEntry,
    Signature,
    SignatureState,
    Supporter,
    Suppression,
    Token,
)
from outreach.settings import Settings
from outreach.signers import COLUMNS
from outreach.signing import SignForm
from tests import factories
from tests.conftest import make_settings
from tests.factories import KEYS

HEAD = ",".join(COLUMNS)
JANE = "Jane Doe,jane@example.org,Springfield,12345,My rent doubled.,en,2026-02-01T09:00:00+01:00,"
JANE_AGREED = f"{JANE}updates,Yes to news.,petition page,2026-02-01,old system"
JANE += ",,,,"
JOE = "Joe Roe,joe@example.org,,,,,,,,,,"


@pytest.fixture(autouse=True)
def campaign(request: pytest.FixtureRequest) -> None:
    if "db" in request.fixturenames:
        with request.getfixturevalue("db").begin() as session:
            both = [factories.target(session), factories.target(session, email=None)]
            factories.campaign(session, slug="rents", targets=both)


def sheet(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def take(
    db: Database, settings: Settings, content: bytes, *, apply: bool = True, now: datetime = factories.NOON
) -> signers.Report:
    return signers.import_signers(
        db, content, "rents", name="f.csv", apply=apply, keys=KEYS, settings=settings, now=now, actor="cli"
    )


def state(db: Database) -> dict[str, int]:
    tables = (Supporter, Signature, Token, Delivery, LogEntry, Counter, Consent)
    with db.read() as session:
        return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def only(db: Database) -> Signature:
    with db.read() as session:
        return session.scalars(select(Signature)).one()


def test_a_row_that_was_confirmed_elsewhere_gets_its_letters(db: Database, settings: Settings) -> None:
    report = take(db, settings, sheet(JANE_AGREED))

    assert (report.rows, report.new, report.queued_letters, report.held_letters) == (1, 1, 1, 1)
    assert (report.confirmations, report.invalid, report.problems, report.applied) == (0, 0, [], True)
    signature = only(db)
    assert signature.state is SignatureState.CONFIRMED
    assert signature.confirmed_at == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert "imported" in signature.evidence
    assert "old system" in signature.evidence
    with db.read() as session:
        letters = session.scalars(select(Delivery).order_by(Delivery.target_id)).all()
        assert [(d.mail_class, d.state) for d in letters] == [
            (MailClass.LETTER, State.QUEUED),
            (MailClass.LETTER, State.HELD),
        ]
        consent = session.scalars(select(Consent)).one()
        assert (consent.purpose, consent.wording, consent.source) == (
            "updates",
            "Yes to news.",
            "import: petition page",
        )
        assert (consent.at, consent.given) == (datetime(2026, 2, 1, tzinfo=UTC), True)
        assert session.scalars(select(LetterVersion)).one().signed_at == factories.NOON


def test_its_letters_are_those_its_signer_would_have_been_shown(db: Database, settings: Settings) -> None:
    take(db, settings, sheet(JANE))
    signature = only(db)
    with db.read() as session:
        found = signing.receipt(session, KEYS.token("receipt", signature.ref), keys=KEYS, now=factories.NOON)
        hashes = session.scalars(select(Delivery.content_hash).order_by(Delivery.target_id)).all()
    assert [letter_hash(letter.subject, letter.text) for letter in found.letters] == hashes
    assert "My rent doubled." in found.letters[0].text


def test_a_row_that_was_not_confirmed_gets_a_link_like_anybody(db: Database, settings: Settings) -> None:
    report = take(db, settings, sheet(JOE))

    assert (report.new, report.confirmations, report.queued_letters) == (1, 1, 0)
    signature = only(db)
    assert signature.state is SignatureState.PENDING
    token = signing.confirm_url(settings, KEYS, signature).rpartition("/")[2]
    with db.begin() as session:
        confirmed = signing.confirm(session, token, keys=KEYS, now=factories.NOON + timedelta(days=1))
    assert (confirmed.queued, confirmed.held) == (1, 1)


def test_trying_changes_nothing_and_reports_what_would_be(db: Database, settings: Settings) -> None:
    before = state(db)
    rows = sheet(JANE_AGREED, JOE, JANE, "No Address,nope,,,,,,,,,,")

    tried = take(db, settings, rows, apply=False)

    assert state(db) == before
    done = take(db, settings, rows)
    assert not tried.applied
    for name in ("rows", "new", "already", "suppressed", "invalid", "queued_letters", "held_letters", "confirmations"):
        assert getattr(tried, name) == getattr(done, name), name
    assert (tried.rows, tried.new, tried.already, tried.invalid) == (4, 2, 1, 1)


def test_the_same_file_twice_changes_nothing(db: Database, settings: Settings) -> None:
    rows = sheet(JANE_AGREED, JOE)
    take(db, settings, rows)
    before = state(db)

    again = take(db, settings, rows, now=factories.NOON + timedelta(days=3))

    assert state(db) == before
    assert (again.new, again.already, again.queued_letters, again.confirmations) == (0, 2, 0, 0)


def test_who_is_here_already_or_withdrew_or_is_suppressed_stays_as_they_are(db: Database, settings: Settings) -> None:
    with db.begin() as session:
        campaign = session.scalars(select(Campaign)).one()
        factories.signature(session, campaign, by="withdrew@example.org", state=SignatureState.WITHDRAWN)
        factories.signature(session, campaign, by="waits@example.org")
        factories.suppression(session, "no@example.org")
    before = state(db)

    report = take(
        db,
        settings,
        sheet(
            "A Person,WITHDREW@example.org,,,,,2026-01-01,,,,,",
            "B Person,waits@example.org,,,,,2026-01-01,,,,,",
            "C Person,no@example.org,,,,,2026-01-01,updates,Yes.,page,2026-01-01,",
        ),
    )

    assert (report.already, report.suppressed, report.new) == (2, 1, 0)
    assert state(db) == before


def test_one_bad_row_does_not_lose_the_others_and_is_named_by_its_line(db: Database, settings: Settings) -> None:
    report = take(
        db,
        settings,
        sheet(
            '"Two\nLines",a@example.org,,,,,,,,,,',  # lines 2 and 3
            "Good One,b@example.org,,,,,,,,,,",
            "No Address,,,,,,,,,,,",  # line 5
            "Later,c@example.org,,,,,2027-01-01,,,,,",
            "When,d@example.org,,,,,yesterday,,,,,",
            "",
            "Too,many,fields,,,,,,,,,,,,",  # line 9
            "Short",
            f"Long,e@example.org,,,{'ä' * 5001},,,,,,,",
            "Wordy,f@example.org,,," + "word " * 500 + ",,,,,,,",
            "Strange,g@example.org,,,,,,NOT A PURPOSE,text,page,2026-01-01,",
            "Good Two,h@example.org,,,,,,,,,,",
        ),
    )

    assert (report.new, report.invalid) == (2, 9)
    by_line = {problem.line: problem.reason for problem in report.problems}
    assert sorted(by_line) == [2, 5, 6, 7, 9, 10, 11, 12, 13]
    assert by_line[2].startswith("name:")
    assert by_line[5].startswith("email:")
    assert "future" in by_line[6]
    assert by_line[7].startswith("confirmed_at:")
    assert "15 fields" in by_line[9]
    assert "10,000 bytes" in by_line[11]
    assert by_line[12].startswith("own_words:")
    assert by_line[13].startswith("consent_purpose:")


def test_an_incomplete_consent_proves_nothing_and_is_not_kept(db: Database, settings: Settings) -> None:
    take(db, settings, sheet(JANE_AGREED.replace("petition page", "")))
    assert state(db)["consents"] == 0
    assert state(db)["signatures"] == 1


def test_a_consent_too_long_to_keep_is_named_as_such(db: Database, settings: Settings) -> None:
    report = take(db, settings, sheet(JANE_AGREED.replace("Yes to news.", "Yes. " * 500)))
    assert [problem.reason for problem in report.problems] == ["consent_text: This can have at most 2,000 characters."]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_table_is_read_whatever_office_program_wrote_it(
    db: Database, settings: Settings, delimiter: str, ends: str
) -> None:
    head = ["Name", " EMAIL ", "Postal Code", "own_words"]
    row = ["Zoë Doe", "zoe@example.org", "12345", f'"First line,{ends}second; line"']
    content = "\ufeff" + ends.join([delimiter.join(head), delimiter.join(row)]) + ends

    report = take(db, settings, content.encode())

    signature = only(db)
    assert (signature.name, signature.postal_code) == ("Zoë Doe", "12345")
    assert signature.own_words == "First line,\nsecond; line"
    assert any("confirmed_at" in note for note in report.notes)


def test_a_windows_file_is_read_with_a_warning(db: Database, settings: Settings) -> None:
    report = take(db, settings, "name,email\nZoë “Zee” Doe,zoe@example.org\n".encode("cp1252"))
    assert only(db).name == "Zoë “Zee” Doe"
    assert any("Windows-1252" in note for note in report.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "name and email"),
        (b"name,city\nJane,Springfield\n", "email"),
        (b"name,email,name\nJane,j@example.org,x\n", "name twice"),
        (b'name,email\n"Jane,j@example.org\n', "CSV"),
        (b"name,email\nJ\x00ne,j@example.org\n", "no text"),
        (b"name,email\nJ\x81ne,j@example.org\n", "neither"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no text"),
        (b"name,email\n" + b"a,b\n" * 100_001, "100,000 rows"),
        (b"name,email\n" + b"a" * 20_000_000, "20 MB"),
        (b'name,email\n"' + b"a" * 200_000 + b'",b\n', "CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_whole(
    db: Database, settings: Settings, content: bytes, says: str
) -> None:
    before = state(db)
    with pytest.raises(BadRows, match=says) as caught:
        take(db, settings, content)
    assert caught.value.where.startswith("f.csv")
    assert state(db) == before


def test_signers_go_into_open_campaigns_only(db: Database, settings: Settings) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="over", state=CampaignState.CLOSED)
    with pytest.raises(NotNow):
        signers.import_signers(
            db, sheet(JANE), "over", apply=False, keys=KEYS, settings=settings, now=factories.NOON, actor="cli"
        )


def test_an_address_gets_no_more_confirmations_by_import_than_by_form(db: Database, settings: Settings) -> None:
    with db.begin() as session:
        for _ in range(3):
            slug = factories.campaign(session).slug
            form = SignForm("Joe Roe", "joe@example.org")
            signing.sign(session, slug, form, keys=KEYS, settings=settings, now=factories.NOON)

    report = take(db, settings, sheet(JOE))

    assert (report.new, report.confirmations) == (1, 0)


def test_many_rows_are_taken_in_chunks_and_the_books_balance(db: Database, settings: Settings) -> None:
    rows = [f"Jane Doe,p{n}@example.org,,,,,{'2026-01-01' if n % 2 else ''},,,,," for n in range(450)]

    report = take(db, settings, sheet(*rows, rows[3]))

    assert (report.new, report.already) == (450, 1)
    assert (report.queued_letters, report.held_letters, report.confirmations) == (225, 225, 225)
    with db.read() as session:
        counted = session.execute(select(Counter.state, func.sum(Counter.n)).group_by(Counter.state)).all()
        assert {s: int(n) for s, n in counted} == {State.QUEUED: 450, State.HELD: 225}
        assert session.scalar(select(func.count()).select_from(LogEntry)) == 675
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "signers.import")).one()
        assert entry.after is not None
        assert entry.after["new"] == 450


def test_a_form_and_an_import_at_once_leave_one_signature(db: Database, settings: Settings) -> None:
    gate = Barrier(2)

    def by_form() -> None:
        gate.wait(20)
        with db.begin() as session:
            form = SignForm("Jane Doe", "jane@example.org")
            signing.sign(session, "rents", form, keys=KEYS, settings=settings, now=factories.NOON)

    def by_file() -> None:
        gate.wait(20)
        take(db, settings, sheet(JANE))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(by_form), pool.submit(by_file)]:
            done.result()

    assert state(db)["signatures"] == 1


# --- the command line ---


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The command line's own embedded engine, with a campaign."""
    settings = make_settings(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    monkeypatch.chdir(tmp_path)
    with base.engine() as opened, opened.db.begin() as session:
        factories.campaign(session, slug="rents", targets=2)
    db = Database(settings.database)
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield db
    db.close()
    root.handlers[:] = handlers  # the command line logs to a stderr that is closed by now
    root.setLevel(level)
    structlog.configure(**configured)


def run(*words: str) -> dict[str, Any]:
    answer = CliRunner().invoke(app.app, [*words, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_signers_import_is_dry_by_default(engine: Database, tmp_path: Path) -> None:
    file = tmp_path / "signers.csv"
    file.write_bytes(sheet(JANE_AGREED, JOE, "Bad,,,,,,,,,,,"))

    tried = run("signers", "import", str(file), "--campaign", "rents")
    assert state(engine)["signatures"] == 0
    done = run("signers", "import", str(file), "--campaign", "rents", "--apply")
    assert state(engine)["signatures"] == 2

    keys = "rows new already suppressed invalid queued_letters held_letters confirmations problems applied"
    assert set(keys.split()) <= set(done)
    assert {**tried, "applied": True} == done
    assert done["queued_letters"] == 2
    assert done["problems"] == [{"line": 4, "reason": done["problems"][0]["reason"]}]


def test_signers_import_tells_people_what_happened(engine: Database, tmp_path: Path) -> None:
    file = tmp_path / "signers.csv"
    file.write_bytes(sheet(JANE, "Bad [bold],,,,,,,,,,,"))
    answer = CliRunner().invoke(app.app, ["signers", "import", str(file), "--campaign", "rents"])
    assert answer.exit_code == 0
    assert "line 3: email:" in answer.stdout
    assert "2 rows: 1 new, 0 already here, 0 suppressed, 1 invalid." in answer.stdout
    assert "Nothing was changed." in answer.stdout


def test_a_file_that_is_not_there_is_one_calm_line(engine: Database) -> None:
    answer = CliRunner().invoke(app.app, ["signers", "import", "absent.csv", "--campaign", "rents"])
    assert isinstance(answer.exception, BadRows)
    assert str(answer.exception) == "absent.csv: The file cannot be read: No such file or directory. Check the path."


def test_suppressions_can_be_added_listed_and_removed_with_a_reason(engine: Database) -> None:
    added = run("suppressions", "add", "Jane@Example.org", "--reason", "asked by phone")
    again = run("suppressions", "add", "jane@example.org")
    assert (added["action"], again["action"]) == ("added", "already")

    listed = run("suppressions", "list")["suppressions"]
    assert [(e["scope"], e["reason"], e["note"]) for e in listed] == [("all", "staff", "asked by phone")]
    assert "jane" not in json.dumps(listed).lower()

    without = CliRunner().invoke(app.app, ["suppressions", "remove", "jane@example.org"])
    assert without.exit_code == 2
    run("suppressions", "remove", "jane@example.org", "--reason", "she asked again")
    assert run("suppressions", "list")["suppressions"] == []
    with engine.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        told = [(e.action, (e.after or {}).get("reason")) for e in entries]
    assert told == [("suppression.add", "asked by phone"), ("suppression.remove", "she asked again")]


@pytest.mark.parametrize(
    "content",
    [
        "a@example.org\nB@example.org\n\nnot an address\na@example.org\n",
        "name;email\nA;a@example.org\nB;B@example.org\n;\nX;not an address\nA;a@example.org\n",
        "\ufeffemail\r\na@example.org\r\nB@example.org\r\nnot an address\r\na@example.org\r\n",
    ],
)
def test_a_suppression_list_is_imported_from_lines_or_a_column(engine: Database, tmp_path: Path, content: str) -> None:
    file = tmp_path / "stop.csv"
    file.write_text(content, newline="")

    first = run("suppressions", "import", str(file))
    second = run("suppressions", "import", str(file))

    assert (first["added"], first["already"], first["invalid"]) == (2, 1, 1)
    assert (second["added"], second["invalid"]) == (0, 1)
    with engine.read() as session:
        hashes = set(session.scalars(select(Suppression.address_hash)))
    assert hashes == {factories.hash_address(a) for a in ("a@example.org", "b@example.org")}


def test_a_scope_that_means_nothing_is_refused(engine: Database) -> None:
    answer = CliRunner().invoke(app.app, ["suppressions", "add", "jane@example.org", "--scope", "everything"])
    assert answer.exit_code == 1
