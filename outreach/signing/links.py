"""Links in mails to signers. Their secrets are derived from the key when a mail is written and never stored.

The row keeps the secret's hash, what the link is for, and until when. A confirmation link is derived from the
signature *and* the text it was asked for: other words make another link, and the old one opens nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from outreach.errors import NotFound
from outreach.keys import Keys, hash_of
from outreach.models import Signature, Token
from outreach.settings import Settings

CONFIRM, RECEIPT = "confirm", "receipt"

#: How long a confirmation link opens.
CONFIRM_WITHIN = timedelta(days=7)

#: Ours have 32 characters; what is much longer is not even hashed.
_LONGEST_SECRET = 200


def confirm_url(settings: Settings, keys: Keys, signature: Signature) -> str:
    """The address in the confirmation mail, for the text the signature stands for now."""
    return f"{settings.base_url}/confirm/{_confirm_secret(keys, signature)}"


def receipt_url(settings: Settings, keys: Keys, signature: Signature) -> str:
    """The address of the signer's own page about their letters."""
    return f"{settings.base_url}/letter/{receipt_secret(keys, signature)}"


def receipt_secret(keys: Keys, signature: Signature) -> str:
    """The secret of the signature's receipt link."""
    return keys.token(RECEIPT, signature.ref)


def _confirm_secret(keys: Keys, signature: Signature) -> str:
    return keys.token(CONFIRM, f"{signature.ref}:{signature.text_hash}")


def issue_confirm(session: Session, signature: Signature, *, keys: Keys, now: datetime, is_first: bool = False) -> None:
    """Make the link for the signature's text open for seven days, and void those for any other text.

    `is_first` says that there can be no other: the signature was made just now.
    """
    link = confirm_link(signature, keys=keys, now=now)
    if is_first:
        session.add(link)
        return
    void_confirms(session, signature, now=now, but=link.hash)
    if token := session.get(Token, link.hash, populate_existing=True):  # asked again, or back to earlier words
        token.created_at, token.expires_at, token.voided_at = now, link.expires_at, None
    else:
        session.add(link)


def confirmed_here(session: Session, signature: Signature, *, keys: Keys, now: datetime) -> None:
    """Keep that the signature's text was confirmed on its own page: as the link to it, used."""
    issue_confirm(session, signature, keys=keys, now=now)
    session.flush()
    session.get_one(Token, hash_of(_confirm_secret(keys, signature))).used_at = now


def confirm_link(signature: Signature, *, keys: Keys, now: datetime) -> Token:
    """A new row for the link to the signature's text."""
    return _link(signature, CONFIRM, _confirm_secret(keys, signature), now=now, opens_for=CONFIRM_WITHIN)


def void_confirms(session: Session, signature: Signature, *, now: datetime, but: str = "") -> None:
    """End the signature's unused confirmation links, except the one whose hash is `but`."""
    session.execute(
        update(Token)
        .where(
            Token.signature_id == signature.id,
            Token.purpose == CONFIRM,
            Token.hash != but,
            Token.used_at.is_(None),
            Token.voided_at.is_(None),
        )
        .values(voided_at=now)
    )


def issue_receipt(session: Session, signature: Signature, *, keys: Keys, now: datetime) -> str:
    """Make the receipt link open for good; its secret."""
    link = receipt_link(signature, keys=keys, now=now)
    if session.get(Token, link.hash) is None:
        session.add(link)
    return receipt_secret(keys, signature)


def receipt_link(signature: Signature, *, keys: Keys, now: datetime) -> Token:
    """A new row for the signature's receipt link."""
    return _link(signature, RECEIPT, receipt_secret(keys, signature), now=now, opens_for=None)


def _link(signature: Signature, purpose: str, secret: str, *, now: datetime, opens_for: timedelta | None) -> Token:
    return Token(
        hash=hash_of(secret),
        purpose=purpose,
        signature_id=signature.id,
        text_hash=signature.text_hash,
        created_at=now,
        expires_at=now + opens_for if opens_for else None,
    )


def find(session: Session, secret: str, purpose: str) -> Token:
    """The link with this secret, whatever its state. NotFound says nothing about why."""
    token = None
    if len(secret) <= _LONGEST_SECRET:
        token = session.get(Token, hash_of(secret), populate_existing=True)
    if token is None or token.purpose != purpose or token.signature_id is None:
        raise NotFound(
            "This link leads nowhere.",
            advice="Open it from the mail again, whole: it may have been broken over two lines.",
        )
    return token
