"""The page behind "stop these mails": one click for mail programs (RFC 8058), a choice and a way back for people.

Opening it changes nothing. A POST needs no cookie, no session and no form of ours, and is never redirected.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from outreach import stopping
from outreach.web.forms import form_of
from outreach.web.links import Guarded
from outreach.web.pages import Db, HeldKeys, Now, page

router = APIRouter(prefix="/u", include_in_schema=False)


async def chosen(request: Request) -> stopping.Much:
    """What the body says. One click comes in any shape: as a form of either kind, empty, or unreadable."""
    try:
        form = await form_of(request)
    except HTTPException:
        return stopping.Much.NEWS
    value = form.get("much", "")
    return stopping.much_of(value if isinstance(value, str) else "")


@router.get("/{token}", dependencies=[Guarded])
def ask(request: Request, token: str, db: Db, keys: HeldKeys) -> Response:
    """What can be stopped, and what has been."""
    with db.read() as session:
        reader = stopping.reader_of(session, token, keys=keys)
        return _page(request, token, reader, stopping.stopped(session, reader))


@router.post("/{token}", dependencies=[Guarded])
def stop(
    request: Request,
    token: str,
    much: Annotated[stopping.Much, Depends(chosen)],
    db: Db,
    keys: HeldKeys,
    now: Now,
) -> Response:
    """Stop what the form says; without a word of ours in it, every mailing."""
    with db.begin() as session:
        reader = stopping.stop(session, token, keys=keys, much=much, source="link", now=now)
        return _page(request, token, reader, stopping.stopped(session, reader), is_done=True)


@router.post("/{token}/undo", dependencies=[Guarded])
def undo(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    """Take every no back."""
    with db.begin() as session:
        reader = stopping.take_back(session, token, keys=keys, source="link", now=now)
        return _page(request, token, reader, stopping.stopped(session, reader), is_undone=True)


def _page(
    request: Request,
    token: str,
    reader: stopping.Reader,
    stopped: list[stopping.Much],
    *,
    is_done: bool = False,
    is_undone: bool = False,
) -> Response:
    return page(
        request,
        "public/unsubscribe.html",
        own_language=reader.language,
        default_language=reader.campaign.language,
        token=token,
        reader=reader,
        campaign=reader.campaign_title,
        sponsor=reader.organisation.name if reader.organisation else "",
        stopped=stopped[0].value if stopped else "",
        is_done=is_done,
        is_undone=is_undone,
    )
