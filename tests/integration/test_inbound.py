"""Mail that comes in, on both databases: bounces, complaints, and readers who write to say stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from outreach import inbound, suppression
from outreach.cli.app import app
from outreach.domain.deliveries import EventState, MailClass, State
from outreach.errors import BadInput, OutOfReach
from outreach.inbound import Kind
from outreach.keys import Keys
from outreach.models import Contact, ContactState, Database, Delivery, ProviderEvent, SignatureState, Supporter
from outreach.settings import Settings
from outreach.transports import make_transport
from outreach.transports.smtp import SmtpTransport
from tests import factories
from tests.conftest import make_settings
from tests.fakes.smtp_sink import smtp_sink
from tests.unit.inbound.letters_back import bounce, complaint, plain
from tests.unit.transports.letters import letter


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.secret_key)


def confirmation(db: Database, *, state: State = State.ACCEPTED) -> Delivery:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session, targets=1))
        return factories.delivery(
            session, signature, state=state, mail_class=MailClass.CONFIRMATION, purpose="confirm", attempts=1
        )


def of_letter(db: Database, *, state: State = State.ACCEPTED) -> Delivery:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=1)
        (target,) = factories.targets_of(session, campaign)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        return factories.delivery(session, signature, target, state=state, attempts=1)


def alias(delivery: Delivery, keys: Keys, settings: Settings) -> str:
    return f"{keys.bounce_alias(delivery.ref, 1)}@{settings.reply_domain}"


def now_of(db: Database, delivery: Delivery) -> Delivery:
    with db.read() as session:
        return session.get_one(Delivery, delivery.id)


def is_suppressed(db: Database, delivery: Delivery) -> bool:
    assert delivery.address_hash is not None
    with db.read() as session:
        return suppression.is_suppressed(session, delivery.address_hash)


def reports(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(ProviderEvent)) or 0


def test_a_bounce_that_comes_to_its_return_address_closes_a_signers_dead_address(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = confirmation(db)

    assert take(bounce(alias(delivery, keys, settings))) is Kind.BOUNCE

    assert now_of(db, delivery).event_state is EventState.BOUNCED
    assert is_suppressed(db, delivery)
    with db.read() as session:
        (event,) = session.scalars(select(ProviderEvent))
    assert event.reason == "550 5.1.1 <…@…>: Recipient address rejected: User unknown"
    assert event.attempt == 1


def test_a_full_mailbox_and_a_refusal_by_policy_close_nothing(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = confirmation(db)
    take(bounce(alias(delivery, keys, settings), status="5.2.2", said="smtp; 552 full", id_="1"))
    take(bounce(alias(delivery, keys, settings), status="5.7.1", said="smtp; 550 5.7.1 policy", id_="2"))
    assert reports(db) == 2
    assert not is_suppressed(db, delivery)


def test_an_offices_bounce_sets_its_contact_aside_and_suppresses_nobody(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = of_letter(db)
    take(bounce(alias(delivery, keys, settings)))
    with db.read() as session:
        assert session.get_one(Contact, delivery.contact_id).state is ContactState.FAILING
    assert not is_suppressed(db, delivery)


def test_fault_f42_a_bounce_proves_that_a_mail_in_doubt_had_left(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = of_letter(db, state=State.IN_DOUBT)
    take(bounce(alias(delivery, keys, settings), action="delayed", status="4.4.1"))
    found = now_of(db, delivery)
    assert (found.state, found.event_state) == (State.ACCEPTED, EventState.DEFERRED)


def test_a_bounce_that_comes_twice_counts_once(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    octets = bounce(alias(confirmation(db), keys, settings))
    assert take(octets) is Kind.BOUNCE
    assert take(b"Received: from elsewhere\n" + octets) is Kind.BOUNCE
    assert reports(db) == 1


def test_a_bounce_is_believed_at_its_own_return_address_only(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = confirmation(db)
    good = alias(delivery, keys, settings)
    forged = [
        good.replace("-1-", "-2-"),
        f"b-{delivery.ref}-1-aaaaaaaaaaaaaaaa@{settings.reply_domain}",
        f"{keys.bounce_alias(delivery.ref, 1)}@elsewhere.example.org",
        f"{keys.alias(delivery.ref)}@{settings.reply_domain}",
        settings.act_from,
    ]
    for address in forged:
        assert take(bounce(address)) in (Kind.IGNORED, Kind.OTHER, Kind.DROPPED)
    assert reports(db) == 0
    assert not is_suppressed(db, delivery)


def test_the_servers_word_counts_where_the_headers_say_something_else(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = confirmation(db)
    assert take(bounce("undisclosed@example.org"), alias(delivery, keys, settings)) is Kind.BOUNCE


def test_an_automatic_answer_to_a_return_address_says_nothing(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    to = alias(confirmation(db), keys, settings)
    assert take(plain(to, subject="Out of office", Return_Path="<>", Auto_Submitted="auto-replied")) is Kind.IGNORED
    assert take(plain(to, subject="Thank you!")) is Kind.IGNORED
    assert reports(db) == 0


def test_a_bounce_for_people_only_is_kept_and_changes_nothing(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind]
) -> None:
    delivery = confirmation(db)
    octets = plain(alias(delivery, keys, settings), subject="failure notice", Return_Path="<>")
    assert take(octets) is Kind.BOUNCE
    assert reports(db) == 1
    assert now_of(db, delivery).event_state is None


@pytest.mark.parametrize("named", ["original_mail_from", "return_path"])
def test_a_complaint_about_a_mail_of_ours_closes_the_address(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind], named: str
) -> None:
    delivery = confirmation(db)
    assert take(complaint(**{named: alias(delivery, keys, settings)})) is Kind.COMPLAINT
    assert now_of(db, delivery).event_state is EventState.COMPLAINED
    assert is_suppressed(db, delivery)


def test_a_complaint_without_our_seal_is_left_for_people(db: Database, take: Callable[..., Kind]) -> None:
    assert take(complaint("news@news.example.org")) is Kind.OTHER
    assert reports(db) == 0


@pytest.mark.parametrize(
    ("subject", "body"),
    [("unsubscribe", ""), ("", "Please stop."), ("Re: News", "I love it!"), ("=?utf-8?q?=FF?=", "\0")],
)
def test_b8_a_mail_to_the_stop_address_unsubscribes_whatever_it_says(
    db: Database, settings: Settings, keys: Keys, take: Callable[..., Kind], subject: str, body: str
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=1)
        supporter = factories.supporter(session)
    to = f"U-{keys.stop_token(supporter.ref, campaign.id)}@{settings.reply_domain}"

    assert take(plain(to, subject=subject, body=body)) is Kind.STOP
    assert take(plain(to, subject=subject, body=body)) is Kind.STOP

    with db.read() as session:
        person = session.get_one(Supporter, supporter.id)
        assert suppression.is_suppressed(session, person.address_hash, scopes=("news",))
        assert not suppression.is_suppressed(session, person.address_hash, scopes=("all",))


def test_a_stop_address_that_is_none_of_ours_stops_nothing(settings: Settings, take: Callable[..., Kind]) -> None:
    assert take(plain(f"u-{'a' * 40}@{settings.reply_domain}")) is Kind.IGNORED


def test_a_bounce_of_another_environments_mail_is_not_ours(
    db: Database, settings: Settings, take: Callable[..., Kind]
) -> None:
    other = Keys("the secret of another installation, 32 long")
    delivery = confirmation(db)
    assert take(bounce(f"{other.bounce_alias(delivery.ref, 1)}@{settings.reply_domain}")) is Kind.IGNORED


def test_each_mail_by_smtp_has_its_own_return_address_and_its_own_message_id(tmp_path: Path) -> None:
    with smtp_sink() as sink:
        settings = make_settings(tmp_path, transport="smtp", smtp_url=sink.url)
        transport = make_transport(settings)
        for attempt in (1, 2):
            transport.send(letter(delivery="d2abc", attempt=attempt, message_id=f"<l.d2abc.{attempt}@example.org>"))
        transport.close()
        senders = [record["from"] for record in sink.accepted]
    keys = Keys(settings.secret_key)
    assert senders == [f"{keys.bounce_alias('d2abc', n)}@{settings.reply_domain}" for n in (1, 2)]
    assert [keys.open_bounce_alias(sender.partition("@")[0]) for sender in senders] == [("d2abc", 1), ("d2abc", 2)]


def test_return_addresses_of_their_own_can_be_switched_off(tmp_path: Path) -> None:
    with smtp_sink() as sink:
        transport = SmtpTransport.from_settings(
            make_settings(tmp_path, transport="smtp", smtp_url=sink.url, smtp_verp="0")
        )
        transport.send(letter())
        transport.close()
        assert sink.accepted[0]["from"] == letter().sender.address


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def outreach(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("OUTREACH_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OUTREACH_SECRET_KEY", settings.secret_key)
    monkeypatch.setenv("OUTREACH_ENV", settings.env)

    def run(*words: str, given: bytes = b"") -> Result:
        return CliRunner().invoke(app, ["inbound", *words], input=given)

    return run


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    folder = tmp_path / "Maildir"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


def test_a_mail_server_pipes_a_bounce_in(
    db: Database, settings: Settings, keys: Keys, outreach: Callable[..., Result]
) -> None:
    delivery = confirmation(db)
    result = outreach("--to", alias(delivery, keys, settings), given=bounce("x@example.org"))
    assert (result.exit_code, result.stdout) == (0, "bounces: 1\n")
    assert now_of(db, delivery).event_state is EventState.BOUNCED


def test_a_mail_server_learns_what_is_not_for_us(db: Database, outreach: Callable[..., Result]) -> None:
    assert outreach(given=plain("someone@example.org")).exit_code == 67


def test_a_mail_server_keeps_the_mail_while_the_database_is_away(
    outreach: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OutOfReach("The database does not answer.")

    monkeypatch.setattr("outreach.cli.inbound._take", away)
    assert outreach(given=plain("someone@example.org")).exit_code == 75


def test_a_maildir_is_worked_off_and_what_is_for_people_stays_unread(
    db: Database, settings: Settings, keys: Keys, outreach: Callable[..., Result], maildir: Path
) -> None:
    delivery = confirmation(db)
    to = alias(delivery, keys, settings)
    mails = {"1.a": bounce(to), "2.b": plain("help@example.org"), "3.c": b"", "4.d": plain(to), ".part": b"x"}
    for name, octets in mails.items():
        (maildir / "new" / name).write_bytes(octets)

    result = outreach("--maildir", str(maildir), "--json")

    assert json.loads(result.stdout) == {
        "bounce": 1, "complaint": 0, "stop": 0, "reply": 0, "kept": 0, "dropped": 0, "ignored": 1, "other": 1,
        "unreadable": 1
    }  # fmt: skip
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == ["1.a:2,S", "2.b:2,", "3.c:2,", "4.d:2,S"]
    assert [path.name for path in (maildir / "new").iterdir()] == [".part"]
    assert outreach("--maildir", str(maildir)).stdout == "No new mail.\n"


def test_a_mail_stays_in_new_when_taking_it_breaks_off(db: Database, maildir: Path) -> None:
    (maildir / "new" / "1.a").write_bytes(plain("x@example.org"))

    def away(octets: bytes) -> Kind:
        raise OutOfReach("The database does not answer.")

    with pytest.raises(OutOfReach):
        inbound.take_all(maildir, away)
    assert [path.name for path in (maildir / "new").iterdir()] == ["1.a"]


def test_a_folder_that_is_no_maildir_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Maildir"):
        inbound.take_all(tmp_path, lambda octets: Kind.OTHER)
