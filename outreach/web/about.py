"""What a reader may want to know of the site itself: what becomes of their data, who can use it, whom to ask."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from outreach.web.pages import page, settings_of

router = APIRouter(include_in_schema=False)

_PUBLIC = {"Cache-Control": "no-cache"}


@router.get("/privacy")
def privacy(request: Request) -> Response:
    """What is kept, what for, how long, and how to have it ended; the spans are those of the settings."""
    return page(request, "public/privacy.html", headers=_PUBLIC, settings=settings_of(request))


@router.get("/accessibility")
def accessibility(request: Request) -> Response:
    """What the pages are tried with, and what to do where they keep somebody out."""
    return page(request, "public/accessibility.html", headers=_PUBLIC)


@router.get("/contact")
def contact(request: Request) -> Response:
    """Whom to write to, as a signer and as an office that gets letters."""
    return page(request, "public/contact.html", headers=_PUBLIC)
