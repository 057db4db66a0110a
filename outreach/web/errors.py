"""Error pages: plain words, no codes, and what was kept."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.responses import Response

from outreach.errors import BadInput, NotFound, NotNow, OutOfReach
from outreach.web.pages import page

#: status → (title, what happened, what to do now)
_WORDS = {
    400: ("This request cannot be read", "Your browser or a program asked for something in a way we do not know.",
          "Go back, reload the page and try again."),
    403: ("This was not sent from our page", "The form came from another site, or the page had been open for too long.",
          "Go back, reload the page and try again."),
    404: ("Page not found", "There is nothing at this address. The link may be incomplete: mail programs sometimes"
          " break long links in two.", "Copy the whole link into the address bar, or start from the front page."),
    405: ("This page cannot be used that way", "The address is right, but nothing can be sent to it like this.",
          "Start from the front page."),
    408: ("The connection was too slow", "We did not get the whole form, and kept nothing.", "Try again."),
    409: ("This cannot be done now", "Something has changed in the meantime.", "Go back and reload the page."),
    410: ("This link is no longer valid", "It has expired or was replaced by a newer one.",
          "Use the newest mail from us, or sign again."),
    413: ("That is too much text", "The form was larger than we can take, so nothing was kept.",
          "Go back and shorten what you wrote."),
    422: ("We could not read that", "Something in the form or the address is not as expected.",
          "Go back, check what you entered and try again."),
    429: ("Too many tries", "We had many requests from your network in a short time, so we stopped to take more.",
          "Try again in a minute."),
    500: ("Sorry, there is a problem with this page", "The fault is ours. We have written it down and will look at it.",
          "Go back and try again. If you had already seen a thank-you page, your signature is safe."),
    503: ("Sorry, we cannot be reached right now", "A part of the service does not answer. Nothing that you were"
          " thanked for is lost.", "Try again in a minute."),
}  # fmt: skip


def error_page(request: Request, status: int, *, said: str = "", wait: int = 0) -> Response:
    """The page for a status. `said` replaces what happened, `wait` is seconds until another try makes sense."""
    status = status if status in _WORDS else (500 if status >= 500 else 400)
    title, happened, advice = _WORDS[status]
    headers = {"Retry-After": str(wait or 60)} if status in (429, 503) else {}
    return page(request, "error.html", status=status, headers=headers, heading=title, happened=said or happened,
                advice=advice, ways=[])  # fmt: skip


def install(app: FastAPI) -> None:
    """Errors of the engine and of the framework become pages."""

    def framework(request: Request, error: Exception) -> Response:
        return error_page(request, error.status_code if isinstance(error, HTTPException) else 422)

    def away(request: Request, error: Exception) -> Response:
        return error_page(request, 503)

    def not_found(request: Request, error: Exception) -> Response:
        return error_page(request, 404)

    def said(request: Request, error: Exception) -> Response:
        message = error.message if isinstance(error, (BadInput, NotNow)) else ""
        return error_page(request, 409 if isinstance(error, NotNow) else 422, said=message)

    pages: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        HTTPException: framework,
        OutOfReach: away,
        OperationalError: away,
        NoConnectionFree: away,
        NotFound: not_found,
        NotNow: said,
        BadInput: said,
    }
    for kind, answer in pages.items():
        app.add_exception_handler(kind, answer)
