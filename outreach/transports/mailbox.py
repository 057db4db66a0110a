"""The embedded way out: a folder with one `.eml` file per mail, and the reading of it.

A mail that was handed over twice shows as two files, so the folder is evidence for `outreach audit`.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message as Parsed
from pathlib import Path
from threading import Lock

from outreach.domain.messages import Message
from outreach.errors import NotFound, OutOfReach
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable
from outreach.transports.mime import to_bytes

#: "{delivery}.{attempt}.eml"; the same attempt handed over again becomes "{delivery}.{attempt}.again-….eml".
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([0-9]+)(?:\.again-[a-z0-9_]+)?\.eml")
_STALE_SECONDS = 3600


class MailboxTransport:
    """Writes each mail into a folder: whole or not at all, and on disk before the receipt is given."""

    name = "mailbox"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listing = _Listing(folder)
        with suppress(OSError):
            _sweep(folder)

    def send(self, message: Message) -> Receipt:
        """Write one file. Raises Refused for a malformed message, Unavailable when the folder takes no file."""
        try:
            octets = to_bytes(message)
        except ValueError as error:
            raise Refused(str(error)) from None
        try:
            name = self._write(f"{message.delivery}.{message.attempt}", octets)
        except OSError as error:
            raise Unavailable(f"the mail folder cannot be written: {error.strerror}", whole=True) from None
        try:
            self._listing.sync()
        except OSError as error:
            raise NoAnswer(f"the mail folder could not be synced: {error.strerror}") from None
        return Receipt(name)

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, stem: str, octets: bytes) -> str:
        try:
            fd, part = tempfile.mkstemp(prefix=".part-", dir=self._folder)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            fd, part = tempfile.mkstemp(prefix=".part-", dir=self._folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(fd)
            return self._publish(part, stem)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)

    def _publish(self, part: str, stem: str) -> str:
        """Give the finished file its name. A link never replaces a file, as a rename would."""
        name = f"{stem}.eml"
        try:
            os.link(part, self._folder / name)
        except FileExistsError:
            name = f"{stem}.again-{Path(part).name.removeprefix('.part-')}.eml"
            os.rename(part, self._folder / name)
        except PermissionError:  # a file system without hard links
            os.rename(part, self._folder / name)
        return name


@dataclass(frozen=True, slots=True)
class Filed:
    """A mail that lies in the folder. `attempt` is the one that brought it there."""

    message_id: str
    attempt: int


class MailboxLog:
    """The folder as the record of what was taken: a mail that lies in it was, whoever died before saying so."""

    transport = "mailbox"
    at_once = 1_000

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts: dict[str, int] | None = None

    def find(self, delivery: str, *, to: str, at: datetime) -> Filed | None:
        """The mail of this delivery or bundle; None when there is none. OutOfReach when the folder cannot be read."""
        if self._attempts is None:
            self._attempts = self._look()
        attempt = self._attempts.get(delivery)
        return Filed(f"{delivery}.{attempt}.eml", attempt) if attempt is not None else None

    def _look(self) -> dict[str, int]:
        try:
            names = mail_names(self._folder)
            if names:  # a kill came between a name and its sync, perhaps: what is said to be there has to stay
                _Listing(self._folder).sync()
        except OSError as error:
            raise OutOfReach(f"The mail folder cannot be read ({error.strerror}).", where=str(self._folder)) from None
        found = (_NAME.fullmatch(name) for name in names)
        return {parts[1]: int(parts[2]) for parts in found if parts}


class _Listing:
    """Puts a folder's new names on disk. Threads that come while one sync runs share the next one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._begun = 0
        self._done = 0

    def sync(self) -> None:
        """Return once a sync that began after this call is done."""
        mine = self._begun + 1
        with self._lock:
            if self._done >= mine:
                return
            self._begun += 1
            fd = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self._done = self._begun


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half-written: it holds people's data and nobody would look for it."""
    limit = time.time() - _STALE_SECONDS
    for entry in os.scandir(folder):
        if entry.name.startswith(".part-") and entry.stat().st_mtime < limit:
            os.unlink(entry.path)


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail as it lies in the folder. Header texts are decoded; `text` and `html` have "\\n" line ends."""

    name: str  #: the file's name, safe in a link
    delivery: str
    attempt: int
    stored_at: datetime
    sender: str
    to: str
    reply_to: str
    subject: str
    date: str
    text: str
    html: str
    raw: bytes


def read_mailbox(folder: Path) -> Iterator[StoredMail]:
    """Every mail in the folder, newest first, read as they are asked for. A missing folder holds none."""
    for name in mail_names(folder):
        with suppress(NotFound):  # deleted in between
            yield open_mail(folder, name)


def mail_names(folder: Path) -> list[str]:
    """The names of all mails, newest first."""
    try:
        found = [(e.stat().st_mtime_ns, e.name) for e in os.scandir(folder) if _NAME.fullmatch(e.name)]
    except FileNotFoundError:
        return []
    return [name for _, name in sorted(found, reverse=True)]


def open_mail(folder: Path, name: str) -> StoredMail:
    """One mail by its file's name. Raises NotFound, also for a name that is no mail's."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise NotFound("There is no such mail.", where=name[:80])
    path = folder / name
    try:
        raw = path.read_bytes()
        stored_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        raise NotFound("There is no such mail.", where=name) from None
    mail = message_from_bytes(raw)
    bodies = {part.get_content_type(): part for part in mail.walk()}
    return StoredMail(
        name=name,
        delivery=parts[1],
        attempt=int(parts[2]),
        stored_at=stored_at,
        sender=_header(mail, "From"),
        to=_header(mail, "To"),
        reply_to=_header(mail, "Reply-To"),
        subject=_header(mail, "Subject"),
        date=_header(mail, "Date"),
        text=_body(bodies.get("text/plain")),
        html=_body(bodies.get("text/html")),
        raw=raw,
    )


def replace_mail(folder: Path, name: str, octets: bytes) -> None:
    """Put another text in the place of a mail, whole or not at all, and leave its time as it was."""
    path = folder / name
    times = path.stat()
    fd, part = tempfile.mkstemp(prefix=".part-", dir=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(fd)
        os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.rename(part, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
    _Listing(folder).sync()


def _header(mail: Parsed, name: str) -> str:
    value = str(mail.get(name, "")).replace("\r\n", "").replace("\n", "")
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value


def _body(part: Parsed | None) -> str:
    payload = part.get_payload(decode=True) if part is not None else b""
    return payload.decode("utf-8", "replace").replace("\r\n", "\n") if isinstance(payload, bytes) else ""
