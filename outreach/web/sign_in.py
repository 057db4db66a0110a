"""Signing in and out: by password, or by a link that works once. Nothing here tells whether an account exists."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import accounts
from outreach.accounts import ABSOLUTE, Person
from outreach.models import Role
from outreach.web.cookies import cookie_name, set_cookie
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, page
from outreach.web.rates import rates_of
from outreach.web.sessions import (
    FORM_TOKEN,
    HOME,
    allowed_next,
    door,
    look,
    person_of,
    same,
    secret_of,
)

router = APIRouter(include_in_schema=False)
#: Signing out needs a session of any role, and its form token.
_inside = APIRouter(include_in_schema=False, route_class=door(Role.ORGANIZER))

#: Tries to sign in per minute, right or wrong, counted before a password is looked at: parallel tries gain nothing.
PER_NETWORK = 10
PER_ACCOUNT = 5

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

_WRONG = "The email address or the password is wrong."
_STALE = "The page had been open for too long. Try again."


@router.get("/sign-in")
def show(request: Request, next: str = "") -> Response:
    """The form; whoever is signed in already goes on."""
    person = look(request)
    if person is not None:
        return RedirectResponse(_onward(person.role, next), 303)
    return _form(request, FormState({"next": allowed_next(next)}))


@router.post("/sign-in")
def sign_in(request: Request, form: Form) -> Response:
    """Weigh address and password; the same answer whichever is wrong."""
    if not _carries_nonce(request, form):
        return _form(request, form.with_errors({"email": _STALE}), status=403)
    email, password = form.values.get("email", "").strip(), form.values.get("password", "")
    wait = _count(request, email)
    if wait:
        said = f"Too many tries. Try again in {wait} seconds."
        return _form(request, form.with_errors({"email": said}), status=429, wait=wait)
    secret = accounts.sign_in(db_of(request), email, password, replacing=secret_of(request), now=now_of(request))
    if secret is None:
        return _form(request, form.with_errors({"email": _WRONG}), status=422)
    return _welcome(request, secret, form.values.get("next", ""))


@router.get("/sign-in/{secret}")
def show_link(request: Request, secret: str) -> Response:
    """A button, and nothing else: mail scanners follow links, and following must not use this one up."""
    with db_of(request).read() as session:
        good = accounts.link_is_good(session, secret, now=now_of(request))
    return _link_page(request, secret, good=good)


@router.post("/sign-in/{secret}")
def follow_link(request: Request, secret: str, form: Form) -> Response:
    """Use the link up and sign in."""
    now = now_of(request)
    if not _carries_nonce(request, form):
        with db_of(request).read() as session:
            good = accounts.link_is_good(session, secret, now=now)
        return _link_page(request, secret, good=good, status=403)
    wait = rates_of(request).take(request, "sign_in", per_minute=PER_NETWORK)
    if wait:
        return _link_page(request, secret, good=True, status=429, wait=wait)
    with db_of(request).begin() as session:
        fresh = accounts.sign_in_by_link(session, secret, replacing=secret_of(request), now=now)
    return _welcome(request, fresh, "") if fresh else _link_page(request, secret, good=False)


@_inside.post("/sign-out")
def sign_out(request: Request, person: Signed) -> Response:
    """End this session."""
    with db_of(request).begin() as session:
        accounts.sign_out(session, person.session_hash)
    return _goodbye(request)


@_inside.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request, person: Signed) -> Response:
    """End every session of this person, on every machine."""
    with db_of(request).begin() as session:
        accounts.sign_out_everywhere(session, person.user_id, now=now_of(request), actor=person.actor)
    return _goodbye(request)


router.include_router(_inside)


def _onward(role: Role, wish: str) -> str:
    wish = allowed_next(wish)
    return wish if wish and (role is Role.STAFF or not wish.startswith("/staff")) else HOME[role]


def _count(request: Request, email: str) -> int:
    rates = rates_of(request)
    account = keys_of(request).token("account", email.lower()[:320])
    return max(
        rates.take(request, "sign_in", per_minute=PER_NETWORK),
        rates.take(request, "sign_in_account", per_minute=PER_ACCOUNT, subject=account),
    )


def _welcome(request: Request, secret: str, wish: str) -> Response:
    with db_of(request).read() as session:
        person = accounts.who(session, secret, now=now_of(request))
    assert person is not None  # noqa: S101 (it was made a moment ago)
    response = RedirectResponse(_onward(person.role, wish), 303)
    set_cookie(request, response, secret, max_age=int(ABSOLUTE[person.role].total_seconds()))
    return response


def _goodbye(request: Request) -> Response:
    response = RedirectResponse("/sign-in", 303)
    set_cookie(request, response, "", max_age=0)
    return response


# Before there is a session, a form is known by a random cookie of its own: no other site can post it for somebody.


def _form(request: Request, form: FormState, *, status: int = 200, wait: int = 0) -> Response:
    return _with_nonce(request, "sign_in/form.html", status=status, wait=wait, form=form)


def _link_page(request: Request, secret: str, *, good: bool, status: int = 200, wait: int = 0) -> Response:
    status = status if good else 410
    return _with_nonce(request, "sign_in/link.html", status=status, wait=wait, secret=secret, good=good)


def _with_nonce(request: Request, name: str, *, status: int, wait: int, **context: Any) -> Response:
    nonce = _nonce(request) or secrets.token_urlsafe(24)
    token = keys_of(request).token("sign_in_form", nonce)
    headers = {"Retry-After": str(wait)} if wait else {}
    response = page(request, name, status=status, headers=headers, form_token=token, wait=wait, **context)
    set_cookie(request, response, nonce, purpose="form", max_age=None)
    return response


def _nonce(request: Request) -> str:
    nonce = request.cookies.get(cookie_name(request, "form"), "")
    return nonce if 20 <= len(nonce) <= 64 else ""


def _carries_nonce(request: Request, form: FormState) -> bool:
    nonce = _nonce(request)
    return bool(nonce) and same(form.values.get(FORM_TOKEN), keys_of(request).token("sign_in_form", nonce))
