"""A signer says on their own page that they sent a letter themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.own_mail import Way
from outreach.web.forms import FormState, posted
from outreach.web.links import Db, Guarded, Now

router = APIRouter(include_in_schema=False)


@router.post("/letter/{token}/sent/{target_id:int}", dependencies=[Guarded])
def sent(
    request: Request, token: str, target_id: int, form: Annotated[FormState, Depends(posted)], db: Db, now: Now
) -> Response:
    """Note it, and call off ours to this target if it has not left."""
    told = form.values.get("way", "")
    way = Way(told) if told in set(Way) else Way.COPY
    with db.begin() as session:
        signing.self_sent(session, token, target_id, way, now=now)
    return RedirectResponse(f"/letter/{token}?done=sent", 303)
