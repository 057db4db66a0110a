"""Error pages: plain words, no codes, and what was kept."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.responses import Response

from outreach.domain.sentences import Sentence, _
from outreach.errors import BadInput, NotFound, NotNow, OutOfReach
from outreach.web.pages import page
from outreach.web.speaking import is_inner

#: status → (title, what happened, what to do now)
_WORDS = {
    400: (
        _("This request cannot be read"),
        _("Your browser or a program asked for something in a way we do not know."),
        _("Go back, reload the page and try again."),
    ),
    403: (
        _("This was not sent from our page"),
        _("The form came from another site, or the page had been open for too long."),
        _("Go back, reload the page and try again."),
    ),
    404: (
        _("Page not found"),
        _(
            "There is nothing at this address. The link may be incomplete: mail programs sometimes break long links in "
            "two."
        ),
        _("Copy the whole link into the address bar, or start from the front page."),
    ),
    405: (
        _("This page cannot be used that way"),
        _("The address is right, but nothing can be sent to it like this."),
        _("Start from the front page."),
    ),
    408: (
        _("The connection was too slow"),
        _("We did not get the whole form, and kept nothing."),
        _("Try again."),
    ),
    409: (
        _("This cannot be done now"),
        _("Something has changed in the meantime."),
        _("Go back and reload the page."),
    ),
    410: (
        _("This link is no longer valid"),
        _("It has expired or was replaced by a newer one."),
        _("Use the newest mail from us, or sign again."),
    ),
    413: (
        _("That is too much text"),
        _("The form was larger than we can take, so nothing was kept."),
        _("Go back and shorten what you wrote."),
    ),
    422: (
        _("We could not read that"),
        _("Something in the form or the address is not as expected."),
        _("Go back, check what you entered and try again."),
    ),
    429: (
        _("Too many tries"),
        _("We had many requests from your network in a short time, so we stopped to take more."),
        _("Try again in a minute."),
    ),
    500: (
        _("Sorry, there is a problem with this page"),
        _("The fault is ours. We have written it down and will look at it."),
        _("Go back and try again. If you had already seen a thank-you page, your signature is safe."),
    ),
    503: (
        _("Sorry, we cannot be reached right now"),
        _("A part of the service does not answer. Nothing that you were thanked for is lost."),
        _("Try again in a minute."),
    ),
}


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
        if not (isinstance(message, Sentence) or is_inner(request)):
            message = ""  # it was written for organizers, not for signers
        return error_page(request, 409 if isinstance(error, NotNow) else 422, said=message)

    pages: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        HTTPException: framework,
        RequestValidationError: framework,
        OutOfReach: away,
        OperationalError: away,
        NoConnectionFree: away,
        NotFound: not_found,
        NotNow: said,
        BadInput: said,
    }
    for kind, answer in pages.items():
        app.add_exception_handler(kind, answer)
