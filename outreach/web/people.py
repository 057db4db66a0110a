"""The staff's pages of a person's rights: what we hold about somebody, all of it as a file, and its end.

Whoever is asked for stands in a form only, never in a page's address: addresses of pages are kept by browsers and logs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from outreach import audit_log, people
from outreach.accounts import Person
from outreach.domain.addresses import address_key
from outreach.models import Role
from outreach.people import Erased
from outreach.signing.forms import clean_address
from outreach.web.forms import FormState, posted
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.web.sessions import door, inside, person_of

router = APIRouter(prefix="/staff/people", include_in_schema=False, route_class=door(Role.STAFF))

Form = Annotated[FormState, Depends(posted)]
Signed = Annotated[Person, Depends(person_of)]

#: What the rows of each table are to somebody who asks what we hold.
TABLES = {
    "supporters": "The address",
    "signatures": "Signatures: name, place, own words",
    "consents": "What they agreed to, and took back",
    "tokens": "Links in mails to them",
    "deliveries": "Letters in their name, and mails to them",
    "attempts": "Tries to hand these over",
    "delivery_log": "Steps of these on their way",
    "provider_events": "What mail providers reported",
    "anomalies": "Reports that did not fit",
    "replies": "Answers to their letters",
    "self_sends": "Letters they sent by their own mail",
    "share_links": "Their short link, and how often it was opened",
    "steps": "Follow-ups",
    "suppressions": "Notes not to write to them (a hash of the address)",
}


@dataclass(frozen=True, slots=True)
class Held:
    """What we hold about one person, in counts."""

    known: bool
    rows: tuple[tuple[str, int], ...]
    erasing: Erased  #: what erasing them would come to

    @property
    def total(self) -> int:
        return sum(n for _, n in self.rows)


@router.get("")
def ask(request: Request, done: str = "") -> Response:
    """A form with one address."""
    return _ask_page(request, FormState(), done=done)


@router.post("")
def look(request: Request, form: Form) -> Response:
    """What we hold about the person with this address, table by table."""
    address, wrong = _address_in(form)
    if wrong:
        return _ask_page(request, wrong, status=422)
    with db_of(request).read() as session:
        held = _held(request, session, address)
    return inside(request, "staff/person.html", address=address, held=held)


@router.post("/export")
def export(request: Request, form: Form, person: Signed) -> Response:
    """Every row about them as one JSON file. Who took it is in the audit log."""
    address, wrong = _address_in(form)
    if wrong:
        return _ask_page(request, wrong, status=422)
    with db_of(request).begin() as session:
        who = people.find(session, address, keys=keys_of(request))
        tables = people.export(session, who)
        audit_log.note(session, person.actor, "person.export", f"address:{who.address_hash[:12]}", now=now_of(request))
    return Response(
        json.dumps(tables, ensure_ascii=False, indent=1) + "\n",
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="person.json"'},
    )


@router.post("/check-erase")
def check_erase(request: Request, form: Form) -> Response:
    """What erasing them comes to, and the form that asks for the address once more."""
    address, wrong = _address_in(form)
    return _ask_page(request, wrong, status=422) if wrong else _erase_page(request, address, FormState())


@router.post("/erase")
def erase(request: Request, form: Form, person: Signed) -> Response:
    """Take them out of every table, and then out of what lies outside the database."""
    address, wrong = _address_in(form)
    if wrong:
        return _ask_page(request, wrong, status=422)
    if address_key(form.values.get("again", "").strip()) != address_key(address):
        said = {"again": "Type the same address as above. Nothing was erased."}
        return _erase_page(request, address, form.with_errors(said), status=422)
    with db_of(request).begin() as session:
        who = people.find(session, address, keys=keys_of(request))
        at_sendgrid = settings_of(request).uses_sendgrid
        people.erase(session, who, actor=person.actor, now=now_of(request), at_sendgrid=at_sendgrid)
    people.clear(db_of(request), settings_of(request), now=now_of(request))
    return RedirectResponse("/staff/people?done=erased", 303)


def _address_in(form: FormState) -> tuple[str, FormState | None]:
    """The address as we keep it, or the form with what is wrong with it."""
    typed = form.values.get("address", "").strip()
    try:
        return clean_address(typed), None
    except ValueError:
        said = "Enter an email address in the right form, like jane@example.org." if typed else "Enter an address."
        return "", form.with_errors({"address": said})


def _held(request: Request, session: Session, address: str) -> Held:
    who = people.find(session, address, keys=keys_of(request))
    tables: dict[str, list[dict[str, Any]]] = people.export(session, who)
    rows = tuple((TABLES[name], len(found)) for name, found in tables.items())
    return Held(who.supporter_id is not None, rows, people.look(session, who))


def _ask_page(request: Request, form: FormState, *, status: int = 200, done: str = "") -> Response:
    with db_of(request).read() as session:
        left = people.are_left(session)
    return inside(request, "staff/people.html", status=status, form=form, done=done, left=left)


def _erase_page(request: Request, address: str, form: FormState, *, status: int = 200) -> Response:
    with db_of(request).read() as session:
        held = _held(request, session, address)
    return inside(request, "staff/erase.html", status=status, form=form, address=address, held=held)
