"""`/s/CODE`: a signer's short link leads to the campaign's page, and counts that somebody came."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.web.links import Guarded
from outreach.web.pages import Db
from outreach.web.sources import VIA
from outreach.web.visits import Visits

router = APIRouter(include_in_schema=False)

#: Programs that fetch a link to show what is behind it; no person has come yet.
_NOBODY = re.compile(
    r"bot\b|crawl|spider|preview|facebookexternalhit|whatsapp|telegram|slack|discord|curl|python", re.IGNORECASE
)


def visits_of(request: Request) -> Visits:
    return request.app.state.visits  # type: ignore[no-any-return]


@router.get("/s/{code}", dependencies=[Guarded])
def shared(request: Request, code: str, db: Db, visits: Annotated[Visits, Depends(visits_of)]) -> Response:
    """To the campaign's page, which carries the code on to the form."""
    with db.read() as session:
        slug = signing.shared_campaign(session, code)
    if _is_somebody(request):
        visits.note(code)
    return RedirectResponse(f"/c/{slug}?{VIA}={code}", 303)


def _is_somebody(request: Request) -> bool:
    is_ahead = any("prefetch" in request.headers.get(name, "") for name in ("sec-purpose", "purpose"))
    agent = request.headers.get("user-agent", "")
    return bool(agent) and not is_ahead and not _NOBODY.search(agent)
