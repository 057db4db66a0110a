"""People who run the engine: accounts, passwords, sessions, and links that sign in once.

A session is a row; the cookie holds its secret and nothing else, the row holds the secret's hash. So every session
can be ended here: by signing out, by a new password (the user's `epoch` counts up), by disabling the account.

A password is weighed outside any transaction: Argon2 takes a tenth of a second by design, and on SQLite an open
writing transaction would keep every worker waiting for it.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from outreach import audit_log
from outreach.errors import BadInput, NotFound, NotNow
from outreach.keys import Keys, hash_of
from outreach.models import Database, Role, SignedIn, Token, User
from outreach.settings import Settings

SHORTEST, LONGEST = 12, 128  #: characters of a password
LINK_LIFE = timedelta(hours=1)
#: How long a session lasts without a request, and at most.
IDLE = {Role.ORGANIZER: timedelta(hours=12), Role.STAFF: timedelta(hours=2)}
ABSOLUTE = {Role.ORGANIZER: timedelta(days=7), Role.STAFF: timedelta(hours=12)}
#: A session's `seen_at` is written at most this often: a page view should rarely be a write.
SEEN_EVERY = timedelta(minutes=1)

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)  # Argon2id
#: Each weighing takes 64 MiB; a burst of sign-ins waits in line instead of filling the memory.
_scales = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in, for the length of one request."""

    user_id: int
    email: str
    name: str
    role: Role
    session_hash: str
    seen_at: datetime

    @property
    def actor(self) -> str:
        """How the audit log calls them."""
        return f"user:{self.user_id}"

    @property
    def is_staff(self) -> bool:
        return self.role is Role.STAFF


# Accounts


def add(session: Session, email: str, *, name: str, role: Role, password: str = "", now: datetime, actor: str) -> User:
    """Make an account; BadInput for a wrong address, name or password, NotNow when the address has one already.

    Without a password the person signs in by link only.
    """
    email, name = _checked_email(email), " ".join(name.split())
    if not name or len(name) > 100 or any(unicodedata.category(c).startswith("C") for c in name):
        raise BadInput("A name is one line of up to 100 characters.", where="--name")
    if session.scalar(select(User.id).where(User.email == email)) is not None:
        raise NotNow("There is an account for that address already.", where=email)
    user = User(
        email=email, name=name, role=role, created_at=now, password_hash=_hash_of_new(password) if password else ""
    )
    session.add(user)
    session.flush()
    audit_log.note(session, actor, "user.add", f"user:{user.id}", after={"role": str(role)}, now=now)
    return user


