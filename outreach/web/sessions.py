"""Who is asking: the session's cookie, the door in front of the inner pages, and the token in every form there.

A router made with `route_class=door(Role.STAFF)` has no page that forgets to ask: whoever is not signed in is sent
to sign in, whoever has the wrong role is told so, and a POST without the session's form token goes no further.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from outreach import accounts, dashboards
from outreach.accounts import Person
from outreach.models import Role
from outreach.web import words
from outreach.web.cookies import cookie_name
from outreach.web.errors import error_page
from outreach.web.forms import form_of
from outreach.web.pages import db_of, keys_of, now_of, page

#: Where somebody is taken who just signed in.
HOME = {Role.STAFF: "/staff", Role.ORGANIZER: "/console"}
#: The hidden field of every form behind a door.
FORM_TOKEN = "form_token"  # noqa: S105 (a name, not a secret)

#: Where a sign-in page may lead on to: our own inner pages, spelled plainly. Everything else is a stranger's wish.
_OURS = re.compile(r"/(?:staff|console)(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9_=&:-]*)?")


# The door


def secret_of(request: Request) -> str:
    """The secret the browser came with; "" if none."""
    return request.cookies.get(cookie_name(request), "")


def person_of(request: Request) -> Person:
    """Who is signed in. For pages behind a door; a dependency."""
    return request.state.person  # type: ignore[no-any-return]


def door(least: Role) -> type[APIRoute]:
    """A route class for pages that need a role; staff may go wherever organizers may."""

    class Door(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                person = await run_in_threadpool(look, request)
                if person is None:
                    return to_sign_in(request)
                if least is Role.STAFF and not person.is_staff:
                    return page(request, "sign_in/not_yours.html", status=403, person=person, home=HOME[person.role])
                if request.method != "GET" and not await _carries_token(request, form_token(request, person)):
                    return error_page(request, 403)
                request.state.person = person
                return await inner(request)

            return handle

    return Door


def look(request: Request) -> Person | None:
    """Who is signed in, or None. What a person does keeps the session alive; what a page does by itself does not."""
    secret = secret_of(request)
    if not secret:
        return None
    db, now = db_of(request), now_of(request)
    with db.read() as session:
        person = accounts.who(session, secret, now=now)
    if person and "live" not in request.query_params and now - person.seen_at >= accounts.SEEN_EVERY:
        with db.begin() as session:
            accounts.saw(session, person, now=now)
    return person


def to_sign_in(request: Request) -> Response:
    """Off to the sign-in page, and back here afterwards if here is a page."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    following = f"?next={quote(here)}" if request.method == "GET" and allowed_next(here) else ""
    return RedirectResponse(f"/sign-in{following}", 303)


def allowed_next(wish: str) -> str:
    """The address, if it is one of our inner pages; else ""."""
    return wish if len(wish) <= 300 and _OURS.fullmatch(wish) else ""


# Forms


def form_token(request: Request, person: Person) -> str:
    """What every form of this session carries. Another session's token, or none, is refused."""
    return keys_of(request).token("form", person.session_hash)


async def _carries_token(request: Request, expected: str) -> bool:
    form = await form_of(request)
    return same(form.get(FORM_TOKEN), expected)


def same(given: object, expected: str) -> bool:
    """Whether what was posted is the token, compared without telling how far it fits."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


# Pages


def inside(request: Request, name: str, /, *, status: int = 200, **context: Any) -> Response:
    """A page behind a door: who is signed in, the token for its forms, and whether everything stands still."""
    person = person_of(request)
    with db_of(request).read() as session:
        brakes = dashboards.brakes_now(session)
    return page(
        request,
        name,
        status=status,
        person=person,
        home=HOME[person.role],
        form_token=form_token(request, person),
        stopped=next((brake for brake in brakes if brake.stops_everything), None),
        words=words,
        now=now_of(request),
        **context,
    )
