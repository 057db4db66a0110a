"""In which language a page answers, and how its reader takes another.

What the reader chose counts most (`?lang=es` in the address, kept in a cookie until the browser closes), then the
language of what the page is about (a signature's), then what the browser asks for, then the campaign's. The pages of
organizers and staff are English. In a frame on another site there is no cookie: there the address keeps the choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

from outreach.languages import SOURCE, Language, language, languages, preferred, spoken
from outreach.web.cookies import cookie_name, set_cookie

CHOICE = "lang"
#: On these, what a page says depends on the request's headers too.
VARY = "Accept-Language, Cookie"

_INNER = ("/console", "/staff", "/sign-", "/dev/", "/hooks/", "/api/")
_FRAMED = "/embed/"


@dataclass(frozen=True, slots=True)
class Way:
    """One line of the language switch. `path` shows the same page in that language."""

    code: str
    name: str
    path: str
    direction: str
    is_current: bool


def language_of(request: Request, *, own: str = "", default: str = "") -> Language:
    """The language this request is answered in.

    `own` is that of the signature the page is about, `default` that of the campaign; "" where there is none.
    """
    return language(SOURCE if is_inner(request) else wished(request, own=own) or default)


def wished(request: Request, *, own: str = "") -> str:
    """The language of ours that the reader wishes for, or ""."""
    wishes = (chosen(request), request.cookies.get(cookie_name(request, CHOICE), ""), own)
    return next(filter(None, map(spoken, wishes)), "") or preferred(request.headers.get("accept-language", ""))


def is_inner(request: Request) -> bool:
    """Whether this is a page of organizers or staff, or an answer to a machine."""
    return request.url.path.startswith(_INNER)


def chosen(request: Request) -> str:
    """The language that the address asks for, or ""."""
    return spoken(request.query_params.get(CHOICE, "")[:20])


def leading_on(request: Request, path: str, code: str) -> str:
    """`path` as a form in the language `code` leads to it: it says which, where the browser would get another."""
    return path if language_of(request).code == code else f"{path}?{CHOICE}={code}"


def ways(request: Request, speaker: Language) -> list[Way]:
    """The language switch of this page; empty where there is nothing to switch, or no address to come back to."""
    if is_inner(request) or request.method != "GET" or len(languages()) == 1:
        return []
    path = request.url.path
    return [
        Way(each.code, each.name, f"{path}?{CHOICE}={each.code}", each.direction, each is speaker)
        for each in languages()
    ]


def remember(request: Request, response: Response) -> None:
    """Keep what the address chose for the pages that follow, until the browser closes."""
    if chosen(request) and not is_inner(request) and not request.url.path.startswith(_FRAMED):
        set_cookie(request, response, chosen(request), purpose=CHOICE, max_age=None, samesite="lax")
