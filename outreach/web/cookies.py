"""The cookies we set: what each is called, and that no script reads it and no other host sets it."""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from starlette.responses import Response

from outreach.settings import Settings


def cookie_name(request: Request, purpose: str = "") -> str:
    """ "__Host-outreach": no other host can set it, plain http never carries it. On http browsers refuse the prefix."""
    name = f"outreach-{purpose}" if purpose else "outreach"
    return f"__Host-{name}" if _is_https(request) else name


def set_cookie(
    request: Request,
    response: Response,
    value: str,
    *,
    purpose: str = "",
    max_age: int | None,
    samesite: Literal["lax", "strict"] = "strict",
) -> None:
    """Set (or with `max_age=0` remove) a cookie. Strictly, no link on another site makes a browser send it along."""
    response.set_cookie(
        cookie_name(request, purpose),
        value,
        max_age=max_age,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite=samesite,
    )


def _is_https(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    return settings.base_url.startswith("https://")
