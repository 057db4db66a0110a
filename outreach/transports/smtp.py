"""SMTP over connections that stay open.

The line that matters is the final dot. Before the last of its bytes is in the socket the server cannot have taken the
mail, so anything may be tried again; after it, silence means that nobody knows.
"""

from __future__ import annotations

import re
import select
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from time import monotonic
from urllib.parse import parse_qsl, unquote, urlsplit

from outreach.domain.messages import Message
from outreach.errors import WrongSetting
from outreach.keys import Keys
from outreach.settings import Settings
from outreach.transports.base import LockedOut, NoAnswer, Receipt, Refused, Unavailable, masked
from outreach.transports.mime import to_bytes

#: Servers end idle sessions after some minutes (Postfix: five); ours end first.
IDLE_SECONDS = 60.0
_SHORT_PAUSE = timedelta(seconds=15)
_KEY_PAUSE = timedelta(seconds=60)
#: Answers that are about us and not about this mail: not authenticated, encryption required.
_OUR_FAULT = (530, 534, 535, 538)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")

Reply = tuple[int, bytes]


@dataclass(frozen=True)
class Server:
    """Where and how to connect. `tls`: "" plain, "implicit" from the first byte, "starttls" or nothing."""

    host: str
    port: int
    tls: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_url(cls, url: str) -> Server:
        """Read smtp://user:pass@host:port?starttls=1 or smtps://…; user and password are percent-encoded."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        starttls = options.pop("starttls", "0")
        if options or starttls not in ("0", "1") or parts.path not in ("", "/") or not parts.hostname:
            raise WrongSetting(
                "has a part that is not understood.",
                where="OUTREACH_SMTP_URL",
                advice="For example OUTREACH_SMTP_URL=smtp://user:pass@mail.example.org:587?starttls=1",
            )
        implicit = parts.scheme == "smtps"
        tls = "implicit" if implicit else "starttls" if starttls == "1" else ""
        port = parts.port or {"implicit": 465, "starttls": 587, "": 25}[tls]
        return cls(parts.hostname, port, tls, unquote(parts.username or ""), unquote(parts.password or ""))


class SmtpTransport:
    """Hands mails to one SMTP server. Each thread in the middle of a mail has a connection of its own.

    `return_path` gives the address to which a mail's bounces go; its sender by default.
    """

    name = "smtp"

    def __init__(
        self,
        server: Server,
        *,
        ehlo: str = "localhost",
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        return_path: Callable[[Message], str] = lambda message: message.sender.address,
    ) -> None:
        self._server = server
        self._ehlo = ehlo
        self._timeout = timeout
        self._return_path = return_path
        self._tls = (ssl_context or ssl.create_default_context()) if server.tls else None
        self._idle: list[_Session] = []
        self._lock = Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> SmtpTransport:
        server = Server.from_url(settings.smtp_url)
        if not settings.smtp_verp:
            return cls(server, ehlo=settings.mail_domain, timeout=settings.provider_timeout)
        keys = Keys(settings.secret_key)

        def return_path(message: Message) -> str:
            return f"{keys.bounce_alias(message.delivery, message.attempt)}@{settings.reply_domain}"

        return cls(server, ehlo=settings.mail_domain, timeout=settings.provider_timeout, return_path=return_path)

    def send(self, message: Message) -> Receipt:
        """Hand over one message; the receipt carries the server's words, such as “queued as …”."""
        try:
            octets = to_bytes(message)
        except ValueError as error:
            raise Refused(str(error)) from None
        mail = _Mail(self._return_path(message), message.to.address, octets)
        if (kept := self._kept()) is not None:
            with suppress(_Broken):  # it had ended before the mail left whole; a new one may do
                return self._offer(kept, mail)
        session = _Session.open(self._server, self._ehlo, self._timeout, self._tls)
        try:
            return self._offer(session, mail)
        except _Broken as error:
            raise Unavailable(f"the mail server hung up: {error}", retry_after=_SHORT_PAUSE, whole=True) from None

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.quit()

    def _offer(self, session: _Session, mail: _Mail) -> Receipt:
        try:
            return session.hand_over(mail)
        finally:
            if session.clean:
                with self._lock:
                    self._idle.append(session)
            else:
                session.drop()

    def _kept(self) -> _Session | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                session = self._idle.pop()
            if session.is_alive():
                return session
            session.drop()


class _Broken(Exception):
    """The session ended before the mail had left whole: it was not taken."""


