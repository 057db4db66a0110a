"""The page behind the link that asks for confirmation, and what every page behind a mailed link shares.

Opening a link changes nothing: mail scanners open every link there is. A button does it, and the unguessable token
in the address is the right to press it. A token that nobody was given answers like any address that does not exist,
and a network that guesses is soon made to wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.deliveries import Stream
from outreach.errors import NotFound, NotNow
from outreach.faultpoints import reached
from outreach.web.bell import bell
from outreach.web.pages import Db, HeldKeys, Now, page
from outreach.web.rates import Rates, rates_of

router = APIRouter(include_in_schema=False)

#: Links that lead nowhere, per minute and network, before we stop looking them up.
GUESSES_PER_MINUTE = 60

#: The status of the page that shows a confirmation in a state; a link that is over is 410, not an error of the reader.
_STATUS = {
    "open": 200,
    "confirmed": 200,
    "changed": 409,
    "expired": 410,
    "withdrawn": 410,
    "invalidated": 410,
    "closed": 410,
}


def unguessed(request: Request, rates: Annotated[Rates, Depends(rates_of)]) -> Iterator[None]:
    """A dependency: 429 for a network that has tried too many links that lead nowhere."""
    if rates.look(request, "guess", per_minute=GUESSES_PER_MINUTE):
        raise HTTPException(429)
    try:
        yield
    except NotFound:
        rates.take(request, "guess", per_minute=GUESSES_PER_MINUTE)
        raise


Guarded = Depends(unguessed)


@router.get("/confirm/{token}", dependencies=[Guarded])
def look(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    """The letters, word for word as they would leave, and the one button."""
    with db.read() as session:
        pending = signing.look(session, token, keys=keys, now=now)
    return page(
        request,
        "public/confirm.html",
        status=_STATUS[pending.state],
        own_language=pending.language,
        pending=pending,
        token=token,
    )


@router.post("/confirm/{token}", dependencies=[Guarded])
def confirm(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    """Confirm exactly the letters that were shown. A second press leads to the same page."""
    try:
        with db.begin() as session:
            confirmed = signing.confirm(session, token, keys=keys, now=now)
            reached("web_before_commit")
        reached("web_after_commit")
    except NotNow:  # expired, changed or withdrawn: the page knows which, and what to do next
        return look(request, token, db, keys, now)
    # The receipt leaves by the stream of notices, the letters by their own.
    ring = bell(request, Stream.ACT, Stream.LETTERS)
    return RedirectResponse(f"/letter/{confirmed.receipt_token}", 303, background=ring)
