"""What a signer may take back on their own page: the signature, the name in public, everything we hold about them.

And a copy of it, before or instead.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from outreach import people, signing
from outreach.domain.sentences import _
from outreach.people import Person
from outreach.web.forms import FormState, posted
from outreach.web.links import Guarded
from outreach.web.pages import Db, HeldKeys, Now, page, settings_of
from outreach.web.speaking import language_of
from outreach.web.tracker import letter_page

router = APIRouter(include_in_schema=False)
_LETTER = "/letter/{token}"

Form = Annotated[FormState, Depends(posted)]


@router.get(f"{_LETTER}/withdraw", dependencies=[Guarded])
def ask_withdraw(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    with db.read() as session:
        found = signing.receipt(session, token, keys=keys, now=now)
    if not found.can_withdraw:
        return RedirectResponse(f"/letter/{token}", 303)
    return letter_page(request, "public/withdraw.html", found, token)


@router.post(f"{_LETTER}/withdraw", dependencies=[Guarded])
def withdraw(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    with db.begin() as session:
        signing.withdraw(session, token, keys=keys, now=now)
    return RedirectResponse(f"/letter/{token}", 303)


@router.post(f"{_LETTER}/name", dependencies=[Guarded])
def name(request: Request, token: str, form: Form, db: Db, now: Now) -> Response:
    """Hide the name from now on, or show it again: one more line in the consent ledger."""
    shown = form.values.get("shown") == "yes"
    with db.begin() as session:
        signing.show_name(session, token, shown=shown, now=now)
    return RedirectResponse(f"/letter/{token}?done={'shown' if shown else 'hidden'}", 303)


@router.get(f"{_LETTER}/data.json", dependencies=[Guarded])
def data(request: Request, token: str, db: Db) -> Response:
    """Every row about the person, by table."""
    with db.read() as session:
        found = people.export(session, Person(*signing.whose(session, token)))
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    return JSONResponse(found, headers=headers)


@router.get(f"{_LETTER}/erase", dependencies=[Guarded])
def ask_erase(request: Request, token: str, db: Db, keys: HeldKeys, now: Now) -> Response:
    """What erasing comes to, what stays, and the word to type."""
    return _ask_erase(request, token, db, keys, now, FormState())


@router.post(f"{_LETTER}/erase", dependencies=[Guarded])
def erase(request: Request, token: str, form: Form, db: Db, keys: HeldKeys, now: Now) -> Response:
    """Erase the person behind the letter, once its name has been typed."""
    with db.read() as session:
        receipt = signing.receipt(session, token, keys=keys, now=now)
    speaker = language_of(request, own=receipt.language)
    word = speaker.say(_("erase"))
    if form.values.get("word", "").strip().casefold() not in {word.casefold(), "erase"}:
        error = _("Type the word “%(word)s” to confirm.", word=word)
        return _ask_erase(request, token, db, keys, now, form.with_errors({"word": error}), status=422)
    with db.begin() as session:
        person = Person(*signing.whose(session, token))
        people.erase(session, person, actor="signer", now=now, at_sendgrid=settings_of(request).uses_sendgrid)
    people.clear(db, settings_of(request), now=now)
    return RedirectResponse("/erased", 303)


@router.get("/erased")
def erased(request: Request) -> Response:
    return page(request, "public/erased.html")


def _ask_erase(
    request: Request, token: str, db: Db, keys: HeldKeys, now: Now, form: FormState, *, status: int = 200
) -> Response:
    with db.read() as session:
        receipt = signing.receipt(session, token, keys=keys, now=now)
        comes_to = people.look(session, Person(*signing.whose(session, token)))
    return letter_page(request, "public/erase.html", receipt, token, status=status, form=form, comes_to=comes_to)
