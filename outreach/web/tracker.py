"""`/letter/TOKEN`: thank you, and from then on what became of each letter and what may be done about it.

Its address is the signer's own and can be kept. For an hour after confirming it thanks first and asks to share; later
it begins with the letters. The pages of its acts stand in rooms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from outreach import forecasts, replies, signing
from outreach.domain.deliveries import State
from outreach.keys import Keys
from outreach.replies import SignersReply
from outreach.signing import Receipt, Shares
from outreach.web.expected import Expected, expected
from outreach.web.links import Guarded
from outreach.web.pages import Db, HeldKeys, Now, page, settings_of

router = APIRouter(prefix="/letter/{token}", include_in_schema=False, dependencies=[Guarded])

#: How long the page is first of all a thank-you.
_FRESH = timedelta(hours=1)

#: What was just done, for the banner: a word of ours from the address.
DONE = ("changed", "kept", "hidden", "shown", "sent", "withdrawn")


@dataclass(frozen=True, slots=True)
class Tracked:
    """Everything `/letter/TOKEN` says."""

    receipt: Receipt
    replies: tuple[SignersReply, ...]
    expected: Mapping[int, Expected]  #: by delivery, for letters that wait in line
    signatures: int
    shares: Shares | None
    is_fresh: bool


@router.get("")
def tracker(
    request: Request,
    token: str,
    db: Db,
    keys: HeldKeys,
    now: Now,
    done: str = "",
) -> Response:
    """What became of the letters."""
    with db.read() as session:
        tracked = track(request, session, token, keys=keys, now=now)
    done = done if done in DONE else ""
    return letter_page(request, "public/letter.html", tracked.receipt, token, tracked=tracked, done=done)


def track(request: Request, session: Session, token: str, *, keys: Keys, now: datetime) -> Tracked:
    """The receipt, with what is foreseen of the letters that wait."""
    receipt = signing.receipt(session, token, keys=keys, now=now)
    settings, counts = settings_of(request), request.app.state.counts
    waiting = [letter.delivery for letter in receipt.letters if letter.state in (State.QUEUED, State.CLAIMED)]
    places = forecasts.of_letters(session, waiting, now=now, settings=settings)
    return Tracked(
        receipt,
        replies.signers_replies(session, receipt.reference),
        {id_: expected(place) for id_, place in places.items()},
        counts.of(session, [receipt.campaign_id])[receipt.campaign_id],
        signing.shares(session, receipt.share) if receipt.share else None,
        is_fresh=receipt.confirmed_at is not None and now < receipt.confirmed_at + _FRESH,
    )


def letter_page(
    request: Request, name: str, receipt: Receipt, token: str, *, status: int = 200, **context: Any
) -> Response:
    """A page about a signer's own letters, in their language."""
    return page(request, name, status=status, own_language=receipt.language, receipt=receipt, token=token, **context)
