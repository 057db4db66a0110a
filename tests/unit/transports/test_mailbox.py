"""The mail folder: whole files, one per hand-over, and safe to read by name."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from outreach.domain.messages import Mailbox
from outreach.errors import NotFound
from outreach.transports import mailbox
from outreach.transports.base import NoAnswer, Refused, Unavailable
from outreach.transports.mailbox import MailboxTransport, mail_names, open_mail, read_mailbox
from outreach.transports.mime import to_bytes
from tests.unit.transports.letters import letter


def test_a_mail_is_one_file_with_its_bytes(tmp_path: Path) -> None:
    receipt = MailboxTransport(tmp_path / "mail").send(letter())

    assert receipt.provider_id == "d-1.1.eml"
    assert os.listdir(tmp_path / "mail") == ["d-1.1.eml"]
    assert (tmp_path / "mail" / "d-1.1.eml").read_bytes() == to_bytes(letter())


def test_a_delivery_handed_over_twice_shows_as_two_files(tmp_path: Path) -> None:
    transport = MailboxTransport(tmp_path)

    transport.send(letter())
    transport.send(letter(attempt=2))
    transport.send(letter())

    assert len(os.listdir(tmp_path)) == 3
    assert {(mail.delivery, mail.attempt) for mail in read_mailbox(tmp_path)} == {("d-1", 1), ("d-1", 2)}


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    transport = MailboxTransport(tmp_path)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: transport.send(letter(delivery=f"d-{n}")), range(200)))

    assert sorted(mail_names(tmp_path)) == sorted(f"d-{n}.1.eml" for n in range(200))


def test_a_sync_that_began_before_a_file_was_written_does_not_count_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a first sync that hangs on the disk
    begun, go, syncs = threading.Event(), threading.Event(), []

    def slow_fsync(fd: int) -> None:
        syncs.append(fd)
        begun.set()
        go.wait(10)

    listing = mailbox._Listing(tmp_path)
    monkeypatch.setattr(mailbox.os, "fsync", slow_fsync)
    first = threading.Thread(target=listing.sync)
    first.start()
    begun.wait(10)

    # when three more threads have written and want theirs synced
    entered = threading.Barrier(4)

    def join_in() -> None:
        entered.wait(10)
        listing.sync()

    others = [threading.Thread(target=join_in) for _ in range(3)]
    for thread in others:
        thread.start()
    entered.wait(10)
    go.set()
    for thread in (first, *others):
        thread.join(10)

    # then at least one more sync ran after the first
    assert len(syncs) >= 2


def test_a_folder_that_cannot_be_written_closes_the_whole_transport(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file stands where the folder should be")

    with pytest.raises(Unavailable, match="cannot be written") as caught:
        MailboxTransport(tmp_path / "mail").send(letter())

    assert caught.value.whole


def test_a_full_disk_leaves_no_half_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox.os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left on device") as caught:
        MailboxTransport(tmp_path).send(letter())

    assert caught.value.whole
    assert os.listdir(tmp_path) == []


def test_a_mail_that_lies_there_but_may_not_survive_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = MailboxTransport(tmp_path)
    real = os.open

    def no_folder(path: object, *rest: int) -> int:
        if path == tmp_path:
            raise OSError(5, "Input/output error")
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(mailbox.os, "open", no_folder)
    with pytest.raises(NoAnswer):
        transport.send(letter())

    assert mail_names(tmp_path) == ["d-1.1.eml"]


def test_a_malformed_message_is_refused(tmp_path: Path) -> None:
    for changes in ({"delivery": "../d-1"}, {"delivery": ""}, {"to": Mailbox("", "nobody")}):
        with pytest.raises(Refused):
            MailboxTransport(tmp_path).send(letter(**changes))

    assert os.listdir(tmp_path) == []


def test_a_stored_mail_reads_as_it_was_meant(tmp_path: Path) -> None:
    text = "Liebe Ministerin,\n\nbitte handeln Sie – jetzt.\n"
    MailboxTransport(tmp_path).send(
        letter(sender=Mailbox("Zoë Müller via Org", "letters@example.org"), subject="Bitte: Zürich " * 9, text=text)
    )

    mail = open_mail(tmp_path, "d-1.1.eml")

    assert mail.sender == "Zoë Müller via Org <letters@example.org>"
    assert mail.to == '"The Secretary" <secretary@example.com>'
    assert mail.subject == ("Bitte: Zürich " * 9)
    assert mail.text == text
    assert mail.html == letter().html
    assert mail.date == "Mon, 02 Mar 2026 12:00:00 +0000"


def test_mails_are_read_newest_first(tmp_path: Path) -> None:
    transport = MailboxTransport(tmp_path)
    for n in range(3):
        transport.send(letter(delivery=f"d-{n}"))
        os.utime(tmp_path / f"d-{n}.1.eml", (n, n))

    assert [mail.delivery for mail in read_mailbox(tmp_path)] == ["d-2", "d-1", "d-0"]
    assert list(read_mailbox(tmp_path / "missing")) == []


@pytest.mark.parametrize(
    "name", ["../secret_key", "..", "", "/etc/passwd", "d-1.1.eml/../../secret_key", "a\0.1.eml", ".part-x"]
)
def test_only_a_mails_name_opens_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "secret_key").write_text("secret")

    with pytest.raises(NotFound):
        open_mail(tmp_path / "mail", name)


def test_what_a_killed_process_left_half_written_is_swept_away(tmp_path: Path) -> None:
    for name, age in ((".part-old", 7200), (".part-new", 0)):
        (tmp_path / name).write_text("Dear")
        if age:
            os.utime(tmp_path / name, (1, 1))

    MailboxTransport(tmp_path)

    assert os.listdir(tmp_path) == [".part-new"]