class _Mail:
    """An envelope, and the bytes that follow DATA: dots stuffed, with the final dot."""

    __slots__ = ("commands", "octets", "size")

    def __init__(self, sender: str, recipient: str, octets: bytes) -> None:
        self.size = len(octets)
        self.octets = octets.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self.commands = (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")


class _Session:
    """One connection, greeted and signed in. `clean`: the server waits for the next mail, and nothing is unread."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp
        self._sized = smtp.has_extn("size")
        self._pipelined = smtp.has_extn("pipelining")
        self._used_at = monotonic()
        self.clean = True

    @classmethod
    def open(cls, server: Server, ehlo: str, timeout: float, tls: ssl.SSLContext | None) -> _Session:
        """Connect and sign in, or raise Unavailable: nothing has been offered yet."""
        smtp: smtplib.SMTP | None = None
        step = "connecting"
        try:
            if server.tls == "implicit":
                smtp = smtplib.SMTP_SSL(server.host, server.port, ehlo, timeout=timeout, context=tls)
            else:
                smtp = smtplib.SMTP(server.host, server.port, ehlo, timeout=timeout)
            smtp.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                step = "encrypting"
                smtp.starttls(context=tls)
                smtp.ehlo_or_helo_if_needed()
            if server.user:
                step = "signing in"
                smtp.login(server.user, server.password)
            return cls(smtp)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            if smtp is not None:
                smtp.close()
            raise _unreachable(step, error) from None

    def is_alive(self) -> bool:
        """Whether it may be used again. A server that has something to say now only says good-bye."""
        sock = self._smtp.sock
        if sock is None or monotonic() - self._used_at > IDLE_SECONDS:
            return False
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return not poll.poll(0)

    def hand_over(self, mail: _Mail) -> Receipt:
        """Offer one mail. Raises _Broken when the connection ended before it left whole, else a TransportError."""
        self.clean, self._used_at = False, monotonic()
        try:
            self._announce(mail)
            self._write(mail.octets)  # an error here means that the final dot is not in the socket
        except (smtplib.SMTPException, OSError) as error:
            raise _Broken(type(error).__name__) from None
        try:
            code, words = self._smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise NoAnswer(f"the mail server fell silent after the mail: {type(error).__name__}") from None
        self.clean = 200 <= code < 600 and code != 421
        if 200 <= code < 300:
            return Receipt(masked(words.decode("ascii", "replace"), limit=100))
        raise _meaning("the mail", (code, words))

    def _announce(self, mail: _Mail) -> None:
        """The envelope, up to the server's “go ahead”."""
        mail_from, *others = mail.commands
        commands = [f"{mail_from} SIZE={mail.size}" if self._sized else mail_from, *others]
        replies = self._pipeline(commands) if self._pipelined else self._one_by_one(commands)
        answered = zip(("MAIL", "RCPT", "DATA"), replies, strict=False)
        refused = [(step, reply) for step, reply in answered if not _is_yes(step, reply[0])]
        if not refused:
            return
        step, (code, words) = refused[0]
        if code == 421 or not 400 <= code < 600:
            raise _Broken(f"{step}: {_told(code, words)}")
        with suppress(smtplib.SMTPException, OSError):
            self._clear(replies)
        raise _meaning(step, (code, words))

    def _clear(self, replies: list[Reply]) -> None:
        """Make the session ready for the next mail after a refusal."""
        if replies[-1][0] == 354:  # told to go ahead although the address was refused: end the mail without a word
            self._write(b".\r\n")
            self._smtp.getreply()
        self._write(b"RSET\r\n")
        self.clean = self._smtp.getreply()[0] == 250

    def _pipeline(self, commands: list[str]) -> list[Reply]:
        self._write("".join([f"{command}\r\n" for command in commands]).encode("ascii"))
        return [self._smtp.getreply() for _ in commands]

    def _one_by_one(self, commands: list[str]) -> list[Reply]:
        replies: list[Reply] = []
        for command in commands:
            self._write(f"{command}\r\n".encode("ascii"))
            replies.append(self._smtp.getreply())
            if replies[-1][0] >= 400:
                break
        return replies

    def _write(self, octets: bytes) -> None:
        if self._smtp.sock is None:  # closed by smtplib when a reply could not be read
            raise smtplib.SMTPServerDisconnected("closed")
        self._smtp.sock.sendall(octets)

    def quit(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self._write(b"QUIT\r\n")
        self.drop()

    def drop(self) -> None:
        with suppress(OSError):
            self._smtp.close()


def _is_yes(step: str, code: int) -> bool:
    return code == 354 if step == "DATA" else 200 <= code < 300


def _unreachable(step: str, error: Exception) -> Unavailable:
    """Why no session came about, without the words of smtplib, which may hold what was sent."""
    why = f"{step}: {type(error).__name__}"
    if isinstance(error, smtplib.SMTPResponseException):
        why += f" {_told(error.smtp_code, error.smtp_error)}"
    detail = f"the mail server cannot be used: {why}"
    if step == "connecting":
        return Unavailable(detail, retry_after=_SHORT_PAUSE, whole=True)
    return LockedOut(detail, retry_after=_KEY_PAUSE)


def _meaning(step: str, reply: Reply) -> Refused | Unavailable | NoAnswer:
    """What an answer other than 2xx to a step says about the mail."""
    code, words = reply
    told = f"{step}: {_told(code, words)}"
    if code == 421:
        return Unavailable(told, retry_after=_SHORT_PAUSE, whole=True)
    if code in _OUR_FAULT:
        return LockedOut(told, retry_after=_KEY_PAUSE)
    if 400 <= code < 500:
        return Unavailable(told)
    if 500 <= code < 600:
        return Refused(told)
    return NoAnswer(f"{step}: an answer that is none ({code})")


def _told(code: int, words: bytes | str) -> str:
    """ "550 5.1.1 no such user …@…": the code first, then the server's words, short and without addresses."""
    text = words.decode("ascii", "replace") if isinstance(words, bytes) else words
    enhanced = _ENHANCED.match(text)
    rest = masked(text[enhanced.end() :] if enhanced else text, limit=80)
    return " ".join(part for part in (str(code), enhanced[0] if enhanced else "", rest) if part)
