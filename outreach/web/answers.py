"""A signer says on their own page whether an office's answer may stand on the campaign's page."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from outreach import replies
from outreach.web.links import Guarded
from outreach.web.pages import Db, Now

router = APIRouter(prefix="/letter/{token}/replies/{ref}", include_in_schema=False, dependencies=[Guarded])


@router.post("/share")
def share(token: str, ref: str, db: Db, now: Now) -> Response:
    """They want it shown; an organizer decides."""
    with db.begin() as session:
        replies.ask_to_share(session, token, ref, now=now)
    return RedirectResponse(f"/letter/{token}#answers", 303)


@router.post("/keep-private")
def keep_private(token: str, ref: str, db: Db, now: Now) -> Response:
    """They do not, or no longer: it is off the page at once."""
    with db.begin() as session:
        replies.keep_private(session, token, ref, now=now)
    return RedirectResponse(f"/letter/{token}#answers", 303)
