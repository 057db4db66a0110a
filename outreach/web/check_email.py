"""After signing: the address we wrote to, another mail after a minute, and the way back to another address."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.deliveries import Stream
from outreach.web import campaign_pages, speaking
from outreach.web.beat import await_the_beat
from outreach.web.bell import bell
from outreach.web.pages import Db, HeldKeys, HeldSettings, Now, page
from outreach.web.rates import Rates, rates_of
from outreach.web.sent_cookies import Sent, remember_sent, sent_of

router = APIRouter(prefix="/c/{slug}/check-your-email", include_in_schema=False)

#: Seconds until the link may be asked for once more.
_RESEND_AFTER = 60


@router.get("")
def check_your_email(request: Request, slug: str, db: Db, now: Now, again: str = "") -> Response:
    """The same page for everybody: what it knows is what this browser itself typed in the last hour."""
    with db.read() as session:
        shown = campaign_pages.heading(session, slug, wished=speaking.wished(request))
    sent = sent_of(request, slug, now=now)
    wait = max(0, sent.at + _RESEND_AFTER - int(now.timestamp())) if sent else 0
    return page(
        request,
        "public/check_your_email.html",
        default_language=shown.language,
        campaign=shown,
        sent=sent,
        wait=wait,
        is_again=bool(again),
    )


@router.post("/again")
def send_again(
    request: Request,
    slug: str,
    db: Db,
    rates: Annotated[Rates, Depends(rates_of)],
    settings: HeldSettings,
    keys: HeldKeys,
    now: Now,
) -> Response:
    """Mail the link once more, where somebody waits for one; the answer does not tell."""
    here = f"/c/{slug}/check-your-email"
    sent = sent_of(request, slug, now=now)
    too_soon = sent is not None and sent.at + _RESEND_AFTER > now.timestamp()
    if sent is None or too_soon or rates.take(request, "sign", per_minute=settings.signs_per_minute):
        return RedirectResponse(here, 303)
    begun = time.monotonic()
    with db.begin() as session:
        signing.ask_again(session, slug, sent.address, keys=keys, settings=settings, now=now)
    done = RedirectResponse(f"{here}?again=yes", 303, background=bell(request, Stream.ACT))
    remember_sent(request, done, Sent(slug, sent.address, int(now.timestamp())))
    await_the_beat(begun)
    return done
