"""Changing a letter until it leaves: begin, write, look at exactly what will be sent, confirm."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from outreach import signing
from outreach.domain.deliveries import Stream
from outreach.errors import BadSignature, TextChanged
from outreach.signing import Changing, SignForm
from outreach.web.bell import bell
from outreach.web.forms import NO_FILES, FormState, posted
from outreach.web.links import Guarded
from outreach.web.pages import Db, HeldKeys, Now, page

router = APIRouter(prefix="/letter/{token}/change", include_in_schema=False, dependencies=[Guarded])

#: The form's fields in the order of the page.
FIELDS = ("name", "subject", "body", "own_words")

Form = Annotated[FormState, Depends(posted)]


@router.post("")
def begin(request: Request, token: str, db: Db, now: Now) -> Response:
    """Let the letters wait, and open the form."""
    with db.begin() as session:
        signing.begin_change(session, token, now=now)
    return RedirectResponse(f"/letter/{token}/change", 303)


@router.get("")
def form(request: Request, token: str, db: Db, now: Now) -> Response:
    """The name and words as they stand."""
    with db.read() as session:
        shown = signing.changing(session, token, now=now)
    return _form_page(request, token, shown, FormState({field: getattr(shown.form, field) for field in _typed(shown)}))


@router.post("/check")
def check(request: Request, token: str, form: Form, db: Db, now: Now) -> Response:
    """The letters word for word as they would leave, and the one button; or the form again, with what is wrong."""
    try:
        if form.had_files:
            raise BadSignature({"own_words": NO_FILES})
        with db.begin() as session:
            proposed = signing.propose(session, token, sign_form(form), now=now)
    except BadSignature as error:
        with db.read() as session:
            shown = signing.changing(session, token, now=now)
        return _form_page(request, token, shown, form.with_errors(error.fields, FIELDS), status=422)
    return _check_page(request, token, proposed)


@router.post("/edit")
def edit(request: Request, token: str, form: Form, db: Db, now: Now) -> Response:
    """Back from the look at the letters to the form, with what was typed."""
    with db.read() as session:
        shown = signing.changing(session, token, now=now)
    return _form_page(request, token, shown, form)


@router.post("/confirm")
def confirm(request: Request, token: str, form: Form, db: Db, keys: HeldKeys, now: Now) -> Response:
    """Confirm exactly the letters that were shown. Are they others meanwhile, they are shown again."""
    try:
        with db.begin() as session:
            signing.change(session, token, sign_form(form), form.values.get("text", ""), keys=keys, now=now)
    except TextChanged:
        with db.begin() as session:
            proposed = signing.propose(session, token, sign_form(form), now=now)
        return _check_page(request, token, proposed, status=409)
    return RedirectResponse(f"/letter/{token}?done=changed", 303, background=bell(request, Stream.LETTERS))


@router.post("/keep")
def keep(request: Request, token: str, db: Db, now: Now) -> Response:
    """Let the letters go as they are."""
    with db.begin() as session:
        signing.end_change(session, token, now=now)
    return RedirectResponse(f"/letter/{token}?done=kept", 303, background=bell(request, Stream.LETTERS))


def sign_form(form: FormState) -> SignForm:
    """What may be changed, as it was typed."""
    name, subject, body, own_words = (form.values.get(field, "") for field in FIELDS)
    return SignForm(name=name, email="", subject=subject, body=body, own_words=own_words)


def _typed(shown: Changing) -> tuple[str, ...]:
    """The fields that this campaign lets its signers fill in."""
    closed = {"subject": not shown.edit_subject, "body": not shown.edit_body}
    return tuple(field for field in FIELDS if not closed.get(field))


def _form_page(request: Request, token: str, shown: Changing, form: FormState, *, status: int = 200) -> Response:
    return _page(request, "public/change.html", token, shown, status, form=form)


def _check_page(request: Request, token: str, shown: Changing, *, status: int = 200) -> Response:
    fields = {field: getattr(shown.form, field) for field in _typed(shown)}
    return _page(request, "public/change_check.html", token, shown, status, fields=fields, has_changed=status == 409)


def _page(request: Request, name: str, token: str, shown: Changing, status: int, **context: Any) -> Response:
    own = shown.form.language
    return page(request, name, status=status, own_language=own, shown=shown, token=token, **context)