def find(session: Session, email: str) -> User:
    """The account of an address; NotFound if there is none."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise NotFound("There is no account for that address.", where=email, advice="See `outreach user list`.")
    return user


def everyone(session: Session) -> list[User]:
    """All accounts, by address."""
    return list(session.scalars(select(User).order_by(User.email)))


def disable(session: Session, user: User, *, now: datetime, actor: str) -> bool:
    """Close an account: its sessions and links end at once. False if it was closed already."""
    if user.disabled_at is not None:
        return False
    user.disabled_at = now
    _end_everything(session, user, now=now)
    audit_log.note(session, actor, "user.disable", f"user:{user.id}", now=now)
    return True


def set_password(session: Session, user: User, password: str, *, now: datetime, actor: str) -> None:
    """Give an account a new password; every session and every unused link of it ends. BadInput if it is too weak."""
    user.password_hash = _hash_of_new(password)
    _end_everything(session, user, now=now)
    audit_log.note(session, actor, "user.passwd", f"user:{user.id}", now=now)


def check_password(password: str) -> None:
    """Raise BadInput unless the password is long enough, not too long, and more than one key held down."""
    if len(password) < SHORTEST:
        raise BadInput(f"A password has at least {SHORTEST} characters.", advice="A short sentence is a good one.")
    if len(password) > LONGEST:
        raise BadInput(f"A password has at most {LONGEST} characters.")
    if len(set(password)) < 5:
        raise BadInput("The password repeats the same few characters.", advice="A short sentence is a good one.")


def _hash_of_new(password: str) -> str:
    check_password(password)
    return _hasher.hash(_folded(password))


def _folded(password: str) -> str:
    # The same keys give differently composed characters on different keyboards.
    return unicodedata.normalize("NFKC", password)


def _checked_email(email: str) -> str:
    try:
        return validate_email(email[:321], check_deliverability=False).ascii_email.lower()  # type: ignore[union-attr]
    except (EmailNotValidError, AttributeError):
        raise BadInput("That is not a mail address.", where="EMAIL", advice="For example ana@example.org") from None


def _end_everything(session: Session, user: User, *, now: datetime) -> None:
    user.epoch += 1
    session.execute(delete(SignedIn).where(SignedIn.user_id == user.id))
    session.execute(
        update(Token)
        .where(Token.purpose == "sign_in", Token.user_id == user.id, Token.used_at.is_(None))
        .values(voided_at=now)
    )


# Signing in


def sign_in(db: Database, email: str, password: str, *, replacing: str = "", now: datetime) -> str | None:
    """The secret of a new session; None if address or password is wrong, without a hint which.

    `replacing` is the secret of the session the browser came with: it ends. The new secret is always a fresh one.
    """
    with db.read() as session:
        account = session.execute(
            select(User.id, User.password_hash, User.epoch).where(User.email == email[:321].strip().lower())
        ).one_or_none()
    kept = account.password_hash if account is not None else ""
    fits = _fits(kept or _nobody(), password)
    if account is None or not kept or not fits:
        return None
    with db.begin() as session:
        # Weighing took a while: the password may be another by now, or the account closed.
        user = session.get(User, account.id)
        if user is None or user.epoch != account.epoch or user.disabled_at is not None:
            return None
        return _start(session, user, how="password", replacing=replacing, now=now)


@cache
def _nobody() -> str:
    """What an unknown address is weighed against, so that it takes as long as a known one."""
    return _hasher.hash(secrets.token_hex(16))


def _fits(password_hash: str, password: str) -> bool:
    with _scales:
        try:
            return _hasher.verify(password_hash, _folded(password[: LONGEST + 1]))
        except (VerifyMismatchError, InvalidHashError):
            return False


def sign_in_link(session: Session, user: User, *, keys: Keys, settings: Settings, now: datetime) -> str:
    """The address of a page that signs `user` in, once, within the hour. Whoever has it is them: show it to nobody."""
    del keys  # every other link derives from them; this one must not be computable from anything that is stored
    if user.disabled_at is not None:
        raise NotNow("The account is disabled.", where=user.email)
    secret = secrets.token_urlsafe(32)
    session.add(
        Token(hash=hash_of(secret), purpose="sign_in", user_id=user.id, created_at=now, expires_at=now + LINK_LIFE)
    )
    return f"{settings.base_url}/sign-in/{secret}"


def link_is_good(session: Session, secret: str, *, now: datetime) -> bool:
    """Whether a sign-in link would still work. Looking changes nothing: mail scanners follow links, too."""
    return session.scalar(select(Token.hash).where(_is_usable(secret, now))) is not None


def sign_in_by_link(session: Session, secret: str, *, replacing: str = "", now: datetime) -> str | None:
    """The secret of a new session, and the link is used up; None if it was no link, or used or over."""
    user_id = session.scalar(update(Token).where(_is_usable(secret, now)).values(used_at=now).returning(Token.user_id))
    user = session.get(User, user_id) if user_id is not None else None
    if user is None or user.disabled_at is not None:
        return None
    return _start(session, user, how="link", replacing=replacing, now=now)


def _is_usable(secret: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        Token.hash == hash_of(secret),
        Token.purpose == "sign_in",
        Token.used_at.is_(None),
        Token.voided_at.is_(None),
        Token.expires_at > now,
    )


def _start(session: Session, user: User, *, how: str, replacing: str, now: datetime) -> str:
    if replacing:
        sign_out(session, hash_of(replacing))
    session.execute(delete(SignedIn).where(SignedIn.user_id == user.id, SignedIn.expires_at <= now))
    secret = secrets.token_urlsafe(32)
    session.add(
        SignedIn(
            hash=hash_of(secret),
            user_id=user.id,
            epoch=user.epoch,
            created_at=now,
            seen_at=now,
            expires_at=now + ABSOLUTE[user.role],
        )
    )
    audit_log.note(session, f"user:{user.id}", "user.sign_in", f"user:{user.id}", after={"by": how}, now=now)
    return secret


# Sessions


def who(session: Session, secret: str, *, now: datetime) -> Person | None:
    """Who holds this session; None if it is over, idle for too long, or its account was changed or closed."""
    if not secret or len(secret) > 100:
        return None
    row = session.execute(
        select(SignedIn, User)
        .join(User, User.id == SignedIn.user_id)
        .where(
            SignedIn.hash == hash_of(secret),
            SignedIn.expires_at > now,
            SignedIn.epoch == User.epoch,
            User.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    held, user = row
    # Lifetimes are those of the role held now: who becomes staff gets staff's shorter ones at once.
    if now - held.seen_at > IDLE[user.role] or now - held.created_at > ABSOLUTE[user.role]:
        return None
    return Person(user.id, user.email, user.name, user.role, held.hash, held.seen_at)


def saw(session: Session, person: Person, *, now: datetime) -> None:
    """Keep a session from going idle. Call it for what a person did, not for a page that refreshes itself."""
    session.execute(update(SignedIn).where(SignedIn.hash == person.session_hash).values(seen_at=now))


def sign_out(session: Session, session_hash: str) -> None:
    """End one session."""
    session.execute(delete(SignedIn).where(SignedIn.hash == session_hash))


def sign_out_everywhere(session: Session, user_id: int, *, now: datetime, actor: str) -> int:
    """End every session of a user; how many there were."""
    ended = session.execute(delete(SignedIn).where(SignedIn.user_id == user_id).returning(SignedIn.hash)).all()
    audit_log.note(
        session, actor, "user.sign_out_everywhere", f"user:{user_id}", after={"sessions": len(ended)}, now=now
    )
    return len(ended)
