"""The form on partners' sites: a frame that only the sites a campaign lists may show, and the script that makes it.

The frame sets no cookie and keeps no draft, and what it posts opens as a page of ours in the whole window: what comes
after the form is for the signer alone and can never be shown in a frame.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from outreach.web.forms import FormState
from outreach.web.guards import content_policy
from outreach.web.pages import STATIC, Db, page
from outreach.web.public import TRAP, read_campaign
from outreach.web.sources import carried

router = APIRouter(include_in_schema=False)

#: Other sites load these; every other answer of ours is for our own pages.
_FOR_OTHERS = {"Cross-Origin-Resource-Policy": "cross-origin"}


@router.get("/embed.js")
def script() -> Response:
    """The one tag of a partner's page. Its address never changes, so a browser asks for a newer one every hour."""
    headers = {**_FOR_OTHERS, "Cache-Control": "public, max-age=3600"}
    return FileResponse(STATIC / "embed.js", media_type="text/javascript", headers=headers)


@router.get("/embed/{slug}")
def embed(request: Request, slug: str, db: Db) -> Response:
    """What stands in the frame: who is asked, the letter to fold out, and the form."""
    with db.read() as session:
        shown = read_campaign(request, session, slug)
    return page(
        request,
        "public/embed.html",
        headers=headers_for(shown.embed_origins),
        default_language=shown.language,
        campaign=shown,
        form=FormState(carried(request.query_params)),
        trap=TRAP,
    )


def headers_for(origins: tuple[str, ...]) -> dict[str, str]:
    """The headers of the framed page: the listed sites may frame it, our own page may, and nobody else."""
    sites = " ".join(("'self'", *origins)) if origins else "'none'"
    return {
        **_FOR_OTHERS,
        "Content-Security-Policy": content_policy(frame_ancestors=sites),
        "Cache-Control": "no-cache",
    }
